"""Keys: the node that a name leads to, by terminologies and shapes, so that spellings meet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import Choice, choose, normal_name

SUBSTANCES: Final = frozenset({"medication", "allergy"})
_LONGEST_NAME: Final = 200
"""Characters of a stated name that are searched for a substance."""


@lru_cache(maxsize=1 << 15)
def choice_of(lexicon: Lexicon, name: str) -> Choice:
    """What a lexicon takes a name for that it found."""
    return choose(name, lexicon.look_up(name))


def known_as(types: Iterable[str], text: str, lexicons: Iterable[Lexicon]) -> Choice | None:
    """What the lexicons take a whole name for, if it can be of these types."""
    allowed = frozenset(types)
    for lexicon in lexicons:
        terms = [term for term in lexicon.look_up(text) if term.type in allowed]
        if terms:
            return choose(text, terms)
    return None


def known_key(type: str, text: str, lexicons: Iterable[Lexicon]) -> str:
    """The key by which the lexicons know a name of this type; empty when they don't."""
    choice = known_as((type,), text, lexicons)
    return choice.key if choice else ""


def shape_key(type: str, text: str, patterns: Iterable[Pattern]) -> str:
    """The key that a pattern of this type gives the whole name: a table's CVE is a report's."""
    for pattern in patterns:
        if pattern.type != type:
            continue
        match = pattern.regex.fullmatch(text)
        if match is not None and not (pattern.check and not pattern.check(match)):
            return key_of_shape(pattern, match, text)[0]
    return ""


def key_of_shape(
    pattern: Pattern, match: re.Match[str], text: str
) -> tuple[str, tuple[Concept, ...]]:
    """The key and the concepts of what a pattern matched."""
    concept = pattern.concept(match) if pattern.concept else None
    if concept is None:
        return f"{pattern.type}:{(pattern.normal or normal_name)(text)}", ()
    # A concept whose system is the type is a local name: it gives the key and is no code.
    return concept.key, () if concept.system == pattern.type else (concept,)


def substance_key(text: str, lexicons: Iterable[Lexicon]) -> str:
    """The key of the one substance that a product's name holds, empty when none or several.

    Records code products (``lisinopril 10 MG Oral Tablet``), notes name substances, and an allergy
    and a prescription of one substance must meet at one node. The product's codes stay as concepts.
    """
    keys = set()
    for lexicon in lexicons:
        for match in lexicon.find(text[:_LONGEST_NAME]):
            choice = choice_of(lexicon, text[match.start : match.end])
            if choice.type in SUBSTANCES:
                keys.add(choice.key)
    return keys.pop() if len(keys) == 1 else ""
