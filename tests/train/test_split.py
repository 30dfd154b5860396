"""Splits keep groups whole, stay the same as a corpus grows, and drop what was seen elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.examples import Example
from aegle.core.text import SafeText
from aegle.train.data.split import split, without_seen

SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}
GROUPS = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=40)


def example(group: str, text: str = "t") -> Example:
    return Example(group + text, group, SafeText(text, by="test"))


@given(GROUPS, GROUPS, st.integers(0, 99))
def test_groups_stay_whole_and_where_they_were(a: list[str], b: list[str], seed: int) -> None:
    first = split([example(group) for group in a], shares=SHARES, seed=seed)
    both = split([example(group) for group in a + b], shares=SHARES, seed=seed)
    where = [{one.group for one in part} for part in both.values()]
    assert sum(map(len, where)) == len(set().union(*where)) == len(set(a + b))
    for name, part in first.items():
        assert {one.group for one in part} <= {one.group for one in both[name]}


def test_shares_are_kept_about() -> None:
    parts = split([example(str(n)) for n in range(2000)], shares=SHARES, seed=1)
    assert len(parts["train"]) == pytest.approx(1200, abs=80)


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        split([], shares={"train": 0.5}, seed=0)


LONG = "the patient was given ten milligrams of the drug in the morning after breakfast"


def test_a_text_seen_in_another_corpus_falls_with_its_group() -> None:
    train = [
        example("p", "Background. " + LONG.replace("drug", "drug,") + " And more."),
        example("p", "another sentence of the same document that nobody held out so far at all"),
        example(
            "q", "a different document about a different drug, given on a different day, again"
        ),
        example("r", "too short"),
    ]
    kept, dropped = without_seen(train, [example("held", LONG.upper()), example("x", "too short")])
    assert [one.group for one in kept] == ["q", "r"]
    assert [one.group for one in dropped] == ["p", "p"]


def test_tokens_and_sentences_held_out_are_known_in_a_raw_text() -> None:
    raw = (
        "Levodopa-induced dyskinesia (LID). In 12 patients l-dopa/carbidopa was stopped. None fell."
    )
    tokens = ["Levodopa - induced dyskinesia ( LID ) .", "In 12 patients l - dopa / carbidopa was"]
    held_out = [example("h", one) for one in [*tokens, "stopped .", "None fell ."]]
    kept, dropped = without_seen([example("raw", raw)], held_out)
    assert (kept, len(dropped)) == ([], 1)
