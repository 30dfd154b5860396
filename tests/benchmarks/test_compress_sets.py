"""The sets of benchmarks/compress.py: parts that share no report, one class a text."""

from __future__ import annotations

from pathlib import Path

import pytest

import compress_sets


@pytest.mark.parametrize("name", ["tram2", "mts_dialog"])
def test_parts_share_no_group(data: Path, name: str) -> None:
    train, test = getattr(compress_sets, name)(data)
    assert len(train) > 2 * len(test) > 100
    assert not {row["group"] for row in train} & {row["group"] for row in test}
    assert all(len(row["classes"]) == 1 and row["text"].strip() for row in train + test)


def test_the_tagger_is_scored_on_another_part_than_calibrates(data: Path, tmp_path: Path) -> None:
    name, test, calibrate = compress_sets.tagger(data, tmp_path)
    assert name == "tagger"
    lines = [set(path.read_text().splitlines()) for path in (test, calibrate)]
    assert all(lines)
    assert not lines[0] & lines[1]
