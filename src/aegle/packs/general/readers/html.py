"""HTML: the text that a person would read, headings and tables as lines, without scripts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from aegle.core.decode import text_of
from aegle.core.errors import UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.parts import WHOLE_BYTES, cut, page, table_lines

_DROPPED: Final = frozenset(
    "script style nav noscript template svg iframe object button select head math canvas".split()
)
_BLOCKS: Final = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure "
    "footer form header hr li main ol p pre section summary table tbody td tfoot th thead tr ul "
    "br".split()
)
_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5 h6".split())
_BULLET: Final = "\n- "
_IN_CELL: Final = "td table, td p, td div, td ul, td h1, td h2, td h3"
_SIGNS: Final = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.I | re.S,
)
_TAGS: Final = re.compile(rb"<(?:p|div|table|br|a|span|font|h[1-6]|title|meta)\b[^>]*>", re.I)
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.I)
_NESTING: Final = re.compile(
    r"<(/?)(?!(?:p|li|dt|dd|td|th|tr|tbody|thead|tfoot|option|optgroup|colgroup|area|base|br|col|"
    r"embed|hr|img|input|link|meta|param|source|track|wbr|html|head|body)\b)[a-z]",
    re.IGNORECASE,
)
_DEEPEST: Final = 3_000
_SPACES: Final = re.compile(r"[ \t\r\n\f\xa0]+")
_ITEM: Final = re.compile(r"^- ?\n\s*(?=[^\s-])", re.MULTILINE)
_LIST: Final = re.compile(r"^(- .*)\n\n(?=- )", re.MULTILINE)
_GAPS: Final = re.compile(r"\n{3,}")


class HtmlReader:
    """Web pages and exported reports."""

    name = "html"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By the doctype or first element, by the suffix, or by many tags."""
        plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
        if _SIGNS.match(plain[:4096]):
            return 0.8
        if origin.name.lower().endswith((".html", ".htm", ".xhtml")):
            return 0.5 if b"<" in plain else 0.3
        fragment = plain[:1] == b"<" and plain[:5] != b"<?xml"
        return 0.2 if fragment and len(_TAGS.findall(plain[:8192])) >= 8 else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document, several when it is long."""
        head = getattr(stream, "peek", lambda size: b"")(4096)[:4096]
        title, text = html_text(text_of(stream, limit=WHOLE_BYTES, encoding=_declared(head)))
        for part, piece in cut(text.splitlines(keepends=True)):
            yield page(origin, piece, part=part, title=title)


def _declared(head: bytes) -> str:
    """The encoding that a page declares and Python knows, unless a byte order mark says more."""
    found = _CHARSET.search(head)
    if not found or head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ""
    name = found[1].decode("ascii", "replace").lower()
    if name.startswith(("utf-8", "utf8", "utf-16")):
        return ""  # guessed as well, and forgiving to a wrong byte
    try:
        # Browsers read Latin-1 as Windows-1252, the encoding that such pages are really in.
        return (
            "cp1252" if name in ("iso-8859-1", "latin-1", "us-ascii") else codecs.lookup(name).name
        )
    except LookupError:
        return ""


def html_text(html: str) -> tuple[str, str]:
    """Title and readable text of an HTML document or fragment.

    Raises:
        UnsafeInputError: it is nested so deep that parsing would take hours.
    """
    refuse_deep(html)
    tree = LexborHTMLParser(html)
    title_node = tree.css_first("title")
    title = _flat(title_node.text()) if title_node is not None else ""
    pieces: list[str] = []
    root = tree.body if tree.body is not None else tree.root
    if root is not None:
        _walk(root, pieces)
    lines = (line.rstrip(" ") for line in "".join(pieces).split("\n"))
    text = _ITEM.sub("- ", "\n".join(line if line.strip() else "" for line in lines))
    text = "\n".join(line for line in text.split("\n") if line != "-")
    return title[:300], _LIST.sub(r"\1\n", _GAPS.sub("\n\n", text)).strip() + "\n"


def refuse_deep(html: str) -> None:
    """Call before parsing.

    Raises:
        UnsafeInputError: it is nested so deep that parsing would take hours.
    """
    if _depth(html) > _DEEPEST:
        raise UnsafeInputError(f"HTML nested deeper than {_DEEPEST} elements")


def _depth(html: str) -> int:
    """At least how deep the elements nest that no other tag closes; the parser is quadratic in it.

    Elements that end by themselves (``<p>``, ``<li>``, ``<br>``...) are not counted.
    """
    here = deepest = 0
    for tag in _NESTING.finditer(html):
        here = max(0, here - 1) if tag[1] else here + 1
        deepest = max(deepest, here)
    return deepest


def _walk(root: LexborNode, pieces: list[str]) -> None:
    """Enter and leave every node without recursion: hostile pages nest deeper than calls may."""
    node: LexborNode | None = root
    while node is not None:
        child = node.child if _enter(node, pieces) else None
        if child is not None:
            node = child
            continue
        while node is not None:
            _leave(node, pieces)
            if node.mem_id == root.mem_id:
                return
            if node.next is not None:
                node = node.next
                break
            node = node.parent


def _enter(node: LexborNode, pieces: list[str]) -> bool:
    """Write what stands before a node's children; whether to go on to them."""
    tag = node.tag or ""
    if tag == "-text":
        text = _SPACES.sub(" ", node.text_content or "")
        pieces.append(text.lstrip() if not pieces or pieces[-1].endswith(("\n", " ")) else text)
        return False
    if tag in _DROPPED or tag.startswith(("-", "_")):
        return False
    if tag == "pre":
        pieces.append("\n" + node.text())
        return False
    if tag in _HEADINGS:
        pieces.append("\n\n")
    elif tag in _BLOCKS:
        pieces.append(_BULLET if tag == "li" else "\n")
    if tag == "table" and node.css_first(_IN_CELL) is None:
        # A table of data; one whose cells hold blocks lays out a page and is walked through.
        rows = [_cells(row) for row in node.css("tr")]
        header = bool(rows) and len(node.css("tr:first-child th")) >= len(rows[0]) > 1
        pieces.append("\n".join(table_lines(rows, header=header or None)) + "\n")
        return False
    if tag == "tr" and node.css_first(_IN_CELL) is None:
        pieces.append("\n".join(table_lines([_cells(node)])))
        return False
    return True


def _cells(row: LexborNode) -> list[str]:
    return [_flat(cell.text(separator=" ")) for cell in row.css("td, th")]


def _leave(node: LexborNode, pieces: list[str]) -> None:
    tag = node.tag or ""
    if tag == "li":
        last = next((at for at in range(len(pieces) - 1, -1, -1) if pieces[at].strip()), 0)
        if pieces[last : last + 1] == [_BULLET]:
            del pieces[last:]  # an item without text, as menus of icons have it
    if tag in _HEADINGS or tag in ("p", "ul", "ol", "table", "pre"):
        pieces.append("\n\n")
    elif tag in _BLOCKS and tag != "br":
        pieces.append("\n")


def _flat(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
