"""The methods by name: which kinds of model each takes, and the settings that a search tries.

Strings, so that a method is imported when it is used. To add one: write a
`aegle.compress.method.Method` and its line here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegle.core.errors import UsageError

DECODERS: Final = frozenset({"decoder"})
ENCODERS: Final = frozenset({"tagger", "encoder", "pair", "classifier"})


@dataclass(frozen=True, slots=True)
class Known:
    """A method.

    Attributes:
        name: what ``--method`` calls it.
        target: ``module:function``.
        kinds: of models that it takes.
        ladder: settings to try, in order.
        graded: the ladder grows steeper: where one step loses too much the rest isn't tried.
        refines: takes ``keep`` as names of layers: where too much is lost, the most sensitive ones
            are kept in float, more and more of them.
        about: for people.
    """

    name: str
    target: str
    kinds: frozenset[str]
    ladder: tuple[Mapping[str, Any], ...] = ({},)
    graded: bool = False
    refines: bool = False
    about: str = ""


METHODS: Final[tuple[Known, ...]] = (
    Known(
        "int8",
        "aegle.compress.encoders:int8",
        ENCODERS,
        refines=True,
        about="8 bits, a scale for each token and column; no calibration",
    ),
    Known(
        "int8-dynamic",
        "aegle.compress.encoders:int8_dynamic",
        ENCODERS,
        refines=True,
        about="8 bits, a scale for each run (ONNX Runtime)",
    ),
    Known(
        "int8-static",
        "aegle.compress.encoders:int8_static",
        ENCODERS,
        ({"calibrate": "minmax"}, {"calibrate": "percentile"}, {"calibrate": "entropy"}),
        refines=True,
        about="8 bits, scales from calibration texts (ONNX Runtime, QDQ)",
    ),
    Known(
        "prune",
        "aegle.compress.encoders:pruned",
        ENCODERS,
        (
            {"inner": 0.125},
            {"inner": 0.25},
            {"inner": 0.25, "heads": 0.125},
            {"layers": 1},
            {"layers": 1, "inner": 0.25, "heads": 0.125},
            {"layers": 2},
        ),
        graded=True,
        about="layers, heads and inner neurons taken out, refitted, then 8 bits",
    ),
    Known(
        "int4",
        "aegle.compress.encoders:int4",
        ENCODERS,
        ({"block": 32}, {"block": 128}),
        graded=True,
        refines=True,
        about="weights of 4 bits in blocks, computed in float (blocks of 128: in 8 bits)",
    ),
    Known(
        "fp16",
        "aegle.compress.encoders:fp16",
        ENCODERS,
        about="weights stored in 16 bits, computed in float",
    ),
    Known(
        "prune-heal",
        "aegle.flows.compress_heal:healed",
        ENCODERS,
        (
            {"layers": 1, "inner": 0.25},
            {"layers": 2, "inner": 0.25},
            {"layers": 3, "inner": 0.25, "heads": 0.25},
        ),
        graded=True,
        about="deeper cuts, then trained to do as the float model does (extra train)",
    ),
    Known(
        "sparse",
        "aegle.compress.encoders:masked",
        ENCODERS,
        ({"pattern": "2:4"}, {"share": 0.5, "by": "magnitude"}),
        about="zeros for the least weights; no smaller and no faster here, so only when named",
    ),
    Known(
        "gguf",
        "aegle.compress.decoders:gguf",
        DECODERS,
        tuple({"type": name} for name in ("q8_0", "q6_k", "q5_k", "q4_k", "q3_k")),
        graded=True,
        about="one type of llama.cpp for all matrices, weighed by what the texts say matters",
    ),
    Known(
        "mixed",
        "aegle.compress.decoders:gguf",
        DECODERS,
        tuple({"share": share} for share in (0.45, 0.4, 0.35, 0.3, 0.25)),
        graded=True,
        about="types spread over matrices by what rounding costs, within a share of bytes",
    ),
    Known(
        "gptq",
        "aegle.compress.decoders:gptq",
        DECODERS,
        ({"share": 0.35}, {"share": 0.3}, {"share": 0.25}),
        graded=True,
        about="types spread likewise, each column's rounding made good by those after it",
    ),
    Known(
        "awq",
        "aegle.compress.decoders:awq",
        DECODERS,
        ({"share": 0.35}, {"share": 0.3}, {"share": 0.25}),
        graded=True,
        about="types spread likewise, columns scaled by what they read",
    ),
    Known(
        "ffn",
        "aegle.compress.decoders:ffn",
        DECODERS,
        ({"share": 0.125, "then": "q8_0"}, {"share": 0.25, "then": "q8_0"}),
        graded=True,
        about="inner columns taken out, what is left refitted, then 8 bits",
    ),
    Known(
        "layers",
        "aegle.compress.decoders:layers",
        DECODERS,
        ({"drop": 1, "then": "q8_0"}, {"drop": 2, "then": "q8_0"}, {"drop": 4, "then": "q8_0"}),
        graded=True,
        about="layers taken out, then 8 bits",
    ),
    Known(
        "heads",
        "aegle.compress.decoders:heads",
        DECODERS,
        ({"drop": 1, "then": "q8_0"},),
        about="the least key and value heads taken out, refitted, then 8 bits",
    ),
    Known(
        "cut-heal",
        "aegle.flows.compress_heal:healed_generator",
        DECODERS,
        ({"cut": "ffn", "share": 0.25}, {"cut": "layers", "drop": 4}),
        graded=True,
        about="deeper cuts, then taught by the original what it says of the texts",
    ),
    Known(
        "magnitude",
        "aegle.compress.decoders:magnitude",
        DECODERS,
        ({"share": 0.5}, {"pattern": "2:4"}),
        about="zeros for the least weights; no smaller and no faster here, so only when named",
    ),
    Known(
        "wanda",
        "aegle.compress.decoders:wanda",
        DECODERS,
        ({"share": 0.5}, {"pattern": "2:4"}),
        about="zeros for weights that texts use least; likewise only when named",
    ),
)

ORIGINALS: Final[Mapping[str, str]] = {
    **dict.fromkeys(ENCODERS, "aegle.compress.encoders:original"),
    **dict.fromkeys(DECODERS, "aegle.compress.decoders:original"),
}
"""Kind -> the method that writes the model that all others are compared with."""

BY_REQUEST: Final = frozenset({"sparse", "magnitude", "wanda"})
"""Not part of ``auto``: they can't win on a processor."""


def methods(kind: str, wanted: Sequence[str] = ()) -> list[Known]:
    """The methods for a kind of model: those named, or all that ``auto`` tries.

    Raises:
        UsageError: no such method, or none of this name for the kind.
    """
    fitting = {one.name: one for one in METHODS if kind in one.kinds}
    if not wanted or "auto" in wanted:
        return [one for one in fitting.values() if one.name not in BY_REQUEST]
    for name in wanted:
        if name not in fitting:
            close = difflib.get_close_matches(name, fitting, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(
                f"no method {name!r} for a model of the kind {kind!r}; there are: auto, "
                f"{', '.join(fitting)}{hint}"
            )
    return [fitting[name] for name in dict.fromkeys(wanted)]
