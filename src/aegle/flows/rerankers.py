"""From settings to the reranker that they name, opened when first used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.core.errors import PrivacyError
from aegle.core.ports import Reranker
from aegle.core.settings import Settings

OWN_MACHINE: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)")


class _Opens(Protocol):
    """The part of a kit that opens ports and fetches models."""

    settings: Settings
    _open: Callable[..., Any]
    _model: Callable[[str], Path]


def opened(kit: _Opens) -> Reranker | None:
    """What ``retrieve.rerank`` names; None for ``none``.

    Raises:
        NotFoundError: no such model.
        UsageError: an address or a reference that is none.
        PrivacyError: the texts may hold identifiers, and the reranker is another machine.
    """
    wanted, backends = kit.settings.retrieve, kit.settings.backends
    how, _, model = wanted.rerank.partition(":")
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
    late = how == "late"
    folder = kit._model((model or backends.encoder_model) if late else wanted.rerank)
    name = "late" if late else "onnx"
    options = {"threads": backends.threads}
    if not late:
        options["max_tokens"] = wanted.rerank_tokens
    local: Reranker = kit._open("reranker", name, folder, **options)
    return local
