"""The methods for encoders: a folder in, a folder out that Aegle's own runtime opens.

Settings that all take: ``keep``, the layers that stay in float, by name, or how many of the most
sensitive. ``texts`` calibrate; those of a pair are ``question<TAB>passage``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import onnx

from aegle.compress import finish, prune, quantise, sensitivity
from aegle.compress.feeds import Feed, feeds
from aegle.compress.method import Made
from aegle.compress.source import TABLE, Source, open_source
from aegle.core.errors import InputError
from aegle.core.ports import Progress

MOST_TEXTS: Final = 128
"""That calibrate: scales, ranks of layers and least squares want no more."""


def _written(
    way: str,
    known: Collection[str],
    source: Path,
    out: Path,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Quantise in one of the ways and write the folder."""
    check(way, settings, {*known, "keep"})
    model, texts = open_source(source), texts[:MOST_TEXTS]
    given = feeds(model, texts) if _calibrates(way, settings) else []
    options = {name: settings[name] for name in known if name in settings}
    keep, costs = _keep(way, model, given, settings, options, progress)
    graph = quantise.build(way, model, keep, given, **options)
    about = {"quantised": way, **options, "kept_in_float": sorted(keep), **costs}
    return finish.write(model, graph, out, method=way, about=about, texts=texts if given else ())


def _calibrates(way: str, settings: Mapping[str, Any]) -> bool:
    return way == "int8-static" or (type(settings.get("keep")) is int and settings["keep"] > 0)


def _keep(
    way: str,
    source: Source,
    given: Sequence[Feed],
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    progress: Progress,
) -> tuple[frozenset[str], dict[str, Any]]:
    """The layers that stay in float, and what their choice was made by."""
    keep = settings.get("keep", ())
    if type(keep) is int:
        if keep <= 0:
            return frozenset(), {}
        costs = sensitivity.ranked(source, way, given, progress=progress, **options)
        return frozenset(name for name, _ in costs[:keep]), {"sensitivity": dict(costs)}
    if strange := sorted(set(keep) - {*source.dense, TABLE}):
        raise InputError(
            f"no layer {', '.join(strange)} in {source.folder}; there are: "
            f"{', '.join(source.dense)} and {TABLE}"
        )
    return frozenset(keep), {}


def check(method: str, settings: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises InputError for a setting that the method hasn't."""
    if strange := sorted(set(settings) - set(known)):
        raise InputError(
            f"{method} has no setting {', '.join(strange)}; there are: {', '.join(sorted(known))}"
        )


def original(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """The float graph: what all others are compared with. It has no settings."""
    check("float", settings, ())
    model = open_source(source)
    about = {"quantised": "float", "dequantised": not model.exact}
    graph = model.graph(int8=False)
    return finish.write(model, graph, out, method="float", about=about, texts=())


def int8(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """INT8 with a scale for each token and each output column."""
    return _written("int8", (), source, out, texts, settings, progress)


def int8_dynamic(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """ONNX Runtime's dynamic INT8; such a graph reads one text at a time."""
    return _written("int8-dynamic", (), source, out, texts, settings, progress)


def int8_static(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """ONNX Runtime's static INT8; ``calibrate``: minmax, percentile or entropy."""
    return _written("int8-static", ("calibrate",), source, out, texts, settings, progress)


def int4(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Weights of 4 bits in blocks of ``block`` numbers."""
    return _written("int4", ("block",), source, out, texts, settings, progress)


def fp16(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Weights stored in 16 bits, computed in 32: half the file, the speed of float."""
    return _written("fp16", (), source, out, texts, settings, progress)


def pruned(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Without ``layers`` layers, a share ``heads`` of heads and ``inner`` of inner neurons.

    What is left is refitted on the texts and then quantised: ``then`` is ``int8`` or ``float``.
    """
    check("prune", settings, ("layers", "heads", "inner", "then"))
    model, texts = open_source(source), texts[:MOST_TEXTS]
    given = feeds(model, texts)
    small, about = prune.chain(model, settings, given, progress=progress)
    return then("prune", small, out, settings, about, texts)


def masked(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Zeros in place of the least weights: ``share``, ``pattern`` (any, 2:4), ``by``.

    The file stays as large, and dense kernels as slow: it shows what a sparse kernel would keep.
    """
    check("sparse", settings, ("share", "pattern", "by", "then"))
    model, texts = open_source(source), texts[:MOST_TEXTS]
    by = settings.get("by", "activations")
    given = feeds(model, texts) if by == "activations" else []
    pattern = settings.get("pattern", "any")
    small, about = prune.mask(
        model, float(settings.get("share", 0.5)), given, pattern=pattern, by=by
    )
    return then("sparse", small, out, settings, about, texts if given else ())


def then(
    method: str,
    source: Source,
    out: Path,
    settings: Mapping[str, Any],
    about: Mapping[str, Any],
    texts: Sequence[str],
) -> Made:
    """Quantise what a cut has left, as ``then`` says, and write the folder.

    Raises:
        InputError: ``then`` is neither ``int8`` nor ``float``.
    """
    way = settings.get("then", "int8")
    if way not in ("int8", "float"):
        raise InputError(f"after {method} comes int8 or float, not {way!r}")
    graph: onnx.ModelProto = source.graph(int8=way == "int8")
    told = {**about, "quantised": way}
    return finish.write(source, graph, out, method=method, about=told, texts=texts)
