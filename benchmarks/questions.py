"""Do the sample hospital's 60 questions find their answers, cite truly, and refuse rightly?

    python benchmarks/questions.py [--patients 40 --days 7 --seed 17] [--generate]

Each question is searched by meaning only, by BM25 only, by both, and by both with the graph; found
means that every passage which proves the answer (all hops) stands in the first five chunks. The
named peer is bm25s (Lù 2024) over the same chunks. The sample is a test bed, not evidence of
quality on real charts. Thresholds were set on seeds 1 to 3; report other seeds.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import bm25s

from aegle.core.records import Chunk, Measure
from aegle.flows import commands, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.metrics.stats import mean
from aegle.packs.sample import write_sample

TOP = 5
Documents = Callable[[str], frozenset[str]]
"""A path in the gold -> ids of the documents of that file."""


def squeeze(text: str) -> str:
    """Case and white space folded, so that wrapping does not hide a passage."""
    return re.sub(r"\s+", " ", text).casefold().strip()


Text = tuple[str, str]
"""The id of a document, and a text of it."""


def proves(evidence: dict[str, Any], texts: Sequence[Text], documents: Documents) -> bool:
    """Whether a passage stands in one of the texts, or another that says the same.

    An alternative, which may be as short as an asset tag, only counts in its own file.
    """
    passage = squeeze(evidence["text"])
    if any(passage in text for _, text in texts):
        return True
    return any(
        squeeze(one["text"]) in text and document in documents(one["path"])
        for one in evidence.get("alternatives", [])
        for document, text in texts
    )


def found_share(question: dict[str, Any], texts: Sequence[Text], documents: Documents) -> float:
    """The share of a question's hops that some texts prove."""
    folded = [(document, squeeze(text)) for document, text in texts]
    hops = question["evidence"]
    return sum(proves(hop, folded, documents) for hop in hops) / len(hops)


def documents_under(kit: Kit, files: Path) -> Documents:
    """From a path of the gold to the documents that were read from it."""
    return cache(lambda path: frozenset(kit.ledger.documents_of(str((files / path).absolute()))))


def says_answer(question: dict[str, Any], texts: Sequence[str]) -> bool:
    """Whether some text holds an accepted answer, not as a part of a longer word or number."""
    joined = " ".join(squeeze(text) for text in texts)
    return any(
        re.search(rf"(?<![\w.-]){re.escape(squeeze(answer))}(?![\w-]|\.\d)", joined)
        for answer in question["answers"]
    )


def searchers(kit: Kit) -> dict[str, Callable[[str], list[Text]]]:
    """Name -> from a question to its first five chunks."""
    chunks: list[Chunk] = [chunk for stored in kit.corpus.scan() for chunk in stored.chunks]
    peer = bm25s.BM25()
    peer.index(
        bm25s.tokenize([f"{c.title}\n{c.text}" for c in chunks], show_progress=False),
        show_progress=False,
    )

    def by_peer(question: str) -> list[Text]:
        safe, _ = knowledge.safe_question(kit, question)
        places, _ = peer.retrieve(
            bm25s.tokenize([str(safe)], show_progress=False), k=TOP, show_progress=False
        )
        return [(chunks[place].document_id, chunks[place].text) for place in places[0]]

    def by(mode: str) -> Callable[[str], list[Text]]:
        return lambda question: [
            (hit["document_id"], hit["text"])
            for hit in knowledge.search(kit, question, k=TOP, mode=mode)["hits"]
        ]

    names = {
        "vector only": "dense",
        "BM25 only": "text",
        "hybrid": "hybrid",
        "hybrid+graph": "graph",
    }
    return {"peer bm25s": by_peer, **{name: by(mode) for name, mode in names.items()}}


def retrieval(
    kit: Kit, questions: Sequence[dict[str, Any]], documents: Documents
) -> dict[str, Any]:
    """Found in the first five, by searcher and kind of question."""
    kinds = ["all", *dict.fromkeys(q["type"] for q in questions)]
    table: dict[str, Any] = {}
    for name, find in searchers(kit).items():
        shares = [(q["type"], found_share(q, find(q["question"]), documents)) for q in questions]
        table[name] = {
            kind: {
                "all_hops": asdict(mean([float(s == 1) for t, s in shares if kind in ("all", t)])),
                "hops": asdict(mean([s for t, s in shares if kind in ("all", t)])),
            }
            for kind in kinds
        }
    return table


def answers(kit: Kit, questions: Sequence[dict[str, Any]], generate: bool) -> dict[str, Any]:
    """Citations, answers and refusals over all questions."""
    true_citation: list[float] = []
    right: list[float] = []
    first: list[float] = []
    seconds: list[float] = []
    refused_wrongly: list[float] = []
    refused_rightly: list[float] = []
    for question in questions:
        began = time.perf_counter()
        got = knowledge.ask(kit, question["question"], generate=generate)
        seconds.append(time.perf_counter() - began)
        for claim in got["claims"]:
            for citation in claim["citations"]:
                text = kit.corpus.get([citation["document_id"]])[0].text
                there = text[citation["start"] : citation["end"]]
                true_citation.append(float(there == citation["text"]))
        refused = bool(got["refusal"])
        if question["type"] == "unanswerable":
            refused_rightly.append(float(refused))
            continue
        refused_wrongly.append(float(refused))
        if not refused:
            cited = [c["text"] for claim in got["claims"] for c in claim["citations"]]
            right.append(float(says_answer(question, cited)))
            first.append(float(says_answer(question, [got["claims"][0]["text"]])))
    measured = {
        "citations_true": true_citation,
        "answer_in_cited_text": right,
        "answer_in_first_claim": first,
        "refused_when_unanswerable": refused_rightly,
        "refused_when_answerable": refused_wrongly,
    }
    table = {name: asdict(mean(values)) if values else None for name, values in measured.items()}
    seconds.sort()
    return table | {"median_seconds": asdict(mean([seconds[len(seconds) // 2]]))}


def build(root: Path, args: argparse.Namespace) -> tuple[Path, Path]:
    """The sample and a workspace of it; (workspace, gold)."""
    sample, home = root / "sample", root / "workspace"
    if not (sample / "gold").exists():
        write_sample(sample, patients=args.patients, days=args.days, seed=args.seed)
    workspace.create(home)
    commands.run(home, "ingest", {"paths": [str(sample / "files")]})
    return home, sample / "gold"


def shown(measure: dict[str, Any]) -> str:
    """A measure on a line."""
    return str(Measure(**measure))


def main() -> None:
    """Print the tables, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", help="not used: the sample is made here")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--generate", action="store_true", help="also ask with the generator")
    parser.add_argument("--keep", type=Path, help="a folder to build in and to use again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home, gold = build(args.keep or Path(scratch), args)
        questions = json.loads((gold / "questions.json").read_text("utf-8"))
        answerable = [one for one in questions if one["type"] != "unanswerable"]
        layout = workspace.check(home)
        with open_kit(layout, workspace.load_settings(layout)) as kit:
            result: dict[str, Any] = {
                "patients": args.patients,
                "days": args.days,
                "seed": args.seed,
                "retrieval": retrieval(
                    kit, answerable, documents_under(kit, gold.parent / "files")
                ),
                "extracted": answers(kit, questions, generate=False),
            }
            if args.generate:
                result["generated"] = answers(kit, questions, generate=True)
    for name, row in result["retrieval"].items():
        for kind, cell in row.items():
            print(
                f"{name:14} {kind:8} all hops {shown(cell['all_hops'])}  hops {shown(cell['hops'])}"
            )
    for how in ("extracted", "generated"):
        for name, measure in result.get(how, {}).items():
            print(f"{how:10} {name:28} {shown(measure) if measure else 'none'}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
