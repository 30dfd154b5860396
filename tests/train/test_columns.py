"""Column files and standoff as people have them: other columns, schemes, comments, line ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label
from aegle.train.data.formats import read_corpus


def iob(folder: Path, content: str) -> list[Example]:
    file = folder / "some.conll"
    file.write_text(content, encoding="utf-8")
    return read_corpus(file, format="iob", because="made here")


@pytest.mark.parametrize(
    "content",
    [
        "ab NN B-NP B-X\ncd NN I-NP I-X\nef VB O O\n",  # CoNLL 2003
        "1\tab\tB-X\n2\tcd\tI-X\n3\tef\tO\n",  # numbered
        "ab\tB-X\tnoun\ncd\tI-X\tnoun\nef\tO\tverb\n",  # the tag isn't last
        "ab M-X\ncd E-X\nef O\n",
        "ab B_X\ncd I_X\nef O\n",
        "# id 7 domain=en\nab X\ncd X\nef O\ngh O\n\nij O\nkl O\n",  # labels without B and I
        "\ufeffab\tB-X\t\ncd\tI-X\t\nef\tO\t\n",
        "ab\tB-X\ncd\tI-X\n \tO\nef\tO\n",  # a token of nothing but space
    ],
)
def test_tokens_and_tags_are_found(tmp_path: Path, content: str) -> None:
    one = iob(tmp_path, content)[0]
    assert one.text[:8] == "ab cd ef"
    assert one.labels == (Label(0, 5, "X"),)


@pytest.mark.parametrize("start", ["-DOCSTART-", "-DOCSTART- -X- O O", "<DOCSTART>\tO\tO\tO"])
def test_documents_begin_where_the_file_says(tmp_path: Path, start: str) -> None:
    line = "ab\tNN\tO\tB-X\n" if "\t" in start else "ab NN O B-X\n"
    found = iob(tmp_path, f"{start}\n\n{line}\n{line}\n{start}\n{line}")
    assert [one.group for one in found] == ["some/1", "some/1", "some/2"]
    assert all(one.labels == (Label(0, 2, "X"),) for one in found)


def test_a_file_without_tags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2"):
        iob(tmp_path, "\nab\ncd\n")
    with pytest.raises(InputError, match="a tag is O"):
        iob(tmp_path, "ab NN\ncd VB\n")


def test_brat_in_folders_with_fragments_and_other_line_ends(tmp_path: Path) -> None:
    inside = tmp_path / "test" / "b"
    inside.mkdir(parents=True)
    (inside / "c.txt").write_bytes(b"one\r\ntwo lines")
    (inside / "c.ann").write_text("T1\tX 0 3;5 8\tone two\nT2\tY 0 3;9 14\tone lines\n")
    (tmp_path / "d.txt").write_bytes(b"one\r\ntwo lines")
    (tmp_path / "d.a1").write_text("T1\tX 4 7\ttwo\n")
    (tmp_path / "d.a2").write_text("T2\tY 8 13\tlines\nE1\tY:T2\n")
    first, second = read_corpus(tmp_path, format="brat", because="made here")
    assert (first.id, first.labels) == ("d", (Label(4, 7, "X"), Label(8, 13, "Y")))
    assert (second.id, second.labels) == ("test/b/c", (Label(0, 8, "X"),))
    assert [second.text[one.start : one.end] for one in second.labels] == ["one\r\ntwo"]
