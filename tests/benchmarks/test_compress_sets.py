"""The sets of benchmarks/compress.py: parts that share no report, one class a text."""

from __future__ import annotations

from pathlib import Path

import pytest

import compress_sets


@pytest.mark.parametrize("name", ["tram2", "mts_dialog"])
def test_parts_share_no_group(data: Path, name: str) -> None:
    train, choose, test = getattr(compress_sets, name)(data)
    assert len(train) > 2 * len(test) > 100
    assert len(choose) >= 100
    groups, words = (
        [{row[key] for row in part} for part in (train, choose, test)] for key in ("group", "text")
    )
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert not words[1] & words[2]
    assert all(len(row["classes"]) == 1 and row["text"].strip() for row in train + choose + test)


def test_the_tagger_is_reported_on_another_part_than_chooses(data: Path, tmp_path: Path) -> None:
    name, *files = compress_sets.tagger(data, tmp_path)
    assert name == "tagger"
    lines = [set(path.read_text().splitlines()) for path in files]
    assert [len(some) for some in lines] == [100, 100, 100]
    assert len(set.union(*lines)) == 300
