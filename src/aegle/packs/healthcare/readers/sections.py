"""Headers of clinical notes: where sections begin, and how surely a text is a note."""

from __future__ import annotations

import re
from typing import Final

_KNOWN: Final = """
chief complaint; cc; history of present illness; hpi; history of presenting illness;
past medical history; pmh; pmhx; past surgical history; psh; family history; fh; fhx;
social history; sh; shx; review of systems; ros; physical exam; physical examination; exam; pe;
vital signs; vitals; allergies; medications; current medications; home medications; meds;
discharge medications; medications on admission; admission medications; medication list;
laboratory data; labs; laboratory results; lab results; pertinent results; imaging; radiology;
assessment; assessment and plan; assessment & plan; a/p; ap; a&p; impression; plan;
hospital course; brief hospital course; course in hospital; discharge diagnosis;
discharge diagnoses; admission diagnosis; admitting diagnosis; principal diagnosis; diagnosis;
diagnoses; problem list; discharge disposition; disposition; discharge condition;
discharge instructions; discharge summary; follow-up; follow up; followup; followup instructions;
procedures; procedure; findings; indication; indications; technique; comparison; operative note;
preoperative diagnosis; postoperative diagnosis; pre-operative diagnosis; post-operative diagnosis;
anesthesia; estimated blood loss; complications; specimens; consultation; reason for visit;
reason for admission; reason for consult; reason for consultation; history; subjective; objective;
soap; interval history; immunizations; functional status; mental status exam; code status;
progress note; nursing note; nursing assessment; clinical course; medical history;
devices; lines and devices; equipment; allergies and intolerances; overnight events;
24 hour events; i/o; intake and output; diet; activity; prognosis; recommendations;
clinical history; final diagnosis; gross description; microscopic description
"""
_NAMES: Final = frozenset(" ".join(one.split()) for one in _KNOWN.split(";"))
_HEADER: Final = re.compile(
    r"^[ \t]*(?:#{1,4}[ \t]*|\*\*)?([A-Za-z0-9][A-Za-z0-9 /&,()'\-]{0,48}?)"
    r"(?:\*\*)?[ \t]*(:(?:\*\*)?|$)",
    re.MULTILINE,
)
_STRONG: Final = re.compile(
    r"\b(chief complaint|history of present(?:ing)? illness|review of systems|past medical history"
    r"|discharge summary|hospital course|assessment (?:and|&) plan|progress note|operative note"
    r"|discharge medications|physical exam(?:ination)?|MRN|medical record (?:number|no))\b",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(
    r"\b(patient|pt|mg|mcg|b\.?i\.?d|t\.?i\.?d|prn|po|iv|bp|hr|spo2|year[- ]old|y/?o|yo|denies"
    r"|admitted|discharged?|diagnos\w+|exam|symptoms?|chest pain|dyspnea|fever|hypertension"
    r"|diabetes|allerg\w+|dose|daily|tablets?|mmhg|afebrile|surgery|nurse|physician|ward|icu"
    r"|attending|dr)\b",
    re.IGNORECASE,
)
_CASE: Final = re.compile(
    r"\b\d{1,3}[- ](?:year|month|week|day)s?[- ]old\b.{0,60}?"
    r"\b(?:man|woman|male|female|boy|girl|patient|infant|child)\b",
    re.IGNORECASE,
)
"""How a case report opens; it need have no headers."""
_NOT_A_NOTE: Final = re.compile(
    r"CVE-\d{4}-\d+|ATT&CK|\bTTPs?\b|\bmalware\b|\bthreat actor|\bsha256\b|Copyright \(c\)|LICENSE"
    r"|^\s*(?:#include|import \w|from \w+ import|def \w+\(|class \w+|function |var |const )"
    r"|\bpip install\b|\bnpm (?:install|run)\b|```|\bcitation\b|\bGitHub\b|\brepository\b"
    r"|\bdataset\b",
    re.IGNORECASE | re.MULTILINE,
)
_LOG_LINE: Final = re.compile(
    r"^(?:<\d+>|\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d|\[\w{3} \w{3} +\d"
    r"|[A-Z][a-z]{2} +\d{1,2} \d\d:"
    r"|\d{1,3}(?:\.\d{1,3}){3} |\d{6} \d{6} )"
)


def section_names(text: str) -> list[str]:
    """The section headers of a note in order, each once, as it is written."""
    found: dict[str, str] = {}
    for match in _HEADER.finditer(text):
        name = " ".join(match[1].split()).casefold()
        if name in _NAMES:
            found.setdefault(name, " ".join(match[1].split()))
    return list(found.values())


def note_score(text: str) -> float:
    """How surely a text is a clinical note: 0 for what is none, 0.3 to 0.8 for notes."""
    lines = [line for line in text.splitlines() if line.strip()][:200]
    if not lines or text.lstrip()[:1] in ("{", "[", "<"):
        return 0.0
    num_logs = sum(1 for line in lines if _LOG_LINE.match(line))
    if num_logs > max(2, len(lines) // 3):
        return 0.0
    num_sections = len(section_names(text))
    strong = len({match[0].casefold() for match in _STRONG.finditer(text)})
    num_words = max(1, len(text.split()))
    if num_words < 2.5 * len([line for line in text.splitlines() if line.strip()]):
        return 0.0  # a list of words
    clinical = len(_WORDS.findall(text))
    foreign = len(_NOT_A_NOTE.findall(text))
    if foreign * 3 > num_sections + strong + clinical // 10:
        return 0.0
    density = clinical / num_words
    if num_sections + strong >= 2 and (density >= 0.01 or clinical >= 3):
        return min(0.8, 0.45 + 0.05 * (num_sections + strong))
    # Free text without headers: it has to be thick with clinical words.
    if density >= 0.08 and clinical >= 5:
        return 0.4
    if _CASE.search(text) and clinical >= 5:
        return 0.35
    return 0.3 if (num_sections or strong) and density >= 0.05 and clinical >= 4 else 0.0
