"""An instruction example: a conversation of safe texts, the passages it shows, what it cites."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegle.core.records import content_id
from aegle.core.text import SafeText

ROLES: Final = ("system", "user", "assistant")

_FORMS: Final = string.Formatter()


def fill(template: str, **parts: SafeText) -> SafeText:
    """A template of ours around safe texts; what it says beside them is said of nobody.

    Raises:
        TypeError: a part is no safe text.
    """
    for name, part in parts.items():
        if not isinstance(part, SafeText):
            raise TypeError(f"a template takes SafeText for {name}; pass it through corpus.redact")
    return SafeText(_FORMS.vformat(template, (), parts), by="instructions/1")


def joined(texts: Sequence[SafeText], between: str = " ") -> SafeText:
    """Safe texts one behind the other.

    Raises:
        TypeError: one is no safe text.
    """
    if not all(isinstance(one, SafeText) for one in texts):
        raise TypeError("only safe texts are joined; pass them through corpus.redact first")
    return SafeText(between.join(texts), by="instructions/1")


def term(name: str) -> SafeText:
    """A name or code of a terminology, or a type of ours: it is nobody's."""
    return SafeText(name, by="terminology")


def flat(text: SafeText) -> SafeText:
    """A safe text with its white space made single."""
    if not isinstance(text, SafeText):
        raise TypeError("only safe text is flattened; pass it through corpus.redact first")
    return SafeText(" ".join(text.split()), by="instructions/1")


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters [start, end) of a document of the workspace, as an example shows them."""

    text: SafeText
    document: str
    start: int
    end: int
    group: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, SafeText):
            raise TypeError("a passage takes SafeText; pass it through corpus.redact first")
        if not 0 <= self.start < self.end:
            raise ValueError(f"a passage needs 0 <= start < end, got [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One example to learn from.

    Attributes:
        task: a name of `tasks.TASKS`.
        kind: what of the task, ``allergic_to``...; kinds are taken in turn, so that none prevails.
        messages: system, user and assistant, in this order.
        question: the part of the user's message that may be said in other words.
        passages: what the user's message shows, numbered from 1 as they stand here.
        cited: numbers that the answer cites.
        names: what a rewording of the question must keep to the letter.
        answerable: whether the right answer is no refusal; that nothing is known is an answer.
    """

    task: str
    kind: str
    messages: tuple[tuple[str, SafeText], ...]
    question: SafeText
    passages: tuple[Passage, ...]
    cited: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    answerable: bool = True

    def __post_init__(self) -> None:
        if tuple(role for role, _ in self.messages) != ROLES:
            raise ValueError("an example is a conversation of system, user and assistant")
        if not all(isinstance(text, SafeText) for _, text in self.messages):
            raise TypeError("an example's messages take SafeText; see fill and served")
        if not self.passages:
            raise ValueError("an example shows at least one passage")
        if any(not 1 <= number <= len(self.passages) for number in self.cited):
            raise ValueError(f"{len(self.passages)} passages, but {self.cited} are cited")

    @property
    def prompt(self) -> SafeText:
        """What the user says."""
        return self.messages[1][1]

    @property
    def answer(self) -> SafeText:
        """What is to be said."""
        return self.messages[2][1]

    @property
    def group(self) -> str:
        """Whom the example is about: the group of the first passage that it cites, else shows."""
        return self.passages[self.cited[0] - 1 if self.cited else 0].group

    @property
    def groups(self) -> frozenset[str]:
        """The patients, hosts, incidents or documents of all that it shows."""
        return frozenset(one.group for one in self.passages)

    @property
    def id(self) -> str:
        """Of the content: the same example has the same id."""
        return content_id(self.task, *(text for _, text in self.messages))

    def as_json(self) -> dict[str, Any]:
        """A line of the file."""
        return {
            "id": self.id,
            "task": self.task,
            "kind": self.kind,
            "group": self.group,
            "groups": sorted(self.groups),
            "answerable": self.answerable,
            "messages": [{"role": role, "content": str(text)} for role, text in self.messages],
            "citations": list(self.cited),
            "sources": [
                {"number": n, "document": one.document, "start": one.start, "end": one.end}
                for n, one in enumerate(self.passages, 1)
            ],
        }


def conversation(
    asked: Sequence[Mapping[str, str]], answer: SafeText, *parts: SafeText
) -> tuple[tuple[str, SafeText], ...]:
    """What a formatter of serving made of safe texts, with its answer.

    Args:
        asked: a system and a user message.
        answer: what is to be said.
        parts: all that the formatter was given.

    Raises:
        TypeError: a part, or the answer, is no safe text: then neither is the whole.
    """
    if not all(isinstance(one, SafeText) for one in (answer, *parts)):
        raise TypeError("a conversation is made of SafeText; pass it through corpus.redact first")
    told = [(one["role"], SafeText(one["content"], by="instructions/1")) for one in asked]
    return (*told, ("assistant", answer))
