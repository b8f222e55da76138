"""Reductions, softmax, argmax and normalisations."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule, Value
from zkchain.frontend.ops import movement
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op

EVALUATION = "export the model in evaluation mode"
Verb = Callable[[Builder, int, Sequence[int]], int]


def _reduction(verb: Verb) -> Rule:
    """Axes are an attribute, in newer opsets input 1; none means all, or nothing with noop_with_empty_axes."""

    def rule(call: Call) -> int:
        axes = call.integers("axes", 1)
        if not axes and call.integer("noop_with_empty_axes", 0):
            axes = []
        elif not axes:
            axes = list(range(len(call.shape())))
        over = [call.build.axis(call.x(), a) for a in axes]
        kept = verb(call.build, call.x(), over)
        return kept if call.integer("keepdims", 1) else _dropped(call.build, kept, over)

    return rule


def _dropped(build: Builder, x: int, axes: Sequence[int]) -> int:
    return build.reshape(x, [d for i, d in enumerate(build.shape(x)) if i not in axes])


def _l1(build: Builder, x: int, axes: Sequence[int]) -> int:
    return build.sum(build.unary(x, "abs"), axes)


def _sum_square(build: Builder, x: int, axes: Sequence[int]) -> int:
    return build.sum(build.square(x), axes)


def _l2(build: Builder, x: int, axes: Sequence[int]) -> int:
    return build.unary(_sum_square(build, x, axes), "sqrt")


def product(build: Builder, x: int, axes: Sequence[int]) -> int:
    # x1 x2 ... xn, one factor after the other
    for axis in axes:
        at = build.positions(x)
        one = build.const(np.ones([1 if k == axis else n for k, n in enumerate(at.shape)]))
        slices = [build.take(x, at.take([k], axis=axis)) for k in range(at.shape[axis])]
        x = functools.reduce(build.mul, slices) if slices else one
    return x


def cumulative_product(call: Call) -> int:
    """y_j = x_0 x_1 .. x_j along an axis, without x_j where exclusive, from the other end where reverse."""
    build, x = call.build, call.x()
    axis = build.axis(x, int(call.scalar(1, "axis")))
    at = build.positions(x)
    slices = [build.take(x, at.take([k], axis=axis)) for k in range(at.shape[axis])]
    slices = slices[::-1] if call.integer("reverse", 0) else slices
    if call.integer("exclusive", 0):
        slices = [build.const(np.ones(build.shape(slices[0]))), *slices[:-1]]
    products = list(itertools.accumulate(slices, build.mul))
    return build.concat(products[::-1] if call.integer("reverse", 0) else products, axis)


def arg(sign: float) -> Rule:
    """ArgMax (1) and ArgMin (-1); the last index of several equal ones is the first of the reversed axis."""

    def rule(call: Call) -> int:
        build, x = call.build, call.build.scale(call.x(), sign)
        axis = build.axis(x, call.integer("axis", 0))
        if call.integer("select_last_index", 0):
            backwards = build.argmax(build.move(x, lambda at: np.flip(at, axis)), axis)
            found = build.sub(build.const(float(build.shape(x)[axis] - 1)), backwards)
        else:
            found = build.argmax(x, axis)
        return found if call.integer("keepdims", 1) else _dropped(build, found, [axis])

    return rule


def cumulative_sum(call: Call) -> int:
    """y_j = sum_{i <= j} x_i (exclusive: i < j; reverse: from the other end): a product with a triangle of ones."""
    build, x = call.build, call.x()
    axis = build.axis(x, int(call.scalar(1, "axis")))
    order = [*(k for k in range(build.rank(x)) if k != axis), axis]
    ones = np.triu(np.ones((build.shape(x)[axis],) * 2), k=call.integer("exclusive", 0))
    ones = ones.T if call.integer("reverse", 0) else ones
    return build.transpose(build.matmul(build.transpose(x, order), build.const(ones)), np.argsort(order).tolist())


def top_k(call: Call) -> list[int]:
    """Values and indices; k is an attribute before opset 10. Unsorted ones may be in any order: they are sorted too."""
    k = call.integer("k", 0) if call.version < 10 else int(call.scalar(1, "k"))
    build, sign = call.build, 1.0 if call.integer("largest", 1) else -1.0
    x, axis = build.scale(call.x(), sign), call.integer("axis", -1)
    return [build.scale(build.top(Op.TOP, x, axis, k), sign), build.top(Op.TOP_INDEX, x, axis, k)]


def softmax(call: Call) -> int:
    return _over_axis(call, lambda build, x, axis: build.softmax(x, axis))


def hardmax(call: Call) -> int:
    # 1 where the first largest element is, else 0
    return _over_axis(call, _hardmax)


def _hardmax(build: Builder, x: int, axis: int) -> int:
    return movement.hot(build, build.argmax(x, axis), axis, build.shape(x)[axis])


def log_softmax(call: Call) -> int:
    # x - log sum e^x
    return _over_axis(call, lambda build, x, axis: build.sub(x, build.log_sum_exp(x, [axis])))


def _over_axis(call: Call, verb: Callable[[Builder, int, int], int]) -> int:
    """Before opset 13 the axis (default 1) begins a matrix's rows: everything from it on is normalised together."""
    build, x, shape = call.build, call.x(), call.shape()
    if call.version >= 13:
        return verb(build, x, build.axis(x, call.integer("axis", -1)))
    axis = call.integer("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    rows = int(np.prod(shape[:axis], dtype=np.int64))
    return build.reshape(verb(build, build.reshape(x, (rows, build.size(x) // rows)), 1), shape)


def batch_normalization(call: Call) -> list[Value]:
    """scale (x - mean) / sqrt(var + epsilon) + bias; in training form with the batch's own mean and variance.

    Training form: training_mode from opset 14 on, before that more than one output, before opset 7 no is_test."""
    build, rank = call.build, len(call.shape())
    spatial = bool(call.integer("spatial", 1)) and rank > 1
    shape = (-1, *(1 for _ in range(2, rank))) if spatial else call.shape(1)
    if _is_training(call):
        if not spatial:
            raise call.fail("its training form with spatial=0", hint=EVALUATION)
        return _by_batch(call)
    if not all(call.is_constant(i) for i in range(1, 5)):
        scale, bias, mean, var = (build.move(call.x(i), lambda at: at.reshape(shape)) for i in range(1, 5))
        inverse = build.unary(build.shift(var, call.number("epsilon", 1e-5)), "rsqrt")
        return [build.add(build.mul(build.sub(call.x(), mean), build.mul(inverse, scale)), bias)]
    s, b, m, v = (call.constant(i, call.proto.input[i]).astype(np.float64) for i in range(1, 5))
    a = s / np.sqrt(v + call.number("epsilon", 1e-5))  # a x + b - a m
    scaled = build.mul(call.x(), build.const(a.reshape(shape)))
    return [build.add(scaled, build.const((b - m * a).reshape(shape)))]


def _is_training(call: Call) -> bool:
    if call.version >= 14:
        return bool(call.integer("training_mode", 0))
    return any(call.proto.output[1:]) if call.version >= 7 else not call.integer("is_test", 0)


def _by_batch(call: Call) -> list[Value]:
    """The training form. Its further outputs: the running mean and variance, moved towards the batch's."""
    build, x = call.build, call.x()
    for i, what in enumerate(("mean", "variance", "saved mean", "saved variance"), start=1):
        if call.version < 14:
            call.refuse_output(i, f"the {what} of its training form", hint=EVALUATION)
    axes = [0, *range(2, build.rank(x))]
    per_channel = [build.shape(x)[k] if k == 1 else 1 for k in range(build.rank(x))][1:]
    scale, bias = (build.reshape(call.x(i), per_channel) for i in (1, 2))
    centred, mean, inverse = _deviations(build, x, axes, call.number("epsilon", 1e-5))
    outputs: list[Value] = [build.add(build.mul(build.mul(centred, inverse), scale), bias)]
    kept = call.number("momentum", 0.9)
    for i, found in ((3, mean), (4, build.mean(build.square(centred), axes))):
        # momentum * old + (1 - momentum) * new
        new = build.scale(build.reshape(found, call.shape(i)), 1 - kept)
        outputs.append(build.add(build.scale(call.x(i), kept), new))
    return outputs


def _deviations(build: Builder, x: int, axes: Sequence[int], epsilon: float) -> tuple[int, int, int]:
    """x - mean, mean, 1 / sqrt(mean (x - mean)^2 + epsilon)"""
    mean = build.mean(x, axes)
    centred = build.sub(x, mean)
    variance = build.mean(build.square(centred), axes)
    return centred, mean, build.unary(build.shift(variance, epsilon), "rsqrt")


def normalised(build: Builder, x: int, axes: Sequence[int], epsilon: float) -> int:
    # (x - mean) / sqrt(mean (x - mean)^2 + epsilon)
    centred, _, inverse = _deviations(build, x, axes, epsilon)
    return build.mul(centred, inverse)


def local_response_normalization(call: Call) -> int:
    """LRN: x / (bias + alpha / size * s)^beta, s the sum of squares of ``size`` channels around."""
    build, x, size = call.build, call.x(), call.integer("size", 1)
    ahead = np.arange(call.shape()[1]) - np.arange(call.shape()[1])[:, None]
    band = ((ahead >= -((size - 1) // 2)) & (ahead <= size // 2)).astype(np.float64)
    order = [0, *range(2, build.rank(x)), 1]
    squares = build.matmul(build.transpose(build.square(x), order), build.const(band.T))
    total = build.transpose(squares, [0, build.rank(x) - 1, *range(1, build.rank(x) - 1)])
    under = build.shift(build.scale(total, call.number("alpha", 1e-4) / size), call.number("bias", 1.0))
    return build.mul(x, build.unary(under, "pow", -call.number("beta", 0.75)))


def layer_normalization(call: Call) -> list[int]:
    """Layer normalisation, with its mean and inverse deviation where the node has these outputs."""
    return list(layer_norm(call, call.x(), 1, 2))


def layer_norm(call: Call, x: int, scale: int, bias: int, epsilon: float = 1e-5) -> tuple[int, int, int]:
    """x normalised from the attribute axis on, times input ``scale``, plus input ``bias``; mean, inverse deviation."""
    build = call.build
    axes = range(build.axis(x, call.integer("axis", -1)), build.rank(x))
    centred, mean, inverse = _deviations(build, x, axes, call.number("epsilon", epsilon))
    y = build.mul(build.mul(centred, inverse), call.x(scale))
    return build.add(y, call.x(bias)) if call.has(bias) else y, mean, inverse


def rms_normalization(call: Call) -> int:
    return rms_norm(call, call.x(), 1)[0]


def rms_norm(call: Call, x: int, scale: int, epsilon: float = 1e-5) -> tuple[int, int]:
    """x / sqrt(mean x^2 + epsilon) from the attribute axis on, times input ``scale``; and the factor of x alone."""
    build = call.build
    axes = range(build.axis(x, call.integer("axis", -1)), build.rank(x))
    power = build.shift(build.mean(build.square(x), axes), call.number("epsilon", epsilon))
    inverse = build.unary(power, "rsqrt")
    return build.mul(build.mul(x, inverse), call.x(scale)), inverse


def instance_normalization(call: Call) -> int:
    build, x = call.build, call.x()
    y = normalised(build, x, range(2, build.rank(x)), call.number("epsilon", 1e-5))
    return _per_channel(call, y)


def group_normalization(call: Call) -> int:
    """Opset 21 on: scale and bias are one number per channel."""
    build, x, shape = call.build, call.x(), call.shape()
    groups = call.integer("num_groups", 1)
    grouped = build.reshape(x, (shape[0], groups, build.size(x) // (shape[0] * groups)))
    y = build.reshape(normalised(build, grouped, [2], call.number("epsilon", 1e-5)), shape)
    return _per_channel(call, y)


def _per_channel(call: Call, y: int) -> int:
    """scale y + bias, inputs 1 and 2, one number per channel each."""
    build = call.build
    column = (-1, *(1 for _ in call.shape()[2:]))
    scale, bias = (build.move(call.x(i), lambda at: at.reshape(column)) for i in (1, 2))
    return build.add(build.mul(y, scale), bias)


def mean_variance_normalization(call: Call) -> int:
    # (x - mean) / (deviation + e), e = 1e-9: there is a difference to 1 / sqrt(variance + e^2) only where the deviation
    # is about e, and both are 1 / e at zero
    axes = call.integers("axes") or [0, 2, 3]
    return normalised(call.build, call.x(), axes, 1e-18)


def lp_normalization(call: Call) -> int:
    axis = call.build.axis(call.x(), call.integer("axis", -1))
    return over_norm(call.build, call.x(), axis, f"L{call.integer('p', 2)}")


def over_norm(build: Builder, x: int, axis: int, norm: str) -> int:
    """x over its largest element, the sum of its magnitudes, or its length; x itself where that is zero (as ONNX has it
    for Normalizer, and since 22 for LpNormalization)."""
    if norm == "L2":
        return build.mul(x, build.unary(_sum_square(build, x, [axis]), "rsqrt_or_one"))
    total = build.extreme(Op.REDUCE_MAX, x, [axis]) if norm == "MAX" else _l1(build, x, [axis])
    return build.mul(x, build.unary(total, "reciprocal_or_one"))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "ArgMax": arg(1.0),
        "ArgMin": arg(-1.0),
        "BatchNormalization": batch_normalization,
        "CumSum": cumulative_sum,
        "CumProd": cumulative_product,
        "GroupNormalization": group_normalization,
        "Hardmax": hardmax,
        "InstanceNormalization": instance_normalization,
        "LRN": local_response_normalization,
        "LayerNormalization": layer_normalization,
        "LogSoftmax": log_softmax,
        "LpNormalization": lp_normalization,
        "MeanVarianceNormalization": mean_variance_normalization,
        "RMSNormalization": rms_normalization,
        "ReduceL1": _reduction(_l1),
        "ReduceL2": _reduction(_l2),
        "ReduceLogSum": _reduction(lambda build, x, axes: build.unary(build.sum(x, axes), "log")),
        "ReduceLogSumExp": _reduction(Builder.log_sum_exp),
        "ReduceMax": _reduction(lambda build, x, axes: build.extreme(Op.REDUCE_MAX, x, axes)),
        "ReduceMean": _reduction(Builder.mean),
        "ReduceMin": _reduction(lambda build, x, axes: build.extreme(Op.REDUCE_MIN, x, axes)),
        "ReduceProd": _reduction(product),
        "ReduceSum": _reduction(Builder.sum),
        "ReduceSumSquare": _reduction(_sum_square),
        "Softmax": softmax,
        "TopK": top_k,
    }
)
