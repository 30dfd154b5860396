"""The swappable verbs: what a store, an index, a graph, an encoder, a tracker... must do.

Batch first, six methods each at most. Every backend of a port passes the same contract test
(`aegle.testing`). A backend raises `BackendError` for a failure of its own and never returns a
partial result in silence. All are closed by the ``close`` that `Closes` asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from aegle.core.records import Chunk, Document, Edge, Node, Stored
from aegle.core.text import SafeText

if TYPE_CHECKING:  # the command line names ports, but not all of its commands need numpy
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
Scores: TypeAlias = "NDArray[np.float32]"
Found = tuple[str, float]
"""A chunk id and its score; higher is better, scores of two methods are not comparable."""


@runtime_checkable
class Closes(Protocol):
    """Something that holds a file, a lock or a connection."""

    def close(self) -> None:
        """Let go; calling it twice is harmless."""


class CorpusStore(Closes, Protocol):
    """Documents, chunks and facts: the source of truth that every index is derived from."""

    def put(self, batch: Sequence[Stored]) -> None:
        """Store a batch in one transaction; what a document said before is replaced."""

    def get(self, document_ids: Sequence[str]) -> list[Document]:
        """The documents that exist, in the order asked for."""

    def chunks(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist, in the order asked for."""

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents with all that came of them, leaving no byte behind; how many existed."""

    def scan(
        self, document_ids: Sequence[str] | None = None, *, group: str | None = None
    ) -> Iterator[Stored]:
        """Documents with all that was made of them, in the order of their ids; all for None."""

    def counts(self) -> dict[str, int]:
        """How many documents, chunks, entities, relations and bytes of text; ``kind.note``, ..."""


class Index(Closes, Protocol):
    """Chunks to be found by meaning and by words. It keeps ids, never text."""

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors (len(chunks), width), replacing those of the same id."""

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents, leaving no vector behind."""

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine to a vector (width,), best first.

        ``where`` maps any of document_id, group, domain, kind to the values allowed.
        """

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25, best first."""

    def count(self) -> int:
        """How many chunks are indexed."""


@runtime_checkable
class HoldsVectors(Protocol):
    """An `Index` that can give back what it was given, so that nothing is embedded again."""

    def vectors(self) -> Iterator[tuple[list[str], Vectors]]:
        """All chunks' ids with their vectors, some at a time."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole graph in columns, row for row: edge ``i`` leads from one node's place to another's.

    Attributes:
        nodes: every node, by key.
        heads, tails: places in ``nodes``.
        kinds: type and assertion of edges, each pair once.
        kind: which of ``kinds`` an edge is.
        scores: of the edges. Edges stand in an order that the same edges always have.
    """

    nodes: Sequence[Node]
    heads: NDArray[np.int64]
    tails: NDArray[np.int64]
    kinds: Sequence[tuple[str, str]]
    kind: NDArray[np.int64]
    scores: NDArray[np.float64]


class GraphStore(Closes, Protocol):
    """Nodes and edges with evidence. A node exists as long as an edge or a mention rests on it."""

    def add(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        """Add in bulk; adding the same again changes nothing. Edges name nodes known or given."""

    def retract(self, document_ids: Sequence[str]) -> None:
        """Remove what some documents said, and every node that nothing else speaks of."""

    def nodes(self, keys: Sequence[str] | None = None) -> list[Node]:
        """The nodes that exist among ``keys``, in that order; all nodes for None."""

    def edges(self, keys: Sequence[str] | None = None, *, limit: int = 0) -> list[Edge]:
        """The edges that touch any of ``keys`` (all for None); at most ``limit`` unless it is 0."""

    def whole(self) -> Whole:
        """Every node and edge in columns, for walks: a tenth of the time that records take."""

    def match(self, text: str, *, limit: int) -> list[Node]:
        """Nodes (not chunks) whose name or key holds ``text`` in any case; shortest name first."""


class Encoder(Closes, Protocol):
    """Text to vectors."""

    name: str
    width: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (len(texts), width), in the order given, whatever the batching."""

    def count(self, text: str) -> int:
        """How many tokens a text has, without special tokens."""


class Reranker(Closes, Protocol):
    """Reads a question and passages together: slower than vectors, for the first hits only."""

    name: str

    def score(self, question: str, passages: Sequence[SafeText]) -> Scores:
        """How well each passage answers (len(passages),), higher is better, in the order given.

        Scores of two questions are not comparable. A pair's score does not depend on the others.
        """


class Generator(Closes, Protocol):
    """A language model that continues a conversation."""

    name: str

    def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> str:
        """The reply to ``[{"role": "system"|"user"|"assistant", "content": ...}]``."""

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """The same reply in pieces."""


class Tracker(Closes, Protocol):
    """Follows training runs, and knows the versions of the models that they made."""

    def start(
        self, experiment: str, *, params: Mapping[str, Any], tags: Mapping[str, str], run: str = ""
    ) -> str:
        """Begin a run of an experiment and return its id, or go on with the run of that id.

        Nested params get dotted names; those of a run that goes on stay as they are.
        """

    def log(self, figures: Mapping[str, float], *, step: int) -> None:
        """Keep figures of the run at a step."""

    def end(self, *, failed: bool = False) -> None:
        """End the run."""

    def register(self, model: str, source: str, *, tags: Mapping[str, str]) -> str:
        """What the run made, as the next version of a model; that version.

        ``source`` says where it lies, as a reference of `aegle models` does; nothing is copied.
        """

    def alias(self, model: str, alias: str, version: str) -> None:
        """Let a name such as ``champion`` stand for a version, and for no other from now on."""

    def source(self, model: str, alias: str) -> str:
        """Where the version with this alias lies; `NotFoundError` where there is none."""


class Progress(Protocol):
    """Told how far a step has come; a progress bar in the shell, an event over the socket."""

    def __call__(self, step: str, done: int, total: int | None = None) -> None:
        """``done`` of ``total`` units of ``step`` (bytes, documents...); None: not known."""


def quiet(step: str, done: int, total: int | None = None) -> None:
    """A `Progress` that shows nothing."""
