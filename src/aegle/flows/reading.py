"""Documents that answers are made of, held while the graph stands: most questions read the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from aegle.answer.candidates import Mark
from aegle.answer.evidence import Scored
from aegle.core.records import Chunk, Citation, Facts, Stored
from aegle.flows.kit import Kit
from aegle.graph.walk import Walker

_MOST_HELD: Final = 400
"""Documents that are held; to read one with its facts takes a millisecond, a question needs 25."""

_held: WeakKeyDictionary[Walker, OrderedDict[str, Stored]] = WeakKeyDictionary()
"""Goes with the walker, which goes when documents come or are forgotten."""


def stored(kit: Kit, document_ids: Sequence[str]) -> dict[str, Stored]:
    """Documents with their chunks and facts, by id; those that exist."""
    ids = list(dict.fromkeys(document_ids))
    if not kit.settings.retrieve.graph:
        return {one.document.id: one for one in kit.corpus.scan(ids)} if ids else {}
    held = _held.setdefault(kit.walker, OrderedDict())
    found = {key: held[key] for key in ids if key in held}
    if missing := [key for key in ids if key not in found]:
        found |= {one.document.id: one for one in kit.corpus.scan(missing)}
    for key, one in found.items():
        held[key] = one
        held.move_to_end(key)
    while len(held) > _MOST_HELD:
        held.popitem(last=False)
    return found


def marks(documents: Mapping[str, Stored], wanted: Iterable[str]) -> dict[str, list[Mark]]:
    """The entities of some of the documents, by what they are there, in order."""
    return {
        key: _marks_of(documents[key].facts) for key in dict.fromkeys(wanted) if key in documents
    }


def _marks_of(facts: Facts) -> list[Mark]:
    """The entities of a document by what they are there.

    A drug that a chart names as an allergen is an allergy, and what it denies, or tells of the
    family, is of no type: neither may answer "which drugs" or "which symptoms".
    """
    allergens = {one.tail for one in facts.relations if one.type == "allergic_to"}
    made = []
    for one in facts.entities:
        type_ = "allergy" if one.id in allergens else one.type
        denied = one.assertion in ("negated", "family")
        sure = one.assertion in ("present", "historical")
        made.append(Mark(one.start, one.end, "" if denied else type_, one.key, sure))
    return sorted(made, key=lambda mark: (mark.start, mark.end))


def chunks_at(documents: Mapping[str, Stored], document_id: str, start: int) -> list[Chunk]:
    """The chunks of a document that hold one of its characters."""
    one = documents.get(document_id)
    return [c for c in one.chunks if c.start <= start < c.end] if one else []


def people(scored: Sequence[Scored], documents: Mapping[str, Stored]) -> dict[str, Citation]:
    """Where the patients of the best sentences are named, by their groups."""
    wanted = {one.candidate.chunk.group for one in scored if one.focused}
    found: dict[str, Citation] = {}
    for held in documents.values():
        for entity in held.facts.entities:
            if entity.type == "patient" and entity.key in wanted and entity.key not in found:
                text = held.document.text.cut(entity.start, entity.end)
                found[entity.key] = Citation(held.document.id, entity.start, entity.end, text)
    return found
