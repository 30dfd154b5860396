"""The cross-encoder: the contract, the numbers of transformers, and what is cut."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_pairs import CONFIG, weights, write_folder, write_tokenizer

from aegle.backends.reranker_onnx import OnnxReranker
from aegle.core.errors import InputError, NotFoundError
from aegle.core.text import SafeText
from aegle.lm.bert import build
from aegle.lm.pairs import CrossEncoder, depends_on_batch, fit
from aegle.testing.reranker import CHECKS, check_meaning
from aegle.testing.weights import WeightsUnavailableError, cached

QUESTION = "which pump lost the connection"
PASSAGES = ["the pump", "patient chest pain " * 9, "", "ward pump lost", "lost " * 300]


def float_folder(folder, labels=1):
    write_folder(folder, labels)
    model = build(folder, pooling="pair", int8=False)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


@pytest.mark.parametrize("ready", [True, False], ids=["float", "int8"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, ready, tmp_path, monkeypatch):
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    folder = (float_folder if ready else write_folder)(tmp_path / "model")
    check(lambda: OnnxReranker(folder, threads=1))


@pytest.mark.parametrize("check", [*CHECKS, check_meaning], ids=lambda check: check.__name__)
def test_contract_with_the_packaged_cross_encoder(check):
    try:
        folder = cached("ms-marco-minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    check(lambda: OnnxReranker(folder, threads=1))


@pytest.mark.parametrize("labels", [1, 2])
def test_it_scores_as_transformers_does(labels, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = float_folder(tmp_path / "model", labels)
    config = transformers.BertConfig(**{**CONFIG, "num_labels": labels})
    model = transformers.BertForSequenceClassification(config).eval()
    state = {name: torch.from_numpy(value) for name, value in weights(labels).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert not [name for name in missing if "position_ids" not in name]
    tokenizer = write_tokenizer(folder)
    tokenizer.enable_truncation(CONFIG["max_position_embeddings"], strategy="only_second")
    wanted = []
    for text in PASSAGES:
        one = tokenizer.encode(QUESTION, text)
        feed = {
            "input_ids": torch.tensor([one.ids]),
            "attention_mask": torch.ones((1, len(one.ids)), dtype=torch.long),
            "token_type_ids": torch.tensor([one.type_ids]),
        }
        with torch.no_grad():
            logits = model(**feed).logits[0]
        wanted.append(float(logits[0] if labels == 1 else logits[1] - logits[0]))
    reranker = OnnxReranker(folder, threads=1)
    found = reranker.score(QUESTION, [SafeText(one, by="test") for one in PASSAGES])
    reranker.close()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_int8_is_near_float_and_built_once(tmp_path, monkeypatch):
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    exact = CrossEncoder(float_folder(tmp_path / "float"), threads=1)
    small = CrossEncoder(write_folder(tmp_path / "int8"), threads=1)
    assert not depends_on_batch(tmp_path / "float" / "model.onnx")
    built = list((tmp_path / "cache" / "graphs").rglob("model.onnx"))
    CrossEncoder(tmp_path / "int8", threads=1).close()
    assert len(built) == len(list((tmp_path / "cache" / "graphs").rglob("model.onnx"))) == 1
    difference = exact.score(QUESTION, PASSAGES) - small.score(QUESTION, PASSAGES)
    assert np.abs(difference).max() < 0.2


def test_the_passage_is_cut_and_not_the_question(tmp_path):
    tokenizer = write_tokenizer(tmp_path)

    def kept(asked, told, most):
        one = tokenizer.encode("pump " * asked, "ward " * told)
        places = fit(one, most)
        assert len(places) == min(most, len(one.ids))
        parts = [one.sequence_ids[place] for place in places]
        assert parts.count(None) == 3
        ends = [place for place in places if one.sequence_ids[place] is not None]
        assert ends == sorted(ends)
        return parts.count(0), parts.count(1)

    assert kept(5, 10, 96) == (5, 10)
    assert kept(5, 300, 96) == (5, 88)
    assert kept(300, 10, 96) == (83, 10)
    assert kept(300, 300, 96) == (69, 24)
    assert kept(300, 300, 512) == (300, 209)
    assert kept(500, 300, 512) == (445, 64)


def test_a_folder_that_is_no_reranker(tmp_path, monkeypatch):
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(NotFoundError, match=r"tokenizer\.json"):
        OnnxReranker(tmp_path)
    write_tokenizer(tmp_path)
    with pytest.raises(NotFoundError, match=r"no model\.onnx, nor model\.safetensors"):
        OnnxReranker(tmp_path)
    with pytest.raises(InputError, match="one or two numbers a pair"):
        OnnxReranker(float_folder(tmp_path / "three", labels=3))
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["B", "S", 4])
    ids = helper.make_tensor_value_info("input_ids", TensorProto.FLOAT, ["B", "S", 4])
    node = helper.make_node("Identity", ["input_ids"], ["states"])
    model = helper.make_model(
        helper.make_graph([node], "g", [ids], [states]), opset_imports=[helper.make_opsetid("", 21)]
    )
    model.ir_version = 10
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(InputError, match="is it an encoder"):
        OnnxReranker(tmp_path)
