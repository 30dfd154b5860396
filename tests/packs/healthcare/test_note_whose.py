"""A note is somebody's though it does not say whose; a page about a disease is nobody's."""

from __future__ import annotations

import io

import pytest

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.note import NoteReader
from aegle.packs.healthcare.readers.whose import number_in_name, speaks_of_one

AGED = "72 yo male with HTN and diabetes, on lisinopril 10 mg daily. BP 140/90.\n"
HEADED = "HPI: Admitted with cough.\nHOSPITAL COURSE: Pneumonia, ceftriaxone 1 g IV daily.\n"
PAGE = (
    "Diabetes is common. Patients with diabetes take metformin. Symptoms include thirst.\n"
    "Diagnosis: by blood sugar.\nPrognosis: good.\nProcedures: none.\n"
)


def read(text: str, name: str = "n.txt") -> RawDocument:
    (doc,) = NoteReader().read(io.BytesIO(text.encode()), Origin(name))
    return doc


def patient(doc: RawDocument) -> tuple[str, str]:
    """The words that stand for the patient, and its reference."""
    (one,) = (m for m in doc.mentions if m.type == "patient")
    assert one.ref is not None
    return doc.text.reveal()[one.start : one.end], one.ref.reveal()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AGED, "male"),
        ("A 64-year-old woman presented with cough.\n", "woman"),
        ("45F with asthma, c/o dyspnea.\n", "F"),
        ("Pt afebrile, BP 120/80. Denies fever.\n", "Pt"),
        ("Seen today. The patient denies chest pain.\n", "patient"),
        (HEADED, "HPI"),
    ],
)
def test_a_note_that_identifies_nobody_has_a_patient_of_its_own(text: str, words: str) -> None:
    doc = read(text)
    assert doc.group.reveal() == ""
    assert patient(doc)[0] == words
    assert patient(doc) == patient(read(text, "elsewhere.txt"))
    assert patient(doc)[1] != patient(read(text + "Seen again."))[1]


@pytest.mark.parametrize(
    "text",
    [
        PAGE,
        "Hypertension may cause headache. Your doctor will check your blood pressure daily.\n",
        "People with asthma use inhalers. The patient has the right to refuse a dose.\n",
        "Infusion pumps on the ward were patched. No dose was affected.\n",
    ],
)
def test_a_page_has_no_patient(text: str) -> None:
    assert read(text).mentions == ()
    assert not speaks_of_one(text)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("notes/patient-00123/progress.txt", "00123"),
        ("export/MRN_5551234 discharge.txt", "5551234"),
        ("patient id 770.txt", "770"),
        ("notes/patients-2024/a.txt", ""),
        ("notes/patient_2024-01-03.txt", ""),
        ("outpatient12/a.txt", ""),
        ("part12.txt", ""),
    ],
)
def test_the_files_name_may_state_the_patient(name: str, number: str) -> None:
    assert number_in_name(Origin(name))[0] == number
    doc = read(AGED, name)
    assert doc.group.reveal() == (f"patient/{number}" if number else "")
    if number:
        assert ("mrn", number) in {(one.kind, one.value.reveal()) for one in doc.identifiers}


def test_the_header_comes_before_the_files_name() -> None:
    doc = read(f"Patient: Roe, Ann  MRN: 99887\n{AGED}", "patient-123.txt")
    assert doc.group.reveal() == "patient/99887"
    assert patient(doc) == ("Roe, Ann", "patient/99887")


def test_name_and_birth_come_before_the_files_name() -> None:
    one = read(f"Patient: Jan Kowalczyk\nDOB: 02/03/1950\n{AGED}", "siteA/patient_001.txt")
    two = read(f"Patient: Una Fitzwilliam\nDOB: 02/03/1990\n{AGED}", "siteB/patient_001.txt")
    assert one.group != two.group
    assert one.group == read(f"Name: Kowalczyk, Jan\nDOB: 2/3/1950\n{HEADED}").group
    assert ("mrn", "001") in {(i.kind, i.value.reveal()) for i in one.identifiers}
    assert one.numbers == ()


@pytest.mark.parametrize(
    ("origin", "folder"),
    [
        (Origin("siteA/patient_001.txt"), "folder:siteA"),
        (Origin("siteA/patient-001/progress.txt"), "folder:siteA"),
        (Origin("all.zip", "siteA/patient_001.txt"), "folder:all.zip/siteA"),
        (Origin("patient_001.txt"), "folder:."),
    ],
)
def test_a_number_in_a_files_name_is_its_folders(origin: Origin, folder: str) -> None:
    assert number_in_name(origin) == ("001", folder)
    (doc,) = NoteReader().read(io.BytesIO(AGED.encode()), origin)
    assert [(i.value.reveal(), i.assigner.reveal()) for i in doc.numbers] == [("001", folder)]


def test_two_identifiers_make_two_notes_one_patients_and_a_name_alone_does_not() -> None:
    one = read(f"Patient: Roe, Ann\nDOB: 02/03/1950\n{AGED}")
    two = read(f"Name: Ann Roe\nDate of birth: Feb 3, 1950\n{HEADED}")
    other = read(f"Name: Ann Roe\nDOB: 02/03/1951\n{AGED}")
    assert one.group == two.group
    assert len({one.group, other.group}) == 2
    first, second = read(f"Patient: Ann Roe\n{AGED}"), read(f"Patient: Ann Roe\n{HEADED}")
    assert first.group.reveal() == second.group.reveal() == ""
    assert patient(first)[0] == "Ann Roe"
    assert patient(first)[1] != patient(second)[1]


def test_a_header_tells_the_patients_own_name_and_birth() -> None:
    doc = read(f"Patient: Roe, Ann\nMRN: 99887\nDOB: 02/03/1950\nPCP: Dr Poe\n{AGED}")
    assert [i.value.reveal() for i in doc.person] == ["Ann Roe", "1950-02-03"]
    assert [i.value.reveal() for i in doc.numbers] == ["99887"]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("Clinic/Xanthopoulos Marta.txt", {"Xanthopoulos", "Marta"}),
        ("Discharge_Summary_Xanthopoulos-2024.txt", {"Xanthopoulos"}),
        ("Cardiology Consult Note.txt", set()),
        ("Eliquis and Metformin.txt", set()),
        ("Boston Office/progress.txt", set()),
    ],
)
def test_the_files_name_may_name_the_patient(name: str, names: set[str]) -> None:
    doc = read("Xanthopoulos takes albuterol.\n", name)
    assert {i.value.reveal() for i in doc.identifiers if i.kind == "name"} == names
