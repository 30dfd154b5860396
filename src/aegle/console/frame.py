"""What every page has: header, styles, what went wrong, and the drawer that opens a source."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from nicegui import run, ui

from aegle.console import words
from aegle.console.style import CROSS, CSS, MARK
from aegle.core import observe
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


async def call(kit: Kit, command: str, *, into: ui.element | None = None, **params: Any) -> Any:
    """Run a command in a thread; an error becomes a note on the page and None."""
    return await look(commands.call, kit, command, params, into=into)


async def look(function: Callable[..., Any], *given: Any, into: ui.element | None = None) -> Any:
    """Run a function of the flows in a thread; an error becomes a note on the page and None.

    Args:
        into: where an error is told, instead of what stands there; a passing note without it.
    """
    try:
        return await run.io_bound(function, *given)
    except AegleError as error:
        _tell(str(error), into)
    except Exception as error:
        kind = type(error).__name__
        observe.event("unforeseen", level="error", error=observe.Label(kind))
        _tell(f"unforeseen {kind}; this is a bug of Aegle: please report it", into)
    return None


def _tell(what: str, into: ui.element | None) -> None:
    told = what[:1].upper() + what[1:]
    if into is None:
        ui.notify(
            told, color="blue-grey-10", position="top", multi_line=True, timeout=12_000,
            actions=[{"label": "Close", "color": "white", "noCaps": True}],
        )  # fmt: skip
        return
    into.clear()
    with into, ui.element("div").classes("a-card a-refusal").props("role=alert"):
        ui.label("That did not work").classes("a-h2")
        ui.label(told).classes("a-told")


def is_empty(kit: Kit) -> bool:
    """Whether nothing has been read into the workspace."""
    with kit.lock:
        return not kit.corpus.counts()["documents"]


def beginning(kit: Kit) -> None:
    """What to do with a workspace that nothing has been read into."""
    here = shlex.quote(str(kit.layout.root))
    with ui.element("div").classes("a-card"):
        ui.label("Nothing has been read into this workspace yet").classes("a-h2")
        ui.label("Read your files in from a terminal, then load this page again:").classes("a-soft")
        ui.label(f"aegle ingest FILES -w {here}").classes("a-code")
        ui.label("Or build a sample hospital beside it, and open that one:").classes("a-soft")
        ui.label("aegle demo --port 0").classes("a-code")


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
                ui.button(icon=CROSS, on_click=self._dialog.close).props(
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
