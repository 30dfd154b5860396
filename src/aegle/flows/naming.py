"""What chunks name: kept when they are indexed, and put together as a graph when one is walked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from aegle.core import plugins
from aegle.core.errors import WorkspaceError
from aegle.core.ports import Closes, CorpusStore, Vectors
from aegle.core.records import Chunk
from aegle.core.sparse import Indices
from aegle.corpus.meaning import MACHINE_KINDS
from aegle.retrieve import marks
from aegle.retrieve.passages import Flags, PassageGraph

if TYPE_CHECKING:
    from aegle.flows.workspace import Layout
    from aegle.retrieve.namebook import Cosines, NameBook

PATIENT: Final = "patient:"
"""How the groups of charts begin."""


class _Opens(Protocol):
    """What a kit gives to what it opens."""

    layout: Layout

    def closes(self, opened: Closes) -> None: ...


class _Keeps(Protocol):
    """What a kit has that keeps what chunks name."""

    @property
    def names(self) -> NameBook: ...

    @property
    def corpus(self) -> CorpusStore: ...


def opened(kit: _Opens) -> NameBook:
    """The workspace's name book."""
    book: NameBook = plugins.load("aegle.retrieve.namebook:NameBook")(kit.layout.names)
    kit.closes(book)
    return book


def note(kit: _Keeps, chunks: Sequence[Chunk], vectors: Vectors) -> None:
    """Keep what chunks name, with their vectors; give all chunks of a document together.

    Lines of logs name nothing here: what codes they hold is found as facts and by words.
    """
    named = [
        marks.NOTHING if one.kind in MACHINE_KINDS else marks.read(one.title, one.text)
        for one in chunks
    ]
    kit.names.put(chunks, named, vectors)


def is_whole(kit: _Keeps) -> bool:
    """Whether the name book knows every chunk as it would be read now."""
    try:
        return kit.names.is_current() and kit.names.count() == kit.corpus.counts()["chunks"]
    except WorkspaceError:
        return False  # it is damaged, and will be built anew


class Passages:
    """The graph of passages as the name book has it now; what a walk needs is read when it walks.

    It is dropped when the graph changes (`Kit.graph_changed`).
    """

    def __init__(self, book: NameBook) -> None:
        self._book = book
        self._of_domains: dict[tuple[str, ...], Flags] = {}
        self.graph = PassageGraph(book.rows())

    @cached_property
    def cosines(self) -> Cosines:
        """Vectors of the passages."""
        return self._book.cosines()

    @cached_property
    def charts(self) -> Flags:
        """Which passages are of a patient's chart."""
        return self._book.where(prefix=PATIENT)

    def of_domains(self, domains: Sequence[str]) -> Flags:
        """Which passages are of some domains."""
        key = tuple(domains)
        if key not in self._of_domains:
            self._of_domains[key] = self._book.where(domains=key)
        return self._of_domains[key]

    def of_groups(self, groups: Sequence[str]) -> Indices:
        """The places of the passages of some groups."""
        return self.graph.places(self._book.of_groups(groups))


def passages(kit: _Keeps) -> Passages:
    """The graph of passages as it stands now."""
    return Passages(kit.names)
