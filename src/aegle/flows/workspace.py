"""A workspace folder: its layout, its secret, and the lock that gives it one owner at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegle.core import artifacts, plugins
from aegle.core.errors import (
    BackendError,
    NotFoundError,
    UsageError,
    WorkspaceBusyError,
    WorkspaceError,
)

if TYPE_CHECKING:
    from aegle.core.settings import Settings

FORMAT: Final = 1
"""The layout's version; a workspace written by a later one is refused, not misread."""

_FULL_BELOW: Final = 1 << 20
"""With less free space than this, a store's failure is taken for what a full disk looks like."""

_TOML: Final = """\
# Settings of this Aegle workspace. Every key: docs/reference/settings.md
# packs = ["healthcare", "cybersecurity", "general"]
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie in a workspace."""

    root: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.root / "aegle.toml"

    @property
    def corpus(self) -> Path:
        """The corpus store's file: the source of truth."""
        return self.root / "corpus" / "corpus.sqlite"

    @property
    def index(self) -> Path:
        """The index's folder, derived from the corpus."""
        return self.root / "index"

    @property
    def graph(self) -> Path:
        """The graph's folder, derived from the corpus."""
        return self.root / "graph"

    @property
    def names(self) -> Path:
        """The file of what chunks name, derived from the corpus."""
        return self.root / "names" / "names.sqlite"

    @property
    def tokens(self) -> Path:
        """The file of chunks' token vectors, derived from the corpus, where they are kept."""
        return self.root / "tokens" / "tokens.sqlite"

    @property
    def journal(self) -> Path:
        """What was read, refused, changed and overridden; the secret; the owner's lock."""
        return self.root / "journal"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.journal / "ledger.sqlite"

    @property
    def own(self) -> tuple[Path, ...]:
        """What Aegle wrote here: never a source, also when a source's folder holds it."""
        files = (self.corpus, self.names, self.tokens)
        return (self.settings, *(one.parent for one in files), self.index, self.graph, self.journal)

    @property
    def moving(self) -> Path:
        """The note of settings that are decided and of an index that is about to be the index."""
        return self.journal / "moving.json"

    @property
    def manifest(self) -> Path:
        """The file that makes a folder a workspace."""
        return self.journal / "workspace.json"


def create(root: Path) -> Layout:
    """Make a workspace in a folder, new or empty; making it again changes nothing.

    Raises:
        UsageError: the folder holds something else.
    """
    layout = Layout(root.resolve())
    if layout.manifest.exists():
        return check(root)
    if layout.root.exists() and not layout.root.is_dir():
        raise UsageError(f"{root} is a file; name a folder for the workspace")
    if layout.root.exists() and any(layout.root.iterdir()) and not layout.journal.exists():
        raise UsageError(f"{root} is not empty and not a workspace; name another folder")
    layout.root.mkdir(parents=True, exist_ok=True)
    with telling_full_disk(layout.root):
        _lay_out(layout)
    return layout


def _lay_out(layout: Layout) -> None:
    layout.journal.mkdir(exist_ok=True)
    layout.root.chmod(0o700)
    secret = layout.journal / "secret.txt"
    if not secret.exists():
        artifacts.write_bytes(secret, secrets.token_hex(32).encode())
        secret.chmod(0o600)
    if not layout.settings.exists():
        artifacts.write_bytes(layout.settings, _TOML.encode())
    artifacts.write_json(layout.manifest, {"format": FORMAT})


def check(root: Path) -> Layout:
    """The layout of an existing workspace.

    Raises:
        NotFoundError: there is none.
        WorkspaceError: it was made by a later version, or its manifest is damaged.
    """
    layout = Layout(root.resolve())
    if not layout.manifest.exists():
        raise NotFoundError(f"{root} is not a workspace; run: aegle init -w {root}")
    try:
        found = json.loads(layout.manifest.read_bytes())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{layout.manifest} is damaged ({type(error).__name__})") from error
    if found > FORMAT:
        raise WorkspaceError(
            f"{root} has format {found}, this Aegle reads up to {FORMAT}; upgrade Aegle"
        )
    return layout


def secret(layout: Layout) -> bytes:
    """The key that surrogates and pseudonyms derive from; it never leaves the workspace."""
    try:
        return bytes.fromhex((layout.journal / "secret.txt").read_text())
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"{layout.journal / 'secret.txt'} is missing or damaged ({type(error).__name__}); "
            "restore it from a backup: without it surrogates can't stay consistent"
        ) from error


def load_settings(layout: Layout, options: dict[str, Any] | None = None) -> Settings:
    """The workspace's settings under the environment's and the command line's."""
    load = plugins.load("aegle.core.settings:load")  # pydantic: not for --help
    if layout.moving.exists():  # decided, and not yet written: `flows.moving` will
        decided = artifacts.read_json(layout.moving)["backends"]
        options = {f"backends.{key}": one for key, one in decided.items()} | (options or {})
    settings: Settings = load(layout.settings, options=options)
    return settings


@contextmanager
def telling_full_disk(root: Path) -> Iterator[None]:
    """Whatever a store raises because the disk is full, say that, and what to do.

    Raises:
        WorkspaceError: the disk is full.
    """
    try:
        yield
    except (OSError, BackendError) as error:
        told = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if told or (isinstance(error, BackendError) and _is_full(root)):
            raise WorkspaceError(
                "the disk is full: the last change was not made whole; free some space and run "
                "the command again, it goes on where it stopped"
            ) from error
        raise


def _is_full(root: Path) -> bool:
    return shutil.disk_usage(root).free < _FULL_BELOW


def _note_owner(handle: int, command: str) -> None:
    note = json.dumps({"pid": os.getpid(), "command": command, "since": int(time.time())})
    os.ftruncate(handle, 0)
    os.pwrite(handle, note.encode(), 0)


@contextmanager
def try_own(layout: Layout, command: str) -> Iterator[bool]:
    """Own the workspace for a block, or yield False at once when another process does.

    The lock is the kernel's (flock), so it is gone when its holder dies, however it died.
    """
    path = layout.journal / "owner.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise WorkspaceError(f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        _note_owner(handle, command)
        yield True
    finally:
        os.close(handle)


def owner(layout: Layout) -> dict[str, Any]:
    """Who holds the workspace (``pid``, ``command``, ``since``), as far as they noted it."""
    try:
        found: dict[str, Any] = json.loads((layout.journal / "owner.lock").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def busy(layout: Layout, waited_s: float) -> WorkspaceBusyError:
    """The error that tells who holds the workspace."""
    who = owner(layout)
    name = f"process {who['pid']} ({who['command']})" if who else "another process"
    return WorkspaceBusyError(
        f"workspace {layout.root} is in use by {name}; waited {waited_s:.0f} s; "
        "try again when it has finished, or raise the setting wait_s"
    )
