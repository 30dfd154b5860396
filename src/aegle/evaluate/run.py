"""Ask a system every question: figures with intervals, and two systems on the same questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from aegle.core.ports import Progress, quiet
from aegle.core.records import Measure
from aegle.evaluate.questions import Question
from aegle.evaluate.results import Comparison, Evaluation, Row
from aegle.evaluate.score import Attempt, Yardstick, score
from aegle.metrics import stats
from aegle.metrics.selective import aurc, risk_coverage

ALL: Final = "all"

ORDER: Final = (
    *("recall", "ndcg", "all_gold", "mrr", "context_precision", "context_recall"),
    *("str_em", "token_f1", "exact_match", "citation_recall", "citation_precision"),
    *("faithfulness", "gold_cited", "refused_rightly", "refused_wrongly"),
    *("selective_accuracy", "aurc"),
)
"""Retrieval, answers, citations, abstention."""


Ask = Callable[[str], Attempt]


def evaluate(
    questions: Sequence[Question],
    ask: Ask,
    yardstick: Yardstick,
    *,
    system: str,
    k: int = 5,
    seed: int = 0,
    progress: Progress = quiet,
) -> Evaluation:
    """Scores of one system with 95% intervals, by bootstrap over the questions' groups.

    Args:
        ask: the system.
        system: its name.
        k: how many pieces of what it found count, >= 1.
        seed: of the resampling.

    Raises:
        ValueError: no questions, or ``k < 1``.
    """
    if not questions or k < 1:
        raise ValueError(f"questions and k >= 1 are needed, got {len(questions)} and k = {k}")
    rows = []
    for number, question in enumerate(questions):
        progress(f"questions by {system}", number, len(questions))
        rows.append(score(question, ask(question.text), yardstick, k=k))
    progress(f"questions by {system}", len(questions), len(questions))
    kinds = [ALL, *dict.fromkeys(row.kind for row in rows if row.kind not in ("", ALL))]
    told = {kind: [row for row in rows if kind in (ALL, row.kind)] for kind in kinds}
    measures = {kind: _measures(own, seed) for kind, own in told.items()}
    sure, losses, _ = _withheld(rows)
    given = [loss for row, loss in zip(_judged(rows), losses, strict=True) if not row.refused]
    return Evaluation(
        system,
        k,
        yardstick.entailment,
        tuple(rows),
        measures,
        tuple(risk_coverage(sure, losses)) if sure else (),
        (len(given) / len(losses), sum(given) / len(given)) if given else None,
    )


def _measures(rows: Sequence[Row], seed: int) -> dict[str, Measure]:
    told = {}
    for name in ORDER:
        own = [row for row in rows if name in row.scores]
        if not own:
            continue
        groups = [row.group for row in own]
        told[name] = stats.mean([row.scores[name] for row in own], groups=groups, seed=seed)
    given = [row for row in _judged(rows) if not row.refused]
    if given:
        right = [float(not row.wrong) for row in given]
        groups = [row.group for row in given]
        told["selective_accuracy"] = stats.mean(right, groups=groups, seed=seed)
    sure, losses, groups = _withheld(rows)
    if any(row.answerable for row in _judged(rows)):
        sure_N, loss_N = np.array(sure), np.array(losses)
        told["aurc"] = stats.bootstrap(
            lambda places: aurc(sure_N[places].tolist(), loss_N[places].tolist()),
            groups,
            seed=seed,
        )
    return told


def _judged(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.wrong is not None]


def _withheld(rows: Sequence[Row]) -> tuple[list[float], list[float], list[str]]:
    """Confidence, loss and group of each question whose answer can be told right or wrong."""
    own = _judged(rows)
    sure = [0.0 if row.confidence is None else row.confidence for row in own]
    return sure, [float(bool(row.wrong)) for row in own], [row.group for row in own]


def compare(new: Evaluation, old: Evaluation, *, seed: int = 0) -> Comparison:
    """What one system gains over another, score by score, on the questions that both have it of.

    Citations and faithfulness are compared where both answered.

    Raises:
        ValueError: the two were not asked the same questions in the same order.
    """
    if [row.id for row in new.rows] != [row.id for row in old.rows]:
        raise ValueError("two systems are compared on the same questions in the same order")
    gains = {}
    for name in new.measures[ALL]:
        both = [
            (one.scores[name], other.scores[name], one.group)
            for one, other in zip(new.rows, old.rows, strict=True)
            if name in one.scores and name in other.scores
        ]
        if both:
            mine, theirs, groups = zip(*both, strict=True)
            gains[name] = stats.paired(mine, theirs, groups=groups, seed=seed)
    return Comparison(new.system, old.system, gains)
