"""The command that chooses how the index keeps vectors: tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Workspace
from aegle.core import artifacts, plugins
from aegle.core.errors import UsageError
from aegle.flows import commands

Recall = Annotated[
    float | None, typer.Option(metavar="R", help="Least recall@k; 0.95 without any target.")
]
Time = Annotated[
    float | None, typer.Option(metavar="MS", help="Most time for 95 of 100 questions.")
]
Memory = Annotated[float | None, typer.Option(metavar="MB", help="Most memory for the vectors.")]
Questions = Annotated[Path | None, typer.Option(metavar="FILE", help="Real questions, one a line.")]
Sample = Annotated[int, typer.Option(min=0, metavar="N", help="Measure on so many chunks; 0: all.")]
Out = Annotated[
    Path | None, typer.Option(metavar="HTML", help="Write a page with a plot and a table.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Set it in aegle.toml and build that index.")]


def tune(
    workspace_dir: Workspace,
    recall: Recall = None,
    p95_ms: Time = None,
    memory_mb: Memory = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="How many places count.")] = 10,
    questions: Questions = None,
    sample: Sample = 50_000,
    out: Out = None,
    apply: Apply = False,
    json_: Json = False,
) -> None:
    """Measure kinds of index on your own vectors and choose the cheapest that meets a target.

    Measured are flat, HNSW (plain, 8-bit, PQ), IVF-PQ and binary, all of the backend faiss (extra
    faiss): recall against comparing every vector, time of one question, memory. The cheapest is
    the one with the least memory. If none meets the target, the nearest is named, and --apply
    changes nothing and exits with 1.

    Chunks that are held out serve as questions. Real questions lie elsewhere than chunks, and an
    index that finds one may miss the other: give some, their identifiers are replaced first.

    \b
    Examples:
      aegle tune --recall 0.98 --p95-ms 5
      aegle tune --recall 0.98 --memory-mb 200 --questions questions.txt --out tuning.html
      aegle tune --recall 0.98 --p95-ms 5 --apply --json
    """
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent} is no folder; --out names a file in one that exists")
    params = {
        "recall": recall,
        "p95_ms": p95_ms,
        "memory_mb": memory_mb,
        "k": k,
        "questions": str(questions.absolute()) if questions else "",
        "sample": sample,
        "apply": apply,
    }
    with show.bar() as report:
        result = commands.run(workspace_dir, "tune", params, progress=report)
    if out is not None:
        page: str = plugins.load("aegle.retrieve.tune_page:page")(result)
        artifacts.write_bytes(out, page.encode())
    show.emit(result, json_, tuned)
    if apply and not result["applied"]:
        raise typer.Exit(1)


def tuned(result: dict[str, Any]) -> None:
    """What was measured as a table, best recall first, and what was chosen."""
    rows = [
        {
            " ": "*" if one["chosen"] else "",
            "index": one["name"],
            "recall": f"{one['recall']['value']:.3f}",
            "95%": f"{one['recall']['low']:.3f}-{one['recall']['high']:.3f}",
            "p50 ms": f"{one['p50_ms']['value']:.2f}",
            "p95 ms": f"{one['p95_ms']['value']:.2f}",
            "MB": f"{one['memory_mb']:.1f}",
            "build s": f"{one['build_s']:.1f}",
            "front": "yes" if one["front"] else "",
        }
        for one in sorted(result["candidates"], key=lambda one: -one["recall"]["value"])
    ]
    show.table(rows, *rows[0])
    for one in result["skipped"]:
        show.say(f"  {one['kind']} was not measured: it {one['reason']}")
    show.say()
    stated = {name: one for name, one in result["target"].items() if one is not None}
    target = ", ".join(f"{name.replace('_', ' ')} {one:g}" for name, one in stated.items())
    if not result["meets"]:
        show.say(f"None meets {target}; nearest is {result['choice']}. Nothing was changed.")
        return
    show.say(f"{result['choice']} is the cheapest that meets {target}.")
    if result["applied"]:
        show.say(f"It is the index now, instead of {result['now']}; aegle.toml says so.")
    else:
        show.say(f"The index is {result['now']}; --apply changes it.")


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(tune)
