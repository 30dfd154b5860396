"""Context within a budget: never over it, whole sentences at their places, more with more."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.retrieve.budget import compress, pieces

WORDS = ("pump", "ward", "chest", "pain", "alert", "host", "warfarin", "fever")
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(
    lambda words: " ".join(words).capitalize() + "."
)
TEXT = st.lists(SENTENCE, min_size=1, max_size=6).map(" ".join)


def chunk(document, number, start, text):
    safe = SafeText(text, by="test")
    title = SafeText("", by="test")
    item = f"{document}-{number}"
    return Chunk(item, document, start, start + len(text), safe, title, "note", "general")


def chunked(texts):
    """Each text as a document of two chunks that overlap."""
    found = []
    for number, text in enumerate(texts):
        half = text.find(" ", len(text) // 2) + 1
        found.append(chunk(f"d{number}", 0, 0, text))
        if half:
            found.append(chunk(f"d{number}", 1, half, text[half:]))
    return found


def count(text):
    return len(text.split())


def relevance(sentences):
    return [sum(word in one.lower() for word in ("pump", "pain")) / 2 for one in sentences]


@given(st.lists(TEXT, max_size=4), st.integers(0, 80), st.integers(0, 80))
def test_budget_places_and_growth(texts, small, more):
    chunks = chunked(texts)
    kept = compress(chunks, budget=small, count=count, relevance=relevance)
    assert sum(count(one.text) for one in kept) <= small
    for one in kept:
        whole = texts[int(one.document_id[1:])]
        assert whole[one.start : one.end] == one.text == one.citation.text
        assert isinstance(one.text, SafeText)
    larger = compress(chunks, budget=small + more, count=count, relevance=relevance)
    assert set(kept) <= set(larger)
    order = [(one.document_id, one.start) for one in kept]
    assert order == sorted(order)
    assert kept == compress(chunks, budget=small, count=count, relevance=relevance)


@given(st.lists(TEXT, max_size=4))
def test_with_room_for_all_nothing_is_lost_or_doubled(texts):
    chunks = chunked(texts)
    kept = compress(chunks, budget=10_000, count=count, relevance=relevance)
    assert sorted(kept, key=repr) == sorted(pieces(chunks), key=repr)
    for first, second in pairwise(kept):
        assert first.document_id != second.document_id or first.end <= second.start


def test_every_document_speaks_before_one_speaks_twice():
    chunks = [
        chunk("a", 0, 0, "Pump pain one. Pump pain two. Pump pain three."),
        chunk("b", 0, 100, "Pump alone here. Nothing."),
    ]
    kept = compress(chunks, budget=6, count=count, relevance=lambda s: [0.9, 0.9, 0.9, 0.8, 0.0])
    assert [(one.document_id, one.start) for one in kept] == [("a", 0), ("b", 100)]


def test_nothing_for_nothing():
    assert compress([], budget=9, count=count, relevance=relevance) == []
    one = chunk("a", 0, 0, "Pump.")
    assert compress([one], budget=0, count=count, relevance=relevance) == []
    assert compress([one], budget=1, count=count, relevance=relevance)[0].end == 5
