"""Endpoints for one task each: extract, classify, rerank; and the swap of a model."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from aegle.core.errors import UsageError
from aegle.flows import scoring, swapping
from aegle.flows.kit import Kit
from aegle.serve import wire
from aegle.serve.generation import Generations
from aegle.serve.route import Router
from aegle.serve.work import Work

_Text = Annotated[str, Field(max_length=200_000)]


class Classify(wire.Body):
    """Texts to be told what they are."""

    texts: Annotated[list[_Text], Field(min_length=1, max_length=64)]
    head: Annotated[str, Field(max_length=100, examples=["technique"])] = "technique"
    top: Annotated[int, Field(ge=1, le=1000)] = 5


class Tag(wire.Body):
    """Texts in which the names of a label set are to be found."""

    texts: Annotated[list[_Text], Field(min_length=1, max_length=64)]
    head: Annotated[str, Field(max_length=100, examples=["clinical"])]


class Passage(wire.Body):
    """A passage as an object."""

    text: _Text


class Rerank(wire.Body):
    """A question and passages, as Cohere and Jina ask."""

    model: Annotated[str, Field(max_length=300, description="not read: there is one")] = ""
    query: Annotated[str, Field(min_length=1, max_length=2000)]
    documents: Annotated[list[_Text | Passage], Field(min_length=1, max_length=200)]
    top_n: Annotated[int | None, Field(ge=1)] = None
    return_documents: bool = False


class Swap(wire.Body):
    """Another model for a port."""

    port: Literal["tagger", "generator"]
    model: Annotated[str, Field(min_length=1, max_length=500, description="as aegle models")]


def attach(app: FastAPI, kit: Kit, work: Work, generations: Generations, router: Router) -> None:
    """Add the endpoints to the app."""
    _read(app, kit, work, router)

    @app.post("/v1/rerank", tags=["models"])
    def rerank(body: Rerank, request: Request) -> Any:
        """How well each passage answers; question and passages are de-identified before."""
        texts = [one if isinstance(one, str) else one.text for one in body.documents]
        scores = scoring.score(kit, body.query, texts)
        name = scoring.reranker(kit).name
        request.scope["aegle"] |= {"model": name, "items": len(texts)}
        order = sorted(range(len(texts)), key=lambda n: (-scores[n], n))[: body.top_n]
        results: list[dict[str, Any]] = [{"index": n, "relevance_score": scores[n]} for n in order]
        if body.return_documents:
            for one in results:
                one["document"] = {"text": texts[one["index"]]}
        return {"model": name, "results": results}

    @app.post("/admin/models", tags=["operations"])
    async def swap(body: Swap, request: Request) -> Any:
        """Load a model, try it, switch to it and let go of the old one; no request fails."""
        if body.model.startswith(("http:", "https:")):
            raise UsageError("a model is a name of aegle models, path: or hf:, and no address")
        version = ""
        if body.port == "tagger":
            version = await run_in_threadpool(swapping.tagger, kit, body.model)
            work.forget()
        else:
            await run_in_threadpool(generations.swap, body.model)
        kit.ledger.audit("model swapped", port=body.port, model=body.model, version=version)
        request.scope["aegle"] |= {"model": version or body.model, "items": 1}
        return {"port": body.port, "model": body.model, "version": version}


def _read(app: FastAPI, kit: Kit, work: Work, router: Router) -> None:
    @app.post("/v1/extract", response_model=wire.Facts, tags=["knowledge"])
    async def extract(body: wire.Extract, request: Request, response: Response) -> Any:
        """Entities, assertions, relations and concepts of a text.

        During a rollout the header X-Aegle-Rollout is the id that feedback is given for.
        """
        began = time.perf_counter()
        found = await work.extract(request, body.text, body.domain)
        if token := router.replied(request, time.perf_counter() - began):
            response.headers["x-aegle-rollout"] = token
        return found

    @app.post("/v1/tag", tags=["models"])
    def tag(body: Tag, request: Request) -> Any:
        """What the tagger itself finds by a label set, in characters of the text as it came.

        ``/v1/extract`` says what a text means: by terminologies and rules, too, de-identified.
        """
        version, told = scoring.spans(kit, body.texts, body.head)
        request.scope["aegle"] |= {"model": version, "items": len(body.texts)}
        return {"model": version, "head": body.head, "results": [{"spans": one} for one in told]}

    @app.post("/v1/classify", tags=["models"])
    def classify(body: Classify, request: Request) -> Any:
        """What each text is, by a head of the tagger, likeliest first."""
        told = scoring.classes(kit, body.texts, body.head)
        request.scope["aegle"] |= {"model": kit.tagger_version, "items": len(body.texts)}
        return {
            "model": kit.tagger_version,
            "head": body.head,
            "results": [labels[: body.top] for labels in told],
        }
