"""The review queue: which sentences a person is asked about, and what they decided. SQLite.

It keeps places in documents, never their text, so that what is forgotten is nowhere in it. An item
is known by the hash of its place: adding it again changes nothing, and a decision is kept once.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegle.core.errors import NotFoundError, UsageError, WorkspaceError
from aegle.core.records import content_id

Labels = tuple[tuple[int, int, str], ...]
"""Characters [start, end) of a sentence, and what they name; in order."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS items (
  id TEXT PRIMARY KEY, document TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
  suggested TEXT NOT NULL, score REAL NOT NULL, place INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
  id TEXT PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE, labels TEXT NOT NULL,
  who TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_document ON items (document);
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A sentence to be looked at: characters [start, end) of a document.

    Attributes:
        suggested: what a model sees in it, by characters of the sentence.
        score: how unsure the model is, in [0, 1].
    """

    document: str
    start: int
    end: int
    suggested: Labels
    score: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"an item needs 0 <= start < end, got [{self.start}, {self.end})")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score lies in [0, 1], got {self.score}")
        checked(self.suggested, self.end - self.start)

    @property
    def id(self) -> str:
        """The hash of its place."""
        return content_id(self.document, str(self.start), str(self.end))


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person said of an item."""

    item: Item
    labels: Labels
    who: str
    at: float


def checked(labels: Sequence[tuple[int, int, str]], length: int) -> Labels:
    """Labels in order, all within a sentence of ``length`` characters, none across another.

    Raises:
        UsageError: one that is not.
    """
    told = tuple(sorted((int(s), int(e), str(kind)) for s, e, kind in labels))
    behind = 0
    for start, end, kind in told:
        if not behind <= start < end <= length or not kind.strip():
            raise UsageError(
                f"a label is START:END:TYPE within 0 and {length} and across no other, "
                f"got {start}:{end}:{kind}"
            )
        behind = end
    return told


class ReviewQueue:
    """A queue in a file. Writes are transactions: killed at any time, it is whole.

    Args:
        path: the file; made when missing.

    Raises:
        WorkspaceError: the file is no queue.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise WorkspaceError(
                f"{path.name} is no review queue of this version; move it away and try again"
            ) from error

    def close(self) -> None:
        """Let go of the file; calling it twice is harmless."""
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, items: Sequence[Item]) -> int:
        """Queue items in the order given, behind those that wait; how many are new.

        An item that waits already gets the new suggestion; one that was decided stays as it is.
        """
        new = 0
        with self._write() as db:
            last = db.execute("SELECT coalesce(max(place), -1) FROM items").fetchone()[0]
            for one in items:
                row = (one.id, one.document, one.start, one.end)
                told = (json.dumps(one.suggested), one.score)
                known = db.execute("SELECT 1 FROM items WHERE id = ?", (one.id,)).fetchone()
                if known is None:
                    new += 1
                    db.execute(
                        "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, *told, last + new)
                    )
                else:
                    db.execute(
                        "UPDATE items SET suggested = ?, score = ? WHERE id = ? "
                        "AND id NOT IN (SELECT id FROM decisions)",
                        (*told, one.id),
                    )
        return new

    def waiting(self, most: int) -> list[Item]:
        """Items that nobody decided, in the order they were queued."""
        rows = self._db.execute(
            "SELECT document, start, stop, suggested, score FROM items "
            "WHERE id NOT IN (SELECT id FROM decisions) ORDER BY place LIMIT ?",
            (most,),
        )
        return [_item(*row) for row in rows]

    def get(self, id: str) -> Item:
        """The item of an id.

        Raises:
            NotFoundError: there is none.
        """
        row = self._db.execute(
            "SELECT document, start, stop, suggested, score FROM items WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"no item {id!r} in the queue; see: aegle review next")
        return _item(*row)

    def decide(self, id: str, labels: Sequence[tuple[int, int, str]], *, who: str = "") -> bool:
        """Keep what a person said of an item; whether that is new or other than before.

        Raises:
            NotFoundError: no such item.
            UsageError: a label that does not lie in its sentence.
        """
        item = self.get(id)
        told = json.dumps(checked(labels, item.end - item.start))
        with self._write() as db:
            before = db.execute("SELECT labels FROM decisions WHERE id = ?", (id,)).fetchone()
            if before is not None and before[0] == told:
                return False
            db.execute(
                "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)", (id, told, who, time.time())
            )
        return True

    def decided(self) -> list[Decided]:
        """Every decision, in the order of the queue."""
        rows = self._db.execute(
            "SELECT document, start, stop, suggested, score, labels, who, at FROM items "
            "JOIN decisions USING (id) ORDER BY place"
        )
        return [
            Decided(_item(*row[:5]), _labels(row[5]), str(row[6]), float(row[7])) for row in rows
        ]

    def documents(self) -> set[str]:
        """Ids of the documents that items point into."""
        return {row[0] for row in self._db.execute("SELECT DISTINCT document FROM items")}

    def known(self) -> set[str]:
        """Ids of all items, decided or not."""
        return {row[0] for row in self._db.execute("SELECT id FROM items")}

    def remove(self, documents: Sequence[str]) -> int:
        """Remove the items of some documents with what was decided of them; how many there were."""
        with self._write() as db:
            return sum(
                db.execute("DELETE FROM items WHERE document = ?", (one,)).rowcount
                for one in documents
            )

    def counts(self) -> dict[str, int]:
        """How many wait, and how many are decided."""
        every = self._db.execute("SELECT count(*) FROM items").fetchone()[0]
        done = self._db.execute("SELECT count(*) FROM decisions").fetchone()[0]
        return {"waiting": every - done, "decided": done}


def _labels(told: str) -> Labels:
    return tuple((int(s), int(e), str(kind)) for s, e, kind in json.loads(told))


def _item(document: str, start: int, end: int, suggested: str, score: float) -> Item:
    return Item(document, start, end, _labels(suggested), score)
