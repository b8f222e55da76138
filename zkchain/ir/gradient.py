"""Reverse-mode differentiation of a float graph: which way an input has to move for a value to rise.

One rule per operator: ``rule(node, g, *sources)`` gives, for every source, the derivative of the sum of ``g * node``
with respect to it (None: not wanted, or zero everywhere). Exploration needs directions alone, so a kink has the slope
of either side, and a jump has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zkchain.ir import functions, interpret, kernels
from zkchain.ir.graph import Graph, Node, Op
from zkchain.typing import Array, FloatArray

Rule = Callable[..., tuple[FloatArray | None, ...]]
STEP = 2.0**-16  # step of a difference quotient, relative to the argument


def input_gradients(graph: Graph, trace: Sequence[Array], seeds: Mapping[int, FloatArray]) -> list[FloatArray]:
    """Compute, for every input, the derivative of sum over nodes of (seed * value) at the point whose values are
    ``trace``.

    ``seeds``: node -> weights of its elements, of its shape. What is not finite on the way counts as zero.
    """
    found: dict[int, FloatArray] = {i: np.asarray(seed, dtype=np.float64) for i, seed in seeds.items()}
    moving = _depends_on_input(graph)
    with np.errstate(all="ignore"):
        for i in range(max(found), -1, -1):
            node = graph.nodes[i]
            if i not in found or node.op is Op.INPUT or not moving[i]:
                continue
            parts = RULES[node.op](node, found.pop(i), *(trace[s] for s in node.src)) if node.op in RULES else ()
            for s, part in zip(node.src, parts, strict=False):
                if part is not None and moving[s]:
                    summed = _reduced(_finite(part), graph.nodes[s].shape)
                    found[s] = found[s] + summed if s in found else summed
    return [found.get(i, np.zeros(graph.nodes[i].shape)) for i in graph.inputs]


def _depends_on_input(graph: Graph) -> list[bool]:
    moving: list[bool] = []
    for node in graph.nodes:
        moving.append(node.op is Op.INPUT or any(moving[s] for s in node.src))
    return moving


def _finite(g: FloatArray) -> FloatArray:
    return g if np.isfinite(g).all() else np.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0)


def _reduced(g: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """The derivative of what was broadcast: summed over the axes along which it was repeated."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1)
    return np.asarray(np.broadcast_to(g.sum(axis=axes, keepdims=True) if axes else g, shape))


def _take(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    index = node.arg["index"].ravel()
    spread: FloatArray = np.bincount(index, weights=g.ravel(), minlength=x.size).astype(np.float64)
    return (spread.reshape(x.shape),)


def _concat(node: Node, g: FloatArray, *xs: Array) -> tuple[FloatArray, ...]:
    axis = node.arg["axis"]
    ends = np.cumsum([x.shape[axis] for x in xs])[:-1]
    return tuple(np.split(g, ends, axis=axis))


def _matmul(node: Node, g: FloatArray, x: Array, y: Array) -> tuple[FloatArray, FloatArray]:
    # vectors are matrices of one row or column
    rows, columns = (x[None] if x.ndim == 1 else x), (y[:, None] if y.ndim == 1 else y)
    g = g.reshape(*g.shape[: g.ndim - (x.ndim > 1) - (y.ndim > 1)], rows.shape[-2], columns.shape[-1])
    g_x, g_y = g @ columns.swapaxes(-1, -2), rows.swapaxes(-1, -2) @ g
    return (g_x[..., 0, :] if x.ndim == 1 else g_x), (g_y[..., 0] if y.ndim == 1 else g_y)


def _conv(node: Node, g: FloatArray, x: Array, w: Array) -> tuple[FloatArray, FloatArray]:
    # y[m, o] = sum over c, k of w[m, c, k] x[c, s o + d k]: each tap k spreads g back over its strided window of x
    group, rank, pads = node.arg["group"], w.ndim - 2, node.arg["pads"]
    n, m = x.shape[0], w.shape[0]
    padded = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))])
    by_group = padded.reshape(n, group, -1, *padded.shape[2:])
    back, back_w = np.zeros(by_group.shape), np.zeros((group, m // group, *w.shape[1:]))
    out = g.reshape(n, group, m // group, -1)
    taps = w.reshape(group, m // group, *w.shape[1:])
    for tap in np.ndindex(*w.shape[2:]):
        window: tuple[Any, ...] = (
            ...,
            *(
                slice(t * d, t * d + (size - 1) * s + 1, s)
                for t, d, s, size in zip(tap, node.arg["dilations"], node.arg["strides"], g.shape[2:], strict=True)
            ),
        )
        seen, at = by_group[window], (..., *tap)
        spread = taps[at].swapaxes(1, 2)[None] @ out
        back[window] += spread.reshape(seen.shape)
        back_w[at] = (out @ seen.reshape(n, group, seen.shape[2], -1).swapaxes(2, 3)).sum(axis=0)
    inner: tuple[Any, ...] = (..., *(slice(pads[i], padded.shape[2 + i] - pads[i + rank]) for i in range(rank)))
    return back.reshape(padded.shape)[inner], back_w.reshape(w.shape)


def _sum(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    return (np.asarray(np.broadcast_to(g, x.shape)),)


def _clip(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    lo, hi = (node.arg["lo"], node.arg["hi"]) if node.op is Op.CLIP else (0.0, None)
    inside = (x >= (-np.inf if lo is None else lo)) & (x <= (np.inf if hi is None else hi))
    return (np.where(inside, g, 0.0),)


def _larger(sign: int) -> Rule:
    def rule(node: Node, g: FloatArray, x: Array, y: Array) -> tuple[FloatArray, FloatArray]:
        first = sign * (x - y) >= 0
        return np.where(first, g, 0.0), np.where(first, 0.0, g)

    return rule


def _extreme(find: Callable[..., Array]) -> Rule:
    def rule(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
        axis, result = node.arg["axis"], np.zeros(x.shape)
        np.put_along_axis(result, np.asarray(find(x, axis=axis, keepdims=True)), g, axis)
        return (result,)

    return rule


def _top(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    result = np.zeros(x.shape)
    np.put_along_axis(result, kernels.top(x, **node.arg), g, node.arg["axis"])
    return (result,)


def _unary(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    # f'(x) ~ (f(x + h) - f(x - h)) / 2 h
    h = STEP * np.maximum(np.abs(x), 1.0)
    fn = node.arg["fn"]
    return (g * (functions.evaluate(fn, x + h) - functions.evaluate(fn, x - h)) / (2 * h),)


def _softmax(node: Node, g: FloatArray, x: Array) -> tuple[FloatArray]:
    y = interpret.FLOAT[Op.SOFTMAX](node, x)
    return (y * (g - (g * y).sum(axis=node.arg["axis"], keepdims=True)),)


RULES: Mapping[Op, Rule] = {
    Op.RESHAPE: lambda node, g, x: (g.reshape(x.shape),),
    Op.TAKE: _take,
    Op.CONCAT: _concat,
    Op.ADD: lambda node, g, x, y: (g, g),
    Op.SUB: lambda node, g, x, y: (g, -g),
    Op.MUL: lambda node, g, x, y: (g * y, g * x),
    Op.DIV: lambda node, g, x, y: (g / y, -g * x / y**2),
    Op.MATMUL: _matmul,
    Op.CONV: _conv,
    Op.SUM: _sum,
    Op.RELU: _clip,
    Op.CLIP: _clip,
    Op.MAX: _larger(1),
    Op.MIN: _larger(-1),
    Op.REDUCE_MAX: _extreme(np.argmax),
    Op.REDUCE_MIN: _extreme(np.argmin),
    Op.TOP: _top,
    Op.UNARY: _unary,
    Op.LEAKY_RELU: lambda node, g, x, slope: (np.where(x >= 0, g, g * slope), None),
    Op.SOFTMAX: _softmax,
    Op.LOG_SUM_EXP: lambda node, g, x: (g * interpret.FLOAT[Op.SOFTMAX](node, x),),
    Op.DEQUANTIZE: lambda node, g, x: (g * node.arg["scale"],),
}
"""Operators that are not here (argmax, rows, trees, quantize) have no slope."""
