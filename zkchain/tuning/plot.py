"""Dots over two logarithmic scales (SVG, by hand)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple
from xml.sax.saxutils import escape

COLOURS = ("#1b6e53", "#b5563c", "#6b6b8d")
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 24, 48, 52
LEAST = 1e-9  # zero has no logarithm
Axis = Callable[[float], float]


class Dot(NamedTuple):
    """One dot: those of a ``group`` have a colour, its ``full`` ones are joined; ``name`` shows when pointed at."""

    x: float
    y: float
    group: str
    name: str
    full: bool = True
    ringed: bool = False


def svg(dots: Sequence[Dot], *, title: str, across: str, up: str, limit: float | None = None) -> str:
    """The dots, with axes of these names; a dashed line at ``limit``."""
    to_x, columns = _axis([max(dot.x, LEAST) for dot in dots], LEFT, WIDTH - RIGHT)
    heights = [max(dot.y, LEAST) for dot in dots] + ([limit] if limit else [])
    to_y, lines = _axis(heights, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 20, title, size=14),
        *(_rule(to_x(x), TOP, to_x(x), HEIGHT - BOTTOM) for x in columns),
        *(_text(to_x(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}", anchor="middle") for x in columns),
        *(_rule(LEFT, to_y(y), WIDTH - RIGHT, to_y(y)) for y in lines),
        *(_text(LEFT - 8, to_y(y) + 4, f"{y:g}", anchor="end") for y in lines),
        _text((LEFT + WIDTH) / 2, HEIGHT - 12, across, anchor="middle"),
        _text(LEFT, TOP - 10, up),
    ]
    if limit:
        parts.append(_rule(LEFT, to_y(limit), WIDTH - RIGHT, to_y(limit), "#555", 'stroke-dasharray="5 4"'))
    for k, group in enumerate(dict.fromkeys(dot.group for dot in dots)):
        colour = COLOURS[k % len(COLOURS)]
        parts += _drawn([dot for dot in dots if dot.group == group], colour, to_x, to_y)
        parts.append(_text(WIDTH - RIGHT - 140 + 80 * k, TOP - 10, group, colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(dots: Sequence[Dot], colour: str, to_x: Axis, to_y: Axis) -> Iterator[str]:
    places = [(to_x(max(dot.x, LEAST)), to_y(max(dot.y, LEAST)), dot) for dot in dots]
    joined = sorted((x, y) for x, y, dot in places if dot.full)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in joined)
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for x, y, dot in places:
        at, fill = f'cx="{x:.1f}" cy="{y:.1f}"', colour if dot.full else "white"
        yield f'<circle {at} r="4" fill="{fill}" stroke="{colour}"><title>{escape(dot.name)}</title></circle>'
        if dot.ringed:
            yield f'<circle {at} r="9" fill="none" stroke="{colour}" stroke-width="2"/>'


def _axis(values: Sequence[float], start: float, end: float) -> tuple[Axis, list[float]]:
    """A logarithmic scale from ``start`` to ``end``, and the numbers 1, 2 and 5 times a power of ten on it (of a wide
    scale the powers alone)."""
    low, high = (log10(f(values, default=1.0)) for f in (min, max))
    room = max((high - low) * 0.08, 0.1)
    low, high = low - room, high + room
    heads = (1, 2, 5) if high - low < 2.5 else (1,)
    marks = [head * 10.0**k for k in range(floor(low), ceil(high) + 1) for head in heads]
    kept = [mark for mark in marks if low <= log10(mark) <= high]
    return lambda value: start + (log10(value) - low) / (high - low) * (end - start), kept


def _rule(x: float, y: float, to_x: float, to_y: float, colour: str = "#ddd", more: str = "") -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, said: str, colour: str = "#222", *, size: int = 12, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {place}>{escape(said)}</text>"
