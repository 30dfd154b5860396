"""Cleaning that keeps offsets: line ends, controls, invisible characters, broken words.

What is hidden from the eye is removed here, so that a name with a zero-width space inside is still
found by the recognisers, and so that invisible instructions do not reach a language model.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from aegle.core.records import Edit, Identifier, RawDocument
from aegle.core.text import RawText
from aegle.corpus.edits import Change, apply, move

_GONE: Final = (
    "\\x00-\\x08\\x0b\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f"  # C0 and C1 controls
    "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"  # soft hyphen, zero-width, directions, tags
)
_SPACES: Final = "\\x1c-\\x1f\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_ENDS: Final = "(?:\\r\\n?|[\\n\\x0c\\x85\u2028\u2029])"
_LOOSE: Final = f"[ \\t{_GONE}{_SPACES}]"

_DIRT: Final = re.compile(
    f"(?P<blank>{_ENDS}(?:{_LOOSE}*{_ENDS}){{2,}})"
    "|(?P<end>\\r\\n?|[\\x0c\\x85\u2028\u2029])"
    f"|(?P<gone>[{_GONE}]+)"
    f"|(?P<space>[{_SPACES}])"
    "|(?P<lone>[\ud800-\udfff])"
    "|(?P<hyphen>(?<=[a-z]{2})[-\u2010](?:\\r\\n?|\\n)[ \\t]{0,8}(?=[a-z]{2}))"
)
_BECOMES: Final = {
    "blank": "\n\n",
    "end": "\n",
    "gone": "",
    "space": " ",
    "lone": "\ufffd",
    "hyphen": "",
}
_LINES: Final = frozenset({"log", "event", "table", "fhir", "hl7v2", "stix", "sigma"})
"""Kinds where a line is a record: a hyphen at its end breaks no word."""


def clean(doc: RawDocument) -> tuple[RawDocument, tuple[Edit, ...]]:
    """The document without dirt, and the edits (kind ``clean``) that lead back to it.

    Line ends become one newline, more than one blank line becomes one, controls and invisible
    characters go, odd spaces become spaces, a word broken by a hyphen at a line end is joined
    (not in logs and tables). Mentions move with the text.
    """
    keep = "hyphen" if doc.kind in _LINES else ""
    text, edits = _cleaned(doc.text.reveal(), keep)
    title = _plain(doc.title)
    identifiers = tuple(Identifier(i.kind, _plain(i.value)) for i in doc.identifiers)
    meta = {key: _cleaned(value, "hyphen")[0] for key, value in doc.meta.items()}
    mentions, links = move(doc.mentions, doc.links, edits, len(text))
    cleaned = replace(
        doc,
        text=RawText(text),
        title=title,
        identifiers=identifiers,
        meta=meta,
        mentions=mentions,
        links=links,
    )
    return cleaned, edits


def _plain(text: RawText) -> RawText:
    return RawText(_cleaned(text.reveal(), "hyphen")[0])


def _cleaned(text: str, keep: str) -> tuple[str, tuple[Edit, ...]]:
    changes = []
    for match in _DIRT.finditer(text):
        kind = match.lastgroup or ""
        new = _BECOMES[kind]
        # A form feed or a tab-filled blank line matches and may already be as it should.
        if kind != keep and match[0] != new:
            changes.append(Change(match.start(), match.end(), new, "clean"))
    return apply(text, changes)
