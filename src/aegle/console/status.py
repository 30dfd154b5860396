"""The Status page: what the workspace holds, what was replaced, and what could not be read."""

from __future__ import annotations

from typing import Any, Final

from nicegui import ui

from aegle.console import words
from aegle.console.frame import beginning, call
from aegle.flows.kit import Kit

_SHOWN: Final = ("documents", "chunks", "entities", "relations", "files", "quarantined")
_MOST_ROWS: Final = 200
_LETTERS: Final = frozenset({"ip", "mrn", "ssn", "url"})
"""Classes of identifiers that are written in capitals."""


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
    if not found["documents"]:
        beginning(kit)
    _about(found)
    if found["documents"]:
        _counted(found)
    if found["documents"] or refused:
        _quarantine(refused)


def _counted(found: dict[str, Any]) -> None:
    with ui.element("div").classes("a-halves"):
        kinds = {words.kind(k[5:]): n for k, n in found.items() if k.startswith("kind.")}
        _bars("Documents by kind", kinds, "None.")
        replaced = {_class(k[9:]): n for k, n in found.items() if k.startswith("redacted.")}
        _bars("Identifiers replaced, by class", replaced, "None was found.")


def _class(name: str) -> str:
    return name.upper() if name in _LETTERS else name.replace("_", " ").capitalize()


def _about(found: dict[str, Any]) -> None:
    with ui.element("div").classes("a-card"):
        ui.label(found["workspace"]).classes("a-title")
        read, disk = words.size(found["bytes"]), words.size(found["size_bytes"])
        whole = (
            "Every document is whole in every store."
            if not found["unfinished"]
            else f"{words.plural(found['unfinished'], 'document')} will be finished by the next "
            "question or ingest."
        )
        about = f"{read} read, {disk} on disk."
        ui.label(f"{about} {whole}" if found["documents"] else about).classes("a-soft")


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
            with ui.element("div").classes("a-tr a-th").props("role=row"):
                for name in ("File", "Why"):
                    ui.label(name).props("role=columnheader")
            for row in refused[:_MOST_ROWS]:
                with ui.element("div").classes("a-tr").props("role=row"):
                    ui.label(row["path"]).classes("a-td a-id").props("role=cell")
                    ui.label(row["reason"]).classes("a-td").props("role=cell")
        if len(refused) > _MOST_ROWS:
            ui.label(f"and {len(refused) - _MOST_ROWS:,} more: aegle quarantine").classes("a-soft")
