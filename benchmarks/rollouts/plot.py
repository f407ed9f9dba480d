"""Plots as SVG text: lines and bars on labelled axes, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 390
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 74, 50
COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#475569")


@dataclass(frozen=True)
class Line:
    """Points (x, y) that are joined. Lines with the same label share a colour and one entry of the legend."""

    label: str
    points: Sequence[tuple[float, float]]
    faint: bool = False


@dataclass(frozen=True)
class Axis:
    """A range with its ticks; ``logarithmic`` ticks are powers of ten."""

    label: str
    low: float
    high: float
    ticks: Sequence[float]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, 0 to 1; values outside stand at the edge."""
        low, high, at = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high, max(value, 1e-300)))
        if not self.logarithmic:
            at = value
        return min(1.0, max(0.0, (at - low) / (high - low)))


def line_plot(title: str, x: Axis, y: Axis, lines: Sequence[Line], mark: tuple[float, str] | None = None) -> str:
    """Lines, and perhaps a dashed horizontal one with words."""
    labels = list(dict.fromkeys(line.label for line in lines))
    parts = [*_frame(title, x, y)]
    for line in lines:
        points = " ".join(f"{_across(x, a):.1f},{_up(y, b):.1f}" for a, b in line.points)
        look = 'stroke-width="1" opacity="0.55"' if line.faint else 'stroke-width="2.2"'
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[labels.index(line.label)]}" {look}/>')
    if mark is not None:
        height = _up(y, mark[0])
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#111" '
            'stroke-dasharray="5 4"/>'
        )
        parts.append(_text(WIDTH - _RIGHT - 4, height - 5, mark[1], "end"))
    return _document([*parts, *_legend(labels)])


def bar_plot(title: str, y: Axis, bars: Sequence[tuple[str, float, str]]) -> str:
    """Bars (label, height, words above it)."""
    nothing = Axis("", 0, len(bars), ())
    parts = [*_frame(title, nothing, y)]
    for number, (label, value, words) in enumerate(bars):
        left, right = _across(nothing, number + 0.2), _across(nothing, number + 0.8)
        top, foot = _up(y, value), HEIGHT - _BOTTOM
        colour = COLOURS[0] if number == 0 else COLOURS[5]
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{foot - top:.1f}" fill="{colour}"/>'
        )
        parts.append(_text((left + right) / 2, top - 5, words))
        parts.append(_text((left + right) / 2, foot + 18, label))
    return _document(parts)


def _frame(title: str, x: Axis, y: Axis) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="22" font-size="15" font-weight="600">{escape(title)}</text>']
    for tick in y.ticks:
        height = _up(y, tick)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#e5e7eb"/>')
        parts.append(_text(_LEFT - 6, height + 4, f"{tick:,.10g}", "end"))
    parts += [_text(_across(x, tick), HEIGHT - _BOTTOM + 18, f"{tick:,.10g}") for tick in x.ticks]
    foot = HEIGHT - _BOTTOM
    parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{foot}" y2="{foot}" stroke="#374151"/>')
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, x.label))
    middle = (_TOP + foot) / 2
    parts.append(
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(y.label)}</text>'
    )
    return parts


def _legend(labels: Sequence[str]) -> list[str]:
    parts = []
    for number, label in enumerate(labels):  # two columns between title and axes
        left, top = _LEFT + number % 2 * (WIDTH - _LEFT) // 2, 36 + 17 * (number // 2)
        parts.append(f'<rect x="{left}" y="{top}" width="14" height="4" fill="{COLOURS[number]}"/>')
        parts.append(_text(left + 20, top + 6, label, "start"))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _across(axis: Axis, value: float) -> float:
    return _LEFT + axis.place(value) * (WIDTH - _LEFT - _RIGHT)


def _up(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.place(value) * (HEIGHT - _TOP - _BOTTOM)


def _document(parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#111">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"
