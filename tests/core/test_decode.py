"""What `core.decode` promises: any usual encoding, lines with a limit, binaries named."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.decode import guess_encoding, lines_of, looks_like, text_of
from aegle.core.errors import InputError

LETTER = "Sehr geehrter Herr Müller, Ihre Blutwerte von gestern sind unauffällig. Schöne Grüße. "
RUSSIAN = "Пациент жалуется на головную боль и слабость. Давление в норме, температура обычная. "


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [LETTER * 3, "a", "two\r\nlines\n"])
def test_unicode_comes_back_whole(text: str, codec: str) -> None:
    if codec in ("utf-16-le", "utf-16-be") and len(text) < 4:
        pytest.skip("one letter and a NUL are no evidence")
    assert text_of(io.BytesIO(text.encode(codec))) == text


@pytest.mark.parametrize("codec", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf32_comes_back_whole(codec: str) -> None:
    assert text_of(io.BytesIO(LETTER.encode(codec))) == LETTER


@pytest.mark.parametrize(
    ("text", "codec"), [(LETTER * 3, "latin-1"), (LETTER, "cp1252"), (RUSSIAN * 5, "cp1251")]
)
def test_old_encodings_come_back_whole(text: str, codec: str) -> None:
    assert text_of(io.BytesIO(text.encode(codec))) == text


def test_one_wrong_byte_in_utf8_does_not_change_the_rest() -> None:
    data = (RUSSIAN * 20).encode() + b" caf\xe9 " + RUSSIAN.encode()
    assert text_of(io.BytesIO(data)) == RUSSIAN * 20 + " café " + RUSSIAN


def test_a_late_wrong_byte_after_the_head_is_western() -> None:
    data = b"plain words\n" * 20_000 + b"na\xefve\n"
    assert list(lines_of(io.BytesIO(data)))[-1] == "naïve"


def test_a_character_on_a_block_edge_survives() -> None:
    text = "a" * ((1 << 16) - 1) + "é" * 70_000
    assert text_of(io.BytesIO(text.encode())) == text


@given(st.text(alphabet=st.characters(exclude_characters="\r\0", min_codepoint=10, codec="utf-8")))
def test_lines_with_ends_join_to_the_text(text: str) -> None:
    data = io.BytesIO(("\ufeff" + text).encode())
    assert "".join(lines_of(data, ends=True)) == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(end: str) -> None:
    assert list(lines_of(io.BytesIO(end.join(["a", "b", "", "c"]).encode()))) == ["a", "b", "", "c"]


def test_a_line_over_the_limit_is_refused_after_the_lines_before() -> None:
    lines = lines_of(io.BytesIO(b"short\n" + b"x" * 200_000 + b"\nafter\n"), limit=100_000)
    assert next(lines) == "short"
    with pytest.raises(InputError, match="a line of more than"):
        next(lines)


def test_a_text_over_the_limit_is_refused() -> None:
    assert len(text_of(io.BytesIO(b"x" * 1000), limit=1000)) == 1000
    with pytest.raises(InputError, match="a text of more than"):
        text_of(io.BytesIO(b"x" * 1001), limit=1000)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"MZ\x90\0\x03" + bytes(60), "Windows program"),
        (b"SQLite format 3\0" + bytes(80), "SQLite"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(range(256)) * 4, "unknown kind"),
    ],
)
def test_a_binary_is_named_by_its_first_bytes(head: bytes, name: str) -> None:
    with pytest.raises(InputError, match=name):
        guess_encoding(head)


def test_letters_that_start_like_a_magic_are_text() -> None:
    for text in (b"MZ is a German postcode area", b"BM 1 ward round", b"BMI 31"):
        assert looks_like(text) == ""
        assert guess_encoding(text) == "utf-8"


@given(st.binary(max_size=2000))
def test_any_bytes_give_text_or_an_input_error(data: bytes) -> None:
    try:
        text_of(io.BytesIO(data))
    except InputError as error:
        assert len(str(error)) < 120


def test_a_line_that_is_too_long_may_be_left_out() -> None:
    text = "one\n" + "x" * 400_000 + "\ntwo\n" + "y" * 200_000
    left: list[int] = []
    lines = lines_of(io.BytesIO(text.encode()), limit=100_000, left_out=left.append)
    assert (list(lines), left) == (["one", "two"], [2, 4])


@given(st.lists(st.sampled_from(["", "a", "b" * 9, "\r"])), st.integers(1, 12))
def test_short_lines_are_the_same_whatever_becomes_of_long_ones(
    lines: list[str], limit: int
) -> None:
    raw = ("0\n" + "\n".join(lines)).encode()
    left: list[int] = []
    every = list(lines_of(io.BytesIO(raw)))
    kept = list(lines_of(io.BytesIO(raw), limit=limit, left_out=left.append))
    assert kept == [line for n, line in enumerate(every, 1) if n not in left]
    assert all(len(every[n - 1]) >= limit for n in left)
