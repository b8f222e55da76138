"""Integers divided by a constant, exactly: a product and a rescale.

    floor(q / d) = floor(q m / 2^k) for 0 <= q <= n, where m = ceil(2^k / d) and n (m d - 2^k) < 2^k

since q m / 2^k = q / d + q (m d - 2^k) / (d 2^k), and what is added is too little to reach the next multiple of 1 / d.
"""

from __future__ import annotations

import numpy as np

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir.graph import BOUND, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.precision import Lowering, shifted

SMALLER = "declare a smaller domain (domain=, --domain), or divide by a smaller number"
DIVISIONS = frozenset({"divide", "floor_divide"})


def divide(state: Lowering, i: int, node: Node) -> Value:
    """UNARY ``divide`` (towards zero) or ``floor_divide`` of a value at its full precision."""
    name, by = str(node.arg["fn"][0]), float(node.arg["fn"][1])
    x = state.values[node.src[0]]
    x = shifted(state, node.name, x, max(-x.frac, 0))
    divisor = int(by) << x.frac
    if not (by.is_integer() and 0 < divisor < BOUND):
        raise UnsupportedOp(node.name, name, f"a divisor of {by:g} at {x.frac} fraction bits", hint=SMALLER)
    lo, hi = _ends(state, x)
    if name == "floor_divide" or lo >= 0:
        return _floor(state, node, x, divisor)
    below = _negated(state, node, _floor(state, node, _positive(state, node, _negated(state, node, x)), divisor))
    if hi <= 0:
        return below
    above = _floor(state, node, _positive(state, node, x), divisor)
    return state.out.add(Op.ADD, node.name, (above, below), 0)


def _ends(state: Lowering, x: Value) -> tuple[int, int]:
    lo, hi = bounds_of(state.out[x])
    return int(lo.min()), int(hi.max())


def _negated(state: Lowering, node: Node, x: Value) -> Value:
    return state.out.add(Op.MUL, node.name, (x, state.out.const(node.name, np.asarray(-1.0), 0)), x.frac)


def _positive(state: Lowering, node: Node, x: Value) -> Value:
    return x if _ends(state, x)[0] >= 0 else state.out.add(Op.RELU, node.name, (x,), x.frac)


def _floor(state: Lowering, node: Node, x: Value, divisor: int) -> Value:
    """floor(q / divisor) of the integers q, moved to begin at zero by whole multiples of the divisor."""
    lo, hi = _ends(state, x)
    first = lo // divisor
    if divisor == 1:
        return x
    factor, shift = magic(hi - first * divisor, divisor, node.name)
    # rescale rounds: floor((v + 2^(k-1)) / 2^k) is floor(q m / 2^k) for v = q m - 2^(k-1)
    product = state.out.add(Op.MUL, node.name, (x, _whole(state, node, factor)), x.frac)
    moved = _whole(state, node, -first * divisor * factor - (1 << (shift - 1)))
    start = state.out.add(Op.ADD, node.name, (product, moved), x.frac)
    result = state.out.add(Op.RESCALE, node.name, (start,), 0, shift=shift)
    if first:
        result = state.out.add(Op.ADD, node.name, (result, _whole(state, node, first)), 0)
    exact = not np.any(state.out.error(x))
    state.out.errors[result.index] = np.asarray(0.0 if exact else np.inf)
    return result


def _whole(state: Lowering, node: Node, value: int) -> Value:
    return state.out.integer(node.name, value)


def magic(most: int, divisor: int, name: str) -> tuple[int, int]:
    """(m, k) of the equation above for 0 <= q <= ``most``. CompileError where the product would reach 2^62."""
    for shift in range(1, 62):
        factor = -(-(1 << shift) // divisor)
        if most * (factor * divisor - (1 << shift)) < 1 << shift:
            if (most + 1) * factor >= BOUND:
                break
            return factor, shift
    raise CompileError(
        f"node {name!r}: an integer up to {most} is divided by {divisor}: the product that does it reaches 2^62",
        hint=SMALLER,
    )
