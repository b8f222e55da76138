"""Constants that multiply and add: chains merge, and what stands beside a matrix product or convolution goes into it.

Only constants that nobody else's value depends on are moved (``single``), so no product is computed twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zkchain.ir import kernels
from zkchain.ir.graph import Op
from zkchain.rewrite.engine import Rule, View
from zkchain.typing import FloatArray

# Weights that absorb one factor an input channel share a scale: factors further apart than this (4 bits) stay outside.
SPREAD = 16.0


def _constant_operand(view: View, i: int, op: Op) -> tuple[int, FloatArray] | None:
    """(other source, constant) when node ``i`` is of this operator and nobody else reads it."""
    return view.constant_side(i) if view.op(i) is op and view.single(i) else None


def product_of_product(view: View, i: int) -> int | None:
    # (x a) b = x (a b)
    outer = view.constant_side(i)
    inner = _constant_operand(view, outer[0], Op.MUL) if outer else None
    return view.build.mul(view.new[inner[0]], view.build.const(inner[1] * outer[1])) if outer and inner else None


def sum_of_sum(view: View, i: int) -> int | None:
    # (x + a) + b = x + (a + b)
    outer = view.constant_side(i)
    inner = _constant_operand(view, outer[0], Op.ADD) if outer else None
    return view.build.add(view.new[inner[0]], view.build.const(inner[1] + outer[1])) if outer and inner else None


def product_of_sum(view: View, i: int) -> int | None:
    # (x + a) b = x b + a b
    outer = view.constant_side(i)
    inner = _constant_operand(view, outer[0], Op.ADD) if outer else None
    if not outer or not inner:
        return None
    scaled = view.build.mul(view.new[inner[0]], view.build.const(outer[1]))
    return view.build.add(scaled, view.build.const(inner[1] * outer[1]))


def _weights(view: View, i: int) -> FloatArray | None:
    """The constant weights of a MATMUL (right side) or CONV that has a variable left side."""
    node = view.node(i)
    if node.op not in (Op.MATMUL, Op.CONV) or view.value(node.src[0]) is not None:
        return None
    weights = view.value(node.src[1])
    return None if weights is None or weights.ndim < 2 else weights


def _along(constant: FloatArray, rank: int, axis: int, size: int) -> FloatArray | None:
    """The constant as one number an element of one axis, if it does not vary along the others; shape (size,)."""
    full = constant.reshape((1,) * (rank - constant.ndim) + constant.shape) if constant.ndim <= rank else constant
    if full.ndim != rank or any(d != 1 for j, d in enumerate(full.shape) if j != axis):
        return None
    return np.broadcast_to(full.ravel(), (size,))


def product_of_linear(view: View, i: int) -> int | None:
    # (x W) c = x (W c),  c one number an output channel
    outer = view.constant_side(i)
    if outer is None or not view.single(outer[0]) or view.node(outer[0]).shape != view.node(i).shape:
        return None
    linear, weights = view.node(outer[0]), _weights(view, outer[0])
    if weights is None:
        return None
    axis = 1 if linear.op is Op.CONV else len(linear.shape) - 1
    factor = _along(outer[1], len(linear.shape), axis, linear.shape[axis])
    if factor is None:
        return None
    shape = (-1, *(1 for _ in weights.shape[1:])) if linear.op is Op.CONV else (-1,)
    return _linear(view, outer[0], view.new[linear.src[0]], weights * factor.reshape(shape))


def _linear(view: View, i: int, x: int, weights: FloatArray) -> int:
    """The product of node ``i`` on another input and with other weights."""
    arg, w = view.node(i).arg, view.build.const(weights)
    if view.op(i) is Op.MATMUL:
        return view.build.matmul(x, w)
    return view.build.conv(x, w, arg["strides"], arg["pads"], arg["dilations"], arg["group"])


def _before(view: View, i: int, op: Op) -> tuple[int, FloatArray, FloatArray] | None:
    """(x, constant, weights) of a linear node whose input is ``x op constant``, of the shape of x."""
    weights, source = _weights(view, i), view.node(i).src[0]
    inner = _constant_operand(view, source, op)
    if weights is None or inner is None or view.node(inner[0]).shape != view.node(source).shape:
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
    if not sizes.size or sizes.max() > SPREAD * sizes.min():
        return None
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
        return None
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


def _moved(view: View, i: int, x: int) -> int:
    node = view.node(i)
    return view.build.reshape(x, node.shape) if node.op is Op.RESHAPE else view.build.take(x, node.arg["index"])


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


RULES: Mapping[Op, Sequence[Rule]] = {
    Op.MUL: [product_of_product, product_of_sum, product_of_linear, constant_of_movement],
    Op.ADD: [sum_of_sum, constant_of_movement],
    Op.MATMUL: [linear_of_product, linear_of_sum, product_of_matrices],
    Op.CONV: [linear_of_product, linear_of_sum],
    Op.RESHAPE: [movement_of_number],
    Op.TAKE: [movement_of_number],
}
