"""Which type each matrix of a GGUF file gets; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from aegle.compress.causal import ggml
from aegle.core.errors import UsageError

_NARROWER: Final = {
    "Q6_K": "Q8_0",
    "Q5_K": "Q5_1",
    "Q4_K": "Q5_0",
    "IQ4_XS": "IQ4_NL",
    **dict.fromkeys(("Q3_K", "IQ3_S", "IQ3_XXS", "Q2_K"), "IQ4_NL"),
    **dict.fromkeys(ggml.NEEDS_IMPORTANCE, "IQ4_NL"),
}
"""For rows that are no whole blocks of 256, as llama.cpp's own quantiser chooses."""

EMBEDDINGS: Final = ("token_embd.weight", "output.weight")


@dataclass(frozen=True)
class Plan:
    """Types by tensor.

    Attributes:
        type: of matrices that nothing else is said of.
        embedding: of the table of words and of the output layer; empty: as the rest.
        kept: patterns of names, ``blk.0.*`` -> type; "F16" keeps halves.
    """

    type: str
    embedding: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, shape: tuple[int, ...]) -> str:
        """The type of a tensor (its shape as numpy has it); "F32" where it is not quantised.

        Norms and biases are vectors and stay, as do routers: a mistake there sends a token to
        another expert.
        """
        if len(shape) < 2 or name.endswith("ffn_gate_inp.weight"):
            return "F32"
        asked = self.embedding if self.embedding and name in EMBEDDINGS else self.type
        for pattern, told in self.kept.items():
            if fnmatchcase(name, pattern):
                asked = told
        if asked.upper() == "F16":
            return "F16"
        if name == EMBEDDINGS[0] and asked.upper() in ggml.NEEDS_IMPORTANCE:
            asked = "Q2_K"  # a table that is looked up in reads no columns; llama.cpp does the same
        return fitting(asked, shape[-1])


def fitting(name: str, columns: int) -> str:
    """A type, or the next that rows of so many columns are whole blocks of; "F16" if none is."""
    name = ggml.kind(name).name
    if ggml.fits(name, columns):
        return name
    other = _NARROWER.get(name, name)
    return other if ggml.fits(other, columns) else "F16"


def read(settings: Mapping[str, Any], *, usual: str = "q4_k") -> Plan:
    """The plan of a method's settings: ``type``, ``embedding``, ``keep`` (pattern -> type).

    Raises:
        UsageError: an unknown type.
    """
    plan = Plan(
        str(settings.get("type", usual)),
        str(settings.get("embedding", "")),
        {str(key): str(value) for key, value in dict(settings.get("keep", {})).items()},
    )
    for name in (plan.type, *filter(None, (plan.embedding,)), *plan.kept.values()):
        if name.upper() != "F16":
            ggml.kind(name)
    return plan


def known(settings: Mapping[str, Any], keys: tuple[str, ...], method: str) -> None:
    """Refuse a setting that a method has not.

    Raises:
        UsageError: with what there is.
    """
    if wrong := sorted(set(settings) - set(keys)):
        raise UsageError(f"{method} has no setting {wrong[0]!r}; there are: {', '.join(keys)}")
