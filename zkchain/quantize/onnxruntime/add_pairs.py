"""QUANTIZE of the sum of two quantised tensors: y = floor((m a + n b + o) / 2^s), exact on every pair (a, b).

Pairs on which no plane is right (ties, which go to even) make it a sum of two planes, for the even and the odd values;
what is left is put right pair by pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zkchain.errors import UnsupportedOp
from zkchain.ir.graph import Op
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.onnxruntime import arithmetic
from zkchain.quantize.onnxruntime.arithmetic import Target
from zkchain.quantize.onnxruntime.values import Form, State
from zkchain.typing import IntArray

WIDEST = 1 << 9  # values of either tensor
FINEST = 34
CORRECTIONS = 8


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """floor((m a + n b + o) / 2^shift), clipped to 0..top, is right but on ``wrong`` pairs."""

    m: int
    n: int
    o: int
    shift: int
    wrong: int

    def at(self, a: IntArray, b: IntArray, top: int) -> IntArray:
        return np.asarray(np.clip((self.m * a + self.n * b + self.o) >> self.shift, 0, top))


def quantize(state: State, name: str, first: Form, second: Form, target: Target) -> Value:
    x, y = first.value, second.value
    (a_lo, a_hi), (b_lo, b_hi) = state.ends(x), state.ends(y)
    if max(a_hi - a_lo, b_hi - b_lo) >= WIDEST or not (first.uniform and second.uniform):
        raise UnsupportedOp(name, "Add", "a sum of tensors that are not quantised to 8 bits each")
    a, b = (v.ravel() for v in np.meshgrid(np.arange(a_lo, a_hi + 1), np.arange(b_lo, b_hi + 1), indexing="ij"))
    scales = float(first.scale.flat[0]), float(second.scale.flat[0])
    values = arithmetic.pair(a, b, scales, (first.zero, second.zero), target) - target.first
    total = _planes(state, name, (x, y), (a, b), values, (scales[0] / target.scale, scales[1] / target.scale))
    return state.plus(name, total, target.first)


def _planes(
    state: State, name: str, xy: tuple[Value, Value], ab: tuple[IntArray, IntArray], values: IntArray,
    ratio: tuple[float, float],
) -> Value:  # fmt: skip
    top = int(values.max())
    plane = fit(*ab, values, ratio, top)
    if plane.wrong:
        halves = [(values + k) // 2 for k in (0, 1)]
        half = ratio[0] / 2, ratio[1] / 2
        planes = [fit(*ab, v, half, int(v.max())) for v in halves]
        if sum(p.wrong for p in planes) < plane.wrong:
            parts = [_plane(state, name, xy, ab, p, v) for p, v in zip(planes, halves, strict=True)]
            return state.add(Op.ADD, name, parts)
    return _plane(state, name, xy, ab, plane, values)


def _plane(
    state: State, name: str, xy: tuple[Value, Value], ab: tuple[IntArray, IntArray], plane: Plane, values: IntArray
) -> Value:
    top = int(values.max())
    sides = [state.times(name, v, k) for v, k in zip(xy, (plane.m, plane.n), strict=True)]
    moved = state.plus(name, state.add(Op.ADD, name, sides), plane.o - (1 << plane.shift >> 1))
    q = state.add(Op.RESCALE, name, (moved,), shift=plane.shift)
    lo, hi = state.ends(q)
    q = q if lo >= 0 and hi <= top else state.add(Op.CLIP, name, (q,), lo=0, hi=top)
    off = values - plane.at(*ab, top)
    wrong = np.flatnonzero(off)
    if wrong.size > CORRECTIONS:
        raise UnsupportedOp(name, "Add", f"{wrong.size} pairs of values whose rounded sum has no integer form")
    for k in wrong:
        here = [_is(state, name, v, int(side[k])) for v, side in zip(xy, ab, strict=True)]
        q = state.add(Op.ADD, name, (q, state.times(name, state.add(Op.MUL, name, here), int(off[k]))))
    return q


def _is(state: State, name: str, x: Value, k: int) -> Value:
    # [x = k] = relu(x - k + 1) - 2 relu(x - k) + relu(x - k - 1)
    parts = [
        state.times(name, state.add(Op.RELU, name, (state.plus(name, x, d - k),)), 1 - 3 * (d == 0)) for d in (1, 0, -1)
    ]
    return state.add(Op.ADD, name, (state.add(Op.ADD, name, parts[:2]), parts[2]))


def fit(a: IntArray, b: IntArray, values: IntArray, ratio: tuple[float, float], top: int) -> Plane:
    """The plane of least shift that is right everywhere, or else the one that is wrong least often."""
    best: Plane | None = None
    for shift in range(2, FINEST):
        plane = _try(a, b, values, ratio, top, shift)
        if best is None or plane.wrong < best.wrong:
            best = plane
        if plane.wrong == 0:
            return plane
    return best if best is not None else Plane(0, 0, 0, 1, values.size)


def _try(a: IntArray, b: IntArray, values: IntArray, ratio: tuple[float, float], top: int, shift: int) -> Plane:
    """m a + n b + o in [2^s y, 2^s (y + 1)): the offsets that do for each pair of slopes next to the exact ones."""
    m0, n0 = (int(np.rint(np.ldexp(r, shift))) for r in ratio)
    planes = []
    for m in (m0 - 1, m0, m0 + 1):
        for n in (n0 - 1, n0, n0 + 1):
            rest = (values << shift) - m * a - n * b
            least = rest[values > 0].max(initial=-(1 << 60))
            most = rest[values < top].min(initial=1 << 60) + (1 << shift) - 1
            o = int(least + most) // 2 if abs(least) < 1 << 59 and abs(most) < 1 << 59 else 0
            planes.append(Plane(m, n, o, shift, max(int(least - most), 0)))
    best = min(planes, key=lambda p: p.wrong)
    return best if best.wrong == 0 else replace(best, wrong=_count_wrong(best, a, b, values, top))


def _count_wrong(plane: Plane, a: IntArray, b: IntArray, values: IntArray, top: int) -> int:
    return max(int(np.count_nonzero(plane.at(a, b, top) != values)), 1)
