"""Our fine-tuning against a plain Transformers Trainer with PEFT: tokens/s, peak memory, dev loss.

    python benchmarks/sft_speed.py --data DIR [--texts 96] [--rounds 2] [--base smollm2]

The same base, LoRA, MedQuAD answers (by document), chat template, learned tokens, learning rate and
about as many tokens a step (ours: two batches of at most 1,024; plain: a batch of 8 texts); each
contender in a process of its own, in turn. ``plain`` is what Transformers does when told nothing
more: texts in random order, padded to the longest of a batch, all logits. Tokens count without
padding; ``padded`` is the share of padding in what is computed. Seconds are those of training,
loading and the dev score left out; peak memory is the process's until the training's end. Of rounds
medians count. With ``--ablate`` ours runs once more without packing, and without the chunked loss.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from aegle.core.errors import AegleError
from aegle.lm.catalog import resolve
from sft_data import LICENCE, medquad, write

BATCH = 8
"""Texts in a plain batch."""


def main() -> None:
    """Print a table and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2", help="a name of the catalog, or path:")
    add("--texts", type=int, default=96, help="learned from, once")
    add("--dev", type=int, default=24, help="scored on")
    add("--max-tokens", type=int, default=1024)
    add("--rounds", type=int, default=2)
    add("--ablate", action="store_true", help="without packing, and without chunks, too")
    add("--contender", help=argparse.SUPPRESS)
    add("--given", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        if args.contender:
            print(json.dumps(contend(args.contender, json.loads(args.given.read_text()))))
            return
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(compared(args, Path(scratch))))
    except AegleError as error:
        sys.exit(f"sft_speed: {error}")


def compared(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Run all contenders; the last line's object."""
    write(medquad(args.data), scratch, train=args.texts, dev=args.dev)
    about = {"base": str(resolve(args.base)), "scratch": str(scratch), "tokens": args.max_tokens}
    given = scratch / "given.json"
    given.write_text(json.dumps(about))
    names = ["ours", "plain"] + (["ours-padded", "ours-logits"] if args.ablate else [])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(args.rounds):
        for name in names[:: 1 if number % 2 == 0 else -1]:
            command = [sys.executable, __file__, "--data", str(args.data), "--contender", name]
            done = subprocess.run(
                [*command, "--given", str(given)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"sft_speed: {name}: {done.stderr.strip().splitlines()[-1:]}")
            one = json.loads(done.stdout.splitlines()[-1])
            found[name].append(one)
            print(name, json.dumps(one), flush=True)
    told = {
        name: {key: statistics.median(one[key] for one in some) for key in some[0]}
        for name, some in found.items()
    }
    ours, plain = told["ours"], told["plain"]
    return {
        "tokens_per_s_ratio": round(ours["tokens_per_s"] / plain["tokens_per_s"], 3),
        "memory_ratio": round(ours["peak_bytes"] / plain["peak_bytes"], 3),
        "loss_gap": round(ours["dev_loss"] - plain["dev_loss"], 4),
        "texts": args.texts,
        "rounds": args.rounds,
        "contenders": told,
    }


def contend(name: str, about: dict[str, Any]) -> dict[str, Any]:
    """What one contender measures, in this process."""
    from aegle.train.causal import adapters
    from aegle.train.causal.chat import Encoder
    from aegle.train.causal.corpus import read_corpus
    from aegle.train.causal.load import load_causal
    from aegle.train.causal.recipe import Recipe
    from aegle.train.causal.run import encoded, prepare
    from aegle.train.causal.steady import Watch, quieten
    from aegle.train.memory import peaks

    quieten()
    scratch = Path(about["scratch"])
    told = Recipe.model_validate(
        {
            "kind": "sft",
            "name": name,
            "max_tokens": about["tokens"],
            "overlong": "cut",
            "duplicates": "drop",
            "data": [{"train": "train.jsonl", "dev": "dev.jsonl", **LICENCE}],
            "adapter": "lora",
            "optimiser": {"lr": 5e-4, "epochs": 1, "warmup": 0.1, "accumulation": 2},
            "batches": {"tokens": 1024, "packing": "off" if name == "ours-padded" else "auto"},
            "loss_chunk": 0 if name == "ours-logits" else 512,
        }
    )
    model, tokenizer = load_causal(Path(about["base"]))
    corpus = read_corpus(told, scratch)
    how = {"max_tokens": told.max_tokens, "overlong": told.overlong}
    encode = Encoder(tokenizer, template="auto", **how)
    texts = {part: encoded(corpus, part, encode) for part in ("train", "dev")}
    tokens = sum(map(len, texts["train"]))
    trainer = prepare(told, model, tokenizer, texts, Watch(scratch / name), "auto")
    if name == "plain":
        # The same adapter on the model as Transformers computes it.
        model.set_attn_implementation("sdpa")
        seconds, steps = _plain(trainer.model, texts["train"], tokenizer, told, scratch)
    else:
        trainer.evaluate = lambda *_, **__: {}  # type: ignore[method-assign]
        began = time.perf_counter()
        trainer.train()
        seconds, steps = time.perf_counter() - began, trainer.state.global_step
    peak = peaks()
    scores = trainer.scores()
    loss = sum(total for total, _, _ in scores) / sum(count for _, _, count in scores)
    trained = sum(one.numel() for one in adapters.trained(trainer.model).values())
    return {
        "tokens_per_s": round(tokens / seconds, 1),
        "seconds": round(seconds, 1),
        "peak_bytes": peak.get("device_peak_bytes", peak["peak_bytes"]),
        "dev_loss": round(loss, 4),
        "steps": steps,
        "tokens": tokens,
        "padded": _padded(name, trainer, texts["train"]),
        "parameters": trained,
    }


def _padded(name: str, trainer: Any, texts: list[Any]) -> float:
    """The share of padding in what is computed (of plain: expected, by drawing batches)."""
    import numpy as np

    real = sum(map(len, texts))
    if name != "plain":
        data = trainer.train_dataset
        return round(1 - real / sum(data[n]["input_ids"].numel() for n in range(len(data))), 3)
    lengths = np.array([len(one) for one in texts])
    drawn = [np.random.default_rng(n).permutation(lengths) for n in range(20)]
    all_of = [
        max(one[at : at + BATCH]) * len(one[at : at + BATCH])
        for one in drawn
        for at in range(0, len(one), BATCH)
    ]
    return round(1 - 20 * real / sum(all_of), 3)


def _plain(
    model: Any, texts: list[Any], tokenizer: Any, told: Any, scratch: Path
) -> tuple[float, int]:
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    rows = [
        {
            "input_ids": list(one.ids),
            "attention_mask": [1] * len(one),
            "labels": [i if yes else -100 for i, yes in zip(one.ids, one.learned, strict=True)],
        }
        for one in texts
    ]
    arguments = TrainingArguments(
        output_dir=str(scratch / "plain"),
        per_device_train_batch_size=BATCH,
        learning_rate=told.optimiser.lr,
        num_train_epochs=1,
        warmup_steps=round(0.1 * -(-len(rows) // BATCH)),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=told.seed,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
    )
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began, trainer.state.global_step


if __name__ == "__main__":
    main()
