"""Which judge of claims the settings name, and that what is shipped tells true from false."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aegle.answer.support import Verifier
from aegle.answer.verify import supported
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.core.ports import quiet
from aegle.core.settings import Settings, load
from aegle.flows import assess, knowledge, verifying, workspace
from aegle.flows.kit import open_kit
from aegle.testing.weights import WeightsUnavailableError, cached


class Kit:
    """The part of a kit that a verifier needs."""

    def __init__(self, verifier: str, answer: Path | Exception) -> None:
        self.settings: Settings = load(options={"answers.verifier": verifier})
        self._stack = ExitStack()
        self._answer = answer
        self.asked: list[str] = []

    def _model(self, name: str) -> Path:
        self.asked.append(name)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_none_is_the_rules_alone(tmp_path: Path) -> None:
    kit = Kit("none", tmp_path)
    assert verifying.opened(kit) is None
    assert kit.asked == []
    assert verifying.verify(None) is supported
    assert verifying.name_of(None) == "words"


def test_an_installation_without_the_weights_has_the_rules() -> None:
    kit = Kit("auto", NotFoundError("no model"))
    assert verifying.opened(kit) is None
    assert kit.asked == ["aegle-support"]


def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        verifying.opened(Kit("nothing", NotFoundError("no model")))


def test_a_base_that_can_not_be_fetched_says_what_to_do() -> None:
    with pytest.raises(BackendError, match=r"answers\.verifier = none"):
        verifying.opened(Kit("auto", BackendError("no network")))


def test_a_reranker_is_no_verifier(tmp_path: Path) -> None:
    with pytest.raises((NotFoundError, InputError)):
        verifying.opened(Kit("path", tmp_path))


@pytest.fixture(scope="module")
def shipped() -> Iterator[Verifier]:
    """The packaged verifier."""
    try:
        folder = cached("aegle-support")
    except (WeightsUnavailableError, NotFoundError) as error:
        pytest.skip(str(error))
    kit = Kit("auto", folder)
    verifier = verifying.opened(kit)
    assert verifier is not None
    with kit._stack:
        yield verifier


TRUE = [
    ("The patient takes metformin 500 mg twice daily.", "Medications: metformin 500 mg BID."),
    ("He denies chest pain.", "Patient: I have a cough. No chest pain, though."),
    (
        "APT28 dumped credentials with Mimikatz.",
        "APT28 has used Mimikatz to dump credentials from LSASS memory on several hosts.",
    ),
    (
        "Aspirin lowers the risk of stroke.",
        "In 240 adults, aspirin reduced the risk of stroke compared with placebo.",
    ),
]
FALSE = [
    ("The patient takes metformin 850 mg twice daily.", "Medications: metformin 500 mg BID."),
    ("He has chest pain.", "Patient: I have a cough. No chest pain, though."),
    (
        "APT29 dumped credentials with Mimikatz.",
        "APT28 has used Mimikatz to dump credentials from LSASS memory on several hosts.",
    ),
    (
        "Aspirin raises the risk of stroke.",
        "In 240 adults, aspirin reduced the risk of stroke compared with placebo.",
    ),
    (
        "Warfarin is given for atrial fibrillation.",
        "Insulin lowers blood sugar and is kept in a fridge.",
    ),
]


def test_each_true_claim_is_surer_than_its_false_twin(shipped: Verifier) -> None:
    for (claim, told), (wrong, same) in zip(TRUE, FALSE, strict=False):
        assert told == same
        assert shipped.probability(claim, [told]) > shipped.probability(wrong, [told])


def test_true_claims_stand_above_false_ones(shipped: Verifier) -> None:
    true = [shipped.probability(claim, [told]) for claim, told in TRUE]
    false = [shipped.probability(claim, [told]) for claim, told in FALSE]
    assert np.mean(true) > 0.5 > np.mean(false)


@contextmanager
def opened(layout: Any, verifier: str) -> Iterator[Any]:
    settings = workspace.load_settings(layout, options={"answers.verifier": verifier})
    with open_kit(layout, settings) as kit:
        yield kit


def test_nothing_is_opened_where_nothing_is_generated(_built: Path) -> None:
    layout = workspace.check(_built)
    with opened(layout, "auto") as kit:
        knowledge.ask(kit, "Which infusion pumps are in ICU-3?", generate=False)
        assert "verifier" not in kit.__dict__


def test_retrieval_is_scored_without_opening_a_verifier(_built: Path, tmp_path: Path) -> None:
    """Its first use fetches a base: who asks for retrieval alone needs no network."""
    path = tmp_path / "q.jsonl"
    asked = {"id": "1", "question": "Which pumps are in ICU-3?", "gold": [{"text": "ICU-3"}]}
    path.write_text(json.dumps(asked), "utf-8")
    layout = workspace.check(_built)
    with opened(layout, "auto") as kit:
        told = assess.evaluate(kit, str(path), progress=quiet)
        assert "verifier" not in kit.__dict__
    assert told["evaluation"]["entailment"] == "none"
    assert "recall" in told["evaluation"]["measures"]["all"]


def test_evaluation_names_who_judged(_built: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    asked = {"id": "1", "question": "Which infusion pumps are in ICU-3?", "answers": ["PUMP"]}
    path.write_text(json.dumps(asked), "utf-8")
    layout = workspace.check(_built)
    with opened(layout, "none") as kit:
        told = assess.evaluate(kit, str(path), progress=quiet)
        assert kit.__dict__["verifier"] is None
    assert told["evaluation"]["entailment"] == "words"
