"""Parts of instruction examples: types that keep texts safe, near duplicates, leaks, rewordings."""

from __future__ import annotations

import json
import random
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer import prompt
from aegle.core.errors import InputError, NotFoundError
from aegle.core.text import SafeText
from aegle.train.data.instructions import published, security, shape
from aegle.train.data.instructions.against import Guard, read
from aegle.train.data.instructions.asked import asks_the_same
from aegle.train.data.instructions.build import Built, _varied, part_of
from aegle.train.data.instructions.ground import Grounded, Served
from aegle.train.data.instructions.reading import as_json, said
from aegle.train.data.instructions.reword import reworded, same
from aegle.train.data.instructions.saying import listed, plain
from aegle.train.data.instructions.shape import Instruction, Passage, conversation, fill
from aegle.train.data.instructions.unique import Unique, jaccard, shingles
from aegle.train.data.instructions.wording import CHAINS, HEALTH, SECURITY

SERVED = Served(prompt.messages, prompt.REFUSAL, prompt.cited_sentences)
WORDS = st.lists(st.sampled_from([f"w{n}" for n in range(30)]), min_size=1, max_size=40)


def safe(text: str) -> SafeText:
    return SafeText(text, by="test")


def example(question: str = "What dose of aspirin is ordered?", group: str = "g") -> Instruction:
    text = safe("Continue aspirin 81 mg daily and see her again in two weeks.")
    passage = Passage(text, "d1", 0, len(text), group)
    asked = prompt.messages(safe(question), [text])
    told = conversation(asked, safe("The dose is 81 mg [1]."), safe(question), text)
    return Instruction("answer", "x", told, safe(question), (passage,), (1,), ("aspirin",))


def test_nothing_unsafe_gets_in() -> None:
    raw: Any = "Jane Doe"
    for wrong in (
        lambda: fill("{a}", a=raw),
        lambda: shape.joined([raw]),
        lambda: shape.flat(raw),
        lambda: conversation([], safe("a"), raw),
        lambda: as_json({"text": raw}),
        lambda: as_json({"entities": [{"text": raw}]}),
        lambda: Passage(raw, "d", 0, 8, "g"),
    ):
        with pytest.raises(TypeError, match=r"[Ss]afe"):
            wrong()
    assert (
        as_json({"text": safe('{a} "b"'), "n": [1, None]})
        == '{"text": "{a} \\"b\\"", "n": [1, null]}'
    )


def test_an_example_checks_itself() -> None:
    one = example()
    assert one.group == "g"
    assert one.as_json()["citations"] == [1]
    with pytest.raises(ValueError, match="are cited"):
        Instruction("a", "x", one.messages, one.question, one.passages, (2,))
    with pytest.raises(ValueError, match="at least one passage"):
        Instruction("a", "x", one.messages, one.question, ())
    with pytest.raises(ValueError, match="system, user and assistant"):
        Instruction("a", "x", one.messages[:2], one.question, one.passages)


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_near_texts_are_those_of_the_definition(texts: list[list[str]]) -> None:
    known = Unique(near=0.5, seed=1)
    kept: list[frozenset[str]] = []
    for n, words in enumerate(texts):
        own = shingles(" ".join(words))
        likeness = max((jaccard(own, one) for one in kept), default=0.0)
        found = known.like(" ".join(words))
        assert found is None or likeness >= 0.5  # never called near without being so
        assert found is not None or likeness < 0.9  # and hardly ever missed
        if found is None:
            known.add(" ".join(words), str(n))
            kept.append(own)


def test_minima_agree_as_often_as_texts_are_alike() -> None:
    known = Unique(seed=3)
    one = {f"s{n}" for n in range(300)}
    for shared in (30, 150, 270):
        other = {f"s{n}" for n in range(300 - shared, 600 - shared)}
        alike = float((known.signature(one) == known.signature(other)).mean())
        exact = jaccard(frozenset(one), frozenset(other))
        assert alike == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 128))
    known.add("The Pump, in ICU 3!", "p")
    assert known.like("the pump in icu-3") == "p"
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        Unique(near=0)


def test_leaks_are_found_by_group_document_question_and_text(tmp_path: Path) -> None:
    def why(row: Any) -> str:
        path = tmp_path / "held.jsonl"
        path.write_text(json.dumps(row))
        return Guard(read([path])).why(example())

    assert why({"group": "g"}) == "group"
    assert why({"evidence": [{"document": "d1"}]}) == "document"
    assert why({"question": "What dose of Aspirin is ordered"}) == "question"
    held = "She will continue aspirin 81 mg daily and see her again in two weeks or so."
    assert why({"messages": [{"role": "user", "content": held}]}) == "text"
    assert why({"id": "g", "question": "What dose of warfarin does he take?"}) == ""
    assert why({"document": 7}) == ""
    assert read([tmp_path / "held.jsonl"]).documents == {"7"}
    row = json.dumps({"question": "a\u2028b\x85c\u2029d"}, ensure_ascii=False)
    (tmp_path / "ends.jsonl").write_text(f"{row}\n{row}\n", "utf-8")
    assert read([tmp_path / "ends.jsonl"]).texts == {"a\u2028b\x85c\u2029d"}
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="too deeply"):
        read([tmp_path / "deep.json"])
    plain_text = tmp_path / "q.txt"
    plain_text.write_text("What is it?\nWhat dose of aspirin is ordered?\n")
    assert Guard(read([plain_text])).why(example()) == "question"
    with pytest.raises(NotFoundError):
        read([tmp_path / "none"])
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read([tmp_path / "b"])


@pytest.mark.parametrize(
    ("other", "fine"),
    [
        ("At which dose is aspirin ordered?", True),
        ("What dose of Aspirin is ordered?", False),  # a name to the letter
        ("What dose of aspirin 81 is ordered?", False),  # a number came in
        ("What dose of aspirin is not ordered?", False),
        ("What dose of aspirin does Smith order?", False),
        ("Aspirin dose.", False),
        ("What dose of aspirin? Is it ordered?", False),
        ("Who ordered aspirin?", False),
        ("When is aspirin ordered?", False),
        ("Why is aspirin ordered?", False),
        ("Which ward is aspirin ordered for?", False),
        ("What was the last dose of aspirin ordered?", False),
        ("What dose of aspirin isn't ordered?", False),
        ("What dose of aspirin is stopped?", False),
        ("Is a dose of aspirin ordered?", False),
        ("What two doses of aspirin are ordered?", False),
        ("How much aspirin is ordered?", True),
        ("Which dosage of aspirin was prescribed?", True),
    ],
)
def test_a_rewording_asks_the_same(other: str, fine: bool) -> None:
    one = example()
    assert same(one.question, other, one.names) == fine
    told = reworded(one, lambda messages: other)
    if not fine:
        assert told is None
        return
    assert told is not None
    assert told.question == other
    assert told.answer == one.answer
    served = prompt.messages(safe(other), [one.passages[0].text])
    assert [text for _, text in told.messages[:2]] == [text["content"] for text in served]


@pytest.mark.parametrize(
    ("question", "other", "fine"),
    [
        ("Which host controls pump-12?", "Which host does pump-12 control?", False),
        ("Which host controls pump-12?", "By which host is pump-12 controlled?", True),
        ("Which host controls pump-12?", "Which ward controls pump-12?", False),
        ("Which host controls pump-12?", "Which host attacks pump-12?", False),
        ("Which process started pump-12?", "Which process did pump-12 start?", False),
        ("Which process started pump-12?", "Which process stopped pump-12?", False),
        ("Which vulnerability does gw-03 have?", "Which vulnerability does gw-03 exploit?", False),
        ("Which vulnerability does pump-12 have?", "Which CVE was found on pump-12?", True),
        ("Which allergies does pump-12 have?", "Which medications does pump-12 have?", False),
        ("Which allergies does pump-12 have?", "What is pump-12 allergic to?", True),
        ("Who makes pump-12?", "Which vendor made pump-12?", True),
        ("Who makes pump-12?", "Who uses pump-12?", False),
        ("What dose was ordered for gw-03?", "What medication was ordered for gw-03?", False),
        ("Which drug was prescribed to gw-03?", "What amount was prescribed to gw-03?", False),
        ("What was ordered for gw-03?", "What dose was ordered for gw-03?", False),
    ],
)  # fmt: skip
def test_minimal_pairs_are_told_apart(question: str, other: str, fine: bool) -> None:
    assert asks_the_same(question, other, ["pump-12", "gw-03"]) == fine


def test_a_question_of_one_relation_is_never_taken_for_another_s() -> None:
    """Of all our wordings, filled alike: some of one relation are known again, of others none."""
    given_to = {"head": "pump-12", "tail": "gw-03", "patient": "Ann", "name": "iron", "value": "4"}
    some = [
        (one.name, template.format(**given_to))
        for one in (*HEALTH, *SECURITY)
        for template in one.questions
    ]
    # Where a person is, or a device, is asked in the same words; so are values.
    alike = ({"stays_in", "located_in"}, {"has_result", "has_vital"})
    known = 0
    for (relation, question), (another, other) in permutations(some, 2):
        names = [one for one in given_to.values() if one in question]
        if question != other and same(question, other, names):
            assert relation == another or {relation, another} in alike, (question, other)
            known += 1
    assert known >= 40


def test_a_rewording_that_is_held_out_is_not_taken(tmp_path: Path) -> None:
    held = tmp_path / "held.json"
    held.write_text(json.dumps({"question": "At which dose is aspirin ordered?"}))
    told: dict[bool, Built] = {}
    for kept in (False, True):
        told[kept] = Built()
        guard = Guard(read([held])) if kept else None
        some = _varied([example()] * 9, lambda messages: "At which dose is aspirin ordered?",
                       random.Random(0), guard, told[kept])  # fmt: skip
        assert len(some) == 9
        assert any(one.question != example().question for one in some) != kept
    assert told[False].reworded == told[True].unsafe > 0


def test_templates_take_what_they_are_given() -> None:
    names = {"head", "tail", "patient", "name", "value"}
    given_to = dict.fromkeys(names, safe("x"))
    for one in (*HEALTH, *SECURITY):
        for template in (*one.questions, *one.answers):
            assert fill(template, **given_to)
        wanted = "value" if one.asked == "value" else one.asked
        assert all(f"{{{wanted}}}" in answer for answer in one.answers)
        assert not any(f"{{{wanted}}}" in question for question in one.questions)
    for chain in CHAINS:
        assert all(fill(one, start=safe("x")) for one in chain.questions)
        assert all(fill(one, **given_to) for one in chain.answers)


def test_another_chart_answers_no_question_about_a_patient() -> None:
    asking = next(one for one in HEALTH if one.relation == "has_dose")
    for one in HEALTH:  # what depends on the patient is asked with the patient's name
        assert all("{patient}" in q or one.head == "patient" for q in one.questions)

    def fact(group: str, dose: str) -> Any:
        drug = SimpleNamespace(key="drug:a", type="medication", text=safe("aspirin"), start=0)
        tail = SimpleNamespace(key=dose, type="dose", text=safe(dose), start=8)
        page = SimpleNamespace(group=group, facts=[])
        relation = SimpleNamespace(type="has_dose")
        passage = SimpleNamespace(text=safe(f"aspirin {dose}"))
        told = {"head": drug, "tail": tail, "page": page, "relation": relation}
        page.facts.append(SimpleNamespace(first=0, after=1, passage=passage, **told))
        return page.facts[0]

    own, again, other = fact("a", "81 mg"), fact("a", "100 mg"), fact("b", "325 mg")
    shelf: Any = SimpleNamespace(by_head={("has_dose", "drug:a"): [own, again, other]})
    need: Any = SimpleNamespace(asking=asking, fact=own)
    found = [Grounded(shelf, SERVED)._others(need, random.Random(n)) for n in range(20)]
    assert {one.tail.key for some in found for one in some} == {"81 mg", "100 mg"}


def test_that_nothing_is_known_is_an_answer_of_triage() -> None:
    def line(text: str) -> Any:
        passage = Passage(safe(text), text, 0, len(text), "h")
        return SimpleNamespace(inside={}, passage=lambda first, after: passage)

    lines = [(line(text), 0, None) for text in ("job done", "link up", "disk ok")]
    known: Any = {"domain:x": SimpleNamespace(passage=line("x.example is bad").passage(0, 1))}
    one = security._triaged(*lines[0], known, lines, random.Random(1))
    assert one is not None
    assert "no known indicator" in one.answer
    assert one.answerable


def test_names_in_sentences() -> None:
    assert plain(safe("Dr. Lee")) == "Lee"
    assert plain(safe("81 mg q.d.")) == "81 mg q.d"
    assert listed([safe("a")]) == "a"
    assert listed([safe(one) for one in "abc"]) == "a, b and c"
    assert said("Denies chest pain") == {"negated"}
    assert said("BP 120/80") == set()


@given(st.text(max_size=9), st.integers(0, 3))
def test_a_group_has_one_part(group: str, seed: int) -> None:
    assert part_of(group, seed) == part_of(group, seed)
    assert part_of(group, seed, {"a": 0.0, "b": 1.0}) == "b"
    with pytest.raises(ValueError, match="sum to 1"):
        part_of(group, seed, {"a": 0.5})


def test_pubmedqa_is_split_by_document(data: Path) -> None:
    parts = published.pubmedqa(data, SERVED)
    assert {name: len(some) > 50 for name, some in parts.items()} == dict.fromkeys(parts, True)
    groups = [{g for one in some for g in one.groups} for some in parts.values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    for one in parts["dev"]:
        assert one.answerable == (one.answer != prompt.REFUSAL)
        read_back = prompt.cited_sentences(one.answer, len(one.passages))
        assert [marks for _, marks in read_back if marks] == [(n - 1,) for n in one.cited]
    with pytest.raises(NotFoundError, match="--data"):
        published.pubmedqa(data / "none", SERVED)
