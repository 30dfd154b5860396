"""What the whole road costs: ingest, memory, disk, and how asking grows with the corpus.

    python benchmarks/road.py [--chunks 1000 10000 100000] [--generate]

The corpus is sample hospitals of as many patients as it takes. For each size: wall time and rate of
ingest (its own process, so that its peak memory is its own), bytes of workspace for each byte of
corpus, and p50 and p95 of asking, in process, over the sample's questions.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aegle.flows import knowledge, workspace
from aegle.flows.kit import open_kit
from aegle.metrics.stats import percentile
from aegle.packs.sample import write_sample

INGEST = """
import json, resource, sys
from aegle.flows import commands
counts = commands.run(__import__("pathlib").Path(sys.argv[1]), "ingest", {"paths": [sys.argv[2]]})
counts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(counts))
"""
FEWEST = 5
"""Patients of the smallest sample."""


def disk_bytes(folder: Path) -> int:
    """Bytes that all files under a folder take on the disk; the index's are sparse."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def ask_times(home: Path, questions: list[str], generate: bool, most: int) -> dict[str, Any]:
    """p50 and p95 of asking in milliseconds, after one warm-up."""
    layout = workspace.check(home)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        knowledge.ask(kit, questions[0], generate=generate)
        took = []
        for question in questions[:most]:
            started = time.perf_counter()
            knowledge.ask(kit, question, generate=generate)
            took.append((time.perf_counter() - started) * 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "p50_ms": asdict(percentile(took, 50)),
        "p95_ms": asdict(percentile(took, 95)),
        "peak_mb": round(peak, 1),
    }


def sizes(num_chunks: int) -> tuple[int, int]:
    """(patients, days) that make about so many chunks; the largest is nine tenths logs."""
    return {1000: (5, 2), 10_000: (40, 7), 100_000: (5, 130)}.get(
        num_chunks, (max(FEWEST, num_chunks // 220), 7)
    )


def measure(root: Path, num_chunks: int, args: argparse.Namespace) -> dict[str, Any]:
    """One size: make the sample, read it in, ask."""
    patients, days = sizes(num_chunks)
    sample, home = root / f"sample-{num_chunks}", root / f"workspace-{num_chunks}"
    write_sample(sample, patients=patients, days=days, seed=args.seed)
    workspace.create(home)
    run = subprocess.run(
        [sys.executable, "-c", INGEST, str(home), str(sample / "files")],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = json.loads(run.stdout)
    corpus_bytes = counts["bytes"]
    asked = json.loads((sample / "gold" / "questions.json").read_text("utf-8"))
    questions = [one["question"] for one in asked]
    result = {
        "patients": patients,
        **counts,
        "mb_per_s": round(counts["bytes"] / 1e6 / counts["seconds"], 3),
        "documents_per_s": round(counts["documents"] / counts["seconds"], 1),
        "workspace_bytes_per_corpus_byte": round(disk_bytes(home) / corpus_bytes, 2),
        "ask": ask_times(home, questions, False, len(questions)),
    }
    if args.generate:
        result["ask_generated"] = ask_times(home, questions, True, 20)
    return result


def demo_seconds(root: Path) -> float:
    """Wall time of what `make demo` does once everything is installed, up to the open console."""
    command = [sys.executable, "-m", "aegle", "demo", "--folder", str(root / "demo"), "--no-serve"]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


def main() -> None:
    """Print a line for each size, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", help="not used: the corpus is made here")
    parser.add_argument("--chunks", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--generate", action="store_true")
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if args.demo:
            result["demo_seconds"] = demo_seconds(Path(scratch))
            print(f"demo {result['demo_seconds']} s")
        for num_chunks in args.chunks:
            row = measure(Path(scratch), num_chunks, args)
            result[str(num_chunks)] = row
            p50, p95 = row["ask"]["p50_ms"]["value"], row["ask"]["p95_ms"]["value"]
            print(
                f"{row['chunks']:>7} chunks  ingest {row['seconds']:.1f} s "
                f"{row['mb_per_s']:.2f} MB/s {row['documents_per_s']:.0f} documents/s "
                f"peak {row['peak_mb']:.0f} MB  disk x{row['workspace_bytes_per_corpus_byte']}  "
                f"ask p50 {p50:.0f} ms p95 {p95:.0f} ms"
            )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
