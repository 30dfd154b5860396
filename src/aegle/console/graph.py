"""The Graph page: explore from any entity, or see the path that ties two, with its evidence."""

from __future__ import annotations

import math
from typing import Any

from nicegui import events, ui

from aegle.console import words
from aegle.console.frame import Drawer, beginning, call, is_empty, look
from aegle.console.style import COLOURS, CROSS, OTHER
from aegle.flows import looking
from aegle.flows.kit import Kit

_NODES = 26
_LISTED = 30
_RING = 14
_WIDER = 1.3
_NAMED = 45
"""With more nodes than this only the one in the middle has its name beside it."""


def _places(keys: list[str], centre: str, kinds: dict[str, str]) -> dict[str, tuple[float, float]]:
    """The centre in the middle, the others around it by type, on rings that are full at 14 nodes.

    Computed, not simulated: the same question gives the same picture, and nothing lies outside it.
    """
    around = sorted((key for key in keys if key != centre), key=lambda key: (kinds[key], key))
    rings = math.ceil(len(around) / _RING)
    found = {centre: (0.0, 0.0)}
    for n, key in enumerate(around):
        angle = 2 * math.pi * n / len(around) - math.pi / 2
        radius = 1 + (n % rings) * 0.55
        found[key] = (_WIDER * radius * math.cos(angle), radius * math.sin(angle))
    return found


def options(found: dict[str, Any], ties: list[dict[str, Any]]) -> dict[str, Any]:
    """A neighbourhood as an ECharts force graph: one line for what many documents say."""
    centre = found["entity"]["key"]
    types = sorted({node["type"] for node in found["nodes"]})
    kinds = {node["key"]: node["type"] for node in found["nodes"]}
    crowded = len(found["nodes"]) > _NAMED
    places = _places([node["key"] for node in found["nodes"]], centre, kinds)
    nodes = [
        {
            "id": node["key"],
            "x": places[node["key"]][0],
            "y": places[node["key"]][1],
            "name": node["name"] or node["key"],
            "value": node["type"],
            "category": types.index(node["type"]),
            "symbolSize": 38 if node["key"] == centre else 20,
            "label": {
                "show": not crowded or node["key"] == centre,
                "fontWeight": "bold" if node["key"] == centre else "normal",
            },
        }
        for node in found["nodes"]
    ]
    links = [
        {
            "source": tie["head"],
            "target": tie["tail"],
            "value": words.relation(tie["type"]),
            "label": {
                "show": len(ties) <= 24
                or (len(found["nodes"]) <= 16 and centre in (tie["head"], tie["tail"])),
                "formatter": words.relation(tie["type"]),
            },
            "lineStyle": {
                "type": "solid" if tie["assertion"] == "present" else "dashed",
                "width": min(1 + tie["count"] / 4, 3),
                "opacity": 0.9 if centre in (tie["head"], tie["tail"]) else 0.25,
            },
        }
        for tie in ties
        if tie["head"] != tie["tail"]
    ]
    return {
        "tooltip": {"confine": True},
        "legend": {"type": "scroll", "top": 0, "left": 0, "data": types},
        "animationDuration": 300,
        "series": [
            {**_LOOKS, "data": nodes, "links": links, "categories": [_look(t) for t in types]}
        ],
    }


_LOOKS: dict[str, Any] = {
    "type": "graph",
    "layout": "none",
    "roam": True,
    "scaleLimit": {"min": 0.4, "max": 4},
    "edgeSymbol": ["none", "arrow"],
    "edgeSymbolSize": 7,
    "label": {
        "position": "bottom", "fontSize": 12, "color": "#16232f", "overflow": "truncate",
        "width": 130, "textBorderColor": "#ffffff", "textBorderWidth": 3,
    },
    "labelLayout": {"hideOverlap": True},
    "edgeLabel": {
        "fontSize": 10, "color": "#465564", "textBorderColor": "#ffffff", "textBorderWidth": 2,
    },
    "lineStyle": {"color": "#94a3b2", "opacity": 0.9, "curveness": 0.06},
    "emphasis": {"focus": "adjacency", "lineStyle": {"width": 3}},
}  # fmt: skip


def _look(kind: str) -> dict[str, Any]:
    return {"name": kind, "itemStyle": {"color": COLOURS.get(kind, OTHER)}}


class GraphPage:
    """The state of one visitor's Graph page."""

    def __init__(self, kit: Kit, entity: str, to: str) -> None:
        self._kit = kit
        self._drawer = Drawer(kit)
        ui.label("Graph").classes("a-h").props("role=heading aria-level=1")
        with ui.element("div").classes("a-card"):
            with ui.element("div").classes("a-row"):
                self._entity = self._field("From", "PUMP-0042, a host, a drug, CVE-...", entity)
                self._to = self._field("To", "optional: shows what leads there", to)
                self._button = ui.button("Show", on_click=self.show).props("no-caps unelevated")
            ui.label(
                "Names as in the documents, codes, or a real name or record number: those are "
                "replaced by stand-ins first."
            ).classes("a-soft")
        self._result = ui.column().classes("w-full gap-4")
        self._asked: tuple[str, str] | None = None  # what is being looked up

    def _field(self, label: str, hint: str, value: str) -> ui.input:
        field = ui.input(label=label, placeholder=hint, value=value)
        field.props(f'outlined dense clearable aria-label="{label}" clear-icon="{CROSS}"')
        field.classes("a-grow")
        field.on("keydown.enter", self.show)
        return field

    async def begin(self) -> None:
        """Draw what the page's address names; say what to do in a workspace that holds nothing."""
        if await look(is_empty, self._kit):
            with self._result:
                beginning(self._kit)
        elif self._entity.value:
            await self.show()

    async def show(self) -> None:
        """Draw what the fields name."""
        entity = (self._entity.value or "").strip()
        if not entity:
            ui.notify("Name an entity first.", position="top")
            return
        to = (self._to.value or "").strip()
        if self._asked == (entity, to):
            return
        self._asked = mine = (entity, to)
        self._button.props("loading")
        self._result.clear()
        into = self._result
        try:
            found = await call(
                self._kit, "graph", into=into, entity=entity, to=to, hops=1, limit=_NODES
            )
            ties = await look(looking.ties, self._kit, found["edges"], into=into) if found else None
        finally:
            last = self._asked == mine
            if last:
                self._asked = None
                self._button.props(remove="loading")
        if found is None or ties is None or not last:  # something else was asked meanwhile
            return
        with self._result:
            self._draw(found, ties, path=bool(to))

    async def go(self, key: str) -> None:
        """Walk on to another node."""
        self._entity.value, self._to.value = key, ""
        await self.show()

    def _draw(self, found: dict[str, Any], ties: list[dict[str, Any]], *, path: bool) -> None:
        names = {node["key"]: node["name"] or node["key"] for node in found["nodes"]}
        kinds = {node["key"]: node["type"] for node in found["nodes"]}
        name = found["entity"]["name"] or found["entity"]["key"]
        if not ties:
            with ui.element("div").classes("a-card a-refusal"):
                told = "No path leads there." if path else f"Nothing is known to tie {name} to."
                ui.label(told)
            return
        if path:
            self._path(found, ties, names)
            return
        centre = found["entity"]["key"]
        ties = sorted(ties, key=lambda tie: centre not in (tie["head"], tie["tail"]))
        with ui.element("div").classes("a-card"):
            ui.label(name).classes("a-h2")
            told = f"{kinds.get(found['entity']['key'], '')} · {words.plural(len(ties), 'tie')}"
            ui.label(f"{told} shown · click a node to walk on").classes("a-soft")
            self._chart(found, ties)
        with ui.element("div").classes("a-card"):
            ui.label("Every edge with its evidence").classes("a-h2")
            for tie in ties[:_LISTED]:
                self._tie(tie, names, kinds)
            if len(ties) > _LISTED:
                more = words.plural(len(ties) - _LISTED, "tie")
                ui.label(f"and {more} more; walk on to see them").classes("a-soft")

    def _chart(self, found: dict[str, Any], ties: list[dict[str, Any]]) -> None:
        async def clicked(event: events.EChartPointClickEventArguments) -> None:
            if event.data_type == "node":
                await self.go(found["nodes"][event.data_index]["key"])

        chart = ui.echart(options(found, ties), on_point_click=clicked).classes("a-chart")
        chart.props('role=img aria-label="The entity and what it is tied to; listed below"')

    def _path(
        self, found: dict[str, Any], ties: list[dict[str, Any]], names: dict[str, str]
    ) -> None:
        nodes = [node for node in found["nodes"] if node["type"] != "chunk"]
        with ui.element("div").classes("a-card"):
            ui.label(f"How {names[nodes[0]['key']]} leads to {names[nodes[-1]['key']]}").classes(
                "a-h2"
            )
            ways = [node["key"] for node in found["nodes"]]
            for here, after in zip(ways, [*ways[1:], ""], strict=True):
                node = next(one for one in found["nodes"] if one["key"] == here)
                self._stop(node)
                for tie in ties:
                    if {tie["head"], tie["tail"]} == {here, after}:
                        with ui.element("div").classes("a-step"):
                            arrow = "\u2193" if tie["head"] == here else "\u2191"
                            ui.label(f"{arrow} {words.relation(tie['type'])}").classes("a-rel")
                            self._said(tie, most=2)

    def _stop(self, node: dict[str, Any]) -> None:
        with ui.element("div").classes("a-stop"):
            colour = COLOURS.get(node["type"], OTHER)
            ui.element("span").classes("a-dot").style(f"background: {colour}")
            if node["type"] == "chunk":
                ui.label("a text that mentions both").classes("a-soft")
                return
            self._link(node["key"], node["name"] or node["key"])
            ui.label(node["type"].replace("_", " ")).classes("a-soft")

    def _link(self, key: str, name: str) -> None:
        async def walk() -> None:
            await self.go(key)

        ui.button(name, on_click=walk).props("flat dense no-caps").classes("a-walk")

    def _tie(self, tie: dict[str, Any], names: dict[str, str], kinds: dict[str, str]) -> None:
        with ui.element("div").classes("a-edge"):
            with ui.element("div").classes("a-tie"):
                for side in ("head", "tail"):
                    with ui.element("span").classes("a-end"):
                        colour = COLOURS.get(kinds.get(tie[side], ""), OTHER)
                        ui.element("span").classes("a-dot").style(f"background: {colour}")
                        self._link(tie[side], names.get(tie[side], tie[side]))
                    if side == "head":
                        tag = "" if tie["assertion"] == "present" else f" ({tie['assertion']})"
                        said = f"{words.relation(tie['type'])}{tag} \u2192"
                        ui.label(said).classes("a-rel")
                if tie["count"] > 1:
                    ui.label(f"said {tie['count']} times").classes("a-soft")
            self._said(tie, most=1)

    def _said(self, tie: dict[str, Any], *, most: int) -> None:
        for one in tie["said"][:most]:

            async def source(at: dict[str, Any] = one) -> None:
                await self._drawer.open(at["document_id"], at["start"], at["end"])

            with ui.element("div").classes("a-row a-nowrap"):
                text = " ".join(one["text"].split())
                ui.label(f"“{text[:220]}{' ...' if len(text) > 220 else ''}”").classes(
                    "a-quote a-grow"
                )
                ui.button("Source", on_click=source).props("flat dense no-caps")
