"""Forms of words beside the encoder: any text has features, and the sum is what it says it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from aegle.core.errors import InputError, NotFoundError
from aegle.lm.lexical import BITS, FEATURES, Lexical, features, packed
from aegle.lm.pieces import Ints
from aegle.lm.tagger import Tagger
from taught import teach

GOLDEN = [831370, 185288, 658268, 719839, 1039188, 220525]
TEXT = "Gave zorblax (IL-2) for gleepitis; zorblax helps."
KNOWN = {"biomedical": {"zorblax": "chemical", "gleepitis": "disease"}, "security": {"xx": "tool"}}


def spans(text: str) -> Ints:
    return np.array([m.span() for m in re.finditer(r"\w+|[^\w\s]", text)], np.int64).reshape(-1, 2)


def head(name: str, tags: int, *, seed: int) -> tuple[dict[str, Any], dict[int, Any]]:
    """A head's tensors for half of the features of `TEXT`, and the same as a table."""
    rng = np.random.default_rng(seed)
    ids = np.unique(features(TEXT, spans(TEXT)))[::2]
    weight = rng.integers(-127, 128, (len(ids), tags)).astype(np.float32)
    weight[rng.random(weight.shape) < 0.5] = 0
    weight[0, 0] = 127
    tensors = packed(ids, weight * 0.01, np.arange(tags, dtype=np.float32), head=name)
    return tensors, dict(zip(ids.tolist(), weight * 0.01, strict=True))


def test_logits_are_the_weighted_sums_of_the_features_rows() -> None:
    (one, first), (two, second) = head("one", 3, seed=1), head("two", 5, seed=2)
    found = Lexical({**one, **two}, {"one": (2, 0.5), "two": (5, 2.0)}, 11).logits(
        TEXT, spans(TEXT)
    )
    for row, ids in zip(found, features(TEXT, spans(TEXT)).tolist(), strict=True):
        wanted = np.zeros(11)
        wanted[2:5] = 0.5 * (np.arange(3) + sum((first[i] for i in ids if i in first), np.zeros(3)))
        wanted[5:10] = 2 * (
            np.arange(5) + sum((second[i] for i in ids if i in second), np.zeros(5))
        )
        assert row == pytest.approx(wanted, abs=1e-4)


@given(st.text(st.characters(), max_size=60))
def test_any_text_has_features_and_always_the_same(text: str) -> None:
    words = spans(text)
    found = features(text, words)
    assert found.shape == (len(words), len(FEATURES))
    assert ((found >= 0) & (found < 1 << BITS)).all()
    assert (features(text, words) == found).all()
    empty = packed(
        np.zeros(0, int), np.zeros((0, 3), np.float32), np.zeros(3, np.float32), head="x"
    )
    assert not Lexical(empty, {"x": (0, 1.0)}, 3).logits(text, words).any()


def test_features_are_the_same_on_every_machine() -> None:
    """A weight is stored under its feature's number, which must not change."""
    assert features("IL-2", spans("IL-2"))[0, :6].tolist() == GOLDEN


@given(st.text("ab ", max_size=30), st.text("cd ", max_size=30))
def test_words_farther_than_three_change_nothing(before: str, after: str) -> None:
    near = "one two three zorblax four five six"
    text = f"{before} {near} {after}"
    words, alone = spans(text), spans(near)
    place = len(spans(before)) + 3
    assert (features(text, words)[place] == features(near, alone)[3]).all()


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    made: Path = teach(tmp_path, KNOWN)
    return made


def with_forms(folder: Path, weight: float) -> Path:
    """The head ``biomedical`` is told by its forms that "helps" is a chemical."""
    text = "zorblax helps"
    ids = features(text, spans(text))[1]
    table = np.zeros((len(np.unique(ids)), 5), np.float32)
    table[:, 1] = 1
    tensors = packed(np.unique(ids), table, np.zeros(5, np.float32), head="biomedical")
    save_file(tensors, folder / "lexical.safetensors")
    card = json.loads((folder / "card.json").read_text())
    card["heads"]["biomedical"]["lexical"] = weight
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_a_weight_of_0_is_as_without(folder: Path) -> None:
    before = Tagger(folder, threads=1).tag([TEXT, "", "\ud800 zorblax"])
    after = Tagger(with_forms(folder, 0), threads=1).tag([TEXT, "", "\ud800 zorblax"])
    assert after == before


def test_forms_find_what_the_encoder_does_not(folder: Path) -> None:
    text = "\udfff zorblax helps"
    tagger = Tagger(folder, threads=1)
    (plain,) = tagger.tag([text])
    (told,) = Tagger(with_forms(folder, 1), threads=1).tag([text])
    names = [text[one.start : one.end] for one in told["biomedical"]]
    assert [text[one.start : one.end] for one in plain["biomedical"]] == ["zorblax"]
    assert names == ["zorblax", "helps"]
    assert told["security"] == plain["security"]


def test_reading_says_what_tagging_says(folder: Path) -> None:
    tagger = Tagger(with_forms(folder, 1), threads=1)
    (reading,) = tagger.read([TEXT])
    assert dict(reading.found) == tagger.tag([TEXT])[0]


def test_what_the_card_tells_of_must_be_there(folder: Path) -> None:
    with_forms(folder, 1)
    save_file({"none": np.zeros(1, np.float32)}, folder / "lexical.safetensors")
    with pytest.raises(InputError, match=r"lexical\.safetensors is not what"):
        Tagger(folder)
    (folder / "lexical.safetensors").unlink()
    with pytest.raises(NotFoundError, match=r"lexical\.safetensors, which isn't there"):
        Tagger(folder)
