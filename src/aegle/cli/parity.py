"""The command that proves that a smaller model still does its job: parity."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.cli import show
from aegle.cli.compressing import Because
from aegle.cli.options import Json
from aegle.cli.promoting import Critical, Key
from aegle.cli.training import stopping
from aegle.core.errors import StoppedError

_INTERRUPTED: Final = 130
Data = Annotated[
    list[str],
    typer.Option(metavar="[SET=]FILE", help="Held-out documents; repeatable, by label set."),
]
Keep = Annotated[
    float, typer.Option(min=0.95, max=1.0, metavar="SHARE", help="Least of each to keep.")
]
Folder = Annotated[Path | None, typer.Option(metavar="DIR", help="That stage's folder.")]


def parity(
    original: Annotated[str, typer.Argument(help="A folder, or a name of `aegle models`.")],
    data: Data,
    because: Because,
    key: Key,
    adapter: Folder = None,
    merged: Folder = None,
    compressed: Folder = None,
    critical: Critical = None,
    keep: Keep = 0.95,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Ask the last stage over HTTP, too.")
    ] = True,
    p95: Annotated[
        float, typer.Option(min=0.0, metavar="MS", help="Limit for latency.json; 0: none written.")
    ] = 0.0,
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Of the documents.")
    ] = "json",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Documents a file; 0: all.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where it all lies.")] = Path("parity"),
    threads: Annotated[int, typer.Option(min=0, metavar="N", help="0: all cores.")] = 0,
    json_: Json = False,
) -> None:
    """Score the same documents at each stage of a model, and say whether what is critical is kept.

    The last stage is asked by a server of its own, over HTTP. OUT/parity.json is the certificate
    that `aegle registry evidence MODEL parity` and `aegle promote --parity` take, signed by the
    registry's key; OUT/parity.html shows it. Exit code 1 where it doesn't pass.

    \b
    Examples:
      aegle parity tagger --compressed compressed/model --data biology=test.jsonl --because public
      aegle parity runs/chat/base --adapter runs/chat/model --merged runs/chat/merged \\
        --compressed small/model --data asked.jsonl --because ours --critical all
    """
    stages = {"adapter": adapter, "merged": merged, "compressed": compressed}
    about: dict[str, Any] = {"critical": tuple(critical or ()), "keep": keep, "serve": serve}
    about |= {"p95_ms": p95, "threads": threads, "key": key}
    result = _certified(original, stages, (data, because, format_, limit), about, out)
    show.emit(result, json_, shown)
    if not result["passes"]:
        raise typer.Exit(1)


def _certified(
    original: str,
    stages: dict[str, Path | None],
    given: tuple[list[str], str, str, int],
    about: dict[str, Any],
    out: Path,
) -> dict[str, Any]:
    from aegle.flows import parity as flow  # here: no other command of the shell needs them
    from aegle.flows import parity_tasks

    files, because, form, limit = given
    if find_spec("cryptography") is None:
        show.note("not signed, so no registry will take it; pip install 'aegle[sign]'")
        about["key"] = None
    try:
        with stopping() as stop, show.bar() as report:
            return flow.certify(
                original,
                {name: path for name, path in stages.items() if path is not None},
                given=parity_tasks.Given(flow.paths(files), because, form, limit),
                wanted=flow.Wanted(**about),
                out=out,
                progress=report,
                stop=stop,
            )
    except StoppedError as stopped:
        show.note(str(stopped))
        raise typer.Exit(_INTERRUPTED) from stopped


def shown(result: dict[str, Any]) -> None:
    """Stages, what they keep of critical labels, the verdict."""
    rows = []
    for one in result["stages"]:
        kept, churn = one.get("kept"), one.get("churn")
        rows.append(
            {
                "stage": one["name"],
                "MB": f"{one['bytes'] / 1e6:.1f}",
                "RSS MB": f"{one['memory_bytes'] / 1e6:.0f}",
                "p50 ms": f"{one['latency_ms']['p50']['value']:.1f}",
                "p95 ms": f"{one['latency_ms']['p95']['value']:.1f}",
                result["score"]: f"{one['score']['value']:.4f}",
                "kept": _figure(kept),
                "churn": _value(churn and churn["items"]),
                "calib.": _value(one["calibration"]),
            }
        )
    show.table(rows, *rows[0])
    lost = {
        f"{one['name']}: {label}"
        for one in result["stages"][1:]
        for label, told in one["labels"].items()
        if told["verdict"] == "lost"
    }
    if lost:
        show.say(f"Labels that lost over 5%: {', '.join(sorted(lost))}")
    show.say()
    for why in result["reasons"]:
        show.say(why)
    verdict = "passes" if result["passes"] else "does not pass"
    critical = ", ".join(result["critical"])
    where = {"certificate": result["certificate"], "page": result["page"]}
    show.pairs({"verdict": verdict, "critical": critical, **where})


def _figure(one: dict[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"


def _value(one: dict[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.4f}"


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(parity)
