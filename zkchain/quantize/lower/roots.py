"""The inverse root of a sum of squares, 1 / sqrt(k S + e) with S = sum x^2, to one relative precision.

A sum of squares spans twice the octaves of its terms: no one step suits both of its ends. So its root is taken of a
floating number. S stays the exact integer that it is; k and e go into the table and the sum:

    k S + e = k 2^-f V,       V = 2^g S + round(2^(f + g) e / k)     (S of f fraction bits; V of f + g)
    V = m 4^j,                2^M <= m < 4 2^M                       (shifts, each made if what is left is large enough)
    1 / sqrt(k S + e) = T(m) 2^-j,   T(m) = c / sqrt(m)              (one table over two octaves)

What is left is the rounding of x itself: off by d, y = x / sqrt(k S + e) is off by d / sqrt(k S + e). Where no d that
there is room for is small enough, a ``Region`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, frexp, inf, log2, sqrt

import numpy as np

from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import bounds_of, largest
from zkchain.quantize import norms
from zkchain.quantize.lower import tables
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.precision import Lowering, Parts, narrow, shifted
from zkchain.quantize.norms import Root
from zkchain.quantize.precision.delicate import SHARE
from zkchain.quantize.regions import Region

ROOM = 61  # bits of a product, and of what is shifted up
LEAST, MOST = 12, 18  # bits of precision of an inverse root
BEYOND = 2  # bits of its argument more than that
EDGE = 0.75  # of what a value over its root may be off by, for the error of the value
GRACE = 16.0  # times that a sum is smaller than this allows, and still rooted for itself
SUMMED = 64.0  # steps that each square is rounded to, below which their sum is not known well enough


def lower_root(state: Lowering, i: int, node: Node, root: Root) -> Value:
    """The inverse root as a fixed-point number fine enough for its smallest values."""
    total = state.values[root.total]
    top, told, edge = _largest(state, total), _told(state, root), _edge(state, i, node, root)
    least = max(told, min(edge / GRACE, float(top)))
    precision = _precision(state, i, root)
    mantissa = precision + BEYOND
    up = max(ceil(mantissa - log2(least)), 0)
    up = max(min(up + (up + total.frac) % 2, ROOM - top.bit_length()), 0)  # even: layers of one size share a table
    value = _argument(state, node, root, total, up)
    lowest = max(floor(least * 2.0**up), 1 << mantissa)
    _state_region(state, node, root, told, max(edge, lowest * 2.0**-up), lowest * 2.0**-up)
    mantissas, shifts = _normalised(state, node, value, lowest, mantissa)
    state.out.errors[mantissas.index] = np.asarray(inf)  # no bound of a sum is one of its root
    # T = 2 c 2^b sqrt(2^M / m), 1 <= 2 c < 2
    c, exponent = frexp(2.0 ** ((value.frac - mantissa) / 2) / sqrt(root.scale))
    rest = tables.Rest(("rsqrt",), 0.0, mantissa, precision + 1, factor=2 * c)
    inverse = tables.whole_domain(state, node, mantissas, rest, (1 << mantissa, (4 << mantissa) - 1))
    least_shift = max(ceil((lowest.bit_length() - mantissa - 3) / 2), 0)
    parts = Parts(inverse, _power(state, node, shifts, least_shift, exponent - 1))
    state.roots[i] = parts
    return _times(state, node, *parts)


def product(state: Lowering, node: Node, x: Value, i: int) -> Value:
    """x over the root: where x T 2^(K - j) has no room, x 2^(K - j) is rounded on the way, to what is wanted."""
    parts, whole, root = state.roots[i], state.values[i], norms.roots(state.graph)[i]
    if _largest(state, x) * _largest(state, whole) < 1 << ROOM:
        return state.out.add(Op.MUL, node.name, (x, whole), x.frac + whole.frac, node.shape)
    part = state.out.add(Op.MUL, node.name, (x, parts.power), x.frac + parts.power.frac, node.shape)
    room = ROOM - _width(state, parts.inverse) - _width(state, part)
    # half a step of it is T / 2 steps of the product
    fine = ceil(_width(state, parts.inverse) - parts.inverse.frac - log2(SHARE**2 * _wanted(state, i, root)))
    part = state.out.rescale(node.name, part, min(part.frac + room, fine))
    return state.out.add(Op.MUL, node.name, (part, parts.inverse), part.frac + parts.inverse.frac, node.shape)


def _largest(state: Lowering, value: Value) -> int:
    return int(largest(state.out[value]).max(initial=0))


def _width(state: Lowering, value: Value) -> int:
    return _largest(state, value).bit_length()


def _times(state: Lowering, node: Node, x: Value, y: Value) -> Value:
    return state.out.add(Op.MUL, node.name, (x, y), x.frac + y.frac)


def _unit(state: Lowering, root: Root) -> float:
    """k S + e for a step of S."""
    return float(root.scale * 2.0 ** -state.values[root.total].frac)


def _told(state: Lowering, root: Root) -> float:
    """The least k S + e that is told from others, in steps of S: one step (below, x is zero), e, or all there is."""
    x, total = narrow(state, root.x), state.values[root.total]
    rounded = SUMMED * state.graph.nodes[root.x].size / max(state.out[total].size, 1)
    lowest = int(bounds_of(state.out[total])[0].min(initial=1 << ROOM))
    return max(1.0, lowest, root.plus / _unit(state, root), rounded if total.frac < 2 * x.frac else 0.0)


def _edge(state: Lowering, i: int, node: Node, root: Root) -> float:
    """The k S + e, in steps of S, at which the error of x is as much as wanted: no more than what was seen."""
    x = narrow(state, root.x)
    bound = float(state.out.error(x).max(initial=0.0))
    off = min(bound, EDGE * state.plan.off[root.x] if root.x in state.plan.off else 2.0**-x.frac)
    edge = (off / (EDGE * _wanted(state, i, root))) ** 2
    low = state.plan.seen.get(node.src[0], (0.0, 0.0))[0]
    return (min(edge, low / 2.0**state.plan.margin) if low > 2 * root.plus else edge) / _unit(state, root)


def _state_region(state: Lowering, node: Node, root: Root, told: float, edge: float, least: float) -> None:
    """No error is promised up to ``edge`` (in steps of S) where that is more than what is told from others, or where
    zero is a pole; below ``least`` all is answered as there."""
    unit = _unit(state, root)
    pole = not root.plus and told <= 1.0
    if edge > told * (1 + 2.0**-10) or pole:
        high = edge if edge > 1.0 else 0.5
        answer = f"x over the root, which counts as {sqrt(unit * least):g} at least"
        state.regions.append(Region(node.name, str(node.arg["fn"][0]), node.src[0], 0.0, unit * high, None, answer))


def _wanted(state: Lowering, i: int, root: Root) -> float:
    """What y = x / root may be off by: at most 1 / sqrt(k), since y is no larger, and at least a 2^-MOST-th of that."""
    most = 1 / sqrt(root.scale)
    return min(max(state.plan.wanted.get(i, most), most * 2.0**-MOST), most)


def _precision(state: Lowering, i: int, root: Root) -> int:
    """Bits of relative precision, for the largest y. Even, to be shared."""
    bits = min(max(ceil(-log2(_wanted(state, i, root) * sqrt(root.scale))), LEAST), MOST)
    return bits + bits % 2


def _argument(state: Lowering, node: Node, root: Root, total: Value, up: int) -> Value:
    """V = 2^g S + round(2^(f + g) e / k)."""
    value = shifted(state, node.name, total, up)
    plus = state.out.const(node.name, np.asarray(root.plus / root.scale), value.frac)
    return state.out.add(Op.ADD, node.name, (value, plus), value.frac)


def _normalised(
    state: Lowering, node: Node, value: Value, lowest: int, mantissa: int
) -> tuple[Value, list[tuple[Value, int]]]:
    """m of V = m 4^j, V held to ``lowest`` at least; and what j is the sum of: (0 or 1, how much that stands for)."""
    lo, hi = (int(end) for end in (bounds_of(state.out[value])[0].min(), bounds_of(state.out[value])[1].max()))
    top, shifts = max(hi, lowest), []
    if lo < lowest:
        value = state.out.add(Op.CLIP, node.name, (value,), value.frac, lo=lowest, hi=None)
    while (over := top.bit_length() - mantissa - 2) > 0:
        shift = 2 * ceil(over / 4)  # what is left over is as much whether it is made or not
        value, made = _shifted_if_large(state, node, value, shift, 1 << mantissa)
        top = max((1 << shift + mantissa) - 1, top >> shift)  # but for rounding, which the last clip holds
        shifts.append((made, shift // 2))
    first, last = 1 << mantissa, (4 << mantissa) - 1
    return state.out.add(Op.CLIP, node.name, (value,), value.frac, lo=first, hi=last), shifts


def _shifted_if_large(state: Lowering, node: Node, v: Value, shift: int, least: int) -> tuple[Value, Value]:
    """w = v / 2^s where that is at least ``least``, v otherwise; and whether: b = 1 or 0.

    w = b round(v / 2^s) + (1 - b) min(v, 2^s least)"""
    out, name, frac = state.out, node.name, v.frac
    down = out.add(Op.RESCALE, name, (v,), frac, shift=shift)
    above = out.add(Op.ADD, name, (down, out.integer(name, 1 - least)), frac)
    made = out.add(Op.CLIP, name, (above,), 0, lo=0, hi=1)
    not_made = out.add(Op.SUB, name, (out.integer(name, 1), made), 0)
    small = out.add(Op.CLIP, name, (v,), frac, lo=None, hi=least << shift)
    parts = [out.add(Op.MUL, name, pair, frac) for pair in ((down, made), (small, not_made))]
    return out.add(Op.ADD, name, parts, frac), made


def _power(state: Lowering, node: Node, shifts: Sequence[tuple[Value, int]], least: int, exponent: int) -> Value:
    """2^(exponent - j), as integers: 2^(K - j), K the largest j; ``least``: the smallest."""
    most = sum(by for _, by in shifts)
    if not shifts:
        return state.out.const(node.name, np.asarray(2.0**exponent), -exponent)
    terms = [state.out.add(Op.MUL, node.name, (b, state.out.integer(node.name, by)), 0) for b, by in shifts]
    total = terms[0]
    for term in terms[1:]:
        total = state.out.add(Op.ADD, node.name, (total, term), 0)
    powers = np.asarray([1 << (most - max(j, least)) for j in range(most + 1)], dtype=np.int64)
    return state.out.add(Op.TABLE, node.name, (total,), most - exponent, first=0, values=powers)
