"""Writes annotated notes, letters, mails, forms, logs and talk for the label set ``identifiers``.

Nobody's data: frames of our own (``frames.txt``) and the masked templates of a corpus are filled
with made-up values. The same seed makes the same texts.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label
from aegle.core.text import SafeText
from aegle.train.data.things import SLOTS, thing
from aegle.train.data.values import Values

LABELS: Final = (
    "person address place organization date age phone email url ip card ssn licence iban zip"
    " title group"
).split()
"""``licence`` is any number that was given to a person: of a licence, a passport, a record."""

TYPES: Final[Mapping[str, str]] = {
    "PERSON": "person", "STREET_ADDRESS": "address", "GPE": "place", "ORGANIZATION": "organization",
    "CREDIT_CARD": "card", "PHONE_NUMBER": "phone", "DATE_TIME": "date", "TITLE": "title",
    "AGE": "age", "NRP": "group", "DOMAIN_NAME": "url", "EMAIL_ADDRESS": "email", "ZIP_CODE": "zip",
    "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "US_SSN": "ssn", "US_DRIVER_LICENSE": "licence",
}  # fmt: skip
"""The types of presidio_synth by our labels."""

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_ALIKE: Final = 0.75
"""Templates that share so much of their letters with a held-out one are not learned from."""
_SLOT: Final = re.compile(r"\{(?P<slot>[a-z]+)(?:\.(?P<form>[a-z_]+))?(?:#(?P<number>\d))?\}")
_MASK: Final = re.compile(r"\{\{(?P<type>[A-Z_]+)\}\}")
_PARTS: Final = re.compile(r"_ADDRESS\}\}[\s>]+\{\{(?:STREET_ADDRESS|GPE)")
_CASES: Final = ("",) * 18 + ("upper", "lower")
_TALK: Final = "person place address contact number time firm".split()

Labelled = tuple[str, list[tuple[int, int, str]]]


def read(path: Path, *, because: str, count: int = 6000, seed: int = 17) -> Iterator[Example]:
    """Examples made from the templates of a corpus in the format of presidio_synth.

    Args:
        path: its JSON list; only the masked forms of its `dev_templates` are looked at.
        because: why the templates may be used.
    """
    for record in _records(path, count, seed):
        labels = tuple(sorted(Label(*label) for label in record["labels"]))
        text = SafeText(record["text"], by=because)
        yield Example(record["id"], record["group"], text, labels)


def write(path: Path, *, templates: Path | None, count: int, seed: int) -> None:
    """Write ``count`` records, one a line, as `jsonl` reads them.

    Args:
        templates: presidio_synth's JSON list, or None: then only our own frames are filled.

    Raises:
        InputError: the templates can't be read.
    """
    with path.open("w", encoding="utf-8") as file:
        for record in _records(templates, count, seed):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def dev_templates(rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """The templates that may be looked at: every second, and half of the others. 61 of 209 test."""
    templates = sorted({row["template_id"] for row in rows})
    hashed = {t for t in templates if hashlib.sha256(str(t).encode()).digest()[0] % 2 == 0}
    return hashed | set(templates[::2])


def _records(templates: Path | None, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Two fifths of the texts are of templates, where there are any."""
    masked = _masked(templates) if templates else []
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        of_template = bool(masked) and number % 5 < 2
        if of_template:
            name, frame = masked[rng.randrange(len(masked))]
            text, labels = _fill(rng, _slotted(frame))
        else:
            name, text, labels = f"made/{number}", *_composed(rng)
        case = rng.choice(_CASES)
        # Some letters have more signs in the other case; such a text stays as it is.
        if case and len(cased := getattr(text, case)()) == len(text):
            text = cased
        yield {
            "id": f"identifiers/{number}",
            "group": name,
            "text": text,
            "labels": [list(label) for label in labels],
        }


def _masked(path: Path) -> list[tuple[str, str]]:
    """Group and masked form of each dev template that no held-out one is like."""
    try:
        rows = json.loads(path.read_text("utf-8"))
        dev = dev_templates(rows)
        by_number = {row["template_id"]: str(row["masked"]) for row in rows}
        held_out = [_bare(text) for number, text in by_number.items() if number not in dev]
        dev = {one for one in dev if not _alike(_bare(by_number[one]), held_out)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.name} is no list of template_id and masked texts") from error
    return [(f"template/{one}", by_number[one]) for one in sorted(dev)]


def _bare(masked: str) -> str:
    """A template's words alone: what two of them share but for signs and what fills them."""
    return " ".join(_LETTERS.findall(_MASK.sub(" ", masked).casefold()))


def _alike(bare: str, others: Sequence[str]) -> bool:
    """Whether a template says nearly what one of the others says."""
    return any(
        bare == other or SequenceMatcher(None, bare, other, autojunk=False).ratio() >= _ALIKE
        for other in others
    )


def _slotted(masked: str) -> str:
    """A masked template with our slots. Address slots beside each other are parts of one."""
    form = ".part" if _PARTS.search(masked) else ""

    def slot_of(match: re.Match[str]) -> str:
        label = TYPES.get(match["type"])
        return f"{{{label}{form if label == 'address' else ''}}}" if label else match[0]

    return _MASK.sub(slot_of, masked)


def _composed(rng: random.Random) -> Labelled:
    """A chart, a note with a head and an end, a log of some lines, or sentences of talk."""
    frames, kind = _frames(), rng.random()
    if kind < 0.4:
        return _chart(rng)
    kind = rng.random()
    if kind < 0.3:
        parts = rng.sample(frames["header"], rng.randint(1, 2))
        for _ in range(rng.randint(1, 3)):
            pool = rng.choice(("sentence", "sentence", "sentence", "plain"))
            parts.append(" ".join(rng.sample(frames[pool], rng.randint(1, 3))))
        if rng.random() < 0.5:
            parts.append(rng.choice(frames["sign"]))
        return _fill(rng, rng.choice(("\n", "\n\n")).join(parts))
    if kind < 0.38:
        return _fill(rng, "\n".join(rng.sample(frames["log"], rng.randint(1, 4))))
    if kind < 0.5:
        return _fill(rng, " ".join(rng.sample(frames["sentence"], rng.randint(1, 3))))
    parts = [rng.choice(frames[rng.choice(_TALK)]) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if rng.random() < 0.25:
        parts.insert(rng.randint(0, len(parts)), rng.choice(frames["plain"]))
    return _fill(rng, rng.choice((" ", " ", "\n")).join(parts))


def _chart(rng: random.Random) -> Labelled:
    """Lines of a chart, or of a security team, among which identifiers are few or none."""
    frames = _frames()
    pool = frames["chart" if rng.random() < 0.75 else "ops"]
    parts = [rng.choice(pool) for _ in range(rng.randint(1, 9))]
    if rng.random() < 0.3:
        parts.insert(rng.randint(0, len(parts)), rng.choice(frames["sentence"]))
    body = rng.choice(("\n", "\n", "\n\n", " ")).join(parts)
    top = f"{rng.choice(frames['top'])}\n\n" if rng.random() < 0.5 else ""
    foot = f"\n\n{rng.choice(frames['foot'])}" if rng.random() < 0.3 else ""
    return _fill(rng, f"{top}{body}{foot}")


def _fill(rng: random.Random, frame: str) -> Labelled:
    """The frame with a value for each slot, and where they are."""
    values = Values(rng)
    text, labels, at = "", [], 0
    for match in _SLOT.finditer(frame):
        text += frame[at : match.start()]
        slot, form = match["slot"], match["form"] or ""
        if slot in SLOTS:
            value = thing(rng, slot, form)
        else:
            value = values.draw(slot, form, match["number"] or "")
            labels.append((len(text), len(text) + len(value), slot))
        text, at = text + value, match.end()
    return text + frame[at:], labels


@cache
def _frames() -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for line in (files("aegle.train.data") / "frames.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            told[line.strip("[]")] = pool = []
        elif line:
            pool.append(line.replace("\\n", "\n"))
    return told
