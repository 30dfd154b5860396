"""Plain text of any kind: the reader of last resort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from aegle.core.decode import guess_encoding
from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.parts import Unread, cut, numbered, page


def is_text(head: bytes) -> bool:
    """Whether some bytes are the beginning of a text."""
    try:
        guess_encoding(head)
    except InputError:
        return False
    return True


class TextReader:
    """Any text becomes pages; a long one is cut at empty lines."""

    name = "text"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.1 for any text."""
        return 0.1 if is_text(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """The text as it is, in documents of at most 200,000 characters."""
        unread = Unread()
        for part, text in cut(line for _, line in numbered(stream, unread, ends=True)):
            yield page(origin, text, part=part)
        unread.check()
