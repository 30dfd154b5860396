"""Review as a loop: the workspace asks about what it is unsure of, and learns what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core.artifacts import sha256_file, write_bytes
from aegle.core.errors import UsageError
from aegle.core.records import Entity
from aegle.flows.kit import Kit
from aegle.train.active import STRATEGIES, choose
from aegle.train.data.instructions.view import Page
from aegle.train.review import Item, ReviewQueue

FILE: Final = "review.sqlite"
_READ_BY_MODEL: Final = "tagger/"
_POOL: Final = 400
"""The least sure sentences among which a strategy chooses: each has to be embedded."""
_LEFT_OUT: Final = frozenset({"date", "email", "url", "port", "patient"})


@contextmanager
def queue_of(kit: Kit) -> Iterator[ReviewQueue]:
    """The workspace's queue, without items of documents that are not there any more."""
    with closing(ReviewQueue(kit.layout.journal / FILE)) as queue:
        asked = sorted(queue.documents())
        there = {one.id for one in kit.corpus.get(asked)}
        queue.remove([one for one in asked if one not in there])
        yield queue


def review_next(kit: Kit, *, num: int = 5, strategy: str = "badge") -> dict[str, Any]:
    """The sentences to look at next; the queue is filled when fewer wait.

    Raises:
        UsageError: no such strategy, or nothing asked for.
    """
    if strategy not in STRATEGIES:
        raise UsageError(f"a strategy is one of {', '.join(STRATEGIES)}; got {strategy!r}")
    if num < 1:
        raise UsageError(f"at least 1 sentence can be asked for, got {num}")
    with kit.lock, queue_of(kit) as queue:
        missing = num - len(queue.waiting(num))
        if missing > 0:
            queue.add(_chosen(kit, missing, strategy, queue.known()))
        waiting = queue.waiting(num)
        texts = _texts(kit, waiting)
        return {"items": [_shown(one, texts[one.id]) for one in waiting], **queue.counts()}


def _chosen(kit: Kit, num: int, strategy: str, known: set[str]) -> list[Item]:
    """Sentences that a model is unsure of, by a strategy, none that was queued before."""
    pool = [(one, text) for one, text in _unsure(kit) if one.id not in known]
    pool.sort(key=lambda told: (-told[0].score, told[0].id))
    pool = pool[:_POOL]
    if not pool:
        return []
    sure = np.array([(1 + np.sqrt(1 - one.score)) / 2 for one, _ in pool])
    vectors = kit.encoder.embed([text for _, text in pool])
    places = choose(
        strategy,
        np.stack([sure, 1 - sure], axis=1),
        vectors,
        k=min(num, len(pool)),
        rng=np.random.default_rng(kit.settings.seed),
    )
    return [pool[place][0] for place in places]


def _unsure(kit: Kit) -> Iterator[tuple[Item, str]]:
    """Each sentence in which the tagger found something, with how unsure it is of the worst."""
    for stored in kit.corpus.scan():
        page = Page(stored)
        for place, inside in page.inside.items():
            if any(one.extractor.startswith(_READ_BY_MODEL) for one in inside):
                start, end = page.spans[place]
                labels = _labels(inside, start, end)
                if labels:
                    doubt = max(4 * one.score * (1 - one.score) for one in inside)
                    item = Item(page.document.id, start, end, labels, min(1.0, max(0.0, doubt)))
                    yield item, page.document.text[start:end]


def _labels(inside: Sequence[Entity], start: int, end: int) -> tuple[tuple[int, int, str], ...]:
    """What stands in a sentence, none across another: the surest first."""
    kept: list[tuple[int, int, str]] = []
    for one in sorted(inside, key=lambda one: (-one.score, one.start)):
        span = (one.start - start, one.end - start, one.type)
        apart = all(span[1] <= other[0] or other[1] <= span[0] for other in kept)
        if one.type not in _LEFT_OUT and one.end <= end and apart:
            kept.append(span)
    return tuple(sorted(kept))


def _texts(kit: Kit, items: Sequence[Item]) -> dict[str, tuple[str, str]]:
    """Id of an item -> its sentence and its group."""
    documents = {one.id: one for one in kit.corpus.get(sorted({i.document for i in items}))}
    return {
        one.id: (
            str(documents[one.document].text[one.start : one.end]),
            documents[one.document].group or f"document:{one.document}",
        )
        for one in items
    }


def _shown(item: Item, told: tuple[str, str]) -> dict[str, Any]:
    text, _ = told
    return {
        "id": item.id,
        "document": item.document,
        "start": item.start,
        "end": item.end,
        "text": text,
        "score": round(item.score, 4),
        "suggested": [
            {"start": s, "end": e, "type": kind, "text": text[s:e]} for s, e, kind in item.suggested
        ],
    }


def review_label(
    kit: Kit,
    id: str,
    *,
    labels: Sequence[tuple[int, int, str]] | None = None,
    who: str = "",
) -> dict[str, Any]:
    """Keep a decision: these labels, none, or (for None) what was suggested.

    Raises:
        NotFoundError: no such item.
        UsageError: a label that does not lie in its sentence.
    """
    with kit.lock, queue_of(kit) as queue:
        told = queue.get(id).suggested if labels is None else labels
        changed = queue.decide(id, [(s, e, kind) for s, e, kind in told], who=who)
        if changed:
            kit.ledger.audit("review", item=id, who=who)
        return {"id": id, "changed": changed, **queue.counts()}


def review_export(kit: Kit, out: str) -> dict[str, Any]:
    """Write what was decided as annotated texts that a recipe reads (format json), and how many.

    Raises:
        UsageError: nothing was decided.
    """
    path = Path(out)
    with kit.lock, queue_of(kit) as queue:
        decided = queue.decided()
        if not decided:
            raise UsageError("nothing was decided yet; see: aegle review next, aegle review label")
        texts = _texts(kit, [one.item for one in decided])
    lines = []
    for one in decided:
        text, group = texts[one.item.id]
        told = {"id": one.item.id, "group": group, "text": text, "labels": one.labels}
        lines.append(json.dumps(told, ensure_ascii=False))
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    return {"file": str(path), "examples": len(lines), "sha256": sha256_file(path)}
