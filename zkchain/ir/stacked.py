"""The meaning of a graph on many samples at once: every value has a leading axis of samples.

Every operator is ``interpret``'s own, told where its axes are now. What no sample decides, a constant and what is made
of constants alone, has one sample, which broadcasts. On integers the results are those of one sample at a time, bit
for bit; on float64 sums may be taken in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.interpret import Kernel
from zkchain.typing import Array

AT_ONCE = 2_000_000  # values that are held at once

Rule = Callable[[Node, Kernel, list[Array]], Array]


def outputs(
    graph: Graph, inputs: Sequence[Array], table: Mapping[Op, Kernel], wanted: Sequence[int] | None = None
) -> list[Array]:
    """The values of the ``wanted`` nodes (None: the outputs), each (samples, *shape), under a table of kernels.
    ``inputs``: in the graph's order, each (samples, *shape); nothing is checked."""
    count, kept = len(inputs[0]) if inputs else 1, graph.outputs if wanted is None else wanted
    each = sum(node.size for node in graph.nodes if node.op is not Op.CONST)  # of constants there is one for all
    step = max(AT_ONCE // max(each, 1), 1)
    parts = []
    for first in range(0, max(count, 1), step):
        some = dict(zip(graph.inputs, (x[first : first + step] for x in inputs), strict=True))
        values = _evaluate(graph, some, table)
        n = min(step, count - first)
        parts.append([np.broadcast_to(values[i], (n, *graph.nodes[i].shape)) for i in kept])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _evaluate(graph: Graph, inputs: Mapping[int, Array], table: Mapping[Op, Kernel]) -> list[Array]:
    values: list[Array] = []
    for i, node in enumerate(graph.nodes):
        if node.op is Op.INPUT:
            values.append(inputs[i])
            continue
        given = [values[s] for s in node.src]
        values.append(_whole(RULES.get(node.op, _aligned)(node, table[node.op], given), node.shape))
    return values


def _whole(value: Array, shape: tuple[int, ...]) -> Array:
    """A value (samples, *something) as (samples, *shape)."""
    return value if value.shape[1:] == shape else np.broadcast_to(value, (len(value), *shape))


def _ranked(x: Array, rank: int) -> Array:
    """Axes of one element behind the samples, so that x broadcasts with values of a rank."""
    return x.reshape(len(x), *(1,) * (rank + 1 - x.ndim), *x.shape[1:]) if x.ndim <= rank else x


def _aligned(node: Node, kernel: Kernel, xs: list[Array]) -> Array:
    return kernel(node, *(_ranked(x, len(node.shape)) for x in xs))


def _moved(node: Node, kernel: Kernel, xs: list[Array]) -> Array:
    """Operators along an axis, which is one further now."""
    arg = dict(node.arg)
    arg.update({"axes": tuple(a + 1 for a in arg["axes"])} if "axes" in arg else {"axis": arg["axis"] + 1})
    samples = max(len(x) for x in xs)
    joined = len(xs) > 1  # nothing broadcasts where parts are joined
    return kernel(replace(node, arg=arg), *(np.broadcast_to(x, (samples, *x.shape[1:])) if joined else x for x in xs))


def _matmul(node: Node, kernel: Kernel, xs: list[Array]) -> Array:
    x, y = xs[0], xs[1]
    if len(y) == 1 and y.ndim == 3:  # all samples meet the same matrix: one product of all their rows
        return kernel(node, x.reshape(-1, x.shape[-1]), y[0]).reshape(len(x), *node.shape)
    # vectors are matrices of one row or column
    rows, columns = (x[:, None] if x.ndim == 2 else x), (y[..., None] if y.ndim == 2 else y)
    rank = max(rows.ndim, columns.ndim) - 1
    product = kernel(node, _ranked(rows, rank), _ranked(columns, rank))
    return product.reshape(len(product), *node.shape)


def _conv(node: Node, kernel: Kernel, xs: list[Array]) -> Array:
    x, w = xs
    if len(w) > 1:  # filters that differ from sample to sample
        each = [kernel(node, a, b) for a, b in zip(np.broadcast_to(x, (len(w), *x.shape[1:])), w, strict=True)]
        return np.stack(each)
    return kernel(node, x.reshape(-1, *x.shape[2:]), w[0]).reshape(len(x), *node.shape)


def _take(node: Node, kernel: Kernel, xs: list[Array]) -> Array:
    return np.asarray(xs[0].reshape(len(xs[0]), -1)[:, node.arg["index"]])


RULES: Mapping[Op, Rule] = {
    Op.CONST: lambda node, kernel, xs: kernel(node)[None],
    Op.RESHAPE: lambda node, kernel, xs: xs[0].reshape(len(xs[0]), *node.shape),
    Op.TAKE: _take,
    **dict.fromkeys((Op.ROWS, Op.TREES), lambda node, kernel, xs: kernel(node, xs[0], xs[1][0])),  # of constants
    Op.MATMUL: _matmul,
    Op.CONV: _conv,
    **dict.fromkeys((Op.CONCAT, Op.SUM, Op.REDUCE_MAX, Op.REDUCE_MIN, Op.ARGMAX, Op.TOP, Op.TOP_INDEX), _moved),
    Op.SOFTMAX: _moved,
    Op.LOG_SUM_EXP: _moved,
}
"""Operators that are not here work on elements."""
