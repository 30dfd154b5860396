"""Made-up dates and times for training texts, as people and machines write them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

_FIRST: Final = datetime(1931, 1, 1)
_DAYS: Final = 36_000

FULL: Final = (
    "%Y-%m-%d", "%m/%d/%Y", "%-m/%-d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%-d.%-m.%Y", "%d-%b-%Y",
    "%B %-d, %Y", "%b %-d, %Y", "%-d %B %Y", "%-d %b %y", "%m/%d/%y", "%d %b %Y", "%Y/%m/%d",
    "%b. %-d, %Y", "%Y%m%d",
)  # fmt: skip
PART: Final = (
    "%B %Y", "%b %Y", "%-m/%-d", "%B %-d", "%-d %B", "%A", "%a", "%m/%Y", "%Y", "%Y", "%d.%m.",
    "%A, %B %-d", "the %-dth of %B", "Q1 %Y", "spring %Y", "the %Y", "late %B", "mid-%B %Y",
)  # fmt: skip
STAMP: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%b %d %H:%M:%S", "%d/%b/%Y:%H:%M:%S +0000",
    "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M", "%a %b %d %H:%M:%S %Y",
    "%Y-%m-%dT%H:%M:%S.123+02:00", "%Y%m%d%H%M%S",
)  # fmt: skip
_FORMS: Final = {"full": FULL, "part": PART, "stamp": STAMP}


def moment(rng: random.Random, form: str) -> str:
    """A date: ``full``, ``part`` of one, a ``stamp`` with its time, or ``weekday``, ``year``."""
    day = _FIRST + timedelta(days=rng.randrange(_DAYS), seconds=rng.randrange(86_400))
    if form in ("weekday", "year"):
        return f"{day:%A}" if form == "weekday" else f"{day:%Y}"
    style = rng.choice(_FORMS.get(form) or FULL * 2 + PART + STAMP[:3])
    written = day.strftime(style.replace("%-dth", _ordinal(day.day)))
    return written.upper() if rng.random() < 0.04 else written


def _ordinal(day: int) -> str:
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"
