"""Questions said in other words by a generator, each checked: nothing is asked that was not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aegle.train.data.instructions.asked import asks_the_same
from aegle.train.data.instructions.shape import Instruction, fill

Generate = Callable[[Sequence[Mapping[str, str]]], str]

ASK: Final = (
    "Say the question in other words. Keep every name, number and code exactly as it is. Answer "
    "with the new question only."
)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_CAPITAL: Final = re.compile(r"(?<!^)\b[A-Z][\w-]*")
_NEGATION: Final = re.compile(
    r"\b(?:no|not|never|without|none|neither|nor|cannot)\b|n't\b", re.IGNORECASE
)
_SHORTEST, _LONGEST = 0.4, 2.0
"""How much longer a rewording may be, in characters."""


def same(question: str, other: str, names: Sequence[str]) -> bool:
    """Whether another wording asks for the same thing, as far as its letters tell.

    All names and numbers are there to the letter, no other number and no capitalised word came in,
    what was not denied is not denied, it is one question of about that length, and its words ask
    for the same (`asks_the_same`).
    """
    fits = _SHORTEST * len(question) <= len(other) <= _LONGEST * len(question)
    if not (fits and other.endswith("?") and other.count("?") == 1 and "\n" not in other):
        return False
    kept = all(name in other for name in names)
    numbers = sorted(_NUMBER.findall(question)) == sorted(_NUMBER.findall(other))
    new = set(_CAPITAL.findall(other)) - set(re.findall(r"\b[A-Z][\w-]*", question))
    denied = bool(_NEGATION.search(question)) == bool(_NEGATION.search(other))
    return kept and numbers and not new and denied and asks_the_same(question, other, names)


def reworded(one: Instruction, generate: Generate) -> Instruction | None:
    """The example with its question in a generator's words; None where they don't pass `same`."""
    if not one.names:
        return None
    said = generate(
        [{"role": "system", "content": ASK}, {"role": "user", "content": str(one.question)}]
    )
    said = " ".join(said.split()).strip('"')
    if said == one.question or not same(one.question, said, one.names):
        return None
    # Made of a safe question alone, and with nothing in it that was not there before.
    question = fill(said.replace("{", "{{").replace("}", "}}"))
    before, asked, after = one.prompt.rpartition(one.question)
    if not asked:
        return None
    start = len(before)
    prompt = fill(
        "{before}{question}{after}",
        before=one.prompt.cut(0, start),
        question=question,
        after=one.prompt.cut(start + len(asked), start + len(asked) + len(after)),
    )
    system, _, answer = one.messages
    return replace(one, question=question, messages=(system, ("user", prompt), answer))
