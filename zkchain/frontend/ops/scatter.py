"""Reading and writing at given places: scatters at constant indices, gathers at indices that depend on the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops import movement, reduction
from zkchain.frontend.window import listed
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op
from zkchain.typing import IntArray

MOST_COMPARED = 1 << 16
"""Bound on the elements of a one-hot product: each costs a few constraints."""
FIXED = "a circuit has one structure: give constant indices, or a constant table to gather from"


# -- scatters at constant indices -------------------------------------------------------------------------------------


# reduction -> how the elements that come to one place are joined, and what changes nothing (None: repeating the first)
JOINED: Mapping[str, tuple[reduction.Verb, float | None]] = {
    "add": (Builder.sum, 0.0),
    "mul": (reduction.product, 1.0),
    "max": (lambda build, x, axes: build.extreme(Op.REDUCE_MAX, x, axes), None),
    "min": (lambda build, x, axes: build.extreme(Op.REDUCE_MIN, x, axes), None),
}


def scattered(call: Call, x: int, updates: int, targets: IntArray) -> int:
    """x with the updates written, or joined with what is there, at flat positions ``targets``; the last one counts."""
    build, size, kind = call.build, call.build.size(x), call.attribute("reduction", "none")
    if kind != "none" and kind not in JOINED:
        raise call.fail(f"reduction {kind!r}", hint=f"known: none, {', '.join(JOINED)}")
    if targets.shape != build.shape(updates):
        raise build.error(f"updates of shape {build.shape(updates)} do not fit indices for {targets.shape}")
    both = build.concat([build.reshape(v, (build.size(v),)) for v in (x, updates)], 0)
    rows = listed(targets.ravel(), size)
    met = np.flatnonzero((rows >= 0).any(axis=1))
    index = np.arange(size)
    if kind == "none":
        index[met] = size + rows[met].max(axis=1)
        return build.take(both, index.reshape(build.shape(x)))
    join, neutral = JOINED[kind]
    # one row for every place that is met: what is there, then its updates
    more = np.where(rows[met] < 0, met[:, None] if neutral is None else -1, size + rows[met])
    joined = join(build, build.take_or(both, np.column_stack([met, more]), neutral or 0.0), [1])
    index[met] = size + np.arange(met.size)
    flat = build.concat([build.reshape(x, (size,)), build.reshape(joined, (met.size,))], 0)
    return build.take(flat, index.reshape(build.shape(x)))


def _constant_index(call: Call, i: int) -> IntArray:
    known = call.build.known(call.x(i))
    if known is None:
        raise call.fail("its indices depend on the model's inputs", hint=FIXED)
    return known.astype(np.int64)


def scatter_nd(call: Call) -> int:
    # y[index[i, j, .. , :]] = updates[i, j, ..]
    x, index = call.x(), _constant_index(call, 1)
    targets = call.build.positions(x)[tuple(np.moveaxis(index, -1, 0))]
    return scattered(call, x, call.x(2), np.asarray(targets))


def scatter_elements(call: Call) -> int:
    # y[index[i, j, ..], j, ..] = updates[i, j, ..] along axis 0
    x, index = call.x(), _constant_index(call, 1)
    return scattered(call, x, call.x(2), movement.along(call.build, x, index, call.integer("axis", 0)))


def tensor_scatter(call: Call) -> int:
    """The updates lie from a constant place on along one axis, for every batch its own; circular ones begin again."""
    build, x, updates = call.build, call.x(), call.x(1)
    axis, shape = build.axis(x, call.integer("axis", -2)), call.shape(1)
    starts = _constant_index(call, 2) if call.has(2) else np.zeros(shape[0], np.int64)
    along = np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    index = starts.reshape([-1, *(1 for _ in shape[1:])]) + along
    index = index % call.shape()[axis] if call.attribute("mode", "linear") == "circular" else index
    return scattered(call, x, updates, movement.along(build, x, np.broadcast_to(index, shape), axis))


# -- gathers at variable indices --------------------------------------------------------------------------------------


def _is_fixed(call: Call, i: int) -> bool:
    return call.is_constant(i) or call.build.known(call.x(i)) is not None


def rows_at(call: Call, table: int, index: int) -> int:
    """table[index] along its first axis: rows of a constant one, a product with ones and zeros otherwise."""
    build = call.build
    known = build.known(table)
    if known is not None:
        return build.rows(index, build.const(known))
    count, *rest = build.shape(table)
    flat = build.reshape(table, (count, build.size(table) // count))
    return build.reshape(build.matmul(one_hot(call, index, count), flat), (*build.shape(index), *rest))


def one_hot(call: Call, index: int, count: int) -> int:
    """(.., count): 1 where the last axis's place is the index, 0 elsewhere."""
    build = call.build
    if build.size(index) * count > MOST_COMPARED:
        raise call.fail(f"{build.size(index)} variable indices into {count} variable rows", hint=FIXED)
    wide = build.reshape(movement.from_start(build, index, count), (*build.shape(index), 1))
    return movement.hot(build, wide, build.rank(index), count)


def gather(call: Call) -> list[int] | int:
    """Constant indices move elements; a constant list at a variable index is a function of that index; other tables
    have their axis brought to the front, rows of them taken, and the index's axes put where the axis was."""
    build = call.build
    if _is_fixed(call, 1) or (_is_fixed(call, 0) and len(call.shape(0)) == 1):
        return movement.gather(call)
    table = call.x(0)
    return _gathered(call, table, call.x(1), build.axis(table, call.integer("axis", 0)))


def _gathered(call: Call, table: int, index: int, axis: int) -> int:
    build = call.build
    rank, width = build.rank(index), build.rank(table)
    front = build.transpose(table, [axis, *(k for k in range(width) if k != axis)])
    found = rows_at(call, front, index)
    order = [*range(rank, rank + axis), *range(rank), *range(rank + axis, rank + width - 1)]
    return build.transpose(found, order)


def feature(call: Call) -> int:
    """ArrayFeatureExtractor: places of the last axis by a list of indices; a table of one axis is a row."""
    build, rows = call.build, call.shape()[:-1] or (1,)
    if _is_fixed(call, 1):
        columns = call.constant(1, "indices").ravel()
        return build.move(call.x(), lambda at: at.reshape(*rows, -1)[..., columns])
    index = build.reshape(call.x(1), (build.size(call.x(1)),))
    if call.is_constant(0) and call.constant(0, "data").size == call.shape()[-1]:
        found = movement.lookup(call, index, call.constant(0, "data"))
        return build.reshape(found, (*rows, build.size(found)))
    return _gathered(call, build.reshape(call.x(), (*rows, call.shape()[-1])), index, len(rows))


def gather_nd(call: Call) -> list[int] | int:
    """At a variable index: rows of the table whose first axes are joined, at the sum of index times stride."""
    if _is_fixed(call, 1):
        return movement.moved(call)
    build, x, index = call.build, call.x(0), call.x(1)
    batch, shape, depth = call.integer("batch_dims", 0), call.shape(0), call.shape(1)[-1]
    sizes, rest = shape[batch : batch + depth], shape[batch + depth :]
    strides = np.cumprod([1, *sizes[::-1]])[-2::-1] if depth else np.zeros(0)
    if depth > 1 or batch:  # of one axis alone the rows' own ends are at hand
        index = movement.from_start(build, index, sizes)
    counted = build.sum(build.mul(index, build.const(strides)), [build.rank(index) - 1])
    place = build.reshape(counted, call.shape(1)[:-1])
    batches = int(np.prod(shape[:batch]))
    first = np.arange(batches).reshape(*shape[:batch], *(1 for _ in call.shape(1)[batch:-1])) * int(np.prod(sizes))
    table = build.reshape(x, (batches * int(np.prod(sizes)), *rest))
    return rows_at(call, table, build.add(place, build.const(first)) if batches > 1 else place)


def gather_elements(call: Call) -> int:
    """At a variable index: x along the axis, times ones and zeros; of a constant x, elements of it as one list."""
    if _is_fixed(call, 1):
        return movement.gather_elements(call)
    build, x, index = call.build, call.x(0), call.x(1)
    axis, shape = build.axis(x, call.integer("axis", 0)), call.shape(1)
    zeros = np.zeros(shape, np.int64)
    if build.known(x) is not None:
        # the flat position of x[0, j, ..], and the step along the axis
        first, step = movement.along(build, x, zeros, axis), int(np.prod(call.shape(0)[axis + 1 :]))
        places = movement.from_start(build, index, call.shape(0)[axis])
        place = build.add(build.scale(places, float(step)), build.const(first))
        return build.reshape(rows_at(call, build.reshape(x, (build.size(x), 1)), place), shape)
    count = call.shape(0)[axis]
    lines = np.stack([movement.along(build, x, zeros + k, axis) for k in range(count)], axis=-1)
    chosen = build.mul(one_hot(call, index, count), build.take(x, lines))
    return build.reshape(build.sum(chosen, [len(shape)]), shape)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Gather": gather,
        "GatherElements": gather_elements,
        "GatherND": gather_nd,
        "Scatter": scatter_elements,
        "ScatterElements": scatter_elements,
        "ScatterND": scatter_nd,
        "TensorScatter": tensor_scatter,
        "ai.onnx.ml.ArrayFeatureExtractor": feature,
    }
)
