"""Each way to hold fewer bits: smaller, near the float model, opened by Aegle's own runtime."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.special import rel_entr, softmax

from aegle.compress import encoders, feeds, quantise, sensitivity
from aegle.compress.source import TABLE, open_source
from aegle.core.artifacts import check_manifest, read_json
from aegle.core.errors import InputError, NotFoundError
from aegle.core.ports import quiet
from aegle.lm.classes import TextClassifier
from aegle.lm.encoder import SentenceEncoder
from aegle.lm.pairs import CrossEncoder
from aegle.lm.pieces import pieces
from aegle.lm.tagger import Tagger
from small_encoders import texts

KINDS = ("tagger", "encoder", "pair", "classifier")
WAYS: list[tuple[Any, dict[str, Any], float]] = [
    (encoders.int8, {}, 0.45),
    (encoders.int8_dynamic, {}, 0.45),
    (encoders.int8_static, {"calibrate": "minmax"}, 0.6),
    (encoders.int8_static, {"calibrate": "percentile"}, 0.6),
    (encoders.int8_static, {"calibrate": "entropy"}, 0.6),
    (encoders.int4, {"block": 32}, 0.4),
    (encoders.fp16, {}, 0.6),
]


def told_by(kind: str, folder: Path) -> np.ndarray:
    """What Aegle's own runtime makes of some texts: (texts, numbers)."""
    some = texts(6, seed=8)
    if kind == "tagger":
        tagger = Tagger(folder, threads=1)
        cut = pieces(tagger._tokenizer, some)
        return np.concatenate(tagger.word_logits(cut))
    if kind == "encoder":
        return SentenceEncoder(folder, threads=1).embed(some)
    if kind == "pair":
        return CrossEncoder(folder, threads=1).score(some[0], some[1:])[:, None]
    return TextClassifier(folder, threads=1).logits(some)


@pytest.mark.parametrize("kind", KINDS)
def test_the_float_model_is_what_the_folder_holds(
    small_models: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    made = encoders.original(
        small_models[kind], tmp_path / "x", texts=(), settings={}, progress=quiet
    )
    given = told_by(kind, small_models[kind])  # INT8 for all but the tagger
    assert np.corrcoef(told_by(kind, made.folder).ravel(), given.ravel())[0, 1] > 0.99
    assert made.about["dequantised"] is False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("way", "settings", "most"), WAYS)
def test_a_way_is_smaller_and_near(
    small_models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    way: Any,
    settings: dict[str, Any],
    most: float,
) -> None:
    source = small_models[kind]
    whole = encoders.original(source, tmp_path / "float", texts=(), settings={}, progress=quiet)
    made = way(source, tmp_path / "made", texts=texts(12), settings=settings, progress=quiet)
    graphs = [(folder / "model.onnx").stat().st_size for folder in (made.folder, whole.folder)]
    # Names and nodes weigh much beside weights of 32 numbers; of real ones a quarter is left.
    assert graphs[0] < most * graphs[1] + 30_000
    assert made.bytes < whole.bytes
    found, wanted = told_by(kind, made.folder), told_by(kind, whole.folder)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > (
        0.98 if way in (encoders.int8, encoders.fp16) else 0.9
    )
    assert not capsys.readouterr().out
    card = read_json(made.folder / "card.json")["compressed"]
    assert card["kept_in_float"] == []
    assert len(card["parent"]) == 64
    assert card["calibration"].get("texts", 0) == (12 if "calibrate" in settings else 0)
    assert {one.path for one in check_manifest(made.folder / "manifest.json")} >= {"model.onnx"}


def test_a_text_read_alone_or_with_others_gives_the_same(
    small_models: dict[str, Path], tmp_path: Path
) -> None:
    """ONNX Runtime's dynamic scale is of a whole run: such graphs read one text at a time."""
    for kind in ("tagger", "classifier"):
        made = encoders.int8_dynamic(
            small_models[kind], tmp_path / kind, texts=(), settings={}, progress=quiet
        )
        one: Any = Tagger if kind == "tagger" else TextClassifier
        model, some = one(made.folder, threads=1), texts(3, seed=4)

        def told(given: list[str], model: Any = model, kind: str = kind) -> list[np.ndarray]:
            if kind == "tagger":
                return list(model.word_logits(pieces(model._tokenizer, given)))
            return list(model.logits(given))

        together = told(some)
        for text, row in zip(some, together, strict=True):
            assert told([text])[0] == pytest.approx(row, abs=1e-6)


def test_kept_layers_are_in_float(small_models: dict[str, Path], tmp_path: Path) -> None:
    keep = ["encoder.layer.1.output.dense", TABLE]
    for way, settings in ((encoders.int8, {}), (encoders.int8_static, {}), (encoders.int4, {})):
        made = way(
            small_models["encoder"],
            tmp_path / way.__name__,
            texts=texts(6),
            settings={**settings, "keep": keep},
            progress=quiet,
        )
        graph = onnx.load(str(made.folder / "model.onnx")).graph
        kinds = {one.name: one.data_type for one in graph.initializer}
        assert kinds["encoder.layer.1.output.dense.w"] == TensorProto.FLOAT
        assert kinds[TABLE] == TensorProto.FLOAT
        assert kinds.get("encoder.layer.0.output.dense.w") != TensorProto.FLOAT
        assert made.about["kept_in_float"] == sorted(keep)


def test_a_number_keeps_the_most_sensitive(small_models: dict[str, Path], tmp_path: Path) -> None:
    source = open_source(small_models["classifier"])
    given = feeds.feeds(source, texts(8))
    costs = sensitivity.ranked(source, "int4", given, progress=quiet)
    assert len(costs) == len(source.dense) + 1
    assert [cost for _, cost in costs] == sorted((cost for _, cost in costs), reverse=True)
    # Independently: one layer's cost is what its graph alone says.
    name, cost = costs[0]
    keep = {*source.dense, TABLE} - {name}
    found = feeds.answers(source, quantise.int4(source, keep, block=32), given)
    wanted = feeds.answers(source, source.graph(int8=False), given)
    rows = [
        rel_entr(softmax(a, 1), softmax(b, 1)).sum(1) for a, b in zip(wanted, found, strict=True)
    ]
    assert np.concatenate(rows).mean() == pytest.approx(cost, rel=1e-4)
    made = encoders.int4(
        source.folder, tmp_path / "x", texts=texts(8), settings={"keep": 2}, progress=quiet
    )
    assert made.about["kept_in_float"] == sorted(name for name, _ in costs[:2])


def test_keeping_all_layers_is_the_float_model(small_models: dict[str, Path]) -> None:
    source = open_source(small_models["pair"])
    given = feeds.feeds(source, ["host read\tthe nurse logged on", *texts(3)])
    wanted = feeds.answers(source, source.graph(int8=False), given)
    for way in quantise.WAYS:
        model = quantise.build(way, source, {*source.dense, TABLE}, given)
        apart = feeds.distance(source, wanted, feeds.answers(source, model, given))
        assert apart < 1e-5, way


@pytest.mark.parametrize(("channels", "block"), [(64, 32), (40, 16), (24, 32)])
def test_four_bits_are_what_onnx_runtime_reads(channels: int, block: int) -> None:
    rng = np.random.default_rng(channels)
    weight_CO = rng.normal(0, 1, (channels, 5)).astype(np.float32)
    weight_CO[:, 0] = 0
    packed, scales = quantise.pack4(weight_CO, block)
    # An independent reading: byte by byte, as the operator's definition says.
    real = np.zeros((packed.shape[1] * block, 5))
    for out in range(5):
        for at in range(real.shape[0]):
            byte = int(packed[out, at // block, at % block // 2])
            level = byte >> 4 if at % 2 else byte & 15
            real[at, out] = (level - 8) * scales[out * packed.shape[1] + at // block]
    real = real[:channels]
    steps = np.repeat(scales.reshape(5, -1), block, 1)[:, :channels].T
    # The end opposite to the farthest number is one level short.
    assert (np.abs(real - weight_CO) <= np.abs(steps) * 1.0001).all()
    held = [numpy_helper.from_array(packed, "w"), numpy_helper.from_array(scales, "s")]
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=channels, N=5, bits=4,
        block_size=block,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])], held,
    )  # fmt: skip
    sets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=sets)
    model.ir_version = 10
    x = rng.normal(0, 1, (3, channels)).astype(np.float32)
    (found,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert found == pytest.approx(x @ real, abs=1e-4)


def test_a_quantised_tagger_is_read_back(tmp_path: Path) -> None:
    """What was rounded once isn't rounded again: INT8 of the dequantised has the same levels."""
    from small_encoders import tagger

    small = tagger(tmp_path / "small", int8=True)
    made = encoders.int8(small, tmp_path / "again", texts=(), settings={}, progress=quiet)
    assert open_source(small).exact is False
    assert told_by("tagger", made.folder) == pytest.approx(told_by("tagger", small), abs=1e-4)
    version = read_json(made.folder / "card.json")["version"]
    assert version.startswith("tiny/1+int8-")


def test_what_cannot_be_made_smaller_is_refused(
    small_models: dict[str, Path], tmp_path: Path
) -> None:
    source, out = small_models["encoder"], tmp_path / "out"

    def make(way: Any, settings: dict[str, Any], some: list[str], folder: Path = source) -> None:
        way(folder, out, texts=some, settings=settings, progress=quiet)

    with pytest.raises(InputError, match="no setting bits; there are: block, keep"):
        make(encoders.int4, {"bits": 3}, [])
    with pytest.raises(InputError, match="16, 32, 64, 128, 256 numbers, not 48"):
        make(encoders.int4, {"block": 48}, [])
    with pytest.raises(InputError, match="no calibration 'mean'; there are: minmax"):
        make(encoders.int8_static, {"calibrate": "mean"}, texts(3))
    with pytest.raises(InputError, match="calibration needs texts"):
        make(encoders.int8_static, {}, [" "])
    with pytest.raises(InputError, match=r"no layer encoder\.layer\.9\.output\.dense"):
        make(encoders.int8, {"keep": ["encoder.layer.9.output.dense"]}, [])
    with pytest.raises(NotFoundError, match="no such folder"):
        make(encoders.int8, {}, [], tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is no encoder"):
        make(encoders.int8, {}, [], tmp_path / "empty")
    broken = tmp_path / "broken"
    shutil.copytree(small_models["tagger"], broken)
    (broken / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match="can't be read as ONNX"):
        make(encoders.int8, {}, [], broken)
    assert not out.exists()
