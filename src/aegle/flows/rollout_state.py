"""One rollout: who against whom, with what share, what was seen, and how it was decided."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import write_json
from aegle.core.errors import UsageError, WorkspaceError
from aegle.evaluate.rollout import Trial

RUNNING: Final = ("running", "gain")
"""A gain doesn't end a rollout: harm is watched until it is stopped."""
_TIMES: Final = 1000
"""Pairs of reading times that are kept, the latest."""
_STEP: Final = 1.05
"""A figure's next place in the plot is after so many times as many values."""


@dataclass(frozen=True, slots=True)
class Side:
    """A model that takes part.

    Attributes:
        version: as facts name it. digest: SHA-256 of its files. folder: where they lie.
    """

    version: str
    digest: str
    folder: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Where the challenger stands in a registry, for the evidence."""

    name: str
    number: int
    registry: str
    key: str


class Rollout:
    """Its state is a JSON file and a list of counted units, both in the workspace's journal.

    Several threads may use it. A unit's keyed hash is appended to the list, and synchronised with
    the disk, before its feedback counts: a crash may lose one unit, and never counts one twice.

    Args:
        told: every change of status, with details; called outside the lock.
    """

    def __init__(
        self,
        folder: Path,
        champion: Side,
        challenger: Side,
        listed: Listed,
        trial: Trial,
        *,
        share: float,
        told: Callable[..., None],
    ) -> None:
        self.champion, self.challenger, self.listed = champion, challenger, listed
        self.trial = trial
        self.share = share
        self.status, self.reason, self.evidence = "running", "", ""
        self.gained = False
        self.started = time.time()
        self.secret = secrets.token_bytes(32)
        self.times: deque[tuple[float, float]] = deque(maxlen=_TIMES)
        self.trail: dict[str, list[tuple[float, ...]]] = {}
        self._folder, self._told = folder, told
        self._counted: set[str] = set()
        self._lock = threading.Lock()
        self._dirty = True

    @property
    def running(self) -> bool:
        """Whether the challenger reads anything at all."""
        return self.status in RUNNING

    def begin(self) -> None:
        """Write it down in place of the rollout before, whose units are forgotten."""
        counted_in(self._folder).unlink(missing_ok=True)
        self.save()
        about = {"share": self.share, "champion": self.champion.version}
        self._told("rollout begun", challenger=self.challenger.version, **about)

    def grow(self, share: float) -> None:
        """Let more units get the challenger; who has it keeps it.

        Raises:
            UsageError: it has ended, or the share is not larger, or not below 1.
        """
        with self._lock:
            if not self.running:
                raise UsageError(f"the rollout has ended ({self.status}); start another")
            if not self.share < share < 1:
                raise UsageError(
                    f"the share is {self.share:g} and can only grow, below 1: whoever has the "
                    "challenger keeps it; to take it back, stop the rollout"
                )
            self.share = share
        self.save()
        self._told("rollout grown", share=share)

    def stop(self, reason: str) -> None:
        """Let the champion answer everything."""
        with self._lock:
            if not self.running:
                return
            self.status, self.reason = "stopped", reason
        self.save()
        self._told("rollout stopped", reason=reason)

    def error(self, failed: bool) -> None:
        """Whether the challenger failed at a request that it was to answer."""
        self._seen(lambda trial: trial.error(failed))

    def compared(
        self, champion_s: float, challenger_s: float, agreement: float, *, counted: bool
    ) -> None:
        """Both read a text in the shadow; ``counted``: that it didn't fail was told before."""

        def seen(trial: Trial) -> None:
            if not counted:
                trial.error(False)
            trial.latency(champion_s, challenger_s)
            trial.agreement(agreement)
            self.times.append((champion_s, challenger_s))

        self._seen(seen)

    def feedback(self, unit: str, value: float, *, challenger: bool, share: float) -> bool:
        """Count feedback of a unit; False where the unit was counted before, or it has ended.

        Raises:
            WorkspaceError: it can't be written down; nothing was counted.
        """
        with self._lock:
            if unit in self._counted or not self.running:
                return False
            _append(counted_in(self._folder), unit)
            self._counted.add(unit)
        self._seen(lambda trial: trial.quality(value, challenger=challenger, share=share))
        self.save()
        return True

    def _seen(self, change: Callable[[Trial], None]) -> None:
        with self._lock:
            if not self.running:
                return
            change(self.trial)
            self._dirty = True
            self._note()
            verdict = self.trial.verdict()
            harmful = verdict == "harm"
            if not harmful and not (verdict == "gain" and self.status == "running"):
                return
            self.status = "rolled back" if harmful else "gain"
            self.gained = not harmful
            self.reason = self.trial.harm() if harmful else "quality"
            told = {"figure": self.reason, **self.trial.figures()[self.reason]}
            self._note(always=True)
        self._told(f"rollout: {self.status}", challenger=self.challenger.version, **told)
        self.save()

    def _note(self, *, always: bool = False) -> None:
        for name, bets in self.trial.bets.items():
            kept = self.trail.setdefault(name, [])
            due = not kept or bets.count >= max(kept[-1][0] + 1, kept[-1][0] * _STEP)
            if name != "balance" and bets.count and (due or (always and name == self.reason)):
                one = self.trial.figures()[name]
                kept.append((one["n"], one["mean"], one["low"], one["high"]))

    def save(self, *, only_changed: bool = False) -> None:
        """Write the state, whole or not at all."""
        with self._lock:
            if only_changed and not self._dirty:
                return
            self._dirty = False
            write_json(state_in(self._folder), self._plain() | {"secret": self.secret.hex()})
            state_in(self._folder).chmod(0o600)

    def _plain(self) -> dict[str, Any]:
        return {
            "champion": asdict(self.champion),
            "challenger": asdict(self.challenger),
            "listed": asdict(self.listed),
            "share": self.share,
            "status": self.status,
            "reason": self.reason,
            "evidence": self.evidence,
            "gained": self.gained,
            "started": self.started,
            "times": list(self.times),
            "trail": self.trail,
            "trial": self.trial.saved(),
        }

    def shown(self) -> dict[str, Any]:
        """What `status` tells: no secret, no unit."""
        with self._lock:
            told = self._plain()
            del told["trial"], told["times"]
            return told | {
                "figures": self.trial.figures(),
                "arms": {
                    name: {"n": n, "sum": sum_} for name, (n, sum_) in self.trial.arms.items()
                },
                "units": len(self._counted),
                "unbalanced": self.trial.unbalanced,
                "pairs": len(self.times),
                "plan": asdict(self.trial.plan),
            }

    @classmethod
    def restored(cls, folder: Path, told: Callable[..., None]) -> Rollout | None:
        """The rollout of a journal; None where there is none.

        Raises:
            WorkspaceError: its file is damaged.
        """
        path = state_in(folder)
        try:
            kept: Mapping[str, Any] = json.loads(path.read_bytes())
            sides = (Side(**kept["champion"]), Side(**kept["challenger"]), Listed(**kept["listed"]))
            trial = Trial.restored(kept["trial"])
            found = cls(folder, *sides, trial, share=float(kept["share"]), told=told)
            found.secret = bytes.fromhex(kept["secret"])
            found.status, found.reason = str(kept["status"]), str(kept["reason"])
            found.evidence, found.started = str(kept["evidence"]), float(kept["started"])
            found.gained = bool(kept["gained"])
            found.times.extend((float(a), float(b)) for a, b in kept["times"])
            found.trail = {
                name: [tuple(map(float, one)) for one in rows]
                for name, rows in kept["trail"].items()
            }
            if counted_in(folder).exists():
                # A line that a crash cut off is the hash of no unit: it does no harm.
                found._counted = set(counted_in(folder).read_text("ascii").split())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            kind = type(error).__name__
            raise WorkspaceError(
                f"{path} is damaged ({kind}); remove it: the rollout is lost, the champion answers"
            ) from error
        found._dirty = False
        return found


def state_in(folder: Path) -> Path:
    """Where a journal keeps its rollout."""
    return folder / "rollout.json"


def counted_in(folder: Path) -> Path:
    """Where a journal keeps the hashes of units that were counted."""
    return folder / "rollout-units.txt"


def _append(path: Path, line: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"\n{line}".encode("ascii"))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise WorkspaceError(
            f"feedback can't be written to {path} ({type(error).__name__}); it was not counted"
        ) from error
