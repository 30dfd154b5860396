"""`aegle compress` of a generator, end to end on a tiny one, scored by llama.cpp."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression of generators needs the extra 'train'")

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

import tiny_models as tiny
from aegle.compress import decoders
from aegle.compress.decoders import DECODERS
from aegle.compress.search import Target
from aegle.compress.source import kind_of
from aegle.core.artifacts import check_manifest, read_json
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import quiet
from aegle.flows import compress_heal
from aegle.flows.compress_generators import Generator, read_choices
from aegle.flows.compress_parts import Data
from aegle.flows.compressing import compress
from aegle.lm.gguf import export
from aegle.lm.llama import Llama

TEXTS = [f"{one}. {other}" for one in tiny.TEXTS for other in tiny.TEXTS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    config = LlamaConfig(
        vocab_size=328,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.1,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    tiny.save(folder, config, kind=AutoModelForCausalLM)
    return folder


@pytest.fixture(scope="module")
def shrink(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("search")
    (root / "texts.jsonl").write_text("\n".join(json.dumps({"text": one}) for one in TEXTS))

    def run(model: Path = base, *wanted: str, **more: Any) -> dict[str, Any]:
        told = {"path": root / "texts.jsonl", "format": "json", "because": "made", **more}
        return compress(
            str(model),
            data=Data(**told),
            target=Target(0.6, None, 0.9),
            methods_wanted=wanted or ["gguf"],
            out=root / (more.get("score") or "out") / model.name,
            trials=3,
            threads=1,
            progress=quiet,
        )

    return run


def test_a_generator_is_chosen_by_perplexity(shrink: Any, base: Path) -> None:
    result = shrink(base, "gguf", "ffn")
    assert result["kind"] == "decoder"
    assert result["score"] == "perplexity"
    assert result["meets"], result
    assert not result["failed"]
    model = Path(result["artifact"])
    check_manifest(model / "manifest.json")
    card = read_json(model / "card.json")["compressed"]
    assert card["scored"]["retention"] == result["held_out"]["retention"]
    assert {one["size"] < 0.6 for one in result["trials"] if one["chosen"]} == {True}
    opened = Llama(model / "model.gguf", 1)
    assert len(opened.write(opened.encode(TEXTS[0]), 3)) == 3
    opened.close()
    again = shrink(base, "gguf", "ffn")
    assert again["trials"] == result["trials"]


def test_cuts_are_served_too(shrink: Any, base: Path) -> None:
    result = shrink(base, "ffn")
    assert {one["method"] for one in result["trials"]} == {"ffn"}
    assert result["trials"][0]["about"]["types"]


def test_a_healed_cut_says_more_of_what_the_original_says(base: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "texts": [f"{one} {n}" for one in TEXTS for n in range(4)],
        "progress": quiet,
    }
    cut = {"share": 0.5, "then": "f16"}
    plain = decoders.ffn(base, tmp_path / "plain", settings={**cut, "fit": False}, **given)
    told = {**cut, "fit": False, "cut": "ffn", "lr": 1e-3, "epochs": 8}
    made = compress_heal.healed_generator(base, tmp_path / "healed", settings=told, **given)
    check_manifest(made.folder / "manifest.json")
    assert made.about["taught_by"] == len(TEXTS) * 4
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    export(base, tmp_path / "whole.gguf")
    apart = []
    whole = Llama(tmp_path / "whole.gguf", 1)
    for folder in (plain.folder, made.folder):
        small, far = Llama(folder / "model.gguf", 1), []
        for text in TEXTS[:4]:
            odds = [one.logits(whole.encode(text)).astype(float) for one in (whole, small)]
            wanted, found = (torch.tensor(one).log_softmax(-1) for one in odds)
            far.append(float((wanted.exp() * (wanted - found)).sum(-1).mean()))
        apart.append(sum(far))
        small.close()
    whole.close()
    assert apart[1] < 0.9 * apart[0]
    with pytest.raises(UsageError, match="no cut 'depth'"):
        compress_heal.healed_generator(base, tmp_path / "x", settings={"cut": "depth"}, **given)
    with pytest.raises(InputError, match="none was given"):
        compress_heal.healed_generator(base, tmp_path / "x", settings={}, texts=[], progress=quiet)


def test_what_is_quantised_already_is_spread_out_and_said_to_be(
    shrink: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    # Transformers adds this token to tokenizers that it reads from GGUF and that lack it.
    shutil.copytree(base, tmp_path / "base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        path = tmp_path / "base" / name
        path.write_text(path.read_text().replace("<|pad|>", "<|endoftext|>"))
    (tmp_path / "whole").mkdir()
    file = export(tmp_path / "base", tmp_path / "whole" / "file.gguf")
    assert kind_of(file) == kind_of(file.parent) == kind_of(base) == "decoder"
    assert shrink(file)["float"]["dequantised"] is False
    given = {"texts": [], "settings": {"type": "q8_0"}, "progress": quiet}
    small = DECODERS["gguf"](tmp_path / "base", tmp_path / "small", **given)
    assert shrink(small.folder)["float"]["dequantised"] is True


def test_scores_are_those_of_the_equations(base: Path, tmp_path: Path) -> None:
    """Against Transformers' float network."""
    export(base, tmp_path / "model.gguf", dtype="fp32")
    model = AutoModelForCausalLM.from_pretrained(base)
    opened = Llama(tmp_path / "model.gguf", 1)
    ids = opened.encode(TEXTS[3])
    assert ids == tiny.tokenizer()(TEXTS[3]).input_ids
    told = opened.told(ids)
    written = opened.write(ids, 4)
    opened.close()
    opened.close()
    with torch.no_grad():
        odds = model(torch.tensor([ids])).logits[0].log_softmax(-1).numpy()
        wanted = model.generate(
            torch.tensor([ids]), max_new_tokens=4, do_sample=False, eos_token_id=None
        )[0, len(ids) :].tolist()
    own = odds[np.arange(len(ids) - 1), ids[1:]]
    np.testing.assert_allclose(told.log_p_T, own, atol=0.02)
    assert (told.best_T == odds[:-1].argmax(1)).mean() > 0.9
    assert written == wanted
    reader = Generator(tmp_path, 1, "perplexity", [(ids,)])
    np.testing.assert_allclose(reader.counts(), [[[-own.sum(), len(ids) - 1]]], rtol=1e-3)
    assert reader.read(9) == 1
    reader.close()
    reader = Generator(tmp_path, 1, "next-token", [(ids + written,)])
    right = int((told.best_T == ids[1:]).sum()) + len(written)  # it says again what it wrote
    assert reader.counts().tolist() == [[[right, len(ids) + 3]]]
    reader.close()
    ends = ((ids, len(ids) - 2, 3), (ids[:-1], len(ids) - 2, 1))
    reader = Generator(tmp_path, 1, "choice", [(ends, 0)])
    best = own[-2:].sum() / 3 > own[-2:-1].sum()
    assert reader.counts().tolist() == [[[float(best), 1.0]]]
    reader.close()


def test_choices_are_read_and_scored(shrink: Any, tmp_path: Path) -> None:
    rows = [
        {
            "text": f"{n}: {one[:40]}",
            "choices": [" aspirin", " host", " pump"],
            "answer": n % 3,
            "group": n,
        }
        for n, one in enumerate(TEXTS)
    ]
    path = tmp_path / "choices.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    given = read_choices(path)
    assert given[4].answer == 1
    result = shrink(path=path, score="choice")
    assert result["score"] == "choice"
    assert 0 < result["float"]["quality"]["value"] <= 1
    for bad in ({"text": "a", "choices": ["b"], "answer": 0}, {"text": "a"}, [1]):
        path.write_text(json.dumps(bad))
        with pytest.raises(InputError, match="line 1: a text, two choices"):
            read_choices(path)


def test_what_makes_no_sense_is_refused(shrink: Any, base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a decoder is scored by perplexity or next-token"):
        shrink(score="f1")
    with pytest.raises(UsageError, match="did you mean 'gguf'"):
        shrink(base, "ggu")
    with pytest.raises(InputError, match="say why"):
        shrink(because=" ")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"llama\.cpp can't load it"):
        Llama(tmp_path / "bad.gguf")
    export(base, tmp_path / "model.gguf")
    opened = Llama(tmp_path / "model.gguf", 1)
    with pytest.raises(InputError, match="a text of 1 tokens; 2 to 512"):
        opened.told([3])
    opened.close()
