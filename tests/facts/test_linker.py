"""Linking: exact is exact, the likest comes next, and what is unlike everything is no link."""

from __future__ import annotations

import numpy as np
import pytest

from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.facts.abbreviations import Senses, long_forms
from aegle.facts.lexicon import Lexicon
from aegle.facts.linker import Linker


def icd(text: str, code: str, name: str, score: float = 0.95, type: str = "condition") -> Term:
    return Term(text, type, Concept("ICD10CM", code, name), exact=text.isupper(), score=score)


TERMS = [
    icd("heart failure", "I50.9", "Heart failure, unspecified"),
    icd("left heart failure", "I50.1", "Left ventricular failure"),
    icd("type 2 diabetes mellitus", "E11", "Type 2 diabetes mellitus", score=0.85),
    icd("type 2 diabetes mellitus", "E11.9", "Type 2 diabetes mellitus without complications"),
    icd("acute myocardial infarction", "I21", "Acute myocardial infarction"),
    icd("cough", "R05", "Cough", type="symptom"),
    icd("HF", "HF0", "Haemorrhagic fever"),
    Term("furosemide", "medication", Concept("medication", "furosemide", "furosemide")),
    Term("Phishing", "technique", Concept("ATTACK", "T1566", "Phishing"), exact=True, score=0.8),
    Term("Emotet", "malware", Concept("ATTACK", "S0367", "Emotet"), exact=True),
]


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker([Lexicon.build(TERMS)])


@pytest.mark.parametrize(
    ("name", "type", "key"),
    [
        ("Heart Failures", "condition", "ICD10CM:I50.9"),
        ("hart failure", "condition", "ICD10CM:I50.9"),
        ("type II diabetis mellitus", "condition", "ICD10CM:E11.9"),
        ("acute myocardail infarction", "symptom", "ICD10CM:I21"),
        ("coughs", "condition", "ICD10CM:R05"),
        ("furosemid", "medication", "medication:furosemide"),
        ("phishing", "attack_pattern", "ATTACK:T1566"),
    ],
)
def test_links_what_is_meant(linker, name, type, key):
    assert linker.link(name, type).key == key


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("zinc deficiency", "condition"),
        ("heart failure", "medication"),
        ("HV", "condition"),
        ("Emota", "malware"),
        ("12345 678", "condition"),
        ("", "condition"),
        ("heart failure", "ward"),
    ],
)
def test_what_is_unlike_everything_is_no_link(linker, name, type):
    assert linker.link(name, type) is None


def test_a_document_says_what_its_short_forms_stand_for(linker):
    known = long_forms("Chronic heart failure (HF), worse. HF again.")
    assert linker.link("HF", "condition").key == "ICD10CM:HF0"
    assert linker.link("HF", "condition", known={"HF": "heart failure"}).key == "ICD10CM:I50.9"
    assert linker.link("left HF", "condition", known=known).key == "ICD10CM:I50.1"


def test_what_a_document_defines_comes_before_the_inventory():
    senses = Senses({"hf": ["hay fever"], "lhf": ["left heart failure"]})
    linker = Linker([Lexicon.build(TERMS)], senses=senses)
    text = "Heart failure (HF). Known LHF, HF; VHF."
    known = linker.short_forms(text, [(0, len(text))])
    assert (known["HF"], known["LHF"]) == ("Heart failure", "left heart failure")
    assert linker.link("LHF", "condition", known=known).key == "ICD10CM:I50.1"
    assert linker.link("VHF", "condition", known=known) is None


def test_a_sense_of_another_type_is_no_link():
    linker = Linker([Lexicon.build(TERMS)], senses=Senses({"fsm": ["furosemide"]}))
    known = linker.short_forms("FSM", [(0, 3)])
    assert linker.link("FSM", "condition", known=known) is None
    assert linker.link("FSM", "medication", known=known).key == "medication:furosemide"


def test_a_local_name_gives_the_key_and_is_no_concept(linker):
    assert linker.link("furosemid", "medication").concepts == ()


def test_candidates_are_distinct_and_the_exact_one_leads(linker):
    found = linker.candidates("heart failure", "condition", k=3)
    assert found[0].key == "ICD10CM:I50.9"
    assert len({one.key for one in found}) == len(found)
    scores = [one.score for one in found[1:]]
    assert scores == sorted(scores, reverse=True)


def test_meaning_finds_what_spelling_does_not():
    terms = [icd("gout attack", "M10.9", "Gout"), icd("heart infarction", "I21", "Infarction")]
    cardiac = ("heart", "infarction")

    def embed(texts):
        rows = [[1.0, 0.0] if any(w in t for w in cardiac) else [0.0, 1.0] for t in texts]
        return np.array(rows, np.float32)

    lexicon = Lexicon.build(terms)
    plain = Linker([lexicon]).candidates("heart attack", "condition")
    dense = Linker([lexicon], embed=embed).candidates("heart attack", "condition")
    assert dense[0].key == "ICD10CM:I21"
    assert dense[0].score > max(one.score for one in plain if one.key == "ICD10CM:I21")


def test_the_score_under_which_is_no_link_can_be_set():
    lexicon = Lexicon.build(TERMS)
    assert Linker([lexicon], least=1.0).link("hart failure", "condition") is None
    assert Linker([lexicon], least=0.1).link("failing heart", "condition") is not None


def test_a_second_terminology_adds_its_code_and_leaves_the_key():
    code = Concept("RXNORM", "4603", "furosemide")
    added = Lexicon.build([Term("furosemide", "medication", code)])
    choice = Linker([Lexicon.build(TERMS), added]).link("Furosemide", "medication")
    assert choice.key == "medication:furosemide"
    assert choice.concepts == (code,)
