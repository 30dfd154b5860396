"""What libraries log while serving, as events: who, where and which error, never the message."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegle.core import observe
from aegle.core.observe import Label


class _Events(logging.Handler):
    """A library's message may hold an address or a value that somebody asked for."""

    def emit(self, record: logging.LogRecord) -> None:
        kind, _, trace = record.exc_info or (None, None, None)
        frames = traceback.extract_tb(trace)[-3:] or [
            traceback.FrameSummary(record.pathname, record.lineno, "")
        ]
        places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames))
        observe.event(
            "a library logged",
            level="error" if record.levelno >= logging.ERROR else "warning",
            logger=Label(record.name),
            place=Label(places),
            error=Label(kind.__name__) if kind else None,
        )


@contextmanager
def to_events() -> Iterator[None]:
    """Warnings and errors of libraries become events for a block."""
    root, handler = logging.getLogger(), _Events(logging.WARNING)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
