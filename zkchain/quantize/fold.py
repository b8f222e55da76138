"""Fold elementwise affine maps into the linear layers around them: a fixed linear layer costs no rows.

A value is read as ``sum_i y_i * c_i + d`` (``c_i``, ``d`` constants; reshapes and TAKEs carried through). A linear
layer over such a value is the sum of linear layers over the y_i with the c_i multiplied into its weights. So scalers,
batch normalisation, means and leaky ReLUs disappear into the next layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import compress
from zkchain.quantize.edit import Editor, consumers, copy, rewrite
from zkchain.quantize.simplify import binary, inner_constant, make, plus, times
from zkchain.typing import Array

MOVES = frozenset({Op.RESHAPE, Op.TAKE})


@dataclass(frozen=True, eq=False, slots=True)
class Affine:
    """``sum_i y_i * c_i + d``: terms (index of y_i, c_i), d. ``scaled``: a factor was met; ``trivial``: nothing was."""

    terms: tuple[tuple[int, Array], ...]
    offset: Array
    scaled: bool = False
    trivial: bool = False


def fold_affine(graph: Graph) -> Graph:
    """Linear layers absorb the affine map before them."""

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        side = _data_side(editor, node, src)
        if side is None:
            return copy(editor, node, src)
        value = read_affine(editor, src[side])
        weights = editor.value(src[1 - side])
        if value.trivial or weights is None:
            return copy(editor, node, src)
        return _absorb(editor, replace(node, src=src), side, value, weights)

    return rewrite(graph, rule)


def _data_side(editor: Editor, node: Node, src: Sequence[int]) -> int | None:
    """Which source of a linear layer with constant weights is the data; None for other nodes."""
    if node.op not in (Op.MATMUL, Op.CONV):
        return None
    constant = [editor.value(s) is not None for s in src]
    return None if constant[0] == constant[1] else int(constant[0])


def read_affine(editor: Editor, index: int) -> Affine:
    """The value ``index`` as an affine combination of earlier ones."""
    node = editor[index]
    if node.op in MOVES:
        return _moved(editor, node, read_affine(editor, node.src[0]), index)
    if inner := inner_constant(editor, index, Op.MUL):
        return _scaled(read_affine(editor, inner[0]), inner[1], node.shape)
    inner = inner_constant(editor, index, Op.ADD)
    if inner and editor[inner[0]].shape == node.shape and not is_wide(editor, inner[0]):
        value = read_affine(editor, inner[0])
        return Affine(value.terms, value.offset + inner[1], value.scaled)
    if node.op in (Op.ADD, Op.SUB) and not inner and all(editor[s].shape == node.shape for s in node.src):
        u, v = (read_affine(editor, s) for s in node.src)
        if u.scaled or v.scaled:
            v = v if node.op is Op.ADD else _scaled(v, np.asarray(-1.0), node.shape)
            return Affine(u.terms + v.terms, u.offset + v.offset, scaled=True)
    return _itself(index)


def is_wide(editor: Editor | Sequence[Node], index: int) -> bool:
    """Whether the value is an accumulator (it will be rescaled before the next layer, offset or not)."""
    node = editor[index]
    if node.op in (Op.ADD, Op.SUB, Op.MUL):
        variables = [s for s in node.src if editor[s].op is not Op.CONST]
        return len(variables) == 2 or is_wide(editor, variables[0])
    return node.op in (Op.MATMUL, Op.CONV, Op.SUM) or (node.op in MOVES and is_wide(editor, node.src[0]))


def _itself(index: int) -> Affine:
    return Affine(((index, np.ones(())),), np.zeros(()), trivial=True)


def _scaled(value: Affine, c: Array, shape: tuple[int, ...]) -> Affine:
    terms = tuple((y, np.broadcast_to(k * c, shape)) for y, k in value.terms)
    return Affine(terms, value.offset * c, scaled=True)


def _moved(editor: Editor, move: Node, value: Affine, index: int) -> Affine:
    """Carry a movement through to the terms; the trivial value stays the moved node itself."""
    if value.trivial:
        return _itself(index)
    shape = editor[move.src[0]].shape

    def carry(c: Array) -> Array:
        return np.asarray(compress(interpret.FLOAT[move.op](move, np.broadcast_to(c, shape)))[0])

    terms = []
    for y, c in value.terms:
        y = y if editor[y].shape == shape else _expand(editor, y, shape)
        terms.append((make(editor, replace(move, src=(y,))), carry(c)))
    return Affine(tuple(terms), carry(value.offset), value.scaled)


def _expand(editor: Editor, y: int, shape: tuple[int, ...]) -> int:
    """y broadcast to ``shape``, as a TAKE."""
    index = np.broadcast_to(np.arange(editor[y].size).reshape(editor[y].shape), shape)
    return editor.add(Op.TAKE, editor[y].name, (y,), shape, index=np.ascontiguousarray(index))


def _absorb(editor: Editor, node: Node, side: int, value: Affine, weights: Array) -> int:
    """linear(sum y c + d, W) = sum linear(y, c W) + linear(d, W)."""
    x_shape, parts = editor[node.src[side]].shape, []
    for y, c in value.terms:
        y = y if editor[y].shape == x_shape else _expand(editor, y, x_shape)
        folded = FOLD[node.op](node, side, weights, _compressed(c, x_shape))
        if folded is None:  # the factor varies along a kept axis: it stays in front
            y, folded = times(editor, node.name, y, c), weights
        src = (y, editor.const(node.name, folded)) if side == 0 else (editor.const(node.name, folded), y)
        parts.append(make(editor, replace(node, src=src)))
    total = parts[0]
    for part in parts[1:]:
        total = binary(editor, Op.ADD, node.name, total, part)
    offset = np.broadcast_to(value.offset, x_shape)
    if not offset.any():
        return total
    pair = (offset, weights) if side == 0 else (weights, offset)
    return plus(editor, node.name, total, compress(interpret.FLOAT[node.op](node, *pair))[0])


def _compressed(c: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(compress(np.broadcast_to(c, shape))[0])


def _fold_matmul(node: Node, side: int, weights: Array, c: Array) -> Array | None:
    # right constant: x (..., K) W (K, N), c may vary along K; left constant: W (M, K) x (..., K, N), along K too
    kept = [n for axis, n in enumerate(c.shape[::-1]) if axis != side]
    if weights.ndim < 2 or c.ndim < 1 + side or any(n != 1 for n in kept):
        return None
    along = c.reshape(-1)
    return np.asarray(weights * (along[:, None] if side == 0 else along))


def _fold_conv(node: Node, side: int, weights: Array, c: Array) -> Array | None:
    # x (N, C, *S), W (M, C/group, *K): c may vary along C; out channel m of group g reads in channels g C/group + j
    if side != 0 or any(n != 1 for axis, n in enumerate(c.shape) if axis != 1):
        return None
    group, (m, per_group) = node.arg["group"], weights.shape[:2]
    factors = np.broadcast_to(c.reshape(-1), (group * per_group,)).reshape(group, 1, per_group)
    rows = np.broadcast_to(factors, (group, m // group, per_group)).reshape(m, per_group)
    return np.asarray(weights * rows.reshape(m, per_group, *(1,) * (weights.ndim - 2)))


FOLD: Mapping[Op, Callable[[Node, int, Array, Array], Array | None]] = {
    Op.MATMUL: _fold_matmul,
    Op.CONV: _fold_conv,
}


def fold_scale_back(graph: Graph) -> Graph:
    """A factor per output channel after a linear layer (and after its bias) moves into the weights before it."""
    readers = consumers(graph)

    def once(old: int) -> bool:
        return len(readers[old]) == 1 and old not in graph.outputs

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        c = editor.value(src[1]) if node.op is Op.MUL else None
        if c is None or not once(node.src[0]):
            return copy(editor, node, src)
        biased = inner_constant(editor, src[0], Op.ADD)
        if biased and once(graph.nodes[node.src[0]].src[0]) and editor[src[0]].shape == node.shape:
            scaled = _scale_weights(editor, node, biased[0], c)  # (W x + d) c = (c W) x + d c
            return copy(editor, node, src) if scaled is None else plus(editor, node.name, scaled, biased[1] * c)
        scaled = _scale_weights(editor, node, src[0], c)
        return copy(editor, node, src) if scaled is None else scaled

    return rewrite(graph, rule)


def scale_inside_square(graph: Graph) -> Graph:
    """(x x) c = (x sqrt(c)) (x sqrt(c)): features of very different size meet at one scale before they are squared."""
    readers = consumers(graph)

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        c = editor.value(src[1]) if node.op is Op.MUL else None
        if c is None or c.size == 1 or not (np.all(c > 0) or np.all(c < 0)) or len(readers[node.src[0]]) != 1:
            return copy(editor, node, src)
        square = editor[src[0]]
        if square.op is not Op.MUL or square.src[0] != square.src[1]:
            return copy(editor, node, src)
        root = times(editor, node.name, square.src[0], np.sqrt(np.abs(c)))
        result = binary(editor, Op.MUL, node.name, root, root)
        return result if np.all(c > 0) else times(editor, node.name, result, -1.0)

    return rewrite(graph, rule)


def _scale_weights(editor: Editor, node: Node, x: int, c: Array) -> int | None:
    """The linear layer x with its weights times c, if c varies along the output channels alone."""
    linear = editor[x]
    if _data_side(editor, linear, linear.src) != 0 or linear.shape != node.shape:
        return None
    weights, axis = editor.value(linear.src[1]), 1 if linear.op is Op.CONV else len(node.shape) - 1
    factor = _compressed(c, node.shape)
    if weights is None or weights.ndim < 2 or any(n != 1 for a, n in enumerate(factor.shape) if a != axis):
        return None
    along = factor.reshape((-1, *(1,) * (weights.ndim - 1)) if linear.op is Op.CONV else (-1,))
    return editor.append(replace(linear, src=(linear.src[0], editor.const(node.name, weights * along))))
