"""Step functions on integers: exact on every one, without a table.

With k fraction bits, x = q / 2^k and every division below is a floor:
  floor(x) = q / 2^k        ceil(x) = (q + 2^k - 1) / 2^k        trunc(x) = (q + [q < 0] (2^k - 1)) / 2^k
  round(x), halves to even: with q + 2^(k-1) = 2^(k+1) v + w, 0 <= w < 2^(k+1), it is 2 v + [w > 2^k]
  [x > c] = clip(q - c', 0, 1), c' the integer of c;  sign(x) = clip(q, -1, 1);  [x = c] = 1 - clip(q - c', -1, 1)^2

What remains is the rounding of the argument: next to a jump it changes the answer. That is a ``Region``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from zkchain.ir import functions
from zkchain.ir.functions import Jumps
from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.precision import Lowering, prefer, relabelled
from zkchain.quantize.regions import Region


def lower_step(state: Lowering, i: int, node: Node) -> Value:
    """A UNARY whose function is constant between its jumps."""
    fn, x = node.arg["fn"], prefer(state, node.src[0])
    y = STEPS[fn[0]](state, node.name, x, *fn[1:])
    jumps = functions.jumps(fn)
    if y == x and state.out.error(x).any():  # integers already, and perhaps not those that belong here
        y = relabelled(state, node.name, x, x.frac, state.out[x].shape)
    if jumps is not None and y != x:
        exact = add_regions(state, node, x, jumps)
        state.out.errors[y.index] = np.asarray(0.0 if exact else np.inf)
    return y


def add_regions(state: Lowering, node: Node, x: Value, jumps: Jumps) -> bool:
    """State the neighbourhoods of the jumps within reach; whether outside them the answer is right for certain."""
    bound = float(state.out.error(x).max(initial=0))
    width = min(bound, state.plan.off.get(node.src[0], bound))
    if width == 0:
        return True
    lo, hi = (float(end) * 2.0**-x.frac for end in _ends(state, x))
    answer = "that of the nearest number the argument is rounded to, on either side of the jump"
    for point in jumps.points:
        period, scaled = jumps.period, np.ldexp(point, x.frac)
        off_grid = 0.0 if period else float(np.ldexp(abs(scaled - np.rint(scaled)), -x.frac))
        low, high = point - width - off_grid, point + width + off_grid
        first = low if period is None else low + np.ceil((lo - high) / period) * period
        if first <= hi and first + (high - low) >= lo:
            state.regions.append(Region(node.name, node.arg["fn"][0], node.src[0], low, high, period, answer))
    return bound <= width


def _ends(state: Lowering, x: Value) -> tuple[int, int]:
    lo, hi = bounds_of(state.out[x])
    return int(lo.min()), int(hi.max())


def _plus(state: Lowering, name: str, x: Value, integer: int) -> Value:
    shift = state.out.const(name, np.asarray(np.ldexp(float(integer), -x.frac)), x.frac)
    return state.out.add(Op.ADD, name, (x, shift), x.frac)


def _floor_of(state: Lowering, name: str, x: Value, integer: int, bits: int) -> Value:
    """floor((q + integer) / 2^bits): a RESCALE adds half of 2^bits before."""
    moved = _plus(state, name, x, integer - (1 << bits >> 1))
    return state.out.add(Op.RESCALE, name, (moved,), x.frac - bits, shift=bits)


def _floor(state: Lowering, name: str, x: Value) -> Value:
    return _floor_of(state, name, x, 0, x.frac) if x.frac > 0 else x


def _ceil(state: Lowering, name: str, x: Value) -> Value:
    return _floor_of(state, name, x, (1 << x.frac) - 1, x.frac) if x.frac > 0 else x


def _trunc(state: Lowering, name: str, x: Value) -> Value:
    if x.frac <= 0:
        return x
    # [q < 0] (2^k - 1) = clip(q, -1, 0) (1 - 2^k)
    negative = relabelled(state, name, state.out.add(Op.CLIP, name, (x,), x.frac, lo=-1, hi=0), 0, state.out[x].shape)
    factor = state.out.const(name, np.asarray(np.ldexp(1.0 - 2.0**x.frac, -x.frac)), x.frac)
    up = state.out.add(Op.MUL, name, (negative, factor), x.frac)
    return _floor_of(state, name, state.out.add(Op.ADD, name, (x, up), x.frac), 0, x.frac)


def _round(state: Lowering, name: str, x: Value) -> Value:
    k = x.frac
    if k <= 0:
        return x
    v = _floor_of(state, name, x, 1 << k >> 1, k + 1)  # in units of 2
    pairs = state.out.const(name, np.asarray(-2.0), 0)
    back = relabelled(state, name, v, 0, state.out[v].shape)
    whole = state.out.add(Op.MUL, name, (back, pairs), 0)  # -2 v: 2^(k+1) v = -2^k (-2 v)
    one = state.out.const(name, np.asarray(1.0), k)
    rest = state.out.add(Op.ADD, name, (x, state.out.add(Op.MUL, name, (whole, one), k)), k)
    odd = _clipped_above(state, name, rest, (1 << k >> 1))
    twice = state.out.add(Op.MUL, name, (whole, state.out.const(name, np.asarray(-1.0), 0)), 0)
    return state.out.add(Op.ADD, name, (twice, odd), 0)


def _outside(ends: tuple[int, int]) -> tuple[int, int]:
    """The nearest integers beyond both ends that floating numbers hold: beyond 2^53 they lie further apart."""
    lo, hi = ends
    below, above = float(lo - 1), float(hi + 1)
    return (
        int(below if below < lo else np.nextafter(below, -np.inf)),
        int(above if above > hi else np.nextafter(above, np.inf)),
    )


def _clipped_above(state: Lowering, name: str, x: Value, integer: int) -> Value:
    """[q > integer]"""
    lo, hi = _outside(_ends(state, x))
    over = _plus(state, name, x, -min(max(integer, lo), hi))
    return relabelled(state, name, state.out.add(Op.CLIP, name, (over,), x.frac, lo=0, hi=1), 0, state.out[x].shape)


def _integer(state: Lowering, x: Value, c: float) -> int:
    """The integer of a threshold: of an exact argument the last one not above it, else the one that c is rounded to,
    so that data that hold c itself are equal to it."""
    scaled = float(np.clip(np.ldexp(c, x.frac), -(2.0**62), 2.0**62))
    return int(np.floor(scaled)) if not state.out.error(x).any() else int(np.rint(scaled))


def _greater(state: Lowering, name: str, x: Value, c: float) -> Value:
    return _clipped_above(state, name, x, _integer(state, x, c))


def _sign(state: Lowering, name: str, x: Value) -> Value:
    return relabelled(state, name, state.out.add(Op.CLIP, name, (x,), x.frac, lo=-1, hi=1), 0, state.out[x].shape)


def _equal(state: Lowering, name: str, x: Value, c: float) -> Value:
    integer, (lo, hi) = _integer(state, x, c), _outside(_ends(state, x))
    exact = not state.out.error(x).any() and np.ldexp(float(integer), -x.frac) != c
    away = hi if exact else min(max(integer, lo), hi)
    off = _sign(state, name, _plus(state, name, x, -away))
    square = state.out.add(Op.MUL, name, (off, off), 0)
    return state.out.add(Op.SUB, name, (state.out.const(name, np.asarray(1.0), 0), square), 0)


STEPS: Mapping[str, Callable[..., Value]] = {
    "ceil": _ceil,
    "equal": _equal,
    "floor": _floor,
    "greater": _greater,
    "round": _round,
    "sign": _sign,
    "trunc": _trunc,
}
