"""The measuring half of `search_scale`: opens what was built and answers; a process of its own."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegle.backends.corpus_sqlite import SqliteCorpus
from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.index_faiss import FaissIndex
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.backends.reranker_onnx import OnnxReranker
from aegle.core.ports import Index, Vectors
from aegle.core.records import Hit
from aegle.metrics.stats import percentile
from aegle.retrieve.hops import Sources, find, hybrid
from aegle.retrieve.namebook import Cosines, NameBook
from aegle.retrieve.passages import PassageGraph
from aegle.retrieve.rerank import rerank

K = 10


def vectors_at(home: Path) -> Vectors:
    """The vectors, row for row, read where they lie."""
    vectors: Vectors = np.load(home / "vectors.npy", mmap_mode="r")
    return vectors


def open_index(home: Path, args: argparse.Namespace) -> Index:
    """The index of a folder as the settings would open it."""
    width = vectors_at(home).shape[1]
    if args.index == "faiss":
        return FaissIndex(home / f"faiss-{args.kind}", width=width, kind=args.kind)
    return QdrantEdgeIndex(home / "qdrant-edge", width=width)


def opened(book: Path) -> tuple[PassageGraph, Cosines]:
    """The graph of a store of names and how near its passages are, as a workspace opens them."""
    names = NameBook(book)
    graph = PassageGraph(names.rows())
    return graph, names.cosines(graph.ids)


def memory() -> dict[str, int]:
    """Resident bytes of this process, and how many of them are pages of files."""
    rows = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines()
    )
    return {
        "resident": 1024 * int(rows["VmRSS"].split()[0]),
        "of_files": 1024 * int(rows["RssFile"].split()[0]),
    }


def timed(
    asked: Sequence[str], warm: int, answer: Callable[[str], Any], rounds: int = 1
) -> tuple[list[float], list[float]]:
    """Milliseconds of each question after the first ``warm``, by the clock and of all processors.

    Of several rounds the least counts, of both alone.
    """
    clock, busy = ([float("inf")] * len(asked) for _ in range(2))
    for _ in range(rounds):
        for number, question in enumerate(asked):
            start, used = time.perf_counter(), time.process_time()
            answer(question)
            clock[number] = min(clock[number], 1000 * (time.perf_counter() - start))
            busy[number] = min(busy[number], 1000 * (time.process_time() - used))
    return clock[warm:], busy[warm:]


class Measuring:
    """The parts of a search, opened, and what they took."""

    def __init__(self, home: Path, args: argparse.Namespace) -> None:
        told = json.loads((home / "questions.json").read_text("utf-8"))
        self.asked, self.warm = told["questions"], told["warm"]
        self.nearest_QK = np.array(told["nearest"], np.float32)
        self.home, self.args = home, args
        self.encoder = OnnxEncoder(args.encoder, threads=args.threads)
        self.index = open_index(home, args)
        self.corpus = None if args.no_store else SqliteCorpus(home / "corpus.sqlite")
        self.p95: dict[str, float] = {}
        self.told: dict[str, Any] = {"ms": {}, "rss": {}}

    def time(self, name: str, answer: Callable[[str], Any]) -> None:
        """Ask all and note p50 and p95."""
        clock, busy = timed(self.asked, self.warm, answer, self.args.rounds)
        each = [percentile(clock, q) for q in (50, 95)]
        self.p95[name] = round(each[1].value, 1)
        told = {"p50": each[0].value, "p95": each[1].value, "low": each[1].low}
        told |= {"high": each[1].high, "cpu_p50": percentile(busy, 50).value}
        told |= {"cpu_p95": percentile(busy, 95).value}
        self.told["ms"][name] = {key: round(value, 1) for key, value in told.items()}

    def texts(self, found: Sequence[tuple[str, float]]) -> Any:
        """The chunks of some hits."""
        return self.corpus.chunks([item for item, _ in found]) if self.corpus else []

    def hybrid(self, question: str) -> Any:
        """Words and meaning."""
        return self.texts(hybrid(question, self.encoder.embed([question])[0], self.index)[:K])

    def parts(self) -> None:
        """What the parts of a hybrid search take alone."""
        vectors = dict(zip(self.asked, self.encoder.embed(self.asked), strict=True))
        found: dict[str, list[tuple[str, float]]] = {}

        def dense(question: str) -> None:
            found[question] = self.index.search_dense(vectors[question], k=100)

        self.time("part: embedding", lambda q: self.encoder.embed([q]))
        self.time("part: dense", dense)
        self.time("part: words", lambda q: self.index.search_text(q, k=100))
        self.time("part: texts", lambda q: self.texts(found[q][:K]))
        # By cosine, not by name: copies of a chunk count alike.
        worst = self.nearest_QK[:, -1] - 1e-5
        hits = [[s for _, s in found[q][:K]] for q in self.asked]
        shares = [np.mean(np.array(h) >= w) for h, w in zip(hits, worst, strict=True)]
        self.told["recall_vs_exact"] = round(float(np.mean(shares)), 4)

    def graph(self) -> Callable[[str, int], list[tuple[str, float]]]:
        """Search with the graph of the stored names, as a workspace opens it."""
        start = time.perf_counter()
        graph, cosines = opened(self.home / "names.sqlite")
        self.told["graph_open_s"] = round(time.perf_counter() - start, 1)
        sources = Sources(self.encoder.embed, self.index, graph, cosines)
        routes: dict[str, int] = {}

        def search(question: str, k: int) -> list[tuple[str, float]]:
            plan, found = find(question, sources, k=k)
            routes[plan.route] = routes.get(plan.route, 0) + 1
            if plan.walks:
                walks[question] = True
            return found

        walks: dict[str, bool] = {}
        self.told["routes"], self._walks = routes, walks
        return search

    def run(self) -> dict[str, Any]:
        """All figures."""
        self.time("hybrid", self.hybrid)
        self.told["rss"]["hybrid"] = memory()
        self.parts()

        def search(question: str, k: int) -> list[tuple[str, float]]:
            return hybrid(question, self.encoder.embed([question])[0], self.index)[:k]

        if not self.args.no_graph:
            search = self.graph()
            self.time("graph", lambda q: self.texts(search(q, K)))
            walking = [q for q in self.asked if q in self._walks]
            self.told["walked"] = len(walking)
            if len(walking) > self.warm:
                self.asked, kept = walking, self.asked
                self.time("graph, walks only", lambda q: self.texts(search(q, K)))
                self.asked = kept
            self.told["rss"]["graph"] = memory()
        if self.args.rerank != "none":
            self.rerank(search)
        told = {"p95_ms": {n: v for n, v in self.p95.items() if n in ("hybrid", "graph", "rerank")}}
        told["rss_bytes"] = self.told["rss"]["hybrid"]["resident"]
        return told | self.told

    def rerank(self, search: Callable[[str, int], list[tuple[str, float]]]) -> None:
        """The first hits read again by a cross-encoder."""
        reranker = OnnxReranker(self.args.rerank, threads=self.args.threads)
        top = self.args.top

        def answer(question: str) -> Any:
            found = search(question, top)
            texts = {one.id: one.text.after(one.title) for one in self.texts(found)}
            hits = [Hit(item, item, score) for item, score in found]
            return rerank(question, hits, texts, reranker.score, top=top, weight=0.5)

        self.asked = self.asked[: self.warm + self.args.reranked]
        self.time("rerank", answer)
        self.told["rss"]["rerank"] = memory()
        self.told["reranker"] = self.args.rerank


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--index", default="qdrant-edge")
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--rerank", default="none")
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--no-graph", action="store_true")
    parser.add_argument("--no-store", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--reranked", type=int, default=100)
    args = parser.parse_args()
    args.rerank = Path(args.rerank) if Path(args.rerank).is_dir() else args.rerank
    told = Measuring(args.home, args).run()
    print(json.dumps(told | {"reranker": str(told.get("reranker", "none"))}))


if __name__ == "__main__":
    main()
