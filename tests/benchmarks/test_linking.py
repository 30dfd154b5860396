"""Linkers are asked alike, and the result is of the kinds that favour none of them."""

from __future__ import annotations

import linking
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.facts.abbreviations import Senses
from aegle.facts.lexicon import Lexicon
from linking_set import Item, LinkingSet

RIGHT = frozenset({"I50.9"})
SENSES = {"hf": ["heart failure", "hay fever"]}
DEFINED = Item("defined", "acute HF", RIGHT, "I50", "Known heart failure (HF). See acute HF.")
INVENTORY = Item("inventory", "acute HF", RIGHT, "I50", "Seen today. See acute HF.")
TYPO = Item("typo", "acute hart failure", RIGHT, "I50")
TERMS = (
    Term("acute heart failure", "condition", Concept("icd10cm", "I50.9", "acute heart failure")),
    Term("acute nephritis", "condition", Concept("icd10cm", "N00", "acute nephritis")),
)


def test_every_peer_is_asked_for_the_name_written_out() -> None:
    senses = Senses(SENSES)
    asked = [linking.written_out(item, senses) for item in (DEFINED, INVENTORY, TYPO)]
    assert asked == ["acute heart failure", "acute heart failure", "acute hart failure"]
    made = LinkingSet(TERMS, (DEFINED,), SENSES)
    for peer in (
        linking.exact_peer(Lexicon.build(TERMS)),
        linking.linker_peer(linking.Linker([Lexicon.build(TERMS)])),
        linking.bm25_peer(made),
    ):
        assert peer(asked[0])[0][0] == "I50.9"


def test_names_are_slips_and_synonyms_only() -> None:
    items = [TYPO, Item("synonym", "cardiac decompensation", RIGHT, "I51"), DEFINED, INVENTORY]
    told = linking.measure(
        lambda name: [("I50.9", 1.0)] if "heart" in name else [],
        items,
        [linking.written_out(item, Senses(SENSES)) for item in items],
        0.85,
    )
    assert told["names@1"][0] == 0
    assert told["defined@1"][0] == told["inventory@1"][0] == 1
    assert told["all@1"][0] == 0.5
