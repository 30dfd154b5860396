"""Which packaged or shipped encoder finds the passages that answer, and at how many dimensions.

    python benchmarks/embedder.py --data DIR [--set tram2 medquad] [--cache DIR]
        [--encoders minilm bge-small aegle-embed aegle-embed/256]

``NAME/256`` keeps the first 256 numbers of a vector. Cosines are exact, no index rounds them.
Clinical and cyber sets are the test parts of `domain_sets`: MedQuAD's held-out diseases (and their
answers alone), PubMedQA's test questions over all 1,000 abstracts, sentences of TRAM's held-out
reports over all techniques of ATT&CK, SciFact's validation claims over all abstracts. 2wiki_101 and
musique_100 say whether general text got worse. Gains are against the first encoder, paired by
question and resampled by document, with the p of a randomisation task. ``--passages N`` keeps all
that answer a question and others, by the hash of their text, up to N in all. ``--dev`` takes dev
parts instead, for choosing, and musique_100's half that is for choosing in `retrieval.py`, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

import domain_cyber
import domain_health
from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.core.ports import Vectors
from aegle.core.records import Measure
from aegle.lm.catalog import resolve
from aegle.lm.encoder import first
from aegle.metrics import ranking
from aegle.metrics.stats import mean, paired, percentile
from domain_sets import Source, point
from retrieval import is_dev
from retrieval_sets import RetrievalSet, read_set

DOMAIN: Final = {
    "scifact": domain_health.scifact,
    "pubmedqa": domain_health.pubmedqa,
    "medquad": domain_health.medquad,
    "tram2": domain_cyber.tram2,
}
GENERAL: Final = ("2wiki_101", "musique_100")
DEPTH: Final = 10
PART: Final = 256
"""Texts that are embedded, and kept, at once: a run that is cut short loses no more."""


@dataclass(frozen=True)
class Task:
    """Passages, questions, the places of what answers each, and each one's document."""

    name: str
    passages: list[str]
    questions: list[str]
    gold: list[set[int]]
    groups: list[str]


def domain(source: Source, part: str) -> Task:
    """A part of a source; of MedQuAD only the passages of its own diseases are there."""
    asked = [one for one in source.queries if one.part == part]
    own = {item for one in asked for item in one.gold}
    ids = [item for item in source.passages if source.name != "medquad" or item in own]
    place = {item: n for n, item in enumerate(ids)}
    return Task(
        source.name,
        [source.passages[item] for item in ids],
        [one.text for one in asked],
        [{place[item] for item in one.gold} for one in asked],
        [one.group for one in asked],
    )


def general(data: RetrievalSet, kept: bool | None) -> Task:
    """A retrieval set; ``kept`` takes one half of its questions."""
    asked = [one for one in data.questions if kept is None or is_dev(one.question) == kept]
    return Task(
        data.name,
        [f"{title}\n{text}" if title else text for title, text in data.passages],
        [one.question for one in asked],
        [set(one.gold) for one in asked],
        [one.question for one in asked],
    )


def task_of(name: str, data: Path, dev: bool) -> Task:
    """The questions of a set that are to be asked."""
    if name == "scifact" and not dev:
        return general(read_set(data / name), None)
    if name in DOMAIN:
        return domain(DOMAIN[name](data), "dev" if dev else "test")
    return general(read_set(data / name), True if dev else None)


def thinned(task: Task, most: int) -> Task:
    """The same questions over fewer passages: those that answer one, and others by their hash."""
    own = {n for some in task.gold for n in some}
    others = [n for n in range(len(task.passages)) if n not in own]
    others.sort(key=lambda n: point(task.passages[n]))
    kept = sorted([*own, *others[: max(0, most - len(own))]])
    place = {n: at for at, n in enumerate(kept)}
    gold = [{place[n] for n in some} for some in task.gold]
    return replace(task, passages=[task.passages[n] for n in kept], gold=gold)


class Encoders:
    """Encoders by name, opened once; their vectors at any number of dimensions."""

    def __init__(self, cache: Path | None, threads: int) -> None:
        self._cache, self._threads = cache, threads
        self._open: dict[str, OnnxEncoder] = {}
        self._known: dict[str, dict[str, Vectors]] = {}

    def get(self, name: str) -> OnnxEncoder:
        """The encoder of a name, or of a reference, at its whole width."""
        if name not in self._open:
            self._open[name] = OnnxEncoder(resolve(name), threads=self._threads)
        return self._open[name]

    def vectors(self, name: str, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts by ``NAME`` or ``NAME/dimensions``."""
        stem, size = split(name)
        known = self._stored(stem)
        new = list(dict.fromkeys(text for text in texts if hashed(text) not in known))
        for at in range(0, len(new), PART):
            some = new[at : at + PART]
            made = dict(zip(map(hashed, some), self.get(stem).embed(some), strict=True))
            known |= made
            if folder := self._folder(stem):
                folder.mkdir(parents=True, exist_ok=True)
                number = len(list(folder.glob("*.npz")))
                np.savez(folder / f"{number}.npz", keys=list(made), vectors=list(made.values()))
        vectors = np.stack([known[hashed(text)] for text in texts])
        return first(vectors, size) if size else vectors

    def _folder(self, stem: str) -> Path | None:
        """Vectors lie by what computes them: a model trained anew has others under one name."""
        return self._cache / hashed(str(resolve(stem)))[:16] if self._cache else None

    def _stored(self, stem: str) -> dict[str, Vectors]:
        if stem not in self._known:
            self._known[stem] = {}
            folder = self._folder(stem)
            for path in sorted(folder.glob("*.npz")) if folder else ():
                with np.load(path) as told:
                    part = zip(told["keys"].tolist(), told["vectors"], strict=True)
                    self._known[stem] |= dict(part)
        return self._known[stem]


def hashed(text: str) -> str:
    """A short name of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def split(name: str) -> tuple[str, int]:
    """(encoder, dimensions); 0: all. Only digits after the last slash are dimensions."""
    stem, _, size = name.rpartition("/")
    return (stem, int(size)) if stem and size.isdigit() else (name, 0)


def found(task: Task, name: str, encoders: Encoders) -> list[list[str]]:
    """The first passages of each question, best first."""
    told_PC = encoders.vectors(name, task.passages)
    asked_QC = encoders.vectors(name, task.questions)
    order_QK = np.argsort(-(asked_QC @ told_PC.T), axis=1, kind="stable")[:, :DEPTH]
    return [[str(n) for n in row] for row in order_QK]


def measure(task: Task, names: Sequence[str], encoders: Encoders) -> dict[str, Any]:
    """Each encoder's figures on a set, and what it gains over the first one."""
    values: dict[str, dict[str, list[float]]] = {}
    for name in names:
        rows = list(zip(found(task, name, encoders), task.gold, strict=True))
        values[name] = {
            "recall5": [ranking.recall(ids, {str(n) for n in g}, k=5) for ids, g in rows],
            "ndcg10": [ranking.ndcg(ids, {str(n): 1.0 for n in g}, k=10) for ids, g in rows],
        }
    told: dict[str, Any] = {
        "dataset": task.name,
        "n": len(task.questions),
        "groups": len(set(task.groups)),
        "passages": len(task.passages),
        "systems": {},
    }
    for name, by in values.items():
        row: dict[str, Any] = {}
        for what, each in by.items():
            row[what] = {"value": shown(mean(each, groups=task.groups))}
            if name != names[0]:
                gain = paired(each, values[names[0]][what], groups=task.groups)
                row[what] |= {"gain": shown(gain.difference), "p": round(gain.p, 4)}
        told["systems"][name] = row
    return told


def shown(one: Measure) -> list[float]:
    """Value and 95% interval."""
    return [round(x, 4) for x in (one.value, one.low, one.high)]


def pace(names: Sequence[str], encoders: Encoders, task: Task) -> dict[str, Any]:
    """Of each encoder: p95 milliseconds of a question, tokens a second over some passages."""
    told = {}
    for stem in dict.fromkeys(split(name)[0] for name in names):
        encoder = encoders.get(stem)
        times = []
        for question in task.questions[:50]:
            start = time.perf_counter()
            encoder.embed([question])
            times.append(1000 * (time.perf_counter() - start))
        some = task.passages[:64]
        start = time.perf_counter()
        encoder.embed(some)
        took = time.perf_counter() - start
        num = sum(min(encoder.count(one) + 2, 256) for one in some)
        told[stem] = {
            "question_p95_ms": round(percentile(times, 95).value, 1),
            "tokens_per_s": round(num / took),
        }
    return told


def main() -> None:
    """Measure the sets; the last line is one object with all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[*DOMAIN, *GENERAL])
    parser.add_argument("--encoders", nargs="*", default=["minilm", "bge-small", "aegle-embed"])
    parser.add_argument("--cache", type=Path, help="keeps vectors between runs")
    parser.add_argument("--passages", type=int, default=0, help="most of a set; 0: all")
    parser.add_argument("--dev", action="store_true", help="the questions to choose on")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    encoders = Encoders(args.cache, args.threads)
    told = []
    for name in args.set:
        if not (args.data / name).is_dir():
            continue
        task = task_of(name, args.data, args.dev)
        if args.passages:
            task = thinned(task, args.passages)
        told.append(measure(task, args.encoders, encoders))
        print(json.dumps(told[-1]), flush=True)
    result = {"dev": args.dev, "sets": told}
    if told:
        result["pace"] = pace(args.encoders, encoders, task)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
