"""XML without its dangers: entities and external references are refused, size is bounded."""

from __future__ import annotations

from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from aegle.core.errors import InputError, UnsafeInputError
from aegle.packs.healthcare.readers.decode import read_all

MAX_DEPTH = 100
"""Deeper nesting than any clinical document has."""


def parse(stream: BinaryIO, source: str) -> Element:
    """The root of an XML document.

    Raises:
        UnsafeInputError: it declares entities or refers to external ones, or nests absurdly deep.
        InputError: it is no well-formed XML, or too large.
    """
    data = read_all(stream, source)
    if not data.strip():
        raise InputError(f"{source} is empty")
    try:
        root: Element = fromstring(data, forbid_dtd=False)
    except DefusedXmlException as error:
        raise UnsafeInputError(
            f"{source} declares XML entities ({type(error).__name__}), which can attack a reader; "
            "remove its DOCTYPE"
        ) from error
    except ParseError as error:
        line, column = error.position
        raise InputError(
            f"{source} is not well-formed XML at line {line}, column {column}"
        ) from error
    except (ValueError, LookupError, RecursionError) as error:
        raise InputError(f"{source} can't be parsed as XML ({type(error).__name__})") from error
    if _deeper_than(root, MAX_DEPTH):
        raise UnsafeInputError(f"{source} nests more than {MAX_DEPTH} elements deep")
    return root


def _deeper_than(root: Element, limit: int) -> bool:
    level = [root]
    for _ in range(limit):
        level = [child for node in level for child in node]
        if not level:
            return False
    return True


def local(node: Element) -> str:
    """The name of an element without its namespace."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
