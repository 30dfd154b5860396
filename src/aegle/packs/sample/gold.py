"""Files and their gold labels, collected while the sample hospital is written."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aegle.packs.sample.marks import Mark, Settled, settle


class Shelf:
    """Where files go: each is settled, written, and its labels kept under its path.

    Paths are relative to ``files/``, with slashes. ``evidence`` leads from the key of a fact to
    the passages that prove it, in the order of writing.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.identifiers: list[dict[str, Any]] = []
        self.entities: list[dict[str, Any]] = []
        self.relations: list[dict[str, Any]] = []
        self.evidence: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.num_files = 0
        self.num_bytes = 0

    def put(self, path: str, marked: str) -> None:
        """Write a text file and keep its labels."""
        settled = settle(marked)
        content = settled.text.encode("utf-8")
        target = self._out / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.num_files += 1
        self.num_bytes += len(content)
        self._keep_identifiers(path, settled)
        self._keep_entities(path, settled)
        self._keep_evidence(path, settled)

    def _keep_identifiers(self, path: str, settled: Settled) -> None:
        for mark in settled.of("i"):
            self.identifiers.append(_row(path, settled, mark, kind=mark.label[1]))

    def _keep_entities(self, path: str, settled: Settled) -> None:
        for mark in settled.of("e"):
            _, kind, concept, assertion = mark.label
            row = _row(path, settled, mark, type=kind, assertion=assertion)
            self.entities.append(row | ({"concept": concept} if concept else {}))
        for mark in settled.of("r"):
            _, kind, head_type, tail_type = mark.label
            inside = [
                e for e in settled.of("e") if mark.start <= e.start and e.end <= mark.end
            ]  # fmt: skip
            head = next(e for e in inside if e.label[1] == head_type)
            tail = next(e for e in inside if e.label[1] == tail_type and e != head)
            self.relations.append(
                {
                    "path": path,
                    "type": kind,
                    "head": [head.start, head.end],
                    "tail": [tail.start, tail.end],
                    "head_text": settled.text[head.start : head.end],
                    "tail_text": settled.text[tail.start : tail.end],
                }
            )

    def _keep_evidence(self, path: str, settled: Settled) -> None:
        for mark in settled.of("v"):
            text = settled.text[mark.start : mark.end]
            key = "|".join(mark.label[1:])
            self.evidence[key].append({"path": path, "text": text})
            row = {"path": path, "start": mark.start, "end": mark.end, "text": text}
            self.lines[key].append(row | {"line": settled.text.count("\n", 0, mark.start) + 1})

    def proof(self, key: str) -> dict[str, Any]:
        """The first passage that proves a fact, and the others under ``alternatives``.

        Raises:
            KeyError: nothing that was written proves it.
        """
        if key not in self.evidence:
            raise KeyError(f"no file proves {key!r}")
        first, *rest = self.evidence[key]
        others = [row for row in _unique(rest) if row != first]
        return {**first, "alternatives": others} if others else dict(first)

    def write_gold(self, documents: Mapping[str, Any]) -> None:
        """Write the labels, and ``documents`` (name -> JSON value), under ``gold/``."""
        gold = self._out / "gold"
        gold.mkdir(parents=True, exist_ok=True)
        _write_lines(gold / "identifiers.jsonl", self.identifiers)
        _write_lines(gold / "entities.jsonl", self.entities)
        _write_lines(gold / "relations.jsonl", self.relations)
        for name, value in documents.items():
            text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
            (gold / name).write_bytes(f"{text}\n".encode())


def _row(path: str, settled: Settled, mark: Mark, **more: str) -> dict[str, Any]:
    text = settled.text[mark.start : mark.end]
    return {"path": path, "start": mark.start, "end": mark.end, "text": text, **more}


def _unique(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return list({(row["path"], row["text"]): row for row in rows}.values())


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
