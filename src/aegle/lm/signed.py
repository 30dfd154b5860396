"""INT8 graphs in the form that this processor multiplies fastest, with the same numbers.

Aegle writes weights as unsigned bytes around 128, because unsigned by signed saturates on x86
processors without VNNI. Where it doesn't, unsigned by signed is 2.6 times as fast, and gives the
same sums: (x - 128) (w - 128) is one integer, however w is written. So a graph is rewritten where a
trial product shows that nothing saturates (docs/decisions/0010-onnxruntime-and-our-own-graph.md).
"""

from __future__ import annotations

import hashlib
import mmap
import platform
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # it ships no types

from aegle.core.artifacts import write_bytes
from aegle.core.errors import WorkspaceError
from aegle.core.plugins import load
from aegle.lm.catalog import digest

VERSION: Final = 2
"""Raised when a rewritten graph, or the trial, changes; those in the cache are then made anew."""

_ZERO: Final = 128
_MARK: Final = b"MatMulInteger"


def fitted(graph: Path, cache_dir: Path) -> Path:
    """The graph to run on this processor: ``graph``, or its signed form, made once and cached.

    Graphs that hold no product of two unsigned matrices are returned as they are.
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if not x86 or not graph.is_file() or not graph.stat().st_size:
        return graph
    if not _multiplies_bytes(graph):
        return graph
    try:
        return _signed_form(graph, cache_dir) if exact(cache_dir) else graph
    except (
        OSError,
        WorkspaceError,
    ):  # nowhere to keep it: the graph as it is gives the same numbers, slower
        return graph


def _signed_form(graph: Path, cache_dir: Path) -> Path:
    name = hashlib.sha256(f"{digest(graph)}:signed:{VERSION}".encode()).hexdigest()[:16]
    target = cache_dir / "signed" / name / "model.onnx"
    if not target.is_file():
        # Loaded when needed: the onnx package takes 0.1 s.
        content = load("aegle.lm.signed_graph:signed")(graph)
        if content is None:
            return graph
        write_bytes(target, content)
    return target


@cache
def exact(cache_dir: Path) -> bool:
    """Whether unsigned by signed is exact here: products of the largest numbers, compared.

    One row and many are tried, and widths that don't fill a register: each has code of its own.
    """
    trial = cache_dir / "signed" / f"trial-{VERSION}.onnx"
    if not trial.is_file():
        write_bytes(trial, load("aegle.lm.signed_graph:trial")())
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(str(trial), options, providers=["CPUExecutionProvider"])
    depth = int(session.get_inputs()[0].shape[1])
    return all(_same(session, np.full((rows, depth), 255, np.uint8)) for rows in (1, 3, 64))


def _multiplies_bytes(graph: Path) -> bool:
    # The names of operators stand in the file as they are, before the weights.
    with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_MARK) >= 0


def _same(session: Any, x_NC: Any) -> bool:
    (found_NO, weights_CO) = session.run(None, {"x": x_NC})
    wanted_NO = (x_NC.astype(np.int64) - _ZERO) @ weights_CO.astype(np.int64)
    return bool((found_NO == wanted_NO).all())
