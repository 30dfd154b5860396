"""A folder of model versions: files by hash, signed lineage and evidence, aliases with history."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import SAFE_SUFFIXES, read_json, sha256_file, sha256_tree, write_json
from aegle.core.errors import InputError, NotFoundError, UsageError, WorkspaceBusyError
from aegle.registry import gate
from aegle.registry.sign import Keys

ALIASES: Final = ("champion", "challenger")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_WAIT_S: Final = 10.0


@dataclass(frozen=True)
class Version:
    """One version, after its files were compared with its signed manifest.

    Attributes:
        folder: of the model's files.
        digest: `aegle.core.artifacts.sha256_tree` of that folder.
        lineage: data (name -> hash), recipe, code, parents (``name/number``), when it was added.
        evidence: kind -> what was attached.
        critical: labels that it may not lose, as its owner or the packs said when it was added.
        derived: made of another model, by its lineage or by what its own files say.
    """

    name: str
    number: int
    folder: Path
    digest: str
    lineage: Mapping[str, Any]
    evidence: Mapping[str, Any]
    critical: tuple[str, ...] = ()
    derived: bool = False

    def missing(self, critical: Sequence[str] = (), *, champion: str = "") -> list[str]:
        """What it lacks to follow a champion, by its digest; ``critical``: more labels that it may
        not lose."""
        return gate.missing(self.evidence, self.digest, champion, **self.bound(critical))

    def bound(self, critical: Sequence[str] = ()) -> dict[str, Any]:
        """What `gate` compares a certificate with, beside the digest."""
        return {
            "critical": [*dict.fromkeys([*self.critical, *critical])],
            "trained": frozenset(self.lineage["data"].values()),
            "derived": self.derived,
        }


class Registry:
    """Versions of models in a folder; several processes may use it.

    A version's files never change. What is read was signed by the key that is given; a file that
    was changed, added or taken away is refused. Whoever may write to the folder can put back an
    older signed file: that is not seen. Files are compared when a version is opened, so a reader
    that loads them later trusts the folder for that time.

    Raises:
        MissingExtraError: the extra ``sign`` is not installed.
    """

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder, self._keys = folder, keys

    def add(
        self,
        name: str,
        source: Path,
        *,
        data: Mapping[str, str],
        recipe: Any,
        code: str,
        parents: Sequence[str] = (),
        critical: Sequence[str] = (),
    ) -> Version:
        """Copy a model's folder in as the next version.

        Args:
            name: lower case letters, digits, ``.``, ``_``, ``-``.
            source: the folder; files of `SAFE_SUFFIXES` only, no links.
            data: name of a data set -> its SHA-256. ``recipe``: plain values.
            code: the version of the code that made it.
            parents: ``name/number`` of versions here. ``critical``: labels that may not be lost.

        Raises:
            UsageError: a name that can't be one, or no data.
            InputError: no such folder, or a file in it that is refused.
            NotFoundError: a parent that isn't here.
        """
        self._check(name)
        if not data:
            raise UsageError("a version needs its data's hashes; name the files by --data")
        files = _files(source)
        with self._locked():
            for parent in parents:
                whose, _, which = parent.rpartition("/")
                self.open(whose, which)
            number = max(self.numbers(name), default=0) + 1
            target = self._version(name, number)
            target.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".part-"))
            try:
                for one in files:
                    into = part / "model" / one
                    into.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / one, into)
                lineage = {"data": dict(data), "recipe": recipe, "code": code}
                lineage |= {"parents": list(parents), "added": round(time.time())}
                about = {"name": name, "number": number, "lineage": lineage}
                self._sign(part, {**about, "critical": list(critical)}, files)
                part.rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        return self.open(name, number)

    def _sign(self, folder: Path, about: Mapping[str, Any], files: Sequence[str]) -> None:
        model = folder / "model"
        hashes = {one: sha256_file(model / one) for one in files}
        body = {**about, "files": hashes, "digest": sha256_tree(model)}
        write_json(folder / "manifest.json", self._keys.signed("manifest", body))

    def numbers(self, name: str) -> list[int]:
        """The versions of a model, oldest first."""
        self._check(name)
        folder = self._folder / name / "versions"
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(int(one.name) for one in found if one.name.isdigit())

    def open(self, name: str, which: str | int) -> Version:
        """A version by number or alias, verified byte by byte.

        Raises:
            NotFoundError: no such version or alias.
            InputError: something of it is not what was signed.
        """
        known = self.aliases(name)
        number = known.get(str(which)) or (int(which) if str(which).isdigit() else 0)
        if number not in self.numbers(name):
            there = ", ".join([*map(str, self.numbers(name)), *sorted(known)]) or "none"
            raise NotFoundError(f"model {name!r} has no version {which!r}; there are: {there}")
        folder = self._version(name, number)
        body = self._read(folder / "manifest.json", "manifest")
        if (body["name"], body["number"]) != (name, number):
            raise InputError(f"{folder}: its manifest is that of {body['name']}/{body['number']}")
        _compare(folder / "model", body["files"])
        evidence = {
            path.stem: self._evidence(path, body["digest"])
            for path in sorted((folder / "evidence").glob("*.json"))
        }
        about = (body["digest"], body["lineage"], evidence, tuple(body.get("critical", ())))
        derived = bool(body["lineage"]["parents"]) or _compressed(folder / "model")
        return Version(name, number, folder / "model", *about, derived)

    def attach(self, name: str, which: str | int, kind: str, found: Mapping[str, Any]) -> None:
        """Keep evidence of a kind for a version; what was there of that kind is replaced.

        A parity certificate is a record that this registry's key signed (`aegle parity --key`).

        Raises:
            UsageError: no kind of `aegle.registry.gate.KINDS`.
            InputError: it is not about this version, not in its form, not signed where it must
                be, or says that it fails.
        """
        if kind == "parity":
            found = self._keys.opened(kind, found, name="the parity certificate")
        with self._locked():
            version = self.open(name, which)
            if reasons := gate.wrong(kind, found, version.digest, **version.bound()):
                told = "; ".join(reasons)
                raise InputError(f"refused as {kind} of {name}/{version.number}: {told}")
            body = {"of": kind, "digest": version.digest, "found": dict(found)}
            path = version.folder.parent / "evidence" / f"{kind}.json"
            write_json(path, self._keys.signed("evidence", body))

    def withdraw(self, name: str, which: str | int, kind: str) -> None:
        """Take evidence of a kind away, because it no longer holds; none there is no error."""
        with self._locked():
            folder = self.open(name, which).folder.parent / "evidence"
            if kind not in (*gate.KINDS, gate.ROLLOUT):
                raise UsageError(f"there is no evidence of a kind {kind!r}")
            (folder / f"{kind}.json").unlink(missing_ok=True)

    def champion(self, name: str) -> str:
        """The digest of the champion, by its signed manifest; empty where there is none.

        Raises:
            InputError: that was changed.
        """
        number = self.aliases(name).get("champion")
        if number is None:
            return ""
        body = self._read(self._version(name, number) / "manifest.json", "manifest")
        if (body["name"], body["number"]) != (name, number):
            raise InputError(f"the manifest of {name}/{number} is another version's")
        return str(body["digest"])

    def aliases(self, name: str) -> dict[str, int]:
        """Alias -> version."""
        return dict(self._names(name)["now"])

    def history(self, name: str) -> list[dict[str, Any]]:
        """Every change of an alias, oldest first: alias, version, before, when, because."""
        return list(self._names(name)["history"])

    def alias(
        self,
        name: str,
        alias: str,
        which: str | int,
        *,
        because: str = "",
        critical: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> Version:
        """Let an alias stand for a version; ``champion`` only with all evidence.

        Args:
            because: for the history.
            critical: labels that may not be lost, beside the version's own.
            without: ``rollout`` promotes without that, which the history tells with its reason.

        Raises:
            UsageError: another alias than `ALIASES`, or missing evidence: each named; another
                kind left out, or no reason for it.
            NotFoundError, InputError: as `open`.
        """
        if alias not in ALIASES:
            raise UsageError(f"an alias is {' or '.join(ALIASES)}, not {alias!r}")
        if set(without) - {gate.ROLLOUT} or (without and not because.strip()):
            raise UsageError("only rollout may be left out, and only with a reason: --because")
        with self._locked():
            version = self.open(name, which)
            champion = "" if without else self.champion(name)
            missing = version.missing(critical, champion=champion)
            if alias == "champion" and missing:
                raise UsageError(
                    f"{name}/{version.number} can't be champion; missing: {'; '.join(missing)}"
                )
            told = self._names(name)
            change = {"alias": alias, "version": version.number, "because": because}
            change |= {"before": told["now"].get(alias), "when": round(time.time())}
            change |= {"without": list(without)} if without else {}
            told["now"][alias] = version.number
            told["history"].append(change)
            write_json(self._folder / name / "aliases.json", self._keys.signed("aliases", told))
        return version

    def _names(self, name: str) -> dict[str, Any]:
        self._check(name)
        path = self._folder / name / "aliases.json"
        if not path.is_file():
            return {"name": name, "now": {}, "history": []}
        body: dict[str, Any] = self._read(path, "aliases")
        if body["name"] != name:
            raise InputError(f"{path}: these are the aliases of {body['name']}")
        return body

    def _evidence(self, path: Path, digest: str) -> Any:
        body = self._read(path, "evidence")
        if (body["of"], body["digest"]) != (path.stem, digest):
            raise InputError(f"{path} is evidence of another kind, or of another version")
        return body["found"]

    def _read(self, path: Path, kind: str) -> Any:
        if not path.is_file():
            raise InputError(f"{path} is missing")
        return self._keys.opened(kind, read_json(path), name=str(path))

    def _version(self, name: str, number: int) -> Path:
        return self._folder / name / "versions" / str(number)

    def _check(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(f"a model's name is lower case letters, digits, . _ -, not {name!r}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; the kernel's lock, which ends with its process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _WAIT_S
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise WorkspaceBusyError(
                            f"{self._folder} is being written by another process; try again"
                        ) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)


def _files(folder: Path) -> list[str]:
    """Relative names; raises InputError for what no version may hold."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(f"{name} is a link; a version holds files")
        if path.is_file():
            if path.suffix not in SAFE_SUFFIXES:
                raise InputError(
                    f"{name}: a version holds {', '.join(SAFE_SUFFIXES)}; "
                    "formats that can carry code are refused"
                )
            found.append(name)
    if not found:
        raise InputError(f"{folder}: there is no such folder, or it holds no files")
    return found


def _compressed(folder: Path) -> bool:
    """Whether a model's own manifest says that it was made smaller of another."""
    manifest = folder / "manifest.json"
    told = read_json(manifest) if manifest.is_file() else {}
    return isinstance(told, dict) and "compressed" in told


def _compare(folder: Path, hashes: Mapping[str, str]) -> None:
    there = _files(folder)
    if strange := sorted(set(there) ^ set(hashes)):
        raise InputError(f"{folder}: {strange[0]} was added or taken away after it was signed")
    for name, digest in hashes.items():
        if sha256_file(folder / name) != digest:
            raise InputError(f"{folder / name} was changed after it was signed; it is refused")
