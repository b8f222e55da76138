"""Fresh exports of scikit-learn over its families: labels, probabilities and numbers as the estimator gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.exports.agreement import HELD_OUT, TRAINED, answers, compiled, labels_agree, numbers_agree
from tests.exports.test_boosted_trees import drawn
from zkchain.errors import ModelError

skl2onnx = pytest.importorskip("skl2onnx")
sklearn = pytest.importorskip("sklearn")

from sklearn import calibration, ensemble, mixture, multiclass, multioutput, neighbors, svm, tree  # noqa: E402
from sklearn import linear_model as linear  # noqa: E402
from sklearn import naive_bayes as bayes  # noqa: E402
from sklearn import preprocessing as before  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
OPSETS = {"": 18, "ai.onnx.ml": 3}
Logistic = linear.LogisticRegression
FIRST = [("a", Logistic()), ("b", tree.DecisionTreeClassifier(max_depth=4)), ("c", bayes.GaussianNB())]
COLUMNS = [
    ("scaled", before.StandardScaler(), [0, 1, 2]),
    ("bins", before.KBinsDiscretizer(3, encode="onehot-dense"), [3, 4]),
    ("as it is", "passthrough", [5]),
    ("powers", before.PolynomialFeatures(2), [6, 7]),
]

CLASSIFIERS: dict[str, tuple[Any, str]] = {
    "logistic": (Logistic(), "classes"),
    "logistic of two": (Logistic(), "truth"),
    "descent": (linear.SGDClassifier(loss="log_loss", random_state=0), "classes"),
    "bayes of two kinds": (make_pipeline(before.MinMaxScaler(), bayes.MultinomialNB()), "classes"),
    "bayes of categories": (
        make_pipeline(before.KBinsDiscretizer(4, encode="ordinal"), bayes.CategoricalNB()),
        "classes",
    ),
    "tree": (tree.DecisionTreeClassifier(max_depth=6), "classes"),
    "forest": (ensemble.RandomForestClassifier(8, max_depth=5, random_state=0), "classes"),
    "extra trees": (ensemble.ExtraTreesClassifier(8, max_depth=5, random_state=0), "truth"),
    "boosted": (ensemble.GradientBoostingClassifier(n_estimators=6, random_state=0), "classes"),
    "boosted of two": (ensemble.GradientBoostingClassifier(n_estimators=6, random_state=0), "truth"),
    "bagged": (ensemble.BaggingClassifier(n_estimators=4, random_state=0), "classes"),
    "stacked": (ensemble.StackingClassifier(FIRST, cv=3), "classes"),
    "calibrated": (calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2), "classes"),
    "calibrated by steps": (
        calibration.CalibratedClassifierCV(tree.DecisionTreeClassifier(max_depth=4), method="isotonic", cv=2),
        "truth",
    ),
    "one against the rest": (multiclass.OneVsRestClassifier(Logistic()), "classes"),
    "neighbours": (neighbors.KNeighborsClassifier(3), "few classes"),
    "powers": (make_pipeline(before.PolynomialFeatures(2), Logistic(max_iter=1000)), "classes"),
    "bins": (make_pipeline(before.KBinsDiscretizer(5, encode="onehot-dense"), Logistic()), "classes"),
    "components": (make_pipeline(before.StandardScaler(), PCA(4), Logistic()), "classes"),
    "columns": (make_pipeline(ColumnTransformer(COLUMNS), Logistic(max_iter=1000)), "classes"),
    "filled in": (make_pipeline(SimpleImputer(), before.StandardScaler(), Logistic()), "classes of holes"),
    "filled in before trees": (
        make_pipeline(SimpleImputer(strategy="median"), tree.DecisionTreeClassifier(max_depth=5)),
        "truth of holes",
    ),
}
OTHERS: dict[str, tuple[Any, str]] = {
    "line": (linear.LinearRegression(), "numbers"),
    "tree": (tree.DecisionTreeRegressor(max_depth=6), "numbers"),
    "tree of two": (tree.DecisionTreeRegressor(max_depth=6), "two numbers"),
    "forest of two": (ensemble.RandomForestRegressor(8, max_depth=5, random_state=0), "two numbers"),
    "boosted": (ensemble.GradientBoostingRegressor(n_estimators=6, random_state=0), "numbers"),
    "voted": (
        ensemble.VotingRegressor([("a", linear.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=4))]),
        "numbers",
    ),
    "each its own": (multioutput.MultiOutputRegressor(linear.Ridge()), "two numbers"),
    "counts": (linear.PoissonRegressor(), "counts"),
    "mixture": (mixture.GaussianMixture(3, covariance_type="diag", reg_covar=1e-3, random_state=0), "nothing"),
    "isolation": (ensemble.IsolationForest(n_estimators=8, random_state=0), "nothing"),
}
QUICK = ("logistic", "tree", "filled in before trees")


def named(names: Any) -> list[Any]:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", named(CLASSIFIERS))
def test_classes_and_probabilities(name: str) -> None:
    model, kind = CLASSIFIERS[name]
    x, y = drawn(kind.removeprefix("few "))
    trained = 60 if kind.startswith("few ") else TRAINED
    model.fit(x[:trained], y[:trained])
    proto = skl2onnx.to_onnx(model, x[:1], options={id(model): {"zipmap": False}}, target_opset=OPSETS)
    label, probabilities = answers(compiled(proto, x[:trained]), x[-HELD_OUT:])
    labels_agree(label, model.predict(x[-HELD_OUT:]))
    numbers_agree(probabilities, model.predict_proba(x[-HELD_OUT:]))


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_numbers_and_clusters(name: str) -> None:
    model, kind = OTHERS[name]
    x, y = drawn(kind.removeprefix("two ") if kind != "nothing" else "classes")
    y = np.stack([y, y**2 + x[:, 0]], 1) if kind.startswith("two ") else y
    model.fit(x[:TRAINED], None if kind == "nothing" else y[:TRAINED])
    proto = skl2onnx.to_onnx(model, x[:1], target_opset=OPSETS)
    found = answers(compiled(proto, x[:TRAINED], [proto.graph.output[0].name]), x[-HELD_OUT:])[0]
    agree = labels_agree if kind == "nothing" else numbers_agree
    agree(found, model.predict(x[-HELD_OUT:]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [tree.DecisionTreeClassifier(max_depth=4), neighbors.KNeighborsClassifier(3)])
def test_many_labels_at_once(kind: Any) -> None:
    x, y = drawn("classes")
    labels = np.stack([y > 0, y == 2, y == 1], 1).astype(int)
    model = kind.fit(x[:60], labels[:60])
    proto = skl2onnx.to_onnx(model, x[:1], options={id(model): {"zipmap": False}}, target_opset=OPSETS)
    labels_agree(answers(compiled(proto, x[:60], ["label"]), x[-HELD_OUT:])[0], model.predict(x[-HELD_OUT:]))


@pytest.mark.slow
def test_outputs_that_are_no_one_tensor() -> None:
    """Probabilities of three classes and of two are a sequence; the labels are one tensor."""
    x, y = drawn("classes")
    model = multioutput.MultiOutputClassifier(Logistic()).fit(x[:TRAINED], np.stack([y, y > 0], 1)[:TRAINED])
    proto = skl2onnx.to_onnx(model, x[:1], options={id(model): {"zipmap": False}}, target_opset=OPSETS)
    with pytest.raises(ModelError, match="is a sequence of 2 tensors"):
        compiled(proto, x[:TRAINED])
    labels_agree(answers(compiled(proto, x[:TRAINED], ["label"]), x[-HELD_OUT:])[0], model.predict(x[-HELD_OUT:]))
