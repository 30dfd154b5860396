"""Hosts by their internal names: ``ICU3-GW01.hospital.local`` and ``icu3-gw01`` are one.

A rule on the name alone (docs/decisions/0041-host-names.md): documents come and go one by one, so
a key must not depend on what other documents hold.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept

# RFC 6762, appendix G, and 8375 (home.arpa); .internal is reserved by ICANN (2024).
_OF_ORGANISATIONS: Final = frozenset("local internal corp intra intranet private home".split())
"""Before these stand a host and mostly a domain: ``gw01.hospital.local``."""
_OF_NETWORKS: Final = frozenset("lan localdomain home.arpa".split())
"""What routers and systems append to a bare host name: ``nas.lan``."""

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"


def host_name(text: str) -> str:
    """The name by which a host's node goes, in lower case.

    The first label of an internal name, any other name as a whole: what ``www.example.com`` and
    ``www.other.org`` share means nothing. ``hospital.local`` may be a domain, and stays.
    """
    name = text.strip().rstrip(".").casefold()
    labels = name.split(".")
    for size in (2, 1):
        suffix, left = ".".join(labels[-size:]), labels[:-size]
        if not all(left):
            continue
        if suffix in _OF_NETWORKS and left:
            return left[0]
        if suffix in _OF_ORGANISATIONS and (
            len(left) > 1 or (left and any(char.isdigit() for char in left[0]))
        ):
            return left[0]
    return name


@cache
def internal_hosts() -> tuple[Pattern, ...]:
    """Internal names as shapes: in a text a host; a field that calls one a domain has its node."""
    suffix = "|".join(re.escape(one) for one in sorted(_OF_ORGANISATIONS | _OF_NETWORKS))
    regex = re.compile(
        rf"(?<![\w.@/\\-])(?:{_LABEL}\.){{1,8}}(?:{suffix})(?![\w@=-]|\.\w|\()", re.IGNORECASE
    )

    def shortened(match: re.Match[str]) -> bool:
        name = match.group()
        if name.count(".") == 1 and name.partition(".")[2].istitle():
            return False  # "L4.Local tenderness": a sentence without its blank
        return host_name(name) != name.casefold()

    return (
        Pattern("host", regex, check=shortened, normal=host_name, score=0.95),
        Pattern(
            "domain",
            regex,
            lambda match: Concept("host", host_name(match.group())),
            check=shortened,
            score=0.8,
        ),
    )
