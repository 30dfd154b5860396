"""A packaged generator in fewer bytes: bytes, perplexity, task and speed in llama.cpp.

    python benchmarks/compress_causal.py --data DIR [--texts 24] [--tests 24] [--methods NAME,...]

SmolLM2-135M is packaged as Q4_1 only: its "FP16" here is what those numbers spread out to, and
rounding them to Q4_1 again would give them back exactly, a result that means nothing. So the
network is first written with its columns in another order (the same function; blocks of 32 then
hold numbers of 32 other blocks), and no method finds the old grid.

Texts: MedQuAD answers, by document; the first documents calibrate, others are tested on. Perplexity
is of llama.cpp's own logits (its C interface, no server); the task is PubMedQA's test abstracts,
answered by the likelier of " yes" and " no" after question and abstract. Ratios have 95%
intervals by a paired bootstrap over documents. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aegle.compress.causal import hear
from aegle.compress.decoders import DECODERS
from aegle.core.errors import AegleError
from aegle.core.ports import quiet
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.gguf import export
from aegle.lm.llama import Llama
from aegle.metrics.stats import bootstrap
from aegle.train.causal.load import load_causal
from sft_data import medquad

METHODS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "Q8_0": ("gguf", {"type": "q8_0"}, False),
    "Q5_0": ("gguf", {"type": "q5_0"}, False),
    "Q5_0, importance": ("gguf", {"type": "q5_0"}, True),
    "Q4_K": ("gguf", {"type": "q4_k"}, False),
    "Q4_0": ("gguf", {"type": "q4_0"}, False),
    "Q4_0, importance": ("gguf", {"type": "q4_0"}, True),
    "Q4_0, AWQ": ("awq", {"type": "q4_0"}, True),
    "Q4_0, GPTQ": ("gptq", {"type": "q4_0"}, True),
    "35%, importance": ("gguf", {"share": 0.35}, True),
    "35%, GPTQ": ("gptq", {"share": 0.35}, True),
}


def main() -> None:
    """Print a table and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2")
    add("--texts", type=int, default=24, help="that calibrate")
    add("--tests", type=int, default=24, help="texts of perplexity, and questions")
    add("--tokens", type=int, default=192, help="of a text")
    add("--methods", default=",".join(METHODS).replace(", ", "+"), help="with + for ', '")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps({"models": compared(args, Path(scratch))}))
    except AegleError as error:
        sys.exit(f"compress_causal: {error}")


def compared(args: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """A row for each method, the floats first."""
    load_causal(resolve(args.base))  # spreads a GGUF file out into the cache
    file = next(resolve(args.base).parent.rglob("*.gguf"))
    source = next((cache_folder() / "trainable").glob(f"{file.stem}-*"))
    model, tokenizer = hear.load(source)
    texts = [one["completion"] for one in medquad(args.data)]
    calibrate, rest = texts[: args.texts], texts[len(texts) // 2 :][: args.tests]
    shuffled = scratch / "shuffled"
    before = _logits(model, tokenizer, rest[0])
    shuffle(model)
    apart = float((before - _logits(model, tokenizer, rest[0])).abs().max())
    print(f"columns in another order: logits differ by {apart:.1e} at most", flush=True)
    model.save_pretrained(shuffled)
    tokenizer.save_pretrained(shuffled)
    asked = _tests(args, tokenizer, rest)
    whole = export(shuffled, scratch / "whole.gguf")
    rows, base = [], _scored(whole, asked)
    for name in args.methods.split(","):
        label = name.replace("+", ", ")
        method, settings, hears = METHODS[label]
        began, out = time.perf_counter(), scratch / str(len(rows))
        made = DECODERS[method](
            shuffled, out, texts=calibrate if hears else [], settings=settings, progress=quiet
        )
        seconds = time.perf_counter() - began
        row = _row(base, _scored(out / "model.gguf", asked), made.bytes / whole.stat().st_size)
        rows.append({"model": args.base, "method": label, "seconds": round(seconds, 1), **row})
        print(json.dumps(rows[-1]), flush=True)
        (out / "model.gguf").unlink()
    return rows


def shuffle(model: Any, seed: int = 5) -> None:
    """Put the stream's and the inner columns into another order; what is computed stays."""
    rng = torch.Generator().manual_seed(seed)
    core = model.model
    order = torch.randperm(core.embed_tokens.embedding_dim, generator=rng)
    core.embed_tokens.weight.data = core.embed_tokens.weight.data[:, order]
    core.norm.weight.data = core.norm.weight.data[order]
    for block in core.layers:
        inner = torch.randperm(block.mlp.down_proj.in_features, generator=rng)
        for norm in (block.input_layernorm, block.post_attention_layernorm):
            norm.weight.data = norm.weight.data[order]
        attention = block.self_attn
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj):
            layer.weight.data = layer.weight.data[:, order]
        attention.o_proj.weight.data = attention.o_proj.weight.data[order]
        for layer in (block.mlp.gate_proj, block.mlp.up_proj):
            layer.weight.data = layer.weight.data[inner][:, order]
        block.mlp.down_proj.weight.data = block.mlp.down_proj.weight.data[order][:, inner]


def _logits(model: Any, tokenizer: Any, text: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(hear.encoded(tokenizer, [text], tokens=64)[0]).logits
    return found


def _tests(args: argparse.Namespace, tokenizer: Any, rest: list[str]) -> dict[str, Any]:
    """Ids of texts, and of questions with what is right."""
    root = args.data / "pubmedqa"
    rows = json.loads((root / "ori_pqal.json").read_text("utf-8"))
    truth = json.loads((root / "test_ground_truth.json").read_text("utf-8"))
    questions = []
    for item in sorted(truth):
        if truth[item] == "maybe" or len(questions) == args.tests:
            continue
        ids = tokenizer(" ".join(rows[item]["CONTEXTS"])).input_ids[: args.tokens]
        ids += tokenizer(f"\nQuestion: {rows[item]['QUESTION']}\nAnswer:").input_ids
        questions.append((ids, truth[item]))
    words = {one: tokenizer(f" {one}").input_ids[0] for one in ("yes", "no")}
    texts = [ids[0].tolist() for ids in hear.encoded(tokenizer, rest, tokens=args.tokens)]
    return {"texts": texts, "questions": questions, "words": words}


def _scored(file: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Nats and tokens of each text, answers, tokens a second (one thread, one at a time)."""
    model = Llama(file)
    try:
        nats = [model.nats(ids) for ids in asked["texts"]]
        answers = []
        for ids, _ in asked["questions"]:
            last = model.logits(ids)[-1]
            answers.append(
                max(asked["words"], key=lambda one, last=last: last[asked["words"][one]])
            )
        return {
            "nats": np.array(nats),
            "tokens": np.array([len(ids) - 1 for ids in asked["texts"]]),
            "right": np.array(
                [one == truth for one, (_, truth) in zip(answers, asked["questions"], strict=True)]
            ),
            "answers": answers,
            "rate": model.rate(asked["texts"][0][:16]),
        }
    finally:
        model.close()


def _row(base: dict[str, Any], new: dict[str, Any], share: float) -> dict[str, Any]:
    tokens, right = base["tokens"], base["right"]

    def perplexity(rows: Any) -> float:
        return math.exp(float((new["nats"] - base["nats"])[rows].sum() / tokens[rows].sum()))

    def kept(rows: Any) -> float:
        return float(new["right"][rows].sum() / max(1, right[rows].sum()))

    told = bootstrap(perplexity, [str(n) for n in range(len(tokens))])
    task = bootstrap(kept, [str(n) for n in range(len(right))])
    same = np.mean([a == b for a, b in zip(base["answers"], new["answers"], strict=True)])
    return {
        "bytes_ratio": round(share, 4),
        "perplexity_ratio": round(told.value, 4),
        "low": round(told.low, 4),
        "high": round(told.high, 4),
        "retention": round(task.value, 4),
        "retention_low": round(task.low, 4),
        "retention_high": round(task.high, 4),
        "same_answers": round(float(same), 4),
        "right": [int(right.sum()), int(new["right"].sum()), len(right)],
        "speedup": round(new["rate"] / base["rate"], 3),
        "texts": len(tokens),
    }


if __name__ == "__main__":
    main()
