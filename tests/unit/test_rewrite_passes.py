"""Passes over the float graph keep its function and leave what they promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import graphs
from tests.helpers.float_graphs import Build, networks
from zkchain.errors import UnsupportedOp
from zkchain.ir import interpret
from zkchain.ir.graph import FLOAT_ONLY, Graph, Op
from zkchain.rewrite import PASSES, finish, prepare, run

RNG = np.random.default_rng(0)


def only(graph: Graph, name: str) -> Graph:
    """The graph after one pass."""
    return run(graph, [step for step in PASSES if step.name == name])


def written_out(graph: Graph) -> Graph:
    return only(graph, "functions of lines written out")


def kinds(graph: Graph) -> Counter[Op]:
    return Counter(node.op for node in graph.nodes if node.op not in (Op.CONST, Op.INPUT))


def assert_same_function(before: Graph, after: Graph, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        x = [rng.normal(size=before.nodes[i].shape) * 2 for i in before.inputs]
        for a, b in zip(interpret.run_float(before, x), interpret.run_float(after, x), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=80)
def test_prepare_keeps_the_function(graph: Graph, seed: int) -> None:
    prepared = prepare(graph)
    assert_same_function(graph, prepared, seed)
    assert not kinds(prepared).keys() & (FLOAT_ONLY - {Op.UNARY, Op.SOFTMAX})


def test_scaler_disappears_into_the_dense_layer() -> None:
    b = Build()
    x = b.add(Op.DIV, b.add(Op.SUB, b.input(1, 3), b.const([1.0, 2.0, 3.0])), b.const([0.5, 2.0, 4.0]))
    graph = b.graph(b.dense(x, RNG.normal(size=(3, 2)), [1.0, -1.0]))
    assert kinds(prepare(graph)) == {Op.MATMUL: 1, Op.ADD: 1}
    assert_same_function(graph, prepare(graph))


def test_normalisation_disappears_into_the_convolution_before_and_after() -> None:
    b = Build()
    x = b.add(Op.ADD, b.add(Op.MUL, b.input(1, 2, 4, 4), b.const([[[2.0]], [[3.0]]])), b.const(0.5))
    y = b.conv(x, RNG.normal(size=(4, 1, 3, 3)), RNG.normal(size=4), pads=(1, 1, 1, 1), group=2)
    y = b.add(Op.ADD, b.add(Op.MUL, y, b.const(RNG.normal(size=(4, 1, 1)))), b.const(RNG.normal(size=(4, 1, 1))))
    graph = b.graph(b.add(Op.RELU, y))
    assert kinds(prepare(graph)) == {Op.CONV: 1, Op.ADD: 1, Op.RELU: 1}
    assert_same_function(graph, prepare(graph))


def test_a_factor_that_others_see_stays() -> None:
    b = Build()
    y = b.dense(b.input(1, 3), RNG.normal(size=(3, 3)))
    graph = b.graph(b.add(Op.MUL, y, b.const([2.0, 3.0, 4.0])), y)
    assert kinds(only(graph, "factors into the layer before")) == {Op.MATMUL: 1, Op.MUL: 1}


def test_leaky_relu_is_two_layers_over_one_rescale() -> None:
    b = Build()
    dense = b.dense(b.input(1, 3), RNG.normal(size=(3, 3)), [0.1, 0.2, 0.3])
    x = b.add(Op.LEAKY_RELU, dense, b.const([0.1, 0.2, -2.0]))
    graph = b.graph(b.dense(b.add(Op.RESHAPE, x, shape=(1, 3)), RNG.normal(size=(3, 2))))
    assert kinds(prepare(graph)) == {Op.MATMUL: 3, Op.ADD: 2, Op.RELU: 1}
    assert_same_function(graph, prepare(graph))


def test_a_residual_without_factors_is_not_taken_apart() -> None:
    b = Build()
    x = b.input(1, 3)
    y = b.add(Op.ADD, b.add(Op.RELU, x), b.dense(x, RNG.normal(size=(3, 3))))
    graph = b.graph(b.dense(y, RNG.normal(size=(3, 2))))
    assert kinds(only(graph, "sums of terms into layers")) == {Op.MATMUL: 2, Op.RELU: 1, Op.ADD: 1}


def test_mean_over_space_folds_into_the_classifier() -> None:
    b = Build()
    x = b.add(Op.RELU, b.conv(b.input(1, 1, 4, 4), RNG.normal(size=(2, 1, 2, 2))))
    mean = b.add(Op.DIV, b.add(Op.SUM, x, shape=(1, 2, 1, 1), axes=(2, 3)), b.const(9.0))
    graph = b.graph(b.dense(b.add(Op.RESHAPE, mean, shape=(1, 2)), RNG.normal(size=(2, 3))))
    assert kinds(prepare(graph))[Op.MUL] == 0
    assert_same_function(graph, prepare(graph))


def test_factors_travel_through_movement_and_broadcasting() -> None:
    b = Build()
    row = b.add(Op.MUL, b.input(1, 3), b.const([[2.0], [5.0]]))
    turned = b.add(Op.TAKE, row, shape=(3, 2), index=np.arange(6).reshape(2, 3).T.copy())
    graph = b.graph(b.dense(turned, RNG.normal(size=(2, 4))))
    assert kinds(prepare(graph))[Op.MUL] == 0
    assert_same_function(graph, prepare(graph))


def test_a_factor_along_a_kept_axis_stays_in_front() -> None:
    b = Build()
    graph = b.graph(b.dense(b.add(Op.MUL, b.input(2, 3), b.const([[2.0], [5.0]])), RNG.normal(size=(3, 4))))
    assert kinds(prepare(graph)) == {Op.MUL: 1, Op.MATMUL: 1}
    assert_same_function(graph, prepare(graph))


def test_constants_fold_on_the_left_of_a_product() -> None:
    b = Build()
    scaled = b.add(Op.MUL, b.input(3, 2), b.const([[2.0], [5.0], [1.0]]))
    graph = b.graph(b.add(Op.MATMUL, b.const(RNG.normal(size=(4, 3))), scaled, shape=(4, 2)))
    assert kinds(prepare(graph)) == {Op.MATMUL: 1}
    assert_same_function(graph, prepare(graph))


def test_relu_moves_in_front_of_the_pool() -> None:
    b = Build()
    pooled = b.pool(b.conv(b.input(1, 1, 5, 5), RNG.normal(size=(2, 1, 2, 2))))
    graph = only(b.graph(b.add(Op.RELU, pooled)), "pools")
    relu = next(i for i, n in enumerate(graph.nodes) if n.op is Op.RELU)
    assert graph.nodes[graph.nodes[relu].src[0]].op is Op.CONV
    assert_same_function(b.graph(len(b.nodes) - 1), graph)


def test_relu_stays_where_others_read_the_pool() -> None:
    b = Build()
    pooled = b.pool(b.input(1, 1, 4, 4))
    graph = only(b.graph(b.add(Op.RELU, pooled), pooled), "pools")
    assert graph.nodes[graph.outputs[0]].op is Op.RELU


@pytest.mark.parametrize(
    ("between", "goes"),
    [
        (lambda b, x: b.add(Op.SOFTMAX, x, axis=1), True),
        (lambda b, x: b.add(Op.UNARY, b.add(Op.MUL, x, b.const(3.0)), fn=("sigmoid",)), True),
        (lambda b, x: b.add(Op.ADD, b.add(Op.MUL, x, b.const(0.5)), b.const(-7.0)), True),
        (lambda b, x: b.add(Op.SOFTMAX, x, axis=0), False),
        (lambda b, x: b.add(Op.UNARY, x, fn=("floor",)), False),
        (lambda b, x: b.add(Op.MUL, x, b.const(-1.0)), False),
        (lambda b, x: b.add(Op.MUL, x, b.const([1.0, 2.0, 3.0])), False),
        (lambda b, x: b.add(Op.ADD, x, b.const([1.0, 2.0, 3.0])), False),
    ],
)
def test_what_does_not_move_the_maximum_goes(between: Callable[[Build, int], int], goes: bool) -> None:
    b = Build()
    graph = b.graph(b.add(Op.ARGMAX, between(b, b.input(2, 3)), shape=(2, 1), axis=1))
    after = only(graph, "labels")
    assert (kinds(after) == {Op.ARGMAX: 1}) is goes
    if goes:
        assert_same_function(graph, after)


@pytest.mark.parametrize(
    ("fn", "ops"),
    [
        (("abs",), {Op.RELU, Op.MUL, Op.ADD}),
        (("hard_sigmoid", 0.2, 0.5), {Op.MUL, Op.ADD, Op.CLIP}),
        (("hard_swish",), {Op.MUL, Op.ADD, Op.CLIP}),
        (("pow", 2.0), {Op.MUL}),
        (("pow", 1.0), set()),
        (("tanh",), {Op.UNARY}),
    ],
)
def test_functions_of_straight_lines_are_spelt_out(fn: tuple[str | float, ...], ops: set[Op]) -> None:
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.input(5), fn=fn))
    assert kinds(written_out(graph)).keys() == ops
    assert_same_function(graph, written_out(graph))


def test_even_tables_of_labels_are_lines_and_others_stay() -> None:
    b = Build()
    label = b.add(Op.ARGMAX, b.input(1, 3), shape=(1, 1), axis=1)
    even = b.graph(b.add(Op.UNARY, label, fn=("lookup", 3.0, 5.0, 7.0)))
    assert Op.UNARY not in kinds(written_out(even))
    assert_same_function(even, written_out(even))
    odd = b.graph(b.add(Op.UNARY, label, fn=("lookup", 3.0, 5.0, 8.0)))
    assert Op.UNARY in kinds(written_out(odd))


def test_movements_merge() -> None:
    b = Build()
    x = b.add(Op.RESHAPE, b.input(2, 3), shape=(6,))
    x = b.add(Op.TAKE, x, shape=(6,), index=np.arange(6)[::-1].copy())
    x = b.add(Op.TAKE, x, shape=(6,), index=np.arange(6)[::-1].copy())
    graph = b.graph(b.add(Op.RESHAPE, x, shape=(2, 3)))
    assert kinds(written_out(graph)) == {}


def test_constants_fold() -> None:
    b = Build()
    c = b.add(Op.MATMUL, b.const(np.ones((2, 2))), b.const(np.ones((2, 2))), shape=(2, 2))
    graph = written_out(b.graph(b.add(Op.MAX, b.input(2, 2), b.add(Op.UNARY, c, fn=("sqrt",)))))
    assert kinds(graph) == {Op.CLIP: 1}


def test_variable_slopes_are_refused() -> None:
    b = Build()
    with pytest.raises(UnsupportedOp, match="slope is not a constant"):
        written_out(b.graph(b.add(Op.LEAKY_RELU, b.input(2), b.input(2))))


def test_equal_integer_nodes_become_one_and_dead_ones_go() -> None:
    b = graphs.Build()
    x = b.input((3,), -4, 3)
    b.add(Op.MUL, x, b.const([5, 5, 5]))  # dead
    one, two = b.add(Op.RELU, x), b.add(Op.RELU, x)
    graph = finish(b.graph(b.add(Op.ADD, one, two)))
    assert Counter(n.op for n in graph.nodes) == {Op.INPUT: 1, Op.RELU: 1, Op.ADD: 1}
    assert interpret.run(graph, [np.array([-4, 0, 3])])[0].tolist() == [0, 0, 6]
