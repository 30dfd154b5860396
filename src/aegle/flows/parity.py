"""Proves parity: one scorer over a model's stages, up to a real server; writes the certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from aegle.compress import parity
from aegle.compress.source import kind_of
from aegle.core.artifacts import sha256_tree, write_bytes, write_json
from aegle.core.errors import InputError, UsageError
from aegle.core.plugins import load
from aegle.core.ports import Progress, quiet
from aegle.flows import critical as criticals
from aegle.flows import parity_served, parity_stage, parity_tasks
from aegle.flows.apart import apart
from aegle.flows.parity_tasks import Given, Scored, Task
from aegle.flows.runs import locked
from aegle.lm.catalog import resolve
from aegle.metrics.parity import KEEP, STAGES

KIND: Final = "parity"
"""Of the signed record."""
_SCORER: Final = (
    *("aegle.metrics.parity", "aegle.metrics.calibration", "aegle.metrics.retention"),
    *("aegle.metrics.ranking", "aegle.compress.parity", "aegle.flows.parity_tasks"),
    *("aegle.flows.parity_stage", "aegle.flows.parity_served"),
)
"""The modules that make figures of documents."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        critical: labels; none: what the packs say of the label sets that are measured.
        keep: least share of each of them, `aegle.metrics.parity.KEEP` or more.
        serve: measure the last stage behind a server, too.
        p95_ms: most that the served stage's p95 may take, for the evidence of latency; 0: none.
        threads: 0 for all cores.
        key: a file that signs; None: the certificate isn't signed, and no registry takes it.
    """

    critical: tuple[str, ...] = ()
    keep: float = KEEP
    serve: bool = True
    p95_ms: float = 0.0
    threads: int = 0
    key: Path | None = None


@dataclass
class _Run:
    """Folders by stage, in order, and what they answered."""

    folders: dict[str, Path]
    digests: dict[str, str]
    task: Task
    wanted: Wanted
    progress: Progress
    stop: Callable[[], bool]
    scored: dict[str, Scored] = field(default_factory=dict)
    took: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def certify(
    original: str,
    stages: Mapping[str, Path],
    *,
    given: Given,
    wanted: Wanted = Wanted(),
    out: Path,
    progress: Progress = quiet,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Score the same documents at each stage, compare, judge, write.

    ``out`` holds ``parity.json`` (the certificate, signed), ``parity.html``, ``scores.json`` and,
    with ``p95_ms``, ``latency.json`` as the registry takes them.

    Args:
        original: a path, or a reference of `aegle models`.
        stages: adapter, merged, compressed: those that there are. The last one is served.
        given: documents that none of them learned from.
        progress: told of each request. ``stop`` is asked between two.

    Returns:
        The certificate, ``page`` and ``certificate`` (paths), ``signed``.

    Raises:
        UsageError: no stage beside the original, one that isn't known, a bad label or share.
        NotFoundError, InputError: no such model or documents; a model changed meanwhile.
        BackendError: the server of the last stage failed.
        StoppedError: ``stop`` said so; nothing is written.
    """
    folders = _folders(original, stages, wanted)
    task = parity_tasks.read(kind_of(folders["original"]), given, folders["original"])
    if wanted.serve:
        parity_served.check(task.kind)
    if wanted.key is not None:
        load("aegle.registry.sign:Keys")(wanted.key)  # one that can't sign is told now
    digests = {name: sha256_tree(path) for name, path in folders.items()}
    run = _Run(folders, digests, task, wanted, progress, stop)
    named = _critical(run)
    with locked(out):
        for name in folders:
            _measure(run, name)
        for name, path in folders.items():
            if sha256_tree(path) != digests[name]:
                raise InputError(f"{path} changed while it was measured; begin anew")
        return _written(run, named, out)


def _folders(original: str, stages: Mapping[str, Path], wanted: Wanted) -> dict[str, Path]:
    if not KEEP <= wanted.keep <= 1:
        raise UsageError(f"--keep is {KEEP:g} to 1, not {wanted.keep:g}")
    if strange := sorted(set(stages) - set(STAGES[1:-1])):
        raise UsageError(f"no stage {strange[0]!r}; there are: {', '.join(STAGES[1:-1])}")
    found = {"original": resolve(f"path:{original}" if Path(original).exists() else original)}
    found |= {name: stages[name] for name in STAGES if name in stages}
    for name, path in found.items():
        if not path.exists():
            raise UsageError(f"{name}: there is no {path}")
    last = list(found)[-1]
    if wanted.serve:
        if not found[last].is_dir() or last == "adapter":
            raise UsageError(
                f"{found[last]} can't be served: the last stage is a folder with a whole model"
            )
        found["served"] = found[last]
    if len(found) < 2:
        raise UsageError("name a stage to compare with the original, or leave out --no-serve")
    return found


def _critical(run: _Run) -> tuple[str, ...]:
    """The labels, all of them in the documents' label sets, before anything is measured."""
    heads = dict.fromkeys(one.head for one in run.task.asks)
    named = run.wanted.critical or criticals.of_packs(heads)
    told = ", ".join(run.task.labels)
    if not named:
        raise UsageError(f"no pack says which labels are critical; name them by --critical: {told}")
    for one in run.wanted.critical:
        if not load("aegle.metrics.parity:of")(one, run.task.labels):
            raise UsageError(f"no document has the label {one!r}; there are: {told}")
    return tuple(named)


def _measure(run: _Run, name: str) -> None:
    task, threads = run.task, run.wanted.threads
    tell = partial(run.progress, f"stage {name}")
    if name == "served":
        took = parity_served.measure(
            task.kind, run.folders[name], task.asks, threads, tell, run.stop
        )
    else:
        given = {"kind": task.kind, "folder": run.folders[name], "asks": task.asks}
        given |= {"base": run.folders["original"], "threads": threads}
        heavy = task.kind == "decoder" and parity_stage.in_torch(run.folders[name])
        took = apart(
            "aegle.flows.parity_stage:measure",
            given,
            tell=lambda kind, told: tell(*told) if kind == "progress" else None,
            stop=run.stop,
            ready=("transformers",) if heavy else (),
        )
    run.took[name], run.scored[name] = took, parity_tasks.scored(task, took["answers"])


def _written(run: _Run, named: tuple[str, ...], out: Path) -> dict[str, Any]:
    task = run.task
    gold = parity_tasks.golden(task, run.scored["original"])
    labels = parity_tasks.labels_of(task, list(run.scored.values()))
    stages = [_stage(run, name) for name in run.folders]
    how: dict[str, Any] = {"critical": named, "keep": run.wanted.keep, "about": _about(task)}
    body = parity.certificate(stages, gold, task.groups, labels, **how)
    write_json(out / "parity.json", _signed(body, run.wanted.key))
    page: str = load("aegle.evaluate.parity_page:page")(body)
    write_bytes(out / "parity.html", page.encode())
    _evidence(body, run.wanted.p95_ms, out)
    paths = {"certificate": str(out / "parity.json"), "page": str(out / "parity.html")}
    return {**body, **paths, "signed": run.wanted.key is not None}


def _stage(run: _Run, name: str) -> parity.Stage:
    took, path = run.took[name], run.folders[name]
    size = (
        path.stat().st_size
        if path.is_file()
        else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    )
    scored = run.scored[name]
    about = (scored.answers, took["ms"], took["memory_bytes"], scored.right)
    return parity.Stage(name, run.digests[name], size, *about)


def _about(task: Task) -> dict[str, Any]:
    return {
        "kind": task.kind,
        "score": task.score,
        "data": {"files": dict(task.files), "documents": task.digest},
        "scorer": {"sha256": scorer(), "version": f"aegle {installed('aegle')}"},
    }


def scorer() -> str:
    """SHA-256 of the code that scores."""
    digest = hashlib.sha256()
    for name in _SCORER:
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        digest.update(hashlib.sha256(Path(found.origin).read_bytes()).digest())
    return digest.hexdigest()


def _signed(body: Mapping[str, Any], key: Path | None) -> dict[str, Any]:
    """A record as the registry reads it; without a key its signature is empty."""
    if key is None:
        return {"kind": KIND, "body": dict(body), "signature": ""}
    record: dict[str, Any] = load("aegle.registry.sign:Keys")(key).signed(KIND, dict(body))
    return record


def _evidence(body: Mapping[str, Any], p95_ms: float, out: Path) -> None:
    """Scores and latency of the last stage, each a file of evidence of its own."""
    last: Mapping[str, Any] = body["stages"][-1]
    figures: dict[str, Any] = {body["score"]: last["score"], "kept of original": last["kept"]}
    write_json(out / "scores.json", {"model": body["model"], "figures": figures})
    if p95_ms > 0:
        times = {f"{last['name']} {name} ms": one for name, one in last["latency_ms"].items()}
        limits = {f"{last['name']} p95 ms": {"at_most": p95_ms}}
        told = {"model": body["model"], "figures": times, "limits": limits}
        write_json(out / "latency.json", told)


def paths(files: Sequence[str]) -> tuple[tuple[str, Path], ...]:
    """``HEAD=FILE`` or ``FILE`` as (head, path); a file whose name holds a = needs its folder's.

    Raises:
        UsageError: there is no such file.
    """
    found = []
    for one in files:
        head, equals, rest = one.partition("=")
        named = bool(equals) and "/" not in head and not Path(one).is_file()
        path = Path(rest if named else one)
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file of documents")
        found.append((head if named else "", path))
    return tuple(found)
