"""From what a question names, along facts, to what it asks about: typed walks with evidence.

``Which CVE is open on the host that controls the pump of ...`` names types on the way. A walk that
only enters nodes of these types finds host and pump without any parser of questions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aegle.core.records import Edge

Tie = tuple[Edge, str, str]
"""An edge, the key at its other end and the type of that node."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A node, and the facts that lead to it from a node that the question names."""

    key: str
    type: str
    steps: tuple[Edge, ...] = ()
    types: frozenset[str] = frozenset()
    worth: float = 1.0


def reach(
    seeds: Sequence[tuple[str, str]],
    *,
    ties: Callable[[str], Sequence[Tie]],
    types: Collection[str],
    allowed: Callable[[str], bool] = lambda key: True,
    hops: int = 3,
    fan: int = 12,
    width: int = 40,
) -> list[Reached]:
    """Nodes of the types that a question names, reached from its seeds; the fullest path first.

    Args:
        seeds: key and type of the nodes named; they come with no steps.
        ties: key -> facts that touch it.
        types: types that may be entered; each is entered once on a path.
        allowed: whether a node may be entered at all (another patient may not).
        hops: most steps.
        fan: most nodes of one type that a node leads to, the surest first.
        width: most nodes kept at each step.

    Returns:
        by how many types lie on the path, then by fewest steps, then by how sure its facts are.
    """
    found: dict[str, Reached] = {
        key: Reached(key, kind, (), frozenset((kind,)) & frozenset(types)) for key, kind in seeds
    }
    frontier = list(found.values())
    for _ in range(hops):
        nexts: dict[str, Reached] = {}
        for one in frontier:
            for edge, key, kind in _choices(one, ties(one.key), types, fan):
                if key in found or not allowed(key):
                    continue
                worth = one.worth * edge.score
                step = Reached(key, kind, (*one.steps, edge), one.types | {kind}, worth)
                if key not in nexts or _order(step) < _order(nexts[key]):
                    nexts[key] = step
        frontier = sorted(nexts.values(), key=_order)[:width]
        found |= {one.key: one for one in frontier}
    return sorted(found.values(), key=_order)


def _choices(one: Reached, ties: Sequence[Tie], types: Collection[str], fan: int) -> list[Tie]:
    wanted = [tie for tie in ties if tie[2] in types and tie[2] not in one.types]
    wanted.sort(key=lambda tie: (-tie[0].score, tie[1], tie[0].type))
    counts: dict[str, int] = {}
    kept = []
    for tie in wanted:
        counts[tie[2]] = counts.get(tie[2], 0) + 1
        if counts[tie[2]] <= fan:
            kept.append(tie)
    return kept


def _order(one: Reached) -> tuple[int, int, float, str]:
    return (-len(one.types), len(one.steps), -one.worth, one.key)
