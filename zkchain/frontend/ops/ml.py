"""The ai.onnx.ml domain: scalers, linear models, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops.movement import lookup
from zkchain.frontend.ops.reduction import over_norm
from zkchain.typing import FloatArray


def numbers(call: Call, attribute: str, default: Sequence[float]) -> FloatArray:
    """A list of numbers among the attributes."""
    return np.asarray(call.attribute(attribute) or default, dtype=np.float64)


def scaler(call: Call) -> int:
    # (x - offset) * scale, one number per feature or one for all
    build, shape = call.build, call.shape()
    offset, scale = numbers(call, "offset", [0.0]), numbers(call, "scale", [1.0])
    if len(shape) > 2 or not {offset.size, scale.size} <= {1, shape[-1]}:
        raise build.error(f"{offset.size} offsets and {scale.size} scales do not fit an input of shape {shape}")
    return build.mul(build.sub(call.x(), build.const(offset)), build.const(scale))


def rows_of(call: Call) -> int:
    """The input as rows of features: of one dimension it is a single row."""
    shape = call.shape()
    if len(shape) not in (1, 2):
        raise call.fail(f"an input of shape {shape}", hint="rows of features are expected: (rows, features)")
    return call.x() if len(shape) == 2 else call.build.reshape(call.x(), (1, *shape))


def _scores(call: Call, rows: int) -> int:
    """X W^T + b: the coefficients are ``rows`` rows of one number per feature; runtimes ignore what follows them."""
    build, features, x = call.build, call.shape()[-1], rows_of(call)
    weights, bias = numbers(call, "coefficients", []), numbers(call, "intercepts", [])
    if weights.size < rows * features or bias.size not in (0, rows):
        raise build.error(
            f"{weights.size} coefficients and {bias.size} intercepts do not fit {features} features and {rows} rows"
        )
    y = build.matmul(x, build.const(weights[: rows * features].reshape(rows, features).T))
    return build.add(y, build.const(bias)) if bias.size else y


def transformed(call: Call, scores: int) -> int:
    """The scores after the node's post_transform, along the last axis."""
    transform = call.attribute("post_transform", "NONE")
    if transform == "NONE":
        return scores
    if transform == "LOGISTIC":
        return call.build.unary(scores, "sigmoid")
    if transform == "SOFTMAX":
        return call.build.softmax(scores, -1)
    raise call.fail(f"post_transform {transform}", hint="NONE, LOGISTIC and SOFTMAX are supported")


def linear_regressor(call: Call) -> int:
    return transformed(call, _scores(call, call.integer("targets", 1)))


def labels_of(call: Call) -> npt.NDArray[np.generic]:
    """The class labels of a classifier, strings or integers."""
    strings = call.attribute("classlabels_strings") or []
    return np.asarray(strings or call.attribute("classlabels_ints") or [0, 1])


def linear_classifier(call: Call) -> list[int]:
    """Label and scores. With a single row of coefficients a score over 0 means the second label."""
    build, labels = call.build, labels_of(call)
    rows = len(call.attribute("intercepts") or []) or len(call.attribute("coefficients") or []) // call.shape()[-1]
    scores = _scores(call, rows)
    label = scores
    if call.wanted[0]:
        against = build.const(np.zeros((build.shape(scores)[0], 1)))
        ranked = build.concat([against, scores], 1) if rows == 1 else scores
        best = build.reshape(build.argmax(ranked, 1), build.shape(scores)[:1])
        label = lookup(call, best, labels)
    if rows > 1 or labels.size != 2 or not any(call.wanted[1:]):
        return [label, transformed(call, scores)]
    if call.attribute("post_transform", "NONE") == "LOGISTIC":
        scores = build.unary(scores, "sigmoid")
    # (1 - s, s), which onnxruntime gives for SOFTMAX too
    return [label, build.concat([build.shift(build.scale(scores, -1.0), 1.0), scores], 1)]


def normalizer(call: Call) -> int:
    """x over its largest element, the sum of its magnitudes, or its length, along the last axis."""
    build, x, norm = call.build, call.x(), call.attribute("norm", "MAX")
    if len(call.shape()) > 2:
        raise call.fail(f"an input of shape {call.shape()}")
    return over_norm(build, x, build.rank(x) - 1, norm)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "ai.onnx.ml.Binarizer": lambda call: call.build.unary(call.x(), "greater", call.number("threshold", 0.0)),
        "ai.onnx.ml.LinearClassifier": linear_classifier,
        "ai.onnx.ml.LinearRegressor": linear_regressor,
        "ai.onnx.ml.Normalizer": normalizer,
        "ai.onnx.ml.Scaler": scaler,
        "ai.onnx.ml.ZipMap": lambda call: call.x(),
    }
)
