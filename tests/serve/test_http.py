"""The HTTP API: bodies, one error shape, health, metrics, and no leak of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from aegle.flows import workspace
from aegle.flows.kit import open_kit
from aegle.serve.app import MAX_BODY_BYTES, build_app


@pytest.fixture
def client(small_hospital: Path) -> Iterator[TestClient]:
    layout = workspace.check(small_hospital)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        yield TestClient(build_app(kit), raise_server_exceptions=False)


def test_ask_search_extract_graph_and_document(client: TestClient) -> None:
    answer = client.post("/v1/ask", json={"question": "Which devices are in ICU-3?"}).json()
    assert bool(answer["claims"]) != bool(answer["refusal"])
    hits = client.post("/v1/search", json={"question": "infusion pump", "k": 3}).json()["hits"]
    assert 0 < len(hits) <= 3
    document = client.get(f"/v1/documents/{hits[0]['document_id']}").json()
    assert document["text"][hits[0]["start"] : hits[0]["end"]] == hits[0]["text"]
    text = "Denies chest pain. Takes warfarin 5 mg daily for atrial fibrillation."
    facts = client.post("/v1/extract", json={"text": text, "domain": "healthcare"}).json()
    found = {(one["text"], one["assertion"]) for one in facts["entities"]}
    assert ("chest pain", "negated") in found
    for one in facts["entities"]:
        assert facts["text"][one["start"] : one["end"]] == one["text"]
    graph = client.get("/v1/graph", params={"entity": "ICU-3"}).json()
    assert graph["entity"]["type"] == "ward"
    assert graph["edges"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/documents/none", None, 404),
        ("GET", "/v1/graph?entity=no-such-thing-anywhere", None, 404),
        ("GET", "/v1/nothing", None, 404),
        ("POST", "/v1/ask", {}, 422),
        ("POST", "/v1/ask", {"question": "Maria Lopez", "colour": 1}, 422),
        ("POST", "/v1/search", {"question": "x", "k": -1}, 422),
        ("POST", "/v1/search", {"question": "x", "mode": "magic"}, 422),
        ("POST", "/v1/ask", {"question": " "}, 400),
        ("DELETE", "/v1/ask", None, 405),
    ],
)
def test_every_error_has_one_shape(
    client: TestClient, method: str, path: str, body: object, status: int
) -> None:
    reply = client.request(method, path, json=body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert set(error) == {"type", "message", "status"}
    assert error["status"] == status
    assert "Maria" not in reply.text


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    reply = client.post("/v1/extract", content=b"x" * (MAX_BODY_BYTES + 1))
    assert reply.status_code == 413


def test_health_readiness_and_metrics(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 503, "nothing is open before the first question"
    client.post("/v1/search", json={"question": "Okonkwo pump", "k": 1})
    assert client.get("/readyz").json() == {"status": "ready"}
    metrics = client.get("/metrics").text
    assert 'aegle_requests_total{path="/v1/search",status="200"} 1.0' in metrics
    assert 'aegle_held{what="documents"}' in metrics
    assert "Okonkwo" not in metrics


def test_another_host_name_is_not_answered(client: TestClient) -> None:
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400


def test_openapi_has_examples_for_every_body(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("Ask", "Search", "Extract"):
        fields = schemas[name]["properties"].values()
        assert any("examples" in field for field in fields), name


def test_no_text_reaches_the_audit_as_a_model_s_name(small_hospital: Path) -> None:
    layout = workspace.check(small_hospital)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        client = TestClient(build_app(kit), raise_server_exceptions=False)
        message = [{"role": "user", "content": "x"}]
        for path, body in (
            ("/v1/chat/completions", {"messages": message}),
            ("/v1/completions", {"prompt": "x"}),
            ("/v1/embeddings", {"input": "x"}),
        ):
            told = client.post(path, json={**body, "model": "Zelph Quorbin has gleepitis"})
            assert told.status_code == 404
    written = "".join(one.read_text() for one in layout.journal.glob("requests-*.jsonl"))
    assert "/v1/chat/completions" in written and "Quorbin" not in written
