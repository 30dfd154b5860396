"""The contract of an encoder, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make)``; ``make()`` opens the encoder, a check closes it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

import numpy as np

from aegle.core.errors import BackendError
from aegle.core.ports import Encoder

Make = Callable[[], Encoder]

TEXTS: Final = (
    "The patient denies chest pain.",
    "",
    "Failed password for root from 10.0.0.1 port 22 ssh2",
    "Naïve café, 37.5 °C, 日本語 and 🏥.",
    "aspirin",
    "The infusion pump PUMP-0042 on ward ICU-3 spoke to an address it never spoke to. " * 60,
    "No pain in the chest is reported.",
)


def check_shape_and_length(make: Make) -> None:
    """Vectors are float32, of the width told, finite and of unit length, empty texts included."""
    with closing(make()) as encoder:
        vectors = encoder.embed(TEXTS)
        assert vectors.shape == (len(TEXTS), encoder.width)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
        assert encoder.embed([]).shape == (0, encoder.width)
        assert encoder.name


def check_batching_does_not_matter(make: Make) -> None:
    """A text has one vector: alone, among others, in any order."""
    with closing(make()) as encoder:
        together = encoder.embed(TEXTS)
        alone = np.concatenate([encoder.embed([text]) for text in TEXTS])
        backwards = encoder.embed(TEXTS[::-1])[::-1]
        assert ((together * alone).sum(1) >= 0.999).all()
        assert ((together * backwards).sum(1) >= 0.999).all()
        np.testing.assert_array_equal(together, encoder.embed(TEXTS))


def check_meaning(make: Make) -> None:
    """Two ways to say one thing are nearer than two things."""
    with closing(make()) as encoder:
        near = encoder.embed([TEXTS[0], TEXTS[6], TEXTS[2]])
        assert near[0] @ near[1] > near[0] @ near[2] + 0.1


def check_count(make: Make) -> None:
    """Counts have no special tokens, are not cut, and grow with the text."""
    with closing(make()) as encoder:
        assert encoder.count("") == 0
        assert encoder.count("pain") == 1
        assert encoder.count("pain " * 1000) == 1000


def check_closed(make: Make) -> None:
    """Closing twice is harmless; a closed encoder says so."""
    encoder = make()
    encoder.close()
    encoder.close()
    try:
        encoder.embed(["a"])
    except BackendError:
        return
    raise AssertionError("a closed encoder went on")


CHECKS: Final[tuple[Callable[[Make], None], ...]] = (
    check_shape_and_length,
    check_batching_does_not_matter,
    check_meaning,
    check_count,
    check_closed,
)
