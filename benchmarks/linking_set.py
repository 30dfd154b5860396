"""The items of linking.py: ICD-10-CM names as people write them, built from the table (seeded).

- ``typo``: a title or inclusion term with one or two slips (lost, swapped, doubled, wrong).
- ``synonym``: an inclusion term that is HELD OUT, with its shorter forms, from the names that the
  linkers know; the concept keeps its other names. A name that another concept also has is no item.
- ``defined``: a name in which words stand abbreviated, in a text that defines the short form.
- ``inventory``: the same undefined; an inventory of senses with their frequencies is at hand
  (sense_distribution_448 of clinical_abbreviations, CC BY 4.0).
- ``nil``: names of whole categories that are HELD OUT, and names of drugs, body parts and tests.

``defined`` and ``inventory`` measure how a name is found once it is written out, and are no
headline: each definition has the form that our rule reads, and the inventory made the items.

A right code is any that has the written name. Items are halved by the three-character category.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegle.core.pack import Term
from aegle.facts.candidates import plain
from aegle.packs.general.wordlist import list_terms
from aegle.packs.healthcare import ontology

KINDS: Final = ("typo", "synonym", "defined", "inventory", "nil")
_PER_KIND: Final = 800
_OTHERS: Final = (("medications", "medication"), ("anatomy", "anatomy"), ("labs", "lab"))
_LONGEST_SENSE: Final = 10
"""Words of a sense."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Item:
    """A written name, the way it was written, the codes that are right, the text it stands in."""

    kind: str
    text: str
    codes: frozenset[str]
    group: str
    document: str = ""


@dataclass(frozen=True, slots=True)
class LinkingSet:
    """The names that linkers may know, what they are asked, the senses of abbreviations."""

    terms: tuple[Term, ...]
    items: tuple[Item, ...]
    senses: Mapping[str, Sequence[str]]


def half(group: str) -> str:
    """``dev`` or ``test``, by the first bit of the group's SHA-256."""
    return "dev" if hashlib.sha256(group.encode()).digest()[0] < 128 else "test"


def build(tabular: Path, inventory: Path) -> LinkingSet:
    """The set, from the tabular list of ICD-10-CM and an inventory of senses."""
    every = list(ontology.icd_terms(tabular))
    by_name: dict[str, set[str]] = defaultdict(set)
    by_code: dict[str, set[str]] = defaultdict(set)
    for term in every:
        by_name[plain(term.text)].add(_code(term))
        by_code[_code(term)].add(plain(term.text))
    held: set[tuple[str, str]] = set()
    synonyms = []
    for code, _, notes, _ in ontology.diagnoses(tabular):
        for note in notes:
            names = {plain(text) for text, _ in ontology.short_names(note)} & by_name.keys()
            alone = all(by_name[name] == {code} for name in names)
            if _drawn(note, 4) and plain(note) in names and alone and by_code[code] - names:
                by_code[code] -= names
                held |= {(code, name) for name in names}
                synonyms.append(Item("synonym", note, frozenset({code}), code[:3]))
    kept = tuple(
        term
        for term in every
        if not _absent(_code(term)) and (_code(term), plain(term.text)) not in held
    )
    senses = _senses(inventory)
    short = [(term.text, frozenset(by_name[plain(term.text)])) for term in kept]
    items = [
        *_some(item for item in synonyms if not _absent(item.group)),
        *_some(_typos(short)),
        *_some(_abbreviated(short, senses, "defined")),
        *_some(_abbreviated(short, senses, "inventory")),
        *_some(_nil(every, {plain(term.text) for term in kept})),
    ]
    return LinkingSet(kept, tuple(items), senses)


def _code(term: Term) -> str:
    return term.concept.code if term.concept else ""


def _drawn(text: str, parts: int) -> bool:
    """One of ``parts``, the same ones every time."""
    digest = hashlib.sha256(f"linking {text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % parts == 0


def _absent(code: str) -> bool:
    """Whether a code is of a category that is held out as a whole: one of 25."""
    return _drawn(code[:3], 25)


def _some(items: Iterator[Item]) -> list[Item]:
    """Some of the items, no text twice; the same ones every time."""
    distinct = list({item.text.casefold(): item for item in items}.values())
    return random.Random(17).sample(distinct, min(_PER_KIND, len(distinct)))


def _typos(names: Sequence[tuple[str, frozenset[str]]]) -> Iterator[Item]:
    rng = random.Random(3)
    known = {plain(text) for text, _ in names}
    for text, codes in names:
        written = slip(text, rng)
        if rng.random() < 0.5:
            written = slip(written, rng)
        if plain(written) not in known:
            yield Item("typo", written, codes, min(codes)[:3])


def slip(text: str, rng: random.Random) -> str:
    """A text with one slip inside a word of four letters or more."""
    places = list(re.finditer(r"[A-Za-z]{4,}", text))
    if not places:
        return text
    word = rng.choice(places)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    before, here, after = text[:at], text[at], text[at + 1 :]
    changed = ("", here * 2, after[0] + here, rng.choice(_LETTERS))
    kind = rng.randrange(4)
    return before + changed[kind] + (after[1:] if kind == 2 else after)


def _senses(path: Path) -> dict[str, list[str]]:
    """Short form -> senses, the commonest first."""
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for row in path.read_text("utf-8", "replace").splitlines():
        parts = row.split("\t")
        if len(parts) == 3 and "not an acronym" not in parts[1]:
            weights[parts[0].casefold()][parts[1].strip()] = float(parts[2])
    return {short: sorted(of, key=lambda one: -of[one]) for short, of in weights.items()}


def _abbreviated(
    names: Sequence[tuple[str, frozenset[str]]], senses: Mapping[str, Sequence[str]], kind: str
) -> Iterator[Item]:
    forms = {
        sense.casefold(): short.upper()
        for short, every in senses.items()
        for sense in every
        if len(short) >= 2 and " " in sense and re.fullmatch(r"[a-z ]+", sense.casefold())
    }
    for text, codes in names:
        at = _first(text, forms)
        if at is None:
            continue
        long = text[at]
        short = forms[long.casefold()]
        written = text[: at.start] + short + text[at.stop :]
        history = f"Known {long} ({short}). " if kind == "defined" else "Seen today. "
        yield Item(kind, written, codes, min(codes)[:3], f"{history}Assessment: {written}.")


def _first(text: str, phrases: Collection[str]) -> slice | None:
    """Where the first of some phrases stands in a text as whole words, the longest of them."""
    words = [word.span() for word in re.finditer(r"\w+", text)]
    for n, (start, _) in enumerate(words):
        for _, end in reversed(words[n : n + _LONGEST_SENSE]):
            if text[start:end].casefold() in phrases:
                return slice(start, end)
    return None


def _nil(every: Sequence[Term], known: set[str]) -> Iterator[Item]:
    for term in every:
        if _absent(_code(term)) and plain(term.text) not in known:
            yield Item("nil", term.text, frozenset(), _code(term)[:3])
    for name, type in _OTHERS:
        for term in list_terms("aegle.packs.healthcare", name, type):
            if not term.exact and len(term.text) > 4 and plain(term.text) not in known:
                yield Item("nil", term.text, frozenset(), term.text[:3])
