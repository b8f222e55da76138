"""Support vector machines (ai.onnx.ml), with onnxruntime's rules for votes, ties and scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from itertools import combinations
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops.distances import summed_powers
from zkchain.frontend.ops.elementwise import power_of
from zkchain.frontend.ops.ml import labels_of, numbers, rows_of, transformed
from zkchain.frontend.ops.movement import lookup
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op
from zkchain.typing import FloatArray

MULTIPLIED = 6  # the highest degree of a polynomial that is multiplied out
KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


def classifier(call: Call) -> list[int]:
    """Label and scores: of all pairs of classes by their votes, or without support vectors one score per class."""
    per_class = [int(n) for n in call.attribute("vectors_per_class") or []]
    return _of_pairs(call, per_class) if sum(per_class) else _of_classes(call)


def _of_pairs(call: Call, per_class: list[int]) -> list[int]:
    build, labels = call.build, labels_of(call)
    if len(per_class) != labels.size or labels.size < 2:
        raise build.error(f"support vectors of {len(per_class)} classes, and {labels.size} class labels")
    scores = _pair_scores(call, per_class)
    label = lookup(call, _most_votes(build, scores, labels.size), labels) if call.wanted[0] else scores
    if not any(call.wanted[1:]):
        return [label, scores]
    a, b = numbers(call, "prob_a", []), numbers(call, "prob_b", [])
    if a.size:
        chances = probabilities(build, _platt(call, scores, a, b), labels.size)
        return [label, transformed(call, chances)]
    if labels.size > 2:
        return [label, transformed(call, scores)]
    # (-s, s); of LOGISTIC (1 - sigmoid s, sigmoid s); of any other (1 - s, s): onnxruntime leaves these out
    transform = call.attribute("post_transform", "NONE")
    s = build.unary(scores, "sigmoid") if transform == "LOGISTIC" else scores
    other = build.shift(build.scale(s, -1.0), 0.0 if transform == "NONE" else 1.0)
    return [label, build.concat([other, s], 1)]


def _pair_scores(call: Call, per_class: list[int]) -> int:
    """s_ij = sum_v c_v K(x, v) + rho_ij over the vectors of the classes i < j: a product with (vectors, pairs)."""
    build, classes, vectors = call.build, len(per_class), sum(per_class)
    ends = np.cumsum([0, *per_class])
    pairs = list(combinations(range(classes), 2))
    rho, coefficients = numbers(call, "rho", []), numbers(call, "coefficients", [])
    if rho.size < len(pairs) or coefficients.size < (classes - 1) * vectors:
        raise build.error(
            f"{coefficients.size} coefficients and {rho.size} rho for {vectors} vectors and {len(pairs)} pairs"
        )
    rows = coefficients[: (classes - 1) * vectors].reshape(classes - 1, vectors)
    weights = np.zeros((vectors, len(pairs)))
    for k, (i, j) in enumerate(pairs):
        weights[ends[i] : ends[i + 1], k] = rows[j - 1, ends[i] : ends[i + 1]]
        weights[ends[j] : ends[j + 1], k] = rows[i, ends[j] : ends[j + 1]]
    product = build.matmul(_kernels(call, vectors), build.const(weights))
    return build.add(product, build.const(rho[: len(pairs)]))


def _most_votes(build: Builder, scores: int, classes: int) -> int:
    """The class with most votes, of several the first; s_ij > 0 is a vote for i, else it is one for j."""
    rows = build.shape(scores)[0]
    pairs = list(combinations(range(classes), 2))
    first = np.array([[float(c == i) for c in range(classes)] for i, _ in pairs])
    second = np.array([[float(c == j) for c in range(classes)] for _, j in pairs])
    won = build.unary(scores, "greater", 0.0)
    votes = build.add(build.matmul(won, build.const(first - second)), build.const(second.sum(axis=0)))
    return build.reshape(build.argmax(votes, 1), (rows,))


def _platt(call: Call, scores: int, a: FloatArray, b: FloatArray) -> int:
    """r_ij = 1 / (1 + e^(a s + b)). onnxruntime keeps it 1e-7 from 0 and 1: less than is counted here."""
    pairs = call.build.shape(scores)[1]
    if a.size < pairs or b.size < pairs:
        raise call.build.error(f"{a.size} prob_a and {b.size} prob_b for {pairs} pairs of classes")
    line = call.build.add(call.build.mul(scores, call.build.const(-a[:pairs])), call.build.const(-b[:pairs]))
    return call.build.unary(line, "sigmoid")


def probabilities(build: Builder, r: int, classes: int) -> int:
    """The p, sum p = 1, with the least sum_{i<j} (r_ji p_i - r_ij p_j)^2, of r_ij (n, pairs), r_ji = 1 - r_ij.

    onnxruntime (as libsvm) walks there and stops where the gradient is below 0.005 / classes; this is the end of the
    way. With Q_ii = sum_j r_ji^2, Q_ij = -r_ji r_ij the p are those of (Q + 1 1^T) p ~ 1: Gauss' elimination, whose
    pivots are no smaller than the matrix' least eigenvalue, which has a bound of its own (``_least_pivot``).
    """
    first = build.sub(build.const(1.0), r)
    if classes == 2:
        return build.concat([r, first], 1)
    rows, pairs = build.shape(r)[0], list(combinations(range(classes), 2))
    at = {(i, j): k for k, (i, j) in enumerate(pairs)}
    at |= {(j, i): len(pairs) + k for k, (i, j) in enumerate(pairs)}
    both = build.concat([r, first], 1)
    squares, products = build.square(both), build.mul(r, first)
    own = np.zeros((2 * len(pairs), classes))
    for (_, i), k in at.items():
        own[k, i] = 1.0
    parts = build.concat([build.matmul(squares, build.const(own)), build.scale(products, -1.0)], 1)
    where = [[i if i == j else classes + at[min(i, j), max(i, j)] for j in range(classes)] for i in range(classes)]
    matrix = build.take(parts, np.add.outer(np.arange(rows) * build.shape(parts)[1], np.array(where)))
    ones = build.const(np.ones((rows, classes, 1)))
    return _normalised(build, _solved(build, build.concat([build.shift(matrix, 1.0), ones], 2)))


def _least_pivot(classes: int) -> float:
    """The least eigenvalue of Q + 1 1^T over all r in [0, 1].

    x^T Q x = sum_{i<j} (r_ji x_i - r_ij x_j)^2 is 0 for a pair of one sign and no less than the smaller square for one
    of two; the worst x is one number against n = classes - 1 smaller ones of the other sign: the matrix
    ((1, -sqrt n), (-sqrt n, 1 + n)), whose least eigenvalue it is.
    """
    n = classes - 1
    return ((n + 2) - math.sqrt(n * n + 4 * n)) / 2


def _solved(build: Builder, system: int) -> int:
    """x (n, k) with A x = b, of (A | b) (n, k, k + 1), A symmetric and positive."""
    size = build.shape(system)[1]
    least, rest, steps = _least_pivot(size) / 2, system, []
    for i in range(size):
        left = size - i
        pivot = build.clip(build.move(rest, lambda at: at[:, :1, :1]), least, float(size + 1))
        line = build.mul(build.move(rest, lambda at: at[:, :1, 1:]), build.unary(pivot, "reciprocal"))
        steps.append(line)  # (n, 1, left): the row behind the pivot, over it
        if left > 1:
            column = build.move(rest, lambda at: at[:, 1:, :1])
            rest = build.sub(build.move(rest, lambda at: at[:, 1:, 1:]), build.mul(column, line))
    found: list[int] = []
    for line in reversed(steps):
        x = build.move(line, lambda at: at[:, 0, -1:])
        if found:
            known = build.concat(found, 1)
            x = build.sub(x, build.sum(build.mul(build.move(line, lambda at: at[:, 0, :-1]), known), [1]))
        found.insert(0, x)
    return build.concat(found, 1)


def _normalised(build: Builder, x: int) -> int:
    # p = x / sum x,  2/3 < sum x <= 1: it is 1 / (1 + p^T Q p)
    total = build.clip(build.sum(x, [1]), 0.5, 1.25)
    return build.mul(x, build.unary(total, "reciprocal"))


def _of_classes(call: Call) -> list[int]:
    """Without support vectors: a linear score per class, with onnxruntime's thresholds where there are two."""
    build, labels = call.build, labels_of(call)
    coefficients = numbers(call, "coefficients", [])
    scores = _linear(call, coefficients.reshape(labels.size, -1))
    best = build.reshape(build.argmax(scores, 1), build.shape(scores)[:1])
    if labels.size == 2 and not call.attribute("prob_a"):
        positive = bool(np.all(coefficients >= 0))  # then the larger score wins from 1/2 on, else above 0
        top = build.extreme(Op.REDUCE_MAX, scores, [1])
        high = _at_least(build, top, 0.5) if positive else build.unary(top, "greater", 0.0)
        best = build.max(best, build.reshape(high, build.shape(scores)[:1]))
    label = lookup(call, best, labels) if call.wanted[0] else scores
    return [label, transformed(call, scores)]


def _at_least(build: Builder, x: int, c: float) -> int:
    # 1 - [-x > -c]
    return build.shift(build.scale(build.unary(build.scale(x, -1.0), "greater", -c), -1.0), 1.0)


def regressor(call: Call) -> int:
    """sum_v c_v K(x, v) + rho; of one class 1 where that is positive, else -1."""
    build, count = call.build, call.integer("n_supports", 0)
    coefficients, rho = numbers(call, "coefficients", []), numbers(call, "rho", [0.0])
    if count > 0:
        if coefficients.size != count:
            raise build.error(f"{coefficients.size} coefficients for {count} support vectors")
        product = build.matmul(_kernels(call, count), build.const(coefficients[:, None]))
        y = build.shift(product, float(rho[0]))
    else:
        y = _linear(call, coefficients[None, :])
    if not call.integer("one_class", 0):
        return y
    return build.shift(build.scale(build.unary(y, "greater", 0.0), 2.0), -1.0)


def _linear(call: Call, weights: FloatArray) -> int:
    build, x = call.build, rows_of(call)
    if weights.shape[1] != build.shape(x)[1]:
        raise build.error(f"coefficients of shape {weights.shape} do not fit {build.shape(x)[1]} features")
    return build.shift(build.matmul(x, build.const(weights.T)), float(numbers(call, "rho", [0.0])[0]))


def _kernels(call: Call, count: int) -> int:
    """K(x, v) for every support vector v: (n, vectors)."""
    build, x, kind = call.build, rows_of(call), call.attribute("kernel_type", "LINEAR")
    flat = numbers(call, "support_vectors", [])
    if flat.size != count * build.shape(x)[1]:
        raise build.error(f"{flat.size} numbers in {count} support vectors, and {build.shape(x)[1]} features")
    vectors = flat.reshape(count, -1)
    if kind == "LINEAR":
        return build.matmul(x, build.const(vectors.T))
    parameters = numbers(call, "kernel_params", [0.0, 0.0, 0.0])
    if kind not in KERNELS or parameters.size != 3:
        raise call.fail(f"kernel {kind!r} with {parameters.size} parameters", hint=f"expected one of {KERNELS} with 3")
    gamma, offset, degree = (float(p) for p in parameters)
    if kind == "RBF":
        # e^(-gamma sum (x - v)^2)
        return build.unary(build.scale(summed_powers(build, x, build.const(vectors)), -gamma), "exp")
    line = build.shift(build.matmul(x, build.const(gamma * vectors.T)), offset)
    if kind == "SIGMOID":
        return build.unary(line, "tanh")
    # products need no table, and are cheaper than one of so steep a function
    few = degree.is_integer() and 1 <= degree <= MULTIPLIED
    return reduce(build.mul, [line] * int(degree)) if few else power_of(build, line, degree)


RULES: Mapping[str, Rule] = MappingProxyType(
    {"ai.onnx.ml.SVMClassifier": classifier, "ai.onnx.ml.SVMRegressor": regressor}
)
