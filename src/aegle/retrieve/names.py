"""What any text names, without a model: runs of capitals, quoted terms, codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from aegle.lm.terms import STOP_WORDS, fold, singular

Key = tuple[str, ...]
"""The folded, singular words of a name without a leading article: its identity in any case."""

MARKS: Final = "names/1"
"""The version of what `aegle.retrieve.marks` makes of names; `aegle reindex` makes others anew. It
stands here, as reading it takes no numpy."""

LONGEST: Final = 16
"""Words of the longest name."""

_WORD: Final = re.compile(r"[^\W_]+(?:[.'’\-&/][^\W_]+)*")
_QUOTED: Final = re.compile(r"[\"“„«]([^\"“”„«»]{2,60})[\"”“»]|``([^`']{2,60})''")
_PARTS: Final = re.compile(r"([\-/–&]|['’][sS]?$)")
_INSIDE: Final = re.compile(r"\s*\([^()]*\)\s*$")
_SENTENCE: Final = re.compile(r"[.!?:;]\s|\n|^")
JOINS: Final = frozenset("of the de da do del della di du la le van von der den al bin ibn".split())
"""Small words that may stand inside a name; two names are never joined by ``and``."""

_GAPS: Final = frozenset(("", " ", "\u00a0", "-", "- ", " - ", "–"))
_SHORT: Final = 3
"""A full stop after at most so many letters marks an abbreviation (``J.``, ``St.``), no end."""

_ARTICLES: Final = frozenset(("the", "a", "an"))


class Word(NamedTuple):
    """A word at characters [start, end) of a text.

    Attributes:
        form: folded and singular.
        raised: it holds a capital.
        code: it holds digits and letters.
        first: it begins a sentence.
    """

    form: str
    start: int
    end: int
    raised: bool
    code: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Name:
    """A name at characters [start, end) of a text.

    Attributes:
        sure: False for a lone word whose capital may only be that of a sentence.
    """

    key: Key
    start: int
    end: int
    sure: bool = True


def words(text: str) -> list[Word]:
    """The words of a text in order, hyphenated ones in parts, possessive endings left out."""
    found = []
    begins = {match.end() for match in _SENTENCE.finditer(text)}
    for match in _WORD.finditer(text):
        at, token = match.start(), match.group()
        first = at in begins
        if token.isalnum() or _looks(token)[2]:
            form, raised, code = _looks(token)
            found.append(Word(form, at, match.end(), raised, code, first))
            continue
        for part in _PARTS.split(token):
            if part and part[0].isalnum():
                form, raised, code = _looks(part)
                found.append(Word(form, at, at + len(part), raised, code, first))
            at += len(part)
    return found


@lru_cache(maxsize=1 << 16)
def _looks(word: str) -> tuple[str, bool, bool]:
    form = singular(fold(word).replace("’", "").replace("'", ""))
    code = any(char.isdigit() for char in word) and any(char.isalpha() for char in word)
    return form, word != word.lower(), code


def key_of(name: str) -> Key:
    """The key of a name as it is written; () for nothing but signs.

    ``Johnnycake, West Virginia`` -> ``("johnnycake", "west", "virginia")``.
    """
    return _trim([word.form for word in words(name)])


def _trim(forms: Sequence[str]) -> Key:
    kept = list(forms)
    while len(kept) > 1 and kept[0] in _ARTICLES:
        kept.pop(0)
    return tuple(kept[:LONGEST])


def title_keys(title: str) -> list[Key]:
    """The names of what a document with this title is about, the fullest first.

    ``Hello Love (song)`` is also ``Hello Love``, ``Johnnycake, West Virginia`` also ``Johnnycake``.
    """
    bare = _INSIDE.sub("", title)
    keys = dict.fromkeys((key_of(title), key_of(bare), key_of(bare.split(", ")[0])))
    return [key for key in keys if _tells(key)]


def _tells(key: Key) -> bool:
    return any(word not in STOP_WORDS and (len(word) > 1 or not word.isascii()) for word in key)


def link(text: str, known: Callable[[Sequence[Key]], Iterable[bool]]) -> list[Name]:
    """The names known that a text holds, longest first at each word, none inside another.

    A name of one word must have a capital or a digit in the text, too.

    Args:
        text: such as a question, in any case.
        known: keys -> whether each is known.
    """
    read = words(text)
    spans = [
        (first, last)
        for first in range(len(read))
        for last in range(min(first + LONGEST, len(read)), first, -1)
        if _is_named(read[first:last])
    ]
    keys = [tuple(word.form for word in read[first:last]) for first, last in spans]
    found: list[Name] = []
    for (first, last), key, is_known in zip(spans, keys, known(keys), strict=True):
        if is_known and (not found or found[-1].end <= read[first].start):
            found.append(Name(key, read[first].start, read[last - 1].end))
    return found


def _is_named(span: Sequence[Word]) -> bool:
    """Whether words can be the name of something, whatever their case."""
    telling = [word for word in span if word.form not in STOP_WORDS]
    if len(span) == 1:
        word = span[0]
        return bool(telling) and (word.raised or word.code)
    return len(telling) > 1 or any(word.raised for word in telling)


def names(text: str) -> list[Name]:
    """What a text names, in order; names may overlap.

    Runs of capitalised words (``University of Vienna``, ``1920 Summer Olympics``), each part of a
    run that ``of`` and the like join, quoted terms, and codes with digits.
    """
    return names_in(text, words(text))


def names_in(text: str, read: Sequence[Word]) -> list[Name]:
    """As `names`, of a text whose words are known."""
    found = {(one.start, one.end): one for one in _runs(text, read)}
    for match in _QUOTED.finditer(text):
        group = 1 if match.group(1) else 2
        key = key_of(match.group(group))
        if _tells(key) and len(key) <= 8:
            found[match.span(group)] = Name(key, *match.span(group))
    return [found[span] for span in sorted(found)]


def _runs(text: str, read: Sequence[Word]) -> Iterator[Name]:
    run: list[Word] = []
    for word in read:
        gap = text[run[-1].end : word.start] if run else ""
        short = gap == ". " and bool(run) and run[-1].end - run[-1].start <= _SHORT
        joined = bool(run) and (gap in _GAPS or short)
        if word.raised or word.code or word.form.isdigit():
            if not joined:
                yield from _of_run(run)
                run = []
            run.append(word)
        elif joined and word.form in JOINS:
            run.append(word)
        elif run:
            yield from _of_run(run)
            run = []
    yield from _of_run(run)


def _of_run(run: Sequence[Word]) -> Iterator[Name]:
    """The whole run, and its parts between the small words that join it."""
    kept = list(run)
    while kept and (kept[0].form in STOP_WORDS or kept[0].form in JOINS):
        kept.pop(0)
    while kept and kept[-1].form in JOINS:
        kept.pop()
    yield from _name(kept)
    part: list[Word] = []
    parts = []
    for word in kept:
        if word.form in JOINS:
            parts.append(part)
            part = []
        else:
            part.append(word)
    parts.append(part)
    if len(parts) > 1:
        for one in parts:
            yield from _name(one)


def _name(part: Sequence[Word]) -> Iterator[Name]:
    key = _trim([word.form for word in part])
    if not part or not _tells(key) or not any(word.raised or word.code for word in part):
        return
    if len(part) <= LONGEST:
        sure = len(part) > 1 or not part[0].first or part[0].code
        yield Name(key, part[0].start, part[-1].end, sure)
