"""Which groups of several sources are the same: what is held out of one is held out of all.

A patient stays a patient in another file. Files that number their groups 1, 2, 3 mean others by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from aegle.train.causal.recipe import Source

_REAL: Final = re.compile(
    r"patient|subject|person|mrn|encounter|visit|admission|hadm|stay|host|device|asset|incident|"
    r"user|account",
    re.IGNORECASE,
)
"""Keys of what exists outside of a file."""

_NUMBER: Final = re.compile(r"\d{1,5}")
"""A numbering; longer numbers are those of records."""


P = TypeVar("P", bound=Any)


def spaces(sources: Sequence[Source]) -> dict[str, str]:
    """File -> what stands for the source whose numbers its groups have: its first file's name.

    Sources that share a file share their numbers.

    Args:
        sources: all of a run, those that are replayed, too.
    """
    found: dict[str, str] = {}
    for one in sources:
        files = [name for name in (one.train, one.dev) if name]
        joined = {found.get(name, name) for name in files}
        first = min(joined)
        found |= dict.fromkeys(files, first)
        found = {name: first if space in joined else space for name, space in found.items()}
    return found


def owned(some: Sequence[P], source: Source, space: str) -> list[P]:
    """Records whose groups are named apart from those of other sources that mean others by them.

    Args:
        some: of the source; where a share is held out, parted already: that follows from a name,
            whoever else is there.
        source: that they are of.
        space: of its file, as in `spaces`.
    """

    def own(name: str) -> bool:
        numbered = bool(_NUMBER.fullmatch(name)) and not _REAL.search(source.group)
        return numbered if source.groups == "auto" else source.groups == "own"

    return [
        replace(one, group=f"{space}: {one.group}")
        if one.group != one.place and own(one.group)
        else one
        for one in some
    ]
