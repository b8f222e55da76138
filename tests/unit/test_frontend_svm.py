"""Support vector machines against onnxruntime."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.helpers.onnx_models import Array, agrees, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.frontend.ops.svm import probabilities
from zkchain.ir.builder import Builder
from zkchain.ir.interpret import run_float

INT64 = TensorProto.INT64
KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.3, 0.5, 3.0], "RBF": [0.2, 0.0, 0.0], "SIGMOID": [0.1, -0.2, 0.0]}


def classifier(
    classes: int = 3,
    kernel: str = "RBF",
    *,
    chances: bool = False,
    labels: list[int] | None = None,
    seed: int = 0,
    **more: Any,
) -> onnx.ModelProto:
    """A classifier of four features with one to three support vectors per class."""
    counts = [1 + k % 3 for k in range(classes)]
    vectors, pairs = sum(counts), classes * (classes - 1) // 2
    attributes: dict[str, Any] = {
        "kernel_type": kernel,
        "kernel_params": KERNELS[kernel],
        "vectors_per_class": counts,
        "support_vectors": random([vectors * 4], seed + 1).tolist(),
        "coefficients": random([(classes - 1) * vectors], seed + 2).tolist(),
        "rho": random([pairs], seed + 3, -0.5, 0.5).tolist(),
        "classlabels_ints": labels or [7 * k - 3 for k in range(classes)],
        **({"prob_a": [-1.5] * pairs, "prob_b": random([pairs], seed + 4, -1, 1).tolist()} if chances else {}),
    }
    return made("SVMClassifier", {**attributes, **more})


def made(op: str, attributes: dict[str, Any], outputs: tuple[str, ...] = ("label", "scores")) -> onnx.ModelProto:
    each = {name: value for name, value in attributes.items() if value is not None}
    return model([node(f"ai.onnx.ml.{op}", ["x"], outputs, **each)], {"x": [9, 4]}, outputs, types={"label": INT64})


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_votes_and_scores(kernel: str, classes: int) -> None:
    for seed in range(3):
        agrees(classifier(classes, kernel, seed=seed), random([9, 4], seed))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("classes", [2, 3])
def test_what_becomes_of_scores(transform: str, classes: int) -> None:
    agrees(classifier(classes, post_transform=transform), random([9, 4]))


def test_the_first_of_several_with_most_votes_wins() -> None:
    """Three classes that beat each other in a circle: every one has a vote."""
    circle = classifier(3, rho=[1.0, -1.0, 1.0], coefficients=[0.0] * 12)
    graph = agrees(circle, random([9, 4]))
    assert set(run_float(graph, [random([9, 4])])[0].tolist()) == {-3.0}
    tie = classifier(2, rho=[0.0], coefficients=[0.0] * 3)  # a score of 0 is a vote for the second
    assert set(run_float(agrees(tie, random([9, 4])), [random([9, 4])])[0].tolist()) == {4.0}


@pytest.mark.parametrize("classes", [2, 3, 4, 6])
def test_probabilities_are_where_onnxruntime_walks_to(classes: int) -> None:
    proto, x = classifier(classes, chances=True), random([9, 4])
    graph = load(proto)
    label, chances = run_float(graph, [x])
    expected_label, expected = runtime(proto, {"x": x})
    assert np.array_equal(label, expected_label)
    assert np.abs(chances - expected).max() < 0.01
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-9)


@pytest.mark.parametrize("classes", [3, 5])
def test_probabilities_are_the_least(classes: int) -> None:
    """Against the linear system of Wu, Lin and Weng: Q p = b 1, sum p = 1."""
    pairs = list(combinations(range(classes), 2))
    edges = np.concatenate(
        [np.random.default_rng(0).random((20, len(pairs))), np.eye(len(pairs)), np.zeros((1, len(pairs)))]
    )
    build = Builder()
    x = build.input("r", edges.shape)
    graph = build.graph({"r": x}, [("p", probabilities(build, x, classes))])
    for r, p in zip(edges, run_float(graph, [edges])[0], strict=True):
        np.testing.assert_allclose(p, solved(classes, dict(zip(pairs, r, strict=True))), atol=1e-9)


def solved(classes: int, given: dict[tuple[int, int], float]) -> Array:
    r = {**given, **{(j, i): 1.0 - value for (i, j), value in given.items()}}
    system = np.ones((classes + 1, classes + 1))
    system[-1, -1] = 0.0
    for i in range(classes):
        for j in range(classes):
            others = sum(r[k, i] ** 2 for k in range(classes) if k != i)
            system[i, j] = others if i == j else -r[j, i] * r[i, j]
    return np.asarray(np.linalg.solve(system, np.eye(classes + 1)[-1])[:-1])


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_without_support_vectors(classes: int, positive: bool, transform: str) -> None:
    """Scores per class; of two classes the label has thresholds of its own."""
    low = 0.0 if positive else -1.0
    attributes = {
        "coefficients": random([classes * 4], 5, low, 1.0).tolist(),
        "rho": [0.1],
        "kernel_params": [0.0, 0.0, 0.0],
        "classlabels_ints": [4, 9, 5][:classes],
        "post_transform": transform,
    }
    agrees(made("SVMClassifier", attributes), random([9, 4], 6))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("one_class", [0, 1])
def test_regressor(kernel: str, one_class: int) -> None:
    attributes = {
        "kernel_type": kernel,
        "kernel_params": KERNELS[kernel],
        "n_supports": 5,
        "support_vectors": random([20], 1).tolist(),
        "coefficients": random([5], 2).tolist(),
        "rho": [0.05],
        "one_class": one_class,
    }
    agrees(made("SVMRegressor", attributes, ("y",)), random([9, 4]))
    linear = {**attributes, "n_supports": 0, "support_vectors": None, "coefficients": random([4], 3).tolist()}
    agrees(made("SVMRegressor", linear, ("y",)), random([9, 4]))


def test_a_single_row_may_have_one_dimension() -> None:
    attributes = {"kernel_type": "RBF", "kernel_params": [0.2, 0.0, 0.0], "n_supports": 2, "rho": [0.0]}
    given = {**attributes, "support_vectors": random([8]).tolist(), "coefficients": [1.0, -1.0]}
    agrees(model([node("ai.onnx.ml.SVMRegressor", ["x"], **given)], {"x": [4]}), random([4]))


def test_names_of_classes() -> None:
    graph = load(classifier(3, classlabels_ints=None, classlabels_strings=["a", "b", "c"]))
    assert graph.categories == {"label": (("a", "b", "c"),)}


def test_refused() -> None:
    with pytest.raises(UnsupportedOp, match="PROBIT"):
        load(classifier(3, post_transform="PROBIT"))
    with pytest.raises(UnsupportedOp, match="kernel 'OTHER'"):
        load(classifier(3, kernel_type="OTHER"))
    changed: dict[str, Any]
    for attribute, message in {"rho": "rho", "coefficients": "coefficients", "support_vectors": "numbers in"}.items():
        changed = {attribute: [0.5]}
        with pytest.raises(ModelError, match=message):
            load(classifier(3, **changed))
    with pytest.raises(ModelError, match="support vectors of 3 classes, and 2 class labels"):
        load(classifier(3, labels=[0, 1]))
    with pytest.raises(ModelError, match="prob_a and 3 prob_b"):
        load(classifier(3, chances=True, prob_a=[1.0]))
