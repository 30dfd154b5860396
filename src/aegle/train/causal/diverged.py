"""The error of a training whose loss is no number any more."""

from __future__ import annotations

from aegle.core.errors import InputError


class DivergedError(InputError):
    """A step's loss or gradient is no number: of a search, one trial less and not the end."""
