"""Artifacts: whole or not at all, hashed, never a format that carries code."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from aegle.core import artifacts
from aegle.core.errors import InputError, WorkspaceError


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    artifacts.write_json(target, {"a": 1})

    def fail() -> None:
        with artifacts.atomic_path(target) as part:
            part.write_text("half")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        fail()
    assert artifacts.read_json(target) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    def fill() -> None:
        with artifacts.atomic_path(tmp_path / "a.json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WorkspaceError, match="disk is full"):
        fill()


def test_hash_equals_hashlib(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"x" * 3_000_000)
    assert artifacts.sha256_file(file) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_manifest_notices_a_changed_file(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_text("{}")
    made = artifacts.describe(file, made_from=("corpus",), licence="Apache-2.0")
    artifacts.write_manifest(tmp_path / "manifest.json", [made], seed=1)
    assert artifacts.check_manifest(tmp_path / "manifest.json") == [made]
    file.write_text("{ }")
    with pytest.raises(InputError, match=r"weights\.json"):
        artifacts.check_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize("name", ["model.pkl", "model.pt", "model.bin", "model.joblib"])
def test_formats_that_can_carry_code_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="carry code"):
        artifacts.describe(tmp_path / name)


def test_what_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match=r"a\.json is not JSON"):
        artifacts.read_json(tmp_path / "a.json")


def test_the_hash_of_a_folder_knows_names_and_contents(tmp_path: Path) -> None:
    def made(name: str, files: dict[str, str]) -> str:
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return artifacts.sha256_tree(tmp_path / name)

    one = made("a", {"x": "1", "sub/y": "2"})
    assert one == made("b", {"sub/y": "2", "x": "1"})
    assert len({one, made("c", {"x": "2", "sub/y": "1"}), made("d", {"x": "1", "y": "2"})}) == 3
    (tmp_path / "t.zip").write_bytes(b"packed")
    assert artifacts.sha256_tree(tmp_path / "t.zip" / "member.csv") == artifacts.sha256_file(
        tmp_path / "t.zip"
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no such file"):
        artifacts.sha256_tree(tmp_path / "empty")
