"""Files that were made: content hashes, atomic writes, manifests with lineage; never pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError, WorkspaceError
from aegle.core.records import Artifact

SAFE_SUFFIXES: Final = (".safetensors", ".onnx", ".gguf", ".json", ".npz", ".txt", ".toml", ".gz")
"""What an artifact may be. ``.npz`` is read with ``allow_pickle=False``."""

_BLOCK: Final = 1 << 20


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hex digits, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to; it becomes ``target`` only when the block succeeds.

    Raises:
        WorkspaceError: the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WorkspaceError(
                f"the disk is full: {target.name} was not written, what was there is unchanged; "
                "free some space and run the command again"
            ) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def archive_of(path: Path) -> Path | None:
    """The zip file of which a path names a member, if it does."""
    return next((one for one in path.parents if one.suffix == ".zip" and one.is_file()), None)


def sha256_tree(path: Path) -> str:
    """The SHA-256 of a file; of a folder, of its files' names and hashes; of an archive's member
    (``FILE.zip/MEMBER``), of the archive.

    Raises:
        InputError: there is no such path, or the folder is empty.
    """
    path = archive_of(path) or path
    if path.is_file():
        return sha256_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise InputError(f"{path}: there is no such file, nor a folder with files")
    lines = [f"{file.relative_to(path).as_posix()} {sha256_file(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_bytes(target: Path, content: bytes) -> None:
    """Replace ``target`` by ``content``, whole or not at all."""
    with atomic_path(target) as part:
        part.write_bytes(content)


def write_json(target: Path, value: Any) -> None:
    """Replace ``target`` by ``value`` as JSON with sorted keys, whole or not at all."""
    write_bytes(target, (json.dumps(value, sort_keys=True, indent=1) + "\n").encode())


def read_json(path: Path) -> Any:
    """The JSON value of a file.

    Raises:
        InputError: the file is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({type(error).__name__})") from error


def describe(path: Path, *, made_from: tuple[str, ...] = (), licence: str = "") -> Artifact:
    """The artifact record of a file.

    Raises:
        InputError: the file's kind may carry code, or is not one that Aegle writes.
    """
    if path.suffix not in SAFE_SUFFIXES:
        raise InputError(
            f"{path.name}: an artifact is one of {', '.join(SAFE_SUFFIXES)}; "
            "formats that can carry code are refused"
        )
    return Artifact(str(path), sha256_file(path), path.stat().st_size, made_from, licence)


def write_manifest(target: Path, artifacts: list[Artifact], **about: Any) -> None:
    """Write what a folder holds: its artifacts with hashes and lineage, and facts about the run."""
    write_json(target, {"artifacts": [asdict(artifact) for artifact in artifacts], **about})


def check_manifest(manifest: Path) -> list[Artifact]:
    """The artifacts of a manifest, after comparing each file with its hash.

    Raises:
        InputError: a file is missing or has changed.
    """
    entries = read_json(manifest)["artifacts"]
    artifacts = [Artifact(**{**entry, "made_from": tuple(entry["made_from"])}) for entry in entries]
    for artifact in artifacts:
        path = manifest.parent / artifact.path
        if not path.is_file() or sha256_file(path) != artifact.sha256:
            raise InputError(
                f"{artifact.path} is missing or is not what {manifest.name} says it is"
            )
    return artifacts
