"""Constants that multiply and add: chains merge, and what stands beside a matrix product or convolution goes into it. A
fixed linear layer costs nothing in a circuit.

Only constants that nobody else's value depends on are moved (``single``), so no product is computed twice. What a layer
reads may be a whole sum of terms, ``sum_i y_i c_i + d`` (``c_i``, ``d`` constants, carried through movements): it
becomes a sum of layers over the y_i. So scalers, normalisation, means and leaky ReLUs disappear into the next layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkchain.ir import interpret, kernels
from zkchain.ir.graph import MOVES_OF_ONE, Node, Op
from zkchain.ir.ranges import compress
from zkchain.rewrite.engine import Rule, View
from zkchain.typing import FloatArray

# Weights that absorb one factor an input channel share a scale: factors further apart than this (4 bits) stay outside
# at import. ``linear_of_terms`` takes them in later, however far apart they are.
SPREAD = 16.0


def _constant_operand(view: View, i: int, op: Op) -> tuple[int, FloatArray] | None:
    """(other source, constant) when node ``i`` is of this operator and nobody else reads it."""
    if view.op(i) is not op or not view.constant_side(i):
        return None
    if not view.single(i):
        view.miss(i, "its value has other readers")
        return None
    return view.constant_side(i)


def chain(view: View, i: int) -> int | None:
    # (x a) b = x (a b),  (x + a) + b = x + (a + b)
    outer = view.constant_side(i)
    inner = view.constant_side(outer[0]) if outer and view.op(outer[0]) is view.op(i) else None
    if not outer or not inner:
        return None
    x, build = view.new[inner[0]], view.build
    if view.op(i) is Op.MUL:
        return build.mul(x, build.const(inner[1] * outer[1]))
    return build.add(x, build.const(inner[1] + outer[1]))


def own_chain(view: View, i: int) -> int | None:
    # the same where nobody else reads the inner one: what is shared may still become part of a function
    outer = view.constant_side(i)
    return chain(view, i) if outer and view.single(outer[0]) else None


def product_of_sum(view: View, i: int) -> int | None:
    # (x + a) b = x b + a b
    outer = view.constant_side(i)
    inner = _constant_operand(view, outer[0], Op.ADD) if outer else None
    if not outer or not inner:
        return None
    scaled = view.build.mul(view.new[inner[0]], view.build.const(outer[1]))
    return view.build.add(scaled, view.build.const(inner[1] * outer[1]))


def _weights(view: View, i: int) -> FloatArray | None:
    """The constant weights of a MATMUL (right side), CONV or TREES that has a variable left side."""
    node = view.node(i)
    if node.op not in (Op.MATMUL, Op.CONV, Op.TREES) or view.value(node.src[0]) is not None:
        return None
    weights = view.value(node.src[1])
    return None if weights is None or weights.ndim < 2 else weights


def _along(constant: FloatArray, rank: int, axis: int, size: int) -> FloatArray | None:
    """The constant as one number per element of one axis, if it does not vary along the others; shape (size,)."""
    constant = np.asarray(compress(constant)[0])
    full = constant.reshape((1,) * (rank - constant.ndim) + constant.shape) if constant.ndim <= rank else constant
    if full.ndim != rank or any(d != 1 for j, d in enumerate(full.shape) if j != axis):
        return None
    return np.broadcast_to(full.ravel(), (size,))


def product_of_linear(view: View, i: int) -> int | None:
    # (x W) c = x (W c),  c one number per output channel
    outer = view.constant_side(i)
    return _scaled_linear(view, i, outer[0], outer[1]) if outer else None


def _scaled_linear(view: View, i: int, at: int, c: FloatArray) -> int | None:
    """The linear node ``at`` with its weights times c, for the product (of the same shape) that is node ``i``."""
    linear, weights = view.node(at), _weights(view, at)
    if weights is None:
        return None
    if not view.single(at):
        return view.miss(i, "the layer before it has other readers")
    if linear.shape != view.shape(i):
        return view.miss(i, f"shapes differ: the layer's is {linear.shape}, the product's {view.shape(i)}")
    axis = 1 if linear.op is Op.CONV else len(linear.shape) - 1
    factor = _along(c, len(linear.shape), axis, linear.shape[axis])
    if factor is None:
        return view.miss(i, "the factor is not one number per output channel of the layer before it")
    shape = (-1, *(1 for _ in weights.shape[1:])) if linear.op is Op.CONV else (-1,)
    return _linear(view, at, view.new[linear.src[0]], weights * factor.reshape(shape))


def _linear(view: View, i: int, image: int, weights: FloatArray) -> int:
    """The product of node ``i`` on another input, an image, and with other weights."""
    arg, w = view.node(i).arg, view.build.const(weights)
    if view.op(i) is Op.MATMUL:
        return view.build.matmul(image, w)
    if view.op(i) is Op.TREES:
        return view.build.trees(image, w, arg)
    return view.build.conv(image, w, arg["strides"], arg["pads"], arg["dilations"], arg["group"])


def _before(view: View, i: int, op: Op) -> tuple[int, FloatArray, FloatArray] | None:
    """(x, constant, weights) of a linear node whose input is ``x op constant``, of the shape of x."""
    weights, source = _weights(view, i), view.node(i).src[0]
    inner = _constant_operand(view, source, op)
    if weights is None or inner is None:
        return None
    if view.shape(inner[0]) != view.shape(source):
        view.miss(i, f"shapes differ before it: {view.shape(inner[0])} becomes {view.shape(source)}")
        return None
    return inner[0], inner[1], weights


def _per_input(view: View, i: int, constant: FloatArray) -> FloatArray | None:
    shape = view.node(view.node(i).src[0]).shape
    axis = 1 if view.op(i) is Op.CONV else len(shape) - 1
    return _along(constant, len(shape), axis, shape[axis])


def linear_of_product(view: View, i: int) -> int | None:
    # (x c) W = x (c W),  c one number an input channel, of one magnitude
    found = _before(view, i, Op.MUL)
    factor = _per_input(view, i, found[1]) if found else None
    if found is None or factor is None:
        return None
    sizes = np.abs(factor[factor != 0])
    if not sizes.size:
        return None
    if sizes.max() > SPREAD * sizes.min():
        reason = f"its factors per input channel are up to {sizes.max() / sizes.min():.3g} apart, more than {SPREAD:g}"
        return view.miss(i, reason)
    weights = found[2]
    if view.op(i) is Op.MATMUL:
        return _linear(view, i, view.new[found[0]], weights * factor[:, None])
    # input channel of weights[m, j] in its group
    per_group = factor.reshape(view.node(i).arg["group"], -1)
    per_output = np.repeat(per_group, weights.shape[0] // per_group.shape[0], axis=0)
    per_output = per_output.reshape(*weights.shape[:2], *(1 for _ in weights.shape[2:]))
    return _linear(view, i, view.new[found[0]], weights * per_output)


def linear_of_sum(view: View, i: int) -> int | None:
    # (x + c) W = x W + c W;  a convolution pads x + c with zeros, so the last term differs at the border
    found = _before(view, i, Op.ADD)
    if found is None:
        return None
    x, constant, weights = found
    node, arg = view.node(i), view.node(i).arg
    if node.op is Op.MATMUL:
        wide = np.broadcast_to(constant, np.broadcast_shapes(constant.shape, view.node(x).shape[-1:]))
        offset = np.matmul(wide, weights)
    elif _per_input(view, i, constant) is None:
        return None
    else:
        one = np.broadcast_to(constant, (1, *view.node(x).shape[1:]))
        offset = kernels.conv(one, weights, arg["strides"], arg["pads"], arg["dilations"], arg["group"])
        offset = offset if any(arg["pads"]) else offset[(slice(None), slice(None), *(slice(1) for _ in arg["strides"]))]
    return view.build.add(_linear(view, i, view.new[x], weights), view.build.const(offset))


def product_of_matrices(view: View, i: int) -> int | None:
    # (x V) W = x (V W) where V W is not larger than both
    weights, source = _weights(view, i), view.node(i).src[0]
    inner = _weights(view, source) if view.single(source) and view.op(source) is Op.MATMUL else None
    if view.op(i) is not Op.MATMUL or weights is None or inner is None or not weights.ndim == inner.ndim == 2:
        return None
    if inner.shape[0] * weights.shape[1] > inner.size + weights.size:
        return view.miss(i, "the product of both weights would be larger than the two")
    return view.build.matmul(view.new[view.node(source).src[0]], view.build.const(inner @ weights))


def is_linear(view: View, i: int) -> bool:
    """A product with constant weights, or one with a constant added: where constants above are wanted."""
    side = view.constant_side(i) if view.op(i) is Op.ADD else None
    return view.single(i) and _weights(view, side[0] if side else i) is not None


def movement_of_number(view: View, i: int) -> int | None:
    # move(x c) = move(x) c,  move(x + c) = move(x) + c for one number c: towards the next product
    source = view.node(i).src[0]
    node = view.node(source)
    side = view.constant_side(source) if node.op in (Op.MUL, Op.ADD) and view.single(source) else None
    if side is None or np.any(side[1] != side[1].flat[0]) or is_linear(view, side[0]):
        return None
    if view.node(side[0]).shape != node.shape:
        return None
    image, constant = view.new[side[0]], view.build.const(side[1].flat[0])
    moved = _moved(view, i, image)
    return view.build.mul(moved, constant) if node.op is Op.MUL else view.build.add(moved, constant)


def _moved(view: View, i: int, image: int) -> int:
    """The movement that is node ``i``, of another value, an image."""
    node, build = view.node(i), view.build
    return build.reshape(image, node.shape) if node.op is Op.RESHAPE else build.take(image, node.arg["index"])


def constant_of_movement(view: View, i: int) -> int | None:
    # move(x W) c = move((x W) c'),  likewise for a sum: back to the product, when c' is one number a channel there
    side = view.constant_side(i)
    node = view.node(i)
    if side is None or view.op(side[0]) not in (Op.RESHAPE, Op.TAKE) or not view.single(side[0]):
        return None
    movement = view.node(side[0])
    source = movement.src[0]
    if movement.shape != node.shape or not is_linear(view, source):
        return None
    constant = _before_movement(view, side[0], np.broadcast_to(side[1], node.shape))
    if constant is None:
        return None
    verb = view.build.mul if node.op is Op.MUL else view.build.add
    return _moved(view, side[0], verb(view.new[source], view.build.const(constant)))


def _before_movement(view: View, i: int, constant: FloatArray) -> FloatArray | None:
    """The constant moved back through a permutation, if it is then one number an output channel."""
    movement = view.node(i)
    source = view.node(movement.src[0])
    index = movement.arg["index"].ravel() if movement.op is Op.TAKE else np.arange(source.size)
    if index.size != source.size or np.any(np.bincount(index, minlength=source.size) != 1):
        return None
    back = np.empty(source.size)
    back[index] = constant.ravel()
    linear = source if source.op is not Op.ADD else view.node(view.constant_side(movement.src[0])[0])  # type: ignore[index]
    axis = 1 if linear.op is Op.CONV else len(source.shape) - 1
    channels: FloatArray = np.moveaxis(back.reshape(source.shape), axis, -1).reshape(-1, source.shape[axis])
    if np.any(channels != channels[0]):
        return None
    return np.asarray(channels[0].reshape([-1 if j == axis else 1 for j in range(len(source.shape))]))


# -- sums of terms ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """``sum_i y_i c_i + d``: (image of y_i, c_i), d. ``scaled``: a factor was met; ``trivial``: neither that nor
    an offset."""

    terms: tuple[tuple[int, FloatArray], ...]
    offset: FloatArray
    scaled: bool = False
    trivial: bool = False


def linear_of_terms(view: View, i: int) -> int | None:
    # (sum y c + d) W = sum y (c W) + d W
    node, build = view.node(i), view.build
    constants = [view.value(s) for s in node.src]
    side = 0 if constants[0] is None else 1
    weights, x = constants[1 - side], node.src[side]
    if weights is None or constants[side] is not None:
        return None
    value = _terms(view, x)
    if value.trivial:
        return None
    shape = view.shape(x)
    inner = [_scaled_weights(node, side, weights, c, shape) for _, c in value.terms]
    offset = np.broadcast_to(value.offset, shape)
    if len(inner) == 1 and inner[0] is None and not offset.any():
        return view.miss(i, "the factor before it varies along an axis that the layer keeps")
    parts = []
    for (y, c), own in zip(value.terms, inner, strict=True):
        y = y if build.shape(y) == shape else build.expand(y, shape)
        y = y if own is not None else build.mul(y, build.const(c))  # it stays in front
        parts.append(_layer(view, i, side, y, weights if own is None else own))
    total = parts[0]
    for part in parts[1:]:
        total = build.add(total, part)
    if not offset.any():
        return total
    pair = (offset, weights) if side == 0 else (weights, offset)
    return build.add(total, build.const(compress(interpret.FLOAT[node.op](node, *pair))[0]))


def _layer(view: View, i: int, side: int, x: int, weights: FloatArray) -> int:
    """Node ``i`` on another input, which stands on this side, and with other weights."""
    return _linear(view, i, x, weights) if side == 0 else view.build.matmul(view.build.const(weights), x)


def _terms(view: View, i: int) -> Terms:
    """Node ``i`` as a sum of terms."""
    node = view.node(i)
    if node.op in MOVES_OF_ONE:
        return _moved_terms(view, i, _terms(view, node.src[0]))
    side = view.constant_side(i) if node.op in (Op.ADD, Op.MUL) else None
    if side and node.op is Op.MUL:
        return _times(_terms(view, side[0]), side[1], node.shape)
    # what is added to an accumulator stays there: it is the bias of the layer before
    if side and view.shape(side[0]) == node.shape and not is_wide(view.graph.nodes, side[0]):
        value = _terms(view, side[0])
        return Terms(value.terms, value.offset + side[1], value.scaled)
    if node.op in (Op.ADD, Op.SUB) and not side and all(view.shape(s) == node.shape for s in node.src):
        u, v = (_terms(view, s) for s in node.src)
        if u.scaled or v.scaled:  # else the sum stays one input: taken apart, one layer would become two
            v = v if node.op is Op.ADD else _times(v, np.asarray(-1.0), node.shape)
            return Terms(u.terms + v.terms, u.offset + v.offset, scaled=True)
    return _itself(view.new[i])


def is_wide(nodes: Sequence[Node], i: int) -> bool:
    """Whether the value is an accumulator (it will be rescaled before the next layer, offset or not)."""
    node = nodes[i]
    if node.op in (Op.ADD, Op.SUB, Op.MUL):
        variables = [s for s in node.src if nodes[s].op is not Op.CONST]
        return len(variables) == 2 or is_wide(nodes, variables[0])
    if node.op in MOVES_OF_ONE:
        return is_wide(nodes, node.src[0])
    return node.op in (Op.MATMUL, Op.CONV, Op.SUM, Op.TREES)


def _itself(x: int) -> Terms:
    return Terms(((x, np.ones(())),), np.zeros(()), trivial=True)


def _times(value: Terms, c: FloatArray, shape: tuple[int, ...]) -> Terms:
    terms = tuple((y, np.broadcast_to(k * c, shape)) for y, k in value.terms)
    return Terms(terms, value.offset * c, scaled=True)


def _moved_terms(view: View, i: int, value: Terms) -> Terms:
    """Carry a movement through to the terms; the trivial value stays the moved node itself."""
    if value.trivial:
        return _itself(view.new[i])
    node, build = view.node(i), view.build
    shape = view.shape(node.src[0])

    def carry(c: FloatArray) -> FloatArray:
        return np.asarray(compress(interpret.FLOAT[node.op](node, np.broadcast_to(c, shape)))[0])

    wide = [(y if build.shape(y) == shape else build.expand(y, shape), c) for y, c in value.terms]
    return Terms(tuple((_moved(view, i, y), carry(c)) for y, c in wide), carry(value.offset), value.scaled)


def _scaled_weights(
    node: Node, side: int, weights: FloatArray, c: FloatArray, shape: tuple[int, ...]
) -> FloatArray | None:
    """c W for an input x c of this shape; None where c varies along an axis that the layer keeps."""
    return SCALED[node.op](node, side, weights, np.asarray(compress(np.broadcast_to(c, shape))[0]))


def _scaled_matrix(node: Node, side: int, weights: FloatArray, c: FloatArray) -> FloatArray | None:
    # right constant: x (..., K) W (K, N), c may vary along K; left constant: W (M, K) x (..., K, N), along K too
    kept = [n for axis, n in enumerate(c.shape[::-1]) if axis != side]
    if weights.ndim < 2 or c.ndim < 1 + side or any(n != 1 for n in kept):
        return None
    along = c.reshape(-1)
    return np.asarray(weights * (along[:, None] if side == 0 else along))


def _scaled_kernels(node: Node, side: int, weights: FloatArray, c: FloatArray) -> FloatArray | None:
    # x (N, C, *S), W (M, C/group, *K): c may vary along C; out channel m of group g reads in channels g C/group + j
    if side != 0 or any(n != 1 for axis, n in enumerate(c.shape) if axis != 1):
        return None
    group, (m, per_group) = node.arg["group"], weights.shape[:2]
    factors = np.broadcast_to(c.reshape(-1), (group * per_group,)).reshape(group, 1, per_group)
    rows = np.broadcast_to(factors, (group, m // group, per_group)).reshape(m, per_group)
    return np.asarray(weights * rows.reshape(m, per_group, *(1,) * (weights.ndim - 2)))


SCALED: Mapping[Op, Callable[[Node, int, FloatArray, FloatArray], FloatArray | None]] = {
    Op.MATMUL: _scaled_matrix,
    Op.CONV: _scaled_kernels,
}


def product_of_biased_linear(view: View, i: int) -> int | None:
    # (x W + d) c = x (W c) + d c,  c one number per output channel
    outer = view.constant_side(i)
    inner = _constant_operand(view, outer[0], Op.ADD) if outer else None
    if not outer or not inner or view.shape(outer[0]) != view.shape(i):
        return None
    scaled = _scaled_linear(view, i, inner[0], outer[1])
    return None if scaled is None else view.build.add(scaled, view.build.const(inner[1] * outer[1]))


def product_of_square(view: View, i: int) -> int | None:
    # (x x) c = (x sqrt(c)) (x sqrt(c)):  features of very different size meet at one scale before they are squared
    side = view.constant_side(i)
    if side is None or side[1].size == 1 or not (np.all(side[1] > 0) or np.all(side[1] < 0)):
        return None
    square, c = view.node(side[0]), side[1]
    if square.op is not Op.MUL or square.src[0] != square.src[1]:
        return None
    if not view.single(side[0]):
        return view.miss(i, "the square has other readers")
    root = view.build.mul(view.new[square.src[0]], view.build.const(np.sqrt(np.abs(c))))
    result = view.build.square(root)
    return result if np.all(c > 0) else view.build.scale(result, -1.0)


CHAINS: Mapping[Op, Sequence[Rule]] = {Op.MUL: [chain], Op.ADD: [chain]}
SQUARES: Mapping[Op, Sequence[Rule]] = {Op.MUL: [product_of_square]}
TERMS: Mapping[Op, Sequence[Rule]] = {Op.MATMUL: [linear_of_terms], Op.CONV: [linear_of_terms]}
BEHIND: Mapping[Op, Sequence[Rule]] = {Op.MUL: [product_of_linear, product_of_biased_linear]}

RULES: Mapping[Op, Sequence[Rule]] = {
    Op.MUL: [own_chain, product_of_sum, product_of_linear, constant_of_movement],
    Op.ADD: [own_chain, constant_of_movement],
    Op.MATMUL: [linear_of_product, linear_of_sum, product_of_matrices],
    Op.CONV: [linear_of_product, linear_of_sum],
    Op.RESHAPE: [movement_of_number],
    Op.TAKE: [movement_of_number],
}
