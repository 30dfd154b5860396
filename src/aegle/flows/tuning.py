"""Measures kinds of index on a workspace's own vectors, chooses for a target, and applies it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core import plugins
from aegle.core.errors import InputError, SettingsError, UsageError
from aegle.core.ports import HoldsVectors, Index, Progress, Vectors
from aegle.core.records import Chunk
from aegle.core.settings import Backends, load
from aegle.corpus.meaning import meaning
from aegle.flows import indexing, moving
from aegle.flows.derive import embed_stored
from aegle.flows.kit import Kit
from aegle.flows.knowledge import safe_question
from aegle.flows.settle import in_batches
from aegle.retrieve import tune as tuning
from aegle.retrieve.tune import Asked, Candidate, Measured, Target

BACKEND: Final = "faiss"
"""The only embedded index that can be each of the kinds: what is measured is what is applied."""

_MEASURING: Final = threading.Lock()
_LEAST: Final = 50
_BATCH: Final = 2_000
_MOST_QUESTIONS: Final = 1_000
_NOISE: Final = 0.1
"""Length of the noise on a held-out vector of length 1: as far as a paraphrase moves it."""


def tune(
    kit: Kit,
    *,
    recall: float | None = None,
    p95_ms: float | None = None,
    memory_mb: float | None = None,
    k: int = 10,
    questions: str = "",
    sample: int = 50_000,
    held_out: int = 200,
    apply: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Measure, choose and, where it is asked for and something meets the target, apply.

    The target is a recall of 0.95 where none is stated. ``questions`` names a file, one a line; of
    more chunks than ``sample`` (0: of none) a part is measured; ``held_out`` are asked about.

    Raises `UsageError` for too few chunks or a target without sense, `InputError` for questions
    that can't be read.
    """
    stated = (recall, p95_ms, memory_mb)
    target = Target(*stated) if any(one is not None for one in stated) else Target(0.95)
    with kit.lock:
        asked_texts = _questions(kit, questions)
        chunks, vectors, total = _gathered(kit, sample, progress)
        own = kit.encoder.embed(asked_texts[0]) if asked_texts[0] else None
    with _alone():  # and not under the kit's lock: questions are answered meanwhile
        some, skipped, kept = _measured(
            kit, chunks, vectors, own, k=k, held_out=held_out, progress=progress
        )
    measured = _scaled(some, total / kept)
    best, meets = tuning.choose(measured, target)
    if apply and meets:
        apply_choice(kit, best.candidate, progress=progress)
    return {
        "chunks": total,
        "measured_on": kept,
        "held_out": len(chunks) - kept,
        "questions": len(asked_texts[0]),
        "questions_left_out": asked_texts[1],
        "k": k,
        "now": _now(kit.settings.backends),
        "target": asdict(target),
        "candidates": _told(measured, target, best),
        "skipped": [asdict(one) for one in skipped],
        "choice": best.candidate.name,
        "meets": meets,
        "applied": apply and meets,
    }


@contextmanager
def _alone() -> Iterator[None]:
    """The right to measure: two at once would measure each other."""
    if not _MEASURING.acquire(blocking=False):
        raise UsageError("this process is tuning already; wait until it has finished")
    try:
        yield
    finally:
        _MEASURING.release()


def _now(backends: Backends) -> str:
    options = "".join(f" {key}={one}" for key, one in sorted(backends.index_options.items()))
    return f"{backends.index} {backends.index_kind}{options}"


def _questions(kit: Kit, path: str) -> tuple[list[str], int]:
    """De-identified questions of a file, and how many were left out because they can't be asked."""
    if not path:
        return [], 0
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} can't be read as questions, one a line, in UTF-8 ({type(error).__name__})"
        ) from error
    found, left_out = [], 0
    for line in dict.fromkeys(one.strip() for one in lines if one.strip()):
        try:
            found.append(str(safe_question(kit, line)[0]))
        except UsageError:  # longer than a question may be, or it names somebody whom two share
            left_out += 1
    if not found:
        raise InputError(f"{path} holds no question that can be asked; write one a line")
    return found[:_MOST_QUESTIONS], left_out + max(0, len(found) - _MOST_QUESTIONS)


def _gathered(kit: Kit, sample: int, progress: Progress) -> tuple[list[Chunk], Vectors, int]:
    """Chunks with their vectors, as the index holds them or embedded anew, and how many there are.

    Of more than ``sample``, a random part in the order of their ids.
    """
    rng = np.random.default_rng(kit.settings.seed)
    ids = [chunk.id for stored in kit.corpus.scan() for chunk in stored.chunks]
    total = len(ids)
    if total < _LEAST:
        raise UsageError(
            f"this workspace has {total} chunks; tuning needs at least {_LEAST}, and says "
            "something from a few thousand on: with fewer, comparing every vector is fast"
        )
    if sample and total > sample:
        ids = [ids[n] for n in sorted(rng.choice(total, sample, replace=False).tolist())]
    held: dict[str, Vectors] = {}
    if isinstance(kit.index, HoldsVectors):
        wanted = set(ids)
        for names, rows in kit.index.vectors():
            held |= {one: row for one, row in zip(names, rows, strict=True) if one in wanted}
    chunks: list[Chunk] = []
    for start in range(0, len(ids), _BATCH):
        batch = kit.corpus.chunks(ids[start : start + _BATCH])
        missing = [chunk for chunk in batch if chunk.id not in held]
        if missing:
            rows = kit.encoder.embed([meaning(chunk) for chunk in missing])
            held |= {chunk.id: row for chunk, row in zip(missing, rows, strict=True)}
        chunks += batch
        progress("vectors", len(chunks), len(ids))
    return chunks, np.stack([held[chunk.id] for chunk in chunks]).astype(np.float32), total


def _measured(
    kit: Kit,
    chunks: Sequence[Chunk],
    vectors: Vectors,
    own: Vectors | None,
    *,
    k: int,
    held_out: int,
    progress: Progress,
) -> tuple[list[Measured], list[tuning.Skipped], int]:
    """Every candidate on these vectors but those held out; how many that left."""
    rng, width = np.random.default_rng(kit.settings.seed), vectors.shape[1]
    out = rng.choice(len(chunks), min(held_out, len(chunks) // 10), replace=False)
    kept = np.setdiff1d(np.arange(len(chunks)), out)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    noisy = unit[out] + _NOISE / np.sqrt(width) * rng.normal(size=(len(out), width))
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    groups = [chunks[n].group or chunks[n].document_id for n in out.tolist()]
    asked = [Asked("chunks", noisy.astype(np.float32), groups)]
    if own is not None:
        asked.append(Asked("questions", own, [str(n) for n in range(len(own))]))
    k = min(k, len(kept))
    least = [tuning.truth(unit[kept], one.vectors, k) for one in asked]
    needs = plugins.load("aegle.backends.faiss_kinds:needs")
    chosen, skipped = tuning.candidates(len(kept), width, partial(needs, options={}))
    make, folder = plugins.find("index", BACKEND), moving.scratch(kit.layout)

    def open_(candidate: Candidate) -> Any:
        options = dict(candidate.options)
        return make(folder, width=width, kind=candidate.kind, options=options)

    def one(candidate: Candidate) -> Measured:
        return tuning.measure(
            *(candidate, open_, asked, least),
            k=k,
            disk_bytes=lambda: _size(folder),
            seed=kit.settings.seed,
        )

    try:
        shutil.rmtree(folder, ignore_errors=True)
        _fill(
            make(folder, width=width), [chunks[n] for n in kept.tolist()], vectors[kept], progress
        )
        return tuning.measure_all(chosen, one, progress), skipped, len(kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(index: Index, chunks: Sequence[Chunk], vectors: Vectors, progress: Progress) -> None:
    try:
        for start in range(0, len(chunks), _BATCH):
            part = slice(start, start + _BATCH)
            index.add(chunks[part], vectors[part])
            progress("fill", min(start + _BATCH, len(chunks)), len(chunks))
    finally:
        index.close()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _scaled(measured: Sequence[Measured], by: float) -> list[Measured]:
    """What a sample's memory and disk come to for all chunks."""
    return [
        Measured(
            *(one.candidate, one.recalls, one.p50_ms, one.p95_ms, one.build_s),
            *(round(one.memory_bytes * by), round(one.disk_bytes * by)),
        )
        for one in measured
    ]


def _told(measured: Sequence[Measured], target: Target, choice: Measured) -> list[dict[str, Any]]:
    best = {id(one) for one in tuning.front(measured)}
    return [
        {
            "name": one.candidate.name,
            "kind": one.candidate.kind,
            "options": dict(one.candidate.options),
            "recall": asdict(one.recall),
            "recalls": {sort: asdict(each) for sort, each in one.recalls.items()},
            "p50_ms": asdict(one.p50_ms),
            "p95_ms": asdict(one.p95_ms),
            "build_s": round(one.build_s, 2),
            "memory_mb": round(one.memory_bytes / 1e6, 3),
            "disk_mb": round(one.disk_bytes / 1e6, 3),
            "front": id(one) in best,
            "meets": target.shortfall(one) == 0,
            "chosen": one is choice,
        }
        for one in measured
    ]


def apply_choice(kit: Kit, choice: Candidate, *, progress: Progress) -> None:
    """Build the index that was chosen beside the old one, and put it in its place.

    Killed at any time, the workspace has the old index with the old settings, or the new with the
    new ones.

    Raises:
        SettingsError: ``aegle.toml`` can't be changed by machine, or the environment overrides it.
    """
    changes: dict[str, Any] = {"index": BACKEND, "index_kind": choice.kind}
    changes["index_options"] = dict(choice.options)
    if kit.settings.backends.index_url:
        changes["index_url"] = ""  # a file in the workspace has none
    with kit.lock:
        settings = _checked(kit, changes)
        _, options = indexing.chosen(settings, kit.layout, kit.encoder.width)
        folder = moving.building(kit.layout)
        shutil.rmtree(folder, ignore_errors=True)
        total, done = kit.corpus.counts()["documents"], 0
        try:
            index: Index = plugins.find("index", BACKEND)(folder, **options)
            try:
                for batch in in_batches(kit.corpus.scan()):
                    embed_stored(kit, index, batch)
                    done += len(batch)
                    progress("reindex", done, total)
            finally:
                index.close()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        kit.drop("index")
        moving.decide(kit.layout, changes)
        kit.settings = kit.settings.model_copy(update={"backends": settings})


def _checked(kit: Kit, changes: Mapping[str, Any]) -> Backends:
    """The settings as they will be, before anything is built for them."""
    moving.rewritten(kit.layout, changes)
    options = {f"backends.{key}": value for key, value in changes.items()}
    wanted = load(kit.layout.settings, environ={}, options=options).backends
    from_outside = load(None).backends.model_fields_set & changes.keys()
    for name in sorted(from_outside):
        raise SettingsError(
            f"AEGLE_BACKENDS__{name.upper()} is set in the environment and would override what "
            "--apply writes into aegle.toml; unset it"
        )
    now = kit.settings.backends.model_dump()
    return Backends(**{**now, **{key: getattr(wanted, key) for key in changes}})
