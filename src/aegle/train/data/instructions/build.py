"""Chooses examples: tasks, kinds and groups in turn, none twice, none near what is held out."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Final

from aegle.core.errors import UsageError
from aegle.core.ports import Progress, quiet
from aegle.core.records import Concept, Stored
from aegle.train.data.instructions import notes, reading, security
from aegle.train.data.instructions.against import Guard
from aegle.train.data.instructions.ground import Grounded, Make, Served
from aegle.train.data.instructions.reword import Generate, reworded
from aegle.train.data.instructions.shape import Instruction
from aegle.train.data.instructions.unique import Unique
from aegle.train.data.instructions.view import Shelf, group_of

Made = Iterator[tuple[str, Make]]

TASKS: Final[Mapping[str, Callable[[Shelf, Served], Made]]] = {
    "answer": lambda shelf, served: Grounded(shelf, served).answers(),
    "refuse": lambda shelf, served: Grounded(shelf, served).refusals(),
    "chain": lambda shelf, served: Grounded(shelf, served).chains(),
    "extract": lambda shelf, _: reading.extraction(shelf),
    "assert": lambda shelf, _: reading.assertion(shelf),
    "code": lambda shelf, _: reading.coding(shelf),
    "summarise": lambda shelf, _: notes.summaries(shelf),
    "technique": lambda shelf, _: security.techniques(shelf),
    "triage": lambda shelf, _: security.triage(shelf),
    "map": lambda shelf, _: security.mappings(shelf),
}
"""Task -> what of it a part of a workspace supports."""

SHARES: Final[Mapping[str, float]] = {"train": 0.8, "dev": 0.1, "test": 0.1}
_TRIES: Final = 8
"""For one example that is wanted so many may fail: a kind that rarely succeeds ends sometime."""


@dataclass(slots=True)
class Built:
    """What came of a workspace.

    Attributes:
        parts: part -> examples.
        left: why an example was left out -> how many.
        reworded: questions in a generator's words, and how many of its wordings were refused.
    """

    parts: dict[str, list[Instruction]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    reworded: int = 0
    unsafe: int = 0


def part_of(group: str, seed: int, shares: Mapping[str, float] = SHARES) -> str:
    """The part of a group, the same one whatever else is there.

    Raises:
        ValueError: the shares don't sum to 1.
    """
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"the shares of a split sum to 1, got {dict(shares)}")
    digest = hashlib.sha256(f"{seed}\0{group}".encode("utf-8", "surrogatepass")).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    names = list(shares)
    bounds = accumulate(shares.values())
    return next((n for n, bound in zip(names, bounds, strict=True) if point < bound), names[-1])


def build(
    stored: Iterable[Stored],
    *,
    served: Served,
    tasks: Sequence[str] = (),
    per_task: int = 200,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
    guard: Guard | None = None,
    generate: Generate | None = None,
    name: Callable[[Concept], str] = lambda one: one.name,
    progress: Progress = quiet,
) -> Built:
    """Instruction examples of a workspace, split by group before anything is made of it.

    What an example shows is all of one part, so that no group or document stands in two, and no
    host that it names: each has a part, and what shows one of another part is left out. Test is
    made first, and what is near an example of an earlier part is left out of a later one.

    Args:
        stored: documents with their facts.
        served: how the workspace asks its generator.
        tasks: of `TASKS`; none: all.
        per_task: most examples of each task in all parts together.
        shares: part -> share of the groups.
        guard: what is held out.
        generate: says questions in other words; each wording is checked.
        name: see `Shelf`.

    Raises:
        UsageError: no such task, or less than one example a task.
    """
    _check(tasks, per_task)
    by_part = _parted(stored, seed, shares)
    built, seen = Built(), Unique(seed=seed)
    wanted = list(tasks or TASKS)
    for number, part in enumerate(reversed(list(shares))):  # what is held out comes first
        shelf = Shelf(by_part[part], name)
        made: list[Instruction] = []
        strange = partial(_strange, part=part, shelf=shelf, seed=seed, shares=shares)
        for place, task in enumerate(wanted):
            most = max(1, round(per_task * shares[part]))
            rng = random.Random(f"{seed} {part} {task}")
            picked = _picked(TASKS[task](shelf, served), most, rng, seen, guard, built, strange)
            made += _varied(picked, generate, rng, guard, built) if generate else picked
            progress("instructions", number * len(wanted) + place + 1, len(shares) * len(wanted))
        random.Random(f"{seed} {part}").shuffle(made)
        built.parts[part] = made
    return built


def _strange(
    one: Instruction, *, part: str, shelf: Shelf, seed: int, shares: Mapping[str, float]
) -> bool:
    """Whether an example shows a host of another part."""
    return any(part_of(host, seed, shares) != part for host in shelf.hosts(one.passages))


def _parted(
    stored: Iterable[Stored], seed: int, shares: Mapping[str, float]
) -> dict[str, list[Stored]]:
    by_part: dict[str, list[Stored]] = {name: [] for name in shares}
    for one in stored:
        by_part[part_of(group_of(one), seed, shares)].append(one)
    return by_part


def _check(tasks: Sequence[str], per_task: int) -> None:
    unknown = [one for one in tasks if one not in TASKS]
    if unknown:
        raise UsageError(f"no task {unknown[0]!r}; there are: {', '.join(TASKS)}")
    if per_task < 1:
        raise UsageError(f"--per-task is at least 1, got {per_task}")


def _picked(
    made: Made,
    most: int,
    rng: random.Random,
    seen: Unique,
    guard: Guard | None,
    built: Built,
    strange: Callable[[Instruction], bool],
) -> list[Instruction]:
    """Examples of one task, its kinds in turn, each kind in random order, but strange ones."""
    kinds: dict[str, list[Make]] = defaultdict(list)
    for kind, make in made:
        kinds[kind].append(make)
    for some in kinds.values():
        rng.shuffle(some)
    found: list[Instruction] = []
    turn = [kinds[name] for name in sorted(kinds)]
    tries = _TRIES * most
    while turn and len(found) < most and tries:
        for some in list(turn):
            if not some:
                turn.remove(some)
                continue
            tries -= 1
            one = some.pop()(rng)
            if one is None:
                built.left["not certain"] += 1
            elif strange(one):
                built.left["host of another part"] += 1
            elif _fresh(one, seen, guard, built):
                found.append(one)
            if len(found) == most or not tries:
                break
    return found


def _fresh(one: Instruction, seen: Unique, guard: Guard | None, built: Built) -> bool:
    why = guard.why(one) if guard else ""
    if why:
        built.left[f"held out by {why}"] += 1
        return False
    text = f"{one.task} {one.prompt} {one.answer}"
    if seen.like(text) is not None:
        built.left["near another"] += 1
        return False
    seen.add(text)
    return True


def _varied(
    some: Sequence[Instruction],
    generate: Generate,
    rng: random.Random,
    guard: Guard | None,
    built: Built,
) -> list[Instruction]:
    """Every second question in a generator's words, where its words ask the same."""
    found = []
    for one in some:
        other = None
        if one.names and rng.random() < 0.5:
            other = reworded(one, generate)
            if other is not None and guard and guard.why(other):
                other = None  # other words may be those of a question that is held out
            built.reworded += other is not None
            built.unsafe += other is None
        found.append(other or one)
    return found
