"""A delta on a base is the base with its changes, made once, and only for the base it names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from aegle.core.errors import InputError
from aegle.lm import catalog
from aegle.lm.delta import base_of, digest_of, is_delta, merge, quantised, whole

NAMES = ("embeddings.word_embeddings.weight", *(f"encoder.layer.{n}.x.weight" for n in range(3)))


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """A base of three layers."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(6, 4)).astype(np.float32) for name in NAMES}


def base(folder: Path) -> Path:
    """A base's folder."""
    folder.mkdir()
    save_file({f"bert.{n}": w for n, w in weights().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": 3, "hidden_size": 4}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def delta(folder: Path, on: Path, **card: object) -> Path:
    """A delta's folder: the last kept layer gets a product, the word table is replaced."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    tensors = {
        "encoder.layer.1.x.weight.lora_a": rng.normal(size=(2, 4)).astype(np.float16),
        "encoder.layer.1.x.weight.lora_b": rng.normal(size=(6, 2)).astype(np.float16),
        "classifier.bias": np.ones(2, np.float16),
    }
    save_file(tensors, folder / "delta.safetensors")
    told = {"base": f"path:{on}", "base_sha256": digest_of(on), **card}
    (folder / "card.json").write_text(json.dumps(told))
    return folder


def test_a_product_is_added_layers_are_chosen_and_new_tensors_come_in(tmp_path: Path) -> None:
    on = base(tmp_path / "base")
    made = delta(tmp_path / "delta", on, layers=[0, 2])
    (made / "1_Pooling").mkdir()
    (made / "1_Pooling/config.json").write_text("{}")
    found = whole(made, on, tmp_path / "cache")
    told, change = load_file(found / "model.safetensors"), load_file(made / "delta.safetensors")
    product = change["encoder.layer.1.x.weight.lora_b"].astype(np.float32) @ change[
        "encoder.layer.1.x.weight.lora_a"
    ].astype(np.float32)
    kept = weights()
    np.testing.assert_allclose(
        told["encoder.layer.1.x.weight"], kept["encoder.layer.2.x.weight"] + product, rtol=1e-6
    )
    np.testing.assert_array_equal(told[NAMES[1]], kept[NAMES[1]])
    np.testing.assert_array_equal(told["classifier.bias"], np.ones(2, np.float32))
    assert "encoder.layer.2.x.weight" not in told
    assert json.loads((found / "config.json").read_text())["num_hidden_layers"] == 2
    assert (found / "tokenizer.json").is_file()
    assert (found / "1_Pooling/config.json").is_file()
    before = (found / "model.safetensors").stat().st_mtime_ns
    assert whole(made, on, tmp_path / "cache") == found
    assert (found / "model.safetensors").stat().st_mtime_ns == before


def test_a_path_to_a_delta_opens_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    made = delta(tmp_path / "delta", base(tmp_path / "base"))
    found = catalog.resolve(f"path:{made}")
    assert is_delta(made)
    assert not is_delta(found)
    assert (found / "model.safetensors").is_file()


def test_another_base_is_refused(tmp_path: Path) -> None:
    on = base(tmp_path / "base")
    made = delta(tmp_path / "delta", on, base_sha256="0" * 64)
    with pytest.raises(InputError, match="made for other weights"):
        whole(made, on, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_card_without_a_base_and_damaged_tensors_are_refused(tmp_path: Path) -> None:
    on = base(tmp_path / "base")
    made = delta(tmp_path / "delta", on)
    (made / "delta.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="can't be read"):
        whole(made, on, tmp_path / "cache")
    (made / "card.json").write_text("{}")
    with pytest.raises(InputError, match="must name the base"):
        base_of(made)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder.layer.7.x.weight.lora_b": np.ones((6, 1))},
        {"encoder.layer.0.x.weight.lora_b": np.ones((6, 1))},
        {
            "encoder.layer.0.x.weight.lora_b": np.ones((6, 1)),
            "encoder.layer.0.x.weight.lora_a": np.ones((1, 5)),
        },
    ],
)
def test_a_change_that_does_not_fit_is_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"does not fit|without"):
        merge(weights(), change)


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"layers \[9\]"):
        merge(weights(), {}, [0, 9])


@pytest.mark.parametrize("layers", [[2, 0], [0, 0], [-1, 0], [], [True]])
def test_layers_that_no_card_may_name_are_refused(layers: list[int]) -> None:
    with pytest.raises(InputError, match="ascending"):
        merge(weights(), {}, layers)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"layers": 1}, "'layers' is a list"),
        ({"layers": [0, 0]}, "'layers' is a list"),
        ({"layers": []}, "'layers' is a list"),
        ({"config": "x"}, "'config' is a table"),
    ],
)
def test_a_card_of_other_types_is_refused(
    tmp_path: Path, card: dict[str, object], said: str
) -> None:
    on = base(tmp_path / "base")
    with pytest.raises(InputError, match=said):
        whole(delta(tmp_path / "delta", on, **card), on, tmp_path / "cache")


def test_what_is_merged_follows_the_card_and_the_tokenizer(tmp_path: Path) -> None:
    on = base(tmp_path / "base")
    made = delta(tmp_path / "delta", on)
    first = whole(made, on, tmp_path / "cache")
    (made / "tokenizer.json").write_text('{"new": 1}')
    second = whole(made, on, tmp_path / "cache")
    assert (second / "tokenizer.json").read_text() == '{"new": 1}'
    told = json.loads((made / "card.json").read_text()) | {"config": {"hidden_act": "gelu"}}
    (made / "card.json").write_text(json.dumps(told))
    third = whole(made, on, tmp_path / "cache")
    assert json.loads((third / "config.json").read_text())["hidden_act"] == "gelu"
    assert len({first, second, third}) == 3


def test_a_delta_on_itself_and_a_base_without_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    made = delta(tmp_path / "delta", base(tmp_path / "base"), base=f"path:{tmp_path / 'delta'}")
    with pytest.raises(InputError, match="holds weights of its own"):
        catalog.resolve(f"path:{made}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is no base of a delta"):
        digest_of(tmp_path / "empty")


@pytest.mark.parametrize(
    "change",
    [
        {"encoder.layer.0.x.weight.lora_a": np.ones((1, 4))},
        {"encoder.layer.0.x.weight.levels": np.ones((6, 4), np.int8)},
        {"w.levels": np.ones((6, 4), np.int8), "w.steps": np.ones(6)},
        {"encoder.layer.0.x.weight": np.ones((6, 5))},
    ],
)
def test_half_a_change_or_one_of_another_shape_is_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"without|one step a row|does not fit"):
        merge(weights(), change)


@given(st.integers(0, 2**32 - 1))
def test_eight_bits_a_row_are_within_half_a_step(seed: int) -> None:
    value = np.random.default_rng(seed).normal(size=(5, 7)).astype(np.float32)
    told = merge({}, quantised("w", value))["w"]
    assert (np.abs(told - value) <= np.abs(value).max(1, keepdims=True) / 127 * 0.51).all()
