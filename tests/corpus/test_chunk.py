"""Chunks: exact, within budget, nothing lost."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.records import Document
from aegle.core.text import SafeText
from aegle.corpus.chunk import chunk

WORDS = st.sampled_from(
    ["Plan:", "PAST MEDICAL HISTORY", "## Page", "denies", "chest pain.", "x" * 40, "1.", "\n",
     "\n\n", "\t", "漢字。", "e.g.", "2024-01-02 10:00:00 host", "- item", "|a|b|", "\u3000"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=60).map(" ".join)


def words(text: str) -> int:
    return len(text.split()) + len(text) // 8


def document(text: str, kind: str = "note") -> Document:
    title = SafeText("About", by="test")
    return Document("d1", kind, "healthcare", SafeText(text, by="test"), title, "patient:1", "2024")


@settings(max_examples=150)
@given(TEXTS, st.sampled_from(["note", "log", "page", "fhir"]), st.integers(1, 30), st.data())
def test_promises(text, kind, budget, data):
    overlap = data.draw(st.integers(0, budget - 1))
    doc = document(text, kind)
    chunks = chunk(doc, budget=budget, overlap=overlap, count=words)
    covered = set()
    for one in chunks:
        assert one.text == text[one.start : one.end] == one.text.strip()
        assert words(one.text) <= budget or len(one.text) == 1
        assert (one.document_id, one.kind, one.group, one.time) == (doc.id, kind, doc.group, "2024")
        covered.update(range(one.start, one.end))
    assert all(i in covered for i, char in enumerate(text) if not char.isspace())
    assert len({one.id for one in chunks}) == len(chunks)
    ends = [one.end for one in chunks]
    assert ends == sorted(set(ends)), "every chunk reaches further than the one before"
    if not overlap:
        assert all(a.end <= b.start for a, b in pairwise(chunks))


def test_a_section_is_not_crossed():
    text = "Allergies: none known.\n\nPlan:\nStart metformin. Follow up.\n\nHISTORY\nAsthma."
    made = chunk(document(text), budget=100, overlap=0, count=words)
    assert [one.text.splitlines()[0] for one in made] == [
        "Allergies: none known.", "Plan:", "HISTORY",
    ]  # fmt: skip


def test_lines_of_a_log_stay_whole():
    text = "\n".join(f"2024-01-02 10:00:0{i} host sshd: session. Opened for root" for i in range(8))
    made = chunk(document(text, "log"), budget=40, overlap=0, count=words)
    assert len(made) > 1
    lines = set(text.splitlines())
    assert all(line in lines for one in made for line in one.text.splitlines())


def test_overlap_repeats_whole_sentences():
    text = " ".join(f"Sentence number {i} is here." for i in range(12))
    made = chunk(document(text, "page"), budget=30, overlap=10, count=words)
    assert all(b.start < a.end for a, b in pairwise(made))


def test_counting_is_not_quadratic():
    counted = []

    def count(text):
        counted.append(len(text))
        return words(text)

    text = "One short sentence is here. " * 4000
    chunk(document(text, "page"), budget=50, overlap=0, count=count)
    assert sum(counted) < 6 * len(text)
    counted.clear()
    chunk(document("x" * 300_000, "page"), budget=50, overlap=0, count=count)
    assert sum(counted) < 3 * 300_000


def test_a_chunk_of_words_that_count_little_is_no_longer_than_others():
    for text in (
        "a" * 300_000,
        "\n".join("b" * 1000 for _ in range(300)),
        "c. " + " " * 9999 + "d.",
    ):
        made = chunk(
            document(text, "log"), budget=50, overlap=20, count=lambda one: len(one.split())
        )
        assert all(len(one.text) <= 16 * 50 for one in made)
        assert "".join("".join(one.text.split()) for one in made).count("b") >= text.count("b")


@pytest.mark.parametrize(("budget", "overlap"), [(0, 0), (5, 5), (5, -1)])
def test_a_budget_must_make_sense(budget, overlap):
    with pytest.raises(ValueError, match="overlap"):
        chunk(document("a"), budget=budget, overlap=overlap, count=words)
