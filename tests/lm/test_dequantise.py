"""A quantised encoder's weights come back under their names, as near as 8 bits are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from aegle.core.errors import InputError
from aegle.lm.dequantise import dequantised, trainable


def write(path: Path, table: np.ndarray, dense: np.ndarray, *, by_column: bool) -> None:
    """A graph as ONNX Runtime's dynamic quantisation writes it: one table, one dense layer."""
    low, high = table.min(), table.max()
    step = np.float32((high - low) / 255)
    zero = np.uint8(round(-low / step))
    levels = np.clip(np.rint(table / step) + zero, 0, 255).astype(np.uint8)
    most = np.abs(dense).max(1) if by_column else np.abs(dense).max()
    scale = np.asarray(most / 127, np.float32)
    whole = np.rint(dense / (scale[:, None] if by_column else scale)).astype(np.int8).T
    zeros = np.zeros_like(scale, np.int8)
    word, name = "embeddings.word_embeddings.weight", "onnx::MatMul_7"
    arrays = {
        f"{word}_quantized": levels,
        f"{word}_scale": np.asarray(step),
        f"{word}_zero_point": np.asarray(zero),
        f"{name}_quantized": whole,
        f"{name}_scale": scale,
        f"{name}_zero_point": zeros,
        "encoder.layer.0.output.dense.bias": np.zeros(len(dense), np.float32),
    }
    nodes = [
        helper.make_node("MatMulInteger", ["x", f"{name}_quantized"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", f"{name}_scale"], ["scaled"]),
        helper.make_node("Add", ["encoder.layer.0.output.dense.bias", "scaled"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", dense.shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(dense)])],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph), str(path))


@pytest.mark.parametrize("by_column", [True, False])
def test_weights_come_back(tmp_path: Path, by_column: bool) -> None:
    rng = np.random.default_rng(3)
    table = rng.normal(size=(50, 8)).astype(np.float32)
    dense = (rng.normal(size=(6, 8)) * np.arange(1, 7)[:, None]).astype(np.float32)
    write(tmp_path / "model.onnx", table, dense, by_column=by_column)
    found = dequantised(tmp_path / "model.onnx")
    assert np.abs(found["embeddings.word_embeddings.weight"] - table).max() < 0.02
    again = found["encoder.layer.0.output.dense.weight"]
    assert again.shape == dense.shape
    most = np.abs(dense).max(1, keepdims=True) if by_column else np.abs(dense).max()
    assert (np.abs(again - dense) <= most / 127 * 0.51).all()


def test_a_folder_is_made_trainable_once(tmp_path: Path) -> None:
    folder = tmp_path / "quantised"
    folder.mkdir()
    rng = np.random.default_rng(3)
    shape = rng.normal(size=(9, 4)).astype(np.float32)
    write(folder / "model.onnx", shape, shape[:5], by_column=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    made = trainable(folder, tmp_path / "cache")
    assert "encoder.layer.0.output.dense.weight" in load_file(made / "model.safetensors")
    assert trainable(folder, tmp_path / "cache") == made
    write(folder / "model.onnx", shape, shape[:4], by_column=True)
    assert trainable(folder, tmp_path / "cache") != made, "another graph in a folder of that name"


def test_float_weights_are_taken_as_they_are(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1, np.float32)}, str(tmp_path / "model.safetensors"))
    assert trainable(tmp_path, tmp_path / "cache") == tmp_path


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither"):
        trainable(tmp_path, tmp_path / "cache")
    (tmp_path / "model.onnx").write_bytes(b"no protobuf \xff\xff")
    with pytest.raises(InputError, match="can't be read as ONNX"):
        dequantised(tmp_path / "model.onnx")
