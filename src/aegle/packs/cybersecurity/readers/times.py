"""Time stamps of log lines: the common shapes, to seconds since 1970, and the year that one lacks.

A time without a zone counts as UTC, so that the times of different sources stand on one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aegle.core.pack import Origin

MONTHS: Final = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_MONTH: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_REACH: Final = 160
_EARLIEST: Final = -2208988800.0
_LATEST: Final = 4102444800.0
_NEVER_SET: Final = 94694400.0
_FILE_YEAR: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d{1,3}(?!\d))(?=[-_.]|[01]\d[0-3]\d|$)")
_FULL_YEAR: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)-[01]\d-[0-3]\d[T ]\d\d:\d\d")

Shape = Callable[[re.Match[str], int], float]


def _clock(found: re.Match[str], year: int, month: int, day: int) -> float:
    whole = datetime(
        year, month, day, int(found["h"]), int(found["m"]), min(int(found["s"]), 59), tzinfo=UTC
    )
    return whole.timestamp()


def _zone_s(text: str | None) -> int:
    if not text or text.upper() in ("Z", "UTC"):
        return 0
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return sign * (int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60)


def _iso(found: re.Match[str], _year: int) -> float:
    at = _clock(found, int(found["Y"]), int(found["M"]), int(found["D"]))
    return at - _zone_s(found["z"])


def _short(found: re.Match[str], _year: int) -> float:
    """Two-digit years: log4j writes yy/mm/dd; another order is read where that makes no date."""
    a, b, c = int(found["a"]), int(found["b"]), int(found["c"])
    if 1 <= b <= 12 and 1 <= c <= 31:
        return _clock(found, 2000 + a, b, c)
    return _clock(found, 2000 + c, a, b)


def _us(found: re.Match[str], _year: int) -> float:
    late = (found["p"] or "").lower() == "pm" and int(found["h"]) < 12
    at = _clock(found, int(found["Y"]), int(found["M"]), int(found["D"]))
    return at + (12 * 3600 if late else 0)


def _named(found: re.Match[str], _year: int) -> float:
    at = _clock(found, int(found["Y"]), MONTHS[found["M"].lower()], int(found["D"]))
    return at - _zone_s(found.groupdict().get("z"))


def _yearless_name(found: re.Match[str], year: int) -> float:
    return _clock(found, year, MONTHS[found["M"].lower()], int(found["D"]))


def _yearless(found: re.Match[str], year: int) -> float:
    return _clock(found, year, int(found["M"]), int(found["D"]))


def _packed(found: re.Match[str], _year: int) -> float:
    return _clock(found, 2000 + int(found["Y"]), int(found["M"]), int(found["D"]))


def _epoch(found: re.Match[str], _year: int) -> float:
    value = found["e"]
    return float(value) / 1000 if len(value.split(".")[0]) == 13 else float(value)


_HMS: Final = r"(?P<h>[0-2]?\d):(?P<m>[0-5]?\d):(?P<s>[0-6]?\d)"
_SHAPES: Final[tuple[tuple[re.Pattern[str], Shape, bool], ...]] = tuple(
    (re.compile(text, re.IGNORECASE), shape, yearless)
    for text, shape, yearless in (
        (
            r"(?<![\w.-])(?P<Y>[12]\d{3})[-/.](?P<M>[01]?\d)[-/.](?P<D>[0-3]?\d)[T -]"
            r"(?P<h>[0-2]?\d)[:.](?P<m>[0-5]\d)[:.](?P<s>[0-6]\d)(?:[.,]\d+)?"
            r"\s?(?P<z>Z|UTC|[+-]\d\d:?\d\d)?(?!\d)",
            _iso,
            False,
        ),
        (
            rf"(?<!\w)(?P<D>[0-3]?\d)[/ -](?P<M>{_MONTH})[/ -](?P<Y>[12]\d{{3}})[: ]+{_HMS}"
            r"(?:[.,]\d+)?(?: (?P<z>[+-]\d{4}|UTC|Z))?",
            _named,
            False,
        ),
        (
            rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?P<M>{_MONTH})\s+(?P<D>[0-3]?\d) {_HMS}"
            r"(?:\.\d+)? (?P<Y>[12]\d{3})",
            _named,
            False,
        ),
        (rf"(?<![\w:])(?P<M>{_MONTH})\s+(?P<D>[0-3]?\d) {_HMS}(?![\d:])", _yearless_name, True),
        (rf"(?<![\w/])(?P<a>\d\d)/(?P<b>\d\d)/(?P<c>\d\d) {_HMS}(?!\d)", _short, False),
        (
            rf"(?<![\w/])(?P<M>[01]?\d)/(?P<D>[0-3]?\d)/(?P<Y>[12]\d{{3}}),? {_HMS}"
            r"(?: ?(?P<p>[AP]M))?",
            _us,
            False,
        ),
        (rf"(?<!\w)(?P<Y>20\d\d)(?P<M>[01]\d)(?P<D>[0-3]\d)[-T ]{_HMS}(?P<z>)", _iso, False),
        (
            r"(?<!\w)(?P<Y>20\d\d)(?P<M>[01]\d)(?P<D>[0-3]\d)T(?P<h>[0-2]\d)(?P<m>[0-5]\d)"
            r"(?P<s>[0-6]\d)(?:\.\d+)?(?P<z>Z|[+-]\d{4})?(?!\w)",
            _iso,
            False,
        ),
        (
            r"^(?P<Y>\d\d)(?P<M>[01]\d)(?P<D>[0-3]\d) (?P<h>[0-2]\d)(?P<m>[0-5]\d)(?P<s>[0-6]\d)"
            r"(?!\d)",
            _packed,
            False,
        ),
        (rf"(?<!\w)(?P<M>[01]\d)-(?P<D>[0-3]\d) {_HMS}(?:\.\d+)?(?!\d)", _yearless, True),
        (r"(?<![\w.:/-])(?P<e>1\d{9}(?:\.\d+)?|1\d{12})(?![\w:/-])", _epoch, False),
    )
)


class Stamps:
    """Reads the time stamps of one file; the shape that fitted last is tried first.

    Args:
        year: the year of stamps that have none; it grows when they pass from December to January.
        latest_month: the last month of that year that the file can speak of: a first stamp after
            it belongs to the year before.
    """

    def __init__(self, year: int = 0, latest_month: int = 12) -> None:
        self._year = year
        self._month = 0
        self._latest = latest_month
        self._order = list(_SHAPES)
        self._last: tuple[str, float | None] = ("", None)

    def at(self, field: str) -> float | None:
        """The time of a field that holds a stamp; lines of one second are read once."""
        if field != self._last[0]:
            found = self.find(field)
            self._last = (field, found[0] if found else None)
        return self._last[1]

    def find(self, line: str) -> tuple[float, int, int] | None:
        """Seconds since 1970 (UTC) and the stamp's characters [start, end), or None.

        A stamp without a year in a file that tells none is put into 1972: good for the distance
        between lines, and no date (`iso` is empty for it).
        """
        for place, (regex, shape, yearless) in enumerate(self._order):
            found = regex.search(line, 0, _REACH)
            if found is None:
                continue
            at = self._read(found, shape, yearless)
            if at is None:
                continue
            if place:
                self._order.insert(0, self._order.pop(place))
            return at, found.start(), found.end()
        return None

    def _read(self, found: re.Match[str], shape: Shape, yearless: bool) -> float | None:
        year = self._turn(found["M"]) if yearless else 0
        try:
            at = shape(found, year or 1972)
        except (ValueError, OverflowError):
            return None
        return at if _EARLIEST <= at <= _LATEST else None

    def _turn(self, name: str) -> int:
        month = int(name) if name.isdigit() else MONTHS[name.lower()]
        if self._year and not self._month and month > self._latest:
            self._year -= 1
        if self._year and self._month == 12 and month == 1:
            self._year += 1
        elif self._year and self._month == 1 and month == 12:
            self._year -= 1
        self._month = month
        return self._year


def parse(text: str) -> float | None:
    """Seconds since 1970 of a field that is a time, or None; numbers are epoch (s, ms, us, ns)."""
    if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        value = float(text)
        while value > _LATEST:
            value /= 1000
        return value
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        stamp = at.timestamp()
        return stamp if _EARLIEST <= stamp <= _LATEST else None
    except (ValueError, OverflowError):
        found = Stamps().find(text)
        return found[0] if found and found[0] >= _NEVER_SET else None


def clock(at: float | None) -> str:
    """The time of day, ``04:47:44``; empty for no time."""
    return "" if at is None else f"{timedelta(seconds=at // 1 % 86400)!s:0>8}"


def iso(at: float | None) -> str:
    """``2005-12-04T04:47:44Z``; empty for no time, and before 1973: a clock that was never set."""
    if not at or at < _NEVER_SET:
        return ""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at // 1)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def year_of(origin: Origin, head: str) -> tuple[int, int]:
    """The year of stamps without one and the last month in it that they can speak of.

    In this order: a year in the file's name (``auth-2025-06.log``), the first full time stamp
    among the first lines, the date at which the file on disk was last written. ``(0, 12)`` when
    there is none of these, and then the lines have no time.
    """
    if found := _FILE_YEAR.search(Path(origin.name).name):
        return int(found[1]), 12
    if inside := _FULL_YEAR.search(head):
        return int(inside[1]), 12
    try:
        written = datetime.fromtimestamp(Path(origin.path).stat().st_mtime, UTC)
    except (OSError, ValueError):
        return 0, 12
    return written.year, written.month
