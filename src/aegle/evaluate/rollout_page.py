"""A rollout as one page of HTML that needs nothing else: each figure's course with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from aegle.evaluate import plot

_TITLES: Final = {
    "quality": "what the challenger changes",
    "errors": "share of texts it failed at",
    "latency": "share of texts it was too slow at",
    "agreement": "share of facts in common",
}
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
main { display: flex; flex-wrap: wrap; gap: 2rem }
svg { max-width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #e5e5e5 }
th:first-child, td:first-child { text-align: left }
"""


def page(told: Mapping[str, Any]) -> str:
    """The page of what ``aegle rollout status`` tells; it holds figures and no text."""
    plan = told["plan"]
    verdict = told["status"] + (f" ({told['reason']})" if told["reason"] else "")
    get = "got" if told["status"] in ("rolled back", "stopped") else "get"  # ended: nobody does
    plots = "".join(_plot(name, told) for name in _TITLES if told["trail"].get(name))
    warning = (
        "<p><strong>Feedback comes oftener from one version than its share of units: no gain can "
        "be shown.</strong></p>"
        if told["unbalanced"]
        else ""
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Rollout</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(told['challenger']['version'])} against "
        f"{escape(told['champion']['version'])}</h1>"
        f"<p>Status: <strong>{escape(verdict)}</strong>; {told['share']:.0%} of units {get} the "
        f"challenger. Evidence: {escape(told['evidence'] or 'none written')}.</p>{warning}"
        f"<p>Intervals hold at all times together, however often one looks. A gain is shown where "
        f"there is none with a probability of {plan['alpha_gain']:g} at most; harm, over all four "
        f"figures, of {plan['alpha_harm']:g}. Dashed: what is tolerated.</p>{_table(told)}"
        f"<main>{plots}</main></body></html>\n"
    )


def _plot(name: str, told: Mapping[str, Any]) -> str:
    rows: Sequence[Sequence[float]] = told["trail"][name]
    tolerated = told["figures"][name]["tolerated"]
    last = rows[-1]
    # The first intervals are all there is: what they hide in the picture is of no interest.
    reach = max(last[3] - last[2], abs(last[1] - tolerated), 0.02)
    least = -1.0 if name == "quality" else 0.0  # a difference, or a share
    ends = (max(last[1] - 2 * reach, least), min(last[1] + 2 * reach, 1.0), tolerated)
    x, y = plot.axes([max(1.0, one[0]) for one in rows] + [last[0] + 1], ends, log=True)
    within = [(one[0], *(min(max(value, y.low), y.high) for value in one[1:])) for one in rows]
    upper = " ".join(f"{x.at(n):.1f},{y.at(high):.1f}" for n, _, _, high in within)
    lower = " ".join(f"{x.at(n):.1f},{y.at(low):.1f}" for n, _, low, _ in reversed(within))
    parts = plot.frame(x, y, ("values, by logarithm", _TITLES[name]), "count")
    parts.append(f'<polygon points="{upper} {lower}" fill="#0072b2" fill-opacity="0.2"/>')
    parts.append(plot.line([(n, mean) for n, mean, _, _ in within], x, y, 0))
    at = y.at(tolerated)
    parts.append(f'<path d="M{x.start} {at:.1f}H{x.end}" stroke="#c00" stroke-dasharray="5 4"/>')
    label = f"{name}: mean and confidence sequence; the table has the numbers"
    return f"<section><h2>{name}</h2>{plot.svg(parts, label)}</section>"


def _table(told: Mapping[str, Any]) -> str:
    head = "".join(
        f"<th>{one}</th>"
        for one in ("figure", "values", "mean", "interval", "tolerated", "p of harm", "p of gain")
    )
    lines = []
    for name, one in told["figures"].items():
        gain = f"{one['p_gain']:.3g}" if "p_gain" in one else ""
        cells = (
            f"{name}: {_TITLES[name]}",
            f"{one['n']:,}",
            f"{one['mean']:.4f}" if one["n"] else "",
            f"{one['low']:.4f} to {one['high']:.4f}",
            f"{one['tolerated']:g}",
            f"{one['p_harm']:.3g}",
            gain,
        )
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
