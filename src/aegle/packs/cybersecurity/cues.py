"""Cues of security text: those of plain English, and how reports deny, doubt and suppose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Cue
from aegle.packs.general import cues as english

_MORE: Final = (
    Cue("no indicators of", "negated", "forward", 8),
    Cue("no traces of", "negated", "forward", 8),
    Cue("no exploitation of", "negated", "forward", 8),
    Cue("patched against", "negated", "forward", 8),
    Cue("false positive for", "negated", "forward", 8),
    Cue("false positive", "negated", "backward", 6),
    Cue("has been patched", "negated", "backward", 6),
    Cue("was patched", "negated", "backward", 6),
    Cue("attributed with low confidence to", "possible", "forward", 8),
    Cue("attributed with moderate confidence to", "possible", "forward", 8),
    Cue("overlaps with", "possible", "forward", 8),
    Cue("consistent with", "possible", "forward", 8),
    Cue("we suspect", "possible", "forward", 8),
    Cue("previously", "historical", "forward", 8),
    Cue("in the past", "historical", "forward", 8),
    Cue("historically", "historical", "forward", 8),
    Cue("formerly", "historical", "forward", 8),
    Cue("an attacker could", "hypothetical", "forward", 10),
    Cue("attackers could", "hypothetical", "forward", 10),
    Cue("adversaries may", "hypothetical", "forward", 10),
    Cue("adversaries could", "hypothetical", "forward", 10),
    Cue("could allow", "hypothetical", "forward", 10),
    Cue("may allow", "hypothetical", "forward", 10),
)


@cache
def cues() -> Sequence[Cue]:
    """Every cue of security documents."""
    return (*english.cues(), *_MORE)
