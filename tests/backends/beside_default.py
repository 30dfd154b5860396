"""Another index's BM25 beside that of the default one, which is checked against bm25s."""

from __future__ import annotations

import random
from pathlib import Path

from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.testing.index import WIDTH, Make, chunk, vectors


def compare(make: Make, folder: Path) -> tuple[float, float]:
    """The share of the first ten that both find, and the largest difference between scores."""
    rng = random.Random(5)
    words = [f"w{i}x" for i in range(300)]
    odds = [1 / (i + 1) for i in range(300)]
    chunks = [
        chunk(str(i), " ".join(rng.choices(words, odds, k=rng.randint(40, 150))))
        for i in range(200)
    ]
    known = vectors(200)
    default, other = QdrantEdgeIndex(folder / "default", width=WIDTH), make(folder)
    default.add(chunks, known)
    for start in range(0, 200, 50):
        other.add(chunks[start : start + 50], known[start : start + 50])
    shared, differences = [], []
    for _ in range(10):
        query = " ".join(sorted(set(rng.choices(words, odds, k=4))))
        expected, found = default.search_text(query, k=10), other.search_text(query, k=10)
        shared.append(len({item for item, _ in expected} & {item for item, _ in found}) / 10)
        pairs = zip(expected, found, strict=True)
        differences += [abs(a - b) for (_, a), (_, b) in pairs]
    default.close()
    other.close()
    return sum(shared) / len(shared), max(differences)
