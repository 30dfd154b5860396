"""A question by a family name alone means that patient; one that several bear means nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import UsageError
from aegle.flows import commands, workspace
from aegle.flows.workspace import Layout

NOTE = """\
Patient: {name}   MRN: {mrn}   DOB: 03/04/1961
Date of service: 05/06/2024

HPI: {name} is a 63 y/o with heart failure. Denies chest pain. Takes {drug} 5 mg PO daily.
{more}
"""
# Two of one family name; the last one's doctor has the first one's.
PEOPLE = (
    ("Marguerite Okonkwo", "88123401", "warfarin", ""),
    ("Bartholomew Quillfeather", "88123402", "lisinopril", ""),
    ("Thelonious Quillfeather", "88123403", "apixaban", ""),
    ("Ignatius Vanterpool", "88123404", "metoprolol", "Seen by Dr. Okonkwo, who agrees."),
)


def built(folder: Path) -> Layout:
    (folder / "in").mkdir()
    for name, mrn, drug, more in PEOPLE:
        text = NOTE.format(name=name, mrn=mrn, drug=drug, more=more)
        (folder / "in" / f"{mrn}.txt").write_text(text)
    layout = workspace.create(folder / "w")
    commands.run(layout.root, "ingest", {"paths": [str(folder / "in")]})
    return layout


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Four patients' workspace, which no test changes."""
    return built(tmp_path_factory.mktemp("charts"))


def ask(layout: Layout, question: str) -> dict[str, Any]:
    return commands.run(layout.root, "ask", {"question": question})


def said(made: dict[str, Any]) -> str:
    return " ".join(claim["text"] for claim in made["claims"])


@pytest.mark.parametrize(
    "question",
    ["What does Okonkwo take?", "what does okonkwo take?", "What does Mrs. Okonkwo take?"],
)
def test_a_family_name_alone_leads_to_the_patient(charts: Layout, question: str) -> None:
    made = ask(charts, question)
    assert "warfarin" in said(made), made["refusal"]
    assert not {"lisinopril", "metoprolol", "apixaban"} & set(said(made).split())
    assert "okonkwo" not in json.dumps(made).casefold()


def test_it_is_asked_by_the_patients_own_stand_in(charts: Layout) -> None:
    alone, whole = (ask(charts, f"What is {one} taking?") for one in ("Okonkwo", PEOPLE[0][0]))
    assert whole["question"].endswith(alone["question"].removeprefix("What is "))


@pytest.mark.parametrize("question", ["What is Quillfeather taking?", "Is Mr. Quillfeather ill?"])
def test_a_name_of_two_patients_picks_neither(charts: Layout, question: str) -> None:
    made = ask(charts, question)
    assert not made["claims"] and not made["hits"]
    assert "2 patients" in made["refusal"]
    assert "quillfeather" not in json.dumps(made).casefold()


@pytest.mark.parametrize(
    "question",
    [
        "What does Bartholomew Quillfeather take?",
        "What does Quillfeather, Bartholomew take?",
        "What does Quillfeather, MRN 88123402, take?",
    ],
)
def test_the_full_name_or_a_number_tells_which_is_meant(charts: Layout, question: str) -> None:
    made = said(ask(charts, question))
    assert "lisinopril" in made and "apixaban" not in made


def test_a_name_of_two_patients_forgets_neither(charts: Layout) -> None:
    with pytest.raises(UsageError, match="2 patients"):
        commands.run(charts.root, "forget", {"what": "Quillfeather"})


def test_forgetting_one_of_two_leaves_the_other(tmp_path: Path) -> None:
    layout = built(tmp_path)
    commands.run(layout.root, "forget", {"what": "MRN 88123403"})
    assert "lisinopril" in said(ask(layout, "What does Quillfeather take?"))
