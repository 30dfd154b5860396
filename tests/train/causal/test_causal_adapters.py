"""Each adapter learns, is saved, loads again and merges where it can, and says the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
import transformers
from tiny_causal import corpus, recipe, tiny

from aegle.core.artifacts import check_manifest, read_json, write_json
from aegle.core.errors import InputError, UsageError
from aegle.train.causal import adapters
from aegle.train.causal.load import load_causal
from aegle.train.causal.recipe import OPTIONS, PROMPTS, Adapter
from aegle.train.causal.run import run

RATES = {"ia3": 0.3, "prompt": 0.3, "prefix": 0.3, "bitfit": 0.1, "full": 0.005, "ptuning": 0.05}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=30)
    return folder


def said(model: Any) -> Any:
    """Logits of two texts, the second padded."""
    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [9, 8, 7, 0, 0, 0]])
    mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    with torch.no_grad():
        logits = model.eval()(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return logits[:, -6:][mask.bool()]


@pytest.mark.parametrize("method", OPTIONS)
def test_it_learns_and_says_the_same_after_saving_and_merging(
    made: Path, tmp_path: Path, method: str
) -> None:
    told = recipe(
        made / "base",
        adapter=method,
        optimiser={"lr": RATES.get(method, 0.02), "epochs": 5},
        batches={"tokens": 256},
    )
    done = run(told, base=made / "base", data=made, folder=tmp_path, device="cpu")
    history = [one["loss"] for one in done.metrics["history"]]
    assert min(history) < history[0] - 0.02, history
    assert check_manifest(done.artifact / "manifest.json")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pth")]
    learned = said(done.model)
    untouched, _ = load_causal(made / "base")
    assert not torch.allclose(said(untouched), learned, atol=1e-3)
    loaded = adapters.load(untouched, done.artifact)
    torch.testing.assert_close(said(loaded), learned, rtol=1e-4, atol=1e-4)
    if method in (*PROMPTS, "bottleneck"):
        with pytest.raises(UsageError, match="can't be merged into weights"):
            adapters.merge(done.model, told.adapter)
        return
    merged = adapters.merge(done.model, told.adapter)
    torch.testing.assert_close(said(merged), learned, rtol=1e-4, atol=1e-4)


def test_a_card_says_what_from_and_how_well(made: Path, tmp_path: Path) -> None:
    told = recipe(made / "base", merge=True, optimiser={"lr": 0.02, "epochs": 1})
    done = run(told, base=made / "base", data=made, folder=tmp_path, device="cpu")
    card = read_json(done.artifact / "card.json")
    assert card["data"][0]["licence"] == "ours"
    assert card["data"][0]["safe_because"] == "made here"
    dev = card["metrics"]["dev"]["loss"]
    assert dev["low"] <= dev["value"] <= dev["high"]
    assert card["how"]["template"] == "ChatML"
    assert card["how"]["attention"] == "by text"
    plain, tokenizer = load_causal(tmp_path / "merged")
    base, _ = load_causal(made / "base")
    torch.testing.assert_close(
        said(plain), said(adapters.load(base, done.artifact)), rtol=1e-4, atol=1e-4
    )
    assert tokenizer.pad_token_id == 0


def test_layers_that_are_not_there_are_named_with_those_that_are(made: Path) -> None:
    for method in ("lora", "bottleneck", "bitfit"):
        model, _ = load_causal(made / "base")
        with pytest.raises(InputError, match=r"adapter\.targets"):
            adapters.attach(model, Adapter(method=method, targets=("nowhere",)), steps=4, seed=0)


def test_the_base_alone_can_be_asked(made: Path) -> None:
    for method in ("lora", "bottleneck"):
        model, _ = load_causal(made / "base")
        before = said(model)
        model = adapters.attach(model, Adapter(method=method), steps=4, seed=0)
        with torch.no_grad():
            for one in adapters.trained(model).values():
                one.add_(0.1)
        assert not torch.allclose(said(model), before)
        with adapters.without(model):
            torch.testing.assert_close(said(model), before)
    model, _ = load_causal(made / "base")
    full = adapters.attach(model, Adapter(method="full"), steps=4, seed=0)
    with pytest.raises(UsageError, match="load it once more"), adapters.without(full):
        pass


def test_a_base_out_of_a_gguf_file_can_be_trained(made: Path, tmp_path: Path) -> None:
    """Its configuration says that it is quantised, and Trainer refuses what is."""
    config = read_json(made / "base" / "config.json")
    shutil.copytree(made / "base", tmp_path / "base")
    told = {"quant_method": "gguf", "gguf_file": "a.gguf", "dequantize": False}
    write_json(tmp_path / "base" / "config.json", {**config, "quantization_config": told})
    model, _ = load_causal(tmp_path / "base")
    assert adapters.in_floats(model).hf_quantizer is None
    assert "quantization_config" not in model.config.to_dict()
    run(
        recipe(made / "base", merge=True, optimiser={"epochs": 1}),
        base=tmp_path / "base",
        data=made,
        folder=tmp_path,
        device="cpu",
    )
    assert "quantization_config" not in read_json(tmp_path / "merged" / "config.json")


def test_what_is_no_adapter_is_refused(made: Path, tmp_path: Path) -> None:
    model, _ = load_causal(made / "base")
    with pytest.raises(InputError, match="no adapter of aegle train"):
        adapters.load(model, tmp_path)


SHAPE: dict[str, Any] = {
    "vocab_size": 80,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.15,
    "pad_token_id": 0,
}


def based(name: str, made: Path, folder: Path) -> Path:
    """A folder of another architecture with random weights."""
    torch.manual_seed(0)
    more = {"Gemma3Text": "Gemma3ForCausalLM"}.get(name, f"{name}ForCausalLM")
    config = getattr(transformers, f"{name}Config")(**SHAPE)
    getattr(transformers, more)(config).save_pretrained(folder)
    for one in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / "base" / one, folder / one)
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Mistral", "leave merge out and serve the base with the adapter$"),
        ("Qwen3", "adapter.targets among k_proj, o_proj, q_proj, v_proj$"),
        ("Gemma3Text", "adapter.targets among k_proj, o_proj, q_proj, v_proj$"),
    ],
)
def test_biases_that_no_merged_model_could_hold_are_refused_before_training(
    made: Path, tmp_path: Path, name: str, says: str
) -> None:
    base = based(name, made, tmp_path / "base")
    told = recipe(base, adapter="bitfit", merge=True)
    given: Any = {"base": base, "data": made, "folder": tmp_path / "run", "device": "cpu"}
    with pytest.raises(UsageError, match=says):
        run(told, **given, progress=lambda done, total: pytest.fail("it was trained"))


def test_biases_that_one_key_holds_are_merged(made: Path, tmp_path: Path) -> None:
    """Those of attention alone: the layers that weren't adapted get biases of 0."""
    base = based("Qwen3", made, tmp_path / "base")
    adapter = {"method": "bitfit", "targets": ["q_proj", "o_proj"]}
    told = recipe(base, adapter=adapter, merge=True, optimiser={"lr": 0.1, "epochs": 1})
    done = run(told, base=base, data=made, folder=tmp_path / "run", device="cpu")
    merged, _ = load_causal(tmp_path / "run" / "merged")
    assert merged.config.attention_bias
    fresh = adapters.load(load_causal(base)[0], done.artifact)
    torch.testing.assert_close(said(merged), said(fresh), rtol=1e-4, atol=1e-4)
