"""A store of token vectors for late interaction over first hits: compressed, numpy only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from aegle.core.artifacts import write_bytes
from aegle.core.errors import InputError, NotFoundError
from aegle.core.ports import Scores, Vectors
from aegle.lm.token_vectors import maxsim
from aegle.retrieve.residual import Codec, Int8, Parts, Residual

_FORMAT: Final = "aegle-late/1"
_LAST: Final = -1.0
"""The score of what is not stored: the least that a MaxSim can be."""


class LateStore:
    """Chunk id -> its token vectors, in the bytes of a codec.

    Args:
        codec: `aegle.retrieve.residual.Residual` by ``train``, or ``Int8``.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._parts: dict[str, Parts] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, chunk_id: object) -> bool:
        return chunk_id in self._parts

    def add(self, chunk_ids: Sequence[str], vectors: Sequence[Vectors]) -> None:
        """Keep the token vectors (T, C) of chunks, replacing those of the same id."""
        for item, vectors_TC in zip(chunk_ids, vectors, strict=True):
            self._parts[item] = self.codec.encode(vectors_TC)

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Forget chunks; those that are not there are no error."""
        for item in chunk_ids:
            self._parts.pop(item, None)

    def vectors(self, chunk_id: str) -> Vectors:
        """The token vectors of a chunk as they are now known, unit length.

        Raises:
            NotFoundError: the chunk is not stored.
        """
        if chunk_id not in self._parts:
            raise NotFoundError("no token vectors are stored of this chunk; add it first")
        return self.codec.decode(self._parts[chunk_id])

    def scores(self, question_QC: Vectors, chunk_ids: Sequence[str]) -> Scores:
        """MaxSim of a question's token vectors with each chunk; -1 for one that is not stored."""
        found = [
            maxsim(question_QC, self.vectors(item)) if item in self._parts else _LAST
            for item in chunk_ids
        ]
        return np.array(found, np.float32)

    @property
    def size_bytes(self) -> int:
        """The bytes of all vectors and of the codebook."""
        every = [*self._parts.values(), self.codec.table()]
        return sum(part.nbytes for parts in every for part in parts.values())

    def save(self, path: Path) -> None:
        """Write the store as safetensors, whole or not at all."""
        ids = sorted(self._parts)
        names = list(self.codec.encode(np.zeros((0, self._width()), np.float32)))
        arrays: Parts = {f"table.{name}": part for name, part in self.codec.table().items()}
        for name in names:
            rows = [self._parts[item][name] for item in ids]
            arrays[f"part.{name}"] = np.concatenate(rows) if rows else np.empty((0, 1), np.int8)
        lengths = [len(self._parts[item][names[0]]) for item in ids]
        arrays["lengths"] = np.array(lengths, np.int64)
        about = {"format": _FORMAT, "kind": self.codec.kind, "ids": json.dumps(ids)}
        whole = {name: np.ascontiguousarray(part) for name, part in arrays.items()}
        write_bytes(path, save(whole, about))

    @classmethod
    def load(cls, path: Path) -> LateStore:
        """The store of a file.

        Raises:
            NotFoundError: there is no such file.
            InputError: it is none of these stores, or damaged.
        """
        if not path.is_file():
            raise NotFoundError(f"{path}: there is no such file")
        try:
            with safe_open(path, "np") as file:
                about = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if about["format"] != _FORMAT:
                raise InputError(f"{path} is a store of another version; make it anew")
            store = cls(_codec(about["kind"], arrays))
            ids = json.loads(about["ids"])
            ends = np.cumsum(arrays["lengths"])
            parts = {n.removeprefix("part."): a for n, a in arrays.items() if n[:5] == "part."}
            num = int(ends[-1]) if len(ends) else 0
            if len(ids) != len(ends) or any(len(part) != num for part in parts.values()):
                raise InputError(f"{path}: the parts do not fit together; make the store anew")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{path} is no store ({type(error).__name__})") from error
        for item, start, end in zip(ids, ends - arrays["lengths"], ends, strict=True):
            store._parts[item] = {name: part[start:end] for name, part in parts.items()}
        return store

    def _width(self) -> int:
        table = self.codec.table()
        return int(table["centroids"].shape[1]) if "centroids" in table else 1


def _codec(kind: str, arrays: Parts) -> Codec:
    if kind == "int8":
        return Int8()
    table = {name: arrays[f"table.{name}"] for name in ("centroids", "cutoffs", "values")}
    return Residual(*(part.astype(np.float32) for part in table.values()))
