"""Search: fusion that no order disturbs, a graph that helps where it can and costs little."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.retrieve.hops import hybrid
from aegle.retrieve.search import RESERVED_PLACE, explain, fuse, reserve, search

IDS = [f"c{i:02}" for i in range(40)]
ranked_lists = st.dictionaries(
    st.sampled_from(["dense", "text", "graph", "other"]),
    st.lists(st.sampled_from(IDS), unique=True, max_size=12),
)
constants = st.integers(1, 100)


@given(ranked_lists, constants, st.randoms())
def test_order_of_searchers_does_not_matter(rankings, k, random):
    items = list(rankings.items())
    random.shuffle(items)
    assert fuse(dict(items), k=k) == fuse(rankings, k=k)


@given(ranked_lists, constants)
def test_fusion_is_the_sum_of_reciprocals(rankings, k):
    fused = fuse(rankings, k=k)
    assert {item for item, _, _ in fused} == {item for ids in rankings.values() for item in ids}
    for item, score, via in fused:
        places = {name: ids.index(item) + 1 for name, ids in rankings.items() if item in ids}
        assert score == pytest.approx(sum(1 / (k + place) for place in places.values()))
        assert set(via) == {f"{name}#{place}" for name, place in places.items()}
    assert [one[:2] for one in fused] == sorted(
        (one[:2] for one in fused), key=lambda one: (-one[1], one[0])
    )


@given(st.lists(st.sampled_from(IDS), unique=True, min_size=1), constants)
def test_one_searcher_alone_keeps_its_order(ids, k):
    assert [item for item, _, _ in fuse({"dense": ids}, k=k)] == ids


@given(ranked_lists, st.lists(st.sampled_from(IDS), unique=True), st.integers(1, 8))
def test_a_reserved_place_costs_the_others_one_place_at_most(rankings, wanted, place):
    before = fuse(rankings, k=60)
    after = reserve(before, wanted, place=place)
    assert sorted(one[0] for one in after) == sorted(one[0] for one in before)
    assert [one[0] for one in after[: place - 1]] == [one[0] for one in before[: place - 1]]
    assert all(a[1] >= b[1] for a, b in pairwise(after))
    old = {one[0]: i for i, one in enumerate(before)}
    assert all(i - old[one[0]] <= 1 for i, one in enumerate(after))


class Lists:
    """A searcher of two given rankings."""

    def __init__(self, dense, text):
        self.dense, self.text = dense, text

    def search_dense(self, vector, *, k, where=None):
        return self._cut(self.dense, k, where)

    def search_text(self, query, *, k, where=None):
        return self._cut(self.text, k, where)

    @staticmethod
    def _cut(ids, k, where):
        allowed = [
            i for i in ids
            if not where or all(getattr(chunk(i), field) in v for field, v in where.items())
        ]  # fmt: skip
        return [(item, 1 / place) for place, item in enumerate(allowed[:k], start=1)]


def chunk(item):
    text = SafeText("x", by="testing")
    group = "patient:odd" if int(item[1:]) % 2 else "patient:even"
    return Chunk(item, f"doc-{item}", 0, 1, text, text, "note", "healthcare", group)


def run(lists, *, found=(), keys=("a",), gone=(), k=8, **more):
    def expand(given_keys, *, hops, k):
        assert list(given_keys) == list(keys)
        return [(item, 1 / place, path) for place, (item, path) in enumerate(found, start=1)][:k]

    return search(
        "who?",
        embed=lambda texts: np.ones((len(texts), 4), np.float32),
        index=lists,
        chunks=lambda ids: [chunk(i) for i in ids if i not in gone],
        link=lambda question: keys,
        expand=expand,
        **{"k": k, "pool": 20, "rrf_k": 60, **more},
    )


def far(item):
    return item, ("a", "causes", "b", "^mentions", item)


def near(item):
    return item, ("a", "^mentions", item)


SAME = Lists(IDS[:20], IDS[:20])


def test_evidence_that_the_graph_alone_finds_reaches_the_first_five():
    hits = run(SAME, found=[near("c00"), far("c33"), far("c34")])
    places = [hit.chunk_id for hit in hits]
    assert places.index("c33") == RESERVED_PLACE - 1
    assert hits[4].via == ("graph: a -causes-> b <-mentions- c33",)
    assert hits[4].document_id == "doc-c33"


def test_the_graph_costs_the_text_searchers_one_place_at_most_where_it_finds_only_its_own():
    without = [hit.chunk_id for hit in run(SAME, keys=())]
    hits = [hit.chunk_id for hit in run(SAME, found=[far(item) for item in IDS[25:40]])]
    assert hits[:4] == without[:4]
    assert hits[5:] == without[4:7]


def test_a_place_already_won_is_not_given_twice():
    hits = run(SAME, found=[far("c02"), far("c33")])
    assert "c33" not in [hit.chunk_id for hit in hits[:5]]
    assert hits[0].via[:2] == ("dense#1", "text#1") or hits[0].chunk_id == "c02"


def test_a_question_that_names_nothing_is_searched_without_the_graph():
    assert run(SAME, keys=(), found=[far("c33")]) == run(SAME, found=[])
    assert all(not v.startswith("graph") for hit in run(SAME, keys=()) for v in hit.via)


def test_without_a_vote_of_the_graph_scores_are_blended():
    """What users get is what the benchmarks measure: `hops.hybrid`."""
    lists = Lists(IDS[:10], IDS[6:20:2])
    expected = hybrid("who?", np.ones(4), lists, pool=20)
    hits = run(lists, keys=(), k=20)
    assert [(hit.chunk_id, hit.score) for hit in hits] == expected
    assert hits[0].via == ("dense#1",)
    words = run(lists, keys=(), weights={"dense": 0.1, "text": 1.0})
    assert words[0].chunk_id == "c06"


def test_one_searcher_alone_gives_all_that_it_has():
    hits = run(Lists(IDS[:3], IDS[5:9]), keys=(), searchers=("text",))
    assert [hit.chunk_id for hit in hits] == IDS[5:9]


def test_the_filter_holds_for_the_graph_too():
    where = {"group": ["patient:even"]}
    hits = run(SAME, found=[far("c33"), far("c34")], where=where)
    assert {int(hit.chunk_id[1:]) % 2 for hit in hits} == {0}
    assert "c34" in [hit.chunk_id for hit in hits]


def test_chunks_that_the_corpus_no_longer_has_are_no_hits():
    hits = run(SAME, found=[far("c33")], gone={"c00", "c33"}, k=5)
    assert [hit.chunk_id for hit in hits] == IDS[1:6]


def test_meaning_orders_what_the_walk_found():
    lists = Lists([*IDS[:20], "c35"], IDS[:20])
    hits = run(lists, found=[far("c30"), far("c35")])
    assert hits[4].chunk_id == "c35"


def test_searchers_can_be_chosen():
    lists = Lists(["c01", "c02"], ["c03"])
    assert [h.chunk_id for h in run(lists, keys=(), searchers=("text",))] == ["c03"]
    assert [h.chunk_id for h in run(lists, keys=(), searchers=("dense",))] == ["c01", "c02"]
    with pytest.raises(UsageError, match="dense and text"):
        run(lists, searchers=("sparse",))


def test_nothing_asked_nothing_found():
    assert run(SAME, k=0) == []
    assert run(Lists([], []), found=[]) == []


def test_explanations_read_in_the_direction_that_was_said():
    assert explain(("a",)) == "a"
    assert explain(("host:gw", "controls", "device:p", "^mentions", "00ff")) == (
        "host:gw -controls-> device:p <-mentions- 00ff"
    )


@given(
    st.permutations(IDS[:15]),
    st.permutations(IDS[:15]),
    st.lists(st.sampled_from(IDS), unique=True),
)
def test_hits_are_unique_ordered_and_explained(dense, text, walked):
    hits = run(Lists(dense, text), found=[far(item) for item in walked])
    assert len({hit.chunk_id for hit in hits}) == len(hits) == 8
    assert all(a.score >= b.score for a, b in pairwise(hits))
    assert all(hit.via for hit in hits)
