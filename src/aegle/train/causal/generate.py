"""Answers of a causal model to prompts that are tokens already, several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from aegle.train.causal.chat import Encoder
from aegle.train.causal.packing import grouped


def endings(encode: Encoder) -> tuple[int, ...]:
    """The tokens that end an answer: the tokenizer's own, and that of the template in use."""
    tokenizer = encode.tokenizer
    found = [tokenizer.eos_token_id]
    if not encode.plain:
        end = tokenizer.convert_tokens_to_ids("<|im_end|>")  # of ChatML
        if end is not None and end != tokenizer.unk_token_id:
            found.append(end)
    return tuple(int(one) for one in dict.fromkeys(found) if one is not None)


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
) -> list[list[int]]:
    """An answer to each prompt, without the token that ends it.

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
    found: list[list[int]] = [[]] * len(prompts)
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
            found[at] = answer[:stop]
    model.train(was)
    return found
