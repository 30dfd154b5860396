"""Small corpora of preferences for the tiny model: yes is good, no is bad."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("\n".join(json.dumps(one) for one in rows))
    return path


def prompts(count: int, seed: int = 5) -> list[str]:
    """Questions that differ."""
    rng = random.Random(seed)
    return [f"{n} {''.join(rng.choices('abcd', k=rng.randint(3, 9)))}?" for n in range(count)]


def pairs(count: int = 24) -> list[dict[str, Any]]:
    """Yes is better than no, however long."""
    return [
        {"prompt": one, "chosen": "yes" * (1 + n % 2), "rejected": "no", "group": f"g{n // 2}"}
        for n, one in enumerate(prompts(count))
    ]


def judged(count: int = 24) -> list[dict[str, Any]]:
    """Yes is a good answer, no a bad one."""
    return [
        {"prompt": one, "completion": ("yes", "no")[n % 2], "label": n % 2 == 0, "group": f"g{n}"}
        for n, one in enumerate(prompts(count))
    ]


def recipe(kind: str, base: Path, **more: Any) -> Any:
    """A recipe of a kind for the tiny model."""
    from aegle.train.causal.preference import Preference, Rollout

    told = {
        "kind": kind,
        "name": "tiny",
        "base": f"path:{base}",
        "max_tokens": 64,
        "data": [
            {"train": "train.jsonl", "share": 0.3, "licence": "ours", "safe_because": "made here"}
        ],
        "optimiser": {"lr": 0.01, "epochs": 2, "accumulation": 1},
        "precision": "fp32",  # whatever this processor computes in: tests compare to the digit
        "batches": {"tokens": 256},
        **more,
    }
    return (Rollout if kind in ("grpo", "rloo") else Preference).model_validate(told)
