"""Which domains' label sets count in a general document: those whose own words it uses.

A tagger's heads see names of their kind everywhere: in an abstract the head for security takes
chemicals for malware. What a document is about, terminologies and shapes tell without doubt.
"""

from __future__ import annotations

from typing import Final

from aegle.core.pack import Tags
from aegle.core.records import Document
from aegle.flows.kit import Kit

_LEAST: Final = 2
"""Known names of a domain that a document must hold."""
_SHARE: Final = 0.25
"""And as a share of those of the domain with the most."""
_SURE: Final = 0.5


def tags_of(kit: Kit, document: Document) -> tuple[Tags, ...]:
    """How to read the tagger in a document."""
    if document.domain in kit.tags and document.domain != "general":
        return kit.tags[document.domain]
    known = {name: _known(kit, name, document.text) for name in kit.tags if name != "general"}
    least = max(_LEAST, _SHARE * max(known.values(), default=0))
    return tuple(tags for name, count in known.items() if count >= least for tags in kit.tags[name])


def _known(kit: Kit, domain: str, text: str) -> int:
    """How many sure names of a domain's terminology, and shapes of its own, a text holds."""
    others = [kit.patterns[other] for other in kit.tags if other not in (domain, "general")]
    shapes = [one.regex for one in kit.patterns[domain] if not any(one in some for some in others)]
    named = sum(
        any(term.score >= _SURE for term in match.terms)
        for lexicon in kit.lexicons[domain]
        for match in lexicon.find(text)
    )
    return named + sum(1 for regex in shapes for _ in regex.finditer(text))
