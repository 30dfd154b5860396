"""By what the facts of a workspace were made, and whether that is what would make them now.

The ledger keeps each combination of versions that any fact was made by. When there is another than
today's, some facts are old: commands that use the graph say so, and `upkeep.reindex` makes facts
and graph anew from the stored text.
"""

from __future__ import annotations

import json
from typing import Final

from aegle.core import observe
from aegle.facts import made
from aegle.flows.kit import Kit

_BEFORE: Final = "before versions were kept"


def current(kit: Kit) -> str:
    """The versions that make facts now, as JSON with sorted keys."""
    made_by = {
        "lexicon": made.LEXICON,
        "pattern": made.PATTERN,
        "rule": made.RULE,
        "tag": made.TAG if kit.tagger_version else "",
        "tagger": kit.tagger_version,
        "thresholds": kit.settings.knowledge.thresholds if kit.tagger_version else {},
        **{f"terms.{name}": pack.terms_version for name, pack in kit.packs.items()},
    }
    return json.dumps(made_by, sort_keys=True)


def former(kit: Kit) -> list[str]:
    """The other versions by which facts of this workspace were made."""
    known = kit.ledger.made_by()
    if not known and kit.corpus.counts()["documents"]:
        return [_BEFORE]
    return [one for one in known if one != current(kit)]


def tell(kit: Kit) -> None:
    """Say, once a kit, that facts are old."""
    if not kit.told_former and former(kit):
        kit.told_former = True
        what = observe.Label("facts were made by other versions; run: aegle reindex")
        observe.event("facts.former", level="warning", what=what)
