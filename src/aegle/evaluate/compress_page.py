"""What a search for a smaller model found as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from aegle.evaluate import plot

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
main { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start }
svg { max-width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
svg .tag { font-weight: 600 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #e5e5e5 }
th:nth-child(2), td:nth-child(2) { text-align: left }
tr.chosen { background: #fff3c4; font-weight: 600 }
tr.beaten { color: #666 }
"""


def page(result: Mapping[str, Any]) -> str:
    """The page of a result of ``aegle compress``; it holds figures and no text of anybody's."""
    target, rows = result["target"], result["trials"]
    wanted = [f"{name} {target[name]:g}" for name in ("size", "speed") if target[name] is not None]
    told = ", ".join([*wanted, f"keep {target['keep']:g}"])
    verdict = (
        "meets the target"
        if result["meets"]
        else "met the target on the documents that chose it, not on others"
        if any(one["meets"] for one in rows)
        else "none meets the target; nearest is this"
    )
    whole = result["float"]
    origin = (
        " The float model was made of rounded weights: what that cost isn't seen here."
        if whole["dequantised"]
        else ""
    )
    failed = "".join(
        f"<li>{escape(one['method'])}: {escape(one['why'])}</li>" for one in result["failed"]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Compression</title><style>{_STYLE}</style></head><body><h1>Compression of "
        f"{escape(result['model'])}</h1>"
        f"<p>Target: {escape(told)}. <strong>{escape(result['choice'])}</strong>: {verdict}.</p>"
        f"{_held(result)}"
        f"<p>Chosen by {escape(result['score'])} of {result['documents']:,} documents in "
        f"{result['groups']:,} groups; calibrated on {result['calibration_texts']:,} other texts. "
        f"The float model has {plot.human(whole['bytes'], 'bytes')} and "
        f"{whole['quality']['value']:.4f} ({whole['quality']['low']:.4f} to "
        f"{whole['quality']['high']:.4f}).{origin} Bars are 95% intervals of what is kept, paired "
        "by group; pale dots are beaten in size, score and speed by another. Speed was measured in "
        "turn with the float model, on this machine.</p><main>"
        f"{_scatter(result, 'size', 'bytes, as a share of the float model')}"
        f"{_scatter(result, 'speedup', 'texts a second, times the float model')}"
        f"{_table(rows)}</main>"
        f"{f'<h2>Not made</h2><ul>{failed}</ul>' if failed else ''}</body></html>\n"
    )


def _held(result: Mapping[str, Any]) -> str:
    """What the choice is worth on documents that chose nothing."""
    held = result["held_out"]
    kept, is_, was = held["retention"], held["quality"], held["float"]
    failed = ", ".join(held["labels_failed"]) or "none"
    return (
        f"<p>On {held['documents']:,} other documents in {held['groups']:,} groups, by which "
        f"nothing was chosen, it keeps <strong>{kept['value']:.4f}</strong> ({kept['low']:.4f} to "
        f"{kept['high']:.4f}): {escape(result['score'])} {is_['value']:.4f}, the float model "
        f"{was['value']:.4f}. Labels failed: {escape(failed)}.</p>"
    )


def _scatter(result: Mapping[str, Any], name: str, title: str) -> str:
    rows = result["trials"]
    kept = [row["retention"] for row in rows]
    keep = result["target"]["keep"]
    ys = [one[end] for one in kept for end in ("low", "high")] + [keep]
    x, y = plot.axes([row[name] for row in rows] + [1.0], ys)
    line = y.at(keep)
    parts = plot.frame(x, y, (title, f"share of {result['score']} kept"))
    parts.append(f'<path d="M{x.start} {line:.1f}H{x.end}" stroke="#c00" stroke-dasharray="5 4"/>')
    parts += [
        plot.dot(
            (x.at(row[name]), y.at(one["value"])),
            number,
            front=row["front"],
            told=f"{row['name']}: {one['value']:.4f} kept, {row['size']:.1%} of the bytes, "
            f"{row['speedup']:.2f} x the speed",
            bar=(y.at(one["low"]), y.at(one["high"])),
        )
        for number, (row, one) in enumerate(zip(rows, kept, strict=True))
    ]
    return plot.svg(parts, f"Share of the score kept against {title}; the table has the numbers")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = (
        "",
        "method",
        "MB",
        "size",
        "score",
        "kept",
        "95%",
        "texts/s",
        "speed",
        "labels failed",
    )
    head = "".join(f"<th>{name}</th>" for name in names)
    lines = []
    for number, row in enumerate(rows, 1):
        quality, kept = row["quality"], row["retention"]
        cells = (
            str(number),
            escape(row["name"]),
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['size']:.1%}",
            f"{quality['value']:.4f}",
            f"{kept['value']:.4f}",
            f"{kept['low']:.4f}-{kept['high']:.4f}",
            f"{row['texts_per_s']:.1f}",
            f"{row['speedup']:.2f}",
            escape(", ".join(row["labels_failed"])),
        )
        sort = "chosen" if row["chosen"] else "" if row["front"] else "beaten"
        lines.append(f'<tr class="{sort}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
