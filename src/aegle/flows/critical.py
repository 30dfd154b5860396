"""Which labels no smaller model may lose: the user's, else what the packs say of a tagger's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aegle.core.artifacts import read_json
from aegle.core.pack import Pack
from aegle.core.plugins import find

PACKS: Final = ("healthcare", "cybersecurity", "general")


def of_packs(sets: Iterable[str], packs: Iterable[str] = PACKS) -> tuple[str, ...]:
    """``SET.LABEL`` of these label sets of a tagger, sorted."""
    known = list(sets)
    found = set()
    for name in packs:
        pack: Pack = find("packs", name)
        found |= {f"{one}.{label}" for one in known for label in pack.critical.get(one, ())}
    return tuple(sorted(found))


def of_model(folder: Path, packs: Iterable[str] = PACKS) -> tuple[str, ...]:
    """What packs say of all label sets of the tagger in a folder; none for other models."""
    card = folder / "card.json"
    told = read_json(card) if card.is_file() else {}
    heads = told.get("heads", {}) if isinstance(told, dict) else {}
    return of_packs(heads, packs) if isinstance(heads, dict) else ()
