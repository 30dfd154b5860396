"""Questions with what proves and answers them: records, read from JSON lines or JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError, NotFoundError

_ROW_KEYS: Final = frozenset(
    "id question gold answers answerable kind group meta type evidence entities".split()
)
"""The last three are the sample hospital's."""

_GOLD_KEYS: Final = frozenset({"document", "text", "start", "end", "grade", "alternatives"})


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that is needed for an answer.

    Attributes:
        document: the document's id or the path that it was read from; empty: any document.
        text: a quote that must stand in what was found; empty: the whole document, or its span.
        start, end: characters of the stored document; both 0: no span.
        grade: how relevant it is, above 0, for nDCG.
        alternatives: passages that say the same.
    """

    document: str = ""
    text: str = field(default="", repr=False)
    start: int = 0
    end: int = 0
    grade: float = 1.0
    alternatives: tuple[Passage, ...] = ()

    def __post_init__(self) -> None:
        if not self.document and not self.text.strip():
            raise ValueError("a passage needs a document, a text, or both")
        if (self.start or self.end) and not (self.document and 0 <= self.start < self.end):
            raise ValueError("a span needs its document, and 0 <= start < end")
        if not self.grade > 0:
            raise ValueError(f"a grade is above 0, got {self.grade}")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the passages that prove its answer, and the answers that are accepted.

    Attributes:
        id: the only thing of it that reports show.
        passages: all of them are needed; empty: retrieval is not scored.
        answers: any of them is right; empty: the words of the answer are not scored.
        answerable: False where a refusal is right.
        kind: reports tell kinds apart.
        group: questions of one group (a patient, a template) are resampled together; empty: alone.
    """

    id: str
    text: str = field(repr=False)
    passages: tuple[Passage, ...] = ()
    answers: tuple[str, ...] = field(default=(), repr=False)
    answerable: bool = True
    kind: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.id or not self.text.strip():
            raise ValueError("a question needs an id and a text")
        if self.answerable != bool(self.passages or self.answers):
            raise ValueError(
                "a question that is answerable needs gold passages or answers, another has neither"
            )
        if not all(one.strip() for one in self.answers):
            raise ValueError("an accepted answer is empty")


def read_questions(path: Path) -> list[Question]:
    """The questions of a file: JSON lines, or a JSON list such as the sample hospital's.

    Raises:
        NotFoundError: there is no such file.
        InputError: it holds no questions, or one that makes no sense; told by its number.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is no file of questions (.jsonl or .json)")
    found: dict[str, Question] = {}
    for number, row in enumerate(_rows(path), start=1):
        where = f"{path.name}, question {number}"
        try:
            one = _question(row, f"q{number}")
        except (ValueError, TypeError) as error:
            raise InputError(f"{where}: {error}") from None
        if one.id in found:
            raise InputError(f"{where}: its id is an earlier question's, too; make each id unique")
        found[one.id] = one
    if not found:
        raise InputError(f"{path.name} holds no question; each line is one JSON object")
    return list(found.values())


def _rows(path: Path) -> Iterator[Any]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is not UTF-8; save it as UTF-8") from None
    if text.lstrip().startswith("["):
        try:
            yield from json.loads(text)
        except ValueError as error:
            raise InputError(f"{path.name} is no JSON: {_place(error)}") from None
        return
    # Not splitlines: a JSON string may hold U+2028, which ends no line of a file.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(
                    f"{path.name}, line {number} is no JSON: {_place(error)}"
                ) from None


def _place(error: ValueError) -> str:
    """What JSON's parser says; it names places, never quotes."""
    return str(error) if isinstance(error, json.JSONDecodeError) else "it can't be read"


def _question(row: Any, default_id: str) -> Question:
    if not isinstance(row, dict):
        raise TypeError("a question is a JSON object")
    _known(row, _ROW_KEYS)
    passages = tuple(_passage(one) for one in _list(row, "gold"))
    passages += tuple(_proof(one) for one in _list(row, "evidence"))
    answers = tuple(_text(one, "an answer") for one in _list(row, "answers"))
    answerable = row.get("answerable", bool(passages or answers))
    if not isinstance(answerable, bool):
        raise TypeError("answerable is true or false")
    kind = row.get("kind") or row.get("type") or ""
    return Question(
        _text(row.get("id", default_id), "id"),
        _text(row.get("question", ""), "question"),
        passages,
        answers,
        answerable,
        _text(kind, "kind"),
        _text(row.get("group") or "", "group"),
    )


def _passage(row: Any, depth: int = 0) -> Passage:
    if not isinstance(row, dict):
        raise TypeError("a gold passage is a JSON object with a document, a text, or both")
    _known(row, _GOLD_KEYS)
    others = _list(row, "alternatives")
    if others and depth:
        raise ValueError("an alternative has no alternatives of its own")
    return Passage(
        _text(row.get("document", ""), "document"),
        _text(row.get("text", ""), "text"),
        _number(row.get("start", 0), "start"),
        _number(row.get("end", 0), "end"),
        _grade(row.get("grade", 1)),
        tuple(_passage(one, depth + 1) for one in others),
    )


def _proof(row: Any) -> Passage:
    """A passage of the sample hospital: it counts wherever it stands, its alternatives in their own
    files only, since they may be as short as an asset tag."""
    if not isinstance(row, dict):
        raise TypeError("an evidence is a JSON object with a text")
    others = tuple(
        Passage(_text(one.get("path", ""), "path"), _text(one.get("text", ""), "text"))
        for one in _list(row, "alternatives")
    )
    return Passage(text=_text(row.get("text", ""), "text"), alternatives=others)


def _known(row: Mapping[str, Any], keys: frozenset[str]) -> None:
    for key in row:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(keys))}"
            )
            raise ValueError(f"no key {key[:40]!r}; {hint}")


def _list(row: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = row.get(key) or []
    if not isinstance(found, list):
        raise TypeError(f"{key} is a list")
    return found


def _text(value: Any, name: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # ids and answers are often numbers
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text")
    return value


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is a whole number")
    return value


def _grade(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("grade is a number")
    return float(value)
