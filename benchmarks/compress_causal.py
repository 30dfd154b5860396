"""A packaged generator in fewer bytes: bytes, perplexity, tasks and speed in llama.cpp.

    python benchmarks/compress_causal.py --data DIR [--texts 24] [--tests 64] [--methods NAME,...]

SmolLM2-135M is packaged as Q4_1 only: its "FP16" here is what those numbers spread out to, and
rounding them to Q4_1 again would give them back exactly, a result that means nothing. So the
network is first written with its columns in another order (the same function; blocks of 32 then
hold numbers of 32 other blocks), and no method finds the old grid.

Texts: MedQuAD answers, by document; the first documents calibrate, others are tested on. All is of
llama.cpp's own logits (its C interface, no server):

- perplexity of the tested texts;
- ``words``: as LAMBADA asks for the last word of a passage, every word after the 32nd token: right
  if each of its tokens is the likeliest after what stands before;
- ``choice``: which of four answers belongs to a question, the others being answers to questions of
  the same kind about something else (the likeliest by byte).

What is kept has 95% intervals by a paired bootstrap over documents. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
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
from aegle.core.records import Measure
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
    "33%, importance": ("gguf", {"share": 0.33}, True),
    "35%, GPTQ": ("gptq", {"share": 0.35}, True),
    "33%, GPTQ": ("gptq", {"share": 0.33}, True),
}

TABLE = ("Q4_0", "Q4_0, importance", "Q4_0, AWQ", "Q4_0, GPTQ")
"""4 bits beside each other: of perplexity and words alone."""
_LEAST = 40
_CONTEXT = 32


def main() -> None:
    """Print a table and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2")
    add("--texts", type=int, default=24, help="that calibrate")
    add("--tests", type=int, default=64, help="texts of perplexity and words")
    add("--questions", type=int, default=96, help="with four answers each")
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
    pairs = [one for one in medquad(args.data) if len(one["completion"].split()) >= _LEAST]
    calibrate = [one["completion"] for one in pairs[: args.texts]]
    seen = {one["group"] for one in pairs[: args.texts]}
    held = [one for one in pairs[len(pairs) // 2 :] if one["group"] not in seen]
    rest = list({one["group"]: one["completion"] for one in reversed(held)}.values())[-args.tests :]
    shuffled = scratch / "shuffled"
    before = _logits(model, tokenizer, rest[0])
    shuffle(model)
    apart = float((before - _logits(model, tokenizer, rest[0])).abs().max())
    print(f"columns in another order: logits differ by {apart:.1e} at most", flush=True)
    model.save_pretrained(shuffled)
    tokenizer.save_pretrained(shuffled)
    asked = _tests(args, tokenizer, rest, held)
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
        new = _scored(out / "model.gguf", asked, tasks=label not in TABLE)
        row = _row(asked, base, new, made.bytes / whole.stat().st_size)
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


def _tests(
    args: argparse.Namespace, tokenizer: Any, rest: list[str], held: list[dict[str, Any]]
) -> dict[str, Any]:
    """Ids of texts with the places of their words, and questions with four answers."""
    texts = [ids[0].tolist() for ids in hear.encoded(tokenizer, rest, tokens=args.tokens)]
    words = [_words(tokenizer.convert_ids_to_tokens(ids)) for ids in texts]
    return {"texts": texts, "words": words, "questions": _questions(args, tokenizer, held)}


def _words(pieces: list[str]) -> list[tuple[int, int]]:
    """From where to where each word of letters goes, but the last, which may be cut."""
    starts = [at for at, piece in enumerate(pieces) if piece.startswith("Ġ")]
    spans = [(a, b) for a, b in itertools.pairwise(starts) if a >= _CONTEXT]
    return [(a, b) for a, b in spans if "".join(pieces[a:b])[1:].isalpha()]


def _questions(
    args: argparse.Namespace, tokenizer: Any, held: list[dict[str, Any]]
) -> list[list[tuple[list[int], int, int]]]:
    """(ids, where the answer begins, its bytes), the right one first, of each question."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in held:
        kinds.setdefault(" ".join(one["prompt"].split()[:3]), []).append(one)
    found: list[list[tuple[list[int], int, int]]] = []
    for some in sorted(kinds.values(), key=len, reverse=True):
        some = list({one["group"]: one for one in some}.values())
        for at in range(0, len(some) - 3, 4):
            if len(found) == args.questions:
                return found
            four = [" " + " ".join(one["completion"].split()[:20]) for one in some[at : at + 4]]
            first = tokenizer(f"Question: {some[at]['prompt']}\nAnswer:").input_ids
            more = [tokenizer(one).input_ids for one in four]
            rows = zip(more, four, strict=True)
            found.append([(first + ids, len(first), len(end.encode())) for ids, end in rows])
    return found


def _scored(file: Path, asked: dict[str, Any], *, tasks: bool = True) -> dict[str, Any]:
    """Nats, tokens, right words and choices, tokens a second (one after the other)."""
    model = Llama(file)
    try:
        nats, right = [], []
        for ids, words in zip(asked["texts"], asked["words"], strict=True):
            told = model.told(ids)
            nats.append(-float(told.log_p_T.sum()))
            hit = told.best_T == np.array(ids[1:])
            right.append(sum(bool(hit[a - 1 : b - 1].all()) for a, b in words))
        chosen = [_chosen(model, four) for four in asked["questions"]] if tasks else []
        rates = [_rate(model, asked["texts"][0][:16]) for _ in range(3)]
        return {
            "nats": np.array(nats),
            "right": np.array(right),
            "chosen": np.array(chosen),
            "rate": statistics.median(rates),
        }
    finally:
        model.close()


def _chosen(model: Llama, four: list[tuple[list[int], int, int]]) -> bool:
    worth = [model.told(ids).log_p_T[start - 1 :].sum() / size for ids, start, size in four]
    return int(np.argmax(worth)) == 0


def _rate(model: Llama, ids: list[int], count: int = 48) -> float:
    began = time.perf_counter()
    model.write(ids, count)
    return count / (time.perf_counter() - began)


def _row(
    asked: dict[str, Any], base: dict[str, Any], new: dict[str, Any], share: float
) -> dict[str, Any]:
    tokens = np.array([len(ids) - 1 for ids in asked["texts"]])

    def perplexity(rows: Any) -> float:
        return math.exp(float((new["nats"] - base["nats"])[rows].sum() / tokens[rows].sum()))

    def kept(key: str) -> Measure | None:
        if not len(new[key]):
            return None
        return bootstrap(
            lambda rows: float(new[key][rows].sum() / max(1, base[key][rows].sum())),
            [str(n) for n in range(len(new[key]))],
        )

    measures = {
        "perplexity_ratio": bootstrap(perplexity, [str(n) for n in range(len(tokens))]),
        "words_kept": kept("right"),
        "choice_kept": kept("chosen"),
    }
    shown = {
        name: [round(one.value, 4), round(one.low, 4), round(one.high, 4)]
        for name, one in measures.items()
        if one is not None
    }
    return {
        "bytes_ratio": round(share, 4),
        **shown,
        "words": [int(base["right"].sum()), int(new["right"].sum()), sum(map(len, asked["words"]))],
        "choices": [int(one["chosen"].sum()) for one in (base, new)] + [len(new["chosen"])],
        "perplexity": round(math.exp(float(base["nats"].sum() / tokens.sum())), 2),
        "speedup": round(new["rate"] / base["rate"], 3),
        "texts": len(tokens),
        "tokens": int(tokens.sum()),
    }


if __name__ == "__main__":
    main()
