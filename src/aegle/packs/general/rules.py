"""Relations of a general document: those that hold whatever the domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule


def said(words: str) -> re.Pattern[str]:
    """A pattern of words that may stand between two entities, in any case."""
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


@cache
def shared_rules() -> Sequence[Rule]:
    """Where devices and hosts are, and what controls what: the ties between the two domains."""
    at = said(r"in|on|at|to|of|located|assigned|moved|installed|ward")
    runs_it = said(
        r"controls?|controlling|manages?|managing|monitors?|monitoring|gateway for|serves?|serving|"
        r"drives?|connects? to|connected to|talks to|supervises|programs|feeds"
    )
    run_by = said(r"(?:controlled|managed|monitored|programmed|supervised|served|driven|fed) by")
    return (
        Rule("located_in", "device", "ward", at, gap=60),
        Rule("located_in", "host", "ward", at, gap=60),
        Rule("controls", "host", "device", runs_it, gap=100),
        Rule("controls", "host", "device", run_by, True, gap=60),
        Rule("has_address", "host", "ip", re.compile(r"^ ?[(\[] ?$"), gap=3),
    )


@cache
def rules() -> Sequence[Rule]:
    """Every rule for general documents."""
    return shared_rules()
