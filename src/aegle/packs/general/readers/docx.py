"""Word documents (docx): headings, paragraphs, lists and tables in their order."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, cast

from aegle.core.errors import InputError, MissingExtraError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.plugins import load
from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText
from aegle.packs.general.readers.parts import cut, page, table_lines

_UNPACKED: Final = 256 << 20
_XML: Final = 64 << 20
"""One XML part of a docx is parsed whole; a thousand pages of text have some 10 MB."""

_MEMBERS: Final = 10_000


class DocxReader:
    """The text of a Word document, its header and footer lines first."""

    name = "docx"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By the members of the zip that it is."""
        if not head.startswith(b"PK\x03\x04"):
            return 0.0
        if origin.name.lower().endswith((".docx", ".docm")):
            return 0.95
        office = b"[Content_Types].xml" in head[:4096]
        return 0.92 if office and b"word/" in head else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document, several when it is long."""
        open_docx = load("docx:Document")
        with tempfile.SpooledTemporaryFile(8 << 20) as spool:
            while block := stream.read(1 << 20):
                spool.write(block)
            _check(cast(BinaryIO, spool))
            try:
                doc = open_docx(spool)
                lines = [line + "\n" for line in _lines(doc)]
                title, author = doc.core_properties.title, doc.core_properties.author
            except (MissingExtraError, RecursionError, MemoryError):
                raise
            except Exception as error:  # python-docx fails on damage in ways that it does not list
                raise InputError(f"a damaged Word document ({type(error).__name__})") from error
        names = [Identifier("name", RawText(author))] if author and " " in author.strip() else []
        for part, text in cut(lines):
            yield page(origin, text, part=part, title=title or "", identifiers=names)


def _check(file: BinaryIO) -> None:
    """Refuse a zip that would unpack to more than a document has."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError("a damaged Word document: cut off while written or copied") from error
    finally:
        file.seek(0)
    total = sum(info.file_size for info in infos)
    largest = max((i.file_size for i in infos if i.filename.endswith((".xml", ".rels"))), default=0)
    if total > _UNPACKED or largest > _XML or len(infos) > _MEMBERS:
        raise UnsafeInputError("a Word document that unpacks to far more than one has: a bomb")
    if any(info.flag_bits & 0x1 for info in infos):
        raise InputError("an encrypted Word document; save it without its password first")


def _lines(doc: Any) -> Iterator[str]:
    margins: dict[str, None] = {}
    for section in doc.sections:
        for margin in (section.header, section.footer):
            for line in _blocks(margin.iter_inner_content()):
                if line.strip():
                    margins.setdefault(line)
    yield from margins
    if margins:
        yield ""
    yield from _blocks(doc.iter_inner_content())


def _blocks(items: Iterator[Any]) -> Iterator[str]:
    for item in items:
        if hasattr(item, "rows"):
            yield from table_lines([_cells(row) for row in item.rows])
            yield ""
            continue
        text = item.text.strip()
        style = (item.style.name or "") if item.style is not None else ""
        if not text:
            yield ""
        elif style.startswith(("Heading", "Title")):
            yield from ("", text, "")
        else:
            yield f"- {text}" if style.startswith("List") else text


def _cells(row: Any) -> list[str]:
    """The texts of a row; a merged cell stands once."""
    seen: set[int] = set()
    cells = []
    for cell in row.cells:
        if id(cell._tc) not in seen:
            seen.add(id(cell._tc))
            cells.append(cell.text)
    return cells
