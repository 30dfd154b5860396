"""A written hospital as tests look at it: its files and its gold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = {"patients": 12, "days": 3, "seed": 5}


@dataclass(frozen=True)
class Sample:
    root: Path
    counts: dict[str, int]

    def text(self, path: str) -> str:
        return (self.root / "files" / path).read_bytes().decode("utf-8")

    def paths(self, pattern: str) -> list[str]:
        folder = self.root / "files"
        return sorted(str(p.relative_to(folder)) for p in folder.glob(pattern) if p.is_file())

    def gold(self, name: str) -> Any:
        text = (self.root / "gold" / name).read_text(encoding="utf-8")
        if name.endswith(".jsonl"):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)
