"""Heads: right after a name, joined names share one, and nothing else is touched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import Cue
from aegle.core.records import Span
from aegle.facts.assertion import Context
from aegle.facts.heads import Head, heads_of
from aegle.facts.words import words

CONTEXT = Context(
    [
        Cue("clinic", "hypothetical", "head"),
        Cue("clinic :", "", "head"),
        Cue("surface antigen", "", "head", type="lab"),
        Cue("no", "negated", "forward"),
    ]
)


def heads(text: str, *names: str) -> list[Head | None]:
    spans = [Span(text.index(name), text.index(name) + len(name)) for name in names]
    return heads_of(words(text), CONTEXT.heads, spans)


def test_a_head_ends_where_its_words_end():
    (head,) = heads("the flu surface antigens rose", "flu")
    assert (head.cue.type, head.end, head.shared) == ("lab", 24, False)


def test_joined_names_share_the_head():
    left, right = heads("flu and cold clinic", "flu", "cold")
    assert (left.shared, right.shared) == (True, False)
    assert left.cue == right.cue
    assert heads("flu, cold clinic", "flu", "cold")[0] is None
    assert heads("flu with cold clinic", "flu", "cold")[0] is None


def test_a_field_of_a_form_is_no_head():
    assert heads("flu clinic: north", "flu") == [None]


@given(
    st.lists(
        st.sampled_from(["flu", "clinic", "and", "/", ":", "?", "\n", "surface", "antigen", "- "]),
        max_size=12,
    )
)
def test_every_name_has_one_answer_and_its_end_lies_behind_it(parts):
    text = " ".join(parts)
    split = words(text)
    spans = [Span(split.starts[i], split.ends[i]) for i, k in enumerate(split.keys) if k == "flu"]
    found = heads_of(split, CONTEXT.heads, spans)
    assert len(found) == len(spans)
    for span, head in zip(spans, found, strict=True):
        if head is not None:
            assert span.end <= head.end <= len(text)
            assert head.shared == (head.end == span.end)
            assert "\n" not in text[span.start : head.end]
