"""Taggers that know words by heart in a registry, and a workspace that reads by one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegle.flows import promoting, workspace
from taught import teach

FEW = {"biomedical": {"zorblax": "chemical"}}
MORE = {"biomedical": {"zorblax": "chemical", "quackoid": "chemical"}}
TEXT = "Was given zorblax, then quackoid. Denies fever."
LONG = " ".join([TEXT] * 80)
"""More pieces than a taught tagger has places for: one whose card says otherwise fails at it."""


@dataclass(frozen=True)
class Place:
    """Where all lies; the champion is served, the challenger is version 1 of ``taught``."""

    root: Path
    registry: Path
    key: Path
    digest: str
    champion: Path

    def params(self, **more: Any) -> dict[str, Any]:
        where = {"registry": str(self.registry), "key": str(self.key)}
        return {"model": "taught", "which": "1", **where, **more}


def laid_out(folder: Path, *, fails: bool = False, other: Path | None = None) -> Place:
    """A workspace and a registry; ``fails``: the challenger, at `LONG`; ``other``: its folder."""
    champion = teach(folder / "champion", FEW, version="champion/1")
    if other is None:
        known = FEW if fails else MORE
        other = teach(folder / "challenger", known, version="challenger/1")
    if fails:
        card = json.loads((other / "card.json").read_text())
        (other / "card.json").write_text(json.dumps({**card, "max_pieces": 4000}))
    (folder / "data.json").write_text("{}")
    layout = workspace.create(folder / "w")
    layout.settings.write_text(f'[knowledge]\ntagger = "path:{champion}"\n')
    registry = promoting.opened(folder / "registry", folder / "key")
    made = promoting.add(registry, "taught", other, data=[folder / "data.json"])
    return Place(layout.root, folder / "registry", folder / "key", made["digest"], champion)
