"""Weights for tests: fetched into the cache at first use, or the reason why they can't be."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aegle.core.errors import BackendError
from aegle.lm.catalog import resolve


class WeightsUnavailableError(BackendError):
    """No registry could be reached, so a test that needs weights can't run: skip it."""


@cache
def cached(name: str) -> Path:
    """The file or folder of a name of the catalog.

    Raises:
        WeightsUnavailableError: it is not in the cache and could not be fetched.
    """
    try:
        return resolve(name)
    except BackendError as error:
        raise WeightsUnavailableError(f"{name} is not to be had here: {error}") from error
