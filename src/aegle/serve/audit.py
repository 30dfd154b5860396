"""One line for each request: who asked what of which model, how large, how long, with what end."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from aegle.core import observe
from aegle.core.observe import Label

Field = str | int | float | bool | None


class Audit:
    """JSON lines, one file a day, readable by the workspace's user alone; nothing is removed.

    No field may come from a request's body, path or query: a route's template names what was asked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._day = ""
        self._file = -1

    def write(self, **fields: Field) -> None:
        """Add a line; a full disk is an event, since the request was answered already."""
        now = datetime.now(UTC)
        line = json.dumps({"at": now.isoformat(timespec="milliseconds"), **fields}) + "\n"
        try:
            with self._lock:
                os.write(self._open(now.strftime("%Y%m%d")), line.encode())
        except OSError as error:
            kind = Label(type(error).__name__)
            observe.event("the audit can't be written", level="error", error=kind)

    def _open(self, day: str) -> int:
        if day != self._day:
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"requests-{day}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._day = day
        return self._file

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._day = -1, ""
