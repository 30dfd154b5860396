"""API keys of a workspace: made, listed and taken back; only their hashes are stored."""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from aegle.core.artifacts import write_json
from aegle.core.errors import NotFoundError, UsageError, WorkspaceError
from aegle.flows.workspace import Layout

ROLES: Final = ("reader", "analyst", "admin")
"""Each may what those before it may."""
_PREFIX: Final = "aegle_"


@dataclass(frozen=True, slots=True)
class Key:
    """Who may ask: the key itself is not here.

    Attributes:
        sha256: of the key. It has 256 random bits, so that a plain hash can't be searched.
        rate: requests a minute; 0 for no limit.
        made_at: seconds since 1970.
    """

    name: str
    role: str
    rate: int
    sha256: str
    made_at: float

    def may(self, role: str) -> bool:
        """Whether this key's role holds the rights of another."""
        return ROLES.index(self.role) >= ROLES.index(role)


def path_of(layout: Layout) -> Path:
    """Where the hashes lie."""
    return layout.journal / "keys.json"


def hashed(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read(layout: Layout) -> list[Key]:
    """The keys of a workspace, oldest first.

    Raises:
        WorkspaceError: the file is damaged; nobody gets in until it is mended.
    """
    path = path_of(layout)
    try:
        found = [Key(**one) for one in json.loads(path.read_text("utf-8"))]
        if any(key.role not in ROLES for key in found):
            raise ValueError
        return found
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise WorkspaceError(f"{path} is damaged; remove it and make new keys") from error


def add(layout: Layout, name: str, *, role: str, rate: int) -> str:
    """Make a key and return it: it can't be shown again.

    Raises:
        UsageError: there is a key of this name, or no such role.
    """
    if role not in ROLES:
        raise UsageError(f"no role {role!r}; there are: {', '.join(ROLES)}")
    if not 0 < len(name) <= 64 or not name.isprintable() or rate < 0:
        raise UsageError("a key needs a name of 1 to 64 printable characters and a rate >= 0")
    with _changing(layout) as keys:
        if any(one.name == name for one in keys):
            raise UsageError(f"there is a key {name!r}; remove it first: aegle keys remove")
        secret = _PREFIX + secrets.token_urlsafe(32)
        keys.append(Key(name, role, rate, hashed(secret), time.time()))
    return secret


def remove(layout: Layout, name: str) -> None:
    """Take a key back; a running server refuses it from its next request on.

    Raises:
        NotFoundError: there is none of this name.
    """
    with _changing(layout) as keys:
        kept = [one for one in keys if one.name != name]
        if len(kept) == len(keys):
            known = ", ".join(one.name for one in keys) or "none"
            raise NotFoundError(f"no key {name!r}; there are: {known}")
        keys[:] = kept


@contextmanager
def _changing(layout: Layout) -> Iterator[list[Key]]:
    """The keys, to be changed by one process at a time and written with the block."""
    path = path_of(layout)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = read(layout)
        yield keys
        write_json(path, [asdict(one) for one in keys])
        path.chmod(0o600)
