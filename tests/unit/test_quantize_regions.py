"""Poles, jumps and undefined stretches: right over the whole declared domain but for neighbourhoods that are stated."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from tests.helpers.float_graphs import Build
from tests.helpers.onnx_models import model, node
from zkchain import frontend, pipeline
from zkchain.bn254 import R
from zkchain.circuit import check, solve
from zkchain.errors import UnsupportedOp
from zkchain.ir import functions, interpret
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import Domain, Report, Settings, quantize_with_report
from zkchain.quantize.precision import noise
from zkchain.quantize.regions import Region
from zkchain.rewrite import prepare

LOOKUP = Settings(cost="lookup")
WANTED = 1e-2


@dataclass(frozen=True)
class Case:
    """A quantised model of one output and what onnxruntime says."""

    onnx: onnx.ModelProto
    program: Graph
    report: Report

    def got(self, *xs: np.ndarray) -> np.ndarray:
        nodes = [self.program.nodes[i] for i in self.program.inputs]
        q = [quantize_input(n, np.asarray(x, dtype=np.float32)) for n, x in zip(nodes, xs, strict=True)]
        out = self.program.nodes[self.program.outputs[0]]
        return interpret.run(self.program, q)[0] * out.scale

    def want(self, *xs: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(self.onnx.SerializeToString())
        names = [i.name for i in session.get_inputs()]
        feed = {name: np.asarray(x, dtype=np.float32) for name, x in zip(names, xs, strict=True)}
        return np.asarray(session.run(None, feed)[0], dtype=np.float64)


def quantized(
    made: onnx.ModelProto,
    domains: Sequence[Domain] | None,
    data: Sequence[Sequence[np.ndarray]] | None = None,
    settings: Settings = LOOKUP,
) -> Case:
    return Case(made, *quantize_with_report(frontend.load(made.SerializeToString()), domains, data, settings))


def inside(report: Report, x: np.ndarray) -> np.ndarray:
    within = [np.zeros(np.shape(x), dtype=bool), *(r.contains(x) for r in report.regions)]
    return np.asarray(np.logical_or.reduce(within))


def proved(made: onnx.ModelProto, domain: str, *samples: np.ndarray) -> None:
    """The rows hold for these inputs."""
    lo, hi = (float(end) for end in domain.split(":"))
    compiled = pipeline.compile_model(made.SerializeToString(), domains={"": Domain(lo, hi)}, system="cg16")
    for x in samples:
        q = quantize_input(compiled.program.nodes[compiled.program.inputs[0]], np.asarray(x, dtype=np.float32))
        check(compiled.circuit, solve(compiled.circuit, [q]).finish(secrets.randbelow(R)))


# -- what a region is --------------------------------------------------------------------------------------------------


def test_a_region_contains_its_ends_and_nothing_beyond() -> None:
    once = Region("n", "reciprocal", 0, -0.5, 0.25, None, "")
    assert once.contains(np.array([-0.5, 0.0, 0.25])).all()
    assert not once.contains(np.array([-0.51, 0.26, 1.0])).any()


def test_a_region_that_comes_again_contains_every_period() -> None:
    floor = Region("n", "floor", 0, -0.125, 0.125, 1.0, "")
    assert floor.contains(np.array([-3.125, -3.0, -0.125, 0.0, 0.125, 41.0, 41.125])).all()
    assert not floor.contains(np.array([-3.13, -2.8, 0.13, 0.5, 0.87, 41.5])).any()


# -- poles -------------------------------------------------------------------------------------------------------------


def one(op: str, n: int = 4, **attributes: Any) -> onnx.ModelProto:
    return model([node(op, ["x"], **attributes)], {"x": [n]})


def power(p: float, n: int = 4) -> onnx.ModelProto:
    return model([node("Pow", ["x", "p"])], {"x": [n]}, constants={"p": np.float32(p)})


def quotient(n: int = 4) -> onnx.ModelProto:
    return model([node("Div", ["z", "x"])], {"z": [n], "x": [n]})


def over(z: float, n: int = 4) -> onnx.ModelProto:
    return model([node("Div", ["z", "x"])], {"x": [n]}, constants={"z": np.float32(z)})


POLES = [
    pytest.param(lambda: one("Reciprocal"), lambda x: 1 / x, id="reciprocal"),
    pytest.param(lambda: power(-2.0), lambda x: x**-2.0, id="power -2", marks=pytest.mark.slow),
    pytest.param(lambda: over(-3.0), lambda x: -3 / x, id="constant over x", marks=pytest.mark.slow),
    pytest.param(lambda: power(-1.0), lambda x: 1 / x, id="power -1", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("make", "exact"), POLES)
def test_both_sides_of_a_pole_are_right(make: Callable[[], onnx.ModelProto], exact: Callable[[Any], Any]) -> None:
    case = quantized(make(), [Domain(-4, 2)])
    (region,) = case.report.regions
    assert -0.05 < region.low < 0 < region.high < 0.05
    beside = [region.low * 1.001, region.high * 1.001]
    x = np.concatenate([np.linspace(-4, 2, 2001), -np.geomspace(0.05, 4, 300), np.geomspace(0.05, 2, 297), beside])
    x = x.astype(np.float32)
    kept = x[~inside(case.report, x)]
    assert kept.size > 0.95 * x.size
    kept = np.resize(kept, (-(-kept.size // 4), 4))
    got = np.stack([case.got(row) for row in kept])
    assert np.abs(got - exact(kept.astype(np.float64))).max() <= WANTED
    assert np.abs(got[::50] - np.stack([case.want(row) for row in kept[::50]])).max() <= WANTED
    # in the neighbourhood on either side the value at its edge, at the pole that above it
    edges = case.got(np.array([region.low / 2, region.high / 2, 0.0, 2.0]))
    assert np.abs(edges / exact(np.array([region.low, region.high, region.high, 2.0])) - 1).max() < 1e-2
    assert abs(edges[3] - exact(2.0)) <= WANTED


@pytest.mark.slow
def test_a_quotient_of_variables_is_right_on_both_sides() -> None:
    case = quantized(quotient(), [Domain(-3, 3), Domain(-4, 2)])
    rng = np.random.default_rng(0)
    for _ in range(60):
        z, x = rng.uniform(-3, 3, 4), rng.uniform(-4, 2, 4)
        ok = ~inside(case.report, x)
        assert np.abs(case.got(z, x) - case.want(z, x))[ok].max(initial=0) <= WANTED
    assert np.all(np.isfinite(case.got(np.full(4, 3.0), np.zeros(4))))


@pytest.mark.parametrize("make", [lambda: one("Reciprocal"), lambda: power(-2.0)], ids=["reciprocal", "power -2"])
def test_every_whole_number_but_the_pole(make: Callable[[], onnx.ModelProto]) -> None:
    case = quantized(make(), [Domain(-4, 2, scale=1.0)])
    x = np.array([[-4, -3, -2, -1], [1, 2, 1, 2]])
    for row in x:
        assert np.abs(case.got(row) - case.want(row)).max() <= WANTED
    assert not inside(case.report, x).any()
    (region,) = case.report.regions
    assert region.contains(np.zeros(1)).all()
    assert np.abs(case.got(np.zeros(4)) - 1.0).max() <= WANTED  # as above the pole


def test_a_pole_is_proved_at_its_ends_and_in_its_midst() -> None:
    proved(one("Reciprocal"), "-4:2", np.array([-4, 2, 0, -1e-9]), np.array([1e-9, 0.01, -0.01, 0.5]))


FUNCTIONS = [
    (("log",), -1.0, 8.0),
    (("sqrt",), -1.0, 100.0),
    (("pow", 1.5), -1.0, 3.0),
    (("exp",), -5.0, 60.0),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            (("rsqrt",), -1.0, 9.0),
            (("pow", -0.3), 0.0, 4.0),
            (("acosh",), 0.0, 8.0),
            (("atanh",), -2.0, 2.0),
            (("asin",), -2.0, 2.0),
            (("tan",), -2.0, 2.0),
            (("rsqrt",), 1e-3, 1e4),
            (("sinh",), -30.0, 30.0),
        ]
    ),
]


@pytest.mark.parametrize(("fn", "lo", "hi"), FUNCTIONS, ids=lambda v: v[0] if isinstance(v, tuple) else "")
def test_functions_are_right_wherever_no_region_is(fn: tuple[str | float, ...], lo: float, hi: float) -> None:
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.input(64), fn=fn))
    program, report = quantize_with_report(graph, [Domain(lo, hi)], settings=LOOKUP)
    out, first = program.nodes[program.outputs[0]], program.nodes[program.inputs[0]]
    x = np.concatenate(
        [np.linspace(lo, hi, 3000), lo + np.geomspace(1e-9, hi - lo, 1000), hi - np.geomspace(1e-9, 1, 96)]
    )
    x = np.clip(x, lo, hi)
    got = np.concatenate([interpret.run(program, [quantize_input(first, row)])[0] for row in x.reshape(-1, 64)])
    want, ok = functions.evaluate(fn, x), ~inside(report, x)
    assert np.all(np.isfinite(want[ok]))
    assert ok.mean() > 0.3
    spread = want[ok].max() - want[ok].min()
    assert np.abs(got * out.scale - want)[ok].max() <= max(WANTED, spread / 65536)
    singular = functions.singular(fn)
    for region in report.regions:
        assert singular is not None
        assert region.function == fn[0]
        assert region.answer
    if singular is not None:  # an undefined stretch is stated to its end
        undefined = np.isnan(want)
        assert not (undefined & ok).any()


def test_what_is_far_from_a_pole_has_no_region() -> None:
    for fn, lo, hi in [(("reciprocal",), 1, 2), (("log",), 1, 8), (("tan",), -1, 1), (("sqrt",), 1, 4)]:
        b = Build()
        graph = b.graph(b.add(Op.UNARY, b.input(4), fn=fn))
        assert quantize_with_report(graph, [Domain(lo, hi)], settings=LOOKUP)[1].regions == ()


def test_more_poles_than_tables_are_refused() -> None:
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.input(2), fn=("tan",)))
    with pytest.raises(UnsupportedOp, match="bends too often") as refused:
        quantize_with_report(graph, [Domain(-1000, 1000)], settings=LOOKUP)
    assert "smaller domain" in str(refused.value.hint)


@pytest.mark.parametrize("direct", [True, False], ids=["of an input", "of a layer"])
def test_logarithm_above_a_small_number_goes_on_working(direct: bool) -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.input(1, 4)
    x = x if direct else b.dense(x, rng.normal(size=(4, 3)))
    graph = b.graph(b.add(Op.UNARY, b.add(Op.ADD, b.add(Op.RELU, x), b.const(1e-3)), fn=("log",)))
    program, _ = quantize_with_report(graph, [Domain(-3, 3)], settings=LOOKUP)
    for x in rng.uniform(-3, 3, (40, 1, 4)):
        got = interpret.run(program, [quantize_input(program.nodes[program.inputs[0]], x)])[0]
        scale = program.nodes[program.outputs[0]].scale
        assert np.abs(got * scale - interpret.run_float(graph, [x])[0]).max() <= WANTED


# -- steps -------------------------------------------------------------------------------------------------------------


def cast(n: int = 8) -> onnx.ModelProto:
    return model(
        [node("Cast", ["x"], ["k"], to=TensorProto.INT32), node("Cast", ["k"], to=TensorProto.FLOAT)], {"x": [n]}
    )


def compared(op: str, c: float, n: int = 8) -> onnx.ModelProto:
    nodes = [node(op, ["x", "c"], ["t"]), node("Cast", ["t"], to=TensorProto.FLOAT)]
    return model(nodes, {"x": [n]}, constants={"c": np.float32(c)})


STEPS: list[tuple[str, Callable[[], onnx.ModelProto], tuple[float, ...]]] = [
    ("floor", lambda: one("Floor", 8), tuple(range(-3, 4))),
    ("ceil", lambda: one("Ceil", 8), tuple(range(-3, 4))),
    ("round", lambda: one("Round", 8), (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)),
    ("cast", lambda: cast(), (-3, -2, -1, 1, 2, 3)),
    ("sign", lambda: one("Sign", 8), (0.0,)),
    ("greater", lambda: compared("Greater", 0.3), (0.3,)),
    ("less", lambda: compared("Less", 0.3), (0.3,)),
    ("greater or equal", lambda: compared("GreaterOrEqual", -0.7), (-0.7,)),
    ("less or equal", lambda: compared("LessOrEqual", -0.7), (-0.7,)),
    ("equal", lambda: compared("Equal", 0.3), (0.3,)),
]


@pytest.mark.parametrize("data", [False, True], ids=["domain", "data"])
@pytest.mark.parametrize(("name", "make", "jumps"), STEPS, ids=[name for name, *_ in STEPS])
def test_steps_are_right_up_to_their_jumps(
    name: str, make: Callable[[], onnx.ModelProto], jumps: tuple[float, ...], data: bool
) -> None:
    rng = np.random.default_rng(0)
    samples = [[rng.uniform(-3.2, 3.2, 8).astype(np.float32)] for _ in range(12)] if data else None
    case = quantized(make(), None if data else [Domain(-3.2, 3.2)], samples)
    (region,) = case.report.regions
    width = region.high - region.low
    assert 0 < width < 2e-3
    at = np.array(jumps, dtype=np.float32)
    side = -1.0 if name in ("less", "greater or equal") else 1.0  # x < c is -x > -c
    assert region.contains((side * at).astype(np.float64)).all()
    points_ = np.concatenate([at + sign * 1.01 * width for sign in (-1, 1)]).astype(np.float32)
    x = np.concatenate([points_, at, rng.uniform(-3.1, 3.1, 8000)]).astype(np.float32)
    x = np.resize(x, (-(-x.size // 8), 8))
    wrong = np.concatenate([case.got(row) != case.want(row) for row in x[:40]])
    assert not (wrong & ~inside(case.report, side * x[:40].ravel())).any()
    assert not wrong[: 2 * len(jumps)].any()
    assert not wrong[2 * len(jumps) : 3 * len(jumps)].any()  # data that hold a threshold are equal to it
    reference = make_reference(name)
    off = np.concatenate([case.got(row) for row in x]) != reference(x.ravel())
    assert off.mean() < 1e-3


def make_reference(name: str) -> Callable[[np.ndarray], np.ndarray]:
    c = np.float32(-0.7 if name.endswith("or equal") else 0.3)
    rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round": np.rint,
        "cast": np.trunc,
        "sign": np.sign,
        "greater": lambda x: x > c,
        "less": lambda x: x < c,
        "greater or equal": lambda x: x >= c,
        "less or equal": lambda x: x <= c,
        "equal": lambda x: x == c,
    }
    return rules[name]


@pytest.mark.parametrize(("name", "make", "jumps"), STEPS, ids=[name for name, *_ in STEPS])
@pytest.mark.parametrize("step", [0.5, 0.125])
def test_steps_are_exact_on_a_declared_grid(
    name: str, make: Callable[[], onnx.ModelProto], jumps: tuple[float, ...], step: float
) -> None:
    case = quantized(make(), [Domain(-4, 4, scale=step)])
    assert case.report.regions == ()
    x = np.arange(-4, 4 + step, step)
    x = np.resize(x, (-(-x.size // 8), 8)).astype(np.float32)
    for k in range(len(x)):
        assert np.array_equal(case.got(x[k]), case.want(x[k]))


@pytest.mark.parametrize(("fn", "c"), [("greater", 0.0), ("equal", 0.0)])
def test_a_comparison_of_variables_names_their_difference(fn: str, c: float) -> None:
    nodes = [node("Greater" if fn == "greater" else "Equal", ["x", "y"], ["t"]), node("Where", ["t", "x", "y"], ["z"])]
    case = quantized(model(nodes, {"x": [4], "y": [4]}, ["z"]), [Domain(-3, 3), Domain(-2, 2)])
    (region,) = case.report.regions
    graph = prepare(frontend.load(case.onnx.SerializeToString()))
    assert graph.nodes[region.argument].op is Op.SUB
    assert region.contains(np.array([c])).all()
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = rng.uniform(-2, 2, (2, 4)).astype(np.float32)
        (trace,) = noise.observe(graph, [[x.astype(np.float64), y.astype(np.float64)]])
        (counts,) = noise.untouched(graph, trace, case.report.regions, graph.outputs)
        assert np.array_equal(counts, ~region.contains(x - y))
        assert np.abs(case.got(x, y) - case.want(x, y))[counts].max(initial=0) <= WANTED


def test_steps_of_a_layer_keep_enough_bits() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.dense(b.input(1, 8), rng.normal(size=(8, 6))), fn=("floor",)))
    program, report = quantize_with_report(graph, [Domain(-3, 3)], settings=LOOKUP)
    off, count = 0, 0
    for x in rng.uniform(-3, 3, (400, 1, 8)):
        got = interpret.run(program, [quantize_input(program.nodes[program.inputs[0]], x)])[0]
        wrong = got * program.nodes[program.outputs[0]].scale != interpret.run_float(graph, [x])[0]
        (trace,) = noise.observe(prepare(graph), [[x]])
        (region,) = report.regions
        assert not (wrong & ~region.contains(trace[region.argument])).any()
        off, count = off + int(wrong.sum()), count + wrong.size
    assert off / count < 1e-3


def test_a_jump_out_of_reach_has_no_region() -> None:
    for fn, lo, hi in [(("floor",), 0.1, 0.9), (("greater", 5.0), -1, 1), (("round",), -0.4, 0.4), (("sign",), 1, 2)]:
        b = Build()
        graph = b.graph(b.add(Op.UNARY, b.input(4), fn=fn))
        assert quantize_with_report(graph, [Domain(lo, hi)], settings=LOOKUP)[1].regions == ()


@pytest.mark.parametrize("fn", [("thresholded_relu", 0.7), ("shrink", 0.5, 0.0)])
@pytest.mark.parametrize("reach", [3.2, 1000.0])
def test_jumps_between_slopes(fn: tuple[str | float, ...], reach: float) -> None:
    b = Build()
    graph = b.graph(b.add(Op.UNARY, b.input(64), fn=fn))
    program, report = quantize_with_report(graph, [Domain(-reach, reach)], settings=LOOKUP)
    x = np.concatenate([np.linspace(-reach, reach, 3000), np.linspace(-1, 1, 1096)])
    first, out = program.nodes[program.inputs[0]], program.nodes[program.outputs[0]]
    got = np.concatenate([interpret.run(program, [quantize_input(first, row)])[0] for row in x.reshape(-1, 64)])
    ok = ~inside(report, x)
    assert ok.mean() > 0.95
    assert np.abs(got * out.scale - functions.evaluate(fn, x))[ok].max() <= WANTED


@pytest.mark.parametrize("system", ["groth16", "cg16"])
@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round", "Sign"])
def test_steps_are_proved_without_tables(op: str, system: str) -> None:
    made = one(op, 8)
    compiled = pipeline.compile_model(made.SerializeToString(), domains={"": Domain(-3.2, 3.2)}, system=system)
    x = np.array([-3.2, -2.5, -0.5, 0.0, 0.5, 1.5, 2.999, 3.2], dtype=np.float32)
    solution = solve(compiled.circuit, [quantize_input(compiled.program.nodes[compiled.program.inputs[0]], x)])
    check(compiled.circuit, solution.finish(secrets.randbelow(R)))
    assert not [n for n in compiled.program.nodes if n.op is Op.TABLE]
    got = interpret.run(compiled.program, [quantize_input(compiled.program.nodes[0], x)])[0]
    expected = {"Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Sign": np.sign}[op](x)
    assert np.array_equal(got * compiled.program.nodes[compiled.program.outputs[0]].scale, expected)
