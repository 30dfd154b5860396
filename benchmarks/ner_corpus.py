"""Any folder of annotated texts as train, dev and test: files by their names, else by document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.train.data.brat import notes_of
from aegle.train.data.formats import FORMATS
from aegle.train.data.split import split

WHY: Final = "published corpus, for evaluation"
ALIASES: Final = {"jsonl": "json", "conll": "iob", "ann": "brat"}
PARTS: Final = ("train", "dev", "test")
SHARES: Final = {"train": 0.7, "dev": 0.15, "test": 0.15}

_SPELLINGS: Final = {
    "train": re.compile(r"train|(?<![a-z])trn(?![a-z])"),
    "dev": re.compile(r"(?<![a-z])(dev(?!ice)|val(id\w*)?(?![a-z]))|devel|testa(?![a-z])"),
    "test": re.compile(r"test(?!a(?![a-z]))|(?<![a-z])tst(?![a-z])"),
}
_ENDINGS: Final = {
    "brat": {".txt"},
    "bioc": {".xml"},
    "json": {".json", ".jsonl", ".ndjson"},
}
_OTHER: Final = {".md", ".py", ".ann", ".a1", ".a2", ".xml", ".json", ".jsonl", ".yaml", ".yml",
                 ".pdf", ".zip", ".html", ".sh", ".csv", ".conf", ".log", ".rst"}  # fmt: skip
_ABOUT: Final = re.compile(
    r"readme|licen[cs]e|notice|citation|changelog|origin_|(labels|tags|vocab|classes)\.txt", re.I
)


@dataclass(slots=True)
class Corpus:
    """Examples by part, and what a reader of the figures should know of how they were found."""

    parts: dict[str, list[Example]]
    notes: list[str] = field(default_factory=list)


def part_of(name: str) -> str:
    """``train``, ``dev`` or ``test`` by a file's or folder's name; ``both`` or nothing else."""
    found = [part for part, spelling in _SPELLINGS.items() if spelling.search(name.lower())]
    return found[0] if len(found) == 1 else "both" if found else ""


def read(data: Path, *, format: str, seed: int, split_off: bool, dev: Path | None = None) -> Corpus:
    """The parts of a folder (or file).

    A path's first component that names a part decides; where none does, the whole is ``test``, or
    is split by document.

    Args:
        data: folders within are read too.
        format: a key of `FORMATS` or `ALIASES`.
        seed: of the split.
        split_off: make the parts that are missing, for training.
        dev: a file or folder of dev examples, instead of what was found.

    Raises:
        InputError: nothing to read, a damaged file, no part to train on.
    """
    format = ALIASES.get(format, format)
    corpus = Corpus({})
    for part, files in _by_part(data, format, corpus.notes).items():
        corpus.parts[part] = _examples(files, data, format, corpus.notes)
    if dev is not None:
        corpus.parts["dev"] = _examples(files_of(dev, format), dev, format, corpus.notes)
    rest = corpus.parts.pop("", None)
    if rest is not None and not split_off:
        corpus.notes.append("no file is named train, dev or test: all is taken as test")
        corpus.parts["test"] = rest
    elif rest is not None:
        corpus.parts["train"] = rest
    if split_off:
        _split_off(corpus, seed)
    return corpus


def files_of(data: Path, format: str) -> list[Path]:
    """The files of a folder that may hold examples of a format.

    Raises:
        InputError: there are none.
    """
    if format not in FORMATS:
        raise InputError(f"no format {format!r}; there are: {', '.join([*FORMATS, *ALIASES])}")
    if not data.exists():
        raise InputError(f"{data}: no such folder")
    if data.is_file():
        return [data]
    known = _ENDINGS.get(format)
    found = [
        path
        for path in sorted(data.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and not _ABOUT.match(path.name)
        and (path.suffix.lower() in known if known else path.suffix.lower() not in _OTHER)
    ]
    if not found:
        raise InputError(f"{data} holds no file that may be {format}")
    return found


def _by_part(data: Path, format: str, notes: list[str]) -> dict[str, list[Path]]:
    files = files_of(data, format)
    by_name: dict[str, list[Path]] = {}
    for file in files:
        inside = file.relative_to(data) if data.is_dir() else Path()
        folders = (part for one in inside.parts[:-1] if (part := part_of(one)))
        part = next(folders, None)
        if part is None:
            # A file of brat or BioC is one document: its name tells of a part only if all do.
            part = part_of(file.stem if format == "brat" else file.name)
        by_name.setdefault(part, []).append(file)
    if both := by_name.pop("both", []):
        notes.append(f"left out, named after two parts: {_names(both)}")
    if set(by_name) - {""} and "" in by_name:
        if format in ("brat", "bioc") and not _in_folders(by_name, data):
            return {"": files}
        notes.append(f"left out, named after no part: {_names(by_name.pop(''))}")
    if not by_name:
        raise InputError(f"{data}: every file is named after two parts; name them train, dev, test")
    return {part: by_name[part] for part in ("", *PARTS) if part in by_name}


def _in_folders(by_name: dict[str, list[Path]], data: Path) -> bool:
    named = [file for part, files in by_name.items() if part for file in files]
    return all(any(map(part_of, file.relative_to(data).parts[:-1])) for file in named)


def _names(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(file.name for file in files[:3]) + more


def _examples(files: Iterable[Path], data: Path, format: str, notes: list[str]) -> list[Example]:
    found: list[Example] = []
    bare, pieces = [], 0
    files = list(files)
    for file in files:
        if format == "brat" and not notes_of(file):
            bare.append(file)
            continue
        # Documents of two files must not pass for one because both are called ``a.txt``.
        where = file.relative_to(data).as_posix() + ":" if data.is_dir() and len(files) > 1 else ""
        try:
            some = list(FORMATS[format](file, because=WHY))
        except ValueError as error:
            raise InputError(f"{file.name}: {error}") from error
        if not some:
            notes.append(f"{file.name} holds no example")
        if format == "brat":
            lines = [s for one in notes_of(file) for s in one.read_text("utf-8").splitlines()]
            pieces += sum(s.startswith("T") for s in lines) - sum(len(one.labels) for one in some)
        found += [replace(one, group=where + one.group) for one in some]
    if bare:
        notes.append(f"left out, without annotations beside them: {_names(bare)}")
    if pieces:
        notes.append(f"{pieces} annotations in pieces are left out")
    if not found:
        raise InputError(f"{data} holds no example in the format {format!r}: {'; '.join(notes)}")
    return found


def _split_off(corpus: Corpus, seed: int) -> None:
    if "train" not in corpus.parts:
        raise InputError("nothing to train on: no file is named train")
    missing = [part for part in PARTS if part not in corpus.parts]
    if not missing:
        return
    shares = {part: SHARES[part] for part in ("train", *missing)}
    total = sum(shares.values())
    corpus.parts |= split(
        corpus.parts["train"], shares={p: s / total for p, s in shares.items()}, seed=seed
    )
    if empty := [part for part in PARTS if not corpus.parts[part]]:
        raise InputError(f"too few documents to split off {', '.join(empty)}")
    corpus.notes.append(f"{' and '.join(missing)} split off by document")
