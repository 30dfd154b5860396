"""What a question is searched by: its words, other names of what it names, what an answer means."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegle.core.errors import SettingsError
from aegle.core.pack import Term
from aegle.facts.inventory import inventory, names
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import choose
from aegle.flows import terminologies
from aegle.flows.imagining import Embed, with_passage
from aegle.lm import catalog
from aegle.retrieve.expand import Added, Known, Widened, expand
from aegle.retrieve.search import Searches

if TYPE_CHECKING:
    from aegle.flows.asking import Question
    from aegle.flows.kit import Kit

_SURE: Final = 0.5
"""The score of a term that counts without company; MS may be a state, a title or a disease."""

_CODE: Final = re.compile(
    r"\b(?=[\w.\-]*\d)(?=[\w.\-]*[A-Za-z]|[\d\-]{6,})[A-Za-z0-9][\w.\-]*[A-Za-z0-9]\b"
)
"""``T1059.001``, ``E11.9``, ``CWE-79``, ``2708-6``, ``73211009``; no year and no dose."""

_LIKELY: Final = 0.2
"""The share of its uses in which a short form stands for a long one, to be looked for by it."""

_MOST_CODES: Final = 8
"""Codes of a question that are looked up, each in a pass over every lexicon's rows; no more than
`aegle.retrieve.expand.MOST_THINGS` things are searched for."""

_MOST_CONCEPTS: Final = 16
"""Concepts that a question names of one lexicon, each with a pass over its rows; some have one name
and add nothing."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a question is searched: what embeds it, and the index that is asked."""

    embed: Embed
    index: Searches


def ways(
    kit: Kit,
    question: Question,
    index: Searches,
    *,
    embed: Embed,
    added: Sequence[Added],
    mode: str = "graph",
) -> Ways:
    """The ways to search a question that ``retrieve.expand`` and ``retrieve.hyde`` ask for.

    Args:
        kit: the workspace.
        question: de-identified.
        index: in what this question may see.
        embed: texts -> unit vectors.
        added: the other names that are searched for (`added_to`).
        mode: the searchers; where none goes by words or by meaning, nothing is made for it.

    Raises:
        BackendError: the generator failed.
    """
    imagines = kit.settings.retrieve.hyde and mode != "text"
    if imagines:
        embed = with_passage(kit.settings, question.text, question.query, embed, kit.generator)
    if not added:
        return Ways(embed, index)

    def texts(ids: Sequence[str]) -> list[str]:
        return [one.text.after(one.title) for one in kit.corpus.chunks(ids)]

    return Ways(embed, Widened(index, added, texts=texts))


def added_to(kit: Kit, question: Question, *, mode: str = "graph") -> tuple[Added, ...]:
    """The words that are searched for beside a question's own.

    None if the settings want none, or where no searcher of ``mode`` goes by words.

    Raises:
        SettingsError: a table of abbreviations is not there.
        InputError: a file is no table of abbreviations.
    """
    if not kit.settings.retrieve.expand or mode == "dense":
        return ()
    text, tables = question.query, kit.settings.knowledge.abbreviations
    lexicons = {id(one): one for each in kit.lexicons.values() for one in each}
    short_forms: dict[str, str] = {}
    if tables:
        added = _long_forms(tuple((file, _changed(file)) for file in tables))
        lexicons[id(added)] = added
        for linker in kit.linkers.values():
            short_forms |= linker.short_forms(text, [(0, len(text))])
    found = known(text, list(lexicons.values()), short_forms=short_forms)
    return expand(text, found, hidden=question.invented)


def known(
    text: str, lexicons: Iterable[Lexicon], *, short_forms: Mapping[str, str] | None = None
) -> list[Known]:
    """What of a text has other names in terminologies, by name, by code and by abbreviation.

    Args:
        text: a question.
        lexicons: terminologies, and abbreviations by their long forms.
        short_forms: what the text's short forms stand for here.
    """
    found: list[Known] = []
    codes = _codes(text)
    for lexicon in lexicons:
        matches = [
            (one, choose(text[one.start : one.end], one.terms)) for one in lexicon.find(text)
        ]
        company = any(choice.score >= _SURE for _, choice in matches)
        told: set[str] = set()
        for match, choice in matches:
            if choice.score >= _SURE or company:
                told.add(choice.key)
                if len(told) > _MOST_CONCEPTS:
                    break
                system, _, code = choice.key.partition(":")
                found.append(Known(match.start, match.end, _names(lexicon.coded(code, system))))
        for start, end, code in codes:
            terms = lexicon.coded(code)
            if terms:
                found.append(Known(start, end, _names(terms)))
    for short, long in (short_forms or {}).items():
        at = re.search(rf"(?<!\w){re.escape(short)}(?!\w)", text)
        if at:
            found.append(Known(*at.span(), (long,)))
    return found


def _codes(text: str) -> list[tuple[int, int, str]]:
    """Characters [start, end) of what looks like a code, and the code; the first few codes."""
    found: dict[str, tuple[int, int, str]] = {}
    for match in _CODE.finditer(text):
        code = match.group().upper()
        found.setdefault(code, (*match.span(), code))
        if len(found) >= _MOST_CODES:
            break
    return list(found.values())


def _names(terms: Sequence[Term]) -> tuple[str, ...]:
    """The names of one concept, the surest first, then in the order in which a list has them."""
    ranked = sorted(terms, key=lambda term: -term.score)
    return tuple(dict.fromkeys(term.text for term in ranked))


def _changed(file: str) -> int:
    """When a table was last written, in nanoseconds."""
    try:
        return Path(file).expanduser().stat().st_mtime_ns
    except OSError as error:
        raise SettingsError(
            f"knowledge.abbreviations: no file {file} ({type(error).__name__}); put it back, or "
            "take it out of the setting"
        ) from error


@lru_cache(maxsize=4)
def _long_forms(tables: tuple[tuple[str, int], ...]) -> Lexicon:
    """The long forms of tables (file, time of its last change), with their short ones.

    The lexicon is kept on disk by what the tables hold: 50,000 short forms take seconds to read.
    """
    files = [file for file, _ in tables]
    cache = catalog.cache_folder() / "lexicons"

    # As the code that reads the tables: when it changes, the lexicon is made anew.
    @wraps(names)
    def make() -> Iterator[Term]:
        return names(inventory([Path(file).expanduser() for file in files]), least=_LIKELY)

    try:
        held = "\n".join([str(_LIKELY), *terminologies.contents(files, cache)])
    except OSError as error:
        raise SettingsError(
            f"knowledge.abbreviations: {', '.join(files)} can't be read ({type(error).__name__})"
        ) from error
    version = hashlib.sha256(held.encode()).hexdigest()[:12]
    return Lexicon.cached(cache, "abbreviations", version, make)


def long_forms(senses: Mapping[str, Mapping[str, float]]) -> Lexicon:
    """A lexicon of long forms whose other names are their short ones, in capitals.

    Args:
        senses: short form -> long form -> its share (`aegle.facts.inventory`).
    """
    return Lexicon.build(names(senses, least=_LIKELY))
