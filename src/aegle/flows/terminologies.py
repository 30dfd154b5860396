"""The terminologies and abbreviations that a user adds, as lexicons and linkers use them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

from aegle.core import plugins
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.pack import Pack, Term
from aegle.core.ports import Vectors
from aegle.core.settings import Knowledge
from aegle.facts.inventory import inventory
from aegle.facts.lexicon import Lexicon

if TYPE_CHECKING:  # the linker needs numpy, and most commands need no linker
    from aegle.facts.abbreviations import Senses
    from aegle.facts.linker import Linker


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
        path = _there("terminologies", file)
        name, target = _reader(path, packs)
        make = _reading(plugins.load(target), path)
        lexicon = Lexicon.cached(cache, f"{name}-added", _state(path), make)
        found.setdefault(name, []).append(lexicon)
    return found


def linkers(
    lexicons: Mapping[str, Sequence[Lexicon]],
    how: Knowledge,
    embed: Callable[[Sequence[str]], Vectors],
) -> dict[str, Linker]:
    """A linker for each domain's lexicons, as the settings want it.

    Args:
        lexicons: domain -> its lexicons.
        how: the settings: tables of abbreviations, and what candidates are ranked by.
        embed: the workspace's encoder; called only where a choice is made by meaning.

    Raises:
        NotFoundError: a table is not there.
        InputError: a file is no table of abbreviations.
    """
    make = plugins.load("aegle.facts.linker:Linker")
    senses: Senses | None = None
    if how.abbreviations:
        tables = [_there("abbreviations", file) for file in how.abbreviations]
        senses = plugins.load("aegle.facts.abbreviations:Senses")(inventory(tables), embed=embed)
    ranking = embed if how.link_by == "meaning" else None
    return {name: make(one, embed=ranking, senses=senses) for name, one in lexicons.items()}


def contents(files: Sequence[str], cache: Path) -> list[str]:
    """The name and a digest of the content of each file, in order; without one if it is missing.

    A release has gigabytes, so a digest is kept until the file's size or time changes.
    """
    return [_content(Path(file).expanduser(), cache) for file in files]


def _there(setting: str, file: str) -> Path:
    """A file that a setting names."""
    path = Path(file).expanduser()
    if not path.is_file():
        raise NotFoundError(f"knowledge.{setting}: no file {file}")
    return path


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
