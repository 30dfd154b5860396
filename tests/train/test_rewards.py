"""Rewards: bounded, right on what is right, and in the form that trainers call."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer import prompt
from aegle.core.errors import UsageError
from aegle.core.text import SafeText
from aegle.train import rewards
from aegle.train.rewards import Rewards

WORDS = st.lists(st.sampled_from("aspirin 81 mg daily pump ward host fever the of".split()),
                 min_size=1, max_size=8).map(" ".join)  # fmt: skip
PASSAGES = st.lists(WORDS, min_size=1, max_size=5)
SCHEMA = {
    "type": "object",
    "required": ["verdict"],
    "properties": {
        "verdict": {"enum": ["escalate", "close"]},
        "evidence": {"type": "array", "items": {"type": "integer", "minimum": 1}},
    },
    "additionalProperties": False,
}


def asked(passages: list[str]) -> list[dict[str, str]]:
    return prompt.messages(SafeText("what is it?", by="test"), passages)


@given(PASSAGES)
def test_evidence_is_read_back_from_what_is_served(passages: list[str]) -> None:
    assert rewards.passages_of(asked(passages)) == passages


@given(PASSAGES, st.data())
def test_a_passage_said_again_with_its_number_is_right(
    passages: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(passages))))
    reply = " ".join(f"{passages[n]} [{n + 1}]." for n in order)
    telling = [text for text in passages if set(text.split()) - {"the", "of"}]
    assert rewards.citations(asked(passages), reply) == len(telling) / len(passages)
    away = " ".join(f"{passages[n]} [{len(passages) + 1}]." for n in order)
    assert rewards.citations(asked(passages), away) == 0
    bare = " ".join(f"{passages[n]}." for n in order)
    assert rewards.citations(asked(passages), bare) == 0


@given(st.text(max_size=200), PASSAGES, st.booleans())
def test_every_reward_lies_between_0_and_1(
    reply: str, passages: list[str], answerable: bool
) -> None:
    every = Rewards({"citations": 2, "schema": 1, "refusal": 1, "length": 0.5}, schema=SCHEMA)
    told = every.parts(asked(passages), reply, answerable=answerable)
    assert list(told) == list(every.weights)
    assert all(0 <= one <= 1 for one in told.values())
    (one,) = every([asked(passages)], [reply], answerable=[answerable])
    expected = sum(every.weights[name] * told[name] for name in told) / 4.5
    assert one == pytest.approx(expected)


def test_a_citation_is_judged_by_its_own_passage() -> None:
    evidence = asked(["Aspirin 81 mg daily.", "The pump is in ICU-3."])
    assert rewards.citations(evidence, "She takes aspirin 81 mg [1].") == 1
    assert rewards.citations(evidence, "She takes aspirin 81 mg [2].") == 0
    assert rewards.citations(evidence, "She takes aspirin 325 mg [1].") == 0  # no such number
    assert rewards.citations(evidence, "Aspirin 81 mg [1]. The pump is off.") == 0.5
    assert rewards.citations(evidence, "Aspirin 81 mg. [1]") == 1  # behind the stop
    assert rewards.citations(evidence, "") == 0
    seen: list[Any] = []

    def verifier(sentence: str, cited: Any) -> float:
        seen.append((sentence, list(cited)))
        return 0.9

    assert rewards.citations(evidence, "It is there [2].", supports=verifier) == 1
    assert seen == [("It is there.", ["The pump is in ICU-3."])]
    assert rewards.citations(evidence, "It is there [2, 1].", supports=verifier) == 0
    assert rewards.citations(evidence, "She takes aspirin 81 mg [1, 2].") == 0  # 2 adds nothing
    assert rewards.citations(evidence, "Aspirin 81 mg and the pump in ICU-3 [1, 2].") == 1


@given(st.sampled_from(["not stated", "Not stated.", ' "not stated." ']), st.booleans())
def test_refusals_are_right_where_nothing_answers(reply: str, answerable: bool) -> None:
    assert rewards.refusal(reply, answerable=answerable) == float(not answerable)
    assert rewards.refusal(f"{reply} But maybe so.", answerable=answerable) == float(answerable)
    assert rewards.refuses(prompt.REFUSAL)


@given(st.integers(1, 20), st.integers(0, 30), st.integers(0, 120))
def test_length_is_right_within_and_falls_outside(least: int, more: int, words: int) -> None:
    most = least + more
    told = rewards.length("word " * words, least=least, most=most)
    if least <= words <= most:
        assert told == 1
    else:
        assert told < 1
    assert (told == 0) == (words == 0 or words >= 2 * most)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_a_schema_of_a_value_fits_it(value: Any) -> None:
    assert rewards.fits(value, {"const": value})
    assert rewards.fits(value, {})
    kinds = [name for name in ("object", "array", "string", "boolean", "null", "number")
             if rewards.fits(value, {"type": name})]  # fmt: skip
    assert len(kinds) == 1
    if value is not None:
        assert rewards.schema(json.dumps(value), schema={"type": kinds[0]}) == 1
    assert not rewards.fits(value, {"type": kinds, "enum": []})


def test_schemas() -> None:
    def told(reply: str) -> float:
        return rewards.schema(reply, schema=SCHEMA)

    assert told('{"verdict": "close", "evidence": [1, 2]}') == 1
    assert told('```json\n{"verdict": "close"}\n```') == 1
    wrong = (
        '{"verdict": "maybe"}', '{"evidence": []}', '{"verdict": "close", "more": 1}',
        '{"verdict": "close", "evidence": [0]}', '{"verdict": "close", "evidence": [true]}',
        'Sure: {"verdict": "close"}', "{", "NaN", "[" * 5000,
    )  # fmt: skip
    assert [told(one) for one in wrong] == [0.0] * len(wrong)
    assert not rewards.fits(True, {"enum": [1]})
    assert rewards.fits("abc", {"minLength": 2, "maxLength": 3, "pattern": "b"})
    assert not rewards.fits([1, 1], {"uniqueItems": True})
    assert not rewards.fits([], {"minItems": 1})
    with pytest.raises(ValueError, match="'oneOf'"):
        rewards.schema("{}", schema={"properties": {"a": {"oneOf": []}}})
    with pytest.raises(ValueError, match="type is one of"):
        rewards.schema("{}", schema={"type": "text"})


def test_trainers_can_call_it() -> None:
    joined = Rewards({"citations": 3, "refusal": 1})
    names = list(inspect.signature(joined.__call__).parameters)
    assert names[:2] == ["prompts", "completions"]
    assert joined.__name__ == "citations+refusal"
    prompts = [asked(["Aspirin 81 mg."])] * 2
    replies = [[{"role": "assistant", "content": "Aspirin 81 mg [1]."}],
               [{"role": "assistant", "content": "not stated."}]]  # fmt: skip
    columns = {"answerable": [True, False], "task": ["answer", "refuse"]}
    assert joined(prompts, replies, **columns) == [1.0, 1.0]
    assert joined(prompts, replies[::-1], **columns) == [0.0, 0.0]
    with pytest.raises(ValueError, match="column 'answerable'"):
        joined(prompts, replies)
    with pytest.raises(ValueError, match="2 prompts, but 1"):
        joined(prompts, replies[:1])
    told: list[tuple[dict[str, Any], str]] = [
        ({"weights": {"citation": 1}}, "'citation'"),
        ({"weights": {"length": 0}}, "above 0"),
        ({"weights": {"length": float("nan")}}, "finite"),
        ({"weights": {"length": float("inf")}}, "finite"),
        ({"weights": {"schema": 1}}, "needs a schema"),
        ({"weights": {"schema": 1}, "schema": {"oneOf": []}}, "'oneOf'"),
        ({"weights": {"length": 1}, "least": 9, "most": 3}, "least <= most"),
    ]
    for wrong, match in told:
        with pytest.raises(UsageError, match=match):
            Rewards(**wrong)


def test_odd_replies_are_wrong_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = asked(["Aspirin 81 mg daily."])
    long = f"Aspirin [{'9' * 5000}]."
    assert rewards.citations(evidence, long) == 0
    assert rewards.passages_of(f'[{"9" * 5000}] "x"') == []
    assert all(marks == () for _, marks in prompt.cited_sentences(long, 1))
    assert rewards.schema("null", schema={"type": "null"}) == 1
    assert rewards.schema("nul", schema={"type": "null"}) == 0
    assert rewards.schema("NaN", schema={}) == 0

    def deep(*_: object) -> bool:
        raise RecursionError

    monkeypatch.setattr(rewards, "fits", deep)
    assert rewards.schema("[]", schema={"const": 1}) == 0
