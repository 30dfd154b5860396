"""Small changes that turn a statement into one that its evidence does not bear out.

A change is a list of `Edit`: the same edits can be made in the claim, in the evidence, or in both,
so that neither text alone tells what was done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from aegle.lm.opposites import FORMS, NUMBER_WORDS, OPPOSITES, UNITS

_NUMBER: Final = re.compile(r"(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w/]|[.,]\d|-\d)")
_UNIT: Final = re.compile(rf"\b\d[\d.,]*[ -]?({'|'.join(UNITS)})\b")
_WORD: Final = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_NAME: Final = re.compile(
    r"(?<![.!?]\s)(?<!^)\b[A-Z][a-z]+(?: (?:of |de |the )?[A-Z][\w-]+)+\b"
    r"|\b[A-Z][A-Za-z]*\d[\w-]*\b|\b[A-Z]{2,6}\b|\b[A-Z][a-z]+[A-Z]\w+\b"
    r"|(?<=[a-z,)] )[A-Z][a-z]{3,}\b"
)
_AUXILIARY: Final = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|may|might|will|would|should|does|do|did)\b"
    r"(?! not|n't)"
)
_DENIAL: Final = re.compile(r"\b(is|are|was|were|has|have|had|can|could|may|did|does|do) not\b")
_NO: Final = re.compile(r"\b(No|no|without|Without|denies|Denies|denied|with|reports|Reports)\b")
_SWITCH: Final = {
    "without": "with", "with": "without", "denies": "reports", "reports": "denies",
    "denied": "reported",
}  # fmt: skip
_ONE_WAY: Final = re.compile(
    r"\b(?:than|by|from|causes?|induces?|inhibits?|activates?|reduces?|increases?|before|after|into|"
    r"leads? to|treated with|due to|caused|because|prevents?|regulates?|replac\w+|using|uses?)\b"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Exchange one stretch of text for another, wherever it stands as whole words."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names that can take each other's place.

    Attributes:
        types: lower-cased name -> its type (drug, disease, ...).
        pool: type -> names that a text may get instead.
        longest: most words in a name of ``types``.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    pool: Mapping[str, Sequence[str]] = field(default_factory=dict)
    longest: int = 4


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made at once; the text itself where none applies."""
    table = {one.old: one.new for one in edits}
    some = "|".join(re.escape(old) for old in sorted(table, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{some})(?![\w-])", lambda m: table[m.group()], text)


def number(text: str, rng: np.random.Generator, names: Names) -> list[Edit]:
    """Another number, or another unit behind one; each number of a text once."""
    del names
    units = list(_UNIT.finditer(text))
    if units and rng.random() < 0.3:
        match = units[int(rng.integers(len(units)))]
        old = match.group()
        return [Edit(old, old[: -len(match[1])] + str(rng.choice(UNITS[match[1]])))]
    found = [m.group() for m in _NUMBER.finditer(text)]
    words = [w for w in _WORD.findall(text) if w.lower() in NUMBER_WORDS[2:]]
    every = list(dict.fromkeys([*found, *words]))
    if not every:
        return []
    old = every[int(rng.integers(len(every)))]
    new = _other_word(old, rng) if old in words else _other_number(old, rng)
    return [Edit(old, new)] if new not in every else []


def _other_word(old: str, rng: np.random.Generator) -> str:
    others = [w for w in NUMBER_WORDS[2:] if w != old.lower()]
    new = str(rng.choice(others))
    return new.capitalize() if old[0].isupper() else new


def _other_number(old: str, rng: np.random.Generator) -> str:
    plain = old.replace(",", "")
    if plain.count(".") > 1 or len(plain) > 12:
        return old
    value = float(plain)
    if value.is_integer() and 1900 <= value <= 2100 and len(plain) == 4:
        return str(int(value + rng.choice([-7, -3, -2, -1, 1, 2, 4, 9])))
    places = len(plain.partition(".")[2])
    way = rng.random()
    if way < 0.35:
        new = value * float(rng.choice([0.5, 2, 3, 10, 0.1]))
    elif way < 0.7:
        new = value + float(rng.integers(1, 10)) * 10**-places * float(rng.choice([-1, 1]))
    else:
        digits = list(plain)
        at = int(rng.choice([n for n, one in enumerate(digits) if one.isdigit()]))
        digits[at] = str((int(digits[at]) + int(rng.integers(1, 10))) % 10)
        new = float("".join(digits))
    new = abs(new) or value + 1
    told = f"{new:.{places}f}"
    return told if float(told) != value else f"{value + 1:.{places}f}"


def negation(text: str, rng: np.random.Generator, names: Names) -> list[Edit]:
    """A negation put in or taken out."""
    del names
    options: list[Edit] = [Edit(f"{m[1]} not", m[1]) for m in _DENIAL.finditer(text)]
    options += [
        Edit(m.group(), m.group().replace("cannot", "can")) for m in re.finditer("cannot", text)
    ]
    if not options:
        for m in _NO.finditer(text):
            word = m.group()
            if word.lower() in _SWITCH and (word.lower() != "with" or rng.random() < 0.2):
                new = _SWITCH[word.lower()]
                options.append(Edit(word, new.capitalize() if word[0].isupper() else new))
            elif word.lower() == "no":
                follow = re.match(r"(?:No|no) ([a-z][\w-]+)", text[m.start() :])
                if follow:
                    new = follow[1].capitalize() if word == "No" else follow[1]
                    options.append(Edit(follow.group(), new))
    if not options:
        options = [Edit(m.group(), f"{m.group()} not") for m in _AUXILIARY.finditer(text)]
        for word in _WORD.findall(text):
            if word in FORMS:
                auxiliary, base = FORMS[word]
                options.append(Edit(word, f"{auxiliary} not {base}"))
    return [options[int(rng.integers(len(options)))]] if options else []


def _exchange(kind: str) -> Callable[[str, np.random.Generator, Names], list[Edit]]:
    table = OPPOSITES[kind]

    def made(text: str, rng: np.random.Generator, names: Names) -> list[Edit]:
        del names
        found = [w for w in _WORD.findall(text) if w in table or w.lower() in table]
        if not found:
            return []
        old = found[int(rng.integers(len(found)))]
        new = str(rng.choice(table.get(old) or table[old.lower()]))
        return [Edit(old, new.capitalize() if old[0].isupper() else new)]

    made.__doc__ = f"A word of {kind} exchanged for its opposite."
    return made


def mentions(text: str, names: Names) -> list[tuple[str, str]]:
    """(name, type) of what stands in a text; names by their shape have the type of the shape."""
    found: dict[str, str] = {}
    words = list(re.finditer(r"[\w'-]+", text))
    at = 0
    while at < len(words):
        for size in range(min(names.longest, len(words) - at), 0, -1):
            piece = text[words[at].start() : words[at + size - 1].end()]
            kind = names.types.get(piece.lower())
            if kind:
                found.setdefault(piece, kind)
                at += size - 1
                break
        at += 1
    for match in _NAME.finditer(text):
        if not any(match.group() in name for name in found):
            found[match.group()] = shape(match.group())
    return list(found.items())


def shape(name: str) -> str:
    """What a name looks like: ``words``, ``code`` (with digits), ``capitals`` or ``word``."""
    if any(one.isdigit() for one in name):
        return "code"
    if " " in name:
        return "words"
    return "capitals" if name.isupper() else "word"


def entity(text: str, rng: np.random.Generator, names: Names) -> list[Edit]:
    """A name for another of its type, which the text does not hold."""
    found = mentions(text, names)
    rng.shuffle(found)
    for name, kind in found:
        others = names.pool.get(kind, ())
        for _ in range(4 if len(others) else 0):
            new = str(others[int(rng.integers(len(others)))])
            if new.lower() not in text.lower() and name.lower() not in new.lower():
                return [Edit(name, new)]
    return []


def role(text: str, rng: np.random.Generator, names: Names) -> list[Edit]:
    """Two names of one type, or two numbers, that change places where the order says something."""
    numbers = list(dict.fromkeys(m.group() for m in _NUMBER.finditer(text)))
    pairs: list[tuple[str, str]] = []
    if len(numbers) >= 2:
        pairs += list(pairwise(numbers))
    match = _ONE_WAY.search(text)
    if match:
        found = mentions(text, names)
        for a, kind in found:
            for b, other in found:
                if kind == other and text.find(a) < match.start() < text.find(b):
                    pairs.append((a, b))
    if not pairs:
        return []
    one, other = pairs[int(rng.integers(len(pairs)))]
    return [Edit(one, other), Edit(other, one)]


RULES: Final[Mapping[str, Callable[[str, np.random.Generator, Names], list[Edit]]]] = {
    "number": number,
    "negation": negation,
    "direction": _exchange("direction"),
    "degree": _exchange("degree"),
    "time": _exchange("time"),
    "side": _exchange("side"),
    "entity": entity,
    "role": role,
}
"""Name -> text, random numbers and names -> edits; none where the rule finds nothing to change."""
