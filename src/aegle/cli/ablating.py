"""The commands that compare models: ablate trains variants, compare scores what is there."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, parse_set
from aegle.cli.training import Change, Device, stopping
from aegle.cli.watching import Watch
from aegle.core import plugins
from aegle.core.errors import StoppedError, UsageError

_INTERRUPTED = 130

Vary = Annotated[
    list[str],
    typer.Option("--vary", metavar="KEY=A,B", help="Values of a key of the recipe; repeatable."),
]
Against = Annotated[
    str, typer.Option(metavar="ARM", help="Compare with this one; else with the first.")
]
Metric = Annotated[str, typer.Option(metavar="NAME", help="Judge by this figure of dev.")]


def ablate(
    recipe: Annotated[str, typer.Argument(help="A .yaml file, or the name of one that ships.")],
    vary: Vary,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the corpora's paths begin.")],
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Seeds of each arm.")] = 3,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where runs lie.")] = Path("runs"),
    against: Against = "",
    metric: Metric = "",
    set_: Change = [],  # noqa: B006 - typer copies it
    resume: Annotated[
        bool, typer.Option("--resume/--restart", help="Go on with runs that were stopped, or not.")
    ] = True,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    json_: Json = False,
) -> None:
    """Train a recipe with every combination of values and several seeds; compare dev scores.

    Each run lies in OUT/NAME-ablate/KEY, by the hash of its recipe and data: what is finished is
    not trained again, and the same command goes on where it was stopped. The report is
    OUT/NAME-ablate/report.html (and .json): 95% intervals over groups of dev texts and over seeds,
    paired differences with p corrected for their number (Holm), learning curves, and quality
    against size, speed and memory. Exit code 1 where a run failed. Test parts are not looked at.

    \b
    Examples:
      aegle ablate sft-answers --data data --vary adapter.rank=4,8,16
      aegle ablate sft-answers --data data --vary adapter=lora,dora,ia3 --seeds 5
      aegle ablate tagger --data data --vary optimiser.lr=5e-5,1e-4 --vary dropout=0,0.1
      aegle ablate sft-answers --data data --vary adapter.rank=4,8 --against rank=8 --json
    """
    about: dict[str, Any] = {"data": data, "out": out, "seeds": seeds, "resume": resume}
    about |= {"vary": varied(vary), "against": against, "metric": metric, "device": device.value}
    about["changes"] = {name: _value(text) for name, text in parse_set(set_).items()}
    result = _ablated(recipe, about)
    show.emit(result, json_, shown)
    if result["failed"]:
        raise typer.Exit(1)


def _ablated(recipe: str, about: dict[str, Any]) -> dict[str, Any]:
    from aegle.flows import ablating, model  # here: no other command of the shell needs them

    try:
        with stopping() as stop, Watch(runs=True) as watch:
            told: dict[str, Any] = {"progress": watch.progress, "figures": watch.figure}
            told["tell"] = watch.say
            return ablating.ablate(model.recipe_file(recipe), **about, **told, stop=stop)
    except StoppedError as stopped:
        again = [one for one in sys.argv[1:] if one != "--restart"]
        show.note(f"{stopped}:\n  aegle {shlex.join(again)}")
        raise typer.Exit(_INTERRUPTED) from stopped


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs, models, adapters; two or more.")],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Held-out texts, JSON lines.")
    ] = None,
    against: Against = "",
    metric: Metric = "",
    max_tokens: Annotated[int, typer.Option(min=8, metavar="N", help="Of one text.")] = 1024,
    out: Annotated[Path | None, typer.Option(metavar="HTML", help="Write a page, too.")] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    json_: Json = False,
) -> None:
    """Compare runs, models, adapters and quantisations on the same held-out texts, paired.

    Without --data: finished runs of one recipe's data, by the dev scores that each left. With
    --data: each generator reads the file (messages, prompt and completion, or text), one after the
    other, each in a process of its own: perplexity, tokens/s, time of one text, memory. A system is
    a run's folder, a folder of a model or an adapter, a GGUF file, or a name of `aegle models`;
    @bf16, @fp16 or @nf4 behind it holds its weights so.

    \b
    Examples:
      aegle compare runs/rank-4/wards runs/rank-8/wards
      aegle compare smollm2 runs/wards --data held-out.jsonl --out compare.html
      aegle compare runs/wards/merged runs/wards/merged@nf4 --data held-out.jsonl --json
    """
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent} is no folder; --out names a file in one that exists")
    about: dict[str, Any] = {"data": data, "against": against, "metric": metric}
    about |= {"max_tokens": max_tokens, "device": device.value}
    show.emit(_compared(runs, out, about), json_, shown)


def _compared(runs: list[str], out: Path | None, about: dict[str, Any]) -> dict[str, Any]:
    from aegle.flows import comparing  # here: no other command of the shell needs it

    try:
        with stopping() as stop, show.bar() as report:
            told: dict[str, Any] = {"progress": report, "tell": show.note, "stop": stop}
            result = comparing.compare(runs, **about, **told)
    except StoppedError as stopped:
        show.note(str(stopped))
        raise typer.Exit(_INTERRUPTED) from stopped
    if out is not None:
        write: Any = plugins.load("aegle.core.artifacts:write_bytes")
        write(out, comparing.page(result).encode())
        result["page"] = str(out)
    return result


def varied(pairs: Sequence[str]) -> dict[str, list[Any]]:
    """``["adapter.rank=4,8"]`` -> ``{"adapter.rank": [4, 8]}``; values as YAML reads them.

    Raises:
        UsageError: a key twice, no ``=``, no value, or one that is no YAML.
    """
    found: dict[str, list[Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not text.strip():
            raise UsageError(f"--vary takes KEY=A,B, got {pair!r}")
        if name in found:
            raise UsageError(f"--vary names {name} twice; give all its values at once")
        found[name] = _value(f"[{text}]")
    return found


def _value(text: str) -> Any:
    read, faults = plugins.load("yaml:safe_load"), plugins.load("yaml:YAMLError")
    try:
        return read(text)
    except faults as error:
        raise UsageError(f"{text} can't be read as values of YAML") from error


def shown(result: Mapping[str, Any]) -> None:
    """The arms as a table, what to doubt, where the page is."""
    rows = []
    for one in result["arms"]:
        gain = one["difference"]
        rows.append(
            {
                "arm": one["label"],
                "value": f"{one['quality']['value']:.4f}",
                "95%": _interval(one["quality"]),
                "gain": f"{gain['value']:+.4f}" if gain else "",
                "p": "" if one["p_holm"] is None else f"{one['p_holm']:.4f}",
                "MB": _scaled(one["costs"].get("stored_bytes"), 1e6),
                "tokens/s": _scaled(one["costs"].get("tokens_per_s"), 1),
                "peak MB": _scaled(one["costs"].get("peak_memory_bytes"), 1e6),
            }
        )
    better = "higher" if result["measure"]["higher"] else "lower"
    show.say(f"{result['measure']['name']}; {better} is better")
    show.table(rows, *rows[0])
    show.note(f"gain over {result['against']}; p corrected for all of them (Holm)")
    for note in result["notes"]:
        show.note(note)
    for one in result["failed"]:
        show.note(f"failed: {one['arm']}: {one['why']}")
    if result.get("page"):
        show.say()
        show.pairs({"page": result["page"]})


def _interval(one: Mapping[str, Any]) -> str:
    return "" if one["low"] is None else f"{one['low']:.4f}-{one['high']:.4f}"


def _scaled(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:,.1f}"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(ablate)
    app.command()(compare)
