"""Decision trees behind the import: what they mean, their thresholds on grids, their products, and the whole way."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.helpers import float_graphs
from tests.helpers.trees import MODES, Forest, ensemble_model, forest, listed
from zkchain import pipeline
from zkchain.circuit.forest import Forms, Program, programmed
from zkchain.cli.render import promise_pairs
from zkchain.errors import CompileError
from zkchain.frontend import load
from zkchain.groth16 import verify
from zkchain.ir import interpret, trees
from zkchain.ir.builder import Builder
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph, Op, check
from zkchain.ir.movement import origins
from zkchain.quantize import Domain, quantize, quantize_with_report
from zkchain.r1cs import System
from zkchain.rewrite import simplify
from zkchain.rewrite.trees import Step, least

# -- meaning ----------------------------------------------------------------------------------------------------------


def walked(drawn: Forest, x: np.ndarray) -> np.ndarray:
    """One row, the slow way."""
    total = np.zeros(len(drawn.values[0]), np.int64)
    for ref in drawn.roots:
        while ref >= 0:
            passed = sum(end <= x[drawn.feature[ref]] for end in drawn.ends[ref]) % 2
            ref = (drawn.left, drawn.right)[passed][ref]
        total = total + drawn.values[-1 - ref]
    return total


@pytest.mark.parametrize("seed", range(5))
def test_rows_walk_down_their_trees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = forest(rng, depth=seed, trees=3, outputs=2, most=3)
    x, values = rng.integers(-6, 12, (2, 7, 3)), np.asarray(drawn.values)
    got = trees.evaluate(trees.Forest.of(drawn.arg()), x, values)
    assert got.tolist() == [[walked(drawn, row).tolist() for row in rows] for rows in x]
    lo, hi = trees.extremes(trees.Forest.of(drawn.arg()), values)
    assert np.all(lo <= got)
    assert np.all(got <= hi)


# -- products ---------------------------------------------------------------------------------------------------------


def multiplied(program: Program, x: np.ndarray) -> np.ndarray:
    def forms(wires: np.ndarray, of: Forms) -> np.ndarray:
        value = (wires[:, of.index] * of.factor).sum(axis=-1) + of.constant
        assert np.abs(value).max() <= of.reach
        return np.asarray(value)

    feature, end = program.bits
    wires = (x[:, feature] >= end).astype(np.int64)
    for a, b in program.rounds:
        wires = np.concatenate([wires, forms(wires, a) * forms(wires, b)], axis=1)
    return np.asarray(wires @ program.result + program.constant)


def products(program: Program) -> int:
    return sum(len(a.constant) for a, _ in program.rounds)


@pytest.mark.parametrize("seed", range(60))
def test_products_make_what_walking_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, outputs = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    drawn = forest(
        rng,
        features=features,
        depth=int(rng.integers(0, 6)),
        trees=int(rng.integers(1, 5)),
        outputs=outputs,
        low=-3,
        high=24,
        most=1 + 2 * (seed % 3 == 0),
        oblivious=seed % 4 == 0,
    )
    values = np.asarray(drawn.values)
    if seed % 5 == 0:
        values[:, -1] = -values[:, 0]
    lo = rng.integers(-2, 10, features)
    hi = lo + rng.integers(0, 12, features)
    x, walked_down = rng.integers(lo, hi + 1, (40, features)), trees.Forest.of(drawn.arg())
    program = programmed(walked_down, values, lo, hi)
    assert np.array_equal(multiplied(program, x), trees.evaluate(walked_down, x, values))
    assert products(program) <= max(len(drawn.feature) - len(drawn.roots), 0)


def complete(depth: int, outputs: int, *, oblivious: bool) -> tuple[trees.Forest, np.ndarray]:
    """A tree with a feature for each node, or for each level."""
    count = 2**depth - 1
    node = np.arange(count)
    level = np.floor(np.log2(node + 1)).astype(np.int64)
    below = [np.where(2 * node + k < count, 2 * node + k, count - 1 - (2 * node + k)) for k in (1, 2)]
    feature = level if oblivious else node
    values = np.random.default_rng(depth).integers(1, 1 << 20, (count + 1, outputs))
    ends = np.zeros(count, np.int64) + 5
    return trees.Forest(feature, np.arange(count + 1), ends, below[0], below[1], node[:1]), values


@pytest.mark.parametrize(
    ("depth", "outputs", "oblivious", "expected"),
    [(6, 1, False, 31), (6, 3, False, 62), (6, 1, True, 15), (6, 3, True, 21), (2, 1, False, 1), (1, 9, False, 0)],
)
def test_the_cheapest_way_through_a_tree(depth: int, outputs: int, oblivious: bool, expected: int) -> None:
    drawn, values = complete(depth, outputs, oblivious=oblivious)
    ends = np.zeros(2**depth, np.int64), np.full(2**depth, 9)
    assert products(programmed(drawn, values, *ends)) == expected
    negated = np.concatenate([values, -values], axis=1)  # what is another's negative costs nothing
    assert products(programmed(drawn, negated, *ends)) <= max(expected, 2**depth - 2)


def test_a_feature_alone_costs_nothing() -> None:
    drawn = forest(np.random.default_rng(0), features=1, depth=5, trees=9, outputs=4)
    assert (
        products(programmed(trees.Forest.of(drawn.arg()), np.asarray(drawn.values), np.array([-9]), np.array([9]))) == 0
    )


# -- thresholds -------------------------------------------------------------------------------------------------------


def test_the_least_float_beyond_an_end() -> None:
    rng = np.random.default_rng(1)
    ends = np.concatenate([rng.normal(size=50), [0.0, 1.0, -1e300, 1e-300]])
    for factor, offset in ((0.1, 0.0), (-0.3, 2.0), (1.0, 1e9), (1e-9, -1.0), (1e300, 0.0), (-1.0, 0.0)):
        step, falls = Step(np.full(ends.shape, factor), np.full(ends.shape, offset)), np.full(ends.shape, factor < 0)
        with np.errstate(over="ignore"):
            x = least([step], falls, ends)
            below = np.nextafter(x, -np.inf)
            assert np.all(step(x) < ends if factor < 0 else step(x) >= ends)
            assert not np.any(step(below) < ends if factor < 0 else step(below) >= ends)


def moved(b: float_graphs.Build, x: int) -> int:
    """Features scaled by numbers of both signs, moved, and beside others."""
    y = b.add(Op.MUL, x, b.const([[0.1, -3.0, 7.0]]))
    y = b.add(Op.ADD, y, b.const([[1.0, 0.3, -0.1]]))
    y = b.add(Op.TAKE, y, shape=(1, 4), index=np.array([[2, 0, 1, 1]]))
    return b.add(Op.CONCAT, y, b.add(Op.RESHAPE, x, shape=(1, 3)), shape=(1, 7), axis=1)


def behind(rng: np.random.Generator, most: int = 1) -> Graph:
    b = float_graphs.Build()
    drawn = forest(rng, features=7, depth=4, trees=4, most=most)
    arg = {**drawn.arg(np.float64)}
    arg["ends"] = arg["ends"] / 10.0
    values = b.const(np.asarray(drawn.values, np.float64))
    return b.graph(b.add(Op.TREES, moved(b, b.input(1, 3)), values, shape=(1, 1), **arg))


@pytest.mark.parametrize("most", [1, 4])
def test_scalers_go_into_thresholds(most: int) -> None:
    rng = np.random.default_rng(most)
    graph = behind(rng, most)
    simple = simplify(graph)
    assert {n.op for n in simple.nodes} <= {Op.INPUT, Op.CONST, Op.TAKE, Op.RESHAPE, Op.CONCAT, Op.TREES}
    for x in [*rng.normal(size=(200, 1, 3)), *(rng.integers(-9, 9, (200, 1, 3)) / 10.0)]:
        assert interpret.run_float(graph, [x])[0].tolist() == interpret.run_float(simple, [x])[0].tolist()


def test_what_differs_from_row_to_row_stays() -> None:
    b = float_graphs.Build()
    drawn = forest(np.random.default_rng(2), features=2)
    scaled = b.add(Op.MUL, b.input(2, 2), b.const([[1.0, 2.0], [3.0, 2.0]]))
    values = b.const(np.asarray(drawn.values, np.float64))
    graph = b.graph(b.add(Op.TREES, scaled, values, shape=(2, 1), **drawn.arg(np.float64)))
    assert Op.MUL in {n.op for n in simplify(graph).nodes}


# -- grids ------------------------------------------------------------------------------------------------------------


def stump(thresholds: list[float], mode: str = "BRANCH_LEQ", scale: float | None = None) -> onnx.ModelProto:
    """For every threshold a tree of one node, all on one feature; its leaves are powers of two."""
    nodes: dict[str, list[Any]] = {}
    for tree, t in enumerate(thresholds):
        rows = [(0, mode, t, 1, 2), (1, "LEAF", 0.0, 0, 0), (2, "LEAF", 0.0, 0, 0)]
        for n, name, value, yes, no in rows:
            row = {"treeids": tree, "nodeids": n, "featureids": 0, "modes": name, "values": value}
            for key, v in {**row, "truenodeids": yes, "falsenodeids": no}.items():
                nodes.setdefault(f"nodes_{key}", []).append(v)
    count = len(thresholds)
    weights: dict[str, list[Any]] = {"target_treeids": list(range(count)), "target_nodeids": [2] * count}
    weights["target_ids"] = [0] * count
    weights["target_weights"] = [2.0**k for k in range(count)]
    proto = ensemble_model("TreeEnsembleRegressor", {**nodes, **weights, "n_targets": 1}, 1)
    if scale is not None:
        proto.graph.node[0].input[0] = "z"
        proto.graph.node.insert(0, helper.make_node("Mul", ["x", "factor"], ["z"]))
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray([scale], np.float32), "factor"))
    return proto


STEPS = (1.0, 0.5, 1 / 255, 0.1, 0.01)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", MODES[:6])
def test_every_number_of_the_grid_is_on_its_side(step: float, mode: str) -> None:
    """Thresholds on numbers of the grid, next to them, and between."""
    on = [k * step for k in (-3, 0, 2, 7)]
    exact = np.asarray(on, np.float32)
    beside = [float(np.nextafter(v, np.float32(end))) for v in exact for end in (-1e9, 1e9)]
    graph = load(stump([*on, *beside, *(v + step / 2 for v in on)], mode))
    program = quantize(graph, [Domain(-20 * step, 20 * step, step)])
    node = program.nodes[program.inputs[0]]
    for q in range(-20, 21):
        x = np.asarray([[np.float32(q * step)]], np.float64)
        (expected,) = interpret.run_float(graph, [x])
        (got,) = interpret.run(program, [quantize_input(node, x)])
        assert (got * program.nodes[program.outputs[0]].scale).tolist() == expected.tolist(), q


@pytest.mark.parametrize("scale", [0.1, -0.1, 3.0, -7.3])
def test_a_scaler_before_the_trees_is_exact_on_the_grid(scale: float) -> None:
    graph = load(stump([k * scale for k in (-3, 0, 2)] + [0.05, -1.7], scale=scale))
    program = quantize(graph, [Domain(-20, 20, 1.0)])
    assert [n.op for n in program.nodes if n.op not in (Op.CONST, Op.RESHAPE)] == [Op.INPUT, Op.TREES]
    for q in range(-20, 21):
        (expected,) = interpret.run_float(graph, [np.asarray([[float(q)]])])
        (got,) = interpret.run(program, [np.asarray([[q]])])
        assert (got * program.nodes[program.outputs[0]].scale).tolist() == expected.tolist()


def falls_alike(thresholds: list[float], data: np.ndarray, declared: Domain | None = None) -> Graph:
    """The program of a stump on data; all of these fall on their sides."""
    graph = load(stump(thresholds))
    program = quantize(graph, None if declared is None else [declared], [(x,) for x in data])
    node = program.nodes[program.inputs[0]]
    for x in data:
        (got,) = interpret.run(program, [quantize_input(node, x)])
        expected = interpret.run_float(graph, [x])[0]
        assert (got * program.nodes[program.outputs[0]].scale).tolist() == expected.tolist()
    return program


def column(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


def test_data_keep_to_their_sides_of_thresholds() -> None:
    rng = np.random.default_rng(3)
    wild = column(rng.normal(size=60))
    own = [float(v) for v in wild[:5].ravel()]  # a datum that is a threshold, and the float32 next to it
    above = [float(np.nextafter(np.float32(v), np.float32(9))) for v in own]
    program = falls_alike([*own, *above], wild)
    assert program.nodes[program.inputs[0]].scale < 2.0**-20
    falls_alike(own, wild, Domain(-8.0, 8.0))
    assert falls_alike([0.5, 6.5], column([0, 1, 3, 7] * 10)).nodes[0].scale == 1.0
    assert falls_alike([0.35, 0.2], column([0.35, 0.3, 0.2, 1.7] * 10)).nodes[0].scale == 0.01


def test_a_domain_without_data_has_a_fine_grid() -> None:
    graph = load(stump([0.1, 0.25, -7.0, 3.3], "BRANCH_LT"))
    program = quantize(graph, [Domain(-8.0, 8.0)])
    node = program.nodes[program.inputs[0]]
    assert node.scale <= 2.0**-12
    for t in (0.1, 0.25, -7.0, 3.3):
        for k in (-2, -1, 0, 1, 2):
            x = np.asarray([[(round(t / node.scale) + k) * node.scale]])
            (got,) = interpret.run(program, [quantize_input(node, x)])
            expected = interpret.run_float(graph, [x])[0]
            assert (got * program.nodes[program.outputs[0]].scale).tolist() == expected.tolist()


def test_few_data_do_not_make_a_grid_alone() -> None:
    few = column([0, 3, 1])
    assert falls_alike([0.5, 2.5], few).nodes[0].scale == 1.0
    assert falls_alike([0.5, 2.7], few).nodes[0].scale < 2.0**-8
    wide = falls_alike([512.3, 90000.7], column(np.random.default_rng(1).uniform(0, 1e5, 60)))
    assert wide.nodes[0].scale >= 1.0  # a 4096th of the span is fine enough where no datum is near a threshold


def test_the_domain_reaches_to_both_sides_of_thresholds() -> None:
    low, high = (int(end.item()) for end in ends_of(falls_alike([0.5, 6.5, 99.5], column([0, 1, 3] * 20))))
    assert (low, high) == (0, 127)
    low, high = (int(end.item()) for end in ends_of(falls_alike([0.5], column([0, 1] * 20))))
    assert (low, high) == (0, 1)
    low, high = (int(end.item()) for end in ends_of(falls_alike([-2.5], column([0, 1] * 20))))
    assert low <= -3


def ends_of(program: Graph) -> tuple[np.ndarray, np.ndarray]:
    node = program.nodes[program.inputs[0]]
    assert node.lo is not None
    assert node.hi is not None
    return node.lo, node.hi


def test_features_have_domains_of_their_own() -> None:
    drawn = forest(np.random.default_rng(4), features=3, depth=3, trees=4, low=0, high=1)
    b = Builder()
    x = b.input("x", (1, 3))
    b.trees(x, b.const(np.asarray(drawn.values)), drawn.arg(np.float64))
    data = np.random.default_rng(5).integers(0, [[2, 60, 4000]], (40, 1, 3)).astype(np.float64)
    graph = b.graph({"x": x}, [("y", len(b.nodes) - 1)])
    _, high = ends_of(quantize(graph, None, [(row,) for row in data]))
    assert high.ravel().tolist() == [1, 63, 4095]


# -- computed features ------------------------------------------------------------------------------------------------


def computed() -> Graph:
    """Trees on sums of features: no threshold can go to where they come from."""
    b = float_graphs.Build()
    drawn = forest(np.random.default_rng(6), features=2, depth=3, trees=3)
    y = b.add(Op.MATMUL, b.input(1, 3), b.const([[0.37, 1.3], [-0.81, 0.2], [0.5, -0.7]]), shape=(1, 2))
    values = b.const(np.asarray(drawn.values, np.float64))
    return b.graph(b.add(Op.TREES, y, values, shape=(1, 1), **drawn.arg(np.float64)))


def test_computed_features_are_watched() -> None:
    graph = computed()
    program, report = quantize_with_report(graph, [Domain(-4.0, 4.0)])
    assert Op.TREES in {n.op for n in program.nodes}
    (region,) = report.regions
    assert (region.function, region.around is None) == ("trees", False)
    assert 0 < region.high < 0.01
    rng, node = np.random.default_rng(7), program.nodes[program.inputs[0]]
    different = 0
    for _ in range(300):
        x = rng.uniform(-4, 4, (1, 3))
        (got,) = interpret.run(program, [quantize_input(node, x)])
        expected = interpret.run_float(graph, [x])[0]
        same = np.allclose(got * program.nodes[program.outputs[0]].scale, expected, atol=0.01)
        different += not same
        assert same or report.exploration.at([x]).regions
    assert different < 10


# -- legality ---------------------------------------------------------------------------------------------------------


def test_leaves_that_vary_are_refused() -> None:
    from tests.helpers.graphs import Build

    b = Build()
    drawn = forest(np.random.default_rng(8), depth=1, trees=1)
    x, values = b.input((1, 3), 0, 9), b.input((len(drawn.values), 1), 0, 9)
    with pytest.raises(CompileError, match="values of its leaves are not constant"):
        b.add(Op.TREES, x, values, shape=(1, 1), **drawn.arg())


def test_ends_of_floats_are_refused_in_integer_graphs() -> None:
    from tests.helpers.graphs import Build

    b = Build()
    drawn = forest(np.random.default_rng(8), depth=1, trees=1)
    with pytest.raises(CompileError, match="ends: expected an array of integers"):
        b.add(Op.TREES, b.input((1, 3), 0, 9), b.const(drawn.values), shape=(1, 1), **drawn.arg(np.float64))


def test_origins() -> None:
    b = float_graphs.Build()
    x, y = b.input(1, 3), b.input(1, 2)
    taken = b.add(Op.TAKE, b.add(Op.RESHAPE, x, shape=(3,)), shape=(1, 2), index=np.array([[2, 0]]))
    graph = b.graph(b.add(Op.CONCAT, taken, y, shape=(1, 4), axis=1))
    check(graph, integer=False)
    nodes, elements = origins(graph, graph.outputs[0])
    assert nodes.tolist() == [[x, x, y, y]]
    assert elements.tolist() == [[2, 0, 0, 1]]


# -- the whole way ----------------------------------------------------------------------------------------------------


def classifier(post: str) -> onnx.ModelProto:
    rng = np.random.default_rng(9)
    drawn = listed(rng, (0.5, 2.5, 4.5, 7.5), trees=6, depth=3, features=4, modes=MODES[:6])
    weights = drawn.weights("class", rng.uniform(0.0, 0.3, (len(drawn.leaves), 3)))
    given = {**drawn.nodes, **weights, "classlabels_int64s": [3, 5, 7], "post_transform": post}
    return ensemble_model("TreeEnsembleClassifier", given, 4)


@pytest.mark.parametrize(
    ("post", "system"), [("NONE", System.GROTH16), ("NONE", System.CG16), ("SOFTMAX", System.CG16)]
)
def test_the_whole_way(post: str, system: System) -> None:
    data = np.random.default_rng(10).integers(0, 9, (48, 1, 4)).astype(np.float32)
    compiled = pipeline.compile_model(classifier(post).SerializeToString(), {"x": data}, system=system)
    assert compiled.evaluation is not None
    assert compiled.worst is not None
    label, scores = compiled.evaluation.outputs
    assert (label.equal, scores.max_error < 0.01) == (1.0, True)
    assert compiled.worst.promise.outputs[0].equal == 1.0  # at every point of the domain, too
    (exact,) = compiled.worst.promise.exact
    assert exact.comparisons > exact.features > 1
    assert "exact at every point" in str(promise_pairs(compiled.worst.promise))
    keys = pipeline.setup(compiled.circuit)
    proved = pipeline.prove(compiled.circuit, keys, {"x": data[0]})
    verify(keys.verifying, proved.instance, proved.proof)


@pytest.mark.parametrize("post", ["PROBIT", "SOFTMAX_ZERO"])
def test_transforms_of_scores(post: str) -> None:
    """On a domain that leaves the poles of PROBIT, and zero, out of reach."""
    rng = np.random.default_rng(11)
    drawn = listed(rng, (0.5, 2.5, 4.5, 7.5), trees=3, depth=2, features=2, modes=MODES[:4])
    weights = drawn.weights("target", rng.uniform(0.1, 0.25, (len(drawn.leaves), 3)))
    given = {**drawn.nodes, **weights, "n_targets": 3, "post_transform": post}
    proto = ensemble_model("TreeEnsembleRegressor", given, 2)
    data = rng.integers(0, 9, (40, 1, 2)).astype(np.float32)
    compiled = pipeline.compile_model(proto.SerializeToString(), {"x": data}, system=System.CG16)
    assert compiled.worst is not None
    assert not compiled.worst.promise.missed
