"""The Ask page: a question, an answer whose citations open the source, and why each hit came."""

from __future__ import annotations

import html
from typing import Any, Final

from nicegui import events, ui

from aegle.console.frame import Drawer, call, chip
from aegle.flows.kit import Kit

EXAMPLES: Final = (
    "Which host controls the infusion pumps in ICU-3?",
    "What vulnerability is open on the device gateway?",
    "Which patients have heart failure?",
)


class AskPage:
    """The state of one visitor's Ask page."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._drawer = Drawer(kit)
        ui.label("Ask your hospital").classes("a-h")
        with ui.element("div").classes("a-card"):
            self._question = (
                ui.input(placeholder="Ask about patients, devices, hosts, alerts ...")
                .props('outlined dense autofocus clearable aria-label="Question"')
                .classes("w-full")
                .on("keydown.enter", self.ask)
            )
            with ui.element("div").classes("a-row"):
                self._button = ui.button("Ask", on_click=self.ask).props("no-caps unelevated")
                self._generate = ui.checkbox("Let the generator phrase it")
                self._generate.value = kit.settings.answers.generate
            with ui.element("div").classes("a-row"):
                for example in EXAMPLES:
                    ui.button(example, on_click=lambda _, text=example: self.try_out(text)).props(
                        "flat dense no-caps size=sm"
                    )
        self._result = ui.column().classes("w-full gap-4")

    async def try_out(self, example: str) -> None:
        """Ask one of the examples."""
        self._question.value = example
        await self.ask()

    async def ask(self) -> None:
        """Ask what stands in the field, and show what comes."""
        text = (self._question.value or "").strip()
        if not text:
            ui.notify("Type a question first.", position="top")
            return
        self._button.props("loading")
        try:
            answer = await call(
                self._kit, "ask", question=text, generate=bool(self._generate.value)
            )
            hits = await call(self._kit, "search", question=text)
        finally:
            self._button.props(remove="loading")
        if answer is not None and hits is not None:
            self._show(answer, hits)

    def _show(self, answer: dict[str, Any], hits: dict[str, Any]) -> None:
        self._result.clear()
        with self._result:
            if answer["refusal"]:
                with ui.element("div").classes("a-card a-refusal"):
                    ui.label("No answer").classes("a-title")
                    ui.label(answer["refusal"])
            else:
                self._claims(answer)
            with ui.element("div").classes("a-card"):
                ui.label("What was found, and why").classes("a-title")
                for hit in hits["hits"]:
                    self._hit(hit)

    def _claims(self, answer: dict[str, Any]) -> None:
        number = 0
        with ui.element("div").classes("a-card"):
            ui.label("Answer").classes("a-soft")
            for claim in answer["claims"]:
                with ui.element("div").classes("a-claim"):
                    ui.html(html.escape(claim["text"]), sanitize=False).classes("inline")
                    for citation in claim["citations"]:
                        number += 1
                        self._mark(str(number), citation)

    def _mark(self, label: str, citation: dict[str, Any]) -> None:
        async def show(_: events.GenericEventArguments) -> None:
            await self._drawer.open(citation["document_id"], citation["start"], citation["end"])

        mark = ui.html(label, sanitize=False, tag="span").classes("a-cite")
        mark.props(f'role=button tabindex=0 aria-label="Open source {label}"')
        mark.on("click", show)
        mark.on("keydown.enter", show)

    def _hit(self, hit: dict[str, Any]) -> None:
        async def show() -> None:
            await self._drawer.open(hit["document_id"], hit["start"], hit["end"])

        with ui.element("div").classes("a-hit"):
            with ui.element("div").classes("a-row"):
                ui.label(hit["title"] or hit["kind"]).classes("a-title a-grow")
                ui.button("Open", on_click=show).props("flat dense no-caps size=sm")
            ui.html("".join(chip(via) for via in hit["via"]), sanitize=False)
            text = hit["text"] if len(hit["text"]) < 500 else hit["text"][:500] + " ..."
            ui.label(text).classes("a-text")
