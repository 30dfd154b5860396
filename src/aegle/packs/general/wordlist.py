"""Word lists that packs ship: one name a line, with its synonyms and its code, as plain text.

A line is ``name | synonym; synonym | CODE``; the last two may be missing. A synonym that ends in
``!`` matches only in this case; one that ends in ``?`` does too, and counts only where something
of the same domain stands near it (``MS`` is multiple sclerosis beside other diseases, not alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from aegle.core.pack import Term
from aegle.core.records import Concept

SURE = 1.0
DOUBTFUL = 0.4
"""The score of a term that needs company; `facts.extract` asks company of terms under 0.5."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list: a name, the other names it goes by, and its code if it has one."""

    name: str
    synonyms: tuple[str, ...]
    code: str = ""


def lines(package: str, name: str) -> Iterator[str]:
    """The lines of ``data/<name>.txt`` inside a pack, without comments and blank lines."""
    text = files(package).joinpath("data", f"{name}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def entries(package: str, name: str) -> Iterator[Entry]:
    """What the lines of ``data/<name>.txt`` inside a pack say."""
    for line in lines(package, name):
        parts = [part.strip() for part in line.split("|")]
        synonyms = (
            tuple(part.strip() for part in parts[1].split(";") if part.strip())
            if (len(parts) > 1)
            else ()
        )
        yield Entry(parts[0], synonyms, parts[2] if len(parts) > 2 else "")


def entry_terms(entry: Entry, type: str, system: str) -> Iterator[Term]:
    """The terms of one entry.

    An entry without a code gets a local concept, whose system is the entity type: its key is
    ``type:name``, so that all synonyms of a name make one node.
    """
    if entry.code:
        concept = Concept(system, entry.code, entry.name)
    else:
        concept = Concept(type, entry.name.casefold(), entry.name)
    for spelling in (entry.name, *entry.synonyms):
        text = spelling.rstrip("!?")
        score = DOUBTFUL if spelling.endswith("?") else SURE
        yield Term(text, type, concept, exact=spelling != text, score=score)


def list_terms(package: str, name: str, type: str, system: str = "") -> Iterator[Term]:
    """The terms of a whole list."""
    for entry in entries(package, name):
        yield from entry_terms(entry, type, system)
