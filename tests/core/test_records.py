"""Records check themselves, and offsets lead back to the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import (
    Answer,
    Artifact,
    Chunk,
    Citation,
    Claim,
    Document,
    Edit,
    Entity,
    Link,
    Measure,
    Mention,
    RawDocument,
    Span,
    content_id,
)
from aegle.core.text import RawText, SafeText


def safe(text: str) -> SafeText:
    return SafeText(text, by="test")


@given(st.integers(-5, 20), st.integers(-5, 20))
def test_a_span_is_never_empty_or_negative(start: int, end: int) -> None:
    if 0 <= start < end:
        assert len(Span(start, end)) == end - start
    else:
        with pytest.raises(ValueError, match="0 <= start < end"):
            Span(start, end)


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_content_ids_tell_parts_apart(one: list[str], other: list[str]) -> None:
    if "\0" in "".join(one + other):
        return
    assert (content_id(*one) == content_id(*other)) == (one == other)


def test_documents_chunks_and_entities_refuse_plain_strings() -> None:
    with pytest.raises(TypeError, match=r"corpus\.redact"):
        Document("d", "note", "general", "raw", safe("t"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"corpus\.redact"):
        Chunk("c", "d", 0, 3, "raw", safe("t"), "note", "general")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="SafeText"):
        Entity("e", "d", 0, 3, "raw", "drug", "k")  # type: ignore[arg-type]


def test_raw_documents_check_their_mentions_and_links() -> None:
    mention = Mention(0, 9, "condition")
    with pytest.raises(ValueError, match="ends at 9"):
        RawDocument("s", "note", "general", RawText("short"), mentions=(mention,))
    with pytest.raises(ValueError, match="names mentions 0 and 1 of 1"):
        RawDocument(
            "s",
            "note",
            "general",
            RawText("long enough"),
            mentions=(mention,),
            links=(Link(0, 1, "t"),),
        )
    with pytest.raises(ValueError, match="domain must be one of"):
        RawDocument("s", "note", "astrology", RawText("x"))


def test_an_answer_has_claims_or_a_refusal() -> None:
    claim = Claim(safe("Yes."), (Citation("d", 0, 4, safe("Yes.")),))
    assert Answer(safe("q"), (claim,)).text == "Yes."
    for claims, refusal in (((), ""), ((claim,), "no")):
        with pytest.raises(ValueError, match="claims or a refusal"):
            Answer(safe("q"), claims, refusal)
    with pytest.raises(ValueError, match="at least one citation"):
        Claim(safe("Yes."), ())


def test_measures_and_artifacts_check_themselves() -> None:
    assert str(Measure(0.5, 0.25, 0.75, 10)) == "0.500 [0.250, 0.750] (n=10)"
    with pytest.raises(ValueError, match="low <= value"):
        Measure(0.5, 0.6, 0.7, 10)
    with pytest.raises(ValueError, match="n >= 1"):
        Measure(0.5, 0.5, 0.5, 0)
    with pytest.raises(ValueError, match="64 hex"):
        Artifact("p", "abc", 1)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str, list[Edit]]:
    """A raw text, the safe text made of it, and the edits between: replace, delete, insert."""
    raw, safe_text, edits = "", "", []
    for number in range(draw(st.integers(1, 6))):
        kept = draw(st.text("abc ", min_size=1, max_size=6))
        raw, safe_text = raw + kept, safe_text + kept
        gone, put = draw(st.sampled_from([(3, 5), (5, 2), (4, 4), (2, 0)]))
        edits.append(Edit(len(safe_text), len(safe_text) + put, len(raw), len(raw) + gone, "name"))
        raw, safe_text = raw + str(number) * gone, safe_text + "#" * put
    return raw + "z", safe_text + "z", edits


@given(edited(), st.data())
def test_safe_spans_lead_back_to_the_raw_characters(
    case: tuple[str, str, list[Edit]], data: st.DataObject
) -> None:
    raw, text, edits = case
    document = Document("d", "note", "general", safe(text), safe(""), edits=tuple(edits))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    back = document.original(start, end)
    assert 0 <= back.start < back.end <= len(raw)
    kept = "".join(letter for letter in text[start:end] if letter != "#")
    kept_raw = "".join(letter for letter in raw[back.start : back.end] if not letter.isdigit())
    assert kept == kept_raw
