"""The terminologies that a user adds: release files as lexicons, kept beside the packs' own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import wraps
from pathlib import Path

from aegle.core import plugins
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.pack import Pack, Term
from aegle.facts.lexicon import Lexicon


def lexicons(
    files: Sequence[str], packs: Mapping[str, Pack], cache: Path
) -> dict[str, list[Lexicon]]:
    """The lexicons of some release files, by the pack that reads each.

    A file is read once; the lexicon is made anew when its size or time changes, or its reader does.

    Raises:
        NotFoundError: a file is not there.
        UsageError: no pack of the workspace reads files of this name.
    """
    found: dict[str, list[Lexicon]] = {}
    for file in files:
        path = Path(file).expanduser()
        if not path.is_file():
            raise NotFoundError(f"knowledge.terminologies: no file {file}")
        name, target = _reader(path, packs)
        make = _reading(plugins.load(target), path)
        lexicon = Lexicon.cached(cache, f"{name}-added", _state(path), make)
        found.setdefault(name, []).append(lexicon)
    return found


def contents(files: Sequence[str], cache: Path) -> list[str]:
    """The name and a digest of the content of each file, in order; without one if it is missing.

    A release has gigabytes, so a digest is kept until the file's size or time changes.
    """
    return [_content(Path(file).expanduser(), cache) for file in files]


def _content(path: Path, cache: Path) -> str:
    if not path.is_file():
        return f"{path.name}:"
    kept = cache / f"{_state(path)}.sha256"
    if not kept.is_file():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_text(digest, encoding="ascii")
        part.replace(kept)
    return f"{path.name}:{kept.read_text(encoding='ascii')}"


def _state(path: Path) -> str:
    """What changes when a file is written."""
    about = path.stat()
    state = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    return hashlib.sha256(state.encode()).hexdigest()[:12]


def _reader(path: Path, packs: Mapping[str, Pack]) -> tuple[str, str]:
    """The name of the pack that reads a file, and its function."""
    for name, pack in packs.items():
        for pattern, target in pack.terminologies.items():
            if fnmatchcase(path.name.casefold(), pattern.casefold()):
                return name, target
    known = ", ".join(pattern for pack in packs.values() for pattern in pack.terminologies)
    raise UsageError(f"knowledge.terminologies: {path.name} is none of {known}")


def _reading(read: Callable[[Path], Iterator[Term]], path: Path) -> Callable[[], Iterator[Term]]:
    """A function without arguments whose code is the reader's: a changed reader reads anew."""

    @wraps(read)
    def make() -> Iterator[Term]:
        return read(path)

    return make
