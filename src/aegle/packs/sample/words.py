"""Sentences from small grammars: choices in brackets, slots in braces, now and then a typo."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).parent / "data"
_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{(\w+)\}")
_WORD: Final = re.compile(r"(?<![{\w])[a-z]{6,}(?![}\w])")
TYPO_RATE: Final = 0.02


@cache
def data(name: str) -> Any:
    """The content of ``data/NAME.json``: phrases and tables, read once and never changed."""
    return json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8"))


@cache
def text(name: str) -> str:
    """The content of ``data/texts/NAME``: a document with slots in braces."""
    return (_DATA / "texts" / name).read_text(encoding="utf-8")


def choose(rng: random.Random, template: str) -> str:
    """A template with every ``[one|another]`` decided, innermost first."""
    while (match := _CHOICE.search(template)) is not None:
        pick = rng.choice(match.group(1).split("|"))
        template = template[: match.start()] + pick + template[match.end() :]
    return re.sub(r" {2,}", " ", template)


def mistype(rng: random.Random, text: str) -> str:
    """``text`` with two neighbouring letters of one longer word swapped."""
    found = list(_WORD.finditer(text))
    if not found:
        return text
    word = rng.choice(found)
    at = word.start() + rng.randrange(1, len(word.group()) - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def fill(template: str, slots: Mapping[str, str]) -> str:
    """A template with its slots filled. Raises `KeyError` for a slot without a value."""
    return _SLOT.sub(lambda match: slots[match.group(1)], template)


def say(
    rng: random.Random, templates: str | Sequence[str], slots: Mapping[str, str] | None = None
) -> str:
    """One sentence of a grammar; about one in fifty has a typo, never inside a slot."""
    template = templates if isinstance(templates, str) else rng.choice(templates)
    text = choose(rng, template)
    if rng.random() < TYPO_RATE:
        text = mistype(rng, text)
    return fill(text, slots or {})


def several(rng: random.Random, items: Sequence[str], low: int, high: int) -> list[str]:
    """Between ``low`` and ``high`` different items, in random order."""
    return rng.sample(list(items), min(len(items), rng.randint(low, high)))


def listed(items: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
