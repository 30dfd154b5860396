"""Assertion cues that belong to no domain: none; the domains bring theirs."""

from collections.abc import Sequence

from aegle.core.pack import Cue


def cues() -> Sequence[Cue]:
    """No cues."""
    return ()
