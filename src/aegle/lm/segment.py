"""Sentences and words of clinical and security text, by rules: exact offsets, no model.

Clinical notes are hard-wrapped, full of abbreviations and lists; logs are one record a line. So a
newline is first judged by what the two lines look like and how wide the paragraph is set, and only
then are stops inside the joined lines judged by the words around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aegle.core.records import Span

_LINE: Final = re.compile(r"[^\n\r\f\u2028\u2029]+")

# What a line starts with when it cannot continue the line before it.
_OPENS: Final = re.compile(
    r"""[^\S\n\r\f]*(?:
      [-*•·▪◦‣–—+>|\#=_~]{1,3}(?=\s|$) | \#+\s | [|=_~*-]{3}   # bullets, rules, tables, markdown
    | \(?\d{1,3}[.)]\s | \(?[A-Za-z]\)\s                       # enumerations
    | \[[A-Za-z\d] | [<{}\[|] | CEF:\d | LEEF:\d               # log prefixes, markup, JSON
    | \d{4}-\d\d-\d\d(?:[T\s,:]|$) | \d\d?/\d\d?/\d{2,4}\s | \d\d?:\d\d(?::\d\d)?\s
    | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{1,2}\s+\d\d?: | \d{9,}[.\s]
    | \d{1,3}(?:\.\d{1,3}){3}\s                                # an access log's address
    | [\w.-]+=                                                 # key=value
    | [A-Z][\w/()&'\#.-]*(?:\ [\w/()&'\#-]+){0,4}[^\S\n\r\f]*:(?=\s|$) | [\w-]+:(?=\s|$)
    | [A-Z][A-Z/&,()'-]*(?:\ [A-Z/&,()'-]+){0,5}[^\S\n\r\f]*(?=[\n\r\f]|$)   # A HEADING
    )""",
    re.VERBOSE,
)

# A line after which the next one always starts anew: a heading, a rule, a log record.
_CLOSED: Final = re.compile(
    r"""[^\S\n\r\f]*(?:
      [^\n\r\f]*:[^\S\n\r\f]*(?=[\n\r\f]|$) | \#+\s | [|=_~*-]{3} | [<{}|] | \[[A-Za-z\d][^]\n]*\]\s
    | CEF:\d | LEEF:\d | \d{4}-\d\d-\d\d[T\s]\d\d?: | \d{1,3}(?:\.\d{1,3}){3}\s | \d{9,}[.\s]
    | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{1,2}\s+\d\d?:
    | [\w.-]+=
    | [A-Z][A-Z/&,()'-]*(?:\ [A-Z/&,()'-]+){0,5}[^\S\n\r\f]*(?=[\n\r\f]|$)
    )""",
    re.VERBOSE,
)

# Wrapping as people and systems set it: a shorter line is a line of its own, a longer one is not
# hard-wrapped. 40 and 60 hold e-mail (72) and hospital systems (70-80), 132 the old printers.
_SHORT: Final = 40
_FULL: Final = 60
_WIDEST: Final = 132

_STOP: Final = re.compile(r"""(?:(?<![.!?…])[.!?…]+["'”’)\]]*(?=\s)|[。！？]["'”’」』)\]]*)\s*""")
_OPENING: Final = "\"'“‘(["


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER: Final = _words(
    "dr mr mrs ms prof rev hon st sr jr vs v cf eg ie e.g i.e viz ca approx al resp incl excl "
    "esp dept hosp ext mt ft capt col gen lt sgt gov sen rep ph.d m.d d.o r.n b.s m.s"
)
"""Abbreviations with something after them, whatever its case."""

_BEFORE_NUMBER: Final = _words(
    "no nos fig figs eq sec ch vol pp p art ref tab par app jan feb mar apr jun jul aug sep sept "
    "oct nov dec"
)
"""Abbreviations only when a number follows: ``Fever? No. Cough?`` is three sentences."""

_MAYBE: Final = _words(
    "pt pts etc inc ltd corp co llc hr hrs min mins sec wk wks mo mos yr yrs yo tab tabs cap caps "
    "inj temp avg max admin gtt bid tid qid prn po iv im sc hx dx rx tx sx fx a.m p.m am pm bp "
    "wt ht lab labs neg pos norm abd ext bilat cont dc est info msg req pct tel ave blvd rd "
    "sig mg mcg ml kg cm mm lb lbs oz"
)
"""Abbreviations that end a sentence only before a capital."""

_TOKEN: Final = re.compile(r"\w+(?:(?:[.'’-]|(?<=\d)[:,/](?=\d))\w+)*")


def sentences(text: str) -> list[Span]:
    """The sentences, list items, headings, ``key: value`` lines and log records of a text.

    Spans are in order, do not overlap, start and end with a visible character, and together hold
    every visible character. A newline inside a wrapped paragraph does not end a sentence.
    """
    spans: list[Span] = []
    for start, end in _passages(text):
        begin = start
        for stop in _STOP.finditer(text, start, end):
            after = stop.end()
            if after < end and _ends_sentence(text, begin, stop.start(), after):
                spans.append(_stripped(text, begin, after))
                begin = after
        spans.append(_stripped(text, begin, end))
    return spans


def tokens(text: str) -> list[Span]:
    """The words of a text; numbers, addresses, ``q.d`` and ``follow-up`` are one word each.

    Punctuation is no word, so every letter, digit and underscore is in exactly one span.
    """
    return [Span(*match.span()) for match in _TOKEN.finditer(text)]


def _stripped(text: str, start: int, end: int) -> Span:
    piece = text[start:end].rstrip()
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece))


def _passages(text: str) -> Iterator[tuple[int, int]]:
    """Character ranges that no sentence crosses: wrapped lines joined, other lines alone."""
    for block in _blocks(text):
        width = max(end - start for start, end in block)
        begin, (start, end) = block[0][0], block[0]
        for next_start, next_end in block[1:]:
            if not _wraps(text, start, end, next_start, next_end, width):
                yield begin, end
                begin = next_start
            start, end = next_start, next_end
        yield begin, end


def _blocks(text: str) -> Iterator[list[tuple[int, int]]]:
    """The lines between blank lines, without the blanks at their ends."""
    block: list[tuple[int, int]] = []
    last_end = 0
    for match in _LINE.finditer(text):
        start, end = match.span()
        line = match[0].rstrip()
        between = text[last_end:start]
        if block and (not line or (len(between) > 1 and between != "\r\n")):
            yield block
            block = []
        if line:
            block.append((start, start + len(line)))
        last_end = end
    if block:
        yield block


def _wraps(text: str, start: int, end: int, next_start: int, next_end: int, width: int) -> bool:
    """Whether the next line goes on with this line's sentence."""
    length = end - start
    if not _SHORT <= length <= _WIDEST:
        return False
    if _OPENS.match(text, next_start, next_end) or _CLOSED.match(text, start, end):
        return False
    follow = text[next_start:next_end].split(None, 1)[0]
    if follow[0].islower() or text[end - 1] in ",;-(":
        return True
    # The line was broken because the next word did not fit.
    return length >= _FULL and length + 1 + len(follow) > width


def _ends_sentence(text: str, begin: int, stop: int, after: int) -> bool:
    """Whether the stop at ``stop`` ends a sentence that goes on at ``after``."""
    if text[stop] in "。！？":
        return True
    following = text[after]
    if following in _OPENING:
        following = text[after : after + 4].lstrip(_OPENING)[:1]
    lower = following.islower()
    if text[stop] != ".":
        return not lower
    words = text[max(begin, stop - 40) : stop].rsplit(None, 2)
    if not words:
        return False
    before, word = words[-2] if len(words) > 1 else "", words[-1].lstrip(_OPENING)
    key = word.lower().rstrip(".")
    if not key:
        return not lower
    if word.isdigit():  # "1. aspirin 2. metformin", or a passage that starts with its number
        return len(word) > 2 or not (lower or not before)
    if key in _NEVER or (key in _BEFORE_NUMBER and following.isdigit()):
        return False
    if len(word) == 1 and word.isupper():  # John F. Kennedy, but "hepatitis C. She"
        return before[:1].islower() and not lower
    if key in _MAYBE or ("." in key and not any(map(str.isdigit, key))):
        return not lower and not following.isdigit()
    return (
        not lower or (len(word) > 3 and word.isalpha()) or word[-1] in "\"')]%" or word[0].isdigit()
    )
