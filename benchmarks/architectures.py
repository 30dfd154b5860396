"""Which shape of a small decoder learns most from the same compute? A factorial ablation.

    python benchmarks/architectures.py --data DIR [--plan alone] [--seeds 2] [--minutes 10]
                                       [--steps 300] [--state FILE]

MHA, GQA, MQA x full attention, a window x RoPE, ALiBi x dense, experts: 24 networks of the nano
size, or with ``--plan alone`` the six that differ from GQA in one choice. Each is trained on the
same stream of a clinical and security corpus until it has spent the same training FLOPs
(`aegle.lm.shape`), with one schedule for all, chosen before anything was measured and not tuned.
Measured on held-out documents: perplexity a token with 95% intervals over documents; each factor's
effect as the ratio of perplexities between networks that differ in nothing else, paired by
document. Tokens/s are of this machine: training as it ran, generation of one sequence with its
cache. ``--minutes`` ends after that time; with ``--state`` the next run goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from aegle.core.artifacts import read_json, write_json
from aegle.lm.decoder import AegleDecoder, build
from aegle.lm.shape import Shape, dial
from aegle.metrics.stats import bootstrap
from architectures_corpus import Text, read

HEADS: Final = {"mha": 4, "gqa": 2, "mqa": 1}
ATTENTION: Final = ("full", "window")
POSITIONS: Final = ("rope", "alibi")
FEED: Final = ("dense", "experts")
ARMS: Final = ["-".join(one) for one in itertools.product(HEADS, ATTENTION, POSITIONS, FEED)]
BASE: Final = ("gqa", "full", "rope", "dense")
ALONE: Final = ["-".join(BASE)] + [
    "-".join(value if n == place else one for n, one in enumerate(BASE))
    for place, values in enumerate((HEADS, ATTENTION, POSITIONS, FEED))
    for value in values
    if value != BASE[place]
]
"""The base and what differs from it in one choice: what there is time for on a small machine."""
VOCABULARY, CONTEXT, WINDOW, EXPERTS, CHOSEN = 1024, 256, 64, 4, 2
ROWS: Final = 4
RATE, WARMUP = 3e-3, 0.05
LONGEST: Final = 512
"""Tokens of a held-out document that are measured, from its beginning."""


@dataclass(frozen=True)
class Corpus:
    """Tokens to train on with where documents begin, and held-out documents."""

    stream: torch.Tensor
    places: torch.Tensor
    held: list[torch.Tensor]
    held_bytes: int
    told: dict[str, Any]


def shape_of(arm: str, vocabulary: int) -> Shape:
    """The nano size with an arm's four choices."""
    heads, attention, positions, feed = arm.split("-")
    shape = dial(
        "nano",
        vocabulary=vocabulary,
        context=CONTEXT,
        kv_heads=HEADS[heads],
        window=WINDOW if attention == "window" else 0,
        kind=positions,
    )
    return shape.with_experts(EXPERTS, CHOSEN) if feed == "experts" else shape


def learnt(texts: list[str]) -> Tokenizer:
    """A byte-level BPE of the training part."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return made


def prepare(data: Path, documents: int) -> Corpus:
    """The corpus in tokens of a tokenizer that saw only its training part."""
    texts = read(data)
    train = [one for one in texts if not one.held]
    rng = np.random.default_rng(0)
    train = [train[n] for n in rng.permutation(len(train))]
    kept = [one for one in texts if one.held]
    kept = [kept[n] for n in sorted(rng.permutation(len(kept))[:documents])]
    tokenizer = learnt([one.body for one in train])
    pieces = [[0, *one.ids] for one in tokenizer.encode_batch([one.body for one in train])]
    stream = torch.tensor([token for one in pieces for token in one])
    places = torch.tensor([place for one in pieces for place in range(len(one))])
    held = [
        torch.tensor(([0, *one.ids])[:LONGEST])
        for one in tokenizer.encode_batch([one.body for one in kept])
    ]
    spoken = [tokenizer.decode(one[1:].tolist()) for one in held]
    told = {
        "documents": len(train),
        "tokens": len(stream),
        "held_documents": len(held),
        "held_tokens": sum(len(one) - 1 for one in held),
        "sources": _counted(train),
        "held_sources": _counted(kept),
    }
    return Corpus(stream, places, held, sum(len(one.encode()) for one in spoken), told)


def _counted(texts: list[Text]) -> dict[str, int]:
    names = sorted({one.source for one in texts})
    return {name: sum(one.source == name for one in texts) for name in names}


def batches(corpus: Corpus, steps: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Rows of whole context from the stream with places that restart; each start is used once."""
    starts = torch.arange(0, len(corpus.stream) - CONTEXT - 1, CONTEXT)
    drawn = starts[torch.randperm(len(starts), generator=torch.Generator().manual_seed(seed))]
    drawn = drawn.repeat(math.ceil(steps * ROWS / len(drawn)))[: steps * ROWS]
    for rows in drawn.split(ROWS):
        index = rows[:, None] + torch.arange(CONTEXT)
        places = corpus.places[index]
        # What of a document stands before the row is not seen: its places begin anew.
        first = places[:, :1] * (torch.cumsum(places == 0, 1) == 0)
        yield corpus.stream[index], places - first


def train(model: AegleDecoder, corpus: Corpus, steps: int, seed: int) -> tuple[float, float]:
    """Train for some steps: tokens a second (median of steps), and the last losses' mean."""
    matrices = [one for one in model.parameters() if one.ndim > 1]
    vectors = [one for one in model.parameters() if one.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95))
    warm = max(1, round(WARMUP * steps))

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    seconds, losses = [], []
    for ids, places in batches(corpus, steps, seed):
        start = time.perf_counter()
        labels = ids.masked_fill(places == 0, -100)
        loss = model(ids, position_ids=places, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        seconds.append(time.perf_counter() - start)
        losses.append(float(loss.detach()))
    return ROWS * CONTEXT / statistics.median(seconds), statistics.fmean(losses[-10:])


@torch.inference_mode()
def measure(model: AegleDecoder, corpus: Corpus) -> list[tuple[float, int]]:
    """Each held-out document's summed loss and tokens; in pieces of the context."""
    model.eval()
    pieces = [
        (number, document[start : start + CONTEXT + 1])
        for number, document in enumerate(corpus.held)
        for start in range(0, len(document) - 1, CONTEXT)
    ]
    sums, counts = np.zeros(len(corpus.held)), np.zeros(len(corpus.held), int)
    pieces.sort(key=lambda one: len(one[1]))
    for first in range(0, len(pieces), 32):
        part = pieces[first : first + 32]
        rows = torch.nn.utils.rnn.pad_sequence([one for _, one in part], batch_first=True)
        logits = model(rows[:, :-1], use_cache=False).logits.float()
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none"
        ).view(len(part), -1)
        for row, (number, piece) in enumerate(part):
            sums[number] += float(loss[row, : len(piece) - 1].sum())
            counts[number] += len(piece) - 1
    return [(float(one), int(count)) for one, count in zip(sums, counts, strict=True)]


@torch.inference_mode()
def generates(model: AegleDecoder, corpus: Corpus, *, tokens: int = 64) -> float:
    """Tokens a second of one sequence, after a prompt of half the context; the median of 3."""
    prompt = corpus.stream[: CONTEXT // 2][None]
    found = []
    for _ in range(3):
        out = model(prompt, use_cache=True, logits_to_keep=1)
        start = time.perf_counter()
        for _ in range(tokens):
            following = out.logits[:, -1:].argmax(-1)
            out = model(following, past_key_values=out.past_key_values, use_cache=True)
        found.append(tokens / (time.perf_counter() - start))
    return statistics.median(found)


def run(arm: str, seed: int, corpus: Corpus, budget: float) -> dict[str, Any]:
    """Train one arm until its FLOPs are spent, and measure it."""
    shape = shape_of(arm, VOCABULARY)
    cost = shape.flops_per_token(CONTEXT, training=True)
    steps = round(budget / (cost * ROWS * CONTEXT))
    model = build(shape, seed=seed)
    start = time.perf_counter()
    speed, loss = train(model, corpus, steps, seed)
    return {
        "arm": arm,
        "seed": seed,
        "steps": steps,
        "tokens": steps * ROWS * CONTEXT,
        "flops": steps * ROWS * CONTEXT * cost,
        "seconds": time.perf_counter() - start,
        "train_loss": loss,
        "train_tokens_per_s": speed,
        "generate_tokens_per_s": generates(model, corpus),
        "cache_bytes": shape.cache_bytes(CONTEXT),
        "parameters": shape.parameters(),
        "active_parameters": shape.active_parameters(),
        "documents": measure(model, corpus),
    }


def perplexity(sums: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Of documents (D,), with its interval over documents."""
    names = [str(n) for n in range(len(counts))]

    def statistic(rows: np.ndarray) -> float:
        return math.exp(sums[rows].sum() / counts[rows].sum())

    one = bootstrap(statistic, names)
    return {"perplexity": one.value, "low": one.low, "high": one.high, "n": one.n}


def report(done: list[dict[str, Any]], corpus: Corpus) -> dict[str, Any]:
    """Arms and effects, over their seeds."""
    counts = np.array([count for _, count in done[0]["documents"]]) if done else np.zeros(0)
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for one in done:
        by_arm.setdefault(one["arm"], []).append(one)
    losses = {
        arm: np.mean([[loss for loss, _ in one["documents"]] for one in found], axis=0)
        for arm, found in by_arm.items()
    }
    arms = {}
    for arm, found in by_arm.items():
        last = found[-1]
        kept = ("tokens", "flops", "cache_bytes", "parameters", "active_parameters")
        speeds = ("train_tokens_per_s", "generate_tokens_per_s")
        arms[arm] = {
            **perplexity(losses[arm], counts),
            "bits_per_byte": losses[arm].sum() / math.log(2) / corpus.held_bytes,
            **{key: last[key] for key in kept},
            **{key: statistics.median(one[key] for one in found) for key in speeds},
            "seeds": len(found),
        }
    return {"corpus": corpus.told, "arms": arms, "effects": effects(losses, counts)}


CONTRASTS: Final = {
    "gqa against mha": ("gqa", "mha"),
    "mqa against mha": ("mqa", "mha"),
    "window against full": ("window", "full"),
    "alibi against rope": ("alibi", "rope"),
    "experts against dense": ("experts", "dense"),
}


def effects(losses: dict[str, np.ndarray], counts: np.ndarray) -> dict[str, Any]:
    """Each factor's ratio of perplexities, over all pairs that differ in it alone."""
    found = {}
    for name, (new, old) in CONTRASTS.items():
        pairs = [(arm, "-".join(old if p == new else p for p in arm.split("-"))) for arm in losses]
        pairs = [(a, b) for a, b in pairs if new in a.split("-") and b in losses]
        if pairs:
            gained = np.mean([losses[a] - losses[b] for a, b in pairs], axis=0)
            ratios = [math.exp((losses[a] - losses[b]).sum() / counts.sum()) for a, b in pairs]
            one = perplexity(gained, counts)
            found[name] = {
                "ratio": one["perplexity"],
                "low": one["low"],
                "high": one["high"],
                "pairs": len(pairs),
                "least": min(ratios),
                "most": max(ratios),
            }
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300, help="of the first arm; others alike")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--documents", type=int, default=200, help="held out")
    parser.add_argument("--state", type=Path, help="what was done, to go on from")
    parser.add_argument("--plan", choices=("factorial", "alone"), default="factorial")
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    torch.set_num_threads(2)
    corpus = prepare(args.data, args.documents)
    print(json.dumps(corpus.told), flush=True)
    reference = shape_of("mha-full-rope-dense", VOCABULARY)
    budget = args.steps * ROWS * CONTEXT * reference.flops_per_token(CONTEXT, training=True)
    about = {"steps": args.steps, "documents": args.documents, "corpus": corpus.told}
    about |= {"vocabulary": VOCABULARY, "rows": ROWS}
    state = read_json(args.state) if args.state and args.state.is_file() else {"runs": []}
    if state.setdefault("about", about) != about:
        raise SystemExit(f"{args.state} is of other settings; name another file")
    wanted = ARMS if args.plan == "factorial" else ALONE
    longest = 0.0
    for seed, arm in itertools.product(range(args.seeds), wanted):
        if any((one["arm"], one["seed"]) == (arm, seed) for one in state["runs"]):
            continue
        if time.monotonic() + longest > end:
            print(f"out of time before {arm}, seed {seed}", flush=True)
            break
        start = time.monotonic()
        one = run(arm, seed, corpus, budget)
        longest = max(longest, time.monotonic() - start)
        state["runs"].append(one)
        ppl = math.exp(sum(s for s, _ in one["documents"]) / sum(c for _, c in one["documents"]))
        shown = {key: one[key] for key in ("arm", "seed", "steps", "seconds")}
        speeds = {key: round(one[key]) for key in one if key.endswith("_per_s")}
        print(json.dumps({**shown, **speeds, "perplexity": ppl}), flush=True)
        if args.state:
            write_json(args.state, state)
    print(json.dumps(report(state["runs"], corpus)))


if __name__ == "__main__":
    main()
