"""A SQLite file of what is derived from the corpus: it forgets to the byte and tells of damage."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import WorkspaceError

_TOGETHER: Final = 500

_DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
"""What SQLite says of a file that is no database, a broken one, or one with other tables."""


def files(path: Path) -> list[Path]:
    """Every file that a store at ``path`` has, whether it is there or not."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]


def unlink(path: Path) -> None:
    """Remove the files of a store, and no other."""
    for one in files(path):
        one.unlink(missing_ok=True)


def is_damage(error: WorkspaceError) -> bool:
    """Whether the file itself is broken: not a full disk, nor one that can't be written."""
    return getattr(error.__cause__, "sqlite_errorname", "").startswith(_DAMAGE)


def in_parts(values: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    """Some values at a time, with as many placeholders."""
    for start in range(0, len(values), _TOGETHER):
        some = values[start : start + _TOGETHER]
        yield some, ", ".join("?" * len(some))


class Derived:
    """A store's file; safe to use from several threads.

    Args:
        path: the SQLite file.
        schema: makes the tables that are not there.

    Raises:
        WorkspaceError: the file is damaged or can't be written; also from its methods.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path, self._lock = path, threading.RLock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                self._db.execute("PRAGMA secure_delete = ON")
                self._db.execute("PRAGMA journal_mode = WAL").fetchone()
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(schema)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._lock, self._told():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing."""
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def wipe(self) -> None:
        """Leave no byte of what was deleted in the log of SQLite."""
        with self._lock, self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def damaged(self, what: str) -> WorkspaceError:
        """The error that says what the file holds and should not."""
        return WorkspaceError(
            f"{self._path} holds {what}; it holds nothing of its own: run: aegle reindex"
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_SHMSIZE":
                raise WorkspaceError(
                    f"the disk is full: the last change to {self._path} was not made; free some "
                    "space and run the command again"
                ) from error
            raise WorkspaceError(
                f"{self._path} is damaged or can't be used ({name}); it holds nothing of its own: "
                "run: aegle reindex"
            ) from error
