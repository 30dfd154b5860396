"""Cleaning keeps every offset: what is left stands where `Document.original` says it stood."""

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Document, Link, Mention, RawDocument
from aegle.core.text import RawText, SafeText
from aegle.corpus.clean import clean

DIRTY = st.text(
    st.one_of(
        st.sampled_from("ab -\n\r\t\0\u200b\u00ad\u00a0\x0c\u2028\x1c\ufeff"), st.characters()
    ),
    max_size=80,
)


def raw(text: str, kind: str = "note", **more) -> RawDocument:
    return RawDocument("x", kind, "general", RawText(text), **more)


def cleaned(text: str, kind: str = "note") -> str:
    return clean(raw(text, kind))[0].text.reveal()


@given(DIRTY)
def test_every_kept_character_leads_back_to_itself(text):
    doc, edits = clean(raw(text))
    new = doc.text.reveal()
    safe = Document("i", "note", "general", SafeText(new, by="test"), SafeText("", by="test"),
                    edits=edits)  # fmt: skip
    edited = {i for edit in edits for i in range(edit.start, edit.end)}
    for i, char in enumerate(new):
        span = safe.original(i, i + 1)
        if i not in edited:
            assert text[span.start : span.end] == char
        else:
            assert 0 <= span.start < span.end <= len(text)


@given(DIRTY)
def test_no_dirt_is_left_and_only_dirt_went(text):
    new = cleaned(text, "log")
    assert not set(new) & set("\0\r\u200b\u00ad\u00a0\x0c\u2028\x1c\ufeff\x7f\ud800")
    assert [c for c in new if c.isalnum()] == [
        c for c in text if c.isalnum() and not "\ud800" <= c <= "\udfff"
    ]


@given(st.text(st.sampled_from("ab\n\r\0 \u200b"), min_size=4, max_size=40), st.data())
def test_mentions_follow_their_characters(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    doc, _ = clean(raw(text, "log", mentions=(Mention(start, end, "patient"),)))
    letters = [c for c in text[start:end] if c in "ab"]
    for mention in doc.mentions:
        assert [c for c in doc.text.reveal()[mention.start : mention.end] if c in "ab"] in (
            letters,
            # Nothing of it was left: it stands at its neighbour.
            *([[c] for c in "ab"] if not letters else ()),
        )


def test_what_becomes_of_dirt():
    assert cleaned("a\r\nb\rc\n\n\n\nd") == "a\nb\nc\n\nd"
    assert cleaned("Jo\u200bhn\u00a0Smi\u00adth\0") == "John Smith"
    assert cleaned("hyper-\ntension") == "hypertension"
    assert cleaned("hyper-\ntension", "log") == "hyper-\ntension"
    assert cleaned("COVID-\nlike BP 120-\n80") == "COVID-\nlike BP 120-\n80"


def test_a_text_of_dirt_alone_has_no_mentions_and_no_links():
    doc, _ = clean(
        raw("\0\0", mentions=(Mention(0, 1, "a"), Mention(1, 2, "b")), links=(Link(0, 1, "t"),))
    )
    assert (len(doc.text), doc.mentions, doc.links) == (0, (), ())


def test_a_clean_text_is_unchanged():
    doc = raw("Nothing to do here.\n\nReally.")
    assert clean(doc) == (doc, ())
