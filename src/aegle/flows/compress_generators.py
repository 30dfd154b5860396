"""Generators scored on texts by llama.cpp: perplexity, the next token, the likeliest of choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.core.plugins import load
from aegle.flows.compress_parts import Data, examples, hashed, lines, parted
from aegle.metrics.retention import Counts

FILE: Final = "model.gguf"
_TIMED: Final = 4
_PROMPT: Final = 64
_WRITTEN: Final = 16

Ids = list[int]


@dataclass(frozen=True, slots=True)
class Choosing:
    """A beginning, its possible ends, and the place of the right one."""

    group: str
    text: str
    choices: tuple[str, ...]
    answer: int


class Generator:
    """A GGUF file that reads texts.

    Attributes of the score: ``perplexity`` (nats and tokens of each text), ``next-token`` (how
    often the likeliest token is the one that comes), ``choice`` (whether the right end is the
    likeliest by its log-probability a byte).
    """

    def __init__(
        self, folder: Path, threads: int, score: str, scored: Sequence[tuple[Any, ...]]
    ) -> None:
        self._model: Any = load("aegle.lm.llama:Llama")(folder / FILE, threads)
        self._score, self._scored = score, scored

    def counts(self) -> Counts:
        """(N, 1, 2) of the texts."""
        ways: dict[str, Callable[..., tuple[float, float]]] = {
            "perplexity": self._nats,
            "next-token": self._right,
            "choice": self._chosen,
        }
        rows = [ways[self._score](*row) for row in self._scored]
        return np.array(rows, np.float64)[:, None]

    def read(self, many: int) -> int:
        """Read the beginning of some texts and write on; how many that were."""
        some = self._scored[: min(many, _TIMED)]
        for row in some:
            first = row[0] if self._score != "choice" else row[0][0][0]
            self._model.write(first[:_PROMPT], _WRITTEN)
        return len(some)

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()

    def _nats(self, ids: Ids) -> tuple[float, float]:
        told = self._model.told(ids)
        return -float(told.log_p_T.sum()), len(told.log_p_T)

    def _right(self, ids: Ids) -> tuple[float, float]:
        told = self._model.told(ids)
        return float((told.best_T == np.array(ids[1:])).sum()), len(told.best_T)

    def _chosen(self, ends: Sequence[tuple[Ids, int, int]], answer: int) -> tuple[float, float]:
        worth = [
            float(self._model.told(ids).log_p_T[start - 1 :].sum()) / max(size, 1)
            for ids, start, size in ends
        ]
        return float(int(np.argmax(worth)) == answer), 1.0


@dataclass(frozen=True)
class Scored:
    """Documents of one part, as a task has them."""

    groups: tuple[str, ...]
    open: Callable[[Path], Generator]
    digest: str


def parts(
    data: Data, score: str, reference: Path, threads: int
) -> tuple[Scored, Scored, tuple[str, ...]]:
    """What chooses, what is reported on, and the texts that calibrate.

    Args:
        data: texts in any format of a corpus; for ``choice`` JSON lines, see `read_choices`.
        score: of `Generator`.
        reference: the folder of the model in floats: its tokens are everybody's.
        threads: 0 for all cores.

    Raises:
        InputError: documents that can't be read, too few, or too short to score.
    """
    model: Any = load("aegle.lm.llama:Llama")(reference / FILE, threads)
    most: int = load("aegle.lm.llama:MOST")
    try:
        if score == "choice":
            if not data.because.strip():
                raise InputError(f"{data.path}: say why its texts may be used (because)")
            some = parted(data, read_choices, lambda one: one.text)
            made = [
                _scored(part, [_ends(model, one, most) for one in part], score, threads)
                for part in (some.choose, some.report)
            ]
            texts = tuple(one.text + one.choices[one.answer] for one in some.calibrate)
        else:
            found = parted(data, examples(data), lambda one: str(one.text))
            made = [
                _texts(part, model, most, score, threads) for part in (found.choose, found.report)
            ]
            texts = tuple(str(one.text) for one in found.calibrate)
    finally:
        model.close()
    return made[0], made[1], texts


def _texts(part: Sequence[Example], model: Any, most: int, score: str, threads: int) -> Scored:
    given = [(one, model.encode(str(one.text))[:most]) for one in part]
    given = [(one, ids) for one, ids in given if len(ids) > 1]
    if len({one.group for one, _ in given}) < 2:
        raise InputError("two texts (groups) of two tokens at least are needed to score a model")
    return _scored([one for one, _ in given], [(ids,) for _, ids in given], score, threads)


def _scored(
    part: Sequence[Any], rows: Sequence[tuple[Any, ...]], score: str, threads: int
) -> Scored:
    groups = tuple(one.group for one in part)
    return Scored(
        groups,
        lambda folder: Generator(folder, threads, score, rows),
        hashed([score, groups, rows]),
    )


def _ends(model: Any, one: Choosing, most: int) -> tuple[Any, ...]:
    """((tokens, where the end begins, bytes of the end) of each choice, the right one's place)."""
    first = model.encode(one.text)
    found = []
    for end in one.choices:
        more = model.encode(end, start=False)
        if not first or not more or len(more) >= most:
            raise InputError(f"a choice of {len(more)} tokens after {len(first)} can't be scored")
        before = first[-(most - len(more)) :]  # of a long beginning what stands last counts
        found.append((before + more, len(before), len(end.encode())))
    return tuple(found), one.answer


def read_choices(path: Path) -> list[Choosing]:
    """JSON lines of ``{"text", "choices": [...], "answer": place, "group"}``.

    A choice follows the text as it stands: let it begin with a blank where one is due.

    Raises:
        InputError: a line that isn't so, by its number.
    """
    found = []
    for number, told in lines(path):
        try:
            choices = tuple(str(one) for one in told["choices"])
            group = str(told.get("group", number))
            one = Choosing(group, str(told["text"]), choices, int(told["answer"]))
            if len(choices) < 2 or not 0 <= one.answer < len(choices) or not one.text.strip():
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path.name}, line {number}: a text, two choices or more, and the place of the "
                "right one are needed"
            ) from error
        found.append(one)
    if not found:
        raise InputError(f"{path} holds no line")
    return found
