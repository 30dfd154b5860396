"""The right to a store's folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from aegle.core.errors import WorkspaceBusyError


class FolderLock:
    """Held from construction until `release`.

    The lock is the kernel's (``flock``) on a file in the folder, so a killed process leaves none.
    It also keeps a second opener in the same process out, which the engines themselves do not.

    Raises:
        WorkspaceBusyError: somebody else holds it; it never waits.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            self._handle = -1
            raise WorkspaceBusyError(
                f"{folder} is in use by another process; stop it, or let it do the work"
            ) from error

    def release(self) -> None:
        """Let go; calling it twice is harmless."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
