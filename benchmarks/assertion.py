"""How well ConText cues tell negated and historical findings, on real sentences (negex_context).

The sentences are halved by a hash of their text: the cues were adjusted on the ``dev`` half only,
the ``test`` half is what is reported. Named peer: the published GenNegEx and GenConText triggers,
tuned on all of this set by their authors: negation F1 .956, historical F1 .665 over 2,376 items.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aegle.core.records import Span
from aegle.facts.assertion import Context
from aegle.facts.words import words
from aegle.lm.segment import sentences
from aegle.packs.healthcare.cues import cues

Item = tuple[str, str, str, str]
"""condition, sentence, negation, temporality"""


def read(path: Path) -> list[Item]:
    """The items of rsAnnotations.tsv."""
    items = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        parts = line.split("\t")
        if len(parts) >= 6:
            items.append((parts[1].strip(), parts[2].strip().strip('"'), parts[3], parts[4]))
    return items


def half(sentence: str) -> str:
    """``dev`` or ``test``, by the first bit of the sentence's SHA-256."""
    return "dev" if hashlib.sha256(sentence.encode()).digest()[0] < 128 else "test"


def locate(condition: str, sentence: str) -> Span | None:
    """Where the annotated condition stands; it is in capitals in the sentence."""
    for spelling, text in ((condition.upper(), sentence), (condition.lower(), sentence.lower())):
        at = text.find(spelling)
        if at >= 0:
            return Span(at, at + len(spelling))
    return None


def f1(true: np.ndarray, said: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1 of a yes/no decision."""
    hits = float((true & said).sum())
    precision = hits / max(float(said.sum()), 1.0)
    recall = hits / max(float(true.sum()), 1.0)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def interval(
    true: np.ndarray, said: np.ndarray, groups: Sequence[str], *, rounds: int = 1000
) -> list[float]:
    """The 95% interval of F1, resampling sentences."""
    rng = np.random.default_rng(0)
    names, of = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(of == i) for i in range(len(names))]
    values = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))])
        values.append(f1(true[rows], said[rows])[2])
    return [round(float(value), 4) for value in np.quantile(values, [0.025, 0.975])]


def main() -> None:
    """Print one table and, last, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--errors", action="store_true", help="dev half only: what went wrong")
    args = parser.parse_args()
    if args.errors and args.half != "dev":
        sys.exit("errors are shown for the dev half only: the test half must stay unseen")
    items = read(args.data / "negex_context" / "rsAnnotations.tsv")
    items = [item for item in items if args.half in ("all", half(item[1]))]
    context = Context(cues())
    said, kept, unplaced = [], [], 0
    began = time.perf_counter()
    for item in items:
        span = locate(item[0], item[1])
        if span is None:
            unplaced += 1
            continue
        kept.append(item)
        said.append(context.assertions(words(item[1]), sentences(item[1]), [span])[0])
    seconds = time.perf_counter() - began
    groups = [item[1] for item in kept]
    out: dict[str, object] = {
        "half": args.half,
        "items": len(kept),
        "unplaced": unplaced,
        "seconds": round(seconds, 3),
    }
    tasks: list[tuple[str, Callable[[Item], bool]]] = [
        ("negated", lambda item: item[2].lower() == "negated"),
        ("historical", lambda item: item[3].lower() == "historical"),
    ]
    for name, of in tasks:
        true = np.array([of(item) for item in kept])
        guess = np.array([name in one for one in said])
        precision, recall, score = f1(true, guess)
        low, high = interval(true, guess, groups)
        out[name] = {
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "f1": round(score, 4),
            "low": low,
            "high": high,
            "positives": int(true.sum()),
        }
        print(f"{name:11s} P {precision:.3f} R {recall:.3f} F1 {score:.3f} [{low:.3f}, {high:.3f}]")
        if args.errors:
            for item, yes, no in zip(kept, true, guess, strict=True):
                if yes != no:
                    print(f"  {'missed' if yes else 'false '} {item[0]} :: {item[1][:300]}")
    print(json.dumps(out))


if __name__ == "__main__":
    main()
