"""A tagger's spans against gold: a table by label, micro F1 with its interval, tokens a second."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegle.core.examples import Example
from aegle.lm.reading import Found
from aegle.lm.tagger import Tagger
from aegle.metrics.extraction import Scores, by_label, scores
from ner_labels import Ours

Spans = list[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Result:
    """Scores over all labels and by label, and how fast they were found."""

    whole: Scores
    labels: Mapping[str, Scores]
    tokens_per_s: float


def name_of(ours: Ours) -> str:
    """``labelset.label``."""
    return ".".join(ours)


def without_overlap(found: Sequence[tuple[str, Found]]) -> Spans:
    """Spans of several label sets: of those that overlap the likelier stays."""
    kept: list[tuple[str, Found]] = []
    for task, one in sorted(found, key=lambda item: -item[1].score):
        if all(one.end <= other.start or other.end <= one.start for _, other in kept):
            kept.append((task, one))
    return sorted((one.start, one.end, name_of((task, one.label))) for task, one in kept)


def measure(tagger: Tagger, examples: Sequence[Example], served: Mapping[str, Ours]) -> Result:
    """Tag the texts and compare exact spans.

    Args:
        tagger: which has all label sets that are served.
        examples: their labels are named ``labelset.label``.
        served: label of the corpus -> ours; spans of other labels don't count.
    """
    wanted = set(served.values())
    tasks = sorted({task for task, _ in wanted})
    texts = [one.text for one in examples]
    tagger.tag(texts[:2], tasks=tasks)  # the first call allocates
    began = time.perf_counter()
    told = tagger.tag(texts, tasks=tasks)
    seconds = time.perf_counter() - began
    found = [
        without_overlap(
            [(task, one) for task in tasks for one in text[task] if (task, one.label) in wanted]
        )
        for text in told
    ]
    gold = [[(one.start, one.end, one.label) for one in ex.labels] for ex in examples]
    groups = [one.group for one in examples]
    words = sum(len(text.split()) for text in texts)
    return Result(
        scores(gold, found, groups=groups),
        by_label(gold, found, groups=groups),
        words / max(seconds, 1e-9),
    )


def table(result: Result) -> list[str]:
    """A line a label."""
    width = max(map(len, result.labels), default=5)
    lines = [f"{'label':{width}}      n  F1 [95% interval]      P      R"]
    for name, one in (*result.labels.items(), ("all", result.whole)):
        lines.append(
            f"{name:{width}} {one.gold:6d}  {one.f1.value:.3f} [{one.f1.low:.3f}, "
            f"{one.f1.high:.3f}]  {one.precision.value:.3f}  {one.recall.value:.3f}"
        )
    return lines


def summary(dataset: str, result: Result) -> dict[str, Any]:
    """The last line's object."""
    whole = result.whole
    return {
        "dataset": dataset,
        "f1": round(whole.f1.value, 4),
        "low": round(whole.f1.low, 4),
        "high": round(whole.f1.high, 4),
        "n": whole.gold,
        "precision": round(whole.precision.value, 4),
        "recall": round(whole.recall.value, 4),
        "tokens_per_s": round(result.tokens_per_s, 1),
    }


def ratios(int8: Result, fp32: Result) -> tuple[list[str], dict[str, float]]:
    """(a line a label, label -> share of the FP32 F1 that is left); labels that FP32 never finds
    have no share."""
    width = max(map(len, fp32.labels), default=5)
    lines = [f"{'label':{width}}      n   INT8   FP32  ratio"]
    shares = {}
    for name, whole in fp32.labels.items():
        if not whole.gold or not whole.f1.value:
            continue
        now = int8.labels[name].f1.value if name in int8.labels else 0.0
        shares[name] = now / whole.f1.value
        lines.append(
            f"{name:{width}} {whole.gold:6d}  {now:.4f} {whole.f1.value:.4f} {shares[name]:.4f}"
        )
    return lines, shares
