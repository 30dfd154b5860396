"""Vectors of an SQLite file in a shape of FAISS, in step with it, with a file of their own.

The SQLite file is the truth. Rows leave the shape and its file before they leave the truth, and
come into the shape after they came into the truth: a process killed in between leaves a shape that
lacks rows, which the next opener adds, and never one that holds what was removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from aegle.backends.faiss_kinds import WHOLE, Shape, full_options, learners, needs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aegle.core.ports import Vectors

    Numbers = NDArray[np.int64]

_BATCH: Final = 4_096
_AT_LEAST: Final = 64
"""A shortlist that is compared again is never shorter: it costs little, and codes are coarse."""

_ALL_FROM: Final = 4
"""A shortlist of more than one row in so many is no short cut: all rows are compared."""

_GROWN: Final = 4
"""A shape that learnt from a fourth of its rows, or has lost a fourth of them, is made anew."""


class ShapedVectors:
    """The vectors of a table ``chunks`` (number, vector), in the shape that is wanted.

    Args:
        path: the shape's file; there is none while vectors are flat.
        width: of the vectors.
        kind: one of `faiss_kinds.KINDS`; ``auto`` is ``flat``.
        options: of that kind, by name.
        least: with fewer vectors than this they are flat; 0: than the kind needs.

    Raises:
        SettingsError: no such kind, or an option that it does not take.
    """

    def __init__(
        self, path: Path, *, width: int, kind: str, options: Mapping[str, int], least: int
    ) -> None:
        self._path = path
        self._width = width
        self._kind = "flat" if kind == "auto" else kind
        self._options = full_options(self._kind, options, width)
        self._least = least or needs(self._kind, self._options)
        self._saved = 0
        self.shape = Shape("flat", {}, width)

    def forget_files(self, *, whole: bool) -> None:
        """Delete what a killed process left, and with ``whole`` the shape's file as well."""
        for part in self._path.parent.glob(f".{self._path.name}.*.part"):
            part.unlink()
        if whole:
            self._path.unlink(missing_ok=True)

    def open(self, file: sqlite3.Connection, numbers: Numbers) -> None:
        """Begin with the file's rows: by the shape's own file, as far as it goes."""
        self._file = file
        held = None
        if self._kind != "flat":
            held = Shape.read(self._path, self._kind, self._options)
        if held is None:
            self._path.unlink(missing_ok=True)
        else:
            self.shape, self._saved = held, len(held.numbers)
        self.catch_up(numbers)

    def portions(self, numbers: Numbers) -> Iterator[tuple[Numbers, Vectors]]:
        """The vectors of some rows, some at a time."""
        for start in range(0, len(numbers), _BATCH):
            # Numbers of our own, so they may stand in the statement, which takes few parameters.
            among = ",".join(map(str, numbers[start : start + _BATCH].tolist()))
            statement = f"SELECT number, vector FROM chunks WHERE number IN ({among})"  # noqa: S608
            read = self._file.execute(statement).fetchall()
            blobs = b"".join(blob for _, blob in read)
            vectors = np.frombuffer(blobs, np.float32).reshape(len(read), self._width)
            yield np.array([number for number, _ in read], np.int64), vectors

    def catch_up(self, numbers: Numbers) -> None:
        """Let the shape have the rows that the file has, and be of the kind that is wanted."""
        shape = self.shape
        held = shape.numbers
        strangers = np.setdiff1d(held, numbers)
        shape.drop(strangers)
        wanted = self._kind if len(numbers) >= self._least else "flat"
        stale = shape.kind != "flat" and (
            len(numbers) > _GROWN * shape.learnt or _GROWN * shape.dead > shape.total
        )
        if stale or (shape.kind == "flat" and wanted != "flat"):
            self._build(wanted, numbers)
            return
        for portion in self.portions(np.setdiff1d(numbers, held)):
            shape.add(*portion)
        # Written again with every few documents that come in, it would cost more than they do.
        grown = len(shape.numbers) > self._saved + self._saved // 4
        if shape.kind != "flat" and (grown or len(strangers)):
            self._save()

    def _build(self, kind: str, numbers: Numbers) -> None:
        if kind == "flat":
            self._path.unlink(missing_ok=True)
            self.shape = Shape("flat", {}, self._width)
            for portion in self.portions(numbers):
                self.shape.add(*portion)
            return
        sample = np.concatenate([vectors for _, vectors in self.portions(learners(numbers))])
        self.shape = Shape.built(kind, self._options, sample, self.portions(numbers), len(numbers))
        self._save()

    def _save(self) -> None:
        self.shape.write(self._path)
        self._saved = len(self.shape.numbers)

    def let_go(self, numbers: Sequence[int]) -> None:
        """Take rows out of the shape and its file, before they leave the truth."""
        if numbers:
            self.shape.drop(numbers)
            if self.shape.kind != "flat":
                self._save()

    def close(self) -> None:
        """Write what came in since the shape was written."""
        if self.shape.kind != "flat" and len(self.shape.numbers) != self._saved:
            self._save()

    def nearest(
        self, query: Vectors, limit: int, among: Numbers | None
    ) -> tuple[list[int], list[float]]:
        """The ``limit`` nearest rows with their cosine, best first.

        Of some rows (``among``) exactly. Of all, exactly when flat; else of those that the shape
        finds, as many as the kind's ``rescore`` says are compared again, by whole vectors.
        """
        shape = self.shape
        want = max(_AT_LEAST, limit * shape.options.get("rescore", 1))
        if shape.kind == "flat" or among is not None or want * _ALL_FROM >= len(shape.numbers):
            if shape.kind in WHOLE:
                found, scores = shape.among(query, limit, among)
                return found.tolist(), scores.tolist()
            return self._compared(query, limit, shape.numbers if among is None else among)
        if shape.kind in WHOLE:
            found, scores = shape.near(query, limit)
            return found.tolist(), scores.tolist()
        return self._compared(query, limit, shape.near(query, want)[0])

    def _compared(
        self, query: Vectors, limit: int, numbers: Numbers
    ) -> tuple[list[int], list[float]]:
        known: list[Numbers] = [np.empty(0, np.int64)]
        scores: list[NDArray[np.float64]] = [np.empty(0)]
        for found, vectors in self.portions(numbers):
            known.append(found)
            # In 64 bits: equal vectors must score the same wherever they stand in a block.
            scores.append(vectors.astype(np.float64) @ query.astype(np.float64))
        every, by = np.concatenate(known), np.concatenate(scores)
        best = np.argsort(-by, kind="stable")[:limit]
        return every[best].tolist(), by[best].tolist()
