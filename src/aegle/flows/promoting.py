"""Model versions by the command line: added with lineage, given evidence, promoted or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from aegle.core.artifacts import read_json, sha256_tree
from aegle.core.errors import InputError, UsageError
from aegle.core.plugins import find
from aegle.core.ports import Tracker
from aegle.flows.critical import of_model
from aegle.registry.sign import Keys
from aegle.registry.store import Registry, Version


def opened(folder: Path, key: Path) -> Registry:
    """The registry in a folder, by a key's file.

    Raises:
        UsageError: the key lies in the registry, where whoever may write could sign.
    """
    if key.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{key} lies in the registry, which it protects; keep it elsewhere")
    return Registry(folder, Keys(key))


def add(
    registry: Registry,
    name: str,
    source: Path,
    *,
    data: Sequence[Path],
    recipe: Path | None = None,
    parents: Sequence[str] = (),
    critical: Sequence[str] = (),
    parity: Path | None = None,
) -> dict[str, Any]:
    """Add a model's folder as the next version of a name, with hashes of its data.

    ``critical``: labels that it may not lose; none: what the packs say of a tagger's label sets.
    ``parity``: a certificate of `aegle parity`, attached at once.

    Raises `UsageError` for two data files of one name, and what `Registry.add` does.
    """
    hashes = {path.name: sha256_tree(path) for path in data}
    if len(hashes) != len(data):
        raise UsageError("two data files have the same name; rename one, so that both are told")
    told = None
    if recipe is not None:
        told = {"name": recipe.name, "sha256": sha256_tree(recipe)}
    code = f"aegle {installed('aegle')}"
    how: dict[str, Any] = {"data": hashes, "recipe": told, "code": code}
    named = tuple(critical) or of_model(source)
    made = registry.add(name, source, **how, parents=tuple(parents), critical=named)
    if parity is None:
        return plain(made, registry.champion(name))
    return attach(registry, name, str(made.number), "parity", parity)


def attach(registry: Registry, name: str, which: str, kind: str, file: Path) -> dict[str, Any]:
    """Attach evidence from a JSON file; raises `InputError` where it fails."""
    found = read_json(file)
    if not isinstance(found, Mapping):
        raise InputError(f"{file} holds no JSON object")
    registry.attach(name, which, kind, found)
    return plain(registry.open(name, which), registry.champion(name))


def promote(
    registry: Registry,
    name: str,
    which: str,
    *,
    alias: str = "champion",
    because: str = "",
    tracker: str = "",
    critical: Sequence[str] = (),
    parity: Path | None = None,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """Let an alias stand for a version; in MLflow as well, where a tracker's URI is given.

    ``critical``: labels that may not be lost, beside the version's own. ``parity``: a certificate
    of `aegle parity` that is attached before.

    Our own store decides; MLflow repeats it. Where MLflow fails after that, the alias here stands;
    the error is the tracker's own.

    Raises:
        UsageError: evidence is missing or fails; each kind is named.
        BackendError: MLflow did not answer.
    """
    if parity is not None:
        attach(registry, name, which, "parity", parity)
    how: dict[str, Any] = {"critical": critical, "without": without}
    version = registry.alias(name, alias, which, because=because, **how)
    if tracker:
        follower: Tracker = find("tracker", "mlflow")(tracker)
        try:
            repeated(follower, version, alias)
        finally:
            follower.close()
    # Who is champion now needs no rollout against itself.
    return plain(version, registry.champion(name)) | {"alias": alias}


def repeated(tracker: Tracker, version: Version, alias: str) -> str:
    """Register a version with a tracker and give it the alias there; the tracker's number."""
    about = {"aegle.version": str(version.number), "aegle.digest": version.digest}
    tracker.start("registry", params={"model": version.name, **about}, tags=about)
    number = tracker.register(version.name, str(version.folder), tags=about)
    tracker.alias(version.name, alias, number)
    tracker.end()
    return number


def listed(registry: Registry, name: str) -> dict[str, Any]:
    """Versions, what each lacks, aliases and their history."""
    champion = registry.champion(name)
    versions = [plain(registry.open(name, number), champion) for number in registry.numbers(name)]
    return {
        "model": name,
        "versions": versions,
        "aliases": registry.aliases(name),
        "history": registry.history(name),
    }


def plain(version: Version, champion: str = "") -> dict[str, Any]:
    """A version as plain values, with what it lacks to follow a champion, by its digest."""
    told = asdict(version) | {"folder": str(version.folder)}
    return told | {"missing": version.missing(champion=champion)}
