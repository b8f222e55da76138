"""The ai.onnx.ml domain and scikit-learn's exports against onnxruntime."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MinMaxScaler, Normalizer, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from tests.helpers.onnx_models import agrees, model, node, random
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
TWO = (Y > 0).astype(np.int64)


def logistic(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=300, **options)


PIPELINES: dict[str, tuple[Any, Any]] = {
    "logistic": (logistic(), Y),
    "logistic binary": (logistic(), TWO),
    "logistic labels 5 8 11": (logistic(), Y * 3 + 5),
    "logistic labels -1 1": (logistic(), TWO * 2 - 1),
    "logistic labels 1 7 3": (logistic(), np.array([1, 7, 3])[Y]),
    "scaler mlp": (make_pipeline(StandardScaler(), MLPClassifier((8, 5), max_iter=30)), Y),
    "mlp binary tanh": (MLPClassifier((8,), activation="tanh", max_iter=30), TWO),
    "mlp logistic": (MLPClassifier((8,), activation="logistic", max_iter=30), Y),
    "mlp labels 1 7 3": (MLPClassifier((8,), max_iter=30), np.array([1, 7, 3])[Y]),
    "mlp regressor": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=30), Y),
    "linear regression": (LinearRegression(), Y),
    "ridge, two targets": (Ridge(), np.c_[Y, TWO]),
    "minmax": (make_pipeline(MinMaxScaler(clip=True), LinearRegression()), Y),
    "pca": (make_pipeline(StandardScaler(), PCA(2, whiten=True), logistic()), Y),
    "polynomial": (make_pipeline(PolynomialFeatures(2), LinearRegression()), Y),
    "discriminant": (LinearDiscriminantAnalysis(), Y),
    "l1 normaliser": (make_pipeline(Normalizer("l1"), logistic()), Y),
    "l2 normaliser": (make_pipeline(Normalizer("l2"), logistic()), Y),
    "max normaliser": (make_pipeline(Normalizer("max"), logistic()), Y),
    "binariser": (make_pipeline(Binarizer(threshold=2.0), logistic()), Y),
    "gaussian bayes": (GaussianNB(), Y),
    "multinomial bayes": (MultinomialNB(), Y),
    "bernoulli bayes": (BernoulliNB(binarize=2.0), Y),
    "linear svc": (LinearSVC(), Y),
    "linear svc binary": (LinearSVC(), TWO),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PIPELINES)
def test_scikit_learn(name: str) -> None:
    estimator, target = PIPELINES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, target)
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    proto = to_onnx(estimator, X[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    for i in (0, 70, 140):
        agrees(proto, X[i : i + 1])


def test_zipmap_is_its_values() -> None:
    estimator = logistic().fit(X, Y)
    options = {"target_opset": {"": 18, "ai.onnx.ml": 3}}
    mapped = load(to_onnx(estimator, X[:1], **options))
    plain = load(to_onnx(estimator, X[:1], options={"zipmap": False}, **options))
    assert mapped.output_names == ("output_label", "output_probability")
    for a, b in zip(run_float(mapped, [X[:1]]), run_float(plain, [X[:1]]), strict=True):
        assert np.array_equal(a, b)


def test_string_labels_are_places_of_names() -> None:
    estimator = logistic().fit(X, np.array(["a", "b", "c"])[Y])
    proto = to_onnx(estimator, X[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    graph = load(proto)
    assert graph.categories == {"label": (("a", "b", "c"),)}
    for row in (0, 70, 140):
        assert run_float(graph, [X[row : row + 1]])[0].tolist() == ["abc".index(estimator.predict(X[row : row + 1])[0])]
    assert load(proto, outputs=["probabilities"]).output_names == ("probabilities",)


INT64 = TensorProto.INT64


def linear_classifier(rows: int, labels: list[int], transform: str) -> Any:
    weights, bias = random([rows * 3], 1), random([rows], 2)
    attributes = {"coefficients": weights.tolist(), "intercepts": bias.tolist(), "post_transform": transform}
    classifier = node("ai.onnx.ml.LinearClassifier", ["x"], ["label", "p"], classlabels_ints=labels, **attributes)
    return model([classifier], {"x": [4, 3]}, ["label", "p"], types={"label": INT64})


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("labels", [[0, 1, 2], [4, 6, 8], [2, 0, 9]])
def test_linear_classifier(transform: str, labels: list[int]) -> None:
    agrees(linear_classifier(3, labels, transform), random([4, 3], 7))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("labels", [[0, 1], [-1, 1], [7, 3]])
def test_linear_classifier_of_one_row(transform: str, labels: list[int]) -> None:
    agrees(linear_classifier(1, labels, transform), random([4, 3], 7))


def test_evenly_spaced_labels_need_no_table() -> None:
    even = load(linear_classifier(3, [4, 6, 8], "NONE"), outputs=["label"])
    odd = load(linear_classifier(3, [4, 6, 9], "NONE"), outputs=["label"])
    assert Op.UNARY not in {n.op for n in even.nodes}
    assert [n.arg["fn"] for n in odd.nodes if n.op is Op.UNARY] == [("lookup", 4.0, 6.0, 9.0)]


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_linear_regressor(transform: str) -> None:
    attributes: dict[str, Any] = {"coefficients": random([6], 1).tolist(), "targets": 2, "post_transform": transform}
    for more in ({}, {"intercepts": [0.5, -1.0]}):
        regressor = node("ai.onnx.ml.LinearRegressor", ["x"], **(attributes | more))
        agrees(model([regressor], {"x": [4, 3]}), random([4, 3], 7))


def test_scaler_and_features() -> None:
    scaler = node("ai.onnx.ml.Scaler", ["x"], offset=[1.0, 2.0, 3.0], scale=[0.5, 2.0, -1.0])
    agrees(model([scaler], {"x": [2, 3]}), random([2, 3]))
    one = node("ai.onnx.ml.Scaler", ["x"], offset=[1.0], scale=[0.5])
    agrees(model([one], {"x": [2, 3]}), random([2, 3]))
    columns = {"i": np.array([2, 0], dtype=np.int64)}
    agrees(
        model([node("ai.onnx.ml.ArrayFeatureExtractor", ["x", "i"])], {"x": [2, 3]}, constants=columns), random([2, 3])
    )
    index = [node("ArgMax", ["x"], ["i"], axis=1), node("ai.onnx.ml.ArrayFeatureExtractor", ["t", "i"])]
    table = {"t": random([2, 3, 5], 4)}  # rows of it, each at the places that the inputs choose
    agrees(model(index, {"x": [4, 5]}, constants=table), random([4, 5]))
    both = node("ai.onnx.ml.FeatureVectorizer", ["a", "b"], inputdimensions=[3, 2])
    agrees(model([both], {"a": [1, 3], "b": [1, 2]}), random([1, 3], 1), random([1, 2], 2))
    for replaced in (float("nan"), -float("inf")):  # no number of an input is one of these
        imputer = node("ai.onnx.ml.Imputer", ["x"], imputed_value_floats=[0.0], replaced_value_float=replaced)
        agrees(model([imputer], {"x": [2, 3]}), random([2, 3]))
    zeros = np.where(random([2, 3], 5) > 0, random([2, 3]), np.float32(0))
    agrees(model([node("ai.onnx.ml.Imputer", ["x"], imputed_value_floats=[0.5])], {"x": [2, 3]}), zeros)


def test_label_encoder_of_a_class_index() -> None:
    def encoded(**attributes: Any) -> Any:
        nodes = [
            node("ArgMax", ["x"], ["i"], axis=1),
            node("ai.onnx.ml.LabelEncoder", ["i"], keys_int64s=[0, 1, 2], **attributes),
        ]
        return model(nodes, {"x": [4, 3]}, types={"y": INT64})

    agrees(encoded(values_int64s=[7, 3, 5]), random([4, 3]))
    assert load(encoded(values_strings=["b", "a", "b"])).categories == {"y": (("b", "a"),)}


def test_ml_operators_refused() -> None:
    with pytest.raises(UnsupportedOp, match="PROBIT"):
        load(linear_classifier(3, [0, 1, 2], "PROBIT"))
    with pytest.raises(ModelError, match="coefficients"):
        load(model([node("ai.onnx.ml.LinearRegressor", ["x"], coefficients=[1.0, 2.0])], {"x": [4, 3]}))
    with pytest.raises(ModelError, match="do not fit"):
        load(model([node("ai.onnx.ml.Scaler", ["x"], offset=[1.0, 2.0], scale=[1.0])], {"x": [4, 3]}))
    with pytest.raises(ModelError, match="imputed values"):
        load(model([node("ai.onnx.ml.Imputer", ["x"], replaced_value_float=-1.0)], {"x": [4, 3]}))
