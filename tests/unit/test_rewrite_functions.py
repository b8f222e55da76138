"""Rewrites: each form is recognised, means the same as before, and its near misses are left alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.onnx_models import Tensor, agrees, model, node, random
from zkchain.errors import CompileError
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Graph, Op
from zkchain.ir.interpret import run_float
from zkchain.rewrite import engine, simplify

SHAPE = (2, 6)


def built(make: Callable[[Builder, int], int], shape: Sequence[int] = SHAPE) -> Graph:
    """A graph of one input x and one output, by builder verbs."""
    build = Builder()
    x = build.input("x", shape)
    return build.graph({"x": x}, [("y", make(build, x))])


def same(graph: Graph, low: float = -4.0, high: float = 4.0) -> Graph:
    """Simplified, after checking that it computes the same."""
    simple = simplify(graph)
    x = np.random.default_rng(5).uniform(low, high, graph.nodes[0].shape)
    for y, z in zip(run_float(graph, [x]), run_float(simple, [x]), strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-3, atol=2e-3)
    return simple


def ops(graph: Graph) -> list[str]:
    """Operators but inputs and constants; functions by their names."""
    kept = [n for n in graph.nodes if n.op not in (Op.INPUT, Op.CONST)]
    return [str(n.arg["fn"][0]) if n.op is Op.UNARY else str(n.op) for n in kept]


# -- written-out functions --------------------------------------------------------------------------------------------

R = math.sqrt(2 / math.pi)
Form = Callable[[Builder, int], int]


def erf_gelu(b: Builder, x: int, c: float = 1 / math.sqrt(2), half: float = 0.5) -> int:
    return b.mul(b.scale(x, half), b.shift(b.unary(b.scale(x, c), "erf"), 1.0))


def tanh_gelu(b: Builder, x: int, cubic: float = 0.044715) -> int:
    inner = b.scale(b.add(x, b.scale(b.unary(x, "pow", 3.0), cubic)), R)
    return b.scale(b.mul(x, b.shift(b.unary(inner, "tanh"), 1.0)), 0.5)


def tanh_gelu_of_products(b: Builder, x: int) -> int:
    inner = b.mul(b.scale(x, R), b.shift(b.scale(b.mul(x, x), 0.044715), 1.0))
    return b.mul(x, b.scale(b.shift(b.unary(inner, "tanh"), 1.0), 0.5))


FORMS: dict[str, tuple[Form, list[str]]] = {
    "gelu, x first": (erf_gelu, ["gelu"]),
    "gelu, half last": (lambda b, x: b.scale(erf_gelu(b, x, half=1.0), 0.5), ["gelu"]),
    "gelu, half inside": (
        lambda b, x: b.mul(b.scale(b.shift(b.unary(b.scale(x, 0.70703125), "erf"), 1.0), 0.5), x),
        ["gelu"],
    ),
    "gelu, no half": (lambda b, x: erf_gelu(b, x, half=1.0), ["gelu", "mul"]),
    "gelu of 1.3 x": (lambda b, x: erf_gelu(b, x, c=1.3 / math.sqrt(2)), ["mul", "gelu", "mul"]),
    "gelu, tanh": (tanh_gelu, ["gelu_tanh"]),
    "gelu, tanh of products": (tanh_gelu_of_products, ["gelu_tanh"]),
    "silu": (lambda b, x: b.mul(x, b.unary(x, "sigmoid")), ["swish"]),
    "quick gelu": (lambda b, x: b.mul(x, b.unary(b.scale(x, 1.702), "sigmoid")), ["swish"]),
    "mish": (lambda b, x: b.mul(b.unary(b.unary(x, "softplus"), "tanh"), x), ["mish"]),
    "mish, all written out": (
        lambda b, x: b.mul(x, b.unary(b.unary(b.shift(b.unary(x, "exp"), 1.0), "log"), "tanh")),
        ["mish"],
    ),
    "hard swish, relu6": (lambda b, x: b.scale(b.mul(x, b.clip(b.shift(x, 3.0), 0.0, 6.0)), 1 / 6), ["hard_swish"]),
    "hard swish, hard sigmoid": (
        lambda b, x: b.mul(b.clip(b.shift(b.scale(x, 1 / 6), 0.5), 0.0, 1.0), x),
        ["hard_swish"],
    ),
    "softplus": (lambda b, x: b.unary(b.shift(b.unary(x, "exp"), 1.0), "log"), ["softplus"]),
    "sigmoid": (lambda b, x: b.unary(b.shift(b.unary(b.scale(x, -1.0), "exp"), 1.0), "reciprocal"), ["sigmoid"]),
    "softsign": (lambda b, x: b.div(x, b.shift(b.unary(x, "abs"), 1.0)), ["softsign"]),
    "leaky maximum": (lambda b, x: b.max(b.scale(x, 0.1), x), ["leaky_relu"]),
    "prelu": (
        lambda b, x: b.sub(b.relu(x), b.mul(b.const(np.arange(6.0)), b.relu(b.scale(x, -1.0)))),
        ["leaky_relu"],
    ),
    "prelu, added": (lambda b, x: b.add(b.scale(b.relu(b.scale(x, -1.0)), -0.3), b.relu(x)), ["leaky_relu"]),
    "root": (lambda b, x: b.div(x, b.unary(b.shift(b.square(x), 1.0), "sqrt")), ["mul", "add", "rsqrt", "mul"]),
    "softmax": (lambda b, x: b.div(b.unary(x, "exp"), b.sum(b.unary(x, "exp"), [1])), ["softmax"]),
    "minus its sum": (lambda b, x: b.div(b.softmax(x, 1), b.sum(b.unary(b.softmax(x, 1), "abs"), [1])), ["softmax"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_written_out_function(name: str) -> None:
    form, expected = FORMS[name]
    assert ops(same(built(form))) == expected


def softmax_with_maximum(b: Builder, x: int) -> int:
    e = b.unary(b.sub(x, b.extreme(Op.REDUCE_MAX, x, [1])), "exp")
    return b.div(e, b.sum(e, [1]))


def exponential_of_log_softmax(b: Builder, x: int) -> int:
    top = b.extreme(Op.REDUCE_MAX, x, [1])
    total = b.add(b.unary(b.sum(b.unary(b.sub(x, top), "exp"), [1]), "log"), top)
    return b.unary(b.sub(x, total), "exp")


@pytest.mark.parametrize("form", [softmax_with_maximum, exponential_of_log_softmax])
def test_softmax_written_out(form: Form) -> None:
    assert ops(same(built(form))) == ["softmax"]


MISSES: dict[str, Form] = {
    "gelu": lambda b, x: b.mul(x, b.shift(b.unary(b.scale(x, 0.7), "erf"), 1.1)),
    "gelu_tanh": lambda b, x: tanh_gelu(b, x, cubic=0.05),
    "swish": lambda b, x: b.mul(x, b.unary(b.shift(x, 0.1), "sigmoid")),
    "mish": lambda b, x: b.mul(x, b.unary(b.unary(b.scale(x, 2.0), "softplus"), "tanh")),
    "hard_swish": lambda b, x: b.mul(x, b.clip(b.shift(x, 2.5), 0.0, 6.0)),
    "softplus": lambda b, x: b.unary(b.shift(b.unary(x, "exp"), 1.5), "log"),
    "sigmoid": lambda b, x: b.unary(b.shift(b.unary(x, "exp"), 2.0), "reciprocal"),
    "softsign": lambda b, x: b.div(x, b.shift(b.unary(b.scale(x, 2.0), "abs"), 1.0)),
    "softmax": lambda b, x: b.div(b.unary(x, "exp"), b.sum(b.unary(b.scale(x, 2.0), "exp"), [1])),
    "leaky_relu": lambda b, x: b.max(b.scale(x, 1.5), x),
}


@pytest.mark.parametrize("name", MISSES)
def test_near_miss(name: str) -> None:
    assert name not in ops(same(built(MISSES[name])))


# -- argmax -----------------------------------------------------------------------------------------------------------

ORDERED: dict[str, Form] = {
    "softmax": lambda b, x: b.softmax(x, 1),
    "sigmoid": lambda b, x: b.unary(x, "sigmoid"),
    "log softmax": lambda b, x: b.sub(x, b.unary(b.sum(b.unary(x, "exp"), [1]), "log")),
    "positive factor": lambda b, x: b.scale(x, 3.0),
    "one number added": lambda b, x: b.shift(x, 3.0),
    "several": lambda b, x: b.softmax(b.unary(b.scale(x, 0.5), "tanh"), 1),
}


@pytest.mark.parametrize("name", ORDERED)
def test_argmax_sees_only_order(name: str) -> None:
    assert ops(same(built(lambda b, x: b.argmax(ORDERED[name](b, x), 1)))) == ["argmax"]


UNORDERED: dict[str, Form] = {
    "softmax over another axis": lambda b, x: b.softmax(x, 0),
    "negative factor": lambda b, x: b.scale(x, -1.0),
    "bias": lambda b, x: b.add(x, b.const(np.arange(6.0))),
    "square": lambda b, x: b.square(x),
    "steps": lambda b, x: b.unary(x, "round"),
}


@pytest.mark.parametrize("name", UNORDERED)
def test_argmax_keeps_what_changes_order(name: str) -> None:
    assert len(ops(same(built(lambda b, x: b.argmax(UNORDERED[name](b, x), 1))))) == 2


def test_binary_label_needs_no_sigmoid() -> None:
    def label(b: Builder, x: int) -> int:
        s = b.unary(x, "sigmoid")
        return b.argmax(b.concat([b.shift(b.scale(s, -1.0), 1.0), s], 1), 1)

    graph = same(built(label, (50, 1)))
    assert ops(graph) == ["concat", "argmax"]
    assert run_float(graph, [np.zeros((50, 1))])[0].sum() == 0


# -- movements and bounds ---------------------------------------------------------------------------------------------


def test_movements_merge_and_vanish() -> None:
    there_and_back = built(lambda b, x: b.transpose(b.transpose(x, (1, 0)), (1, 0)))
    assert ops(same(there_and_back)) == []
    assert ops(same(built(lambda b, x: b.reshape(b.reshape(x, (3, 4)), (12,))))) == ["reshape"]
    assert ops(same(built(lambda b, x: b.reshape(b.transpose(x, (1, 0)), (12,))))) == ["take"]
    assert ops(same(built(lambda b, x: b.move(b.reshape(x, (3, 4)), lambda at: at[1:])))) == ["take"]


def test_part_of_a_concatenation() -> None:
    both: Form = lambda b, x: b.concat([x, b.scale(x, 2.0)], 0)  # noqa: E731
    assert ops(same(built(lambda b, x: b.move(both(b, x), lambda at: at[2:])))) == ["mul"]
    assert ops(same(built(lambda b, x: b.move(both(b, x), lambda at: at[1:3])))) == ["mul", "concat", "take"]


@given(
    inner=st.tuples(st.sampled_from([None, -2.0, 0.0, 1.0]), st.sampled_from([None, -1.0, 2.0])),
    outer=st.tuples(st.sampled_from([None, -1.5, 0.0, 3.0]), st.sampled_from([None, -2.5, 1.5])),
)
@settings(max_examples=60)
def test_bounds_merge(inner: tuple[Any, Any], outer: tuple[Any, Any]) -> None:
    graph = built(lambda b, x: b.clip(b.clip(x, *inner), *outer))
    assert len(ops(same(graph))) <= 1


def test_maximum_with_a_number_is_a_bound() -> None:
    assert ops(same(built(lambda b, x: b.max(b.const(0.0), x)))) == ["relu"]
    assert ops(same(built(lambda b, x: b.min(b.max(x, b.const([-1.0])), b.const(1.0))))) == ["clip"]
    assert ops(same(built(lambda b, x: b.max(x, b.const(np.arange(6.0)))))) == ["max"]


# -- affine -----------------------------------------------------------------------------------------------------------

W = np.random.default_rng(1).normal(size=(6, 3))
C3, C6 = np.random.default_rng(2).uniform(0.5, 2.0, (2, 6))[:, :3], np.random.default_rng(3).uniform(0.5, 2.0, 6)

AFFINE: dict[str, tuple[Form, list[str]]] = {
    "products": (lambda b, x: b.mul(b.mul(x, b.const(C6)), b.const(2.0)), ["mul"]),
    "sums": (lambda b, x: b.add(b.const(1.0), b.add(x, b.const(C6))), ["add"]),
    "product of sum": (lambda b, x: b.mul(b.shift(x, 1.0), b.const(C6)), ["mul", "add"]),
    "after a product": (lambda b, x: b.mul(b.matmul(x, b.const(W)), b.const(C3[0])), ["matmul"]),
    "after product and bias": (
        lambda b, x: b.add(b.mul(b.add(b.matmul(x, b.const(W)), b.const(C3[0])), b.const(C3[1])), b.const(1.0)),
        ["matmul", "add"],
    ),
    "before a product": (lambda b, x: b.matmul(b.mul(x, b.const(C6)), b.const(W)), ["matmul"]),
    "offset before a product": (lambda b, x: b.matmul(b.add(x, b.const(C6)), b.const(W)), ["matmul", "add"]),
    "rows before a product": (lambda b, x: b.matmul(b.mul(x, b.const([[2.0], [3.0]])), b.const(W)), ["mul", "matmul"]),
    "wide spread": (lambda b, x: b.matmul(b.mul(x, b.const(10.0 ** np.arange(6))), b.const(W)), ["mul", "matmul"]),
    "two products": (lambda b, x: b.matmul(b.matmul(x, b.const(W)), b.const(W[:3, :2])), ["matmul"]),
    "bottleneck": (lambda b, x: b.matmul(b.matmul(x, b.const(W[:, :1])), b.const(W[:1])), ["matmul", "matmul"]),
    "number through a movement": (
        lambda b, x: b.matmul(b.transpose(b.shift(b.scale(x, 0.5), -1.0), (1, 0)), b.const(W[:2])),
        ["take", "matmul", "add"],
    ),
    "channels behind a movement": (
        lambda b, x: b.mul(b.transpose(b.matmul(x, b.const(W)), (1, 0)), b.const(C3[0][:, None])),
        ["matmul", "take"],
    ),
    "rows behind a movement": (
        lambda b, x: b.mul(b.transpose(b.matmul(x, b.const(W)), (1, 0)), b.const([2.0, 3.0])),
        ["matmul", "take", "mul"],
    ),
    "neutral": (lambda b, x: b.node(Op.ADD, (b.node(Op.MUL, (x, b.const(1.0)), SHAPE), b.const(0.0)), SHAPE), []),
}


@pytest.mark.parametrize("name", AFFINE)
def test_constants_merge(name: str) -> None:
    form, expected = AFFINE[name]
    assert ops(same(built(form))) == expected


def test_shared_values_keep_their_constants() -> None:
    def both(b: Builder, x: int) -> int:
        y = b.matmul(x, b.const(W))
        return b.add(b.relu(y), b.mul(y, b.const(C3[0])))

    assert ops(same(built(both))) == ["matmul", "relu", "mul", "add"]


@given(
    pads=st.sampled_from([(0, 0, 0, 0), (1, 0, 2, 1)]),
    group=st.sampled_from([1, 2]),
    strides=st.sampled_from([(1, 1), (2, 1)]),
    before=st.booleans(),
    number=st.booleans(),
)
@settings(max_examples=32)
def test_constants_around_a_convolution(
    pads: tuple[int, ...], group: int, strides: tuple[int, int], before: bool, number: bool
) -> None:
    rng = np.random.default_rng(4)
    w = rng.normal(size=(6, 4 // group, 3, 2))
    channels = 4 if before else 6
    a, c = (np.float64(v[0]) if number else v[:, None, None] for v in rng.uniform(0.5, 2.0, (2, channels)))

    def form(b: Builder, x: int) -> int:
        y = x if before else b.conv(x, b.const(w), strides, pads, (1, 1), group)
        y = b.add(b.mul(y, b.const(a)), b.const(c))
        return b.conv(y, b.const(w), strides, pads, (1, 1), group) if before else y

    assert ops(same(built(form, (2, 4, 5, 6)))) == ["conv", "add"]


def test_batch_normalisation_goes_into_the_convolution() -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("BatchNormalization", ["c", "g", "b", "b", "g"], ["n"])]
    nodes += [node("Relu", ["n"])]
    constants = {"w": random([3, 2, 3, 3]), "b": random([3]), "g": random([3], low=0.5)}
    graph = agrees(model(nodes, {"x": [1, 2, 6, 6]}, constants=constants), random([1, 2, 6, 6]))
    assert ops(graph) == ["conv", "add", "relu"]


def test_image_scaling_goes_into_the_first_layer() -> None:
    nodes = [
        node("Div", ["x", "k"], ["s"]),
        node("Sub", ["s", "m"], ["t"]),
        node("Transpose", ["t"], ["p"], perm=[0, 3, 1, 2]),
    ]
    nodes += [node("Conv", ["p", "w"], pads=[1, 1, 1, 1])]
    constants: dict[str, Tensor] = {"k": np.float32(255), "m": np.float32(0.5), "w": random([3, 2, 3, 3])}
    graph = agrees(model(nodes, {"x": [1, 6, 6, 2]}, constants=constants), random([1, 6, 6, 2], high=255))
    assert ops(graph) == ["take", "conv", "add"]


# -- the engine -------------------------------------------------------------------------------------------------------


def test_equal_nodes_are_one() -> None:
    def twice(b: Builder, x: int) -> int:
        return b.add(b.unary(b.add(x, b.const(C6)), "tanh"), b.unary(b.add(x, b.const(C6.copy())), "tanh"))

    assert ops(same(built(twice))) == ["add", "tanh", "add"]


def test_unused_nodes_go_and_unused_inputs_stay() -> None:
    build = Builder()
    inputs = {"a": build.input("a", (2,)), "b": build.input("b", (2,))}
    build.relu(inputs["b"])
    graph = simplify(build.graph(inputs, [("y", build.relu(inputs["a"]))]))
    assert graph.input_names == ("a", "b")
    assert ops(graph) == ["relu"]


def test_a_rule_that_changes_the_shape_is_caught() -> None:
    graph = built(lambda b, x: b.relu(x))
    rules = {Op.RELU: [lambda view, i: view.build.sum(view.new[0], [0])]}
    with pytest.raises(CompileError, match="rewritten from"):
        engine.sweep(graph, [rules])


def test_a_rule_that_never_ends_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LIMIT", 5)
    graph = built(lambda b, x: b.relu(x))
    with pytest.raises(CompileError, match="did not end"):
        engine.fixpoint(graph, [{Op.RELU: [lambda view, i: view.build.relu(view.new[0])]}])
