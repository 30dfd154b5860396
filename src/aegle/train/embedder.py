"""Domain embedder: the loop of `aegle.train.contrast` over low-rank changes, and what it ships."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModel

from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import InputError
from aegle.lm.encoder import read_pooling, read_tokenizer
from aegle.metrics import ranking
from aegle.train import lowrank
from aegle.train.contrast import Draw, Drawn, Embedder, How, info_nce, mixed
from aegle.train.data.beir import Asked, RetrievalData, read, rights
from aegle.train.fit import schedule
from aegle.train.resume import SAVE_S, Steps, data_hashes, identity

Log = Callable[[str, float, int], None]
MODEL: Final = "model"
"""In a run's folder: what is served."""

SHARES: Final = (1.0, 0.75, 0.5, 0.25)
"""Of the changes, tried on dev: half of what was learned may keep more of what was known."""

SLACK: Final = 0.01
"""nDCG@10 that a source which is only there to guard may lose on its dev questions."""

DEV_QUESTIONS: Final = 30
DEV_PASSAGES: Final = 60
"""Of each source, for the score that chooses: drawn, and the same ones each time."""


def network(base: Path, how: How) -> Embedder:
    """The packaged encoder, pooled as it is served, with low-rank changes that begin at nothing.

    Raises:
        InputError: the folder holds no BERT that can be trained, or pools in a way not known.
    """
    pooling = read_pooling(base)
    torch.manual_seed(how.seed)
    try:
        # Dropout inside attention keeps a processor from its fused kernel: twice the time.
        encoder = AutoModel.from_pretrained(
            str(base),
            add_pooling_layer=False,
            attention_probs_dropout_prob=0.0,
            hidden_dropout_prob=0.0,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{base} holds no encoder that can be trained") from error
    net = Embedder(encoder, read_tokenizer(base / "tokenizer.json"), pooling=pooling)
    lowrank.adapt(net, rank=how.rank, alpha=how.alpha)
    return net


def fit(
    net: Embedder,
    sources: Sequence[RetrievalData],
    how: How,
    *,
    folder: Path,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    log: Log = lambda name, value, step: None,
    about: Mapping[str, Any] | None = None,
    save_s: float = SAVE_S,
) -> int:
    """Train; the steps done. A run that was stopped or killed goes on to the same weights.

    Args:
        sources: their training parts are learned from.
        how: what decides the run.
        folder: of the checkpoint.
        resume: go on from it.
        stop: asked before each step; it ends then, with a checkpoint.
        log: takes a figure's name, its value and the step.
        about: what else decides the run: a checkpoint of another base or other data is refused.
        save_s: seconds between checkpoints.

    Raises:
        InputError: no checkpoint to resume from, or one of another run.
        StoppedError: ``stop`` said so; ``resume`` goes on.
    """
    drawn = [Drawn(one, how) for one in sources]
    learned = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=how.lr, weight_decay=how.decay)
    told = {"how": how.told(), "sources": [one.name for one in sources], **(about or {})}
    steps = Steps(net, optimiser, folder=folder, about=told, resume=resume, save_s=save_s)
    if steps.done == how.steps:  # drawing all batches again takes a minute
        return steps.done
    for step, draw in steps.over(mixed(drawn, how), stop):
        for group in optimiser.param_groups:
            group["lr"] = how.lr * schedule(step, how.steps, how.warmup)
        log(f"loss/{draw.source}", _step(net, draw, how, optimiser), step)
    return how.steps


def _step(net: Embedder, draw: Draw, how: How, optimiser: torch.optim.Optimizer) -> float:
    net.train()
    loss = info_nce(
        net(draw.questions, how.question_pieces),
        net(draw.passages, how.passage_pieces),
        draw.right_Q,
        draw.other_QP,
        temperature=how.temperature,
        dimensions=how.dimensions,
    )
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for p in net.parameters() if p.requires_grad], 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())


def dev_scores(
    net: Embedder, sources: Sequence[RetrievalData], how: How, *, part: str = "dev"
) -> dict[str, float]:
    """nDCG@10 of each source's dev questions over a sample of its passages."""
    found = {}
    net.eval()
    for data in sources:
        # A guard forbids: it must not do so by chance.
        asked = data.asked[part]
        if data.asked["train"]:
            asked = sample(asked, DEV_QUESTIONS, how.seed)
        if not asked:
            continue
        wanted = {n for one in asked for n in one.gold}
        near = [m for n in sorted(wanted) for m in data.links.get(n, ())[:2]]
        rest = np.random.default_rng(how.seed).permutation(len(data.passages)).tolist()
        # Neighbours first: among passages at random nothing is hard.
        some = list(dict.fromkeys([*sorted(wanted), *near, *rest]))[: len(wanted) + DEV_PASSAGES]
        with torch.inference_mode():
            told_PC = _embedded(net, [data.passages[n] for n in some], how.passage_pieces)
            asked_QC = _embedded(net, [one.text for one in asked], how.question_pieces)
        order = (-(asked_QC @ told_PC.T)).argsort(dim=1, stable=True).tolist()
        found[data.name] = float(
            np.mean(
                [
                    ranking.ndcg([str(some[n]) for n in row], {str(n): 1.0 for n in one.gold}, k=10)
                    for row, one in zip(order, asked, strict=True)
                ]
            )
        )
    return found


def sample(asked: Sequence[Asked], most: int, seed: int) -> list[Asked]:
    """So many questions drawn by a hash of their texts: the same in whatever order they lie.

    The first of a file are those of its first documents.
    """
    drawn = [(hashlib.sha256(f"{seed}\n{one.text}".encode()).digest(), one) for one in asked]
    return [one for _, one in sorted(drawn, key=lambda pair: pair[0])[:most]]


def _embedded(net: Embedder, texts: Sequence[str], pieces: int) -> torch.Tensor:
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    parts = [
        functional.normalize(net([texts[n] for n in order[at : at + 32]], pieces), dim=1)
        for at in range(0, len(order), 32)
    ]
    vectors = torch.cat(parts)
    return vectors[torch.tensor(order).argsort()]


def choose(
    net: Embedder, sources: Sequence[RetrievalData], how: How, *, folder: Path
) -> tuple[float, dict[str, dict[str, float]]]:
    """(share, dev scores by share): the share of the changes that serves best; it is set.

    Sources without training questions guard what was known before: where one loses more than
    `SLACK`, a share is not taken; 0 where none is left. Scores are kept in ``folder``, so that
    choosing goes on where it was stopped.

    References:
        Wortsman et al. (2022), Robust fine-tuning of zero-shot models.
    """
    guards = {one.name for one in sources if not one.asked["train"]}
    path = folder / "dev.json"
    told: dict[str, dict[str, float]] = read_json(path) if path.is_file() else {}
    for share in (0.0, *SHARES):
        weigh(net, share, how)
        known = told.setdefault(f"{share:g}", {})
        if open_ones := [one for one in sources if one.name not in known]:
            known |= dev_scores(net, open_ones, how)
            write_json(path, told)
    before = told["0"]
    allowed = [
        share
        for share in SHARES
        if all(told[f"{share:g}"][one] >= before[one] - SLACK for one in guards & before.keys())
    ]
    best = max((0.0, *allowed), key=lambda share: float(np.mean(list(told[f"{share:g}"].values()))))
    weigh(net, best, how)
    return best, told


def weigh(net: Embedder, share: float, how: How) -> None:
    """Count the changes ``share`` times."""
    for module in net.modules():
        if isinstance(module, lowrank.LowRank):
            module.scale = share * how.alpha / math.sqrt(how.rank)


def run(
    folders: Sequence[Path],
    *,
    base: str,
    base_folder: Path,
    folder: Path,
    how: How,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    log: Log = lambda name, value, step: None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train on some folders in BEIR's layout; what serves ends in ``folder/model``, as a delta.

    Args:
        folders: read by `aegle.train.data.beir.read`.
        base: the reference of the packaged encoder, which the delta names.
        base_folder: where that lies.
        folder: of the run.
        how, resume, stop, log: as for `fit`.
        about: what else the card says.

    Returns:
        The share chosen, dev scores by share, and where the model lies.

    Raises:
        InputError: a source, the base or the checkpoint can't be read, or the checkpoint is of
            other ones.
        StoppedError: ``stop`` said so; ``resume`` goes on.
    """
    sources = [read(one) for one in sorted(folders)]
    taught = [one for one in sources if one.asked["train"]]
    if not taught:
        raise InputError("no folder has training questions (qrels/train.tsv)")
    net = network(base_folder, how)
    hashes = data_hashes(folders)
    made_of = {"base": identity(base, base_folder), "data": hashes}
    fit(net, taught, how, folder=folder, resume=resume, stop=stop, log=log, about=made_of)
    share, scores = choose(net, sources, how, folder=folder)
    found = {"share": share, "dev_ndcg10": scores}
    lowrank.save_delta(
        folder / MODEL,
        base=base,
        base_folder=base_folder,
        tensors=lowrank.changes(net.encoder),
        card=_card(folder.name, how, sources) | found | dict(about or {}),
        made_from=tuple(hashes.values()),
        sources={one.name: rights(one) | {"sha256": hashes[one.name]} for one in folders},
    )
    return {"model": str(folder / MODEL), **found}


def _card(name: str, how: How, sources: Sequence[RetrievalData]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "encoder",
        "version": 1,
        "dimensions": list(how.dimensions),
        "how": how.told(),
        "data": {one.name: _counted(one) for one in sources},
    }


def _counted(data: RetrievalData) -> dict[str, Any]:
    counts = {part: len(some) for part, some in data.asked.items()}
    said = {"licence": data.licence, "safe_because": data.safe_because}
    return {**said, "passages": len(data.passages), **counts}
