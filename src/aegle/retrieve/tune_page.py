"""What tuning found as one page of HTML that needs nothing else: a plot, and a table beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_COLOURS: Final = {
    "flat": "#444444",
    "hnsw": "#0072b2",
    "hnsw-sq": "#009e73",
    "hnsw-pq": "#cc79a7",
    "ivf-pq": "#d55e00",
    "binary": "#b08900",
}
"""Okabe & Ito (2008): told apart by people who see colours differently, too."""

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 460, 64, 24, 24, 56

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
main { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start }
svg { max-width: 100%; height: auto; border: 1px solid #ddd }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #e5e5e5 }
th:first-child, td:first-child { text-align: left }
tr.chosen { background: #fff3c4; font-weight: 600 }
tr.beaten { color: #666 }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
"""


def _ticks(low: float, high: float) -> list[float]:
    """About five round values from ``low`` to ``high``."""
    rough = (high - low) / 5
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(one * scale for one in (1, 2, 5, 10) if one * scale >= rough)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from ``low`` to ``high``."""
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [digit * 10.0**power for power in span for digit in (1, 2, 5)]
    return [one for one in every if low <= one <= high]


class _Plot:
    """Where a recall and a p95 lie on the plot; p95 on a logarithmic axis."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> None:
        recalls = [row["recall"]["low"] for row in rows] + [target.get("recall") or 1.0]
        times = [end for row in rows for end in (row["p95_ms"]["low"], row["p95_ms"]["high"])]
        times += [target["p95_ms"]] if target.get("p95_ms") else []
        self.low: float = max(0.0, min(min(recalls) - 0.02, 0.95))
        self.fast, self.slow = max(min(times), 1e-4) / 1.3, max(*times, 1e-3) * 1.3
        self.most = max(row["memory_mb"] for row in rows)

    def x(self, p95_ms: float) -> float:
        part = math.log(max(p95_ms, self.fast) / self.fast) / math.log(self.slow / self.fast)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    def y(self, recall: float) -> float:
        part = (recall - self.low) / (1.005 - self.low)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)

    def radius(self, memory_mb: float) -> float:
        """So that the dot's area says the memory."""
        return 4 + 16 * math.sqrt(memory_mb / self.most) if self.most else 4


def _axes(plot: _Plot, target: Mapping[str, Any]) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for recall in _ticks(plot.low, 1.0):
        y = plot.y(recall)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{recall:g}</text>')
    for time in _powers(plot.fast, plot.slow):
        x = plot.x(time)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{time:g}</text>')
    if target.get("recall"):
        y = plot.y(target["recall"])
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#c00" stroke-dasharray="5 4"/>')
    if target.get("p95_ms"):
        x = plot.x(target["p95_ms"])
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#c00" stroke-dasharray="5 4"/>')
    middle, centre = (_LEFT + right) / 2, (_TOP + bottom) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 14}" text-anchor="middle">'
        "95th percentile of one question, ms (left is better)</text>"
        f'<text transform="translate(16 {centre}) rotate(-90)" text-anchor="middle">'
        "recall (up is better)</text>"
    )
    return parts


def _dot(plot: _Plot, row: Mapping[str, Any]) -> str:
    recall, p95 = row["recall"], row["p95_ms"]
    x, y, colour = plot.x(p95["value"]), plot.y(recall["value"]), _COLOURS.get(row["kind"], "#000")
    told = (
        f"{row['name']}: recall {recall['value']:.3f}, p95 {p95['value']:.2f} ms, "
        f"{row['memory_mb']:.1f} MB"
    )
    edge = ' stroke="#000" stroke-width="2.5"' if row["chosen"] else f' stroke="{colour}"'
    fill = 0.75 if row["front"] else 0.2
    return (
        f'<path d="M{x:.1f} {plot.y(recall["low"]):.1f}V{plot.y(recall["high"]):.1f}'
        f'M{plot.x(p95["low"]):.1f} {y:.1f}H{plot.x(p95["high"]):.1f}" stroke="{colour}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{plot.radius(row["memory_mb"]):.1f}" '
        f'fill="{colour}" fill-opacity="{fill}"{edge}><title>{escape(told)}</title></circle>'
    )


def _legend(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for place, kind in enumerate(dict.fromkeys(row["kind"] for row in rows)):
        y = _HEIGHT - _BOTTOM - 14 - 18 * place
        parts.append(
            f'<circle cx="{_LEFT + 14}" cy="{y}" r="5" fill="{_COLOURS.get(kind, "#000")}"/>'
            f'<text x="{_LEFT + 26}" y="{y + 4}">{escape(kind)}</text>'
        )
    return parts


def _table(rows: Sequence[Mapping[str, Any]], k: int) -> str:
    names = (f"recall@{k}", "95%", "p50 ms", "p95 ms", "95%", "memory MB", "disk MB", "build s")
    head = "".join(f"<th>{name}</th>" for name in ("index", *names))
    lines = []
    for row in rows:
        recall, p95 = row["recall"], row["p95_ms"]
        cells = (
            escape(row["name"]),
            f"{recall['value']:.3f}",
            f"{recall['low']:.3f}-{recall['high']:.3f}",
            f"{row['p50_ms']['value']:.2f}",
            f"{p95['value']:.2f}",
            f"{p95['low']:.2f}-{p95['high']:.2f}",
            *(f"{row[name]:.1f}" for name in ("memory_mb", "disk_mb", "build_s")),
        )
        sort = "chosen" if row["chosen"] else "" if row["front"] else "beaten"
        lines.append(f'<tr class="{sort}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def page(result: Mapping[str, Any]) -> str:
    """The page of a result of ``aegle tune``; it holds numbers and no text of anybody's."""
    rows, target = result["candidates"], result["target"]
    plot = _Plot(rows, target)
    # Large dots first, so that small ones are not hidden behind them.
    dots = [_dot(plot, row) for row in sorted(rows, key=lambda row: -row["memory_mb"])]
    told = ", ".join(f"{name} {one:g}" for name, one in target.items() if one is not None)
    verdict = "meets the target" if result["meets"] else "none meets the target; nearest is this"
    skipped = "".join(
        f"<li>{escape(one['kind'])}: {escape(one['reason'])}</li>" for one in result["skipped"]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Index tuning</title><style>{_STYLE}</style></head><body><h1>Index tuning</h1>"
        f"<p>Target: {escape(told)}. <strong>{escape(result['choice'])}</strong>: {verdict}.</p>"
        f"<p>{result['measured_on']:,} of {result['chunks']:,} chunks indexed, asked by "
        f"{result['held_out']:,} chunks held out and {result['questions']:,} questions. "
        "Recall is that of the sort of questions served worst, against comparing every vector. "
        "Bars are 95% intervals. A dot's area is memory; pale dots are beaten in recall, time and "
        "memory by another. Dashed lines are the target.</p><main>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        'aria-label="Recall against latency; the table has the same numbers">'
        f"{''.join([*_axes(plot, target), *dots, *_legend(rows)])}</svg>"
        f"{_table(rows, result['k'])}</main>"
        f"{f'<h2>Not measured</h2><ul>{skipped}</ul>' if skipped else ''}</body></html>\n"
    )
