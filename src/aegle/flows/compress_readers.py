"""Opened models scored on a task's documents: spans, classes, neighbours, rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core.examples import Example
from aegle.core.plugins import load
from aegle.metrics.ranking import ndcg
from aegle.metrics.retention import Counts

_NEIGHBOURS: Final = 10


class Tags:
    """Spans of a tagger's label set against those annotated; labels that it hasn't don't count."""

    def __init__(
        self,
        folder: Path,
        threads: int,
        head: str,
        labels: Sequence[str],
        scored: Sequence[Example],
    ) -> None:
        self._model: Any = load("aegle.lm.tagger:Tagger")(folder, threads=threads)
        self._head, self._labels, self._scored = head, labels, scored

    def counts(self) -> Counts:
        """Of the documents."""
        out = np.zeros((len(self._scored), len(self._labels), 3))
        place = {name: n for n, name in enumerate(self._labels)}
        told = self._model.tag([str(one.text) for one in self._scored], tasks=[self._head])
        for row, (example, some) in enumerate(zip(self._scored, told, strict=True)):
            gold = {(o.start, o.end, o.label) for o in example.labels if o.label in place}
            found = {(one.start, one.end, one.label) for one in some[self._head]}
            for column, spans in enumerate((gold, found, gold & found)):
                for _, _, label in spans:
                    out[row, place[label], column] += 1
        return out

    def read(self, many: int) -> int:
        """Read the first so many texts; how many that were."""
        return len(self._model.tag([str(one.text) for one in self._scored[:many]]))

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()


class Classes:
    """The best class of each text against the one annotated."""

    def __init__(
        self, folder: Path, threads: int, labels: Sequence[str], scored: Sequence[Example]
    ) -> None:
        self._model: Any = load("aegle.lm.classes:TextClassifier")(folder, threads=threads)
        self._labels, self._scored = labels, scored

    def counts(self) -> Counts:
        """Of the documents."""
        out = np.zeros((len(self._scored), len(self._labels), 3))
        best_N = self._model.logits([str(one.text) for one in self._scored]).argmax(1)
        for row, (example, best) in enumerate(zip(self._scored, best_N.tolist(), strict=True)):
            gold = self._labels.index(example.classes[0])
            out[row, gold, 0] = out[row, best, 1] = 1
            out[row, best, 2] = best == gold
        return out

    def read(self, many: int) -> int:
        """Read the first so many texts; how many that were."""
        return len(self._model.logits([str(one.text) for one in self._scored[:many]]))

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()


class Neighbours:
    """How many of a text's ten nearest neighbours among all texts are those of the float model."""

    def __init__(self, folder: Path, threads: int, wanted: Any, scored: Sequence[Example]) -> None:
        self._model: Any = load("aegle.lm.encoder:SentenceEncoder")(folder, threads=threads)
        self._wanted, self._scored = nearest(wanted, _NEIGHBOURS), scored

    @staticmethod
    def vectors(folder: Path, threads: int, scored: Sequence[Example]) -> Any:
        """What the float model makes of the documents."""
        model = load("aegle.lm.encoder:SentenceEncoder")(folder, threads=threads)
        try:
            return model.embed([str(one.text) for one in scored])
        finally:
            model.close()

    def counts(self) -> Counts:
        """Of the documents."""
        found = nearest(
            self._model.embed([str(one.text) for one in self._scored]), self._wanted.shape[1]
        )
        shares = [
            len(set(a) & set(b)) / len(a)
            for a, b in zip(self._wanted.tolist(), found.tolist(), strict=True)
        ]
        return valued(shares)

    def read(self, many: int) -> int:
        """Read the first so many texts; how many that were."""
        return len(self._model.embed([str(one.text) for one in self._scored[:many]]))

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()


def nearest(vectors_NC: Any, k: int) -> Any:
    """(N, k): the rows nearest to each by cosine, itself left out; of few rows all others."""
    cosine_NN = vectors_NC @ vectors_NC.T
    np.fill_diagonal(cosine_NN, -np.inf)
    return np.argsort(-cosine_NN, axis=1, kind="stable")[:, : min(k, len(vectors_NC) - 1)]


def valued(values: Sequence[float]) -> Counts:
    """(N, 1, 2): a value a document, as counts."""
    return np.stack([np.asarray(values, float), np.ones(len(values))], 1)[:, None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with passages, and the places of those that answer it (maybe not known)."""

    group: str
    question: str
    passages: tuple[str, ...]
    relevant: tuple[int, ...]


class Ranks:
    """Rankings of a question's passages, by nDCG@10 or by pairs that stand as the float model's."""

    def __init__(
        self, folder: Path, threads: int, asked: Sequence[Asked], wanted: Any, *, by_gold: bool
    ) -> None:
        self._model: Any = load("aegle.lm.pairs:CrossEncoder")(folder, threads=threads)
        self._asked, self._wanted, self._by_gold = asked, wanted, by_gold

    @staticmethod
    def scores(folder: Path, threads: int, asked: Sequence[Asked]) -> list[Any]:
        """What the float model gives each question's passages."""
        model = load("aegle.lm.pairs:CrossEncoder")(folder, threads=threads)
        try:
            return [model.score(one.question, one.passages) for one in asked]
        finally:
            model.close()

    def counts(self) -> Counts:
        """Of the documents."""
        values = []
        for one, wanted in zip(self._asked, self._wanted, strict=True):
            scores = self._model.score(one.question, one.passages)
            if self._by_gold:
                ranked = [str(n) for n in np.argsort(-scores, kind="stable")]
                values.append(ndcg(ranked, {str(n): 1.0 for n in one.relevant}))
            else:
                values.append(alike(wanted, scores))
        return valued(values)

    def read(self, many: int) -> int:
        """Read the first so many texts; how many that were."""
        done = 0
        for one in self._asked:
            passages = one.passages[: many - done]
            done += len(self._model.score(one.question, passages))
            if done >= many:
                break
        return done

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()


def alike(wanted: Any, found: Any) -> float:
    """The share of pairs that two lists of scores put in the same order (Kendall's, 0 to 1)."""
    left, right = np.triu_indices(len(wanted), 1)
    same = np.sign(wanted[left] - wanted[right]) == np.sign(found[left] - found[right])
    return float(same.mean())
