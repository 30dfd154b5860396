"""What people see beside the commands: names of nodes, questions to begin with, ties in groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aegle.flows import knowledge
from aegle.flows.kit import Kit

_BEGINNINGS: Final = (
    ("device", "controls", "Which host controls {}?"),
    ("ward", "located_in", "Which devices are in {}?"),
    ("host", "has_vulnerability", "Which vulnerabilities does {} have?"),
    ("medication", "takes", "Which patients take {}?"),
    ("condition", "has_condition", "Which patients have {}?"),
    ("technique", "uses", "Who uses {}?"),
)
"""Node type, a tie that it must have, and the question that this tie answers."""

_LOOKED_AT: Final = 40
"""Nodes of a type that are looked at for a beginning."""

_TRIED: Final = 3
"""Questions of a sort that are tried before the sort is given up."""


def names(kit: Kit, keys: Iterable[str]) -> dict[str, str]:
    """What the nodes of some keys are called; keys that are no node are left out."""
    with kit.lock:
        found = {key: kit.walker.node(key) for key in dict.fromkeys(keys)}
    return {key: str(node.name) or key for key, node in found.items() if node is not None}


def beginnings(kit: Kit, most: int = 4) -> list[str]:
    """Questions that this workspace answers, made of what it holds; [] for an empty one."""
    found: list[str] = []
    with kit.lock:
        for kind, tie, words in _BEGINNINGS:
            if len(found) == most:
                break
            tried = [words.format(name) for name in _tied(kit, kind, tie)]
            answered = (
                one for one in tried if not knowledge.ask(kit, one, generate=False)["refusal"]
            )
            found += itertools.islice(answered, 1)
    return found


def _tied(kit: Kit, kind: str, tie: str) -> list[str]:
    """Short names of nodes of a type, those first that have most of a tie."""
    some = [one for one in kit.walker.nodes if one.type == kind and 1 < len(one.name) <= 28]
    counts = {
        str(node.name): sum(edge.type == tie for edge in kit.graph.edges([node.key], limit=60))
        for node in some[:_LOOKED_AT]
    }
    best = sorted(counts, key=lambda name: (-counts[name], name))
    return [name for name in best if counts[name]][:_TRIED]


def ties(kit: Kit, edges: Sequence[Mapping[str, Any]], sources: int = 3) -> list[dict[str, Any]]:
    """Edges by what they say, each with the words of its first witnesses.

    Returns:
        head, tail, type, assertion, count and ``said`` (document_id, start, end, text), in the
        order of the edges.
    """
    grouped: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for edge in edges:
        tie = (edge["head"], edge["type"], edge["tail"], edge["assertion"])
        grouped.setdefault(tie, []).append(edge)
    shown = {one["document_id"] for group in grouped.values() for one in group[:sources]}
    with kit.lock:
        texts = {one.id: one.text for one in kit.corpus.get(sorted(shown))}
    return [
        {
            "head": head,
            "type": kind,
            "tail": tail,
            "assertion": assertion,
            "count": len(group),
            "said": [
                _witness(one, texts) for one in group[:sources] if one["document_id"] in texts
            ],
        }
        for (head, kind, tail, assertion), group in grouped.items()
    ]


def _witness(edge: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    start, end = edge["start"], edge["end"]
    text = str(texts[edge["document_id"]][start:end])
    return {"document_id": edge["document_id"], "start": start, "end": end, "text": text}
