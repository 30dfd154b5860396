"""The command that makes a model smaller: compress."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.cli import show
from aegle.cli.options import Json
from aegle.cli.training import stopping
from aegle.core.errors import StoppedError, UsageError

_INTERRUPTED: Final = 130
_FORMATS: Final = {".jsonl": "json", ".json": "json", ".csv": "plain"}

Data = Annotated[Path, typer.Option(metavar="FILE", help="Held-out documents that score.")]
Because = Annotated[
    str, typer.Option(metavar="TEXT", help="Why the documents may be used: de-identified how.")
]
Goal = Annotated[str, typer.Option(metavar="GOAL", help="size=50%, speed=2, or both with a comma.")]
Keep = Annotated[float, typer.Option(metavar="SHARE", help="Least share of the score to keep.")]
Sure = Annotated[
    bool, typer.Option("--sure", help="The interval's lower end must keep as much, too.")
]
Methods = Annotated[str, typer.Option(metavar="NAME,...", help="auto, or methods by name.")]
Calibrate = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Texts that calibrate; else a quarter of --data."),
]
Test = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What the choice is reported on; else half of the rest."),
]
Head = Annotated[str, typer.Option(metavar="NAME", help="Of a tagger: the label set to score.")]
Score = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="f1, macro-f1, accuracy, agreement, ndcg; perplexity, next-token, choice.",
    ),
]


def compress(
    model: Annotated[str, typer.Argument(help="A folder, or a name of `aegle models`.")],
    data: Data,
    because: Because,
    target: Goal = "size=50%",
    keep: Keep = 0.98,
    sure: Sure = False,
    method: Methods = "auto",
    calibrate: Calibrate = None,
    test: Test = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Of the documents.")
    ] = "",
    head: Head = "",
    score: Score = "",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Score N documents; 0: all.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where it all lies.")] = Path(
        "compressed"
    ),
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="So many trials at most.")] = 40,
    minutes: Annotated[float, typer.Option(metavar="M", help="So many minutes at most.")] = 60.0,
    threads: Annotated[int, typer.Option(min=0, metavar="N", help="0: all cores.")] = 0,
    json_: Json = False,
) -> None:
    """Make a tagger, embedder, reranker, classifier or generator smaller at the same worth.

    Each trial is scored on some of your documents, paired with the float model; the choice is
    reported on others. OUT/model is the choice, OUT/report.html shows all. A stopped one goes on.
    If none meets the target, the nearest is named, no model is written, and the exit code is 1.

    Documents: JSON lines of text with labels (tagger) or classes (classifier), any texts (embedder,
    generator); question, passages and places of relevant ones (reranker); with --score choice,
    text, choices and the place of the answer (generator).

    \b
    Examples:
      aegle compress tagger --data notes.jsonl --because "de-identified" --head clinical
      aegle compress runs/mine/model --data held-out.jsonl --because public --target speed=2
      aegle compress runs/chat/merged --data notes.jsonl --because ours --target size=35%
    """
    documents = {"path": data, "format": _format(data, format_), "because": because}
    documents |= {"calibrate": calibrate, "test": test}
    documents |= {"head": head, "score": score, "limit": limit}
    about = {"methods": method, "out": out, "trials": trials, "minutes": minutes}
    result = _compressed(
        model, documents, {**about, "threads": threads, "goal": (target, keep, sure)}
    )
    show.emit(result, json_, shown)
    if not result["meets"]:
        raise typer.Exit(1)


def _format(data: Path, named: str) -> str:
    """Raises UsageError where a file's ending doesn't tell its format."""
    found = named or _FORMATS.get(data.suffix)
    if found is None:
        raise UsageError(
            f"the format of {data.name} can't be told from its ending; name it: --format json"
        )
    return found


def _compressed(model: str, documents: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    from aegle.compress.search import Target  # here: no other command of the shell needs them
    from aegle.flows import compress_parts, compressing

    text, keep, sure = about.pop("goal")
    goal = Target.parse(text, keep=keep, sure=sure)
    names = [one.strip() for one in about.pop("methods").split(",") if one.strip()]
    given = compress_parts.Data(**documents)
    try:
        with stopping() as stop, show.bar() as report:
            return compressing.compress(
                model,
                data=given,
                target=goal,
                methods_wanted=names,
                progress=report,
                stop=stop,
                **about,
            )
    except StoppedError as stopped:
        show.note(f"{stopped}:\n  aegle {shlex.join(sys.argv[1:])}")
        raise typer.Exit(_INTERRUPTED) from stopped


def shown(result: dict[str, Any]) -> None:
    """The trials as a table, smallest first, and what was chosen."""
    rows = [
        {
            " ": "*" if one["chosen"] else "",
            "method": one["name"],
            "size": f"{one['size']:.1%}",
            result["score"]: f"{one['quality']['value']:.4f}",
            "kept": f"{one['retention']['value']:.4f}",
            "95%": f"{one['retention']['low']:.4f}-{one['retention']['high']:.4f}",
            "speed": f"{one['speedup']:.2f}",
            "labels failed": ", ".join(one["labels_failed"]),
            "front": "yes" if one["front"] else "",
        }
        for one in sorted(result["trials"], key=lambda one: float(one["bytes"]))
    ]
    show.table(rows, *rows[0])
    for one in result["failed"]:
        show.note(f"not made: {one['method']}: {one['why']}")
    if result["float"]["dequantised"]:
        show.note("the float model was made of rounded weights; what that cost isn't seen")
    show.say()
    held = result["held_out"]
    kept = held["retention"]
    told = (
        f"{kept['value']:.4f} [{kept['low']:.4f}, {kept['high']:.4f}] of {held['documents']:,} "
        "documents that chose nothing"
    )
    if result["meets"]:
        where = {"model": result["artifact"], "page": result["page"]}
        show.pairs({"choice": result["choice"], "kept": told, **where})
    elif any(one["meets"] for one in result["trials"]):
        show.say(
            f"{result['choice']} met the target, but kept {told}: too little. No model is written. "
            f"See {result['page']}."
        )
    else:
        show.say(f"None meets the target; nearest is {result['choice']}. See {result['page']}.")


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(compress)
