"""ONNX Runtime tagger: texts of any length to labelled characters of every label set, one pass.

Letters: S pieces of a window, W words of a text, T tags of a task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.core.turns import turn
from aegle.lm.encoder import open_session, read_tokenizer
from aegle.lm.heads import Classifier, read_weights
from aegle.lm.lately import Lately, Rows
from aegle.lm.lexical import Lexical
from aegle.lm.pair_words import PairWords
from aegle.lm.pairs import depends_on_batch
from aegle.lm.pieces import Ints, Pieces, Window, blocks, owners, pieces, windows
from aegle.lm.reading import Found, Halves, Reading, States
from aegle.lm.spans import Floats, decode, to_characters

CARD: Final = "card.json"
GRAPH: Final = "model.onnx"
HEADS: Final = "heads.safetensors"
LEXICAL: Final = "lexical.safetensors"
BLOCK: Final = 100_000
"""Characters that are read at a time: a longer text is cut at an empty line, a line or a space, and
a name across the cut is not seen whole."""
_HELD: Final = 2_000_000
"""Characters of a text whose states are kept."""
_BATCH_PIECES: Final = 512
"""Padded pieces in one run: what the wide layer makes of them stays in a core's cache (0010)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A label set.

    Attributes:
        labels: in the order of their tags.
        temperature: divides the logits, so that a score is a probability (fitted on dev).
        bias: added to the logit of "no entity" (tuned on dev; below 0 finds more).
        lexical: what the forms of words say is added to the logits this many times; 0: not at all.
    """

    labels: tuple[str, ...]
    temperature: float = 1.0
    bias: float = 0.0
    lexical: float = 0.0


def _head(told: Mapping[str, Any]) -> Head:
    lexical = told.get("lexical", 0.0)
    return Head(tuple(told["labels"]), told["temperature"], told["bias"], lexical)


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read of a block: its text's number, what stands in it, its words and states."""

    text: int
    block: str
    found: Mapping[str, Sequence[Found]]
    spans_W2: Ints
    states_WC: Halves


class Tagger:
    """A folder of ``model.onnx``, ``heads.safetensors``, ``tokenizer.json`` and ``card.json``.

    With ``lexical.safetensors`` the encoder's logits are joined by those of the words' forms, for
    the heads whose card says so.

    Attributes:
        version: of the card.
        heads, classifiers: by name.
        columns: of each head in `word_logits`.

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
                name: _head(told) for name, told in sorted(card["heads"].items())
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
            tensors = load_file(folder / HEADS)
            self._worded = {
                name: PairWords.read(tensors, name)
                for name, one in self.classifiers.items()
                if one.kind == "worded"
            }
            self._weights = read_weights(
                {name: one for name, one in tensors.items() if not name.startswith("words.")}
            )
        except (KeyError, TypeError, SafetensorError) as error:
            raise InputError(f"{folder}: {CARD} and {HEADS} are no tagger's") from error
        self.columns: dict[str, slice] = {}
        at = 0
        for name, head in self.heads.items():
            self.columns[name] = slice(at, at := at + 1 + 2 * len(head.labels))
        self._lexical = self._read_lexical(folder, at)
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._session: Any = open_session(folder / GRAPH, threads)
        self._lately = Lately()
        self._alone = depends_on_batch(folder / GRAPH)
        self._width = next(
            int(o.shape[2]) for o in self._session.get_outputs() if o.name == "states"
        )

    def _read_lexical(self, folder: Path, width: int) -> Lexical | None:
        places = {
            name: (self.columns[name].start, head.lexical)
            for name, head in self.heads.items()
            if head.lexical
        }
        if not places:
            return None
        if not (folder / LEXICAL).is_file():
            raise NotFoundError(f"{folder}: {CARD} tells of {LEXICAL}, which isn't there")
        try:
            return Lexical(load_file(folder / LEXICAL), places, width)
        except (KeyError, ValueError, IndexError, SafetensorError) as error:
            raise InputError(f"{folder}: {LEXICAL} is not what {CARD} tells of") from error

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
        out: list[dict[str, list[Found]]] = [
            {task: [] for task in self._wanted(tasks)} for _ in texts
        ]
        for part in self._parts(texts, tasks, states=False, bias=bias):
            for task, found in part.found.items():
                out[part.text][task] += found
        return out

    def read(self, texts: Sequence[str], *, tasks: Sequence[str] = ()) -> list[Reading]:
        """As `tag`, with what the other heads say of mentions, pairs and texts; one pass.

        A reading keeps 2 bytes a word for each of the states' numbers, 0.8 KB for 384 of them. Of a
        text of more than 2,000,000 characters no states are kept: the blocks that are asked about
        are read again, so that a text of any length takes no more than that.

        Raises:
            NotFoundError: no such label set.
            BackendError: the model failed.
        """
        parts: list[list[_Part]] = [[] for _ in texts]
        for part in self._parts(texts, tasks, states=True):
            parts[part.text].append(part)
        return [self._joined(some, self._wanted(tasks)) for some in parts]

    def _joined(self, parts: Sequence[_Part], tasks: Sequence[str]) -> Reading:
        @lru_cache(maxsize=2)
        def again(place: int) -> Halves:
            cut = pieces(self._tokenizer, [parts[place].block])
            return self._words(cut, states=True)[1][0]

        held = all(len(part.states_WC) == len(part.spans_W2) for part in parts)
        return Reading(
            "".join(part.block for part in parts),
            {task: [one for part in parts for one in part.found[task]] for task in tasks},
            States(
                [len(part.spans_W2) for part in parts],
                self._width,
                (lambda place: parts[place].states_WC) if held else again,
            ),
            np.concatenate([part.spans_W2 for part in parts]),
            self.classifiers,
            self._weights,
            self._worded,
        )

    def _wanted(self, tasks: Sequence[str]) -> tuple[str, ...]:
        wanted = tuple(tasks) or tuple(self.heads)
        if strange := [name for name in wanted if name not in self.heads]:
            raise NotFoundError(
                f"no label set {', '.join(strange)}; there are: {', '.join(self.heads)}"
            )
        return wanted

    def _parts(
        self, texts: Sequence[str], tasks: Sequence[str], *, states: bool, bias: float = 0.0
    ) -> Iterator[_Part]:
        """The blocks of texts in order; as many are read together as make one long one."""
        wanted = self._wanted(tasks)
        for group in _together(texts):
            cut_texts = pieces(self._tokenizer, [texts[n][start:end] for n, start, end in group])
            logits, told = self._words(cut_texts, states=states)
            for (number, start, end), rows, state, one in zip(
                group, logits, told, cut_texts, strict=True
            ):
                rows = self._with_forms(rows, texts[number][start:end], one, wanted)
                found = {
                    task: [
                        replace(span, start=span.start + start, end=span.end + start)
                        for span in self._spans(task, rows, one, bias)
                    ]
                    for task in wanted
                }
                kept = state if len(texts[number]) <= _HELD else state[:0]
                yield _Part(
                    number,
                    texts[number][start:end],
                    found,
                    one.spans_W2 + start,
                    kept,
                )

    def _with_forms(self, logits: Floats, text: str, cut: Pieces, wanted: Sequence[str]) -> Floats:
        """The encoder's logits and what the words' forms say, where a wanted head asks for it."""
        if self._lexical is None or not any(self.heads[task].lexical for task in wanted):
            return logits
        return logits + self._lexical.logits(text, cut.spans_W2)

    def word_logits(self, texts: Sequence[Pieces]) -> list[Floats]:
        """(W, all tags) of each text: the encoder's raw logits, heads side by side."""
        return self._words(texts, states=False)[0]

    def _words(self, texts: Sequence[Pieces], *, states: bool) -> tuple[list[Floats], list[Halves]]:
        """Logits (W, all tags) and states (W, C; C = 0 if not asked for) of each text's words."""
        cut = list(windows(texts, size=self._size, overlap=self._overlap))
        owned = owners(texts, cut)
        width = sum(1 + 2 * len(head.labels) for head in self.heads.values())
        logits = [np.zeros((len(one.first_W), width), np.float32) for one in texts]
        state = [
            np.zeros((len(one.first_W), self._width if states else 0), np.float16) for one in texts
        ]
        for number, (tags_SK, states_SC) in self._read_windows(texts, cut, again=states):
            window = cut[number]
            which = np.searchsorted(texts[window.text].first_W, owned[number] + window.start)
            logits[window.text][which] = tags_SK[owned[number] + 1]
            if states:
                state[window.text][which] = states_SC[owned[number] + 1]
        return logits, state

    def _read_windows(
        self, texts: Sequence[Pieces], cut: Sequence[Window], *, again: bool
    ) -> Iterator[tuple[int, Rows]]:
        """What the encoder says of each window; not run for those that it read just now.

        Args:
            texts, cut: the windows and their texts.
            again: this is the second reading (of what de-identification left): nothing is held
                for a third.
        """
        keys = [_key(texts[window.text], window) for window in cut]
        known = [self._lately.take(key) if again else None for key in keys]
        yield from ((number, rows) for number, rows in enumerate(known) if rows is not None)
        left = [number for number, rows in enumerate(known) if rows is None]
        for group in _buckets([cut[number] for number in left], alone=self._alone):
            numbers = [left[place] for place in group]
            tags, states = self._run(texts, [cut[number] for number in numbers])
            for row, number in enumerate(numbers):
                size = cut[number].end - cut[number].start + 2
                rows = tags[row, :size], states[row, :size].astype(np.float16)
                if not again:
                    self._lately.put(keys[number], (rows[0].copy(), rows[1]))
                yield number, rows
            turn()

    def close(self) -> None:
        """Let go of the weights."""
        self._session = None
        self._lately.clear()

    def _spans(self, task: str, logits: Floats, text: Pieces, bias: float) -> list[Found]:
        head = self.heads[task]
        rows = logits[:, self.columns[task]] / head.temperature
        spans = to_characters(decode(rows, bias=head.bias + bias), text.spans_W2)
        return [Found(start, end, head.labels[label], score) for start, end, label, score in spans]

    def _run(self, texts: Sequence[Pieces], cut: Sequence[Window]) -> list[Floats]:
        """Logits (B, S, all tags) and states (B, S, C)."""
        longest = max(window.end - window.start for window in cut) + 2
        ids, mask, cases = (np.zeros((len(cut), longest), np.int64) for _ in range(3))
        ids[:] = self._ends[2]
        for row, window in enumerate(cut):
            fill(ids[row], mask[row], cases[row], texts[window.text], window, self._ends)
        if self._session is None:
            raise BackendError("the tagger is closed; open it again")
        try:
            found: list[Floats] = self._session.run(
                ["tags", "states"], {"input_ids": ids, "attention_mask": mask, "cases": cases}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the tagger failed ({type(error).__name__})") from error
        return found


def _together(texts: Sequence[str]) -> Iterator[list[tuple[int, int, int]]]:
    """Blocks (text, start, end) in order, about as many characters at a time as one may have."""
    group: list[tuple[int, int, int]] = []
    size = 0
    for number, text in enumerate(texts):
        for start, end in blocks(text, size=BLOCK):
            if group and size + end - start > BLOCK:
                yield group
                group, size = [], 0
            group.append((number, start, end))
            size += end - start
    if group:
        yield group


def _key(text: Pieces, window: Window) -> bytes:
    """A digest of what the encoder is given of a window."""
    digest = blake2b(digest_size=16)
    digest.update(np.ascontiguousarray(text.ids_P[window.start : window.end]).tobytes())
    digest.update(np.ascontiguousarray(text.cases_P[window.start : window.end]).tobytes())
    return digest.digest()


def fill(
    ids_S: Ints, mask_S: Ints, cases_S: Ints, text: Pieces, window: Window, ends: Sequence[int]
) -> None:
    """Write a window between its special tokens into rows of padding."""
    stop = window.end - window.start + 1
    ids_S[0], ids_S[stop] = ends[0], ends[1]
    ids_S[1:stop] = text.ids_P[window.start : window.end]
    cases_S[1:stop] = text.cases_P[window.start : window.end]
    mask_S[: stop + 1] = 1


def _buckets(cut: Sequence[Window], *, alone: bool = False) -> Iterator[list[int]]:
    """Numbers of windows, those of like length together, so that little is padded; or one each."""
    order = sorted(range(len(cut)), key=lambda n: cut[n].end - cut[n].start, reverse=True)
    start = 0
    while start < len(order):
        longest = cut[order[start]].end - cut[order[start]].start + 2
        size = 1 if alone else max(1, _BATCH_PIECES // longest)
        yield order[start : start + size]
        start += size
