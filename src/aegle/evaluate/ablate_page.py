"""An ablation or a comparison as one page of HTML that needs nothing else: tables and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np

from aegle.evaluate import plot
from aegle.evaluate.ablate import COSTS

_UNITS: Final = {
    "stored_bytes": "bytes",
    "peak_memory_bytes": "bytes",
    "trained_parameters": "count",
}

_CSS: Final = """
body{font:15px/1.45 system-ui,sans-serif;color:#16232f;background:#fff;margin:2rem auto;
max-width:76rem;padding:0 1rem}h1{font-size:1.4rem}h1,strong,.legend li{overflow-wrap:anywhere}
h2{font-size:1.1rem;margin-top:2.2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.25rem .7rem;border-bottom:1px solid #dfe6ec;white-space:nowrap}
th.name,td.name{text-align:left;white-space:normal;min-width:9rem}tr.base{background:#f1f5f8}
td.folder{text-align:left;overflow-wrap:anywhere;white-space:normal}
.soft{color:#52616f}.wide{overflow-x:auto}.sure{font-weight:650}
.plots{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:100%}
figcaption{font-weight:600;margin:.3rem 0}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#333}
svg text.tag{font-weight:700}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.4rem}
.legend svg{width:26px;vertical-align:middle}
.note{background:#fffaf0;border-left:4px solid #b45309;padding:.5rem .8rem;margin:.5rem 0}
"""


def page(result: Mapping[str, Any]) -> str:
    """The page of a report of `aegle.evaluate.ablate`; names and figures, no text of anybody's."""
    arms, measure = result["arms"], result["measure"]
    what = "Comparison" if result.get("compared") else "Ablation"
    title = f"{what}: {result['name']}"
    better = "higher" if measure["higher"] else "lower"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>Judged by <strong>{escape(measure['name'])}</strong>; {better} is better. "
        f"{_best(result)}</p>",
        f'<p class="soft">{escape(_how(result))}</p>',
        *(f'<p class="note">{escape(one)}</p>' for one in result["notes"]),
        *(
            f'<p class="note">Failed: {escape(one["arm"])}: {escape(one["why"])}</p>'
            for one in result["failed"]
        ),
        "<h2>Quality</h2>",
        _forest(arms, measure["name"]),
        _qualities(result),
    ]
    if any(one["points"] for arm in arms for one in arm["curves"]):
        parts += ["<h2>Learning curves</h2>", _curves(arms, str(result.get("curve", "")))]
    parts += ["<h2>Costs</h2>", _costs(result), *_fronts(result)]
    parts += ["<h2>Runs</h2>", _runs(result), "</body></html>"]
    return "\n".join(part for part in parts if part) + "\n"


def _best(result: Mapping[str, Any]) -> str:
    sign = 1 if result["measure"]["higher"] else -1
    best = max(result["arms"], key=lambda one: sign * one["quality"]["value"])
    said = f"Best: <strong>{escape(best['label'])}</strong> ({best['quality']['value']:.4f})"
    if best["label"] == result["against"]:
        return f"{said}, which the others are compared with."
    if best["p_holm"] is None:
        return f"{said}; whether by chance can't be told."
    sure = "more than chance" if best["p_holm"] < 0.05 else "which may be chance"
    p = "p &lt; 0.001" if best["p_holm"] < 0.001 else f"p = {best['p_holm']:.3f}"
    return f"{said}, over {escape(result['against'])}: {sure} (corrected {p})."


def _how(result: Mapping[str, Any]) -> str:
    told = result["intervals"]
    how = {
        "groups and seeds": f"95% by bootstrap ({told['rounds']:,} rounds) over groups of dev "
        f"texts and over seeds ({told['seeds']})",
        "groups": f"95% by bootstrap ({told['rounds']:,} rounds) over groups of held-out texts",
        "seeds": f"95% by Student's t over seeds ({told['seeds']}); this kind of training leaves "
        "no scores by group",
    }[told["by"]]
    return (
        f"Intervals are {how}. Differences are to {result['against']}, on the same groups where "
        "both have them; p is of both sides, corrected by Holm for "
        f"{sum(one['p'] is not None for one in result['arms'])} comparisons."
    )


def _forest(arms: Sequence[Mapping[str, Any]], name: str) -> str:
    rows = [
        (f"{n + 1}  {arm['label']}", *(arm["quality"][key] for key in ("value", "low", "high")))
        for n, arm in enumerate(arms)
    ]
    return f"<figure>{plot.intervals(rows, name)}</figure>"


def _qualities(result: Mapping[str, Any]) -> str:
    seeds = result["intervals"]["seeds"] > 1
    perplexity = result["measure"]["figures"] == ["loss"]
    names = ["value", "95%", *(["perplexity"] if perplexity else [])]
    names += [*(["sd over seeds"] if seeds else []), "difference", "95%", "p", "p, corrected"]
    head = '<th>#</th><th class="name">arm</th>' + "".join(f"<th>{one}</th>" for one in names)
    lines = []
    for number, arm in enumerate(result["arms"]):
        cells = [_number(arm["quality"]["value"]), _interval(arm["quality"])]
        cells += [f"{math.exp(min(arm['quality']['value'], 700)):.3f}"] if perplexity else []
        cells += [_number(arm["sd"])] if seeds else []
        gain = arm["difference"]
        cells += [_signed(gain["value"]), _interval(gain, signed=True)] if gain else ["", ""]
        cells += [_p(arm["p"]), _p(arm["p_holm"])]
        sort = ' class="base"' if arm["label"] == result["against"] else ""
        sure = ' class="sure"' if (arm["p_holm"] or 1) < 0.05 else ""
        shown = "".join(f"<td{sure}>{one}</td>" for one in cells)
        label = f'<td class="name">{escape(arm["label"])}</td>'
        lines.append(f"<tr{sort}><td>{number + 1}</td>{label}{shown}</tr>")
    return _table(head, lines) + (
        '<p class="soft">Shaded: what the others are compared with. Bold: the corrected p is below '
        "0.05.</p>"
    )


def _costs(result: Mapping[str, Any]) -> str:
    known = {**{name: one[0] for name, one in COSTS.items()}, "seconds": "seconds"}
    known |= result.get("costs", {})
    there = [name for name in known if any(name in arm["costs"] for arm in result["arms"])]
    head = '<th>#</th><th class="name">arm</th>'
    head += "".join(f"<th>{escape(known[one])}</th>" for one in there)
    lines = []
    for number, arm in enumerate(result["arms"]):
        cells = "".join(f"<td>{_cost(arm['costs'].get(name), name)}</td>" for name in there)
        lines.append(
            f'<tr><td>{number + 1}</td><td class="name">{escape(arm["label"])}</td>{cells}</tr>'
        )
    return _table(head, lines)


def _fronts(result: Mapping[str, Any]) -> list[str]:
    arms = result["arms"]
    names = {name: one[0] for name, one in COSTS.items()} | result.get("costs", {})
    there = [
        name
        for name in COSTS
        if len(arms) > 1
        and all(name in arm["costs"] for arm in arms)
        and _spread([arm["costs"][name] for arm in arms]) > 0.01
    ]
    if not there:
        return []
    figures = "".join(_front(result, name, names[name]) for name in there)
    return [
        "<h2>Quality against cost</h2>",
        '<p class="soft">Filled: on the Pareto front, no other arm is at least as good and as '
        "cheap. Pale: beaten. Bars are 95% intervals of quality.</p>",
        plot.legend([arm["label"] for arm in arms]),
        f'<div class="plots">{figures}</div>',
    ]


def _spread(costs: Sequence[float]) -> float:
    """How far they lie apart; a plot of what is (nearly) the same says nothing."""
    return (max(costs) - min(costs)) / max(costs) if max(costs) else 0.0


def _front(result: Mapping[str, Any], name: str, title: str) -> str:
    arms, measure = result["arms"], result["measure"]
    ends = [
        arm["quality"][key]
        for arm in arms
        for key in ("value", "low", "high")
        if arm["quality"][key] is not None
    ]
    x, y = plot.axes([arm["costs"][name] for arm in arms], ends, log=True)
    better = "right" if COSTS[name][1] else "left"
    up = "up" if measure["higher"] else "down"
    heads = (f"{title} ({better} is better)", f"{measure['name']} ({up} is better)")
    parts = plot.frame(x, y, heads, _UNITS.get(name, ""))
    for number, arm in enumerate(arms):
        one, cost = arm["quality"], arm["costs"][name]
        low, high = (one["value"] if one[key] is None else one[key] for key in ("low", "high"))
        told = f"{arm['label']}: {one['value']:.4f}, {_cost(cost, name)}"
        parts.append(
            plot.dot(
                (x.at(cost), y.at(one["value"])),
                number,
                front=name in arm["front"],
                told=told,
                bar=(y.at(low), y.at(high)),
            )
        )
    return (
        f"<figure><figcaption>Against {escape(title)}</figcaption>"
        f"{plot.svg(parts, f'{heads[1]} against {heads[0]}; the tables have the numbers')}</figure>"
    )


def _curves(arms: Sequence[Mapping[str, Any]], name: str) -> str:
    every = [p for arm in arms for one in arm["curves"] for p in one["points"]]
    x, y = plot.axes([p[0] for p in every], [p[1] for p in every])
    unit = "step" if name == "loss" else "step or epoch"
    parts = plot.frame(x, y, (unit, f"dev {name}"))
    for number, arm in enumerate(arms):
        curves = [one["points"] for one in arm["curves"] if one["points"]]
        parts += [plot.line(one, x, y, number, thin=len(curves) > 1) for one in curves]
        middle = mean_curve(curves)
        if len(curves) > 1 and middle:
            parts.append(plot.line(middle, x, y, number))
    return (
        plot.legend([arm["label"] for arm in arms])
        + f"<figure>{plot.svg(parts, f'dev {name} as training goes on')}</figure>"
        + (
            '<p class="soft">Thick: the mean over seeds; thin: each seed.</p>'
            if any(len(arm["curves"]) > 1 for arm in arms)
            else ""
        )
    )


def mean_curve(curves: Sequence[Sequence[Sequence[float]]]) -> list[tuple[float, float]]:
    """The mean at each place of any curve that lies within all of them; straight lines between a
    curve's own places."""
    if not curves:
        return []
    low, high = max(one[0][0] for one in curves), min(one[-1][0] for one in curves)
    places = sorted({p[0] for one in curves for p in one if low <= p[0] <= high})
    values = [np.interp(places, [p[0] for p in one], [p[1] for p in one]) for one in curves]
    return list(zip(places, np.mean(values, axis=0).tolist(), strict=True)) if places else []


def _runs(result: Mapping[str, Any]) -> str:
    """Where each run lies; a run that only read texts has no seed."""
    seeds = "data" not in result
    head = '<th class="name">arm</th>' + ("<th>seed</th>" if seeds else "")
    head += '<th>value</th><th class="name">folder</th>'
    lines = [
        f'<tr><td class="name">{escape(arm["label"])}</td>'
        + (f"<td>{run['seed']}</td>" if seeds else "")
        + f'<td>{value:.4f}</td><td class="folder">{escape(run.get("folder", ""))}</td></tr>'
        for arm in result["arms"]
        for run, value in zip(arm["runs"], arm["by_seed"], strict=True)
    ]
    return _table(head, lines)


def _table(head: str, lines: Sequence[str]) -> str:
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}'
        "</tbody></table></div>"
    )


def _cost(value: float | None, name: str) -> str:
    return "" if value is None else plot.human(value, _UNITS.get(name, ""))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _interval(one: Mapping[str, Any], *, signed: bool = False) -> str:
    if one["low"] is None:
        return ""
    shown = _signed if signed else _number
    return f"{shown(one['low'])} to {shown(one['high'])}"


def _p(value: float | None) -> str:
    return "" if value is None else "&lt; 0.001" if value < 0.001 else f"{value:.3f}"
