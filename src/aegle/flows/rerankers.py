"""From settings to the reranker that they name, opened when first used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aegle.core.errors import PrivacyError
from aegle.core.ports import Reranker
from aegle.core.settings import Settings

if TYPE_CHECKING:
    from aegle.backends.reranker_late import LateReranker

OWN_MACHINE: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)")


class _Opens(Protocol):
    """The part of a kit that opens ports and fetches models."""

    settings: Settings
    _open: Callable[..., Any]
    _model: Callable[[str], Path]

    @property
    def late(self) -> LateReranker: ...


def opened(kit: _Opens) -> Reranker | None:
    """What ``retrieve.rerank`` names; None for ``none``.

    Raises:
        NotFoundError: no such model.
        UsageError: an address or a reference that is none.
        PrivacyError: the texts may hold identifiers, and the reranker is another machine.
    """
    wanted, backends = kit.settings.retrieve, kit.settings.backends
    how = wanted.rerank.partition(":")[0]
    if how in ("", "none"):
        return None
    if how in ("http", "https"):
        if kit.settings.redact.override_reason and not OWN_MACHINE.match(wanted.rerank):
            raise PrivacyError(
                "redact.override_reason keeps identifiers in this workspace's texts: a rerank "
                "service on another machine must not get them; name a model here, or none"
            )
        remote: Reranker = kit._open(
            "reranker",
            "http",
            wanted.rerank,
            format=wanted.rerank_format,
            model=wanted.rerank_model,
            api_key=wanted.rerank_key,
        )
        return remote
    if is_late(kit.settings):
        return kit.late
    options = {"threads": backends.threads, "max_tokens": wanted.rerank_tokens}
    local: Reranker = kit._open("reranker", "onnx", kit._model(wanted.rerank), **options)
    return local


def is_late(settings: Settings) -> bool:
    """Whether ``retrieve.rerank`` names late interaction."""
    return settings.retrieve.rerank.partition(":")[0] == "late"


def late_model(settings: Settings) -> str:
    """The encoder whose token vectors are compared: that of ``late:NAME``, or the workspace's."""
    named = settings.retrieve.rerank.partition(":")[2] if is_late(settings) else ""
    return named or settings.backends.encoder_model


def late(kit: _Opens) -> LateReranker:
    """Late interaction, also where it only makes the token vectors that are kept."""
    folder = kit._model(late_model(kit.settings))
    found: LateReranker = kit._open(
        "reranker", "late", folder, threads=kit.settings.backends.threads
    )
    return found
