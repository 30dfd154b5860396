"""HyDE in a workspace: whether its settings allow it, and the encoder that asks the generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aegle.core import observe
from aegle.core.errors import PrivacyError, SettingsError
from aegle.core.ports import Generator, Vectors
from aegle.core.settings import Settings
from aegle.core.text import SafeText
from aegle.flows.rerankers import OWN_MACHINE
from aegle.retrieve import hyde

Embed = Callable[[Sequence[str]], Vectors]


def with_passage(
    settings: Settings, question: SafeText, query: str, embed: Embed, generator: Generator
) -> Embed:
    """An encoder that embeds ``query`` with a passage made for it, other texts as they are.

    Args:
        settings: the most tokens and seconds of the passage.
        question: de-identified, as the generator is asked.
        query: what of it is searched for.
        embed: texts -> unit vectors.
        generator: asked when ``query`` is embedded; what it writes goes nowhere else.
    """
    wanted = settings.retrieve

    def embedding(texts: Sequence[str]) -> Vectors:
        if list(texts) != [query]:
            return embed(texts)
        passage = hyde.write(
            question,
            generator.stream,
            max_tokens=wanted.hyde_tokens,
            limit_s=wanted.hyde_seconds,
            seed=settings.seed,
        )
        observe.event("hyde", level="debug", characters=len(passage))
        return hyde.imagined(query, [passage], embed)[None, :]

    return embedding


def check(settings: Settings) -> None:
    """See that what the settings ask for can be had.

    Raises:
        SettingsError: ``retrieve.hyde`` without a generator.
        PrivacyError: questions may hold identifiers, and the generator is another machine.
    """
    backends = settings.backends
    if not settings.retrieve.hyde:
        return
    if not (backends.generator_url or backends.generator_model):
        raise SettingsError(
            "retrieve.hyde needs a generator and there is none: set backends.generator_model or "
            "backends.generator_url, or retrieve.hyde to false"
        )
    url = backends.generator_url
    if url and settings.redact.override_reason and not OWN_MACHINE.match(url):
        raise PrivacyError(
            "redact.override_reason keeps identifiers in this workspace, and retrieve.hyde would "
            "send each question to a generator on another machine; name a model here, or turn "
            "retrieve.hyde off"
        )
