"""How a training goes, for who looks on: a bar on a terminal, lines everywhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from aegle.cli import show


class Watch:
    """Loss, pace and ETA in a bar on a terminal; a line an epoch, trial or run everywhere.

    Args:
        runs: whether a bar is over many runs: who makes them says a line of each, and the bar has
            the loss of the one that is trained.
    """

    def __init__(self, *, runs: bool = False) -> None:
        self._runs = runs
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._losses: dict[str, float] = {}
        self._epoch: dict[str, float] = {}
        self._epochs = 0
        self._tokens, self._since = 0.0, time.monotonic()
        self._pace = ""

    def __enter__(self) -> Watch:
        if sys.stderr.isatty():
            self._bars = show.bars("told")
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def progress(self, step: str, done: int, total: int | None = None) -> None:
        """Move a step's bar."""
        if not self._bars:
            return
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, told="")
        mean = sum(self._losses.values()) / max(1, len(self._losses))
        told = f"loss {mean:.3f}  {self._pace}" if self._losses else ""
        self._bars.update(self._tasks[step], completed=done, total=total, told=told)

    def figure(self, name: str, value: float, step: int) -> None:
        """Take a figure; say an epoch's dev scores when its mean comes, and each trial's."""
        kind, _, task = name.partition("/")
        if self._runs and kind != "loss":
            return
        if kind == "loss":
            self._losses[task] = value
        elif kind == "tokens":
            now = time.monotonic()
            if value > self._tokens and now > self._since:
                self._pace = f"{(value - self._tokens) / (now - self._since):,.0f} tokens/s"
            self._tokens, self._since = value, now
        elif kind == "trial":
            self.say(f"trial {step}  dev {value:.4f}" if value is not None else f"trial {step}  -")
            self._epochs, self._tokens = 0, 0.0
        elif name in ("dev/mean", "dev/loss", "dev/reward"):
            self._epochs += 1
            shown = "  ".join(f"{one} {score:.3f}" for one, score in self._epoch.items())
            what = f"epoch {self._epochs}  dev" if task == "mean" else f"step {step}  dev {task}"
            self.say(f"{what} {value:.4f}  {shown}  {self._pace}".rstrip())
            self._epoch = {}
        elif kind == "dev":
            self._epoch[task] = value

    def say(self, line: str) -> None:
        """A line for people."""
        if self._bars:
            self._bars.console.print(line, highlight=False)
        else:
            show.note(line)
