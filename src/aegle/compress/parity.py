"""The parity certificate: what each stage of a model keeps of the original, in figures and counts.

A stage is a model's answers to the same documents. Each answer is a set of items ``(label, ...)``
with the model's confidence where it tells one; gold items are of the same form. No item gets into
the certificate: it holds counts by label and group, and groups by number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from aegle.core.records import Measure
from aegle.metrics import parity, retention
from aegle.metrics.calibration import calibration_error
from aegle.metrics.stats import mean, percentile

FORM: Final = "aegle-parity-1"

Item = tuple[Hashable, ...]
Answer = Mapping[Item, float | None]
"""Item -> the model's confidence; None where it tells none."""


@dataclass(frozen=True)
class Stage:
    """What a stage answered, and what it took.

    Attributes:
        name: one of `aegle.metrics.parity.STAGES`.
        digest: SHA-256 of the model's files.
        size_bytes: of those files.
        answers: one a document.
        latency_ms: of one request each.
        memory_bytes: resident in the process that answered.
        right: of items that are right in part (a ranking's gain): the share; others count 1.
    """

    name: str
    digest: str
    size_bytes: int
    answers: Sequence[Answer]
    latency_ms: Sequence[float]
    memory_bytes: int
    right: Sequence[float] | None = None


def counted(
    stage: Stage, gold: Sequence[frozenset[Item]], labels: Sequence[str]
) -> retention.Counts:
    """(N, L, 3): gold, found and right items of each document and label."""
    place = {name: at for at, name in enumerate(labels)}
    out = np.zeros((len(gold), len(labels), 3))
    for row, (wanted, answer) in enumerate(zip(gold, stage.answers, strict=True)):
        found = frozenset(answer)
        if stage.right is not None:
            ((label, *_),) = wanted
            out[row, place[str(label)]] = (1, 1, stage.right[row])
            continue
        for column, items in enumerate((wanted, found, wanted & found)):
            for one in items:
                out[row, place[str(one[0])], column] += 1
    return out


def certificate(
    stages: Sequence[Stage],
    gold: Sequence[frozenset[Item]],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    critical: Sequence[str],
    keep: float = parity.KEEP,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Compare stages with the first, and judge them.

    Args:
        stages: the original first, the others in the order of `aegle.metrics.parity.STAGES`.
        gold, groups: of the documents: what is there.
        labels: all that an item may begin with.
        critical: labels that each stage must keep (`aegle.metrics.parity.judged`).
        keep: least share of them, `aegle.metrics.parity.KEEP` or more.
        about: what else it says: data, scorer, task.

    Raises:
        ValueError: fewer than two stages, an order that is none, or answers to other documents.
    """
    names = [one.name for one in stages]
    known = [name for name in parity.STAGES if name in names]
    if names[:1] != ["original"] or len(names) < 2 or names != known:
        raise ValueError(f"stages are original and others of {', '.join(parity.STAGES)}: {names}")
    if not parity.KEEP <= keep <= 1:
        raise ValueError(f"a certificate asks for {parity.KEEP:g} to 1, not {keep:g}")
    counts = {one.name: counted(one, gold, labels) for one in stages}
    sums = {name: retention.grouped(one, groups) for name, one in counts.items()}
    reasons = parity.judged(sums, labels, critical, keep)
    original = stages[0]
    return {
        "form": FORM,
        "model": stages[-1].digest,
        **about,
        "documents": len(gold),
        "groups": len(sums["original"]),
        "labels": list(labels),
        "critical": list(critical),
        "keep": keep,
        "rule": {"shown": parity.SHOWN, "items": parity.EXAMPLES, "groups": parity.GROUPS},
        "passes": not reasons,
        "reasons": reasons,
        "stages": [
            _told(one, original, (counts[one.name], counts["original"]), gold, groups, labels, keep)
            for one in stages
        ],
    }


def _told(
    stage: Stage,
    original: Stage,
    counts: tuple[retention.Counts, retention.Counts],
    gold: Sequence[frozenset[Item]],
    groups: Sequence[str],
    labels: Sequence[str],
    keep: float,
) -> dict[str, Any]:
    new, old = (retention.grouped(one, groups) for one in counts)
    kept = zip(labels, parity.kept_by_label(new, old), strict=True)
    told = {
        "name": stage.name,
        "digest": stage.digest,
        "bytes": stage.size_bytes,
        "memory_bytes": stage.memory_bytes,
        "latency_ms": {
            name: asdict(percentile(stage.latency_ms, q)) for name, q in (("p50", 50), ("p95", 95))
        },
        "score": asdict(retention.measured(counts[0], groups, retention.micro_f1)),
        "calibration": _calibration(stage, gold, groups),
        "counts": parity.sparse(new, labels),
    }
    if stage is original:
        return told
    rows = {}
    for label, one in kept:
        verdict, why = one.verdict(keep)
        rows[label] = {**asdict(one), "verdict": verdict, "why": why}
    return {
        **told,
        "kept": asdict(retention.retained(*counts, groups, retention.micro_f1)),
        "churn": churn(stage.answers, original.answers, groups),
        "labels": rows,
    }


def churn(
    new: Sequence[Iterable[Item]], old: Sequence[Iterable[Item]], groups: Sequence[str]
) -> dict[str, Any]:
    """How many answers change: ``items`` (the share of what either says that the other doesn't),
    ``documents`` (the share with any change). A score can stay while answers change places.

    References:
        Milani Fard et al. (2016), Launch and Iterate: Reducing Prediction Churn.
    """
    pairs = [(frozenset(a), frozenset(b)) for a, b in zip(new, old, strict=True)]
    said = [(len(a ^ b) / len(a | b), len(a | b), group)
            for (a, b), group in zip(pairs, groups, strict=True) if a | b]  # fmt: skip
    items = (
        mean(
            [one[0] for one in said],
            groups=[g for _, _, g in said],
            weights=[n for _, n, _ in said],
        )
        if said
        else Measure(0.0, 0.0, 0.0, len(set(groups)))
    )
    changed = mean([float(a != b) for a, b in pairs], groups=groups)
    return {"items": asdict(items), "documents": asdict(changed)}


def _calibration(
    stage: Stage, gold: Sequence[frozenset[Item]], groups: Sequence[str]
) -> dict[str, Any] | None:
    """Of what was found and how sure the model was; None where it doesn't tell."""
    rows = [
        (sure, item in wanted, group)
        for wanted, answer, group in zip(gold, stage.answers, groups, strict=True)
        for item, sure in answer.items()
        if sure is not None
    ]
    if not rows:
        return None
    sure, right, whose = zip(*rows, strict=True)
    return {**asdict(calibration_error(sure, right, whose)), "predictions": len(rows)}
