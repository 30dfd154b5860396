"""OpenAI's endpoints: chat, completions, embeddings and models, as its own client speaks them."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from aegle.core import observe
from aegle.core.errors import AegleError, BackendError, NotFoundError, UsageError
from aegle.flows import commands
from aegle.flows.kit import Kit
from aegle.serve.generation import Generations, together
from aegle.serve.waiting import until_left
from aegle.serve.wire import Body
from aegle.serve.work import Work

RAG: Final = "aegle-rag"
"""Answers from the workspace, or refuses; the last message is the question."""
_CHARACTERS: Final = 200_000
_TEXTS: Final = 256
_Short = Annotated[str, Field(max_length=_CHARACTERS)]


class Part(Body):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: _Short


class Message(BaseModel):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: _Short | list[Part]

    @property
    def text(self) -> str:
        """Its text, parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class Schema(Body):
    """A JSON schema that the reply must keep."""

    name: Annotated[str, Field(max_length=64)] = "reply"
    description: Annotated[str, Field(max_length=2000)] = ""
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class Form(Body):
    """What form the reply has."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class StreamOptions(Body):
    """What a stream tells beside the text."""

    include_usage: bool = False


class _Sampling(Body):
    model: Annotated[str, Field(max_length=300, examples=[RAG])]
    stream: bool = False
    stream_options: StreamOptions | None = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32 - 1)] = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    stop: Annotated[str, Field(max_length=200)] | Annotated[list[str], Field(max_length=4)] = ""
    n: Literal[1] = 1
    user: Annotated[str, Field(max_length=300, description="not read")] = ""

    def sampling(self) -> dict[str, Any]:
        """What llama.cpp is told of how to choose tokens.

        A reused prompt is cut into other batches, which changes the sums' last bits: who asks
        with a seed gets the same reply again, and no prefix from the cache.
        """
        names = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
        told = {name: getattr(self, name) for name in names}
        if self.seed is not None:
            told["seed"] = self.seed
        return {
            **told,
            "stop": [
                one for one in ([self.stop] if isinstance(self.stop, str) else self.stop) if one
            ],
            "cache_prompt": self.seed is None,
            "stream_options": {"include_usage": True},
        }


class Chat(_Sampling):
    """A conversation to be answered."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=200)]
    max_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    response_format: Form | None = None

    def asked(self) -> dict[str, Any]:
        """The body that llama.cpp gets.

        Raises:
            UsageError: a JSON schema is announced and not given.
        """
        form: dict[str, Any] = {}
        if self.response_format and self.response_format.type != "text":
            wanted = self.response_format
            if wanted.type == "json_schema" and wanted.json_schema is None:
                raise UsageError("response_format json_schema needs its json_schema")
            form["response_format"] = wanted.model_dump(by_alias=True, exclude_none=True)
        return {
            "messages": [
                {
                    "role": "system" if one.role == "developer" else one.role,
                    "content": one.text,
                }
                for one in self.messages
            ],
            "max_tokens": self.max_completion_tokens or self.max_tokens or 256,
            **self.sampling(),
            **form,
        }


class Completion(_Sampling):
    """A text to be gone on from."""

    prompt: Annotated[str, Field(min_length=1, max_length=_CHARACTERS)]
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 16

    def asked(self) -> dict[str, Any]:
        """The body that llama.cpp gets."""
        return {"prompt": self.prompt, "max_tokens": self.max_tokens, **self.sampling()}


class Embeddings(Body):
    """Texts to be made vectors."""

    model: Annotated[str, Field(max_length=300)]
    input: _Short | Annotated[list[_Short], Field(min_length=1, max_length=_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1)] = None
    user: Annotated[str, Field(max_length=300, description="not read")] = ""


def attach(app: FastAPI, kit: Kit, work: Work, generations: Generations) -> None:
    """Add OpenAI's endpoints to the app."""
    _models(app, kit, generations)
    _embeddings(app, kit, work)

    @app.post("/v1/chat/completions", tags=["openai"])
    async def chat(body: Chat, request: Request) -> Any:
        """Answer from the workspace (model aegle-rag), or let the generator go on."""
        request.scope["aegle"] |= {"model": body.model, "items": 1}
        if body.model == RAG:
            return await _answered(kit, body, request)
        _known(body.model, generations)
        return await _reply(body, body.asked(), generations, request, chat=True)

    @app.post("/v1/completions", tags=["openai"])
    async def completions(body: Completion, request: Request) -> Any:
        """Let the generator go on from a text."""
        _known(body.model, generations)
        request.scope["aegle"] |= {"model": body.model, "items": 1}
        return await _reply(body, body.asked(), generations, request, chat=False)


def _known(model: str, generations: Generations) -> None:
    if not generations.offered or model != generations.name:
        raise NotFoundError("there is no such model; GET /v1/models names those that are served")


def _models(app: FastAPI, kit: Kit, generations: Generations) -> None:
    @app.get("/v1/models", tags=["openai"])
    async def models() -> dict[str, Any]:
        """What can be asked."""
        names = [RAG, kit.settings.backends.encoder_model]
        if generations.offered:
            names.append(generations.name)
        rows = [{"id": n, "object": "model", "created": 0, "owned_by": "aegle"} for n in names]
        return {"object": "list", "data": rows}


def _embeddings(app: FastAPI, kit: Kit, work: Work) -> None:
    @app.post("/v1/embeddings", tags=["openai"])
    async def embeddings(body: Embeddings, request: Request) -> Any:
        """Unit vectors of texts; nothing is stored."""
        name = kit.settings.backends.encoder_model
        if body.model != name:
            raise NotFoundError(f"there is no such model; embeddings are made by {name}")
        texts = [body.input] if isinstance(body.input, str) else body.input
        encoder = await work.encoder()
        wanted = body.dimensions or 0
        if wanted > encoder.width:
            raise UsageError(f"vectors of {name} have {encoder.width} numbers, not {wanted}")
        vectors = await work.embed(request, texts, wanted)
        tokens = await run_in_threadpool(lambda: sum(map(encoder.count, texts)))
        packed = body.encoding_format == "base64"
        rows = [
            {
                "object": "embedding",
                "index": place,
                "embedding": base64.b64encode(one.astype("<f4").tobytes()).decode()
                if packed
                else one.tolist(),
            }
            for place, one in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": rows, "model": name, "usage": usage}


def _frame(body: _Sampling, kind: str) -> dict[str, Any]:
    prefix = "chatcmpl" if kind.startswith("chat") else "cmpl"
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": body.model,
    }


async def _reply(
    body: _Sampling,
    asked: Mapping[str, Any],
    generations: Generations,
    request: Request,
    *,
    chat: bool,
) -> Any:
    pieces = generations.stream(asked, chat=chat)
    if body.stream:
        # Awaited here so that a refusal is a status, not a broken stream.
        first = await until_left(request, asyncio.ensure_future(_first(pieces)))
        wants = bool(body.stream_options and body.stream_options.include_usage)
        kind = "chat.completion.chunk" if chat else "text_completion"
        lines = _lines(first, pieces, _frame(body, kind), usage=wants)
        return StreamingResponse(lines, media_type="text/event-stream")

    async def gather() -> list[dict[str, Any]]:
        return [piece async for piece in pieces]

    got = await until_left(request, asyncio.ensure_future(gather()))
    text, why, usage = together(got, chat=chat)
    choice: dict[str, Any] = {"index": 0, "finish_reason": why, "logprobs": None}
    if chat:
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    frame = _frame(body, "chat.completion" if chat else "text_completion")
    return {**frame, "choices": [choice], "usage": usage}


async def _first(pieces: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async for piece in pieces:
        return piece
    raise BackendError("the generator ended without a word")


async def _lines(
    first: dict[str, Any],
    rest: AsyncIterator[dict[str, Any]],
    frame: Mapping[str, Any],
    *,
    usage: bool,
) -> AsyncIterator[str]:
    """Server-sent events. llama.cpp names the model by its file's path: the frame replaces it."""

    def line(piece: Mapping[str, Any]) -> str:
        told: dict[str, Any] = {**frame, "choices": piece.get("choices", [])}
        if usage:
            told["usage"] = piece.get("usage")
        return f"data: {json.dumps(told)}\n\n"

    yield line(first)
    try:
        async for piece in rest:
            if piece.get("choices") or usage:
                yield line(piece)
    except AegleError as error:
        said = {"message": str(error), "type": "server_error", "param": None, "code": None}
        observe.event("a stream failed", level="error", error=observe.Label(type(error).__name__))
        yield f"data: {json.dumps({'error': said})}\n\n"
    yield "data: [DONE]\n\n"


async def _answered(kit: Kit, body: Chat, request: Request) -> Any:
    """The retrieval road: an answer with its citations, or the refusal as the reply's text."""
    if body.response_format and body.response_format.type != "text":
        raise UsageError(f"{RAG} answers in sentences with citations; it takes no response_format")
    asked = [one for one in body.messages if one.role == "user"]
    if not asked:
        raise UsageError("a question is needed: a message of the role user")
    params = {"question": asked[-1].text}
    found = await run_in_threadpool(commands.call, kit, "ask", params)
    text = found["answer"] or found["refusal"] or ""
    frame = _frame(body, "chat.completion.chunk" if body.stream else "chat.completion")
    extra = {"claims": found["claims"], "refused": found["refusal"] is not None}
    if not body.stream:
        message = {"role": "assistant", "content": text, "aegle": extra}
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
        return {**frame, "choices": [choice]}

    async def lines() -> AsyncIterator[str]:
        delta = {"role": "assistant", "content": text, "aegle": extra}
        for choice in (
            {"index": 0, "finish_reason": None, "delta": delta},
            {"index": 0, "finish_reason": "stop", "delta": {}},
        ):
            yield f"data: {json.dumps({**frame, 'choices': [choice]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
