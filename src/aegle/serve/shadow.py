"""Texts that both models of a rollout read again, off the requests' path, while nobody waits."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from aegle.core import observe
from aegle.core.observe import Label
from aegle.core.records import Document
from aegle.flows import rolling
from aegle.flows.kit import Kit

_LOOK_S: Final = 0.005
"""How often it looks whether nobody waits."""
_OLD_S: Final = 60.0
"""A text that waited longer is let go: the server was never idle for it."""
_SETTLE_S: Final = 1.0
"""So often the state is written, if it changed."""
_EVIDENCE_S: Final = 60.0
"""So often evidence that isn't complete is tried again."""


class Shadow:
    """One thread with a bounded queue. What doesn't fit is dropped and counted.

    Nothing that goes wrong here reaches a caller. A text is begun only while no request is being
    answered; one that comes meanwhile shares the cores until that text is read, on one thread.

    Attributes:
        read, failed: texts that were compared, and at which the challenger failed.
        dropped: texts that didn't fit, were too long, or waited too long.
    """

    def __init__(self, kit: Kit, idle: Callable[[], bool]) -> None:
        wanted = kit.settings.rollout
        self._kit, self._idle = kit, idle
        self._room, self._characters = wanted.queue, wanted.characters
        self._waiting: deque[tuple[float, Document, bool]] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._tried_at = -_EVIDENCE_S
        self._told = ""
        self._random = random.Random(kit.settings.seed)
        self.read = self.failed = self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="aegle-shadow", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return len(self._waiting)

    def offer(self, documents: Sequence[Document], *, counted: bool) -> None:
        """Take safe documents if there is room; returns at once.

        ``counted``: whether the challenger fails at them was counted already. To count it again
        would not be another observation: it fails at the same texts.
        """
        with self._change:
            for document in documents:
                if len(self._waiting) >= self._room or len(document.text) > self._characters:
                    self.dropped += 1
                else:
                    self._waiting.append((time.monotonic(), document, counted))
            self._change.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """End; what waits is let go. A challenger that hangs is left behind."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        settled, closed = time.monotonic(), False
        while not closed:
            with self._change:
                if not self._waiting and not self._closed:
                    self._change.wait(_SETTLE_S)
                closed = self._closed
                taken = None if closed else self._next()
            try:
                if taken is not None:
                    self._compare(*taken)
                if closed or time.monotonic() - settled >= _SETTLE_S:
                    settled = time.monotonic()
                    self._settle()
            except Exception as error:
                # Whatever it is, it says nothing to callers, and the next text must be read.
                self._tell("the shadow failed", error)

    def _next(self) -> tuple[Document, bool] | None:
        while self._waiting and time.monotonic() - self._waiting[0][0] > _OLD_S:
            self._waiting.popleft()
            self.dropped += 1
        if not self._waiting:
            return None
        if self._idle():
            return self._waiting.popleft()[1:]
        self._change.wait(_LOOK_S)
        return None

    def _compare(self, document: Document, counted: bool) -> None:
        found = rolling.current(self._kit)
        rollout, models = found or (None, None)
        if rollout is None or models is None or not rollout.running:
            return
        try:
            seen = rolling.compare(self._kit, models, document, first=self._random.random() < 0.5)
        except rolling.ChampionFailedError as error:
            self._tell("the champion failed at a text in the shadow", error.__cause__ or error)
            return
        except Exception as error:  # a challenger may fail in any way: that is what is counted
            self.failed += 1
            self._tell("the challenger failed at a text in the shadow", error)
            if not counted:
                rollout.error(True)
            return
        self.read += 1
        rollout.compared(*seen, counted=counted)

    def _settle(self) -> None:
        found = rolling.current(self._kit)
        if found is None:
            return
        rollout = found[0]
        rollout.save(only_changed=True)
        now = time.monotonic()
        if rollout.status != self._told or now - self._tried_at >= _EVIDENCE_S:
            self._told, self._tried_at = rollout.status, now
            rolling.settle(self._kit, rollout)

    def _tell(self, what: str, error: BaseException) -> None:
        observe.event(what, level="warning", error=Label(type(error).__name__))
