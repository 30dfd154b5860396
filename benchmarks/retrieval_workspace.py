"""How many of the passages that answer a question does a workspace find, as a user would ask it?

    python benchmarks/retrieval_workspace.py --data DIR [--set 2wiki_101] [--first N]
        [--keep-names] [--keep W]

Each passage is written as a web page and read in through the whole of ingest (readers,
de-identification, chunks, facts, index, names); each question goes through ``search`` in the modes
dense, hybrid and graph. Sets, intervals and halves are those of retrieval.py, whose figures are of
the same retrieval in memory. The tagger is off unless ``--tagger``: it takes most of ingest's
time. ``--keep-names`` leaves names of people as they are (``redact.keep``), as one may for texts
that are public. Chunks have up to 480 tokens here (``[chunks] budget = 480``), by default 180:
a passage is one chunk, as in retrieval.py.
"""

from __future__ import annotations

import argparse
import html
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aegle.flows import commands, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.metrics import ranking
from aegle.metrics.stats import percentile
from retrieval import figure, gain, is_dev
from retrieval_sets import Asked, RetrievalSet, read_set

MODES: Final = ("dense", "text", "hybrid", "graph")
_PAGE: Final = "<html><head><title>{}</title></head><body><p>{}</p></body></html>"
_A_FOLDER: Final = 1000


def written(data: RetrievalSet, folder: Path) -> list[Path]:
    """The passages as web pages, in their order."""
    paths = []
    for number, (title, text) in enumerate(data.passages):
        path = folder / f"{number // _A_FOLDER:03}" / f"{number:08}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_PAGE.format(html.escape(title), html.escape(text)), "utf-8")
        paths.append(path)
    return paths


def built(data: RetrievalSet, root: Path, args: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """A workspace of the passages, made or gone on with; what ingest says of it."""
    layout = workspace.create(root / "w")
    lines = ["[chunks]", "budget = 480", "[backends]", f"threads = {args.threads}", "[redact]"]
    lines += [f'tagger = "{"auto" if args.tagger else "none"}"']
    lines += ['keep = ["name"]'] if args.keep_names else []
    lines += ["[knowledge]", f'tagger = "{"auto" if args.tagger else "none"}"']
    layout.settings.write_text("\n".join(lines) + "\n")
    pages = root / "pages"
    if not pages.exists():
        written(data, pages)
    told: dict[str, Any] = {}
    for folder in sorted(pages.iterdir()):
        told = commands.run(layout.root, "ingest", {"paths": [str(folder)]})
    return layout.root, told


def places(kit: Kit, pages: Path) -> dict[str, int]:
    """Ids of documents -> numbers of passages."""
    return {
        item: int(path.stem)
        for path in pages.rglob("*.html")
        for item in kit.ledger.documents_of(str(path))
    }


def found(
    kit: Kit, questions: Sequence[Asked], place: dict[str, int], k: int
) -> tuple[dict[str, list[list[str]]], dict[str, float]]:
    """For each mode the passages of each question, best first, and the 95th percentile of time."""
    lists: dict[str, list[list[str]]] = {}
    slowest = {}
    for mode in MODES:
        lists[mode], times = [], []
        for one in questions:
            start = time.perf_counter()
            hits = knowledge.search(kit, one.question, k=2 * k, mode=mode)["hits"]
            times.append(1000 * (time.perf_counter() - start))
            numbers = dict.fromkeys(place[hit["document_id"]] for hit in hits)
            lists[mode].append([f"{number:08}" for number in numbers])
        slowest[mode] = round(percentile(times, 95).value, 1)
    return lists, slowest


def scored(
    asked: Sequence[Asked], lists: dict[str, list[list[str]]], which: Sequence[bool], k: int
) -> dict[str, Any]:
    """Recall and all gold at ``k`` of each mode over some questions, and what the graph gains."""
    told: dict[str, Any] = {"n": sum(which), "recall": {}, "all_gold": {}, "ndcg10": {}}
    recalls: dict[str, list[float]] = {}
    ndcgs: dict[str, list[float]] = {}
    for mode, rows in lists.items():
        pairs = [
            (row, {f"{n:08}": grade for n, grade in one.gold.items()})
            for one, row, wanted in zip(asked, rows, which, strict=True)
            if wanted
        ]
        recalls[mode] = [ranking.recall(row, gold, k=k) for row, gold in pairs]
        told["recall"][mode] = figure(recalls[mode])
        told["all_gold"][mode] = figure([float(set(gold) <= set(row[:k])) for row, gold in pairs])
        ndcgs[mode] = [ranking.ndcg(row, gold, k=10) for row, gold in pairs]
        told["ndcg10"][mode] = figure(ndcgs[mode])
    for name, by_mode in (("gain", recalls), ("ndcg10_gain", ndcgs)):
        told[name] = {
            "graph over hybrid": gain(by_mode["graph"], by_mode["hybrid"]),
            "graph over dense": gain(by_mode["graph"], by_mode["dense"]),
            "hybrid over dense": gain(by_mode["hybrid"], by_mode["dense"]),
            "hybrid over text": gain(by_mode["hybrid"], by_mode["text"]),
        }
    return told


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of one set."""
    data = read_set(folder)
    if args.first:
        among = [one for one in data.questions if max(one.gold) < args.first]
        data = replace(data, passages=data.passages[: args.first], questions=among)
    with tempfile.TemporaryDirectory() as scratch:
        root = (args.keep / data.name if args.keep else Path(scratch)).resolve()
        root.mkdir(parents=True, exist_ok=True)
        home, ingested = built(data, root, args)
        layout = workspace.check(home)
        with open_kit(layout, workspace.load_settings(layout)) as kit:
            kit.read_ahead()
            _ = kit.passages  # else the first walk opens it, and is no measure of the others
            place = places(kit, root / "pages")
            lists, slowest = found(kit, data.questions, place, args.k)
            chunks = kit.corpus.counts()["chunks"]
    kinds = {
        "multi_hop": [one.kind == "multi-hop" for one in data.questions],
        "multi_hop_held_out": [
            one.kind == "multi-hop" and not is_dev(one.question) for one in data.questions
        ],
        "single_hop": [one.kind != "multi-hop" for one in data.questions],
    }
    return {
        "dataset": data.name,
        "k": args.k,
        "chunks": chunks,
        "ingest": ingested,
        "p95_ms": slowest,
        "parts": {
            name: scored(data.questions, lists, which, args.k)
            for name, which in kinds.items()
            if any(which)
        },
    }


def main() -> None:
    """Measure the sets; the last line is the first one's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=["2wiki_101"], help="folders under --data")
    parser.add_argument("--first", type=int, default=0, help="so many passages only; 0: all")
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tagger", action="store_true", help="with the packaged tagger")
    parser.add_argument("--keep-names", action="store_true", help="people keep their names")
    parser.add_argument("--keep", type=Path, help="a folder to build in and to use again")
    args = parser.parse_args()
    told = [measure(args.data / name, args) for name in args.set]
    for one in told[::-1]:
        print(json.dumps(one))


if __name__ == "__main__":
    main()
