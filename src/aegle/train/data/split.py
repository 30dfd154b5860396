"""Splits that leak nothing: by group, and without texts that stand on the other side too."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Final, Protocol, TypeVar

from aegle.core.examples import Example


class Grouped(Protocol):
    """What can be split: it says which document, patient or host it is of."""

    @property
    def group(self) -> str:
        """Its name."""


G = TypeVar("G", bound=Grouped)

_SHINGLE: Final = 8
"""Words in a row that two texts of one origin share, and two others hardly ever."""

_WORD: Final = re.compile(r"[^\W_]+")

OVERLAP: Final = 0.3
"""The share of a text's shingles found on the other side above which it counts as seen there."""


def split(examples: Sequence[G], *, shares: Mapping[str, float], seed: int) -> dict[str, list[G]]:
    """Examples by part; a group is wholly in one part, the same one whatever else is there.

    Args:
        examples: of one corpus.
        shares: part -> share of the groups, summing to 1.
        seed: another seed, another split.

    Raises:
        ValueError: the shares don't sum to 1.
    """
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"the shares of a split sum to 1, got {dict(shares)}")
    parts: dict[str, list[G]] = {name: [] for name in shares}
    for one in examples:
        digest = hashlib.sha256(f"{seed}\0{one.group}".encode("utf-8", "surrogatepass")).digest()
        point = int.from_bytes(digest[:8], "big") / 2**64
        bounds = accumulate(shares.values())
        part = next((n for n, bound in zip(shares, bounds, strict=True) if point < bound), "")
        parts[part or list(shares)[-1]].append(one)
    return parts


def split_in_order(
    examples: Sequence[Example], shares: Mapping[str, float]
) -> dict[str, list[Example]]:
    """Groups by name: the first of them are the first part, and so on.

    Some corpora are split so by those who publish on them.
    """
    names = sorted({one.group for one in examples})
    bounds = [round(bound * len(names)) for bound in accumulate(shares.values())]
    part_of = {}
    low = 0
    for part, high in zip(shares, bounds, strict=True):
        part_of.update(dict.fromkeys(names[low:high], part))
        low = high
    parts: dict[str, list[Example]] = {name: [] for name in shares}
    for one in examples:
        parts[part_of[one.group]].append(one)
    return parts


def halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(first, second) by the first bit of the SHA-256 of the text: the same halves everywhere."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for one in examples:
        parts[in_second_half(one.text)].append(one)
    return parts


def in_second_half(text: str) -> bool:
    """Whether `halves` puts a text into the second."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] >= 128


def without_seen(
    train: Sequence[Example], held_out: Iterable[Example]
) -> tuple[list[Example], list[Example]]:
    """(kept, dropped): training examples whose text doesn't, and does, stand in what is held out.

    Corpora re-use each other's documents (BioRED those of BC5CDR), so this is asked across all
    corpora of a run. A whole group falls when one of its texts was seen. Texts under eight words
    can't be told apart from chance and stay. What is held out stands in the order of its documents.
    """
    seen: set[int] = set()
    # Sentences that follow one another are one text elsewhere: runs cross from one to the next.
    for _, some in groupby(held_out, key=_group):
        seen.update(_shingles(" ".join(one.text for one in some)))
    fallen = set()
    for one in train:
        mine = _shingles(one.text)
        if mine and len(mine & seen) > OVERLAP * len(mine):
            fallen.add(one.group)
    kept = [one for one in train if one.group not in fallen]
    return kept, [one for one in train if one.group in fallen]


def without_holding(texts: Sequence[Example], held_out: Iterable[Example]) -> list[Example]:
    """The texts in which no held-out text stands, however much stands around it."""
    given = list(held_out)
    # One by one, and document by document: sentences may be too short to have a run of words.
    whole = [" ".join(one.text for one in some) for _, some in groupby(given, key=_group)]
    holders: dict[int, list[int]] = {}
    sizes = []
    for number, text in enumerate([*(one.text for one in given), *whole]):
        theirs = _shingles(text)
        sizes.append(len(theirs))
        for shingle in theirs:
            holders.setdefault(shingle, []).append(number)
    kept = []
    for one in texts:
        found = Counter(n for shingle in _shingles(one.text) for n in holders.get(shingle, ()))
        if all(count <= OVERLAP * sizes[number] for number, count in found.items()):
            kept.append(one)
    return kept


def _group(one: Example) -> str:
    return one.group


def spoken(text: str) -> list[str]:
    """The runs of letters and digits of a text, whatever their case: corpora of tokens part what
    raw texts join by hyphens."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _shingles(text: str) -> set[int]:
    words = spoken(text)
    # The built-in hash is salted a process; it never leaves this one.
    return {hash(tuple(words[i : i + _SHINGLE])) for i in range(len(words) - _SHINGLE + 1)}
