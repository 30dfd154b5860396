"""From settings to what verifies claims: a model that is opened when first used, or the rules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

from aegle.answer.rag import Verify
from aegle.answer.support import WEIGHING, Verifier, Weighing
from aegle.answer.verify import supported
from aegle.core import plugins
from aegle.core.errors import BackendError, NotFoundError
from aegle.core.settings import Settings

SHIPPED: Final = "aegle-support"
WORDS: Final = "words"
"""How evaluation names the rules."""
MOST_TOKENS: Final = 192
"""Of a claim with a window of evidence."""


class _Opens(Protocol):
    """The part of a kit that fetches models."""

    settings: Settings
    _model: Callable[[str], Path]
    _stack: ExitStack


def opened(kit: _Opens) -> Verifier | None:
    """What ``answers.verifier`` names; None where the rules on words are to do.

    Raises:
        NotFoundError: no such model.
        BackendError: its base could not be fetched.
        InputError: the folder holds no verifier.
    """
    name = kit.settings.answers.verifier
    if name == "none":
        return None
    try:
        folder = kit._model(SHIPPED if name == "auto" else name)
    except NotFoundError:
        if name == "auto":
            return None  # weights are not part of every installation
        raise
    except BackendError as error:
        raise BackendError(
            f"{error}; with answers.verifier = none the rules on words verify alone"
        ) from error
    encoder = plugins.load("aegle.lm.pairs:CrossEncoder")(
        folder, threads=kit.settings.backends.threads, max_tokens=MOST_TOKENS
    )
    kit._stack.callback(encoder.close)
    return Verifier(
        encoder.score, Weighing.read(folder / WEIGHING), name=SHIPPED if name == "auto" else name
    )


def verify(verifier: Verifier | None) -> Verify:
    """The decision whether a phrased claim may stand."""
    return verifier.supports if verifier else supported


def name_of(verifier: Verifier | None) -> str:
    """What evaluation calls it."""
    return verifier.name if verifier else WORDS
