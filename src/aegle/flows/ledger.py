"""What was read, refused, replaced, overridden and forgotten, and what is half done.

It holds paths and reasons, counts and keyed hashes; never a document's text. ``sources`` says in
which reading of which file a document was met last. What no file holds any more is ``retired``,
what must go into index and graph anew is ``pending``: `flows.settle` deals with both.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import WorkspaceError
from aegle.flows import holding, names

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quarantine (path TEXT PRIMARY KEY, reason TEXT, at REAL);
CREATE TABLE IF NOT EXISTS aliases (
  digest TEXT, grp TEXT, surrogate TEXT, PRIMARY KEY (digest, grp)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS redactions (document_id TEXT PRIMARY KEY, account TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (
  document_id TEXT PRIMARY KEY, at REAL, marks TEXT DEFAULT '') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
  document_id TEXT, mark TEXT, PRIMARY KEY (document_id, mark)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_by_mark ON marks (mark);
CREATE TABLE IF NOT EXISTS withheld (mark TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_by (versions TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (at REAL, action TEXT, detail TEXT);
"""

_SINCE: Final = (
    ("sources", "reading INTEGER DEFAULT 0"),
    ("forgotten", "marks TEXT DEFAULT ''"),
)
"""Columns that workspaces of the first version do not have."""

_FULL: Final = (
    "the disk is full: the last batch was not recorded; free some space and run the command "
    "again, it goes on where it stopped"
)


def _says_full(error: sqlite3.DatabaseError) -> bool:
    # SQLite maps its shared-memory file; that it can't grow is an I/O error of this kind.
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))


def _in_parts(values: Iterable[str], size: int = 500) -> Iterator[list[str]]:
    part: list[str] = []
    for value in values:
        part.append(value)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _drop(db: sqlite3.Connection, document_ids: Sequence[str], groups: Sequence[str]) -> None:
    for part in _in_parts(document_ids):
        for table in ("sources", "redactions", "pending", "retired", "marks"):
            db.execute(f"DELETE FROM {table} WHERE document_id IN ({_marks(part)})", part)  # noqa: S608 - constants
    for table in ("aliases", "names", "moves"):
        db.executemany(f"DELETE FROM {table} WHERE grp = ?", [(group,) for group in groups])  # noqa: S608 - constants


class Ledger:
    """The journal of a workspace in one SQLite file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA + holding.SCHEMA + names.SCHEMA)
            for table, column in _SINCE:
                told = self._db.execute(f"PRAGMA table_info({table})")
                if column.split()[0] not in {row[1] for row in told}:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        except sqlite3.DatabaseError as error:
            if _says_full(error):
                raise WorkspaceError(_FULL) from error
            raise WorkspaceError(
                f"{path} is damaged or unreadable ({error}); move it away and run `aegle ingest` "
                "again: documents already in the corpus stay"
            ) from error
        self.names = names.Names(self._write, self._rows)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and _says_full(error):
                    raise WorkspaceError(_FULL) from error
                raise

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # files and quarantine

    def seen(self, sha256: str) -> bool:
        """Whether a file of this content was read to its end, and no later reading broke off."""
        rows = self._rows(
            "SELECT 1 FROM files WHERE sha256 = ?1 "
            "AND NOT EXISTS (SELECT 1 FROM begun WHERE sha256 = ?1) LIMIT 1",
            (sha256,),
        )
        return bool(rows)

    def known(self, path: str, sha256: str) -> bool:
        """Whether the file of this path and content was read to its end."""
        sql = "SELECT 1 FROM files WHERE path = ? AND sha256 = ?"
        return bool(self._rows(sql, (path, sha256)))

    def last_reading(self) -> int:
        """The highest number of a reading so far."""
        return int(self._rows("SELECT coalesce(max(reading), 0) FROM sources")[0][0])

    def file_done(self, ended: holding.Ended) -> None:
        """Record that a file was read to its end, and retire what no file holds any more."""
        with self._write() as db:
            holding.end(db, ended)

    def refuse(self, path: str, reason: str) -> None:
        """Put a file, or a part of one, into quarantine."""
        with self._write() as db:
            row = (path, reason, time.time())
            db.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", row)

    def release(self, path: str, *, before: float) -> int:
        """Take a file and its parts out of quarantine; how many of them were there ``before``."""
        which = f"FROM quarantine WHERE {holding.UNDER}"
        with self._write() as db:
            count = f"SELECT count(*) {which} AND at < ?2"
            former = int(db.execute(count, (path, before)).fetchone()[0])
            db.execute(f"DELETE {which}", (path,))
        return former

    def quarantine(self) -> list[dict[str, str]]:
        """What could not be read, by path: ``path`` and ``reason``."""
        rows = self._rows("SELECT path, reason FROM quarantine ORDER BY path")
        return [{"path": path, "reason": reason} for path, reason in rows]

    # documents

    def begin(self, document_ids: Sequence[str]) -> None:
        """Note documents as half done, before the stores are touched."""
        with self._write() as db:
            rows = [(document_id,) for document_id in document_ids]
            db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", rows)

    def finish(self, document_ids: Sequence[str]) -> None:
        """Note documents as whole in every store."""
        with self._write() as db:
            rows = [(document_id,) for document_id in document_ids]
            db.executemany("DELETE FROM pending WHERE document_id = ?", rows)

    def pending(self) -> list[str]:
        """Documents that a crash may have left half done."""
        return [row[0] for row in self._rows("SELECT document_id FROM pending ORDER BY 1")]

    def record(
        self,
        met: Sequence[holding.Met],
        accounts: Mapping[str, Mapping[str, Any]],
        aliases: Iterable[tuple[str, str, str]],
    ) -> None:
        """Record where documents were met, their redaction accounts and aliases, before they are
        stored; until then they are half done.
        """
        marks = [(one.document_id, mark) for one in met for mark in one.marks]
        with self._write() as db:
            ids = [(one.document_id,) for one in met]
            db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", ids)
            holding.meet(db, met)
            db.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?)", marks)
            # What is stored is not forgotten any more, under whichever id it was.
            for document_id, mark in marks:
                db.execute("DELETE FROM forgotten WHERE document_id = ?", (document_id,))
                if db.execute("DELETE FROM withheld WHERE mark = ?", (mark,)).rowcount:
                    db.execute("DELETE FROM forgotten WHERE instr(marks, ?)", (mark,))
            rows = [(key, json.dumps(value, sort_keys=True)) for key, value in accounts.items()]
            db.executemany("INSERT OR REPLACE INTO redactions VALUES (?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", aliases)

    def adopt(self, ids: Mapping[str, str]) -> None:
        """Give a document's rows to what becomes of it, too (old id -> new id); it is half done."""
        with self._write() as db:
            for old, new in ids.items():
                db.execute("INSERT OR IGNORE INTO pending VALUES (?)", (new,))
                for table, rest in (
                    ("sources", "sha256, reading"),
                    ("redactions", "account"),
                    ("marks", "mark"),
                ):
                    db.execute(
                        f"INSERT OR IGNORE INTO {table} "  # noqa: S608 - constants
                        f"SELECT ?, {rest} FROM {table} WHERE document_id = ?",
                        (new, old),
                    )
                db.execute("DELETE FROM retired WHERE document_id = ?", (new,))

    def replaced(self, document_ids: Sequence[str]) -> None:
        """Retire documents whose rows were given to what became of them."""
        with self._write() as db:
            for old in document_ids:
                holding.release(db, "document_id = ?", (old,))

    def retired(self) -> list[str]:
        """Documents that no file holds any more, until they have left the stores."""
        return [row[0] for row in self._rows("SELECT document_id FROM retired ORDER BY 1")]

    def drop(self, document_ids: Sequence[str], groups: Sequence[str]) -> None:
        """Remove every row about documents that left the stores, and about groups without any."""
        with self._write() as db:
            _drop(db, document_ids, groups)
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Leave no byte of what was deleted in the log of SQLite."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def lookup(self, digests: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Keyed hashes of identifiers -> (group, surrogate) of each patient who has one."""
        found: dict[str, list[tuple[str, str]]] = {}
        for part in _in_parts(digests):
            sql = f"SELECT digest, grp, surrogate FROM aliases WHERE digest IN ({_marks(part)})"  # noqa: S608 - only placeholders are put in
            for digest, group, surrogate in self._rows(sql, part):
                found.setdefault(digest, []).append((group, surrogate))
        return found

    def account(self, document_id: str) -> dict[str, Any]:
        """The redaction account of a document; empty when there is none."""
        rows = self._rows("SELECT account FROM redactions WHERE document_id = ?", (document_id,))
        found: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
        return found

    def documents_of(self, path: str) -> list[str]:
        """Ids of the documents that came from a file, by its path."""
        rows = self._rows(
            "SELECT document_id FROM sources JOIN files USING (sha256) "  # noqa: S608 - constants
            "WHERE path = ?1 UNION "
            f"SELECT document_id FROM sources JOIN begun USING (sha256) WHERE {holding.UNDER} "
            "ORDER BY 1",
            (path,),
        )
        return [row[0] for row in rows]

    def forget(self, document_ids: Sequence[str], groups: Sequence[str]) -> None:
        """Remove every row about some documents, and the aliases of groups that are gone.

        A file that only held them loses its row. The ids stay as tombstones (content hashes), and
        so do the marks that only they had: reading the same file again does not bring them back,
        also when it is de-identified or laid out otherwise by then. Until they have left the stores
        they are retired, so that `settle` finishes what a crash leaves.
        """
        with self._write() as db:
            of_one = "SELECT mark FROM marks WHERE document_id = ?"
            marks = {one: {row[0] for row in db.execute(of_one, (one,))} for one in document_ids}
            _drop(db, document_ids, groups)
            db.executemany(
                "INSERT OR IGNORE INTO withheld "
                "SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM marks WHERE mark = ?1)",
                [(mark,) for mark in sorted(set().union(*marks.values()))],
            )
            held = "sha256 IN (SELECT sha256 FROM sources)"
            db.execute(f"DELETE FROM files WHERE documents > 0 AND NOT {held}")  # noqa: S608
            db.execute(f"DELETE FROM begun WHERE NOT {held}")  # noqa: S608 - constants
            rows = [(one, time.time(), " ".join(sorted(some))) for one, some in marks.items()]
            db.executemany("INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?)", rows)
            ids = [(one,) for one in document_ids]
            db.executemany("INSERT OR IGNORE INTO retired VALUES (?)", ids)
        self._checkpoint()

    def forgotten(self, document_ids: Sequence[str]) -> set[str]:
        """Which of some documents were forgotten."""
        found: set[str] = set()
        for part in _in_parts(document_ids):
            sql = f"SELECT document_id FROM forgotten WHERE document_id IN ({_marks(part)})"  # noqa: S608 - only placeholders are put in
            found |= {row[0] for row in self._rows(sql, part)}
        return found

    def withheld(self, marks: Sequence[str]) -> bool:
        """Whether one of these marks is that of a forgotten document."""
        sql = f"SELECT 1 FROM withheld WHERE mark IN ({_marks(marks)}) LIMIT 1"  # noqa: S608 - only placeholders are put in
        return bool(self._rows(sql, marks))

    # by what facts were made

    def made_by(self) -> list[str]:
        """The versions by which any fact of this workspace was made."""
        return [row[0] for row in self._rows("SELECT versions FROM made_by ORDER BY 1")]

    def note_made_by(self, versions: str, *, alone: bool = False) -> None:
        """Record that facts were made by these versions; ``alone``: all of them were."""
        with self._write() as db:
            if alone:
                db.execute("DELETE FROM made_by")
            db.execute("INSERT OR IGNORE INTO made_by VALUES (?)", (versions,))

    # counts and audit

    def audit(self, action: str, **detail: Any) -> None:
        """Record a decision that someone may have to answer for."""
        with self._write() as db:
            row = (time.time(), action, json.dumps(detail, sort_keys=True))
            db.execute("INSERT INTO audit VALUES (?, ?, ?)", row)

    def audits(self) -> list[dict[str, Any]]:
        """The audited decisions, oldest first."""
        rows = self._rows("SELECT at, action, detail FROM audit ORDER BY at")
        return [{"at": at, "action": action, **json.loads(detail)} for at, action, detail in rows]

    def redacted(self) -> dict[str, int]:
        """How many identifiers of each class were replaced, over all documents."""
        rows = self._rows(
            "SELECT key, sum(value) FROM redactions, json_each(account, '$.counts') "
            "GROUP BY key ORDER BY key"
        )
        return dict(rows)

    def counts(self) -> dict[str, int]:
        """How many different files were read, their bytes, and how many lie in quarantine."""
        files, size_bytes = self._rows(
            "SELECT count(*), coalesce(sum(size), 0) FROM "
            "(SELECT max(size_bytes) AS size FROM files GROUP BY sha256)"
        )[0]
        refused = self._rows("SELECT count(*) FROM quarantine")[0][0]
        forgotten = self._rows("SELECT count(*) FROM forgotten")[0][0]
        return {
            "files": files,
            "bytes": size_bytes,
            "quarantined": refused,
            "forgotten": forgotten,
        }
