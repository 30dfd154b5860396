"""The header fields of clinical notes, as they are written: ``MRN: 12345``, ``DOB - 1/2/1950``."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = r"(?: id| number| no\.?| ?#)"

FIELD_NAMES: Final[dict[str, str]] = {
    "mrn": (
        rf"mrn|mr ?#|medical record{_NUMBER}|patient{_NUMBER}|hospital{_NUMBER}|unit{_NUMBER}"
        r"|record number"
    ),
    "dob": r"dob|d\.o\.b\.?|date of birth|birth ?date|born",
    "ssn": r"ssn|social security(?: number| no\.?)?",
    "phone": (
        r"(?:home |cell |mobile |work )?(?:phone|tel(?:ephone)?)(?: number| no\.?)?|mobile|cell"
    ),
    "fax": r"fax(?: number)?",
    "email": r"e-?mail(?: address)?",
    "address": r"(?:home |street )?address",
    "account": (rf"account{_NUMBER}?|acct{_NUMBER}?|csn|encounter{_NUMBER}|visit{_NUMBER}"),
    "health_plan": rf"(?:insurance|policy|member|health plan|medicare|medicaid){_NUMBER}",
    "licence": r"npi|dea|licen[sc]e(?: number| no\.?)?",
    "device": r"serial(?: number| no\.?)?|s/n|udi",
    "provider": (
        r"(?:attending|referring|primary care|ordering|consulting|admitting|discharging)"
        r"(?: physician| provider| md| doctor)?|physician|provider|surgeon|pcp|author|dictated by"
        r"|(?:electronically )?signed(?: by)?|nurse|rn|resident|doctor|clinician"
    ),
    "relative": (
        r"(?:emergency|next of kin|nok)(?: contact)?(?: name)?|spouse|guardian|mother|father"
    ),
    "date": (
        r"(?:note |visit |service |encounter |report |dictation )?date"
        r"(?: of (?:service|visit|note|admission))?|admi(?:t|ssion) date"
        r"|date/time|admitted|dos"
    ),
    "name": r"(?:patient(?:'s)? |pt )?name|patient|pt",
}
"""What a field says -> the words by which it is written."""

FIELD: Final = re.compile(
    r"(?:(?<=\n)|(?<=[|\t;])|(?<=  )|^)[ \t*#]*(?:"
    + "|".join(f"(?P<{kind}>{names})" for kind, names in FIELD_NAMES.items())
    + r")[ \t*]*:[ \t*]*(?P<value>[^\n\t|;]*?)(?=[ \t]*(?:\n|\t|\||;|$|[ ]{2,}\S"
    + r"|[ ](?:MRN|DOB|SSN|Sex|Gender|Age|Phone|Date|Account|Acct|Unit|Ward|Room)\b ?[:#]))",
    re.IGNORECASE,
)
"""A field at the start of a line or after a gap, with its value up to the next one."""
