"""The shapes that vectors can have in FAISS: flat, IVF-PQ, HNSW (plain, SQ, PQ), binary; one file.

A shape knows rows by their numbers and finds which are near. What it says of how near is exact for
``flat`` and ``hnsw``, which hold whole vectors; of the others whoever has the vectors compares the
first few again. What is dropped is gone from it and from its file: codes of a graph are
overwritten, because FAISS can't take nodes out of one.

Equal vectors share a node of a graph. Copied notes and log lines repeat by the hundred, and as many
equal nodes would have links to each other alone: whatever lies beside them was found no more.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import faiss
import numpy as np

from aegle.core.artifacts import atomic_path
from aegle.core.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aegle.core.ports import Vectors

    Numbers = NDArray[np.int64]

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "flat": (),
    "ivf-pq": ("lists", "probes", "code", "bits", "rescore"),
    "hnsw": ("m", "ef"),
    "hnsw-sq": ("m", "ef", "rescore"),
    "hnsw-pq": ("m", "ef", "code", "bits", "rescore"),
    "binary": ("rescore",),
}
"""Kind -> the options that it takes."""

WHOLE: Final = frozenset({"flat", "hnsw"})
"""Kinds that hold vectors as they are: they compare exactly without asking anybody."""

_WHEN_SEARCHING: Final = frozenset({"ef", "probes", "rescore"})
_POINTS: Final = 39
"""Vectors that FAISS wants for each centroid that it learns (its ``min_points_per_centroid``)."""

_LEARN_FROM: Final = 65_536
"""More vectors teach no codebook of 256 centroids anything; FAISS itself takes so many."""

_LEAST_GRAPH: Final = 1_000
_EF_BUILD: Final = 80
_DEFAULTS: Final = {"m": 16, "ef": 64, "probes": 16, "bits": 8}
_RESCORE: Final = {"hnsw-sq": 2, "ivf-pq": 8, "hnsw-pq": 8, "binary": 8}


def full_options(kind: str, options: Mapping[str, int], width: int) -> dict[str, int]:
    """The options of a kind with the defaults of those not given; ``lists`` 0: by the count.

    Raises:
        SettingsError: there is no such kind or option of it, or PQ codes that don't divide
            the width.
    """
    if kind not in KINDS:
        raise SettingsError(f"no index kind {kind!r}; there are: {', '.join(KINDS)}")
    takes = KINDS[kind]
    for name, value in options.items():
        if name not in takes:
            told = f"takes {', '.join(takes)}" if takes else "takes none"
            raise SettingsError(f"backends.index_options: {kind} {told}; got {name!r}")
        if value < 1:
            raise SettingsError(f"backends.index_options.{name} is at least 1, got {value}")
    code = next(size for size in range(max(1, width // 8), 0, -1) if width % size == 0)
    known = {**_DEFAULTS, "lists": 0, "code": code, "rescore": _RESCORE.get(kind, 1), **options}
    chosen = {name: known[name] for name in takes}
    if "code" in chosen and width % chosen["code"]:
        raise SettingsError(
            f"backends.index_options.code must divide the vectors' width {width}, "
            f"got {chosen['code']}"
        )
    if not 4 <= chosen.get("bits", 8) <= 8:
        raise SettingsError(f"backends.index_options.bits is 4 to 8, got {chosen['bits']}")
    return chosen


def needs(kind: str, options: Mapping[str, int]) -> int:
    """How many vectors a kind needs before it is worth having, or can learn its codes."""
    if kind in ("ivf-pq", "hnsw-pq"):
        return _POINTS * (1 << options.get("bits", 8))
    return 0 if kind == "flat" else _LEAST_GRAPH


def _made(kind: str, options: Mapping[str, int], width: int, count: int) -> Any:
    """An empty index. Unit vectors: the least L2 distance is the greatest inner product."""
    cosine = faiss.METRIC_INNER_PRODUCT
    if kind == "flat":
        return faiss.IndexFlatIP(width)
    if kind == "binary":
        return faiss.IndexLSH(width, width, False, True)
    if kind == "ivf-pq":
        lists = options["lists"] or int(4 * np.sqrt(count))
        lists = max(1, min(lists, count // _POINTS))
        coarse = faiss.IndexFlatL2(width)
        made = faiss.IndexIVFPQ(coarse, width, lists, options["code"], options["bits"])
        made.own_fields = True
        coarse.this.disown()
        made.cp.min_points_per_centroid = 1
        made.pq.cp.min_points_per_centroid = 1  # `needs` asks for enough
        return made
    if kind == "hnsw":
        made = faiss.IndexHNSWFlat(width, options["m"], cosine)
    elif kind == "hnsw-sq":
        eight = faiss.ScalarQuantizer.QT_8bit
        made = faiss.IndexHNSWSQ(width, eight, options["m"], cosine)
    else:
        made = faiss.IndexHNSWPQ(width, options["code"], options["m"], options["bits"])
        faiss.downcast_index(made.storage).pq.cp.min_points_per_centroid = 1
    made.hnsw.efConstruction = _EF_BUILD
    return made


class Shape:
    """Rows by number in an index of one kind.

    Args:
        kind: one of `KINDS`.
        options: as `full_options` gives them.
        width: of the vectors.
        count: how many are expected, for the number of IVF's lists.
    """

    def __init__(self, kind: str, options: Mapping[str, int], width: int, count: int = 0) -> None:
        self.kind = kind
        self.options = dict(options)
        self.index = _made(kind, options, width, count)
        self.learnt = count
        self.numbers: Numbers = np.empty(0, np.int64)
        self.nodes: Numbers = np.empty(0, np.int64)  # where each row's vector is in the index
        self.total = 0  # nodes that there ever were
        self._node_of: dict[int, int] = {}  # a vector's digest -> its node, in a graph
        self._order: tuple[Numbers, Numbers] | None = None

    @classmethod
    def built(
        cls,
        kind: str,
        options: Mapping[str, int],
        sample: Vectors,
        batches: Iterator[tuple[Numbers, Vectors]],
        count: int,
    ) -> Shape:
        """A shape that learnt from a sample, with all rows in it."""
        made = cls(kind, options, sample.shape[1], count)
        if not made.index.is_trained:
            made.index.train(sample)
        for numbers, vectors in batches:
            made.add(numbers, vectors)
        return made

    @property
    def dead(self) -> int:
        """Nodes of a graph that no row has any more."""
        return self.total - len(self._node_of) if self._is_graph else 0

    @property
    def _is_graph(self) -> bool:
        return self.kind.startswith("hnsw")

    @property
    def size_bytes(self) -> int:
        """Bytes of vectors or codes, of lists, graph and codebooks; as in its file."""
        return len(faiss.serialize_index(self.index)) + 2 * self.numbers.nbytes

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Take rows, none of which is here."""
        nodes: Numbers = np.arange(self.total, self.total + len(numbers), dtype=np.int64)
        if self._is_graph:
            nodes, vectors = self._shared(vectors)
        elif self.kind == "ivf-pq":
            self.index.add_with_ids(vectors, nodes)
        if self.kind != "ivf-pq" and len(vectors):
            self.index.add(vectors)
        self.total += len(vectors)
        self.numbers = np.concatenate([self.numbers, numbers])
        self.nodes = np.concatenate([self.nodes, nodes])
        self._order = None

    def _shared(self, vectors: Vectors) -> tuple[Numbers, Vectors]:
        """Each vector's node, and those vectors that have none yet, in the order of theirs."""
        nodes: Numbers = np.empty(len(vectors), np.int64)
        new: list[int] = []
        for row, vector in enumerate(vectors):
            key = int.from_bytes(hashlib.blake2b(vector.tobytes(), digest_size=8).digest(), "big")
            node = self._node_of.setdefault(key, self.total + len(new))
            if node == self.total + len(new):
                new.append(row)
            nodes[row] = node
        return nodes, vectors[new]

    def drop(self, numbers: Sequence[int] | Numbers) -> None:
        """Let go of rows and overwrite what was made of them."""
        going = np.isin(self.numbers, np.asarray(numbers, np.int64))
        if not going.any():
            return
        gone, left = self.nodes[going], self.nodes[~going]
        self.numbers, self._order = self.numbers[~going], None
        if self._is_graph:
            gone = np.setdiff1d(gone, left)
            storage = faiss.downcast_index(self.index.storage)
            codes = faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size())
            codes.reshape(self.total, -1)[gone] = 0
            lost = set(gone.tolist())
            self._node_of = {key: node for key, node in self._node_of.items() if node not in lost}
        else:
            self.index.remove_ids(gone)
        if self.kind in ("flat", "binary"):  # what came after them moved up
            left = np.arange(len(left), dtype=np.int64)
            self.total = len(left)
        self.nodes = left

    def _rows(
        self, nodes: Numbers, scores: NDArray[np.float32], want: int
    ) -> tuple[Numbers, NDArray[np.float32]]:
        """The rows of some nodes, in their order, ``want`` at most."""
        if self._order is None:
            order = np.argsort(self.nodes, kind="stable")
            self._order = order, self.nodes[order]
        order, ascending = self._order
        first, last = (np.searchsorted(ascending, nodes, side) for side in ("left", "right"))
        # A dropped node still stands in the graph, and -1 where nothing was found: neither has rows
        rows = [order[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        every = np.concatenate([np.empty(0, np.int64), *rows])[:want]
        return self.numbers[every], np.repeat(scores, last - first)[:want]

    def near(self, query: Vectors, want: int) -> tuple[Numbers, NDArray[np.float32]]:
        """About the ``want`` nearest rows, best first, with the index's own scores."""
        most = min(want + min(self.dead, want), self.total)
        params: Any = None
        if self._is_graph:
            params = faiss.SearchParametersHNSW(efSearch=max(self.options["ef"], most))
        elif self.kind == "ivf-pq":
            params = faiss.SearchParametersIVF(nprobe=self.options["probes"])
        scores, nodes = self.index.search(query[None], most, params=params)
        return self._rows(nodes[0], scores[0], want)

    def among(
        self, query: Vectors, want: int, numbers: Numbers | None
    ) -> tuple[Numbers, NDArray[np.float32]]:
        """The ``want`` nearest of some rows (None: of all), exactly; for kinds in `WHOLE`."""
        known, params = self.index if self.kind == "flat" else self.index.storage, None
        allowed = np.isin(self.numbers, numbers) if numbers is not None else None
        if allowed is not None or self.dead:
            nodes = self.nodes if allowed is None else self.nodes[allowed]
            selector = faiss.IDSelectorBatch(np.unique(nodes))
            params = faiss.SearchParameters(sel=selector)
        scores, found = known.search(query[None], min(want, self.total), params=params)
        rows, by = self._rows(found[0], scores[0], len(self.numbers))
        if numbers is not None and self._is_graph:  # of copies, some may be allowed and some not
            fit = np.isin(rows, numbers)
            rows, by = rows[fit], by[fit]
        return rows[:want], by[:want]

    def write(self, path: Path) -> None:
        """Replace its file, whole or not at all."""
        about = {"kind": self.kind, "options": _lasting(self.options), "learnt": self.learnt}
        about["total"] = self.total
        stated = np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)
        with atomic_path(path) as part, part.open("wb") as file:
            index = faiss.serialize_index(self.index)
            keys = np.array([*self._node_of.keys()], np.uint64)
            kept = np.array([*self._node_of.values()], np.int64)
            rows = {"numbers": self.numbers, "nodes": self.nodes}
            np.savez(file, about=stated, index=index, keys=keys, kept=kept, **rows)  # type: ignore[arg-type]  # numpy's stub takes them for allow_pickle

    @classmethod
    def read(cls, path: Path, kind: str, options: Mapping[str, int]) -> Shape | None:
        """What `write` wrote; None where there is none of this kind and build, or it is damaged.

        The archive has a checksum of each part, which is compared.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as parts:
                about = json.loads(parts["about"].tobytes())
                if about["kind"] != kind or about["options"] != _lasting(options):
                    return None
                made = cls.__new__(cls)
                made.kind, made.options = kind, dict(options)
                made.index = faiss.deserialize_index(parts["index"])
                made.learnt, made.total = int(about["learnt"]), int(about["total"])
                made.numbers, made.nodes = parts["numbers"], parts["nodes"]
                pairs = zip(parts["keys"].tolist(), parts["kept"].tolist(), strict=True)
                made._node_of, made._order = dict(pairs), None
                return made
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
            return None  # it is derived: whoever asked makes it anew


def _lasting(options: Mapping[str, int]) -> dict[str, int]:
    """Options that decide what is built, not how it is searched."""
    return {name: value for name, value in options.items() if name not in _WHEN_SEARCHING}


def learners(numbers: Numbers) -> Numbers:
    """Rows to learn codes from, evenly spaced: corpora come in the order of their sources."""
    if len(numbers) <= _LEARN_FROM:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, _LEARN_FROM).astype(np.int64)]
