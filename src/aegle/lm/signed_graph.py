"""Rewrites the weights of INT8 graphs from unsigned to signed bytes; needs the onnx package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from aegle.core.errors import InputError

_ZERO: Final = 128
_DEPTH, _WIDTH = 100, 70


def signed(graph: Path) -> bytes | None:
    """The graph with signed weights; None if no product of it has unsigned ones around 128.

    Weights that anything else reads stay as they are, and so do graphs whose weights lie in another
    file: what a graph's own file holds doesn't tell two of them apart.

    Raises:
        InputError: it can't be read as ONNX.
    """
    try:
        model = onnx.load(str(graph), load_external_data=False)
    except Exception as error:  # protobuf's errors share no base class but this one
        raise InputError(f"{graph} can't be read as ONNX ({type(error).__name__})") from error
    held = {one.name: one for one in model.graph.initializer}
    if any(external_data_helper.uses_external_data(one) for one in held.values()):
        return None
    read = _read(model.graph)
    products = [
        node
        for node in model.graph.node
        if node.op_type == "MatMulInteger" and len(node.input) == 4 and _unsigned(node, held)
    ]
    used = Counter(node.input[1] for node in products)
    products = [node for node in products if used[node.input[1]] == read[node.input[1]]]
    for name in {node.input[1] for node in products}:
        levels = numpy_helper.to_array(held[name]).astype(np.int16) - _ZERO
        held[name].CopyFrom(numpy_helper.from_array(levels.astype(np.int8), name))
    for node in products:
        del node.input[3]  # a signed weight's zero is 0
    return model.SerializeToString() if products else None


def _read(graph: onnx.GraphProto) -> Counter[str]:
    """How often each name is read: by nodes, inside of their branches, too, and as an output."""
    found = Counter(one.name for one in graph.output)
    for node in graph.node:
        found.update(node.input)
        for part in node.attribute:
            for inner in (*part.graphs, *([part.g] if part.HasField("g") else [])):
                found += _read(inner)
    return found


def _unsigned(node: onnx.NodeProto, held: dict[str, onnx.TensorProto]) -> bool:
    weight, zero = (held.get(name) for name in (node.input[1], node.input[3]))
    if weight is None or zero is None or weight.data_type != TensorProto.UINT8:
        return False
    return bool((numpy_helper.to_array(zero) == _ZERO).all())


def trial() -> bytes:
    """A product of bytes (N, 100) by the largest and least signed weights (100, 70).

    Outputs: the sums, int32, with the first side around 128; and the weights.
    """
    rows, columns = np.indices((_DEPTH, _WIDTH))
    weights_CO = np.where((rows // 4 + columns) % 3 == 0, -128, 127).astype(np.int8)
    held = [
        numpy_helper.from_array(weights_CO, "w"),
        numpy_helper.from_array(np.array(_ZERO, np.uint8), "zero"),
    ]
    nodes = [
        helper.make_node("MatMulInteger", ["x", "w", "zero"], ["sums"]),
        helper.make_node("Identity", ["w"], ["weights"]),
    ]
    graph = helper.make_graph(
        nodes,
        "trial",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", _DEPTH])],
        [
            helper.make_tensor_value_info("sums", TensorProto.INT32, ["N", _WIDTH]),
            helper.make_tensor_value_info("weights", TensorProto.INT8, [_DEPTH, _WIDTH]),
        ],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    content: bytes = model.SerializeToString()
    return content
