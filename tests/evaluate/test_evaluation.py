"""A made-up system of which every figure is known, two systems compared, and the page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from aegle.core.records import Chunk, Citation, Claim
from aegle.core.text import SafeText
from aegle.evaluate.questions import Passage, Question
from aegle.evaluate.report import page
from aegle.evaluate.results import Evaluation
from aegle.evaluate.run import ALL, ORDER, compare, evaluate
from aegle.evaluate.score import Attempt, Yardstick

TEXTS = {"a": "alpha one", "b": "beta two", "c": "gamma three"}
QUESTIONS = [
    Question("q1", "first", (Passage("a"), Passage("b")), ("one",), kind="multi", group="g1"),
    Question("q2", "second", (Passage("c"),), ("three",), kind="single", group="g1"),
    Question("q3", "third", (Passage("c"),), ("three",), kind="single", group="g2"),
    Question("q<4>", "fourth", answerable=False, kind="none", group="g3"),
]


def safe(text: str) -> SafeText:
    return SafeText(text, by="test")


def chunk(item: str) -> Chunk:
    text = safe(TEXTS[item])
    return Chunk(item, item, 0, len(text), text, safe(""), "note", "general")


def claim(text: str, *cited: str) -> Claim:
    whole = [Citation(item, 0, len(TEXTS[item]), safe(TEXTS[item])) for item in cited]
    return Claim(safe(text), tuple(whole))


def within(premise: str, claim: str) -> float:
    return float(set(claim.split()) <= set(premise.split()))


YARDSTICK = Yardstick(lambda name: {name}, within, "toy")


def good(question: str) -> Attempt:
    said = {"first": claim("alpha one", "a", "b"), "second": claim("gamma three", "c")}
    if question in said:
        sure = 0.9 if question == "first" else 0.8
        return Attempt(
            [chunk("b"), chunk("c"), chunk("a")], [said[question]], False, [said[question]], sure
        )
    wrong = claim("delta", "a")
    if question == "third":
        return Attempt([chunk("a")], [wrong], False, [wrong], 0.5)
    return Attempt([], (), True, [wrong], 0.1)


def test_every_figure_of_a_known_system() -> None:
    got = evaluate(QUESTIONS, good, YARDSTICK, system="good", k=2)
    values = {name: one.value for name, one in got.measures[ALL].items()}
    # q1: b at 1, a beyond k. q2: c at 2. q3: nothing.
    ideal2 = 1 + 0.63093
    assert values == pytest.approx(
        {
            "recall": (1 / 2 + 1 + 0) / 3,
            "ndcg": (1 / ideal2 + 0.63093 + 0) / 3,
            "all_gold": 1 / 3,
            "mrr": (1 + 1 / 2 + 0) / 3,
            "context_precision": (1 + 1 / 2 + 0) / 3,
            "context_recall": (1 / 2 + 1 + 0) / 3,
            "str_em": 2 / 3,
            "token_f1": (2 / 3 + 2 / 3 + 0) / 3,
            "exact_match": 0,
            "citation_recall": 2 / 3,
            "citation_precision": (1 / 2 + 1 + 0) / 3,
            "faithfulness": 2 / 3,
            "gold_cited": (1 + 1 + 0) / 3,
            "refused_rightly": 1,
            "refused_wrongly": 0,
            "selective_accuracy": 2 / 3,
            "aurc": (0 + 0 + 1 / 3 + 2 / 4) / 4,
        },
        abs=1e-4,
    )
    assert tuple(values) == ORDER
    assert got.working == pytest.approx((3 / 4, 1 / 3))
    assert [point.coverage for point in got.curve] == [0.25, 0.5, 0.75, 1]
    assert list(got.measures) == [ALL, "multi", "single", "none"]
    assert got.measures[ALL]["recall"].n == 2, "groups are resampled, not questions"


def test_a_system_that_only_retrieves_has_no_answers() -> None:
    got = evaluate(QUESTIONS[:3], lambda text: Attempt([chunk("c")]), YARDSTICK, system="s", k=1)
    assert set(got.measures[ALL]) == set(ORDER[:6])
    assert got.curve == ()
    assert got.working is None


def test_two_systems_on_the_same_questions() -> None:
    one = evaluate(QUESTIONS, good, YARDSTICK, system="good", k=3)
    other = evaluate(QUESTIONS, lambda text: Attempt([chunk("a")]), YARDSTICK, system="bare", k=3)
    told = compare(one, other)
    assert set(told.gains) == set(ORDER[:6]), "only what both have"
    recall = told.gains["recall"]
    assert recall.difference.value == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert (recall.higher, recall.lower) == (2, 0)
    with pytest.raises(ValueError, match="same questions"):
        compare(one, evaluate(QUESTIONS[:1], good, YARDSTICK, system="x"))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="questions and k"):
        evaluate([], good, YARDSTICK, system="x")
    with pytest.raises(ValueError, match="one of the two"):
        Attempt([], [claim("alpha", "a")], True)


class Tags(HTMLParser):
    """Whether all that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def result(one: Evaluation, other: Evaluation) -> dict[str, object]:
    told = compare(one, other).as_json()
    return {
        "evaluation": one.as_json(),
        "baseline": other.as_json(),
        "comparison": told,
        "missing": ["q<4>"],
    }


def test_the_page_is_whole_and_holds_ids_and_figures_only() -> None:
    one = evaluate(QUESTIONS, good, YARDSTICK, system="good", k=2)
    other = evaluate(QUESTIONS, good, YARDSTICK, system="other", k=1)
    html = page(result(one, other))
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert tags.seen.count("polyline") == 2
    assert tags.seen.count("circle") == 2
    assert "q&lt;4&gt;" in html
    assert "q<4>" not in html
    assert not [text for text in ("alpha", "gamma", "delta", "fourth", "http") if text in html]
