"""What is embedded: documents whole, logs without their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.corpus.meaning import meaning


def chunk(text: str, kind: str, title: str = "") -> Chunk:
    safe = SafeText(text, by="test")
    return Chunk("c", "d", 0, len(text), safe, SafeText(title, by="test"), kind, "general")


def test_notes_are_embedded_whole_with_their_title() -> None:
    assert meaning(chunk("BP 120/80.", "note", "Progress note")) == "Progress note\nBP 120/80."


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_log_lines_that_differ_in_numbers_are_one(one: int, other: int) -> None:
    line = "Apr 16 sshd[{0}]: Failed password for root from 10.0.0.5 port {0} ssh2"
    a = meaning(chunk(line.format(one), "log"))
    assert a == meaning(chunk(line.format(other), "log"))
    assert a == meaning(chunk(f"{line.format(one)}\n{line.format(other)}", "log"))
    assert "Failed password for root" in a


def test_a_log_of_numbers_still_has_a_text() -> None:
    assert meaning(chunk("1 2 3", "log")) == "log"
