"""Whether other names, or a passage imagined by the generator, find what a question's words do not.

    python benchmarks/expansion.py --data DIR [--cache DIR] [--hyde N] [--half dev] [--words]

Systems: ``off``, ``on`` (other names of terminologies and tables as alternatives in the search by
words), each for words alone (``bm25``) and for words and meaning (``hybrid``, by the same packaged
encoder), and ``hyde`` (hybrid with the generator's passage) on the first N questions of each set.
Sets: questions renamed with MedQuAD and ATT&CK (expansion_sets.py), of the half that nothing was
chosen on unless ``--half dev``, and SciFact's training claims, which call things as they like:
expansion must not cost there. ``plain`` is the same question in the passage's own words: what could
be reached at all, and, with ``plain on``, whether expansion costs there. Intervals are
95% by bootstrap, gains paired by question.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.core import plugins
from aegle.core.ports import Vectors
from aegle.core.text import SafeText
from aegle.facts.abbreviations import Senses
from aegle.facts.inventory import inventory
from aegle.facts.lexicon import Lexicon
from aegle.flows.expanding import known, long_forms
from aegle.lm import catalog
from aegle.lm.known import KNOWN
from aegle.metrics import ranking
from aegle.metrics.stats import percentile
from aegle.retrieve import hyde
from aegle.retrieve.expand import Added, Widened, expand
from aegle.retrieve.hops import hybrid
from expansion_sets import Renamed, RenamedSet, attack, medquad
from retrieval import chunk_of, embedded, figure, gain
from retrieval_sets import read_set

DEPTH: Final = 20
MODEL: Final = "smollm2"


def lexicons() -> list[Lexicon]:
    """The terminologies of the packs."""
    packs = {name: plugins.find("packs", name) for name in ("healthcare", "cybersecurity")}
    cache = catalog.cache_folder() / "lexicons"
    return [
        Lexicon.cached(cache, name, pack.terms_version, plugins.load(pack.terms))
        for name, pack in packs.items()
    ]


def sets(data: Path, known_names: Sequence[Lexicon], half: str) -> Iterator[RenamedSet]:
    """The sets whose data lie in ``data``."""
    if (data / "medquad").is_dir() and (data / "clinical_abbreviations").is_dir():
        yield medquad(data, known_names, half)
    if (data / "attack_stix").is_dir():
        yield attack(data, half)
    if (data / "scifact").is_dir():
        claims = read_set(data / "scifact", claims="train")
        asked = [
            Renamed(one.question, "", frozenset(one.gold), "claim") for one in claims.questions
        ]
        yield RenamedSet("scifact_train", claims.passages, asked)


class Systems:
    """The searches that are compared, over one index."""

    def __init__(
        self, data: RenamedSet, known_names: Sequence[Lexicon], encoder: OnnxEncoder | None,
        folder: Path,
        cache: Path | None,
    ) -> None:  # fmt: skip
        texts = [f"{title}\n{text}" if title else text for title, text in data.passages]
        chunks = [chunk_of(n, title, text) for n, (title, text) in enumerate(data.passages)]
        vectors = embedded(texts, encoder, cache) if encoder else np.ones((len(texts), 2), "f4")
        self._index = QdrantEdgeIndex(folder, width=vectors.shape[1])
        self._index.add(chunks, vectors)
        said = {chunk.id: text for chunk, text in zip(chunks, texts, strict=True)}
        self._texts = lambda ids: [said[item] for item in ids]
        self.encoder = encoder
        self._vectors: dict[str, Vectors] = {}
        self._senses: Senses | None = None
        self._lexicons = list(known_names)
        if data.tables:
            table = inventory(data.tables)
            self._senses = Senses(table, embed=encoder.embed if encoder else None)
            self._lexicons.append(long_forms(table))

    def added(self, question: str) -> tuple[Added, ...]:
        """The other names of what a question names."""
        senses = self._senses.read(question, 0, len(question)) if self._senses else {}
        return expand(question, known(question, self._lexicons, short_forms=senses))

    def words(self, question: str, added: Sequence[Added] = ()) -> list[str]:
        """By words alone."""
        index = Widened(self._index, added, texts=self._texts)
        return [item for item, _ in index.search_text(question, k=DEPTH)]

    def hybrid(
        self, question: str, added: Sequence[Added] = (), passages: Sequence[str] = ()
    ) -> list[str]:
        """By words and meaning, that of imagined passages with the question's."""
        if self.encoder is None:
            return []
        index = Widened(self._index, added, texts=self._texts)
        vector = self._vectors.get(question)
        if passages or vector is None:
            vector = hyde.imagined(question, passages, self.encoder.embed)
        if not passages:
            self._vectors[question] = vector
        return [item for item, _ in hybrid(question, vector, index)][:DEPTH]


def measure(data: RenamedSet, by: Systems, every: int) -> dict[str, Any]:
    """Off against on, by words and by words and meaning, over all questions and by kind."""
    asked = data.questions[::every]
    found: dict[str, list[list[str]]] = {}
    times: dict[str, list[float]] = {"off": [], "on": []}
    num_added = 0
    for one in asked:
        by.hybrid(one.question)  # its vector is kept, so that neither of the two pays for it
        start = time.perf_counter()
        off = by.hybrid(one.question)
        middle = time.perf_counter()
        added = by.added(one.question)
        on = by.hybrid(one.question, added)
        times["off"].append(1000 * (middle - start))
        times["on"].append(1000 * (time.perf_counter() - middle))
        num_added += bool(added)
        row = {"bm25 off": by.words(one.question), "bm25 on": by.words(one.question, added)}
        row |= {"hybrid off": off, "hybrid on": on}
        if one.plain:
            other = by.added(one.plain)
            row |= {"bm25 plain": by.words(one.plain), "hybrid plain": by.hybrid(one.plain)}
            row |= {"bm25 plain on": by.words(one.plain, other)}
            row |= {"hybrid plain on": by.hybrid(one.plain, other)}
        if by.encoder is None:
            row = {name: hits for name, hits in row.items() if name.startswith("bm25")}
        for name, hits in row.items():
            found.setdefault(name, []).append(hits)
    p95 = {name: round(percentile(each, 95).value, 1) for name, each in times.items()}
    told = {"dataset": data.name, "passages": len(data.passages), "expanded": num_added}
    told |= {**scored(asked, found), "p95_ms": p95}
    kinds = dict.fromkeys(one.kind for one in asked)
    if len(kinds) > 1:
        told["kinds"] = {
            kind: scored(
                [one for one in asked if one.kind == kind],
                {
                    name: [hits for one, hits in zip(asked, rows, strict=True) if one.kind == kind]
                    for name, rows in found.items()
                },
            )
            for kind in kinds
        }
    return told


def scored(asked: Sequence[Renamed], found: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Recall at 5 and nDCG at 10 of each system, and the gains over the system that is off."""
    gold = [{f"{n:08d}": 1.0 for n in one.gold} for one in asked]
    values: dict[str, dict[str, list[float]]] = {"recall": {}, "ndcg10": {}}
    for name, rows in found.items():
        pairs = list(zip(rows, gold, strict=True))
        values["recall"][name] = [ranking.recall(hits, g, k=5) for hits, g in pairs]
        values["ndcg10"][name] = [ranking.ndcg(hits, g, k=10) for hits, g in pairs]
    told: dict[str, Any] = {"n": len(asked)}
    for what, by in values.items():
        told[what] = {name: figure(each)[0] for name, each in by.items()}
    told["gain"] = {
        f"{what}: {name}": gain(by[name], by[_base(name)])["difference"]
        for what, by in values.items()
        for name in by
        if not name.endswith((" off", " plain"))
    }
    return told


def _base(name: str) -> str:
    """The system that another is compared with."""
    return name.removesuffix(" on") if "plain" in name else f"{name.split()[0]} off"


def imagine(
    data: RenamedSet,
    by: Systems,
    most: int,
    generator: LlamaCppGenerator,
    max_tokens: int,
    limit_s: float,
) -> dict[str, Any]:
    """Hybrid search with and without the passage that the generator imagines.

    After ``limit_s`` seconds no further question is asked: ``n`` says how many were.
    """
    step = max(1, len(data.questions) // most)
    asked = data.questions[::step][:most]
    found: dict[str, list[list[str]]] = {"hybrid off": [], "hybrid hyde": []}
    times: list[float] = []
    for one in asked:
        if sum(times) > limit_s:
            break
        start = time.perf_counter()
        asking = SafeText(one.question, by="benchmark")
        passage = hyde.write(asking, generator.stream, max_tokens=max_tokens, limit_s=60)
        times.append(time.perf_counter() - start)
        found["hybrid off"].append(by.hybrid(one.question))
        found["hybrid hyde"].append(by.hybrid(one.question, passages=[passage]))
    return {
        **scored(asked[: len(times)], found),
        "generator": MODEL,
        "seconds": {"median": percentile(times, 50).value, "p95": percentile(times, 95).value},
    }


def main() -> None:
    """Measure the sets; the last line is the first one's, with all of them under ``sets``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="*", help="names of sets; without it all")
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--every", type=int, default=1, help="ask every n-th question")
    parser.add_argument("--hyde", type=int, default=0, help="questions a set for the generator")
    parser.add_argument("--tokens", type=int, default=64, help="of an imagined passage")
    parser.add_argument("--limit", type=float, default=600, help="seconds of imagining, a set")
    parser.add_argument("--words", action="store_true", help="BM25 alone: nothing is embedded")
    parser.add_argument("--cache", type=Path, help="keeps vectors between runs")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    names = lexicons()
    reference = next(one.reference for one in KNOWN if one.name == "minilm")
    encoder = None if args.words else OnnxEncoder(reference, threads=args.threads)
    generator = LlamaCppGenerator(MODEL, threads=args.threads) if args.hyde and encoder else None
    told = []
    for data in sets(args.data, names, args.half):
        if args.set and data.name not in args.set:
            continue
        with tempfile.TemporaryDirectory() as folder:
            by = Systems(data, names, encoder, Path(folder) / "index", args.cache)
            told.append(measure(data, by, args.every))
            if generator:
                told[-1]["hyde"] = imagine(data, by, args.hyde, generator, args.tokens, args.limit)
        print(json.dumps(told[-1]), flush=True)
    if not told:
        parser.error(f"{args.data} holds none of the sets")
    print(json.dumps(told[0] | {"sets": told}))


if __name__ == "__main__":
    main()
