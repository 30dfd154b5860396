"""Keys, roles and rates, as the gate asks of them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from aegle.core.errors import WorkspaceError
from aegle.flows import keys, workspace
from aegle.flows.keys import Key
from aegle.flows.workspace import Layout
from aegle.serve.access import Access, Bucket, Denied, role_for


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    workspace.create(tmp_path / "w")
    return workspace.check(tmp_path / "w")


def status(answer: Key | Denied | None) -> int:
    return answer.status if isinstance(answer, Denied) else 200


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/healthz", ""),
        ("/readyz", ""),
        ("/", "reader"),
        ("/metrics", "reader"),
        ("/v1/ask", "reader"),
        ("/v1/models", "reader"),
        ("/v1/extract", "analyst"),
        ("/v1/embeddings", "analyst"),
        ("/v1/chat/completions", "analyst"),
        ("/admin/models", "admin"),
        ("/admin/whatever-comes", "admin"),
    ],
)
def test_who_may_ask_for_a_path(layout: Layout, path: str, role: str) -> None:
    assert role_for(path) == role
    made = {name: keys.add(layout, name, role=name, rate=0) for name in keys.ROLES}
    access = Access(layout, required=True)
    for name, secret in made.items():
        allowed = not role or keys.ROLES.index(name) >= keys.ROLES.index(role)
        assert status(access.check(path, f"Bearer {secret}")) == (200 if allowed else 403)
    assert status(access.check(path, "")) == (401 if role else 200)


def test_an_unknown_key_passes_only_where_no_key_is_made_or_asked_for(layout: Layout) -> None:
    access = Access(layout, required=False)
    assert access.check("/v1/extract", "Bearer anything") is None
    assert status(access.check("/admin/models", "Bearer anything")) == 401
    assert status(Access(layout, required=True).check("/v1/ask", "Bearer anything")) == 401
    secret = keys.add(layout, "ward", role="reader", rate=0)
    assert status(access.check("/v1/ask", "Bearer anything")) == 401
    assert access.check("/v1/ask", "") is None
    told = base64.b64encode(f"somebody:{secret}".encode()).decode()
    for header in (f"Bearer {secret}", f"bearer  {secret}", f"Basic {told}"):
        assert isinstance(access.check("/v1/ask", header), Key)


def test_a_key_that_is_taken_back_is_refused_at_once(layout: Layout) -> None:
    secret = keys.add(layout, "ward", role="reader", rate=0)
    keys.add(layout, "other", role="reader", rate=0)
    access = Access(layout, required=False)
    assert status(access.check("/v1/ask", f"Bearer {secret}")) == 200
    keys.remove(layout, "ward")
    assert status(access.check("/v1/ask", f"Bearer {secret}")) == 401


def test_over_its_rate_a_key_is_told_when_to_ask_again(layout: Layout) -> None:
    slow = keys.add(layout, "slow", role="reader", rate=6)
    other = keys.add(layout, "other", role="reader", rate=0)
    access = Access(layout, required=True)
    assert status(access.check("/v1/ask", f"Bearer {slow}")) == 200
    denied = access.check("/v1/ask", f"Bearer {slow}")
    assert isinstance(denied, Denied)
    assert (denied.status, round(denied.retry_after_s)) == (429, 10)
    assert status(access.check("/v1/ask", f"Bearer {other}")) == 200, "a rate is each key's own"


def test_a_damaged_file_lets_nobody_in(layout: Layout) -> None:
    secret = keys.add(layout, "ward", role="reader", rate=0)
    keys.path_of(layout).write_text("[{]")
    with pytest.raises(WorkspaceError):
        Access(layout, required=False).check("/v1/ask", f"Bearer {secret}")


def test_a_bucket_lets_through_its_rate_after_its_burst() -> None:
    clock = 0.0
    bucket = Bucket(60, now=lambda: clock)
    assert [bucket.take() for _ in range(10)] == [0.0] * 10
    assert bucket.take() == pytest.approx(1.0)
    passed = 0
    for tenth in range(1, 601):  # one minute of ten requests a second
        clock = tenth / 10
        passed += bucket.take() == 0
    assert 59 <= passed <= 60
