"""Labels stand where their text stands, whatever the text goes through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.packs.sample.marks import entity, evidence, identifier, plain, related, settle

words = st.text(st.characters(exclude_categories=("Co", "Cs")), min_size=1, max_size=20)


@given(st.lists(st.tuples(words, words)))
def test_marks_point_at_their_text(pairs: list[tuple[str, str]]) -> None:
    settled = settle("".join(before + identifier("name", name) for before, name in pairs))
    assert settled.text == "".join(before + name for before, name in pairs)
    found = [settled.text[m.start : m.end] for m in settled.marks]
    assert found == [name for _, name in pairs]


@given(words, words)
def test_marks_nest(outer: str, inner: str) -> None:
    settled = settle(evidence("k|1", outer + entity("device", inner)))
    assert {m.label[0]: settled.text[m.start : m.end] for m in settled.marks} == {
        "v": outer + inner,
        "e": inner,
    }


@given(words)
def test_marks_survive_json(name: str) -> None:
    settled = settle(json.dumps({"a": identifier("name", name)}, ensure_ascii=False))
    (mark,) = settled.of("i")
    assert json.loads(f'"{settled.text[mark.start : mark.end]}"') == name
    assert json.loads(settled.text) == {"a": name}


def test_a_relation_covers_its_entities() -> None:
    text = related("has_dose", "medication", "dose", f"{entity('medication', 'aspirin')} 81")
    assert [m.label[0] for m in settle(text).marks] == ["r", "e"]


def test_an_unclosed_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="never closed"):
        plain(identifier("name", "x")[:-1])
    with pytest.raises(ValueError, match="never opened"):
        plain("\ue002")
