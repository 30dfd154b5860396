"""The console's pages on the server's app: Ask, Graph, Status."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

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
            if entity:
                await ui.context.client.connected()
                await shown.show()

    @ui.page("/status", title="Status - Aegle")
    async def status_page() -> None:
        with page("/status"):
            await ui.context.client.connected()
            await show_status(kit)

    ui.run_with(app, title="Aegle", show_welcome_message=False, reconnect_timeout=10.0)
