"""Linking: which concept a name stands for, and the key of its node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.pack import Term
from aegle.core.records import Concept, Mention
from aegle.facts.lexicon import Lexicon

_CLOSE: Final = 0.1
"""Terms this near the best score are kept as second choices."""
_MOST: Final = 3

_ALIGNED: Final = frozenset({"condition", "symptom"})
LEAST: Final = 0.85
"""A candidate that scores less is no link. On the dev half of benchmarks/linking.py the F1 of links
is flat from 0.65 (precision .72) to 0.88 (.91); a wrong link joins two nodes of the graph, a
missing one only leaves a name, so precision decides. Ranked by meaning, the same score gives the
same precision (.90 both, of 250 items a kind) and fewer links (recall .64, not .71)."""

_QUALIFIERS: Final = (" (disorder)", " (finding)", " (situation)", " (morphologic abnormality)")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a name was taken for: its type, its concepts (best first), its key, how surely."""

    type: str
    concepts: tuple[Concept, ...]
    key: str
    score: float


def normal_name(text: str) -> str:
    """The name part of a key: case folded, white space collapsed."""
    return " ".join(text.casefold().split())


def choose(text: str, terms: Iterable[Term]) -> Choice:
    """Choose among the terms that a name matched.

    The best score wins, then the most general code: packs score the code that coders default to
    above the others, so that a bare ``type 2 diabetes`` is E11.9 and not one of its complications.
    A local concept (its system is the entity type) gives the key but is no concept.
    """
    ranked = sorted(terms, key=_rank)
    best = ranked[0]
    concepts: dict[str, Concept] = {}
    for term in ranked:
        if term.type == best.type and term.concept and term.score >= best.score - _CLOSE:
            concepts.setdefault(term.concept.key, term.concept)
    known = [concept for concept in concepts.values() if concept.system != best.type]
    key = best.concept.key if best.concept else f"{best.type}:{normal_name(text)}"
    return Choice(best.type, tuple(known[:_MOST]), key, best.score)


def mention_key(mention: Mention, concepts: Sequence[Concept], text: str) -> str:
    """The key of what a source states: its concept's, else its pseudonym's, else its name's."""
    if concepts:
        return concepts[0].key
    if mention.ref is not None:
        pseudonym = mention.ref.reveal()
        prefix = f"{mention.type}:"
        return pseudonym if pseudonym.startswith(prefix) else prefix + pseudonym
    return f"{mention.type}:{normal_name(text)}"


def align(mention: Mention, text: str, lexicons: Iterable[Lexicon]) -> tuple[Concept, ...]:
    """A mention's concepts, led by the lexicon's when the whole name is a diagnosis that it knows.

    Records code diagnoses in SNOMED CT, notes name them: without this, the same hypertension would
    be one node for each. The source's own codes are kept behind.
    """
    if mention.type not in _ALIGNED:
        return mention.concepts
    bare = text.strip()
    for qualifier in _QUALIFIERS:
        bare = bare.removesuffix(qualifier)
    for lexicon in lexicons:
        terms = [term for term in lexicon.look_up(bare) if term.type in _ALIGNED]
        if not terms:
            continue
        known = choose(bare, terms).concepts[:1]
        if known and all(concept.system != known[0].system for concept in mention.concepts):
            return known + mention.concepts
    return mention.concepts


def _rank(term: Term) -> tuple[float, int, str, str]:
    code = term.concept.code if term.concept else ""
    return (-term.score, len(code), code, term.type)
