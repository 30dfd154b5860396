"""Yes or no, where a cited sentence tells: in front of the sentence, never instead of it."""

from __future__ import annotations

from typing import Final

from aegle.answer.candidates import Candidate
from aegle.answer.evidence import holds, state_of, states
from aegle.answer.question import Asked
from aegle.answer.verify import denies

YES: Final = "Yes"
NO: Final = "No"
NOT_NAMED: Final = "Not named here"


def verdict(asked: Asked, one: Candidate) -> str:
    """What a sentence says to a yes-or-no question; empty where that is for the reader to see.

    It is yes where the sentence states all that the question says, no where it denies that or says
    that it is over. A list that names something else is neither.
    """
    if not asked.form.polar or denies(asked.form.text):
        return ""
    named = [need for need in (*asked.focus, *asked.links) if need.keys]
    ids = [name in f"{one.text} {one.chunk.title}".casefold() for name in asked.anchors]
    if not all(ids):
        return ""
    if not all(holds(need, one) for need in named):
        return NOT_NAMED
    if state := state_of(one):
        return YES if (state == "over") == asked.ended else NO
    marks = [mark for mark in one.marks if any(mark.key in need.keys for need in named)]
    if marks and not any(mark.type for mark in marks):
        return NO
    if denies(str(one.text)) or not (named or ids):
        return ""
    own = asked.subjects
    needs = [n for n in (*asked.focus, *asked.links) if n.types != {"patient"}]
    every = all(holds(need, one, own) for need in needs)
    return YES if every and all(states(need, one) for need in named) else ""
