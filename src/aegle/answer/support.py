"""How surely evidence bears out a claim: a cross-encoder's logit and the rules on words, weighed.

The weights are those of a logistic regression, fitted on pairs that the cross-encoder did not learn
from, so that what comes out is a probability. Between two of them it abstains, and the strict rules
of `aegle.answer.verify` decide.

References:
    Platt (1999), Probabilistic Outputs for Support Vector Machines.
    El-Yaniv & Wiener (2010), On the Foundations of Noise-free Selective Classification.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from aegle.answer.concepts import content_words
from aegle.answer.evidence import Embed
from aegle.answer.quantities import aligned
from aegle.answer.verify import Checks, check, supported
from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.core.ports import Scores
from aegle.lm.segment import sentences
from aegle.lm.windows import windows

WEIGHING: Final = "weighing.json"
"""Beside the weights whose logit it weighs."""
SHORT: Final = 96
"""Words of evidence that are read as they are, in one window: as much as in training."""
_READ: Final = 3
"""Windows of longer evidence that are read: those that share most words with the claim."""
_MOST_CHARACTERS: Final = 900
"""Of one window: about what a model of 192 tokens reads."""
_MANY: Final = 3
"""Names that are missing count up to so many."""

Score = Callable[[str, Sequence[str]], Scores]
"""A claim and windows of evidence to one logit a window."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What makes a probability of a logit and the rules, and where it is no decision.

    Attributes:
        weights: feature of `features` -> weight; others count nothing.
        bias: what is added.
        low: below it a claim is not supported.
        high: from here on it is; between the two the rules decide.
    """

    weights: Mapping[str, float]
    bias: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"0 <= low <= high <= 1 is needed, got {self.low} and {self.high}")

    @classmethod
    def read(cls, path: Path) -> Weighing:
        """What a file beside weights holds.

        Raises:
            InputError: nothing like that.
        """
        try:
            told: dict[str, Any] = read_json(path)
            weights = {str(name): float(value) for name, value in told["weights"].items()}
            return cls(weights, float(told["bias"]), float(told["low"]), float(told["high"]))
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise InputError(
                f"{path} does not say how logit and rules are weighed: name a verifier that has it "
                "as answers.verifier, or none"
            ) from error

    def as_json(self) -> dict[str, Any]:
        """As the file holds it."""
        return asdict(self)

    def probability(self, told: Mapping[str, float]) -> float:
        """Of features, in [0, 1]."""
        total = self.bias + sum(self.weights.get(name, 0.0) * one for name, one in told.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


FAVOURS: Final = frozenset({"logit", "share", "nearest", "order"})
"""Features that speak for a claim; the others speak against it, whatever a sample says."""


def features(logit: float, checks: Checks) -> dict[str, float]:
    """What is weighed: the logit, and what the rules found against a claim."""
    return {
        "logit": logit,
        "number": float(checks.numbers > 0),
        "unbound": float(not checks.bound),
        "names": min(checks.names, _MANY) / _MANY,
        "negation": float(not checks.negation),
        "denied": float(not checks.denied),
        "flipped": checks.flipped,
        "opposed": float(checks.opposed > 0),
        "share": checks.share,
        "nearest": checks.nearest,
        "order": checks.order,
    }


def parts(evidence: Sequence[str]) -> list[str]:
    """The windows of some texts: each text's own, none across two."""
    found = []
    for text in evidence:
        told = [text[one.start : one.end].strip() for one in sentences(text)]
        told = [one for one in told if one]
        found += [" ".join(told[start:end])[:_MOST_CHARACTERS] for start, end in windows(told)]
    return list(dict.fromkeys(found))


class Verifier:
    """Judges claims by a cross-encoder and the rules.

    Args:
        score: claim and windows to logits.
        weighing: fitted to these logits.
        name: for reports.
    """

    def __init__(self, score: Score, weighing: Weighing, *, name: str) -> None:
        self.weighing, self.name = weighing, name
        self._score = score
        # Evaluation asks the same of citations one by one and together.
        self._known = lru_cache(maxsize=4096)(self._judge)

    def probability(self, claim: str, evidence: Sequence[str]) -> float:
        """How surely the evidence bears out the claim, in [0, 1]; 0 for no evidence or claim.

        What `Checks.belied` finds lies below the band and below one half.
        """
        return self._known(claim, tuple(evidence))

    def supports(self, claim: str, evidence: Sequence[str], embed: Embed) -> bool:
        """Whether a claim may stand: the probability, and where that is none the strict rules.

        Never what is barred: a number or unit that the evidence does not have, two amounts that
        changed places, or an opposite.
        """
        sure = self.probability(claim, evidence)
        if sure >= self.weighing.low and check(claim, evidence).barred:
            return False  # a wrong dose costs more than a number put in words
        if self.weighing.low <= sure < self.weighing.high:
            return supported(claim, evidence, embed)
        return sure >= self.weighing.high

    def _judge(self, claim: str, evidence: tuple[str, ...]) -> float:
        claim = aligned(claim, evidence)
        words = set(content_words(claim))
        whole = " ".join(" ".join(evidence).split())
        if not whole or not words:
            return 0.0
        short = len(whole.split()) <= SHORT
        logit = float(max(self._score(claim, [whole] if short else self._read(words, evidence))))
        told = check(claim, evidence)
        sure = self.weighing.probability(features(logit, told))
        # What the evidence belies keeps its order, below the band and below one half. A number that
        # is missing is weighed: it may stand there in words.
        return sure * min(self.weighing.low, 0.5) if told.belied else sure

    @staticmethod
    def _read(words: set[str], evidence: Sequence[str]) -> list[str]:
        """The windows of long evidence that share most words with a claim."""
        every = parts(evidence)
        every.sort(key=lambda one: -len(words & set(content_words(one))))
        # What two windows say together stands in neither.
        return [*every[:_READ], " ".join(every[:2])[:_MOST_CHARACTERS]]
