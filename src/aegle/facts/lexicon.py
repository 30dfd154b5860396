"""A lexicon: the terms of a terminology found in text, longest first, with exact offsets."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import write_bytes
from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.facts.words import Phrases, Words, phrase_key, words

_FORMAT: Final = 3
_REMEMBERED: Final = 1 << 15
"""Spellings whose terms are kept at hand: texts repeat a few thousand names over and over."""
_Places = str
"""Where in a lexicon's rows some terms begin, parted by commas. Rows stay as they were stored till
they are asked for: a question needs a dozen of 50,000, and reading all took longer than answering.
"""


@dataclass(frozen=True, slots=True)
class Match:
    """Characters [start, end) of a text and the terms that they may stand for, in given order."""

    start: int
    end: int
    terms: tuple[Term, ...]


class Lexicon:
    """Terms by the words that they are made of.

    Looking words up beats an Aho-Corasick automaton here: tolerance to case, plural and hyphens
    needs a pass over the words anyway, and a table loads without being built
    (docs/decisions/0040-facts.md has the figures).
    """

    def __init__(self, rows: bytes, index: dict[str, _Places]) -> None:
        """A term a line, JSON (text, type, system, code, name, exact, score), and where by key."""
        self._rows = rows
        self._index = index
        self._phrases = Phrases(index)
        self._terms: dict[int, Term] = {}
        self._known: dict[str, tuple[Term, ...]] = {}
        self._codes: dict[str, tuple[Term, ...]] = {}

    def __len__(self) -> int:
        return self._rows.count(b"\n")

    @classmethod
    def build(cls, terms: Iterable[Term]) -> Lexicon:
        """A lexicon of terms; a term said twice counts once, terms without a word count nothing."""
        rows: dict[tuple[Any, ...], None] = {}
        for term in terms:
            concept = term.concept or Concept("", "")
            named = (concept.system, concept.code, concept.name)
            rows[(term.text, term.type, *named, term.exact, term.score)] = None
        index: dict[str, list[str]] = {}
        kept = bytearray()
        for row in rows:
            key = phrase_key(row[0])
            if key:
                index.setdefault(key, []).append(str(len(kept)))
                kept += _line(row)
        return cls(bytes(kept), {key: ",".join(places) for key, places in index.items()})

    def save(self, path: Path) -> None:
        """Write as gzipped lines of JSON, whole or not at all; equal lexicons, equal bytes."""
        content = _line({"format": _FORMAT, "index": self._index}) + self._rows
        write_bytes(path, gzip.compress(content, compresslevel=4, mtime=0))

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Read what `save` wrote.

        Raises:
            InputError: the file is damaged or of another version.
        """
        try:
            head, _, rows = gzip.decompress(path.read_bytes()).partition(b"\n")
            value = json.loads(head)
            if value["format"] == _FORMAT:
                return cls(rows, value["index"])
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is not a lexicon that can be read ({type(error).__name__}); delete it, "
                "it will be built again"
            ) from error
        raise InputError(f"{path} is a lexicon of another version; delete it, it will be rebuilt")

    @classmethod
    def cached(
        cls, folder: Path, name: str, version: str, make: Callable[[], Iterable[Term]]
    ) -> Lexicon:
        """The lexicon of a pack: read from ``folder``, or built from ``make()`` and kept there.

        A damaged file is rebuilt: it is derived from the terminology and holds nothing else. So is
        one that older code or older word lists made, whatever ``version`` says.
        """
        path = folder / f"{name}-{version}-{_made_by(make)}.jsonl.gz"
        if path.is_file():
            try:
                return cls.load(path)
            except InputError:
                path.unlink(missing_ok=True)
        lexicon = cls.build(make())
        lexicon.save(path)
        return lexicon

    def __iter__(self) -> Iterator[Term]:
        """Every term, in the order in which they were given."""
        start = 0
        while start < len(self._rows):
            yield self._term(start)
            start = self._rows.index(b"\n", start) + 1

    def find(self, text: str) -> list[Match]:
        """The longest terms in a text, left to right, none overlapping another."""
        return self.find_in(words(text))

    def find_in(self, split: Words) -> list[Match]:
        """The same for a text that is split into words already."""
        found: list[Match] = []
        free = 0
        for i in self._phrases.starts(split.keys):
            if i < free:
                continue
            for n, rows in self._phrases.at(split.keys, i):
                start, end = split.starts[i], split.ends[i + n - 1]
                terms = self._agreeing(split.text[start:end], rows)
                if terms:
                    found.append(Match(start, end, terms))
                    free = i + n
                    break
        return found

    def look_up(self, phrase: str) -> tuple[Term, ...]:
        """The terms that a whole phrase is the name of."""
        return self._agreeing(phrase, self._index.get(phrase_key(phrase), ""))

    def coded(self, code: str, system: str = "") -> list[Term]:
        """Every term whose concept has this code, in the order in which they were given.

        The rows are looked through as they are stored, 10 MB in some milliseconds, and what was
        found is kept at hand: a table of all codes would take longer to build than a question.
        """
        if code not in self._codes:
            if len(self._codes) >= _REMEMBERED:
                self._codes.clear()
            self._codes[code] = self._with_code(code)
        return [
            term
            for term in self._codes[code]
            if system in ("", term.concept.system if term.concept else None)
        ]

    def _with_code(self, code: str) -> tuple[Term, ...]:
        wanted = f",{json.dumps(code, ensure_ascii=False)},".encode()
        found: list[Term] = []
        at = self._rows.find(wanted)
        while at >= 0:
            term = self._term(self._rows.rfind(b"\n", 0, at) + 1)
            if term.concept and term.concept.code == code:
                found.append(term)
            at = self._rows.find(wanted, at + 1)
        return tuple(dict.fromkeys(found))

    def _agreeing(self, piece: str, places: _Places) -> tuple[Term, ...]:
        found = self._known.get(piece)
        if found is None:
            terms = (self._term(int(start)) for start in places.split(",") if start)
            spaced = " ".join(piece.split())
            found = tuple(term for term in terms if not term.exact or spaced == term.text)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[piece] = found
        return found

    def _term(self, start: int) -> Term:
        term = self._terms.get(start)
        if term is None:
            row = self._rows[start : self._rows.index(b"\n", start)]
            text, kind, system, code, name, exact, score = json.loads(row)
            concept = Concept(system, code, name) if system else None
            term = self._terms[start] = Term(text, kind, concept, exact, score)
        return term


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _made_by(make: Callable[[], Iterable[Term]]) -> str:
    """A digest of the code that makes terms, of the word lists beside it, and of what splits words.

    A changed list is easily forgotten in a version, and then every workspace keeps the old names.
    """
    code = Path(inspect.getfile(inspect.unwrap(make)))
    lists = sorted((code.parent / "data").glob("*.txt"))
    ours = (Path(__file__), Path(inspect.getfile(words)))
    digest = hashlib.sha256()
    for path in (code, *lists, *ours):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
