"""Amounts in text: a number, its unit and the words that it is said of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from aegle.answer.concepts import content_words, stem
from aegle.lm.segment import sentences
from aegle.lm.units import DAY, PATTERN, PREFIX, Unit, spelled, unit

_WORDS: Final = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_FIGURES: Final = r"\d+(?:[.,:/]\d+)*"
_NUMBER: Final = (
    rf"(?:(?<![\w.,/:])|(?<=\b[qx])|(?<=\bQ))(?:{_FIGURES}|\.\d+)|\b(?i:{'|'.join(_WORDS)})\b"
)
_AMOUNT: Final = re.compile(
    rf"(?P<low>{_NUMBER})(?:\s?(?:-|–|\bto\b|\bor\b)\s?(?P<high>{_FIGURES}"
    rf"|(?i:{'|'.join(_WORDS)})\b))?"
    rf"(?:\s(?P<scale>(?i:{'|'.join(_SCALES)}))\b)?(?:\s?-?\s?(?P<unit>{PATTERN}))?"
)
_NO_WORD: Final = re.compile(r"(?=[\s.,;:)\]%?!]|$)")
"""What stands behind a number that is one by itself: no identifier's."""
_BETWEEN: Final = re.compile(rf"\bbetween\s({_FIGURES})\s?and\s", re.IGNORECASE)
_ONE_EACH: Final = re.compile(rf"\b(?i:an?|each|every|per)\s({PATTERN})")
_DAILY: Final = re.compile(
    r"\s(?:(?:po|iv|im|sc|oral|orally|by mouth)\s)?(?:once\s)?(?:daily|a day|(?:each|every|per) day"
    r"|qd|od)\b",
    re.IGNORECASE,
)
_A_DAY: Final = re.compile(r"(?:\s?/\s?|\s+(?:per|an?|each|every)\s+)(?:days?|d)$", re.IGNORECASE)
_OFTEN: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), new)
    for pattern, new in (
        (r"\bb\.?i\.?d\b\.?", "2 times per day"),
        (r"\bt\.?i\.?d\b\.?", "3 times per day"),
        (r"\bq\.?i\.?d\b\.?", "4 times per day"),
        (r"\bonce(?=\s(?:an?|per|each|every|daily|weekly|monthly)\b)", "1 times"),
        (r"\btwice(?=\s(?:an?|per|each|every|daily|weekly|monthly)\b)", "2 times"),
        (r"\bthrice(?=\s(?:an?|per|each|every|daily|weekly|monthly)\b)", "3 times"),
        (r"(?<=\btimes) daily\b", " per day"),
        (r"(?<=\btimes) weekly\b", " per week"),
        (r"(?<=\btimes) monthly\b", " per month"),
    )
)
_PART: Final = re.compile(r"[\w°²%]+(?:[-./'’&][\w]+)*|[,;:.()\n–—-]")
_ENDS_PART: Final = frozenset(
    ", ; . ) – — - and or but while whereas then plus with versus vs respectively".split()
)
CARRIERS: Final = frozenset(
    stem(word)
    for word in """take takes taking took taken give gives given giving gave receive receives
    received administer administered prescribe prescribed start starts started continue continued
    increase increased decrease decreased reduce reduced raise raised lower lowered titrate titrated
    change changed dose doses dosage dosed order ordered use used inject injected infuse infused
    infusion injection last lasted lasts show showed shown measure measured report reported record
    recorded found seen approximately around nearly almost least over under oral orally iv po sc im
    sq subcutaneous intravenous intravenously once twice daily weekly monthly hourly nightly night
    bedtime morning evening total per every each day now today new current level value result
    results prn needed mouth patient patients old olds age aged ago after within such
    average averages
    prescription prescriptions first second same only mean median p ci vs""".split()
)
"""Words beside an amount that do not say what it is of."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit, if it has one.

    Attributes:
        written: the figures or the word.
        number: what they are; the text itself for what is no plain number (``120/80``).
        value: the number in base units.
        powers: of the unit, see `aegle.lm.units.Unit`; None without a unit.
        near: the content word that it stands nearest to; empty for none.
        about: the content words of its part of the sentence, and amounts of other kinds there.
        words: the content words of its sentence.
    """

    written: str
    number: Fraction | str
    value: Fraction | str
    powers: tuple[tuple[str, int], ...] | None
    near: str = ""
    about: frozenset[str] = frozenset()
    words: frozenset[str] = field(default=frozenset(), repr=False)

    def same(self, other: Amount) -> bool:
        """Whether both are one amount; a number without a unit may be of any."""
        if self.powers is None or other.powers is None:
            return self.number == other.number
        return self.powers == other.powers and self.value == other.value


def number_of(text: str) -> Fraction | str:
    """The value of a plain number, thousands parted by commas or not; other figures themselves."""
    plain = text.casefold()
    if plain in _WORDS:
        return Fraction(_WORDS[plain])
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain):
        plain = plain.replace(",", "")
    return Fraction(plain) if re.fullmatch(r"\d*\.?\d+", plain) else plain


@dataclass(slots=True)
class _Item:
    """What a sentence is made of: an amount (several for a range), a word or a mark."""

    amounts: tuple[Amount, ...] = ()
    word: str = ""
    mark: str = ""


@lru_cache(maxsize=512)
def amounts(text: str) -> tuple[Amount, ...]:
    """The amounts of a text, in order, each with the words that it is said of."""
    found: list[Amount] = []
    told = _plain(text)
    for span in sentences(told):
        for line in told[span.start : span.end].splitlines():
            found += _placed(list(_items(line)))
    return tuple(found)


@lru_cache(maxsize=512)
def loose(text: str) -> tuple[Amount, ...]:
    """Further amounts that a text may mean: ``a week`` is one, ``5 mg daily`` is 5 mg a day."""
    told = _plain(text)
    found = [_amount("1", unit(match[1])) for match in _ONE_EACH.finditer(told)]
    for match in _AMOUNT.finditer(told):
        of = unit(match["unit"]) if match["unit"] else None
        if of is None:
            continue
        if _DAILY.match(told, match.end()):
            found.append(_amount(match["high"] or match["low"], of.per(DAY)))
        less = _A_DAY.sub("", match["unit"])
        if less != match["unit"] and not less.startswith("time"):
            # Who says 5 mg of 5 mg a day says less, nothing false; of an hour's it is another.
            found.append(_amount(match["high"] or match["low"], unit(less)))
    return tuple(found)


def aligned(sentence: str, evidence: Sequence[str]) -> str:
    """A sentence with the amounts that its evidence has in another spelling in that one.

    ``250 mcg`` becomes ``0.25 mg``, so that whoever compares words compares the same amount.
    """
    told = [one for text in evidence for one in _written(text)]
    known = {text for text, _ in told}
    edits = []
    for match, one in _matches(sentence):
        if match.group() not in known:
            same = next((text for text, other in told if one.same(other)), None)
            if same is not None:
                edits.append((match.span(), same))
    for (start, end), new in reversed(edits):
        sentence = f"{sentence[:start]}{new}{sentence[end:]}"
    return sentence


def _matches(text: str) -> Iterator[tuple[re.Match[str], Amount]]:
    """Single amounts with units, where they stand."""
    for match in _AMOUNT.finditer(text.translate(PREFIX)):
        of = unit(match["unit"]) if match["unit"] else None
        if of is not None and not match["high"] and not match["scale"]:
            yield match, _amount(match["low"], of)


@lru_cache(maxsize=512)
def _written(text: str) -> tuple[tuple[str, Amount], ...]:
    return tuple((text[slice(*match.span())], one) for match, one in _matches(text))


def _plain(text: str) -> str:
    told = spelled(text)
    for pattern, new in _OFTEN:
        told = pattern.sub(new, told)
    return _BETWEEN.sub(r"\1 to ", told)


def _amount(written: str, of: Unit | None, scale: int = 1) -> Amount:
    number = number_of(written)
    if isinstance(number, Fraction):
        number *= scale
    if of is None:
        return Amount(written, number, number, None)
    value = number * of.factor if isinstance(number, Fraction) else f"{number} {of.factor}"
    return Amount(written, number, value, of.powers)


def _items(line: str) -> Iterator[_Item]:
    at = 0
    for match in _AMOUNT.finditer(line):
        of = unit(match["unit"]) if match["unit"] else None
        spoken = match["low"].casefold() in _WORDS
        if (
            of is None
            and not match["scale"]
            and (
                spoken
                or not _NO_WORD.match(line, match.end())
                or line[: match.start()].endswith("-")
            )
        ):
            continue  # a word such as one, or a part of an identifier
        yield from _words(line[at : match.start()])
        at = match.end()
        scale = _SCALES[match["scale"].casefold()] if match["scale"] else 1
        some = [match["low"], match["high"]] if match["high"] else [match["low"]]
        yield _Item(amounts=tuple(_amount(one, of, scale) for one in some))
    yield from _words(line[at:])


def _words(text: str) -> Iterator[_Item]:
    for match in _PART.finditer(text):
        piece = match.group()
        folded = piece.casefold()
        if folded in _ENDS_PART or not piece[0].isalnum():
            yield _Item(mark=folded)
        else:
            told = content_words(piece)
            some = [one for one in told if one not in CARRIERS]
            yield _Item(word=some[0] if some else "", mark="" if some else folded)


def _placed(items: Sequence[_Item]) -> Iterator[Amount]:
    """The amounts of a sentence with what they stand beside."""
    words = frozenset(one.word for one in items if one.word)
    for place, item in enumerate(items):
        if item.amounts:
            near, about = _near(items, place), frozenset(_about(items, place))
            for one in item.amounts:
                yield replace(one, near=near, about=about | ({near} - {""}), words=words)


_FAR: Final = 12
_COSTS: Final = {
    ",": 4,
    ";": 8,
    ".": 8,
    ")": 2,
    "(": 1,
    ":": 0,
    "and": 3,
    "or": 3,
    "but": 8,
    "while": 8,
}


def _near(items: Sequence[_Item], place: int) -> str:
    """The nearest word, marks between counted; what follows ``of`` comes first."""
    behind = items[place + 1 :]
    if behind and behind[0].mark == "of":
        return _step(behind[1:])[1]
    before, after = _step(items[:place][::-1]), _step(behind)
    return after[1] if after[0] < before[0] else before[1]


def _step(items: Sequence[_Item]) -> tuple[int, str]:
    cost = 0
    for one in items:
        cost += _COSTS.get(one.mark, 1)
        if one.word or cost > _FAR:
            return (cost, one.word) if cost <= _FAR else (99, "")
    return 99, ""


def _about(items: Sequence[_Item], place: int) -> list[str]:
    """The words of the part that an amount stands in, up to others of its kind.

    Where nothing stands before it there, those before the part's elder sister count, too: ``45% in
    one group and 60% in the other`` are of one thing.
    """
    kind = items[place].amounts[0].powers

    def wall(one: _Item) -> bool:
        return bool(one.amounts) and one.amounts[0].powers == kind

    start = place
    while start and items[start - 1].mark not in _ENDS_PART and not wall(items[start - 1]):
        start -= 1
    end = place + 1
    while end < len(items) and items[end].mark not in _ENDS_PART and not wall(items[end]):
        end += 1
    told = [one.word for one in items[start:end] if one.word]
    told += [
        f"{a.value} {a.powers}"
        for one in items[start:end]
        for a in one.amounts
        if one is not items[place]
    ]
    if not any(one.word for one in items[start:place]):
        first = next((at for at, one in enumerate(items) if wall(one)), place)
        if first < place:
            told += [one.word for one in items[:first] if one.word]
    return told
