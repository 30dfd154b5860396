"""Models that retrieve, trained on questions of one's own: an embedder, and a reranker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from aegle.backends.lock import FolderLock
from aegle.core import plugins
from aegle.core.artifacts import write_json
from aegle.core.errors import NotFoundError, StoppedError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.lm.catalog import resolve

Log = Callable[[str, float, int], None]
RESULT: Final = "result.json"
CHECKPOINT: Final = "checkpoint.json"
TEACHER: Final = "ms-marco-minilm"


def embedder(
    pairs: Path,
    *,
    out: Path,
    base: str = "minilm",
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    minutes: float = 0.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = quiet,
    log: Log = lambda name, value, step: None,
) -> dict[str, Any]:
    """Train an encoder on questions and the passages that answer them; it ends in ``out/model``.

    Args:
        pairs: a folder in BEIR's layout (`aegle.train.data.beir.read`), or one of such folders.
        out: of the run; a name tells runs apart.
        base: a reference of BERT weights, named by the delta that is written.
        changes: fields of `aegle.train.contrast.How` and their values.
        resume: go on from the checkpoint there.
        minutes: stop, with a checkpoint, after so many; 0: never.
        stop: asked before each step; it ends then, with a checkpoint.
        progress: told of what is fetched.
        log: takes each figure.

    Raises:
        UsageError: another field, or ``out`` holds a finished or a stopped run.
        InputError: a folder or the base can't be read.
        MissingExtraError: the extra ``train`` is not installed.
        StoppedError: ``stop`` said so, or the minutes were over; ``resume`` goes on.
    """
    run = plugins.load("aegle.train.embedder:run")  # torch, which nothing else loads
    how = _how(plugins.load("aegle.train.contrast:How"), changes or {})
    folders = _folders(pairs)
    with _locked(out, resume):
        result: dict[str, Any] = run(
            folders,
            base=base,
            base_folder=resolve(base, progress=progress),
            folder=out,
            how=how,
            resume=resume,
            stop=_until(minutes, stop),
            log=log,
        )
        write_json(out / RESULT, result)
    return result


def reranker(
    pairs: Path,
    *,
    out: Path,
    teacher: str = TEACHER,
    layers: Sequence[int] = (0, 1, 2),
    questions: int = 300,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    minutes: float = 0.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = quiet,
    log: Log = lambda name, value, step: None,
) -> dict[str, Any]:
    """Distil some layers of a cross-encoder on questions of one's own; they end in ``out/model``.

    The teacher reads first; what it said is kept, so that a run that was stopped goes on.

    Args:
        pairs, out, changes, resume, minutes, stop, progress, log: as for `embedder`; fields are
            those of `aegle.train.cross.How`.
        teacher: a cross-encoder by a name of the catalog; the student keeps layers of it.
        layers: their numbers, ascending.
        questions: most of each source that the teacher reads.

    Raises:
        UsageError, InputError, MissingExtraError, StoppedError: as for `embedder`.
    """
    run = plugins.load("aegle.train.reranker:run")
    how = _how(plugins.load("aegle.train.cross:How"), changes or {})
    some = plugins.load("aegle.train.reranker:Candidates")(train=questions)
    folders = _folders(pairs)
    base = {"base": teacher, "base_folder": resolve(teacher, progress=progress)}
    ended = _until(minutes, stop)
    with _locked(out, resume):
        made_of = _taught(folders, out, some, base, layers, how.pieces, ended)
        result: dict[str, Any] = run(
            **base,
            layers=tuple(layers),
            folder=out,
            how=how,
            resume=(out / CHECKPOINT).is_file(),
            stop=ended,
            log=log,
            folders=folders,
            made_of=made_of,
        )
        write_json(out / RESULT, result)
    return result


def _taught(
    folders: Sequence[Path],
    out: Path,
    some: Any,
    base: Mapping[str, Any],
    layers: Sequence[int],
    pieces: int,
    stop: Callable[[], bool],
) -> Mapping[str, Any]:
    """Ask the teacher what it has not been asked yet; what its answers are made of."""
    folder = base["base_folder"]
    # What can't be made is refused before the teacher reads for an hour.
    plugins.load("aegle.train.reranker:check_student")(folder, layers)
    made_of: Mapping[str, Any] = plugins.load("aegle.train.reranker:made_of")(
        folders, some, pieces=pieces, **base
    )
    if (out / CHECKPOINT).is_file():
        return made_of
    model = plugins.load("aegle.lm.pairs:CrossEncoder")(folder, max_tokens=pieces)
    teach = plugins.load("aegle.train.reranker:teach")
    left = teach(folders, model.score, out, some, about=made_of, stop=stop)
    model.close()
    if left:
        raise StoppedError(f"the teacher has {left} questions to read; resume goes on")
    return made_of


def _until(minutes: float, stop: Callable[[], bool]) -> Callable[[], bool]:
    """Whether so many minutes have passed since now (0: however many), or ``stop`` says so."""
    end = time.monotonic() + 60 * minutes if minutes else math.inf
    return lambda: stop() or time.monotonic() > end


def _folders(pairs: Path) -> list[Path]:
    """The folder itself, or those in it, that hold a corpus."""
    found = [pairs] if (pairs / "corpus.jsonl").is_file() else []
    if not found and pairs.is_dir():
        found = [one for one in sorted(pairs.iterdir()) if (one / "corpus.jsonl").is_file()]
    if not found:
        raise NotFoundError(
            f"{pairs} holds no corpus.jsonl, nor folders that do; docs/howto/retrievers.md says "
            "what is to lie there"
        )
    return found


def _how(kind: Any, changes: Mapping[str, Any]) -> Any:
    known = {one.name for one in fields(kind)}
    if other := sorted(set(changes) - known):
        raise UsageError(f"no setting {', '.join(other)}; there are: {', '.join(sorted(known))}")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}
    return kind(**values)


@contextmanager
def _locked(out: Path, resume: bool) -> Iterator[None]:
    """The folder of a run, for one process; what lies there must be what was asked for."""
    if (out / RESULT).is_file():
        raise UsageError(f"{out} holds a finished run; name another folder with --out")
    begun = (out / CHECKPOINT).is_file() or (out / "lists.jsonl").is_file()
    if begun != resume:
        what = "no run to go on with" if resume else "a run that was stopped; go on with --resume"
        raise UsageError(f"{out} holds {what}")
    out.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(out)
    try:
        yield
    finally:
        lock.release()
