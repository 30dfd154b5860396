"""The text classifier: what transformers computes, its labels, its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.lm.classes import TextClassifier, cut, read_labels
from small_encoders import hugging_face, texts

LABELS = ["care", "attack", "device"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hugging_face(tmp_path_factory.mktemp("classes") / "model", labels=LABELS)


def test_it_is_the_classifier_of_transformers(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer

    model = transformers.BertForSequenceClassification.from_pretrained(folder).eval()
    ours, some = TextClassifier(folder, threads=1), texts(8)
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    wanted = []
    for text in some:
        with torch.no_grad():
            ids = torch.tensor([words.encode(text).ids])
            wanted.append(model(ids, token_type_ids=torch.zeros_like(ids)).logits[0].numpy())
    found = ours.logits(some)
    assert np.corrcoef(found.ravel(), np.concatenate(wanted))[0, 1] > 0.995  # it is in INT8
    for text, (label, score), row in zip(some, ours.classify(some), found, strict=True):
        assert label == LABELS[int(row.argmax())]
        assert score == pytest.approx(np.exp(row).max() / np.exp(row).sum(), rel=1e-4)
        assert ours.logits([text])[0] == pytest.approx(row, abs=1e-5)
    ours.close()
    with pytest.raises(BackendError, match="closed"):
        ours.logits(some)


def test_a_long_text_is_cut_before_its_closing_token(folder: Path) -> None:
    assert cut([2, 5, 6, 7, 3], 4) == [2, 5, 6, 3]
    assert cut([2, 5, 3], 4) == [2, 5, 3]
    assert TextClassifier(folder, threads=1, max_tokens=32).logits(["fever " * 500]).shape == (1, 3)


def test_what_is_no_classifier_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no tokenizer\.json"):
        TextClassifier(tmp_path)
    other = hugging_face(tmp_path / "other", labels=LABELS, id2label={"0": "a"})
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b"}}))
    with pytest.raises(InputError, match=r"3 outputs and config\.json 2 labels"):
        TextClassifier(other)
    (other / "config.json").write_text(json.dumps({**config, "id2label": {"1": "a", "2": "b"}}))
    with pytest.raises(InputError, match="must name the labels 0, 1, 2"):
        read_labels(other / "config.json")
    (other / "model.safetensors").unlink()
    (other / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a"}}))
    with pytest.raises(NotFoundError, match=r"neither model\.onnx nor model\.safetensors"):
        TextClassifier(other)
