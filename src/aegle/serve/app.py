"""The HTTP API over a kit: ask, search, extract, models, graph, health and metrics."""

from __future__ import annotations

import threading
from typing import Any, Final

from fastapi import FastAPI, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware

from aegle.flows import commands
from aegle.flows.kit import Kit
from aegle.serve import failures, feedback, oip, openai, tasks, wire
from aegle.serve.access import Access
from aegle.serve.audit import Audit
from aegle.serve.failures import failure
from aegle.serve.gate import MAX_BODY_BYTES as MAX_BODY_BYTES
from aegle.serve.gate import Gate
from aegle.serve.generation import Generations
from aegle.serve.measures import Measures
from aegle.serve.route import Router
from aegle.serve.work import Work

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_FAILURES: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": wire.Failure} for code in (400, 401, 403, 404, 413, 422, 429, 500, 503)
}


class Server:
    """An app with what stands around it: the gate, the work, and whether it is warm.

    Attributes:
        app: without the console.
        warm: set when the first request need not wait; `run` clears it until then.
    """

    def __init__(self, kit: Kit) -> None:
        wanted = kit.settings.serve
        beyond = wanted.host not in LOOPBACK and not wanted.open_reason
        self.measures = Measures()
        access = Access(kit.layout, required=wanted.require_keys or beyond)
        self.audit = Audit(kit.layout.journal)
        self.gate = Gate(access, self.audit, self.measures)
        self.router = Router(kit, self.measures, idle=lambda: not self.gate.in_flight)
        self.work = Work(kit, self.measures, self.router)
        self.generations = Generations(kit)
        self.warm = threading.Event()
        self.warm.set()
        self.app = _app(kit, self)

    def close(self) -> None:
        """Do what waits, and let go of the audit's file."""
        self.work.close()
        self.router.close()
        self.audit.close()


def build_app(kit: Kit) -> FastAPI:
    """The API of an open kit, without the console."""
    return Server(kit).app


def _app(kit: Kit, server: Server) -> FastAPI:
    app = FastAPI(
        title="Aegle",
        version="1",
        description="Answers with citations, search, extraction and graph of one workspace.",
        docs_url=None,  # the stock page loads scripts from the internet; /openapi.json is enough
        redoc_url=None,
        responses=_FAILURES,
    )
    app.add_middleware(server.gate.around)
    if kit.settings.serve.host in LOOPBACK:
        # A web page elsewhere must not reach a local server by a name that it rebinds.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "testserver"])
    failures.attach(app)
    _measure(app, kit, server)
    _ask(app, kit)
    tasks.attach(app, kit, server.work, server.generations, server.router)
    openai.attach(app, kit, server.work, server.generations)
    feedback.attach(app, server.router)
    oip.attach(app, kit, server.work, lambda: not _missing(kit) and server.warm.is_set())
    _explore(app, kit)
    _health(app, kit, server)
    return app


def _measure(app: FastAPI, kit: Kit, server: Server) -> None:
    measures = server.measures
    measures.watch("aegle_in_flight", "Being answered", lambda: server.gate.in_flight)
    measures.watch(
        "aegle_waiting_conversations", "For the generator", lambda: server.generations.waiting
    )

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics() -> Response:
        """Counts and latencies for Prometheus."""
        for what, value in kit.corpus.counts().items():
            measures.held(what, value)
        return Response(measures.shown(), media_type=CONTENT_TYPE_LATEST)


def _ask(app: FastAPI, kit: Kit) -> None:
    @app.post("/v1/ask", response_model=wire.Answer, tags=["knowledge"])
    def ask(body: wire.Ask) -> Any:
        """Answer a question; every claim cites characters of a stored document."""
        return commands.call(kit, "ask", body.model_dump())

    @app.post("/v1/search", response_model=wire.Hits, tags=["knowledge"])
    def search(body: wire.Search) -> Any:
        """Find chunks, with why each was found."""
        return commands.call(kit, "search", body.model_dump())


def _explore(app: FastAPI, kit: Kit) -> None:
    @app.get("/v1/graph", response_model=wire.Graph, tags=["knowledge"])
    def graph(entity: str, hops: int = 1, limit: int = 60, to: str = "") -> Any:
        """What an entity is tied to, or the shortest explanation of how two are tied."""
        params = {"entity": entity, "hops": min(max(hops, 1), 4), "limit": limit, "to": to}
        return commands.call(kit, "graph", params)

    @app.get("/v1/documents/{document_id}", tags=["knowledge"])
    def document(document_id: str) -> Any:
        """A stored, de-identified document with its facts."""
        return commands.call(kit, "document", {"document_id": document_id})


def _missing(kit: Kit) -> list[str]:
    """What isn't open yet of what every request needs."""
    return [port for port in ("encoder", "corpus", "index") if port not in kit.__dict__]


def _health(app: FastAPI, kit: Kit, server: Server) -> None:
    @app.get("/healthz", tags=["operations"])
    def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"], responses={503: {"model": wire.Failure}})
    def readyz() -> Any:
        """The stores are open and the encoder is loaded; 503 until then."""
        if missing := _missing(kit):
            return failure("BackendError", f"not open yet: {', '.join(missing)}", 503)
        if not server.warm.is_set():
            return failure("BackendError", "the models are being warmed up", 503)
        return {"status": "ready"}
