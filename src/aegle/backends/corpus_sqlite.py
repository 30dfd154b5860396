"""The corpus store on SQLite: documents, chunks and facts in one file, the source of truth.

A record is one JSON array in a row, positions as in `core.records`; the schema version in
``user_version`` changes with them. Deleted content is overwritten (``secure_delete``), and `remove`
also rewrites the file, because a rebalanced page may keep a copy of a moved row in its slack.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import BackendError, WorkspaceBusyError, WorkspaceError
from aegle.core.records import (
    Chunk,
    Concept,
    Document,
    Edit,
    Entity,
    Facts,
    Link,
    Mention,
    Relation,
    Stored,
)
from aegle.core.text import RawText, SafeText

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE documents (
    id TEXT PRIMARY KEY, grp TEXT NOT NULL, domain TEXT NOT NULL, kind TEXT NOT NULL,
    num_bytes INTEGER NOT NULL, num_chunks INTEGER NOT NULL,
    num_entities INTEGER NOT NULL, num_relations INTEGER NOT NULL,
    record BLOB NOT NULL, facts BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX documents_of_group ON documents (grp, id);
CREATE TABLE chunks (
    id TEXT PRIMARY KEY,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, record BLOB NOT NULL);
CREATE INDEX chunks_of_document ON chunks (document_id, start, id);
"""

_BATCH: Final = 500
"""How many ids go into one query, and how many documents `scan` reads at once is a tenth of it."""

_LINK = attrgetter("head", "tail", "type", "time")
_EDIT = attrgetter("start", "end", "raw_start", "raw_end", "kind")
_CHUNK = attrgetter(*Chunk.__slots__)
_RELATION = attrgetter(*Relation.__slots__)


class SqliteCorpus:
    """A `CorpusStore` in the SQLite file ``path``; safe to use from several threads.

    Args:
        path: the database file, made with its folder when absent.
        wait_s: how long to wait for another process that writes.

    Raises:
        WorkspaceError: the file is damaged, made by a newer Aegle, or can't be written.
        WorkspaceBusyError: another process kept it locked for longer than ``wait_s``.
    """

    def __init__(self, path: Path, *, wait_s: float = 30.0) -> None:
        self._path = Path(path)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        with self._errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self._path, timeout=wait_s, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
        self._db = db

    def put(self, batch: Sequence[Stored]) -> None:
        """Store a batch in one transaction; what a document said before is replaced."""
        last = {stored.document.id: stored for stored in batch}
        rows = [_document_row(stored) for stored in last.values()]
        with self._writing() as db:
            db.executemany("DELETE FROM documents WHERE id = ?", [(row[0],) for row in rows])
            db.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                (
                    (chunk.id, stored.document.id, chunk.start, _dump(_CHUNK(chunk)))
                    for stored in last.values()
                    for chunk in stored.chunks
                ),
            )

    def get(self, document_ids: Sequence[str]) -> list[Document]:
        """The documents that exist, in the order asked for."""
        rows = self._by_id("SELECT id, record FROM documents WHERE id IN", document_ids)
        with self._errors():
            return [_document(_parse(rows[i])) for i in document_ids if i in rows]

    def chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist, in the order asked for."""
        rows = self._by_id("SELECT id, record FROM chunks WHERE id IN", chunk_ids)
        with self._errors():
            return [_chunk(_parse(rows[i])) for i in chunk_ids if i in rows]

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents with all that came of them, leaving no byte behind; how many existed.

        The whole file is rewritten, so remove many documents in one call.
        """
        with self._lock:
            with self._writing() as db:
                removed = sum(
                    db.execute("DELETE FROM documents WHERE id = ?", (document_id,)).rowcount
                    for document_id in dict.fromkeys(document_ids)
                )
            if removed:
                with self._errors():
                    db.execute("VACUUM")
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return removed

    def scan(
        self, document_ids: Sequence[str] | None = None, *, group: str | None = None
    ) -> Iterator[Stored]:
        """Documents with all that was made of them, in the order of their ids; all for None.

        It holds no lock between documents: what is put or removed meanwhile may be seen or not.
        """
        if document_ids is not None:
            for ids in _slices(sorted(set(document_ids))):
                yield from self._stored(f"id IN {_marks(ids)}", ids, group)
            return
        last = ""
        while True:
            found = list(self._stored("id > ?", [last], group, limit=_BATCH // 10))
            yield from found
            if not found:
                return
            last = found[-1].document.id

    def _stored(
        self, where: str, values: Sequence[object], group: str | None, *, limit: int = -1
    ) -> Iterator[Stored]:
        of_group = "" if group is None else "AND grp = ?"
        rows = self._rows(
            f"SELECT id, record, facts FROM documents WHERE {where} {of_group} "  # noqa: S608 only placeholders are put in
            "ORDER BY id LIMIT ?",
            [*values, *([] if group is None else [group]), limit],
        )
        chunks = self._chunks_of([row[0] for row in rows])
        for document_id, record, facts in rows:
            with self._errors():
                document, said = _document(_parse(record)), _facts(_parse(facts))
            yield Stored(document, tuple(chunks.get(document_id, ())), said)

    def _chunks_of(self, document_ids: Sequence[str]) -> dict[str, list[Chunk]]:
        """The chunks of each document that has some, in the order of the text."""
        found: dict[str, list[Chunk]] = {}
        query = "SELECT record FROM chunks WHERE document_id IN {} ORDER BY document_id, start, id"
        for ids in _slices(document_ids):
            rows = self._rows(query.format(_marks(ids)), ids)
            with self._errors():
                for row in rows:
                    chunk = _chunk(_parse(row[0]))
                    found.setdefault(chunk.document_id, []).append(chunk)
        return found

    def counts(self) -> dict[str, int]:
        """How many documents, chunks, entities, relations, bytes of text and groups are stored.

        ``kind.note`` and ``domain.healthcare`` count the documents of each kind and domain.
        """
        totals = self._rows(
            "SELECT count(*), total(num_chunks), total(num_entities), total(num_relations), "
            "total(num_bytes), count(DISTINCT nullif(grp, '')) FROM documents"
        )[0]
        names = ("documents", "chunks", "entities", "relations", "bytes", "groups")
        counts = {name: int(n) for name, n in zip(names, totals, strict=True)}
        for column in ("kind", "domain"):
            query = f"SELECT {column}, count(*) FROM documents GROUP BY 1 ORDER BY 1"  # noqa: S608 the two names are above
            counts |= {f"{column}.{name}": n for name, n in self._rows(query)}
        return counts

    def close(self) -> None:
        """Let go; calling it twice is harmless."""
        with self._lock:
            if self._db is not None:
                db, self._db = self._db, None
                db.close()

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self._path} has corpus schema {version}, this Aegle knows {SCHEMA_VERSION}; "
                "open it with the newer version that wrote it"
            )
        db.execute("PRAGMA journal_mode = WAL").fetchone()
        # With WAL a killed process loses nothing; only a power cut may lose the last batch, whose
        # sources are then read again.
        db.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            script = f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            db.executescript(script)

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise BackendError(f"the corpus {self._path} is closed; open it again")
        return self._db

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._errors():
            return self._connection().execute(query, values).fetchall()

    def _by_id(self, query: str, ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for some in _slices(ids):
            found.update(self._rows(f"{query} {_marks(some)}", some))
        return found

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._lock, self._errors():
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate SQLite's errors, whose messages name no content but could."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error
        except (ValueError, TypeError, IndexError) as error:
            raise WorkspaceError(
                f"{self._path} holds a record that can't be read ({type(error).__name__}); "
                "restore the corpus from a copy, or remove it and ingest again"
            ) from None
        except OSError as error:
            raise WorkspaceError(
                f"{self._path} can't be opened ({type(error).__name__}); "
                "check that the folder exists and can be written"
            ) from error

    def _translated(self, error: sqlite3.DatabaseError) -> WorkspaceError | BackendError:
        # The low byte is the primary code: https://sqlite.org/rescode.html
        whole = getattr(error, "sqlite_errorcode", None) or 0
        code = whole & 0xFF
        if code == sqlite3.SQLITE_FULL or whole == sqlite3.SQLITE_IOERR_SHMSIZE:
            return WorkspaceError(
                f"the disk is full: the last change to {self._path} was not made, what was there "
                "is unchanged; free some space and run the command again"
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return WorkspaceError(
                f"{self._path} is damaged; restore it from a copy, or remove it and ingest again"
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return WorkspaceBusyError(
                f"another process is writing {self._path}; wait until it is done and run again"
            )
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            return WorkspaceError(
                f"{self._path} can't be read or written; check the disk and the permissions of "
                "its folder"
            )
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return BackendError(f"SQLite refused an operation on {self._path} ({name})")


def _slices(ids: Sequence[str]) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(ids))
    return (unique[i : i + _BATCH] for i in range(0, len(unique), _BATCH))


def _marks(ids: Sequence[str]) -> str:
    return f"({', '.join('?' * len(ids))})"


def _dump(value: object) -> bytes:
    # A lone surrogate can come out of a badly decoded file; it must survive the round trip.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _parse(blob: bytes) -> Any:
    return json.loads(blob.decode("utf-8", "surrogatepass"))


def _safe(text: str) -> SafeText:
    return SafeText(text, by="corpus")


def _document_row(stored: Stored) -> tuple[Any, ...]:
    doc, facts = stored.document, stored.facts
    for chunk in stored.chunks:
        if chunk.document_id != doc.id:
            raise BackendError(
                f"document {doc.id} was given a chunk of document {chunk.document_id}"
            )
    record = (
        *(doc.id, doc.kind, doc.domain, doc.text, doc.title, doc.group, doc.time, doc.source_id),
        [_mention_row(mention) for mention in doc.mentions],
        [_LINK(link) for link in doc.links],
        [_EDIT(edit) for edit in doc.edits],
        dict(doc.meta),
    )
    said = ([_entity_row(e) for e in facts.entities], [_RELATION(r) for r in facts.relations])
    size = len(doc.text.encode("utf-8", "surrogatepass"))
    return (
        *(doc.id, doc.group, doc.domain, doc.kind, size, len(stored.chunks)),
        *(len(facts.entities), len(facts.relations), _dump(record), _dump(said)),
    )


def _concept_rows(concepts: Iterable[Concept]) -> list[tuple[str, str, str]]:
    return [(concept.system, concept.code, concept.name) for concept in concepts]


def _mention_row(m: Mention) -> tuple[Any, ...]:
    # In a Document a ref is a pseudonym already: `corpus.redact` made it one.
    ref = None if m.ref is None else m.ref.reveal()
    return (m.start, m.end, m.type, _concept_rows(m.concepts), m.assertion, m.time, ref)


def _entity_row(e: Entity) -> tuple[Any, ...]:
    head = (e.id, e.document_id, e.start, e.end, e.text, e.type, e.key, e.assertion)
    return (*head, _concept_rows(e.concepts), e.score, e.time, e.extractor)


def _concepts(rows: list[list[str]]) -> tuple[Concept, ...]:
    return tuple(Concept(*row) for row in rows)


def _mention(row: list[Any]) -> Mention:
    ref = None if row[6] is None else RawText(row[6])
    return Mention(row[0], row[1], row[2], _concepts(row[3]), row[4], row[5], ref)


def _document(row: list[Any]) -> Document:
    id_, kind, domain, text, title, group, time, source_id, mentions, links, edits, meta = row
    return Document(
        id=id_,
        kind=kind,
        domain=domain,
        text=_safe(text),
        title=_safe(title),
        group=group,
        time=time,
        source_id=source_id,
        mentions=tuple(_mention(mention) for mention in mentions),
        links=tuple(Link(*link) for link in links),
        edits=tuple(Edit(*edit) for edit in edits),
        meta={key: _safe(value) for key, value in meta.items()},
    )


def _chunk(row: list[Any]) -> Chunk:
    id_, document_id, start, end, text, title, kind, domain, group, time = row
    safe, heading = _safe(text), _safe(title)
    return Chunk(id_, document_id, start, end, safe, heading, kind, domain, group, time)


def _entity(row: list[Any]) -> Entity:
    id_, document_id, start, end, text, type_, key, assertion, concepts, score, time, by = row
    head = (id_, document_id, start, end, _safe(text), type_, key, assertion)
    return Entity(*head, _concepts(concepts), score, time, by)


def _facts(row: list[Any]) -> Facts:
    entities, relations = row
    return Facts(
        tuple(_entity(entity) for entity in entities),
        tuple(Relation(*relation) for relation in relations),
    )
