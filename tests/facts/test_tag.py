"""The tagger's spans as entities: known names and shapes win, one decision a name, one place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import Cue, LabelSet, PairSet, Pattern, Rule, Tags, Term
from aegle.core.records import Concept, Document, Entity, Facts, Mention
from aegle.core.text import SafeText
from aegle.facts.assertion import ORDER, Weights, decide, strongest
from aegle.facts.extract import extract
from aegle.facts.lexicon import Lexicon
from aegle.facts.linker import Linker
from aegle.facts.tag import Told
from aegle.lm.heads import Classifier
from aegle.lm.reading import Found

LEXICON = Lexicon.build(
    [
        Term("asthma", "condition", Concept("ICD10CM", "J45.909", "Asthma")),
        Term("fever", "symptom", Concept("ICD10CM", "R50.9", "Fever")),
        Term("MS", "condition", Concept("ICD10CM", "G35", "MS"), exact=True, score=0.4),
        Term("Lasix", "medication", Concept("medication", "furosemide", "furosemide")),
    ]
)
PATTERNS = (Pattern("dose", re.compile(r"\d+ mg")),)
TAGS = Tags(
    sets={
        "clinical": LabelSet(
            {"problem": ("condition", "symptom"), "drug": ("medication",)}, frozenset({"note"})
        ),
        "biology": LabelSet({"gene": ("gene",), "problem": ("condition",)}, frozenset({"page"})),
    },
    thresholds={"": 0.5, "gene": 0.9},
    assertion="assertion",
    asserted=frozenset({"condition"}),
    pairs=PairSet(
        "relation",
        {"medication": "chemical", "condition": "disease"},
        {("Negative", "medication", "condition"): "treats"},
        frozenset({"note"}),
    ),
)
HEADS = {
    "assertion": Classifier("span", ("present", "negated")),
    "relation": Classifier("pair", ("Negative", "Bind"), ("chemical", "disease")),
}


@dataclass(frozen=True)
class Given:
    """A reading that says what a test wants said."""

    found: Mapping[str, Sequence[Found]]
    negated: frozenset[int] = frozenset()
    related: Mapping[frozenset[int], tuple[float, float]] = field(default_factory=dict)

    def spans(self, head: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        rows = [(0.01, 0.99) if start in self.negated else (0.9, 0.1) for start, _ in spans]
        return np.array(rows, np.float32)

    def pairs(self, head: str, things: Sequence[tuple[str, Sequence[tuple[int, int]]]], within):
        table = np.zeros((len(things), len(things), 3), np.float32)
        table[..., 0] = 1
        for i, (_, left) in enumerate(things):
            for j, (_, right) in enumerate(things):
                said = self.related.get(frozenset((left[0][0], right[0][0])))
                if said and i != j:
                    table[i, j] = (1 - sum(said), *said)
        return table


def facts(text: str, *told: tuple[str, str, float], kind: str = "note", **more) -> Facts:
    """The facts of a text in which a tagger sees words, each ``set.label`` with a score."""
    found: dict[str, list[Found]] = {}
    for word, label, score in told:
        name, _, label = label.partition(".")
        at = text.index(word)
        found.setdefault(name, []).append(Found(at, at + len(word), label, score))
    return read(text, found, kind=kind, **more)


def read(
    text: str,
    found: Mapping[str, Sequence[Found]],
    *,
    kind: str = "note",
    thresholds: Mapping[str, float] | None = None,
    cues: Sequence[Cue] = (),
    rules: Sequence[Rule] = (),
    mentions: tuple[Mention, ...] = (),
    **more,
) -> Facts:
    safe = SafeText(text, by="test")
    doc = Document("d1", kind, "healthcare", safe, safe, mentions=mentions)
    told = Told(Given(found, **more), (TAGS,), "taught/1", HEADS, thresholds or {})
    return extract(doc, lexicons=[LEXICON], patterns=PATTERNS, cues=cues, rules=rules, told=told)


def shown(found: Facts) -> list[tuple[str, str]]:
    return [(str(one.text), one.type) for one in found.entities]


def test_a_name_that_nobody_listed_is_found_with_its_score_and_maker():
    (one,) = facts("Given zanubrutinib today", ("zanubrutinib", "clinical.drug", 0.9)).entities
    assert (one.type, one.key, one.score, one.extractor) == (
        "medication",
        "medication:zanubrutinib",
        0.9,
        "taught/1",
    )


@pytest.mark.parametrize(
    ("name", "type"),
    [("night fever", "symptom"), ("brittle asthma", "condition"), ("blue toe", "condition")],
)
def test_of_two_types_the_terminology_chooses_by_name_or_ending(name: str, type: str):
    assert shown(facts(f"has {name}.", (name, "clinical.problem", 0.9))) == [(name, type)]


def test_on_the_same_characters_the_known_name_wins():
    (one,) = facts("has asthma.", ("asthma", "clinical.drug", 0.99)).entities
    assert (one.key, one.extractor) == ("ICD10CM:J45.909", "lexicon/1")


def test_a_doubtful_acronym_that_the_tagger_sees_has_its_concept():
    (one,) = facts("MS here", ("MS", "clinical.problem", 0.8)).entities
    assert (one.key, one.extractor) == ("ICD10CM:G35", "taught/1")


def test_plain_words_before_a_known_name_are_no_part_of_it():
    (one,) = facts("a severe asthma", ("severe asthma", "clinical.problem", 0.9)).entities
    assert (str(one.text), one.key) == ("asthma", "ICD10CM:J45.909")


@pytest.mark.parametrize(("score", "text"), [(0.9, "cardiac asthma"), (0.6, "asthma")])
def test_the_longer_name_wins_if_the_tagger_is_sure(score: float, text: str):
    found = facts("had cardiac asthma", ("cardiac asthma", "clinical.problem", score))
    assert shown(found) == [(text, "condition")]


def test_a_shape_is_never_pushed_aside():
    found = facts("took zofax 40 mg", ("zofax 40 mg", "clinical.drug", 0.99))
    assert shown(found) == [("40 mg", "dose")]


def test_what_the_source_states_is_never_pushed_aside():
    stated = (Mention(4, 11, "medication"),)
    found = facts(
        "had cardiac asthma", ("cardiac asthma", "clinical.problem", 1.0), mentions=stated
    )
    assert ("cardiac", "medication") in shown(found)
    assert ("cardiac asthma", "condition") not in shown(found)


def test_a_threshold_a_type_and_the_settings_before_the_domains():
    seen = ("BRCA9", "biology.gene", 0.8)
    assert shown(facts("the BRCA9 gene", seen, kind="page")) == []
    low = facts("the BRCA9 gene", seen, kind="page", thresholds={"gene": 0.7})
    assert shown(low) == [("BRCA9", "gene")]


def test_a_label_set_counts_only_in_its_kinds_of_documents():
    assert shown(facts("the BRCA9 gene", ("BRCA9", "biology.gene", 0.99))) == []
    assert shown(facts("zofax", ("zofax", "clinical.drug", 0.99), kind="page")) == []


def test_a_name_is_offered_everywhere_when_its_mean_is_enough():
    text = "zofax at 8, Zofax at 9, zofax at 10; zofaxing"
    seen = [Found(0, 5, "drug", 0.9), Found(12, 17, "drug", 0.9)]
    found = read(text, {"clinical": seen})
    assert [(one.start, round(one.score, 2)) for one in found.entities] == [
        (0, 0.9),
        (12, 0.9),
        (24, 0.6),
    ]
    assert [one.start for one in read(text, {"clinical": seen[:1]}).entities] == [0]


def test_an_acronym_is_another_name_than_the_word():
    text = "IT came, it went and it left"
    assert [one.start for one in read(text, {"clinical": [Found(0, 2, "drug", 1.0)]}).entities] == [
        0
    ]


def test_one_name_has_one_type_in_a_document():
    text = "zofax and zofax and zofax"
    seen = [Found(0, 5, "drug", 0.9), Found(10, 15, "problem", 0.6), Found(20, 25, "drug", 0.9)]
    assert {one.type for one in read(text, {"clinical": seen}).entities} == {"medication"}


WORDS = ("asthma", "fever", "40 mg", "zofax", "cardiac asthma", "MS", "and", "no")


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.floats(0, 1)), max_size=6),
)
def test_entities_have_exact_spans_and_never_overlap(parts, spans):
    text = " ".join(parts)
    seen = [
        Found(start, min(start + length, len(text)), "problem", score)
        for start, length, score in spans
        if start < len(text)
    ]
    found = read(text, {"clinical": seen}).entities
    assert all(one.text == text[one.start : one.end] for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


# assertion


@given(st.sets(st.sampled_from(ORDER)))
def test_without_a_model_and_with_one_that_knows_nothing_the_cues_decide(said):
    assert decide(said) == decide(said, {}) == strongest(said)
    even = dict.fromkeys(ORDER, 1 / len(ORDER))
    assert decide(said, even) == strongest(said)


def test_cues_and_model_are_weighed():
    sure = {"negated": 0.99, "present": 0.01}
    assert decide([], sure) == "negated"
    assert decide([], {"negated": 0.55, "present": 0.45}, Weights(silence=1.0)) == "present"
    unsure = {"present": 0.6, "negated": 0.1, "possible": 0.3}
    assert decide(["negated"], unsure) == "negated"
    assert decide(["negated"], unsure, Weights(cue=0.0)) == "present"


def test_of_what_the_model_does_not_know_the_cues_decide():
    knows = {"present": 0.9, "negated": 0.1}
    assert decide(["hypothetical"], knows) == "hypothetical"
    assert decide([], knows) == "present"
    assert decide(["family"], {**knows, "family": 0.0}) == "family"


def test_the_head_is_asked_about_its_types_alone():
    text = "zofax for blue toe"
    seen = {"clinical": [Found(0, 5, "drug", 0.9), Found(10, 18, "problem", 0.9)]}
    found = read(text, seen, negated=frozenset({0, 10})).entities
    assert [one.assertion for one in found] == ["present", "negated"]


# relations


def relations(found: Facts) -> list[tuple[str, str, str, str]]:
    by_id: dict[str, Entity] = {one.id: one for one in found.entities}
    return [
        (str(by_id[r.head].text), r.type, str(by_id[r.tail].text), r.extractor)
        for r in found.relations
    ]


TEXT = "Blue toe is hard. Some got zofax. Others died."
SEEN = {"clinical": [Found(0, 8, "problem", 0.9), Found(27, 32, "drug", 0.9)]}
PAIR = frozenset((0, 27))


def test_a_pair_is_related_from_head_to_tail_with_its_sentences_as_evidence():
    found = read(TEXT, SEEN, related={PAIR: (0.8, 0.1)})
    assert relations(found) == [("zofax", "treats", "Blue toe", "relation/taught/1")]
    (one,) = found.relations
    assert TEXT[one.start : one.end].rstrip() == "Blue toe is hard. Some got zofax."
    assert one.score == pytest.approx(0.8)


@pytest.mark.parametrize("said", [(0.4, 0.1), (0.1, 0.8)], ids=["unsure", "not mapped"])
def test_a_pair_that_is_unsure_or_of_no_type_of_ours_is_left(said):
    assert relations(read(TEXT, SEEN, related={PAIR: said})) == []


def test_what_a_rule_says_of_a_pair_stands():
    rule = Rule("caused", "medication", "condition", re.compile("for"), score=0.7)
    seen = {"clinical": [Found(0, 5, "drug", 0.9), Found(10, 18, "problem", 0.9)]}
    found = read("zofax for blue toe", seen, rules=[rule], related={frozenset((0, 10)): (0.9, 0)})
    assert relations(found) == [("zofax", "caused", "blue toe", "rule/1")]


def test_what_is_denied_is_related_to_nothing():
    cue = Cue("hard", "negated", "backward", 6)
    found = read(TEXT, SEEN, cues=[cue], related={PAIR: (0.9, 0)}, negated=frozenset({0}))
    assert relations(found) == []


NAMED = Lexicon.build(
    [
        Term("hypertension", "condition", Concept("ICD10CM", "I10", "Hypertension")),
        Term("heart failure", "condition", Concept("ICD10CM", "I50.9", "Heart failure")),
    ]
)


def linked(text: str, name: str) -> tuple[str, ...]:
    """The keys of what the tagger sees in a text, with a linker at hand."""
    at = text.rindex(name)
    found = {"clinical": [Found(at, at + len(name), "problem", 0.9)]}
    safe = SafeText(text, by="test")
    doc = Document("d1", "note", "healthcare", safe, safe)
    told = Told(Given(found), (TAGS,), "taught/1", HEADS, {}, Linker([NAMED]))
    facts = extract(doc, lexicons=[NAMED], patterns=(), cues=(), rules=(), told=told)
    return tuple(one.key for one in facts.entities if str(one.text) == name)


def test_a_slip_of_the_pen_leads_to_the_concept_and_a_stranger_to_none():
    assert linked("has hypertenson.", "hypertenson") == ("ICD10CM:I10",)
    assert linked("has blue toe.", "blue toe") == ("condition:blue toe",)


def test_a_short_form_that_the_document_defines_leads_to_the_concept():
    assert set(linked("Heart failure (HF) is common. Her HF is worse.", "HF")) == {"ICD10CM:I50.9"}
    assert linked("Her HF is worse.", "HF") == ("condition:hf",)
