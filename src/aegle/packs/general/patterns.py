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
from aegle.packs.general.hosts import internal_hosts
from aegle.packs.general.network import network_patterns

# Prefixes that number standards, advisories and units of care rather than devices.
_NOT_A_TAG: Final = frozenset(
    """CVE CWE CAPEC ISO IEC RFC NIST SP MS KB CA GHSA RHSA DSA USN ICU CCU NICU PICU MICU SICU
    ED ER WARD UNIT ROOM BED FLOOR UTC GMT SHA MD AES RSA TLS SSL UTF ASCII COVID SARS HIV HBV
    HCV HPV ICD DSM CPT LOINC NDC HL FHIR IPV HTTP APT UNC FIN TA DEV TEMP STORM ATT CK ARIN
    NSC IL TNF VITAMIN OMEGA CD HER BRCA GLP SGLT COX PT TYPE STAGE GRADE PHASE PAGE FIG TABLE
    STEP MG ML VER CIS PCI WIN INC MON-FRI AC PC""".split()
)
# What hosts are for, as their names say it: ``icu3-gw01``, ``srv-db-02``, ``web01``, ``WS-0123``.
_ROLES: Final = frozenset(
    """gw gateway srv svr server ws wks wkst pc db dc fs web app mail dns vpn fw sw rtr ap nas
    san hv vm esx esxi jump bastion proxy ns ldap ad print prn pacs ris lis his ehr emr hl7
    dicom station laptop desktop host node siem log logs backup bkp file sql console kiosk cam
    terminal term mx build git ci edge core dmz nurse clin rad lab pharm nms hmi plc historian
    router switch workstation desk tablet cart sso auth idp api cache queue k8s worker
    master""".split()
)
_LABEL_EDGE: Final = re.compile(r"^\d+|\d+$")
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)


def tag_allowed(match: re.Match[str]) -> bool:
    """Whether a tag-like token names a device: known standards and units do not."""
    first = match.group().split("-", 1)[0]
    return first not in _NOT_A_TAG and first.casefold() not in _ROLES


def is_host(match: re.Match[str]) -> bool:
    """Whether a token with a digit reads as a host: one of its labels says what a host is for."""
    labels = match.group().casefold().split("-")
    if not any(char.isdigit() for char in match.group()):
        return False
    return any(_LABEL_EDGE.sub("", label) in _ROLES or label in _ROLES for label in labels)


def ward_name(text: str) -> str:
    """``ward 4b`` and ``Ward-4B`` -> ``ward-4b``; ``ICU 3`` -> ``icu-3``."""
    return re.sub(r"[\s-]+", "-", text.strip()).casefold()


def _wards() -> tuple[Pattern, ...]:
    return (
        Pattern(
            "ward",
            re.compile(
                r"(?<![\w/-])(?:(?:ICU|CCU|NICU|PICU|MICU|SICU|HDU|ED)[- ]\d{1,2}[A-Z]?"
                r"|(?:CARDIO|ONCO|NEURO|ORTHO|MED|SURG|PEDS|PSYCH|RENAL|GASTRO|TELE|STROKE|BURN|REHAB"
                r"|OBGYN|MATERNITY|PULM|TRAUMA)-\d{1,2}[A-Z]?"
                r"|(?:[Ww]ard|WARD)[ -](?:\d{1,2}[A-Z]?|[A-Z]\d{0,2}))(?![\w-])"
            ),
            normal=ward_name,
            score=0.9,
        ),
        Pattern(
            "ward",
            # ED is also an acronym of diagnoses: a ward only where a place is expected.
            re.compile(
                r"\b(?:(?:in|to|the|from|at|via|into)[ ]|(?:[Ww]ard|WARD|[Uu]nit|[Ll]ocation):[ ]?)"
                r"(?P<value>ED|OR|PACU|ICU|CCU|NICU|PICU|MICU|SICU)(?![\w-]|[ ]\d)"
            ),
            normal=ward_name,
            score=0.8,
        ),
    )


@cache
def shared_patterns() -> Sequence[Pattern]:
    """Asset tags, host names and wards."""
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
            "host",
            re.compile(
                r"\b(?:host(?:name)?|computer|server|workstation|machine)"
                r"(?:[ \t]*[:=][ \t]*|[ \t]+)[\"']?"
                r"(?P<value>(?=[\w-]{0,40}\d)[A-Za-z][\w]{0,20}(?:-\w{1,20}){0,5})(?![\w-]|\.\w)",
                re.IGNORECASE,
            ),
            score=0.95,
        ),
        Pattern(
            "host",
            re.compile(
                r"(?<![\w./@\\-])(?:[a-z][a-z0-9]{0,15}(?:-[a-z0-9]{1,15}){1,4}|[a-z]{2,8}\d{2,3}"
                r"|[A-Z][A-Z0-9]{0,15}(?:-[A-Z0-9]{1,15}){1,4}|[A-Z]{2,8}\d{2,3})(?![\w/@-]|\.\w)"
            ),
            check=is_host,
            score=0.85,
        ),
        *internal_hosts(),
        *_wards(),
    )


# Dates as digits or with the month's name; the time after one belongs to it.
_DATE: Final = (
    r"(?<![\w.:/-])(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})"
    rf"|{_MONTH}\.?[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}}|\d{{1,2}}[ ]{_MONTH}\.?[ ]\d{{4}})"
)
_TIME: Final = r"[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?Z?"


@cache
def dates(*, with_time: bool) -> Pattern:
    """Dates, with the time after them; or only dates without one.

    In logs each line is stamped, and a stamp is no entity: the reader took it as the event's time.
    """
    end = rf"(?:{_TIME})?(?![\w/-])" if with_time else r"(?![\w/-]|[T ]\d{2}:)"
    return Pattern("date", re.compile(_DATE + end))


@cache
def patterns() -> Sequence[Pattern]:
    """Shapes of a general document: the shared ones and those of networks."""
    return (*shared_patterns(), dates(with_time=True), *network_patterns())
