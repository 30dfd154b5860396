"""The console's pages on the server's app: Ask, Graph, Status."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from nicegui import Client, ui
from nicegui import app as nicegui_app

from aegle.console.ask import AskPage
from aegle.console.frame import page
from aegle.console.graph import GraphPage
from aegle.console.status import show_status
from aegle.flows.kit import Kit


def attach(app: FastAPI, kit: Kit) -> None:
    """Add the console to the server's app."""

    @ui.page("/", title="Ask - Aegle")
    async def ask_page(q: str = "") -> None:
        with page("/"):
            shown = AskPage(kit)
            await ui.context.client.connected()  # a page must be there within three seconds
            await shown.begin()
            if q:
                await shown.try_out(q)

    @ui.page("/graph", title="Graph - Aegle")
    async def graph_page(entity: str = "", to: str = "") -> None:
        with page("/graph"):
            shown = GraphPage(kit, entity, to)
            await ui.context.client.connected()
            await shown.begin()

    @ui.page("/status", title="Status - Aegle")
    async def status_page() -> None:
        with page("/status"):
            await ui.context.client.connected()
            await show_status(kit)

    @nicegui_app.exception_handler(404)
    async def no_such_page(request: Request, _: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Not Found", 404)
        with Client(ui.page(""), request=request) as client:
            _lost("There is no such page")
        return client.build_response(request, 404)

    @nicegui_app.on_page_exception
    def unforeseen(error: Exception) -> None:
        _lost(f"Unforeseen {type(error).__name__}; this is a bug of Aegle: please report it")

    ui.run_with(app, title="Aegle", show_welcome_message=False, reconnect_timeout=10.0)


def _lost(what: str) -> None:
    with page(""), ui.element("div").classes("a-card a-refusal"):
        ui.label(what).classes("a-h2")
        ui.link("Ask a question", "/").classes("a-link")
