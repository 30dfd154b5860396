"""Distil a reranker: a few layers of a cross-encoder learn what the whole of it says of pairs.

Letters: N questions, K candidates each, B pairs, S pieces.

References:
    Hofstätter et al. (2020), Improving Efficient Neural Ranking Models with Cross-Architecture
    Knowledge Distillation: margin-MSE.
    Sajjad et al. (2020), On the Effect of Dropping Layers of Pre-trained Transformer Models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification

from aegle.core.errors import InputError
from aegle.core.ports import Scores
from aegle.lm.delta import Array, merge
from aegle.lm.pairs import fit as fitted
from aegle.train.data.beir import RetrievalData
from aegle.train.fit import schedule
from aegle.train.mine import Miner
from aegle.train.resume import SAVE_S, Steps

Log = Callable[[str, float, int], None]
Teacher = Callable[[str, Sequence[str]], Scores]

MINILM: Final[dict[str, Any]] = {
    "architectures": ["BertForSequenceClassification"],
    "attention_probs_dropout_prob": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "num_labels": 1,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
"""The configuration of ms-marco-MiniLM-L12-v2, which its package leaves out."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A question, candidates, and which of them answers it.

    Attributes:
        source: where it is from.
        question: its text.
        passages: K texts.
        right: places of those that answer it.
        scores: the teacher's, K; empty before it was asked.
    """

    source: str
    question: str
    passages: tuple[str, ...]
    right: tuple[int, ...]
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class How:
    """What decides a run.

    Attributes:
        steps: of the whole run.
        lists: questions in a batch.
        pieces: a pair is cut to so many word pieces: the passage, not the question.
        margin, rank, gold: how much margin-MSE, the order (KL of softmaxes) and the right answer
            (cross-entropy, with the teacher's order as its rival) count.
        lr, warmup, decay: of AdamW.
        seed: of the order of everything.
    """

    steps: int = 300
    lists: int = 8
    pieces: int = 128
    margin: float = 0.05
    rank: float = 1.0
    gold: float = 0.5
    lr: float = 1e-4
    warmup: float = 0.06
    decay: float = 0.01
    seed: int = 17

    def told(self) -> dict[str, object]:
        """For a checkpoint and a card."""
        return asdict(self)


def listed(
    data: RetrievalData, *, part: str, most: int, by_words: int, by_graph: int, seed: int
) -> list[Listed]:
    """Questions of a source with candidates: what answers, and what looks like it.

    Candidates look like an answer by words or by the graph; where they are too few, others are
    drawn at random, as many as there are: a list of a small source is shorter.
    """
    miner, rng = Miner(data), np.random.default_rng(seed)
    asked = data.asked[part]
    free = np.array(sorted(data.free))
    found = []
    for at in rng.permutation(len(asked))[:most]:
        one = asked[int(at)]
        gold = sorted(one.gold & data.free) if part == "train" else sorted(one.gold)
        if not gold:
            continue
        first = gold[int(rng.integers(len(gold)))]
        some = [first, *miner.by_words(one, k=by_words), *miner.by_graph(one, k=by_graph)]
        some = list(dict.fromkeys(some))
        others = data.free - one.gold - set(some)
        size = min(1 + by_words + by_graph, len(some) + len(others))
        while len(some) < size:
            other = int(rng.choice(free))
            if other in others and other not in some:
                some.append(other)
        texts = tuple(str(data.passages[n]) for n in some)
        right = tuple(place for place, n in enumerate(some) if n in one.gold)
        found.append(Listed(data.name, str(one.text), texts, right))
    return found


def student(base: Mapping[str, Array], layers: Sequence[int]) -> BertForSequenceClassification:
    """A classifier of some of a base's layers, its word table standing still.

    Args:
        base: float weights by their names without ``bert.``, with ``pooler`` and ``classifier``.
        layers: which are kept, ascending.

    Raises:
        InputError: the base has other weights than such a classifier, or not these layers.
    """
    told = {k: v for k, v in MINILM.items() if k != "architectures"}
    config = BertConfig(**{**told, "num_hidden_layers": len(layers)})
    net = BertForSequenceClassification(config)
    weights = {
        name if name.startswith("classifier.") else f"bert.{name}": torch.from_numpy(value)
        for name, value in merge(base, {}, layers).items()
    }
    try:
        missing, more = net.load_state_dict(weights, strict=False)
    except RuntimeError:  # a weight of another shape
        missing, more = ["its shapes"], []
    if more or [name for name in missing if "position_ids" not in name]:
        raise InputError(
            "the base is no BERT of ms-marco-minilm's shape with a pooler and a classifier of one "
            "number; name such a cross-encoder"
        )
    net.bert.embeddings.requires_grad_(False)
    return net


def distil(
    net: BertForSequenceClassification,
    tokenizer: Tokenizer,
    lists: Sequence[Listed],
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
        lists: with the teacher's scores, all of one length K.
        folder, resume, stop, log, about, save_s: as for `aegle.train.embedder.fit`.

    Raises:
        InputError: no lists to learn from, of different lengths, or of one passage; no checkpoint
            to resume from, or one of another run.
        StoppedError: ``stop`` said so; ``resume`` goes on.
    """
    lengths = sorted({len(one.passages) for one in lists})
    if len(lengths) != 1 or lengths[0] < 2:
        raise InputError(
            "training lists hold two passages or more, all as many; got "
            f"{f'lists of {lengths}' if lengths else 'no lists'}"
        )
    learned = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=how.lr, weight_decay=how.decay)
    read = hashlib.sha256(json.dumps([asdict(one) for one in lists]).encode()).hexdigest()
    told = {"how": how.told(), "lists": read, **(about or {})}
    steps = Steps(net, optimiser, folder=folder, about=told, resume=resume, save_s=save_s)
    for step, some in steps.over(_batches(len(lists), how), stop):
        for group in optimiser.param_groups:
            group["lr"] = how.lr * schedule(step, how.steps, how.warmup)
        batch = [lists[n] for n in some]
        loss = ranked_loss(logits(net, tokenizer, batch, how.pieces), batch, how)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        log("loss", float(loss.detach()), step)
    return how.steps


def _batches(count: int, how: How) -> list[list[int]]:
    rng = np.random.default_rng(how.seed)
    order: list[int] = []
    while len(order) < how.steps * how.lists:
        order += rng.permutation(count).tolist()
    return [order[at * how.lists : (at + 1) * how.lists] for at in range(how.steps)]


def logits(
    net: BertForSequenceClassification, tokenizer: Tokenizer, lists: Sequence[Listed], pieces: int
) -> Tensor:
    """(N, K) scores of a batch of lists of one length."""
    pairs = [(one.question, text) for one in lists for text in one.passages]
    encoded = tokenizer.encode_batch_fast(pairs)
    kept = [fitted(one, pieces) for one in encoded]
    shape = (len(pairs), max(len(one) for one in kept))
    ids_BS, types_BS, mask_BS = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    for row, (one, places) in enumerate(zip(encoded, kept, strict=True)):
        ids_BS[row, : len(places)] = torch.tensor(one.ids)[places]
        types_BS[row, : len(places)] = torch.tensor(one.type_ids)[places]
        mask_BS[row, : len(places)] = 1
    told = net(input_ids=ids_BS, token_type_ids=types_BS, attention_mask=mask_BS)
    scores: Tensor = told.logits.view(len(lists), -1)
    return scores


def ranked_loss(mine_NK: Tensor, lists: Sequence[Listed], how: How) -> Tensor:
    """How far a batch's scores are from the teacher's margins and order, and from the truth."""
    theirs_NK = torch.tensor([one.scores for one in lists])
    right_NK = torch.zeros_like(mine_NK)
    for row, one in enumerate(lists):
        right_NK[row, list(one.right)] = 1 / len(one.right)
    margins = mine_NK - mine_NK.mean(1, keepdim=True)
    wanted = theirs_NK - theirs_NK.mean(1, keepdim=True)
    order = functional.kl_div(
        mine_NK.log_softmax(1), theirs_NK.log_softmax(1), log_target=True, reduction="batchmean"
    )
    truth = functional.cross_entropy(mine_NK, right_NK)
    return how.margin * functional.mse_loss(margins, wanted) + how.rank * order + how.gold * truth


def agreement(mine_NK: Tensor, lists: Sequence[Listed]) -> dict[str, float]:
    """Over lists: the share with a right answer first (mine, the teacher's), and Spearman's rho."""
    firsts = {"mine": mine_NK.argmax(1).tolist(), "teacher": [np.argmax(o.scores) for o in lists]}
    told = {
        f"first_{name}": float(np.mean([at in o.right for at, o in zip(row, lists, strict=True)]))
        for name, row in firsts.items()
    }
    ranks = [
        np.corrcoef(np.argsort(np.argsort(row)), np.argsort(np.argsort(one.scores)))[0, 1]
        for row, one in zip(mine_NK.tolist(), lists, strict=True)
    ]
    return told | {"spearman": float(np.mean(ranks))}


def changes(net: BertForSequenceClassification) -> dict[str, Any]:
    """What was learned, whole, by the names of the base; the word table stood still."""
    return {
        name.removeprefix("bert."): value.detach().to(torch.float16).numpy()
        for name, value in net.named_parameters()
        if value.requires_grad
    }
