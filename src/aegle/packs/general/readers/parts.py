"""What the general readers share: cutting long texts into documents, tables into lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from aegle.core.decode import TEXT_LIMIT, lines_of
from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText

PART_CHARACTERS: Final = 200_000
"""A longer text becomes several documents: what is stored, shown and redacted at once."""

WHOLE_BYTES: Final = 64 << 20
"""The largest file of a format that must be seen whole (JSON, HTML, one mail)."""


_TOLD: Final = 5


class Unread:
    """What of a file could not be read while the rest was: places and reasons, never content."""

    def __init__(self) -> None:
        self.count = 0
        self._told: list[str] = []

    def add(self, where: str, why: str) -> None:
        """One more part that is left out."""
        self.count += 1
        if self.count <= _TOLD:
            self._told.append(f"{where}: {why}")

    def check(self) -> None:
        """Call when all that can be read was given out.

        Raises:
            InputError: something was left out.
        """
        if self.count:
            rest = f"; and {self.count - _TOLD} more" if self.count > _TOLD else ""
            raise InputError(f"{self.count} part(s) can't be read: {'; '.join(self._told)}{rest}")


def numbered(stream: BinaryIO, unread: Unread, *, ends: bool = False) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers from 1; those that are too long are left out."""
    number = 0

    def left_out(long: int) -> None:
        nonlocal number
        number = long
        unread.add(f"line {long}", f"of more than {TEXT_LIMIT >> 20} MB")

    try:
        for line in lines_of(stream, ends=ends, left_out=left_out):
            number += 1
            yield number, line
    except InputError as error:
        if not unread.count:
            raise
        unread.add("the rest", str(error))


def whole(stream: BinaryIO) -> bytes:
    """All bytes of a file of a format that must be seen whole.

    Raises:
        InputError: there are more than `WHOLE_BYTES`.
    """
    parts, size = [], 0
    while block := stream.read(1 << 20):
        size += len(block)
        if size > WHOLE_BYTES:
            raise InputError(f"larger than {WHOLE_BYTES >> 20} MB in one piece; split it")
        parts.append(block)
    return b"".join(parts)


def page(
    origin: Origin,
    text: str,
    *,
    part: str = "",
    kind: str = "page",
    title: str = "",
    time: str = "",
    identifiers: Iterable[Identifier] = (),
    meta: dict[str, str] | None = None,
) -> RawDocument:
    """A document of the general domain; ``part`` says which of a file with several."""
    return RawDocument(
        source=f"{origin}#{part}" if part else str(origin),
        kind=kind,
        domain="general",
        text=RawText(text),
        title=RawText(title or stem(origin)),
        time=time,
        identifiers=tuple(dict.fromkeys(identifiers)),
        meta=meta or {},
    )


def stem(origin: Origin) -> str:
    """The file's name without folders and suffix, the title of what has none."""
    return PurePosixPath(origin.name.replace("\\", "/")).stem


def cut(lines: Iterable[str], *, most: int = PART_CHARACTERS) -> Iterator[tuple[str, str]]:
    """(part, text) of texts made of lines with their ends: ``part`` is empty when there is one.

    A text is cut before a line, preferably after an empty one in its last quarter; a line longer
    than ``most`` is cut inside. An `InputError` of the lines is raised after what came before it.
    """
    waiting: list[str] = []
    size = number = gap = 0
    failure: InputError | None = None
    try:
        for line in _short(lines, most):
            while waiting and size + len(line) > most:
                number += 1
                at = gap or len(waiting)
                yield str(number), "".join(waiting[:at])
                waiting = waiting[at:]
                size, gap = sum(map(len, waiting)), 0
            waiting.append(line)
            size += len(line)
            if not line.strip() and size > most * 3 // 4:
                gap = len(waiting)
    except InputError as error:
        failure = error
    if any(line.strip() for line in waiting):
        yield str(number + 1) if number else "", "".join(waiting)
    if failure is not None:
        raise failure


def _short(lines: Iterable[str], most: int) -> Iterator[str]:
    for line in lines:
        if len(line) <= most:
            yield line
        else:
            yield from (line[at : at + most] for at in range(0, len(line), most))


def table_lines(rows: Sequence[Sequence[str]], *, header: bool | None = None) -> list[str]:
    """A table as lines ``column: value; column: value``, or ``a: b`` for two columns.

    Args:
        rows: cells of each row.
        header: whether the first row names the columns; None guesses (three columns and more).
    """
    kept = [[" ".join(cell.split()) for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    if not kept:
        return []
    named = len(kept) > 1 and (len(kept[0]) >= 3 if header is None else header)
    if not named:
        return [
            f"{row[0]}: {row[1]}" if len(row) == 2 and all(row) else "; ".join(filter(None, row))
            for row in kept
        ]
    names = kept[0]
    lines = []
    for row in kept[1:]:
        cells = [
            f"{names[i]}: {cell}" if i < len(names) and names[i] else cell
            for i, cell in enumerate(row)
            if cell
        ]
        lines.append("; ".join(cells))
    return lines
