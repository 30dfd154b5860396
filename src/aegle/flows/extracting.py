"""The facts of a file or a text that is not stored; apart, since a question needs no readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegle.core.errors import AegleError
from aegle.core.pack import Origin
from aegle.core.ports import Progress
from aegle.core.records import Document, RawDocument
from aegle.core.text import RawText
from aegle.flows import ingest
from aegle.flows.derive import facts_of_all
from aegle.flows.kit import Kit
from aegle.flows.knowledge import facts_json


def extract(kit: Kit, path: str, *, progress: Progress) -> dict[str, Any]:
    """Entities and relations of a file's de-identified text; nothing is stored."""
    entities: list[dict[str, Any]] = []
    relations: list[dict[str, Any]] = []
    documents = [ingest.prepare(kit, raw)[0] for raw in ingest.read_only(kit, path, progress)]
    for number, facts in enumerate(facts_of_all(kit, documents)):
        shown = facts_json(facts, first=len(entities), document=number)
        entities += shown["entities"]
        relations += shown["relations"]
    return {"entities": entities, "relations": relations, "documents": len(documents)}


def extract_text(kit: Kit, text: str, *, domain: str = "general") -> dict[str, Any]:
    """Entities and relations of a text given as it is; the offsets are of its safe form.

    The safe text is returned with them, since de-identification may have moved the offsets.
    """
    (found,) = extract_texts(kit, [(text, domain)])
    if isinstance(found, AegleError):
        raise found
    return found


def extract_texts(kit: Kit, asked: Sequence[tuple[str, str]]) -> list[dict[str, Any] | AegleError]:
    """As `extract_text` for texts with their domains, which the tagger reads together.

    A text that can't be read costs only itself: its place holds the error.
    """
    safe: dict[int, Document] = {}
    found: dict[int, dict[str, Any] | AegleError] = {}
    with kit.lock:
        for place, (text, domain) in enumerate(asked):
            origin = Origin("text")
            raw = RawDocument(source=str(origin), kind="note", domain=domain, text=RawText(text))
            try:
                safe[place] = ingest.prepare(kit, raw)[0]
            except AegleError as error:
                found[place] = error
        told = facts_of_all(kit, list(safe.values()))
        for (place, document), facts in zip(safe.items(), told, strict=True):
            found[place] = {"text": str(document.text), **facts_json(facts)}
    return [found[place] for place in range(len(asked))]
