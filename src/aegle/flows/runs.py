"""A run's folder: locked, told what it is, followed by a tracker, gone on with."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.backends.lock import FolderLock
from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_file, write_json
from aegle.core.errors import UsageError
from aegle.core.ports import Tracker

RESULT: Final = "result.json"
"""In a run's folder once it is finished: scores, and where the model lies."""

ABOUT: Final = "run.json"
"""In a run's folder from its beginning: its recipe, the hashes of its data, the tracker's run."""

CHALLENGER: Final = "challenger"
"""What a model just trained is to the one that serves."""


class Figures(Protocol):
    """Takes a figure of training as it comes: ``loss/TASK``, ``tokens``, ``dev/TASK``..."""

    def __call__(self, name: str, value: float, step: int) -> None:
        """``step``: how many steps were done."""


def no_figures(name: str, value: float, step: int) -> None:
    """A `Figures` that shows nothing."""


def digest_of(about: Mapping[str, Any]) -> str:
    """A name for a run by what it is: 12 hex digits."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


def apart_from(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe without how many processes train it, which doesn't change what is learned."""
    return {key: value for key, value in recipe.items() if key != "parallel"}


def goes_on(folder: Path, resume: bool | None) -> bool:
    """Whether a run goes on from a checkpoint; None: where there is one."""
    return (folder / "checkpoint.json").is_file() if resume is None else resume


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A run's folder for this process alone.

    Raises:
        WorkspaceBusyError: another process has it.
    """
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()


def begun(told: Any, hashes: Mapping[str, str], folder: Path, resume: bool) -> dict[str, Any]:
    """What a run is, written at its beginning and compared when it goes on.

    Args:
        told: the recipe.
        hashes: name -> SHA-256 of what it learns from.
        folder: of the run.
        resume: whether it is to go on.

    Raises:
        UsageError: the folder holds a finished run, another one, or none to go on with.
    """
    if (folder / RESULT).is_file():
        raise UsageError(
            f"{folder} holds a finished run; name another folder with --out, or remove it"
        )
    if resume != (folder / "checkpoint.json").is_file():
        if resume:
            raise UsageError(f"{folder} has no checkpoint to go on from; start without --resume")
        raise UsageError(
            f"{folder} holds a run that was stopped; go on with --resume, or remove it"
        )
    about = {
        "recipe": told.model_dump(mode="json"),
        "hashes": dict(hashes),
        "run": "",
        "tracker": "",
    }
    if resume:
        before = read_json(folder / ABOUT)
        for what in ("recipe", "hashes"):
            now, then = apart_from(about[what]), apart_from(before[what])
            changed = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
            if changed:
                raise UsageError(
                    f"{folder} was begun with another {', '.join(changed)}; resume it as it was, "
                    "or name another folder with --out"
                )
        return dict(before)
    write_json(folder / ABOUT, about)
    return about


class Follow:
    """Figures on their way to a tracker and to whoever watches, those of a step together.

    Args:
        tracker: where they go, if anywhere.
        figures: whoever watches.
        run: the tracker's name for the run.
    """

    def __init__(self, tracker: Tracker | None, figures: Figures, run: str = "") -> None:
        self.run = run
        self._tracker, self._figures = tracker, figures
        self._waiting: dict[str, float] = {}
        self._step = 0
        self.tokens, self.began = 0, time.perf_counter()

    def __call__(self, name: str, value: float, step: int) -> None:
        """Take a figure, as `Figures` does."""
        if step != self._step:
            self.flush()
        self._waiting[name], self._step = value, step
        if name == "tokens":
            self.tokens = int(value)
        if name in (
            "dev/mean",
            "dev/loss",
            "dev/reward",
        ):  # what comes next may be far off, or a stop
            self.flush()
        self._figures(name, value, step)

    def flush(self) -> None:
        """Send what waits."""
        if self._tracker and self._waiting:
            self._tracker.log(self._waiting, step=self._step)
        self._waiting = {}

    def register(self, name: str, model: Path) -> str:
        """Name a model for the tracker, as the challenger; its version, "" without a tracker."""
        self.flush()
        if not self._tracker:
            return ""
        tags = {"manifest.sha256": sha256_file(model / "manifest.json")}
        version = self._tracker.register(name, f"path:{model.resolve()}", tags=tags)
        self._tracker.alias(name, CHALLENGER, version)
        return version

    def end(self) -> None:
        """The run is finished."""
        self.flush()
        if self._tracker:
            self._tracker.end()


@contextmanager
def followed(
    uri: str | None, told: Any, about: dict[str, Any], folder: Path, figures: Figures
) -> Iterator[Follow]:
    """A tracker's run around the training; one that fails or is stopped can be gone on with."""
    if uri is None:
        yield Follow(None, figures)
        return
    tracker: Tracker = plugins.find("tracker", "mlflow")(uri)
    try:
        packages = {name: version(name) for name in ("aegle", "torch", "transformers")}
        run = about["run"] if about["tracker"] == uri else ""
        tags = {**about["hashes"], **packages, "folder": str(folder.resolve())}
        run = tracker.start(told.name, params=about["recipe"], tags=tags, run=run)
        write_json(folder / ABOUT, {**about, "run": run, "tracker": uri})
        follow = Follow(tracker, figures, run)
        yield follow
    finally:
        tracker.close()
