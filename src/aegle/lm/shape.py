"""One dial (nano, micro, small, base) to a whole network's shape; parameters, FLOPs, cache bytes.

No weights and no framework: a shape is a few numbers that check each other. `aegle.lm.decoder`
builds the network, and a test holds the counts here against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import NotFoundError, UsageError

ROPE, ALIBI = "rope", "alibi"
LLAMA3_LOW, LLAMA3_HIGH = 1.0, 4.0
"""Llama 3.1's low and high frequency factors, as its releases have them."""
_SCALINGS: Final = ("none", "linear", "yarn", "llama3")


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)


@dataclass(frozen=True, slots=True)
class Attention:
    """Who looks at whom, and with how many heads.

    Attributes:
        heads: of queries.
        kv_heads: of keys and values; as many as heads: MHA; one: MQA; between: GQA.
        head_width: numbers a head.
        window: a token sees this many of the last tokens, itself included; 0: all of them.
        block: tokens a block of block-sparse attention; 0: none. Not together with a window.
        local_blocks: a token sees its own block and those before it, this many in all.
        block_stride: and every block whose number + 1 is a multiple of this; 0: no such block.
        global_tokens: the first tokens of a sequence, which all that follow see; 0: none.
        full_every: each such layer (the second, fourth... for 2) sees everything; 0: none does.

    References:
        Shazeer (2019), Fast transformer decoding (MQA); Ainslie et al. (2023), GQA.
        Child et al. (2019), Generating long sequences with sparse transformers (fixed blocks).
        Beltagy et al. (2020), Longformer (window, global tokens).
    """

    heads: int
    kv_heads: int
    head_width: int
    window: int = 0
    block: int = 0
    local_blocks: int = 1
    block_stride: int = 0
    global_tokens: int = 0
    full_every: int = 0

    def __post_init__(self) -> None:
        _need(
            1 <= self.kv_heads <= self.heads and self.heads % self.kv_heads == 0,
            f"{self.heads} heads can't share {self.kv_heads} key and value heads; take a divisor",
        )
        _need(
            self.head_width >= 2 and self.head_width % 2 == 0,
            f"a head's width is even and at least 2, got {self.head_width}",
        )
        for name in ("window", "block", "block_stride", "global_tokens", "full_every"):
            value = getattr(self, name)
            _need(value >= 0, f"{name} is 0 or more, got {value}")
        _need(self.local_blocks >= 1, f"local_blocks is 1 or more, got {self.local_blocks}")
        _need(
            not (self.window and self.block),
            f"a window ({self.window}) and blocks ({self.block}) exclude each other; set one to 0",
        )
        _need(
            bool(self.block) or not self.block_stride,
            f"block_stride {self.block_stride} needs blocks; set block",
        )
        _need(
            self.sparse or not (self.global_tokens or self.full_every),
            "global_tokens and full_every need a window or blocks: without, every token is seen",
        )

    @property
    def sparse(self) -> bool:
        """Whether some layer leaves something out."""
        return bool(self.window or self.block)

    def sparse_layer(self, layer: int) -> bool:
        """Whether the layer with this number, from 0, leaves something out."""
        return self.sparse and not (self.full_every and (layer + 1) % self.full_every == 0)


@dataclass(frozen=True, slots=True)
class Positions:
    """How a token's place enters.

    Attributes:
        kind: ``rope`` turns queries and keys, ``alibi`` lowers scores by distance.
        theta: RoPE's base.
        scaling: of RoPE to a longer context: none, linear, yarn or llama3.
        factor: how many times longer.
        original: the context before scaling.

    References:
        Su et al. (2021), RoFormer; Press et al. (2022), Train short, test long (ALiBi).
        Chen et al. (2023), Extending context by positional interpolation; Peng et al. (2023), YaRN.
    """

    kind: str = ROPE
    theta: float = 10_000.0
    scaling: str = "none"
    factor: float = 1.0
    original: int = 0

    def __post_init__(self) -> None:
        _need(self.kind in (ROPE, ALIBI), f"positions are {ROPE} or {ALIBI}, got {self.kind!r}")
        _need(self.scaling in _SCALINGS, f"no scaling {self.scaling!r}; there are: {_SCALINGS}")
        _need(self.theta > 1, f"theta is above 1, got {self.theta}")
        _need(
            self.kind == ROPE or self.scaling == "none",
            f"only RoPE is scaled; {ALIBI} with scaling {self.scaling!r} has no meaning",
        )
        if self.scaling != "none":
            _need(
                self.factor > 1 and self.original >= 1,
                f"scaling {self.scaling} needs a factor above 1 and the original context, got "
                f"{self.factor:g} and {self.original}",
            )


@dataclass(frozen=True, slots=True)
class Experts:
    """Many feed-forward networks of which each token passes through a few.

    Attributes:
        count: how many; 0: one dense network and no router.
        chosen: how many a token passes through (top-k).
        width: of each.
        shared_width: of one more that every token passes through; 0: none.
        balance: weight of the load-balance loss.
        z: weight of the router's z-loss.

    References:
        Fedus et al. (2022), Switch transformers; Zoph et al. (2022), ST-MoE: the two losses.
        Jiang et al. (2024), Mixtral of experts: the router; Dai et al. (2024), DeepSeekMoE: the
        shared expert.
    """

    count: int = 0
    chosen: int = 0
    width: int = 0
    shared_width: int = 0
    balance: float = 0.01
    z: float = 0.001

    def __post_init__(self) -> None:
        if not self.count:
            _need(
                not (self.chosen or self.width or self.shared_width),
                "chosen, width and shared_width need experts; set count",
            )
            return
        _need(self.count >= 2, f"there are 2 experts or more, got {self.count}")
        _need(
            1 <= self.chosen <= self.count,
            f"a token passes through 1 to {self.count} experts, got {self.chosen}",
        )
        _need(self.width >= 1, f"an expert's width is 1 or more, got {self.width}")
        _need(self.shared_width >= 0, f"shared_width is 0 or more, got {self.shared_width}")
        _need(min(self.balance, self.z) >= 0, "the weights of the router's losses are 0 or more")


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder: embeddings, layers of attention and SwiGLU or experts, RMS norms, a head.

    Attributes:
        vocabulary: tokens.
        width: of the residual stream.
        layers: how many.
        mlp_width: of the dense SwiGLU; with experts it says what they are compared with.
        context: most tokens of a sequence.
        tied: one table for embeddings and head.
        eps: of the norms.
    """

    vocabulary: int
    width: int
    layers: int
    mlp_width: int
    context: int
    attention: Attention
    positions: Positions = field(default_factory=Positions)
    experts: Experts = field(default_factory=Experts)
    tied: bool = True
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "layers", "mlp_width", "context"):
            value = getattr(self, name)
            _need(value >= 1, f"{name} is 1 or more, got {value}")
        _need(self.eps > 0, f"eps is above 0, got {self.eps}")
        scaled = self.positions.original
        _need(
            scaled <= self.context,
            f"the original context ({scaled}) is no longer than the context ({self.context})",
        )

    def parameters(self) -> int:
        """Numbers that are learned: exactly those of the network."""
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        layer = self._attention_weights() + 2 * self.width
        return tables + self.layers * (layer + self._feed_forward(self.experts.count)) + self.width

    def active_parameters(self) -> int:
        """Of those, how many one token meets: of the experts, the chosen."""
        idle = self.experts.count - self.experts.chosen
        return self.parameters() - self.layers * idle * 3 * self.width * self.experts.width

    def _attention_weights(self) -> int:
        one = self.attention
        return 2 * self.width * (one.heads + one.kv_heads) * one.head_width

    def _feed_forward(self, experts: int) -> int:
        if not self.experts.count:
            return 3 * self.width * self.mlp_width
        routed = experts * self.experts.width + self.experts.shared_width
        return 3 * self.width * routed + self.width * self.experts.count

    def flops_per_token(self, tokens: int = 0, *, training: bool = False) -> float:
        """Multiplications and additions for a token, the mean over a sequence.

        Matrix products and attention over what a token sees; norms, softmax and rotations, below a
        hundredth together, are left out.

        Args:
            tokens: of the sequence; 0: the whole context.
            training: count the backward pass, twice the forward one.

        References:
            Kaplan et al. (2020), Scaling laws for neural language models, section 2.1.
        """
        tokens = tokens or self.context
        dense = self._attention_weights() + self._feed_forward(self.experts.chosen)
        products = self.layers * dense + self.vocabulary * self.width
        heads = self.attention.heads * self.attention.head_width
        seen = sum(self.seen(tokens, layer) for layer in range(self.layers))
        return (3.0 if training else 1.0) * (2.0 * products + 4.0 * heads * seen)

    def seen(self, tokens: int, layer: int) -> float:
        """How many tokens a token of a sequence sees in a layer, the mean over the sequence."""
        if not self.attention.sparse_layer(layer):
            return (tokens + 1) / 2
        places = np.arange(tokens)
        return float(
            np.mean([visible(self.attention, n, places[: n + 1]).sum() for n in range(tokens)])
        )

    def cache_bytes(self, tokens: int, *, value_bytes: int = 2) -> int:
        """Bytes of keys and values that stay after ``tokens`` tokens of one sequence.

        A window without global tokens lets go of what it has passed; blocks and global tokens are
        looked back at, so that everything stays.
        """
        one = self.attention
        slides = bool(one.window and not one.global_tokens)
        kept = [
            min(tokens, one.window - 1) if slides and one.sparse_layer(layer) else tokens
            for layer in range(self.layers)
        ]
        return 2 * one.kv_heads * one.head_width * value_bytes * sum(kept)

    def with_experts(self, count: int, chosen: int = 2, *, shared: int = 0) -> Shape:
        """The same compute a token in experts: the dense width is divided among those it meets.

        Args:
            count: routed experts.
            chosen: how many of them a token passes through.
            shared: how many experts' width the shared one has; 0: none.
        """
        width = max(1, round(self.mlp_width / (chosen + shared)))
        experts = Experts(count, chosen, width, shared_width=shared * width)
        return replace(self, experts=experts)


def visible(attention: Attention, query: int, keys: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which places of a sequence a sparse layer's token sees: the definition that masks follow.

    Args:
        attention: with a window or blocks.
        query: the token's place in its sequence, from 0.
        keys: places.
    """
    if attention.window:
        near = query - keys < attention.window
    else:
        key_block = keys // attention.block
        near = query // attention.block - key_block < attention.local_blocks
        if attention.block_stride:
            near |= (key_block + 1) % attention.block_stride == 0
    seen: NDArray[np.bool_] = (keys <= query) & (near | (keys < attention.global_tokens))
    return seen


_DIAL: Final[dict[str, tuple[int, int, int, int, int, int, int, int]]] = {
    # vocabulary, width, layers, mlp, context, heads, kv heads, head width
    "nano": (2_048, 128, 4, 384, 512, 4, 2, 32),
    "micro": (8_192, 256, 8, 768, 1_024, 8, 4, 32),
    "small": (32_768, 512, 14, 1_536, 2_048, 8, 4, 64),
    "base": (49_152, 768, 18, 2_048, 4_096, 12, 4, 64),
}
SIZES: Final = tuple(_DIAL)


def dial(size: str, **changes: Any) -> Shape:
    """The shape of a size: nano 1M, micro 8M, small 60M, base 150M parameters.

    Args:
        size: one of `SIZES`.
        changes: fields of `Shape`, `Attention` (but ``window=`` for its window, and so on) and
            `Positions` that differ.

    Raises:
        NotFoundError: no such size.
        UsageError: no such field, or values that contradict each other.
    """
    if size not in _DIAL:
        raise NotFoundError(f"no size {size!r}; there are: {', '.join(SIZES)}")
    vocabulary, width, layers, mlp, context, heads, kv_heads, head = _DIAL[size]
    shape = Shape(vocabulary, width, layers, mlp, context, Attention(heads, kv_heads, head))
    parts: dict[str, dict[str, Any]] = {"attention": {}, "positions": {}, "": {}}
    for name, value in changes.items():
        owner = next((part for part in ("attention", "positions") if _has(shape, part, name)), "")
        if not owner and name not in Shape.__dataclass_fields__:
            raise UsageError(f"a shape has no {name!r}")
        parts[owner][name] = value
    whole = {
        part: replace(getattr(shape, part), **parts[part])
        for part in ("attention", "positions")
        if parts[part]
    }
    return replace(shape, **whole, **parts[""])


def _has(shape: Shape, part: str, name: str) -> bool:
    return name in type(getattr(shape, part)).__dataclass_fields__


def alibi_slopes(heads: int) -> list[float]:
    """How much each head's score falls with a token of distance, one number a head.

    References:
        Press et al. (2022); for numbers of heads that are no power of two, their code.
    """
    whole = 2 ** math.floor(math.log2(heads))
    first = [2 ** (-8 * (n + 1) / whole) for n in range(whole)]
    between = [2 ** (-4 * (2 * n + 1) / whole) for n in range(heads - whole)]
    return first + between


def llama3_factors(positions: Positions, head_width: int) -> list[float]:
    """By how much each of RoPE's frequencies is slowed under scaling llama3, 1 to the factor.

    References:
        Grattafiori et al. (2024), The Llama 3 herd of models; their code.
    """
    found = []
    for n in range(head_width // 2):
        wave = 2 * math.pi * positions.theta ** (2 * n / head_width)
        part = (positions.original / wave - LLAMA3_LOW) / (LLAMA3_HIGH - LLAMA3_LOW)
        part = min(1.0, max(0.0, part))
        found.append(1 / ((1 - part) / positions.factor + part))
    return found
