"""Reranking, diversity and further context in a workspace: off by default, nothing leaks out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from aegle.core.errors import NotFoundError, PrivacyError, SettingsError, UsageError
from aegle.flows import knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout

SERVER = Path(__file__).parents[1] / "backends" / "rerank_server.py"
QUESTION = "Which infusion pumps are in ICU-3?"


@pytest.fixture(scope="module")
def layout_of(_built: Path) -> Layout:
    """The small hospital; searches change nothing in it."""
    return workspace.check(_built)


@contextmanager
def kit_with(layout: Layout, **options: Any) -> Iterator[Kit]:
    named = {name.replace("__", "."): value for name, value in options.items()}
    settings = workspace.load_settings(layout, options=named)
    with open_kit(layout, settings) as kit:
        yield kit


@pytest.fixture
def search(layout_of: Layout) -> Callable[..., list[dict[str, Any]]]:
    def found(k: int = 8, mode: str = "graph", **options: Any) -> list[dict[str, Any]]:
        with kit_with(layout_of, **options) as kit:
            hits: list[dict[str, Any]] = knowledge.search(kit, QUESTION, k=k, mode=mode)["hits"]
        return hits

    return found


def marks(hits: Sequence[Mapping[str, Any]]) -> list[str]:
    return [mark for hit in hits for mark in hit["via"] if mark.startswith("rerank#")]


def test_nothing_is_read_again_unless_it_is_asked_for(
    layout_of: Layout, search: Callable[..., list[dict[str, Any]]]
) -> None:
    hits = search()
    assert hits and not marks(hits)
    assert search(retrieve__rerank_top=5, retrieve__rerank_weight=1) == hits
    with kit_with(layout_of) as kit:
        assert kit.reranker is None


def test_late_interaction_reads_the_first_hits(
    search: Callable[..., list[dict[str, Any]]],
) -> None:
    # With the graph what a chain leads to is told as that, and stands before what was read again.
    hits = search(k=60, mode="hybrid", retrieve__rerank="late", retrieve__rerank_weight=1)
    assert marks(hits)[:3] == ["rerank#1", "rerank#2", "rerank#3"]
    few = search(k=60, mode="hybrid", retrieve__rerank="late", retrieve__rerank_top=3)
    assert set(marks(few)) == {"rerank#1", "rerank#2", "rerank#3"}
    assert {hit["chunk_id"] for hit in few} == {hit["chunk_id"] for hit in hits}
    assert marks(search(k=60, retrieve__rerank="late"))


def test_a_service_gets_what_is_de_identified_and_no_more(
    layout: Layout, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aegle.flows import commands

    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    monkeypatch.setenv("AEGLE_RETRIEVE__RERANK_KEY", "secret-key")
    with subprocess.Popen(
        [sys.executable, str(SERVER), "secret-key"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            with kit_with(layout, retrieve__rerank=f"{url}/rerank") as kit:
                hits = knowledge.search(kit, "What does Marguerite Okonkwo take?")["hits"]
            sent = httpx.get(f"{url}/seen").text
        finally:
            server.terminate()
    assert marks(hits)
    assert "heart failure" in sent
    for hidden in ("Okonkwo", "Marguerite", "88123401", "Quillfeather", "88123402", "03/04/1961"):
        assert hidden not in sent
    # The question names one patient: the charts of the others stay here.
    assert "lisinopril" not in sent and "metoprolol" not in sent


def test_diversity_leaves_no_near_copies_of_one_group(
    layout_of: Layout, search: Callable[..., list[dict[str, Any]]]
) -> None:
    plain, varied = search(k=30), search(k=30, retrieve__diversity=0.5)
    assert {hit["chunk_id"] for hit in varied} <= {hit["chunk_id"] for hit in search(k=200)}
    assert varied != plain
    assert len({(hit["group"], hit["text"]) for hit in varied}) == len(varied)


class _Listens:
    """Notes what a generator is told, and says nothing."""

    def __init__(self) -> None:
        self.heard = ""

    def generate(self, messages: Sequence[Mapping[str, str]], **_: Any) -> str:
        self.heard = messages[-1]["content"]
        return ""


def test_the_generator_reads_more_where_the_settings_give_room(layout_of: Layout) -> None:
    question = "Which medications are continued?"

    def heard(tokens: int) -> list[str]:
        with kit_with(layout_of, retrieve__context_tokens=tokens) as kit:
            kit.__dict__["generator"] = listener = _Listens()
            answer = knowledge.ask(kit, question, generate=True)
            assert answer["claims"], answer
        return [line for line in listener.heard.splitlines() if line.startswith("[")]

    none, some, many = heard(0), heard(60), heard(400)
    assert none
    assert none == some[: len(none)] == many[: len(none)]
    assert len(none) < len(many)
    assert len(some) <= len(many)


def test_what_is_no_reranker_is_told(layout_of: Layout) -> None:
    with (
        kit_with(layout_of, retrieve__rerank="ms-marko-minilm") as kit,
        pytest.raises(NotFoundError, match="ms-marko-minilm"),
    ):
        knowledge.search(kit, QUESTION)
    with (
        kit_with(layout_of, retrieve__rerank="http://localhost:1") as kit,
        pytest.raises(UsageError, match=r"retrieve\.rerank_format"),
    ):
        knowledge.search(kit, QUESTION)
    open_texts = {"redact__override_reason": "a trial", "retrieve__rerank": "https://h/rerank"}
    with kit_with(layout_of, **open_texts) as kit, pytest.raises(PrivacyError, match="override"):
        knowledge.search(kit, QUESTION)
    with pytest.raises(SettingsError, match="rerank_top"):
        workspace.load_settings(layout_of, options={"retrieve.rerank_top": 0})
