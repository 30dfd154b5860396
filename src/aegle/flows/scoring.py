"""Texts that are not stored: how well passages answer a question, and what class texts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aegle.core.errors import NotFoundError
from aegle.core.pack import Origin
from aegle.core.ports import Reranker
from aegle.core.records import RawDocument
from aegle.core.text import RawText, SafeText
from aegle.flows import ingest
from aegle.flows.kit import Kit

PACKAGED: Final = "aegle-rerank"
"""What reads pairs where ``retrieve.rerank`` names none: it comes with Aegle."""
_PACKAGED_TOKENS: Final = 112
"""The length at which it was trained (0082)."""


def reranker(kit: Kit) -> Reranker:
    """What ``retrieve.rerank`` names, or the packaged one.

    Raises:
        NotFoundError: neither is installed.
    """
    with kit.lock:
        if kit.reranker is not None:
            return kit.reranker
        if "packaged_reranker" not in kit.__dict__:
            kit.__dict__["packaged_reranker"] = kit._open(
                "reranker",
                "onnx",
                kit._model(PACKAGED),
                threads=kit.settings.backends.threads,
                max_tokens=_PACKAGED_TOKENS,
            )
        found: Reranker = kit.__dict__["packaged_reranker"]
        return found


def safe(kit: Kit, texts: Sequence[str]) -> list[SafeText]:
    """Texts without identifiers, each cleaned and redacted as a general note is."""
    with kit.lock:
        return [
            ingest.prepare(
                kit,
                RawDocument(
                    source=str(Origin("text")), kind="note", domain="general", text=RawText(text)
                ),
            )[0].text
            for text in texts
        ]


def score(kit: Kit, question: str, passages: Sequence[str]) -> list[float]:
    """How well each passage answers, higher is better; scores of two questions don't compare.

    The reranker may be another machine, so it gets question and passages de-identified.
    """
    model = reranker(kit)
    asked, *read = safe(kit, [question, *passages])
    return [float(one) for one in model.score(str(asked), read)]


def classes(kit: Kit, texts: Sequence[str], head: str) -> list[list[dict[str, Any]]]:
    """Of each text the labels of a head with their probabilities, likeliest first.

    Raises:
        NotFoundError: there is no tagger, or it has no such head for texts.
    """
    with kit.lock:
        tagger = kit.tagger
        known = (
            [name for name, one in tagger.classifiers.items() if one.kind == "text"]
            if tagger
            else []
        )
        if tagger is None or head not in known:
            raise NotFoundError(
                f"the tagger has no such head for texts; there are: {', '.join(known) or 'none'}"
            )
        labels = tagger.classifiers[head].labels
        readings = tagger.read(list(texts), tasks=list(tagger.heads)[:1])
        told = [one.classes(head) for one in readings]
    return [
        [{"label": labels[n], "score": float(row[n])} for n in row.argsort()[::-1]] for row in told
    ]


def spans(kit: Kit, texts: Sequence[str], head: str) -> tuple[str, list[list[dict[str, Any]]]]:
    """The tagger's version, and of each text what a label set finds in it: places, no words.

    Raises:
        NotFoundError: there is no tagger, or it has no such label set.
    """
    with kit.lock:
        tagger = kit.tagger
        known = list(tagger.heads) if tagger else []
        if tagger is None or head not in known:
            raise NotFoundError(
                f"the tagger has no such label set; there are: {', '.join(known) or 'none'}"
            )
        told = tagger.tag(list(texts), tasks=[head])
        version = kit.tagger_version
    return version, [
        [
            {"start": one.start, "end": one.end, "label": one.label, "score": float(one.score)}
            for one in some[head]
        ]
        for some in told
    ]
