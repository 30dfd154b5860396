"""Workspaces and notes for the flows' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.flows import workspace
from aegle.flows.workspace import Layout

NOTE = """\
Patient: {name}   MRN: {mrn}   DOB: 03/04/1961
Date of service: 05/06/2024

CHIEF COMPLAINT: shortness of breath.

HPI: {name} is a 63 y/o with heart failure. Denies chest pain. Takes {drug} 5 mg PO daily.

ALLERGIES: penicillin.

ASSESSMENT AND PLAN: Continue {drug}. Infusion pump {pump} in ICU-3.
"""

PEOPLE = (
    ("Marguerite Okonkwo", "88123401", "warfarin", "PUMP-0042"),
    ("Bartholomew Quillfeather", "88123402", "lisinopril", "PUMP-0043"),
    ("Ignatius Vanterpool", "88123403", "metoprolol", "PUMP-0044"),
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty workspace."""
    return workspace.create(tmp_path / "w")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Three patients' notes, one a file."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, mrn, drug, pump in PEOPLE:
        text = NOTE.format(name=name, mrn=mrn, drug=drug, pump=pump)
        (folder / f"{mrn}.txt").write_text(text)
    return folder
