"""Finds names of people by lists, cues, titles and the words around them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from aegle.core.pack import Found
from aegle.packs.general.gate import Gate, ending

# Capital letters of the Latin, Greek and Cyrillic blocks.
_UPPER: Final = "A-ZÀ-ÖØ-Þ" + "".join(filter(str.isupper, map(chr, range(0x100, 0x530))))
_WORD: Final = rf"[{_UPPER}][^\W\d_]*(?:['’-][^\W\d_]+){{0,3}}"
_TOKEN: Final = re.compile(_WORD)
_PARTICLE: Final = (
    r"(?:de la|de los|van der|van den|von der|de|da|do|dos|del|della|di|la|le|van|von|bin|al|el"
    r"|ter|den)"
)
_NAME: Final = rf"{_WORD}(?:\.? {_PARTICLE} {_WORD}|\.? {_WORD}){{0,3}}"
_RUN: Final = re.compile(
    rf"(?<![\w@/.\\-]){_WORD}(?:(?:\.? {_PARTICLE} |\. | |, (?={_WORD}(?:[ .;:)\n]"
    rf"|$))){_WORD}){{0,5}}(?![\w@\\]|\.\w)"
)

_SUFFIX: Final = (
    r",? (?:M\.?D|D\.?O|R\.?N|N\.?P|P\.?A(?:-C)?|Ph\.?D|DDS|DMD|L\.?P\.?N|CRNA|FNP(?:-C)?|APRN"
    r"|PharmD"
    r"|MBBS|FACP|FACS|Jr|Sr|Esq|MSN|BSN|LCSW|CNM|DPM|III|IV)\b"
)
_TITLED: Final = re.compile(
    rf"\b(?:Mrs?|Ms|Miss|Mx|Dr|Doctor|Prof(?:essor)?|Sir|Madam|Rev(?:erend)?|Nurse|Sister|Capt|Sgt"
    rf"|Lt"
    rf"|Hon|Herr|Frau|Mme|Señora?|Sra?|Sheriff|Officer|Detective"
    rf"|DR|MR|MRS|MS|dr|mr|mrs|ms)(?:\.? |\.)(?P<name>{_NAME})"
)
_LABEL: Final = re.compile(
    r"(?:(?<![\w-])(?:(?:[Pp]atient|[Ff]ull|[Ff]irst|[Ll]ast|[Mm]iddle|[Gg]iven|[Ff]amily|[Mm]aiden"
    r"|[Cc]ontact|[Pp]rovider|[Pp]hysician|[Ii]nsured|[Gg]uarantor|[Ss]ubscriber|[Mm]other's"
    r"|[Ee]mployee|[Uu]ser) [Nn]ame|[Nn]ame|NAME|PATIENT NAME|LAST NAME|FIRST NAME|PATIENT|Patient"
    r"|Pt|PT"
    r"|[Ss]igned|[Ee]lectronically signed|[Dd]ictated|[Aa]uthenticated|[Tt]ranscribed|[Rr]eviewed"
    r"|[Aa]ttending(?: [Pp]hysician)?|[Rr]eferring(?: [Pp]hysician)?|[Ss]urgeon|[Aa]nesthesiologist"
    r"|[Aa]ssistant|[Pp]rovider|[Pp]hysician|PCP|[Aa]uthor|[Cc]linician|[Nn]urse|[Rr]esident"
    r"|[Cc]onsultant"
    r"|[Nn]ext of [Kk]in|NOK|[Ee]mergency [Cc]ontact|[Gg]uardian|[Cc]aregiver|ATTENDING|SURGEON"
    r"|PROVIDER"
    r"|PHYSICIAN|[Aa]nalyst|[Rr]eporter|[Ss]poke (?:with|to)|From|To|Cc|CC|Attn|[Cc]ontact"
    r"|[Oo]rdered|[Pp]erformed|[Vv]erified|[Aa]dministered)"
    r"(?: [Bb]y)?[ \t]*[:#=][ \t]*|/s/[ \t]*|\[?signed\]? by )"
    rf"(?P<name>{_NAME}(?:, {_WORD}(?: {_WORD})?)?)"
)
_CUED: Final = re.compile(
    r"\b(?:[Ss]een by|[Dd]ictated by|[Ss]igned by|[Rr]eviewed by|[Rr]eferred by|[Aa]dmitted by"
    r"|[Pp]er"
    r"|[Dd]iscussed with|[Ss]poke with|[Ss]poke to|[Ff]ollowed by|[Cc]alled by|[Ww]ritten by"
    r"|[Pp]repared by"
    r"|[Pp]erformed by|[Oo]rdered by|[Ee]valuated by|[Ee]xamined by|[Rr]eported by|[Cc]ontact"
    r"|[Dd]irected by|[Cc]reated by|[Aa]pproved by|[Pp]atient|[Pp]t|PT|[Dd]ear|Hi|Hello|Hey"
    r"|[Tt]hanks,?"
    r"|[Rr]egards,?|[Ss]incerely,?|[Mm]y name is|I am|I'm|[Cc]all me|[Cc]alled|[Nn]amed|[Kk]nown as"
    r")"
    rf"[ \n]+(?P<name>{_NAME})"
)
_KIN: Final = re.compile(
    r"\b(?:[Ss]on|[Dd]aughter|[Ww]ife|[Hh]usband|[Mm]other|[Ff]ather|[Bb]rother|[Ss]ister|[Ff]riend"
    r"|[Pp]artner|[Aa]unt|[Uu]ncle|[Nn]iece|[Nn]ephew|[Ss]pouse|[Gg]randson|[Gg]randdaughter"
    r"|[Cc]ousin"
    r"|[Nn]eighbou?r|[Cc]aregiver|[Gg]uardian|[Ff]ianc[eé]e?),?(?: is| was| named)?"
    rf"[ \n]+(?P<name>{_NAME})"
)
_TOLD: Final = re.compile(
    r"\b(?:[Mm]y name is|name's|[Cc]all me|people call me) "
    r"(?P<name>[^\W\d_]+(?:['’-][^\W\d_]+)?(?: [^\W\d_]+){0,2}?)(?= but\b| and\b|[.,;!?\n]|$)"
)
# As generators of test patients write: `Suanne858 Abbott774`.
_NUMBERED: Final = re.compile(r"\b[A-Z][a-zé'-]{1,30}\d{1,3}(?: [A-Z][a-zé'-]{1,30}\d{1,3}){1,5}\b")
_NUMBERED_GAP: Final = re.compile(r"[0-9](?= [A-Z][a-zé'-]{1,30}[0-9])")

_DEGREES: Final = Gate(
    re.compile(_SUFFIX.replace(",? ", "", 1)),
    "m.d md d.o do r.n rn n.p np p.a pa ph.d phd dds dmd l.p lpn crna fnp aprn pharmd mbbs facp "
    "facs jr sr esq msn bsn lcsw cnm dpm iii iv",
)
_BEFORE_DEGREE: Final = re.compile(rf"(?<![\w'’-])(?P<name>{_NAME}),? $")
_TITLES: Final = Gate(
    _TITLED,
    "mr mrs ms miss mx dr doctor prof sir madam rev nurse sister capt sgt lt hon herr frau mme "
    "señor sra sr sheriff officer detective",
)
_LABELS: Final = Gate(
    _LABEL,
    "patient full first last middle given family maiden contact provider physician insured "
    "guarantor subscriber mother employee user name pt signed "
    "electronically dictated authenticated "
    "transcribed reviewed attending referring surgeon anesthesiologist assistant pcp author "
    "clinician nurse resident consultant next nok emergency guardian caregiver analyst reporter "
    "spoke from to cc attn ordered performed verified administered /s/ [signed signed",
)
_CUES: Final = Gate(
    _CUED,
    "seen dictated signed reviewed referred admitted per discussed spoke followed called written "
    "prepared performed ordered evaluated examined reported contact directed created approved "
    "patient pt dear hi hello hey thanks regards sincerely my i call named known",
)
_RELATIVES: Final = Gate(
    _KIN,
    "son daughter wife husband mother father brother sister friend partner aunt uncle niece nephew "
    "spouse grandson granddaughter cousin neighbor neighbour caregiver guardian fianc",
)
_INTRODUCED: Final = Gate(_TOLD, "my name call people")

_NOT_A_NAME: Final = frozenset(
    """the a an and or of in on at by for to from with without is was are were be this that these
    those he she it they we you i his her their our my your its no not yes none if when
    while after before january february march april june july august september october
    november december jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday
    wednesday thursday friday saturday sunday mon tue wed thu fri sat sun north south east
    west street avenue road drive lane boulevard court county hospital clinic center centre
    university college school department medical health care unit ward inc llc ltd corp
    company group bank street st mr mrs ms dr prof miss sir patient history exam assessment
    plan chief complaint allergies medications social family review systems vital signs
    physical past surgical present illness diagnosis procedure impression findings discharge
    admission date time name address phone fax email mrn dob ssn age sex male female
    january's america american american's english french german spanish italian chinese
    japanese windows linux microsoft google apple cisco oracle adobe apache android python
    java server united states kingdom states new york california texas florida washington
    boston chicago virginia georgia carolina dakota jordan chad kenya china india asia
    israel paris london sydney austin dallas houston madison florence charlotte savannah
    victoria santiago diego cleveland lincoln troy orlando milan geneva christian jesus
    alexandria augusta francisco jose antonio san santa los las el denver phoenix columbus
    portland aurora arlington medicare medicaid allegra xanax france germany
    canada mexico spain italy vietnam korea asian african americans pacific islander hispanic
    southeast national aetna cigna humana tylenol advil aspirin""".split()
)
_DIRECTIONS: Final = frozenset(
    """north south east west new san santa los las el st mr florence charlotte savannah victoria
    santiago cleveland lincoln troy orlando milan geneva alexandria augusta francisco jose antonio
    portland aurora arlington boston chicago madison dallas houston austin denver phoenix columbus
    paris london sydney washington jordan diego""".split()
)
"""Of these, what a town's name may start with."""
_EPONYM_NEXT: Final = re.compile(
    r"(?:['’]s?)?(?:-[\w]+)*[ -](?:disease|syndrome|palsy|sign|catheter|score|scale|test|criteria"
    r"|criterion"
    r"|reflex|method|lymphoma|thyroiditis|sarcoma|tumou?r|fracture|node|nodes|node's|phenomenon"
    r"|procedure"
    r"|esophagus|ulcer|maneuver|manoeuvre|position|ring|tube|drain|body|bodies|cell|cells|ganglion"
    r"|classification"
    r"|equation|formula|index|law|stain|virus|solution|line|plot|model|coefficient|correlation"
    r"|theorem|algorithm"
    r"|attack|exploit|group|team|ransomware|malware|campaign|chorea|ataxia|anemia|triad|anomaly"
    r"|duct|gland"
    r"|hernia|contracture|respiration|respirations|gravis|response|grade|stage|coma)\b",
    re.IGNORECASE,
)
_EPONYMS: Final = frozenset(
    """parkinson parkinson's parkinsons foley crohn crohn's crohns alzheimer alzheimer's hodgkin
    hodgkin's graves graves' addison addison's cushing cushing's bell bell's raynaud
    raynaud's sjogren sjögren huntington huntington's marfan turner down wilson's wernicke
    korsakoff barrett barrett's hashimoto kaposi burkitt meckel meniere ménière tourette
    kawasaki lyme ebola zika murphy babinski romberg glasgow apgar braden wells norton swan
    ganz hickman jackson pratt penrose trendelenburg valsalva doppler gram holter kerley
    kussmaul lasik lisfranc paget peyronie pott ringer ringer's rorschach snellen tinel
    weber rinne whipple wilms epstein barr coombs creutzfeldt jakob guillain barre lewy
    charcot ehlers danlos gaucher klinefelter legionnaires salmonella mirena kerberos yara
    sigma snort suricata mallory mimikatz carbanak emotet conficker lazarus sandworm
    turla""".split()
)


@cache
def _list(name: str) -> frozenset[str]:
    data = (files(__package__) / "data" / f"{name}.txt.gz").read_bytes()
    return frozenset(gzip.decompress(data).decode().split())


def _plain(word: str) -> str:
    return word.casefold().replace("’", "'")


@cache
def _sets() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """First names, last names and words; what is both a name and a word is only a word here."""
    words = _list("words") | _NOT_A_NAME
    return _list("first") - words - _EPONYMS, _list("last") - words - _EPONYMS, words


def is_first(word: str) -> bool:
    """Whether a word is a given name and nothing else."""
    return _plain(word) in _sets()[0]


def is_no_name(word: str) -> bool:
    """Whether a word never starts a name: months, headings, pronouns."""
    return _plain(word) in _NOT_A_NAME - _DIRECTIONS


def cued(text: str) -> Iterator[Found]:
    """Names after a title, a label or a phrase, or before a degree; any capitalised words count."""
    for gate, score, strict in ((_TITLES, 0.95, False), (_LABELS, 0.9, True)):
        for match in gate.finditer(text):
            if span := _trimmed(match, strict=strict):
                yield Found(*span, "name", score)
    for degree in _DEGREES.finditer(text):
        before = _BEFORE_DEGREE.search(text, max(0, degree.start() - 60), degree.start())
        if before and (span := _trimmed(before, strict=True)):
            yield Found(*span, "name", 0.9)
    first, last, _ = _sets()
    for match in _CUES.finditer(text):
        if span := _trimmed(match, strict=True):
            words = [_plain(word) for word in _TOKEN.findall(text[span[0] : span[1]])]
            sure = any(word in first or word in last for word in words)
            yield Found(*span, "name", 0.85 if sure else 0.6)
    for match in _RELATIVES.finditer(text):
        # Son Mark, daughter Hope: what is a word elsewhere is a name here.
        start = match.start("name")
        word = _TOKEN.match(text, start)
        if span := _trimmed(match, strict=True):
            yield Found(*span, "name", 0.85)
        elif word and _plain(word[0]) in _list("first") - _NOT_A_NAME:
            yield Found(start, word.end(), "name", 0.7)
    for match in _INTRODUCED.finditer(text):
        if not set(_plain(match["name"]).split()) & _sets()[2]:
            yield Found(*match.span("name"), "name", 0.8)
    for match in ending(_NUMBERED, _NUMBERED_GAP, text, reach=40, tail=160):
        yield Found(*match.span(), "name", 0.9)


def listed(text: str) -> Iterator[Found]:
    """Names by the census lists: first and last together, last, first, and clear first names."""
    for run in _RUN.finditer(text):
        yield from _in_run(text, run.start(), run.end())


def _trimmed(match: re.Match[str], *, strict: bool) -> tuple[int, int] | None:
    """The name of a cue without words that are none at its end; ``strict``: nor at its start."""
    words = _sets()[2]
    start, name = match.start("name"), match["name"]
    tokens = list(_TOKEN.finditer(name))
    if strict:
        kept = [
            t for t in tokens if _plain(t[0]) not in words and _plain(t[0]) not in _EPONYMS
        ]  # fmt: skip
        if not kept or (tokens[0] is not kept[0] and _plain(tokens[0][0]) in _NOT_A_NAME):
            return None
        if len(kept) == 1 and (len(kept[0][0]) == 1 or _technical(kept[0][0])):
            return None
    end = len(tokens)
    while end > 1 and _plain(tokens[end - 1][0]) in words:
        if end == 2 and not strict and _both(tokens[0][0], tokens[1][0]):
            break  # Mr. Will Brown
        end -= 1
    last = tokens[end - 1]
    if _plain(tokens[0][0]) in _NOT_A_NAME:
        return None
    stop = start + last.end()
    if last[0].endswith(("'s", "’s")):
        stop -= 2
    if strict and _EPONYM_NEXT.match(match.string, stop):
        return None
    return start, stop


def _both(given: str, family: str) -> bool:
    """Whether two words are a given and a family name of the lists, words or not."""
    family = _plain(family)
    return _plain(given) in _list("first") and family in _list("last") and family not in _NOT_A_NAME


def _technical(word: str) -> bool:
    """An acronym or a word with a capital inside, and in no list: ``SQL``, ``InstallSvc``."""
    first, last, _ = _sets()
    if _plain(word) in first or _plain(word) in last:
        return False
    inside = re.sub(r"^(?:Ma?c|De|La|Le|Van|Fitz|.['’])|[-'’].", "", word)[1:]
    return (word.isupper() and len(word) < 6) or (not word.isupper() and not inside.islower())


def _in_run(text: str, begin: int, end: int) -> Iterator[Found]:
    tokens = [(m.start(), m.end(), _plain(m[0])) for m in _TOKEN.finditer(text, begin, end)]
    first, last, _ = _sets()
    at = 0
    while at < len(tokens):
        start, stop, word = tokens[at]
        bare = word.removesuffix("'s")
        shout = text[start:stop].isupper()
        to = _name_from(text, tokens, at)
        if to > at:
            yield Found(start, _without_s(text, tokens[to][1]), "name", 0.9)
            at = to + 1
            continue
        if foreign := _foreign(text, tokens, at):
            yield Found(start, _without_s(text, tokens[foreign][1]), "name", 0.6)
            at = foreign + 1
            continue
        if bare in first and len(bare) > 2 and not shout:
            stop = _without_s(text, stop)
            if not _EPONYM_NEXT.match(text, stop):
                yield Found(start, stop, "name", 0.7 if bare in last else 0.8)
        at += 1


def _foreign(text: str, tokens: list[tuple[int, int, str]], at: int) -> int:
    """The last token of two or three capitalised words in a row that no list knows; 0 for none.

    An initial may stand between them. Names from beyond the census are like this, and few else.
    """
    _, _, words = _sets()
    to, strange = at, 0
    while to < len(tokens):
        start, end, word = tokens[to]
        if to > at and not _goes_on(text, tokens, to):
            break
        known = word.removesuffix("'s") in words or word in _EPONYMS or text[start:end].isupper()
        if known and not (len(word) == 1 and to > at):
            break
        strange += len(word) > 2
        to += 1
    last = to - 1
    if strange not in (2, 3) or len(tokens[last][2]) == 1:
        return 0
    return 0 if _EPONYM_NEXT.match(text, _without_s(text, tokens[last][1])) else last


def _name_from(text: str, tokens: list[tuple[int, int, str]], at: int) -> int:
    """The index of the last token of a name that starts at ``at``; ``at`` itself when none does."""
    first, last, words = _sets()
    word, shout = tokens[at][2], text[tokens[at][0] : tokens[at][1]].isupper()
    if at + 1 >= len(tokens):
        return at
    gap = text[tokens[at][1] : tokens[at + 1][0]]
    following = tokens[at + 1][2].removesuffix("'s")
    if gap.startswith(","):
        known = following in first and word not in words and word not in first
        if known and (word in last or not shout):
            # A middle name or initial belongs to it.
            more = at + 2 < len(tokens) and len(tokens[at + 2][2]) == 1
            return at + 2 if more else at + 1
        return at
    is_first = word in first or (word in _list("first") and word not in _NOT_A_NAME)
    to = at
    if is_first or (len(word) == 1 and word not in "aix" and gap.startswith(".")):
        to = at + 1
        while to < len(tokens) and (
            len(tokens[to][2]) == 1 and "," not in text[tokens[to - 1][1] : tokens[to][0]]
        ):
            to += 1
        to = _family(text, tokens, at, to, shout, sure=word in first)
    return to


def _family(
    text: str, tokens: list[tuple[int, int, str]], at: int, to: int, shout: bool, *, sure: bool
) -> int:
    """Whether a family name stands at ``to``, and where it ends."""
    _, last, words = _sets()
    if to >= len(tokens) or not _goes_on(text, tokens, to):
        return at
    name = tokens[to][2].removesuffix("'s")
    stop = _without_s(text, tokens[to][1])
    if _EPONYM_NEXT.match(text, stop) or name in _NOT_A_NAME:
        return at
    listed = name in last or (name in _list("last") and sure)
    unknown = sure and name not in words and not shout and len(name) > 1
    if not (listed or unknown):
        return at
    if to + 1 < len(tokens) and text[tokens[to][1] : tokens[to + 1][0]] == " ":
        after = tokens[to + 1][2].removesuffix("'s")
        if after in last and after not in words:
            return to + 1
    return to


def _goes_on(text: str, tokens: list[tuple[int, int, str]], to: int) -> bool:
    """Whether a token continues the name before it; a full stop ends one, save after an initial."""
    gap = text[tokens[to - 1][1] : tokens[to][0]]
    return "," not in gap and (not gap.startswith(".") or len(tokens[to - 1][2]) == 1)


def _without_s(text: str, end: int) -> int:
    return end - 2 if text[end - 2 : end] in ("'s", "’s") else end
