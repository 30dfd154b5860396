"""Terminologies that a user adds: read by the pack that knows them, kept, read anew on a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core import plugins
from aegle.core.errors import NotFoundError, UsageError
from aegle.flows.terminologies import lexicons

PACKS = {name: plugins.find("packs", name) for name in ("healthcare", "cybersecurity")}


def rxnorm(path: Path, *names: str) -> Path:
    rows = [f"{n}|ENG|P|L|PF|S|Y|A||||RXNORM|IN|{n}|{name}|0|N||" for n, name in enumerate(names)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_a_release_file_is_a_lexicon_of_its_pack(tmp_path):
    file = rxnorm(tmp_path / "RXNCONSO.RRF", "zopiclone", "zuclopenthixol")
    found = lexicons([str(file)], PACKS, tmp_path / "cache")
    assert list(found) == ["healthcare"]
    (match,) = found["healthcare"][0].find("given Zopiclone at night")
    assert match.terms[0].concept.key == "RXNORM:0"
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_changed_file_is_read_anew(tmp_path):
    file = rxnorm(tmp_path / "RXNCONSO.RRF", "zopiclone")
    first = lexicons([str(file)], PACKS, tmp_path / "cache")["healthcare"][0]
    rxnorm(file, "zopiclone", "zuclopenthixol")
    second = lexicons([str(file)], PACKS, tmp_path / "cache")["healthcare"][0]
    assert (len(first), len(second)) == (1, 2)


def test_a_missing_or_unknown_file_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="no file"):
        lexicons([str(tmp_path / "MRCONSO.RRF")], PACKS, tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(UsageError, match="CONSO"):
        lexicons([str(other)], PACKS, tmp_path)
