"""Relations of long texts: judged in stretches, each tied to the mentions that stand nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import PairSet, Tags
from aegle.core.records import Document, Entity
from aegle.core.text import SafeText
from aegle.facts.pairs import Pair, paired
from aegle.facts.tag import Told
from aegle.facts.words import words
from aegle.lm.heads import Classifier
from aegle.lm.reading import Found

KINDS = frozenset({"page"})
TYPES = {"medication": "chemical", "condition": "disease"}
TAGS = Tags(
    {}, {}, pairs=PairSet("r", TYPES, {("Treats", "medication", "condition"): "treats"}, KINDS)
)
HEADS = {"r": Classifier("pair", ("Treats",), ("chemical", "disease"))}


@dataclass(frozen=True)
class Given:
    """A reading that relates all things, the surer the later; it keeps what it was asked."""

    text: str
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    found: Mapping[str, Sequence[Found]] = field(default_factory=dict)

    def spans(self, head: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        raise NotImplementedError

    def pairs(self, head: str, things: Sequence, *, within: tuple[int, int]) -> np.ndarray:
        assert all(within[0] <= start < within[1] for _, some in things for start, _ in some)
        count = len(self.text[slice(*within)].split())
        self.asked.append((*within, count))
        score = 0.6 + 0.01 * len(self.asked)
        return np.full((len(things), len(things), 2), (1 - score, score), np.float32)


def related(text: str) -> tuple[list[Pair], list[Entity], Given]:
    safe = SafeText(text, by="test")
    doc = Document("d1", "page", "healthcare", safe, safe)
    split = words(text)
    entities = [
        Entity(
            f"{start}", "d1", start, end, safe.cut(start, end), type, f"{type}:{text[start:end]}"
        )
        for start, end in zip(split.starts, split.ends, strict=True)
        if (type := {"d": "medication", "c": "condition"}.get(text[start]))
    ]
    reading = Given(text)
    told = Told(reading, (TAGS,), "taught/1", HEADS)
    return paired(doc, split, entities, told, ()), entities, reading


def test_things_are_judged_within_stretches_and_the_surest_answer_stands():
    filler = "x " * 160
    found, _, reading = related(f"d1 {filler}{filler} c1 {filler}{filler} d2 x c2 {filler}")
    assert [(one.head.key, one.tail.key) for one in found] == [
        ("medication:d1", "condition:c1"),
        ("medication:d2", "condition:c2"),
    ]
    assert all(count <= 350 for *_, count in reading.asked)
    scores = [0.6 + 0.01 * (n + 1) for n in range(len(reading.asked))]
    assert len(scores) > 2  # the second pair was judged twice
    assert abs(found[1].score - scores[-1]) < 1e-6


def test_a_short_text_is_one_stretch():
    found, _, reading = related("d1 x c1")
    assert (len(found), reading.asked) == (1, [(0, 7, 3)])


@given(st.lists(st.sampled_from(["d", "c", "x", "xx", "d1"]), min_size=2, max_size=14))
def test_a_relation_is_tied_to_the_nearest_mentions(parts):
    found, entities, _ = related(" ".join(parts))
    for one in found:
        left = [e.start for e in entities if e.key == one.head.key]
        right = [e.start for e in entities if e.key == one.tail.key]
        nearest = min(abs(a - b) for a in left for b in right)
        assert abs(one.head.start - one.tail.start) == nearest
    assert len(found) == len({e.key for e in entities if e.type == "medication"}) * len(
        {e.key for e in entities if e.type == "condition"}
    )
