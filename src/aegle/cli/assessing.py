"""The command that measures a workspace: evaluate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Set, Workspace, parse_set
from aegle.flows import commands


class Mode(StrEnum):
    """How to search."""

    GRAPH = "graph"
    HYBRID = "hybrid"
    TEXT = "text"
    DENSE = "dense"


Files = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where paths of gold documents begin; else `files` nearby."),
]
Against = Annotated[Mode | None, typer.Option(help="Compare with this mode, question by question.")]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page of HTML, too.")]
Generate = Annotated[
    bool | None,
    typer.Option("--generate/--extract", help="Let the generator phrase the answers, or not."),
]


def evaluate(
    questions: Annotated[Path, typer.Argument(help="A file of questions: .jsonl or .json.")],
    workspace_dir: Workspace,
    mode: Annotated[Mode, typer.Option(help="How to search.")] = Mode.GRAPH,
    against: Against = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, max=200, help="How many hits count.")] = 5,
    files: Files = None,
    out: Out = None,
    generate: Generate = None,
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Measure retrieval, answers, citations and refusals on questions of yours; no judge model.

    A line of the file is a question: {"id": "q1", "question": "...", "answers": ["5 mg"],
    "gold": [{"document": "notes/a.txt", "text": "a quote"}]}. One without gold and answers has
    none, and a refusal is right. Reports hold ids and figures, no text.

    \b
    Examples:
      aegle evaluate sample/gold/questions.json
      aegle evaluate questions.jsonl --against hybrid --out report.html
      aegle evaluate questions.jsonl -k 10 --files notes --json
    """
    (path,) = commands.absolute([str(questions)])
    params = {
        "questions": path,
        "files": str(files.absolute()) if files else "",
        "mode": mode.value,
        "against": against.value if against else "",
        "k": k,
        "generate": generate,
    }
    with show.bar() as report:
        result = commands.run(
            workspace_dir, "evaluate", params, options=parse_set(set_), progress=report
        )
    if out:
        from aegle.core import artifacts  # here: no other command of the shell needs them
        from aegle.evaluate.report import page

        artifacts.write_bytes(out, page(result).encode())
        show.note(f"wrote {out}")
    show.emit(result, json_, _shown)


def _shown(result: dict[str, Any]) -> None:
    one = result["evaluation"]
    kinds = [kind for kind in one["measures"] if kind != "all"]
    show.say(f"{one['questions']} questions by {one['system']}, k = {one['k']}")
    rows = [
        {"figure": name, **_whole(told)}
        | {kind: _value(one["measures"][kind].get(name)) for kind in kinds}
        for name, told in one["measures"]["all"].items()
    ]
    show.table(rows, "figure", "value", "interval", "n", *kinds)
    if one["entailment"] == "words":
        show.note("citations and faithfulness are judged by words: they tell breakage, not quality")
    if result["missing"]:
        show.note(
            f"{len(result['missing'])} questions need documents that the workspace does not hold; "
            "are the paths right (--files), and is all ingested?"
        )
    if result["comparison"]:
        told = result["comparison"]
        show.say()
        show.say(f"{told['system']} over {told['against']}")
        gains = [
            {
                "figure": name,
                **_whole(gain["difference"]),
                "p": f"{gain['p']:.4f}",
                "higher": gain["higher"],
                "lower": gain["lower"],
            }
            for name, gain in told["gains"].items()
        ]
        show.table(gains, "figure", "value", "interval", "n", "p", "higher", "lower")


def _value(one: dict[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.3f}"


def _whole(one: dict[str, Any]) -> dict[str, str]:
    interval = f"{one['low']:.3f}-{one['high']:.3f}"
    return {"value": _value(one), "interval": interval, "n": str(one["n"])}


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(evaluate)
