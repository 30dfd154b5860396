"""The Graph page: explore from any entity, or see the path that ties two."""

from __future__ import annotations

import html
from typing import Any

from nicegui import events, ui

from aegle.console.frame import Drawer, call
from aegle.console.style import COLOURS, OTHER
from aegle.flows.kit import Kit


def options(found: dict[str, Any]) -> dict[str, Any]:
    """A neighbourhood or path as an ECharts force graph."""
    centre = found["entity"]["key"]
    types = sorted({node["type"] for node in found["nodes"]})
    nodes = [
        {
            "id": node["key"],
            "name": node["name"] or node["key"],
            "category": types.index(node["type"]),
            "symbolSize": 40 if node["key"] == centre else 22,
            "label": {"show": len(found["nodes"]) <= 40 or node["key"] == centre},
        }
        for node in found["nodes"]
    ]
    links = [
        {
            "source": edge["head"],
            "target": edge["tail"],
            "label": {"show": len(found["edges"]) <= 20, "formatter": edge["type"]},
            "lineStyle": {"type": "dashed" if edge["assertion"] != "present" else "solid"},
        }
        for edge in found["edges"]
    ]
    return {
        "tooltip": {},
        "legend": {"type": "scroll", "bottom": 0, "data": types},
        "series": [
            {
                "type": "graph",
                "layout": "force",
                "roam": True,
                "draggable": True,
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 7,
                "force": {"repulsion": 260, "edgeLength": [60, 140], "gravity": 0.12},
                "label": {"position": "right", "fontSize": 11},
                "edgeLabel": {"fontSize": 9, "color": "#7c3aed"},
                "emphasis": {"focus": "adjacency"},
                "categories": [
                    {"name": name, "itemStyle": {"color": COLOURS.get(name, OTHER)}}
                    for name in types
                ],
                "data": nodes,
                "links": links,
            }
        ],
    }


class GraphPage:
    """The state of one visitor's Graph page."""

    def __init__(self, kit: Kit, entity: str, to: str) -> None:
        self._kit = kit
        self._drawer = Drawer(kit)
        ui.label("Explore the graph").classes("a-h")
        with ui.element("div").classes("a-card"), ui.element("div").classes("a-row"):
            self._entity = self._field("From", "PUMP-0042, a host, a drug, CVE-...", entity)
            self._to = self._field("To (optional: draws the path)", "", to)
            ui.button("Show", on_click=self.show).props("no-caps unelevated")
        self._result = ui.column().classes("w-full gap-4")

    def _field(self, label: str, hint: str, value: str) -> ui.input:
        field = ui.input(label=label, placeholder=hint, value=value)
        field.props(f'outlined dense clearable aria-label="{label}"').classes("a-grow")
        field.on("keydown.enter", self.show)
        return field

    async def show(self) -> None:
        """Draw what the fields name."""
        entity = (self._entity.value or "").strip()
        if not entity:
            ui.notify("Name an entity first.", position="top")
            return
        to = (self._to.value or "").strip()
        found = await call(self._kit, "graph", entity=entity, to=to, hops=1, limit=60)
        if found is not None:
            self._draw(found)

    async def _from(self, key: str) -> None:
        self._entity.value, self._to.value = key, ""
        await self.show()

    def _draw(self, found: dict[str, Any]) -> None:
        self._result.clear()

        async def clicked(event: events.EChartPointClickEventArguments) -> None:
            if event.data_type == "node":
                await self._from(found["nodes"][event.data_index]["key"])

        with self._result:
            if not found["edges"]:
                with ui.element("div").classes("a-card a-refusal"):
                    ui.label("Nothing ties it to anything.")
                return
            with ui.element("div").classes("a-card"):
                name = found["entity"]["name"] or found["entity"]["key"]
                ui.label(f"{name} ({found['entity']['type']})").classes("a-title")
                ui.echart(options(found), on_point_click=clicked).classes("w-full").style(
                    "height: min(520px, 70vh)"
                )
            with ui.element("div").classes("a-card"):
                ui.label("Every edge with its evidence").classes("a-title")
                names = {node["key"]: node["name"] or node["key"] for node in found["nodes"]}
                for edge in found["edges"]:
                    self._edge(edge, names)

    def _edge(self, edge: dict[str, Any], names: dict[str, str]) -> None:
        async def source() -> None:
            await self._drawer.open(edge["document_id"], edge["start"], edge["end"])

        with ui.element("div").classes("a-edge"), ui.element("div").classes("a-row"):
            head, tail = (
                html.escape(names.get(edge[side], edge[side])) for side in ("head", "tail")
            )
            kind = html.escape(edge["type"])
            tag = "" if edge["assertion"] == "present" else f" ({html.escape(edge['assertion'])})"
            line = f'{head}<span class="a-rel">{kind}{tag} &rarr;</span>{tail}'
            ui.html(line, sanitize=False).classes("a-grow")
            ui.button("Source", on_click=source).props("flat dense no-caps size=sm")
