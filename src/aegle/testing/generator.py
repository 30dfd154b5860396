"""The contract of a generator, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make)``; ``make()`` opens the generator, a check closes it. Nothing is
asked of what a model says, only of how it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

from aegle.core.errors import BackendError, UsageError
from aegle.core.ports import Generator

Make = Callable[[], Generator]

ASK: Final = (
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What is aspirin?"},
)


def check_greedy_repeats(make: Make) -> None:
    """Temperature 0 gives the same reply again, whatever was asked in between."""
    with closing(make()) as generator:
        first = generator.generate(ASK, max_tokens=12)
        generator.generate([{"role": "user", "content": "What is a firewall?"}], max_tokens=4)
        assert first
        assert first == generator.generate(ASK, max_tokens=12)
        assert generator.name


def check_stream_is_the_reply(make: Make) -> None:
    """The pieces of a stream make the reply."""
    with closing(make()) as generator:
        pieces = list(generator.stream(ASK, max_tokens=12))
        assert len(pieces) > 1
        assert "".join(pieces) == generator.generate(ASK, max_tokens=12)


def check_stream_can_be_left(make: Make) -> None:
    """Who leaves a stream early can ask again at once."""
    with closing(make()) as generator:
        stream = iter(generator.stream(ASK, max_tokens=200))
        next(stream)
        stream.close()  # type: ignore[attr-defined]  # a stream is written as a generator
        assert generator.generate(ASK, max_tokens=4)


def check_seed(make: Make) -> None:
    """A seed fixes what is drawn; another seed draws otherwise."""
    with closing(make()) as generator:

        def drawn(seed: int) -> str:
            return generator.generate(ASK, max_tokens=16, temperature=1.5, seed=seed)

        one = drawn(1)
        assert one == drawn(1)
        assert any(one != drawn(seed) for seed in (2, 3, 4))


def check_limits(make: Make) -> None:
    """A reply ends at ``max_tokens``, and before a stop word."""
    with closing(make()) as generator:
        whole = generator.generate(ASK, max_tokens=24)
        assert len(generator.generate(ASK, max_tokens=2)) < len(whole)
        word = whole.split()[3]
        cut = generator.generate(ASK, max_tokens=24, stop=[word])
        assert cut == whole[: whole.index(word)]


def check_nonsense(make: Make) -> None:
    """A conversation that is none is refused before the model sees it."""
    with closing(make()) as generator:
        for messages in ([], [{"role": "nurse", "content": "hi"}], [{"role": "user"}]):
            try:
                generator.generate(messages, max_tokens=4)
            except UsageError:
                continue
            raise AssertionError("nonsense was accepted")


def check_closed(make: Make) -> None:
    """Closing twice is harmless; a closed generator says so."""
    generator = make()
    generator.close()
    generator.close()
    try:
        generator.generate(ASK, max_tokens=4)
    except BackendError:
        return
    raise AssertionError("a closed generator went on")


CHECKS: Final[tuple[Callable[[Make], None], ...]] = (
    check_greedy_repeats,
    check_stream_is_the_reply,
    check_stream_can_be_left,
    check_seed,
    check_limits,
    check_nonsense,
    check_closed,
)
