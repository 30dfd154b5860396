"""What a compressed model is scored by: the same documents, before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.core.errors import InputError, UsageError
from aegle.core.examples import Example
from aegle.core.plugins import load
from aegle.flows import compress_generators
from aegle.flows.compress_parts import Data, examples, hashed, lines, parted
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


SCORES: Final[Mapping[str, tuple[str, ...]]] = {
    "tagger": ("f1", "macro-f1"),
    "classifier": ("macro-f1", "accuracy"),
    "encoder": ("agreement",),
    "pair": ("ndcg", "agreement"),
    "decoder": ("perplexity", "next-token", "choice"),
}
"""Kind -> what it can be scored by, its own first."""


def tasks(kind: str, data: Data, *, reference: Path, threads: int) -> tuple[Task, Task]:
    """What trials are chosen by, and what the choice is reported on: other documents.

    Args:
        kind: of `aegle.compress.source.KINDS`, or a decoder.
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
        return _rankings(data, score, reference, threads)
    if kind == "decoder":
        choose, report, texts = compress_generators.parts(data, score, reference, threads)
        made = [
            Task(score, one.groups, (), one.open, texts, hashed([one.digest, texts]))
            for one in (choose, report)
        ]
        return made[0], made[1]
    parts = parted(data, examples(data), lambda one: str(one.text))
    texts = tuple(str(one.text) for one in parts.calibrate)
    return (
        _task(kind, data, score, parts.choose, texts, reference, threads),
        _task(kind, data, score, parts.report, texts, reference, threads),
    )


def _task(
    kind: str,
    data: Data,
    score: str,
    scored: Sequence[Example],
    texts: tuple[str, ...],
    reference: Path,
    threads: int,
) -> Task:
    """The task of a kind of encoder on some documents."""
    about = [score, data.head, [(one.id, one.group, str(one.text)) for one in scored]]
    gold: list[Any] = [[(m.start, m.end, m.label) for m in one.labels] for one in scored]
    about += [gold, [one.classes for one in scored], texts]
    digest = hashed(about)
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


def _rankings(data: Data, score: str, reference: Path, threads: int) -> tuple[Task, Task]:
    if not data.because.strip():
        raise InputError(f"{data.path}: say why its texts may be used (because)")
    parts = parted(data, read_asked, lambda one: f"{one.question}\t{one.passages}")
    if score == "ndcg" and not all(one.relevant for one in [*parts.choose, *parts.report]):
        if data.score:
            raise InputError(f"{data.path.name}: ndcg needs the places of relevant passages")
        score = "agreement"
    texts = tuple(
        f"{one.question}\t{passage}" for one in parts.calibrate for passage in one.passages[:2]
    )
    return (
        _ranking(parts.choose, score, texts, reference, threads),
        _ranking(parts.report, score, texts, reference, threads),
    )


def _ranking(
    asked: Sequence[Asked], score: str, texts: tuple[str, ...], reference: Path, threads: int
) -> Task:
    wanted = Ranks.scores(reference, threads, asked)
    about = [score, [(a.group, a.question, a.passages, a.relevant) for a in asked], texts]
    return Task(
        score,
        tuple(one.group for one in asked),
        (),
        lambda folder: Ranks(folder, threads, asked, wanted, by_gold=score == "ndcg"),
        texts,
        hashed(about),
    )


def read_asked(path: Path) -> list[Asked]:
    """JSON lines of ``{"question", "passages": [...], "relevant": [places], "group"}``.

    Raises:
        InputError: a line that isn't so, by its number.
    """
    found = []
    for number, told in lines(path):
        try:
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
