"""Names that no lexicon has as they are written: the concept most like them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from aegle.core.pack import Term
from aegle.facts.abbreviations import Senses, expand, long_forms
from aegle.facts.candidates import Embed, Names, Vectors, likeness, plain
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import LEAST, Choice, choose

_FAMILIES: Final = (
    frozenset({"condition", "symptom"}),
    frozenset({"medication", "allergy"}),
    frozenset({"lab", "vital"}),
    frozenset({"technique", "attack_pattern"}),
    frozenset({"malware", "tool"}),
    frozenset({"threat_group", "campaign"}),
    frozenset({"mitigation", "detection"}),
)
"""Types whose names one mention may have: what a reader calls one, a terminology calls another."""
_SHORTEST: Final = 5
"""Letters of a name that is looked for by likeness. Shorter ones and acronyms are like too many."""
_POOL: Final = 24
"""Names by spelling that are ranked again by meaning."""
_LETTERED: Final = 12
"""The first of them that are compared letter by letter; more find no more slips on dev."""
_MEANING: Final = 0.5
"""The share of meaning in a score, the rest is spelling; chosen on dev."""
_REMEMBERED: Final = 1 << 14
"""Names whose candidates are kept at hand: texts repeat them."""
_SURENESS: Final = 0.1
"""How much of a term's own score counts: of equal names, the default code's is the better."""


class Linker:
    """Names to concepts: as the lexicons know them, else the most alike, else none.

    An index of names is built for each family of types when first asked for.
    """

    def __init__(
        self,
        lexicons: Sequence[Lexicon],
        *,
        embed: Embed | None = None,
        least: float = LEAST,
        senses: Senses | None = None,
    ) -> None:
        """``embed`` gives unit vectors of texts; without it names are compared by spelling only.

        ``least`` is the score, in [0, 1], under which a candidate is no link; ``senses`` tells what
        short forms stand for that a document does not define.
        """
        self._lexicons = tuple(lexicons)
        self._embed = embed
        self._least = least
        self._senses = senses
        self._near = lru_cache(maxsize=_REMEMBERED)(self._nearest)
        self._shelves: dict[frozenset[str], _Shelf] = {}

    def short_forms(self, text: str, places: Sequence[tuple[int, int]]) -> dict[str, str]:
        """What the short forms of a document stand for: as it defines them, else by the inventory.

        Args:
            text: the document's text.
            places: characters [start, end) of its names, where the inventory is asked.
        """
        defined = long_forms(text)
        if self._senses is None:
            return defined
        return self._senses.read_all(text, places, but=defined) | defined

    def link(
        self, name: str, type: str, *, known: Mapping[str, str] | None = None
    ) -> Choice | None:
        """What a name stands for, None when nothing that is known is near enough.

        Args:
            name: the mention's text.
            type: the mention's entity type; concepts of other families of types are left out.
            known: the document's short forms and what they stand for (`short_forms`).
        """
        full = expand(name, known or {})
        exact = self._exact(full, type) or (self._exact(name, type) if full != name else None)
        if exact is not None:
            return exact
        near = self._near(full, type, 1)
        return near[0] if near and near[0].score >= self._least else None

    def candidates(
        self, name: str, type: str, *, k: int = 5, known: Mapping[str, str] | None = None
    ) -> list[Choice]:
        """The ``k`` likeliest concepts, best first, whatever they score."""
        full = expand(name, known or {})
        exact = self._exact(full, type)
        near = list(self._near(full, type, k + 1))
        if exact is not None:
            near = [exact, *(one for one in near if one.key != exact.key)]
        return near[:k]

    def _exact(self, name: str, type: str) -> Choice | None:
        """What the first lexicon that knows a name says, with the codes that the others add."""
        family = family_of(type)
        known: list[Choice] = []
        for lexicon in self._lexicons:
            terms = [term for term in lexicon.look_up(name) if term.type in family]
            if terms:
                known.append(choose(name, terms))
        if not known:
            return None
        concepts = list(known[0].concepts)
        for other in known[1:]:
            systems = {concept.system for concept in concepts}
            concepts += [concept for concept in other.concepts if concept.system not in systems]
        return replace(known[0], concepts=tuple(concepts))

    def _nearest(self, name: str, type: str, k: int) -> Sequence[Choice]:
        if sum(char.isalpha() for char in name) < _SHORTEST:
            return ()
        family = family_of(type)
        shelf = self._shelves.get(family)
        if shelf is None:
            every = (term for lexicon in self._lexicons for term in lexicon)
            shelf = _Shelf([term for term in every if term.type in family], self._embed)
            self._shelves[family] = shelf
        return shelf.nearest(name, k)


class _Shelf:
    """The names of one family of types."""

    def __init__(self, terms: Iterable[Term], embed: Embed | None) -> None:
        by_name: dict[str, list[Term]] = {}
        for term in terms:
            if not term.exact or len(term.text) >= _SHORTEST:
                by_name.setdefault(plain(term.text), []).append(term)
        self._texts = list(by_name)
        self._terms = list(by_name.values())
        self._names = Names(self._texts)
        self._vectors = Vectors(self._texts, embed) if embed else None

    def nearest(self, name: str, k: int) -> list[Choice]:
        asked = plain(name)
        found = [
            (at, _spelling(asked, self._texts[at], parts) if place < _LETTERED else parts)
            for place, (at, parts) in enumerate(self._names.search(name, max(_POOL, k)))
        ]
        if self._vectors is not None:
            near = self._vectors.nearness(asked, [at for at, _ in found])
            found = [
                (at, (1 - _MEANING) * spelling + _MEANING * meaning)
                for (at, spelling), meaning in zip(found, near, strict=True)
            ]
        best: dict[str, Choice] = {}
        for at, score in found:
            choice = choose(self._texts[at], self._terms[at])
            sure = score * (1 - _SURENESS * (1 - choice.score))
            known = best.get(choice.key)
            if known is None or known.score < sure:
                best[choice.key] = replace(choice, score=min(1.0, sure))
        return sorted(best.values(), key=lambda one: (-one.score, one.key))[:k]


def _spelling(asked: str, name: str, parts: float) -> float:
    """How alike two spellings are: by the parts that they share or letter by letter, the better.

    Slips spoil parts, another order spoils letters. Letters are not compared where the lengths
    alone say that they can't be nearer.
    """
    longest = max(len(asked), len(name))
    nearest = min(len(asked), len(name)) / longest
    return max(parts, likeness(asked, name)) if nearest > parts else parts


def family_of(type: str) -> frozenset[str]:
    """The types whose names a mention of this type may have."""
    return next((family for family in _FAMILIES if type in family), frozenset({type}))
