"""Answers of a causal model to prompts that are tokens already, several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from aegle.train.causal.chat import Encoder
from aegle.train.causal.corpus import ANY, Record, Turn
from aegle.train.causal.packing import grouped


def endings(encode: Encoder) -> tuple[int, ...]:
    """The tokens that end an answer: the tokenizer's own, and what the template in use writes
    behind one, as Gemma's end of a turn."""
    tokenizer = encode.tokenizer
    found = [tokenizer.eos_token_id]
    if not encode.plain:
        asked = Turn("user", ANY.text)
        answer, _ = encode.pieces(Record("the template", "", (asked, ANY)))[-1]
        behind = answer.partition(ANY.text)[2].lstrip()
        ends = tokenizer(behind, add_special_tokens=False)["input_ids"][:1]
        found += [one for one in ends if one in tokenizer.get_added_vocab().values()]
    return tuple(int(one) for one in dict.fromkeys(found) if one is not None)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        ids: its tokens, without the one that ends it.
        ended: whether there was one; else it was cut off at the most tokens.
    """

    ids: list[int]
    ended: bool


@torch.no_grad()
def replies(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    ends: Sequence[int],
    pad: int,
    most: int,
    size: int,
    temperature: float = 0.0,
) -> list[Reply]:
    """An answer to each prompt.

    The model is left in the mode that it was in.

    Args:
        model: causal, of Transformers.
        prompts: tokens.
        ends: tokens that end an answer.
        pad: the token that pads.
        most: tokens of an answer.
        size: tokens of a batch, answers and padding counted.
        temperature: 0: the likeliest token each time; above, drawn by torch's random state.
    """
    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    how: dict[str, Any] = {"do_sample": False, **drawn}
    how |= {"max_new_tokens": most, "pad_token_id": pad, "eos_token_id": [*ends]}
    config = GenerationConfig(**how)  # type: ignore[no-untyped-call]
    was, device = model.training, next(model.parameters()).device
    model.eval()
    found = [Reply([], False)] * len(prompts)
    lengths = [len(one) + most for one in prompts]
    for places in grouped(lengths, max([size, *lengths])):
        width = max(len(prompts[at]) for at in places)
        ids = torch.full((len(places), width), pad)
        mask = torch.zeros_like(ids)
        for row, at in enumerate(places):
            ids[row, width - len(prompts[at]) :] = torch.tensor(prompts[at])
            mask[row, width - len(prompts[at]) :] = 1
        told = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        out = model.generate(**told, generation_config=config)[:, width:].tolist()
        for at, answer in zip(places, out, strict=True):
            stop = next((n for n, one in enumerate(answer) if one in ends), len(answer))
            found[at] = Reply(answer[:stop], stop < len(answer))
    model.train(was)
    return found
