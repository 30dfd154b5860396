"""Graphs with signed weights: the same numbers, and only where a trial shows that they are."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from aegle.core.artifacts import write_bytes
from aegle.core.errors import InputError, WorkspaceError
from aegle.lm import signed
from aegle.lm.signed_graph import signed as rewritten
from aegle.lm.signed_graph import trial

RNG = np.random.default_rng(3)


def product(path, kind="MatMulInteger", zero=128):
    """A product of bytes (N, 96) by (96, 40), both unsigned."""
    weights = RNG.integers(0, 256, (96, 40)).astype(np.uint8)
    held = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array(128, np.uint8), "a_zero"),
        numpy_helper.from_array(np.array(zero, np.uint8), "w_zero"),
    ]
    nodes = [helper.make_node(kind, ["x", "w", "a_zero", "w_zero"], ["y"])]
    if kind != "MatMulInteger":
        nodes = [helper.make_node("Identity", ["x"], ["y"])]
    out = TensorProto.INT32 if kind == "MatMulInteger" else TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 96])],
        [helper.make_tensor_value_info("y", out, None)],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    path.write_bytes(model.SerializeToString())
    return path


def sums(graph, x):
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.fixture
def fresh(tmp_path):
    """A cache that no other test has tried the processor in."""
    return tmp_path / "cache"


@pytest.mark.parametrize("rows", [1, 2, 65])
def test_the_sums_are_the_integers_that_they_should_be(tmp_path, fresh, rows):
    if not signed.exact(fresh):
        pytest.skip("this processor saturates: unsigned by signed isn't used here")
    graph = product(tmp_path / "model.onnx")
    weights = numpy_helper.to_array(onnx.load(graph).graph.initializer[0]).astype(np.int64)
    x = RNG.integers(0, 256, (rows, 96)).astype(np.uint8)
    x[0] = 255
    wanted = (x.astype(np.int64) - 128) @ (weights - 128)
    assert (sums(rewritten(graph), x) == wanted).all()
    assert (sums(graph.read_bytes(), x) == wanted).all()


def test_where_products_saturate_the_graph_stays_as_it_is(tmp_path, fresh):
    model = onnx.load_from_string(trial())
    first = model.graph.node[0]
    first.output[0] = "whole"
    clipped = [
        helper.make_node("Cast", ["whole"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Clip", ["real", "least", "most"], ["cut"]),
        helper.make_node("Cast", ["cut"], ["sums"], to=TensorProto.INT32),
    ]
    for name, value in (("least", -32768.0), ("most", 32767.0)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    model.graph.node.extend(clipped)
    write_bytes(fresh / "signed" / f"trial-{signed.VERSION}.onnx", model.SerializeToString())
    graph = product(tmp_path / "model.onnx")
    assert not signed.exact(fresh)
    assert signed.fitted(graph, fresh) == graph


def test_a_graph_is_rewritten_once_for_each_content(tmp_path, fresh, monkeypatch):
    monkeypatch.setattr(signed, "exact", lambda _: True)
    monkeypatch.setattr(signed.platform, "machine", lambda: "x86_64")
    graph = product(tmp_path / "model.onnx")
    first = signed.fitted(graph, fresh)
    assert first != graph
    assert first.is_file()
    made = first.stat().st_mtime_ns
    assert signed.fitted(graph, fresh) == first
    assert first.stat().st_mtime_ns == made
    product(graph)
    assert signed.fitted(graph, fresh) != first


def test_other_graphs_and_processors_are_left_alone(tmp_path, fresh, monkeypatch):
    monkeypatch.setattr(signed, "exact", lambda _: True)
    plain = product(tmp_path / "plain.onnx", kind="Identity")
    elsewhere = product(tmp_path / "zero.onnx", zero=7)
    assert signed.fitted(plain, fresh) == plain
    assert signed.fitted(elsewhere, fresh) == elsewhere
    monkeypatch.setattr(signed.platform, "machine", lambda: "aarch64")
    graph = product(tmp_path / "model.onnx")
    assert signed.fitted(graph, fresh) == graph


def test_without_a_place_to_keep_it_the_graph_runs_as_it_is(tmp_path, fresh, monkeypatch):
    monkeypatch.setattr(signed, "exact", lambda _: True)
    (tmp_path / "file").write_text("not a folder")
    graph = product(tmp_path / "model.onnx")
    assert signed.fitted(graph, tmp_path / "file") == graph


def test_a_damaged_graph_is_an_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"MatMulInteger \xff\xff")
    with pytest.raises(InputError, match="can't be read as ONNX"):
        rewritten(tmp_path / "model.onnx")


def test_weights_that_something_else_reads_stay_as_they_are(tmp_path):
    graph = product(tmp_path / "model.onnx")
    model = onnx.load(graph)
    weights = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.node.append(helper.make_node("Gather", ["w", "row"], ["looked_up"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(5), "row"))
    model.graph.output.append(helper.make_tensor_value_info("looked_up", TensorProto.UINT8, [40]))
    assert rewritten_or_same(model, tmp_path) is None
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.UINT8, weights.shape)],
    )
    del model.graph.node[1:], model.graph.output[1:]
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["either"], then_branch=branch, else_branch=branch)
    )
    assert rewritten_or_same(model, tmp_path) is None
    del model.graph.node[1:]
    assert rewritten_or_same(model, tmp_path) is not None


def rewritten_or_same(model, folder):
    (folder / "changed.onnx").write_bytes(model.SerializeToString())
    return rewritten(folder / "changed.onnx")


def test_weights_in_another_file_stay_there(tmp_path, fresh, monkeypatch):
    """Two such graphs can be alike to the byte: one would be served with the other's weights."""
    monkeypatch.setattr(signed, "exact", lambda _: True)
    monkeypatch.setattr(signed.platform, "machine", lambda: "x86_64")
    for name in "ab":
        graph = product(tmp_path / "whole.onnx")
        (tmp_path / name).mkdir()
        how = {"save_as_external_data": True, "location": "data", "size_threshold": 1024}
        onnx.save(onnx.load(graph), tmp_path / name / "model.onnx", **how)
    first, second = (tmp_path / name / "model.onnx" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [signed.fitted(one, fresh) for one in (first, second)] == [first, second]


def test_on_a_full_disk_the_graph_runs_as_it_is(tmp_path, fresh, monkeypatch):
    def full(target, content):
        raise WorkspaceError("the disk is full")

    monkeypatch.setattr(signed, "exact", lambda _: True)
    monkeypatch.setattr(signed, "write_bytes", full)
    graph = product(tmp_path / "model.onnx")
    assert signed.fitted(graph, fresh) == graph
