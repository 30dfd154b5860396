"""Names of infrastructure that both domains speak of: device asset tags, wards, dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern

_DEVICE: Final = re.compile(
    r"\b(?:PUMP|VENT|MON|MRI|CT|ECG|EKG|DEFIB|DIAL|XRAY|US|INF|SYR|ANES|INCU|TELE|GLUC|LAB|SCAN|NURSE)"
    r"-(?:[A-Z0-9]{1,8}-){0,3}\d{2,6}\b"
)
_WARD: Final = re.compile(
    r"\b(?:"
    r"(?:ICU|MICU|SICU|NICU|PICU|CCU|CVICU|CARDIO|NEURO|ONCO|NEPH|PULM|ORTHO|PEDS|SURG|MED|OB|ED|ER"
    r"|GYN|GASTRO|URO|DERM|PSYCH|REHAB|WARD|STEPDOWN|TELE)-\d{1,2}[A-Z]?"
    r"|[Ww]ard[ ]\d{1,2}[A-Z]?"
    r"|ICU[ ]\d{1,2}"
    r"|(?:MICU|SICU|NICU|PICU|CVICU|CCU)"
    r")\b"
)
_DATE: Final = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.? \d{1,2},? \d{4})\b"
)


def _ward_name(text: str) -> str:
    """``Ward 4B`` and ``WARD-4B`` are one ward."""
    return re.sub(r"[\s-]+", "-", text.strip())


@cache
def patterns() -> Sequence[Pattern]:
    """Device asset tags (``PUMP-0042``), wards (``ICU-3``, ``Ward 4B``) and dates."""
    return (
        Pattern("device", _DEVICE, score=0.95),
        Pattern("ward", _WARD, normal=_ward_name, score=0.9),
        Pattern("date", _DATE, score=0.9),
    )
