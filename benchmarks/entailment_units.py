"""Does a verifier see wrong units, amounts that changed places and opposites, and pass the same?

    python benchmarks/entailment_units.py --data DIR [--part dev] [--model none]

Claims are sentences of public documents that hold numbers with units, each against itself and what
stands about it; documents are of one part of the split that the verifier is trained by. Supported:
the sentence as it is, one amount converted exactly or with its unit spelled otherwise, ``metoprolol
50 mg`` as ``50 mg of metoprolol``. Unsupported: another unit behind the same number, two amounts of
one unit that change places, a word of change for its opposite. Decisions of the rules alone and of
the model with its guards; accuracy by kind, with intervals by bootstrap over documents. Nothing
here is read by what is measured: the tables are this script's own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.answer.support import WEIGHING, Verifier, Weighing
from aegle.answer.verify import supported
from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.flows.verifying import MOST_TOKENS, SHIPPED
from aegle.lm.catalog import resolve
from aegle.lm.pairs import CrossEncoder
from aegle.metrics.stats import mean
from aegle.train.data.claims import cut, part
from aegle.train.data.support import statements

_WRONG: Final = {
    "mg": "g mcg mL", "g": "mg kg", "mcg": "mg", "µg": "mg", "kg": "g lb", "ml": "L mg",
    "mL": "L mg", "L": "mL", "units": "mg", "IU": "mg", "hours": "days minutes", "hour": "day",
    "h": "days", "days": "hours weeks months", "day": "week hour", "weeks": "days months",
    "week": "month", "months": "weeks years", "month": "week", "years": "months",
    "year": "month", "minutes": "hours seconds", "minute": "hour", "min": "h",
    "seconds": "minutes", "cm": "mm", "mm": "cm", "mmHg": "cmH2O", "mg/dL": "mmol/L g/L",
    "mg/dl": "mmol/L g/L", "mmol/L": "mg/dL", "mmol/l": "mg/dL", "g/dL": "mg/dL mmol/L",
    "g/dl": "mg/dL mmol/L", "mg/kg": "g/kg mg mcg/kg", "KB": "MB", "MB": "KB GB", "GB": "MB",
    "mg/day": "g/day mg/hour", "mg/L": "g/L", "ng/mL": "mg/mL", "ng/ml": "mg/mL", "°C": "°F",
    "U/L": "mg/dL", "IU/L": "mg/L", "bpm": "mmHg", "percent": "mg", "cells": "mg",
}  # fmt: skip
_SPELLED: Final = {
    "mg": "milligrams", "g": "grams", "mcg": "µg", "µg": "mcg", "kg": "kilograms", "ml": "cc",
    "mL": "milliliters", "L": "liters", "units": "U", "hours": "h", "h": "hours", "hour": "hr",
    "weeks": "wk", "months": "mo", "years": "yr", "minutes": "min", "min": "minutes",
    "seconds": "sec", "cm": "centimeters", "mm": "millimeters", "mmHg": "mm Hg", "%": "percent",
    "percent": "%", "mg/dl": "mg/dL", "g/dl": "g/dL", "mg/day": "mg per day", "bpm":
    "beats per minute", "°C": "degrees Celsius", "mmol/L": "mmol/l",
}  # fmt: skip
_CONVERTED: Final = {
    "mg": (1000, "mcg"), "g": (1000, "mg"), "kg": (1000, "g"), "L": (1000, "mL"),
    "weeks": (7, "days"), "week": (7, "days"), "days": (24, "hours"), "day": (24, "hours"),
    "hours": (60, "minutes"), "hour": (60, "minutes"), "minutes": (60, "seconds"),
    "years": (12, "months"), "year": (12, "months"), "cm": (10, "mm"),
    "mcg": (Fraction(1, 1000), "mg"),
    "mL": (Fraction(1, 1000), "L"), "mg/dL": (Fraction(1, 100), "g/L"), "GB": (1000, "MB"),
}  # fmt: skip
_OPPOSITE: Final = {
    "increased": "decreased", "decreased": "increased", "reduced": "increased",
    "started": "stopped", "stopped": "started", "continued": "held", "held": "continued",
    "discontinued": "continued", "improved": "worsened", "worsened": "improved",
    "elevated": "reduced", "enabled": "disabled", "disabled": "enabled", "positive": "negative",
    "blocked": "allowed", "allowed": "blocked", "left": "right", "right": "left",
    "increases": "decreases", "reduces": "increases", "allows": "blocks",
}  # fmt: skip
_UNITS: Final = sorted({*_WRONG, *_SPELLED, *_CONVERTED}, key=len, reverse=True)
_AMOUNT: Final = re.compile(
    rf"(?<![\w.,/:–-])(\d+(?:\.\d+)?)([ -]?)({'|'.join(map(re.escape, _UNITS))})(?![\w/²-])"
)
_RANGE: Final = re.compile(r"^\s*(?:-|–|to|or|and|±|\(|,|/)*\s*$")
_HALF: Final = re.compile(
    r"(?:\d|one|two|three|four|five|six|seven|eight|nine|ten)\S*\s?(?:-|–|to|or|and|±|\+/-)\s?$"
)
_NAMED: Final = re.compile(r"\b([a-z]{5,}(?:in|ol|ine|one|ide|ate|am|il|ium|en|an|xel|ab|ir)) $")
_WINDOW: Final = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A claim, its evidence, what should be decided, why, and the document."""

    claim: str
    evidence: str
    supported: bool
    kind: str
    source: str
    group: str


def documents(data: Path, split: str) -> Iterator[tuple[str, str, list[str]]]:
    """Source, document and sentences of each document of a part of the split."""
    seen: set[str] = set()
    for one in statements(data):
        text = " ".join(one.evidence)
        if one.split == split and text not in seen:
            seen.add(text)
            yield one.source, one.document, list(one.evidence)
    for path in sorted((data / "maccrobat2020").rglob("*.txt")):
        name = f"maccrobat {path.stem}"
        if part(name) == split or (split == "test" and part(name) == "train"):
            # Nothing of the verifier was trained on case reports.
            yield "maccrobat2020", name, cut(path.read_text("utf-8"))


def window(told: Sequence[str], at: int) -> str:
    """A sentence with what stands about it, as much as fits."""
    start = end = at
    while True:
        for new in ((start, end + 1), (start - 1, end)):
            some = told[max(0, new[0]) : new[1] + 1]
            grown = new[0] >= 0 and new[1] < len(told)
            if grown and sum(len(one.split()) for one in some) <= _WINDOW:
                start, end = new
                break
        else:
            return " ".join(told[start : end + 1])


def written(value: Fraction) -> str:
    """A decimal number without trailing zeros."""
    text = f"{float(value):.6f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == value else ""


def cases(source: str, group: str, told: Sequence[str], at: int) -> Iterator[Case]:
    """All claims that a sentence gives."""
    text, evidence = told[at], window(told, at)
    rng = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
    found = list(_AMOUNT.finditer(text))

    def case(claim: str, kind: str, supported: bool) -> Case:
        return Case(claim, evidence, supported, kind, source, group)

    yield case(text, "same", True)
    # Half of a range is no amount by itself.
    single = [one for one in found if not _HALF.search(text[: one.start()])]
    if not single:
        return
    match = single[int(rng.integers(len(single)))]
    number, space, unit = match.groups()

    def put(new: str) -> str:
        return text[: match.start()] + new + text[match.end() :]

    if unit in _WRONG:
        new = str(rng.choice(_WRONG[unit].split()))
        if not re.search(rf"\b{re.escape(number)}[ -]?{re.escape(new)}\b", evidence):
            yield case(put(f"{number}{space}{new}"), "unit", False)
    if unit in _SPELLED:
        yield case(put(f"{number} {_SPELLED[unit]}"), "spelled", True)
    if unit in _CONVERTED and space != "-":
        factor, other = _CONVERTED[unit]
        value = written(Fraction(number) * factor)
        if value:
            yield case(put(f"{value} {other}"), "converted", True)
    yield from (case(claim, kind, ok) for claim, kind, ok in moved(text, found, rng))
    yield from (case(claim, "opposite", False) for claim in turned(text, evidence))


def moved(
    text: str, found: Sequence[re.Match[str]], rng: np.random.Generator
) -> Iterator[tuple[str, str, bool]]:
    """Two amounts of one unit exchanged; a drug put behind its dose."""
    pairs = [
        (one, other)
        for one, other in combinations(found, 2)
        if one[3] == other[3]
        and one[1] != other[1]
        and not _RANGE.match(text[one.end() : other.start()])
        and re.search(r"[A-Za-z]{4,}", text[one.end() : other.start()])
    ]
    if pairs:
        one, other = pairs[int(rng.integers(len(pairs)))]
        first, second = one.span(1), other.span(1)
        yield (
            text[: first[0]] + other[1] + text[first[1] : second[0]] + one[1] + text[second[1] :],
            "swap",
            False,
        )
    for match in found:
        name = _NAMED.search(text[: match.start()])
        if name:
            start = name.start(1)
            yield (
                f"{text[:start]}{match.group()} of {name[1]}{text[match.end() :]}",
                "reordered",
                True,
            )
            break


def turned(text: str, evidence: str) -> Iterator[str]:
    """A word of change for its opposite, which the evidence does not hold."""
    for match in re.finditer(r"\b[a-z]+\b", text):
        new = _OPPOSITE.get(match.group())
        once = text.count(match.group()) == 1 == evidence.count(match.group())
        if new and once and not re.search(rf"\b{new}\b", evidence):
            yield f"{text[: match.start()]}{new}{text[match.end() :]}"
            return


def made(data: Path, split: str, most: int, each: int, seed: int) -> list[Case]:
    """Claims of at most so many sentences of a document and documents of a source."""
    rng = np.random.default_rng(seed)
    by: dict[str, dict[str, list[list[Case]]]] = {}
    for source, group, told in documents(data, split):
        fit = [
            at
            for at, text in enumerate(told)
            if 6 <= len(text.split()) <= 45 and _AMOUNT.search(text)
        ]
        own = by.setdefault(source, {}).setdefault(group, [])
        own += [list(cases(source, group, told, at)) for at in fit]
    kept: list[Case] = []
    for groups in by.values():
        names = [name for name, own in groups.items() if own]
        for place in rng.permutation(len(names))[:most]:
            own = groups[names[place]]
            for at in rng.permutation(len(own))[:each]:
                kept += own[at]
    return list(dict.fromkeys(kept))


def accuracy(told: Sequence[Case], kept: Sequence[bool]) -> dict[str, Any]:
    """Share of right decisions, by kind and in all, with intervals over documents."""
    of = {"all": list(range(len(told)))}
    for at, one in enumerate(told):
        of.setdefault("supported" if one.supported else "unsupported", []).append(at)
        of.setdefault(one.kind, []).append(at)
    found = {}
    for name, rows in of.items():
        right = [float(kept[at] == told[at].supported) for at in rows]
        figure = mean(right, groups=[told[at].group for at in rows])
        found[name] = {
            "right": round(figure.value, 4),
            "low": round(figure.low, 4),
            "high": round(figure.high, 4),
            "claims": len(rows),
            "documents": figure.n,
        }
    return found


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=("dev", "test"), default="test")
    parser.add_argument("--model", default=SHIPPED, help="a verifier, or none: the rules alone")
    parser.add_argument("--documents", type=int, default=40, help="of a source, at most")
    parser.add_argument("--sentences", type=int, default=2, help="of a document, at most")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--wrong", type=Path, help="write what was decided wrongly there")
    args = parser.parse_args()
    told = made(args.data, args.part, args.documents, args.sentences, args.seed)
    encoder = OnnxEncoder("minilm", threads=args.threads)
    decided = {"rules": [supported(one.claim, [one.evidence], encoder.embed) for one in told]}
    if args.model != "none":
        folder = resolve(args.model)
        model = CrossEncoder(folder, threads=args.threads, max_tokens=MOST_TOKENS)
        verifier = Verifier(model.score, Weighing.read(folder / WEIGHING), name=args.model)
        decided["model"] = [
            verifier.supports(one.claim, [one.evidence], encoder.embed) for one in told
        ]
        model.close()
    result: dict[str, Any] = {
        "part": args.part,
        "claims": len(told),
        "documents": len({one.group for one in told}),
        "sources": {
            name: sum(one.source == name for one in told)
            for name in dict.fromkeys(one.source for one in told)
        },
    }
    result |= {name: accuracy(told, kept) for name, kept in decided.items()}
    if args.wrong:
        rows = [
            {"by": name, "kind": one.kind, "claim": one.claim, "evidence": one.evidence}
            for name, kept in decided.items()
            for one, stands in zip(told, kept, strict=True)
            if stands != one.supported
        ]
        args.wrong.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
