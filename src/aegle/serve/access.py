"""Who may ask what, and how often: keys, roles and token buckets."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aegle.flows import keys
from aegle.flows.keys import Key
from aegle.flows.workspace import Layout

OPEN: Final = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
"""Told to anybody: an orchestrator's probes have no key."""
_ADMIN: Final = ("/admin/",)
_ANALYST: Final = (
    "/v1/extract",
    "/v1/feedback",
    "/v1/classify",
    "/v1/tag",
    "/v1/rerank",
    "/v1/embeddings",
    "/v1/chat/completions",
    "/v1/completions",
)
_BURST_S: Final = 10
"""A key that was silent may ask what it may ask in so many seconds at once."""


def role_for(path: str) -> str:
    """The least role that may ask for a path; empty for anybody."""
    if path in OPEN:
        return ""
    if path.startswith(_ADMIN):
        return "admin"
    infers = path.startswith("/v2/") and path.endswith("/infer")
    return "analyst" if infers or path.startswith(_ANALYST) else "reader"


class Bucket:
    """A token bucket: ``rate`` requests a minute, with a burst of ten seconds' worth.

    Args:
        rate: >= 1.
        now: a clock in seconds.
    """

    def __init__(self, rate: int, now: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._now = rate, now
        self._most = max(1.0, rate * _BURST_S / 60)
        self._left, self._at = self._most, now()

    def take(self) -> float:
        """0 and a request is counted; else the seconds until one may be."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._at) * self.rate / 60)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) * 60 / self.rate


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a request is not answered; ``status`` is 401, 403 or 429."""

    status: int
    message: str
    retry_after_s: float = 0.0


class Access:
    """The keys of a workspace as they stand now: a change of their file counts at once.

    Args:
        required: whether a request without a key is refused. Admin paths always want one.
    """

    def __init__(self, layout: Layout, *, required: bool) -> None:
        self._layout, self.required = layout, required
        self._seen: tuple[int, int, int] | None = None
        self._keys: list[Key] = []
        self._buckets: dict[str, Bucket] = {}

    def _current(self) -> list[Key]:
        try:
            told = keys.path_of(self._layout).stat()
        except FileNotFoundError:
            self._seen, self._keys = None, []
            return []
        seen = (told.st_mtime_ns, told.st_size, told.st_ino)
        if seen != self._seen:
            self._keys, self._seen = keys.read(self._layout), seen
        return self._keys

    def _find(self, secret: str) -> Key | None:
        asked = keys.hashed(secret)
        found = None
        for key in self._current():  # all of them: the time must not tell which fits
            if hmac.compare_digest(key.sha256, asked):
                found = key
        return found

    def check(self, path: str, authorization: str) -> Key | Denied | None:
        """The key of a request, None where none is needed, or why it is refused.

        Raises:
            WorkspaceError: the keys can't be read.
        """
        role = role_for(path)
        secret = _secret(authorization)
        if not secret:
            if role and (self.required or role == "admin"):
                return Denied(401, "this needs an API key: Authorization: Bearer KEY")
            return None
        key = self._find(secret)
        if key is None and not self._keys and not self.required and role != "admin":
            return None  # OpenAI's client can't ask without a key: with none made, any will do
        if key is None:
            return Denied(401, "this API key is unknown, or was taken back")
        if role and not key.may(role):
            return Denied(403, f"this needs the role {role}; the key's is {key.role}")
        wait_s = self._counted(key)
        if wait_s:
            said = f"this key may ask {key.rate} times a minute; wait"
            return Denied(429, said, retry_after_s=wait_s)
        return key

    def _counted(self, key: Key) -> float:
        if not key.rate:
            return 0.0
        bucket = self._buckets.get(key.sha256)
        if bucket is None or bucket.rate != key.rate:
            bucket = self._buckets[key.sha256] = Bucket(key.rate)
        return bucket.take()


def _secret(authorization: str) -> str:
    """The key of a header: a bearer's, or a browser's password."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        told = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return told.partition(":")[2]
