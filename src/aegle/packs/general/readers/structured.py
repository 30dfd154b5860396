"""JSON and XML that no other reader knows: every value as a line ``path: value``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from aegle.core.decode import text_of
from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.parts import WHOLE_BYTES, Unread, cut, numbered, page
from aegle.packs.general.readers.text import is_text

_DEEPEST: Final = 200
_SIBLINGS: Final = 1000
_XML: Final = re.compile(rb"<(?:\?xml|!--|!DOCTYPE|[A-Za-z_][\w.:-]*[\s/>])")


class StructuredReader:
    """The fallback for data formats: readable, searchable text instead of brackets."""

    name = "structured"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """A little more than plain text, when the beginning is JSON or XML."""
        plain = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
        shaped = plain[:1] in (b"{", b"[") or _XML.match(plain)
        lower = origin.name.lower()
        named = lower.endswith((".json", ".jsonl", ".ndjson", ".xml"))
        if not shaped or not is_text(head):
            return 0.0
        return 0.15 if named or plain[:5] == b"<?xml" or plain[:2] in (b'{"', b"[{") else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Lines ``path: value``, cut into documents; JSON lines are streamed."""
        head = getattr(stream, "peek", lambda size: b"")(1 << 16)
        plain = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
        name = origin.name.lower()
        if plain[:1] == b"<" or name.endswith(".xml"):
            lines = _xml(stream)
        elif name.endswith((".jsonl", ".ndjson")) or _is_json_lines(plain):
            lines = _json_lines(stream)
        else:
            lines = _json(stream)
        for part, text in cut(lines):
            yield page(origin, text, part=part)


def _is_json_lines(head: bytes) -> bool:
    first, newline, rest = head.partition(b"\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return bool(newline and rest.strip())


def _json(stream: BinaryIO) -> Iterator[str]:
    value = _parsed(text_of(stream, limit=WHOLE_BYTES))
    yield from _lines(value)


def _json_lines(stream: BinaryIO) -> Iterator[str]:
    unread = Unread()
    for number, line in numbered(stream, unread):
        if not line.strip():
            continue
        try:
            value = _parsed(line)
        except InputError as error:
            unread.add(f"line {number}", str(error))
            continue
        yield from _lines(value)
        yield "\n"
    unread.check()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"not valid JSON{at}: cut off or damaged") from error
    except RecursionError as error:
        raise InputError("JSON is nested too deep") from error


def _lines(value: Any) -> Iterator[str]:
    """Lines of a value, without recursion; list positions are left out, being no names."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, here = stack.pop()
        if isinstance(here, dict):
            items = [(f"{path}.{key}" if path else str(key), item) for key, item in here.items()]
            stack.extend(reversed(items))
        elif isinstance(here, list):
            simple = [str(item) for item in here if isinstance(item, str | int | float)]
            if simple and len(simple) == len(here):
                yield f"{path}: {', '.join(simple)}\n" if path else ", ".join(simple) + "\n"
            else:
                stack.extend((path, item) for item in reversed(here))
        elif here is not None and here != "":
            text = _storable(str(here))
            yield f"{path}: {text}\n" if path else f"{text}\n"


def _storable(text: str) -> str:
    """JSON may escape half a surrogate pair, which no UTF-8 store takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _xml(stream: BinaryIO) -> Iterator[str]:
    """Lines of an XML document, streaming: an element is dropped when it ends."""
    open_: list[Element] = []
    try:
        for what, node in iterparse(stream, events=("start", "end")):
            if what == "start":
                open_.append(node)
                if len(open_) > _DEEPEST:
                    raise InputError(f"XML nested deeper than {_DEEPEST} elements")
                continue
            path = ".".join(_name(one.tag) for one in open_[1:] or open_)
            open_.pop()
            for key, value in node.attrib.items():
                yield f"{path}.{_name(key)}: {value}\n"
            if node.text and node.text.strip():
                yield f"{path}: {' '.join(node.text.split())}\n"
            yield from _tails(node, path, len(node))
            node.text = None
            node.attrib.clear()
            if open_ and len(open_[-1]) > _SIBLINGS:
                above = ".".join(_name(one.tag) for one in open_[1:] or open_)
                yield from _tails(open_[-1], above, _SIBLINGS)
    except DefusedXmlException as error:
        raise UnsafeInputError("XML with entities of its own, which may be an attack") from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"not valid XML: {_where(error)}") from error


def _tails(node: Element, path: str, count: int) -> Iterator[str]:
    """The text behind the first ``count`` children, which are dropped: memory stays bounded."""
    for child in node[:count]:
        if child.tail and child.tail.strip():
            yield f"{path}: {' '.join(child.tail.split())}\n"
    del node[:count]


def _name(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _where(error: Exception) -> str:
    position = getattr(error, "position", None)
    if not isinstance(position, tuple):
        return "its encoding or structure is damaged"
    return f"damaged or cut off at line {position[0]}, column {position[1]}"
