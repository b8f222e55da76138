"""Decision trees against onnxruntime: every mode, what becomes of the scores, and what it makes of two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.helpers.onnx_models import agrees, runtime
from tests.helpers.trees import MODES, branched, ensemble_model, listed
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.frontend.ops.trees import above, at_least
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

FEATURES = 3
WHOLE = (-1.0, 0.0, 1.0, 2.0)
TENTHS = (0.1, 0.3, -0.7, 1e-35)
POSTS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
Attributes = dict[str, Any]


def points(thresholds: tuple[float, ...], count: int = 24) -> np.ndarray:
    """Rows of thresholds, of the float32 next to them, and of other numbers."""
    rng = np.random.default_rng(5)
    exact = np.asarray(thresholds, np.float32)
    beside = [np.nextafter(exact, np.float32(end)) for end in (-9, 9)]
    every = np.concatenate([exact, *beside, rng.normal(size=4).astype(np.float32)])
    return rng.choice(every, (count, FEATURES))


def agree(proto: onnx.ModelProto, rows: np.ndarray, tolerance: float = 1e-5) -> None:
    agrees(proto, rows, tolerance=tolerance, batch=len(rows))


def regression(
    rng: np.random.Generator, targets: int = 1, modes: tuple[str, ...] = MODES[:6], **more: Any
) -> Attributes:
    drawn = listed(rng, WHOLE, trees=3, depth=3, features=FEATURES, modes=modes)
    weights = rng.uniform(0.02, 0.2, (len(drawn.leaves), targets))
    return {**drawn.nodes, **drawn.weights("target", weights), "n_targets": targets, **more}


@pytest.mark.parametrize("mode", MODES[:6])
@pytest.mark.parametrize("thresholds", [WHOLE, TENTHS])
def test_every_mode(mode: str, thresholds: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    drawn = listed(rng, thresholds, trees=4, depth=3, features=FEATURES, modes=(mode,))
    weights = drawn.weights("target", rng.normal(size=(len(drawn.leaves), 1)))
    agree(
        ensemble_model("TreeEnsembleRegressor", {**drawn.nodes, **weights, "n_targets": 1}, FEATURES),
        points(thresholds),
    )


def test_modes_in_one_tree_and_rows_of_a_batch() -> None:
    proto = ensemble_model("TreeEnsembleRegressor", regression(np.random.default_rng(2), 2), FEATURES)
    graph = load(proto, batch=4)
    rows = points(WHOLE)[:4]
    np.testing.assert_allclose(run_float(graph, [rows])[0], runtime(proto, {"x": rows})[0], atol=1e-6)


@pytest.mark.parametrize("version", [1, 3])
def test_both_first_versions(version: int) -> None:
    proto = ensemble_model("TreeEnsembleRegressor", regression(np.random.default_rng(3)), FEATURES, version=version)
    agree(proto, points(WHOLE)[:6])


def test_thresholds_as_doubles() -> None:
    given = regression(np.random.default_rng(4), modes=MODES[:4])
    for name in ("nodes_values", "target_weights"):
        given[f"{name}_as_tensor"] = numpy_helper.from_array(np.asarray(given.pop(name)) + 1e-12)
    proto = ensemble_model("TreeEnsembleRegressor", given, FEATURES, double=True)
    near = points(WHOLE).astype(np.float64)
    agree(proto, np.concatenate([near, np.rint(near) + 1e-12, np.rint(near) + 2e-12]))


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize(("targets", "based"), [(1, False), (1, True), (3, False), (3, True)])
def test_regressors(post: str, aggregate: str, targets: int, based: bool) -> None:
    given = regression(np.random.default_rng(5), targets, aggregate_function=aggregate, post_transform=post)
    if based:
        given["base_values"] = [0.1, 0.05, 0.2][:targets]
    agree(ensemble_model("TreeEnsembleRegressor", given, FEATURES), points(WHOLE)[:8], tolerance=1e-4)


def test_an_output_that_some_trees_leave_out() -> None:
    rng = np.random.default_rng(6)
    drawn = listed(rng, WHOLE, trees=3, depth=2, features=FEATURES, modes=MODES[:4])
    weights = drawn.weights("target", rng.normal(size=(len(drawn.leaves), 2)))
    kept = [
        k
        for k, (tree, out) in enumerate(zip(weights["target_treeids"], weights["target_ids"], strict=True))
        if tree or not out
    ]
    some = {name: [column[k] for k in kept] for name, column in weights.items()}
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        given = {**drawn.nodes, **some, "n_targets": 3, "aggregate_function": aggregate}
        agree(ensemble_model("TreeEnsembleRegressor", given, FEATURES), points(WHOLE)[:8])
    torn = {name: column[:-1] for name, column in weights.items()}
    for aggregate in ("MIN", "MAX"):
        given = {**drawn.nodes, **torn, "n_targets": 2, "aggregate_function": aggregate}
        with pytest.raises(UnsupportedOp, match="only some leaves of a tree"):
            load(ensemble_model("TreeEnsembleRegressor", given, FEATURES))


# -- classes ----------------------------------------------------------------------------------------------------------


def classes(
    ids: tuple[int, ...], labels: list[int], *, negative: bool, post: str = "NONE", base: list[float] | None = None
) -> onnx.ModelProto:
    rng = np.random.default_rng(7)
    drawn = listed(rng, WHOLE, trees=3, depth=3, features=FEATURES, modes=MODES[:4])
    weights = rng.uniform(-0.4 if negative else 0.05, 0.3, (len(drawn.leaves), len(ids)))
    given = {
        **drawn.nodes,
        **drawn.weights("class", weights, ids),
        "classlabels_int64s": labels,
        "post_transform": post,
    }
    if base is not None:
        given["base_values"] = base
    return ensemble_model("TreeEnsembleClassifier", given, FEATURES)


@pytest.mark.parametrize("post", POSTS[:4])
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("base", [None, [0.1], [0.1, -0.2]])
@pytest.mark.parametrize("ids", [(0,), (1,), (0, 1)])
def test_two_classes(ids: tuple[int, ...], base: list[float] | None, negative: bool, post: str) -> None:
    proto = classes(ids, [10, 20], negative=negative, post=post, base=base)
    if ids == (1,) and base is not None and len(base) == 2:
        with pytest.raises(UnsupportedOp, match="2 base values with weights of class 1 alone"):
            load(proto)
        return
    agree(proto, points(WHOLE, 40))


def test_two_classes_with_probit() -> None:
    agree(classes((0, 1), [0, 1], negative=False, post="PROBIT", base=[-0.1]), points(WHOLE)[:8], 1e-4)
    with pytest.raises(UnsupportedOp, match="PROBIT of one score"):
        load(classes((0,), [0, 1], negative=False, post="PROBIT"))


@pytest.mark.parametrize("base", [None, [0.1]])
def test_one_class(base: list[float] | None) -> None:
    agree(classes((0,), [7], negative=True, base=base), points(WHOLE))


@pytest.mark.parametrize("post", POSTS[:4])
@pytest.mark.parametrize("base", [None, [0.1, -0.2, 0.05]])
@pytest.mark.parametrize(("ids", "negative"), [((0, 1, 2), True), ((0, 1, 2), False), ((0, 2), True)])
def test_three_classes(ids: tuple[int, ...], negative: bool, base: list[float] | None, post: str) -> None:
    agree(classes(ids, [4, 2, 9], negative=negative, post=post, base=base), points(WHOLE, 40))


def test_a_class_that_only_some_leaves_speak_of() -> None:
    rng = np.random.default_rng(8)
    drawn = listed(rng, WHOLE, trees=2, depth=2, features=FEATURES, modes=MODES[:4])
    for sign in (1.0, -1.0):
        weights = drawn.weights("class", sign * rng.uniform(0.1, 1.0, (len(drawn.leaves), 3)))
        some = {name: column[:-1] for name, column in weights.items() if column}
        some = {name: [v for k, v in enumerate(column) if k % 5 != 2] for name, column in some.items()}
        given = {**drawn.nodes, **some, "classlabels_int64s": [0, 1, 2], "post_transform": "NONE"}
        proto = ensemble_model("TreeEnsembleClassifier", given, FEATURES)
        if sign > 0:
            agree(proto, points(WHOLE))
        else:
            with pytest.raises(UnsupportedOp, match="only some leaves"):
                load(proto)


def test_labels_that_are_strings() -> None:
    proto = classes((0, 1, 2), [0, 1, 2], negative=False)
    names = onnx.helper.make_attribute("classlabels_strings", ["a", "b", "c"])
    kept = [a for a in proto.graph.node[0].attribute if a.name != "classlabels_int64s"]
    del proto.graph.node[0].attribute[:]
    proto.graph.node[0].attribute.extend([*kept, names])
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    row = points(WHOLE)[:1]
    label, _ = run_float(load(proto), [row])
    assert ["a", "b", "c"][int(label.item())] == runtime(proto, {"x": row})[0].item()
    (scores,) = run_float(load(proto, outputs=["scores"]), [row])
    np.testing.assert_allclose(scores, runtime(proto, {"x": row})[1], atol=1e-6)


# -- version 5 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("mode", range(7))
def test_every_mode_of_version_five(mode: int, double: bool) -> None:
    thresholds = WHOLE if mode == 6 else WHOLE + TENTHS  # onnxruntime has sets of whole numbers alone
    given = branched(
        np.random.default_rng(9), thresholds, trees=3, depth=3, features=FEATURES, modes=(mode,), double=double
    )
    proto = ensemble_model("TreeEnsemble", {**given, "aggregate_function": 1}, FEATURES, double=double, version=5)
    rows = np.rint(points(thresholds)) if mode == 6 else points(thresholds)
    agree(proto, rows.astype(np.float64 if double else np.float32))


@pytest.mark.parametrize("post", range(5))
@pytest.mark.parametrize("aggregate", range(2))
@pytest.mark.parametrize("targets", [1, 2])
def test_version_five(post: int, aggregate: int, targets: int) -> None:
    given = branched(
        np.random.default_rng(10), WHOLE, trees=6, depth=3, features=FEATURES, modes=range(7), targets=targets
    )
    weights = np.abs(numpy_helper.to_array(given["leaf_weights"])) % 0.2 + 0.01
    given.update(leaf_weights=numpy_helper.from_array(weights.astype(np.float32)))
    given.update(leaf_targetids=[k % targets for k in range(len(weights))])
    proto = ensemble_model(
        "TreeEnsemble", {**given, "aggregate_function": aggregate, "post_transform": post}, FEATURES, version=5
    )
    # a target that no leaf spoke of is -infinity under PROBIT
    rows = np.rint(points(WHOLE))
    with np.errstate(all="ignore"):
        expected, got = runtime(proto, {"x": rows})[0], run_float(load(proto, batch=len(rows)), [rows])[0]
    sure = np.isfinite(expected)
    np.testing.assert_allclose(got[sure], expected[sure], atol=1e-4)


def test_version_five_on_a_value_of_unknown_shape() -> None:
    """ONNX's shape inference crashes on it."""
    given = branched(np.random.default_rng(12), TENTHS, trees=3, depth=3, features=FEATURES, modes=range(6))
    proto = ensemble_model("TreeEnsemble", {**given, "aggregate_function": 1}, FEATURES, version=5)
    proto.graph.node[0].input[0] = "z"
    scaled = onnx.helper.make_node("Normalizer", ["x"], ["z"], domain="ai.onnx.ml", norm="MAX")
    proto.graph.node.insert(0, scaled)
    for row in points(WHOLE)[:8]:
        if row.max() > 0:
            agrees(proto, row[None])


def test_a_leaf_in_two_places() -> None:
    tensor = numpy_helper.from_array
    given = {
        "nodes_splits": tensor(np.asarray([1.0], np.float32)),
        "nodes_modes": tensor(np.asarray([0], np.uint8)),
        "leaf_weights": tensor(np.asarray([0.25], np.float32)),
        "nodes_featureids": [0],
        **{f"nodes_{side}": [0] for side in ("truenodeids", "falsenodeids")},
        **{f"nodes_{side}": [1] for side in ("trueleafs", "falseleafs")},
        "tree_roots": [0],
        "leaf_targetids": [0],
        "n_targets": 1,
        "aggregate_function": 1,
    }
    agree(ensemble_model("TreeEnsemble", given, FEATURES, version=5), points(WHOLE)[:3])
    two = {**given, "nodes_trueleafs": [0]}
    with pytest.raises(ModelError, match="a node leads to itself"):
        load(ensemble_model("TreeEnsemble", two, FEATURES, version=5))


def categories(shared: bool) -> dict[str, Any]:
    """x = 1, else x = 3, else x = 4: as exporters of boosted trees write the split of a category, each test leading to
    the one subtree; else not ``shared`` a test of another feature in between."""
    features = [0, 0, 0, 1] if shared else [0, 1, 0, 1]
    ids = {"nodes_treeids": [0] * 7, "nodes_nodeids": list(range(7)), "nodes_featureids": [*features, 0, 0, 0]}
    return {
        **ids,
        "nodes_modes": ["BRANCH_EQ", "BRANCH_EQ", "BRANCH_EQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        "nodes_values": [1.0, 3.0, 4.0, 2.5, 0.0, 0.0, 0.0],
        "nodes_truenodeids": [3, 3, 3, 5, 0, 0, 0],
        "nodes_falsenodeids": [1, 2, 4, 6, 0, 0, 0],
        "target_treeids": [0] * 3,
        "target_nodeids": [4, 5, 6],
        "target_ids": [0] * 3,
        "target_weights": [0.5, -1.0, 2.0],
        "n_targets": 1,
    }


@pytest.mark.parametrize("shared", [True, False])
def test_a_node_in_several_places(shared: bool) -> None:
    proto = ensemble_model("TreeEnsembleRegressor", categories(shared), FEATURES)
    rows = np.zeros((36, FEATURES), np.float32)
    rows[:, :2] = [(a, b) for a in range(6) for b in range(6)]
    agree(proto, rows)
    (trees,) = [n for n in load(proto).nodes if n.op is Op.TREES]
    # a chain is one test of a set; where it is none, the shared node is one of each place
    assert len(trees.arg["feature"]) == (2 if shared else 6)


# -- thresholds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, -0.0, 1.0, 0.1, -0.3, 1e-35, 3.4e38, -1e-45, 16777217.0, np.inf, -np.inf])
def test_real_numbers_fall_where_their_floats_do(t: float) -> None:
    threshold = np.asarray([t], np.float32)
    with np.errstate(over="ignore"):
        own = np.float64(threshold[0])
        up, down = (np.float64(np.nextafter(threshold[0], np.float32(end))) for end in (np.inf, -np.inf))
        near = [x for x in (own, up, down, (own + up) / 2, (own + down) / 2) if np.isfinite(x)]
        for x in [*near, *(np.nextafter(v, end) for v in near for end in (-np.inf, np.inf))]:
            rounded = np.float32(x)
            assert (x >= at_least(threshold)[0]) == (rounded >= threshold[0]), x
            assert (x >= above(threshold)[0]) == (rounded > threshold[0]), x


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_refusals() -> None:
    given = regression(np.random.default_rng(11))
    inner = next(k for k, mode in enumerate(given["nodes_modes"]) if mode != "LEAF")

    def changed(name: str, value: Any, at: int = inner) -> onnx.ModelProto:
        column = list(given[name])
        column[at] = value
        return ensemble_model("TreeEnsembleRegressor", {**given, name: column}, FEATURES)

    with pytest.raises(UnsupportedOp, match="a node of mode BRANCH_MEMBER_OF"):
        load(changed("nodes_modes", "BRANCH_MEMBER_OF"))
    with pytest.raises(UnsupportedOp, match="a threshold that is no number"):
        load(changed("nodes_values", float("nan")))
    with pytest.raises(ModelError, match="feature"):
        load(changed("nodes_featureids", 77))
    with pytest.raises(ModelError, match="does not fit"):
        load(changed("nodes_truenodeids", 999))
    with pytest.raises(UnsupportedOp, match="post_transform SQUARE"):
        load(
            ensemble_model(
                "TreeEnsembleRegressor",
                {**regression(np.random.default_rng(1), 2), "post_transform": "SQUARE"},
                FEATURES,
            )
        )
    with pytest.raises(UnsupportedOp, match="aggregate function MEDIAN"):
        load(ensemble_model("TreeEnsembleRegressor", {**given, "aggregate_function": "MEDIAN"}, FEATURES))
    with pytest.raises(ModelError, match="2 base values do not fit 1 outputs"):
        load(ensemble_model("TreeEnsembleRegressor", {**given, "base_values": [0.1, 0.2]}, FEATURES))


# -- scikit-learn -----------------------------------------------------------------------------------------------------

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
TWO = (Y > 0).astype(np.int64)
ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "decision tree": (DecisionTreeClassifier(random_state=0), Y),
    "forest": (RandomForestClassifier(5, random_state=0), Y),
    "forest of two classes": (RandomForestClassifier(5, random_state=0), TWO),
    "extra trees": (ExtraTreesClassifier(4, random_state=0), Y * 3 + 1),
    "boosting": (GradientBoostingClassifier(n_estimators=4, random_state=0), Y),
    "boosting of two classes": (GradientBoostingClassifier(n_estimators=4, random_state=0), TWO),
    "boosted regression": (GradientBoostingRegressor(n_estimators=4, random_state=0), X[:, 0] * 2.0),
    "forest of two targets": (RandomForestRegressor(4, random_state=0), X[:, :2] * 2.0),
    "scaler and forest": (make_pipeline(StandardScaler(), RandomForestClassifier(4, random_state=0)), Y),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_scikit_learn(name: str) -> None:
    estimator, target = ESTIMATORS[name]
    estimator.fit(X, target)
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    proto = to_onnx(estimator, X[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    agree(proto, X[::7])
