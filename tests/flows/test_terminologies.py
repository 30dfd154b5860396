"""Terminologies and abbreviations that a user adds: read by who knows them, or told why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aegle.core import plugins
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.core.settings import Knowledge
from aegle.facts.lexicon import Lexicon
from aegle.flows.terminologies import lexicons, linkers

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


GOUT = Concept("ICD10CM", "M10.9", "Gout")
INFARCTION = Concept("ICD10CM", "I21", "Infarction")
NAMED = [
    Lexicon.build(
        [Term("gout attack", "condition", GOUT), Term("heart infarction", "condition", INFARCTION)]
    )
]


def cardiac(texts):
    """Unit vectors by which texts about the heart are one thing and all others another."""
    rows = [[1.0, 0.0] if "heart" in text or "infarct" in text else [0.0, 1.0] for text in texts]
    return np.array(rows, np.float32)


def test_tables_of_abbreviations_and_meaning_reach_the_linkers(tmp_path):
    table = tmp_path / "short.csv"
    table.write_text("GA,gout attack\nGA,heart infarction\n")
    how = Knowledge(abbreviations=(str(table),))
    linker = linkers({"healthcare": NAMED}, how, cardiac)["healthcare"]
    for text, key in (("GA of the toe", GOUT.key), ("GA of the heart", INFARCTION.key)):
        known = linker.short_forms(text, [(0, 2)])
        assert linker.link("GA", "condition", known=known).key == key
    by_spelling = linker.candidates("heart attack", "condition")
    how = Knowledge(link_by="meaning")
    by_meaning = linkers({"healthcare": NAMED}, how, cardiac)["healthcare"].candidates(
        "heart attack", "condition"
    )
    assert by_meaning[0].key == INFARCTION.key
    assert by_meaning[0].score != by_spelling[0].score


def test_nothing_is_embedded_where_the_settings_want_no_meaning(tmp_path):
    def embed(texts):
        raise AssertionError("the encoder was asked")

    table = tmp_path / "short.csv"
    table.write_text("GA,gout attack\n")
    for how in (Knowledge(), Knowledge(abbreviations=(str(table),))):
        linker = linkers({"healthcare": NAMED}, how, embed)["healthcare"]
        known = linker.short_forms("GA", [(0, 2)])
        assert bool(linker.link("GA", "condition", known=known)) == bool(how.abbreviations)
        assert linker.candidates("hart infarction", "condition")[0].key == INFARCTION.key


def test_a_missing_or_wrong_table_is_said(tmp_path):
    with pytest.raises(NotFoundError, match=r"knowledge\.abbreviations: no file"):
        linkers({}, Knowledge(abbreviations=(str(tmp_path / "none.csv"),)), cardiac)
    table = tmp_path / "short.csv"
    table.write_text("GA gout attack\n")
    with pytest.raises(InputError, match=r"short\.csv"):
        linkers({}, Knowledge(abbreviations=(str(table),)), cardiac)
