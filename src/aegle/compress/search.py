"""Which compressed model to take: targets, trials, the Pareto set, the choice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aegle.core.errors import UsageError
from aegle.core.records import Measure

VERSION: Final = 1
"""Raised when a method gives other files for the same settings: trials are then made anew."""
_ALIKE: Final = 0.05
"""Speeds closer than this are taken for the same: two measurements differ as much."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a model must reach.

    Attributes:
        size: most bytes, as a share of the float model's, above 0.
        speed: least texts a second, as a multiple of the float model's.
        keep: least share of the float model's score.
        sure: that the lower end of the interval must reach ``keep``, too.
    """

    size: float | None = None
    speed: float | None = None
    keep: float = 0.98
    sure: bool = False

    @classmethod
    def parse(cls, text: str, *, keep: float, sure: bool = False) -> Target:
        """``size=50%,speed=2`` -> a target.

        Raises:
            UsageError: it isn't written so, or makes no sense.
        """
        found: dict[str, float] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, equals, value = part.partition("=")
            number = value.strip().rstrip("x")
            scale = 0.01 if number.endswith("%") else 1.0
            try:
                if not equals or name not in ("size", "speed") or name in found:
                    raise ValueError(name)
                found[name] = float(number.rstrip("%")) * scale
            except ValueError as error:
                raise UsageError(
                    f"--target is written size=50% or speed=2 (or both, with a comma), not {text!r}"
                ) from error
        if not 0 < keep <= 1:
            raise UsageError(f"--keep is a share above 0 and at most 1, as 0.98; got {keep:g}")
        if any(not 0 < one < 1000 for one in found.values()) or found.get("size", 0) > 1:
            raise UsageError(f"a target's size is at most 100% and its speed above 0, not {text!r}")
        return cls(found.get("size"), found.get("speed"), keep, sure)

    def keeps(self, retention: Measure) -> bool:
        """Whether enough of the score is left."""
        return (retention.low if self.sure else retention.value) >= self.keep

    def meets(self, trial: Trial) -> bool:
        """Whether a trial reaches all of it."""
        small = self.size is None or trial.size <= self.size
        fast = self.speed is None or trial.speedup >= self.speed
        return small and fast and self.keeps(trial.retention)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a method made with some settings, measured.

    Attributes:
        key: of its folder.
        method, settings: what made it.
        bytes: of its folder; ``size``: over those of the float model.
        quality: the score; ``retention``: over that of the float model, paired by document.
        texts_per_s: measured in turn with the float model; ``speedup``: over that.
        labels_failed: labels under 95% of what their F1 was.
        about: what the method chose.
    """

    key: str
    method: str
    settings: Mapping[str, Any]
    bytes: int
    size: float
    quality: Measure
    retention: Measure
    texts_per_s: float
    speedup: float
    labels_failed: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``int8 keep=4``."""
        shown = [f"{k}={len(v) if k == 'keep' else v}" for k, v in sorted(self.settings.items())]
        return " ".join([self.method, *shown])

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Trial:
        """Of `plain`."""
        measures = {name: Measure(**told[name]) for name in ("quality", "retention")}
        return cls(**{**told, **measures})


def key_of(*parts: Any) -> str:
    """16 hex digits that stand for a model, its data, a method and its settings."""
    about = json.dumps([VERSION, *parts], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no other beats: as small, as good and as fast, and better in one of the three."""
    return [one for one in trials if not any(_beats(other, one) for other in trials)]


def _beats(one: Trial, other: Trial) -> bool:
    a = (-one.bytes, one.retention.value, one.speedup)
    b = (-other.bytes, other.retention.value, other.speedup)
    return a != b and all(x >= y for x, y in zip(a, b, strict=True))


def choose(trials: Sequence[Trial], target: Target) -> tuple[Trial, bool]:
    """The best of those that meet the target, and whether any does; else the nearest.

    With a size that must be met, the fastest is best, and of those as fast (within 5%) the
    smallest; without one, the smallest.

    Raises:
        UsageError: no trial.
    """
    if not trials:
        raise UsageError("nothing was tried: no method takes this model, or the budget is 0")
    met = [one for one in trials if target.meets(one)]
    if not met:
        return min(trials, key=lambda one: (shortfall(one, target), one.bytes)), False
    if target.size is None:
        return min(met, key=lambda one: (one.bytes, -one.speedup)), True
    fastest = max(one.speedup for one in met)
    alike = [one for one in met if one.speedup >= (1 - _ALIKE) * fastest]
    return min(alike, key=lambda one: (one.bytes, -one.speedup)), True


def shortfall(trial: Trial, target: Target) -> float:
    """How far a trial is from a target: the sum of what is missing, as shares."""
    kept = trial.retention.low if target.sure else trial.retention.value
    missing = max(0.0, 1 - kept / target.keep)
    if target.size is not None:
        missing += max(0.0, trial.size / target.size - 1)
    if target.speed is not None:
        missing += max(0.0, 1 - trial.speedup / target.speed)
    return missing
