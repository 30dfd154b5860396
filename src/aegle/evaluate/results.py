"""What an evaluation found: a row a question, measures by kind, the curve; as records and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aegle.core.records import Measure
from aegle.metrics.selective import Point
from aegle.metrics.stats import Paired


@dataclass(frozen=True, slots=True)
class Row:
    """A question's scores by name; what does not apply to it is not among them.

    Attributes:
        confidence: of the answer that would be given if none were withheld; None: not known.
        wrong: whether that answer is wrong; None: it can't be told.
    """

    id: str
    kind: str
    group: str
    answerable: bool
    refused: bool | None
    scores: Mapping[str, float]
    confidence: float | None = None
    wrong: bool | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One system on a set of questions.

    Attributes:
        entailment: what judged support: ``words``, or the name of a model.
        measures: kind -> name -> figure; the kind ``all`` comes first.
        curve: risk against coverage; empty where no answer can be told right or wrong.
        working: coverage and risk at the bar that the system refuses by.
    """

    system: str
    k: int
    entailment: str
    rows: tuple[Row, ...]
    measures: Mapping[str, Mapping[str, Measure]]
    curve: tuple[Point, ...] = ()
    working: tuple[float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values; ids and figures, no text of a question or document."""
        return {
            "system": self.system,
            "k": self.k,
            "entailment": self.entailment,
            "questions": len(self.rows),
            "measures": {
                kind: {name: asdict(one) for name, one in by.items()}
                for kind, by in self.measures.items()
            },
            "curve": [one._asdict() for one in self.curve],
            "working": (
                dict(zip(("coverage", "risk"), self.working, strict=True)) if self.working else None
            ),
            "rows": [{**asdict(row), "scores": dict(row.scores)} for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """One system against another on the same questions: name of a figure -> what it gained."""

    system: str
    against: str
    gains: Mapping[str, Paired] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "system": self.system,
            "against": self.against,
            "gains": {name: asdict(one) for name, one in self.gains.items()},
        }
