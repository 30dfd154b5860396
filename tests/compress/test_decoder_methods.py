"""Each method leaves a model that its engine loads, and whose odds are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression of generators needs the extra 'train'")

import gguf
import torch
import xllamacpp
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

import tiny_models as tiny
from aegle.compress.causal import awq, hear, masks, spread
from aegle.compress.causal.prune import loss
from aegle.compress.decoders import DECODERS
from aegle.compress.method import Made
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import quiet
from aegle.lm.decoder import AegleDecoderConfig
from aegle.lm.gguf import export
from aegle.lm.shape import dial

SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
TEXTS = [f"{one} and {other}" for one in tiny.TEXTS for other in tiny.TEXTS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama whose weights are large enough for its odds to differ."""
    folder = tmp_path_factory.mktemp("base")
    model = tiny.save(
        folder, LlamaConfig(**SHAPE, tie_word_embeddings=True), kind=AutoModelForCausalLM
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0) if weight.ndim > 1 else weight.add_(0.1)
    model.save_pretrained(folder)
    return folder


def made(name: str, base: Path, out: Path, texts: list[str] | None = None, **settings: Any) -> Made:
    given = TEXTS if texts is None else texts
    return DECODERS[name](base, out, texts=given, settings=settings, progress=quiet)


def odds(folder: Path) -> np.ndarray[Any, Any]:
    """Log-probabilities of what follows, by Transformers."""
    ids = tiny.tokenizer()(TEXTS[1], return_tensors="pt").input_ids
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0, -1]
    found: np.ndarray[Any, Any] = logits.float().log_softmax(-1).numpy()
    return found


def served(file: Path) -> np.ndarray[Any, Any]:
    """The same by llama.cpp."""
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 128, 1, -1, False
    params.cpuparams.n_threads = 1
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    drawn = [[tiny.tokenizer().convert_tokens_to_ids("a"), 1000.0]]
    asked = {"prompt": tiny.tokenizer()(TEXTS[1]).input_ids, "n_predict": 1, "temperature": 0.0}
    reply = xllamacpp.Server(params).handle_completions(
        {**asked, "n_probs": 320, "logit_bias": drawn, "cache_prompt": False}
    )
    found = np.full(320, np.nan)
    for one in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
        found[one["id"]] = one["logprob"]
    return found


def apart(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> float:
    return float((np.exp(wanted) * (wanted - found)).sum())


FILES: list[tuple[str, dict[str, Any], float]] = [
    ("gguf", {"type": "q8_0"}, 0.02),
    ("gguf", {"type": "q5_k", "embedding": "q8_0"}, 0.1),
    ("gguf", {"type": "q4_0", "keep": {"*ffn_down*": "q8_0"}}, 0.3),
    ("gguf", {"share": 0.5}, 0.1),
    ("gptq", {"type": "q4_k"}, 0.3),
    ("gptq", {"share": 0.5, "order": False}, 0.1),
    ("awq", {"type": "q4_1"}, 0.3),
    ("awq", {"type": "q4_0", "rounding": "gptq"}, 0.5),
]


@pytest.mark.parametrize(("name", "settings", "most"), FILES)
def test_llama_cpp_serves_nearly_the_same(
    name: str, settings: dict[str, Any], most: float, base: Path, tmp_path: Path
) -> None:
    found = made(name, base, tmp_path / "out", **settings)
    file = found.folder / "model.gguf"
    assert found.bytes == file.stat().st_size
    assert apart(odds(base), served(file)) < most
    if "share" in settings:
        halves = export(base, tmp_path / "half.gguf").stat().st_size
        assert 0.8 * settings["share"] < found.bytes / halves <= settings["share"]
    if name != "gguf" and "error_of_nearest" in found.about:
        assert found.about["error_of_nearest"] < 1
    told = gguf.GGUFReader(file).fields
    assert told["tokenizer.ggml.model"].contents() == "gpt2"
    assert "tokenizer.chat_template" in told


def test_importance_is_the_mean_of_squares(base: Path) -> None:
    """Of the inputs that the network's own equations give."""
    model, tokenizer = hear.load(base)
    batches = hear.encoded(tokenizer, TEXTS[:3])
    found, count = hear.importance(model, batches)
    assert count == sum(ids.shape[1] for ids in batches)
    with torch.no_grad():
        first = [
            model.model.layers[0].input_layernorm(model.model.embed_tokens(ids)) for ids in batches
        ]
        last = [model.model(ids).last_hidden_state for ids in batches]
    for name, states in (("blk.0.attn_k.weight", first), ("token_embd.weight", last)):
        wanted = torch.cat(states, 1)[0].pow(2).mean(0)
        np.testing.assert_allclose(found[name], wanted.numpy(), rtol=1e-4)


def test_blocks_hear_what_changed_blocks_say(base: Path) -> None:
    """Products of the third block, after the first was taken for nothing."""
    model, tokenizer = hear.load(base)
    batches = hear.encoded(tokenizer, TEXTS[:3])
    seen = {}

    def change(number: int, layers: Any, products: Any) -> None:
        if number == 0:
            for layer in layers.values():
                layer.weight.data *= 0
        seen.update(products)

    hear.blockwise(model, batches, change)
    after, count = hear.importance(model, batches)
    assert count
    for name in ("blk.2.attn_q.weight", "blk.2.ffn_up.weight", "blk.2.ffn_down.weight"):
        np.testing.assert_allclose(seen[name].diagonal(), after[name], rtol=1e-3)


def test_gradients_by_rows_are_those_of_small_steps(base: Path) -> None:
    model, tokenizer = hear.load(base)
    ids = hear.encoded(tokenizer, TEXTS[:1])[0]
    found = spread.gradients(model, [ids])["blk.2.ffn_down.weight"]
    layer, row, step, squares = model.model.layers[2].mlp.down_proj, 5, 1e-2, 0.0
    for at in range(ids.shape[1]):
        sums = []
        for sign in (1, -1):

            def hook(_: Any, __: Any, out: Any, at: int = at, sign: int = sign) -> Any:
                moved = out.clone()
                moved[0, at, row] += sign * step
                return moved

            handle = layer.register_forward_hook(hook)
            sums.append(loss(model, [ids]) * (ids.shape[1] - 1))
            handle.remove()
        squares += ((sums[0] - sums[1]) / (2 * step)) ** 2
    np.testing.assert_allclose(found[row], squares / ids.shape[1], rtol=0.02)


def test_scaling_leaves_what_is_computed(base: Path) -> None:
    model, tokenizer = hear.load(base)
    batches = hear.encoded(tokenizer, TEXTS[:4])
    awq.mark(model)
    with torch.no_grad():
        wanted = model(batches[0]).logits
    strengths: list[float] = []

    def change(number: int, layers: Any, products: Any) -> None:
        found = awq.scale(model.model.layers[number], layers, products, lambda *_: "Q4_0")
        strengths.extend(found.values())

    hear.blockwise(model, batches, change)
    with torch.no_grad():
        torch.testing.assert_close(model(batches[0]).logits, wanted, atol=2e-3, rtol=1e-3)
    assert max(strengths) > 0


SMALLER: list[tuple[str, dict[str, Any], str, int]] = [
    ("layers", {"drop": 1}, "num_hidden_layers", 2),
    ("layers", {"drop": 2, "by": "loss"}, "num_hidden_layers", 1),
    ("ffn", {"share": 0.25}, "intermediate_size", 192),
    ("heads", {"drop": 1}, "num_attention_heads", 2),
]


@pytest.mark.parametrize(("name", "settings", "key", "value"), SMALLER)
def test_what_is_pruned_loads_and_is_served(
    name: str, settings: dict[str, Any], key: str, value: int, base: Path, tmp_path: Path
) -> None:
    found = made(name, base, tmp_path / "small", **settings)
    assert found.bytes < (base / "model.safetensors").stat().st_size
    model, _ = hear.load(found.folder)
    assert getattr(model.config, key) == value
    made("gguf", found.folder, tmp_path / "file", [], type="f16")
    np.testing.assert_allclose(
        served(tmp_path / "file" / "model.gguf"), odds(found.folder), atol=0.05
    )


def test_our_own_decoder_is_pruned_and_quantised(tmp_path: Path) -> None:
    shape = dial(
        "nano", vocabulary=320, width=64, layers=2, mlp_width=96, context=128, heads=4, kv_heads=2
    )
    config = AegleDecoderConfig.of(shape, bos_token_id=0, eos_token_id=0)
    tiny.save(tmp_path / "own", config, kind=AutoModelForCausalLM)
    made("heads", tmp_path / "own", tmp_path / "fewer")
    found = made("gptq", tmp_path / "fewer", tmp_path / "file", type="q8_0")
    got = served(found.folder / "model.gguf")
    assert apart(odds(tmp_path / "fewer"), got) < 0.02


def test_a_fit_by_texts_costs_less_than_a_cut(base: Path, tmp_path: Path) -> None:
    batches = hear.encoded(tiny.tokenizer(), TEXTS)
    found = []
    for fit in (True, False):
        made("ffn", base, tmp_path / str(fit), share=0.5, fit=fit)
        found.append(apart(odds(base), odds(tmp_path / str(fit))))
    assert batches
    assert found[0] < found[1]


@pytest.mark.parametrize("name", ["magnitude", "wanda"])
def test_two_of_four_are_nothing(name: str, base: Path, tmp_path: Path) -> None:
    found = made(name, base, tmp_path / "out", pattern="2:4")
    assert found.about["zeros"] == 0.5
    model, _ = hear.load(found.folder)
    for _, layer in hear.linears(model):
        assert ((layer.weight.reshape(-1, 4) == 0).sum(1) == 2).all()


def test_the_smallest_scores_go() -> None:
    score = torch.tensor([[4.0, 1.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    wanted = [[False, True, False, True], [True, True, False, False]]
    assert masks.smallest(score, 0.5).tolist() == wanted
    assert masks.two_of_four(score).tolist() == wanted
    with pytest.raises(InputError, match="rows of 3 are no groups of four"):
        masks.two_of_four(score[:, :3])


@pytest.mark.parametrize(("name", "most"), [("nf4", 0.3), ("int8", 0.02)])
def test_bitsandbytes_reloads_without_pickle(
    name: str, most: float, base: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    found = made(name, base, tmp_path / "out", [])
    assert {one.suffix for one in found.folder.iterdir()} <= {".safetensors", ".json", ".jinja"}
    assert found.bytes < 0.5 * (base / "model.safetensors").stat().st_size
    assert apart(odds(base), odds(found.folder)) < most


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("gguf", {"bits": 4}, "gguf has no setting 'bits'; there are: type"),
    ("gguf", {"share": 0.5, "type": "q4_0"}, "share chooses types itself; leave out type"),
    ("gguf", {"share": 0.05}, "raise share"),
    ("awq", {"rounding": "up"}, "no rounding 'up'"),
    ("layers", {"drop": 3}, "drop 3 of 3 layers: say 1 to 2"),
    ("layers", {"by": "chance"}, "can't be ranked by 'chance'"),
    ("ffn", {"share": 0.01}, "leaves 256"),
    ("heads", {"drop": 2}, "drop 2 of 2 key and value heads"),
    ("wanda", {"pattern": "1:4"}, "either share or pattern: 2:4"),
    ("magnitude", {"share": 1.5}, "share 1.5 is not between 0 and 1"),
]


@pytest.mark.parametrize(("name", "settings", "complaint"), WRONG)
def test_settings_that_make_no_sense_are_refused(
    name: str, settings: dict[str, Any], complaint: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=complaint):
        made(name, base, tmp_path / "out", **settings)
    assert not (tmp_path / "out" / "model.gguf").exists()


def test_models_that_a_method_cannot_take_are_refused(base: Path, tmp_path: Path) -> None:
    config = MixtralConfig(**SHAPE, num_local_experts=2, num_experts_per_tok=1)
    tiny.save(tmp_path / "experts", config, kind=AutoModelForCausalLM)
    with pytest.raises(InputError, match="calibration reads dense blocks"):
        made("gptq", tmp_path / "experts", tmp_path / "out")
    assert made("gguf", tmp_path / "experts", tmp_path / "plain", [], type="q8_0").bytes
    with pytest.raises(InputError, match="calibration needs texts"):
        made("gptq", base, tmp_path / "out", [])
    with pytest.raises(InputError, match="give texts"):
        made("gguf", base, tmp_path / "out", [], share=0.5)
    small = made("gguf", base, tmp_path / "small", [], type="q8_0").folder / "model.gguf"
    with pytest.raises(InputError, match="rounding twice loses more than once"):
        made("gguf", small, tmp_path / "out", [], type="q4_0")
    with pytest.raises(InputError, match="is no folder; texts calibrate"):
        made("gguf", small, tmp_path / "out", type="q4_0")
    bits = made("nf4", base, tmp_path / "bits", []).folder
    with pytest.raises(InputError, match="holds bitsandbytes weights; give the original floats"):
        made("layers", bits, tmp_path / "out")
    (tmp_path / "no.gguf").write_bytes(b"no")
    with pytest.raises(InputError, match="can't be read as GGUF"):
        made("gguf", tmp_path / "no.gguf", tmp_path / "out", [], type="q4_0")
    with pytest.raises(InputError, match="holds no safetensors"):
        made("layers", tmp_path / "small", tmp_path / "out")
