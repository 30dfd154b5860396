"""Answers are scored as the papers say: hand-computed, and against slow literal readings."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics.answers import (
    Cited,
    citation_scores,
    exact_match,
    faithfulness,
    normalise,
    str_em,
    token_f1,
)

TEXTS = st.lists(
    st.sampled_from(["the", "a", "Warfarin", "warfarin,", "5", "mg", "an", "held.", "-"])
).map(" ".join)


def squad_normal(text: str) -> str:
    """As the official evaluation script of SQuAD does it, step by step."""
    lower = text.lower()
    bare = "".join(ch for ch in lower if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def squad_f1(answer: str, gold: str) -> float:
    mine, theirs = squad_normal(answer).split(), squad_normal(gold).split()
    if len(mine) == 0 or len(theirs) == 0:
        return float(mine == theirs)
    same = sum((Counter(mine) & Counter(theirs)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(mine), same / len(theirs)
    return 2 * precision * recall / (precision + recall)


@given(TEXTS, st.lists(TEXTS, min_size=1))
def test_overlap_as_squad_counts_it(answer: str, accepted: list[str]) -> None:
    assert normalise(answer) == squad_normal(answer)
    assert token_f1(answer, accepted) == pytest.approx(max(squad_f1(answer, a) for a in accepted))
    same = any(squad_normal(answer) == squad_normal(one) for one in accepted)
    assert exact_match(answer, accepted) == float(same)


def test_overlap_by_hand() -> None:
    # shared: warfarin, 5, mg; precision 3/4, recall 3/3
    assert token_f1("Takes the warfarin 5 mg.", ["Warfarin 5 mg"]) == pytest.approx(6 / 7)
    assert exact_match("The Warfarin!", ["warfarin"]) == 1


@pytest.mark.parametrize(
    ("answer", "accepted", "stands"),
    [
        ("Warfarin 5 mg\ndaily.", "5 MG daily", 1),
        ("Warfarin 12.5 mg", "5 mg", 0),
        ("to 10.0.0.12", "10.0.0.1", 0),
        ("to 10.0.0.1.", "10.0.0.1", 1),
        ("PUMP-0042", "pump", 0),
        ("", "x", 0),
        ("x", "", 0),
    ],
)
def test_an_answer_stands_as_whole_words(answer: str, accepted: str, stands: float) -> None:
    assert str_em(answer, [accepted, "never"]) == stands


def words_in(premise: str, claim: str) -> float:
    """Entailment of a toy: all letters of the claim are letters of the premise."""
    return float(set(claim) <= set(premise))


def alce(claims: list[tuple[str, list[str]]]) -> tuple[float, float]:
    """The loop of ALCE's compute_autoais, with its names."""
    entail = entail_prec = total_citations = 0.0
    for sent, refs in claims:
        total_citations += len(refs)
        joint_entail = words_in("\n".join(refs), sent) if refs else 0
        entail += joint_entail
        if joint_entail and len(refs) > 1:
            for at, ref in enumerate(refs):
                if words_in(ref, sent):
                    entail_prec += 1
                else:
                    rest = [other for n, other in enumerate(refs) if n != at]
                    entail_prec += 0 if words_in("\n".join(rest), sent) else 1
        else:
            entail_prec += joint_entail
    return entail / len(claims), entail_prec / total_citations if total_citations else 0


LETTERS = st.text("abc", min_size=1, max_size=3)


@given(st.lists(st.tuples(LETTERS, st.lists(LETTERS, max_size=4)), min_size=1, max_size=5))
def test_citations_as_alce_counts_them(claims: list[tuple[str, list[str]]]) -> None:
    got = citation_scores([Cited(claim, tuple(cited)) for claim, cited in claims], words_in)
    assert tuple(got) == pytest.approx(alce(claims))


def test_citations_by_hand() -> None:
    claims = [
        Cited("ab", ("a", "b")),  # both are needed
        Cited("a", ("a", "c")),  # the second is of no use
        Cited("c", ("a", "b")),  # not entailed: neither is of use
        Cited("a"),  # no citation
    ]
    assert citation_scores(claims, words_in) == (2 / 4, 3 / 6)


def test_the_bar_of_support() -> None:
    def half(premise: str, claim: str) -> float:
        return 0.5

    assert citation_scores([Cited("a", ("b",))], half) == (1, 1)
    assert citation_scores([Cited("a", ("b",))], half, bar=0.6) == (0, 0)
    assert faithfulness(["a"], ["b"], half, bar=0.6) == 0


@given(st.lists(LETTERS, min_size=1), st.lists(LETTERS))
def test_faithfulness_by_counting(claims: list[str], contexts: list[str]) -> None:
    held = [claim for claim in claims if [c for c in contexts if words_in(c, claim)]]
    assert faithfulness(claims, contexts, words_in) == len(held) / len(claims)
    assert faithfulness(claims, [*contexts, "abc"], words_in) == 1


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one accepted"):
        token_f1("a", [])
    with pytest.raises(ValueError, match="at least one claim"):
        citation_scores([], words_in)
    with pytest.raises(ValueError, match="at least one claim"):
        faithfulness([], ["a"], words_in)
