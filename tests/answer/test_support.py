"""The verifier: what it weighs, what it reads, and where it leaves the decision to the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.support import Verifier, Weighing, features, parts
from aegle.answer.verify import check
from aegle.core.errors import InputError

PLAIN = Weighing({"logit": 1.0, "number": -6.0}, 0.0, 0.3, 0.7)
EVIDENCE = ["Takes aspirin 81 mg daily. Denies chest pain."]


def same(texts: Sequence[str]) -> np.ndarray:
    return np.ones((len(texts), 1), np.float32)


def verifier(logit: float, weighing: Weighing = PLAIN) -> Verifier:
    def score(claim: str, windows: Sequence[str]) -> np.ndarray:
        return np.full(len(windows), logit, np.float32)

    return Verifier(score, weighing, name="test")


def test_a_sure_model_decides() -> None:
    assert verifier(4.0).supports("The patient is on a blood thinner.", EVIDENCE, same)
    assert not verifier(-4.0).supports("Takes aspirin 81 mg daily.", EVIDENCE, same)


def test_between_the_bounds_the_rules_decide() -> None:
    assert verifier(0.0).supports("Takes aspirin 81 mg daily.", EVIDENCE, same)
    assert not verifier(0.0).supports("The patient is on a blood thinner.", EVIDENCE, same)


def test_what_the_rules_find_weighs_against_the_model() -> None:
    assert verifier(4.0).probability("Takes aspirin 325 mg daily.", EVIDENCE) < 0.3


@pytest.mark.parametrize(
    ("claim", "evidence"), [("", EVIDENCE), ("Aspirin.", []), ("It is.", [""])]
)
def test_nothing_bears_out_nothing(claim: str, evidence: list[str]) -> None:
    assert verifier(9.0).probability(claim, evidence) == 0


def test_only_the_nearest_windows_of_long_evidence_are_read() -> None:
    read: list[str] = []

    def score(claim: str, windows: Sequence[str]) -> np.ndarray:
        read.extend(windows)
        return np.zeros(len(windows), np.float32)

    filler = " ".join(f"Sentence {n} says nothing of any use to anybody at all." for n in range(80))
    Verifier(score, PLAIN, name="test").probability("He takes aspirin.", [filler, "Takes aspirin."])
    assert len(read) <= 4
    assert any("Takes aspirin." in one for one in read)


WRONG = [
    ("Takes aspirin 325 mg.", EVIDENCE),
    ("Takes aspirin 81 g daily.", EVIDENCE),
    ("Takes aspirin 50 mg and metoprolol 81 mg.", ["Takes aspirin 81 mg and metoprolol 50 mg."]),
    ("Warfarin is held.", ["Warfarin is continued."]),
]


@pytest.mark.parametrize(("claim", "evidence"), WRONG)
@pytest.mark.parametrize("bounds", [(0.3, 0.7), (0.0, 0.0), (0.9, 0.9)])
def test_what_is_barred_never_stands(
    claim: str, evidence: list[str], bounds: tuple[float, float]
) -> None:
    """Whatever the model thinks, and however little a weighing asks."""
    careless = Weighing({"logit": 1.0}, 0.0, *bounds)
    told = check(claim, evidence)
    assert told.barred
    if told.belied:
        assert verifier(30.0, careless).probability(claim, evidence) <= min(bounds[0], 0.5)
    assert not verifier(30.0, careless).supports(claim, evidence, same)


def test_what_is_barred_keeps_its_order() -> None:
    sure = [verifier(logit).probability(*WRONG[1]) for logit in (-1.0, 0.0, 2.0)]
    assert sure == sorted(sure)
    assert len(set(sure)) == 3


def test_the_model_reads_amounts_in_the_spelling_of_the_evidence() -> None:
    read: list[str] = []

    def score(claim: str, windows: Sequence[str]) -> np.ndarray:
        read.append(claim)
        return np.zeros(len(windows), np.float32)

    Verifier(score, PLAIN, name="test").probability("Digoxin 250 mcg.", ["Takes digoxin 0.25 mg."])
    assert read == ["Digoxin 0.25 mg."]


def test_a_claim_is_judged_once() -> None:
    calls: list[str] = []

    def score(claim: str, windows: Sequence[str]) -> np.ndarray:
        calls.append(claim)
        return np.zeros(len(windows), np.float32)

    judge = Verifier(score, PLAIN, name="test")
    first = judge.probability("Takes aspirin.", EVIDENCE)
    assert judge.probability("Takes aspirin.", EVIDENCE) == first
    assert len(calls) == 1


@given(st.floats(-50, 50), st.floats(0.01, 5))
def test_a_higher_logit_is_no_less_sure(logit: float, more: float) -> None:
    told = check("Takes aspirin 81 mg.", EVIDENCE)
    low, high = (PLAIN.probability(features(one, told)) for one in (logit, logit + more))
    assert 0 <= low <= high <= 1


def test_windows_keep_texts_apart() -> None:
    assert parts(["One. Two.", "Three.", "Three."]) == ["One. Two.", "Three."]


def test_a_file_tells_the_weighing(tmp_path: Path) -> None:
    path = tmp_path / "weighing.json"
    path.write_text(json.dumps(PLAIN.as_json()))
    assert Weighing.read(path) == PLAIN


@pytest.mark.parametrize("content", [None, "{}", "[]", '{"weights": 3}'])
def test_another_file_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "weighing.json").write_text(content)
    with pytest.raises(InputError, match="does not say how"):
        Weighing.read(tmp_path / "weighing.json")


def test_bounds_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="low"):
        Weighing({}, 0.0, 0.8, 0.2)
