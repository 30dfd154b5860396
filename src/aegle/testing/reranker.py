"""The contract of a reranker, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make)``; ``make()`` opens the reranker, a check closes it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

import numpy as np

from aegle.core.errors import BackendError
from aegle.core.ports import Reranker
from aegle.core.text import SafeText

Make = Callable[[], Reranker]

QUESTION: Final = "Which pump lost its connection?"
PASSAGES: Final = tuple(
    SafeText(text, by="testing")
    for text in (
        "The patient denies chest pain.",
        "The infusion pump PUMP-0042 lost its connection at noon.",
        "Naïve café, 37.5 °C, 日本語 and 🏥.",
        "The infusion pump PUMP-0042 on ward ICU-3 lost its connection. " * 60,
        "!",
        "Failed password for root from 10.0.0.1 port 22 ssh2",
    )
)


def check_shape(make: Make) -> None:
    """One finite float32 a passage; none for none; a name."""
    with closing(make()) as reranker:
        scores = reranker.score(QUESTION, PASSAGES)
        assert scores.shape == (len(PASSAGES),)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert reranker.score(QUESTION, []).shape == (0,)
        assert reranker.name


def check_batching_does_not_matter(make: Make) -> None:
    """A pair has one score: alone, among others, in any order."""
    with closing(make()) as reranker:
        together = reranker.score(QUESTION, PASSAGES)
        alone = np.concatenate([reranker.score(QUESTION, [one]) for one in PASSAGES])
        backwards = reranker.score(QUESTION, PASSAGES[::-1])[::-1]
        np.testing.assert_allclose(together, alone, atol=2e-2)
        np.testing.assert_allclose(together, backwards, atol=2e-2)
        np.testing.assert_array_equal(together, reranker.score(QUESTION, PASSAGES))


def check_long_questions(make: Make) -> None:
    """The longest question that is taken, and an empty one, have scores."""
    with closing(make()) as reranker:
        for question in ("pump " * 400, ""):
            scores = reranker.score(question, PASSAGES)
            assert np.isfinite(scores).all()


def check_closed(make: Make) -> None:
    """Closing twice is harmless; a closed reranker says so."""
    reranker = make()
    reranker.close()
    reranker.close()
    try:
        reranker.score(QUESTION, PASSAGES)
    except BackendError:
        return
    raise AssertionError("a closed reranker went on")


CHECKS: Final[tuple[Callable[[Make], None], ...]] = (
    check_shape,
    check_batching_does_not_matter,
    check_long_questions,
    check_closed,
)


def check_meaning(make: Make) -> None:
    """The passage that answers has the best score; for rerankers with real weights."""
    with closing(make()) as reranker:
        assert int(np.argmax(reranker.score(QUESTION, PASSAGES[:3]))) == 1
