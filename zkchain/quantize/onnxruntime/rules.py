"""Float operators on quantised tensors, as operators on their integers: one rule per operator.

A rule gives the Form of its node, or None where the node has no integers of its own (see ``float_islands``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.ir import functions, interpret
from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import compress
from zkchain.quantize.onnxruntime.arithmetic import single
from zkchain.quantize.onnxruntime.requantize import quantize as requantize
from zkchain.quantize.onnxruntime.values import Fixed, Form, State, Table, shaped
from zkchain.typing import FloatArray

SAME = 1e-3  # scales closer than this are one: a bias is written at the product of two rounded scales
WHOLE = 1e-6


def step(state: State, i: int) -> None:
    """Enter node ``i`` of the float graph into ``forms`` or ``fixed``, if it has a place there."""
    node = state.graph.nodes[i]
    if node.op is Op.INPUT:
        return
    rule = _constant if all(s in state.fixed for s in node.src) else RULES.get(node.op)
    result = rule(state, node) if rule else None
    if isinstance(result, Form):
        state.forms[i] = result
    elif result is not None:
        state.fixed[i] = result


def _constant(state: State, node: Node) -> Fixed:
    sources = [state.fixed[s] for s in node.src]
    if node.op in (Op.RESHAPE, Op.TAKE):
        return sources[0].moved(lambda v: np.asarray(interpret.COMMON[node.op](node, v)))
    if node.op is Op.DEQUANTIZE:
        scale, zero = node.arg["scale"], node.arg["zero"]
        q = np.rint(sources[0].real).astype(np.int64) - zero
        return Fixed(single(q * scale).astype(np.float64), q, scale)
    with np.errstate(all="ignore"):
        real = interpret.FLOAT[node.op](node, *(s.real for s in sources))
    return Fixed(np.broadcast_to(np.asarray(real, dtype=np.float64), node.shape))


def _bare(state: State, i: int) -> Form | None:
    """The form of a value that is integers times a scale; a relu pending on it is carried out."""
    form = state.forms.get(i)
    if form is None or form.plus is not None or form.function is not None or form.offset.any():
        return None
    if form.low == 0.0 and form.high is None:
        name = state.graph.nodes[i].name
        positive = state.add(Op.RELU, name, (form.value,))
        form = state.forms[i] = replace(form, value=positive, low=None)
    return form if form.bare else None


def dequantize(state: State, node: Node) -> Form | None:
    form, zero, scale = _bare(state, node.src[0]), node.arg["zero"], node.arg["scale"]
    if form is None or not form.whole:
        return None
    value = state.plus(node.name, form.value, -zero)
    taken = int(zero.flat[0]) if zero.size == 1 else 0
    return Form(value, np.asarray(scale), zero=taken)


def quantize(state: State, node: Node) -> Form | None:
    form = state.forms.get(node.src[0])
    return None if form is None else Form(requantize(state, node, form))


def _columns(weights: Fixed, node: Node) -> FloatArray | None:
    """The scale of every output channel of a product with these weights, shaped to broadcast to its result."""
    own = 0 if node.op is Op.CONV else weights.real.ndim - 1
    scale = shaped(weights.scale, weights.real.ndim) if weights.scale.size > 1 else weights.scale
    if weights.scale.size == 1:
        return weights.scale.reshape(())
    if any(n != 1 for axis, n in enumerate(scale.shape) if axis != own):
        return None
    channel = 1 if node.op is Op.CONV else len(node.shape) - 1
    return np.asarray(scale.reshape([-1 if axis == channel else 1 for axis in range(len(node.shape))]))


def linear(state: State, node: Node) -> Form | None:
    x, weights = _bare(state, node.src[0]), state.fixed.get(node.src[1])
    if weights is None:
        return _product(state, node) if node.op is Op.MATMUL else None
    if x is None or not x.uniform or x.count != 1 or weights.q is None or weights.q.ndim < 2:
        return None
    columns = _columns(Fixed(weights.real, weights.q, np.asarray(compress(weights.scale)[0])), node)
    if columns is None:
        return None
    value = state.add(node.op, node.name, (x.value, state.const(node.name, weights.q)), node.shape, **node.arg)
    scale = (single(x.scale.reshape(())) * single(columns)).astype(np.float64)
    return Form(value, np.asarray(scale), kind="linear")


def _product(state: State, node: Node) -> Form | None:
    """A product of two variables."""
    x, y = _bare(state, node.src[0]), _bare(state, node.src[1])
    if x is None or y is None or not (x.uniform and y.uniform and x.count == y.count == 1):
        return None
    value = state.add(node.op, node.name, (x.value, y.value), node.shape, **node.arg)
    scale = (single(x.scale.reshape(())) * single(y.scale.reshape(()))).astype(np.float64)
    return Form(value, np.asarray(scale), kind="product" if node.op is Op.MUL else "linear")


def _sides(state: State, node: Node) -> tuple[Form, Fixed] | None:
    """(form, constant) of an operator on one of each."""
    for x, c in (node.src, node.src[::-1]):
        form, fixed = state.forms.get(x), state.fixed.get(c)
        if form is not None and fixed is not None:
            return form, fixed
    return None


def add(state: State, node: Node) -> Form | None:
    sides = _sides(state, node)
    if sides is None:
        return _sum_of_two(state, node)
    form, fixed = sides
    if not form.straight or form.low is not None or form.high is not None or state.node(form.value).shape != node.shape:
        return None
    if fixed.q is not None and not form.offset.any() and form.count == 1 and _same(form.scale, fixed.scale):
        return replace(form, value=state.plus(node.name, form.value, fixed.q))
    return replace(form, offset=np.asarray(form.offset + fixed.real))


def _same(scale: FloatArray, other: FloatArray) -> bool:
    try:
        return bool(np.all(np.abs(scale - other) <= SAME * scale))
    except ValueError:
        return False


def _sum_of_two(state: State, node: Node) -> Form | None:
    x, y = _bare(state, node.src[0]), _bare(state, node.src[1])
    if x is None or y is None or not (x.uniform and y.uniform and x.kind == y.kind == "real"):
        return None
    if not state.node(x.value).shape == state.node(y.value).shape == node.shape or x.count != 1 or y.count != 1:
        return None
    return replace(x, plus=y)


def sub(state: State, node: Node) -> Form | None:
    fixed = state.fixed.get(node.src[1])
    form = state.forms.get(node.src[0])
    if fixed is None or form is None or not form.straight or form.low is not None or form.high is not None:
        return None
    same_shape = state.node(form.value).shape == node.shape
    return replace(form, offset=np.asarray(form.offset - fixed.real)) if same_shape else None


def mul(state: State, node: Node) -> Form | None:
    sides = _sides(state, node)
    if sides is None:
        return _product(state, node)
    form, factor = sides[0], sides[1].real
    if not form.straight or form.low is not None or form.high is not None or np.any(factor <= 0):
        return None
    if state.node(form.value).shape != node.shape:
        return None
    if factor.size == 1 and form.kind == "average" and not form.offset.any():
        count = 1.0 / float(factor.flat[0])
        if count >= 1 and abs(count - round(count)) < WHOLE * count:
            return replace(form, kind="linear", count=round(count))
    kind = "average" if form.kind == "average" else "real"
    return replace(form, scale=form.scale * factor, offset=form.offset * factor, kind=kind)


def total(state: State, node: Node) -> Form | None:
    form = _bare(state, node.src[0])
    if form is None or not form.uniform or form.count != 1:
        return None
    return Form(state.add(node.op, node.name, (form.value,), node.shape, **node.arg), form.scale, kind="average")


def relu(state: State, node: Node) -> Form | None:
    return _limited(state, node, 0.0, None)


def clip(state: State, node: Node) -> Form | None:
    return _limited(state, node, node.arg["lo"], node.arg["hi"])


def _limited(state: State, node: Node, lo: float | None, hi: float | None) -> Form | None:
    """min(max(x, lo), hi) of what has ends already: these are clipped too."""
    form = state.forms.get(node.src[0])
    if form is None:
        return None

    def inside(end: float | None, otherwise: float | None) -> float | None:
        if end is None:
            return otherwise
        end = end if lo is None else max(end, lo)
        return end if hi is None else min(end, hi)

    return replace(form, low=inside(form.low, lo), high=inside(form.high, hi))


def move(state: State, node: Node) -> Form | None:
    form = state.forms.get(node.src[0])
    if form is None:
        return None
    shape = state.node(form.value).shape

    def moved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(interpret.COMMON[node.op](node, np.broadcast_to(array, shape)))

    def carried(part: Form) -> Form:
        value = state.add(node.op, node.name, (part.value,), node.shape, **node.arg)
        scale, offset = (v.reshape(()) if v.size == 1 else compress(moved(v))[0] for v in (part.scale, part.offset))
        return replace(part, value=value, scale=scale, offset=offset, plus=carried(part.plus) if part.plus else None)

    return carried(form)


def concat(state: State, node: Node) -> Form | None:
    """Parts side by side: each keeps its scale. A constant joins where it is a whole number of steps."""
    forms = [_bare(state, s) if s in state.forms else None for s in node.src]
    known = [f for f in forms if f is not None]
    if not known or len({(f.kind, f.count) for f in known}) > 1:
        return None
    parts, scales = [], []
    for s, form in zip(node.src, forms, strict=True):
        shape = state.graph.nodes[s].shape
        if form is None:
            form = _joining(state, s, known[0])
        if form is None:
            return None
        parts.append(form.value)
        scales.append(np.broadcast_to(form.scale, shape))
    value = state.add(Op.CONCAT, node.name, parts, node.shape, **node.arg)
    scale = np.concatenate(scales, axis=node.arg["axis"])
    uniform = bool(np.all(scale == scale.flat[0]))
    scale = np.asarray(scale.flat[0]) if uniform else np.asarray(compress(scale)[0])
    return replace(known[0], value=value, scale=scale, zero=0)


def _joining(state: State, i: int, beside: Form) -> Form | None:
    fixed = state.fixed.get(i)
    if fixed is None or not beside.uniform:
        return None
    q = fixed.real / beside.scale.flat[0] * beside.count
    if np.any(np.abs(q - np.rint(q)) > WHOLE):
        return None
    return Form(state.const(state.graph.nodes[i].name, np.rint(q)), beside.scale)


def reduced(state: State, node: Node) -> Form | None:
    """A maximum or minimum: positive scales, so that of the integers; ends may come later."""
    form = state.forms.get(node.src[0])
    if form is None or not form.straight or not form.uniform or form.offset.size > 1:
        return None
    return replace(form, value=state.add(node.op, node.name, (form.value,), node.shape, **node.arg))


def compared(state: State, node: Node) -> Form | None:
    x, y = _bare(state, node.src[0]), _bare(state, node.src[1])
    if x is None or y is None or not (x.uniform and y.uniform):
        return None
    if float(x.scale.flat[0]) / x.count != float(y.scale.flat[0]) / y.count or x.kind != y.kind:
        return None
    return replace(x, value=state.add(node.op, node.name, (x.value, y.value), node.shape))


def argmax(state: State, node: Node) -> Form | None:
    form = _bare(state, node.src[0])
    if form is None or not form.uniform:
        return None
    return Form(state.add(node.op, node.name, (form.value,), node.shape, **node.arg))


def unary(state: State, node: Node) -> Form | None:
    name, *parameters = node.arg["fn"]
    if name == "hard_sigmoid":
        return _through(state, node, lambda x: _hard_sigmoid(x, *parameters))
    return _through(state, node, partial(functions.evaluate, node.arg["fn"]))


def _hard_sigmoid(x: FloatArray, alpha: float, beta: float) -> FloatArray:
    """Compute in float32, rounded after the product and after the sum: on bytes these roundings decide ties."""
    line = single(alpha) * single(x) + single(beta)
    return np.asarray(np.clip(line, 0.0, 1.0), dtype=np.float64)


def leaky(state: State, node: Node) -> Form | None:
    slope = state.fixed.get(node.src[1])
    if slope is None or slope.real.size != 1:
        return None
    factor = float(slope.real.flat[0])
    return _through(state, node, lambda x: np.where(x >= 0, x, factor * x))


def _through(state: State, node: Node, function: Callable[[FloatArray], FloatArray]) -> Form | None:
    """A function of one quantised number, to be tabulated when it is quantised again."""
    form = state.forms.get(node.src[0])
    if form is None or form.plus is not None or not form.uniform or form.offset.size != 1:
        return None
    before, low, high = form.function, form.low, form.high

    def composed(x: FloatArray) -> FloatArray:
        inner = x if before is None else before(x)
        limited = inner if low is None and high is None else np.clip(inner, low, high)
        return single(function(limited)).astype(np.float64)

    return replace(form, function=composed, low=None, high=None)


RULES: Table = {
    Op.DEQUANTIZE: dequantize,
    Op.QUANTIZE: quantize,
    Op.RESHAPE: move,
    Op.TAKE: move,
    Op.CONCAT: concat,
    Op.ADD: add,
    Op.SUB: sub,
    Op.MUL: mul,
    Op.MATMUL: linear,
    Op.CONV: linear,
    Op.SUM: total,
    Op.RELU: relu,
    Op.CLIP: clip,
    Op.MAX: compared,
    Op.MIN: compared,
    Op.REDUCE_MAX: reduced,
    Op.REDUCE_MIN: reduced,
    Op.ARGMAX: argmax,
    Op.TOP: reduced,
    Op.TOP_INDEX: argmax,
    Op.UNARY: unary,
    Op.LEAKY_RELU: leaky,
}
