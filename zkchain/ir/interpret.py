"""The executable meaning of a graph, in numpy.

``run`` is the definition of an integer graph: the circuit proves exactly this program, bit for bit. ``run_all`` keeps
the value of every node. ``run_float`` is the definition of a float graph, in float64. One table entry per operator;
what both semantics share stands in ``COMMON``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError
from zkchain.ir import functions, kernels, trees
from zkchain.ir.domain import check_inputs
from zkchain.ir.graph import Graph, Node, Op
from zkchain.typing import Array, IntArray

Kernel = Callable[..., Array]  # (node, *source values) -> value; broadcast to the node's shape by the caller


def _conv(node: Node, x: Array, w: Array) -> Array:
    return kernels.conv(x, w, node.arg["strides"], node.arg["pads"], node.arg["dilations"], node.arg["group"])


COMMON: Mapping[Op, Kernel] = {
    Op.CONST: lambda node: node.value,
    Op.RESHAPE: lambda node, x: x.reshape(node.shape),
    Op.TAKE: lambda node, x: x.ravel()[node.arg["index"]],
    Op.ROWS: lambda node, x, table: kernels.rows(x, table),
    Op.CONCAT: lambda node, *xs: np.concatenate(xs, axis=node.arg["axis"]),
    Op.ADD: lambda node, x, y: x + y,
    Op.SUB: lambda node, x, y: x - y,
    Op.MUL: lambda node, x, y: x * y,
    Op.MATMUL: lambda node, x, y: kernels.matmul(x, y),
    Op.CONV: _conv,
    Op.SUM: lambda node, x: x.sum(axis=node.arg["axes"], keepdims=True),
    Op.RELU: lambda node, x: np.maximum(x, 0),
    Op.CLIP: lambda node, x: np.clip(x, node.arg["lo"], node.arg["hi"]),
    Op.MAX: lambda node, x, y: np.maximum(x, y),
    Op.MIN: lambda node, x, y: np.minimum(x, y),
    Op.REDUCE_MAX: lambda node, x: x.max(axis=node.arg["axis"], keepdims=True),
    Op.REDUCE_MIN: lambda node, x: x.min(axis=node.arg["axis"], keepdims=True),
    Op.ARGMAX: lambda node, x: x.argmax(axis=node.arg["axis"], keepdims=True),
    Op.TOP: lambda node, x: np.take_along_axis(x, kernels.top(x, **node.arg), node.arg["axis"]),
    Op.TOP_INDEX: lambda node, x: kernels.top(x, **node.arg),
    Op.TREES: lambda node, x, values: trees.evaluate(trees.Forest.of(node.arg), x, values),
}

INTEGER: Mapping[Op, Kernel] = {
    **COMMON,
    Op.RESCALE: lambda node, x: kernels.rescale(x, node.arg["shift"]),
    Op.TABLE: lambda node, x: node.arg["values"][x - node.arg["first"]],
}

FLOAT: Mapping[Op, Kernel] = {
    **COMMON,
    Op.DIV: lambda node, x, y: x / y,
    Op.UNARY: lambda node, x: functions.evaluate(node.arg["fn"], x),
    Op.LEAKY_RELU: lambda node, x, slope: np.where(x >= 0, x, slope * x),
    Op.SOFTMAX: lambda node, x: _softmax(x, **node.arg),
    Op.LOG_SUM_EXP: lambda node, x: _log_sum_exp(x, **node.arg),
    Op.QUANTIZE: lambda node, x: _quantize(x, **node.arg),
    Op.DEQUANTIZE: lambda node, x: (x - node.arg["zero"]) * node.arg["scale"],
}


def _quantize(x: Array, scale: Array, zero: IntArray, lo: int, hi: int) -> Array:
    return np.asarray(np.clip(np.rint(x / scale) + zero, lo, hi))


def _powers(x: Array, axis: int, live: Array | None) -> tuple[Array, Array]:
    """max and e^(x - max) over the live elements; 0 at the others."""
    x = x if live is None else np.where(live, x, -np.inf)
    top = x.max(axis=axis, keepdims=True)
    return top, np.exp(x - top)


def _softmax(x: Array, axis: int, live: Array | None = None) -> Array:
    # e^(x - max) / sum e^(x - max)
    e = _powers(x, axis, live)[1]
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _log_sum_exp(x: Array, axis: int, live: Array | None = None) -> Array:
    # max + log sum e^(x - max)
    top, e = _powers(x, axis, live)
    return np.asarray(top + np.log(e.sum(axis=axis, keepdims=True)))


def run_float(graph: Graph, inputs: Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.float64]]:
    """Outputs of a float graph (float64). ``inputs``: one array of numbers per graph input, of its shape.

    Raises InputError (count, shape). Overflow, log of a negative number and the like give infinity or NaN, silently.
    """
    if len(inputs) != len(graph.inputs):
        raise InputError(f"expected {len(graph.inputs)} inputs {list(graph.input_names)}, got {len(inputs)}")
    given = {i: np.asarray(x, dtype=np.float64) for i, x in zip(graph.inputs, inputs, strict=True)}
    for (i, x), name in zip(given.items(), graph.input_names, strict=True):
        if x.shape != graph.nodes[i].shape:
            raise InputError(f"input {name!r}: expected shape {graph.nodes[i].shape}, got {x.shape}")
    with np.errstate(all="ignore"):
        values = evaluate(graph, given, FLOAT)
    return [np.asarray(values[i], dtype=np.float64) for i in graph.outputs]


def run(graph: Graph, inputs: Sequence[IntArray]) -> list[IntArray]:
    """Outputs of an integer graph. ``inputs``: one int64 array per graph input, of its shape, inside its domain.

    Raises InputError (count, shape, type) or OutOfDomain. Exact: within the domain nothing can overflow, because every
    node's static range lies inside 2^62.
    """
    values = run_all(graph, inputs)
    return [values[i] for i in graph.outputs]


def run_all(graph: Graph, inputs: Sequence[IntArray]) -> list[IntArray]:
    """The value of every node of an integer graph, in node order; same arguments and errors as ``run``."""
    given = dict(zip(graph.inputs, check_inputs(graph, inputs), strict=True))
    return [value.astype(np.int64, copy=False) for value in evaluate(graph, given, INTEGER)]


def evaluate(graph: Graph, inputs: Mapping[int, Array], table: Mapping[Op, Kernel]) -> list[Array]:
    """Every node's value under a table of kernels; ``inputs`` gives the INPUT nodes by index."""
    values: list[Array] = []
    for i, node in enumerate(graph.nodes):
        given = inputs[i] if node.op is Op.INPUT else table[node.op](node, *(values[s] for s in node.src))
        result = np.asarray(given)
        values.append(result if result.shape == node.shape else np.broadcast_to(result, node.shape))
    return values
