"""An index seen from a question: which charts it may look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aegle.core.ports import Found, Vectors
from aegle.flows.kit import Kit

OPEN_DOMAINS: Final = ("cybersecurity", "general")
"""What a question about a patient may look into beside the patient's chart."""


class Scoped:
    """An index in which a question about a patient sees no other patient's chart."""

    def __init__(self, kit: Kit, groups: Sequence[str]) -> None:
        self._index = kit.index
        self._scopes: list[dict[str, Sequence[str]]] = [{}]
        patients = [group for group in groups if group.startswith("patient:")]
        if patients:
            self._scopes = [{"group": patients}, {"domain": OPEN_DOMAINS}]

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The nearest chunks of every scope, best first."""
        found = [
            one
            for scope in self._scopes
            for one in self._index.search_dense(vector, k=k, where={**(where or {}), **scope})
        ]
        return _best(found, k)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The best chunks of every scope by BM25, best first."""
        found = [
            one
            for scope in self._scopes
            for one in self._index.search_text(query, k=k, where={**(where or {}), **scope})
        ]
        return _best(found, k)


def _best(found: Sequence[Found], k: int) -> list[Found]:
    best: dict[str, float] = {}
    for chunk_id, score in found:
        best[chunk_id] = max(score, best.get(chunk_id, score))
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:k]
