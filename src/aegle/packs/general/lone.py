"""Finds lone names by the words around them: whom one spoke with, who says something, who signs.

A family name from beyond the census is a capitalised word that no dictionary holds. So is much
else, a brand or a town, so the words around it decide. In charts, names of the census need none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aegle.core.pack import Found, Recogniser
from aegle.packs.general.lone_cues import AFTER, BEFORE, BOLD, OPENS, OWNS, SPEAKS
from aegle.packs.general.namelists import (
    EPONYM_NEXT,
    EPONYMS,
    PARTICLE,
    TOKEN,
    UPPER,
    WORD,
    census,
    eponyms,
    folded,
    is_technical,
    is_word,
    lands,
    sets,
)

_LISTED: Final = re.compile(r", (?:and )?| and | & ")
_MORE: Final = re.compile(rf"\.? (?P<particle>{PARTICLE} )?(?P<word>{WORD})")
_INSIDE: Final = frozenset("@/\\_")
# Words that are surnames so often that after a bold cue they are somebody.
_BOLD_NAMES: Final = frozenset(
    """brown white green young king hill wood woods black rose gray grey long price reed cook grant
    stone may hunt fox day lane ford cole rice banks bird bush berry cross dean drake field fields
    flowers forest freeman glass gold hardy hope house hunter knight lake law love marsh mason miles
    noble north page park parks pool post powers rich rivers root rush sharp short silver small snow
    strong summers swift waters way weeks west wise winter winters wolf""".split()
)
# In small letters, these are rather words of medicine than given names.
_SMALL_WORDS: Final = frozenset(
    "frank gene vena vera carina candida alta rosette phil mina rea noma sera cara dia".split()
)
_SMALL: Final = re.compile(r"(?<![\w@./\\-])[a-z]{4,14}(?:'s)?(?![\w@\\]|\.\w|-\w|/\w)")
_SMALL_NEXT: Final = re.compile(rf" (?:[a-z] )?([a-z]{{4,14}})(?![\w@/-])|(?! ?[{UPPER}])")


def lone(vocabulary: frozenset[str] = frozenset(), *, charts: bool = False) -> Recogniser:
    """A recogniser of single names.

    Args:
        vocabulary: folded words that are no names, though no dictionary holds them: brands.
        charts: whether names of the census are people wherever they stand, in small letters, too.
    """

    def find(text: str) -> Iterator[Found]:
        yield from _capitalised(text, vocabulary, charts=charts)
        if charts:
            yield from _small(text, vocabulary)

    return find


def _capitalised(text: str, vocabulary: frozenset[str], *, charts: bool) -> Iterator[Found]:
    last = waiting = (0, 0)
    for token in TOKEN.finditer(text):
        start, end = token.span()
        if start < last[1] or text[start - 1 : start] in _INSIDE:
            continue
        kind = _kind(token[0], vocabulary)
        end -= 2 * token[0].endswith(("'s", "’s"))
        part = text[end : end + 1].isdecimal() and not token[0][1:].islower()  # of PaO2
        if not kind or part or EPONYM_NEXT.match(text, end):
            continue
        also = last[1] > 0 and _LISTED.fullmatch(text, last[1], start) is not None
        if _is_person(text, start, end, kind) or (also and kind != _WORD_TOO):
            score = 0.85 if kind == _CENSUS else 0.6
        elif charts and kind == _CENSUS and not token[0].isupper():
            score = 0.6
        else:
            waiting = (start, end) if kind == _UNKNOWN else waiting
            continue
        if waiting[1] and _LISTED.fullmatch(text, waiting[1], start):
            yield Found(*waiting, "name", 0.6)
        last = (start, _whole(text, end, vocabulary))
        yield Found(*last, "name", score)


def _whole(text: str, end: int, vocabulary: frozenset[str]) -> int:
    """Where a name ends that starts with a word: initials, particles and further names are its."""
    for _ in range(3):
        more = _MORE.match(text, end)
        if not more or not (
            more["particle"] or len(more["word"]) == 1 or _kind(more["word"], vocabulary) in (1, 2)
        ):
            break
        end = more.end() - 2 * more["word"].endswith(("'s", "’s"))
    return end


_UNKNOWN, _CENSUS, _EPONYM, _WORD_TOO = 1, 2, 3, 4
"""What a capitalised word may be that is somebody's name: see `_kind`."""


def _kind(written: str, vocabulary: frozenset[str]) -> int:
    """0 for no name; of no list, of the census, or of it and an eponym or an ordinary word."""
    first, last, _ = sets()
    word = folded(written).removesuffix("'s")
    parts = word.split("-")
    if len(word) < 3 or any(part in vocabulary or part in lands() for part in parts):
        return 0
    if word in first or word in last:
        return 0 if word in eponyms() else _CENSUS
    if word in EPONYMS and word in census("last"):
        return _EPONYM
    if word in _BOLD_NAMES:
        return _WORD_TOO
    if any(part in eponyms() or (is_word(part) and part not in census("last")) for part in parts):
        return 0
    if (len(parts) == 1 and is_word(word)) or is_technical(written) or written.isupper():
        return 0
    return _UNKNOWN


def _is_person(text: str, start: int, end: int, kind: int) -> bool:
    """Whether the words around a name say that it is somebody's."""
    before = text[max(0, start - 90) : start]
    if kind in (_EPONYM, _WORD_TOO):
        return BOLD.search(before) is not None and not text[end + 1 : end + 2].isalpha()
    if BEFORE.search(before) or OWNS.match(text, end) or AFTER.match(text, end):
        return True
    return OPENS.search(before) is not None and SPEAKS.match(text, end) is not None


def _small(text: str, vocabulary: frozenset[str]) -> Iterator[Found]:
    first, _, words = sets()
    for token in _SMALL.finditer(text):
        word = token[0].removesuffix("'s")
        if word not in first or word in vocabulary or word in _SMALL_WORDS or word in eponyms():
            continue
        end = token.start() + len(word)
        more = _SMALL_NEXT.match(text, end)
        if more and more[1] and more[1] not in words and not is_word(more[1]):
            end = more.end()
        yield Found(token.start(), end, "name", 0.6)
