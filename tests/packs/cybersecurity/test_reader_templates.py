"""Templates: what differs in parameters only is one group; memory stays bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegle.packs.cybersecurity.readers.templates import ANY, Miner

WORDS = st.lists(st.sampled_from(["open", "close", "port", "12", "10.0.0.1", "a", ""]), max_size=8)


def test_parameters_become_one_template() -> None:
    miner = Miner()
    found = [miner.add(f"Failed password for {who} from 10.0.0.{n} port {n} ssh2".split())
             for n, who in enumerate(["root", "admin", "bob"])]  # fmt: skip
    assert len({template.id for template in found}) == 1
    assert str(found[0]) == f"Failed password for {ANY} from {ANY} port {ANY} ssh{ANY}"
    words = "Failed password for eve from 10.9.9.9 port 7 ssh2".split()
    assert found[0].values(words) == ["eve", "10.9.9.9", "7", "ssh2"]


def test_different_messages_stay_apart() -> None:
    miner = Miner()
    ids = {
        miner.add(text.split()).id for text in ("session opened for user x", "disk full", "boot")
    }
    assert len(ids) == 3


@given(st.lists(WORDS, max_size=60))
def test_every_line_is_counted_once_and_has_its_template_s_length(rows: list[list[str]]) -> None:
    miner = Miner()
    for row in rows:
        assert len(miner.add(row).words) == len(row)
    assert sum(template.count for template in miner.templates) == len(rows)


@given(st.lists(WORDS, max_size=40))
def test_a_line_seen_again_has_the_same_template(rows: list[list[str]]) -> None:
    miner = Miner()
    for row in rows:
        assert miner.add(row) is miner.add(row)


def test_memory_is_bounded_where_nothing_repeats() -> None:
    miner = Miner()
    words = ["".join(chr(97 + (n >> shift) % 26) for shift in (0, 3, 6, 9)) for n in range(4000)]
    for n in range(0, 4000, 2):
        miner.add(["same", words[n], words[-n], words[n // 2]])
    assert len(miner.templates) <= 100
