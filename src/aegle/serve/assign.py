"""Which unit gets which version, for good; and ids by which feedback finds its request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from typing import Final

_SIGNED: Final = 16
_BODY: Final = struct.Struct(">?d16s8s")


def place(secret: bytes, unit: str) -> float:
    """Where a unit stands in [0, 1): below the share it gets the challenger.

    It depends on nothing else, so that a unit's version changes only when the share grows past
    its place, and never back. Without the rollout's secret it can't be told or chosen.
    """
    return int.from_bytes(_keyed(secret, unit, b"place")[:7]) / 2**56


def tag(secret: bytes, unit: str) -> bytes:
    """What stands for a unit on disk: 16 bytes that tell neither the unit nor its place."""
    return _keyed(secret, unit, b"tag")


def _keyed(secret: bytes, unit: str, use: bytes) -> bytes:
    content = unit.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, key=secret, person=use, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a reply's id says: nothing is kept of the request itself.

    Attributes:
        challenger: whether the unit was assigned to it, whoever answered in the end.
        share: its chance to be.
        unit: `tag` of the unit.
    """

    challenger: bool
    share: float
    unit: bytes

    def token(self, secret: bytes) -> str:
        """An id that nobody without the rollout's secret can make, another each time."""
        body = _BODY.pack(self.challenger, self.share, self.unit, secrets.token_bytes(8))
        return base64.urlsafe_b64encode(body + _signature(secret, body)).decode().rstrip("=")


def assigned(secret: bytes, unit: str, share: float) -> Assigned:
    """The version of a unit while the share is so large."""
    return Assigned(place(secret, unit) < share, share, tag(secret, unit))


def opened(secret: bytes, token: str) -> Assigned | None:
    """What an id says; None for one that this rollout didn't give."""
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, signed = content[:-_SIGNED], content[-_SIGNED:]
    if len(body) != _BODY.size or not hmac.compare_digest(signed, _signature(secret, body)):
        return None
    challenger, share, unit, _ = _BODY.unpack(body)
    return Assigned(challenger, share, unit)


def _signature(secret: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=secret, person=b"token", digest_size=_SIGNED).digest()
