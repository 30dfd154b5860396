"""Whether a model keeps what another does, label by label: one rule, for whoever has the counts.

Counts are of gold, found and right items of a label in a group, so that figures and intervals can
be worked out again by who doesn't trust them. Letters: G groups, L labels, R rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure
from aegle.metrics.retention import Counts, by_label_f1
from aegle.metrics.stats import ROUNDS

STAGES: Final = ("original", "adapter", "merged", "compressed", "served")
"""In this order; the first is what the others are compared with."""
KEEP: Final = 0.95
"""Least share of the original's F1 on a critical label; who asks may ask for more."""
SHOWN: Final = 0.90
"""What the lower end of the 95% interval must reach: a loss of more than a tenth is excluded."""
EXAMPLES: Final = 30
"""Least gold items of a critical label. A bootstrap knows no loss that it didn't see; by the rule
of three 30 items without one exclude (at 95%) that more than 3 / 30 are lost, which is `SHOWN`."""
GROUPS: Final = 10
"""Least groups that hold the label: a bootstrap over fewer is not to be trusted."""

PASSES: Final = "passes"
LOST: Final = "lost"
NOT_SHOWN: Final = "not shown"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a label.

    Attributes:
        was, now: F1 of the original and of this stage.
        kept: the second over the first, its interval by resampling the groups of both together.
        gold, groups: how many items there are, and in how many groups.
    """

    was: float
    now: float
    kept: Measure
    gold: int
    groups: int

    def verdict(self, keep: float = KEEP) -> tuple[str, str]:
        """(`PASSES`, `LOST` or `NOT_SHOWN`, why).

        The value decides what is lost. What passes must be shown, too: by enough items in enough
        groups, and by an interval that excludes a loss of more than a tenth.
        """
        found = self.kept
        told = f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}] of {self.gold} items"
        if self.gold and self.was > 0 and found.value < keep:
            return LOST, f"keeps {told}, {keep:.0%} is needed"
        if not self.gold:
            return NOT_SHOWN, "not in the documents"
        if not self.was > 0:
            return NOT_SHOWN, f"the original finds none of {self.gold}"
        if self.gold < EXAMPLES or self.groups < GROUPS:
            held = f"{self.gold} items in {self.groups} groups"
            return NOT_SHOWN, f"{held}; {EXAMPLES} in {GROUPS} are needed to tell"
        if found.low < SHOWN:
            return NOT_SHOWN, f"keeps {told}; the interval must begin at {SHOWN:.0%} or above"
        return PASSES, f"keeps {told}"


def kept_by_label(new_GL3: Counts, old_GL3: Counts, *, seed: int = 0) -> list[Kept]:
    """What is kept of each label, in the counts' order.

    A round in which the original has nothing right of a label says nothing of it, and isn't
    counted; if there are no others, the interval is the value.

    Raises:
        ValueError: the two are not of the same documents, or impossible: more right than found or
            there, less than none, no number.
    """
    _check(new_GL3)
    _check(old_GL3)
    if new_GL3.shape != old_GL3.shape or (new_GL3[:, :, 0] != old_GL3[:, :, 0]).any():
        raise ValueError("counts of other documents: the gold items are not the same")
    groups = len(old_GL3)
    often_RG = drawn(groups, seed)
    new_RL = by_label_f1(np.tensordot(often_RG, new_GL3, axes=1))
    old_RL = by_label_f1(np.tensordot(often_RG, old_GL3, axes=1))
    new_L, old_L = by_label_f1(new_GL3.sum(0)[None])[0], by_label_f1(old_GL3.sum(0)[None])[0]
    gold_L, there_L = old_GL3.sum(0)[:, 0], (old_GL3[:, :, 0] > 0).sum(0)
    found = []
    for at in range(old_GL3.shape[1]):
        value = float(new_L[at] / old_L[at]) if old_L[at] > 0 else 1.0
        usable = old_RL[:, at] > 0
        ratios = new_RL[usable, at] / old_RL[usable, at]
        low, high = np.percentile(ratios, [2.5, 97.5]) if len(ratios) else (value, value)
        kept = Measure(value, min(value, float(low)), max(value, float(high)), groups)
        told = (float(old_L[at]), float(new_L[at]), kept, int(gold_L[at]), int(there_L[at]))
        found.append(Kept(*told))
    return found


def drawn(groups: int, seed: int) -> NDArray[np.float64]:
    """(R, G): how often each group is in each round of a bootstrap; the same for one seed."""
    places_RG = np.random.default_rng(seed).integers(0, groups, size=(ROUNDS, groups))
    out = np.stack([np.bincount(row, minlength=groups) for row in places_RG])
    return out.astype(np.float64)


def judged(
    stages: Mapping[str, Counts], labels: Sequence[str], critical: Iterable[str], keep: float
) -> list[str]:
    """Why stages don't keep what is critical, a sentence each; empty where they do.

    Args:
        stages: name -> (G, L, 3), the original first.
        labels: of the counts.
        critical: names of labels; ``drug`` stands for all of ``SET.drug``, too.
        keep: least share.

    Raises:
        ValueError: as `kept_by_label`.
    """
    wanted = {name: of(name, labels) for name in critical}
    if not wanted:
        return ["no label is critical"]
    out = [f"{name} is critical and was not measured" for name, some in wanted.items() if not some]
    (_, original), *others = stages.items()
    for stage, counts in others:
        kept = dict(zip(labels, kept_by_label(counts, original), strict=True))
        for label in dict.fromkeys(one for some in wanted.values() for one in some):
            verdict, why = kept[label].verdict(keep)
            if verdict != PASSES:
                out.append(f"{stage}: {label} is {verdict}: {why}")
    return out


def of(name: str, labels: Sequence[str]) -> list[str]:
    """The labels that a name stands for: itself, or, without its set's name, those of all sets."""
    return [one for one in labels if one == name or one.partition(".")[2] == name]


def sparse(counts_GL3: Counts, labels: Sequence[str]) -> dict[str, list[list[float]]]:
    """Label -> [group, gold, found, right] of each group with any; for JSON."""
    return {
        label: [
            [group, *map(_plain, row)]
            for group, row in enumerate(counts_GL3[:, at].tolist())
            if any(row)
        ]
        for at, label in enumerate(labels)
    }


def spread(told: Mapping[str, Sequence[Sequence[float]]], groups: int) -> Counts:
    """What `sparse` said, (G, L, 3).

    Raises:
        ValueError: a group twice, or none of 0..groups-1.
    """
    out = np.zeros((groups, len(told), 3))
    for at, rows in enumerate(told.values()):
        seen = [int(row[0]) for row in rows]
        if len(set(seen)) != len(seen) or not all(0 <= one < groups for one in seen):
            raise ValueError("a group is there twice, or is none")
        for group, row in zip(seen, rows, strict=True):
            out[group, at] = [float(one) for one in row[1:]]
    return out


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def _check(counts_GL3: Counts) -> None:
    if not len(counts_GL3) or not np.isfinite(counts_GL3).all() or (counts_GL3 < 0).any():
        raise ValueError("counts are numbers of 0 or more, of one group at least")
    # A sum of shares may pass 1 by its last bit.
    if (counts_GL3[:, :, 2] > counts_GL3[:, :, :2].min(2) + 1e-9).any():
        raise ValueError("more is right than was there or was found")
