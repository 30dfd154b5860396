"""A question as it is searched: de-identified, taken apart, with what of it the graph knows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from aegle.answer.question import Asked, Named, take_apart
from aegle.core.records import Document
from aegle.core.text import SafeText
from aegle.flows.derive import facts_of
from aegle.flows.kit import Kit
from aegle.retrieve.link import link


@dataclass(frozen=True, slots=True)
class Question:
    """A de-identified question, the patients that it names, and what it asks for.

    ``invented`` are the words that de-identification put in: they have no other names.
    """

    text: SafeText
    groups: tuple[str, ...]
    asked: Asked
    named: tuple[Named, ...]
    invented: frozenset[str] = frozenset()

    @property
    def query(self) -> str:
        """What to search for; where the chart is known, the patient's name is no evidence."""
        return self.asked.text if self.groups and self.asked.text.strip() else str(self.text)


def understand(
    kit: Kit, question: str, safe: SafeText, groups: Sequence[str], *, mode: str = "graph"
) -> Question:
    """Take a question apart with what the packs and the graph know of its names.

    Args:
        question: as it was asked; only what differs from ``safe`` is read from it.
        safe: de-identified.
        mode: how it will be searched; but for ``text``, its vector is begun meanwhile.
    """
    if mode != "text" and not groups:
        kit.ahead.begin(str(safe))
    invented = inserted(question, safe)
    # Without a patient they are words like others: a clinician's surrogate finds what was signed.
    hidden = invented if groups else frozenset()
    named = tuple(named_in(kit, safe))
    asked = take_apart(str(safe), hidden=hidden, named=named)
    made = Question(safe, tuple(groups), asked, named, invented)
    if mode != "text":
        kit.ahead.begin(made.query)
    return made


def named_in(kit: Kit, safe: SafeText) -> list[Named]:
    """What a de-identified text names: by patterns and terminologies, then by names of nodes."""
    document = Document("question", "note", "general", safe, safe.cut(0, 0))
    entities = facts_of(kit, document).entities
    found = {one.key: Named(str(one.text), one.type, one.key) for one in entities}
    for key in link(safe, match=kit.walker.names.find, extract=lambda asked: ()):
        node = kit.walker.node(key)
        if node and key not in found and node.type != "patient":
            found[key] = Named(str(node.name), node.type, key)
    return list(found.values())


def inserted(question: str, safe: str) -> frozenset[str]:
    """The words of the surrogates: what de-identification put into a question, in lower case."""
    before, after = question.split(), safe.split()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    words = {
        word.strip("?,.;:()'\"’").removesuffix("'s").removesuffix("’s").casefold()
        for tag, _, _, first, last in matcher.get_opcodes()
        if tag != "equal"
        for word in after[first:last]
    }
    return frozenset(words - {""})
