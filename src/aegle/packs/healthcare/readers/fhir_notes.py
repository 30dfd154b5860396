"""Notes inside FHIR: base64 attachments of DocumentReference, DiagnosticReport and others."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser

from aegle.packs.healthcare.readers.builder import plain
from aegle.packs.healthcare.readers.decode import decode
from aegle.packs.healthcare.readers.fhir_values import at, get, items, objects, text

_PLACES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "DocumentReference": (("content", "attachment"),),
    "DiagnosticReport": (("presentedForm",),),
    "Media": (("content",),),
    "Communication": (("payload", "contentAttachment"),),
}
_BLOCKS: Final = "p, div, li, tr, h1, h2, h3, h4, h5, h6, table, ul, ol, pre, section"


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment: its text, or its bytes when they are a CDA document, or why neither."""

    text: str = ""
    cda: bytes = b""
    problem: str = ""


def attachments(resource: dict[str, Any]) -> Iterator[Attached]:
    """What is embedded in a resource, in order; what is only linked is passed over."""
    for place in _PLACES.get(text(resource.get("resourceType")), ()):
        for holder in objects(resource.get(place[0])):
            for one in objects(get(holder, *place[1:]) if len(place) > 1 else holder):
                if one.get("data") not in (None, ""):
                    found = _attached(one)
                    if found is not None:
                        yield found


def _attached(attachment: dict[str, Any]) -> Attached | None:
    kind = at(attachment, "contentType").casefold()
    try:
        data = base64.b64decode("".join(str(part) for part in items(attachment["data"])))
    except (binascii.Error, ValueError):
        return Attached(problem="an attachment that is not base64")
    if not data.strip():
        return Attached(problem="an empty attachment")
    if "xml" in kind or "html" in kind:
        if b"ClinicalDocument" in data[:4096]:
            return Attached(cda=data)
        return Attached(html_text(decode(data)))
    if kind.startswith(("image/", "audio/", "video/")):
        return None  # no text to lose; the resource's own line tells that it is there
    if kind.startswith("text/") or not kind:
        return Attached(plain(decode(data)).strip("\r\n"))
    told = kind.partition(";")[0][:60] if kind.replace("/", "").isascii() else "unknown"
    return Attached(problem=f"an attachment of type {told}, which holds no plain text")


def html_text(html: str) -> str:
    """The readable text of HTML, block elements on lines of their own."""
    tree = LexborHTMLParser(html)
    for node in tree.css("script, style, head"):
        node.decompose()
    for node in tree.css("br"):
        node.replace_with("\n")
    for node in tree.css("td, th"):
        node.insert_after(" ")
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    body = tree.body
    lines = (" ".join(line.split()) for line in (body.text() if body else "").split("\n"))
    return plain("\n".join(line for line in lines if line))
