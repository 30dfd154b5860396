"""A packaged cross-encoder taught to tell what evidence bears out: low-rank, on a processor.

It reads claim and evidence together and gives one logit. The lower layers stand still, so that
nothing is sent back through them: two thirds of the time.

Letters: B pairs, S tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from aegle.core.errors import InputError
from aegle.lm.delta import Array, base_weights
from aegle.lm.encoder import read_tokenizer
from aegle.lm.pairs import fit as kept_places
from aegle.train import checkpoint
from aegle.train.data.support import Pair
from aegle.train.fit import schedule
from aegle.train.lowrank import LowRank, adapt, changes

WHOLE: Final = ("pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias")
"""What learns beside the low-rank pairs."""


@dataclass(frozen=True, slots=True)
class How:
    """How a network is taught.

    Attributes:
        rank: of the low-rank pairs.
        top: so many of the last layers learn.
        rate: the highest learning rate.
        batch_tokens: of a step, padding counted.
        most_tokens: of a pair; evidence is cut to it.
        minutes: a piece of training ends then; the next call goes on.
        seed: of the order and of what begins at random.
    """

    rank: int = 24
    top: int = 6
    rate: float = 6e-4
    batch_tokens: int = 2048
    most_tokens: int = 144
    minutes: float = 10.0
    seed: int = 17


def network(base: Path, config: Mapping[str, Any], how: How) -> BertForSequenceClassification:
    """A base's network with one logit, whose last layers can learn.

    Args:
        base: a folder of weights, see `aegle.lm.delta.base_weights`; what it has no pooler or
            classifier of begins at random.
        config: of the base, in the words of ``config.json``.

    Raises:
        InputError: the weights are not of this architecture.
    """
    torch.manual_seed(how.seed)
    told = dict(config) | {"num_labels": 1, "hidden_dropout_prob": 0.0}
    net = BertForSequenceClassification(BertConfig(**told, attention_probs_dropout_prob=0.0))
    names = dict.fromkeys(net.state_dict())
    weights = {
        name if name.startswith("classifier.") else f"bert.{name}": torch.from_numpy(value.copy())
        for name, value in base_weights(base).items()
    }
    missing, extra = net.load_state_dict(weights, strict=False)
    lacks = [one for one in missing if "pooler" not in one and "classifier" not in one]
    if lacks or [one for one in extra if one in names]:
        raise InputError(f"{base} holds no BERT of this shape: it lacks {', '.join(lacks[:3])}")
    adapt(net, rank=how.rank)
    layers = net.bert.encoder.layer
    for layer in layers[: len(layers) - how.top]:
        _still(layer)
    values = dict(net.named_parameters())
    for name in WHOLE:
        values[name if name.startswith("classifier.") else f"bert.{name}"].requires_grad_(True)
    return net


def _still(layer: nn.Module) -> None:
    """Take the low-rank pairs out again: this layer does not learn."""
    for module in list(layer.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, LowRank):
                setattr(module, name, part.layer)


class Batches:
    """Pairs as tokens, in batches of like length."""

    def __init__(self, pairs: Sequence[Pair], tokenizer: Tokenizer, how: How) -> None:
        self.pairs, self.how = pairs, how
        self._encoded: list[Encoding] = tokenizer.encode_batch_fast(
            [(one.claim, one.evidence) for one in pairs]
        )
        self._kept = [kept_places(one, how.most_tokens) for one in self._encoded]

    def order(self) -> list[list[int]]:
        """The batches of an epoch, places of pairs; of every call the same."""
        rng = np.random.default_rng(self.how.seed)
        lengths = np.array([len(one) for one in self._kept]) * rng.uniform(
            0.85, 1.15, len(self._kept)
        )
        groups: list[list[int]] = [[]]
        longest = 0
        for place in np.argsort(lengths, kind="stable").tolist():
            longest = max(longest, len(self._kept[place]))
            if groups[-1] and longest * (len(groups[-1]) + 1) > self.how.batch_tokens:
                groups.append([])
                longest = len(self._kept[place])
            groups[-1].append(place)
        return [groups[one] for one in rng.permutation(len(groups))]

    def tensors(self, places: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """What the network reads, and 1.0 where supported (B,)."""
        longest = max(len(self._kept[one]) for one in places)
        shape = (len(places), longest)
        ids_BS, types_BS, mask_BS = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
        for row, place in enumerate(places):
            one, kept = self._encoded[place], self._kept[place]
            ids_BS[row, : len(kept)] = torch.tensor([one.ids[at] for at in kept])
            types_BS[row, : len(kept)] = torch.tensor([one.type_ids[at] for at in kept])
            mask_BS[row, : len(kept)] = 1
        told = {"input_ids": ids_BS, "token_type_ids": types_BS, "attention_mask": mask_BS}
        return told, torch.tensor([float(self.pairs[one].supported) for one in places])


def learn(
    net: BertForSequenceClassification,
    batches: Batches,
    folder: Path,
    *,
    log: Callable[[str], None],
) -> bool:
    """Teach a network for `How.minutes`, from where the folder's state says; whether it is done.

    One pass over the pairs, AdamW, a rate that rises and falls linearly. The state is written at
    the end of each piece; the one before stays whole until then.

    Raises:
        InputError: the folder's state is damaged.
    """
    how = batches.how
    learning = [one for one in net.parameters() if one.requires_grad]
    optimiser = _optimiser(net, how.rate)
    begun = (folder / "checkpoint.json").is_file()
    first = int(checkpoint.load(folder, net, optimiser)["step"]) if begun else 0
    folder.mkdir(parents=True, exist_ok=True)
    order = batches.order()
    net.train()
    end, mean = time.monotonic() + 60 * how.minutes, 0.0
    for step in range(first, len(order)):
        if time.monotonic() > end:
            checkpoint.save(folder, net, optimiser, {"step": step})
            return False
        for group in optimiser.param_groups:
            group["lr"] = how.rate * schedule(step, len(order), 0.06)
        told, wanted_B = batches.tensors(order[step])
        logits_B = net(**told).logits[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits_B, wanted_B)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        mean = float(loss.detach()) if step == first else 0.98 * mean + 0.02 * float(loss.detach())
        if step % 50 == 0:
            log(f"step {step} of {len(order)}: loss {mean:.3f}")
    checkpoint.save(folder, net, optimiser, {"step": len(order)})
    return True


def begin(net: BertForSequenceClassification, folder: Path) -> None:
    """Set out from what a former round learned, with a new schedule.

    Raises:
        InputError: the folder has no checkpoint, or a damaged one.
    """
    checkpoint.load(folder, net, _optimiser(net, 0.0))


def _optimiser(net: nn.Module, rate: float) -> torch.optim.AdamW:
    learning = [one for one in net.parameters() if one.requires_grad]
    return torch.optim.AdamW(learning, lr=rate, weight_decay=0.01)


def learned(net: BertForSequenceClassification) -> dict[str, Array]:
    """What is shipped: see `aegle.lm.delta`."""
    return changes(net, also=WHOLE)


def prepare(
    pairs: Sequence[Pair], base: Path, config: Mapping[str, Any], how: How
) -> tuple[BertForSequenceClassification, Batches]:
    """A network and its batches, before `learn`."""
    return network(base, config, how), Batches(pairs, read_tokenizer(base / "tokenizer.json"), how)
