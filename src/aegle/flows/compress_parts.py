"""Documents that calibrate, that choose among trials, and that the choice is reported on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.core.plugins import load


@dataclass(frozen=True)
class Data:
    """Documents given by the user.

    Attributes:
        path, format: of a corpus, see `aegle.train.data.formats.read_corpus`; or of questions with
            passages, for a reranker.
        because: why the texts may be used.
        calibrate: another file of the same format whose texts calibrate; None: a quarter of the
            groups of ``path``, which are then not scored.
        test: another file that the choice is reported on; None: half of the groups that are left,
            by which then nothing is chosen.
        head: of a tagger: the label set; empty: the one that knows most of the labels.
        score: instead of the kind's own.
        limit: score so many documents of each part at most; 0: all.
    """

    path: Path
    format: str
    because: str
    calibrate: Path | None = None
    test: Path | None = None
    head: str = ""
    score: str = ""
    limit: int = 0


class Grouped(Protocol):
    """A document of a group."""

    @property
    def group(self) -> str:
        """Documents of one group stay together."""


T = TypeVar("T", bound=Grouped)


@dataclass(frozen=True)
class Parts(Generic[T]):
    """Documents of three uses; no group has two."""

    choose: list[T]
    report: list[T]
    calibrate: list[T]


def parted(data: Data, read: Callable[[Path], list[T]], text: Callable[[T], str]) -> Parts[T]:
    """The parts of what is given, by a hash of groups: whatever the order of a file.

    Args:
        data: what is given.
        read: a file's documents.
        text: what of a document tells that it is the same. One that stands in two groups, and was
            used in one, is not reported on.

    Raises:
        InputError: fewer than two groups are left to choose by, or to report on; or a document of
            the file that is reported on calibrates or chooses, too.
    """
    found = read(data.path)
    order = sorted(dict.fromkeys(one.group for one in found), key=hashed)
    aside = set(order[: max(1, len(order) // 4)]) if data.calibrate is None else set()
    rest = [name for name in order if name not in aside]
    held = set(rest[1::2]) if data.test is None else set()
    choose = [one for one in found if one.group not in aside | held]
    calibrate = (
        [one for one in found if one.group in aside]
        if data.calibrate is None
        else read(data.calibrate)
    )
    used = {text(one) for one in [*choose, *calibrate]}
    if data.test is None:
        report = [one for one in found if one.group in held and text(one) not in used]
    else:
        report = read(data.test)
        if both := sum(text(one) in used for one in report):
            raise InputError(
                f"{both} documents of {data.test.name} calibrate or choose, too; what a choice was "
                "made by can't tell what it is worth"
            )
    return Parts(_enough(choose, "choose", data), _enough(report, "report", data), calibrate)


def examples(data: Data) -> Callable[[Path], list[Example]]:
    """What reads a corpus of the data's format; blank texts are left out."""
    read: Any = load("aegle.train.data.formats:read_corpus")

    def corpus(path: Path) -> list[Example]:
        found: list[Example] = read(path, format=data.format, because=data.because)
        return [one for one in found if one.text.strip()]

    return corpus


def hashed(about: Any) -> str:
    """SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _enough(found: list[T], what: str, data: Data) -> list[T]:
    if data.limit and len(found) > data.limit:
        order = sorted(enumerate(found), key=lambda at: hashed([at[1].group, at[0]]))
        found = [one for _, one in order[: data.limit]]
    if len({one.group for one in found}) < 2:
        given = {
            "choose": "give more documents, or --calibrate and --test other files",
            "report": "give more documents, there or by --test",
        }[what]
        raise InputError(
            f"two documents (groups) at least are needed to {what} by, {len(found)} left of "
            f"{(data.path if what == 'choose' or data.test is None else data.test).name}; {given}"
        )
    return found


def lines(path: Path) -> Sequence[tuple[int, Any]]:
    """JSON lines with their numbers; blank ones left out.

    Raises:
        InputError: no text, or a line that is no JSON.
    """
    try:
        told = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as text ({type(error).__name__})") from error
    found = []
    for number, line in enumerate(told, 1):
        if line.strip():
            try:
                found.append((number, json.loads(line)))
            except ValueError as error:
                raise InputError(f"{path.name}, line {number}: no JSON") from error
    return found
