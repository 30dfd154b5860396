"""The HTTP API over a kit: ask, search, extract, graph, health and metrics; one error shape."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from aegle.core import observe
from aegle.core.errors import AegleError
from aegle.flows import commands, extracting
from aegle.flows.kit import Kit
from aegle.serve import wire

MAX_BODY_BYTES: Final = 2_000_000
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FAILURES: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": wire.Failure} for code in (400, 404, 422, 500)
}

Next = Callable[[Request], Awaitable[Response]]


def failure(kind: str, message: str, status: int) -> JSONResponse:
    """The one error shape."""
    body = {"error": {"type": kind, "message": message, "status": status}}
    return JSONResponse(body, status_code=status)


def build_app(kit: Kit) -> FastAPI:
    """The API of an open kit, without the console."""
    app = FastAPI(
        title="Aegle",
        version="1",
        description="Answers with citations, search, extraction and graph of one workspace.",
        docs_url=None,  # the stock page loads scripts from the internet; /openapi.json is enough
        redoc_url=None,
    )
    _guard(app, kit)
    _measure(app, kit)
    _errors(app)
    _ask(app, kit)
    _explore(app, kit)
    _health(app, kit)
    return app


def _guard(app: FastAPI, kit: Kit) -> None:
    if kit.settings.serve.host in _LOOPBACK:
        # A web page elsewhere must not reach a local server by a name that it rebinds.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, "testserver"])

    @app.middleware("http")
    async def limit(request: Request, call_next: Next) -> Response:
        size = request.headers.get("content-length", "0")
        if request.url.path.startswith("/v1/") and size.isdigit() and int(size) > MAX_BODY_BYTES:
            return failure("UsageError", f"a body has at most {MAX_BODY_BYTES} bytes", 413)
        return await call_next(request)


def _measure(app: FastAPI, kit: Kit) -> None:
    registry = CollectorRegistry()
    seconds = Histogram(
        "aegle_request_seconds", "Time to answer", ["path"], registry=registry, buckets=_BUCKETS
    )
    count = Counter("aegle_requests", "Requests", ["path", "status"], registry=registry)
    held = Gauge("aegle_held", "What the workspace holds", ["what"], registry=registry)

    @app.middleware("http")
    async def measure(request: Request, call_next: Next) -> Response:
        if not request.url.path.startswith("/v1/"):
            return await call_next(request)
        started = time.perf_counter()
        response = await call_next(request)
        # The route's template, not the path asked for, which might hold an identifier.
        path = getattr(request.scope.get("route"), "path", "unknown")
        seconds.labels(path).observe(time.perf_counter() - started)
        count.labels(path, str(response.status_code)).inc()
        return response

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics() -> Response:
        """Counts and latencies for Prometheus."""
        for what, value in kit.corpus.counts().items():
            held.labels(what).set(value)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _told(error: dict[str, Any]) -> str:
    """What is wrong with a request, without its values: they may hold what a patient said."""
    # The name of a field that there is none of is a value, too.
    place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return f"{'.'.join(map(str, place))}: {error['msg']}"


def _errors(app: FastAPI) -> None:
    @app.exception_handler(AegleError)
    async def known(_: Request, error: AegleError) -> JSONResponse:
        return failure(type(error).__name__, str(error), error.http_status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return failure("UsageError", "; ".join(map(_told, error.errors())), 422)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return failure("UsageError", str(error.detail), error.status_code)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        observe.event("unforeseen", level="error", error=observe.Label(type(error).__name__))
        kind = type(error).__name__
        return failure("AegleError", f"unforeseen {kind}; this is a bug of Aegle: report it", 500)


def _ask(app: FastAPI, kit: Kit) -> None:
    @app.post("/v1/ask", response_model=wire.Answer, responses=_FAILURES, tags=["knowledge"])
    def ask(body: wire.Ask) -> Any:
        """Answer a question; every claim cites characters of a stored document."""
        return commands.call(kit, "ask", body.model_dump())

    @app.post("/v1/search", response_model=wire.Hits, responses=_FAILURES, tags=["knowledge"])
    def search(body: wire.Search) -> Any:
        """Find chunks, with why each was found."""
        return commands.call(kit, "search", body.model_dump())

    @app.post("/v1/extract", response_model=wire.Facts, responses=_FAILURES, tags=["knowledge"])
    def extract(body: wire.Extract) -> Any:
        """Entities, assertions, relations and concepts of a text."""
        return extracting.extract_text(kit, body.text, domain=body.domain)


def _explore(app: FastAPI, kit: Kit) -> None:
    @app.get("/v1/graph", response_model=wire.Graph, responses=_FAILURES, tags=["knowledge"])
    def graph(entity: str, hops: int = 1, limit: int = 60, to: str = "") -> Any:
        """What an entity is tied to, or the shortest explanation of how two are tied."""
        params = {"entity": entity, "hops": min(max(hops, 1), 4), "limit": limit, "to": to}
        return commands.call(kit, "graph", params)

    @app.get("/v1/documents/{document_id}", responses=_FAILURES, tags=["knowledge"])
    def document(document_id: str) -> Any:
        """A stored, de-identified document with its facts."""
        return commands.call(kit, "document", {"document_id": document_id})


def _health(app: FastAPI, kit: Kit) -> None:
    @app.get("/healthz", tags=["operations"])
    def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"], responses={503: {"model": wire.Failure}})
    def readyz() -> Any:
        """The stores are open and the encoder is loaded; 503 until then."""
        missing = [port for port in ("encoder", "corpus", "index") if port not in kit.__dict__]
        if missing:
            return failure("BackendError", f"not open yet: {', '.join(missing)}", 503)
        return {"status": "ready"}
