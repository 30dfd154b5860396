"""Shapes that both domains share: asset tags, wards, dates and the names that networks use.

A device's asset tag, a ward and a host name are what joins clinical and security documents, so they
must have one shape and one key everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.packs.general.network import network_patterns

# Prefixes that number standards, advisories and units of care rather than devices.
_NOT_A_TAG: Final = frozenset(
    """CVE CWE CAPEC ISO IEC RFC NIST SP MS KB CA GHSA RHSA DSA USN ICU CCU NICU PICU MICU SICU ED ER
    WARD UNIT ROOM BED FLOOR UTC GMT SHA MD AES RSA TLS SSL UTF ASCII COVID SARS HIV HBV HCV HPV
    ICD DSM CPT LOINC NDC HL FHIR IPV HTTP APT UNC FIN TA DEV TEMP STORM ATT CK ARIN NSC IL TNF
    VITAMIN OMEGA CD HER BRCA GLP SGLT COX PT TYPE STAGE GRADE PHASE PAGE FIG TABLE
    STEP MG ML VER CIS PCI WIN INC MON-FRI AC PC""".split()
)
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)


def tag_allowed(match: re.Match[str]) -> bool:
    """Whether a tag-like token names a device: known standards and units do not."""
    return match.group().split("-", 1)[0] not in _NOT_A_TAG


def ward_name(text: str) -> str:
    """``ward 4b`` and ``Ward-4B`` -> ``ward-4b``; ``ICU 3`` -> ``icu-3``."""
    return re.sub(r"[\s-]+", "-", text.strip()).casefold()


@cache
def shared_patterns() -> Sequence[Pattern]:
    """Asset tags, wards and dates."""
    return (
        Pattern(
            "device",
            re.compile(
                r"(?<![\w./\\-])[A-Z]{2,6}-(?:[A-Z0-9]{1,8}-){0,4}\d{2,8}(?![\w/\\]|-\w|\.\w)"
            ),
            check=tag_allowed,
            score=0.9,
        ),
        Pattern(
            "ward",
            re.compile(
                r"(?<![\w/-])(?:(?:ICU|CCU|NICU|PICU|MICU|SICU|HDU|ED)[- ]\d{1,2}[A-Z]?"
                r"|(?:[Ww]ard|WARD)[ -](?:\d{1,2}[A-Z]?|[A-Z]\d{0,2}))(?![\w-])"
            ),
            normal=ward_name,
            score=0.9,
        ),
        Pattern(
            "date",
            re.compile(
                r"(?<![\w.:/-])(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?Z?)?"
                r"|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})"
                rf"|{_MONTH}\.?[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}}"
                rf"|\d{{1,2}}[ ]{_MONTH}\.?[ ]\d{{4}})(?![\w/-])"
            ),
        ),
    )


@cache
def patterns() -> Sequence[Pattern]:
    """Shapes of a general document: the shared ones and those of networks."""
    return (*shared_patterns(), *network_patterns())
