"""Bad parts of a file, gathered while the good ones are read, told at its end."""

from __future__ import annotations

from typing import Final

from aegle.core.errors import InputError

MAX_TOLD: Final = 5


class Problems:
    """What could not be read: places and reasons, never content."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told: list[str] = []
        self.num_bad = 0

    def add(self, where: str, reason: str) -> None:
        """One more bad part."""
        self.num_bad += 1
        if len(self._told) < MAX_TOLD:
            self._told.append(f"{where}: {reason}")

    def finish(self, *, num_good: int, what: str) -> None:
        """Call at the end of the file.

        Raises:
            InputError: when any part was bad, or there was no good one.
        """
        if not self.num_bad:
            if not num_good:
                raise InputError(f"{self._source} holds no {what}")
            return
        rest = f"; and {self.num_bad - MAX_TOLD} more" if self.num_bad > MAX_TOLD else ""
        raise InputError(
            f"{self._source}: {self.num_bad} part(s) can't be read, {num_good} {what}(s) were: "
            f"{'; '.join(self._told)}{rest}"
        )
