"""Whether a sentence is supported by the evidence that it cites: rules on words, no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aegle.answer.concepts import content_words, stem
from aegle.answer.contrary import misstated, opposed, restated
from aegle.answer.evidence import Embed
from aegle.answer.quantities import aligned
from aegle.lm.opposites import opposites_of
from aegle.lm.segment import sentences

_NUMBER: Final = re.compile(r"\d+(?:[.,:/]\d+)*")
_NAME: Final = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w.-]*[a-z0-9][\w.-]*|\b[A-Z0-9]+-[\w.-]+\b")
_NEGATION: Final = re.compile(
    r"\b(?:no|not|never|none|without|denies|denied|negative|neither|nor|cannot|absent|n't)\b|n't\b",
    re.IGNORECASE,
)

_PLAIN: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
_TOKEN: Final = re.compile(r"\w+(?:[-.:,/'’]\w+)*")
_SCOPE: Final = 3
"""Content words after a negation that it is taken to deny."""

MIN_SHARE: Final = 0.6
MIN_COSINE: Final = 0.45


def numbers(text: str) -> set[str]:
    """The numbers of a text as they are written, without trailing marks."""
    return set(_NUMBER.findall(text))


def names(text: str) -> set[str]:
    """Capitalised words that do not begin a sentence, and identifiers with a hyphen."""
    return {name.casefold().rstrip(".") for name in _NAME.findall(text)}


def denies(text: str) -> bool:
    """Whether a text has a word of negation."""
    return bool(_NEGATION.search(text))


def _nearest(words: set[str], evidence: Sequence[str]) -> str:
    """The sentence of the evidence that shares most words; of equals the shorter, then the first.

    ``Denies fever. Takes aspirin.`` is evidence for aspirin, and denies nothing of it.
    """
    every = [text[span.start : span.end] for text in evidence for span in sentences(text)]
    return min(every, key=lambda one: (-len(words & set(content_words(one))), len(one)), default="")


def denied(text: str) -> set[str]:
    """The content words that stand close behind a negation."""
    found: set[str] = set()
    for match in _NEGATION.finditer(text):
        found |= set(content_words(re.split(r"[.;\n]", text[match.end() :])[0])[:_SCOPE])
    return found


def bonds(text: str) -> dict[str, set[str]]:
    """Number -> the content word before it and the one behind it, marked ``<`` and ``>``."""
    words = [stem(word) for word in _TOKEN.findall(text) if content_words(word)]
    found: dict[str, set[str]] = {}
    for place, word in enumerate(words):
        for number in numbers(word):
            before = {f"<{words[place - 1]}"} if place else set()
            behind = {f">{words[place + 1]}"} if place + 1 < len(words) else set()
            found.setdefault(number, set()).update(before | behind)
    return found


def _bound(sentence: str, evidence: Sequence[str]) -> bool:
    """Whether each number stands beside a word that it stands beside in the evidence, too."""
    told: dict[str, set[str]] = {}
    for text in evidence:
        for number, words in bonds(text).items():
            told.setdefault(number, set()).update(words)
    return all(
        not words or number not in told or words & told[number]
        for number, words in bonds(sentence).items()
    )


@dataclass(frozen=True, slots=True)
class Checks:
    """What the rules on words find in a sentence and its evidence.

    Attributes:
        numbers: how many numbers of the sentence the evidence lacks, in any spelling.
        misstated: how many amounts the evidence has with another unit or of another thing.
        contrary: whether the evidence says only the opposite of the same thing.
        bound: whether each number stands beside a word that it has in the evidence.
        names: how many names of the sentence the evidence lacks.
        negation: whether the sentence and the sentence of the evidence that shares most words with
            it both deny or neither does.
        denied: whether what the sentence denies is denied in the evidence.
        flipped: the share of the words that it shares with that sentence which only one of the two
            denies.
        opposed: how many words of the sentence the evidence lacks while it has their opposite.
        share: of the content words, in [0, 1]; 0 for a sentence without any.
        nearest: the same share in one sentence of the evidence.
        order: the share of neighbouring content words that are neighbours there, too.
    """

    numbers: int
    misstated: int
    contrary: bool
    bound: bool
    names: int
    negation: bool
    denied: bool
    flipped: float
    opposed: int
    share: float
    nearest: float
    order: float

    @property
    def barred(self) -> bool:
        """Whether no model may let the sentence pass: a wrong dose costs more than a lost line."""
        return self.numbers > 0 or self.belied

    @property
    def belied(self) -> bool:
        """Whether the evidence says otherwise: another amount of the same thing, or an opposite."""
        return self.misstated > 0 or self.contrary

    @property
    def hold(self) -> bool:
        """Whether all of them let the sentence pass."""
        exact = not self.barred and self.bound and not self.names
        return exact and self.negation and self.denied and self.share >= MIN_SHARE


def _flipped(sentence: str, near: str) -> float:
    """Of the content words of both, the share that one of them denies and the other does not."""
    shared = set(content_words(sentence)) & set(content_words(near))
    return len((denied(sentence) ^ denied(near)) & shared) / len(shared) if shared else 0.0


def _opposed(sentence: str, evidence: str) -> set[str]:
    """Words of a sentence that its evidence says the opposite of, and nowhere itself."""
    told, said = (set(_PLAIN.findall(text.casefold())) for text in (evidence, sentence))
    return {word for word in said - told if opposites_of(word) & (told - said)}


def _steps(text: str) -> set[tuple[str, str]]:
    """Content words next to each other, in their order."""
    words = content_words(text)
    return set(pairwise(words))


def check(sentence: str, evidence: Sequence[str]) -> Checks:
    """The rules on words, each by itself; amounts are compared in the evidence's spelling."""
    sentence = aligned(sentence, evidence)
    joined = " ".join(evidence)
    folded = joined.casefold()
    words = {word for word in content_words(sentence) if not denies(word)}
    near = _nearest(words, evidence)
    held = set(content_words(joined))
    steps = _steps(sentence)
    return Checks(
        numbers=len(numbers(sentence) - numbers(joined) - restated(sentence, evidence)),
        misstated=len(misstated(sentence, evidence)),
        contrary=opposed(sentence, evidence),
        bound=_bound(sentence, evidence),
        names=sum(name not in folded for name in names(sentence)),
        negation=denies(sentence) == denies(near),
        denied=not denies(sentence) or denied(sentence) <= denied(joined),
        flipped=_flipped(sentence, near),
        opposed=len(_opposed(sentence, joined)),
        share=len(words & held) / len(words) if words else 0.0,
        nearest=len(words & set(content_words(near))) / len(words) if words else 0.0,
        order=len(steps & _steps(joined)) / len(steps) if steps else 1.0,
    )


def supported(sentence: str, evidence: Sequence[str], embed: Embed) -> bool:
    """Whether every number and name of a sentence stands in its evidence, and its sense does, too.

    Eight tests, all must hold: numbers, in any spelling of the same amount; each amount with its
    unit and of its thing; no opposite of what is said of the same thing (both
    `aegle.answer.contrary`); each number beside a word that it has in the evidence; names; negation
    (it and the sentence of the evidence that shares most words with it both deny or neither does,
    and what it denies is denied there); at least `MIN_SHARE` of the content words; and a cosine of
    at least `MIN_COSINE`. It is strict on purpose: a dropped true sentence costs less than a false
    one that stays.
    """
    if not evidence or not check(sentence, evidence).hold:
        return False
    vectors = embed([sentence, " ".join(evidence)])
    return float(vectors[0] @ vectors[1]) >= MIN_COSINE
