"""What must not be learned: the groups, documents and texts of files that something is measured by.

An example falls when it is about a group or shows a document that an evaluation file names, when
its question is (nearly) one of the file's, or when a passage shares a third of its runs of eight
words with a text of the file, whichever way round.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError, NotFoundError
from aegle.train.data.instructions.shape import Instruction
from aegle.train.data.instructions.unique import Unique, shingles
from aegle.train.data.split import OVERLAP, spoken

_RUN: Final = 8
_QUESTION: Final = 0.7
"""Similarity of two questions by runs of three words from which they ask the same."""
_LEAST_WORDS: Final = 4
_GROUPS: Final = ("group", "groups", "patient", "patient_id", "mrn", "host")
_DOCUMENTS: Final = ("document", "document_id", "path", "documents")
_NO_TEXT: Final = frozenset({"id", "type", "kind", "task", "role", *_GROUPS, *_DOCUMENTS})


@dataclass(slots=True)
class Held:
    """What evaluation files hold.

    Attributes:
        texts: every string of them, but ids and the like.
        groups, documents: named in fields of such names.
    """

    texts: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)


def read(paths: Iterable[Path]) -> Held:
    """What JSON or JSON lines hold, however they are nested; lines of other files are texts.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is no text, or nested too deeply.
    """
    held = Held()
    for path in paths:
        if not path.is_file():
            raise NotFoundError(f"{path}: there is no such file to keep away from")
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} is no text in UTF-8; name JSON, JSON lines or text"
            ) from error
        try:
            for value in _values(text):
                _walk(value, "", held)
        except RecursionError as error:
            raise InputError(f"{path.name} is nested too deeply; name a flatter file") from error
    return held


def _values(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
        return
    except ValueError:
        pass
    for line in text.split("\n"):  # JSON strings may hold other ends of lines as they are
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                yield line


def _walk(value: Any, key: str, held: Held) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            _walk(one, str(name).casefold(), held)
    elif isinstance(value, list):
        for one in value:
            _walk(one, key, held)
    elif isinstance(value, int) and not isinstance(value, bool):
        if key in (*_GROUPS, *_DOCUMENTS):  # an id by number
            _walk(str(value), key, held)
    elif isinstance(value, str) and value.strip():
        if key in _GROUPS:
            held.groups.add(value)
        elif key in _DOCUMENTS:
            held.documents.add(value)
        elif key not in _NO_TEXT:
            held.texts.add(value)


class Guard:
    """Knows an example that touches what is held out.

    Args:
        held: see `read`; documents are ids of the workspace here.
    """

    def __init__(self, held: Held) -> None:
        self.held = held
        self._questions = Unique(near=_QUESTION, width=3)
        self._holders: dict[str, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        for text in sorted(held.texts):
            words = spoken(text)
            if len(words) >= _LEAST_WORDS:
                self._questions.add(text)
            if len(words) >= _RUN:
                own = shingles(text, width=_RUN)
                for one in own:
                    self._holders[one].append(len(self._sizes))
                self._sizes.append(len(own))

    def why(self, one: Instruction) -> str:
        """``group``, ``document``, ``question`` or ``text``; empty for an example that may stay."""
        if one.groups & self.held.groups:
            return "group"
        if {passage.document for passage in one.passages} & self.held.documents:
            return "document"
        asked = len(spoken(one.question)) >= _LEAST_WORDS
        if asked and self._questions.like(one.question) is not None:
            return "question"
        return "text" if any(self._shared(passage.text) for passage in one.passages) else ""

    def _shared(self, text: str) -> bool:
        if len(spoken(text)) < _RUN:
            return False
        own = shingles(text, width=_RUN)
        counts: dict[int, int] = defaultdict(int)
        for one in own:
            for number in self._holders.get(one, ()):
                counts[number] += 1
        return any(
            count > OVERLAP * len(own) or count > OVERLAP * self._sizes[number]
            for number, count in counts.items()
        )
