"""Extraction: spans are exact, the source wins, ids are stable, the subject is tied."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.pack import Cue, Pattern, Rule, Term
from aegle.core.records import Concept, Document, Facts, Link, Mention
from aegle.core.text import RawText, SafeText
from aegle.facts.extract import extract
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import choose

LEXICON = Lexicon.build(
    [
        Term("hypertension", "condition", Concept("ICD10CM", "I10", "Hypertension")),
        Term("HTN", "condition", Concept("ICD10CM", "I10", "Hypertension"), exact=True),
        Term("multiple sclerosis", "condition", Concept("ICD10CM", "G35", "MS")),
        Term("MS", "condition", Concept("ICD10CM", "G35", "MS"), exact=True, score=0.4),
        Term("Lasix", "medication", Concept("medication", "furosemide", "furosemide")),
        Term("furosemide", "medication", Concept("medication", "furosemide", "furosemide")),
    ]
)
PATTERNS = (
    Pattern("dose", re.compile(r"\d+ mg")),
    Pattern("device", re.compile(r"[A-Z]+-\d{4}")),
    Pattern("vulnerability", re.compile(r"CVE-\d{4}-\d+"), lambda m: Concept("CVE", m.group())),
    Pattern("account", re.compile(r"user (?P<value>\w+)"), check=lambda m: m["value"] != "x"),
)
CUES = (Cue("no", "negated", "forward", 6), Cue("mother", "family", "forward", 6))
RULES = (
    Rule("has_dose", "medication", "dose", re.compile(r"^[^,]*$"), gap=10),
    Rule("has_condition", "patient", "condition"),
    Rule("takes", "patient", "medication"),
    Rule("logged_in_to", "account", "host"),
)


def doc(text: str, **more) -> Document:
    safe = SafeText(text, by="test")
    return Document(id="d1", kind="note", domain="healthcare", text=safe, title=safe, **more)


def facts(document: Document) -> Facts:
    return extract(document, lexicons=[LEXICON], patterns=PATTERNS, cues=CUES, rules=RULES)


def triples(found: Facts) -> set[tuple[str, str, str]]:
    by_id = {entity.id: entity.key for entity in found.entities}
    return {(by_id[r.head], r.type, by_id[r.tail]) for r in found.relations}


def keys(found: Facts) -> list[str]:
    return [entity.key for entity in found.entities]


def test_names_shapes_and_their_keys():
    found = facts(doc("HTN, Lasix 40 mg, PUMP-0042, CVE-2024-1, user bob, user x"))
    assert keys(found) == [
        "ICD10CM:I10",
        "medication:furosemide",
        "dose:40 mg",
        "device:pump-0042",
        "CVE:CVE-2024-1",
        "account:bob",
    ]
    assert {e.extractor for e in found.entities} == {"lexicon/1", "pattern/1"}
    assert found.entities[1].concepts == ()


def test_a_doubtful_acronym_needs_company():
    assert keys(facts(doc("MS Windows"))) == []
    assert keys(facts(doc("HTN and MS"))) == ["ICD10CM:I10", "ICD10CM:G35"]
    assert keys(facts(doc("HTN" + " word" * 60 + " MS"))) == ["ICD10CM:I10"]


def test_source_wins_over_what_is_found():
    text = "Hypertension is coded"
    mention = Mention(0, 12, "condition", (Concept("SNOMED", "38341003"),), "historical", "2020")
    (entity,) = facts(doc(text, mentions=(mention,))).entities
    assert (entity.extractor, entity.assertion, entity.time) == ("source/1", "historical", "2020")
    assert [c.key for c in entity.concepts] == ["ICD10CM:I10", "SNOMED:38341003"]
    assert entity.key == "ICD10CM:I10"


def test_a_product_and_its_substance_are_one_node():
    text = "Lasix 40 MG Oral Tablet"
    product = Concept("RXNORM", "200809")
    for type in ("medication", "allergy"):
        (entity,) = (
            e for e in facts(doc(text, mentions=(Mention(0, 23, type, (product,)),))).entities
            if e.extractor == "source/1"
        )  # fmt: skip
        assert (entity.key, entity.concepts) == ("medication:furosemide", (product,))


def test_what_a_table_names_has_the_key_of_its_shape():
    text = "cve: CVE-2024-1; host: CVE-2024-1 and more"
    mentions = (
        Mention(5, 15, "vulnerability"),
        Mention(23, 42, "vulnerability"),
    )
    stated = facts(doc(text, mentions=mentions)).entities
    named = [entity.key for entity in stated if entity.type == "vulnerability"]
    assert named == ["CVE:CVE-2024-1", "vulnerability:cve-2024-1 and more"]


def test_a_shape_that_fails_its_check_gives_no_key():
    told = Pattern("host", re.compile(r"\w+"), lambda m: Concept("host", "h"), lambda m: False)
    found = extract(
        doc("web01", mentions=(Mention(0, 5, "host"),)),
        lexicons=[], patterns=[told], cues=[], rules=[],
    )  # fmt: skip
    assert keys(found) == ["host:web01"]


def test_what_is_possible_counts_less():
    cues = [Cue("possible", "possible", "forward", 6)]
    scores = []
    for text in ("Has hypertension.", "Has possible hypertension."):
        found = extract(
            doc(text, group="patient:1"), lexicons=[LEXICON], patterns=[], cues=cues, rules=RULES
        )
        (relation,) = found.relations
        scores.append(relation.score)
    assert scores[1] < scores[0]


def test_a_record_holds_other_entities():
    mention = Mention(0, 20, "event")
    assert "account:bob" in keys(facts(doc("logon of user bob ok", mentions=(mention,))))


def test_patient_key_is_the_group():
    mention = Mention(0, 4, "patient", ref=RawText("3f2a3f2a3f2a"))
    found = facts(doc("Jane has HTN", group="patient:3f2a3f2a3f2a", mentions=(mention,)))
    assert ("patient:3f2a3f2a3f2a", "has_condition", "ICD10CM:I10") in triples(found)
    assert len([e for e in found.entities if e.type == "patient"]) == 1


def test_subject_is_tied_to_what_is_the_patients_own():
    text = "Patient: Ann Roe\nHTN on Lasix. No multiple sclerosis. Mother had hypertension."
    found = facts(doc(text, group="patient:3f2a3f2a3f2a"))
    assert triples(found) == {
        ("patient:3f2a3f2a3f2a", "has_condition", "ICD10CM:I10"),
        ("patient:3f2a3f2a3f2a", "takes", "medication:furosemide"),
    }
    (patient,) = (e for e in found.entities if e.type == "patient")
    assert patient.text == "Ann Roe"
    assert [e.assertion for e in found.entities if e.type == "condition"] == [
        "present",
        "negated",
        "family",
    ]


def test_a_note_without_a_group_is_about_the_one_patient_that_it_states():
    text = "72 yo male. HTN on Lasix. No multiple sclerosis."
    one = Mention(6, 10, "patient", ref=RawText("abc"))
    assert triples(facts(doc(text, mentions=(one,)))) == {
        ("patient:abc", "has_condition", "ICD10CM:I10"),
        ("patient:abc", "takes", "medication:furosemide"),
    }
    other = Mention(0, 2, "patient", ref=RawText("def"))
    assert triples(facts(doc(text, mentions=(one, other)))) == set()
    assert triples(facts(doc(text))) == set()
    page = dataclasses.replace(doc(text, mentions=(one,)), kind="page")
    assert triples(facts(page)) == set()


def test_a_log_belongs_to_its_host():
    found = facts(doc("Jan 1 web01 sshd: user bob", group="host:web01"))
    assert ("account:bob", "logged_in_to", "host:web01") in triples(found)


def test_links_of_the_source_are_relations_of_full_score():
    text = "Ann takes Lasix"
    mentions = (Mention(0, 3, "patient", ref=RawText("abc")), Mention(10, 15, "medication"))
    found = facts(doc(text, mentions=mentions, links=(Link(0, 1, "takes", "2024"),)))
    (relation,) = found.relations
    assert (relation.type, relation.score, relation.extractor) == ("takes", 1.0, "source/1")
    assert relation.time == "2024"
    assert triples(found) == {("patient:abc", "takes", "medication:furosemide")}


def test_a_rule_stays_in_its_sentence_and_gap():
    assert triples(facts(doc("Lasix 40 mg daily"))) == {
        ("medication:furosemide", "has_dose", "dose:40 mg")
    }
    assert triples(facts(doc("Lasix today. Then 40 mg of it."))) == set()
    assert triples(facts(doc("Lasix, 40 mg"))) == set()


def test_empty_and_blank_documents_say_nothing():
    assert facts(doc("", group="patient:a")) == Facts()
    assert facts(doc(" \n ", group="patient:a")) == Facts()


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            ["HTN", "MS", "Lasix", "40 mg", "no", "mother", ".", "\n\n", "PUMP-0042", "user bob",
             "CVE-2024-1", "é", "Plan:", "multiple sclerosis", "hyper", "tension"]
        ),
        max_size=20,
    ),
    st.sampled_from(["", "patient:abc", "host:web01"]),
)  # fmt: skip
def test_spans_are_exact_ids_stable_and_relations_tied(parts, group):
    document = doc(" ".join(parts), group=group)
    found = facts(document)
    assert found == facts(document)
    ids = [entity.id for entity in found.entities]
    assert len(set(ids)) == len(ids)
    for entity in found.entities:
        assert document.text[entity.start : entity.end] == entity.text
    for relation in found.relations:
        assert {relation.head, relation.tail} <= set(ids)
        assert 0 <= relation.start < relation.end <= len(document.text)
    own = [e for e in found.entities if e.extractor in ("lexicon/1", "pattern/1")]
    for left, right in pairwise(own):
        assert left.end <= right.start


@pytest.mark.parametrize(
    ("codes", "best"),
    [
        ([("E11", 0.8), ("E11.9", 0.95)], "E11.9"),
        ([("A01.1", 0.9), ("A01", 0.9)], "A01"),
        ([("B02", 0.9), ("B01", 0.9)], "B01"),
    ],
)
def test_the_likeliest_then_the_most_general_code_is_chosen(codes, best):
    terms = [Term("x", "condition", Concept("ICD10CM", c, ""), score=s) for c, s in codes]
    assert choose("x", terms).concepts[0].code == best
    assert choose("x", reversed(terms)).key == f"ICD10CM:{best}"
