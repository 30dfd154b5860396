"""What chunks name: kept when they are indexed, and put together as a graph when one is walked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from aegle.core import observe
from aegle.core.errors import WorkspaceError
from aegle.core.ports import Closes, CorpusStore, Vectors
from aegle.core.records import Chunk
from aegle.core.sparse import Indices
from aegle.corpus.meaning import MACHINE_KINDS
from aegle.retrieve import derived, marks
from aegle.retrieve.namebook import Cosines, NameBook
from aegle.retrieve.names import Key
from aegle.retrieve.passages import Flags, PassageGraph

if TYPE_CHECKING:
    from aegle.flows.ledger import Ledger
    from aegle.flows.workspace import Layout

PATIENT: Final = "patient:"
"""How the groups of charts begin."""

_EVERYDAY: Final = "general"

_HINT: Final = "what documents name is not known of all; no walks until you run: aegle reindex"


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

    @property
    def ledger(self) -> Ledger: ...


class _Drops(Protocol):
    """What a kit has that can let go of what chunks name."""

    layout: Layout

    @property
    def names(self) -> NameBook: ...

    def drop(self, *ports: str) -> None: ...


def opened(kit: _Opens) -> NameBook:
    """The workspace's name book."""
    book = NameBook(kit.layout.names)
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
        return _knows_all(kit)
    except WorkspaceError:
        return False  # it is damaged, and will be built anew


def _knows_all(kit: _Keeps) -> bool:
    return kit.names.is_current() and kit.names.count() == kit.corpus.counts()["chunks"]


def remove(kit: _Drops, document_ids: Sequence[str]) -> None:
    """Remove what some documents name. A damaged name book goes as a whole.

    It is derived, and must not keep anybody from forgetting. What is left is not whole, so that
    nothing is walked until `aegle reindex`.
    """
    try:
        kit.names.remove(document_ids)
    except WorkspaceError as error:
        if not derived.is_damage(error):
            raise
        kit.drop("names")
        unlink(kit.layout)
        observe.event("names.dropped", level="warning", what=observe.Label(_HINT))


def unlink(layout: Layout) -> None:
    """Remove the files of the name book, and no other."""
    derived.unlink(layout.names)


class Passages:
    """The graph of passages as the name book has it now; what a walk needs is read when it walks.

    It is dropped when the graph changes (`Kit.graph_changed`).

    Attributes:
        graph: none of its statistics count charts.
        charts: which passages are of a patient's chart.
    """

    def __init__(self, book: NameBook) -> None:
        self._book = book
        rows = book.rows(apart=PATIENT)
        self.graph = PassageGraph(rows)
        self.charts: Flags = rows.apart
        self._domains = rows.domains

    @cached_property
    def cosines(self) -> Cosines:
        """Vectors of the passages."""
        return self._book.cosines(self.graph.ids)

    def of_domains(self, domains: Sequence[str]) -> Flags:
        """Which passages are of some domains."""
        return np.isin(self._domains, list(domains))

    def domain_of(self, key: Key, *, seen: Flags) -> str:
        """The domain of a name that passages of one domain alone have; "" for every other.

        What everyday texts have too crosses nothing, nor does what both domains speak of.
        """
        found = set(self._domains[self.graph.naming(key, seen=seen)].tolist())
        return found.pop() if len(found) == 1 and _EVERYDAY not in found else ""

    def of_groups(self, groups: Sequence[str]) -> Indices:
        """The places of the passages of some groups."""
        return self.graph.places(self._book.of_groups(groups))


def passages(kit: _Keeps) -> Passages | None:
    """The graph of passages as it stands now; None where the name book does not know them all.

    Walks over some of the passages would put these before all others.
    """
    if _knows_all(kit):
        return Passages(kit.names)
    if not kit.ledger.pending():
        observe.event("names.missing", level="warning", what=observe.Label(_HINT))
    return None
