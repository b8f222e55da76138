"""Fresh exports of scikit-learn's estimators: compiled on training data, compared with the estimator on held-out rows.

Further exporters come with the extra ``exports`` (pip install -e .[exports]); what is not installed is skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zkchain
from tests.helpers.onnx_models import Array
from zkchain import pipeline
from zkchain.ir import interpret

skl2onnx = pytest.importorskip("skl2onnx")
sklearn = pytest.importorskip("sklearn")

from sklearn import datasets  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: E402
from sklearn.gaussian_process.kernels import RBF  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM  # noqa: E402

pytestmark = pytest.mark.slow
HELD_OUT = 60
NAMES = np.array(["barolo", "grignolino", "barbera"])

ESTIMATORS: dict[str, tuple[Any, str]] = {
    "svc rbf": (SVC(), "classes"),
    "svc linear": (SVC(kernel="linear"), "classes"),
    "svc sigmoid": (SVC(kernel="sigmoid"), "classes"),
    "svc of names": (SVC(), "names"),
    "svc with probabilities": (SVC(probability=True, random_state=0), "classes"),
    "nusvc": (NuSVC(nu=0.2), "classes"),
    "svr": (SVR(), "numbers"),
    "one class": (OneClassSVM(nu=0.1), "nothing"),
    "neighbours": (KNeighborsClassifier(), "classes"),
    "neighbours of names": (KNeighborsClassifier(3), "names"),
    "neighbours regression": (KNeighborsRegressor(), "numbers"),
    "k means": (KMeans(3, n_init=1, random_state=0), "nothing"),
    "gauss": (GaussianProcessRegressor(RBF(3.0), alpha=0.5), "numbers"),
    "bayes": (GaussianNB(), "names"),
    "perceptron": (MLPClassifier((8,), max_iter=200, random_state=0), "names"),
    "discriminant": (LinearDiscriminantAnalysis(), "names"),
}


def rows() -> tuple[Array, Array]:
    """The wine data, in another order."""
    x, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype(np.float32), y[order]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_program_answers_as_the_estimator(name: str) -> None:
    estimator, kind = ESTIMATORS[name]
    x, y = rows()
    target = {"classes": y, "names": NAMES[y], "numbers": y + 0.5, "nothing": None}[kind]
    whole = make_pipeline(StandardScaler(), estimator).fit(x, target)
    options = {id(whole): {"zipmap": False}} if hasattr(estimator, "classes_") else None
    proto = skl2onnx.to_onnx(whole, x[:1], options=options)
    circuit = zkchain.compile(proto, {"X": x}, system="cg16", accept_error=True)
    held_out = x[-HELD_OUT:]
    first = answers(circuit, held_out)
    expected = whole.predict(held_out)
    if kind == "numbers":
        assert np.abs(first - expected).max() < 0.02
    else:
        assert np.mean(first == expected) >= 0.98  # a near tie may fall on the other side


def answers(circuit: Any, x: Array) -> Array:
    """The first output of the integer program for every row."""
    graph = circuit.rows.graph
    node, name = graph.nodes[graph.outputs[0]], graph.output_names[0]
    found = [interpret.run(graph, pipeline.inputs_of(graph, {"X": x}, k))[0] for k in range(len(x))]
    return np.array([pipeline.real(q, node.scale, name, graph.categories.get(name, ())).item() for q in found])
