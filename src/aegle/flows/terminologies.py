"""The terminologies that a user adds: release files as lexicons, kept beside the packs' own."""

from __future__ import annotations

import hashlib
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
        about = path.stat()
        state = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
        version = hashlib.sha256(state.encode()).hexdigest()[:12]
        make = _reading(plugins.load(target), path)
        found.setdefault(name, []).append(Lexicon.cached(cache, f"{name}-added", version, make))
    return found


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
