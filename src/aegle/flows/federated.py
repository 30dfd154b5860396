"""Federated training: rounds over sites, of which adapters alone travel; gone on with by round."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_file, write_json
from aegle.core.errors import AegleError, BackendError, InputError, StoppedError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows.runs import RESULT, locked
from aegle.lm.catalog import resolve

STATE: Final = "federation.json"
"""In a federation's folder: its recipe, options and the rounds that are done."""

SPENT: Final = "spent.json"
"""In a site's folder: what its privacy was spent on, whether or not the round counted."""

DELTA: Final = 1e-5
"""Of the guarantee towards a site, where updates are noised."""


@dataclass(frozen=True, slots=True)
class Options:
    """How rounds are made.

    Attributes:
        rounds: in all.
        pull: FedProx' mu; 0: FedAvg.
        clip, noise: of sites' updates, as `aegle.train.causal.federate.average` takes them.
        at_least: sites without which a round doesn't count.
    """

    rounds: int = 3
    pull: float = 0.0
    clip: float = 0.0
    noise: float = 0.0
    at_least: int = 1

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.at_least < 1:
            raise UsageError("a federation has at least one round, of at least one site")
        if min(self.pull, self.clip, self.noise) < 0:
            raise UsageError("pull, clip and noise are 0 or more")
        if self.noise and not self.clip:
            raise UsageError("noise comes in clips of an update: say --clip too")


@dataclass(frozen=True, slots=True)
class Ask:
    """A round's task for a site, without its weights.

    Attributes:
        number: of the round, from 1.
        recipe: its keys.
        pull: FedProx' mu.
        device: cpu, cuda or auto.
    """

    number: int
    recipe: dict[str, Any]
    pull: float
    device: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a site: weights and figures, or why not.

    Attributes:
        site: its pseudonym.
        weights: safetensors; empty if it was left out.
        about: ``examples`` and figures.
        error: why it was left out.
    """

    site: str
    weights: bytes
    about: dict[str, Any]
    error: str = ""


class Transport(Protocol):
    """Carries a round to all sites and back."""

    def __call__(self, ask: Ask, weights: Path) -> list[Reply]:
        """The replies of the sites that can be reached."""


def federate(
    recipe: Path,
    transport: Transport,
    *,
    out: Path,
    options: Options,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train one adapter over sites; it ends in ``out/NAME/model``, with a card.

    Args:
        recipe: of the kind sft or pretrain; its sources lie in each site's folder.
        transport, options: to the sites, and of the rounds.
        out, changes: where the folder lies, and dotted names and values of the recipe to set.
        resume: go on after the last round that is done.
        device, stop: where sites compute, and asked after each round.
        progress, say: take rounds done, and lines for whoever watches.

    Returns:
        ``run_id``, ``artifact``, ``rounds``, ``seconds`` and ``metrics``: each round's sites,
        examples and bytes.

    Raises:
        UsageError, InputError: a folder to go on with otherwise, a recipe that can't be federated.
        BackendError: too few sites answered.
        StoppedError: ``stop`` said so.
    """
    told = plugins.load("aegle.train.causal.recipe:read_recipe")(recipe, changes=changes)
    plugins.load("aegle.train.causal.federate:check")(told)
    folder, began = out / told.name, time.perf_counter()
    with locked(folder):
        state = _begun(told, options, folder, resume)
        base = resolve(told.base, progress=progress)
        if not state["rounds"]:
            _first(told, base, folder)
        while len(state["rounds"]) < options.rounds:
            number = len(state["rounds"]) + 1
            ask = Ask(number, _shared(told, options), options.pull, device)
            state["rounds"].append(_round(ask, transport, folder, options, say))
            write_json(folder / STATE, state)
            (folder / f"round-{number - 1}.safetensors").unlink()
            progress("federate", number, options.rounds)
            if stop() and number < options.rounds:
                raise StoppedError(f"stopped after round {number}; resume goes on from there")
        return _finished(told, base, state, options, folder, time.perf_counter() - began)


def _first(told: Any, base: Path, folder: Path) -> None:
    """What all sites begin with, written."""
    train = _parts()
    train["write"](folder / "round-0.safetensors", train["initial"](told, base))


def _parts() -> dict[str, Any]:
    names = ("initial", "read", "write", "wrong", "average", "finish", "cost")
    return {name: plugins.load(f"aegle.train.causal.federate:{name}") for name in names}  # torch


def _shared(told: Any, options: Options) -> dict[str, Any]:
    """The recipe's keys as sites get them; a budget is for all rounds."""
    keys: dict[str, Any] = told.model_dump(mode="json", exclude_defaults=True)
    if told.privacy:
        keys["privacy"] = {**keys["privacy"], "rounds": options.rounds}
    return keys


def _begun(told: Any, options: Options, folder: Path, resume: bool) -> dict[str, Any]:
    if (folder / RESULT).is_file():
        raise UsageError(f"{folder} holds a finished run; name another folder with --out")
    path = folder / STATE
    how = {name: getattr(options, name) for name in Options.__slots__}
    about = json.loads(json.dumps({"recipe": told.model_dump(mode="json"), "options": how}))
    if resume != path.is_file():
        raise UsageError(
            f"{folder} has no rounds to go on from; start without --resume"
            if resume
            else f"{folder} holds a federation that was stopped; go on with --resume, or remove it"
        )
    if not resume:
        state = {**about, "rounds": []}
        write_json(path, state)
        return state
    before: dict[str, Any] = read_json(path)
    if {name: before[name] for name in about} != about:
        raise UsageError(
            f"{folder} was begun with another recipe or other options; resume it as it was"
        )
    return before


def _round(
    ask: Ask, transport: Transport, folder: Path, options: Options, say: Callable[[str], None]
) -> dict[str, Any]:
    """One round: what its card says; the next weights are written."""
    train, began = _parts(), time.perf_counter()
    path = folder / f"round-{ask.number - 1}.safetensors"
    start, size = train["read"](path), path.stat().st_size
    sites: list[dict[str, Any]] = []
    updates: list[tuple[Any, int]] = []
    for reply in sorted(transport(ask, path), key=lambda one: one.site):
        row: dict[str, Any] = {"site": reply.site, "bytes_down": size}
        row["bytes_up"], error = len(reply.weights), reply.error
        if not error:
            found = _read(reply.weights, folder, train)
            error = "its weights can't be read" if found is None else train["wrong"](start, found)
        if error:
            say(f"round {ask.number}: {reply.site} is left out: {error}")
            sites.append({**row, "left_out": error})
            continue
        updates.append((found, int(reply.about["examples"])))
        sites.append({**row, **reply.about})
    if len(updates) < options.at_least:
        raise BackendError(
            f"round {ask.number}: {len(updates)} sites answered, and {options.at_least} are needed "
            f"({'; '.join(str(one.get('left_out', '')) for one in sites) or 'none was reached'}); "
            "--resume asks again"
        )
    how = {"clip": options.clip, "noise": options.noise}
    train["write"](
        folder / f"round-{ask.number}.safetensors", train["average"](start, updates, **how)
    )
    seconds = round(time.perf_counter() - began, 1)
    say(f"round {ask.number}: {len(updates)} of {len(sites)} sites, {seconds} s")
    return {"round": ask.number, "sites": sites, "seconds": seconds}


def _read(weights: bytes, folder: Path, train: dict[str, Any]) -> Any:
    part = folder / "reply.safetensors"
    part.write_bytes(weights)
    try:
        return train["read"](part)
    except InputError:
        return None
    finally:
        part.unlink()


def _finished(
    told: Any, base: Path, state: dict[str, Any], options: Options, folder: Path, seconds: float
) -> dict[str, Any]:
    train, rounds = _parts(), state["rounds"]
    last = folder / f"round-{options.rounds}.safetensors"
    rows = [site for one in rounds for site in one["sites"]]
    metrics: dict[str, Any] = {
        "rounds": rounds,
        "bytes_sent": sum(one["bytes_up"] + one["bytes_down"] for one in rows),
        "sites": sorted({one["site"] for one in rows}),
    }
    about: dict[str, Any] = {"federated": {**state["options"], "sites": metrics["sites"]}}
    if options.noise:
        spent = train["cost"](options.noise, len(rounds), DELTA)
        about["federated"]["privacy"] = {
            "unit": "site", "epsilon": round(spent, 4), "delta": DELTA,
            "clip": options.clip, "noise_multiplier": options.noise,
            "trusts": "the server, which sees updates before they are noised",
        }  # fmt: skip
    train["finish"](told, base, train["read"](last), folder, metrics, about)
    result = {
        "name": told.name,
        "kind": told.kind,
        "run_id": f"{told.name}-{sha256_file(last)[:12]}",
        "artifact": str(folder / "model"),
        "rounds": len(rounds),
        "seconds": round(seconds, 1),
        "metrics": {**metrics, **about},
    }
    write_json(folder / RESULT, result)
    last.unlink()
    return result


def here(sites: Mapping[str, Path], work: Path) -> Transport:
    """Sites as folders of this machine, one after the other in this process: a simulation.

    Args:
        sites: pseudonym -> folder of its data.
        work: where each has a folder of its own.
    """

    def carry(ask: Ask, weights: Path) -> list[Reply]:
        content = weights.read_bytes()
        return [
            respond(ask, content, site=name, data=data, work=work / name)
            for name, data in sites.items()
        ]

    return carry


def respond(ask: Ask, weights: bytes, *, site: str, data: Path, work: Path) -> Reply:
    """A site's round, at the site; what is wrong there is told, not raised.

    Args:
        ask: the round.
        weights: that all sites share, as safetensors.
        site: its pseudonym.
        data: where the recipe's sources lie.
        work: a folder of the site's own, which keeps what its privacy was spent on.
    """
    folder = work / "round"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        given = folder / "given.safetensors"
        given.write_bytes(weights)
        recipe = plugins.load("aegle.train.causal.recipe:Recipe").model_validate(ask.recipe)
        before = read_json(work / SPENT) if (work / SPENT).is_file() else []
        update = plugins.load("aegle.train.causal.federate:site_round")(
            recipe,
            base=resolve(recipe.base),
            data=data,
            folder=folder,
            weights=plugins.load("aegle.train.causal.federate:read")(given),
            pull=ask.pull,
            spent=before,
            device=ask.device,
        )
        if "spent" in update.about:
            write_json(work / SPENT, update.about.pop("spent"))
        found = folder / "found.safetensors"
        plugins.load("aegle.train.causal.federate:write")(found, update.weights)
        about = {"examples": update.examples, **update.about}
        return Reply(site, found.read_bytes(), about)
    except AegleError as error:
        return Reply(site, b"", {}, f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
