"""Days in questions and in texts: 2026-03-30, March 30 2026, 30 March, Mar 30 of a log line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAME: Final = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})(?!\d)",
        rf"\b{_NAME} {{1,2}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|:)(?:,? (?P<year>\d{{4}}))?",
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_NAME}(?:,? (?P<year>\d{{4}}))?\b",
    )
)


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """A day; year 0 where none is said."""

    year: int
    month: int
    day: int

    def meets(self, other: Day) -> bool:
        """Whether the two may be one day; a year that is not said fits every year."""
        same = (self.month, self.day) == (other.month, other.day)
        return same and (self.year == other.year or not (self.year and other.year))

    @property
    def words(self) -> tuple[str, ...]:
        """How texts write it, for a search by words."""
        short = f"{_MONTHS[self.month - 1].capitalize()} {self.day:2d}"
        return (
            (f"{self.year:04d}-{self.month:02d}-{self.day:02d}", short) if self.year else (short,)
        )


def days(text: str) -> list[Day]:
    """The days that a text names, each once."""
    found: list[Day] = []
    for form in _FORMS:
        for match in form.finditer(text):
            parts = match.groupdict()
            name = (parts.get("month") or "")[:3].casefold()
            month = _MONTHS.index(name) + 1 if name else int(parts["number"])
            day = Day(int(parts.get("year") or 0), month, int(parts["day"]))
            if 1 <= month <= 12 and 1 <= day.day <= 31:
                found.append(day)
    return list(dict.fromkeys(found))


def without_days(text: str) -> str:
    """A text without the days that it names."""
    for form in _FORMS:
        text = form.sub(" ", text)
    return " ".join(text.split())
