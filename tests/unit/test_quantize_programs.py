"""Random networks, random inputs: values stay in their static ranges, outputs within the a-priori bound."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.float_graphs import Build, networks
from tests.helpers.graphs import bounds, span
from zkchain.errors import CompileError, InputError, UnsupportedOp
from zkchain.ir import interpret
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph, Op, check, constant
from zkchain.quantize import Domain, Settings, quantize, quantize_with_report
from zkchain.quantize.input_grid import resolve
from zkchain.quantize.lower.rules import lower
from zkchain.quantize.precision.allocate import allocate
from zkchain.quantize.precision.problem import pose
from zkchain.quantize.precision.search import DEVIATIONS, ends_seen, measure_points, planned
from zkchain.quantize.report import clamped, layers
from zkchain.rewrite.integers import CLAMP


def draw_inputs(graph: Graph, domain: Domain, rng: np.random.Generator) -> list[np.ndarray]:
    lo, hi = float(np.min(domain.lo)), float(np.max(domain.hi))
    shapes = [graph.nodes[i].shape for i in graph.inputs]
    return [np.where(rng.random(shape) < 0.2, hi, rng.uniform(lo, hi, shape)) for shape in shapes]


def run_quantized(program: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """All integer values; every one of them checked against its static range."""
    q = [quantize_input(program.nodes[i], x) for i, x in zip(program.inputs, inputs, strict=True)]
    values = interpret.run_all(program, q)
    for node, value in zip(program.nodes, values, strict=True):
        assert value.shape == node.shape
        lo, hi = bounds(node)
        assert np.all(lo <= value), f"{node.name} ({node.op}) falls below its static range"
        assert np.all(value <= hi), f"{node.name} ({node.op}) exceeds its static range"
    return values


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_values_stay_in_range_and_outputs_within_the_bound(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    domain = Domain(-2.0, 3.0)
    calibration = [draw_inputs(graph, domain, rng) for _ in range(3)]
    program, report = quantize_with_report(graph, [domain], calibration)
    clamped = any(node.name.endswith(CLAMP) for node in program.nodes)
    for _ in range(5):
        inputs = draw_inputs(graph, domain, rng)
        values = run_quantized(program, inputs)
        expected = interpret.run_float(graph, inputs)
        if not clamped:
            assert report.bounds[0] is not None
            got = values[program.outputs[0]] * program.nodes[program.outputs[0]].scale
            assert np.abs(got - expected[0]).max(initial=0) <= report.bounds[0] + 1e-9


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_the_wanted_error_is_kept_on_calibration_data(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    domain = Domain(-2.0, 3.0)
    calibration = [draw_inputs(graph, domain, rng) for _ in range(8)]
    _, report = quantize_with_report(graph, [domain], calibration, Settings(max_error=0.05))
    spread = np.ptp([interpret.run_float(graph, x)[0] for x in calibration])
    assert report.accuracy[0].max_error <= max(0.05, spread / 65536)
    assert all(layer.clamped == 0 for layer in report.layers)


def perceptron(seed: int = 0) -> Graph:
    rng = np.random.default_rng(seed)
    b = Build()
    hidden = b.add(Op.RELU, b.dense(b.input(1, 6), rng.normal(size=(6, 8)), rng.normal(size=8)))
    return b.graph(b.dense(hidden, rng.normal(size=(8, 3)), rng.normal(size=3)))


def test_accumulators_are_rescaled_once_and_outputs_not_at_all() -> None:
    program = quantize(perceptron(), [Domain(-1, 1)])
    ops = [node.op for node in program.nodes]
    assert ops.count(Op.RESCALE) == 1
    assert program.nodes[ops.index(Op.RELU)].src == (ops.index(Op.RESCALE),)
    assert program.nodes[program.outputs[0]].op is Op.ADD


def test_more_precision_costs_more_rows() -> None:
    coarse = quantize_with_report(perceptron(), [Domain(-1, 1)], settings=Settings(max_error=0.1))[1]
    fine = quantize_with_report(perceptron(), [Domain(-1, 1)], settings=Settings(max_error=1e-3))[1]
    assert coarse.rows < fine.rows
    assert fine.accuracy[0].max_error <= 1e-3 < coarse.accuracy[0].max_error


def test_bits_can_be_fixed() -> None:
    program, report = quantize_with_report(
        perceptron(), [Domain(-1, 1)], settings=Settings(weight_bits=8, activation_bits=10, input_bits=6)
    )
    weights = [n for n in program.nodes if n.op is Op.CONST and len(n.shape) == 2]
    assert all(64 <= np.abs(constant(n)).max() <= 128 for n in weights)
    assert program.nodes[program.inputs[0]].scale == 2.0**-5
    peak = max(abs(int(v)) for v in interpret.run_all(program, [np.full((1, 6), 16)])[report_node(program)].ravel())
    assert peak <= 2**10
    assert report.layers[0].clamp_bits is None


def report_node(program: Graph) -> int:
    return next(i for i, n in enumerate(program.nodes) if n.op is Op.RESCALE)


def deep(layers: int = 12) -> Graph:
    """Orthogonal layers: values keep their size, interval bounds grow fourfold a layer."""
    rng = np.random.default_rng(1)
    b = Build()
    x = b.input(1, 24)
    for _ in range(layers):
        x = b.add(Op.RELU, b.dense(x, np.linalg.qr(rng.normal(size=(24, 24)))[0] * 1.3))
    return b.graph(b.dense(x, rng.normal(size=(24, 2))))


def test_deep_networks_are_clamped_and_every_input_stays_provable() -> None:
    rng = np.random.default_rng(0)
    program, report = quantize_with_report(deep(), [Domain(-1, 1)], settings=Settings(max_range_bits=20))
    clamps = [n for n in program.nodes if n.name.endswith(CLAMP)]
    assert clamps
    assert all(span(n)[1] < 2**19 for n in clamps)
    assert all(layer.clamped == 0 for layer in report.layers)
    for _ in range(5):
        run_quantized(program, [np.sign(rng.normal(size=(1, 24)))])


def test_a_clamp_that_bites_is_counted() -> None:
    rng = np.random.default_rng(3)
    loud, quiet = ([[np.full((1, 24), size) * rng.normal(size=(1, 24))] for _ in range(4)] for size in (0.3, 0.01))
    tight = Settings(max_range_bits=4, clamp_margin_bits=0)
    program, _ = quantize_with_report(deep(), [Domain(-1, 1)], quiet, tight)
    runs = [interpret.run_all(program, [quantize_input(program.nodes[0], x[0])]) for x in quiet + loud]
    assert sum(layer.clamped for layer in layers(program, runs[:4])) == 0
    clamp = next(i for i, n in enumerate(program.nodes) if n.name.endswith(CLAMP))
    far = [np.where(v == v, 2**40, 0) for v in runs[0]]
    assert sum(layer.clamped for layer in layers(program, [far])) >= program.nodes[clamp].size
    assert clamped(program, runs[:4]) == 0 < clamped(program, [far])


def test_without_clamps_two_to_the_62_is_refused_with_them_it_is_not() -> None:
    graph = deep(layers=40)
    grids = resolve(graph, [Domain(-1, 1)], None)
    problem = pose(graph, grids, (), Settings())
    found, gains = measure_points(problem)
    plan = planned(problem, found, allocate(found, gains, 1 / DEVIATIONS, problem.settings), ends_seen(problem))
    with pytest.raises(CompileError, match=r"could reach 2\^6"):
        lower(problem.graph, replace(plan, slack=1000), grids)
    check(lower(problem.graph, replace(plan, slack=8), grids).graph, integer=True)
    assert any(node.name.endswith(CLAMP) for node in quantize(graph, [Domain(-1, 1)]).nodes)


def test_only_the_label_is_asked_for_softmax_and_sigmoid_go() -> None:
    for op, arg in ((Op.SOFTMAX, {"axis": 1}), (Op.UNARY, {"fn": ("sigmoid",)})):
        b = Build()
        logits = b.dense(b.input(1, 3), np.eye(3))
        program = quantize(b.graph(b.add(Op.ARGMAX, b.add(op, logits, **arg), shape=(1, 1), axis=1)), [Domain(-4, 4)])
        assert {node.op for node in program.nodes} <= {Op.INPUT, Op.CONST, Op.MATMUL, Op.ARGMAX}
        assert int(interpret.run(program, [quantize_input(program.nodes[0], [[0.5, 3.0, 1.0]])])[0][0, 0]) == 1


def test_inputs_need_a_domain_or_data() -> None:
    with pytest.raises(InputError, match="no domain is declared"):
        quantize(perceptron())
    with pytest.raises(InputError, match="expected 1 domains"):
        quantize(perceptron(), [Domain(0, 1), Domain(0, 1)])
    with pytest.raises(InputError, match="sample 0: expected 1 arrays"):
        quantize(perceptron(), None, [[np.zeros((1, 6)), np.zeros((1, 6))]])


def test_division_by_a_constant_zero_is_refused() -> None:
    b = Build()
    with pytest.raises(UnsupportedOp, match="Div"):
        quantize(b.graph(b.add(Op.DIV, b.input(2), b.const([1.0, 0.0]))), [Domain(0, 1)])


def test_progress_says_what_is_done() -> None:
    told: list[tuple[str, float]] = []
    quantize_with_report(perceptron(), [Domain(-1, 1)], progress=lambda stage, done: told.append((stage, done)))
    stages = [stage for stage, _ in told]
    assert stages[0] == "values of samples"
    assert {"round 1, what roundings do", "round 1, fraction bits, attempt 1", "round 1, points of the domain"} <= set(
        stages
    )
    assert any(re.fullmatch(r"round 1, a hunt from \d+ points", stage) for stage in stages)
    assert all(0.0 <= done < 1.0 for _, done in told)


def test_an_exception_from_progress_ends_quantising() -> None:
    def stop(stage: str, done: float) -> None:
        if "attempt" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_with_report(perceptron(), [Domain(-1, 1)], progress=stop)
