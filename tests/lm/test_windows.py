"""Windows hold every sentence, and none of them is more than it may be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.windows import windows

texts = st.lists(st.integers(1, 30).map(lambda n: " ".join(["w"] * n)), max_size=12)


@given(texts, st.integers(1, 40))
def test_windows_cover_and_fit(sentences: list[str], words: int) -> None:
    found = windows(sentences, words=words)
    assert {at for start, end in found for at in range(start, end)} == set(range(len(sentences)))
    for start, end in found:
        held = sum(len(one.split()) for one in sentences[start:end])
        assert end == start + 1 or held <= words
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(found))
