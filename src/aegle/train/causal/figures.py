"""Dev's figures of a causal run, of all and of each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aegle.core.records import Measure
from aegle.metrics.stats import mean
from aegle.train import groups
from aegle.train.causal import adapters
from aegle.train.causal.chat import Tokens
from aegle.train.causal.corpus import Record


def scored(
    trainer: Any, dev: Sequence[tuple[Record, Tokens]], folder: Path, *, whole: bool
) -> dict[str, Any]:
    """`summary` of dev; what each group scored goes into the folder, for comparing runs."""
    rows = trainer.scores()
    if trainer.team.first:
        groups.write(folder, by_group([record for record, _ in dev], rows, whole=whole))
    return summary(trainer, [one for _, one in dev], rows)


def by_group(
    records: Sequence[Record], rows: Sequence[tuple[float, int, int]], *, whole: bool
) -> dict[str, tuple[bool, groups.Sums]]:
    """Dev's loss and right tokens as sums of each group, for `groups.write`.

    Args:
        records: of each row; a record that was split has several rows.
        rows: (loss, right tokens, learned tokens).
        whole: whether no text was cut off: bits per byte, too, which compare bases that cut texts
            into other tokens.
    """
    keys = groups.keys_of([said(one) for one in records], [one.group for one in records])
    losses, right, counts = zip(*rows, strict=True)
    found = {
        "loss": (False, groups.sums(keys, losses, counts)),
        "token_accuracy": (True, groups.sums(keys, right, counts)),
    }
    if whole:
        first = {id(one): number for number, one in reversed(list(enumerate(records)))}
        bytes_ = [
            learned_bytes(one) * math.log(2) if first[id(one)] == number else 0.0
            for number, one in enumerate(records)
        ]
        found["bits_per_byte"] = (False, groups.sums(keys, losses, bytes_))
    return found


def said(record: Record) -> str:
    """All of a record's turns as one string, whatever the base and its template."""
    return "\n".join(f"{turn.role}\n{turn.text}" for turn in record.turns)


def learned_bytes(record: Record) -> int:
    """UTF-8 bytes of what is learned of a record."""
    answers = [one for one in record.turns if one.role in ("assistant", "text")]
    return sum(len(str(one.text).encode("utf-8", "surrogatepass")) for one in answers)


def summary(
    trainer: Any, dev: list[Tokens], rows: Sequence[tuple[float, int, int]]
) -> dict[str, Any]:
    """Dev's figures at the best weights, with 95% intervals by group, and how training went."""
    names = [one.group for one in dev]
    counts = [count for _, _, count in rows]
    loss = mean([total / count for total, _, count in rows], groups=names, weights=counts)
    right = mean([hits / count for _, hits, count in rows], groups=names, weights=counts)
    value, low, high = (math.exp(min(one, 700)) for one in (loss.value, loss.low, loss.high))
    perplexity = Measure(value, low, high, loss.n)
    watch = trainer.watch
    return {
        "dev": {
            name: {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
            for name, one in (
                ("loss", loss),
                ("perplexity", perplexity),
                ("token_accuracy", right),
            )
        },
        "best_step": int(watch.best.get("step", 0)),
        "history": watch.history,
        "trained_parameters": sum(one.numel() for one in adapters.trained(trainer.model).values()),
    }
