"""Ed25519 signatures over JSON: a record of one kind can't pass for one of another."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.plugins import load

_SEED_BYTES: Final = 32
_MODULE: Final = "cryptography.hazmat.primitives.asymmetric.ed25519"


class Keys:
    """A private key that signs, and whose public half is the only one trusted.

    Args:
        path: a file of 64 hex digits, readable by its owner alone; made where it is missing.

    Raises:
        MissingExtraError: the extra ``sign`` is not installed.
        InputError: the file holds no key, or others may read it.
    """

    def __init__(self, path: Path) -> None:
        private = load(f"{_MODULE}:Ed25519PrivateKey")
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise InputError(f"{path}: others may read this key; run: chmod 600 {path}")
        try:
            seed = bytes.fromhex(path.read_text("ascii").strip())
            self._key: Any = private.from_private_bytes(seed)
        except ValueError as error:
            raise InputError(f"{path} holds no key: 64 hex digits are needed") from error

    @property
    def public(self) -> str:
        """The public key, 64 hex digits."""
        raw: bytes = self._key.public_key().public_bytes_raw()
        return raw.hex()

    def signed(self, kind: str, body: Any) -> dict[str, Any]:
        """A record of a kind, with its signature."""
        signature: bytes = self._key.sign(_message(kind, body))
        return {"kind": kind, "body": body, "signature": signature.hex()}

    def opened(self, kind: str, record: Any, *, name: str) -> Any:
        """What a signed record says.

        Args:
            kind: that it must be of.
            record: as `signed` made it, read back.
            name: of the file, for the error.

        Raises:
            InputError: it was changed, is of another kind, or was signed by another key.
        """
        wrong = load("cryptography.exceptions:InvalidSignature")
        try:
            if set(record) != {"kind", "body", "signature"} or record["kind"] != kind:
                raise ValueError(kind)
            signature = bytes.fromhex(record["signature"])
            self._key.public_key().verify(signature, _message(kind, record["body"]))
        except (wrong, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{name}: its signature is not this key's over what it says; it was changed, or "
                "signed by another key (name that key's file by --key)"
            ) from error
        return record["body"]


def _message(kind: str, body: Any) -> bytes:
    told = {"kind": kind, "body": body}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _make(path: Path) -> None:
    """A new key; where two make one at once, the first is both's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(_SEED_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        part.unlink()
