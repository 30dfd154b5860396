"""What a question is searched by: its words, other names of what it names, what an answer means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from aegle.core.pack import Term
from aegle.core.ports import Vectors
from aegle.core.records import Concept
from aegle.core.text import SafeText
from aegle.facts.inventory import inventory
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import choose
from aegle.flows.imagining import with_passage
from aegle.retrieve.expand import Added, Known, Widened, expand
from aegle.retrieve.search import Searches

if TYPE_CHECKING:
    from aegle.flows.kit import Kit

_SURE: Final = 0.5
"""The score of a term that counts without company; MS may be a state, a title or a disease."""

_CODE: Final = re.compile(
    r"\b(?=[\w.\-]*\d)(?=[\w.\-]*[A-Za-z]|[\d\-]{6,})[A-Za-z0-9][\w.\-]*[A-Za-z0-9]\b"
)
"""``T1059.001``, ``E11.9``, ``CWE-79``, ``2708-6``, ``73211009``; no year and no dose."""

_LIKELY: Final = 0.2
"""The share of its uses in which a short form stands for a long one, to be looked for by it."""


class Asked(Protocol):
    """What of a question is needed here: `aegle.flows.finding.Question`."""

    @property
    def text(self) -> SafeText:
        """The question, de-identified."""

    @property
    def query(self) -> str:
        """What is searched for, de-identified."""

    @property
    def hidden(self) -> frozenset[str]:
        """The words that de-identification put in."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a question is searched: what embeds it, and the index that is asked."""

    embed: Callable[[Sequence[str]], Vectors]
    index: Searches


def ways(kit: Kit, question: Asked, index: Searches, *, mode: str = "graph") -> Ways:
    """The ways to search a question that ``retrieve.expand`` and ``retrieve.hyde`` ask for.

    Args:
        kit: the workspace.
        question: de-identified.
        index: in what this question may see.
        mode: the searchers; where none goes by words or by meaning, nothing is made for it.

    Raises:
        BackendError: the generator failed.
    """
    imagines = kit.settings.retrieve.hyde and mode != "text"
    embed: Callable[[Sequence[str]], Vectors] = kit.encoder.embed
    if imagines:
        embed = with_passage(kit.settings, question.text, question.query, embed, kit.generator)
    added = added_to(kit, question) if mode != "dense" else ()
    if not added:
        return Ways(embed, index)

    def texts(ids: Sequence[str]) -> list[str]:
        return [one.text.after(one.title) for one in kit.corpus.chunks(ids)]

    return Ways(embed, Widened(index, added, texts=texts))


def added_to(kit: Kit, question: Asked) -> tuple[Added, ...]:
    """The words that are searched for beside a question's own; none if the settings want none."""
    if not kit.settings.retrieve.expand:
        return ()
    text, tables = question.query, kit.settings.knowledge.abbreviations
    lexicons = {id(one): one for each in kit.lexicons.values() for one in each}
    short_forms: dict[str, str] = {}
    if tables:
        added = _long_forms(
            tuple((file, Path(file).expanduser().stat().st_mtime) for file in tables)
        )
        lexicons[id(added)] = added
        for linker in kit.linkers.values():
            short_forms |= linker.short_forms(text, [(0, len(text))])
    found = known(text, list(lexicons.values()), short_forms=short_forms)
    return expand(text, found, hidden=question.hidden)


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
    for lexicon in lexicons:
        matches = [
            (one, choose(text[one.start : one.end], one.terms)) for one in lexicon.find(text)
        ]
        company = any(choice.score >= _SURE for _, choice in matches)
        for match, choice in matches:
            if choice.score >= _SURE or company:
                system, _, code = choice.key.partition(":")
                found.append(Known(match.start, match.end, _names(lexicon.coded(code, system))))
        for code_at in _CODE.finditer(text):
            terms = lexicon.coded(code_at.group().upper())
            if terms:
                found.append(Known(*code_at.span(), _names(terms)))
    for short, long in (short_forms or {}).items():
        start = text.find(short)
        if start >= 0:
            found.append(Known(start, start + len(short), (long,)))
    return found


def _names(terms: Sequence[Term]) -> tuple[str, ...]:
    """The names of one concept, the surest first, then in the order in which a list has them."""
    ranked = sorted(terms, key=lambda term: -term.score)
    return tuple(dict.fromkeys(term.text for term in ranked))


@lru_cache(maxsize=4)
def _long_forms(tables: tuple[tuple[Path, float], ...]) -> Lexicon:
    """The long forms of tables (file, time of its last change), with their short ones."""
    return long_forms(inventory([path for path, _ in tables]))


def long_forms(senses: Mapping[str, Mapping[str, float]]) -> Lexicon:
    """A lexicon of long forms whose other names are their short ones, in capitals.

    Args:
        senses: short form -> long form -> its share (`aegle.facts.inventory`).
    """
    return Lexicon.build(
        term
        for short, longs in senses.items()
        for long, share in longs.items()
        if share >= _LIKELY
        for concept in [Concept("abbreviation", long.casefold(), long)]
        for term in (
            Term(long, "abbreviation", concept),
            Term(short.upper(), "abbreviation", concept, exact=True, score=0.0),
        )
    )
