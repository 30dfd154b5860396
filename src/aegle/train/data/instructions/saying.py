"""How facts are put in words: names, lists, values; and which sentences say anything at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from aegle.core.text import SafeText
from aegle.train.data.instructions.shape import fill, joined, term
from aegle.train.data.instructions.view import Fact, Page

_VALUE: Final = re.compile(
    r"[ :]{1,2}(?P<number>[<>]?-?\d[\d.,/]*)(?P<unit> ?(?:%|[/A-Za-z\[\]*^0-9]+))?"
    r"(?=\s*[(,;\n]|\s*$)"
)
_OWN_VALUE: Final = re.compile(r"^\D+?[ :=]*(?P<value>[<>]?\d[\d.,/]*\s?(?:%|[A-Za-z/]+)?)$")
_TITLE: Final = re.compile(r"^(?:Dr|DR)\.? ")
_WHO: Final = re.compile(r"(?:Patient|MRN|DOB|Signed|Electronically signed)\b", re.IGNORECASE)
_LEAST_WORDS: Final = 3
_LONGEST: Final = 420
"""Characters of a passage beside the one that answers; see `view`."""


def named(values: Mapping[str, SafeText], question: SafeText) -> tuple[str, ...]:
    """What of some values a question names, as a rewording must keep it."""
    return tuple(
        dict.fromkeys(str(one) for one in values.values() if one.casefold() in question.casefold())
    )


def telling(text: str) -> bool:
    """Whether a sentence says something: no heading, no lone name, and not without end."""
    long = len(text.split()) >= _LEAST_WORDS and len(text) <= _LONGEST
    return long and not text.rstrip().endswith(":") and not _WHO.match(text)


def plain(text: SafeText) -> SafeText:
    """A name as it is written inside a sentence: without a title, or a stop at its end."""
    title = _TITLE.match(text)
    start = title.end() if title else 0
    end = len(text.rstrip(" ."))
    return text.cut(start, max(end, start + 1))


def listed(names: Sequence[SafeText]) -> SafeText:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return names[0]
    return fill("{some} and {last}", some=joined(names[:-1], ", "), last=names[-1])


def measured(page: Page, fact: Fact) -> tuple[SafeText, SafeText] | None:
    """The name of what was measured, and its value as it is written; None if not certain."""
    tail, text = fact.tail, page.document.text
    if len(tail.concepts) != 1 or not tail.concepts[0].name:
        return None
    name = term(tail.concepts[0].name)
    own = _OWN_VALUE.match(tail.text)
    if own:
        return name, tail.text.cut(*own.span("value"))
    behind = _VALUE.match(text, tail.end)
    if behind is None or behind["unit"] == " 1":
        return (name, text.cut(*behind.span("number"))) if behind else None
    return name, text.cut(behind.start("number"), behind.end())
