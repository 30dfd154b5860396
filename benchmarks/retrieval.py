"""How many of the passages that answer a question are found: vectors, BM25, hybrid, and the graph.

    python benchmarks/retrieval.py --data DIR [--set 2wiki_101 musique_100 scifact] [--cache DIR]

``--data`` is a folder of sets or a set itself (retrieval_sets.py and retrieval_domain.py name the
layouts); ``--set all`` takes the sets of `SETS` and of `DOMAIN`. All systems use the same index and
the same packaged encoder in one run. Intervals are 95% by bootstrap over questions (whole pages or
reports, where questions were made of such); gains are paired: the same questions resampled for
both systems. Where nobody marked passages, ``recall`` is the share of the words of the answer but
not of the question that the first k passages hold together (of those that any passage holds).
``--questions N`` asks at most N of a set, drawn by hash.

What was chosen on questions was chosen on the half of 2wiki_101 and musique_100 whose questions
hash to an even number, and on the training claims of scifact; ``multi_hop_held_out`` is of the
other half alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.core.ports import Vectors
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.lm.known import KNOWN
from aegle.lm.terms import terms
from aegle.metrics import ranking
from aegle.metrics.stats import ROUNDS, mean, percentile
from aegle.retrieve.hops import Sources, find, hybrid
from aegle.retrieve.passages import Passage, graph_of
from retrieval_domain import read_domain
from retrieval_sets import Asked, RetrievalSet, read_set

SYSTEMS: Final = ("vector", "bm25", "hybrid", "graph")
SETS: Final = ("2wiki_101", "musique_100", "scifact")
DOMAIN: Final = ("pubmedqa", "medquad", "graphrag_bench_medical", "attack_stix")
DEPTH: Final = 20
PAIRS: Final = (
    ("graph", "vector"),
    ("graph", "hybrid"),
    ("hybrid", "vector"),
    ("hybrid", "bm25"),
)
PEERS_K: Final = 8
"""So many titles the shipped retrievals have; they saw the first passages of the corpus only."""

Search = Callable[[str], list[str]]
Row = dict[str, list[str]]


def embedded(texts: Sequence[str], encoder: OnnxEncoder, cache: Path | None) -> Vectors:
    """Vectors of texts, kept in ``cache`` by the hash of the texts and the encoder."""
    name = hashlib.sha256("\x1f".join([encoder.name, *texts]).encode()).hexdigest()[:24]
    path = cache / f"{name}.npy" if cache else None
    if path and path.is_file():
        return np.asarray(np.load(path), np.float32)
    vectors = encoder.embed(texts)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    return vectors


def chunk_of(number: int, title: str, text: str) -> Chunk:
    """A passage as the product stores it."""
    safe, name = SafeText(text or " ", by="benchmark"), SafeText(title, by="benchmark")
    item = f"{number:08d}"
    return Chunk(item, item, 0, len(safe), safe, name, "note", "general")


def systems(
    passages: Sequence[tuple[str, str]],
    vectors: Vectors,
    encoder: OnnxEncoder,
    folder: Path,
) -> dict[str, Search]:
    """The four systems over one index."""
    chunks = [chunk_of(n, title, text) for n, (title, text) in enumerate(passages)]
    index = QdrantEdgeIndex(folder, width=encoder.width)
    index.add(chunks, vectors)
    graph = graph_of(Passage(one.id, one.title, one.text) for one in chunks)
    sources = Sources(encoder.embed, index, graph, lambda vector, at: vectors[at] @ vector)

    def ids(found: Sequence[tuple[str, float]]) -> list[str]:
        return [item for item, _ in found][:DEPTH]

    def embed(question: str) -> Vectors:
        return np.asarray(encoder.embed([question])[0])

    return {
        "vector": lambda q: ids(index.search_dense(embed(q), k=DEPTH)),
        "bm25": lambda q: ids(index.search_text(q, k=DEPTH)),
        "hybrid": lambda q: ids(hybrid(q, embed(q), index)),
        "graph": lambda q: ids(find(q, sources, k=DEPTH)[1]),
    }


def figure(values: Sequence[float], groups: Sequence[str] = ()) -> list[float]:
    """Mean and 95% interval, by whole groups where there are such."""
    if not groups:
        one = mean(values)
        return [round(one.value, 4), round(one.low, 4), round(one.high, 4)]
    low, high = np.percentile(drawn(np.array([values]).T, groups)[:, 0], [2.5, 97.5])
    return [round(float(x), 4) for x in (np.mean(values), low, high)]


def drawn(values_NS: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    """Means (rounds, S) of rows of S values, resampled by whole groups."""
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    of_N = np.array([names[name] for name in groups])
    sums_GS = np.zeros((len(names), values_NS.shape[1]))
    np.add.at(sums_GS, of_N, values_NS)
    sizes_G = np.bincount(of_N)
    chosen_RG = np.random.default_rng(0).integers(0, len(names), (ROUNDS, len(names)))
    means: NDArray[np.float64] = sums_GS[chosen_RG].sum(1) / sizes_G[chosen_RG].sum(1)[:, None]
    return means


def gain(
    better: Sequence[float], base: Sequence[float], groups: Sequence[str] = ()
) -> dict[str, Any]:
    """Difference and relative gain of means, paired by question, with 95% intervals."""
    pairs_N2 = np.array([better, base]).T
    drawn_R2 = drawn(pairs_N2, groups or [str(n) for n in range(len(pairs_N2))])
    new, old = pairs_N2.mean(0)
    shares = drawn_R2[:, 0] / np.maximum(drawn_R2[:, 1], 1e-9) - 1
    both = {"difference": drawn_R2[:, 0] - drawn_R2[:, 1], "relative": shares}
    values = {"difference": new - old, "relative": new / max(old, 1e-9) - 1}
    return {
        name: [round(float(x), 4) for x in (values[name], *np.percentile(means, [2.5, 97.5]))]
        for name, means in both.items()
    }


def covered(
    asked: Sequence[Asked], lists: Sequence[list[str]], said: Sequence[set[str]], k: int
) -> Iterator[float]:
    """The share of an answer's words that the first k passages hold together."""
    every = set().union(*said)
    for one, hits in zip(asked, lists, strict=True):
        wanted = (set(terms(one.answer)) & every) - set(terms(one.question))
        held = set().union(*(said[int(item)] for item in hits[:k]))
        yield len(wanted & held) / len(wanted) if wanted else 1.0


def scored(
    asked: Sequence[Asked], found: dict[str, Row], k: int, said: Sequence[set[str]] = ()
) -> dict[str, Any]:
    """Recall, all-gold and nDCG of each system over some questions, and what the graph gains."""
    gold = [{f"{n:08d}": grade for n, grade in one.gold.items()} for one in asked]
    groups = [one.group or one.question for one in asked] if any(o.group for o in asked) else []
    told: dict[str, Any] = {"n": len(asked), "recall": {}, "all_gold": {}, "ndcg10": {}}
    told["intervals"] = {}
    values: dict[tuple[str, str], list[float]] = {}
    for system in SYSTEMS:
        lists = [found[system][one.question] for one in asked]
        if said:
            values["recall", system] = list(covered(asked, lists, said, k))
        else:
            pairs = list(zip(lists, gold, strict=True))
            values["recall", system] = [ranking.recall(hits, g, k=k) for hits, g in pairs]
            values["all_gold", system] = [float(set(g) <= set(hits[:k])) for hits, g in pairs]
            values["ndcg10", system] = [ranking.ndcg(hits, g, k=10) for hits, g in pairs]
        for name in ("recall",) if said else ("recall", "all_gold", "ndcg10"):
            value, *interval = figure(values[name, system], groups)
            told[name][system] = value
            told["intervals"][f"{name}: {system}"] = interval
    told["gain"] = {
        f"{name}: {new} over {old}": gain(values[name, new], values[name, old], groups)
        for name in (("recall",) if said else ("recall", "ndcg10"))
        for new, old in PAIRS
    }
    return told


def ask(questions: Sequence[Asked], by: dict[str, Search]) -> tuple[dict[str, Row], dict[str, Any]]:
    """What each system finds for each question, and how long it takes with the embedding."""
    found: dict[str, Row] = {name: {} for name in by}
    times: dict[str, list[float]] = {name: [] for name in by}
    for one in questions:
        for name, search in by.items():
            start = time.perf_counter()
            found[name][one.question] = search(one.question)
            times[name].append(1000 * (time.perf_counter() - start))
    return found, {name: round(percentile(each, 95).value, 1) for name, each in times.items()}


def is_dev(question: str) -> bool:
    """Whether a question is of the half on which parameters were chosen."""
    return int(hashlib.sha256(question.encode()).hexdigest(), 16) % 2 == 0


def read(folder: Path, most: int) -> RetrievalSet:
    """The set of a folder, with at most so many of its questions; 0: all."""
    data = read_domain(folder) or read_set(folder)
    if not most or len(data.questions) <= most:
        return data
    by_hash = sorted(
        data.questions, key=lambda one: hashlib.sha256(one.question.encode()).hexdigest()
    )
    return replace(data, questions=by_hash[:most])


def measure(data: RetrievalSet, encoder: OnnxEncoder, cache: Path | None, k: int) -> dict[str, Any]:
    """The figures of a set: of all questions, by kind, and of those that nothing was chosen on."""
    texts = [f"{title}\n{text}" if title else text for title, text in data.passages]
    answered = all(one.kind == "answered" for one in data.questions)
    said = [set(terms(text)) for text in texts] if answered else []
    vectors = embedded(texts, encoder, cache)
    with tempfile.TemporaryDirectory() as folder:
        by = systems(data.passages, vectors, encoder, Path(folder) / "index")
        found, p95_ms = ask(data.questions, by)
    own = [one for one in data.questions if one.kind != "single-hop"]
    multi = [one for one in own if one.kind == "multi-hop"]
    told: dict[str, Any] = {
        "dataset": data.name,
        "k": k,
        **scored(own, found, k, said),
        "p95_ms": p95_ms,
    }
    parts = {"multi_hop": multi, "other": [one for one in own if one.kind == "other"]}
    parts["single_hop"] = [one for one in data.questions if one.kind == "single-hop"]
    parts["multi_hop_held_out"] = [one for one in multi if not is_dev(one.question)]
    told["parts"] = {name: scored(each, found, k) for name, each in parts.items() if each}
    best: list[float | None] = [None, None, None]
    if multi:
        best = told["parts"]["multi_hop"]["gain"]["recall: graph over vector"]["relative"]
    told |= dict(zip(("multi_hop_gain", "low", "high"), best, strict=True))
    if data.peers:
        told["peers"] = peers(data, vectors, encoder)
    return told


def peers(data: RetrievalSet, vectors: Vectors, encoder: OnnxEncoder) -> dict[str, Any]:
    """All gold among the first 8 titles, on the passages that the shipped systems saw."""
    place = {title: number for number, (title, _) in reversed(list(enumerate(data.passages)))}
    seen = [t for each in data.peers.values() for titles in each.values() for t in titles]
    # One title in a thousand may be garbled to one that stands elsewhere in the corpus.
    last = 1 + int(np.quantile([place[title] for title in seen if title in place], 0.999))
    asked = [one for one in data.questions if one.kind == "multi-hop"]
    with tempfile.TemporaryDirectory() as folder:
        some = data.passages[:last], vectors[:last]
        by = systems(*some, encoder, Path(folder) / "index")
        found, _ = ask(asked, by)
    titled = {
        name: {q: [data.passages[int(item)][0] for item in hits] for q, hits in row.items()}
        for name, row in found.items()
    }
    told: dict[str, Any] = {"passages": last, "n": len(asked), "k": PEERS_K, "all_gold": {}}
    hit: dict[str, list[float]] = {}
    for name, row in (titled | {f"peer_{n}": r for n, r in data.peers.items()}).items():
        hit[name] = [
            float({data.passages[n][0] for n in one.gold} <= set(row[one.question][:PEERS_K]))
            for one in asked
        ]
        told["all_gold"][name] = figure(hit[name])
    told["gain"] = {
        name: gain(hit["graph"], values) for name, values in hit.items() if name != "graph"
    }
    return told


def main() -> None:
    """Measure the sets; the last line is the first one's, with all of them under ``sets``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="*", help="folders under --data; without it all known ones")
    parser.add_argument("--cache", type=Path, help="keeps vectors between runs")
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--questions", type=int, default=0, help="so many of a set at most")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    wanted = (*SETS, *DOMAIN) if args.set == ["all"] else args.set or SETS
    known = [args.data / name for name in wanted if args.set or (args.data / name).is_dir()]
    folders = known or [args.data]
    reference = next(one.reference for one in KNOWN if one.name == "minilm")
    encoder = OnnxEncoder(reference, threads=args.threads)
    told = []
    for folder in folders:
        told.append(measure(read(folder, args.questions), encoder, args.cache, args.k))
        if len(folders) > 1:
            print(json.dumps(told[-1]))
    print(json.dumps(told[0] if len(told) == 1 else told[0] | {"sets": told}))


if __name__ == "__main__":
    main()
