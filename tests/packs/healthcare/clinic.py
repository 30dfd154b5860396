"""Facts of clinical sentences by the lists, cues and rules that the pack ships, without ICD-10."""

from __future__ import annotations

from functools import cache

from aegle.core.records import Document, Facts
from aegle.core.text import SafeText
from aegle.facts.extract import extract
from aegle.facts.lexicon import Lexicon
from aegle.packs.healthcare.cues import cues
from aegle.packs.healthcare.ontology import shipped_terms
from aegle.packs.healthcare.patterns import patterns
from aegle.packs.healthcare.rules import rules


@cache
def lexicon() -> Lexicon:
    return Lexicon.build(shipped_terms())


def facts(text: str, *, group: str = "patient:ab12") -> Facts:
    safe = SafeText(text, by="test")
    doc = Document(
        id="d1", kind="note", domain="healthcare", text=safe, title=safe, group=group
    )  # fmt: skip
    return extract(doc, lexicons=[lexicon()], patterns=patterns(), cues=cues(), rules=rules())


def said(text: str) -> set[tuple[str, str]]:
    """What the patient is said to have: (relation, the words of it)."""
    found = facts(text)
    by_id = {entity.id: entity for entity in found.entities}
    return {
        (r.type, str(by_id[r.tail].text).casefold())
        for r in found.relations
        if by_id[r.head].type == "patient"
    }


def assertions(text: str) -> dict[str, str]:
    """Name in lower case -> how it is asserted."""
    return {str(e.text).casefold(): e.assertion for e in facts(text).entities}
