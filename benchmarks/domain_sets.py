"""Public clinical and cyber data as questions with passages, in parts by document; BEIR folders.

    python benchmarks/domain_sets.py --data DIR --out DIR

Each source becomes a folder: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/{train,dev,test}.tsv``
and ``links.tsv``, the passages that lie near one another in a graph (sub-techniques and techniques
of one tactic, parents and children of a weakness, codes of one category, other questions about one
disease, other abstracts on the same MeSH terms). Only data whose licence lets it train weights that
are shipped is read; what a source may be used for stands in ``card.json``.

Held out (``test``, and in no training part): half of MedQuAD's diseases, PubMedQA's 500 test
questions, SciFact's validation claims with every abstract that they cite, half of TRAM's reports.
What else says the same at length falls, too: a training question goes when more than three tenths
of the eight-word runs of its text, or of its answer, stand in anything that is held out.
MuSiQue has dev questions only (the half on which `retrieval.py` chooses): they guard what an
encoder knew of general text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aegle.core.examples import Example
from aegle.core.text import SafeText
from aegle.train.data.split import without_seen
from retrieval import is_dev
from retrieval_sets import read_set

PARTS: Final = ("train", "dev", "test")
LONGEST: Final = 1200
"""Characters of a passage: about what the encoder reads of it."""


@dataclass(frozen=True)
class Query:
    """A question, the passages that answer it, and the document that it is from."""

    text: str
    gold: tuple[str, ...]
    group: str
    part: str


@dataclass
class Source:
    """Passages by id, questions, and which passages lie near one another in a graph."""

    name: str
    licence: str
    passages: dict[str, str]
    queries: list[Query] = field(default_factory=list)
    links: dict[str, list[str]] = field(default_factory=dict)

    def write(self, out: Path) -> None:
        """As a folder in BEIR's layout."""
        folder = out / self.name
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        _lines(folder / "corpus.jsonl", self.passages.items(), "_id", "text")
        asked = [(f"q{n}", one.text, one.group) for n, one in enumerate(self.queries)]
        _lines(folder / "queries.jsonl", asked, "_id", "text", "group")
        for part in PARTS:
            rows = [
                f"q{n}\t{item}\t1"
                for n, one in enumerate(self.queries)
                for item in one.gold
                if one.part == part
            ]
            text = "\n".join(["query-id\tcorpus-id\tscore", *rows])
            (folder / "qrels" / f"{part}.tsv").write_text(text + "\n", "utf-8")
        near = [f"{one}\t{other}" for one, others in self.links.items() for other in others]
        (folder / "links.tsv").write_text("\n".join(near) + "\n", "utf-8")
        card = {"licence": self.licence, "safe_because": "published, holds no patient's data"}
        (folder / "card.json").write_text(json.dumps(card), "utf-8")


def _lines(path: Path, rows: Iterable[tuple[str, ...]], *names: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")


def point(text: str) -> float:
    """A number in [0, 1) by the hash of a text: the same part everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def part_of(group: str, *, test: float = 0.0, dev: float = 0.08) -> str:
    """The part of a document, with these shares of test and dev."""
    at = point(group)
    if at < test:
        return "test"
    return "dev" if at < test + (1 - test) * dev else "train"


def plain(text: str, longest: int = LONGEST) -> str:
    """One line without superfluous space, cut at a word."""
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0]


def siblings(groups: Mapping[str, Iterable[str]], most: int = 8) -> dict[str, list[str]]:
    """Passage -> others of its groups, those of small groups first, at most so many."""
    found: dict[str, list[str]] = defaultdict(list)
    for members in sorted((sorted(some) for some in groups.values()), key=len):
        for one in members:
            # Begin behind oneself, so that not all members of a large group name the same few.
            at = members.index(one)
            for other in [*members[at + 1 :], *members[:at]]:
                if len(found[one]) >= most:
                    break
                if other not in found[one]:
                    found[one].append(other)
    return dict(found)


def guard(data: Path) -> Source:
    """General questions, dev only, over their own passages and as many others."""
    asked = [one for one in read_set(data / "musique_100").questions if is_dev(one.question)]
    passages = read_set(data / "musique_100").passages
    own = {n for one in asked for n in one.gold}
    others = sorted(set(range(len(passages))) - own, key=lambda n: point(str(n)))
    texts = {str(n): plain("\n".join(passages[n])) for n in [*sorted(own), *others[: len(own)]]}
    queries = [Query(one.question, tuple(map(str, one.gold)), one.question, "dev") for one in asked]
    return Source("musique_100", "CC BY 4.0", texts, queries)


def all_sources(data: Path) -> dict[str, Callable[[Path], Source]]:
    """Name -> reader, of the sources that are there."""
    import domain_cyber
    import domain_health

    readers = {"musique_100": guard} | domain_health.READERS | domain_cyber.READERS
    return {name: read for name, read in readers.items() if (data / name).is_dir()}


def held_out(sources: Iterable[Source], data: Path) -> list[str]:
    """Everything that a test part asks or answers with, SciFact's validation claims included.

    The techniques of ATT&CK are a closed set, known to training: of TRAM only the sentences count.
    """
    told = []
    for source in sources:
        for one in source.queries:
            if one.part == "test":
                told.append(one.text)
                closed = source.name == "tram2"
                told += [] if closed else [source.passages[item] for item in one.gold]
    if (data / "scifact").is_dir():
        held = read_set(data / "scifact", claims="validation")
        for asked in held.questions:
            told += [asked.question, *(" ".join(held.passages[n]) for n in asked.gold)]
    return told


def unseen(source: Source, held: Iterable[Example]) -> int:
    """Drop training and dev questions of what is held out; how many."""
    given = []
    closed = "ATT&CK" in source.licence
    for n, one in enumerate(source.queries):
        texts = [one.text, *([] if closed else [source.passages[item] for item in one.gold])]
        given += [Example(str(n), str(n), SafeText(text, by="published")) for text in texts]
    _, dropped = without_seen(given, held)
    fallen = {int(one.group) for one in dropped}
    kept = [one for n, one in enumerate(source.queries) if one.part == "test" or n not in fallen]
    count = len(source.queries) - len(kept)
    source.queries = kept
    return count


def main() -> None:
    """Write the folders; say what each holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    sources = {name: read(args.data) for name, read in all_sources(args.data).items()}
    texts = held_out(sources.values(), args.data)
    held = [Example(str(n), str(n), SafeText(t, by="published")) for n, t in enumerate(texts)]
    told = {}
    for name, source in sources.items():
        dropped = unseen(source, held)
        source.write(args.out)
        told[name] = {part: sum(q.part == part for q in source.queries) for part in PARTS}
        told[name]["dropped"] = dropped
        told[name] |= {"passages": len(source.passages), "linked": len(source.links)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
