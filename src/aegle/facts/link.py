"""Which concept a name means, and the key of its node: one key for one thing in both domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.facts.lexicon import Lexicon

_TRUSTED: Final = ("ICD10CM", "ATTACK", "CVE", "CWE", "CAPEC")
"""Terminologies whose codes name one thing at the grain that people talk about. A product code
(RxNorm) is finer than a drug's name, and is found under the name instead."""

_SAME: Final = {"allergy": ("allergy", "medication"), "procedure": ("procedure", "lab")}
"""Types of terms that a mention of a type may be called by; its own type when not listed."""


def normal_name(text: str) -> str:
    """A name for a key: case folded, white space collapsed."""
    return " ".join(text.split()).casefold()


def best_term(terms: Sequence[Term]) -> Term:
    """The term that a name most likely means: the best score, then the shortest, first code."""

    def order(term: Term) -> tuple[float, int, str]:
        code = term.concept.code if term.concept else ""
        return -term.score, len(code), code

    return min(terms, key=order)


def key_of(
    type: str, text: str, concepts: Sequence[Concept], ref: str, lexicons: Sequence[Lexicon]
) -> str:
    """The key of something that a source names.

    A person or thing with an id of its own is keyed by that (``patient:1a2b...``). A concept of a
    trusted terminology is its own key. Otherwise the name is looked up in the lexicons, so that
    ``Warfarin`` in a record and in a note are one node; else the first concept, else the name.

    Args:
        ref: the pseudonym of the source's own id, or empty.
    """
    for concept in concepts:
        if concept.system in _TRUSTED:
            return concept.key
    if ref:
        return f"{type}:{ref.rpartition(':')[2]}"
    wanted = _SAME.get(type, (type,))
    for name in (text, *(concept.name for concept in concepts)):
        terms = [t for lexicon in lexicons for t in lexicon.look_up(name) if t.type in wanted]
        if terms and (found := best_term(terms).concept):
            return found.key
    if concepts:
        return concepts[0].key
    return f"{type}:{normal_name(text)}"
