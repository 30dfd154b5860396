"""Clinical and cyber sets: what is held out is in no training part, and folders read as written."""

import json

import numpy as np
import pytest

import domain_cyber
import domain_health
from aegle.train.data.beir import read
from domain_sets import Query, Source, held_out, part_of, siblings, unseen
from embedder import Task, measure, split
from retrieval_sets import read_set


@pytest.mark.parametrize("make", [domain_health.pubmedqa, domain_cyber.tram2])
def test_no_document_is_in_two_parts(make, data):
    source = make(data)
    parts: dict[str, set[str]] = {}
    for one in source.queries:
        parts.setdefault(one.group, set()).add(one.part)
        assert set(one.gold) <= source.passages.keys()
    assert {"train", "dev", "test"} == {p for some in parts.values() for p in some}
    assert all(len(some) == 1 for some in parts.values())
    linked = {item for one, others in source.links.items() for item in (one, *others)}
    assert linked <= source.passages.keys()


def test_pubmedqa_holds_out_its_own_test_questions(data):
    told = json.loads((data / "pubmedqa/test_ground_truth.json").read_text())
    source = domain_health.pubmedqa(data)
    test = {one.group for one in source.queries if one.part == "test"}
    assert test == set(told)
    assert not test & set(source.links)


def test_no_abstract_that_a_held_out_claim_cites_is_learned_from(data):
    source = domain_health.scifact(data)
    held = read_set(data / "scifact", claims="validation")
    titles = {held.passages[n][0] for one in held.questions for n in one.gold}
    assert not {text.split("\n")[0] for text in source.passages.values()} & titles
    assert {one.part for one in source.queries} == {"train", "dev"}


def test_what_repeats_a_held_out_text_falls(tmp_path):
    answer = "drink a lot of water and rest for several days at home"
    source = Source("made", "ours", {"a": answer, "b": f"please {answer}", "c": "call the ward"})
    source.queries = [
        Query("what of flu?", ("a",), "flu", "test"),
        Query("what of colds?", ("b",), "cold", "train"),
        Query("what of alarms?", ("c",), "alarm", "train"),
    ]
    source.links = siblings({"x": ["a", "b", "c"]})
    assert source.links["c"] == ["a", "b"]
    from aegle.core.examples import Example
    from aegle.core.text import SafeText

    texts = held_out([source], tmp_path)
    assert texts == ["what of flu?", answer]
    held = [Example(str(n), str(n), SafeText(t, by="test")) for n, t in enumerate(texts)]
    assert unseen(source, held) == 1
    assert [one.group for one in source.queries] == ["flu", "alarm"]
    source.write(tmp_path)
    told = read(tmp_path / "made")
    assert [one.text for one in told.asked["train"]] == ["what of alarms?"]
    assert told.free == {1, 2}
    assert told.links[0] == [1, 2]


def test_parts_depend_on_the_document_alone_and_have_their_shares():
    parts = [part_of(f"report {n}", test=0.5) for n in range(2000)]
    assert parts == [part_of(f"report {n}", test=0.5) for n in range(2000)]
    assert abs(parts.count("test") / 2000 - 0.5) < 0.05
    assert abs(parts.count("dev") / 2000 - 0.04) < 0.02


def test_the_benchmark_ranks_by_cosine_at_any_number_of_dimensions():
    table = {"asked": [1, 0, 1], "right": [1, 0, 0], "wrong": [0, 1, 1]}

    class Encoders:
        def vectors(self, name, texts):
            whole = np.array([table[text] for text in texts], np.float32)
            size = split(name)[1] or 3
            return whole[:, :size] / np.linalg.norm(whole[:, :size], axis=1, keepdims=True)

    test = Task("made", ["wrong", "right"], ["asked"], [{1}], ["d"])
    told = measure(test, ["one", "one/2"], Encoders())["systems"]
    assert told["one"]["ndcg10"]["value"][0] == 1
    assert told["one/2"]["recall5"]["gain"][0] == 0
    assert split("path:/a/b") == ("path:/a/b", 0)
