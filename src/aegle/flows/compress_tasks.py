"""What a compressed model is scored by: the same documents, before and after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.core.errors import InputError, UsageError
from aegle.core.examples import Example
from aegle.core.plugins import load
from aegle.flows.compress_readers import Asked, Classes, Neighbours, Ranks, Tags
from aegle.metrics.retention import Counts


class Reader(Protocol):
    """An opened model that a task scores."""

    def counts(self) -> Counts:
        """(N, L, K) of the task's documents."""

    def read(self, many: int) -> int:
        """Read the first so many texts, for timing; how many that were."""

    def close(self) -> None:
        """Let go of the weights."""


@dataclass(frozen=True)
class Task:
    """How models of a kind are scored on some documents.

    Attributes:
        score: a key of `aegle.metrics.retention.STATISTICS`.
        groups: of the documents: whole ones are resampled.
        labels: that the counts are of; empty for values.
        open: a model's folder to a reader.
        texts: that calibrate: other documents than those scored.
        digest: of the documents and what is scored, for the trials' keys.
    """

    score: str
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    open: Callable[[Path], Reader]
    texts: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Data:
    """Documents given by the user.

    Attributes:
        path, format: of a corpus, see `aegle.train.data.formats.read_corpus`; or of questions with
            passages, for a reranker.
        because: why the texts may be used.
        calibrate: another file of the same format whose texts calibrate; None: a quarter of the
            groups of ``path``, which are then not scored.
        head: of a tagger: the label set; empty: the one that knows most of the labels.
        score: instead of the kind's own.
        limit: score so many documents at most; 0: all.
    """

    path: Path
    format: str
    because: str
    calibrate: Path | None = None
    head: str = ""
    score: str = ""
    limit: int = 0


SCORES: Final[Mapping[str, tuple[str, ...]]] = {
    "tagger": ("f1", "macro-f1"),
    "classifier": ("macro-f1", "accuracy"),
    "encoder": ("agreement",),
    "pair": ("ndcg", "agreement"),
}
"""Kind -> what it can be scored by, its own first."""


def task(kind: str, data: Data, *, reference: Path, threads: int) -> Task:
    """The task of a kind of encoder.

    Args:
        kind: of `aegle.compress.source.KINDS`.
        data: the documents.
        reference: the float model: an encoder's neighbours are compared with its neighbours.
        threads: 0 for all cores.

    Raises:
        InputError: the documents can't be read, or too few are left.
        UsageError: a score that the kind hasn't.
    """
    known = SCORES[kind]
    if data.score and data.score not in known:
        raise UsageError(f"a {kind} is scored by {' or '.join(known)}, not {data.score!r}")
    score = data.score or known[0]
    if kind == "pair":
        return _ranking(data, score, reference, threads)
    scored, calibrating = _parts(data)
    texts = tuple(str(one.text) for one in calibrating)
    about = [score, data.head, [(one.id, one.group, str(one.text)) for one in scored]]
    gold: list[Any] = [[(m.start, m.end, m.label) for m in one.labels] for one in scored]
    about += [gold, [one.classes for one in scored], texts]
    digest = _hash(about)
    groups = tuple(one.group for one in scored)
    if kind == "tagger":
        head, labels = _head(reference, scored, data.head)
        make: Any = lambda folder: Tags(folder, threads, head, labels, scored)  # noqa: E731
    elif kind == "classifier":
        labels = _classes(reference, scored)
        make = lambda folder: Classes(folder, threads, labels, scored)  # noqa: E731
    else:
        labels = ()
        wanted = Neighbours.vectors(reference, threads, scored)
        make = lambda folder: Neighbours(folder, threads, wanted, scored)  # noqa: E731
    return Task(score, groups, labels, make, texts, digest)


def _hash(about: Any) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _parts(data: Data) -> tuple[list[Example], list[Example]]:
    """Documents to score and documents to calibrate with, of different groups."""
    read: Any = load("aegle.train.data.formats:read_corpus")

    def examples(path: Path) -> list[Example]:
        found: list[Example] = read(path, format=data.format, because=data.because)
        return [one for one in found if one.text.strip()]

    found = examples(data.path)
    if data.calibrate is not None:
        return _enough(_cut(found, data.limit)), examples(data.calibrate)
    # By a hash, so that the same groups calibrate whatever the order of the file.
    order = sorted(dict.fromkeys(one.group for one in found), key=_hash)
    aside = set(order[: max(1, len(order) // 4)])
    scored = _cut([one for one in found if one.group not in aside], data.limit)
    return _enough(scored), [one for one in found if one.group in aside]


def _cut(found: list[Example], limit: int) -> list[Example]:
    if not limit or len(found) <= limit:
        return found
    return sorted(found, key=lambda one: _hash([one.group, one.id]))[:limit]


def _enough(found: list[Example]) -> list[Example]:
    if len({one.group for one in found}) < 2:
        raise InputError(
            "two documents (groups) at least are needed to score a model beside those that "
            f"calibrate, {len(found)} left; give more, or --calibrate another file"
        )
    return found


def _head(reference: Path, scored: Sequence[Example], wanted: str) -> tuple[str, tuple[str, ...]]:
    """A tagger's label set for the documents, and its labels."""
    heads = load("aegle.core.artifacts:read_json")(reference / "card.json")["heads"]
    there = {one.label for example in scored for one in example.labels}
    if wanted and wanted not in heads:
        raise UsageError(f"no label set {wanted!r}; there are: {', '.join(sorted(heads))}")
    name = wanted or max(sorted(heads), key=lambda one: len(there & set(heads[one]["labels"])))
    labels = tuple(heads[name]["labels"])
    if not there & set(labels):
        raise InputError(
            f"none of the documents' labels ({', '.join(sorted(there)) or 'there are none'}) is "
            f"one of {name!r}: {', '.join(labels)}; name another label set by --head"
        )
    return name, labels


def _classes(reference: Path, scored: Sequence[Example]) -> tuple[str, ...]:
    labels: tuple[str, ...] = load("aegle.lm.classes:read_labels")(reference / "config.json")
    there = {name for one in scored for name in one.classes}
    if strange := sorted(there - set(labels)):
        raise InputError(f"the model knows no class {', '.join(strange)}")
    if any(len(one.classes) != 1 for one in scored):
        raise InputError("a classifier is scored on texts with one class each")
    return labels


def _ranking(data: Data, score: str, reference: Path, threads: int) -> Task:
    if not data.because.strip():
        raise InputError(f"{data.path}: say why its texts may be used (because)")
    asked = read_asked(data.path)
    if score == "ndcg" and not all(one.relevant for one in asked):
        if data.score:
            raise InputError(f"{data.path.name}: ndcg needs the places of relevant passages")
        score = "agreement"
    if data.calibrate is not None:
        calibrating = read_asked(data.calibrate)
    else:
        order = sorted(dict.fromkeys(one.group for one in asked), key=_hash)
        aside = set(order[: max(1, len(order) // 4)])
        calibrating = [one for one in asked if one.group in aside]
        asked = [one for one in asked if one.group not in aside]
    asked = asked[: data.limit or None]
    if len({one.group for one in asked}) < 2:
        raise InputError(f"{data.path.name}: two questions at least are needed to score a model")
    texts = tuple(
        f"{one.question}\t{passage}" for one in calibrating for passage in one.passages[:2]
    )
    wanted = Ranks.scores(reference, threads, asked)
    about = [score, [(a.group, a.question, a.passages, a.relevant) for a in asked], texts]
    return Task(
        score,
        tuple(one.group for one in asked),
        (),
        lambda folder: Ranks(folder, threads, asked, wanted, by_gold=score == "ndcg"),
        texts,
        _hash(about),
    )


def read_asked(path: Path) -> list[Asked]:
    """JSON lines of ``{"question", "passages": [...], "relevant": [places], "group"}``.

    Raises:
        InputError: a line that isn't so, by its number.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as text ({type(error).__name__})") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            passages = tuple(str(one) for one in told["passages"])
            relevant = tuple(int(one) for one in told.get("relevant", ()))
            one = Asked(str(told.get("group", number)), str(told["question"]), passages, relevant)
            if len(passages) < 2 or any(not 0 <= at < len(passages) for at in relevant):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path.name}, line {number}: a question, two passages or more, and places of "
                "relevant ones within them are needed"
            ) from error
        found.append(one)
    if not found:
        raise InputError(f"{path} holds no question")
    return found
