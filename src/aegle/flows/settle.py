"""Makes whole what a run or a crash left half done: documents to move, to index, to remove.

The ledger says what; every step can be repeated, so it does not matter where the last one broke
off. Index, names, token vectors and graph are rewritten once for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aegle.core import observe
from aegle.core.records import Document, Stored
from aegle.corpus.redact import regroup
from aegle.flows import naming, tokens, versions
from aegle.flows.derive import derive, index_stored
from aegle.flows.kit import Kit

_BATCH: Final = 400


def repair(kit: Kit) -> int:
    """Finish what a crash left half done; returns how many documents were looked at.

    While documents are read in, there is nothing to repair: the run does it at its end.
    """
    if not kit.filling.acquire(blocking=False):
        return 0
    try:
        count = settle(kit)
    finally:
        kit.filling.release()
    if count:
        observe.event("repair", level="warning", documents=count)
    return count


def settle(kit: Kit) -> int:
    """Move, remove and index what the ledger names; returns how many documents that were."""
    with kit.lock:
        for former, group in kit.ledger.names.moves().items():
            _move(kit, former, group)
        waiting, retired = kit.ledger.pending(), kit.ledger.retired()
        ids = sorted({*waiting, *retired})
        if ids:
            kit.graph_changed()
            kit.index.remove(ids)
            naming.remove(kit, ids)
            tokens.remove(kit, ids)
            kit.graph.retract(ids)
            remove(kit, retired)
            lost = set(waiting)
            for batch in in_batches(kit.corpus.scan(waiting)):
                index_stored(kit, batch)
                lost -= {stored.document.id for stored in batch}
            kit.ledger.drop(sorted(lost), [])  # noted, but never stored
            kit.ledger.finish(waiting)
    return len(ids)


def remove(kit: Kit, document_ids: Sequence[str]) -> None:
    """Remove documents that no file holds from the corpus and the ledger."""
    if document_ids:
        groups = {one.group for one in kit.corpus.get(document_ids) if one.group}
        # The rows of a group go first: afterwards nothing tells which groups there were.
        kit.ledger.drop([], without_documents(kit, groups, but=document_ids))
        kit.corpus.remove(document_ids)
        kit.ledger.drop(document_ids, [])


def without_documents(kit: Kit, groups: Iterable[str], *, but: Sequence[str]) -> list[str]:
    """Those of some groups that have no documents but some that are going."""
    going = set(but)
    return [
        one
        for one in sorted(groups)
        if all(stored.document.id in going for stored in kit.corpus.scan(group=one))
    ]


def _move(kit: Kit, former: str, group: str) -> None:
    """Give the documents of a group, and those that speak of it, the group that it was joined to.

    The new ones are stored before the old ones are retired.
    """
    renamed = kit.ledger.names.renamed(former, group)
    spoken = {edge.document_id for edge in kit.graph.edges([former])}
    ids = spoken | {stored.document.id for stored in kit.corpus.scan(group=former)}
    ids -= set(kit.ledger.retired())  # what is forgotten must not come back as another
    for batch in in_batches(kit.corpus.scan(sorted(ids))):
        moved: dict[str, Document] = {}
        for stored in batch:
            account = kit.ledger.account(stored.document.id)
            moved[stored.document.id] = regroup(
                stored.document,
                former=former,
                group=group,
                vault=kit.vault,
                renamed=renamed,
                shift_dates=not {"all", "date"} & set(account.get("keeps", ())),
            )
        made = dict(zip(moved, derive(kit, list(moved.values())), strict=True))
        became = {old: new.document.id for old, new in made.items()}
        kit.ledger.adopt(became)
        kit.ledger.note_made_by(versions.current(kit))
        kit.corpus.put(list(made.values()))
        kit.ledger.replaced([old for old, new in became.items() if old != new])
    kit.ledger.names.moved(former, group)


def in_batches(stored: Iterator[Stored]) -> Iterator[list[Stored]]:
    """Documents, as many at a time as are indexed together."""
    batch: list[Stored] = []
    for one in stored:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
