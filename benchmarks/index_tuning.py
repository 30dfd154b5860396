"""Kinds of index on real passages: recall, latency, memory, build time, and what is chosen.

``--data`` names the folder of public sets; ``--set`` is a set of `retrieval_sets` (its questions
are asked, too) or ``medquad`` (answers cut into passages; its own questions).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from aegle.core.records import Chunk, Document, Facts, Stored, content_id
from aegle.core.text import SafeText
from aegle.flows import commands, workspace
from aegle.flows.derive import embed_stored
from aegle.flows.kit import Kit, open_kit
from retrieval_sets import read_set

WORDS = 120


def fill(kit: Kit, passages: list[str]) -> None:
    """Store and index public passages, one a document, without looking for facts in them."""
    for start in range(0, len(passages), 400):
        batch = []
        for text in passages[start : start + 400]:
            safe, none = SafeText(text, by="benchmark"), SafeText("", by="benchmark")
            document = Document(content_id(text), "note", "healthcare", safe, none)
            chunk = Chunk(
                *(content_id("chunk", text), document.id, 0, len(text), safe, none),
                *(document.kind, document.domain),
            )
            batch.append(Stored(document, (chunk,), Facts()))
        kit.corpus.put(batch)
        embed_stored(kit, kit.index, batch)


def medquad(folder: Path) -> tuple[list[str], list[str]]:
    """Passages of at most `WORDS` words, and the questions."""
    passages, questions = [], []
    packed = sorted(folder.rglob("*.zip"))
    texts = [path.read_bytes() for path in sorted(folder.rglob("*.xml"))]
    for path in packed:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".xml")]
            texts += [archive.read(name) for name in names]
    for text in texts:
        for pair in ElementTree.fromstring(text).iter("QAPair"):
            words = (pair.findtext("Answer") or "").split()
            question = " ".join((pair.findtext("Question") or "").split())
            if words and question:
                questions.append(question)
            passages += [" ".join(words[n : n + WORDS]) for n in range(0, len(words), WORDS)]
    return list(dict.fromkeys(passages)), list(dict.fromkeys(questions))


def texts_of(data: Path, name: str) -> tuple[list[str], list[str]]:
    """Passages and questions of a set."""
    if name == "medquad":
        return medquad(data / name)
    read = read_set(data / name)
    passages = [f"{title}. {text}" if title else text for title, text in read.passages]
    return passages, [one.question for one in read.questions]


def main() -> None:
    """Fill a workspace with the passages, tune it, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="scifact")
    parser.add_argument("--passages", type=int, default=0, help="so many at most, drawn; 0: all")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--p95-ms", type=float)
    parser.add_argument("--memory-mb", type=float)
    parser.add_argument("--json", action="store_true", help="as all benchmarks: always so")
    args = parser.parse_args()
    passages, questions = texts_of(args.data, args.set)
    rng = random.Random(17)
    if args.passages and len(passages) > args.passages:
        passages = rng.sample(passages, args.passages)
    asked = rng.sample(questions, min(args.questions, len(questions)))
    print(json.dumps({"set": args.set, **measured(passages, asked, args)}))


def measured(passages: list[str], asked: list[str], args: argparse.Namespace) -> dict[str, Any]:
    """What `aegle tune` says of a workspace that holds the passages."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        layout = workspace.create(home / "w")
        (home / "questions.txt").write_text("\n".join(asked), "utf-8")
        with open_kit(layout, workspace.load_settings(layout)) as kit:
            fill(kit, passages)
        params = {
            "recall": args.recall,
            "p95_ms": args.p95_ms,
            "memory_mb": args.memory_mb,
            "k": args.k,
            "questions": str(home / "questions.txt"),
            "sample": 0,
        }
        return dict(commands.run(layout.root, "tune", params))


if __name__ == "__main__":
    main()
