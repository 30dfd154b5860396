"""Ways to hold an encoder's weights in fewer bits, each a graph with some layers kept in float.

``rows``: our own INT8, a scale for each token and each output column, no calibration (0010).
``dynamic`` and ``static``: ONNX Runtime's quantiser; a scale for a whole run's activations, taken
from that run or from calibration texts. ``int4``: weights of 4 bits in blocks, products in float or
(long blocks) 8 bits.
``half``: weights stored in 16 bits and computed in 32, since processors multiply no halves.
The word table is in INT8 in all but ``half``; heads and classifiers stay in float: they are small.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from aegle.compress.feeds import Feed, even
from aegle.compress.source import TABLE, Source, products
from aegle.core.errors import InputError
from aegle.core.plugins import load
from aegle.lm.catalog import cache_folder
from aegle.lm.signed import exact

CALIBRATIONS: Final = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
BLOCKS: Final = (16, 32, 64, 128, 256)
"""Block lengths that MatMulNBits knows."""
_LONG: Final = 128
"""From here on activations are multiplied in 8 bits, 1.6 times as fast as float; with blocks of 32
that is slower than float (one thread, AVX512-VNNI, 512 x 384 x 1536)."""
_FLOATS, _BYTES = 1, 4
"""MatMulNBits' names for products of 32-bit floats, and of 8-bit numbers with a scale a block."""
_SMALL: Final = 1024
"""Constants of fewer numbers are not halved: nothing is won."""


def rows(source: Source, keep: Collection[str]) -> onnx.ModelProto:
    """Our own INT8 graph."""
    return source.graph(int8=True, keep=keep)


def dynamic(source: Source, keep: Collection[str]) -> onnx.ModelProto:
    """ONNX Runtime's dynamic INT8: weights by column, activations by run."""
    return _quantised(
        source,
        keep,
        "quantize_dynamic",
        weight_type=_kind("QUInt8"),
        extra_options={"WeightSymmetric": True, "MatMulConstBOnly": True},
    )


def static(
    source: Source, keep: Collection[str], given: Sequence[Feed], *, calibrate: str
) -> onnx.ModelProto:
    """ONNX Runtime's static INT8 (QDQ): weights by column, activations by calibration texts.

    Raises:
        InputError: no such calibration.
    """
    if calibrate not in CALIBRATIONS:
        raise InputError(f"no calibration {calibrate!r}; there are: {', '.join(CALIBRATIONS)}")
    feeds = list(given) if calibrate == "minmax" else even(given)
    method = load("onnxruntime.quantization:CalibrationMethod")[CALIBRATIONS[calibrate]]
    model = _quantised(
        source,
        keep,
        "quantize_static",
        reader=feeds,
        calibrate_method=method,
        quant_format=load("onnxruntime.quantization:QuantFormat").QDQ,
        activation_type=_kind("QUInt8"),
        weight_type=_kind("QInt8"),
        # 7 bits where a sum of two products of bytes would not fit into 16 (0010).
        reduce_range=not exact(cache_folder()),
    )
    # The runtime batches graphs of this producer: here, too, no text depends on its neighbours.
    model.producer_name = "aegle"
    return model


def _kind(name: str) -> Any:
    return getattr(load("onnxruntime.quantization:QuantType"), name)


def _quantised(
    source: Source,
    keep: Collection[str],
    function: str,
    *,
    reader: Sequence[Feed] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    table = [TABLE] if TABLE in keep else []
    model = source.graph(int8=True, keep=[*source.dense, *table])
    names = [one.name for layer, one in products(model, source.dense).items() if layer not in keep]
    if not names:
        return model
    with tempfile.TemporaryDirectory(prefix="aegle-compress-") as folder, _calm():
        before, after = Path(folder) / "float.onnx", Path(folder) / "small.onnx"
        before.write_bytes(model.SerializeToString())
        more = {} if reader is None else {"calibration_data_reader": _Reader(reader)}
        options |= {"op_types_to_quantize": ["MatMul"], "per_channel": True}
        try:
            load(f"onnxruntime.quantization:{function}")(
                before, after, nodes_to_quantize=names, **more, **options
            )
        except (ValueError, RuntimeError, TypeError) as error:  # as its quantiser reports trouble
            raise InputError(
                f"{source.folder}: ONNX Runtime's quantiser failed ({type(error).__name__})"
            ) from error
        return onnx.load(str(after))


class _Reader:
    """What ONNX Runtime calls a CalibrationDataReader."""

    def __init__(self, given: Sequence[Feed]) -> None:
        self._left = iter(given)

    def get_next(self) -> Feed | None:
        return next(self._left, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        raise NotImplementedError("all feeds are read at once")

    def __len__(self) -> int:
        raise NotImplementedError("all feeds are read at once")


@contextmanager
def _calm() -> Iterator[None]:
    """Without ONNX Runtime's advice to run its pre-processing, which is for exported graphs, and
    without what its calibration prints on stdout, where a command's result goes."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.disable(before)


def int4(source: Source, keep: Collection[str], *, block: int) -> onnx.ModelProto:
    """Weights in blocks of ``block`` numbers with 4 bits each and a scale a block.

    Raises:
        InputError: a block length that isn't known.
    """
    if block not in BLOCKS:
        raise InputError(f"a block has {', '.join(map(str, BLOCKS))} numbers, not {block!r}")
    table = [TABLE] if TABLE in keep else []
    model = source.graph(int8=True, keep=[*source.dense, *table])
    held = {one.name: one for one in model.graph.initializer}
    for layer, node in products(model, source.dense).items():
        if layer in keep:
            continue
        name = node.input[1]
        weight_CO = numpy_helper.to_array(held[name])
        packed, scales = pack4(weight_CO, block)
        model.graph.initializer.remove(held[name])
        model.graph.initializer.extend(
            [
                numpy_helper.from_array(packed, name),
                numpy_helper.from_array(scales, f"{name}.scale"),
            ]
        )
        attributes = {"K": weight_CO.shape[0], "N": weight_CO.shape[1], "bits": 4}
        node.CopyFrom(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], name, f"{name}.scale"],
                list(node.output),
                node.name,
                domain="com.microsoft",
                block_size=block,
                accuracy_level=_BYTES if block >= _LONG else _FLOATS,
                **attributes,
            )
        )
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def pack4(weight_CO: NDArray[Any], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A weight (C, O) as MatMulNBits reads it: bytes (O, blocks, block / 2), scales (O x blocks,).

    A number is (level - 8) x scale with levels 0 to 15; the scale is the one whose end meets the
    number farthest from 0. The lower half of a byte comes first.
    """
    channels, outs = weight_CO.shape
    blocks = -(-channels // block)
    padded = np.zeros((outs, blocks * block), np.float32)
    padded[:, :channels] = weight_CO.T
    parts = padded.reshape(outs, blocks, block)
    far = np.take_along_axis(parts, np.abs(parts).argmax(2)[:, :, None], 2)
    scales = np.where(far == 0, 1.0, far / -8).astype(np.float32)
    levels = np.clip(np.rint(parts / scales) + 8, 0, 15).astype(np.uint8)
    packed = levels[:, :, 0::2] | (levels[:, :, 1::2] << 4)
    return packed, scales[:, :, 0].reshape(-1)


def half(source: Source, keep: Collection[str]) -> onnx.ModelProto:
    """All large constants stored in 16 bits but those of the layers in ``keep``.

    Raises:
        InputError: a weight is too large for 16 bits.
    """
    model = source.graph(int8=False)
    float_ = {TABLE if name == TABLE else f"{name}.w" for name in keep}
    casts = []
    for one in model.graph.initializer:
        array = numpy_helper.to_array(one)
        if one.data_type != TensorProto.FLOAT or array.size < _SMALL or one.name in float_:
            continue
        if np.abs(array).max() > np.finfo(np.float16).max:
            raise InputError(f"{source.folder}: {one.name} has numbers that 16 bits can't hold")
        name = one.name
        one.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


WAYS: Final = ("int8", "int8-dynamic", "int8-static", "int4", "fp16")


def build(
    kind: str,
    source: Source,
    keep: Collection[str],
    given: Sequence[Feed],
    *,
    calibrate: str = "minmax",
    block: int = 32,
) -> onnx.ModelProto:
    """The graph of one of `WAYS`, or of ``float``."""
    if kind == "float":
        return source.graph(int8=False)
    if kind == "int8-static":
        return static(source, keep, given, calibrate=calibrate)
    if kind == "int4":
        return int4(source, keep, block=block)
    simple = {"int8": rows, "int8-dynamic": dynamic, "fp16": half}
    if kind not in simple:
        raise InputError(f"no way to quantise {kind!r}; there are: float, {', '.join(WAYS)}")
    return simple[kind](source, keep)
