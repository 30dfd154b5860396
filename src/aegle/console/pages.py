"""The console's pages on the server's app: Ask, Graph, Status."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from nicegui import ui

from aegle.console.ask import AskPage
from aegle.console.frame import call, page
from aegle.console.graph import GraphPage
from aegle.flows.kit import Kit

_SHOWN: Final = ("documents", "chunks", "entities", "relations", "files", "quarantined")


def attach(app: FastAPI, kit: Kit) -> None:
    """Add the console to the server's app."""

    @ui.page("/", title="Ask - Aegle")
    def ask_page() -> None:
        with page("/"):
            AskPage(kit)

    @ui.page("/graph", title="Graph - Aegle")
    async def graph_page(entity: str = "", to: str = "") -> None:
        with page("/graph"):
            shown = GraphPage(kit, entity, to)
            if entity:
                await shown.show()

    @ui.page("/status", title="Status - Aegle")
    async def status_page() -> None:
        with page("/status"):
            await show_status(kit)

    ui.run_with(app, title="Aegle", show_welcome_message=False, reconnect_timeout=10.0)


async def show_status(kit: Kit) -> None:
    """Counts of the workspace, and what lies in quarantine."""
    found = await call(kit, "status")
    refused = await call(kit, "quarantine")
    ui.label("Status").classes("a-h")
    with ui.element("div").classes("a-grid"):
        for name in _SHOWN:
            with ui.element("div").classes("a-card"):
                ui.label(f"{found[name]:,}").classes("a-num")
                ui.label(name).classes("a-soft")
    with ui.element("div").classes("a-card"):
        ui.label(found["workspace"]).classes("a-title")
        size = (
            f"{found['size_bytes'] / 1e6:,.1f} MB on disk for {found['bytes'] / 1e6:,.1f} MB read"
        )
        ui.label(size).classes("a-soft")
        whole = (
            "whole" if not found["unfinished"] else f"{found['unfinished']} documents unfinished"
        )
        ui.label(f"The workspace is {whole}.").classes("a-soft")
    with ui.element("div").classes("a-card"):
        ui.label("Quarantine").classes("a-title")
        if not refused:
            ui.label("Every file could be read.").classes("a-soft")
        for row in refused[:200]:
            with ui.element("div").classes("a-edge"):
                ui.label(row["path"]).classes("a-text")
                ui.label(row["reason"]).classes("a-soft")
        if len(refused) > 200:
            ui.label(f"and {len(refused) - 200} more: aegle quarantine").classes("a-soft")
