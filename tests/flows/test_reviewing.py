"""The review queue of a workspace: places and decisions, never text; the same twice is once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core.errors import NotFoundError, UsageError, WorkspaceError
from aegle.flows import commands
from aegle.flows.reviewing import FILE
from aegle.train.data.jsonl import read
from aegle.train.review import Item, ReviewQueue


def test_the_loop_closes(small_hospital: Path, tmp_path: Path) -> None:
    first = commands.run(small_hospital, "review_next", {"num": 3})
    assert len(first["items"]) == 3 == first["waiting"]
    again = commands.run(small_hospital, "review_next", {"num": 3, "strategy": "random"})
    assert again == first  # who waits is asked first
    one, other, third = first["items"]
    assert all(
        told["text"] == one["text"][told["start"] : told["end"]] for told in one["suggested"]
    )
    commands.run(small_hospital, "review_label", {"id": one["id"]})
    commands.run(small_hospital, "review_label", {"id": other["id"], "labels": []})
    told = commands.run(small_hospital, "review_label", {"id": other["id"], "labels": []})
    assert (told["changed"], told["waiting"], told["decided"]) == (False, 1, 2)
    out = tmp_path / "reviewed.jsonl"
    assert commands.run(small_hospital, "review_export", {"out": str(out)})["examples"] == 2
    examples = list(read(out, because="de-identified by aegle ingest"))
    assert [len(example.labels) for example in examples] == [len(one["suggested"]), 0]
    assert [str(example.text) for example in examples] == [one["text"], other["text"]]
    later = commands.run(small_hospital, "review_next", {"num": 2})
    assert third["id"] in {item["id"] for item in later["items"]}
    assert not {one["id"], other["id"]} & {item["id"] for item in later["items"]}


def test_what_is_forgotten_is_not_in_the_queue(small_hospital: Path) -> None:
    items = commands.run(small_hospital, "review_next", {"num": 4})["items"]
    stored = (small_hospital / "journal" / FILE).read_bytes()
    for one in items:
        assert one["text"].encode() not in stored
    commands.run(small_hospital, "forget", {"what": items[0]["document"]})
    left = commands.run(small_hospital, "review_next", {"num": 4})["items"]
    assert items[0]["document"] not in {one["document"] for one in left}
    assert items[0]["document"].encode() not in (small_hospital / "journal" / FILE).read_bytes()
    with pytest.raises(NotFoundError, match="no item"):
        commands.run(small_hospital, "review_label", {"id": items[0]["id"]})


def test_bad_input(small_hospital: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was decided"):
        commands.run(small_hospital, "review_export", {"out": str(tmp_path / "x.jsonl")})
    with pytest.raises(UsageError, match="a strategy is one of"):
        commands.run(small_hospital, "review_next", {"strategy": "best"})
    one = commands.run(small_hospital, "review_next", {"num": 1})["items"][0]
    with pytest.raises(UsageError, match="START:END:TYPE within"):
        commands.run(
            small_hospital, "review_label", {"id": one["id"], "labels": [[0, 99999, "drug"]]}
        )
    words = ["review", "label", one["id"], "-w", str(small_hospital)]
    for wrong in ([], ["--accept", "--none"], ["--label", "0-9-drug"]):
        run = CliRunner().invoke(app, [*words, *wrong])
        assert isinstance(run.exception, UsageError)
    run = CliRunner().invoke(app, [*words, "--label", "0:2:drug", "--json"])
    assert json.loads(run.stdout)["decided"] == 1


def test_the_queue_is_whole_and_says_when_it_is_none(tmp_path: Path) -> None:
    items = [Item("d", n, n + 9, ((0, 3, "drug"),), n / 10) for n in range(4)]
    queue = ReviewQueue(tmp_path / "q.sqlite")
    assert (queue.add(items), queue.add(items), queue.add(items[:1])) == (4, 0, 0)
    assert queue.waiting(9) == items
    with pytest.raises(UsageError):
        queue.decide(items[0].id, [(0, 3, "a"), (2, 5, "b")])
    assert queue.decide(items[0].id, [(4, 6, "b"), (0, 3, "a")], who="lee")
    assert queue.decided()[0].labels == ((0, 3, "a"), (4, 6, "b"))
    queue.add([Item("d", 0, 9, (), 0.5)])  # decided: its suggestion stays as it was judged
    assert queue.decided()[0].item == items[0]
    queue.close()
    queue.close()
    with_it = ReviewQueue(tmp_path / "q.sqlite")
    assert with_it.counts() == {"waiting": 3, "decided": 1}
    assert with_it.remove(["d", "none"]) == 4
    assert with_it.counts() == {"waiting": 0, "decided": 0}
    with_it.close()
    (tmp_path / "no.sqlite").write_bytes(b"not a database, and long enough to be read as one" * 99)
    with pytest.raises(WorkspaceError, match="no review queue"):
        ReviewQueue(tmp_path / "no.sqlite")
