"""Raw text never shows itself; safe text needs someone to vouch."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.text import RawText, SafeText


@given(st.text(min_size=30))
def test_raw_text_does_not_print_itself(text: str) -> None:
    raw = RawText(text)
    for shown in (repr(raw), str(raw), f"{raw}", repr([raw]), repr({"a": raw})):
        assert text not in shown
    assert raw.reveal() == text
    assert len(raw) == len(text)
    assert raw == RawText(text)
    assert hash(raw) == hash(RawText(text))


def test_raw_text_is_no_string() -> None:
    assert not isinstance(RawText("a"), str)
    with pytest.raises(TypeError):
        "".join([RawText("a")])  # type: ignore[list-item]


def test_safe_text_needs_a_voucher_and_cuts_safely() -> None:
    with pytest.raises(ValueError, match="vouches"):
        SafeText("a", by="")
    text = SafeText("heart failure", by="redact/1")
    assert isinstance(text.cut(0, 5), SafeText)
    assert text.cut(0, 5) == "heart"
    assert not isinstance(text[0:5], SafeText), "a slice must be vouched for again"


def test_safe_text_survives_copies_of_records() -> None:
    text = SafeText("heart failure", by="redact/1")
    assert copy.deepcopy([text])[0] is text
