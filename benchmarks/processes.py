"""One generator trained by one process, by two that share its batches, or its weights too.

    python benchmarks/processes.py --data DIR [--texts 32] [--dev 8] [--base smollm2] [--zero]

The same base, recipe (every weight learns, float32) and MedQuAD answers (by document). Told are
dev's loss after each step, as the largest distance from one process's; seconds of a step; and each
process's highest memory. Two processes on one machine share its cores: no speed is gained there,
what is shown is that the same is learned, and what each process has to hold. ``--zero`` adds
DeepSpeed's ZeRO 3 (extra deepspeed). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from aegle.core.errors import AegleError
from aegle.flows import model
from sft_data import LICENCE, medquad, write

WAYS = {
    "one": {"strategy": "none", "processes": 1},
    "ddp": {"strategy": "ddp", "processes": 2},
    "fsdp": {"strategy": "fsdp", "processes": 2},
}


def main() -> None:
    """Print a line for each way and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2")
    add("--texts", type=int, default=32, help="learned from")
    add("--dev", type=int, default=8, help="scored on after each step")
    add("--zero", action="store_true", help="DeepSpeed's ZeRO 3 as well")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(compared(args, Path(scratch))))
    except AegleError as error:
        sys.exit(f"processes: {error}")


def compared(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All ways, one after another; the last line's object."""
    write(medquad(args.data), scratch, train=args.texts, dev=args.dev)
    ways: dict[str, Any] = dict(WAYS)
    if args.zero:
        ways["zero3"] = {"strategy": "zero3", "processes": 2}
    found: dict[str, Any] = {}
    for name, parallel in ways.items():
        found[name] = one = trained(args.base, scratch, name, parallel)
        away = max(abs(a - b) for a, b in zip(one["curve"], found["one"]["curve"], strict=True))
        one["curve_gap"] = round(away, 6)
        print(name, json.dumps(one), flush=True)
    return {"texts": args.texts, "dev": args.dev, "ways": found}


def trained(base: str, scratch: Path, name: str, parallel: dict[str, Any]) -> dict[str, Any]:
    """One way's figures."""
    recipe = {
        "kind": "sft",
        "name": name,
        "base": base,
        "data": [{"train": "train.jsonl", "dev": "dev.jsonl", **LICENCE}],
        "adapter": "full",
        "precision": "fp32",
        "max_tokens": 512,
        "overlong": "cut",
        "loss_chunk": 0 if name == "zero3" else 256,
        "optimiser": {"lr": 2e-5, "epochs": 1, "accumulation": 4},
        "batches": {"tokens": 512},
        "stopping": {"per_epoch": 99, "patience": 99},
        "parallel": parallel,
    }
    path = scratch / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    curve: list[float] = []

    def take(figure: str, value: float, step: int) -> None:
        if figure == "dev/loss":
            curve.append(value)

    done = model.train(path, data=scratch, out=scratch / "runs", device="cpu", figures=take)
    shared = done.get("parallel", {})
    return {
        "strategy": shared.get("strategy", "none"),
        "steps": done["steps"],
        "seconds": done["seconds"],
        "peak_bytes": shared.get("peak_bytes", [done["peak_memory_bytes"]]),
        "curve": [round(one, 6) for one in curve],
    }


if __name__ == "__main__":
    main()
