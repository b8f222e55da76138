"""Operators that only move, repeat or drop elements.

One rule serves nearly all of them: ONNX's reference implementation runs on the positions of the elements instead of
their values, and what comes out is the index of a TAKE (or a RESHAPE, when no element moved).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx

from zkchain import sandbox
from zkchain.frontend import fold
from zkchain.frontend.call import Call, Rule, Value
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
    """Constant indices move elements; a constant list at a variable index is a function of that index."""
    return lookup(call, call.x(1), call.constant(0, "data")) if call.build.known(call.x(1)) is None else moved(call)


def gather_elements(call: Call) -> int:
    return call.build.take(call.x(), along(call.build, call.x(), call.constant(1, "indices"), call.integer("axis", 0)))


def along(build: Builder, x: int, index: npt.NDArray[np.generic], axis: int) -> IntArray:
    """The flat positions x[index[i, j, ..], j, ..] along axis 0; along other axes the index may be shorter than x."""
    at, shape = build.axis(x, axis), build.shape(x)
    if index.ndim != len(shape) or np.any(np.delete(np.subtract(index.shape, shape), at) > 0):
        raise build.error(f"indices of shape {index.shape} do not fit a value of shape {shape} along axis {at}")
    kept = tuple(slice(None) if k == at else slice(m) for k, m in enumerate(index.shape))
    return np.asarray(np.take_along_axis(build.positions(x)[kept], index.astype(np.int64), at))


def from_start(build: Builder, index: int, counts: npt.ArrayLike) -> int:
    """i + count [i < 0]: an index may count from the end, that of an ARGMAX never does."""
    if classes(build, index):
        return index
    below = build.unary(build.scale(index, -1.0), "greater", 0.0)
    return build.add(index, build.mul(below, build.const(np.asarray(counts, dtype=np.float64))))


def hot(build: Builder, x: int, axis: int, count: int) -> int:
    """[x = k], k = 0 .. count - 1 along an axis, which is one of length 1 of x."""
    places = np.arange(count).reshape([-1 if k == axis else 1 for k in range(build.rank(x))])
    return build.unary(build.sub(x, build.const(places)), "equal", 0.0)


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


def concat(call: Call) -> int:
    xs = [call.x(i) for i in range(len(call.inputs))]
    return call.build.concat(xs, call.integer("axis", 1))


def center_crop_pad(call: Call) -> int:
    """The middle of every axis, or zeros around it, an odd one behind."""
    build, x, rank = call.build, call.x(), len(call.shape())
    axes = [build.axis(x, a) for a in call.integers("axes") or range(rank)]
    at = build.positions(x)
    for axis, size in zip(axes, call.constant(1, "shape").ravel().tolist(), strict=True):
        spare = size - at.shape[axis]
        begin = abs(spare) // 2
        if spare < 0:
            at = at.take(range(begin, begin + size), axis=axis)
        else:
            at = np.pad(at, [(begin, spare - begin) if k == axis else (0, 0) for k in range(rank)], constant_values=-1)
    return build.take_or(x, at, 0.0)


def eye_like(call: Call) -> list[Value]:
    """Ones on a diagonal: the input gives the shape alone."""
    kind = call.integer("dtype", 0) or call.type() or onnx.TensorProto.FLOAT
    rows, columns = call.shape()
    return [np.eye(rows, columns, call.integer("k", 0)).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))]


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
        "CenterCropPad": center_crop_pad,
        "Concat": concat,
        "EyeLike": eye_like,
        "Pad": pad,
        "Trilu": trilu,
        "ai.onnx.ml.FeatureVectorizer": concat,
    }
)
