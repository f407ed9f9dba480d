"""One chart as SVG: lines, steps or dots over two axes. Colours come from the page's style, so that it follows dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from podium.bench.page.scale import Format, Scale, linear, logarithmic, number_text

LEFT, RIGHT, TOP, BOTTOM = 64, 14, 10, 38
MOST_POINTS = 700  # of one line; more cannot be seen at this width
TONES = 7


@dataclass(frozen=True)
class Line:
    """One series. ``ys`` may hold None, which leaves a gap; ``labels`` stand beside dots."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    kind: Literal["line", "step", "dots"] = "line"
    labels: Sequence[str] = ()

    def points(self) -> list[tuple[float, float]]:
        """Those that are known."""
        return [(x, y) for x, y in zip(self.xs, self.ys, strict=True) if y is not None and math.isfinite(y)]


@dataclass(frozen=True)
class Axis:
    """What an axis is about, with its unit, and how a value is written. ``span`` fixes its ends."""

    label: str
    form: Format = number_text
    logarithmic: bool = False
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart with its title; ``marks`` are vertical lines with words, ``limit`` a horizontal one."""

    title: str
    lines: Sequence[Line]
    x: Axis
    y: Axis
    width: int = 600
    height: int = 240
    marks: Sequence[tuple[float, str]] = ()
    limit: tuple[float, str] | None = None
    shades: Sequence[tuple[float, float]] = field(default=())

    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(line.points() for line in self.lines)


def draw(chart: Chart) -> str:
    """The figure. A chart without data must not be drawn: say why it is missing instead."""
    assert not chart.is_empty()  # noqa: S101 - this is a bug: an empty chart says nothing
    x = _scale(chart.x, [p[0] for line in chart.lines for p in line.points()], LEFT, chart.width - RIGHT)
    floor = chart.height - BOTTOM
    y = _scale(chart.y, [p[1] for line in chart.lines for p in line.points()], floor, TOP)
    shades = (
        f'<rect class="shade" x="{x(a):.1f}" width="{max(x(b) - x(a), 0):.1f}" y="{TOP}" height="{floor - TOP}"/>'
        for a, b in chart.shades
    )
    parts = [*shades, *_grid(chart, x, y, floor), *_references(chart, x, y, floor)]
    parts += [_drawn(line, x, y, tone) for tone, line in enumerate(chart.lines) if line.points()]
    words = f"{chart.title}: {_in_words(chart)}"
    opened = f'<svg viewBox="0 0 {chart.width} {chart.height}" role="img" aria-label="{escape(words)}">'
    return (
        f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>{opened}{"".join(parts)}</svg>'
        f"{_legend(chart)}</figure>"
    )


def _scale(axis: Axis, values: Sequence[float], begin: float, end: float) -> Scale:
    if axis.span is not None:
        return Scale(*axis.span, begin, end, logarithmic=axis.logarithmic)
    return logarithmic(values, begin, end) if axis.logarithmic else linear(values, begin, end)


def _grid(chart: Chart, x: Scale, y: Scale, floor: float) -> list[str]:
    parts = []
    for mark in y.marks():
        at = y(mark)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{chart.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(chart.y.form(mark))}</text>')
    taken = -math.inf
    for mark in x.marks():
        at = x(mark)
        if at - taken >= 44:  # a label is about so wide
            parts.append(
                f'<text x="{at:.1f}" y="{floor + 15}" text-anchor="middle">{escape(chart.x.form(mark))}</text>'
            )
            taken = at
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{chart.width - RIGHT}" y1="{floor}" y2="{floor}"/>')
    middle = (LEFT + chart.width - RIGHT) / 2
    parts.append(
        f'<text class="label" x="{middle}" y="{floor + 31}" text-anchor="middle">{escape(chart.x.label)}</text>'
    )
    return parts


def _references(chart: Chart, x: Scale, y: Scale, floor: float) -> list[str]:
    parts = []
    for value, words in chart.marks:
        if x.low <= value <= x.high:
            at = x(value)
            anchor, shift = ("end", -4) if at > chart.width * 0.7 else ("start", 4)
            parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{floor}"/>')
            parts.append(f'<text x="{at + shift:.1f}" y="{TOP + 12}" text-anchor="{anchor}">{escape(words)}</text>')
    if chart.limit is not None and y.low <= chart.limit[0] <= y.high:
        at = y(chart.limit[0])
        parts.append(f'<line class="mark" x1="{LEFT}" x2="{chart.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(
            f'<text x="{chart.width - RIGHT}" y="{at - 4:.1f}" text-anchor="end">{escape(chart.limit[1])}</text>'
        )
    return parts


def _drawn(line: Line, x: Scale, y: Scale, tone: int) -> str:
    css = f"tone{tone % TONES}"
    if line.kind == "dots":
        return _dots(line, x, y, css)
    pieces, pen = [], False
    previous = 0.0
    for px, py in _thinned(line):
        if py is None:
            pen = False
            continue
        at = (x(px), y(py))
        if pen and line.kind == "step":
            pieces.append(f"L{at[0]:.1f} {previous:.1f}")
        pieces.append(f"{'L' if pen else 'M'}{at[0]:.1f} {at[1]:.1f}")
        pen, previous = True, at[1]
    return f'<path class="{css}" d="{"".join(pieces)}"/>'


def _dots(line: Line, x: Scale, y: Scale, css: str) -> str:
    points = line.points()
    size = 2 if len(points) > 60 else 4
    parts = []
    for number, (px, py) in enumerate(points[:: max(1, len(points) // (2 * MOST_POINTS))]):
        label = line.labels[number] if number < len(line.labels) else ""
        title = f"<title>{escape(label)}</title>" if label else ""
        parts.append(f'<circle cx="{x(px):.1f}" cy="{y(py):.1f}" r="{size}">{title}</circle>')
        if label and len(points) <= 16:
            end = x(px) > x.end * 0.75
            place = (
                f'x="{x(px) + (-7 if end else 7):.1f}" y="{y(py) - 6:.1f}" text-anchor="{"end" if end else "start"}"'
            )
            parts.append(f"<text {place}>{escape(label)}</text>")
    return f'<g class="{css}">{"".join(parts)}</g>'


def _thinned(line: Line) -> list[tuple[float, float | None]]:
    pairs = list(zip(line.xs, line.ys, strict=True))
    if len(pairs) <= MOST_POINTS:
        return pairs
    step = (len(pairs) - 1) / (MOST_POINTS - 1)
    return [pairs[round(number * step)] for number in range(MOST_POINTS)]


def _legend(chart: Chart) -> str:
    named = [(tone, line) for tone, line in enumerate(chart.lines) if line.name and line.points()]
    if len(named) < 2:
        return ""
    items = "".join(f'<li class="tone{tone % TONES}">{escape(line.name)}</li>' for tone, line in named)
    return f'<ul class="legend">{items}</ul>'


def _in_words(chart: Chart) -> str:
    found = []
    for line in chart.lines:
        points = line.points()
        if points:
            low, high = min(p[1] for p in points), max(p[1] for p in points)
            found.append(f"{line.name or chart.y.label} from {chart.y.form(low)} to {chart.y.form(high)}")
    return "; ".join(found)
