"""A run that goes on: what it is about, and a checkpoint every other minute."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from torch import nn

from aegle.core.artifacts import read_json, sha256_tree
from aegle.core.errors import InputError, StoppedError
from aegle.lm.fetch import digest
from aegle.train import checkpoint

T = TypeVar("T")

SAVE_S: Final = 120.0
"""Between checkpoints, which take a second or two: what a crash may cost."""

_FILES: Final = (
    "1_Pooling/config.json",
    "config.json",
    "model.onnx",
    "model.safetensors",
    "tokenizer.json",
)
_REFERENCE: Final = "reference"


def identity(reference: str, folder: Path) -> dict[str, str]:
    """A model as a run remembers it: how it was named, and a hash of what it is.

    Args:
        reference: for people; the same model by another name is the same.
        folder: its weights, their tokenizer and configuration are hashed.
    """
    found = [(name, digest(folder / name)) for name in _FILES if (folder / name).is_file()]
    return {_REFERENCE: reference, "sha256": hashlib.sha256(repr(found).encode()).hexdigest()}


def data_hashes(folders: Sequence[Path]) -> dict[str, str]:
    """Folder -> SHA-256 of its files, in the order of `sorted`."""
    return {one.name: sha256_tree(one) for one in sorted(folders)}


def check(place: Path, told: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Refuse to go on with what was begun otherwise.

    Args:
        place: where it lies.
        told: what it was begun with.
        about: what it is to go on with.

    Raises:
        InputError: they differ; the message says in what.
    """
    found = list(_differences(told, json.loads(json.dumps(about)), ""))
    if any(not name.endswith(f".{_REFERENCE}") for name, _ in found):
        said = "; ".join(f"{name} {values}" for name, values in found)
        raise InputError(
            f"{place} was begun otherwise: {said}. Go on with what it was begun with, or begin "
            "another run with another --out"
        )


def _differences(told: Any, about: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, Mapping) and isinstance(about, Mapping):
        for key in sorted(told.keys() | about.keys()):
            yield from _differences(told.get(key), about.get(key), f"{name}.{key}".lstrip("."))
    elif told != about:
        yield name, f"was {_short(told)}, is {_short(about)}"


def _short(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return "not told" if value is None else "told"
    if isinstance(value, str) and len(value) == 64:
        return f"{value[:12]}…"
    return json.dumps(value)


class Steps:
    """The steps of a run, with a checkpoint when it is stopped, at its end, and now and then.

    Args:
        net, optimiser: what a checkpoint holds; it is put back into them.
        folder: of the checkpoint.
        about: all that decides the run, as JSON.
        resume: go on from the checkpoint.
        save_s: seconds between checkpoints.

    Raises:
        InputError: no checkpoint to resume from, a damaged one, or one of another run.
    """

    def __init__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        folder: Path,
        about: Mapping[str, Any],
        resume: bool,
        save_s: float = SAVE_S,
    ) -> None:
        self.net, self.optimiser, self.folder = net, optimiser, folder
        self.about, self.save_s, self.done = about, save_s, 0
        if resume:
            told = folder / "checkpoint.json"
            if told.is_file():  # compared before other weights are put into the network
                check(folder, read_json(told).get("about", {}), about)
            self.done = int(checkpoint.load(folder, net, optimiser)["step"])
            for part in folder.glob(".checkpoint*.part"):  # a killed process leaves them
                part.unlink()

    def over(self, batches: Iterable[T], stop: Callable[[], bool]) -> Iterator[tuple[int, T]]:
        """What is still to do: each step's number, and its batch.

        Raises:
            StoppedError: ``stop`` said so; the checkpoint is written.
        """
        saved, step = time.monotonic(), -1
        for step, batch in enumerate(batches):
            if step < self.done:
                continue
            if stop():
                self._save(step)
                raise StoppedError(f"stopped at step {step}; resume goes on from there")
            if step > self.done and time.monotonic() - saved >= self.save_s:
                self._save(step)
                saved = time.monotonic()
            yield step, batch
        if step + 1 > self.done:
            self._save(step + 1)

    def _save(self, step: int) -> None:
        state = {"step": step, "about": dict(self.about)}
        checkpoint.save(self.folder, self.net, self.optimiser, state)
        self.done = step
