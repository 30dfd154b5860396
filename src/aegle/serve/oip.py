"""The Open Inference Protocol V2 over HTTP: extract, classify, embed, rerank as models of tensors.

Source: KServe's specification; `tritonclient` speaks it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from aegle.core.errors import NotFoundError, UsageError
from aegle.flows import scoring
from aegle.flows.kit import Kit
from aegle.serve import tensors
from aegle.serve.tensors import Asked, Output
from aegle.serve.work import Work

DOMAINS: Final = ("healthcare", "cybersecurity", "general")
NUMBER: Final = "1"
"""The version of each: which weights serve it the audit says, and /v1/models."""
TAG: Final = "open inference protocol"
_MOST: Final = 200_000
"""Characters of a text, as everywhere."""

Infer = Callable[[Request, Asked], Awaitable[list[Output]]]


@dataclass(frozen=True)
class Model:
    """What a model takes and tells; each is a tensor's name and datatype."""

    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    infer: Infer

    def metadata(self, name: str, number: str) -> dict[str, Any]:
        """As the protocol tells it."""
        return {
            "name": name,
            "versions": [number],
            "platform": "aegle",
            "inputs": [{"name": one, "datatype": kind, "shape": [-1]} for one, kind in self.inputs],
            "outputs": [
                {"name": one, "datatype": kind, "shape": list(shape)}
                for one, kind, shape in self.outputs
            ],
        }


def models(kit: Kit, work: Work) -> dict[str, Model]:
    """By name."""

    async def extract(request: Request, asked: Asked) -> list[Output]:
        domain = asked.parameters.get("domain", "general")
        if domain not in DOMAINS:
            raise UsageError(f"domain is one of {', '.join(DOMAINS)}")
        texts = asked.texts["text"]
        asks = [asyncio.create_task(work.extract(request, text, domain)) for text in texts]
        try:
            found = await asyncio.gather(*asks)
        except BaseException:
            for one in asks:
                one.cancel()  # no half of a request is done for nobody
            raise
        request.scope["aegle"]["items"] = len(texts)
        return [Output("facts", [json.dumps(one) for one in found])]

    async def classify(request: Request, asked: Asked) -> list[Output]:
        head = str(asked.parameters.get("head", "technique"))[:100]
        texts = asked.texts["text"]
        made_by, told = await run_in_threadpool(scoring.classes, kit, texts, head)
        request.scope["aegle"] |= {"model": made_by, "items": len(texts)}
        best = [one[0] for one in told]
        scores = np.array([one["score"] for one in best], np.float32)
        return [Output("label", [str(one["label"]) for one in best]), Output("score", scores)]

    async def embed(request: Request, asked: Asked) -> list[Output]:
        return [Output("embedding", np.stack(await work.embed(request, asked.texts["text"], 0)))]

    async def rerank(request: Request, asked: Asked) -> list[Output]:
        (query, *more), documents = asked.texts["query"], asked.texts["documents"]
        if more or not 0 < len(query) <= 2000:
            raise UsageError("query is one text of 1 to 2000 characters")
        scores = await run_in_threadpool(scoring.score, kit, query, documents)
        request.scope["aegle"] |= {"model": scoring.reranker(kit).name, "items": len(documents)}
        return [Output("score", np.array(scores, np.float32))]

    text = (("text", "BYTES"),)
    return {
        "extract": Model(text, (("facts", "BYTES", (-1,)),), extract),
        "classify": Model(text, (("label", "BYTES", (-1,)), ("score", "FP32", (-1,))), classify),
        "embed": Model(text, (("embedding", "FP32", (-1, -1)),), embed),
        "rerank": Model(
            (("query", "BYTES"), ("documents", "BYTES")), (("score", "FP32", (-1,)),), rerank
        ),
    }


class _Known:
    """The models by name; each has one version."""

    def __init__(self, found: dict[str, Model]) -> None:
        self._found = found

    def named(self, name: str, number: str) -> Model:
        if name not in self._found or number != NUMBER:
            told = ", ".join(self._found)
            raise NotFoundError(f"there is no such model; there are: {told}, version {NUMBER}")
        return self._found[name]


def attach(app: FastAPI, kit: Kit, work: Work, ready: Callable[[], bool]) -> None:
    """Add the protocol's paths to the app."""
    known = _Known(models(kit, work))
    _about(app, known, ready)

    @app.post("/v2/models/{name}/infer", tags=[TAG])
    @app.post("/v2/models/{name}/versions/{asked}/infer", tags=[TAG])
    async def infer(name: str, request: Request, asked: str = NUMBER) -> Response:
        """Texts in BYTES tensors to what the model says; JSON, or with bytes behind it."""
        model = known.named(name, asked)
        body = await request.body()
        given = tensors.read(body, request.headers.get(tensors.HEADER))
        wanted = [one for one, _ in model.inputs]
        if sorted(given.texts) != sorted(wanted):
            raise UsageError(f"{name} takes the inputs: {', '.join(wanted)}")
        if any(not 0 < len(one) <= _MOST for some in given.texts.values() for one in some):
            raise UsageError(f"a text has 1 to {_MOST} characters")
        told, headers = tensors.write(name, NUMBER, given, await model.infer(request, given))
        return Response(told, headers=headers)


def _about(app: FastAPI, known: _Known, ready: Callable[[], bool]) -> None:
    @app.get("/v2", tags=[TAG])
    def server() -> dict[str, Any]:
        """The server and what it speaks beyond the required."""
        return {"name": "aegle", "version": version("aegle"), "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", tags=[TAG])
    def live() -> dict[str, bool]:
        """The process lives."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=[TAG])
    def is_ready() -> Response:
        """200 when the first request need not wait, else 503."""
        return Response(status_code=200 if ready() else 503)

    @app.get("/v2/models/{name}", tags=[TAG])
    @app.get("/v2/models/{name}/versions/{asked}", tags=[TAG])
    def metadata(name: str, asked: str = NUMBER) -> dict[str, Any]:
        """Inputs and outputs of a model."""
        return known.named(name, asked).metadata(name, NUMBER)

    @app.get("/v2/models/{name}/ready", tags=[TAG])
    @app.get("/v2/models/{name}/versions/{asked}/ready", tags=[TAG])
    def model_ready(name: str, asked: str = NUMBER) -> Response:
        """200 when it is."""
        known.named(name, asked)
        return Response(status_code=200 if ready() else 503)
