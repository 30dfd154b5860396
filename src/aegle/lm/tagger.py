"""ONNX Runtime tagger: texts of any length to labelled characters of every label set, one pass.

Letters: S pieces of a window, W words of a text, T tags of a task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.lm.encoder import open_session, read_tokenizer
from aegle.lm.pieces import Ints, Pieces, Window, owners, pieces, windows
from aegle.lm.spans import Floats, decode, to_characters

CARD: Final = "card.json"
GRAPH: Final = "model.onnx"
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


class Tagger:
    """A folder of ``model.onnx``, ``tokenizer.json`` and ``card.json``.

    Args:
        folder: as `aegle.train.export` writes it.
        threads: 0 for all cores.

    Raises:
        NotFoundError: a file is missing.
        InputError: a file is damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        for name in (CARD, GRAPH, "tokenizer.json"):
            if not (folder / name).is_file():
                raise NotFoundError(f"{folder} is no tagger: it has no {name}")
        card: dict[str, Any] = read_json(folder / CARD)
        try:
            self.version = str(card["version"])
            self._size, self._overlap = int(card["max_pieces"]), int(card["overlap"])
            self._ends: tuple[int, int, int] = tuple(card["special_ids"])
            self.heads: Mapping[str, Head] = {
                name: Head(tuple(told["labels"]), told["temperature"], told["bias"])
                for name, told in card["heads"].items()
            }
        except (KeyError, TypeError) as error:
            raise InputError(f"{folder / CARD} is no tagger's card") from error
        self._columns: dict[str, slice] = {}
        at = 0
        for name, head in self.heads.items():
            self._columns[name] = slice(at, at := at + 1 + 2 * len(head.labels))
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._session: Any = open_session(folder / GRAPH, threads)

    def tag(
        self, texts: Sequence[str], *, tasks: Sequence[str] = ()
    ) -> list[dict[str, list[Found]]]:
        """For each text and label set what stands there, in order, without overlap.

        Args:
            texts: of any length; long ones are read in overlapping windows, and each word is
                decided once.
            tasks: which label sets; all when empty.

        Raises:
            NotFoundError: no such label set.
            BackendError: the model failed.
        """
        wanted = tuple(tasks) or tuple(self.heads)
        if strange := [name for name in wanted if name not in self.heads]:
            raise NotFoundError(
                f"no label set {', '.join(strange)}; there are: {', '.join(self.heads)}"
            )
        cut_texts = pieces(self._tokenizer, texts)
        logits = self.word_logits(cut_texts)
        return [
            {task: self._spans(task, rows, one) for task in wanted}
            for rows, one in zip(logits, cut_texts, strict=True)
        ]

    def word_logits(self, texts: Sequence[Pieces]) -> list[Floats]:
        """(W, all tags) of each text: the raw logits, heads side by side."""
        width = sum(1 + 2 * len(head.labels) for head in self.heads.values())
        out: list[Floats] = [np.zeros((len(one.first_W), width), np.float32) for one in texts]
        cut = list(windows(texts, size=self._size, overlap=self._overlap))
        owned = owners(texts, cut)
        for group in _buckets(cut):
            tags = self._run([texts[cut[number].text] for number in group], [cut[n] for n in group])
            for row, number in enumerate(group):
                window = cut[number]
                which = np.searchsorted(texts[window.text].first_W, owned[number] + window.start)
                out[window.text][which] = tags[row, owned[number] + 1]
        return out

    def close(self) -> None:
        """Let go of the weights."""
        self._session = None

    def _spans(self, task: str, logits: Floats, text: Pieces) -> list[Found]:
        head = self.heads[task]
        rows = logits[:, self._columns[task]] / head.temperature
        spans = to_characters(decode(rows, bias=head.bias), text.spans_W2)
        return [Found(start, end, head.labels[label], score) for start, end, label, score in spans]

    def _run(self, texts: Sequence[Pieces], cut: Sequence[Window]) -> Floats:
        longest = max(window.end - window.start for window in cut) + 2
        ids, mask, cases = (np.zeros((len(cut), longest), np.int64) for _ in range(3))
        ids[:] = self._ends[2]
        for row, (text, window) in enumerate(zip(texts, cut, strict=True)):
            fill(ids[row], mask[row], cases[row], text, window, self._ends)
        if self._session is None:
            raise BackendError("the tagger is closed; open it again")
        try:
            (tags,) = self._session.run(
                ["tags"], {"input_ids": ids, "attention_mask": mask, "cases": cases}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the tagger failed ({type(error).__name__})") from error
        found: Floats = tags
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
