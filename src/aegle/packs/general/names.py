"""Finds names of people by lists, cues, titles and the words around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aegle.core.pack import Found
from aegle.packs.general.companies import SURE
from aegle.packs.general.gate import Gate, ending
from aegle.packs.general.namelists import (
    EPONYM_NEXT,
    EPONYMS,
    NOT_A_NAME,
    PARTICLE,
    TOKEN,
    UPPER,
    WORD,
    census,
    eponyms,
    folded,
    is_first,
    is_technical,
    is_word,
    lands,
    sets,
)

# A full stop ends a name, save after an initial or Saint.
_DOT: Final = rf"(?:(?<=\b[{UPPER}])\.|(?<=\bSt)\.)?"
_NAME: Final = rf"(?:{PARTICLE} )?{WORD}(?:{_DOT} {PARTICLE} {WORD}|{_DOT} {WORD}){{0,3}}"
_RUN: Final = re.compile(
    rf"(?<![\w@/.\\-]){WORD}(?:(?:\.? {PARTICLE} |\. | |, (?={WORD}(?:[ .;:)\n]"
    rf"|$))){WORD}){{0,5}}(?![\w@\\]|\.\w)"
)

_SUFFIX: Final = (
    r",? (?:M\.?D|D\.?O|R\.?N|N\.?P|P\.?A(?:-C)?|Ph\.?D|DDS|DMD|L\.?P\.?N|CRNA|FNP(?:-C)?|APRN"
    r"|PharmD"
    r"|MBBS|FACP|FACS|Jr|Sr|Esq|MSN|BSN|LCSW|CNM|DPM|III|IV)\b(?!-\d)"
)
_TITLED: Final = re.compile(
    rf"\b(?:(?:Mrs?|Ms|Mx|Dr|Prof|Rev|Capt|Sgt|Lt|Hon|Mme|Sra?|DR|MR|MRS|MS|dr|mr|mrs|ms)"
    rf"(?:\.? |\.)"
    rf"|(?:Miss|Doctor|Professor|Sir|Madam|Reverend|Nurse|Sister|Herr|Frau|Señora?|Sheriff|Officer"
    rf"|Detective) )(?P<name>{_NAME})"
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
    r"|[Oo]rdered|[Pp]erformed|[Vv]erified|[Aa]dministered|[Dd]irected|[Ww]ritten|[Pp]repared"
    r"|[Aa]pproved|[Cc]reated)"
    r"(?: [Bb]y)?[ \t]*[:#=][ \t]*|/s/[ \t]*|\[?signed\]? by )"
    rf"(?P<name>{_NAME}(?:, {WORD}(?: {WORD})?)?)"
)
# Labels that a firm may stand after, too.
_ANYBODYS: Final = re.compile(
    r"(?i)from|to\b|cc|attn|contact|reporter|author|provider|name|ordered|performed|verified|spoke"
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
# Of these cues, what only people do or are called.
_PERSONAL: Final = re.compile(
    r"(?i)(?:seen|dictated|signed|admitted|examined|evaluated|followed) by|p(?:atien)?t\b|my name"
    r"|i am|i'm|call me"
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

# Given names that lists of towns hold; before a family name they are somebody's.
_TOWNS_TOO: Final = frozenset(
    """austin carolina charlotte christian dakota florence francisco georgia jordan jose madison
    savannah sydney troy victoria virginia antonio""".split()
)
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
    "spoke from to cc attn ordered performed verified administered directed written prepared "
    "approved created /s/ [signed signed",
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


def cued(text: str) -> Iterator[Found]:
    """Names after a title, a label or a phrase, or before a degree; any capitalised words count."""
    for match in _TITLES.finditer(text):
        if match[0].startswith("MS ") and _no_lady(match["name"]):
            continue
        if span := _trimmed(match, strict=False):
            yield Found(*span, "name", SURE)
    for match in _LABELS.finditer(text):
        if span := _trimmed(match, strict=True):
            yield Found(*span, "name", 0.9 if _ANYBODYS.match(match[0]) else SURE)
    for degree in _DEGREES.finditer(text):
        before = _BEFORE_DEGREE.search(text, max(0, degree.start() - 60), degree.start())
        if before and (span := _trimmed(before, strict=True)):
            yield Found(*span, "name", SURE)
    first, last, _ = sets()
    for match in _CUES.finditer(text):
        if span := _trimmed(match, strict=True):
            words = [folded(word) for word in TOKEN.findall(text[span[0] : span[1]])]
            sure = any(word in first or word in last for word in words)
            if sure and _PERSONAL.match(match[0]):
                yield Found(*span, "name", SURE)
            else:
                yield Found(*span, "name", 0.85 if sure else 0.6)
    for match in _RELATIVES.finditer(text):
        # Son Mark, daughter Hope: what is a word elsewhere is a name here.
        start = match.start("name")
        word = TOKEN.match(text, start)
        if span := _trimmed(match, strict=True):
            yield Found(*span, "name", 0.85)
        elif word and folded(word[0]) in census("first") - NOT_A_NAME:
            yield Found(start, word.end(), "name", 0.7)
    for match in _INTRODUCED.finditer(text):
        if not set(folded(match["name"]).split()) & sets()[2]:
            yield Found(*match.span("name"), "name", 0.8)
    for match in ending(_NUMBERED, _NUMBERED_GAP, text, reach=40, tail=160):
        yield Found(*match.span(), "name", 0.9)


def listed(text: str) -> Iterator[Found]:
    """Names by the census lists: first and last together, last, first, and clear first names."""
    for run in _RUN.finditer(text):
        yield from _in_run(text, run.start(), run.end())


def _trimmed(match: re.Match[str], *, strict: bool) -> tuple[int, int] | None:
    """The name of a cue without words that are none at its end; ``strict``: nor at its start."""
    words = sets()[2]
    start, name = match.start("name"), match["name"]
    tokens = list(TOKEN.finditer(name))
    if strict:
        none = words, EPONYMS, eponyms()
        kept = [t for t in tokens if not any(folded(t[0]) in some for some in none)]
        if not kept or (tokens[0] is not kept[0] and folded(tokens[0][0]) in NOT_A_NAME):
            return None
        if len(kept) == 1 and (len(kept[0][0]) == 1 or is_technical(kept[0][0])):
            return None
        if all(folded(t[0].split("-")[0]) in lands() for t in kept):
            return None
    end = len(tokens)
    while end > 1 and folded(tokens[end - 1][0]) in words:
        if end == 2 and not strict and _both(tokens[0][0], tokens[1][0]):
            break  # Mr. Will Brown, Dr. Justin Beet
        end -= 1
    last = tokens[end - 1]
    if folded(tokens[0][0]) in NOT_A_NAME:
        return None
    stop = start + last.end()
    if last[0].endswith(("'s", "’s")):
        stop -= 2
    score = last[0].isupper() and match.string[stop : stop + 1].isdecimal()  # per CHA2DS2-VASc
    if strict and (score or EPONYM_NEXT.match(match.string, stop)):
        return None
    return start, stop


def _no_lady(name: str) -> bool:
    """Whether MS is Microsoft or multiple sclerosis: before a product, or before a word."""
    token = TOKEN.search(name)
    return token is None or is_technical(token[0]) or is_word(folded(token[0]))


def _both(given: str, family: str) -> bool:
    """Whether two words are a given and a family name, the latter a word or not."""
    family = folded(family)
    if is_first(given) and family not in NOT_A_NAME and not family.endswith(("ed", "ing", "s")):
        return True
    return (
        folded(given) in census("first") and family in census("last") and family not in NOT_A_NAME
    )


def _in_run(text: str, begin: int, end: int) -> Iterator[Found]:
    tokens = [(m.start(), m.end(), folded(m[0])) for m in TOKEN.finditer(text, begin, end)]
    first, last, _ = sets()
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
            if not EPONYM_NEXT.match(text, stop):
                yield Found(start, stop, "name", 0.7 if bare in last else 0.8)
        at += 1


def _foreign(text: str, tokens: list[tuple[int, int, str]], at: int) -> int:
    """The last token of two or three capitalised words in a row that no list knows; 0 for none.

    An initial may stand between them. Names from beyond the census are like this, and few else.
    """
    _, _, words = sets()
    to, strange = at, 0
    while to < len(tokens):
        start, end, word = tokens[to]
        if to > at and not _goes_on(text, tokens, to):
            break
        bare = word.removesuffix("'s")
        known = bare in words or bare in lands() or word in EPONYMS or text[start:end].isupper()
        known = known or any(part in eponyms() for part in bare.split("-"))
        if known and not (len(word) == 1 and to > at):
            break
        strange += len(word) > 2
        to += 1
    last = to - 1
    if strange not in (2, 3) or len(tokens[last][2]) == 1:
        return 0
    return 0 if EPONYM_NEXT.match(text, _without_s(text, tokens[last][1])) else last


def _name_from(text: str, tokens: list[tuple[int, int, str]], at: int) -> int:
    """The index of the last token of a name that starts at ``at``; ``at`` itself when none does."""
    first, last, words = sets()
    word, shout = tokens[at][2], text[tokens[at][0] : tokens[at][1]].isupper()
    if at + 1 >= len(tokens):
        return at
    gap = text[tokens[at][1] : tokens[at + 1][0]]
    following = tokens[at + 1][2].removesuffix("'s")
    if gap.startswith(","):
        known = following in first and word not in words and word not in first
        strange = not (word in last or word in first) and is_technical(text[slice(*tokens[at][:2])])
        if known and not strange and (word in last or not shout):
            # A middle name or initial belongs to it.
            more = at + 2 < len(tokens) and len(tokens[at + 2][2]) == 1
            return at + 2 if more else at + 1
        return at
    given = word in first or (word in census("first") and word not in NOT_A_NAME)
    if word in _TOWNS_TOO and gap == " ":
        given = following in last or not (is_word(following) or following in lands())
    to = at
    if given or (len(word) == 1 and word not in "aix" and gap.startswith(".")):
        to = at + 1
        while to < len(tokens) and (
            len(tokens[to][2]) == 1 and "," not in text[tokens[to - 1][1] : tokens[to][0]]
        ):
            to += 1
        to = _family(text, tokens, at, to, shout, sure=word in first or word in _TOWNS_TOO)
    return to


def _family(
    text: str, tokens: list[tuple[int, int, str]], at: int, to: int, shout: bool, *, sure: bool
) -> int:
    """Whether a family name stands at ``to``, and where it ends."""
    _, last, words = sets()
    if to >= len(tokens) or not _goes_on(text, tokens, to):
        return at
    name = tokens[to][2].removesuffix("'s")
    stop = _without_s(text, tokens[to][1])
    if EPONYM_NEXT.match(text, stop) or name in NOT_A_NAME:
        return at
    listed = name in last or (name in census("last") and sure)
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
