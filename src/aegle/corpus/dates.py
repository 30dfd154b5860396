"""Dates as people and systems write them: found, moved by days, written back the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from aegle.core.pack import Found

_MONTHS: Final = (
    "january february march april may june july august september october november december".split()
)
_FOUR: Final = ("june", "july")
_DAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTH: Final = (
    r"(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|May|[Jj]une?|[Jj]uly?"
    r"|[Aa]ug(?:ust)?|[Ss]ept?(?:ember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?"
    r"|JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?"
    r"|SEPT?(?:EMBER)?|OCT(?:OBER)?|NOV(?:EMBER)?|DEC(?:EMBER)?)"
)
_WEEKDAY: Final = (
    r"(?P<weekday>(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un"
    r"|MON|TUE|WED|THU|FRI|SAT|SUN)[A-Za-z]{0,6})(?P<after>\.?,? (?:the )?)"
)
_YEAR: Final = r"(?:1[89]|20)\d\d"

# The start of each form is a literal or a digit with a look-behind, so that one pass is linear.
_NUMERIC: Final = re.compile(
    rf"(?<![\w.:/-])(?P<ymd>(?P<y1>{_YEAR})(?P<s1>[-/.])(?P<m1>\d{{1,2}})(?P=s1)(?P<d1>\d{{1,2}})"
    r"(?=[T_]\d\d|[^\w/-]|$))"
    r"|(?<![\w.:/-])(?P<a>\d{1,2})(?P<s2>[-/.])(?P<b>\d{1,2})(?P=s2)"
    rf"(?P<y2>{_YEAR}|\d\d)(?![\w/-]|\.\d)"
    rf"|(?<![\w.:/-])(?P<ym>(?P<y3>{_YEAR})-(?P<m3>0[1-9]|1[0-2]))(?![\w/-]|\.\d)"
    r"|(?<![\w.:/-])(?P<my>(?P<m4>0?[1-9]|1[0-2])/(?P<y4>(?:19|20)\d\d))(?![\w/-]|\.\d)"
    rf"|(?<![\w.:-])(?P<c>(?P<y5>(?:19|20)\d\d)(?P<m5>0[1-9]|1[0-2])(?P<d5>0[1-9]|[12]\d|3[01]))"
    r"(?=\b|T?(?:[01]\d|2[0-4])[0-5]\d(?:[0-5]\d)?\b)"
)
_WORDED: Final = re.compile(
    rf"\b(?P<mon>{_MONTH})(?P<s1>\.?[ /-] ?)(?P<d1>\d{{1,2}})(?P<o1>st|nd|rd|th)?"
    rf"(?:(?P<s2>,? |[-/, ])(?P<y1>{_YEAR})|(?P<short>[-/]\d\d))?(?![\w]|[.,:/-]\d|-[a-z]| ?%)"
    rf"|\b(?P<mon3>{_MONTH})(?P<s4>\.?,? (?:of )?|[-/])(?P<y3>{_YEAR})\b"
)
_DAY_FIRST: Final = re.compile(
    rf"(?<![\w.:/-])(?P<d2>\d{{1,2}})(?P<o2>st|nd|rd|th)?(?P<s3>[ -]?(?:of |day of )?|/)"
    rf"(?P<mon2>{_MONTH})(?:(?P<s5>\.?,? |[-/]|)(?P<y2>{_YEAR})|(?P<short2>[-/]\d\d))?(?![\w])"
)
# Where one may start: a number before a sign or a month, eight digits, a month before a number.
_NUMBER: Final = re.compile(
    r"[0-9](?:(?<![\w.:/-].)[0-9]{0,3}(?=[-/.][0-9])|(?<![\w.:-].)(?:(?<=1)9|(?<=2)0)(?=[0-9]{6})"
    r"|(?<![\w.:/-].)[0-9]?(?=(?:st|nd|rd|th)?[ /-]?(?:of |day of )?[JFMASONDjfmasond][aepuco]))"
)
_MONTH_START: Final = re.compile(
    "[JFMASONDjfmasond](?:an|eb|ar|pr|ay|un|ul|ug|ep|ct|ov|ec|AN|EB|AR|PR|AY|UN|UL|UG|EP|CT|OV|EC)"
    "(?=[A-Za-z]{0,6}[., /-]{1,3}(?:of )?[0-9])"
)
_BEFORE: Final = re.compile(rf"{_WEEKDAY}$")
# A day and month without a year is written like a score or a fraction: a word must say it is one.
_BARE: Final = re.compile(
    r"\b(?:[Oo]n|[Ss]ince|[Uu]ntil|[Dd]ated?:?|[Ff]rom|[Tt]hrough|DOS:?|as of|[Ww]eek of|seen) "
    r"(?P<bare>(?P<m>0?[1-9]|1[0-2])/(?P<d>0?[1-9]|[12]\d|3[01]))(?![\w/.-])"
)

# Seconds or milliseconds since 1970, where a word says that a number is a time.
_EPOCH: Final = re.compile(
    r"(?i)(?:time|stamp|epoch|\bts|date|_at|\bat|created|updated|\bon)[\"']?[ \t]*[:=]?[ \t]*[\"']?"
    r"(?P<epoch>1\d{9}(?:\d{3})?)(?![\w-]|\.\d{4})"
)
_EPOCH_NUMBER: Final = re.compile(r"1[0-9]{9}(?:[0-9]{3})?")


def find(text: str) -> Iterator[Found]:
    """Dates finer than a year, with their weekday; times of day and years alone are kept."""
    for start, end, _ in _matches(text):
        yield Found(start, end, "date", 0.95)
    for start, end in _epochs(text):
        yield Found(start, end, "date", 0.95)


def shift(written: str, days: int) -> str | None:
    """The date ``days`` later, written the same way; None when it is no date of the calendar."""
    bare = _BARE.fullmatch(f"on {written}")
    if bare:
        moved = _later(2023, int(bare["m"]), int(bare["d"]), days)
        return f"{_like(moved.month, bare['m'])}/{_like(moved.day, bare['d'])}" if moved else None
    if _EPOCH_NUMBER.fullmatch(written):
        return str(int(written) + days * (86_400 if len(written) == 10 else 86_400_000))
    for start, end, match in _matches(written):
        if start == 0 and end == len(written):
            return _moved(match, written, days)
    return None


def day_of(written: str) -> date | None:
    """The day that a written date names in full; None when year or day are missing."""
    for start, end, match in _matches(written):
        told = match.groupdict()
        if start == 0 and end == len(written) and "bare" not in told:
            year_at, _, day_at = _places(told)
            return _later(*_numbers(told), 0) if year_at and day_at else None
    return None


def shift_iso(time: str, days: int) -> str:
    """An ISO 8601 date, month or instant moved by days; a year alone stays, no date gives ""."""
    if re.fullmatch(r"\d{4}", time) or not time:
        return time
    match = re.match(r"(\d{4})-(\d\d)(?:-(\d\d))?", time)
    if match is None:
        return ""
    moved = _later(int(match[1]), int(match[2]), int(match[3] or 15), days)
    if moved is None:
        return ""
    return moved.isoformat()[: match.end()] + time[match.end() :]


def year_of(written: str) -> str:
    """The year that a written date names in full, or ""."""
    match = re.search(rf"(?<!\d){_YEAR}", written)
    return match[0] if match else ""


def _matches(text: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    # An expression is tried only where a number or a month stands: elsewhere it can't match.
    for digits in _NUMBER.finditer(text):
        for regex in (_NUMERIC, _DAY_FIRST):
            if match := regex.match(text, digits.start()):
                yield _with_weekday(text, match)
    for month in _MONTH_START.finditer(text):
        if match := _WORDED.match(text, month.start()):
            yield _with_weekday(text, match)
    for match in _BARE.finditer(text):
        yield *match.span("bare"), match


def _epochs(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for number in _EPOCH_NUMBER.finditer(text):
        start = max(done, number.start() - 24)
        match = _EPOCH.search(text, start, number.end() + 8)
        if match and match.start("epoch") == number.start():
            done = number.end()
            yield match.span("epoch")


def _with_weekday(text: str, match: re.Match[str]) -> tuple[int, int, re.Match[str]]:
    before = _BEFORE.search(text, max(0, match.start() - 16), match.start())
    return before.start() if before else match.start(), match.end(), match


def _later(year: int, month: int, day: int, days: int) -> date | None:
    try:
        moved = date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return moved if 1000 <= moved.year <= 9999 else None


def _full_year(written: str) -> int:
    if len(written) == 4:
        return int(written)
    # POSIX: 69 to 99 are 1969 to 1999.
    return int(written) + (1900 if int(written) >= 69 else 2000)


def _like(number: int, written: str) -> str:
    """A number as wide as another was written: ``01`` keeps its zero, ``1`` has none."""
    return f"{number:0{len(written)}d}" if len(written) > 1 else str(number)


def _year_like(year: int, written: str) -> str:
    return f"{year % 100:02d}" if len(written) == 2 else f"{year:04d}"


def _name_like(name: str, written: str) -> str:
    # May is long and short at once; it counts as short.
    plain = written.lower()
    full = plain.endswith("day") or (len(plain) > 4 and plain in _MONTHS) or plain in _FOUR
    shown = name if full else name[:3]
    if written.isupper():
        return shown.upper()
    return shown if written.islower() else shown.capitalize()


def _month(written: str) -> int:
    return [name[:3] for name in _MONTHS].index(written[:3].lower()) + 1


def _moved(match: re.Match[str], text: str, days: int) -> str | None:
    """Rebuild the match with its numbers and names replaced, from the last to the first."""
    g = match.groupdict()
    year_at, month_at, day_at = _places(g)
    month_text = g[month_at]
    moved = _later(*_numbers(g), days)
    if moved is None:
        return None
    news: dict[str, str] = {}
    if year_at:
        old = g[year_at]
        lead = old[0] if old[0] in "-/" else ""
        news[year_at] = lead + _year_like(moved.year, old.lstrip("-/"))
    word = not month_text.isdigit()
    name = _MONTHS[moved.month - 1]
    old_month = g[month_at]
    news[month_at] = _name_like(name, old_month) if word else _like(moved.month, old_month)
    if day_at:
        news[day_at] = _like(moved.day, g[day_at])
        ordinal = {"d1": "o1", "d2": "o2"}.get(day_at, "")
        if g.get(ordinal):
            news[ordinal] = _ordinal(moved.day)
    return _rebuilt(match, text, news, moved)


def _numbers(g: dict[str, str | None]) -> tuple[int, int, int]:
    """Year, month and day; what isn't told is a year without a leap day, or the month's middle."""
    year_at, month_at, day_at = _places(g)
    year, month, day = (g[at] or "" if at else "" for at in (year_at, month_at, day_at))
    return (
        _full_year(year.lstrip("-/")) if year else 2023,
        int(month) if month.isdigit() else _month(month),
        int(day) if day else 15,
    )


def _places(g: dict[str, str | None]) -> tuple[str, str, str]:
    """As `_parts`, the day first where the month would be none."""
    year_at, month_at, day_at = _parts(g)
    if month_at in ("a", "b") and int(g[month_at] or 0) > 12:
        month_at, day_at = day_at, month_at
    return year_at, month_at, day_at


def _parts(g: dict[str, str | None]) -> tuple[str, str, str]:
    """The names of the groups that hold year, month and day; "" where there is none."""
    if g.get("mon3"):
        return "y3", "mon3", ""
    if g.get("mon"):
        return ("y1" if g["y1"] else "short" if g["short"] else ""), "mon", "d1"
    if g.get("mon2"):
        return ("y2" if g["y2"] else "short2" if g["short2"] else ""), "mon2", "d2"
    for key, parts in (
        ("ymd", ("y1", "m1", "d1")),
        ("a", ("y2", "a", "b")),
        ("ym", ("y3", "m3", "")),
        ("my", ("y4", "m4", "")),
    ):
        if g.get(key):
            return parts
    return "y5", "m5", "d5"


def _ordinal(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _rebuilt(match: re.Match[str], text: str, news: dict[str, str], moved: date) -> str:
    start, end = match.span()
    written = text[start:end]
    for key in sorted(news, key=match.start, reverse=True):
        a, b = match.start(key) - start, match.end(key) - start
        written = written[:a] + news[key] + written[b:]
    before = text[:start]
    weekday = _BEFORE.search(before)
    if weekday:
        name = _name_like(_DAYS[moved.weekday()], weekday["weekday"])
        return before[: weekday.start("weekday")] + name + weekday["after"] + written
    return before + written
