"""Windows cover each word once; tags and spans lead back and forth; Viterbi finds the best path."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from aegle.lm.pieces import CASES, blocks, case, owners, pieces, windows
from aegle.lm.spans import decode, tags_of, to_characters


def _tokenizer() -> Tokenizer:
    """Word pieces of one or two letters, as BERT cuts them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'-"
    names = ["[UNK]", *letters, *("##" + one for one in letters), "ab", "##cd"]
    made = Tokenizer(models.WordPiece({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


TOKENIZER = _tokenizer()
TEXT = st.text("ab cd.Z9\n", max_size=80)


@given(st.lists(TEXT, max_size=4), st.integers(2, 12), st.data())
def test_every_word_is_decided_once(texts: list[str], size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    some = pieces(TOKENIZER, texts)
    cut = list(windows(some, size=size, overlap=overlap))
    assert all(0 < window.end - window.start <= size for window in cut)
    decided = {
        number: sorted(
            int(place) + window.start
            for window, mine in zip(cut, owners(some, cut), strict=True)
            if window.text == number
            for place in mine
        )
        for number in range(len(texts))
    }
    for number, one in enumerate(some):
        assert decided[number] == one.first_W.tolist()


@given(TEXT)
def test_words_are_slices_of_their_text(text: str) -> None:
    (one,) = pieces(TOKENIZER, [text])
    words = [text[a:b] for a, b in one.spans_W2]
    assert "".join(words) == "".join(text.split())
    assert [CASES[c] for c in one.cases_P[one.first_W]] == [CASES[case(word)] for word in words]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("pain", "lower"), ("Pain", "title"), ("A", "title"), ("MRI", "upper"), ("HbA", "mixed"),
        ("12", "number"), ("B12", "code"), (".", "other"), ("iPhone", "mixed"),
    ],
)  # fmt: skip
def test_how_words_are_written(word: str, name: str) -> None:
    assert CASES[case(word)] == name


def test_labels_become_tags_and_come_back() -> None:
    text = "ab cd. ab ab, cd"
    (one,) = pieces(TOKENIZER, [text])
    labels = [(0, 5, 0), (7, 9, 1), (10, 12, 1)]
    tags, lost = tags_of(one.spans_W2, labels)
    assert (tags.tolist(), lost) == ([1, 2, 0, 3, 3, 0, 0], 0)
    logits = 9 * np.eye(5, dtype=np.float32)[tags]
    assert [span[:3] for span in to_characters(decode(logits), one.spans_W2)] == labels


def test_a_label_that_shares_a_word_is_counted_as_lost() -> None:
    (one,) = pieces(TOKENIZER, ["abcd"])
    assert tags_of(one.spans_W2, [(0, 2, 0), (2, 4, 0)])[1] == 1


def _legal(path: tuple[int, ...]) -> bool:
    return all(
        tag == 0 or tag % 2 or (n and path[n - 1] in (tag - 1, tag)) for n, tag in enumerate(path)
    )


@given(st.integers(1, 5), st.integers(1, 2), st.integers(0, 10**6))
def test_viterbi_finds_what_trying_all_paths_finds(words: int, labels: int, seed: int) -> None:
    tags = 1 + 2 * labels
    logits = np.random.default_rng(seed).normal(size=(words, tags)).astype(np.float32) * 2
    wide = logits.astype(np.float64)
    log = wide - np.log(np.exp(wide).sum(1, keepdims=True))
    best = max(
        (path for path in product(range(tags), repeat=words) if _legal(path)),
        key=lambda path: sum(log[n, tag] for n, tag in enumerate(path)),
    )
    spans, at = [], 0
    while at < words:
        if not best[at]:
            at += 1
            continue
        label, begin = (best[at] - 1) // 2, at
        at += 1
        while at < words and best[at] == 2 + 2 * label:
            at += 1
        spans.append((begin, at, label))
    found = decode(logits)
    assert [one[:3] for one in found] == spans
    assert all(0 < one[3] <= 1 for one in found)


def test_a_bias_against_nothing_finds_more() -> None:
    logits = np.array([[1.0, 0.5, 0.0]], np.float32)
    assert not decode(logits)
    assert decode(logits, bias=-1.0)


def test_an_overlap_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="less than the size"):
        list(windows(pieces(TOKENIZER, ["ab"]), size=4, overlap=4))


@given(st.text("ab \n", max_size=60), st.integers(2, 12))
def test_blocks_make_up_their_text(text: str, size: int) -> None:
    cut = list(blocks(text, size=size))
    assert "".join(text[a:b] for a, b in cut) == text
    assert all(b - a <= size for a, b in cut)
    assert all(b > a for a, b in cut) or not text


def test_blocks_end_after_lines() -> None:
    text = "one two\nthree four\n\nfive six seven"
    assert [text[a:b] for a, b in blocks(text, size=21)] == [text[:20], text[20:]]
    assert next(text[a:b] for a, b in blocks(text, size=12)) == "one two\n"
