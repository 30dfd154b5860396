"""API keys: shown once, kept as hashes, for the workspace's user alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aegle.core.errors import NotFoundError, UsageError
from aegle.flows import keys, workspace
from aegle.flows.workspace import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    workspace.create(tmp_path / "w")
    return workspace.check(tmp_path / "w")


def test_a_key_is_stored_as_its_hash_alone(layout: Layout) -> None:
    secret = keys.add(layout, "ward-7", role="reader", rate=120)
    path = keys.path_of(layout)
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    (key,) = keys.read(layout)
    assert (key.name, key.role, key.rate) == ("ward-7", "reader", 120)
    assert key.sha256 == keys.hashed(secret)
    keys.remove(layout, "ward-7")
    assert keys.read(layout) == []


@pytest.mark.parametrize(
    ("name", "role", "rate"),
    [
        ("x", "king", 1),
        ("", "reader", 1),
        ("x" * 65, "reader", 1),
        ("a\nb", "reader", 1),
        ("x", "reader", -1),
    ],
)
def test_what_is_no_key_is_refused(layout: Layout, name: str, role: str, rate: int) -> None:
    with pytest.raises(UsageError):
        keys.add(layout, name, role=role, rate=rate)
    assert keys.read(layout) == []


def test_a_name_is_there_once_and_one_that_is_not_there_is_told(layout: Layout) -> None:
    keys.add(layout, "a", role="admin", rate=0)
    with pytest.raises(UsageError, match="remove it first"):
        keys.add(layout, "a", role="reader", rate=0)
    with pytest.raises(NotFoundError, match="there are: a"):
        keys.remove(layout, "b")


def test_keys_made_at_the_same_time_are_all_kept(layout: Layout) -> None:
    def add(n: int) -> None:
        keys.add(layout, f"k{n}", role="reader", rate=0)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert {one.name for one in keys.read(layout)} == {f"k{n}" for n in range(8)}
