"""How well a tagger finds the entities of an annotated corpus: exact spans, micro F1, tokens/s.

    python benchmarks/ner.py --data DIR --format iob [--labels Chemical=chemical,...] [--model M]
    python benchmarks/ner.py --data DIR --format brat --train [--epochs 15] [--out RUN]
    python benchmarks/ner.py --data DATA --set bc5cdr | --all [--against FP32]

Zero-shot: labels of the corpus are answered by labels of the model, as ``--labels`` says
(``THEIRS=OURS``, ``THEIRS=LABELSET.OURS``, or a YAML or JSON file) or by equal names; several label
sets may serve one corpus. Labels that are not mapped don't count, and are named. With ``--train`` a
head for the corpus's own labels is trained first, from the model's encoder or ``--start``; dev
chooses the epoch, test is scored once, and ``--split train`` or ``all`` is refused. Files and
folders are train, dev and test by their names (valid.tsv, test/..., eng.testb, ...); a corpus
without such names is split by document.

The sets of ``--set`` are scored on the labels that the recipe merges theirs into; `ner_known` says
which are merged.

Of annotations that overlap the longest counts (a tagger says one thing about a word); those in
pieces are left out. Both are counted. The interval is a bootstrap over documents, or over ten
sentences where the file doesn't tell documents apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ner_corpus
import ner_known
import ner_labels
from aegle.core.errors import AegleError, InputError
from aegle.core.examples import Example
from aegle.lm.tagger import Tagger
from aegle.train.batches import with_context
from aegle.train.data.formats import relabel
from ner_score import Result, measure, name_of, ratios, summary, table
from tagger_weights import folder_of, trainable


def labels_of(examples: Sequence[Example]) -> set[str]:
    """All labels that occur."""
    return {label.label for one in examples for label in one.labels}


def chosen(corpus: ner_corpus.Corpus, part: str) -> list[Example]:
    """The examples of a part, or of all."""
    if part == "all":
        return [one for some in corpus.parts.values() for one in some]
    if part not in corpus.parts:
        raise InputError(f"no part {part!r}; there are: {', '.join(corpus.parts)}, all (--split)")
    return corpus.parts[part]


def flat(examples: list[Example], names: dict[str, str], notes: list[str]) -> list[Example]:
    """Examples relabelled, of overlapping labels the longest; how many fell goes into the notes."""
    new = relabel(examples, names)
    before = sum(one.label in names for some in examples for one in some.labels)
    if fell := before - sum(len(one.labels) for one in new):
        notes.append(f"{fell} of {before} annotations overlap a longer one and are left out")
    return new


def fine_tuned(corpus: ner_corpus.Corpus, args: argparse.Namespace, out: Path) -> Path:
    """Train a head for the corpus's labels; the model's folder."""
    from aegle.train.recipe import Recipe
    from aegle.train.run import run

    files = {}
    for part, examples in corpus.parts.items():
        files[part] = f"{part}.jsonl"
        with (out / files[part]).open("w", encoding="utf-8") as file:
            for one in examples:
                labels = [[label.start, label.end, label.label] for label in one.labels]
                record = {"id": one.id, "group": one.group, "text": one.text, "labels": labels}
                file.write(json.dumps(record) + "\n")
    names = sorted(labels_of(corpus.parts["train"]))
    about = {"licence": "as given", "safe_because": ner_corpus.WHY, "context": args.context}
    corpora = [{"task": "corpus", "format": "json", "names": {n: n for n in names}} | files | about]
    how = {"epochs": args.epochs, "lr": args.lr, "head_lr": args.head_lr,
           "patience": args.patience, "batch_words": args.batch_words}  # fmt: skip
    recipe = Recipe.model_validate(
        {
            "name": "fine-tuned",
            "base": args.start,
            "seed": args.seed,
            "max_pieces": args.max_pieces,
            "overlap": args.max_pieces // 3,
            "tasks": {"corpus": {"labels": names}},
            "corpora": corpora,
            "optimiser": how,
        }
    )

    def log(name: str, value: float, step: int) -> None:
        if name.startswith("dev/"):
            print(f"step {step}: {name} {value:.4f}", file=sys.stderr, flush=True)

    base = trainable(args.start, out)
    run(recipe, base=base, data=out, folder=out / "run", log=log, device=args.device)
    return out / "run" / "model"


def own(args: argparse.Namespace, scratch: Path) -> tuple[str, Tagger, list[Example], Any]:
    """(dataset, tagger, examples, label of theirs -> ours) of a folder."""
    corpus = ner_corpus.read(
        args.data, format=args.format, seed=args.seed, split_off=args.train, dev=args.dev
    )
    theirs = {label for some in corpus.parts.values() for label in labels_of(some)}
    told = ner_labels.told(args.labels)
    if args.train:
        names = told or {label: label for label in theirs}
        corpus.parts = {p: flat(some, names, corpus.notes) for p, some in corpus.parts.items()}
        tagger = Tagger(fine_tuned(corpus, args, scratch), threads=args.threads)
        served = {label: ("corpus", label) for label in tagger.heads["corpus"].labels}
        left_out = sorted(theirs - set(names))
    else:
        tagger = Tagger(folder_of(args.model), threads=args.threads)
        heads = {name: head.labels for name, head in tagger.heads.items()}
        served, left_out = ner_labels.served(theirs, told, heads, args.task)
    named = {label: name_of(ours) for label, ours in served.items()}
    examples = flat(chosen(corpus, args.split), named, corpus.notes)
    if left_out:
        corpus.notes.append(f"labels left out: {', '.join(left_out)}")
    for line in (*corpus.notes, *(f"{label} = {ours}" for label, ours in named.items())):
        print(line)
    return args.data.resolve().name, tagger, with_context(examples, args.context), served


def known(name: str, args: argparse.Namespace) -> tuple[str, Tagger, list[Example], Any]:
    """The same of a set that the recipe names."""
    tagger = Tagger(folder_of(args.model), threads=args.threads)
    examples, served = ner_known.read(name, args.data, tagger.heads.keys(), args.split)
    for ours, theirs in ner_known.merged(served).items():
        print(f"{name}: {', '.join(theirs)} are scored as one label, {ours}")
    return name, tagger, examples, served


def report(found: tuple[str, Tagger, list[Example], Any], args: argparse.Namespace) -> Any:
    """Print the tables; the last line's object."""
    dataset, tagger, examples, served = found
    if not examples:
        raise InputError(f"{dataset}: the part {args.split!r} is empty")
    result = measure(tagger, examples, served)
    print(f"{dataset}: {len({one.group for one in examples})} documents", flush=True)
    print("\n".join(table(result)))
    out = summary(dataset, result)
    if args.against:
        print("\n".join(compare(result, Tagger(args.against, threads=args.threads), found, out)))
    return out


def compare(int8: Result, fp32: Tagger, found: Any, out: dict[str, Any]) -> list[str]:
    """The table of INT8 against FP32; the least ratio goes into the object."""
    _, _, examples, served = found
    lines, shares = ratios(int8, measure(fp32, examples, served))
    worst = min(shares, key=lambda name: shares[name], default="")
    out["min_ratio"] = round(shares[worst], 4) if worst else None
    out["min_ratio_label"] = worst
    return lines


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a folder (or file); with --set: of all sets")
    add("--format", default="iob", help="iob, brat, pubtator, bioc or jsonl")
    add("--model", default="tagger", help="a tagger's folder, or a name of the catalog")
    add("--task", default="", help="the only label set to ask")
    add("--labels", nargs="*", default=[], metavar="THEIRS=OURS", help="or a YAML or JSON file")
    add("--split", default="test", choices=("test", "dev", "train", "all"))
    add("--context", type=int, default=110, help="words of neighbouring texts that are read along")
    add("--threads", type=int, default=0, help="0 for all cores")
    add("--against", type=Path, help="an FP32 folder of the same model: F1 of both by label")
    add("--set", choices=ner_known.SETS, help="a set that the recipe names")
    add("--all", action="store_true", help="all sets that the recipe names")
    add("--train", action="store_true", help="fine-tune on the corpus first")
    add("--dev", type=Path, help="dev examples, if they lie elsewhere")
    add("--start", default="", help="whose encoder training begins with; default: --model")
    add("--epochs", type=int, default=15)
    add("--patience", type=int, default=4)
    add("--lr", type=float, default=2e-4)
    add("--head-lr", type=float, default=2e-3)
    add("--batch-words", type=int, default=1024)
    add("--max-pieces", type=int, default=192)
    add("--seed", type=int, default=17)
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add("--out", type=Path, help="keep the run and its model here")
    return parser


def main() -> None:
    """Print tables and, last, one JSON object."""
    parser = arguments()
    args = parser.parse_args()
    if args.train and args.split in ("train", "all"):
        parser.error(f"--split {args.split} with --train scores what was just learned")
    args.start = args.start or args.model
    try:
        if args.set or args.all:
            names = ner_known.SETS if args.all else (args.set,)
            lines = [report(known(name, args), args) for name in names]
            for line in lines:
                print(json.dumps(line))
            return
        with tempfile.TemporaryDirectory() as scratch:
            out = args.out or Path(scratch)
            out.mkdir(parents=True, exist_ok=True)
            print(json.dumps(report(own(args, out), args)))
    except AegleError as error:
        sys.exit(f"ner: {error}")


if __name__ == "__main__":
    main()
