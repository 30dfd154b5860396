"""Rollouts in this process: shadow, canary, feedback, rollback, restarts, evidence, no leak."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from aegle.core.errors import UsageError, WorkspaceError
from aegle.flows import promoting, rolling, swapping, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.lm.catalog import resolve
from aegle.serve.app import Server
from rollouts import LONG, TEXT, Place, laid_out

pytest.importorskip("cryptography")


@dataclass
class Served:
    kit: Kit
    server: Server
    client: TestClient

    def extract(self, text: str, unit: str = "") -> Any:
        headers = {"x-aegle-unit": unit} if unit else {}
        return self.client.post(
            "/v1/extract", json={"text": text, "domain": "healthcare"}, headers=headers
        )

    def status(self) -> dict[str, Any]:
        return rolling.status(self.kit)

    def until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status once something is reached; what the shadow does takes its time."""
        end = time.monotonic() + 20
        while not reached(told := self.status()):
            assert time.monotonic() < end, told["figures"]
            time.sleep(0.01)
        return told


@contextmanager
def opened(place: Place, **wanted: Any) -> Iterator[Served]:
    layout = workspace.check(place.root)
    told = workspace.load_settings(layout, {"serve.cache_mb": 0, **wanted})
    with open_kit(layout, told) as kit:
        server = Server(kit)
        try:
            yield Served(kit, server, TestClient(server.app, raise_server_exceptions=False))
        finally:
            server.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return laid_out(tmp_path)


def names(reply: Any) -> set[str]:
    return {one["text"].lower() for one in reply.json()["entities"]}


def test_in_the_shadow_nobody_gets_its_answers(place: Place) -> None:
    with opened(place) as served:
        rolling.start(served.kit, **place.params())
        for n in range(12):
            reply = served.extract(f"{TEXT} Day {n}.")
            assert reply.status_code == 200
            assert "x-aegle-rollout" not in reply.headers
            assert "quackoid" not in names(reply)
        told = served.until(lambda one: one["figures"]["agreement"]["n"] == 12)
        assert told["status"] == "running"
        assert told["figures"]["errors"] == told["figures"]["errors"] | {"n": 12, "mean": 0}
        assert 0 < told["figures"]["agreement"]["mean"] < 1, "one name is new"
        assert told["figures"]["latency"]["n"] == told["pairs"] == 12
        metrics = served.client.get("/metrics").text
        assert "aegle_shadow_read 12.0" in metrics
        assert "aegle_rollout_share 0.0" in metrics


def test_units_keep_their_version_and_feedback_counts_once(place: Place) -> None:
    with opened(place) as served:
        rolling.start(served.kit, **place.params(share=0.5))
        seen: dict[str, set[str]] = {}
        tokens = {}
        for n in range(3):
            for unit in map(str, range(16)):
                reply = served.extract(f"{TEXT} Day {n}.", f"encounter {unit}")
                seen.setdefault(unit, set()).add(
                    "challenger" if "quackoid" in names(reply) else "champion"
                )
                tokens[unit] = reply.headers["x-aegle-rollout"]
        assert all(len(one) == 1 for one in seen.values())
        assert {name for one in seen.values() for name in one} == {"champion", "challenger"}

        def post(token: str, score: Any = 1) -> Any:
            return served.client.post("/v1/feedback", json={"id": token, "score": score})

        assert [post(tokens["1"]).json()["counted"] for _ in range(2)] == [True, False]
        assert post(tokens["2"], 0.5).json() == {"counted": True}
        assert post("A" * len(tokens["1"])).status_code == 404
        assert post(tokens["3"], 2).status_code == 422
        told = served.status()
        assert told["figures"]["quality"]["n"] == told["units"] == 2
        had = {unit for unit, one in seen.items() if "challenger" in one}
        rolling.grow(served.kit, 0.9)
        now = {
            unit for unit in seen if "quackoid" in names(served.extract(TEXT, f"encounter {unit}"))
        }
        assert had < now
        with pytest.raises(UsageError, match="can only grow"):
            rolling.grow(served.kit, 0.5)
        with pytest.raises(UsageError, match="rollout stop"):
            swapping.tagger(served.kit, "path:/elsewhere")
        rolling.stop(served.kit)
        assert "quackoid" not in names(served.extract(TEXT, "encounter 1"))
        assert post(tokens["4"]).json() == {"counted": False}
    for path in place.root.rglob("*"):
        assert not path.is_file() or b"encounter" not in path.read_bytes(), path
    audit = "".join(path.read_text() for path in (place.root / "journal").glob("requests-*"))
    assert "challenger/1" in audit
    assert "champion/1" in audit


def test_a_challenger_that_fails_is_rolled_back_and_nobody_notices(tmp_path: Path) -> None:
    place = laid_out(tmp_path, fails=True)
    with opened(place) as served:
        rolling.start(served.kit, **place.params(share=0.9))
        for n in range(60):
            reply = served.extract(f"{LONG} {n}" if n % 2 else f"{TEXT} {n}", f"unit {n}")
            assert reply.status_code == 200
            assert "zorblax" in names(reply)
        told = served.status()
        assert (told["status"], told["reason"]) == ("rolled back", "errors")
        assert told["figures"]["errors"]["p_harm"] <= 0.05 / 4
        assert "x-aegle-rollout" not in served.extract(TEXT).headers
        said = [one for one in served.kit.ledger.audits() if "rolled back" in one["action"]]
        assert said[0]["figure"] == "errors"
        metrics = served.client.get("/metrics").text
        assert 'answered="champion",assigned="challenger"' in metrics


def test_a_challenger_that_fails_in_the_shadow_is_stopped(tmp_path: Path) -> None:
    place = laid_out(tmp_path, fails=True)
    with opened(place) as served:
        rolling.start(served.kit, **place.params())
        for n in range(10):
            assert served.extract(f"{LONG} {n}").status_code == 200
        served.until(lambda one: one["status"] == "rolled back")


def test_who_waits_too_long_is_answered_by_the_champion(tmp_path: Path) -> None:
    """The packaged tagger takes many times as long as one that knows a word."""
    place = laid_out(tmp_path, other=resolve("tagger"))
    text = f"{TEXT} " * 60
    with opened(place, **{"rollout.patience_s": 0.08}) as served:
        served.extract(text)
        rolling.start(served.kit, **place.params(share=0.99))
        for n in range(60):
            reply = served.extract(f"{text} {n}", f"unit {n}")
            assert reply.status_code == 200
            assert "zorblax" in names(reply)
            if served.status()["status"] != "running":
                break
        assert served.status()["reason"] == "errors"


def test_the_shadow_drops_what_does_not_fit(place: Place) -> None:
    with opened(place, **{"rollout.queue": 2, "rollout.characters": 400}) as served:
        rolling.start(served.kit, **place.params())
        served.server.gate.in_flight += 1  # somebody is always being answered
        for n in range(6):
            assert served.extract(f"{TEXT} {n}").status_code == 200
        assert served.extract(LONG).status_code == 200
        metrics = served.client.get("/metrics").text
        served.server.gate.in_flight -= 1
        assert "aegle_shadow_dropped 5.0" in metrics
        assert "aegle_shadow_read 0.0" in metrics
        served.until(lambda one: one["pairs"] == 2)


def test_a_restart_keeps_everything(place: Place) -> None:
    units = [f"u{n}" for n in range(12)]
    with opened(place) as served:
        rolling.start(served.kit, **place.params(share=0.5))
        replies = {unit: served.extract(TEXT, unit) for unit in units}
        tokens = {unit: one.headers["x-aegle-rollout"] for unit, one in replies.items()}
        post = {"id": tokens["u1"], "score": 1}
        assert served.client.post("/v1/feedback", json=post).json() == {"counted": True}
        before = served.until(lambda one: one["pairs"] == len(units))
    with opened(place) as served:
        assert served.status() == before
        for unit, reply in replies.items():
            assert names(served.extract(TEXT, unit)) == names(reply)
        assert served.client.post("/v1/feedback", json=post).json() == {"counted": False}
        post = {"id": tokens["u2"], "score": 1}
        assert served.client.post("/v1/feedback", json=post).json() == {"counted": True}
    layout = workspace.check(place.root)
    with opened(place, **{"knowledge.tagger": "none"}) as served:
        told = served.status()
        assert told["status"] == "stopped"
    (layout.journal / "rollout.json").write_text('{"share": 2')
    with opened(place) as served:
        assert served.extract(TEXT).status_code == 200
        with pytest.raises(WorkspaceError, match="damaged"):
            served.status()


def test_a_gain_writes_the_evidence_that_promote_asks_for(place: Place) -> None:
    registry = promoting.opened(place.registry, place.key)
    wanted = {"rollout.agreement": 0, "rollout.slower": 50, "serve.cache_mb": 1}
    with opened(place, **wanted) as served:
        rolling.start(served.kit, **place.params(share=0.5))
        for n in range(120):
            reply = served.extract(f"{TEXT} {n}", f"u{n}")
            good = "quackoid" in names(reply)
            body = {"id": reply.headers["x-aegle-rollout"], "score": float(good)}
            served.client.post("/v1/feedback", json=body)
        told = served.until(lambda one: one["pairs"] >= 100 and one["status"] == "gain")
        assert told["reason"] == "quality"
        assert set(rolling.evidence(served.kit)["attached"]) == {"rollout", "latency"}
        evidence = registry.open("taught", 1).evidence
        assert evidence["rollout"]["against"] == rolling.served(served.kit).digest
        assert evidence["latency"]["figures"]["read, p95, ms"]["value"] > 0
        metrics = served.client.get("/metrics").text
        assert 'aegle_rollout_seconds_count{answered="challenger"}' in metrics
        assert 'aegle_rollout_requests_total{answered="champion",assigned="champion"}' in metrics
        rolling.stop(served.kit)
        assert "rollout" in rolling.evidence(served.kit)["attached"], "a stop takes nothing back"
        known, _ = served.kit.__dict__["rollout"]
        known.gained = False  # as a rollback leaves it
        rolling.settle(served.kit, known)
        assert "rollout" not in registry.open("taught", 1).evidence
        assert served.kit.__dict__["rollout"][1] is None, "its models are let go"
    assert json.dumps(evidence).count("zorblax") == 0


def test_what_can_not_be_compared_is_refused(place: Place, tmp_path: Path) -> None:
    registry = promoting.opened(place.registry, place.key)
    with opened(place) as served:
        with pytest.raises(UsageError, match="share lies"):
            rolling.start(served.kit, **place.params(share=1.0))
        promoting.add(registry, "taught", place.champion, data=[tmp_path / "data.json"])
        with pytest.raises(UsageError, match="already"):
            rolling.start(served.kit, **place.params() | {"which": "2"})
        rolling.start(served.kit, **place.params())
        with pytest.raises(UsageError, match="runs already"):
            rolling.start(served.kit, **place.params())
        with pytest.raises(UsageError, match="no gain is shown"):
            rolling.evidence(served.kit)
        rolling.stop(served.kit)
    with (
        opened(place, **{"knowledge.tagger": "none"}) as served,
        pytest.raises(UsageError, match="no tagger"),
    ):
        rolling.start(served.kit, **place.params())
