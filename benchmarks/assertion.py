"""How well negated and historical findings are told, on real sentences (negex_context).

    python benchmarks/assertion.py --data DATA [--model FOLDER [--by rules|model|both]]

By the cues alone, by a tagger's assertion head, or by both as ingest decides. The sentences are
halved by a hash of their text: cues and head were made on the ``dev`` half only, the ``test`` half
is what is reported. A finding may be both negated and historical here; ingest stores one assertion
of each. ``historical_f1_single`` scores that one as it is stored: a finding that is denied and past
is stored as denied, and counts as a missed past. For ``historical_f1`` cues and model are asked
again as if the finding were not denied, which is the question that the set was annotated for and
that the peer answers. Named peer: the published GenNegEx and GenConText triggers, tuned on all of
this set by their authors: negation F1 .956, historical F1 .665 over 2,376 items.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from aegle.core.errors import AegleError
from aegle.core.records import Span
from aegle.facts.assertion import Context, decide
from aegle.facts.words import words
from aegle.lm.segment import sentences
from aegle.lm.tagger import Tagger
from aegle.packs.healthcare.cues import cues
from aegle.train.data.negex import locate
from aegle.train.data.split import in_second_half
from tagger_weights import folder_of

HEAD = "assertion"

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
    """``dev`` or ``test``: the half that the recipe's head learns from, and the other."""
    return "test" if in_second_half(sentence) else "dev"


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


def by_rules(items: Sequence[Item], spans: Sequence[Span]) -> list[frozenset[str]]:
    """What the cues say of each item."""
    context = Context(cues())
    return [
        frozenset(context.assertions(words(item[1]), sentences(item[1]), [span])[0])
        for item, span in zip(items, spans, strict=True)
    ]


def by_model(
    tagger: Tagger, items: Sequence[Item], spans: Sequence[Span]
) -> list[dict[str, float]]:
    """Assertion -> probability of each item."""
    labels = tagger.classifiers[HEAD].labels
    readings = tagger.read([item[1] for item in items], tasks=[next(iter(tagger.heads))])
    return [
        dict(zip(labels, reading.spans(HEAD, [(span.start, span.end)])[0].tolist(), strict=True))
        for reading, span in zip(readings, spans, strict=True)
    ]


def judged(
    said: frozenset[str] | None, told: Mapping[str, float] | None
) -> tuple[bool, bool, bool]:
    """(negated, historical, historical as stored) by the cues, the model, or both where given.

    What is stored is the one decision of `single`; historical alone is asked for once more, without
    ``negated``.

    Args:
        said: what the cues say.
        told: assertion -> probability.
    """
    stored = single(said, told) == "historical"
    if told is None:
        return "negated" in (said or ()), "historical" in (said or ()), stored
    others = {name: value for name, value in told.items() if name != "negated"}
    again = None if said is None else said - {"negated"}
    return single(said, told) == "negated", single(again, others) == "historical", stored


def single(said: frozenset[str] | None, told: Mapping[str, float] | None) -> str:
    """The one assertion: as ingest decides, or the model's likeliest where no cues are given."""
    if said is None and told:
        return max(told, key=lambda name: told[name])
    return decide(said or (), told)


def decisions(args: argparse.Namespace, items: Sequence[Item], spans: Sequence[Span]) -> np.ndarray:
    """(items, 3) truth values: negated, historical, historical as stored."""
    said: Sequence[frozenset[str] | None] = [None] * len(items)
    told: Sequence[dict[str, float] | None] = [None] * len(items)
    if args.by != "model":
        said = by_rules(items, spans)
    if args.by != "rules":
        tagger = Tagger(folder_of(args.model), threads=args.threads)
        if HEAD not in tagger.classifiers:
            sys.exit(f"the model has no head {HEAD!r}")
        told = by_model(tagger, items, spans)
    return np.array([judged(*one) for one in zip(said, told, strict=True)])


def arguments() -> argparse.Namespace:
    """What the command was given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--half", choices=("dev", "test", "all"), default="test")
    add("--model", default="", help="a tagger's folder, or a name of the catalog")
    add("--by", choices=("rules", "model", "both"), help="default: both where a model is given")
    add("--threads", type=int, default=0)
    add("--errors", action="store_true", help="dev half only: what went wrong")
    args = parser.parse_args()
    args.by = args.by or ("both" if args.model else "rules")
    if args.by != "rules" and not args.model:
        parser.error(f"--by {args.by} needs --model")
    if args.by != "rules" and args.half == "all":
        parser.error("the model was trained on the dev half: the whole set says nothing of it")
    if args.errors and args.half != "dev":
        parser.error("errors are shown for the dev half only: the test half must stay unseen")
    return args


def main() -> None:
    """Print one table and, last, one JSON object."""
    args = arguments()
    items = read(args.data / "negex_context" / "rsAnnotations.tsv")
    items = [item for item in items if args.half in ("all", half(item[1]))]
    found = [locate(item[0], item[1]) for item in items]
    places = [Span(*place) if place else None for place in found]
    kept = [item for item, span in zip(items, places, strict=True) if span is not None]
    began = time.perf_counter()
    try:
        said = decisions(args, kept, [span for span in places if span is not None])
    except AegleError as error:
        sys.exit(f"assertion: {error}")
    seconds = time.perf_counter() - began
    if args.half == "dev":
        print("the dev half: cues and model were made on it")
    table = {}
    tasks: list[tuple[str, Callable[[Item], bool]]] = [
        ("negated", lambda item: item[2].lower() == "negated"),
        ("historical", lambda item: item[3].lower() == "historical"),
        ("historical_single", lambda item: item[3].lower() == "historical"),
    ]
    for column, (name, of) in enumerate(tasks):
        true = np.array([of(item) for item in kept])
        table[name] = measured(name, true, said[:, column], [item[1] for item in kept])
        if args.errors and name != "historical_single":
            for item, yes, no in zip(kept, true, said[:, column], strict=True):
                if yes != no:
                    print(f"  {'missed' if yes else 'false '} {item[0]} :: {item[1][:300]}")
    print(
        json.dumps(
            {
                "dataset": "negex_context",
                "negation_f1": table["negated"]["f1"],
                "historical_f1": table["historical"]["f1"],
                "historical_f1_single": table["historical_single"]["f1"],
                "n": len(kept),
                "by": args.by,
                "half": args.half,
                "unplaced": len(items) - len(kept),
                "seconds": round(seconds, 3),
                **table,
            }
        )
    )


def measured(
    name: str, true: np.ndarray, said: np.ndarray, groups: Sequence[str]
) -> dict[str, float]:
    """Print a line; its figures, rounded."""
    precision, recall, score = f1(true, said)
    low, high = interval(true, said, groups)
    print(f"{name:17s} P {precision:.3f} R {recall:.3f} F1 {score:.3f} [{low:.3f}, {high:.3f}]")
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(score, 4),
        "low": low,
        "high": high,
        "positives": int(true.sum()),
    }


if __name__ == "__main__":
    main()
