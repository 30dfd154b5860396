"""Plots as inline SVG: axes, intervals, curves, scatters; colours told apart by everybody."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b08900", "#3a3a8c", "#56a0c8")
"""After Okabe & Ito (2008), darkened where white paper needs it."""
DASHES: Final = ("none", "7 4", "2 3", "9 3 2 3")

WIDTH, HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 18, 16, 48


def colour(number: int) -> str:
    """Of the ``number``-th arm."""
    return COLOURS[number % len(COLOURS)]


def dash(number: int) -> str:
    """Of the ``number``-th arm: another pattern for each round of colours."""
    return DASHES[number // len(COLOURS) % len(DASHES)]


def ticks(low: float, high: float) -> list[float]:
    """Three to ten round values from ``low`` to ``high``, which lies above it."""
    rough = (high - low) / 5
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(one * scale for one in (1, 2, 5, 10) if one * scale >= rough)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from ``low`` (above 0) to ``high``."""
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [d * 10.0**p for p in span for d in (1, 2, 5) if low <= d * 10.0**p <= high]


@dataclass(frozen=True, slots=True)
class Axis:
    """Values to places: from ``low`` at ``start`` to ``high`` at ``end``, maybe by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, log: bool = False) -> Axis:
        """An axis that holds all values, with room around them."""
        low, high = min(values), max(values)
        if log:
            return cls(low / 1.25, high * 1.25, start, end, True)
        room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        """Where a value lies."""
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def marks(self) -> list[float]:
        """Where a number is written."""
        if not self.log:
            return ticks(self.low, self.high)
        found = powers(self.low, self.high)
        return found if len(found) >= 2 else ticks(self.low, self.high)


def human(value: float, unit: str) -> str:
    """A number as people write it: ``bytes`` in kB, MB, GB; counts with k and M."""
    if unit == "bytes" or unit == "count":
        names = (" GB", " MB", " kB") if unit == "bytes" else ("G", "M", "k")
        for size, name in zip((1e9, 1e6, 1e3), names, strict=True):
            if abs(value) >= size:
                return f"{value / size:.3g}{name}"
        return f"{value:.3g}{' B' if unit == 'bytes' else ''}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def frame(x: Axis, y: Axis, titles: tuple[str, str], unit: str = "") -> list[str]:
    """Grid, numbers and titles of both axes."""
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for value in y.marks():
        at = y.at(value)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    last = -math.inf
    for value in x.marks():
        at = x.at(value)
        parts.append(f'<path d="M{at:.1f} {_TOP}V{bottom}" stroke="#e5e5e5"/>')
        if at - last >= 44:  # numbers must not run into each other
            shown = human(value, unit)
            parts.append(
                f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{shown}</text>'
            )
            last = at
    centre = (_TOP + bottom) / 2
    parts.append(
        f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f"{escape(titles[0])}</text>"
        f'<text transform="translate(15 {centre}) rotate(-90)" text-anchor="middle">'
        f"{escape(titles[1])}</text>"
    )
    return parts


def svg(parts: Sequence[str], label: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    """A picture of these parts."""
    return (
        f'<svg viewBox="0 0 {width} {height:g}" width="{width}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


def axes(xs: Sequence[float], ys: Sequence[float], *, log: bool = False) -> tuple[Axis, Axis]:
    """Axes of a plot that holds these values; x by logarithm where all are above 0."""
    return (
        Axis.over(xs, _LEFT, WIDTH - _RIGHT, log=log and min(xs) > 0),
        Axis.over(ys, HEIGHT - _BOTTOM, _TOP),
    )


def intervals(
    rows: Sequence[tuple[str, float, float | None, float | None]],
    label: str,
    zero: float | None = None,
) -> str:
    """A row an arm: its name, a dot, and a bar from low to high.

    Args:
        rows: name, value, low, high.
        label: of the picture.
        zero: where a line stands.
    """
    ends = [one for row in rows for one in row[1:] if one is not None]
    ends += [zero] if zero is not None else []
    names = min(300.0, 14 + 6.6 * max(len(row[0]) for row in rows))
    x = Axis.over(ends, names, WIDTH + 120 - _RIGHT)
    bottom = 8 + 26 * len(rows)
    parts = []
    for value in x.marks():
        at = x.at(value)
        parts.append(f'<path d="M{at:.1f} 4V{bottom}" stroke="#e5e5e5"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{value:.4g}</text>'
        )
    if zero is not None:
        parts.append(
            f'<path d="M{x.at(zero):.1f} 4V{bottom}" stroke="#c00" stroke-dasharray="5 4"/>'
        )
    for number, (name, value, low, high) in enumerate(rows):
        y = 21 + 26 * number
        shown = name if len(name) <= 44 else f"{name[:43]}…"
        parts.append(f'<text x="4" y="{y + 4}">{escape(shown)}<title>{escape(name)}</title></text>')
        if low is not None and high is not None:
            parts.append(
                f'<path d="M{x.at(low):.1f} {y}H{x.at(high):.1f}" stroke="{colour(number)}" '
                'stroke-width="3"/>'
            )
        parts.append(f'<circle cx="{x.at(value):.1f}" cy="{y}" r="5" fill="{colour(number)}"/>')
    return svg(parts, label, bottom + 24, WIDTH + 120)


def line(
    points: Sequence[tuple[float, float]], x: Axis, y: Axis, number: int, *, thin: bool = False
) -> str:
    """A curve of the ``number``-th arm; ``thin`` of one seed among several."""
    places = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in points)
    width, strength = (1, 0.35) if thin else (2.2, 1)
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour(number)}" '
        f'stroke-width="{width}" stroke-opacity="{strength}" stroke-dasharray="{dash(number)}"/>'
    )


def dot(
    place: tuple[float, float], number: int, *, front: bool, told: str, bar: tuple[float, float]
) -> str:
    """A numbered dot with a vertical bar; pale where another point beats it."""
    (x, y), fill = place, 0.9 if front else 0.18
    return (
        f'<path d="M{x:.1f} {bar[0]:.1f}V{bar[1]:.1f}" stroke="{colour(number)}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="{colour(number)}" '
        f'fill-opacity="{fill}" stroke="{colour(number)}" stroke-width="1.5">'
        f"<title>{escape(told)}</title></circle>"
        f'<text x="{x + 10:.1f}" y="{y - 7:.1f}" class="tag">{number + 1}</text>'
    )


def legend(names: Sequence[str], mark: Callable[[int], str] = colour) -> str:
    """Numbers, colours and names of arms, as HTML."""
    items = "".join(
        f'<li><svg width="26" height="10" aria-hidden="true"><path d="M1 5H25" '
        f'stroke="{mark(n)}" stroke-width="3" stroke-dasharray="{dash(n)}"/></svg> '
        f"<b>{n + 1}</b> {escape(name)}</li>"
        for n, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'
