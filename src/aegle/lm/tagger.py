"""ONNX Runtime tagger: texts of any length to labelled characters of every label set, one pass.

Letters: S pieces of a window, W words of a text, T tags of a task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.lm.encoder import open_session, read_tokenizer
from aegle.lm.heads import (
    Classifier,
    nearness,
    pair_logits,
    read_weights,
    softmax,
    span_logits,
)
from aegle.lm.pieces import Ints, Pieces, Window, owners, pieces, windows, words_of
from aegle.lm.spans import Floats, decode, to_characters

CARD: Final = "card.json"
GRAPH: Final = "model.onnx"
HEADS: Final = "heads.safetensors"
_BATCH_PIECES: Final = 4096


@dataclass(frozen=True, slots=True)
class Head:
    """A label set.

    Attributes:
        labels: in the order of their tags.
        temperature: divides the logits, so that a score is a probability (fitted on dev).
        bias: added to the logit of "no entity" (tuned on dev; below 0 finds more).
    """

    labels: tuple[str, ...]
    temperature: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """Characters [start, end) of a text with a label and the probability of it."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read once: what stands in it, and its states for the questions that follow.

    Attributes:
        found: label set -> spans, in order, without overlap.
    """

    found: Mapping[str, Sequence[Found]]
    _states_WC: Floats
    _spans_W2: Ints
    _heads: Mapping[str, Classifier]
    _weights: Mapping[str, Floats]

    def spans(self, head: str, spans: Sequence[tuple[int, int]]) -> Floats:
        """(spans, labels) probabilities of what each stretch of characters is.

        Raises:
            NotFoundError: no such head.
        """
        told = self._told(head, "span")
        pooled_MC = np.stack([self._mean([span]) for span in spans]) if spans else self._none()
        return softmax(span_logits(self._weights, head, pooled_MC) / told.temperature)

    def classes(self, head: str) -> Floats:
        """(labels,) probabilities of what the whole text is.

        Raises:
            NotFoundError: no such head.
        """
        told = self._told(head, "text")
        pooled_1C = (
            self._states_WC.mean(0, keepdims=True)
            if len(self._states_WC)
            else np.zeros((1, self._states_WC.shape[1]), np.float32)
        )
        scaled: Floats = softmax(span_logits(self._weights, head, pooled_1C) / told.temperature)[0]
        return scaled

    def pairs(self, head: str, things: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> Floats:
        """(things, things, 1 + labels) probabilities, symmetric; the first is "nothing".

        Args:
            head: its name.
            things: of each its label and all stretches of characters that name it.

        Raises:
            NotFoundError: no such head, or a label that its things can't have.
        """
        told = self._told(head, "pair")
        if strange := sorted({kind for kind, _ in things} - set(told.things)):
            raise NotFoundError(f"the head {head!r} relates no {', '.join(strange)}")
        count = len(things)
        out = np.zeros((count, count, 1 + len(told.labels)), np.float32)
        out[..., 0] = 1
        low, high = np.triu_indices(count, 1)
        if not len(low) or not len(self._states_WC):
            return out
        starts = [[self._words(span)[0] for span in spans] for _, spans in things]
        logits = pair_logits(
            self._weights,
            head,
            things_KC=np.stack([self._mean(spans) for _, spans in things]),
            kinds_K=np.array([told.things.index(kind) for kind, _ in things], np.int64),
            states_SC=self._states_WC,
            pairs_P2=np.stack([low, high], 1),
            near_P=np.array(
                [nearness(starts[a], starts[b]) for a, b in zip(low, high, strict=True)]
            ),
        )
        logits /= told.temperature
        logits[:, 0] += told.bias
        out[low, high] = out[high, low] = softmax(logits)
        return out

    def _told(self, head: str, kind: str) -> Classifier:
        told = self._heads.get(head)
        if told is None or told.kind != kind:
            known = [name for name, one in self._heads.items() if one.kind == kind]
            raise NotFoundError(f"no {kind} head {head!r}; there are: {', '.join(known) or 'none'}")
        return told

    def _words(self, span: tuple[int, int]) -> tuple[int, int]:
        return words_of(self._spans_W2, *span)

    def _mean(self, spans: Sequence[tuple[int, int]]) -> Floats:
        """(C,): the mean over mentions of the means over their words, as in training."""
        means = [
            self._states_WC[first:after].mean(0)
            for first, after in map(self._words, spans)
            if first < after
        ]
        out: Floats = np.mean(means, 0) if means else np.zeros(self._states_WC.shape[1], np.float32)
        return out

    def _none(self) -> Floats:
        return np.zeros((0, self._states_WC.shape[1]), np.float32)


class Tagger:
    """A folder of ``model.onnx``, ``heads.safetensors``, ``tokenizer.json`` and ``card.json``.

    Args:
        folder: as `aegle.train.export` writes it.
        threads: 0 for all cores.

    Raises:
        NotFoundError: a file is missing.
        InputError: a file is damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        for name in (CARD, GRAPH, HEADS, "tokenizer.json"):
            if not (folder / name).is_file():
                raise NotFoundError(f"{folder} is no tagger: it has no {name}")
        card: dict[str, Any] = read_json(folder / CARD)
        try:
            self.version = str(card["version"])
            self._size, self._overlap = int(card["max_pieces"]), int(card["overlap"])
            self._ends: tuple[int, int, int] = tuple(card["special_ids"])
            self.heads: Mapping[str, Head] = {
                name: Head(tuple(told["labels"]), told["temperature"], told["bias"])
                for name, told in sorted(card["heads"].items())
            }
            self.classifiers: Mapping[str, Classifier] = {
                name: Classifier(
                    told["kind"],
                    tuple(told["labels"]),
                    tuple(told["things"]),
                    told["temperature"],
                    told["bias"],
                )
                for name, told in card["classifiers"].items()
            }
            self._weights = read_weights(load_file(folder / HEADS))
        except (KeyError, TypeError, SafetensorError) as error:
            raise InputError(f"{folder}: {CARD} and {HEADS} are no tagger's") from error
        self._columns: dict[str, slice] = {}
        at = 0
        for name, head in self.heads.items():
            self._columns[name] = slice(at, at := at + 1 + 2 * len(head.labels))
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._session: Any = open_session(folder / GRAPH, threads)
        self._width = next(
            int(o.shape[2]) for o in self._session.get_outputs() if o.name == "states"
        )

    def tag(
        self, texts: Sequence[str], *, tasks: Sequence[str] = (), bias: float = 0.0
    ) -> list[dict[str, list[Found]]]:
        """For each text and label set what stands there, in order, without overlap.

        Args:
            texts: of any length; long ones are read in overlapping windows, and each word is
                decided once.
            tasks: which label sets; all when empty.
            bias: added to that of each label set; below 0 finds more, and is surer of it.

        Raises:
            NotFoundError: no such label set.
            BackendError: the model failed.
        """
        return [dict(one.found) for one in self._read(texts, tasks, states=False, bias=bias)]

    def read(self, texts: Sequence[str], *, tasks: Sequence[str] = ()) -> list[Reading]:
        """As `tag`, with what the other heads say of mentions, pairs and texts; one pass.

        Raises:
            NotFoundError: no such label set.
            BackendError: the model failed.
        """
        return self._read(texts, tasks, states=True)

    def _read(
        self, texts: Sequence[str], tasks: Sequence[str], *, states: bool, bias: float = 0.0
    ) -> list[Reading]:
        wanted = tuple(tasks) or tuple(self.heads)
        if strange := [name for name in wanted if name not in self.heads]:
            raise NotFoundError(
                f"no label set {', '.join(strange)}; there are: {', '.join(self.heads)}"
            )
        cut_texts = pieces(self._tokenizer, texts)
        logits, told = self._words(cut_texts, states=states)
        return [
            Reading(
                {task: self._spans(task, rows, one, bias) for task in wanted},
                state,
                one.spans_W2,
                self.classifiers,
                self._weights,
            )
            for rows, state, one in zip(logits, told, cut_texts, strict=True)
        ]

    def word_logits(self, texts: Sequence[Pieces]) -> list[Floats]:
        """(W, all tags) of each text: the raw logits, heads side by side."""
        return self._words(texts, states=False)[0]

    def _words(self, texts: Sequence[Pieces], *, states: bool) -> tuple[list[Floats], list[Floats]]:
        """Logits (W, all tags) and states (W, C; C = 0 if not asked for) of each text's words."""
        names = ("tags", "states") if states else ("tags",)
        cut = list(windows(texts, size=self._size, overlap=self._overlap))
        owned = owners(texts, cut)
        widths = (sum(1 + 2 * len(head.labels) for head in self.heads.values()), self._width)
        out: list[list[Floats]] = [
            [np.zeros((len(one.first_W), width), np.float32) for one in texts]
            for width in (widths[0], widths[1] if states else 0)
        ]
        for group in _buckets(cut):
            told = self._run(texts, [cut[number] for number in group], names)
            for row, number in enumerate(group):
                window = cut[number]
                which = np.searchsorted(texts[window.text].first_W, owned[number] + window.start)
                for into, values in zip(out, told, strict=False):
                    into[window.text][which] = values[row, owned[number] + 1]
        return out[0], out[1]

    def close(self) -> None:
        """Let go of the weights."""
        self._session = None

    def _spans(self, task: str, logits: Floats, text: Pieces, bias: float) -> list[Found]:
        head = self.heads[task]
        rows = logits[:, self._columns[task]] / head.temperature
        spans = to_characters(decode(rows, bias=head.bias + bias), text.spans_W2)
        return [Found(start, end, head.labels[label], score) for start, end, label, score in spans]

    def _run(
        self, texts: Sequence[Pieces], cut: Sequence[Window], names: Sequence[str]
    ) -> list[Floats]:
        longest = max(window.end - window.start for window in cut) + 2
        ids, mask, cases = (np.zeros((len(cut), longest), np.int64) for _ in range(3))
        ids[:] = self._ends[2]
        for row, window in enumerate(cut):
            fill(ids[row], mask[row], cases[row], texts[window.text], window, self._ends)
        if self._session is None:
            raise BackendError("the tagger is closed; open it again")
        try:
            found: list[Floats] = self._session.run(
                list(names), {"input_ids": ids, "attention_mask": mask, "cases": cases}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the tagger failed ({type(error).__name__})") from error
        return found


def fill(
    ids_S: Ints, mask_S: Ints, cases_S: Ints, text: Pieces, window: Window, ends: Sequence[int]
) -> None:
    """Write a window between its special tokens into rows of padding."""
    stop = window.end - window.start + 1
    ids_S[0], ids_S[stop] = ends[0], ends[1]
    ids_S[1:stop] = text.ids_P[window.start : window.end]
    cases_S[1:stop] = text.cases_P[window.start : window.end]
    mask_S[: stop + 1] = 1


def _buckets(cut: Sequence[Window]) -> Iterator[list[int]]:
    """Numbers of windows, those of like length together, so that little is padded."""
    order = sorted(range(len(cut)), key=lambda n: cut[n].end - cut[n].start, reverse=True)
    start = 0
    while start < len(order):
        longest = cut[order[start]].end - cut[order[start]].start + 2
        size = max(1, _BATCH_PIECES // longest)
        yield order[start : start + size]
        start += size
