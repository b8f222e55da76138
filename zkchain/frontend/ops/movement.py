"""Operators that only move, repeat or drop elements.

One rule serves nearly all of them: ONNX's reference implementation runs on the positions of the elements instead of
their values, and what comes out is the index of a TAKE (or a RESHAPE, when no element moved).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from zkchain import sandbox
from zkchain.frontend import fold
from zkchain.frontend.call import Call, Rule
from zkchain.frontend.text import Vocabulary
from zkchain.ir.builder import Builder
from zkchain.ir.categories import TEXTS
from zkchain.ir.graph import Op
from zkchain.typing import IntArray

# Of these, all inputs but the first are constant: shapes, axes, indices.
MOVES = (
    "Compress",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherND",
    "Reshape",
    "ReverseSequence",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)


def moved(call: Call) -> list[int]:
    rest = [call.constant(i, call.proto.input[i]) if call.has(i) else None for i in range(1, len(call.inputs))]
    x = call.x()
    try:
        indices = fold.evaluate(call.proto, [call.build.positions(x), *rest], call.opsets)
    except sandbox.Refused as error:
        raise call.build.error(f"{call.op} does not apply to shape {call.build.shape(x)}: {error}") from error
    return [x if index is None else call.build.take(x, index) for index in indices]


def gather(call: Call) -> list[int] | int:
    """Constant indices move elements; a constant list at a variable index is a function of that index, a constant table
    an embedding: rows of it."""
    if not call.is_constant(0) or call.is_constant(1):
        return moved(call)
    if len(call.shape(0)) == 1:
        return lookup(call, call.x(1), call.constant(0, "data"))
    # out[.., index, ..] with the axis in front: rows of the table, then the index's axes back to where the axis was
    table, index = call.constant(0, "data"), call.x(1)
    axis, rank = call.integer("axis", 0) % table.ndim, call.build.rank(index)
    found = call.build.rows(index, call.build.const(np.moveaxis(table, axis, 0)))
    order = [*range(rank, rank + axis), *range(rank), *range(rank + axis, rank + table.ndim - 1)]
    return call.build.transpose(found, order)


def gather_elements(call: Call) -> int:
    """out[i, j, ...] = x[index[i, j, ...], j, ...] along axis 0; along other axes the index may be shorter than x."""
    build, x, index = call.build, call.x(), call.constant(1, "indices")
    axis = build.axis(x, call.integer("axis", 0))
    shape = build.shape(x)
    if index.ndim != len(shape) or np.any(np.delete(np.subtract(index.shape, shape), axis) > 0):
        raise build.error(f"indices of shape {index.shape} do not fit a value of shape {shape} along axis {axis}")
    kept = tuple(slice(None) if k == axis else slice(m) for k, m in enumerate(index.shape))
    return build.move(x, lambda at: np.take_along_axis(at[kept], index, axis))


def lookup(call: Call, x: int, values: npt.NDArray[np.generic], *, count: int = 0) -> int:
    """values[x] for a constant list: an affine function where the list is evenly spaced, else a table. Strings are
    places in the list of the different ones. ``count``: the number of values that x has, where that is known."""
    build = call.build
    if values.dtype.kind in TEXTS:
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in values.ravel().tolist()]
        names = list(dict.fromkeys(texts))
        places = x if len(names) == len(texts) else lookup(call, x, np.array([names.index(t) for t in texts]))
        return build.named(places, Vocabulary.of(names))
    listed = values.astype(np.float64).ravel()
    steps = np.diff(listed)
    if steps.size and np.all(steps == steps[0]) and (count or classes(build, x)) == listed.size:
        # values[x] = values[0] + step x
        return build.shift(build.scale(x, float(steps[0])), float(listed[0]))
    return build.unary(x, "lookup", *(float(v) for v in listed))


def classes(build: Builder, x: int) -> int:
    """Count the values that the index x can have: the axis's length for ARGMAX and TOP_INDEX, else 0 for unknown."""
    node = build.nodes[x]
    while node.op in (Op.RESHAPE, Op.TAKE):
        node = build.nodes[node.src[0]]
    return int(build.shape(node.src[0])[node.arg["axis"]]) if node.op in (Op.ARGMAX, Op.TOP_INDEX) else 0


def feature(call: Call) -> int:
    """ArrayFeatureExtractor: columns of the last axis by constant index, or a constant row at a variable index."""
    rows = call.shape()[:-1] or (1,)
    if call.is_constant(0):
        data = call.constant(0, "data")
        if data.size != data.shape[-1]:
            raise call.fail(f"rows {data.shape} at a variable index", hint="only one constant row can be indexed")
        found = lookup(call, call.x(1), data)
        return call.build.reshape(found, (*rows, call.build.size(found)))
    columns = call.constant(1, "indices").ravel()
    return call.build.move(call.x(), lambda at: at.reshape(*rows, -1)[..., columns])


def concat(call: Call) -> int:
    xs = [call.x(i) for i in range(len(call.inputs))]
    return call.build.concat(xs, call.integer("axis", 1))


def trilu(call: Call) -> int:
    """The upper or lower triangle of the last two axes, zeros elsewhere."""
    k = int(call.optional_scalar(1, "k") or 0)
    triangle = np.triu if call.integer("upper", 1) else np.tril
    # positions count from one here, so that zero and then -1 is outside the triangle
    return call.build.take_or(call.x(), triangle(call.build.positions(call.x()) + 1, k) - 1, 0.0)


def pad(call: Call) -> int:
    """Constant, reflect, edge or wrap padding; negative pads cut off. Pads are attributes before opset 11."""
    x, rank = call.x(), len(call.shape())
    pads = call.integers("pads", 1)
    axes = _axes(call, rank)
    if pads is None or len(pads) != 2 * len(axes):
        raise call.build.error(f"expected {2 * len(axes)} pads, got {pads}")
    widths = [(0, 0)] * rank
    for a, begin, end in zip(axes, pads, pads[len(axes) :], strict=False):
        widths[a] = (begin, end)
    mode = call.attribute("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise call.fail(f"mode {mode!r}")
    given = call.optional_scalar(2, "constant_value") if call.version >= 11 else call.number("value", 0.0)
    return call.build.take_or(x, _padded(call.build.positions(x), widths, mode), given or 0.0)


def _axes(call: Call, rank: int) -> list[int]:
    given = call.optional(3, "axes")
    return list(range(rank)) if given is None else [call.build.axis(call.x(), int(a)) for a in given.ravel()]


def _padded(positions: IntArray, widths: Sequence[tuple[int, int]], mode: str) -> IntArray:
    kept = tuple(slice(max(0, -b), size - max(0, -e)) for (b, e), size in zip(widths, positions.shape, strict=True))
    more = [(max(0, b), max(0, e)) for b, e in widths]
    cut = positions[kept]
    if mode == "constant":
        return np.pad(cut, more, constant_values=-1)
    return np.pad(cut, more, mode=mode)  # type: ignore[call-overload, no-any-return]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **dict.fromkeys(MOVES, moved),
        "Concat": concat,
        "Gather": gather,
        "GatherElements": gather_elements,
        "Pad": pad,
        "Trilu": trilu,
        "ai.onnx.ml.ArrayFeatureExtractor": feature,
        "ai.onnx.ml.FeatureVectorizer": concat,
    }
)
