"""Sixty questions with answers and the passages that prove them, made from the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from aegle.packs.sample import questions_absent, questions_cross, questions_multi, questions_single
from aegle.packs.sample.asking import Asked, Desk, Maker
from aegle.packs.sample.gold import Shelf
from aegle.packs.sample.intrusion import Intrusion
from aegle.packs.sample.world import World

MAKERS: Final[dict[str, tuple[tuple[Maker, ...], int]]] = {
    "single": (questions_single.MAKERS, 20),
    "multi": (questions_multi.MAKERS, 18),
    "cross": (questions_cross.MAKERS, 12),
    "unanswerable": (questions_absent.MAKERS, 10),
}
"""Kind of question -> who makes it, and how many there are."""


def questions(world: World, story: Intrusion, shelf: Shelf) -> list[dict[str, Any]]:
    """The sixty questions; every file must be on the shelf already, for they quote it."""
    asked: list[dict[str, Any]] = []
    for kind, (makers, count) in MAKERS.items():
        desk = Desk(world, story, shelf, world.rng(f"questions/{kind}"))
        for one in _in_turn(makers, desk, count):
            asked.append({"id": f"q{len(asked) + 1:02d}", "type": kind, **asdict(one)})
    return asked


def _in_turn(makers: Sequence[Maker], desk: Desk, count: int) -> Iterator[Asked]:
    """``count`` different questions, one of each maker in turn, so that no sort prevails."""
    running = [maker(desk) for maker in makers]
    seen: set[str] = set()
    while len(seen) < count:
        if not running:
            raise RuntimeError(f"the model is too small for {count} questions: {len(seen)} made")
        for maker in tuple(running):
            one = next(maker, None)
            if one is None:
                running.remove(maker)
            elif one.question not in seen and len(seen) < count:
                seen.add(one.question)
                yield one
