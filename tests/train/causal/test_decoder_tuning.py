"""PEFT and TRL take the research decoder as they take any model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from trl import SFTConfig, SFTTrainer

import tiny_models as tiny
from aegle.lm.decoder import build
from aegle.lm.shape import dial

SETTINGS: dict[str, dict[str, Any]] = {
    "dense": {},
    "window": {"window": 8},
    "alibi": {"kind": "alibi"},
    "experts": {},
}


def model(name: str) -> Any:
    small = {
        "vocabulary": 320,
        "width": 32,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "head_width": 8,
    }
    shape = dial("nano", **small, mlp_width=48, **SETTINGS[name])
    shape = shape.with_experts(4, 2, shared=1) if name == "experts" else shape
    made = build(shape, seed=1, pad_token_id=1, eos_token_id=0)
    with torch.no_grad():
        # As large as in a trained model: adapters of a network that says nothing learn nothing.
        for weight in made.parameters():
            weight.mul_(8.0 if weight.ndim > 1 else 1.0)
    return made


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("packing", [False, True])
def test_trl_tunes_lora_on_it(name: str, packing: bool, tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer()
    base = model(name)
    before = {key: one.clone() for key, one in base.state_dict().items()}
    args = SFTConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=8,
        learning_rate=3e-2,
        per_device_train_batch_size=4,
        packing=packing,
        max_length=64,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        seed=1,
        activation_checkpointing=name == "dense",
    )
    trainer = SFTTrainer(
        model=base,
        args=args,
        train_dataset=Dataset.from_dict({"text": tiny.TEXTS * 8}),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    assert losses[-1] < 0.9 * losses[0]
    adapter = tmp_path / "adapter"
    trainer.model.save_pretrained(adapter)
    fresh = model(name)
    assert all(torch.equal(one, before[key]) for key, one in fresh.state_dict().items())
    again = PeftModel.from_pretrained(fresh, adapter).eval()
    ids = tokenizer(tiny.TEXTS[0], return_tensors="pt").input_ids
    tuned = trainer.model.eval()
    with torch.no_grad():
        wanted = tuned(ids).logits
        torch.testing.assert_close(again(ids).logits, wanted)
        merged = again.merge_and_unload()
        torch.testing.assert_close(merged(ids).logits, wanted, atol=1e-4, rtol=1e-4)


def test_prefixes_go_into_its_cache() -> None:
    from peft import PrefixTuningConfig

    tuned = get_peft_model(
        model("dense"), PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    )
    ids = torch.randint(5, 300, (2, 12))
    loss = tuned(ids, labels=ids, attention_mask=torch.ones_like(ids)).loss
    loss.backward()
    learned = [one for one in tuned.parameters() if one.requires_grad]
    assert learned
    assert all(bool(one.grad.abs().sum() > 0) for one in learned)
