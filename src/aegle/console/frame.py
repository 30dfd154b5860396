"""What every page has: the header, the styles, and the drawer that opens a source at a span."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from nicegui import run, ui

from aegle.console.style import CSS
from aegle.core.errors import AegleError
from aegle.flows import commands
from aegle.flows.kit import Kit

PAGES: Final = (("Ask", "/"), ("Graph", "/graph"), ("Status", "/status"))


@contextmanager
def page(here: str) -> Iterator[None]:
    """The frame around a page's content."""
    ui.add_css(CSS)
    with ui.header().classes("a-head"), ui.row().classes("w-full items-center no-wrap gap-2"):
        with ui.link(target="/").classes("a-brand"):
            ui.html("&#9764;&nbsp;Aegle", sanitize=False)
        ui.space()
        for name, path in PAGES:
            ui.link(name, path).classes("a-nav on" if path == here else "a-nav")
    with ui.column().classes("a-page"):
        yield


async def call(kit: Kit, command: str, **params: Any) -> Any:
    """Run a command in a thread; an error becomes a note on the page and None."""
    try:
        return await run.io_bound(commands.call, kit, command, params)
    except AegleError as error:
        ui.notify(str(error), type="warning", position="top", multi_line=True, close_button=True)
        return None


class Drawer:
    """A panel that shows a document, scrolled to a marked span."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        with (
            ui.dialog().props("position=right maximized=false") as self._dialog,
            ui.card().classes("a-drawer"),
        ):
            self._box = ui.column().classes("w-full gap-2")

    async def open(self, document_id: str, start: int, end: int) -> None:
        """Show a document with characters start..end marked."""
        found = await call(self._kit, "document", document_id=document_id)
        if found is None:
            return
        self._box.clear()
        with self._box:
            with ui.row().classes("w-full items-start no-wrap"):
                ui.label(found["title"] or found["kind"]).classes("a-h a-grow")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    'flat round dense aria-label="Close the source"'
                )
            about = [found["kind"], found["group"], found["time"], document_id]
            changed = f"{found['redactions']} identifiers replaced"
            ui.label(" · ".join([one for one in about if one] + [changed])).classes("a-soft")
            shown = marked(found["text"], start, end)
            ui.html(f'<div class="a-doc">{shown}</div>', sanitize=False)
        self._dialog.open()
        ui.run_javascript(
            "setTimeout(() => document.querySelector('.a-doc mark')"
            "?.scrollIntoView({block: 'center'}), 250)"
        )


def marked(text: str, start: int, end: int) -> str:
    """A text as HTML with characters start..end in a ``mark``; everything is escaped."""
    before, inside, after = text[:start], text[start:end], text[end:]
    return f"{html.escape(before)}<mark>{html.escape(inside)}</mark>{html.escape(after)}"


def chip(via: str) -> str:
    """One reason why a hit was found, as HTML."""
    kind = "graph" if via.startswith("graph") else "dense" if via.startswith("dense") else "text"
    return f'<span class="a-chip {kind}">{html.escape(via)}</span>'
