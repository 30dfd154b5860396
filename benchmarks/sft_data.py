"""Question and answer pairs of MedQuAD as JSON lines for `aegle train`, split by document."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from defusedxml import ElementTree

LICENCE = {"licence": "CC BY 4.0", "safe_because": "published patient information"}


def medquad(data: Path) -> list[dict[str, Any]]:
    """Records of prompt, completion and group; a document is a group. In no particular order, but
    the same everywhere."""
    found, seen = [], set()
    for path in sorted((data / "medquad").rglob("*.xml")):
        tree = ElementTree.parse(path).getroot()
        for pair in tree.iter("QAPair"):
            question = " ".join((pair.findtext("Question") or "").split())
            answer = " ".join((pair.findtext("Answer") or "").split())
            if question and answer and (question, answer) not in seen:
                seen.add((question, answer))
                found.append({"prompt": question, "completion": answer, "group": path.stem})
    return sorted(found, key=lambda one: hashlib.sha256(one["group"].encode()).digest())


def write(records: list[dict[str, Any]], folder: Path, *, train: int, dev: int) -> None:
    """``train.jsonl`` and ``dev.jsonl``, of other documents."""
    first = records[:dev]
    held = {one["group"] for one in first}
    rest = [one for one in records[dev:] if one["group"] not in held]
    folder.mkdir(parents=True, exist_ok=True)
    for name, some in (("train", rest[:train]), ("dev", first)):
        lines = "\n".join(json.dumps(one) for one in some)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
