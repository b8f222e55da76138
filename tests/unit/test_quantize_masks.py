"""Masks, softmax of wide domains, powers of e written out, distances: the wanted error is met and nothing cancels."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.float_graphs import Build
from tests.helpers.onnx_models import Tensor, model, node
from zkchain import frontend, oracle, pipeline
from zkchain.bn254 import R
from zkchain.circuit import check, solve
from zkchain.errors import AccuracyMissed, ModelError
from zkchain.ir import interpret
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph, Op, constant
from zkchain.ir.intervals import intervals
from zkchain.quantize import Domain, Settings, quantize
from zkchain.quantize.input_grid import resolve
from zkchain.quantize.masks import absorb
from zkchain.rewrite import EXPAND, PASSES, run

SOFTMAX = [step for step in PASSES if step.name == "softmax written out"]
N, D = 5, 4  # a sequence of N vectors of D numbers
CAUSAL = np.tril(np.ones((N, N), np.bool_))
LEAST = float(np.finfo(np.float32).min)
MASKS = [-np.inf, -1e9, LEAST, -1e4]
LOGITS = Domain(-2.0, 2.0)
INT, BOOL, FLOAT = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.FLOAT)


Cost = Literal["plain", "lookup"]


def few(values: Sequence[object]) -> list[object]:
    """The first value in the default run, all in the long one."""
    return [values[0], *(pytest.param(v, marks=pytest.mark.slow) for v in values[1:])]


def first_of_each(cases: Sequence[tuple[object, object]]) -> list[object]:
    """Of every form the first case in the default run, all in the long one."""
    forms = [form for form, _ in cases]
    slow = [() if forms.index(form) == k else (pytest.mark.slow,) for k, form in enumerate(forms)]
    return [pytest.param(*case, marks=marks) for case, marks in zip(cases, slow, strict=True)]


def attention(
    *middle: onnx.NodeProto,
    inputs: Mapping[str, Sequence[int]] | None = None,
    types: Mapping[str, int] | None = None,
    **constants: Any,
) -> onnx.ModelProto:
    """softmax(z) x, where ``middle`` makes z of the scores s = x W x^T."""
    weights = np.random.default_rng(0).normal(size=(D, D)).astype(np.float32)
    nodes = [
        node("MatMul", ["x", "w"], ["q"]),
        node("Transpose", ["x"], ["k"], perm=[0, 2, 1]),
        node("MatMul", ["q", "k"], ["s"]),
        *middle,
        node("Softmax", ["z"], ["p"], axis=-1),
        node("MatMul", ["p", "x"]),
    ]
    return model(nodes, {"x": [1, N, D], **(inputs or {})}, constants={"w": weights, **constants}, types=types)


def numbers(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-2, 2, (1, N, D)).astype(np.float32) for _ in range(count)]


def off(proto: onnx.ModelProto, program: Graph, samples: Sequence[Sequence[np.ndarray]]) -> float:
    """The largest distance from onnxruntime."""
    judge = oracle.FloatModel(proto.SerializeToString(), program)
    pairs = ((oracle.run_integer(program, s), judge(s)) for s in samples)
    return max(float(np.abs(a - b).max()) for got, expected in pairs for a, b in zip(got, expected, strict=True))


def quantized(proto: onnx.ModelProto, *domain: Domain, cost: Cost = "plain") -> Graph:
    return quantize(frontend.load(proto.SerializeToString()), domain, settings=Settings(cost=cost))


# -- constant masks ---------------------------------------------------------------------------------------------------


def added(c: float) -> onnx.ModelProto:
    return attention(node("Add", ["s", "m"], ["z"]), m=np.where(CAUSAL, 0, c).astype(np.float32))


def selected(c: float) -> onnx.ModelProto:
    return attention(node("Where", ["t", "s", "c"], ["z"]), t=CAUSAL, c=np.float32(c))


def factored(c: float) -> onnx.ModelProto:
    flipped = node("Sub", ["one", "t"], ["f"])
    scaled = node("Mul", ["f", "c"], ["m"])
    keep = CAUSAL.astype(np.float32)
    return attention(flipped, scaled, node("Add", ["s", "m"], ["z"]), one=np.float32(1), t=keep, c=np.float32(c))


def absorbed(proto: onnx.ModelProto) -> Graph:
    graph = frontend.load(proto.SerializeToString())
    return run(absorb(graph, resolve(graph, [LOGITS], None)), SOFTMAX)


# 0 times infinity is no number in the model either
CONSTANT = [(form, c) for form in (added, selected, factored) for c in MASKS if form is not factored or np.isfinite(c)]


@pytest.mark.parametrize(("form", "c"), first_of_each(CONSTANT))
def test_a_constant_mask_costs_no_precision_and_no_powers(form: Callable[[float], onnx.ModelProto], c: float) -> None:
    program = quantized(form(c), LOGITS)
    assert off(form(c), program, [[x] for x in numbers(20)]) <= 1e-2
    graph = absorbed(form(c))
    assert sum(n.size for n in graph.nodes if n.op is Op.UNARY and n.arg["fn"] == ("exp",)) == CAUSAL.sum()
    assert all(float(np.abs(constant(n)).max()) < 10 for n in graph.nodes if n.op is Op.CONST)


def test_what_is_not_certain_to_lose_stays() -> None:
    """A bias of a few units is no mask."""
    bias = attention(node("Add", ["s", "m"], ["z"]), m=np.where(CAUSAL, 0, -60).astype(np.float32))
    graph = run(frontend.load(bias.SerializeToString()), [EXPAND])
    assert not any("live" in n.arg for n in absorb(graph, resolve(graph, [LOGITS], None)).nodes)
    assert off(bias, quantized(bias, LOGITS), [[x] for x in numbers(10)]) <= 1e-2


def test_a_row_without_anything_is_refused() -> None:
    keep = CAUSAL.copy()
    keep[2] = False
    nothing = attention(node("Where", ["t", "s", "c"], ["z"]), t=keep, c=np.float32(-np.inf))
    with pytest.raises(ModelError, match=r"'p' \(softmax\): every element of a row is -inf"):
        quantized(nothing, LOGITS)


def test_an_infinity_that_counts_is_refused() -> None:
    plain = model([node("Add", ["x", "c"])], {"x": [3]}, constants={"c": np.array([0, -np.inf, 0], np.float32)})
    with pytest.raises(ModelError, match=r"got -inf at element \(1,\)"):
        quantized(plain, LOGITS)


def test_masked_attention_is_proved() -> None:
    compiled = pipeline.compile_model(added(-np.inf).SerializeToString(), domains={"": LOGITS}, system="cg16")
    circuit = compiled.circuit
    (x,) = numbers(1, seed=3)
    assignment = solve(circuit, [quantize_input(circuit.graph.nodes[circuit.graph.inputs[0]], x)])
    check(circuit, assignment.finish(secrets.randbelow(R)))
    assert off(added(-np.inf), circuit.graph, [[x]]) <= 1e-2


PENALTY = np.array([-np.inf, 0, 0, -np.inf, 0])


@pytest.mark.parametrize("c", few([-np.inf, -1e9, LEAST]))
@pytest.mark.parametrize(
    "tail",
    [
        [node("ReduceMax", ["z", "axes"])],
        [node("ArgMax", ["z"], axis=-1)],
        [node("TopK", ["z", "two"], ["y", "i"], axis=-1)],
        [node("TopK", ["z", "two"], ["i", "y"], axis=-1)],
        [node("ReduceLogSumExp", ["z", "axes"])],
        [node("Max", ["z", "x"])],
        [node("Max", ["x", "least"])],
        [node("Exp", ["z"])],
    ],
    ids=["max", "argmax", "top", "top index", "log sum exp", "max of two", "max of one", "exp"],
)
def test_masks_before_maxima(tail: list[onnx.NodeProto], c: float) -> None:
    penalty = np.where(np.isinf(PENALTY), c, PENALTY).astype(np.float32)
    nodes = [node("Add", ["x", "m"], ["z"]), *tail]
    constants: dict[str, Tensor] = {"m": penalty, "axes": np.array([-1]), "two": np.array([2]), "least": np.float32(c)}
    types = {"y": INT} if tail[0].op_type == "ArgMax" or tail[0].output[-1] == "y" != tail[0].output[0] else None
    proto = model(nodes, {"x": [3, N]}, constants=constants, opset=18, types=types)
    program = quantized(proto, LOGITS)
    rng = np.random.default_rng(1)
    assert off(proto, program, [[rng.uniform(-2, 2, (3, N)).astype(np.float32)] for _ in range(20)]) <= 1e-2


# -- masks that depend on an input ------------------------------------------------------------------------------------

LIVE = [np.array([v]) for v in ([1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 1, 1])]


def padded(c: float, *nodes: onnx.NodeProto, type_: int = INT, **constants: Any) -> onnx.ModelProto:
    given = {"one": np.float32(1), "zero": np.float32(0), "c": np.float32(c), "ax": np.array([1]), **constants}
    return attention(*nodes, inputs={"m": [1, N]}, types={"m": type_}, **given)


def multiplied(c: float) -> onnx.ModelProto:
    nodes = [node("Cast", ["m"], ["f"], to=FLOAT), node("Sub", ["one", "f"], ["g"]), node("Mul", ["g", "c"], ["v"])]
    return padded(c, *nodes, node("Unsqueeze", ["v", "ax"], ["u"]), node("Add", ["s", "u"], ["z"]))


def causal_too(c: float) -> onnx.ModelProto:
    nodes = [node("Cast", ["m"], ["f"], to=FLOAT), node("Sub", ["one", "f"], ["g"]), node("Mul", ["g", "c"], ["v"])]
    nodes += [node("Unsqueeze", ["v", "ax"], ["u"]), node("Add", ["s", "u"], ["r"]), node("Add", ["r", "t"], ["z"])]
    return padded(c, *nodes, t=np.where(CAUSAL, 0, c).astype(np.float32))


def scores_selected(c: float) -> onnx.ModelProto:
    nodes = [node("Unsqueeze", ["m", "ax"], ["u"]), node("Where", ["u", "s", "c"], ["z"])]
    return padded(c, *nodes, type_=BOOL)


def zero_selected(c: float) -> onnx.ModelProto:
    nodes = [node("Unsqueeze", ["m", "ax"], ["u"]), node("Where", ["u", "zero", "c"], ["v"])]
    return padded(c, *nodes, node("Add", ["s", "v"], ["z"]), type_=BOOL)


def filled(c: float) -> onnx.ModelProto:
    nodes = [
        node("Cast", ["m"], ["f"], to=FLOAT),
        node("Sub", ["one", "f"], ["g"]),
        node("Cast", ["g"], ["b"], to=BOOL),
    ]
    nodes += [node("Where", ["b", "c", "g"], ["v"]), node("Unsqueeze", ["v", "ax"], ["u"])]
    return padded(c, *nodes, node("Add", ["s", "u"], ["z"]))


VARIABLE = [
    *((form, c) for form in (multiplied, causal_too) for c in (LEAST, -1e4, -1e9)),
    *((form, c) for form in (scores_selected, zero_selected, filled) for c in (LEAST, -1e4, -1e9, -np.inf)),
]


@pytest.mark.parametrize(("form", "c"), first_of_each(VARIABLE))
def test_a_mask_that_depends_on_an_input(form: Callable[[float], onnx.ModelProto], c: float) -> None:
    program = quantized(form(c), LOGITS, Domain(0, 1))
    # masked whole, float32 has no bits left for the scores: 1e9 + 1 = 1e9
    masks = [m for m in LIVE if form is not causal_too or m[0, 0]]
    samples = [[x, masks[k % len(masks)]] for k, x in enumerate(numbers(20))]
    assert off(form(c), program, samples) <= 1e-2


def test_a_mask_that_masks_everything_leaves_the_scores() -> None:
    """In real numbers softmax(s - 1e9) = softmax(s)."""
    graph = frontend.load(multiplied(-1e9).SerializeToString())
    program = quantize(graph, [LOGITS, Domain(0, 1)])
    for x in numbers(5):
        sample = [x, np.zeros((1, N), np.int64)]
        expected = interpret.run_float(graph, sample)[0]
        assert np.abs(oracle.run_integer(program, sample)[0] - expected).max() <= 1e-2


def test_a_mask_that_may_mask_everything_is_named_and_what_to_do() -> None:
    """In float32 softmax(s - 1e9) is uniform: the advice names the mask, and what it says helps."""
    content, domains = multiplied(-1e9).SerializeToString(), {"x": LOGITS, "m": Domain(0, 1)}
    with pytest.raises(AccuracyMissed, match=r"hint: input 'm' masks a whole row of node 'p' \(softmax\)") as refused:
        pipeline.compile_model(content, domains=domains, system="cg16")
    assert "leaves one element of every row unmasked" in str(refused.value)
    open_first = Domain(np.arange(N) == 0, 1)
    worst = pipeline.compile_model(content, domains={**domains, "m": open_first}, system="cg16").worst
    assert worst is not None
    assert not worst.promise.missed
    assert worst.advice is None


def test_inputs_of_whole_numbers_are_whole() -> None:
    program = quantized(multiplied(-1e9), LOGITS, Domain(0, 1))
    assert [program.nodes[i].scale for i in program.inputs][1] == 1.0


# -- what the pass rests on -------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1]), st.sampled_from([Op.SOFTMAX, Op.LOG_SUM_EXP]))
@settings(max_examples=30)
def test_live_elements_alone_take_part(seed: int, axis: int, op: Op) -> None:
    rng = np.random.default_rng(seed)
    live = rng.random((4, 5)) < 0.5
    live[rng.integers(0, 4, 5), np.arange(5)] = True
    live[np.arange(4), rng.integers(0, 5, 4)] = True
    b = Build()
    shape = tuple(1 if k == axis and op is Op.LOG_SUM_EXP else n for k, n in enumerate(live.shape))
    graph = b.graph(b.add(op, b.input(4, 5), shape=shape, axis=axis, live=live))
    x = rng.normal(size=(4, 5)) * 3
    e = np.where(live, np.exp(x), 0)
    total = e.sum(axis=axis, keepdims=True)
    expected = e / total if op is Op.SOFTMAX else np.log(total)
    assert interpret.run_float(graph, [x])[0] == pytest.approx(expected, abs=1e-12)
    assert interpret.run_float(run(graph, SOFTMAX), [x])[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "name",
    ["abs", "cos", "erf", "exp", "floor", "gelu", "hard_swish", "mish", "reciprocal", "sigmoid", "sin", "sqrt", "tanh"],
)
def test_functions_stay_in_their_intervals(name: str) -> None:
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.input(1), fn=(name,)))
    for lo, hi in ((-3.0, -0.5), (-2.0, 3.0), (0.25, 4.0)):
        (low, high) = intervals(graph, [(np.array(lo), np.array(hi))])[1]
        with np.errstate(all="ignore"):
            y = interpret.FLOAT[Op.UNARY](graph.nodes[1], np.linspace(lo, hi, 401))
        assert np.all((y >= low - 1e-12) & (y <= high + 1e-12) | np.isnan(y))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_products_stay_in_their_intervals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b = Build()
    x, y = b.input(2, 3), b.input(3, 2)
    product = b.add(Op.MATMUL, x, y, shape=(2, 2))
    centred = b.add(Op.SUB, product, b.const(1.0))
    power = b.add(Op.SUM, b.add(Op.MUL, centred, centred), shape=(2, 1), axes=(1,))
    inverse = b.add(Op.UNARY, b.add(Op.ADD, power, b.const(1e-5)), fn=("rsqrt",))
    graph = b.graph(b.add(Op.MUL, centred, inverse), b.add(Op.MUL, product, product))
    lo = [rng.normal(size=s) * 3 for s in ((2, 3), (3, 2))]
    hi = [v + rng.random(v.shape) * 4 for v in lo]
    found = intervals(graph, list(zip(lo, hi, strict=True)))
    assert found[graph.outputs[0]][1].max() <= 1.0
    for _ in range(10):
        given_ = {i: a + (b_ - a) * rng.integers(0, 2, a.shape) for i, a, b_ in zip(graph.inputs, lo, hi, strict=True)}
        for value, (low, high) in zip(interpret.evaluate(graph, given_, interpret.FLOAT), found, strict=True):
            assert np.all((value >= low - 1e-9) & (value <= high + 1e-9))


# -- softmax, sigmoid and tanh written out; wide domains --------------------------------------------------------------

ONE, MINUS, TWO = np.float32(1), np.float32(-2), np.float32(2)
WRITTEN = {
    "softmax": [node("Softmax", ["x"], axis=-1)],
    "log softmax": [node("Softmax", ["x"], ["p"], axis=-1), node("Log", ["p"])],
    "log sum exp": [node("Exp", ["x"], ["e"]), node("ReduceSum", ["e", "ax"], ["t"]), node("Log", ["t"])],
    "log sum exp, its maximum out": [
        node("ReduceMax", ["x", "ax"], ["m"]),
        node("Sub", ["x", "m"], ["d"]),
        node("Exp", ["d"], ["e"]),
        node("ReduceSum", ["e", "ax"], ["t"]),
        node("Log", ["t"], ["l"]),
        node("Add", ["l", "m"]),
    ],
    "softmax by hand": [node("Exp", ["x"], ["e"]), node("ReduceSum", ["e", "ax"], ["t"]), node("Div", ["e", "t"])],
    "softmax by a product": [
        node("Exp", ["x"], ["e"]),
        node("ReduceSum", ["e", "ax"], ["t"]),
        node("Reciprocal", ["t"], ["r"]),
        node("Mul", ["e", "r"]),
    ],
    "sigmoid": [
        node("Neg", ["x"], ["n"]),
        node("Exp", ["n"], ["e"]),
        node("Add", ["e", "one"], ["b"]),
        node("Div", ["one", "b"]),
    ],
    "sigmoid of e^x": [node("Exp", ["x"], ["e"]), node("Add", ["e", "one"], ["b"]), node("Div", ["e", "b"])],
    "swish": [
        node("Neg", ["x"], ["n"]),
        node("Exp", ["n"], ["e"]),
        node("Add", ["e", "one"], ["b"]),
        node("Div", ["x", "b"]),
    ],
    "tanh": [
        node("Neg", ["x"], ["n"]),
        node("Exp", ["n"], ["f"]),
        node("Exp", ["x"], ["e"]),
        node("Sub", ["e", "f"], ["a"]),
        node("Add", ["e", "f"], ["b"]),
        node("Div", ["a", "b"]),
    ],
    "tanh of e^-2x": [
        node("Mul", ["x", "minus"], ["n"]),
        node("Exp", ["n"], ["e"]),
        node("Sub", ["one", "e"], ["a"]),
        node("Add", ["one", "e"], ["b"]),
        node("Div", ["a", "b"]),
    ],
    "tanh of e^2x": [
        node("Mul", ["x", "two"], ["n"]),
        node("Exp", ["n"], ["e"]),
        node("Sub", ["e", "one"], ["a"]),
        node("Add", ["one", "e"], ["b"]),
        node("Div", ["a", "b"]),
    ],
    "softplus": [node("Exp", ["x"], ["e"]), node("Add", ["e", "one"], ["b"]), node("Log", ["b"])],
    "log sigmoid": [node("Sigmoid", ["x"], ["e"]), node("Log", ["e"])],
    "root of a square": [node("Mul", ["x", "x"], ["e"]), node("Sqrt", ["e"])],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_powers_of_e_written_out_do_not_overflow(name: str) -> None:
    constants: dict[str, Tensor] = {"ax": np.array([1]), "one": ONE, "minus": MINUS, "two": TWO}
    proto = model(WRITTEN[name], {"x": [3, 4]}, constants=constants, opset=18)
    program = quantized(proto, Domain(-9.0, 9.0))  # where onnxruntime's own logarithm of a sigmoid is still right
    rng = np.random.default_rng(0)
    samples = [[rng.uniform(-s, s, (3, 4)).astype(np.float32)] for s in (9, 3, 0.5) for _ in range(8)]
    assert off(proto, program, samples) <= 1e-2


@pytest.mark.parametrize(
    "above", [node("Sub", ["e", "two"], ["a"]), node("Mul", ["x", "e"], ["a"])], ids=["another number", "another x"]
)
def test_what_is_no_ratio_of_powers_stays_what_it_is(above: onnx.NodeProto) -> None:
    nodes = [node("Exp", ["x"], ["e"]), above, node("Add", ["one", "e"], ["b"]), node("Div", ["a", "b"])]
    proto = model(nodes, {"x": [3]}, constants={"one": ONE, "two": TWO})
    x = np.array([-1.0, 0.5, 2.0])
    e = np.exp(x)
    expected = ((e - 2) if above.op_type == "Sub" else x * e) / (1 + e)
    assert interpret.run_float(frontend.load(proto.SerializeToString()), [x])[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("cost", few(["lookup", "plain"]))
def test_softmax_of_a_wide_domain_is_right_where_it_is_steep(cost: Cost) -> None:
    proto = model([node("Softmax", ["x"], axis=-1)], {"x": [1, 4]})
    program = quantized(proto, Domain(-1e6, 1e6), cost=cost)
    rng = np.random.default_rng(2)
    close = [[(m + rng.uniform(-2, 2, (1, 4))).astype(np.float32)] for m in rng.uniform(-9e5, 9e5, 20)]
    assert off(proto, program, close) <= 1e-2


# -- distances --------------------------------------------------------------------------------------------------------


def truth(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(x[:, None].astype(np.float64) - centres).sum(axis=-1)))


def distances(centres: np.ndarray) -> onnx.ModelProto:
    """As skl2onnx writes KMeans: sum x^2 - 2 x C^T + sum C^2, its root and the place of its minimum."""
    nodes = [
        node("ReduceSumSquare", ["x", "ax"], ["s"]),
        node("Gemm", ["x", "c"], ["g"], alpha=-2.0, transB=1),
        node("Add", ["s", "g"], ["a"]),
        node("Add", ["norms", "a"], ["d"]),
        node("ArgMin", ["d"], ["label"], axis=1, keepdims=0),
        node("Sqrt", ["d"], ["scores"]),
    ]
    constants = {"c": centres, "norms": np.square(centres).sum(axis=1), "ax": np.array([1])}
    types = {"label": onnx.TensorProto.INT64}
    return model(nodes, {"x": [1, centres.shape[1]]}, ["label", "scores"], constants=constants, types=types, opset=18)


@pytest.mark.parametrize("cost", few(["lookup", "plain"]))
def test_distances_do_not_cancel(cost: Cost) -> None:
    rng = np.random.default_rng(4)
    scale = np.array([300.0, 5.0, 1.0])
    centres = (rng.uniform(0.2, 0.8, (3, 3)) * scale).astype(np.float32)
    program = quantized(distances(centres), Domain(np.zeros(3), scale), cost=cost)
    samples = [(rng.random((1, 3)) * scale).astype(np.float32) for _ in range(40)]
    for x in [*samples, *(centres[k : k + 1] for k in range(3)), *(centres[k : k + 1] + 0.02 for k in range(3))]:
        label, scores = oracle.run_integer(program, [x])
        assert np.abs(scores - truth(x, centres)).max() <= 1e-2
        assert truth(x, centres)[0, int(label[0])] <= truth(x, centres).min() + 1e-2


def test_other_sums_are_no_distances() -> None:
    centres = np.ones((3, 2), np.float32)
    proto = distances(centres)
    del proto.graph.initializer[1]
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.full(3, 7.0, np.float32), "norms"))
    x = np.array([[0.5, 2.0]])
    got = interpret.run_float(frontend.load(proto.SerializeToString()), [x])[1]
    assert got == pytest.approx(np.sqrt(np.square(x).sum() - 2 * x @ centres.T + 7))


@pytest.mark.slow
@pytest.mark.parametrize("cost", ["plain", "lookup"])
@pytest.mark.parametrize("data", ["load_iris", "load_wine"])
def test_kmeans_of_skl2onnx(data: str, cost: Cost) -> None:
    cluster, datasets, skl2onnx = (pytest.importorskip(n) for n in ("sklearn.cluster", "sklearn.datasets", "skl2onnx"))
    x = getattr(datasets, data)().data.astype(np.float32)
    means = cluster.KMeans(3, n_init=3, random_state=0).fit(x)
    graph = frontend.load(skl2onnx.to_onnx(means, x[:1], target_opset=17).SerializeToString())
    low, high = x.min(axis=0), x.max(axis=0)
    program = quantize(graph, [Domain(low, high)], settings=Settings(cost=cost))
    rng = np.random.default_rng(0)
    for sample in [*x[:, None], *rng.uniform(low, high, (100, 1, x.shape[1])).astype(np.float32)]:
        expected = truth(sample, means.cluster_centers_.astype(np.float32))
        assert np.abs(oracle.run_integer(program, [sample])[1] - expected).max() <= 1e-2
