"""Scores of pairs kept between runs, by what they are scores of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aegle.train.data.support import Pair


def fingerprint(folder: Path) -> str:
    """Of the files of a folder: their names, sizes and times of change."""
    told = [
        (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def remembered(
    name: str, pairs: Sequence[Pair], cache: Path | None, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """Scores of these very pairs, made once."""
    if cache is None:
        return make()
    texts = json.dumps([(one.claim, one.evidence) for one in pairs])
    path = cache / f"{name}-{hashlib.sha256(texts.encode()).hexdigest()[:12]}.json"
    if not path.is_file():
        path.write_text(json.dumps(make().tolist()), "utf-8")
    return np.array(json.loads(path.read_text("utf-8")))
