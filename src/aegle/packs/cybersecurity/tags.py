"""What security texts take from the tagger: its label set, where patterns do not know better."""

from __future__ import annotations

from functools import cache
from typing import Final

from aegle.core.pack import LabelSet, Tags

_PROSE: Final = frozenset({"note", "report", "page", "mail"})
_SETS: Final = {
    "security": LabelSet(
        {
            "malware": ("malware", "tool"),
            # Addresses, hashes, files and CVE ids are shapes; what is left of "indicator" is not
            # sure enough to say which kind of thing it is.
            "system": ("product", "tool", "service"),
            "organization": ("organization", "threat_group", "vendor"),
            "vulnerability": ("vulnerability", "weakness"),
        },
        _PROSE,
    ),
}
_THRESHOLDS: Final = {"": 0.5, "product": 0.6, "organization": 0.6}
"""Products and organisations are named everywhere; what is named by chance must not be a node."""


@cache
def tags() -> Tags:
    """How security texts read the tagger."""
    return Tags(sets=_SETS, thresholds=_THRESHOLDS)
