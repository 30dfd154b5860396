"""What parity is measured on: documents, what is there in each, and how answers become items.

One scorer for all stages: a stage only answers ``ask``s, here or over HTTP, and its raw answers
are made items by the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.compress.parity import Answer, Item
from aegle.core.artifacts import read_json
from aegle.core.errors import InputError, UsageError
from aegle.core.plugins import load
from aegle.flows.compress_parts import Data, examples, hashed, lines
from aegle.flows.compress_readers import nearest
from aegle.flows.compress_tasks import read_asked
from aegle.metrics.ranking import ndcg

ALL: Final = "all"
"""The label of documents that have none."""
ASKED: Final = 6
"""Words asked for of a text without an answer."""
_LEAST_WORDS, _MOST_WORDS = 4, 200
_NEIGHBOURS: Final = 10
_WORD_TOKENS: Final = 8
_MOST_TOKENS: Final = 128
WRITES: Final = "next-word"
ANSWERS: Final = "answer-words"
KINDS: Final = ("tagger", "classifier", "encoder", "pair", "decoder")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: plain values, so that it can be sent to a process.

    Attributes:
        text: what is read; a reranker's question; what a generator goes on from or replies to.
        head: of a tagger: the label set, or, where ``whole``, the head for texts.
        passages: of a reranker.
        most: tokens of a generator's answer. ``chat``: it is asked as a conversation.
    """

    text: str
    head: str = ""
    passages: tuple[str, ...] = ()
    most: int = 0
    chat: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Task:
    """Documents to be scored.

    Attributes:
        kind: one of `KINDS`. ``score``: what items are, by name.
        asks: one a document. ``groups``: of each.
        gold: what is there; empty for an embedder, whose gold is what the original says.
        labels: all that items may begin with, in order.
        own: the label of each document, where items have its.
        digest: SHA-256 of all that is above. ``files``: name -> SHA-256.
    """

    kind: str
    score: str
    asks: tuple[Ask, ...]
    groups: tuple[str, ...]
    gold: tuple[frozenset[Item], ...]
    labels: tuple[str, ...]
    own: tuple[str, ...]
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """Documents as the user names them.

    Attributes:
        files: (head or empty, path) of each.
        format: of `aegle.train.data.formats.read_corpus`. ``because``: why they may be used.
        limit: so many documents of each file at most; 0: all.
    """

    files: tuple[tuple[str, Path], ...]
    because: str
    format: str = "json"
    limit: int = 0


def read(kind: str, given: Given, original: Path) -> Task:
    """The task of a kind on the documents.

    Raises:
        InputError: documents that can't be read, or fewer than two groups of them.
        UsageError: a label set that the model hasn't; one that isn't named where it must be.
    """
    if not given.because.strip():
        raise InputError("say why the documents may be used: --because")
    rows: list[tuple[str, Ask, frozenset[Item], str]] = []
    for head, path in given.files:
        if head and kind != "tagger":
            raise UsageError(f"{head}={path}: only a tagger's documents have a label set")
        found = _ROWS[kind](head, path, given, original)
        if given.limit and len(found) > given.limit:
            order = sorted(range(len(found)), key=lambda at: hashed([found[at][0], at]))
            found = [found[at] for at in sorted(order[: given.limit])]
        rows += found
    if len({row[0] for row in rows}) < 2:
        raise InputError("documents of two groups at least are needed to compare models by")
    groups, asks, gold, own = (tuple(one) for one in zip(*rows, strict=True))
    labels = dict.fromkeys([*(str(i[0]) for some in gold for i in sorted(some, key=str)), *own])
    names = tuple(sorted(one for one in labels if one))
    about = [[_plain(ask), group, sorted(map(list, some), key=str), label]
             for ask, group, some, label in zip(asks, groups, gold, own, strict=True)]  # fmt: skip
    files = _hashes(given)
    score = {"tagger": "f1", "classifier": "class-f1", "encoder": "neighbours", "pair": "ndcg"}
    named = score.get(kind) or "words"
    return Task(kind, named, asks, groups, gold, names, own, hashed([kind, about]), files)


def _plain(ask: Ask) -> list[Any]:
    return [ask.text, ask.head, list(ask.passages), ask.most, ask.chat, ask.whole]


def _hashes(given: Given) -> dict[str, str]:
    digest = load("aegle.core.artifacts:sha256_tree")
    paths = list(dict.fromkeys(path for _, path in given.files))
    found = {path.name: digest(path) for path in paths}
    if len(found) != len(paths):
        raise UsageError("two files of documents have the same name; rename one")
    return found


Row = tuple[str, Ask, frozenset[Item], str]


def _corpus(path: Path, given: Given) -> list[Any]:
    return list(examples(Data(path, given.format, given.because))(path))


def _tagged(head: str, path: Path, given: Given, original: Path) -> list[Row]:
    """Spans of a label set, or classes of a tagger's head for texts."""
    card = read_json(original / "card.json")
    heads, texts = card["heads"], card.get("classifiers", {})
    found = _corpus(path, given)
    if head in texts and texts[head].get("kind", "text") == "text":
        known = set(texts[head]["labels"])
        return [_classed(one, head, known, path) for one in found]
    there = {label.label for one in found for label in one.labels}
    if not head:
        head = max(sorted(heads), key=lambda one: len(there & set(heads[one]["labels"])))
    if head not in heads:
        raise UsageError(f"no label set {head!r}; there are: {', '.join(sorted(heads))}")
    labels = set(heads[head]["labels"])
    if not there & labels:
        raise InputError(f"{path.name} has no label of {head!r}: {', '.join(sorted(labels))}")
    return [
        (
            f"{path.name}:{one.group}",
            Ask(str(one.text), head),
            frozenset(
                (f"{head}.{m.label}", m.start, m.end) for m in one.labels if m.label in labels
            ),
            "",
        )
        for one in found
    ]


def _classed(one: Any, head: str, known: set[str], path: Path) -> Row:
    if len(one.classes) != 1 or one.classes[0] not in known:
        raise InputError("texts with one class each are needed, of those that the model knows")
    prefix = f"{head}." if head else ""
    gold = frozenset({(f"{prefix}{one.classes[0]}",)})
    return f"{path.name}:{one.group}", Ask(str(one.text), head, whole=bool(head)), gold, ""


def _classes(head: str, path: Path, given: Given, original: Path) -> list[Row]:
    known = set(load("aegle.lm.classes:read_labels")(original / "config.json"))
    return [_classed(one, "", known, path) for one in _corpus(path, given)]


def _embedded(head: str, path: Path, given: Given, original: Path) -> list[Row]:
    return [
        (f"{path.name}:{one.group}", Ask(str(one.text)), frozenset(), (*one.classes, ALL)[0])
        for one in _corpus(path, given)
    ]


def _ranked(head: str, path: Path, given: Given, original: Path) -> list[Row]:
    found = read_asked(path)
    if not all(one.relevant for one in found):
        raise InputError(f"{path.name}: the places of relevant passages are needed")
    rows: list[Row] = []
    for one in found:
        ask = Ask(one.question, passages=one.passages)
        rows.append((f"{path.name}:{one.group}", ask, frozenset({(ALL, one.relevant)}), ALL))
    return rows


def _written(head: str, path: Path, given: Given, original: Path) -> list[Row]:
    """JSON lines of ``{"text", "group", "classes"}``, with ``answer`` where there is a right one.

    Without: some of the text's words, each asked for after all that stand before it.
    """
    rows: list[Row] = []
    for number, told in lines(path):
        try:
            text, group = str(told["text"]), f"{path.name}:{told.get('group', number)}"
            label = str((*told.get("classes", ()), ALL)[0])
            answer = told.get("answer")
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path.name}, line {number}: a text is needed") from error
        if answer is not None:
            gold = frozenset((label, *one) for one in numbered(str(answer)))
            tokens = min(_MOST_TOKENS, 8 + 4 * len(gold))
            rows.append((group, Ask(text, most=tokens, chat=True), gold, label))
            continue
        words = text.split()[:_MOST_WORDS]
        if len(words) <= _LEAST_WORDS:
            continue
        places = np.linspace(_LEAST_WORDS, len(words) - 1, min(ASKED, len(words) - _LEAST_WORDS))
        for at in sorted(set(places.astype(int).tolist())):
            ask = Ask(" ".join(words[:at]), most=_WORD_TOKENS)
            rows.append((group, ask, frozenset({(label, 0, _bare(words[at]))}), label))
    return rows


def numbered(text: str) -> list[tuple[int, str]]:
    """Its words in lower case, the second of the same as another item than the first."""
    seen: dict[str, int] = {}
    out = []
    for word in text.lower().split():
        bare = _bare(word)
        seen[bare] = seen.get(bare, -1) + 1
        out.append((seen[bare], bare))
    return out


def _bare(word: str) -> str:
    return word.lower().strip(".,;:!?\"'()[]") or word


_ROWS: Final[Mapping[str, Any]] = {
    "tagger": _tagged,
    "classifier": _classes,
    "encoder": _embedded,
    "pair": _ranked,
    "decoder": _written,
}


@dataclass(frozen=True)
class Scored:
    """A stage's raw answers as items; ``right``: of rankings, the gain of each."""

    answers: Sequence[Answer]
    right: Sequence[float] | None = None


def scored(task: Task, raw: Sequence[Any]) -> Scored:
    """The scorer: raw answers, one an ask, to items.

    Raises:
        InputError: not as many answers as were asked for.
    """
    if len(raw) != len(task.asks):
        raise InputError(f"{len(raw)} answers to {len(task.asks)} requests")
    if task.kind == "tagger":
        return Scored([_tags(ask, one) for ask, one in zip(task.asks, raw, strict=True)])
    if task.kind == "classifier":
        return Scored([{(label,): sure} for label, sure in raw])
    if task.kind == "encoder":
        near = nearest(np.asarray(raw, np.float64), _NEIGHBOURS)
        rows = zip(task.own, near.tolist(), strict=True)
        return Scored([{(label, at): None for at in some} for label, some in rows])
    if task.kind == "pair":
        return _rankings(task, raw)
    told = zip(task.own, task.asks, raw, strict=True)
    return Scored([{(label, *one): None for one in _said(ask, text)} for label, ask, text in told])


def _tags(ask: Ask, raw: Any) -> Answer:
    """Spans as ``(start, end, label, score)``, or of a whole text ``(label, score)``."""
    if ask.whole:
        label, sure = raw
        return {(f"{ask.head}.{label}",): float(sure)}
    return {(f"{ask.head}.{label}", int(s), int(e)): float(sure) for s, e, label, sure in raw}


def _said(ask: Ask, text: str) -> list[tuple[int, str]]:
    if ask.chat:
        return numbered(text)
    # A word is only whole when another begins after it, or the text ends; so few tokens suffice.
    return [(0, _bare((text.split() or [""])[0]))]


def _rankings(task: Task, raw: Sequence[Any]) -> Scored:
    answers: list[Answer] = []
    gains = []
    for wanted, scores in zip(task.gold, raw, strict=True):
        ((_, relevant),) = wanted
        order = [str(n) for n in np.argsort(-np.asarray(scores), kind="stable")]
        gains.append(ndcg(order, {str(n): 1.0 for n in relevant}))  # type: ignore[attr-defined]
        answers.append({(ALL, tuple(order)): None})
    return Scored(answers, gains)


def golden(task: Task, original: Scored) -> tuple[frozenset[Item], ...]:
    """What is there: of an embedder, what the original says."""
    if task.kind != "encoder":
        return task.gold
    return tuple(frozenset(one) for one in original.answers)


def labels_of(task: Task, stages: Sequence[Scored]) -> tuple[str, ...]:
    """Those of the documents, and others that a stage found."""
    found = {str(item[0]) for one in stages for answer in one.answers for item in answer}
    return tuple(sorted({*task.labels, *found}))
