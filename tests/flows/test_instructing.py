"""Instruction examples of a workspace: as served, split by group, apart from what measures."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from aegle.answer import prompt
from aegle.cli.app import app
from aegle.core.errors import NotFoundError, UsageError
from aegle.corpus import asked
from aegle.corpus.vault import Vault, natural
from aegle.flows import commands, workspace
from aegle.flows.instructing import CARD, MARKER
from aegle.flows.kit import open_kit
from aegle.flows.withheld import withheld
from aegle.lm.chat import request
from aegle.train.data.instructions.unique import NEAR, jaccard, shingles

PARTS = ("train", "dev", "test")
Made = dict[str, list[dict[str, Any]]]


def made(root: Path, out: Path, **how: Any) -> tuple[dict[str, Any], Made]:
    card = commands.run(root, "instruct", {"out": str(out), **how})
    lines = {part: (out / f"{part}.jsonl").read_text("utf-8").splitlines() for part in PARTS}
    return card, {part: [json.loads(one) for one in some] for part, some in lines.items()}


def every(parts: Made) -> list[dict[str, Any]]:
    return [one for some in parts.values() for one in some]


def test_examples_are_what_serving_asks_and_reads(small_hospital: Path, tmp_path: Path) -> None:
    card, parts = made(small_hospital, tmp_path / "x", per_task=30, seed=3)
    some = every(parts)
    assert {"answer", "refuse", "chain", "extract", "assert", "code"} <= {e["task"] for e in some}
    layout = workspace.check(small_hospital)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        documents = {one.document.id: one.document.text for one in kit.corpus.scan()}
    for one in some:
        request(one["messages"], max_tokens=1, seed=0, temperature=0, stop=(), stream=False)
        system, asked, told = (message["content"] for message in one["messages"])
        shown = [documents[s["document"]][s["start"] : s["end"]] for s in one["sources"]]
        for text in shown:
            flat = " ".join(text.split())
            whole = text in asked or flat in " ".join(asked.split())
            assert whole or one["task"] in ("technique", "map")
        if one["task"] in ("answer", "refuse", "chain"):
            question = asked.rsplit("Question: ", 1)[1].removesuffix("\nAnswer:")
            served = prompt.messages(question, shown)  # type: ignore[arg-type]
            assert [system, asked] == [message["content"] for message in served]
            read = prompt.cited_sentences(told, len(shown))
            if one["answerable"]:
                assert [marks for _, marks in read] == [(n - 1,) for n in one["citations"]]
            else:
                assert (told, one["citations"]) == (prompt.REFUSAL, [])
        elif one["task"] in ("extract", "code", "triage", "technique"):
            value = json.loads(told)
            for entity in value.get("entities", ()):
                assert entity["text"] in asked
    assert card["files"]["train.jsonl"]["examples"] == len(parts["train"])
    assert card["safe_because"].startswith("de-identified")
    assert card == {
        "folder": str(tmp_path / "x"),
        **json.loads((tmp_path / "x" / CARD).read_text()),
    }


def test_no_host_stands_in_two_parts(small_hospital: Path, tmp_path: Path) -> None:
    """Whichever document names it: its own log, that of another host, an inventory, a report."""
    card, parts = made(small_hospital, tmp_path / "x", per_task=60)
    layout = workspace.check(small_hospital)
    named: dict[str, list[tuple[int, int, str]]] = {}
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        for stored in kit.corpus.scan():
            named[stored.document.id] = [
                (one.start, one.end, one.key) for one in stored.facts.entities if one.type == "host"
            ]
    hosts = [
        {
            host
            for one in parts[part]
            for shown in one["sources"]
            for start, end, host in named[shown["document"]]
            if start < shown["end"] and shown["start"] < end
        }
        for part in PARTS
    ]
    assert len(hosts[0]) > 3
    assert all(not one & other for one, other in combinations(hosts, 2))
    assert card["left_out"]["host of another part"] > 0


def test_parts_share_no_group_and_no_text(small_hospital: Path, tmp_path: Path) -> None:
    _, parts = made(small_hospital, tmp_path / "x", per_task=40)
    for one, other in combinations(PARTS, 2):
        groups = [{g for e in parts[part] for g in e["groups"]} for part in (one, other)]
        assert not groups[0] & groups[1]
    told = [shingles(f"{e['task']} {e['messages'][1]['content']} {e['messages'][2]['content']}")
            for e in every(parts)]  # fmt: skip
    assert all(jaccard(one, other) < NEAR for one, other in combinations(told, 2))


def test_a_seed_gives_the_same_files(small_hospital: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"per_task": 6, "tasks": ["answer", "assert"]}
    one, _ = made(small_hospital, tmp_path / "a", seed=1, **how)
    again, _ = made(small_hospital, tmp_path / "a", seed=1, **how)
    other, _ = made(small_hospital, tmp_path / "b", seed=2, **how)
    assert one == again
    assert one["files"] != other["files"]


def test_what_measures_is_not_learned(small_hospital: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"per_task": 20, "tasks": ["answer", "triage", "summarise"]}
    _, parts = made(small_hospital, tmp_path / "a", **how)
    answers = [one for one in every(parts) if one["task"] == "answer"]
    group, document = answers[0]["group"], answers[1]["sources"][0]["document"]
    asked = answers[2]["messages"][1]["content"].rsplit("Question: ", 1)[1].splitlines()[0]
    held = tmp_path / "held.jsonl"
    rows = [{"group": group}, {"gold": [{"document": document}]}, {"id": "q", "question": asked}]
    held.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    card, parts = made(small_hospital, tmp_path / "b", against=[str(held)], **how)
    for one in every(parts):
        assert group not in one["groups"]
        assert document not in {source["document"] for source in one["sources"]}
        assert asked not in one["messages"][1]["content"]
    ((name, told),) = card["against"].items()
    assert name == f"held.jsonl {told['sha256'][:12]}"
    # The question may name a patient of its own, and that chart is held out as well.
    assert told["groups"] in (1, 2)
    assert told["documents"] == 1
    assert any(why.startswith("held out") for why in card["left_out"])


def test_what_is_forgotten_does_not_stay(tmp_path: Path) -> None:
    root, out = workspace.create(tmp_path / "w").root, tmp_path / "x"
    out.mkdir()
    for name in (CARD, "train.jsonl", "test.jsonl"):
        (out / name).write_text("{}")
    with pytest.raises(UsageError, match="nothing can be made"):
        made(root, out)  # all that the files were made of is gone
    assert [one.name for one in out.iterdir()] == [MARKER]
    (out / "train.jsonl").write_text("a run that was killed")
    with pytest.raises(UsageError, match="nothing can be made"):
        made(root, out)
    assert not (out / "train.jsonl").exists()


def test_real_names_and_paths_are_held_out(tmp_path: Path) -> None:
    vault = Vault(b"k" * 32)
    own, name = vault.group("patient/77"), natural("Okonkwo, Ada")
    known = {one.digest for one in asked._tries(name, vault)}
    ledger = SimpleNamespace(
        lookup=lambda digests: {one: [(own, "Jane Roe")] for one in digests if one in known},
        documents_of=lambda path: ["d1"] if path.endswith("a.txt") else [],
    )
    kit: Any = SimpleNamespace(vault=vault, ledger=ledger)
    groups = {"d1": "document:d1", "d2": own, "d3": vault.group("host/pump-1")}
    path = tmp_path / "gold.json"

    def told(row: Any) -> tuple[Any, dict[str, Any]]:
        path.write_text(json.dumps(row))
        held, counts = withheld(kit, [str(path)], groups)
        (count,) = counts.values()
        return held, count

    held, count = told({"question": f"What does {name} take?", "path": "a.txt"})
    assert "What does Jane Roe take?" in held.texts
    assert {own, "document:d1"} <= held.groups
    assert (count["groups"], count["documents"]) == (1, 1)
    assert own in told({"patient": 77})[0].groups
    assert groups["d3"] in told({"host": "pump-1"})[0].groups
    with pytest.raises(UsageError, match="names 1 documents by path"):
        told({"path": "none.txt"})


def test_bad_input(small_hospital: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no task 'anwser'; there are: answer"):
        made(small_hospital, tmp_path / "x", tasks=["anwser"])
    with pytest.raises(NotFoundError, match="no such file to keep away from"):
        made(small_hospital, tmp_path / "x", against=[str(tmp_path / "none")])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        made(small_hospital, tmp_path / "full")
    empty = workspace.create(tmp_path / "empty").root
    with pytest.raises(UsageError, match="nothing can be made of 0 documents"):
        made(empty, tmp_path / "x")
    words = ["instruct", str(tmp_path / "y"), "-w", str(small_hospital), "--per-task", "3"]
    run = CliRunner().invoke(app, [*words, "--task", "answer"])
    assert run.exit_code == 0, run.output
    assert "refusals" in run.stdout


RULE = """\
title: {title}
id: 00000000-0000-4000-8000-00000000000{n}
status: test
level: high
description: {about}
tags:
  - attack.{technique}
logsource: {{category: process_creation, product: windows}}
detection:
  selection: {{Image|endswith: '{image}'}}
  condition: selection
"""
RULES = (
    ("Script Host In A Mail Folder", "Finds wscript below the outlook cache", "t1059.005"),
    ("Vault Copy By Ntdsutil", "Finds a copy of the directory's own base", "t1003.003"),
    ("Shadow Copies Deleted", "Finds vssadmin that deletes what could be restored", "t1490"),
    ("Odd Child Of Spooler", "Finds a shell below the print spooler", "t1068"),
    ("Beacon Over Named Pipe", "Finds pipes with the names of a known kit", "t1559"),
    ("Tasks At Odd Hours", "Finds schtasks in the night", "t1053.005"),
)


def test_rules_are_mapped_to_what_they_state(tmp_path: Path) -> None:
    root, rules = workspace.create(tmp_path / "w").root, tmp_path / "rules"
    rules.mkdir()
    for n, (title, about, technique) in enumerate(RULES):
        told = {"title": title, "about": about, "technique": technique, "image": rf"\x{n}.exe"}
        (rules / f"{n}.yml").write_text(RULE.format(n=n, **told))
    commands.run(root, "ingest", {"paths": [str(rules)]})
    for seed in range(4):  # by chance a part may hold too few techniques to choose among
        try:
            _, parts = made(root, tmp_path / f"x{seed}", tasks=["map"], seed=seed)
        except UsageError:
            continue
        for one in every(parts):
            asked, told = one["messages"][1]["content"], one["messages"][2]["content"]
            technique = json.loads(told)["technique"]
            title = next(title for title, _, name in RULES if name.upper() == technique)
            assert title in asked
            text, _, choices = asked.partition("Candidates:")
            assert technique not in text
            assert choices.count("ATTACK") == 5
            assert f" {technique} " in choices
        return
    raise AssertionError("no seed made an example")
