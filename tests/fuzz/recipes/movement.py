"""Operators that only move, repeat or drop elements: shapes and indices are constants that fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe


def _axis(g: Growing, x: Value) -> tuple[int, int]:
    """An axis counted from 0, and as the model writes it: from the end now and then."""
    axis = g.draw.integer(0, x.rank - 1)
    return axis, axis - x.rank if g.draw.chance(0.4) else axis


def _ints(g: Growing, values: object) -> str:
    return g.const(values, np.int64)


def _moved(x: Value, how: Callable[[np.ndarray], np.ndarray]) -> tuple[int, ...]:
    return how(np.zeros(x.shape)).shape


def _compress(g: Growing, x: Value) -> Value:
    if g.draw.chance(0.3):
        kept = g.draw.some(range(x.size))
        flags = [k in kept for k in range(x.size)]
        return g.emit("Compress", [x.name, g.const(flags, np.bool_)], (len(kept),), x.kind)
    axis, written = _axis(g, x)
    kept = g.draw.some(range(x.shape[axis]))
    flags = [k in kept for k in range(x.shape[axis])]
    shape = (*x.shape[:axis], len(kept), *x.shape[axis + 1 :])
    return g.emit("Compress", [x.name, g.const(flags, np.bool_)], shape, x.kind, axis=written)


def _concat(g: Growing, x: Value) -> Value:
    axis, written = _axis(g, x)

    def fits(v: Value) -> bool:
        rest = (*v.shape[:axis], *v.shape[axis + 1 :])
        return v.kind == x.kind and v.rank == x.rank and rest == (*x.shape[:axis], *x.shape[axis + 1 :])

    parts = [(x.name, x.shape[axis])]
    for _ in range(g.draw.integer(1, 2)):
        if g.draw.chance(0.5):
            y = g.draw.pick([v for v in g.values if fits(v)])
            parts.append((y.name, y.shape[axis]))
        else:
            n = g.draw.integer(1, 3)
            shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
            parts.append((g.const(g.constants_for(x.kind, shape)), n))
    parts = g.draw.shuffled(parts)
    shape = (*x.shape[:axis], sum(n for _, n in parts), *x.shape[axis + 1 :])
    return g.emit("Concat", [name for name, _ in parts], shape, x.kind, axis=written)


def _blocks(g: Growing, x: Value, deep: bool) -> Value:
    n, c, h, w = x.shape
    if deep:  # depth to space
        if c % 4:
            raise Unfit
        mode = {"mode": g.draw.pick(("DCR", "CRD"))} if g.opset >= 11 else {}
        return g.emit("DepthToSpace", [x.name], (n, c // 4, 2 * h, 2 * w), x.kind, blocksize=2, **mode)
    if h % 2 or w % 2:
        raise Unfit
    return g.emit("SpaceToDepth", [x.name], (n, 4 * c, h // 2, w // 2), x.kind, blocksize=2)


def _depth_to_space(g: Growing, x: Value) -> Value:
    if x.size % 4 or x.size > 48:
        raise Unfit
    rest = g.split(x.size // 4, 3)
    return _blocks(g, g.shaped(x, (1, 4 * rest[0], *rest[1:])), True)


def _space_to_depth(g: Growing, x: Value) -> Value:
    if x.size % 4:
        raise Unfit
    rest = g.split(x.size // 4, 3)
    return _blocks(g, g.shaped(x, (1, rest[0], 2 * rest[1], 2 * rest[2])), False)


def _expand(g: Growing, x: Value) -> Value:
    target = [d if d != 1 or g.draw.chance(0.3) else g.draw.integer(1, 3) for d in x.shape]
    given = [1 if g.draw.chance(0.3) else d for d in target]
    shape = np.broadcast_shapes(tuple(given), x.shape)
    if g.draw.chance(0.3):
        given, shape = [2, *given], (2, *shape)
    return g.emit("Expand", [x.name, _ints(g, given)], shape, x.kind)


def _flatten(g: Growing, x: Value) -> Value:
    axis = g.draw.integer(0, x.rank)
    shape = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
    return g.emit("Flatten", [x.name], shape, x.kind, axis=axis)


def _index(g: Growing, shape: tuple[int, ...], size: int) -> np.ndarray:
    return g.draw.whole(shape, -size if g.opset >= 11 and g.draw.chance(0.4) else 0, size - 1)


def _gather(g: Growing, x: Value) -> Value:
    axis, written = _axis(g, x)
    shape = g.draw.pick(((), (1,), (2,), (3,), (2, 2)))
    index = _index(g, shape, x.shape[axis])
    return g.emit(
        "Gather", [x.name, _ints(g, index)], (*x.shape[:axis], *shape, *x.shape[axis + 1 :]), x.kind, axis=written
    )


def _gather_elements(g: Growing, x: Value) -> Value:
    axis, written = _axis(g, x)
    shape = tuple(g.draw.integer(1, 3 if k == axis else d) for k, d in enumerate(x.shape))
    index = _index(g, shape, x.shape[axis])
    return g.emit("GatherElements", [x.name, _ints(g, index)], shape, x.kind, axis=written)


def _gather_nd(g: Growing, x: Value) -> Value:
    depth, rows = g.draw.integer(1, x.rank), g.draw.integer(1, 4)
    index = np.stack([_index(g, (rows,), d) for d in x.shape[:depth]], axis=-1)
    return g.emit("GatherND", [x.name, _ints(g, index)], (rows, *x.shape[depth:]), x.kind)


def _pad(g: Growing, x: Value) -> Value:
    modes = ["constant", "constant", "edge", "reflect", *(["wrap"] if g.opset >= 19 else [])]
    mode = g.draw.pick(modes)
    most = [2 if mode in ("constant", "edge") else d - 1 for d in x.shape]
    pads = [g.draw.integer(0, min(m, 2)) if g.draw.chance(0.5) else 0 for m in (*most, *most)]
    shape = tuple(d + pads[k] + pads[x.rank + k] for k, d in enumerate(x.shape))
    if mode == "constant" and g.draw.chance(0.2):  # a negative pad cuts
        k = g.draw.integer(0, x.rank - 1)
        if x.shape[k] > 2:
            shape = tuple(d - pads[i] - 1 if i == k else d for i, d in enumerate(shape))
            pads[k] = -1
    inputs = [x.name, _ints(g, pads)]
    if mode == "constant" and g.draw.chance(0.6):
        inputs.append(g.const(g.constants_for(x.kind, ())))
    return g.emit("Pad", inputs, shape, x.kind, mode=mode)


def _reshape(g: Growing, x: Value) -> Value:
    shape = list(g.split(x.size, g.draw.integer(1, 4)))
    written = list(shape)
    if g.draw.chance(0.4):
        written[g.draw.integer(0, len(shape) - 1)] = -1
    if shape[0] == x.shape[0] and g.draw.chance(0.5):
        written[0] = 0
    return g.emit("Reshape", [x.name, _ints(g, written)], tuple(shape), x.kind)


def _reverse_sequence(g: Growing, x: Value) -> Value:
    batch = g.draw.integer(0, 1)
    lengths = g.draw.whole((x.shape[batch],), 1, x.shape[1 - batch])
    return g.like(x, "ReverseSequence", _ints(g, lengths), batch_axis=batch, time_axis=1 - batch)


def _slice(g: Growing, x: Value) -> Value:
    axes = g.draw.some(range(x.rank))
    at, starts, ends, steps = [slice(None)] * x.rank, [], [], []
    for axis in axes:
        n = x.shape[axis]
        step = g.draw.pick((1, 1, 2, -1, -2))
        low, high = sorted((g.draw.integer(0, n - 1), g.draw.integer(0, n - 1)))
        start, end = (low, high + 1) if step > 0 else (high, low - 1)
        at[axis] = slice(start, None if end < 0 else end, step)
        starts.append(start - n if g.draw.chance(0.3) else start)
        ends.append(end if 0 <= end < n or g.draw.chance(0.5) else (1 << 62 if end >= n else -(1 << 62)))
        if ends[-1] == -1:  # would mean the last one
            ends[-1] = -n - 1
        steps.append(step)
    lists = [_ints(g, values) for values in (starts, ends, axes, steps)]
    return g.emit("Slice", [x.name, *lists], _moved(x, lambda v: v[tuple(at)]), x.kind)


def _split(g: Growing, x: Value) -> list[Value]:
    axis, written = _axis(g, x)
    n = x.shape[axis]
    if n < 2:
        raise Unfit
    first = g.draw.integer(1, n - 1)
    parts = (first, n - first)
    shapes = [((*x.shape[:axis], d, *x.shape[axis + 1 :]), x.kind) for d in parts]
    return g.emit_many("Split", [x.name, _ints(g, parts)], shapes, axis=written)


def _squeeze(g: Growing, x: Value) -> Value:
    ones = [k for k, d in enumerate(x.shape) if d == 1]
    if not ones:
        raise Unfit
    axes = g.draw.some(ones)
    shape = tuple(d for k, d in enumerate(x.shape) if k not in axes)
    return g.emit("Squeeze", [x.name, _ints(g, axes)], shape, x.kind)


def _unsqueeze(g: Growing, x: Value) -> Value:
    axes = g.draw.some(range(x.rank + 1))[:2]
    rest = iter(x.shape)
    shape = tuple(1 if k in axes else next(rest) for k in range(x.rank + len(axes)))
    return g.emit("Unsqueeze", [x.name, _ints(g, axes)], shape, x.kind)


def _tile(g: Growing, x: Value) -> Value:
    times = [g.draw.pick((1, 1, 2, 3)) for _ in x.shape]
    return g.emit("Tile", [x.name, _ints(g, times)], _moved(x, lambda v: np.tile(v, times)), x.kind)


def _transpose(g: Growing, x: Value) -> Value:
    order = g.draw.shuffled(range(x.rank))
    return g.emit("Transpose", [x.name], tuple(x.shape[k] for k in order), x.kind, perm=order)


def _trilu(g: Growing, x: Value) -> Value:
    more = [_ints(g, g.draw.integer(-2, 2))] if g.draw.chance(0.7) else []
    return g.like(x, "Trilu", *more, upper=g.draw.integer(0, 1))


RECIPES: Mapping[str, Recipe] = {
    "Compress": Recipe(_compress, "fi", ranks=(1, 4), since=11),
    "Concat": Recipe(_concat, "fib", ranks=(1, 4), since=11),
    "DepthToSpace": Recipe(_depth_to_space, since=13),
    "Expand": Recipe(_expand, "fi", ranks=(1, 4)),
    "Flatten": Recipe(_flatten, "fi", ranks=(1, 4)),
    "Gather": Recipe(_gather, "fib", ranks=(1, 4), since=11),
    "GatherElements": Recipe(_gather_elements, "fi", ranks=(1, 4), since=11),
    "GatherND": Recipe(_gather_nd, "fib", ranks=(1, 4), since=12),
    "Pad": Recipe(_pad, "fi", ranks=(1, 4), since=13),
    "Reshape": Recipe(_reshape, "fib", ranks=(1, 4)),
    "ReverseSequence": Recipe(_reverse_sequence, "fi", ranks=(2, 4), since=10),
    "Slice": Recipe(_slice, "fi", ranks=(1, 4), since=11),
    "SpaceToDepth": Recipe(_space_to_depth, since=13),
    "Split": Recipe(_split, "fi", ranks=(1, 4), since=13),
    "Squeeze": Recipe(_squeeze, "fi", ranks=(1, 4), since=13),
    "Tile": Recipe(_tile, "fi", ranks=(1, 4)),
    "Transpose": Recipe(_transpose, "fib", ranks=(1, 4)),
    "Trilu": Recipe(_trilu, "fi", ranks=(2, 4), since=14),
    "Unsqueeze": Recipe(_unsqueeze, "fi", ranks=(0, 3), since=13),
}


def _embedding(g: Growing, x: Value) -> Value:
    """Rows of a table at the places of largest elements: indices that depend on the input and fit."""
    axis, written = _axis(g, x)
    kept = (*x.shape[:axis], *x.shape[axis + 1 :])
    index = g.emit("ArgMax", [x.name], kept, "i", axis=written, keepdims=0)
    table = (x.shape[axis], *(g.draw.integer(1, 3) for _ in range(g.draw.integer(1, 2))))
    at = g.draw.integer(0, len(table) - 1)
    wide = (*table[1 : at + 1], table[0], *table[at + 1 :])
    shape = (*wide[:at], *kept, *wide[at + 1 :])
    return g.emit("Gather", [g.const(g.constants_for("f", wide)), index.name], shape, "f", axis=at)


LATER: Mapping[str, Recipe] = {"Gather of rows": Recipe(_embedding, "f", (1, 3))}
