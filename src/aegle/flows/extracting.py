"""The facts of a file or a text that is not stored; apart, since a question needs no readers."""

from __future__ import annotations

from typing import Any

from aegle.core.pack import Origin
from aegle.core.ports import Progress
from aegle.core.records import RawDocument
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
    origin = Origin("text")
    raw = RawDocument(source=str(origin), kind="note", domain=domain, text=RawText(text))
    with kit.lock:
        document, _, _ = ingest.prepare(kit, raw)
        (facts,) = facts_of_all(kit, [document])
    return {"text": str(document.text), **facts_json(facts)}
