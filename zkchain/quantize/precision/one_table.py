"""One table for all uses of a function: their arguments have one precision, and so have their values.

A rounding that is shared adds the gains of all its places, and takes the rows of all; a table takes one for each of its
entries besides, or gives way to chords where these would be too many. Of f fraction bits that minimises

    gain 4^-f / ln 4 + price rows(f)

which for rows that grow by the same number with every bit is what ``allocate`` takes for a place alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, log

import numpy as np

from zkchain.ir import functions
from zkchain.ir.functions import Fn
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import norms
from zkchain.quantize.lower.precision import FEWEST_USES, OUT
from zkchain.quantize.lower.tables import CHORD_ROWS, LINES
from zkchain.quantize.precision import noise
from zkchain.quantize.precision.noise import Point
from zkchain.quantize.settings import Settings
from zkchain.typing import FloatArray

LOOKED_AT = 2048  # points of an argument's span
BITS_A_LOOKUP = 8.0  # bits that one lookup checks, about: what a bit costs is counted as a row elsewhere


@dataclass(frozen=True, slots=True)
class Shared:
    """Points ``members`` get the same bits. Of arguments: ``fn`` is looked up for so many elements, in tables of at
    most 2^table_bits entries; ``values`` is one of the points of its values."""

    members: frozenset[int]
    fn: Fn | None = None
    elements: int = 0
    table_bits: int = 0
    values: int = 0

    def bits(
        self, points: Sequence[Point], gains: Sequence[float], chosen: Sequence[int], log_price: float, more: int
    ) -> int:
        """Fraction bits at a price of a row; ``chosen``: those of all points so far."""
        widest = max((points[k] for k in self.members), key=lambda point: point.top)
        low, high = widest.limits(more)
        gain, cost = (sum(each) for each in zip(*((gains[k], points[k].cost) for k in self.members), strict=True))
        if not isfinite(gain):
            return high
        span = self._span(widest.top, chosen[self.values])
        f = np.arange(low, high + 1, dtype=np.float64)
        rows = cost * f + BITS_A_LOOKUP * self._table(span * np.exp2(f))
        return low + int(np.argmin(gain * np.exp2(-2 * f) / log(4) + 2.0**log_price * rows))

    def _table(self, entries: FloatArray) -> FloatArray:
        direct = entries + 2 * self.elements
        chords = np.full(entries.shape, float(CHORD_ROWS * self.elements))
        return np.where(entries < 1 << self.table_bits, np.minimum(direct, chords), chords)

    def _span(self, top: float, value_bits: int) -> float:
        return _moving(self.fn, top, value_bits) if self.fn is not None and isfinite(top) else 0.0


@lru_cache(maxsize=4096)
def _moving(fn: Fn, top: float, value_bits: int) -> float:
    """The part of [-2 top, 2 top] beyond whose ends the function (less its line) no longer changes by half a step."""
    x = np.linspace(-2 * top, 2 * top, LOOKED_AT)
    slope = LINES[str(fn[0])](*fn[1:]) if fn[0] in LINES else 0.0
    y = functions.evaluate(fn, x) - slope * np.maximum(x, 0.0)
    half = 2.0**-value_bits / 2
    low, high = (np.flatnonzero(~(np.abs(y - end) <= half)) for end in (y[0], y[-1]))
    return float(x[high[-1]] - x[low[0]]) if low.size and high.size else 0.0


def shared_tables(graph: Graph, points: Sequence[Point], settings: Settings) -> list[Shared]:
    """What the uses of each function share that has many."""
    if settings.activation_bits is not None:
        return []
    at = {(p.node, p.position): k for k, p in enumerate(points) if graph.nodes[p.node].op is not Op.INPUT}
    uses: dict[Fn, list[int]] = {}
    roots = norms.roots(graph)  # they have a precision of their own
    for i, node in enumerate(graph.nodes):
        if (i, OUT) in at and i not in roots:
            uses.setdefault(node.arg["fn"], []).append(i)
    found = []
    for fn, same in ((fn, same) for fn, same in uses.items() if len(same) >= FEWEST_USES):
        read = (at.get((noise.argument(graph, graph.nodes[i].src[0]), None)) for i in same)
        # a whole number needs no fraction bits, and has none to share
        arguments = frozenset(k for k in read if k is not None and points[k].exact is None)
        elements, values = sum(graph.nodes[i].size for i in same), at[same[0], OUT]
        found.append(Shared(frozenset(at[i, OUT] for i in same)))
        if len(arguments) > 1:
            found.append(Shared(arguments, fn, elements, settings.table_bits, values))
    return found
