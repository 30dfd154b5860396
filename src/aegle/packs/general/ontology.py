"""Names that any document may hold: none of their own, `flows` joins the packs' terms."""

from __future__ import annotations

from collections.abc import Iterator

from aegle.core.pack import Term


def terms() -> Iterator[Term]:
    """No term: what a general document names comes from the other packs' terminologies."""
    return iter(())
