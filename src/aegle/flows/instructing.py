"""Instruction examples of a workspace, as JSON lines beside a card that accounts for them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from aegle.answer import prompt
from aegle.core.artifacts import sha256_file, write_bytes, write_json
from aegle.core.errors import UsageError
from aegle.core.ports import Progress
from aegle.core.records import Concept, Stored, content_id
from aegle.flows.kit import Kit
from aegle.flows.withheld import withheld
from aegle.train.data.instructions.against import Guard
from aegle.train.data.instructions.build import SHARES, Built, build
from aegle.train.data.instructions.ground import Served
from aegle.train.data.instructions.shape import Instruction
from aegle.train.data.instructions.view import group_of

CARD: Final = "card.json"
MARKER: Final = "unfinished"
"""Stands in the folder until the card does: what a run that was killed left may be replaced."""
SERVED: Final = Served(prompt.messages, prompt.REFUSAL, prompt.cited_sentences)
"""How `aegle ask` asks its generator: what is trained is what is served."""
_DE_IDENTIFIED: Final = "de-identified by aegle ingest: {counts} identifiers were replaced"
_MOST_TOKENS: Final = 60


def instruct(
    kit: Kit,
    out: str,
    *,
    tasks: Sequence[str] = (),
    per_task: int = 200,
    seed: int | None = None,
    against: Sequence[str] = (),
    licence: str = "",
    reword: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Make instruction examples of a workspace in a new folder: a file a part, and a card.

    Args:
        out: the folder; it may hold what an earlier call wrote, which is replaced.
        tasks: of `aegle.train.data.instructions.build.TASKS`; none: all.
        per_task: most examples of each task.
        seed: None: the workspace's.
        against: files that a model is to be measured by; nothing of them is in the examples.
        licence: under which the workspace's texts may be learned from, for the card.
        reword: let the generator say half of the questions in other words, each one checked.

    Raises:
        UsageError: no such task; the folder holds something else; nothing can be made; a file of
            ``against`` names documents by path and none is in the workspace.
        NotFoundError, InputError: a file of ``against`` that can't be read.
    """
    folder = _folder(Path(out))
    chosen = kit.settings.seed if seed is None else seed
    with kit.lock:
        stored = list(kit.corpus.scan())
        held, counts = withheld(kit, against, _groups(stored))
        how: dict[str, Any] = {"guard": Guard(held), "progress": progress, "seed": chosen}
        how["name"] = partial(_name, kit)
        how["generate"] = _writer(kit, chosen) if reword else None
        built = build(stored, served=SERVED, tasks=tasks, per_task=per_task, **how)
    _clear(folder)
    _some(built, len(stored))
    files = _write(folder, built)
    card = {
        **_made_of(kit, built, stored),
        "seed": chosen,
        "per_task": per_task,
        "licence": licence or "not stated: ask who owns the texts of the workspace",
        "against": counts,
        "files": files,
        **_counts(built),
    }
    return _carded(kit, folder, card)


def _carded(kit: Kit, folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    write_json(folder / CARD, card)
    (folder / MARKER).unlink()
    examples = sum(one["examples"] for one in card["files"].values())
    kit.ledger.audit("instruct", examples=examples)
    return {"folder": str(folder), **card}


def _some(built: Built, documents: int) -> None:
    if not any(built.parts.values()):
        raise UsageError(
            f"nothing can be made of {documents} documents with certainty; ingest more, or name "
            "other tasks by --task"
        )


def _made_of(kit: Kit, built: Built, stored: Sequence[Stored]) -> dict[str, Any]:
    return {
        "format": 1,
        "aegle": version("aegle"),
        "safe_because": _because(kit),
        "made_from": {
            "documents": len(stored),
            "hash": content_id(*sorted(one.document.id for one in stored)),
            "extractors": _extractors(built, stored),
        },
    }


def _folder(folder: Path) -> Path:
    others = list(folder.iterdir()) if folder.is_dir() else []
    ours = (folder / CARD).is_file() or (folder / MARKER).is_file()
    if folder.is_file() or (others and not ours):
        raise UsageError(f"{folder} holds something else; name a new or empty folder")
    return folder


def _clear(folder: Path) -> None:
    """Take away what an earlier call wrote: it may hold what was forgotten since."""
    others = folder.is_dir() and any(folder.iterdir())
    write_bytes(folder / MARKER, b"")
    if others:
        for name in (CARD, *(f"{part}.jsonl" for part in SHARES)):
            (folder / name).unlink(missing_ok=True)


def _groups(stored: Sequence[Stored]) -> dict[str, str]:
    return {one.document.id: group_of(one) for one in stored}


def _name(kit: Kit, concept: Concept) -> str:
    """What the first terminology that knows a code calls it."""
    for lexicons in kit.lexicons.values():
        for lexicon in lexicons:
            for term in lexicon.coded(concept.code, concept.system):
                if term.concept and term.concept.name:
                    return term.concept.name
    return ""


def _writer(kit: Kit, seed: int) -> Any:
    def write(messages: Sequence[Mapping[str, str]]) -> str:
        return kit.generator.generate(messages, max_tokens=_MOST_TOKENS, seed=seed, temperature=0.7)

    return write


def _because(kit: Kit) -> str:
    overrides = [one for one in kit.ledger.audits() if one["action"] == "redact.override"]
    if overrides:
        return f"some passed WITHOUT de-identification, for this reason: {overrides[-1]['reason']}"
    return _DE_IDENTIFIED.format(counts=sum(kit.ledger.redacted().values()))


def _write(folder: Path, built: Built) -> dict[str, dict[str, Any]]:
    files = {}
    for part, some in built.parts.items():
        path = folder / f"{part}.jsonl"
        lines = [json.dumps(one.as_json(), ensure_ascii=False) for one in some]
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
        files[path.name] = {"sha256": sha256_file(path), "examples": len(some)}
    return files


def _extractors(built: Built, stored: Sequence[Stored]) -> list[str]:
    shown = {p.document for some in built.parts.values() for one in some for p in one.passages}
    return sorted(
        {
            entity.extractor
            for one in stored
            if one.document.id in shown
            for entity in one.facts.entities
        }
    )


def _counts(built: Built) -> dict[str, Any]:
    def tally(name: str) -> dict[str, dict[str, int]]:
        return {
            part: dict(sorted(Counter(getattr(one, name) for one in some).items()))
            for part, some in built.parts.items()
        }

    every: list[Instruction] = [one for some in built.parts.values() for one in some]
    return {
        "left_out": dict(sorted(built.left.items())),
        "reworded": built.reworded,
        "rewordings_refused": built.unsafe,
        "tasks": tally("task"),
        "kinds": dict(sorted(Counter(f"{one.task}: {one.kind}" for one in every).items())),
        "refusals": sum(not one.answerable for one in every),
        "groups": len({group for one in every for group in one.groups}),
    }
