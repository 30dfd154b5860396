"""Token vectors as a workspace keeps them, against the exact ones and a learnt codebook."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.backends.reranker_late import LateReranker
from aegle.core.ports import Scores, Vectors
from aegle.core.records import Chunk, Hit
from aegle.core.text import SafeText
from aegle.lm.token_vectors import maxsim
from aegle.metrics import ranking
from aegle.metrics.stats import percentile
from aegle.retrieve import token_codes
from aegle.retrieve.rerank import rerank
from aegle.retrieve.token_book import TokenBook
from learnt_codes import BITS, centroids, train
from retrieval import figure, gain
from retrieval_sets import Asked

CENTROIDS: Final = 1024
LEARNT: Final = 40_000
"""Token vectors that a codebook is learnt of."""

PASSAGES: Final = 300
"""Passages that these are of."""

TIMED: Final = 4
"""Questions whose passages are read anew: seconds each."""

WEIGHTS: Final = (0.5, 1.0)
MADE_BY: Final = "benchmark"


@dataclass(frozen=True)
class Sample:
    """Questions, their hits by question, the texts by id, and how many hits are read again."""

    asked: Sequence[Asked]
    hits: dict[str, list[Hit]]
    texts: dict[str, SafeText]
    top: int

    def first(self, one: Asked) -> list[str]:
        """The ids that are read again for a question."""
        return [hit.chunk_id for hit in self.hits[one.question][: self.top]]

    def ndcg(self, scores: Sequence[Scores], weight: float) -> list[float]:
        """nDCG@10 of each question where these scores have such a vote."""
        told = []
        for one, ready in zip(self.asked, scores, strict=True):
            better = rerank(
                one.question,
                self.hits[one.question],
                self.texts,
                lambda _, __, ready=ready: ready,
                top=self.top,
                weight=weight,
            )
            gold = {f"{n:08d}": grade for n, grade in one.gold.items()}
            told.append(ranking.ndcg([hit.chunk_id for hit in better], gold, k=10))
        return told


def compared(sample: Sample, late: LateReranker) -> dict[str, Any]:
    """Each codec of a workspace, read from its token book on disk, and each learnt codebook."""
    ids = sorted({item for one in sample.asked for item in sample.first(one)})
    begun = time.process_time()
    vectors = dict(zip(ids, late.vectors([sample.texts[item] for item in ids]), strict=True))
    reading_ms = 1000 * (time.process_time() - begun)
    num = sum(len(one) for one in vectors.values())
    told: dict[str, Any] = {"passages": len(ids), "tokens": num, "questions": len(sample.asked)}
    told["processor_ms_a_passage_at_ingest"] = round(reading_ms / len(ids), 1)
    asked = {one.question: late.vectors([one.question])[0] for one in sample.asked}
    exact = [
        np.array([maxsim(asked[one.question], vectors[item]) for item in sample.first(one)])
        for one in sample.asked
    ]
    read, anew = _timed(
        sample.asked[:TIMED],
        lambda one: late.score(one.question, [sample.texts[item] for item in sample.first(one)]),
    )
    apart = max(np.abs(a - b).max() for a, b in zip(exact, read, strict=False))
    told["read_anew"] = {"bytes_a_token": 4 * late.width, "apart": float(apart)} | anew
    for name in token_codes.CODECS:
        told[name] = _kept(sample, late, vectors, name, exact)
    for name, scores, size_bytes in _learnt(sample, late, vectors, asked):
        told[name] = {"bytes_a_token": round(size_bytes / num, 1)}
        told[name] |= agreement(list(zip(exact, scores, strict=True)))
    return told


def _timed(
    asked: Sequence[Asked], score: Callable[[Asked], Scores]
) -> tuple[list[Scores], dict[str, Any]]:
    """Scores, and milliseconds on the clock and of processor, which a busy machine changes less."""
    found: list[Scores] = []
    times: dict[str, list[float]] = {"ms": [], "processor_ms": []}
    for one in asked:
        begun = time.perf_counter(), time.process_time()
        found.append(score(one))
        ended = time.perf_counter(), time.process_time()
        for name, start, end in zip(times, begun, ended, strict=True):
            times[name].append(1000 * (end - start))
    told = {
        name: {f"p{p}": round(percentile(each, p).value, 1) for p in (50, 95)}
        for name, each in times.items()
    }
    return found, told


def _kept(
    sample: Sample,
    late: LateReranker,
    vectors: dict[str, Vectors],
    name: str,
    exact: Sequence[Scores],
) -> dict[str, Any]:
    """A codec in a token book on disk; milliseconds are with the question's own vectors."""
    codec = token_codes.codec(name, late.width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.sqlite"
        book = TokenBook(path)
        codes = {item: codec.encode(one) for item, one in vectors.items()}
        chunks = [_chunk(item, sample.texts[item]) for item in codes]
        book.put(chunks, codes.values(), made_by=MADE_BY)
        book.remove([])
        on_disk = path.stat().st_size

        def score(one: Asked) -> Scores:
            (asked_QC,) = late.vectors([one.question])
            ids = sample.first(one)
            told = book.scores(asked_QC, ids, codec=codec, made_by=MADE_BY)
            return np.array([told[item] for item in ids], np.float32)

        scores, times = _timed(sample.asked, score)
        book.close()
    num = sum(len(one) for one in vectors.values())
    told: dict[str, Any] = {"bytes_a_token": round(sum(map(len, codes.values())) / num, 1)}
    told |= {"bytes_a_token_on_disk": round(on_disk / num, 1)} | times
    told |= agreement(list(zip(exact, scores, strict=True)))
    for weight in WEIGHTS:
        ours, theirs = sample.ndcg(scores, weight), sample.ndcg(exact, weight)
        told[f"ndcg10_vote_{weight:g}_against_exact"] = gain(ours, theirs)["difference"]
    return told


def _chunk(item: str, text: SafeText) -> Chunk:
    return Chunk(item, item, 0, len(text), text, text.cut(0, 0), "note", "general")


def _learnt(
    sample: Sample, late: LateReranker, vectors: dict[str, Vectors], asked: dict[str, Vectors]
) -> list[tuple[str, list[Scores], int]]:
    """Codebooks learnt of other passages than those that they are measured on."""
    rng = np.random.default_rng(0)
    others = [item for item in sorted(sample.texts) if item not in vectors]
    some = [others[int(at)] for at in rng.permutation(len(others))[:PASSAGES]] or list(vectors)
    learnt = np.concatenate(late.vectors([sample.texts[item] for item in some]))
    learnt = learnt[rng.permutation(len(learnt))[:LEARNT]]
    book_KC = centroids(learnt, CENTROIDS, rng=rng)
    told = []
    for bits in sorted(BITS, reverse=True):
        codec = train(learnt, book_KC, bits=bits)
        parts = {item: codec.encode(one) for item, one in vectors.items()}
        back = {item: codec.decode(one) for item, one in parts.items()}
        scores = [
            np.array([maxsim(asked[one.question], back[item]) for item in sample.first(one)])
            for one in sample.asked
        ]
        size = sum(part.nbytes for one in parts.values() for part in one.values())
        told.append((f"learnt {bits}bit", scores, size))
    return told


def agreement(pairs: Sequence[tuple[Scores, Scores]]) -> dict[str, Any]:
    """How two lists of scores order the same passages, over questions; and how far apart."""
    told: dict[str, list[float]] = {"spearman": [], "same_first": [], "shared_of_10": []}
    told["apart"] = []
    for true, got in pairs:
        order, other = (np.argsort(-one, kind="stable") for one in (true, got))
        ranks = np.corrcoef(np.argsort(order), np.argsort(other))
        told["spearman"].append(float(ranks[0, 1]))
        told["same_first"].append(float(order[0] == other[0]))
        told["shared_of_10"].append(len(set(order[:10]) & set(other[:10])) / 10)
        told["apart"].append(float(np.abs(true - got).mean()))
    return {name: figure(values) for name, values in told.items()}
