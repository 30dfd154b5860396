"""What notes say in words: doses of drugs, what treats and what causes what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from aegle.core.pack import Rule


@cache
def rules() -> Sequence[Rule]:
    """Rules between clinical entities of one sentence."""
    treats = re.compile(r"\b(?:for|to treat|treats?|treating|manag\w+|control\w*)\b", re.IGNORECASE)
    treated = re.compile(
        r"\b(?:treated with|managed with|controlled (?:on|with)|on|started on|given|received)\b",
        re.IGNORECASE,
    )
    causes = re.compile(
        r"\b(?:caus\w+|induc\w+|lead\w* to|result\w* in|-induced|precipitat\w+)\b", re.IGNORECASE
    )
    due = re.compile(
        r"\b(?:due to|secondary to|2/2|from|caused by|because of|induced by)\b", re.IGNORECASE
    )
    ills = ("condition", "symptom")
    return (
        Rule("has_dose", "medication", "dose", between=re.compile(r"^[^.;\n]{0,25}$"), gap=25),
        Rule("infuses", "device", "medication", gap=60,
             between=re.compile(r"\b(?:infus\w+|running|deliver\w+|with|for)\b", re.IGNORECASE)),
        Rule("infused_by", "medication", "device", gap=60,
             between=re.compile(r"\b(?:via|on|through|by|per)\b", re.IGNORECASE)),
        *(Rule("treats", "medication", ill, between=treats, gap=80) for ill in ills),
        *(Rule("treated_with", ill, "medication", between=treated, gap=80) for ill in ills),
        *(Rule("causes", one, other, between=causes, gap=60)
          for one in ("medication", *ills) for other in ills),
        *(Rule("caused_by", one, other, between=due, gap=60)
          for one in ills for other in ("medication", *ills)),
    )  # fmt: skip
