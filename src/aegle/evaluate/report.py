"""An evaluation as one page of HTML that needs nothing else: figures, the curve, every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

ABOUT: Final[dict[str, tuple[str, str]]] = {
    "recall": ("Recall@k", "needed passages that were found"),
    "ndcg": ("nDCG@k", "the same, the higher up the better"),
    "all_gold": ("All gold@k", "questions of which every passage was found"),
    "mrr": ("MRR@k", "one over the place of the first passage that is needed"),
    "context_precision": ("Context precision", "RAGAS: how far up what is needed stands"),
    "context_recall": ("Context recall", "RAGAS: recall@k by its other name"),
    "str_em": ("Answer contained", "an accepted answer stands in what was said (STR-EM)"),
    "token_f1": ("Token F1", "words shared with the accepted answer (SQuAD)"),
    "exact_match": ("Exact match", "what was said is an accepted answer (SQuAD)"),
    "citation_recall": ("Citation recall", "claims that their citations support (ALCE)"),
    "citation_precision": ("Citation precision", "citations that a claim needs (ALCE)"),
    "faithfulness": ("Faithfulness", "RAGAS: claims that something found supports"),
    "gold_cited": ("Gold cited", "needed passages that the answer cites"),
    "refused_rightly": ("Refused rightly", "refusals where there is no answer"),
    "refused_wrongly": ("Refused wrongly", "refusals where there is one; lower is better"),
    "selective_accuracy": ("Selective accuracy", "answers given that are right"),
    "aurc": ("AURC", "area under the risk-coverage curve; lower is better"),
}
"""Name of a figure -> what people call it, and what it is."""

WORDS: Final = (
    "Support was judged by words: the test that every sentence passed before it was shown. "
    "Citation scores and faithfulness are therefore high by construction; they tell breakage, not "
    "quality, until an entailment model judges them."
)

_CSS: Final = """
body{font:15px/1.45 system-ui,sans-serif;color:#16232f;margin:2rem auto;max-width:64rem;
padding:0 1rem}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td span{white-space:nowrap}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #dfe6ec;
vertical-align:top}
.soft{color:#52616f}.wide{overflow-x:auto}svg{max-width:34rem;width:100%;height:auto}
.note{background:#fffaf0;border-left:4px solid #b45309;padding:.5rem .8rem}
"""

_WIDTH, _HEIGHT, _EDGE = 520, 300, 46


def page(result: Mapping[str, Any]) -> str:
    """The page of a result as `flows.assess` returns it; ids and figures, no text."""
    systems = [result["evaluation"], *([result["baseline"]] if result.get("baseline") else [])]
    first = systems[0]
    names = " against ".join(one["system"] for one in systems)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Evaluation: {escape(names)}</title><style>{_CSS}</style></head><body>",
        f"<h1>Evaluation: {escape(names)}</h1>",
        f'<p class="soft">{first["questions"]} questions, k = {first["k"]}, support by '
        f"{escape(first['entailment'])}. Brackets are 95% intervals by bootstrap over groups of "
        "questions.</p>",
        f'<p class="note">{escape(WORDS)}</p>' if first["entailment"] == "words" else "",
        _missing(result.get("missing", ())),
    ]
    for one in systems:
        parts += [f"<h2>Figures: {escape(one['system'])}</h2>", _figures(one["measures"])]
    if result.get("comparison"):
        parts.append(_comparison(result["comparison"]))
    if first["curve"]:
        parts += ["<h2>Risk and coverage</h2>", plot(systems), _caption(first)]
    parts += ["<h2>Questions</h2>", _rows(first["rows"]), "</body></html>"]
    return "\n".join(part for part in parts if part) + "\n"


def _missing(ids: Sequence[str]) -> str:
    if not ids:
        return ""
    shown = ", ".join(map(escape, ids[:20])) + (", ..." if len(ids) > 20 else "")
    return (
        f'<p class="note">{len(ids)} questions name documents that the workspace does not hold, '
        f"and can't find them: {shown}</p>"
    )


def _figures(measures: Mapping[str, Mapping[str, Any]]) -> str:
    kinds = list(measures)
    head = "".join(f"<th>{escape(kind)}</th>" for kind in kinds)
    rows = [f"<tr><th>figure</th>{head}</tr>"]
    for name in measures[kinds[0]]:
        title, about = ABOUT[name]
        cells = "".join(f"<td>{_measure(measures[kind].get(name))}</td>" for kind in kinds)
        rows.append(f"<tr><td>{title}<div class=soft>{about}</div></td>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def _measure(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    return (
        f"{one['value']:.3f} <span class=soft>[{one['low']:.3f}, {one['high']:.3f}] "
        f"n={one['n']}</span>"
    )


def _comparison(told: Mapping[str, Any]) -> str:
    head = "<tr><th>figure</th><th>gain</th><th>p</th><th>higher</th><th>lower</th></tr>"
    rows = [
        f"<tr><td>{ABOUT[name][0]}</td><td>{_measure(one['difference'])}</td>"
        f"<td>{one['p']:.4f}</td><td>{one['higher']}</td><td>{one['lower']}</td></tr>"
        for name, one in told["gains"].items()
    ]
    title = f"{escape(told['system'])} over {escape(told['against'])}, question by question"
    return f'<h2>{title}</h2><div class="wide"><table>{head}{"".join(rows)}</table></div>'


def plot(systems: Sequence[Mapping[str, Any]]) -> str:
    """Risk-coverage curves as inline SVG, the bar that each system refuses by as a dot."""
    lines = [_axes()]
    styles = (("#0f766e", "none"), ("#6d28d9", "6 4"))
    for one, (colour, dashes), at in zip(systems, styles, (16, 34), strict=False):
        points = " ".join(_at(p["coverage"], p["risk"]) for p in _steps(one["curve"]))
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dashes}"/>'
        )
        if one["working"]:
            x, y = _at(one["working"]["coverage"], one["working"]["risk"]).split(",")
            lines.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
        lines.append(
            f'<text x="{_EDGE + 10}" y="{at}" fill="{colour}">{escape(one["system"])}</text>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="12" '
        f'aria-label="Risk against coverage">{"".join(lines)}</svg>'
    )


def _steps(curve: Sequence[Mapping[str, float]]) -> Sequence[Mapping[str, float]]:
    """The curve from no coverage on, where the risk is that of the surest answers."""
    return [{"coverage": 0.0, "risk": curve[0]["risk"]}, *curve] if curve else ()


def _at(coverage: float, risk: float) -> str:
    x = _EDGE + coverage * (_WIDTH - 1.5 * _EDGE)
    y = _HEIGHT - _EDGE - risk * (_HEIGHT - 1.5 * _EDGE)
    return f"{x:.1f},{y:.1f}"


def _axes() -> str:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        (left, y), (right, _) = (_at(side, share).split(",") for side in (0.0, 1.0))
        x, bottom = _at(share, 0.0).split(",")
        lines.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#dfe6ec"/>')
        lines.append(f'<text x="{_EDGE - 6}" y="{y}" text-anchor="end">{share:.2f}</text>')
        below = f"{float(bottom) + 16:.1f}"
        lines.append(f'<text x="{x}" y="{below}" text-anchor="middle">{share:.2f}</text>')
    middle = (_WIDTH + _EDGE) / 2
    lines.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">coverage</text>')
    lines.append('<text x="4" y="12">risk</text>')
    return "".join(lines)


def _caption(one: Mapping[str, Any]) -> str:
    told = "The share of wrong answers when only the surest are given. "
    if one["working"]:
        told += (
            f"The dot is where refusals are set now: {one['working']['coverage']:.0%} answered, "
            f"{one['working']['risk']:.0%} of those wrong."
        )
    return f'<p class="soft">{told}</p>'


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name in ABOUT if any(name in row["scores"] for row in rows)]
    head = "".join(f"<th>{ABOUT[name][0]}</th>" for name in names)
    lines = [f"<tr><th>id</th><th>kind</th><th>said</th><th>sure</th>{head}</tr>"]
    for row in rows:
        scores = "".join(_cell(row["scores"].get(name)) for name in names)
        lines.append(
            f"<tr><td>{escape(row['id'])}</td><td>{escape(row['kind'])}</td><td>{_said(row)}</td>"
            f"{_cell(row['confidence'])}{scores}</tr>"
        )
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _said(row: Mapping[str, Any]) -> str:
    if row["refused"] is None:
        return ""
    if row["refused"]:
        return "refused, wrongly" if row["answerable"] else "refused, rightly"
    if row["wrong"] is None:
        return "answered"
    return "wrong" if row["wrong"] else "right"


def _cell(value: float | None) -> str:
    return f"<td>{'' if value is None else format(value, '.2f')}</td>"
