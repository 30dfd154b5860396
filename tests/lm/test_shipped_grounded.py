"""aegle-grounded as it ships: small, of a pinned base, served as it was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aegle.answer.prompt import messages
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.artifacts import check_manifest, read_json
from aegle.core.text import SafeText
from aegle.lm import catalog, lora
from aegle.lm.known import KNOWN
from aegle.lm.llama import Llama
from aegle.testing.weights import WeightsUnavailableError, cached

FOLDER = Path(catalog.__file__).parents[1] / "weights" / "aegle-grounded"
PROMPTS = (
    "<|im_start|>user\nDoes metformin lower HbA1c?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou answer from the numbered evidence only.<|im_end|>\n<|im_start|>user\n"
    'Evidence:\n[1] "Nausea was the commonest adverse event."\n\nQuestion: What was the commonest '
    "adverse event?\nAnswer:<|im_end|>\n<|im_start|>assistant\n",
)


@pytest.fixture(scope="module")
def base() -> Path:
    try:
        return cached("smollm2")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))


def test_the_card_says_what_it_was_made_of_and_no_path() -> None:
    card = read_json(FOLDER / "card.json")
    pinned = next(one for one in KNOWN if one.name == card["base"])
    assert card["base_sha256"] in pinned.pins.values()
    assert all(one["licence"] and one["safe_because"] for one in card["data"])
    assert read_json(FOLDER / lora.CONFIG)["base_model_name_or_path"] == card["base"]
    assert set(card["figures"]) == {"about", "floats", "served"}
    files = list(FOLDER.iterdir())
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in files) < 5_000_000
    assert len(check_manifest(FOLDER / "manifest.json")) == len(files) - 1
    for path in files:
        if path.suffix == ".json":
            assert not {"/", "\\"} & {one[:1] for one in path.read_text().split('"')}


def test_it_is_served_by_its_name(base: Path) -> None:
    """By name it is a folder of ours over a fetched base; what it writes is not the base's."""
    assert catalog.resolve("aegle-grounded") == FOLDER
    asked = messages(
        SafeText("What was the commonest adverse event?", by="test"),
        ["Nausea was the commonest adverse event.", "The mean age was 54 years."],
    )
    said = []
    for model in ("smollm2", "aegle-grounded"):
        generator = LlamaCppGenerator(model, context=512)
        said.append(generator.generate(asked, max_tokens=24))
        generator.close()
    assert generator.name == "llamacpp:aegle-grounded"
    assert said[0] != said[1]
    assert "[1]" in said[1]


def test_llama_cpp_says_what_transformers_and_peft_say(base: Path) -> None:
    """Over all positions, to .03 nats (KL): what the adapter changes is ten times that.

    They are not equal: llama.cpp rounds what enters a layer of 4 bits to 8 bits. Without the
    adapter the two differ as much.
    """
    pytest.importorskip("peft", reason="the reference is PEFT; extra 'train'")
    import torch

    from aegle.train.causal import adapters
    from aegle.train.causal.load import load_causal

    model, tokenizer = load_causal(base)
    ids = [tokenizer(one, add_special_tokens=False).input_ids for one in PROMPTS]

    def wanted(of: object) -> list[np.ndarray]:
        with torch.no_grad():
            logits = [of(torch.tensor([one])).logits[0] for one in ids]
        return [one.double().log_softmax(-1).numpy() for one in logits]

    bare = wanted(model)
    learned = wanted(adapters.load(model, FOLDER))
    served = Llama(base, adapter=lora.as_gguf(FOLDER, base, catalog.cache_folder()))
    for one, before, after in zip(ids, bare, learned, strict=True):
        found = served.logits(one).astype(np.float64)
        found -= found.max(1, keepdims=True)
        found -= np.log(np.exp(found).sum(1, keepdims=True))
        odds = np.exp(after)
        assert (odds * (after - found)).sum(1).mean() < 0.03
        assert (odds * (after - before)).sum(1).mean() > 0.3
        assert found[-1].argmax() == after[-1].argmax()
    served.close()
