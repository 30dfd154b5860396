"""Cues of security text: those of plain English, and how reports deny, doubt and suppose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Cue
from aegle.packs.general import cues as english


@cache
def cues() -> Sequence[Cue]:
    """Every cue of security documents."""
    more = (
        *(
            Cue(phrase, "negated", "forward", 8)
            for phrase in (
                "no indicators of",
                "no traces of",
                "patched against",
                "not exploitable via",
                "false positive for",
                "no exploitation of",
            )
        ),
        *(
            Cue(phrase, "negated", "backward", 6)
            for phrase in (
                "false positive",
                "was blocked before",
                "has been patched",
                "was patched",
            )
        ),
        *(
            Cue(phrase, "possible", "forward", 8)
            for phrase in (
                "attributed with low confidence to",
                "attributed with moderate confidence to",
                "overlaps with",
                "consistent with",
                "assess that",
                "we suspect",
            )
        ),
        *(
            Cue(phrase, "historical", "forward", 8)
            for phrase in ("previously", "in the past", "historically", "formerly", "used to")
        ),
        *(
            Cue(phrase, "hypothetical", "forward", 10)
            for phrase in (
                "an attacker could",
                "attackers could",
                "adversaries may",
                "adversaries could",
                "could allow",
                "may allow",
            )
        ),
    )
    return (*english.cues(), *more)
