"""Relations of a general document: those that hold whatever the domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule


def _up_to_agent(by: str) -> str:
    # What leads to a document's own subject ends with the entity: a few words may follow the "by".
    return rf".*\b(?:{by})\b\W*(?:\S+\s+){{0,3}}\S*$"


def said(words: str) -> re.Pattern[str]:
    """A pattern of words that may stand between two entities, in any case."""
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def does(words: str, *, by: str = "by") -> re.Pattern[str]:
    """The same for what the first does to the second: ``spawned``, and not ``was spawned by``.

    ``by`` are the words that make the second the one who does it.
    """
    return re.compile(rf"^(?!{_up_to_agent(by)}).*\b(?:{words})\b", re.IGNORECASE | re.DOTALL)


def done(words: str, *, by: str = "by") -> re.Pattern[str]:
    """The passive: the second does it to the first, ``was spawned by the process``."""
    return re.compile(rf"\b(?:{words})\b{_up_to_agent(by)}", re.IGNORECASE | re.DOTALL)


@cache
def shared_rules() -> Sequence[Rule]:
    """Where devices and hosts are, and what controls what: the ties between the two domains."""
    at = said(r"in|on|at|to|of|located|assigned|moved|installed|ward")
    runs_it = said(
        r"controls?|controlling|manages?|managing|monitors?|monitoring|gateway for|serves?|serving|"
        r"drives?|connects? to|connected to|talks to|supervises|programs|feeds"
    )
    run_by = done(r"controlled|managed|monitored|programmed|supervised|served|driven|fed")
    return (
        Rule("located_in", "device", "ward", at, gap=60),
        Rule("located_in", "host", "ward", at, gap=60),
        Rule("controls", "host", "device", runs_it, gap=100),
        Rule("controls", "host", "device", run_by, gap=60, reverse=True),
        Rule("has_address", "host", "ip", re.compile(r"^ ?[(\[] ?$"), gap=3),
    )


@cache
def rules() -> Sequence[Rule]:
    """Every rule for general documents."""
    return shared_rules()
