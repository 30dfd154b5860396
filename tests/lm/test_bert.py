"""The ONNX graph of a BERT against an independent BERT in numpy."""

import json
import math

import numpy as np
import onnxruntime as ort
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import erf

from aegle.core.artifacts import check_manifest
from aegle.core.errors import InputError
from aegle.lm.bert import build
from aegle.lm.graphs import graph_file
from aegle.testing.weights import WeightsUnavailableError, cached

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 24,
    "layer_norm_eps": 1e-12,
    "vocab_size": 50,
    "type_vocab_size": 2,
}


def reference(weights, config, ids, mask, types, pooling):
    """BERT as the paper writes it, one text and one head at a time, in float64."""

    def norm(x, name):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        x = (x - mean) / np.sqrt(var + config["layer_norm_eps"])
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    w = {name: value.astype(np.float64) for name, value in weights.items()}
    heads = config["num_attention_heads"]
    vectors = []
    for one, attended, kind in zip(ids, mask.astype(bool), types, strict=True):
        one, kind = one[attended], kind[attended]
        x = w["embeddings.word_embeddings.weight"][one]
        x = x + w["embeddings.position_embeddings.weight"][: len(one)]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][kind], "embeddings.LayerNorm")
        for i in range(config["num_hidden_layers"]):
            at = f"encoder.layer.{i}"
            q, k, v = (dense(x, f"{at}.attention.self.{n}") for n in ("query", "key", "value"))
            mixed = np.empty_like(q)
            width = q.shape[1] // heads
            for h in range(heads):
                cols = slice(h * width, (h + 1) * width)
                scores = np.exp(q[:, cols] @ k[:, cols].T / math.sqrt(width))
                mixed[:, cols] = scores / scores.sum(1, keepdims=True) @ v[:, cols]
            out = dense(mixed, f"{at}.attention.output.dense")
            x = norm(x + out, f"{at}.attention.output.LayerNorm")
            wide = dense(x, f"{at}.intermediate.dense")
            wide = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
            x = norm(x + dense(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        vector = x[0] if pooling == "cls" else x.mean(0)
        vectors.append(vector / np.linalg.norm(vector))
    return np.array(vectors)


def run(model, ids, mask, types):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return session.run(["vectors"], feed)[0]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    rng = np.random.default_rng(5)
    width, wide = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (50, width),
        "embeddings.position_embeddings.weight": (24, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm": (width,),
    }
    for i in range(2):
        at = f"encoder.layer.{i}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{at}.attention.{name}"] = (width, width)
        shapes[f"{at}.attention.output.LayerNorm"] = (width,)
        shapes[f"{at}.intermediate.dense"] = (wide, width)
        shapes[f"{at}.output.dense"] = (width, wide)
        shapes[f"{at}.output.LayerNorm"] = (width,)
    weights = {}
    for name, shape in shapes.items():
        value = rng.normal(0, 0.3, shape).astype(np.float32)
        if name.endswith(".weight"):
            weights[name] = value
        else:
            weights[f"{name}.weight"] = value + (len(shape) == 1)
            weights[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    save_file(
        {f"bert.{name}": value for name, value in weights.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder, weights


def batch(rng, vocabulary, lengths):
    ids = rng.integers(1, vocabulary, (len(lengths), max(lengths)))
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return ids * mask, mask, rng.integers(0, 2, ids.shape) * mask


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_fp32_graph_is_bert(tiny, pooling):
    folder, weights = tiny
    feed = batch(np.random.default_rng(1), 50, [5, 24, 1, 17])
    wanted = reference(weights, CONFIG, *feed, pooling)
    found = run(build(folder, pooling=pooling, int8=False), *feed)
    assert np.abs(found - wanted).max() < 1e-4


def test_int8_vector_depends_on_its_text_only(tiny):
    folder, _ = tiny
    model = build(folder, pooling="mean", int8=True)
    ids, mask, types = batch(np.random.default_rng(2), 50, [3, 20, 9])
    together = run(model, ids, mask, types)
    for row, length in enumerate([3, 20, 9]):
        part = (slice(row, row + 1), slice(length))
        alone = run(model, ids[part], mask[part], types[part])
        assert np.abs(alone[0] - together[row]).max() < 1e-5


def test_the_real_encoder_in_fp32_and_int8():
    try:
        folder = cached("minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    feed = batch(np.random.default_rng(3), config["vocab_size"], [4, 40, 12])
    feed = (*feed[:2], feed[2] * 0)
    wanted = reference(weights, config, *feed, "mean")
    assert np.abs(run(build(folder, pooling="mean", int8=False), *feed) - wanted).max() < 1e-4
    small = run(build(folder, pooling="mean", int8=True), *feed)
    assert (small * wanted).sum(1).min() >= 0.99


def test_the_graph_is_built_once_and_signed(tiny, tmp_path):
    folder, _ = tiny
    graph = graph_file(folder, pooling="mean", cache=tmp_path)
    before = graph.stat().st_mtime_ns
    assert graph_file(folder, pooling="mean", cache=tmp_path) == graph
    assert graph.stat().st_mtime_ns == before
    assert graph_file(folder, pooling="cls", cache=tmp_path) != graph
    assert [one.path for one in check_manifest(graph.parent / "manifest.json")] == ["model.onnx"]


def test_other_architectures_are_refused(tiny, tmp_path):
    _, weights = tiny
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "model_type": "mpnet"}))
    with pytest.raises(InputError, match="mpnet"):
        build(tmp_path, pooling="mean", int8=True)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="can't be read"):
        build(tmp_path, pooling="mean", int8=True)
    some = {name: value for name, value in weights.items() if "layer.1.output" not in name}
    save_file(some, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"lack 'encoder\.layer\.1\.output"):
        build(tmp_path, pooling="mean", int8=True)
