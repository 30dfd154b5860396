"""Notes inside FHIR: base64 attachments, and free text that is too long for a resource's line."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser

from aegle.core.decode import TEXT_LIMIT
from aegle.core.errors import InputError
from aegle.packs.general.readers.html import refuse_deep
from aegle.packs.healthcare.readers.builder import plain
from aegle.packs.healthcare.readers.decode import decode
from aegle.packs.healthcare.readers.fhir_values import MAX_PHRASE, at, items

_HOLDERS: Final = frozenset(("attachment", "presentedForm", "content", "contentAttachment"))
"""Where an attachment may stand without its type."""

_NO_TEXT: Final = frozenset(("data", "div", "url", "reference", "system"))
_BLOCKS: Final = "p, div, li, tr, h1, h2, h3, h4, h5, h6, table, ul, ol, pre, section"


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment: its text, or its bytes when they are a CDA document, or why neither."""

    text: str = ""
    cda: bytes = b""
    problem: str = ""


def attachments(resource: dict[str, Any]) -> Iterator[Attached]:
    """What is embedded in a resource, in order: its attachments, and texts too long for its line.

    What is only linked is passed over.
    """
    stack: list[tuple[str, Any]] = [("", resource)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, list):
            stack.extend((name, one) for one in reversed(value))
        elif isinstance(value, dict):
            if value.get("data") not in (None, "") and ("contentType" in value or name in _HOLDERS):
                found = _attached(value)
                if found is not None:
                    yield found
            stack.extend(reversed(value.items()))
        elif isinstance(value, str) and name not in _NO_TEXT and _is_long(value):
            yield _of_text(plain(value))


def _attached(attachment: dict[str, Any]) -> Attached | None:
    kind = at(attachment, "contentType").casefold()
    try:
        data = base64.b64decode("".join(str(part) for part in items(attachment["data"])))
    except (binascii.Error, ValueError):
        return Attached(problem="an attachment that is not base64")
    if not data.strip():
        return Attached(problem="an empty attachment")
    if kind.startswith(("image/", "audio/", "video/")):
        return None  # no text to lose; the resource's own line tells that it is there
    markup = "xml" in kind or "html" in kind
    if markup and b"ClinicalDocument" in data[:4096]:
        return Attached(cda=data)
    if markup or kind.startswith("text/") or not kind:
        if len(data) > TEXT_LIMIT:
            return Attached(problem=f"an attachment of more than {TEXT_LIMIT >> 20} MB")
        try:
            return _of_text(html_text(decode(data)) if markup else plain(decode(data)))
        except InputError as error:
            return Attached(problem=f"an attachment: {error}")
    told = kind.partition(";")[0][:60] if kind.replace("/", "").isascii() else "unknown"
    return Attached(problem=f"an attachment of type {told}, which holds no plain text")


def _is_long(value: str) -> bool:
    """Whether a string is text that its resource's line cuts short."""
    return len(value) > MAX_PHRASE and " " in value[:MAX_PHRASE]


def _of_text(text: str) -> Attached:
    text = text.strip("\r\n")
    if not text.strip():
        return Attached(problem="an attachment without text")
    return Attached(text)


def html_text(html: str) -> str:
    """The readable text of HTML, block elements on lines of their own.

    Raises:
        UnsafeInputError: it is nested so deep that parsing would take hours.
    """
    refuse_deep(html)
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
