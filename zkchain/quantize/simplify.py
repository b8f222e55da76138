"""Float graph to a smaller float graph of the same function: constants folded, few kinds of node left.

``make`` is a smart constructor: it builds a node in its simplest form. What is left afterwards: INPUT, CONST, movement,
ADD and MUL (a constant stands on the right), SUB of variables, MATMUL, CONV, SUM, RELU, CLIP, MAX, MIN, REDUCE_*,
ARGMAX, TOP, TOP_INDEX, UNARY, SOFTMAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from zkchain.errors import UnsupportedOp
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Node, Op
from zkchain.quantize.edit import Editor, rewrite
from zkchain.typing import Array

COMMUTATIVE = frozenset({Op.ADD, Op.MUL, Op.MAX, Op.MIN})


def simplify(graph: Graph) -> Graph:
    """Fold constants, merge chains of additions, multiplications and movements, spell out simple functions."""
    return rewrite(graph, lambda editor, node, src: make(editor, replace(node, src=src)))


def make(editor: Editor, node: Node) -> int:
    """Add ``node`` (its sources are the editor's) in simplest form; return the index of its value."""
    values = [editor.value(s) for s in node.src]
    if node.src and all(v is not None for v in values):
        with np.errstate(all="ignore"):
            result = interpret.FLOAT[node.op](node, *values)
        return editor.const(node.name, np.broadcast_to(np.asarray(result, dtype=np.float64), node.shape))
    if node.op in COMMUTATIVE and values[0] is not None:
        node, values = replace(node, src=node.src[::-1]), values[::-1]
    rule = RULES.get(node.op)
    simpler = rule(editor, node, values) if rule else None
    return editor.append(node) if simpler is None else simpler


def binary(editor: Editor, op: Op, name: str, x: int, y: int) -> int:
    """``make`` of an elementwise node of two sources."""
    shape = np.broadcast_shapes(editor[x].shape, editor[y].shape)
    return make(editor, Node(op, name, (x, y), shape))


def times(editor: Editor, name: str, x: int, c: Array | float) -> int:
    return binary(editor, Op.MUL, name, x, editor.const(name, c))


def plus(editor: Editor, name: str, x: int, c: Array | float) -> int:
    return binary(editor, Op.ADD, name, x, editor.const(name, c))


def unary(editor: Editor, op: Op, name: str, x: int, **arg: Any) -> int:
    return make(editor, Node(op, name, (x,), editor[x].shape, arg))


def inner_constant(editor: Editor, index: int, op: Op) -> tuple[int, Array] | None:
    """(y, c) if the value is ``op``(y, constant c)."""
    node = editor[index]
    if node.op is not op:
        return None
    c = editor.value(node.src[1])
    return None if c is None else (node.src[0], c)


def _add(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    x, c = node.src[0], values[1]
    if c is None:
        return None
    if not c.any() and editor[x].shape == node.shape:
        return x
    if inner := inner_constant(editor, x, Op.ADD):
        return plus(editor, node.name, inner[0], inner[1] + c)  # (y + d) + c = y + (d + c)
    return None


def _sub(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    x, y = node.src
    if values[1] is not None:
        return plus(editor, node.name, x, -values[1])
    return None if values[0] is None else plus(editor, node.name, times(editor, node.name, y, -1.0), values[0])


def _mul(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    x, c = node.src[0], values[1]
    if c is None:
        return None
    if np.all(c == 1) and editor[x].shape == node.shape:
        return x
    if inner := inner_constant(editor, x, Op.MUL):
        return times(editor, node.name, inner[0], inner[1] * c)  # (y d) c = y (d c)
    return None


def _div(editor: Editor, node: Node, values: list[Array | None]) -> int:
    x, y = node.src
    if values[1] is None:
        inverse = unary(editor, Op.UNARY, node.name, y, fn=("reciprocal",))
        return binary(editor, Op.MUL, node.name, x, inverse)
    if not np.all(values[1]):
        raise UnsupportedOp(node.name, "Div", "a constant divisor holds zero")
    return times(editor, node.name, x, 1.0 / values[1])


def _reshape(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    x = editor[node.src[0]]
    if x.shape == node.shape:
        return node.src[0]
    if x.op is Op.RESHAPE:
        return make(editor, replace(node, src=x.src))
    return None


def _take(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    x, index = editor[node.src[0]], node.arg["index"]
    if x.size == index.size and np.array_equal(index.ravel(), np.arange(x.size)):
        return make(editor, Node(Op.RESHAPE, node.name, node.src, node.shape))
    if x.op is Op.RESHAPE:
        return make(editor, replace(node, src=x.src))
    if x.op is Op.TAKE:  # u[i][j] = u[i[j]]
        return make(editor, replace(node, src=x.src, arg={"index": x.arg["index"].ravel()[index]}))
    return _take_of_part(editor, node) if x.op is Op.CONCAT and len(x.shape) == 1 else None


def _take_of_part(editor: Editor, node: Node) -> int | None:
    """Of a list put together, when all of it comes of one part."""
    index, first = node.arg["index"], 0
    for part in editor[node.src[0]].src:
        last = first + editor[part].size
        if index.size and index.min() >= first and index.max() < last:
            return make(editor, replace(node, src=(part,), arg={"index": index - first}))
        first = last
    return None


def _concat(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    return node.src[0] if len(node.src) == 1 else None


def _clip(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    lo, hi = node.arg["lo"], node.arg["hi"]
    if lo is None and hi is None:
        return node.src[0]
    if lo == 0 and hi is None:
        return unary(editor, Op.RELU, node.name, node.src[0])
    return None


def _max(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    c = values[1]
    if c is None or c.min() != c.max() or editor[node.src[0]].shape != node.shape:
        return None
    if np.isinf(c).any():
        return None
    ends = {"lo": float(c.max()), "hi": None} if node.op is Op.MAX else {"lo": None, "hi": float(c.max())}
    return unary(editor, Op.CLIP, node.name, node.src[0], **ends)


def _leaky(editor: Editor, node: Node, values: list[Array | None]) -> int:
    # s x + (1 - s) relu(x): both parts fold into a linear layer that follows
    x, slope = node.src[0], values[1]
    if slope is None:
        raise UnsupportedOp(node.name, "PRelu", "the slope is not a constant")
    positive = unary(editor, Op.RELU, node.name, x)
    return binary(
        editor, Op.ADD, node.name, times(editor, node.name, x, slope), times(editor, node.name, positive, 1 - slope)
    )


def _unary(editor: Editor, node: Node, values: list[Array | None]) -> int | None:
    expand = FUNCTIONS.get(str(node.arg["fn"][0]))
    return expand(editor, node, *node.arg["fn"][1:]) if expand else None


def _abs(editor: Editor, node: Node) -> int:
    # |x| = 2 relu(x) - x
    x, name = node.src[0], node.name
    twice = times(editor, name, unary(editor, Op.RELU, name, x), 2.0)
    return binary(editor, Op.ADD, name, twice, times(editor, name, x, -1.0))


def _hard_sigmoid(editor: Editor, node: Node, alpha: float, beta: float) -> int:
    # clip(alpha x + beta, 0, 1)
    line = plus(editor, node.name, times(editor, node.name, node.src[0], alpha), beta)
    return unary(editor, Op.CLIP, node.name, line, lo=0.0, hi=1.0)


def _hard_swish(editor: Editor, node: Node) -> int:
    # x clip(x + 3, 0, 6) / 6
    gate = unary(editor, Op.CLIP, node.name, plus(editor, node.name, node.src[0], 3.0), lo=0.0, hi=6.0)
    return times(editor, node.name, binary(editor, Op.MUL, node.name, node.src[0], gate), 1 / 6)


def _pow(editor: Editor, node: Node, exponent: float) -> int | None:
    x = node.src[0]
    if exponent == 1:
        return x
    return binary(editor, Op.MUL, node.name, x, x) if exponent == 2 else None


def _lookup(editor: Editor, node: Node, *table: float) -> int | None:
    # values[i] = values[0] + step i: no table needed
    steps = np.unique(np.diff(np.asarray(table)))
    if len(table) < 2 or steps.size != 1:
        return None
    return plus(editor, node.name, times(editor, node.name, node.src[0], float(steps[0])), table[0])


FUNCTIONS: Mapping[str, Callable[..., int | None]] = {
    "abs": _abs,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "pow": _pow,
    "lookup": _lookup,
}

RULES: Mapping[Op, Callable[[Editor, Node, list[Array | None]], int | None]] = {
    Op.ADD: _add,
    Op.SUB: _sub,
    Op.MUL: _mul,
    Op.DIV: _div,
    Op.RESHAPE: _reshape,
    Op.TAKE: _take,
    Op.CONCAT: _concat,
    Op.CLIP: _clip,
    Op.MAX: _max,
    Op.MIN: _max,
    Op.LEAKY_RELU: _leaky,
    Op.UNARY: _unary,
}
