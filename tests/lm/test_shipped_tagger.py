"""The tagger that ships: whole, small, licensed, and it finds what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import aegle
from aegle.core.artifacts import check_manifest
from aegle.lm.tagger import Tagger

FOLDER = Path(aegle.__file__).parent / "weights" / "tagger"


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(FOLDER, threads=1)


def test_it_is_whole_and_under_40_megabytes() -> None:
    assert len(check_manifest(FOLDER / "manifest.json")) == 5
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 40_000_000
    assert not [
        one for one in FOLDER.iterdir() if one.suffix not in (".onnx", ".json", ".safetensors")
    ]


def test_its_card_names_each_corpus_with_its_licence() -> None:
    card = json.loads((FOLDER / "card.json").read_text())
    rows = [*card["data"], *(row for one in card["origins"] for row in one["data"])]
    assert rows and all(row["licence"] and row["safe_because"] for row in rows)
    barred = ("annoctr", "ade_corpus", "loghub", "seceval", "graphrag", "pddi", "nsl_kdd")
    assert not [row["source"] for row in rows if row["source"].startswith(barred)]


def test_forms_of_words_have_a_part_in_its_entities_and_none_in_identifiers() -> None:
    card = json.loads((FOLDER / "card.json").read_text())
    weights = {name: head.get("lexical", 0) for name, head in card["heads"].items()}
    assert weights.pop("identifiers") == 0
    assert all(0 < one <= 1 for one in weights.values())


@pytest.mark.parametrize(
    ("head", "text", "wanted"),
    [
        ("biomedical", "Cisplatin caused acute renal failure in rats.", ("Cisplatin", "chemical")),
        (
            "biomedical",
            "Cisplatin caused acute renal failure in rats.",
            ("acute renal failure", "disease"),
        ),
        ("biology", "BRCA1 mutations raise the risk of breast cancer.", ("BRCA1", "gene")),
        ("clinical", "A 54-year-old man was given aspirin.", ("aspirin", "medication")),
        ("security", "The Anubis malware targets Android users.", ("Anubis", "malware")),
        ("identifiers", "Seen by Dr. Maria Lopez. Call 555-123-4567.", ("Maria Lopez", "person")),
        ("identifiers", "Seen by Dr. Maria Lopez. Call 555-123-4567.", ("555-123-4567", "phone")),
    ],
)
def test_each_head_finds_what_it_is_for(
    tagger: Tagger, head: str, text: str, wanted: tuple[str, str]
) -> None:
    (told,) = tagger.tag([text], tasks=[head])
    assert wanted in [(text[one.start : one.end], one.label) for one in told[head]]


@pytest.mark.parametrize(
    "text",
    [
        "Denies fever, chills, cough. Lungs clear. Heart regular rate and rhythm. BP 120/80.",
        "Alarm E-120: occlusion. Check the line and restart the pump.",
    ],
)
def test_a_note_without_identifiers_has_none(tagger: Tagger, text: str) -> None:
    (told,) = tagger.tag([text], tasks=["identifiers"])
    assert told["identifiers"] == []
