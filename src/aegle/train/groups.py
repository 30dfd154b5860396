"""What each group of dev scored, as sums: by it runs are compared later, text against same text.

The file holds no text and no name: a group goes by the digest of its own dev texts, the same in
every run that has it in dev.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import write_json

FILE: Final = "dev.json"
"""In a finished run's folder."""

Sums = dict[str, list[float]]
"""Group -> (top, bottom): a figure of any groups is the sum of tops over the sum of bottoms."""


def keys_of(texts: Sequence[str], groups: Sequence[str]) -> list[str]:
    """For each text its group's key: 16 hex digits of the digest of all texts of the group."""
    digests: dict[str, list[str]] = {}
    for text, group in zip(texts, groups, strict=True):
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        digests.setdefault(group, []).append(digest)
    keys = {
        group: hashlib.sha256("".join(sorted(some)).encode()).hexdigest()[:16]
        for group, some in digests.items()
    }
    return [keys[group] for group in groups]


def sums(keys: Sequence[str], tops: Iterable[float], bottoms: Iterable[float]) -> Sums:
    """Rows added up by group."""
    found: Sums = {}
    for key, top, bottom in zip(keys, tops, bottoms, strict=True):
        one = found.setdefault(key, [0.0, 0.0])
        one[0] += float(top)
        one[1] += float(bottom)
    return found


def write(folder: Path, measures: Mapping[str, tuple[bool, Sums]]) -> None:
    """Write ``folder/dev.json``.

    Args:
        folder: of the run.
        measures: name -> whether more of it is better, and its sums.
    """
    told: dict[str, Any] = {
        name: {"higher": higher, "groups": dict(sorted(some.items()))}
        for name, (higher, some) in measures.items()
    }
    write_json(folder / FILE, told)
