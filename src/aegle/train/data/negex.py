"""The NegEx kit's sentences: a condition in each, whether it is denied, and when it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label
from aegle.core.text import SafeText

_COLUMNS: Final = 6


def read(path: Path, *, because: str) -> Iterator[Example]:
    """One example a sentence and condition, its label: negated, historical, family or present.

    The file writes the condition in capitals where it stands. A row whose condition is not found in
    its sentence is left out. A sentence is its own group.

    Raises:
        InputError: no table of six columns.
    """
    lines = path.read_text("utf-8", errors="replace").splitlines()
    if not lines or len(lines[0].split("\t")) < _COLUMNS:
        raise InputError(f"{path.name}: a NegEx table has six columns with tabs between")
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) < _COLUMNS:
            continue
        condition, sentence = cells[1].strip(), cells[2].strip().strip('"')
        span = locate(condition, sentence)
        if span is not None:
            label = Label(*span, assertion(*(cell.strip().lower() for cell in cells[3:6])))
            text = SafeText(sentence, by=because)
            yield Example(str(number), sentence, text, (label,))


def locate(condition: str, sentence: str) -> tuple[int, int] | None:
    """Where a condition stands: in capitals, or else in any writing."""
    for spelling, text in ((condition.upper(), sentence), (condition.lower(), sentence.lower())):
        at = text.find(spelling)
        if at >= 0 and condition:
            return at, at + len(spelling)
    return None


def assertion(negation: str, temporality: str, experiencer: str) -> str:
    """The one that stands: what is denied, or somebody else's, is no problem however old."""
    if negation == "negated":
        return "negated"
    if experiencer not in ("patient", ""):
        return "family"
    if negation == "possible":
        return "possible"
    return "historical" if temporality == "historical" else "present"
