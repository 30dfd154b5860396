"""The measuring half of `search_scale`: opens what was built and answers; a process of its own."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from aegle.core.ports import Vectors
from aegle.flows import knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.metrics.stats import percentile
from aegle.retrieve.hops import hybrid

K = 10


def vectors_at(home: Path) -> Vectors:
    """The vectors, row for row, read where they lie."""
    vectors: Vectors = np.load(home / "vectors.npy", mmap_mode="r")
    return vectors


def open_workspace(
    home: Path, args: argparse.Namespace, *, rerank: str = "none"
) -> AbstractContextManager[Kit]:
    """The workspace of a folder, made when missing, as these settings open it."""
    layout = workspace.create(home / f"{args.index}-{args.kind}")
    layout.settings.write_text(
        f'[backends]\nthreads = {args.threads}\nindex = "{args.index}"\n'
        f'index_kind = "{args.kind}"\nencoder_model = "{args.encoder}"\n'
        f'[retrieve]\nrerank = "{rerank}"\nrerank_top = {args.top}\n'
        f"rerank_tokens = {args.pieces}\n",
        "utf-8",
    )
    return open_kit(layout, workspace.load_settings(layout))


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
    """A workspace, opened, and what its searches took."""

    def __init__(self, kit: Kit, home: Path, args: argparse.Namespace) -> None:
        told = json.loads((home / "questions.json").read_text("utf-8"))
        self.asked, self.warm = told["questions"], told["warm"]
        self.nearest_QK = np.array(told["nearest"], np.float32)
        self.kit, self.args = kit, args
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

    def parts(self) -> None:
        """What the parts of a hybrid search take alone."""
        encoder, index = self.kit.encoder, self.kit.index
        vectors = dict(zip(self.asked, encoder.embed(self.asked), strict=True))
        found: dict[str, list[tuple[str, float]]] = {}

        def dense(question: str) -> None:
            found[question] = index.search_dense(vectors[question], k=100)

        self.time("part: embedding", lambda q: encoder.embed([q]))
        self.time("part: dense", dense)
        self.time("part: words", lambda q: index.search_text(q, k=100))
        if not self.args.no_store:
            self.time("part: texts", lambda q: self.kit.corpus.chunks([i for i, _ in found[q][:K]]))
            self.time("parts together", lambda q: self.blended(q, texts=True))
        # By cosine, not by name: copies of a chunk count alike.
        worst = self.nearest_QK[:, -1] - 1e-5
        hits = [[s for _, s in found[q][:K]] for q in self.asked]
        shares = [np.mean(np.array(h) >= w) for h, w in zip(hits, worst, strict=True)]
        self.told["recall_vs_exact"] = round(float(np.mean(shares)), 4)

    def hybrid(self, question: str) -> Any:
        """As `aegle search --mode hybrid`; without texts, words and meaning of the index alone."""
        if self.args.no_store:
            return self.blended(question, texts=False)
        return knowledge.search(self.kit, question, k=K, mode="hybrid")

    def blended(self, question: str, *, texts: bool) -> Any:
        """Words and meaning of the index, with the texts of the first hits if wanted."""
        vector = self.kit.encoder.embed([question])[0]
        found = hybrid(question, vector, self.kit.index)[:K]
        return self.kit.corpus.chunks([item for item, _ in found]) if texts else found

    def graph(self) -> None:
        """As `aegle search`: with the graph of what passages name."""
        start = time.perf_counter()
        _ = self.kit.passages
        self.told["graph_open_s"] = round(time.perf_counter() - start, 1)
        walks: dict[str, bool] = {}

        def search(question: str) -> None:
            hits = knowledge.search(self.kit, question, k=K)["hits"]
            walks[question] = any(way.startswith("graph: names") for way in hits[0]["via"])

        self.time("graph", search)
        walking = [question for question in self.asked if walks[question]]
        self.told["walked"] = len(walking)
        if len(walking) > self.warm:
            self.asked, kept = walking, self.asked
            self.time("graph, walks only", search)
            self.asked = kept
        self.told["rss"]["graph"] = memory()

    def rerank(self) -> None:
        """The same with the first hits read again."""
        self.asked = self.asked[: self.warm + self.args.reranked]
        self.time("rerank", lambda q: knowledge.search(self.kit, q, k=K))
        self.told["rss"]["rerank"] = memory()
        self.told["reranker"] = self.args.rerank

    def run(self) -> dict[str, Any]:
        """All figures but those with reranking."""
        self.time("hybrid", self.hybrid)
        self.told["rss"]["hybrid"] = memory()
        self.parts()
        if not self.args.no_store:
            self.graph()
        return self.told


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
    parser.add_argument("--pieces", type=int, default=512)
    parser.add_argument("--no-store", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--reranked", type=int, default=100)
    args = parser.parse_args()
    with open_workspace(args.home, args) as kit:
        one = Measuring(kit, args.home, args)
        told, p95 = one.run(), one.p95
    if not args.no_store and args.rerank != "none":
        with open_workspace(args.home, args, rerank=args.rerank) as kit:
            one = Measuring(kit, args.home, args)
            one.rerank()
        p95 |= one.p95
        told = {name: each | one.told.get(name, {}) if isinstance(each, dict) else each
                for name, each in told.items()} | {"reranker": args.rerank}  # fmt: skip
    told["p95_ms"] = {name: p95[name] for name in ("hybrid", "graph", "rerank") if name in p95}
    print(json.dumps({**told, "rss_bytes": told["rss"]["hybrid"]["resident"]}))


if __name__ == "__main__":
    main()
