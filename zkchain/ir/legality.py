"""Define what a legal node is: the arguments that its operator takes, and the shape that follows from those of its
sources.

One rule per operator: ``rule(arg, shape, *sources)`` is the shape that the node must have; ``shape`` is the one it
claims. Rules raise ValueError with the reason. Graphs come from files too, so nothing is taken on trust: not an
argument's type, nor that it is in range, nor that a size fits memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]
Arg = Mapping[str, Any]
Rule = Callable[..., Shape]

LARGEST = 1 << 26
"""Elements of one value: beyond any circuit, and all that memory holds positions for."""
MOST_AXES = 32
DEEPEST = 4096
"""Levels of a decision tree."""
WIDEST_SHIFT = 61
"""Largest shift of a rescale: what is shifted lies within 2^62, so a larger shift leaves no bit."""
BOUND = 1 << 62
"""Integers of a program are smaller, whatever their sign."""


def shape_of(op: str, arg: Arg, shape: Shape, sources: Sequence[Shape]) -> Shape:
    """The shape that a node of these arguments, on sources of these shapes, has. ValueError: the node is not legal."""
    if len(shape) > MOST_AXES or any(d < 0 for d in shape) or math.prod(shape) > LARGEST:
        raise ValueError(f"a value of shape {_shown(shape)} is too large")
    return RULES[op](arg, shape, *sources)


def whole(value: Any, least: int, most: int, what: str) -> int:
    """An integer, Python's or numpy's, from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise ValueError(f"{what}: expected an integer from {least} to {most}, got {_shown(value)}")
    return int(value)


def integers(array: Any, what: str) -> npt.NDArray[np.int64]:
    """An array of int64."""
    if not isinstance(array, (np.ndarray, np.int64)) or array.dtype != np.int64:
        raise ValueError(f"{what}: expected an array of integers, got {_shown(array)}")
    return np.asarray(array)


def clip_ends(arg: Arg) -> None:
    """Check the ends of a CLIP between integers."""
    for name in ("lo", "hi"):
        if arg[name] is not None:
            whole(arg[name], 1 - BOUND, BOUND - 1, name)


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _wholes(values: Any, count: int | None, least: int, most: int, what: str) -> Shape:
    """So many integers, any number of them for None."""
    if not isinstance(values, (tuple, list)) or count not in (None, len(values)):
        raise ValueError(f"{what}: expected {'a list of' if count is None else count} integers, got {_shown(values)}")
    return tuple(whole(value, least, most, what) for value in values)


def _axis(arg: Arg, x: Shape) -> int:
    if not x:
        raise ValueError("axis: its source has none")
    return whole(arg["axis"], 0, len(x) - 1, "axis")


def _same(arg: Arg, shape: Shape, x: Shape) -> Shape:
    return x


def _broadcast(arg: Arg, shape: Shape, x: Shape, y: Shape) -> Shape:
    return np.broadcast_shapes(x, y)


def _input(arg: Arg, shape: Shape) -> Shape:
    for name, ends in arg.items():
        given = np.asarray(ends)
        if given.dtype.kind not in "if" or given.size not in (1, math.prod(shape)) or not np.isfinite(given).all():
            raise ValueError(f"{name} is neither a number nor one for each of {math.prod(shape)} elements")
    return shape


def _const(arg: Arg, shape: Shape) -> Shape:
    return shape


def _reshape(arg: Arg, shape: Shape, x: Shape) -> Shape:
    if math.prod(shape) != math.prod(x):
        raise ValueError(f"reshape of {math.prod(x)} elements")
    return shape


def _take(arg: Arg, shape: Shape, x: Shape) -> Shape:
    index, size = integers(arg["index"], "index"), math.prod(x)
    if index.size and not 0 <= index.min() <= index.max() < size:
        raise ValueError(f"index {index.min()}..{index.max()} leaves 0..{size - 1}")
    return index.shape


def _rows(arg: Arg, shape: Shape, x: Shape, table: Shape) -> Shape:
    if not table or not table[0]:
        raise ValueError(f"a table of shape {table} has no rows")
    return (*x, *table[1:])


def _concat(arg: Arg, shape: Shape, *xs: Shape) -> Shape:
    if not xs:
        raise ValueError("expected sources, got none")
    axis = _axis(arg, xs[0])
    if len({(len(x), *x[:axis], *x[axis + 1 :]) for x in xs}) != 1:
        raise ValueError(f"sources {xs} differ in more than axis {axis}")
    return (*xs[0][:axis], sum(x[axis] for x in xs), *xs[0][axis + 1 :])


def _matmul(arg: Arg, shape: Shape, x: Shape, y: Shape) -> Shape:
    if not x or not y or x[-1] != (y[-2] if len(y) > 1 else y[0]):
        raise ValueError(f"cannot multiply matrices of shapes {x} and {y}")
    return (*np.broadcast_shapes(x[:-2], y[:-2]), *x[-2:-1], *(y[-1:] if len(y) > 1 else ()))


def _conv(arg: Arg, shape: Shape, x: Shape, w: Shape) -> Shape:
    rank = len(x) - 2
    if rank < 1 or len(w) != len(x) or not min(w):
        raise ValueError(f"input {x} and weights {w} are not of one number of spatial dimensions")
    strides, dilations = (_wholes(arg[name], rank, 1, LARGEST, name) for name in ("strides", "dilations"))
    pads = _wholes(arg["pads"], 2 * rank, 0, LARGEST, "pads")
    group = whole(arg["group"], 1, LARGEST, "group")
    if x[1] != w[1] * group or w[0] % group:
        raise ValueError(f"input {x} has not the channels of weights {w} in {group} groups")
    padded = [x[2 + i] + pads[i] + pads[rank + i] for i in range(rank)]
    room = [p - (k - 1) * d - 1 for p, k, d in zip(padded, w[2:], dilations, strict=True)]
    if min(room) < 0 or math.prod((x[0], x[1], *padded)) > LARGEST:
        raise ValueError(f"weights {w} do not fit input {x} with pads {pads} and dilations {dilations}")
    return (x[0], w[0], *(r // s + 1 for r, s in zip(room, strides, strict=True)))


def _sum(arg: Arg, shape: Shape, x: Shape) -> Shape:
    axes = _wholes(arg["axes"], None, 0, len(x) - 1, "axes")
    if list(axes) != sorted(set(axes)):
        raise ValueError(f"axes: expected them in order, got {axes}")
    return tuple(1 if i in axes else d for i, d in enumerate(x))


def _reduced(arg: Arg, shape: Shape, x: Shape) -> Shape:
    axis = _axis(arg, x)
    if not x[axis]:
        raise ValueError(f"axis {axis} of {x} holds nothing")
    return (*x[:axis], 1, *x[axis + 1 :])


def _top(arg: Arg, shape: Shape, x: Shape) -> Shape:
    axis = _axis(arg, x)
    return (*x[:axis], whole(arg["k"], 1, x[axis], "k"), *x[axis + 1 :])


def _softmax(arg: Arg, shape: Shape, x: Shape) -> Shape:
    _axis(arg, x)
    return x


def _clip(arg: Arg, shape: Shape, x: Shape) -> Shape:
    for name in ("lo", "hi"):
        end = arg[name]
        number = isinstance(end, (int, float, np.integer, np.floating)) and not isinstance(end, bool) and end == end
        if end is not None and not number:
            raise ValueError(f"{name}: expected a number, got {_shown(end)}")
    return x


def _rescale(arg: Arg, shape: Shape, x: Shape) -> Shape:
    whole(arg["shift"], 1, WIDEST_SHIFT, "shift")
    return x


def _table(arg: Arg, shape: Shape, x: Shape) -> Shape:
    values = integers(arg["values"], "values")
    if values.ndim != 1 or not 0 < values.size <= LARGEST or values.min() <= -BOUND or values.max() >= BOUND:
        raise ValueError(f"values: expected a list of integers within 2^62, got {_shown(values)}")
    whole(arg["first"], 1 - BOUND, BOUND - 1, "first")
    return x


def _indices(arg: Arg, name: str, size: int | None, least: int, most: int) -> npt.NDArray[np.int64]:
    """A list of so many integers (any number for None) from ``least`` to ``most``."""
    array = integers(arg[name], name)
    if array.ndim != 1 or size not in (None, array.size) or array.size > LARGEST:
        raise ValueError(f"{name}: expected a list of {size} integers, got shape {_shown(array.shape)}")
    if array.size and not least <= int(array.min()) <= int(array.max()) <= most:
        raise ValueError(f"{name}: {array.min()}..{array.max()} leaves {least}..{most}")
    return array


def _trees(arg: Arg, shape: Shape, x: Shape, values: Shape) -> Shape:
    if not x or len(values) != 2:
        raise ValueError(f"expected rows of numbers and values of (leaves, outputs), got shapes {x} and {values}")
    inner, leaves = np.size(arg["feature"]), values[0]
    _indices(arg, "feature", None, 0, x[-1] - 1)
    left, right = (_indices(arg, name, inner, -leaves, inner - 1) for name in ("left", "right"))
    roots = _indices(arg, "roots", None, -leaves, inner - 1)
    _check_tests(arg, inner)
    parents, named = np.arange(inner), np.concatenate([left, right, roots])
    if np.any((left >= 0) & (left <= parents)) or np.any((right >= 0) & (right <= parents)):
        raise ValueError("its trees: a child stands before its parent")
    if math.prod(x[:-1]) * roots.size > LARGEST:
        raise ValueError(f"{roots.size} trees for rows of {_shown(x)} are too many")
    if not roots.size or np.bincount(named + leaves, minlength=1).max() > 1:
        raise ValueError("its trees: expected one or more, and every node in one place")
    at, depth = roots[roots >= 0], 0
    while at.size:
        at, depth = np.concatenate([left[at], right[at]]), depth + 1
        at = at[at >= 0]
        if depth > DEEPEST:
            raise ValueError(f"its trees: deeper than {DEEPEST} levels")
    return (*x[:-1], values[1])


def _check_tests(arg: Arg, inner: int) -> None:
    """The ends that the inner nodes of trees compare with: numbers, rising within each node."""
    ends = arg["ends"]
    if not isinstance(ends, np.ndarray) or ends.dtype not in (np.int64, np.float64) or ends.ndim != 1:
        raise ValueError(f"ends: expected a list of numbers, got {_shown(ends)}")
    first = _indices(arg, "first", inner + 1, 0, ends.size)
    if first[0] != 0 or first[-1] != ends.size or np.any(np.diff(first) < 1):
        raise ValueError("first: expected where the ends of each node begin, one or more of each")
    falls = np.diff(ends) < 0 if ends.dtype == np.float64 else ends[1:] < ends[:-1]
    falls[first[1:-1] - 1] = False
    if np.any(falls) or np.any(ends != ends):
        raise ValueError("ends: expected rising numbers in each node")


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "input": _input,
        "const": _const,
        "reshape": _reshape,
        "take": _take,
        "rows": _rows,
        "concat": _concat,
        **dict.fromkeys(("add", "sub", "mul", "div", "max", "min", "leaky_relu"), _broadcast),
        "matmul": _matmul,
        "conv": _conv,
        "sum": _sum,
        **dict.fromkeys(("relu", "unary", "quantize", "dequantize"), _same),
        "clip": _clip,
        **dict.fromkeys(("reduce_max", "reduce_min", "argmax", "log_sum_exp"), _reduced),
        **dict.fromkeys(("top", "top_index"), _top),
        "softmax": _softmax,
        "trees": _trees,
        "rescale": _rescale,
        "table": _table,
    }
)
