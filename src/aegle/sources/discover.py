"""Paths, folders, globs and ``-`` -> files in a fixed order; loops, links and devices are safe."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegle.core.errors import NotFoundError, UsageError
from aegle.sources.events import Refused

STDIN: Final = "-"

_SPECIAL: Final = (
    (stat.S_ISFIFO, "a named pipe; pipe it in and name it - instead"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, or stdin (`STDIN`, size 0 until it is read)."""

    path: str
    size_bytes: int


def discover(paths: Iterable[str | Path], *, skip: Sequence[Path] = ()) -> list[File | Refused]:
    """The files that some paths mean, each real file once, and what is refused among them.

    A folder gives its files recursively, sorted by name, without hidden ones (a name that starts
    with a dot). Files whose name starts with ``patient`` come first, for they say who the notes
    beside them speak of. Real folders come before those reached by links. A path that does not
    exist is a glob pattern (``**`` means any folders). ``skip`` are files and folders that are
    never read: a workspace's own.

    Raises:
        NotFoundError: a path does not exist and matches nothing as a pattern.
        UsageError: a path names what is never read.
    """
    walk = _Walk(skip)
    return [found for path in paths for found in walk.start(os.fspath(path))]


class _Walk:
    def __init__(self, skip: Sequence[Path]) -> None:
        self._skip = [path.resolve() for path in skip]
        about = [path.stat() for path in self._skip if path.exists()]
        self._own = {(one.st_dev, one.st_ino) for one in about}
        self._files: set[tuple[int, int]] = set()
        self._folders: set[tuple[int, int]] = set(self._own)
        self._stdin = False

    def _inside(self, path: str) -> bool:
        whole = Path(path).resolve()
        return any(whole.is_relative_to(one) for one in self._skip)

    def start(self, path: str) -> Iterator[File | Refused]:
        if path == STDIN:
            if not self._stdin:
                yield File(STDIN, 0)
            self._stdin = True
        elif os.path.lexists(path):
            if self._inside(path):
                raise UsageError(f"{path} is the workspace's own; name the files to read")
            yield from self._visit(path)
        else:
            matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207 - a pattern of the user, absolute or not
            if not matches:
                raise NotFoundError(
                    f"no such file or folder: {path}; quote a pattern such as 'notes/**/*.txt'"
                )
            for match in matches:
                if not self._inside(match):
                    yield from self._visit(match)

    def _visit(self, path: str) -> Iterator[File | Refused]:
        """A path that the user named, then the folders that links inside it lead to."""
        links = [path]
        while links:
            link = links.pop(0)
            yield from self._one(link, links, named=link == path)

    def _one(self, path: str, links: list[str], *, named: bool = True) -> Iterator[File | Refused]:
        try:
            about = Path(path).stat()
        except OSError as error:
            yield Refused(path, _why(path, error))
            return
        key = (about.st_dev, about.st_ino)
        if key in self._own:
            return
        if stat.S_ISDIR(about.st_mode):
            if key in self._folders:
                if not named:
                    yield Refused(path, "a link to a folder that is read under its own name")
                return
            self._folders.add(key)
            yield from self._folder(path, links)
        elif stat.S_ISREG(about.st_mode):
            if key not in self._files:
                self._files.add(key)
                yield File(path, about.st_size)
        else:
            what = next((name for test, name in _SPECIAL if test(about.st_mode)), "a special file")
            yield Refused(path, f"not a regular file: {what}")

    def _folder(self, path: str, links: list[str]) -> Iterator[File | Refused]:
        """What a folder holds, depth first; an own stack, as folders may nest deeper than calls."""
        stack = [iter([path])]
        while stack:
            here = next(stack[-1], None)
            if here is None:
                stack.pop()
                continue
            try:
                with os.scandir(here) as entries:
                    inside = sorted(entries, key=lambda entry: _order(entry.name))
            except OSError as error:
                yield Refused(here, _why(here, error))
                continue
            folders = []
            for entry in inside:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 - False for a loop
                    links.append(entry.path)
                else:
                    yield from self._one(entry.path, links)
            stack.append(iter([name for name in folders if self._new(name)]))

    def _new(self, path: str) -> bool:
        """Whether a real folder was not read before, as another path named by the user."""
        try:
            about = os.stat(path)  # noqa: PTH116
        except OSError:
            return True  # its scan fails as well and says why
        key = (about.st_dev, about.st_ino)
        known = key in self._folders
        self._folders.add(key)
        return not known


def _order(name: str) -> tuple[bool, str]:
    return not name.casefold().startswith("patient"), name


def _why(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "a link to nothing" if os.path.islink(path) else "it vanished during the run"  # noqa: PTH114
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return f"it can't be read ({error.strerror or type(error).__name__})"
