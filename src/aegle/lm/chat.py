"""Conversations as generators take them: checked, and asked for in the OpenAI form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aegle.core.errors import UsageError

ROLES: Final = ("system", "user", "assistant")


def request(
    messages: Sequence[Mapping[str, str]],
    *,
    max_tokens: int,
    seed: int,
    temperature: float,
    stop: Sequence[str],
    stream: bool,
) -> dict[str, Any]:
    """The body of a chat completion.

    Raises:
        UsageError: no message, an unknown role, text that is no Unicode, or a number out of range.
    """
    if not messages:
        raise UsageError("a conversation needs at least one message")
    for message in messages:
        if message.get("role") not in ROLES:
            raise UsageError(f"a message's role is one of {', '.join(ROLES)}")
        try:
            message["content"].encode()
        except KeyError as error:
            raise UsageError("a message needs content") from error
        except UnicodeEncodeError as error:
            raise UsageError("a message holds half of a surrogate pair; clean its text") from error
    if max_tokens < 1 or temperature < 0:
        raise UsageError(
            f"max_tokens >= 1 and temperature >= 0 are needed, got {max_tokens} and {temperature}"
        )
    body: dict[str, Any] = {
        "messages": [{"role": one["role"], "content": one["content"]} for one in messages],
        "max_tokens": max_tokens,
        "seed": seed,
        "temperature": temperature,
        "stream": stream,
    }
    if stop:
        body["stop"] = list(stop)
    return body
