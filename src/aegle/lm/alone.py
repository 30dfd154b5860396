"""A model folder that reads texts by itself, as other servers load it: texts to JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import UsageError
from aegle.lm.classes import TextClassifier
from aegle.lm.encoder import SentenceEncoder
from aegle.lm.tagger import Tagger

KINDS: Final = ("tagger", "classifier", "encoder")


class Alone:
    """A tagger, a classifier or an embedder with one way to ask.

    Args:
        folder: of weights, as `aegle.lm.tagger.Tagger`, `aegle.lm.classes.TextClassifier` or
            `aegle.lm.encoder.SentenceEncoder` take them.
        kind: one of `KINDS`.
        threads: 0 for all cores.

    Raises:
        UsageError: another kind.
        NotFoundError, InputError: as they do.
    """

    def __init__(self, folder: Path, kind: str, *, threads: int = 0) -> None:
        made = {"tagger": Tagger, "classifier": TextClassifier, "encoder": SentenceEncoder}
        if kind not in made:
            raise UsageError(f"a {kind} can't read by itself; there are: {', '.join(KINDS)}")
        self.kind = kind
        self._model: Any = made[kind](folder, threads=threads)

    def read(self, texts: Sequence[str]) -> list[Any]:
        """Of each text what the model says, as JSON has it.

        A tagger: label set -> ``[{"start", "end", "label", "score"}]``, characters of the text as
        it was given. A classifier: ``{"label", "score"}``. An encoder: a unit vector. A text is not
        de-identified here: whoever asks must have done so, or keep what comes as they keep it.

        Raises:
            BackendError: the model failed.
        """
        if self.kind == "classifier":
            return [{"label": one, "score": score} for one, score in self._model.classify(texts)]
        if self.kind == "encoder":
            return [[float(x) for x in row] for row in self._model.embed(list(texts))]
        return [
            {
                task: [
                    {"start": s.start, "end": s.end, "label": s.label, "score": float(s.score)}
                    for s in found
                ]
                for task, found in one.items()
            }
            for one in self._model.tag(texts)
        ]

    def close(self) -> None:
        """Let go of the weights."""
        self._model.close()
