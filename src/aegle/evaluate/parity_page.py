"""A parity certificate as one page of HTML that needs nothing else; it holds no text of anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from aegle.evaluate import plot

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 88rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
svg { max-width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0;
  display: block; overflow-x: auto }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #e5e5e5 }
td { white-space: nowrap }
th:first-child, td:first-child, td.why { text-align: left }
tr.lost { background: #fde2dc } tr.shaky { background: #fff3c4 }
strong.no { color: #b00020 }
"""
_CLASSES: Final = {"lost": "lost", "not shown": "shaky"}


def page(told: Mapping[str, Any]) -> str:
    """The page of a certificate."""
    verdict = "passes" if told["passes"] else "does not pass"
    css = "" if told["passes"] else ' class="no"'
    reasons = "".join(f"<li>{escape(one)}</li>" for one in told["reasons"])
    critical = ", ".join(told["critical"])
    rule = told["rule"]
    others = told["stages"][1:]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parity</title>'
        f"<style>{_STYLE}</style></head><body><h1>Parity of {escape(told['model'][:12])}</h1>"
        f"<p>It <strong{css}>{verdict}</strong>: {escape(told['score'])} on {told['documents']:,} "
        f"documents in {told['groups']:,} groups. Critical: {escape(critical)}. At each stage each "
        f"of them must keep {told['keep']:.0%} of the original's F1, shown by an interval that "
        f"begins at {rule['shown']:.0%} or above and {rule['items']} items in {rule['groups']} "
        "groups at least. Intervals are 95%, paired by group.</p>"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}{_stages(told['stages'])}"
        f"{''.join(_labels(one, told) for one in others)}"
        f"<p>Data {escape(told['data']['documents'][:12])}, scorer "
        f"{escape(told['scorer']['sha256'][:12])} ({escape(told['scorer']['version'])}).</p>"
        "</body></html>\n"
    )


def _figure(one: Mapping[str, Any] | None, places: int = 3) -> str:
    if one is None:
        return "-"
    return f"{one['value']:.{places}f} [{one['low']:.{places}f}, {one['high']:.{places}f}]"


def _rows(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f'<tr class="{css}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for css, cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in stages:
        churn = one.get("churn")
        cells = (
            one["name"],
            one["digest"][:12],
            plot.human(one["bytes"], "bytes"),
            plot.human(one["memory_bytes"], "bytes"),
            _figure(one["latency_ms"]["p50"], 1),
            _figure(one["latency_ms"]["p95"], 1),
            _figure(one["score"]),
            _figure(one.get("kept")),
            _figure(churn and churn["items"]),
            _figure(one["calibration"]),
        )
        rows.append(("", cells))
    names = "stage,model,bytes,memory,p50 ms,p95 ms,score,kept,churn,calibration error".split(",")
    return _rows(names, rows) + (
        "<p>Latency is of one request at a time. Memory is resident in the process that answered; "
        "of what is served, the whole server's.</p>"
    )


def _labels(stage: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    labels = {name: one for name, one in stage["labels"].items() if one["gold"]}
    bars = [
        (name, one["kept"]["value"], one["kept"]["low"], one["kept"]["high"])
        for name, one in labels.items()
    ]
    rows = [
        (
            _CLASSES.get(one["verdict"], ""),
            (
                name,
                f"{one['gold']:,}",
                f"{one['groups']:,}",
                f"{one['was']:.3f}",
                f"{one['now']:.3f}",
                _figure(one["kept"]),
                one["verdict"],
            ),
        )
        for name, one in labels.items()
    ]
    picture = plot.intervals(bars, f"Kept at {stage['name']}", told["keep"]) if bars else ""
    names = ("label", "items", "groups", "original", stage["name"], "kept", "verdict")
    return f"<h2>{escape(stage['name'])}</h2>{picture}{_rows(names, rows)}"
