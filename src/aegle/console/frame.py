"""What every page has: the header, the styles, and the drawer that opens a source at a span."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from nicegui import run, ui

from aegle.console import words
from aegle.console.style import CSS, MARK
from aegle.core.errors import AegleError
from aegle.flows import commands
from aegle.flows.kit import Kit

PAGES: Final = (("Ask", "/"), ("Graph", "/graph"), ("Status", "/status"))


@contextmanager
def page(here: str) -> Iterator[None]:
    """The frame around a page's content."""
    ui.add_css(CSS)
    ui.colors(primary="#0f766e", warning="#92400e")
    with ui.header().classes("a-head"), ui.element("nav").classes("a-bar"):
        with ui.link(target="/").classes("a-brand").props('aria-label="Aegle, start page"'):
            ui.html(f"{MARK}<span>Aegle</span>", sanitize=False)
        for name, path in PAGES:
            link = ui.link(name, path).classes("a-nav on" if path == here else "a-nav")
            if path == here:
                link.props('aria-current="page"')
    with ui.column().classes("a-page"):
        yield


async def call(kit: Kit, command: str, **params: Any) -> Any:
    """Run a command in a thread; an error becomes a note on the page and None."""
    return await look(commands.call, kit, command, params)


async def look(function: Callable[..., Any], *given: Any) -> Any:
    """Run a function of the flows in a thread; an error becomes a note on the page and None."""
    try:
        return await run.io_bound(function, *given)
    except AegleError as error:
        ui.notify(
            str(error), color="blue-grey-10", position="top", multi_line=True, timeout=12_000,
            actions=[{"label": "Close", "color": "white", "noCaps": True}],
        )  # fmt: skip
        return None


class Drawer:
    """A panel that shows a document, scrolled to a marked span."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        with (
            ui.dialog().props('position=right full-height aria-label="Source"') as self._dialog,
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
            with ui.element("div").classes("a-drawer-head"):
                with ui.element("div").classes("a-grow"):
                    ui.label(found["title"] or words.kind(found["kind"])).classes("a-h2")
                    about = [words.kind(found["kind"]), found["time"].replace("T", " ")[:16]]
                    ui.label(" · ".join(one for one in about if one)).classes("a-soft")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    'flat round dense aria-label="Close the source"'
                )
            changed = words.plural(found["redactions"], "identifier")
            ui.label(f"De-identified: {changed} replaced.").classes("a-note")
            shown = words.marked(found["text"], start, end)
            ui.html(f'<div class="a-doc">{shown}</div>', sanitize=False)
            ui.label(f"document {document_id}, characters {start}-{end}").classes("a-soft a-id")
        self._dialog.open()
        ui.run_javascript(
            "setTimeout(() => document.querySelector('.a-doc mark')"
            "?.scrollIntoView({block: 'center'}), 300)"
        )
