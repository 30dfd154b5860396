"""The Status page: what the workspace holds, what was replaced, and what could not be read."""

from __future__ import annotations

from typing import Any, Final

from nicegui import ui

from aegle.console import words
from aegle.console.frame import call
from aegle.flows.kit import Kit

_SHOWN: Final = ("documents", "chunks", "entities", "relations", "files", "quarantined")
_MOST_ROWS: Final = 200


async def show_status(kit: Kit) -> None:
    """Counts of the workspace, and what lies in quarantine."""
    found = await call(kit, "status")
    refused = await call(kit, "quarantine")
    if found is None or refused is None:
        return
    ui.label("Status").classes("a-h").props("role=heading aria-level=1")
    with ui.element("div").classes("a-grid"):
        for name in _SHOWN:
            with ui.element("div").classes("a-card"):
                ui.label(f"{found[name]:,}").classes("a-num")
                ui.label(name).classes("a-soft")
    _about(found)
    with ui.element("div").classes("a-halves"):
        kinds = {words.kind(k[5:]): n for k, n in found.items() if k.startswith("kind.")}
        _bars("Documents by kind", kinds, "Nothing has been read yet: aegle ingest FILES.")
        replaced = {k[9:].replace("_", " "): n for k, n in found.items() if k[:9] == "redacted."}
        _bars("Identifiers replaced, by class", replaced, "None was found.")
    _quarantine(refused)


def _about(found: dict[str, Any]) -> None:
    with ui.element("div").classes("a-card"):
        ui.label(found["workspace"]).classes("a-title")
        read, disk = found["bytes"] / 1e6, found["size_bytes"] / 1e6
        whole = (
            "Every document is whole in every store."
            if not found["unfinished"]
            else f"{words.plural(found['unfinished'], 'document')} will be finished by the next "
            "question or ingest."
        )
        ui.label(f"{read:,.1f} MB of text, {disk:,.1f} MB on disk. {whole}").classes("a-soft")


def _bars(title: str, counts: dict[str, int], otherwise: str) -> None:
    with ui.element("div").classes("a-card"):
        ui.label(title).classes("a-h2")
        if not counts:
            ui.label(otherwise).classes("a-soft")
        most = max(counts.values(), default=1)
        for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
            with ui.element("div").classes("a-count"):
                ui.label(name).classes("a-count-name")
                with ui.element("div").classes("a-track"):
                    share = max(100 * count / most, 1)
                    ui.element("div").classes("a-fill").style(f"width: {share:.1f}%")
                ui.label(f"{count:,}").classes("a-count-number")


def _quarantine(refused: list[dict[str, str]]) -> None:
    with ui.element("div").classes("a-card"):
        ui.label("Quarantine").classes("a-h2")
        if not refused:
            ui.label("Every file could be read.").classes("a-soft")
            return
        ui.label("Not read, and why. Mend the file and ingest it again.").classes("a-soft")
        with ui.element("div").classes("a-table").props("role=table"):
            for row in refused[:_MOST_ROWS]:
                with ui.element("div").classes("a-tr").props("role=row"):
                    ui.label(row["path"]).classes("a-td a-id").props("role=cell")
                    ui.label(row["reason"]).classes("a-td").props("role=cell")
        if len(refused) > _MOST_ROWS:
            ui.label(f"and {len(refused) - _MOST_ROWS:,} more: aegle quarantine").classes("a-soft")
