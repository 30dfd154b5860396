"""Files -> de-identified corpus -> facts -> index and graph, batch by batch, safe to interrupt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.pack import Recogniser
from aegle.core.ports import Progress
from aegle.core.records import Document, RawDocument, Stored
from aegle.corpus.clean import clean
from aegle.corpus.redact import redact
from aegle.flows import tokens, versions
from aegle.flows.carry import Carried, known_in
from aegle.flows.derive import derive, index_stored
from aegle.flows.holding import Ended, Met
from aegle.flows.kit import Kit
from aegle.flows.patients import Patients
from aegle.flows.settle import settle
from aegle.sources import STDIN, FileDone, Got, Limits, Refused, read

_BATCH_DOCUMENTS: Final = 400
_BATCH_CHARACTERS: Final = 1_000_000


@dataclass(slots=True)
class Batch:
    """Documents that are stored together, and the files that end with them."""

    documents: dict[str, Document] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    met: list[Met] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: set[tuple[str, str, str]] = field(default_factory=set)
    ended: list[Ended] = field(default_factory=list)
    characters: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to store the batch."""
        return len(self.documents) >= _BATCH_DOCUMENTS or self.characters >= _BATCH_CHARACTERS


def prepare(
    kit: Kit, raw: RawDocument, *, earlier: bool = False
) -> tuple[Document, dict[str, Any], Sequence[tuple[str, str, str]]]:
    """Clean and redact one document; with its redaction account and aliases.

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
        sight=kit.sights.get(domain),
    )
    shown = {name: value for name, value in asdict(account).items() if name != "aliases"}
    return document, shown, account.aliases


def _known(kit: Kit, raw: RawDocument) -> Callable[[list[str]], set[str]] | None:
    vault = kit.vault
    return known_in(raw, group=vault.group, digest=vault.digest, lookup=kit.ledger.lookup)


def _recognisers(kit: Kit, domain: str) -> Sequence[Recogniser]:
    """Those of the domain's pack, which names the neutral ones that it wants."""
    return kit.recognisers[domain if domain in kit.recognisers else "general"]


def _store(kit: Kit, batch: Batch) -> None:
    """Store a batch; documents that say something else than before wait for `settle`.

    Taking them out of index and graph rewrites both, which is done once a run.
    """
    ids = list(batch.stored)
    with kit.lock:
        if ids:
            changed = _changed(kit, batch)
            # What is stored must have a file that holds it, also when a crash comes between.
            kit.ledger.record(batch.met, batch.accounts, sorted(batch.aliases))
            kit.ledger.note_made_by(versions.current(kit))
            kit.corpus.put(list(batch.stored.values()))
            fresh = [one for one in ids if one not in changed]
            index_stored(kit, [batch.stored[one] for one in fresh])
            kit.ledger.finish(fresh)
        for ended in batch.ended:
            kit.ledger.file_done(ended)


def _changed(kit: Kit, batch: Batch) -> set[str]:
    """Documents of a batch whose chunks or facts are not those that are stored."""
    return {
        one.document.id
        for one in kit.corpus.scan(list(batch.stored))
        if (one.chunks, one.facts)
        != (batch.stored[one.document.id].chunks, batch.stored[one.document.id].facts)
    }


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
        self.carried = Carried(kit.vault.group)
        self.patients = Patients(kit.ledger.names, kit.vault, self.carried.merge)
        self.started = time.time()
        self.sha256, self.reading = "", kit.ledger.last_reading()
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

    def begins(self, sha256: str) -> None:
        """A file's content, told before its documents come."""
        self.sha256 = sha256
        self.reading += 1

    def _document(self, event: Got) -> None:
        marks = self._marks(event.document)
        raw, names = self.patients.join(event.document)
        raw = self.carried.add(raw)
        document, account, aliases = prepare(self.kit, raw, earlier=self.earlier)
        ledger = self.kit.ledger
        gone = ledger.withheld(marks) or ledger.forgotten([document.id])
        if gone and not self.restore:
            ledger.names.take_back(names)
            self.counts["forgotten"] += 1
            return
        self.counts["documents"] += 1
        self.batch.documents[document.id] = document
        self.batch.met.append(Met(document.id, self.sha256, event.path, self.reading, marks))
        self.batch.accounts[document.id] = account
        self.batch.aliases.update(aliases)
        self.batch.characters += len(document.text)

    def _marks(self, raw: RawDocument) -> tuple[str, ...]:
        """What tells a document again: its text, and whose it is in this very file."""
        vault, group = self.kit.vault, raw.group.reveal()
        return vault.mark(raw.kind, group, raw.text.reveal()), vault.mark(self.sha256, group)

    def _file(self, event: FileDone) -> None:
        self.counts["files"] += 1
        self.counts["bytes"] += event.size_bytes
        ledger = self.kit.ledger
        if event.skipped:
            self.counts["skipped"] += 1
            if ledger.known(event.path, event.sha256):
                return
        former = ledger.release(event.path, before=self.started)
        for refused in self.refused:
            ledger.refuse(refused.path, refused.reason)
        self.refused = []
        if event.skipped or event.documents or not event.refused:
            self.batch.ended.append(
                Ended(
                    event.path,
                    event.sha256,
                    event.size_bytes,
                    None if event.skipped else event.documents,
                    0 if event.skipped else self.reading,
                    # Of a file that can be read less far than before nothing is given up.
                    replaces=event.refused <= former,
                    stream=event.path == STDIN,
                )
            )

    def flush(self) -> None:
        """Chunk and extract the batch; store it in the background, after the one before it."""
        batch, self.batch = self.batch, Batch()
        for one in derive(self.kit, list(batch.documents.values())):
            batch.stored[one.document.id] = one
            self.counts["chunks"] += len(one.chunks)
            self.counts["entities"] += len(one.facts.entities)
            self.counts["relations"] += len(one.facts.relations)
        self.wait()
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
    forgotten stays forgotten, unless ``restore``. What can't be read goes to quarantine. What a
    file held before and holds no more is removed, unless another file holds it; the documents of a
    file that is not there any more stay.
    ``spool`` is a file with what ``-`` (standard input) stands for.

    Returns:
        Counts of this run (files, documents, quarantined, chunks, entities, relations, bytes,
        skipped, forgotten) and its seconds.
    """
    started = time.perf_counter()
    if kit.settings.redact.override_reason:
        kit.ledger.audit("redact.override", reason=kit.settings.redact.override_reason)
    kit.encoder  # noqa: B018 - opened here, so that its download has a bar of its own
    tokens.ready(kit)
    with kit.filling:
        counts = _fill(kit, paths, again=again, restore=restore, spool=spool, progress=progress)
    return {**counts, "seconds": round(time.perf_counter() - started, 3)}


def _fill(
    kit: Kit, paths: Sequence[str], *, again: bool, restore: bool, spool: str, progress: Progress
) -> dict[str, int]:
    run = _Run(kit, progress, restore=restore)

    def seen(sha256: str) -> bool:
        run.begins(sha256)
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
    settle(kit)
    return run.counts


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
