"""Fewer layers, inner columns or heads: what texts say matters least is cut out, the rest kept.

What is left is an ordinary smaller network. Where columns of a layer go, the others are fitted by
least squares to give what all gave together; then `recipes/heal.yaml` teaches it by the original.

References:
    layers: Men et al. (2024), ShortGPT; columns: Sun et al. (2024), Wanda (its score, summed by
    column); the fit: Frantar & Alistarh (2022), Optimal brain compression; heads by what the loss
    says without them: Michel et al. (2019).

Letters: C columns, K kept ones, R rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aegle.compress.causal import hear
from aegle.compress.causal.plan import known
from aegle.compress.method import Made
from aegle.core.errors import UsageError
from aegle.core.ports import Progress

_DAMPING = 0.01
"""Of the mean diagonal, in the fit; GPTQ's."""


def layers(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Whole layers out, one after another, each time the one that matters least.

    Args:
        source, out, texts, progress: as for a `Method`; texts are needed.
        settings: ``drop``, how many; ``by``: "cosine" (of what goes in and out; one reading of
            the texts a layer dropped) or "loss" (without it; one reading for each layer left).

    Raises:
        InputError: a model that isn't of Llama's layout; no texts.
        UsageError: an unknown setting, or none would be left.
    """
    known(settings, ("drop", "by", "tokens"), "layers")
    model, tokenizer, batches = _open(source, texts, settings)
    blocks = model.model.layers
    drop, by = int(settings.get("drop", 1)), settings.get("by", "cosine")
    if by not in ("cosine", "loss"):
        raise UsageError(f"layers can't be ranked by {by!r}; there are: cosine, loss")
    if not 0 < drop < len(blocks):
        raise UsageError(f"drop {drop} of {len(blocks)} layers: say 1 to {len(blocks) - 1}")
    numbers, dropped = list(range(len(blocks))), []
    for count in range(drop):
        scores = _turns(model, batches) if by == "cosine" else _without(model, batches)
        least = min(range(len(scores)), key=scores.__getitem__)
        dropped.append(numbers.pop(least))
        kept = [one for number, one in enumerate(model.model.layers) if number != least]
        _put(model, kept)
        progress("layers", count + 1, drop)
    return _saved(model, tokenizer, out, {"dropped": dropped, "by": by, "texts": len(batches)})


def ffn(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Inner columns of all feed-forward parts out, the same share of each.

    Args:
        source, out, texts, progress: as for `layers`.
        settings: ``share`` of the columns to drop (0.25), ``multiple`` that the width stays of (32,
            GGUF's smallest block), ``fit`` (True) the rest by least squares.

    Raises:
        InputError, UsageError: as `layers`.
    """
    known(settings, ("share", "multiple", "fit", "tokens"), "ffn")
    model, tokenizer, batches = _open(source, texts, settings)
    config = model.config.get_text_config()
    wide, multiple = config.intermediate_size, int(settings.get("multiple", 32))
    share = float(settings.get("share", 0.25))
    width = round(wide * (1 - share) / multiple) * multiple
    if not 0 < share < 1 or not 0 < width < wide:
        raise UsageError(
            f"share {share} of {wide} columns leaves {width}, in multiples of {multiple}; "
            "say a share that leaves some and drops some"
        )

    def change(number: int, found: dict[str, nn.Linear], products: dict[str, Tensor]) -> None:
        at = f"blk.{number}"
        down, product = found[f"{at}.ffn_down.weight"], products[f"{at}.ffn_down.weight"]
        score = down.weight.double().pow(2).sum(0) * product.diagonal()
        kept = score.topk(width).indices.sort().values
        for name in ("gate", "up"):
            _rows(found[f"{at}.ffn_{name}.weight"], kept)
        _columns(down, kept, product if settings.get("fit", True) else None)

    hear.blockwise(model, batches, change, progress=progress)
    config.intermediate_size = width
    return _saved(model, tokenizer, out, {"width": [wide, width], "texts": len(batches)})


def heads(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Key and value heads out with the queries that read them, as many of each layer.

    Args:
        source, out, texts, progress: as for `layers`.
        settings: ``drop``, how many of each layer (1); ``fit`` (True) the rest by least squares.

    Raises:
        InputError, UsageError: as `layers`.
    """
    known(settings, ("drop", "fit", "tokens"), "heads")
    model, tokenizer, batches = _open(source, texts, settings)
    config = model.config.get_text_config()
    groups = int(getattr(config, "num_key_value_heads", 0) or config.num_attention_heads)
    repeat, drop = config.num_attention_heads // groups, int(settings.get("drop", 1))
    if not 0 < drop < groups:
        raise UsageError(f"drop {drop} of {groups} key and value heads: say 1 to {groups - 1}")
    width = model.model.layers[0].self_attn.k_proj.out_features // groups
    costs = _ablated(model, batches, groups, repeat * width, progress)

    def change(number: int, found: dict[str, nn.Linear], products: dict[str, Tensor]) -> None:
        kept = torch.tensor(costs[number]).topk(groups - drop).indices.sort().values
        narrow, broad = _inside(kept, width), _inside(kept, repeat * width)
        at = f"blk.{number}"
        for name, rows in (("attn_q", broad), ("attn_k", narrow), ("attn_v", narrow)):
            _rows(found[f"{at}.{name}.weight"], rows)
        output = f"{at}.attn_output.weight"
        _columns(found[output], broad, products[output] if settings.get("fit", True) else None)
        attention = model.model.layers[number].self_attn
        for name, count in (("num_heads", repeat), ("num_key_value_heads", 1)):
            if hasattr(attention, name):
                setattr(attention, name, count * (groups - drop))

    hear.blockwise(model, batches, change, progress=progress)
    config.head_dim = width
    config.num_key_value_heads = groups - drop
    config.num_attention_heads = repeat * (groups - drop)
    about = {"heads": [groups, groups - drop], "queries": repeat, "texts": len(batches)}
    return _saved(model, tokenizer, out, about)


def fitted(weight_RC: Tensor, products_CC: Tensor, kept_K: Tensor) -> Tensor:
    """The weights of kept columns that give, by least squares, what all columns gave, (R, K).

    Minimises the mean of |W x - W' x_kept|^2 with W' pulled to W's own columns by the damping.
    """
    products = products_CC.double().clone()
    products.diagonal().add_(_DAMPING * float(products.diagonal().mean()) or 1.0)
    inner = products[kept_K][:, kept_K]
    found: Tensor = torch.linalg.solve(inner, products[kept_K] @ weight_RC.double().T).T
    return found.to(weight_RC.dtype)


def _open(
    source: Path, texts: Sequence[str], settings: Mapping[str, Any]
) -> tuple[Any, Any, list[Tensor]]:
    model, tokenizer = hear.load(source)
    return model, tokenizer, hear.encoded(tokenizer, texts, tokens=int(settings.get("tokens", 256)))


def _saved(model: Any, tokenizer: Any, out: Path, about: dict[str, Any]) -> Made:
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return Made(out, sum(path.stat().st_size for path in out.rglob("*.safetensors")), about)


def _turns(model: Any, batches: Sequence[Tensor]) -> list[float]:
    """Of each layer, 1 - the mean cosine of what goes in and what comes out (block influence)."""
    sums = [0.0] * len(model.model.layers)

    def listen(number: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], told: Any, out: Any) -> None:
            given = args[0] if args else told["hidden_states"]
            after = out[0] if isinstance(out, tuple) else out
            sums[number] += float((1 - torch.cosine_similarity(given, after, dim=-1)).sum())

        return hook

    handles = [
        block.register_forward_hook(listen(number), with_kwargs=True)
        for number, block in enumerate(model.model.layers)
    ]
    try:
        loss(model, batches)
    finally:
        for handle in handles:
            handle.remove()
    return sums


def _without(model: Any, batches: Sequence[Tensor]) -> list[float]:
    """The loss without each layer."""
    whole = list(model.model.layers)
    found = []
    for number in range(len(whole)):
        _put(model, whole[:number] + whole[number + 1 :])
        found.append(loss(model, batches))
    _put(model, whole)
    return found


def _put(model: Any, blocks: Sequence[nn.Module]) -> None:
    """Give a model these layers, numbered as caches count them."""
    model.model.layers = nn.ModuleList(blocks)
    for number, block in enumerate(blocks):
        attention: Any = block.self_attn
        attention.layer_idx = number
    config = model.config.get_text_config()
    config.num_hidden_layers = len(blocks)
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: len(blocks)]


def loss(model: Any, batches: Sequence[Tensor]) -> float:
    """Nats a token."""
    total, count = 0.0, 0
    with torch.no_grad():
        for ids in batches:
            logits = model(ids, use_cache=False).logits[0, :-1].float()
            total += float(nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
            count += ids.shape[1] - 1
    return total / count


def _ablated(
    model: Any, batches: Sequence[Tensor], groups: int, width: int, progress: Progress
) -> list[list[float]]:
    """By layer and group of heads, the loss with the group's output taken for nothing."""
    found = []
    for number, block in enumerate(model.model.layers):
        some = []
        for group in range(groups):
            with _silenced(block.self_attn.o_proj, group * width, (group + 1) * width):
                some.append(loss(model, batches))
        found.append(some)
        progress("heads", number + 1, len(model.model.layers))
    return found


@contextmanager
def _silenced(layer: nn.Module, start: int, end: int) -> Any:
    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        silent = given[0].clone()
        silent[..., start:end] = 0
        return (silent, *given[1:])

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _inside(groups: Tensor, width: int) -> Tensor:
    """The places of groups that are so wide."""
    return (groups[:, None] * width + torch.arange(width)).reshape(-1)


def _rows(layer: nn.Linear, kept: Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[kept].contiguous(), requires_grad=False)
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[kept].contiguous(), requires_grad=False)
    layer.out_features = len(kept)


def _columns(layer: nn.Linear, kept: Tensor, products: Tensor | None) -> None:
    plain = layer.weight[:, kept]
    weight = plain if products is None else fitted(layer.weight, products, kept)
    layer.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    layer.in_features = len(kept)
