"""What keeps a workspace healthy: forget, reindex."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aegle.core import observe
from aegle.core.errors import NotFoundError, UsageError, WorkspaceError
from aegle.core.ports import Progress
from aegle.core.records import Stored
from aegle.corpus import asked
from aegle.flows import naming, tokens, versions
from aegle.flows.derive import draw, facts_of_all, index_stored
from aegle.flows.kit import Kit
from aegle.flows.settle import in_batches, remove, without_documents

_GIVE: Final = (
    "give a patient's record number or full name and nothing else, a group such as "
    "patient:1a2b3c4d5e6f, a document id, or the path of a file that was read"
)


def ids_of(kit: Kit, group: str) -> list[str]:
    """Ids of a group's documents."""
    return [stored.document.id for stored in kit.corpus.scan(group=group)]


def targets(kit: Kit, what: str) -> list[str]:
    """Ids of the documents that a word names: an id, a path, a group, or one patient.

    Raises:
        NotFoundError: it names none.
        UsageError: it is no patient's own name or number, or several patients', yet charts bear it.
    """
    if kit.corpus.get([what]):
        return [what]
    ids = kit.ledger.documents_of(str(Path(what).absolute())) or ids_of(kit, what)
    if ids:
        return ids
    numbers = asked.own_numbers(what, kit.vault)
    groups = {group for one in numbers for group in kit.ledger.names.of(one).values()}
    if not groups:
        groups = asked.patients_named(what, vault=kit.vault, lookup=kit.ledger.lookup)
    if len(groups) == 1:
        ids = ids_of(kit, *groups)
    if ids:
        return ids
    if len(groups) > 1:
        raise UsageError(f"{len(groups)} patients of this workspace bear it: {_GIVE}")
    charts = asked.charts_bearing(what, vault=kit.vault, lookup=kit.ledger.lookup)
    if charts:
        raise UsageError(
            f"it stands in {charts} chart{'s' * (charts > 1)}, but is no patient's own name or "
            f"record number: {_GIVE}"
        )
    raise NotFoundError(f"nothing to forget: {_GIVE}")


def forget(kit: Kit, what: str) -> dict[str, Any]:
    """Remove documents from every store and the journal, leaving no text, vector or edge.

    The ids stay as tombstones, so that the same files do not bring them back.
    """
    with kit.lock:
        ids = targets(kit, what)
        groups = {one.group for one in kit.corpus.get(ids) if one.group}
        gone = without_documents(kit, groups, but=ids)
        # From here on it is decided: what a crash leaves undone, `settle` does.
        kit.ledger.forget(ids, gone)
        kit.ledger.audit("forget", documents=len(ids), groups=len(gone))
        kit.graph_changed()
        kit.index.remove(ids)
        naming.remove(kit, ids)
        tokens.remove(kit, ids)
        kit.graph.retract(ids)
        remove(kit, ids)
    observe.event("forget", documents=len(ids))
    return {"documents": len(ids), "document_ids": ids, "groups": gone}


def reindex(kit: Kit, *, progress: Progress) -> dict[str, Any]:
    """Build index, names, token vectors and graph anew from the corpus, which is the truth.

    Facts that other versions made are made again from the stored text first; then all but the
    graph, which rest on chunks alone, stay as they are if they are whole and as the settings say.
    """
    with kit.lock:
        old = bool(versions.former(kit))
        same = versions.encoders(kit) == {versions.encoder(kit)}
        whole = _index_is_whole(kit) and naming.is_whole(kit) and tokens.is_whole(kit)
        keep = old and same and whole
        kit.drop("graph", *(() if keep else ("index", "names")))
        for folder in (kit.layout.graph, *(() if keep else (kit.layout.index,))):
            shutil.rmtree(folder, ignore_errors=True)
            folder.unlink(missing_ok=True) if folder.is_file() else None
        if not keep:
            naming.unlink(kit.layout)
        tokens.clear(kit, keep=keep)
        total = kit.corpus.counts()["documents"]
        done = chunks = changed = 0
        for batch in in_batches(kit.corpus.scan()):
            batch, count = _extracted(kit, batch) if old else (batch, 0)
            (draw if keep else index_stored)(kit, batch)
            done += len(batch)
            changed += count
            chunks += sum(len(stored.chunks) for stored in batch)
            progress("reindex", done, total)
        kit.ledger.finish(kit.ledger.pending())
        kit.ledger.note_made_by(versions.current(kit), alone=True)
    return {"documents": done, "chunks": chunks, "changed": changed}


def _index_is_whole(kit: Kit) -> bool:
    """Whether the index holds as many chunks as the corpus, and no document waits for it."""
    try:
        held = kit.index.count()
    except WorkspaceError:
        return False  # it is damaged, and will be built anew
    return held == kit.corpus.counts()["chunks"] and not kit.ledger.pending()


def _extracted(kit: Kit, batch: Sequence[Stored]) -> tuple[list[Stored], int]:
    """Stored documents with the facts that would be made now; how many say something else."""
    facts = facts_of_all(kit, [stored.document for stored in batch])
    new = [replace(stored, facts=one) for stored, one in zip(batch, facts, strict=True)]
    changed = [one for one, stored in zip(new, batch, strict=True) if one.facts != stored.facts]
    kit.corpus.put(changed)
    return new, len(changed)
