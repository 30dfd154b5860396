"""By what the facts of a workspace were made, and whether that is what would make them now.

The ledger keeps each combination of versions that any fact was made by. When there is another than
today's, some facts are old: commands that use the graph say so, and `upkeep.reindex` makes facts
and graph anew from the stored text.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from aegle.core import observe
from aegle.core.pack import Tags
from aegle.facts import made
from aegle.facts.assertion import Weights
from aegle.facts.link import LEAST
from aegle.flows import terminologies
from aegle.flows.kit import Kit
from aegle.lm import catalog
from aegle.retrieve import names

_BEFORE: Final = "before versions were kept"


def current(kit: Kit) -> str:
    """The versions that make facts now, as JSON with sorted keys."""
    files = kit.settings.knowledge.terminologies
    made_by = {
        "encoder": encoder(kit),
        "lexicon": made.LEXICON,
        "link": made.LINK,
        "names": names.MARKS,
        "pattern": made.PATTERN,
        "rule": made.RULE,
        "source": made.SOURCE,
        "subject": made.SUBJECT,
        "terminologies": terminologies.contents(files, catalog.cache_folder() / "lexicons"),
        **{f"terms.{name}": pack.terms_version for name, pack in kit.packs.items()},
        **(_by_tagger(kit) if kit.tagger_version else {}),
    }
    return json.dumps(made_by, sort_keys=True)


def encoder(kit: Kit) -> str:
    """What makes the vectors of the index and of the names."""
    backends = kit.settings.backends
    return f"{backends.encoder}:{backends.encoder_model}:{backends.encoder_dimensions}"


def encoders(kit: Kit) -> set[str | None]:
    """What made the vectors of this workspace; None: before that was kept."""
    return {_encoder_in(one) for one in {*kit.ledger.made_by(), *former(kit)}}


def _encoder_in(made_by: str) -> str | None:
    try:
        told = json.loads(made_by)
    except ValueError:
        return None
    found = told.get("encoder") if isinstance(told, dict) else None
    return found if isinstance(found, str) else None


def _by_tagger(kit: Kit) -> dict[str, Any]:
    """What only counts where a tagger reads."""
    return {
        "assertion": asdict(Weights()),
        "least_link": LEAST,
        "tag": made.TAG,
        "tagger": kit.tagger_version,
        "tags": {name: [_needed(one) for one in tags] for name, tags in kit.tags.items()},
        "thresholds": kit.thresholds,
        **_by_meaning(kit),
    }


def _by_meaning(kit: Kit) -> dict[str, Any]:
    """What links names beyond spelling, where the settings want it."""
    how, backends = kit.settings.knowledge, kit.settings.backends
    if not how.abbreviations and how.link_by == "spelling":
        return {}
    return {
        "abbreviations": terminologies.contents(
            how.abbreviations, catalog.cache_folder() / "lexicons"
        ),
        "link_by": how.link_by,
        "link_encoder": f"{backends.encoder}:{backends.encoder_model}",
    }


def _needed(tags: Tags) -> dict[str, float]:
    """The least probabilities that a pack asks for: of entities by type, and of its pairs."""
    return {**tags.thresholds, **({"(pairs)": tags.pairs.threshold} if tags.pairs else {})}


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
