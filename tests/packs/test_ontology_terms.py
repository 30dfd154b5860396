"""Terms of the packs: short names, default codes, ambiguous names, and lists that are sound."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from aegle.packs.cybersecurity import ontology as security
from aegle.packs.general.wordlist import DOUBTFUL, entries, entry_terms
from aegle.packs.healthcare import ontology as clinical

TABULAR = """<?xml version="1.0"?><ICD10CM.tabular><chapter>
<diag><name>E11</name><desc>Type 2 diabetes mellitus</desc>
  <includes><note>insulin resistant diabetes (mellitus)</note></includes>
  <diag><name>E11.9</name><desc>Type 2 diabetes mellitus without complications</desc></diag>
  <diag><name>E11.8</name><desc>Type 2 diabetes mellitus with other complications</desc></diag>
</diag>
<diag><name>I10</name><desc>Essential (primary) hypertension</desc></diag>
<diag><name>R05</name><desc>Cough</desc></diag>
<diag><name>Z80.3</name><desc>Family history of malignant neoplasm of breast</desc></diag>
<diag><name>W19</name><desc>Unspecified fall</desc></diag>
</chapter></ICD10CM.tabular>"""


@pytest.fixture
def icd(tmp_path: Path):
    path = tmp_path / "tabular.xml"
    path.write_text(TABULAR)
    return list(clinical.icd_terms(path))


def test_titles_give_the_names_that_notes_use(icd):
    names = {term.text.casefold() for term in icd}
    assert {"type 2 diabetes", "essential hypertension", "cough"} <= names


def test_bare_disease_name_prefers_the_default_code(icd):
    offers = {t.concept.code: t.score for t in icd if t.text.casefold() == "type 2 diabetes"}
    assert max(offers, key=offers.get) == "E11.9"


def test_codes_that_would_hide_cues_are_left_out(icd):
    assert not any(term.concept.code[0] in "VWXYZ" for term in icd)


def test_chapter_r_is_symptoms(icd):
    assert {t.type for t in icd if t.concept.code == "R05"} == {"symptom"}


@pytest.mark.parametrize(
    "name", [name for name, _, _ in clinical._LISTS],
)  # fmt: skip
def test_shipped_list_has_no_entry_twice(name):
    counts = Counter(entry.name.casefold() for entry in entries("aegle.packs.healthcare", name))
    assert [one for one, count in counts.items() if count > 1] == []


def test_marks_of_a_list_line():
    (entry,) = (e for e in entries("aegle.packs.healthcare", "conditions") if e.code == "G35.D")
    acronym = next(t for t in entry_terms(entry, "condition", "ICD10CM") if t.text == "MS")
    assert acronym.exact
    assert acronym.score == DOUBTFUL


def test_a_brand_and_its_generic_share_a_key():
    terms = {
        t.text: t
        for t in clinical.list_terms("aegle.packs.healthcare", "medications", "medication")
    }
    assert terms["Lasix"].concept.key == terms["furosemide"].concept.key == "medication:furosemide"


def test_shipped_codes_exist_in_icd10cm():
    data = os.environ.get("AEGLE_DATA")
    if not data:
        pytest.skip("AEGLE_DATA is not set: no code list of ICD-10-CM")
    (path,) = (Path(data) / "icd10cm").glob("code-list*.txt")
    codes = {code.replace(".", "") for code in path.read_text().split()}
    for name in ("conditions", "symptoms"):
        used = {e.code for e in entries("aegle.packs.healthcare", name)}
        assert {code for code in used - {""} if code.replace(".", "") not in codes} == set()


def test_security_names_that_are_words_are_careful():
    concept = clinical.Concept("ATTACK", "S0000", "x")
    assert security._named("at", "tool", concept) is None
    assert security._named("Net", "tool", concept) is None
    assert security._named("Conti", "malware", concept).score == DOUBTFUL
    assert security._named("Cobalt Strike", "malware", concept).score > 0.5
    assert security._named("Emotet", "malware", concept).exact
