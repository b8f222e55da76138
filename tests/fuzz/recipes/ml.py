"""The ai.onnx.ml domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Value
from tests.fuzz.recipes.recipe import Recipe

ML = "ai.onnx.ml."


def _numbers(g: Growing, n: int) -> list[float]:
    return [float(v) for v in g.draw.weights((n,))]


def _scaler(g: Growing, x: Value) -> Value:
    n = g.draw.pick((1, x.shape[-1]))
    return g.like(x, f"{ML}Scaler", offset=_numbers(g, n), scale=_numbers(g, n))


def _normalizer(g: Growing, x: Value) -> Value:
    return g.like(x, f"{ML}Normalizer", norm=g.draw.pick(("MAX", "L1", "L2")))


def _imputer(g: Growing, x: Value) -> Value:
    return g.like(x, f"{ML}Imputer", imputed_value_floats=[0.5], replaced_value_float=float("nan"))


def _regressor(g: Growing, x: Value) -> Value:
    (rows, n), targets = x.shape, g.draw.integer(1, 3)
    given: dict[str, Any] = {"coefficients": _numbers(g, n * targets), "targets": targets}
    if g.draw.chance(0.7):
        given["intercepts"] = _numbers(g, targets)
    return g.emit(f"{ML}LinearRegressor", [x.name], (rows, targets), **given)


def _classifier(g: Growing, x: Value) -> tuple[Value, Value]:
    """Label and scores; two classes in one row of coefficients now and then."""
    (rows, n), classes = x.shape, g.draw.integer(2, 4)
    lines = 1 if classes == 2 and g.draw.chance(0.5) else classes
    labels, shown = g.emit_many(
        f"{ML}LinearClassifier",
        [x.name],
        [((rows,), "i"), ((rows, classes), "f")],
        classlabels_ints=g.draw.pick((list(range(classes)), [5, -2, 9, 3][:classes])),
        coefficients=_numbers(g, n * lines),
        intercepts=_numbers(g, lines),
        post_transform=g.draw.pick(("NONE", "LOGISTIC", "SOFTMAX")),
    )
    return labels, shown


def _zip_map(g: Growing, x: Value) -> Value:
    _, scores = _classifier(g, x)
    labels = list(range(scores.shape[1]))
    return g.emit(f"{ML}ZipMap", [scores.name], (scores.shape[0],), "m", classlabels_int64s=labels)


def _label_encoder(g: Growing, x: Value) -> Value:
    """Of a class index, the one thing that the table's form takes."""
    classes = x.shape[-1]
    index = g.emit("ArgMax", [x.name], x.shape[:-1], "i", axis=x.rank - 1, keepdims=0)
    keys = g.draw.some(range(classes))
    given = {"keys_int64s": keys, "values_int64s": [g.draw.integer(-5, 50) for _ in keys], "default_int64": -7}
    return g.emit(f"{ML}LabelEncoder", [index.name], index.shape, "i", **given)


def _columns(g: Growing, x: Value) -> Value:
    rows, n = (1, x.shape[0]) if x.rank == 1 else x.shape
    picked = [g.draw.integer(0, n - 1) for _ in range(g.draw.integer(1, 4))]
    return g.emit(f"{ML}ArrayFeatureExtractor", [x.name, g.const(picked, np.int64)], (rows, len(picked)), x.kind)


def _vectorizer(g: Growing, x: Value) -> Value:
    rows = x.shape[0]
    beside = [v for v in g.values if v.kind == "f" and v.rank == 2 and v.shape[0] == rows]
    parts = [x, *([g.draw.pick(beside)] if beside else [])]
    widths = [v.shape[1] for v in parts]
    return g.emit(f"{ML}FeatureVectorizer", [v.name for v in parts], (rows, sum(widths)), inputdimensions=widths)


def _binarizer(g: Growing, x: Value) -> Value:
    return g.like(x, f"{ML}Binarizer", threshold=g.draw.uniform(-1, 1))


RECIPES: Mapping[str, Recipe] = {
    f"{ML}ArrayFeatureExtractor": Recipe(_columns, "fi", ranks=(2, 2)),
    f"{ML}Binarizer": Recipe(_binarizer, ranks=(2, 2)),
    f"{ML}FeatureVectorizer": Recipe(_vectorizer, ranks=(2, 2)),
    f"{ML}Imputer": Recipe(_imputer, ranks=(2, 2)),
    f"{ML}LabelEncoder": Recipe(_label_encoder, ranks=(2, 3), since=13),
    f"{ML}LinearClassifier": Recipe(_classifier, ranks=(2, 2)),
    f"{ML}LinearRegressor": Recipe(_regressor, ranks=(2, 2)),
    f"{ML}Normalizer": Recipe(_normalizer, ranks=(2, 2)),
    f"{ML}Scaler": Recipe(_scaler, ranks=(2, 2)),
    f"{ML}ZipMap": Recipe(_zip_map, ranks=(2, 2)),
}


def _kernel(g: Growing, n: int, vectors: int) -> dict[str, Any]:
    """Kernel, support vectors and their coefficients; small factors, as training gives them."""
    return {
        "kernel_type": g.draw.pick(("LINEAR", "POLY", "RBF", "SIGMOID")),
        "kernel_params": [g.draw.uniform(0.05, 0.5), g.draw.uniform(-0.5, 0.5), float(g.draw.integer(2, 3))],
        "support_vectors": _numbers(g, n * vectors),
    }


def _vectors_regressor(g: Growing, x: Value) -> Value:
    (rows, n), vectors = x.shape, g.draw.integer(1, 4)
    given = {**_kernel(g, n, vectors), "n_supports": vectors, "one_class": g.draw.integer(0, 1)}
    return g.emit(
        f"{ML}SVMRegressor", [x.name], (rows, 1), coefficients=_numbers(g, vectors), rho=_numbers(g, 1), **given
    )


def _vectors_classifier(g: Growing, x: Value) -> tuple[Value, Value]:
    """Votes of pairs of classes. No probabilities: onnxruntime stops on its way to them."""
    (rows, n), classes = x.shape, g.draw.integer(2, 4)
    counts = [g.draw.integer(1, 2) for _ in range(classes)]
    pairs = classes * (classes - 1) // 2
    labels, shown = g.emit_many(
        f"{ML}SVMClassifier",
        [x.name],
        [((rows,), "i"), ((rows, pairs if classes > 2 else 2), "f")],
        classlabels_ints=g.draw.pick((list(range(classes)), [5, -2, 9, 3][:classes])),
        vectors_per_class=counts,
        coefficients=_numbers(g, (classes - 1) * sum(counts)),
        rho=_numbers(g, pairs),
        post_transform=g.draw.pick(("NONE", "LOGISTIC", "SOFTMAX")),
        **_kernel(g, n, sum(counts)),
    )
    return labels, shown


def _one_hot(g: Growing, x: Value) -> Value:
    picked = g.draw.some(range(-2, 8))
    return g.emit(f"{ML}OneHotEncoder", [x.name], (*x.shape, len(picked)), cats_int64s=picked, zeros=1)


def _category_mapper(g: Growing, x: Value) -> Value:
    """Integers to strings and back to others."""
    names = ["a", "b", "c", "d"]
    there = {"cats_int64s": [1, 3, 0, 2], "cats_strings": names, "default_string": "?"}
    back = {"cats_int64s": [g.draw.integer(-5, 20) for _ in names], "cats_strings": names, "default_int64": -9}
    texts = g.emit(f"{ML}CategoryMapper", [x.name], x.shape, "s", **there)
    g.values.remove(texts)
    return g.emit(f"{ML}CategoryMapper", [texts.name], x.shape, "i", **back)


LATER: Mapping[str, Recipe] = {
    f"{ML}CategoryMapper": Recipe(_category_mapper, "i"),
    f"{ML}OneHotEncoder": Recipe(_one_hot, "i", ranks=(1, 3)),
    f"{ML}SVMClassifier": Recipe(_vectors_classifier, ranks=(2, 2)),
    f"{ML}SVMRegressor": Recipe(_vectors_regressor, ranks=(2, 2)),
}
