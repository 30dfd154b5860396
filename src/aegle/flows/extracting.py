"""The facts of a file or a text that is not stored; apart, since a question needs no readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aegle.core.errors import AegleError
from aegle.core.pack import Origin
from aegle.core.ports import Progress
from aegle.core.records import Document, RawDocument
from aegle.core.text import RawText
from aegle.flows import ingest
from aegle.flows.derive import Reader, facts_of_all
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


def extract_texts(
    kit: Kit,
    asked: Sequence[tuple[str, str]],
    *,
    seen: Callable[[Sequence[Document]], None] = lambda documents: None,
) -> list[dict[str, Any] | AegleError]:
    """As `extract_text` for texts with their domains, which the tagger reads together.

    A text that can't be read costs only itself: its place holds the error. ``seen`` gets the safe
    documents that were read.
    """
    with kit.lock:
        found = prepared(kit, asked)
        documents = [one for one in found if isinstance(one, Document)]
        told = iter(read(kit, documents))
        seen(documents)
        return [next(told) if isinstance(one, Document) else one for one in found]


def prepared(kit: Kit, asked: Sequence[tuple[str, str]]) -> list[Document | AegleError]:
    """Texts with their domains as safe documents; the kit's own tagger looks for identifiers."""
    found: list[Document | AegleError] = []
    with kit.lock:
        for text, domain in asked:
            origin = Origin("text")
            raw = RawDocument(source=str(origin), kind="note", domain=domain, text=RawText(text))
            try:
                found.append(ingest.prepare(kit, raw)[0])
            except AegleError as error:
                found.append(error)
    return found


def read(kit: Kit, documents: Sequence[Document], by: Reader | None = None) -> list[dict[str, Any]]:
    """The facts of safe documents. Who reads by the kit's own tagger holds the kit's lock."""
    told = facts_of_all(kit, documents, by)
    return [
        {"text": str(document.text), **facts_json(facts)}
        for document, facts in zip(documents, told, strict=True)
    ]
