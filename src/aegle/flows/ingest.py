"""Files -> de-identified corpus -> facts -> index and graph, batch by batch, safe to interrupt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core import observe
from aegle.core.errors import InputError
from aegle.core.pack import Recogniser
from aegle.core.ports import Progress
from aegle.core.records import Document, RawDocument, Stored
from aegle.corpus.chunk import chunk
from aegle.corpus.clean import clean
from aegle.corpus.meaning import meaning
from aegle.corpus.redact import redact
from aegle.facts.extract import extract
from aegle.flows.carry import Carried, known_in
from aegle.flows.kit import Kit
from aegle.graph.build import build
from aegle.sources import FileDone, Got, Limits, Refused, read

_BATCH_DOCUMENTS: Final = 400
_BATCH_CHARACTERS: Final = 1_000_000


@dataclass(slots=True)
class Batch:
    """Documents that are stored together, and the files that end with them."""

    stored: dict[str, Stored] = field(default_factory=dict)
    came_from: list[tuple[str, str]] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: set[tuple[str, str, str]] = field(default_factory=set)
    ended: list[FileDone] = field(default_factory=list)
    characters: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to store the batch."""
        return len(self.stored) >= _BATCH_DOCUMENTS or self.characters >= _BATCH_CHARACTERS


def prepare(
    kit: Kit, raw: RawDocument, *, earlier: bool = False
) -> tuple[Stored, dict[str, Any], Sequence[tuple[str, str, str]]]:
    """Clean, redact, chunk and extract one document; with its redaction account and aliases.

    ``earlier``: the ledger is asked what was replaced in earlier documents of the same patient.
    """
    cleaned, edits = clean(raw)
    domain = raw.domain if raw.domain in kit.packs else "general"
    document, account = redact(
        cleaned,
        recognisers=_recognisers(kit, domain),
        policy=kit.policies[domain],
        vault=kit.vault,
        edits=edits,
        known=_known(kit, raw) if earlier else None,
    )
    chunks = chunk(
        document,
        budget=kit.settings.chunks.budget,
        overlap=kit.settings.chunks.overlap,
        count=kit.encoder.count,
    )
    facts = facts_of(kit, document)
    shown = {name: value for name, value in asdict(account).items() if name != "aliases"}
    return Stored(document, chunks, facts), shown, account.aliases


def _known(kit: Kit, raw: RawDocument) -> Callable[[list[str]], set[str]] | None:
    vault = kit.vault
    return known_in(raw, group=vault.group, digest=vault.digest, lookup=kit.ledger.lookup)


def _recognisers(kit: Kit, domain: str) -> Sequence[Recogniser]:
    """Those of the domain's pack, which names the neutral ones that it wants."""
    return kit.recognisers[domain if domain in kit.recognisers else "general"]


def facts_of(kit: Kit, document: Document) -> Any:
    """The facts of one de-identified document, by the packs of its domain."""
    domain = document.domain if document.domain in kit.packs else "general"
    return extract(
        document,
        lexicons=kit.lexicons[domain],
        patterns=kit.patterns[domain],
        cues=kit.cues[domain],
        rules=kit.rules[domain],
    )


def index_stored(kit: Kit, batch: Sequence[Stored]) -> None:
    """Put documents into the index and the graph; doing it again changes nothing."""
    chunks = [chunk for stored in batch for chunk in stored.chunks]
    if chunks:
        texts = [meaning(chunk) for chunk in chunks]
        place = {text: n for n, text in enumerate(dict.fromkeys(texts))}
        vectors = kit.encoder.embed(list(place))
        kit.index.add(chunks, vectors[[place[text] for text in texts]])
    nodes, edges = build(batch)
    kit.graph.add(nodes, edges)
    kit.graph_changed()


def _store(kit: Kit, batch: Batch) -> None:
    ids = list(batch.stored)
    with kit.lock:
        if ids:
            kit.ledger.begin(ids)
            kit.corpus.put(list(batch.stored.values()))
            kit.ledger.record(batch.came_from, batch.accounts, sorted(batch.aliases))
            index_stored(kit, list(batch.stored.values()))
            kit.ledger.finish(ids)
        for done in batch.ended:
            kit.ledger.file_done(done.path, done.sha256, done.size_bytes, done.documents)


def repair(kit: Kit) -> int:
    """Finish what a crash left half done; returns how many documents were looked at."""
    ids = kit.ledger.pending()
    if not ids:
        return 0
    observe.event("repair", level="warning", documents=len(ids))
    known = {document.id for document in kit.corpus.get(ids)}
    gone = [document_id for document_id in ids if document_id not in known]
    if gone:
        kit.index.remove(gone)
        kit.graph.retract(gone)
        kit.graph_changed()
    if known:
        index_stored(kit, list(kit.corpus.scan(sorted(known))))
    kit.ledger.finish(ids)
    return len(ids)


class _Run:
    """One ingest: what has been read, what waits to be stored, what is being stored."""

    def __init__(self, kit: Kit, progress: Progress, *, restore: bool) -> None:
        self.kit, self.progress, self.restore = kit, progress, restore
        self.batch = Batch()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="aegle-store")
        self.running: Future[None] | None = None
        self.counts = dict.fromkeys(
            ("files", "documents", "quarantined", "chunks", "entities", "relations", "bytes"), 0
        )
        self.counts |= {"skipped": 0, "forgotten": 0}
        self.waiting: list[str] = []
        self.carried = Carried()
        # What a first run replaced is carried in memory; the ledger knows of earlier ones.
        self.earlier = kit.ledger.counts()["files"] > 0
        self.refused: list[Refused] = []

    def take(self, event: Got | Refused | FileDone) -> None:
        if isinstance(event, Got):
            self._document(event)
        elif isinstance(event, Refused):
            self.kit.ledger.refuse(event.path, event.reason)
            self.refused.append(event)
            self.counts["quarantined"] += 1
        else:
            self._file(event)
        if self.batch.full:
            self.flush()

    def _document(self, event: Got) -> None:
        stored, account, aliases = prepare(
            self.kit, self.carried.add(event.document), earlier=self.earlier
        )
        document = stored.document
        if self.kit.ledger.forgotten([document.id]) and not self.restore:
            self.counts["forgotten"] += 1
            return
        self.counts["documents"] += 1
        self.counts["chunks"] += len(stored.chunks)
        self.counts["entities"] += len(stored.facts.entities)
        self.counts["relations"] += len(stored.facts.relations)
        self.batch.stored[document.id] = stored
        self.batch.accounts[document.id] = account
        self.batch.aliases.update(aliases)
        self.batch.characters += len(document.text)
        self.waiting.append(document.id)

    def _file(self, event: FileDone) -> None:
        self.counts["files"] += 1
        self.counts["bytes"] += event.size_bytes
        if event.skipped:
            self.counts["skipped"] += 1
            return
        self.kit.ledger.release(event.path)
        for refused in self.refused:
            self.kit.ledger.refuse(refused.path, refused.reason)
        self.refused = []
        self.batch.came_from += [(document_id, event.sha256) for document_id in self.waiting]
        self.waiting = []
        if event.documents or not event.refused:
            self.batch.ended.append(event)

    def flush(self) -> None:
        """Store the batch in the background, after the one before it."""
        self.wait()
        batch, self.batch = self.batch, Batch()
        self.running = self.pool.submit(_store, self.kit, batch)

    def wait(self) -> None:
        if self.running is not None:
            running, self.running = self.running, None
            running.result()

    def close(self) -> None:
        self.pool.shutdown(wait=True)


def ingest(
    kit: Kit,
    paths: Sequence[str],
    *,
    again: bool = False,
    restore: bool = False,
    spool: str = "",
    progress: Progress,
) -> dict[str, Any]:
    """Read files, folders and globs into the workspace.

    A file that was read to its end before is skipped by its content, unless ``again``; what was
    forgotten stays forgotten, unless ``restore``. What can't be read goes to quarantine.
    ``spool`` is a file with what ``-`` (standard input) stands for.

    Returns:
        Counts of this run (files, documents, quarantined, chunks, entities, relations, bytes,
        skipped, forgotten) and its seconds.
    """
    started = time.perf_counter()
    if kit.settings.redact.override_reason:
        kit.ledger.audit("redact.override", reason=kit.settings.redact.override_reason)
    kit.encoder  # noqa: B018 - opened here, so that its download has a bar of its own
    run = _Run(kit, progress, restore=restore)

    def seen(sha256: str) -> bool:
        return not (again or restore) and kit.ledger.seen(sha256)

    try:
        with ExitStack() as stack:
            stdin = stack.enter_context(Path(spool).open("rb")) if spool else None
            for event in read(
                [str(path) for path in paths],
                kit.readers,
                limits=_limits(kit),
                seen=seen,
                progress=progress,
                stdin=stdin,
                skip=kit.layout.own,
            ):
                run.take(event)
        run.flush()
        run.wait()
    finally:
        run.close()
    return {**run.counts, "seconds": round(time.perf_counter() - started, 3)}


def read_only(kit: Kit, path: str, progress: Progress) -> Iterator[RawDocument]:
    """The documents of one file, for a look that stores nothing.

    Raises:
        InputError: the file, or a part of it, can't be read.
    """
    for event in read(
        [path], kit.readers, limits=_limits(kit), seen=lambda _: False, progress=progress
    ):
        if isinstance(event, Got):
            yield event.document
        elif isinstance(event, Refused):
            raise InputError(f"{event.path}: {event.reason}")


def _limits(kit: Kit) -> Limits:
    sources = kit.settings.sources
    return Limits(
        max_file_bytes=int(sources.max_file_mb * 1e6),
        max_text_bytes=int(sources.max_text_mb * 1e6),
        max_ratio=sources.max_ratio,
        max_members=sources.max_members,
    )
