"""Ties between devices, wards and hosts, which notes, tickets and inventories all state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule


@cache
def rules() -> Sequence[Rule]:
    """Where devices stand and what controls them."""
    place = re.compile(r"^\W*(?:\w+\W+){0,3}?(?:in|on|at|of|located in|to)\b[^.;]*$", re.IGNORECASE)
    control = re.compile(r"\b(?:controls?|manages?|drives?|gateway (?:for|of))\b", re.IGNORECASE)
    controlled = re.compile(
        r"\b(?:controlled|managed|driven|served) by\b|\bdepends? on\b|\bbehind\b", re.IGNORECASE
    )
    return (
        Rule("located_in", "device", "ward", between=place, gap=60),
        Rule("located_in", "host", "ward", between=place, gap=60),
        Rule("controls", "host", "device", between=control, gap=100),
        Rule("controlled_by", "device", "host", between=controlled, gap=100),
    )
