"""How fast a tagger reads, against the ways to do without: tokens/s, p50 and p95, peak memory.

    python benchmarks/tagger_speed.py [--model FOLDER] [--data DATA] [--threads 2] [--bases]

Each contender runs in a process of its own, on the same texts: ours (all label sets in one pass,
INT8) with the bare ONNX session on the same padded batches; the same encoder in a Hugging Face
pipeline (FP32, one label set, the better of batches of 1 and 16); spaCy's en_core_web_sm (its
entities alone: the rest is off); and the same graph once for each label set, as separate models
would run. ``--peer`` is a Python that has spaCy, if this one hasn't; a peer that isn't installed is
null. Tokens are words between blanks. ``--bases`` measures the packaged encoders as taggers too.
Without ``--model`` an untrained tagger on the default encoder is measured: speed comes from the
shape.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aegle.core.errors import AegleError
from aegle.lm.tagger import CARD, HEADS
from tagger_contenders import CONTENDERS, LENGTHS
from tagger_texts import of_length, pages, untrained
from tagger_weights import folder_of


def child(name: str, given: Path, python: str) -> dict[str, Any] | None:
    """What a contender measured in its own process; None where it isn't installed."""
    script = Path(__file__).with_name("tagger_contenders.py")
    command = [python, str(script), name, str(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str, one: dict[str, Any]) -> str:
    """A line of the table."""
    parts = [f"{name:12} {one['tokens_per_s']:9.0f} {one['peak_mb']:7.0f}"]
    for length in LENGTHS:
        p50, p95 = one["ms"][str(length)]
        parts.append(f"{p50:8.1f} {p95:7.1f}")
    return " ".join(parts)


def share(one: dict[str, Any] | None, other: dict[str, Any] | None, key: str) -> float | None:
    """How many times as fast the first is."""
    if one is None or other is None:
        return None
    return round(float(one[key] / other[key]), 3)


def main() -> None:
    """Print a table and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", default="", help="a folder, or a name of the catalog")
    add("--data", type=Path, help="folder of the public sets: the texts are BioRED's")
    add("--texts", type=int, default=100, help="how many are read for tokens/s")
    add("--calls", type=int, default=60, help="how many calls for p50 and p95")
    add("--threads", type=int, default=0, help="0 for all cores")
    add("--peer", default=sys.executable, help="a Python that has spaCy and en_core_web_sm")
    add("--bases", action="store_true", help="the packaged encoders too")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(compared(args, Path(scratch))))
    except AegleError as error:
        sys.exit(f"tagger_speed: {error}")


def compared(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Run all contenders; the last line's object."""
    model = folder_of(args.model) if args.model else untrained("minilm", scratch / "minilm")
    texts = pages(args.data, args.texts)
    about = {
        "model": str(model),
        "texts": texts,
        "lengths": {str(n): of_length(model, texts, n) for n in LENGTHS},
        "threads": args.threads,
        "calls": args.calls,
        "scratch": str(scratch),
    }
    given = scratch / "given.json"
    given.write_text(json.dumps(about), encoding="utf-8")
    words = sum(len(text.split()) for text in texts)
    print(f"{len(texts)} texts, {words} tokens; milliseconds for {LENGTHS} word pieces")
    heads = "   ".join(f"p50({n}) p95({n})" for n in LENGTHS)
    print(f"{'':12} {'tokens/s':>9} {'peak MB':>7}  {heads}", flush=True)
    found: dict[str, dict[str, Any] | None] = {}
    for name in CONTENDERS:
        found[name] = child(name, given, args.peer if name == "spacy" else sys.executable)
        if one := found[name]:
            print(row(name, one), flush=True)
    for base in ("minilm", "bge-small") if args.bases else ():
        about["model"] = str(untrained(base, scratch / f"base-{base}"))
        given.write_text(json.dumps(about), encoding="utf-8")
        if one := child("ours", given, sys.executable):
            print(row(base, one), flush=True)
    ours = found["ours"]
    if ours is None:
        sys.exit("tagger_speed: ours failed")
    return {
        "speedup_vs_hf": share(ours, found["hf"], "tokens_per_s"),
        "share_of_bare_onnx": round(ours["share_of_bare"], 3),
        "p95_ms_32": round(ours["ms"]["32"][1], 2),
        "p95_ms_512": round(ours["ms"]["512"][1], 2),
        "bytes": sum(
            (model / n).stat().st_size for n in ("model.onnx", HEADS, "tokenizer.json", CARD)
        ),
        "speedup_vs_spacy": share(ours, found["spacy"], "tokens_per_s"),
        "speedup_vs_separate": share(ours, found["separate"], "tokens_per_s"),
        "tokens_per_s": round(ours["tokens_per_s"], 1),
        "peak_mb": {name: one and round(one["peak_mb"]) for name, one in found.items()},
    }


if __name__ == "__main__":
    main()
