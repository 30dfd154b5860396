"""Whether reading the first hits again helps: hybrid search, and rerankers over its first 30.

    python benchmarks/rerank.py --data DIR [--set scifact 2wiki_101] [--model FOLDER] [--url URL]

``--data`` is a folder of sets or a set itself (retrieval_sets.py names the layouts). ``late`` is
late interaction over the token vectors of the packaged encoder; ``--model`` adds cross-encoders
(folders or names of `aegle models`), ``--url`` a service, its key in AEGLE_RETRIEVE__RERANK_KEY.
Each is measured by its vote beside the search's own (``late 0.5``; 1: it alone decides) against
hybrid, paired by question. ``--dev`` takes the questions on which a vote may be chosen: SciFact's
training claims, of other sets the half whose hash is even; without it the others are asked.
Milliseconds are those of reading the 30 passages anew for each question, nothing stored; those of
late interaction are of the first ``--timed`` questions.

``--sample N`` keeps token vectors as workspaces do (`retrieve.token_vectors`), over the first hits
of N questions: bytes a token, milliseconds, how the order agrees with the exact vectors', and
what it changes in nDCG@10; beside it a learnt codebook. ``--vectors-only`` measures nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.backends.reranker_http import HttpReranker
from aegle.backends.reranker_late import LateReranker
from aegle.backends.reranker_onnx import OnnxReranker
from aegle.core.ports import Reranker, Scores
from aegle.core.records import Hit
from aegle.core.text import SafeText
from aegle.lm.catalog import resolve
from aegle.lm.known import KNOWN
from aegle.lm.token_vectors import TokenEncoder, maxsim
from aegle.metrics import ranking
from aegle.metrics.stats import percentile
from aegle.retrieve.hops import hybrid
from aegle.retrieve.rerank import rerank
from retrieval import chunk_of, embedded, figure, gain, is_dev
from retrieval_sets import Asked, RetrievalSet, read_set
from stored_tokens import Sample, compared

DEPTH: Final = 100
WEIGHTS: Final = (0.25, 0.5, 0.75, 1.0)


def hits_of(data: RetrievalSet, asked: Sequence[Asked], encoder: OnnxEncoder, cache: Path | None):
    """The hybrid hits of each question, the texts by id, and p95 milliseconds of a search."""
    texts = [f"{title}\n{text}" if title else text for title, text in data.passages]
    vectors = embedded(texts, encoder, cache)
    chunks = [chunk_of(n, title, text) for n, (title, text) in enumerate(data.passages)]
    found: dict[str, list[Hit]] = {}
    times = []
    with tempfile.TemporaryDirectory() as folder:
        index = QdrantEdgeIndex(Path(folder) / "index", width=encoder.width)
        index.add(chunks, vectors)
        for one in asked:
            start = time.perf_counter()
            scored = hybrid(one.question, encoder.embed([one.question])[0], index)[:DEPTH]
            times.append(1000 * (time.perf_counter() - start))
            found[one.question] = [Hit(item, item, score) for item, score in scored]
        index.close()
    return found, {one.id: one.text.after(one.title) for one in chunks}, p95(times)


def p95(times: Sequence[float]) -> float:
    """The 95th percentile, rounded."""
    return round(percentile(times, 95).value, 1)


def scored(
    asked: Sequence[Asked],
    hits: dict[str, list[Hit]],
    texts: dict[str, SafeText],
    reranker: Reranker,
    top: int,
) -> tuple[dict[str, Scores], float]:
    """The scores of each question's first hits, and p95 milliseconds."""
    found: dict[str, Scores] = {}
    times: list[float] = []
    for one in asked:
        read = [texts[hit.chunk_id] for hit in hits[one.question][:top]]
        start = time.perf_counter()
        found[one.question] = reranker.score(one.question, read)
        times.append(1000 * (time.perf_counter() - start))
    return found, p95(times)


class Remembering:
    """Late interaction that reads a passage once, in 16 bits a number, so that a run ends."""

    def __init__(self, model: str, threads: int) -> None:
        self.name = model
        self._tokens = TokenEncoder(resolve(model), threads=threads)
        self._known: dict[str, np.ndarray] = {}

    def score(self, question: str, passages: Sequence[SafeText]) -> Scores:
        """MaxSim of each passage."""
        new = [one for one in passages if one not in self._known]
        (asked, *told) = self._tokens.vectors([question, *new])
        self._known |= {one: v.astype(np.float16) for one, v in zip(new, told, strict=True)}
        each = [maxsim(asked, self._known[one].astype(np.float32)) for one in passages]
        return np.array(each, np.float32)

    def close(self) -> None:
        """Let go of the weights."""
        self._tokens.close()


def told_of(
    asked: Sequence[Asked], lists: dict[str, list[list[str]]], base: str = "hybrid"
) -> dict[str, Any]:
    """nDCG@10 and recall@5 of each system with intervals, and what it gains over the base."""
    gold = [{f"{n:08d}": grade for n, grade in one.gold.items()} for one in asked]
    values: dict[str, dict[str, list[float]]] = {}
    for name, rows in lists.items():
        pairs = list(zip(rows, gold, strict=True))
        values[name] = {
            "ndcg10": [ranking.ndcg(ids, g, k=10) for ids, g in pairs],
            "recall5": [ranking.recall(ids, g, k=5) for ids, g in pairs],
        }
    return {
        name: {
            what: {"value": figure(each)}
            | ({} if name == base else {"gain": gain(each, values[base][what])["difference"]})
            for what, each in by.items()
        }
        for name, by in values.items()
    }


def measure(folder: Path, args: argparse.Namespace, encoder: OnnxEncoder) -> dict[str, Any]:
    """All figures of a set."""
    data = read_set(folder, claims="train" if args.dev else "validation")
    asked = [one for one in data.questions if one.kind != "single-hop"]
    if not (folder / "scifact.zip").is_file():
        asked = [one for one in asked if is_dev(one.question) == args.dev]
    asked = asked[:: args.every]
    hits, texts, search_ms = hits_of(data, asked, encoder, args.cache)
    lists = {"hybrid": [[hit.chunk_id for hit in hits[one.question]] for one in asked]}
    times = {"hybrid": search_ms}
    for name, make in ({} if args.vectors_only else _rerankers(args)).items():
        reranker = make()
        scores, times[name] = scored(asked, hits, texts, reranker, args.top)
        reranker.close()
        if name == "late":
            fresh = LateReranker(args.late, threads=args.threads)
            times[name] = scored(asked[: args.timed], hits, texts, fresh, args.top)[1]
            fresh.close()
        for weight in args.weights:
            rows = []
            for one in asked:
                ready = scores[one.question]
                better = rerank(
                    one.question,
                    hits[one.question],
                    texts,
                    lambda _, __, ready=ready: ready,
                    top=args.top,
                    weight=weight,
                )
                rows.append([hit.chunk_id for hit in better])
            lists[f"{name} {weight:g}"] = rows
    told: dict[str, Any] = {"dataset": data.name, "n": len(asked), "top": args.top}
    told |= {"dev": args.dev, "systems": told_of(asked, lists), "p95_ms": times}
    if args.model[1:]:
        told["over_first_model"] = over_first(asked, lists, args.model, args.weights)
    if args.sample:
        some = [one for n, one in enumerate(asked) if n % max(1, len(asked) // args.sample) == 0]
        late = LateReranker(args.late, threads=args.threads)
        told["stored"] = compared(Sample(some[: args.sample], hits, texts, args.top), late)
        late.close()
    return told


def over_first(
    asked: Sequence[Asked],
    lists: dict[str, list[list[str]]],
    models: Sequence[str],
    weights: Sequence[float],
) -> dict[str, Any]:
    """What each further cross-encoder gains over the first, a teacher say, at the same vote."""
    told = {}
    for weight in weights:
        names = {f"{name} {weight:g}": lists[f"{name} {weight:g}"] for name in models}
        base, *others = names
        found = told_of(asked, names, base)
        told |= {name: {k: v["gain"] for k, v in found[name].items()} for name in others}
    return told


def _rerankers(args: argparse.Namespace) -> dict[str, Callable[[], Reranker]]:
    made: dict[str, Callable[[], Reranker]] = {}
    if args.late != "none":
        made["late"] = lambda: Remembering(args.late, args.threads)
    how = {"threads": args.threads, "max_tokens": args.tokens}
    for name in args.model:
        folder = Path(name) if Path(name).is_dir() else resolve(name)
        made[name] = lambda folder=folder: OnnxReranker(folder, **how)
    if args.url:
        key = os.environ.get("AEGLE_RETRIEVE__RERANK_KEY", "")
        made["service"] = lambda: HttpReranker(args.url, model=args.url_model, api_key=key)
    return made


def main() -> None:
    """Measure the sets; the last line is the first one's, with all of them under ``sets``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=["scifact", "2wiki_101"])
    parser.add_argument("--cache", type=Path, help="keeps vectors between runs")
    parser.add_argument("--late", default="minilm", help="an encoder's name or path:, or none")
    parser.add_argument("--model", nargs="*", default=[], help="cross-encoders: folders or names")
    parser.add_argument("--tokens", type=int, default=512, help="most that a cross-encoder reads")
    parser.add_argument("--url", default="", help="a rerank service")
    parser.add_argument("--url-model", default="")
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--weights", type=float, nargs="*", default=list(WEIGHTS))
    parser.add_argument("--dev", action="store_true", help="the questions to choose on")
    parser.add_argument("--every", type=int, default=1, help="every so many questions")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--vectors-only", action="store_true", help="what --sample says alone")
    parser.add_argument("--timed", type=int, default=40, help="questions that late is timed on")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    known = [args.data / name for name in args.set if (args.data / name).is_dir()]
    reference = next(one.reference for one in KNOWN if one.name == "minilm")
    encoder = OnnxEncoder(reference, threads=args.threads)
    told = []
    for folder in known or [args.data]:
        told.append(measure(folder, args, encoder))
        if len(known) > 1:
            print(json.dumps(told[-1]))
    print(json.dumps(told[0] if len(told) == 1 else told[0] | {"sets": told}))


if __name__ == "__main__":
    main()
