"""The contract of a tracker, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make, told, folder)`` with an empty folder for each; ``make(folder)``
opens the tracker that lives there, ``told(folder, run)`` reads a run back by other means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegle.core.errors import AegleError, NotFoundError
from aegle.core.ports import Tracker

Make = Callable[[Path], Tracker]


@dataclass(frozen=True, slots=True)
class Told:
    """What a run's store holds of it.

    Attributes:
        params: by dotted name, as text.
        tags: those that were given, among others.
        figures: name -> (step, value) in the order of steps.
        state: running, done or failed.
    """

    params: Mapping[str, str]
    tags: Mapping[str, str]
    figures: Mapping[str, list[tuple[int, float]]]
    state: str


Read = Callable[[Path, str], Told]


def keeps_what_it_was_told(make: Make, told: Read, folder: Path) -> None:
    """Params by dotted name, tags, each figure at its step; also the 300th, and strange names."""
    tracker = make(folder)
    many = {f"p{number}": number for number in range(300)}
    params = {"name": "a", "loss": {"balance": "none"}, "corpora": [{"task": "t"}], "many": many}
    run = tracker.start("words", params=params, tags={"data": "ab" * 32})
    for step in (0, 20, 40):
        tracker.log({"loss/a": 1 / (1 + step), "dev/Größe (b)": step}, step=step)
    tracker.log({"norm": math.nan}, step=60)
    tracker.end()
    tracker.close()
    found = told(folder, run)
    assert found.params["loss.balance"] == "none"
    assert found.params["corpora.0.task"] == "t"
    assert found.params["many.p299"] == "299"
    assert found.tags["data"] == "ab" * 32
    assert found.figures["loss/a"] == [(0, 1.0), (20, 1 / 21), (40, 1 / 41)]
    assert sum(name.startswith("dev/") for name in found.figures) == 1
    assert found.state == "done"


def goes_on_with_a_run(make: Make, told: Read, folder: Path) -> None:
    """A run that was interrupted is failed; going on with it, it is one run with all figures."""
    tracker = make(folder)
    run = tracker.start("words", params={"lr": 1}, tags={})
    tracker.log({"loss": 2.0}, step=1)
    tracker.close()
    assert told(folder, run).state == "failed"
    tracker = make(folder)
    assert tracker.start("words", params={"lr": 2}, tags={"again": "yes"}, run=run) == run
    assert told(folder, run).state == "running"
    tracker.log({"loss": 1.0}, step=2)
    tracker.end()
    tracker.close()
    found = told(folder, run)
    assert found.figures["loss"] == [(1, 2.0), (2, 1.0)]
    assert (found.params["lr"], found.tags["again"], found.state) == ("1", "yes", "done")


def keeps_runs_apart(make: Make, told: Read, folder: Path) -> None:
    """Two runs of an experiment have ids and figures of their own."""
    tracker = make(folder)
    runs = []
    for value in (1.0, 2.0):
        runs.append(tracker.start("words", params={}, tags={}))
        tracker.log({"loss": value}, step=0)
        tracker.end()
    tracker.close()
    assert [told(folder, run).figures["loss"] for run in runs] == [[(0, 1.0)], [(0, 2.0)]]


def an_alias_stands_for_one_version(make: Make, told: Read, folder: Path) -> None:
    """Versions count up; an alias moves from one to the next, also for another who opens it."""
    tracker = make(folder)
    tracker.start("words", params={}, tags={})
    versions = [
        tracker.register("tagger", f"path:{folder}/{number}", tags={"sha256": str(number)})
        for number in range(2)
    ]
    assert versions == ["1", "2"]
    tracker.alias("tagger", "champion", versions[0])
    assert tracker.source("tagger", "champion") == f"path:{folder}/0"
    tracker.alias("tagger", "champion", versions[1])
    tracker.end()
    tracker.close()
    other = make(folder)
    assert other.source("tagger", "champion") == f"path:{folder}/1"
    for model, alias in (("tagger", "challenger"), ("none", "champion")):
        try:
            other.source(model, alias)
        except NotFoundError:
            continue
        raise AssertionError(f"{model} {alias} was found")
    other.close()


def refuses_what_makes_no_sense(make: Make, told: Read, folder: Path) -> None:
    """No figure without a run, no second run in one, no alias of a version that isn't there."""
    tracker = make(folder)
    _must_fail(lambda: tracker.log({"loss": 1.0}, step=0))
    _must_fail(tracker.end)
    _must_fail(lambda: tracker.register("tagger", "path:/x", tags={}))
    _must_fail(lambda: tracker.alias("tagger", "champion", "1"))
    _must_fail(lambda: tracker.start("words", params={}, tags={}, run="0" * 32))
    tracker.start("words", params={}, tags={})
    _must_fail(lambda: tracker.start("words", params={}, tags={}))
    tracker.close()
    tracker.close()


def _must_fail(step: Callable[[], object]) -> None:
    try:
        step()
    except AegleError:
        return
    raise AssertionError("nonsense was accepted")


CHECKS: Final[tuple[Callable[[Make, Read, Path], None], ...]] = (
    keeps_what_it_was_told,
    goes_on_with_a_run,
    keeps_runs_apart,
    an_alias_stands_for_one_version,
    refuses_what_makes_no_sense,
)
"""Every promise of a `Tracker`."""
