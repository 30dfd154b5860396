"""What threat reports, tickets and advisories say in words: who uses, exploits, targets what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule


def _verb(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


@cache
def rules() -> Sequence[Rule]:
    """Rules between entities of one sentence, the verb standing between them."""
    uses = _verb(
        r"us(?:es?|ed|ing)|leverag\w+|deploy\w*|deliver\w*|drop\w*|employ\w*|execut\w+|install\w*"
        r"|rel(?:y|ies|ied) on|abus\w+|spread\w*|operat\w+|develop\w*"
    )
    exploits = _verb(r"exploit\w*|abus\w+|weaponi[sz]\w+|via|leverag\w+")
    targets = _verb(r"target\w*|attack\w*|compromis\w+|against|infect\w*")
    talks = _verb(r"beacon\w*|communicat\w+|connect\w*|contact\w*|call\w*|C2|command.and.control")
    fixes = _verb(r"mitigat\w*|prevent\w*|block\w*|fix\w*|remediat\w+")
    affects = _verb(r"affect\w*|in|impact\w*|allows?|of")
    open_on = _verb(r"has|runs?|vulnerable|exposed|affected by|open|unpatched|lacks")
    ran = _verb(r"on|at|from|ran|started|launched")
    actors = ("threat_group", "malware", "campaign", "tool")
    tools = ("malware", "tool", "technique", "attack_pattern")
    return (
        *(Rule("uses", a, t, between=uses, gap=160) for a in actors for t in tools),
        *(Rule("exploits", a, "vulnerability", between=exploits, gap=160) for a in actors),
        *(Rule("targets", a, t, between=targets) for a in actors for t in ("product", "host")),
        *(Rule("connected_to", a, t, between=talks, gap=160)
          for a in ("malware", "tool", "host") for t in ("domain", "ip", "url")),
        *(Rule("mitigates", "mitigation", t, between=fixes) for t in ("technique", "vulnerability")),
        Rule("affects", "vulnerability", "product", between=affects, gap=100),
        Rule("has_vulnerability", "host", "vulnerability", between=open_on, gap=100),
        Rule("has_weakness", "vulnerability", "weakness", gap=120),
        Rule("ran_on", "process", "host", between=ran, gap=60),
        Rule("logged_in_to", "account", "host", between=_verb(r"logged (?:in|on)|to|on"), gap=60),
    )  # fmt: skip
