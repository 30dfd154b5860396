"""Generator behind an OpenAI-compatible server: vLLM, TGI, TensorRT-LLM, llama.cpp, Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from aegle.core.errors import BackendError, UsageError
from aegle.lm.chat import request


class OpenAIGenerator:
    """An `aegle.core.ports.Generator`.

    Args:
        url: the server's base address, with or without ``/v1``.
        model: the name under which the server knows the model.
        api_key: sent as a bearer token when given.
        timeout_s: how long to wait for the server at each step.
    """

    def __init__(self, url: str, *, model: str, api_key: str = "", timeout_s: float = 60) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UsageError(f"{url!r} is no address") from error
        if address.scheme not in ("http", "https") or not address.host:
            raise UsageError(f"{url!r}: an address starts with http:// or https://")
        base = url.rstrip("/").removesuffix("/v1")
        self.name = f"openai:{model}"
        self._url = f"{base}/v1/chat/completions"
        self._model = model
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout_s)

    def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> str:
        """The reply to a conversation.

        Raises:
            UsageError: the conversation is none.
            BackendError: the server did not answer as it should.
        """
        body = request(
            messages,
            max_tokens=max_tokens,
            seed=seed,
            temperature=temperature,
            stop=stop,
            stream=False,
        )
        with self._post(body) as response:
            response.read()
            return str(_at(_parse(response.text, self._where), "message") or "")

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """The same reply in pieces; who stops listening closes the connection."""
        body = request(
            messages,
            max_tokens=max_tokens,
            seed=seed,
            temperature=temperature,
            stop=stop,
            stream=True,
        )
        with self._post(body) as response:
            for line in response.iter_lines():
                field, _, data = line.partition(":")
                if field != "data":
                    continue
                if data.strip() == "[DONE]":
                    return
                piece = _parse(data, self._where)
                if piece.get("choices") and (text := _at(piece, "delta")):
                    yield text
        raise BackendError(f"the generator at {self._where} broke off in the middle of its reply")

    def close(self) -> None:
        """Close the connections; calling it twice is harmless."""
        self._client.close()

    @property
    def _where(self) -> str:
        """The address without a password that it may hold."""
        return str(httpx.URL(self._url).copy_with(username=None, password=None))

    @contextmanager
    def _post(self, body: dict[str, Any]) -> Iterator[httpx.Response]:
        if self._client.is_closed:
            raise BackendError("the generator is closed; open it again")
        try:
            with self._client.stream(
                "POST", self._url, json={**body, "model": self._model}
            ) as response:
                if response.is_error:
                    raise BackendError(_refusal(response, self._where))
                yield response
        except httpx.TimeoutException as error:
            raise BackendError(
                f"the generator at {self._where} did not answer in time; is it busy?"
            ) from error
        except httpx.HTTPError as error:
            raise BackendError(
                f"the generator at {self._where} did not answer ({type(error).__name__}); "
                "is it running?"
            ) from error


def _refusal(response: httpx.Response, where: str) -> str:
    # The server's own message is left out: some quote the conversation.
    hints = {
        401: "the API key is missing or wrong",
        403: "the API key may not use this model",
        404: "it knows no such model or address",
        429: "it has too much to do",
    }
    hint = hints.get(response.status_code)
    return f"the generator at {where} answered {response.status_code}" + (f": {hint}" * bool(hint))


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BackendError(f"the generator at {where} sent something that is not JSON") from error
    if not isinstance(value, dict) or "error" in value:
        raise BackendError(f"the generator at {where} reported an error")
    return value


def _at(value: dict[str, Any], part: str) -> str | None:
    try:
        content = value["choices"][0][part].get("content")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise BackendError("the generator's reply has not the form of a completion") from error
    return None if content is None else str(content)
