"""The served models in this process: batches, caches, back-pressure, audit, an idle event loop."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.flows import extracting, keys, scoring, swapping, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.serve.app import Server

SHORT = "Denies chest pain."
NOTE = "Takes warfarin 5 mg daily for atrial fibrillation. No fever. "
TEXTS = (SHORT, NOTE, NOTE * 9, "The host icu-gw-1 runs OpenSSH 8.2.", "x", NOTE * 3 + SHORT, " ")
FIELDS = {
    *("at", "id", "key", "role", "what", "model", "items", "cached"),
    *("bytes_in", "bytes_out", "seconds", "status"),
}


@contextmanager
def opened(root: Path, **wanted: Any) -> Iterator[tuple[Kit, Server]]:
    layout = workspace.check(root)
    told = workspace.load_settings(layout)
    told = told.model_copy(update={"serve": told.serve.model_copy(update=wanted)})
    with open_kit(layout, told) as kit:
        server = Server(kit)
        yield kit, server
        server.close()


@pytest.fixture(scope="module")
def root(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("work") / "w"
    shutil.copytree(_built, root, ignore=shutil.ignore_patterns("owner.sock"))
    return root


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[tuple[Kit, Server]]:
    with opened(root, queue_tokens=64) as both:
        yield both


def lines(root: Path) -> list[dict[str, Any]]:
    paths = sorted((workspace.check(root).journal).glob("requests-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def alike(one: Any, other: Any) -> bool:
    """Equal, where scores may differ in what the sums of another batch shape round to."""
    if isinstance(one, float):
        return abs(one - other) <= 1e-3
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


@settings(max_examples=8)
@given(places=st.lists(st.integers(0, len(TEXTS) - 1), min_size=2, max_size=6))
def test_facts_are_the_same_read_together_or_alone(
    served: tuple[Kit, Server], places: list[int]
) -> None:
    kit, _ = served
    texts = [TEXTS[n] for n in places]
    together = extracting.extract_texts(kit, [(text, "healthcare") for text in texts])
    for text, found in zip(texts, together, strict=True):
        (alone,) = extracting.extract_texts(kit, [(text, "healthcare")])
        assert type(found) is type(alone)
        if isinstance(alone, dict):
            assert alike(found, alone)


@settings(max_examples=8)
@given(places=st.lists(st.integers(0, len(TEXTS) - 1), min_size=2, max_size=6))
def test_vectors_are_the_same_made_together_or_alone(
    served: tuple[Kit, Server], places: list[int]
) -> None:
    kit, _ = served
    texts = [TEXTS[n] for n in places]
    together = kit.encoder.embed(texts)
    alone = np.concatenate([kit.encoder.embed([text]) for text in texts])
    assert np.abs(together - alone).max() <= 1e-3


def test_a_long_text_does_not_hold_up_a_short_one(root: Path) -> None:
    long = " ".join(f"Line {n}. {NOTE}" for n in range(150))
    with opened(root, batch_tokens=512, cache_mb=0) as (_, server), TestClient(server.app) as ask:
        alone = [ask.post("/v1/extract", json={"text": one}).json() for one in (long, SHORT)]
        ended: list[str] = []
        told: dict[str, Any] = {}

        def extract(name: str, text: str) -> None:
            told[name] = ask.post("/v1/extract", json={"text": text}).json()
            ended.append(name)

        slow = threading.Thread(target=extract, args=("long", long))
        slow.start()
        while not server.work._extracts._doing:
            time.sleep(0.001)
        extract("short", SHORT)
        slow.join(120)
        assert ended == ["short", "long"]
        assert [told["long"], told["short"]] == alone, "as if nobody had been let in"


def test_a_result_is_kept_until_what_it_rests_on_changes(
    served: tuple[Kit, Server], root: Path
) -> None:
    kit, server = served
    client = TestClient(server.app)
    asks: list[tuple[str, dict[str, Any]]] = [
        ("/v1/extract", {"text": "Takes lisinopril for hypertension."}),
        ("/v1/embeddings", {"model": kit.settings.backends.encoder_model, "input": ["pump"]}),
    ]
    for path, body in asks:
        first, second = (client.post(path, json=body) for _ in range(2))
        assert first.status_code == 200, first.text
        assert first.json() == second.json()
        server.work.forget()
        third = client.post(path, json=body)
        assert third.json() == first.json()
        told = [one for one in lines(root) if one["what"] == path][-3:]
        assert [one["cached"] for one in told] == [0, 1, 0]
        assert all(one["model"] for one in told)


def test_too_much_is_told_to_come_again(served: tuple[Kit, Server]) -> None:
    kit, server = served
    client = TestClient(server.app)
    client.post("/v1/extract", json={"text": SHORT})
    replies: list[int] = []

    def ask(n: int) -> None:
        body = {"text": f"{n} {NOTE * 3}"[:200]}
        replies.append(client.post("/v1/extract", json=body).status_code)

    with kit.lock:  # as a long answer holds it
        asking = []
        for n in range(2):
            asking.append(threading.Thread(target=ask, args=(n,)))
            asking[-1].start()
            time.sleep(0.2)
        while not server.work._extracts.waiting:
            time.sleep(0.01)
        for n in range(5):
            reply = client.post("/v1/extract", json={"text": f"more {n} {NOTE * 3}"[:200]})
            assert reply.status_code == 429
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.json()["error"]["type"] == "BusyError"
        assert server.work._extracts.waiting <= 64
    for one in asking:
        one.join(60)
    assert replies == [200, 200]


def test_who_waits_for_the_lock_holds_up_nobody_else(root: Path) -> None:
    """An embedding whose encoder must be opened first, while a long command holds the kit."""
    with opened(root) as (kit, server), TestClient(server.app) as client:
        name = kit.settings.backends.encoder_model
        seen: dict[str, int] = {}

        def ask(path: str, body: Any) -> None:
            made = client.post(path, json=body) if body else client.get(path)
            seen[path] = made.status_code

        asks = {
            "/v1/embeddings": {"model": name, "input": "pump"},
            "/v1/extract": {"text": SHORT},
            "/healthz": None,
        }
        threads = [threading.Thread(target=ask, args=one) for one in asks.items()]
        with kit.lock:
            for one in threads:
                one.start()
                time.sleep(0.1)
            threads[-1].join(20)
            before = dict(seen)
        for one in threads:
            one.join(60)
        assert before == {"/healthz": 200}
        assert seen == dict.fromkeys(asks, 200)


def test_every_request_leaves_a_line_and_no_line_a_text(root: Path) -> None:
    with opened(root, require_keys=True) as (kit, server):
        reader = keys.add(kit.layout, "ward", role="reader", rate=0)
        client = TestClient(server.app)
        known = {"authorization": f"Bearer {reader}"}
        before = len(lines(root))
        body = {"text": "Quorbina Zelphirant"}
        asked = [
            client.post("/v1/extract", json=body),
            client.post("/v1/extract", json=body, headers=known),
            client.get("/Quorbina?q=Zelphirant"),
            client.get("/v1/documents/Quorbina", headers=known),
            client.post("/v1/ask", json={"Quorbina": 1}, headers=known),
            client.get("/v1/Quorbina", headers={"authorization": "Bearer Zelphirant"}),
        ]
        server.gate.draining = True
        asked += [client.post("/v1/ask", json=body, headers=known), client.get("/Quorbina")]
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert int(asked[-1].headers["retry-after"]) > 0
        told = lines(root)[before:]
        assert [one["status"] for one in told] == [401, 403, 401, 404, 422, 401, 503, 503]
        assert [one.status_code for one in asked] == [one["status"] for one in told]
        assert [one["id"] for one in told] == [one.headers["x-request-id"] for one in asked]
        assert [one["key"] for one in told[3:5]] == ["ward", "ward"]
        assert told[2]["what"] == "/*"
        assert all(set(one) == FIELDS for one in told)
        shown = json.dumps(told).casefold()
        assert "quorbina" not in shown
        assert "zelphirant" not in shown
        assert reader not in shown
        keys.remove(kit.layout, "ward")


def test_a_kept_vector_holds_no_more_than_it_is_counted_with(root: Path) -> None:
    with opened(root) as (_, server):
        client = TestClient(server.app)
        texts = [f"host {n} is down" for n in range(20)]
        name = client.get("/v1/models").json()["data"][1]["id"]
        told = client.post("/v1/embeddings", json={"input": texts, "model": name})
        assert told.status_code == 200
        vectors = [value for value, _ in server.work._vectors._values.values()]
        assert len(vectors) == 20 and all(one.base is None for one in vectors)


def test_classify_names_the_tagger_that_answered(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap that comes while texts are classified is not told as who classified them."""
    with opened(root) as (kit, server):
        before, other = kit.tagger_version, tmp_path / "other"
        shutil.copytree(kit.tagger_folder, other)
        card = json.loads((other / "card.json").read_text())
        (other / "card.json").write_text(json.dumps(card | {"version": "new-1"}))
        real = scoring.classes

        def then_swapped(*told: Any) -> Any:
            found = real(*told)
            swapping.tagger(kit, f"path:{other}")
            return found

        monkeypatch.setattr(scoring, "classes", then_swapped)
        told = TestClient(server.app).post("/v1/classify", json={"texts": [SHORT]}).json()
        assert told["model"] == before and kit.tagger_version.startswith("new-1")
