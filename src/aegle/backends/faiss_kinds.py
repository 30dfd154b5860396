"""The shapes that vectors can have in FAISS: flat, IVF-PQ, HNSW (plain, SQ, PQ), binary; one file.

A shape knows rows by their numbers and finds which are near. What it says of how near is exact for
``flat`` and ``hnsw``, which hold whole vectors; of the others whoever has the vectors compares the
first few again (`rescored`). What is dropped is gone from it and from its file: codes of a graph
are overwritten, because FAISS can't take nodes out of one.
"""

from __future__ import annotations

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


def least(kind: str, options: Mapping[str, int]) -> int:
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
        made.pq.cp.min_points_per_centroid = 1  # `least` asks for enough
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
        self.numbers: Numbers = np.empty(0, np.int64)  # by place; -1: dropped
        self.learnt = count
        self.dead = 0

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
    def alive(self) -> int:
        """How many rows it holds."""
        return len(self.numbers) - self.dead

    @property
    def size_bytes(self) -> int:
        """Bytes of vectors or codes, of lists, graph and codebooks; as in its file."""
        return len(faiss.serialize_index(self.index)) + self.numbers.nbytes

    def holds(self) -> Numbers:
        """The numbers of its rows."""
        return self.numbers[self.numbers >= 0]

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Take rows, none of which is here."""
        if self.kind == "ivf-pq":  # whose ids are places in `numbers`
            first = len(self.numbers)
            places = np.arange(first, first + len(numbers), dtype=np.int64)
            self.index.add_with_ids(vectors, places)
        else:
            self.index.add(vectors)
        self.numbers = np.concatenate([self.numbers, numbers])

    def drop(self, numbers: Sequence[int] | Numbers) -> None:
        """Let go of rows and overwrite what was made of them."""
        places = np.flatnonzero(np.isin(self.numbers, np.asarray(numbers, np.int64)))
        places = places[self.numbers[places] >= 0]
        if not len(places):
            return
        if self.kind.startswith("hnsw"):
            storage = faiss.downcast_index(self.index.storage)
            codes = faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size())
            codes.reshape(len(self.numbers), -1)[places] = 0
        else:
            self.index.remove_ids(places)
        if self.kind in ("flat", "binary"):  # the rows after them moved up
            self.numbers = np.delete(self.numbers, places)
        else:
            self.numbers[places] = -1
            self.dead += len(places)

    def near(self, query: Vectors, want: int) -> tuple[Numbers, NDArray[np.float32]]:
        """About the ``want`` nearest rows, best first, with the index's own scores."""
        # Dropped nodes still stand in a graph and are found; what is cut off must be others.
        most = min(want + min(self.dead, want), len(self.numbers))
        params: Any = None
        if self.kind.startswith("hnsw"):
            params = faiss.SearchParametersHNSW(efSearch=max(self.options["ef"], most))
        elif self.kind == "ivf-pq":
            params = faiss.SearchParametersIVF(nprobe=self.options["probes"])
        scores, places = self.index.search(query[None], most, params=params)
        found = np.where(places[0] >= 0, self.numbers[places[0]], -1)
        return found[found >= 0][:want], scores[0][found >= 0][:want]

    def among(
        self, query: Vectors, want: int, numbers: Numbers | None
    ) -> tuple[Numbers, NDArray[np.float32]]:
        """The ``want`` nearest of some rows (None: of all), exactly; for kinds in `WHOLE`."""
        known = self.index if self.kind == "flat" else self.index.storage
        params = None
        if numbers is not None or self.dead:
            mask = self.numbers >= 0 if numbers is None else np.isin(self.numbers, numbers)
            selector = faiss.IDSelectorBatch(np.flatnonzero(mask))
            params = faiss.SearchParameters(sel=selector)
        most = min(want, len(self.numbers))
        scores, places = known.search(query[None], most, params=params)
        found = places[0] >= 0
        return self.numbers[places[0][found]], scores[0][found]

    def write(self, path: Path) -> None:
        """Replace its file, whole or not at all."""
        about = {"kind": self.kind, "options": _lasting(self.options), "learnt": self.learnt}
        stated = np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)
        with atomic_path(path) as part, part.open("wb") as file:
            index = faiss.serialize_index(self.index)
            np.savez(file, about=stated, numbers=self.numbers, index=index)

    @classmethod
    def read(cls, path: Path, kind: str, options: Mapping[str, int]) -> Shape | None:
        """What `write` wrote; None where there is none of this kind and build, or it is damaged.

        The archive has a checksum of each part, which is compared.
        """
        try:
            with np.load(path, allow_pickle=False) as parts:
                about = json.loads(parts["about"].tobytes())
                if about["kind"] != kind or about["options"] != _lasting(options):
                    return None
                numbers, index = parts["numbers"], faiss.deserialize_index(parts["index"])
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
            return None  # it is derived: whoever asked makes it anew
        made = cls.__new__(cls)
        made.kind, made.options, made.index = kind, dict(options), index
        made.numbers, made.learnt = numbers, int(about["learnt"])
        made.dead = int((numbers < 0).sum())
        return made


def _lasting(options: Mapping[str, int]) -> dict[str, int]:
    """Options that decide what is built, not how it is searched."""
    return {name: value for name, value in options.items() if name not in _WHEN_SEARCHING}


def learners(numbers: Numbers) -> Numbers:
    """Rows to learn codes from, evenly spaced: corpora come in the order of their sources."""
    if len(numbers) <= _LEARN_FROM:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, _LEARN_FROM).astype(np.int64)]
