"""The Ask page: a question, an answer whose citations open the source, and why each hit came."""

from __future__ import annotations

import html
from typing import Any, Final

from nicegui import events, ui

from aegle.console import words
from aegle.console.frame import Drawer, beginning, call, is_empty, look
from aegle.console.style import CROSS
from aegle.flows import looking
from aegle.flows.kit import Kit

_SHOWN: Final = 420
"""Characters of a hit that are shown; the source has the rest."""


class AskPage:
    """The state of one visitor's Ask page."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._drawer = Drawer(kit)
        ui.label("Ask").classes("a-h").props("role=heading aria-level=1")
        with ui.element("div").classes("a-card"):
            with ui.element("div").classes("a-row"):
                self._question = (
                    ui.textarea(placeholder="A patient, a device, a host, an alert ...")
                    .props("outlined dense autofocus autogrow clearable rows=1 maxlength=4000")
                    .props(f'aria-label="Question" clear-icon="{CROSS}"')
                    .classes("a-grow a-ask")
                    .on("keydown.enter.prevent", self.ask)
                )
                self._button = ui.button("Ask", on_click=self.ask).props("no-caps unelevated")
            with ui.element("div").classes("a-row a-between"):
                ui.label(
                    "Real names and record numbers are welcome: they are replaced by this "
                    "workspace's stand-ins before anything is searched."
                ).classes("a-soft a-grow")
                self._generate = ui.checkbox("Let the language model phrase it").props("dense")
                self._generate.value = kit.settings.answers.generate
            self._examples = ui.element("div").classes("a-row a-examples")
        self._result = ui.column().classes("w-full gap-4").props('aria-live="polite"')

    async def begin(self) -> None:
        """Offer questions that this workspace can be asked."""
        if await look(is_empty, self._kit):
            with self._result:
                beginning(self._kit)
            return
        found = await look(looking.beginnings, self._kit)
        if not found:
            return
        with self._examples:
            ui.label("For example").classes("a-soft")
            for example in found:
                ui.button(example, on_click=lambda _, text=example: self.try_out(text)).props(
                    "outline dense no-caps"
                )

    async def try_out(self, example: str) -> None:
        """Ask one of the examples."""
        self._question.value = example
        await self.ask()

    async def ask(self) -> None:
        """Ask what stands in the field, and show what comes."""
        text = " ".join((self._question.value or "").split())
        if not text:
            ui.notify("Type a question first.", position="top")
            return
        self._button.props("loading")
        self._result.clear()  # an old answer must not stand under a new question
        try:
            await self._answer(text)
        finally:
            self._button.props(remove="loading")

    async def _answer(self, text: str) -> None:
        use_generator = bool(self._generate.value)
        answer = await call(
            self._kit, "ask", into=self._result, question=text, generate=use_generator
        )
        if answer is None:
            return
        found = await call(self._kit, "search", into=self._result, question=text)
        if found is None:
            return
        hits = found["hits"]
        keys = words.keys(via for hit in hits for via in hit["via"])
        names = await look(looking.names, self._kit, keys | {hit["group"] for hit in hits})
        self._show(text, answer, hits, names or {})

    def _show(
        self, asked: str, answer: dict[str, Any], hits: list[dict[str, Any]], names: dict[str, str]
    ) -> None:
        self._result.clear()
        with self._result:
            if answer["question"] != asked:
                with ui.element("div").classes("a-note"):
                    ui.label(f"Searched with stand-ins: {answer['question']}")
            if answer["refusal"]:
                with ui.element("div").classes("a-card a-refusal"):
                    ui.label("No answer").classes("a-h2")
                    ui.label(answer["refusal"])
                    if hits:
                        ui.label("What came nearest is below; judge it yourself.").classes("a-soft")
            else:
                self._claims(answer, {hit["document_id"]: hit for hit in hits})
            if hits:
                with ui.element("div").classes("a-card"):
                    ui.label("What was found, and why").classes("a-h2")
                    for hit in hits:
                        self._hit(hit, names)

    def _claims(self, answer: dict[str, Any], titles: dict[str, dict[str, Any]]) -> None:
        cited: list[dict[str, Any]] = []
        with ui.element("div").classes("a-card a-answer"):
            ui.label("Answer").classes("a-over")
            for claim in answer["claims"]:
                with ui.element("div").classes("a-claim"):
                    ui.html(html.escape(claim["text"]), sanitize=False).classes("inline")
                    for citation in claim["citations"]:
                        cited.append(citation)
                        self._mark(len(cited), citation)
            ui.label("Sources").classes("a-over a-gap")
            for number, citation in enumerate(cited, 1):
                self._source(number, citation, titles.get(citation["document_id"]))

    def _mark(self, number: int, citation: dict[str, Any]) -> None:
        async def show(_: events.GenericEventArguments) -> None:
            await self._drawer.open(citation["document_id"], citation["start"], citation["end"])

        mark = ui.html(str(number), sanitize=False, tag="button").classes("a-cite")
        mark.props(f'type=button aria-label="Open source {number}"')
        mark.on("click", show)

    def _source(self, number: int, citation: dict[str, Any], hit: dict[str, Any] | None) -> None:
        async def show() -> None:
            await self._drawer.open(citation["document_id"], citation["start"], citation["end"])

        title = (hit["title"] or words.kind(hit["kind"])) if hit else "Source"
        about = f"{words.kind(hit['kind'])} · " if hit else ""
        said = " ".join(citation["text"].split())
        with ui.element("div").classes("a-source"):
            ui.label(str(number)).classes("a-number")
            with ui.element("div").classes("a-grow"):
                ui.label(title).classes("a-title")
                ui.label(f"{about}“{said[:200]}{' ...' if len(said) > 200 else ''}”").classes(
                    "a-soft"
                )
            ui.button("Open", on_click=show).props(
                f'flat dense no-caps aria-label="Open the text of source {number}"'
            )

    def _hit(self, hit: dict[str, Any], names: dict[str, str]) -> None:
        async def show() -> None:
            await self._drawer.open(hit["document_id"], hit["start"], hit["end"])

        with ui.element("div").classes("a-hit"):
            with ui.element("div").classes("a-row a-top"):
                with ui.element("div").classes("a-grow"):
                    ui.label(hit["title"] or words.kind(hit["kind"])).classes("a-title")
                    about = [
                        words.kind(hit["kind"]),
                        names.get(hit["group"], ""),
                        hit["time"].replace("T", " ")[:16],
                    ]
                    ui.label(" · ".join(one for one in about if one)).classes("a-soft")
                ui.button("Open", on_click=show).props("flat dense no-caps")
            chips = "".join(words.chip(via, names) for via in hit["via"])
            ui.html(chips, sanitize=False).classes("a-chips")
            text = hit["text"] if len(hit["text"]) <= _SHOWN else hit["text"][:_SHOWN] + " ..."
            ui.label(text).classes("a-text")
