"""Bodies that no client should send, to every endpoint of a real app: no 5xx, no traceback."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient

from aegle.flows import workspace
from aegle.flows.kit import open_kit
from aegle.serve.app import build_app
from serving_malformed import fuzzed


def test_a_few_hundred_malformed_requests_are_told_what_is_wrong(tmp_path: Path) -> None:
    layout = workspace.create(tmp_path / "w")
    settings = workspace.load_settings(layout)
    # As the server answers: an error that nobody caught becomes a 500, not the test's exception.
    with open_kit(layout, settings) as kit:
        kit.encoder.embed(["ready"])
        assert kit.index.count() == 0
        assert kit.corpus.counts()
        client = TestClient(build_app(kit), raise_server_exceptions=False)
        told, wrong = fuzzed(client, 250, seed=3)
    assert wrong == []
    assert told["4xx"] > 100, "most are refused"
    assert told["2xx"] > 10, "and some are odd only"
