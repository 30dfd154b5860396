"""What the generator is told: numbered evidence, the question, and how to cite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aegle.core.text import SafeText

REFUSAL: Final = "not stated."

SYSTEM: Final = (
    "You answer from the numbered evidence only. Write one to three short sentences. After each "
    "sentence put the number of its evidence in brackets, such as [1]. If the evidence does not "
    f"answer the question, write: {REFUSAL}"
)

_CITED: Final = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")
_MARKED: Final = re.compile(r".*?(?:\[[\d,\s]+\][.!?]?|[.!?])(?=\s|$)|.+$", re.DOTALL)


def messages(question: SafeText, evidence: Sequence[str]) -> list[dict[str, str]]:
    """The conversation that asks for a cited answer.

    Evidence is quoted, so that an instruction inside a document stays a quotation.
    """
    listed = "\n".join(f'[{n}] "{" ".join(text.split())}"' for n, text in enumerate(evidence, 1))
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Evidence:\n{listed}\n\nQuestion: {question}\nAnswer:"},
    ]


def cited_sentences(reply: str, num_evidence: int) -> list[tuple[str, tuple[int, ...]]]:
    """Split a reply into sentences with the evidence numbers (from 0) that each cites."""
    found = []
    for match in _MARKED.finditer(reply):
        piece = match.group().strip()
        marks = [int(n) - 1 for group in _CITED.findall(piece) for n in group.split(",")]
        text = " ".join(_CITED.sub("", piece).split()).strip()
        text = re.sub(r"\s+([.!?])", r"\1", text).removeprefix("Evidence: ").strip('" ')
        if text and whole(text):
            kept = tuple(n for n in dict.fromkeys(marks) if 0 <= n < num_evidence)
            found.append((text, kept))
    return found


def whole(text: str) -> bool:
    """Whether a sentence is no scrap of one: marks are closed, and it does not end in a title."""
    pairs = all(text.count(left) == text.count(right) for left, right in ("()", "[]"))
    return pairs and text.count('"') % 2 == 0 and not re.search(r"\b(?:Dr|Mr|Mrs|Ms)\.?$", text)
