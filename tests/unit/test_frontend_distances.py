"""Pairwise distances: CDist, the loop that skl2onnx writes, nearest neighbours; against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.cluster import KMeans
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import zkchain
from tests.helpers.onnx_models import Array, agrees, model, node, random
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

CENTRES = random([7, 3], 3)


def cdist(metric: str, *, first: bool = False) -> onnx.ModelProto:
    inputs = ["c", "x"] if first else ["x", "c"]
    distances = node("com.microsoft.CDist", inputs, metric=metric)
    made = model([distances], {"x": [4, 3]}, constants={"c": CENTRES})
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("first", [False, True])
def test_cdist(metric: str, first: bool) -> None:
    agrees(cdist(metric, first=first), random([4, 3]), tolerance=1e-4)


def test_cdist_refused() -> None:
    with pytest.raises(UnsupportedOp, match="metric 'cityblock'"):
        load(cdist("cityblock"))
    wrong = cdist("euclidean")
    wrong.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2
    with pytest.raises(ModelError, match="have no distances"):
        load(wrong)


def scan(inner: list[onnx.NodeProto], axes: Array | None = None, **attributes: Any) -> onnx.ModelProto:
    """Rows of c one after the other, x as the state: what skl2onnx writes for distances."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        inner,
        "distances",
        [info("state", TensorProto.FLOAT, [None, None]), info("row", TensorProto.FLOAT, [None])],
        [info("kept", TensorProto.FLOAT, [None, None]), info("found", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([1]) if axes is None else axes, "axes")],
    )
    loop = helper.make_node("Scan", ["x", "c"], ["same", "y"], body=body, num_scan_inputs=1, **attributes)
    return model([loop], {"x": [4, 3]}, ("y",), constants={"c": CENTRES}, opset=18)


KEPT = node("Identity", ["state"], ["kept"])
APART = node("Sub", ["state", "row"], ["apart"])
SQUARES = node("ReduceSumSquare", ["apart", "axes"], ["total"], keepdims=0)
FOUND = node("Identity", ["total"], ["found"])


def test_the_loop_of_squares_is_one_node() -> None:
    graph = agrees(scan([KEPT, APART, SQUARES, FOUND]), random([4, 3]))
    assert len([n for n in graph.nodes if n.op is Op.SUM]) == 1


def test_the_loop_of_magnitudes_is_one_node() -> None:
    inner = [KEPT, node("Sub", ["row", "state"], ["apart"]), node("Abs", ["apart"], ["size"])]
    inner += [node("ReduceSum", ["size", "axes"], ["found"], keepdims=0)]
    graph = agrees(scan(inner), random([4, 3]))
    assert len([n for n in graph.nodes if n.op is Op.SUM]) == 1


@pytest.mark.parametrize(
    "inner",
    [
        [node("Sub", ["state", "row"], ["kept"]), APART, SQUARES, FOUND],  # the state changes
        [KEPT, APART, node("ReduceSum", ["apart", "axes"], ["found"], keepdims=0)],  # no distance
        [KEPT, node("Sub", ["state", "state"], ["apart"]), SQUARES, FOUND],
        [KEPT, node("Add", ["state", "row"], ["apart"]), SQUARES, FOUND],
    ],
)
def test_other_loops_are_unrolled(inner: list[onnx.NodeProto]) -> None:
    agrees(scan(inner), random([4, 3]))


def test_other_axes_are_unrolled() -> None:
    square = node("ReduceSumSquare", ["apart", "axes"], ["found"], keepdims=0)
    agrees(scan([KEPT, APART, square], np.array([0])), random([4, 3]))
    agrees(scan([KEPT, APART, SQUARES, FOUND], scan_output_directions=[1]), random([4, 3]))
    agrees(scan([KEPT, APART, SQUARES, FOUND], scan_input_directions=[1]), random([4, 3]))


ROWS = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
CLASS = (ROWS.sum(axis=1) > 0).astype(np.int64) + (ROWS[:, 0] > 1)
ESTIMATORS: dict[str, Any] = {
    "neighbours": KNeighborsClassifier(4),
    "weighed by distance": KNeighborsClassifier(4, weights="distance"),
    "manhattan": KNeighborsClassifier(3, metric="manhattan"),
    "regression": KNeighborsRegressor(3),
    "regression weighed": KNeighborsRegressor(3, weights="distance"),
    "k means": KMeans(4, n_init=1, random_state=0),
    "gauss": GaussianProcessRegressor(RBF(1.5), alpha=0.1),
    "matern": GaussianProcessRegressor(Matern(1.5, nu=1.5), alpha=0.1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_scikit_learn(name: str) -> None:
    estimator = ESTIMATORS[name].fit(ROWS, CLASS if "class" in type(ESTIMATORS[name]).__name__.lower() else CLASS * 1.0)
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    proto = to_onnx(estimator, ROWS[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    for row in random([5, 3], 9, -1.0, 1.0):
        agrees(proto, row[None], tolerance=1e-4)


def test_the_nearest_need_no_roots_and_votes_no_division() -> None:
    estimator = KNeighborsClassifier(4).fit(ROWS, CLASS)
    graph = load(to_onnx(estimator, ROWS[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3}))
    functions = {n.arg["fn"][0] for n in graph.nodes if n.op is Op.UNARY}
    assert functions == {"equal", "lookup"}
    assert all(graph.nodes[n.src[1]].op is Op.CONST for n in graph.nodes if n.op is Op.DIV)


def test_roots_follow_the_nearest_where_distances_count() -> None:
    estimator = KNeighborsRegressor(3, weights="distance").fit(ROWS, ROWS[:, 0])
    graph = load(to_onnx(estimator, ROWS[:1], target_opset={"": 18, "ai.onnx.ml": 3}))
    assert [n.size for n in graph.nodes if n.op is Op.UNARY and n.arg["fn"] == ("sqrt",)] == [3]


def small(rows: int, system: str) -> Any:
    x = {"x": random([20, 4, 3], 1)}
    distances = helper.make_node("CDist", ["x", "c"], ["y"], "apart", domain="com.microsoft", metric="sqeuclidean")
    made = model([distances], {"x": [4, 3]}, constants={"c": random([rows, 3], 3)})
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return zkchain.compile(made, x, system=system)


@pytest.mark.parametrize("system", ["groth16", "cg16"])
def test_more_centres_cost_no_more_products(system: str) -> None:
    """(x - c)^2 takes a product per element of x."""
    few, many = small(5, system), small(50, system)
    assert [circuit.summary.rows_by_node["apart"] for circuit in (few, many)] == [12, 12]
    keys = many.setup()
    proof = keys.prove(x=random([4, 3], 2))
    keys.verifier.verify(proof)
    expected = run_float(load(many.model), [random([4, 3], 2)])[0]
    assert np.abs(proof.outputs["y"] - expected).max() < 0.05


def test_a_short_distance_far_from_zero_is_kept() -> None:
    """x^2 - 2 x c + c^2 in rounded numbers would lose it: the numbers are a thousand times as large."""
    centres = np.array([[1000.0, -2000.0], [1500.0, 900.0]], dtype=np.float32)
    nodes = [
        node("ReduceSumSquare", ["x"], ["xx"], axes=[1], keepdims=1),
        node("Gemm", ["x", "c", "xx"], ["part"], alpha=-2.0, transB=1),
        node("Add", ["part", "cc"], ["square"]),
        node("Sqrt", ["square"], ["y"]),
    ]
    constants = {"c": centres, "cc": np.square(centres).sum(axis=1)[None]}
    proto = model(nodes, {"x": [1, 2]}, constants=constants, opset=13)
    data = centres[np.arange(40) % 2] + random([40, 2], 4, -30.0, 30.0)
    circuit = zkchain.compile(proto, {"x": data}, system="cg16")
    keys = circuit.setup()
    x = centres[:1] + np.array([[3.0, 4.0]])
    assert keys.prove(x=x).outputs["y"][0, 0] == pytest.approx(5.0, abs=0.3)
