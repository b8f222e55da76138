"""The model of lookup rows: its precisions are those of the lowering, its walk saves rows within the error allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings

from tests.helpers.float_graphs import Build, networks
from zkchain.circuit import Visibility, synthesize
from zkchain.ir.graph import Graph, Node, Op, constant
from zkchain.ir.ranges import bits
from zkchain.quantize import Domain, Settings, quantize_with_report
from zkchain.quantize.input_grid import resolve
from zkchain.quantize.lower.builder import Builder, Memory
from zkchain.quantize.lower.precision import Plan
from zkchain.quantize.lower.rules import Lowered, lower
from zkchain.quantize.precision import constraint_cost, lookup_cost, lookup_rows, search
from zkchain.quantize.precision.allocate import allocate, squared_error
from zkchain.quantize.precision.one_table import shared_tables
from zkchain.quantize.precision.problem import Problem, pose
from zkchain.quantize.precision.search import (
    DEVIATIONS,
    SLACKS,
    Tried,
    _shown,
    _wider,
    ends_seen,
    lower_all,
    measure_points,
    planned,
)
from zkchain.r1cs import System
from zkchain.rewrite import finish
from zkchain.tables import Request, choose_tables

Bits = dict[tuple[int, int | None], int]
"""Precision of each activation (node, None) and weight (node, position)."""


def lowered(graph: Graph) -> tuple[Problem, Lowered, Bits]:
    grids = resolve(graph, [Domain(-2.0, 3.0)], None)
    problem = pose(graph, grids, (), Settings())
    found, gains = measure_points(problem)
    plan = planned(problem, found, allocate(found, gains, 1 / DEVIATIONS, problem.settings), ends_seen(problem))
    fine: Bits = {(i, None): bits for i, bits in plan.activation.items()}
    exact = {(p.node, p.position): p.exact for p in found if p.exact is not None}
    fine.update({key: min(bits, exact.get(key, bits)) for key, bits in plan.weight.items()})
    return problem, lower(problem.graph, plan, grids), fine


@given(networks())
@settings(max_examples=50)
def test_precisions_are_those_of_the_lowering(graph: Graph) -> None:
    problem, result, plan = lowered(graph)
    found = lookup_cost.precision(problem.graph, plan)
    for i, k in zip(problem.graph.outputs, result.graph.outputs, strict=True):
        assert result.graph.nodes[k].scale == 2.0 ** -found[i]
    for i, node in result.rescaled.items():
        assert node.scale == 2.0 ** -plan[i, None]
        assert node.arg["shift"] == found[i] - plan[i, None]


def convolutional() -> Graph:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.input(1, 1, 16, 16)
    x = b.pool(b.add(Op.RELU, b.conv(x, rng.normal(size=(4, 1, 3, 3)), rng.normal(size=4), pads=(1, 1, 1, 1))))
    x = b.pool(b.add(Op.RELU, b.conv(x, rng.normal(size=(8, 4, 3, 3)) / 3, rng.normal(size=8), pads=(1, 1, 1, 1))))
    x = b.dense(b.add(Op.RESHAPE, x, shape=(1, 128)), rng.normal(size=(128, 10)) / 8)
    return b.graph(x, b.add(Op.ARGMAX, x, shape=(1, 1), axis=1))


def test_the_walk_saves_rows_within_the_error_allowed() -> None:
    problem, result, _ = lowered(convolutional())
    found, gains = measure_points(problem)
    start = allocate(found, gains, 0.25, Settings())
    sites = lookup_cost.sites(problem.graph, result.rescaled, result.compared)
    assert sorted(site.window for site in sites) == [1, 4, 4]
    model = lookup_cost.Model(problem.graph, found, sites, lookup_cost.Requests())
    tuned = lookup_cost.tune(model, gains, start, 0.25, [True] * len(found))
    assert squared_error(found, gains, tuned) <= max(0.25**2, squared_error(found, gains, start))
    rows = [choose_tables(model.requests(tuple(bits))).rows for bits in (start, tuned)]
    assert rows[1] < rows[0]
    assert lookup_cost.tune(model, gains, start, 0.25, [False] * len(found)) == start


def test_counted_rows_are_those_of_all_requests() -> None:
    problem, result, _ = lowered(convolutional())
    found, gains = measure_points(problem)
    bits = allocate(found, gains, 0.25, Settings())
    sites = lookup_cost.sites(problem.graph, result.rescaled, result.compared)
    model = lookup_cost.Model(problem.graph, found, sites, lookup_cost.Requests({Request(256, exact=True): 256}))
    chosen = choose_tables(model.requests(tuple(bits)))
    walk = lookup_cost.Walk(model, list(bits), chosen)
    start = walk.rows
    for k in range(len(bits)):
        moved = tuple(b + (j == k) for j, b in enumerate(bits))
        walk.step({k: bits[k] + 1})
        assert walk.rows == lookup_cost.rows_with(chosen, model.requests(moved).items())
        assert walk.state.found == lookup_cost.precision(problem.graph, model.plan(moved))
        walk.step({k: bits[k]})
        assert walk.rows == start


def recurrent() -> Graph:
    """Steps h = tanh(x W + h R), of which the last ones count the most."""
    rng = np.random.default_rng(0)
    b = Build()
    x = b.input(1, 6)
    state = x
    for _ in range(4):
        state = b.add(Op.UNARY, b.dense(state, rng.normal(size=(6, 6))), fn=("tanh",))
    return b.graph(b.dense(state, rng.normal(size=(6, 3))))


def test_uses_of_one_table_are_chosen_together() -> None:
    """One precision for all arguments, one for all values: not the finest that any alone would get, and the error
    allowed is kept. A table of few entries alone makes arguments coarser."""
    problem = pose(recurrent(), resolve(recurrent(), [Domain(-2.0, 3.0)], None), (), Settings())
    found, gains = measure_points(problem)
    shared = shared_tables(problem.graph, found, problem.settings)
    values, arguments = (sorted(each.members) for each in shared)
    assert [len(values), len(arguments)] == [4, 4]
    alone, together = (allocate(found, gains, 0.25, problem.settings, shared=each) for each in ((), shared))
    for members in (values, arguments):
        assert len({together[k] for k in members}) == 1
        assert together[members[0]] <= max(alone[k] for k in members)
    assert squared_error(found, gains, together) <= 0.25**2
    few = [replace(each, table_bits=1) for each in shared]
    long = allocate(found, gains, 0.25, problem.settings, shared=few)
    assert squared_error(found, gains, long) <= 0.25**2
    assert shared_tables(problem.graph, found, Settings(activation_bits=12)) == []


def test_a_whole_number_shares_no_precision() -> None:
    """1 / n of a count beside 1 / x and 1 / y: the count needs no fraction bits, and takes none from the others."""
    b = Build()
    there, x = b.input(1, 4), b.input(1, 1)
    square = b.add(Op.MUL, x, x)
    numbers = [
        b.add(Op.ADD, b.add(Op.SUM, there, shape=(1, 1), axes=(1,)), b.const(20.0)),
        *(b.add(Op.ADD, square, b.const(least)) for least in (0.5, 0.75)),
    ]
    first, *others = (b.add(Op.UNARY, y, fn=("reciprocal",)) for y in numbers)
    for other in others:
        first = b.add(Op.ADD, first, other)
    graph, domain = b.graph(first), [Domain(0, 1, 1.0), Domain(-2.0, 3.0)]
    problem = pose(graph, resolve(graph, domain, None), (), Settings())
    found, _ = measure_points(problem)
    arguments = [s.members for s in shared_tables(problem.graph, found, problem.settings) if s.fn is not None]
    assert [{found[k].exact for k in members} for members in arguments] == [{None}]
    report = quantize_with_report(graph, domain, settings=Settings(cost="lookup"))[1]
    assert report.accuracy[0].max_error < 0.01


def test_slacks_that_are_not_lowered_would_give_the_same() -> None:
    problem = pose(recurrent(), resolve(recurrent(), [Domain(-2.0, 3.0)], None), (), Settings())
    found, gains = measure_points(problem)
    plan = planned(problem, found, allocate(found, gains, 0.25, problem.settings), ends_seen(problem))
    skipped = lower_all(problem, plan, SLACKS)
    assert len({id(each) for each in skipped.values()}) < len(SLACKS)
    for slack in SLACKS:
        each, ours = lower(problem.graph, replace(plan, slack=slack), problem.grids), skipped[slack]
        assert isinstance(ours, Tried)
        assert ours.raw.clamps == each.clamps
        assert ours.rows == constraint_cost.total(finish(each.graph))


def test_lowerings_that_remember_others_are_the_same() -> None:
    """Whatever was lowered before with one memory: plans that differ by bits or slack, and another network."""
    memory = Memory()
    for graph in (recurrent(), convolutional()):
        problem = pose(graph, resolve(graph, [Domain(-2.0, 3.0)], None), (), Settings(cost="lookup"))
        found, gains = measure_points(problem)
        for error in (0.25, 0.25, 0.2, 0.05):
            bits = allocate(found, gains, error, problem.settings)
            for slack in (24, 2):
                plan = replace(planned(problem, found, bits, ends_seen(problem)), slack=slack)
                alone, remembered = (lower(problem.graph, plan, problem.grids, each) for each in (None, memory))
                assert [described(n) for n in alone.graph.nodes] == [described(n) for n in remembered.graph.nodes]
                assert all(np.array_equal(*each) for each in zip(alone.bounds, remembered.bounds, strict=True))
                assert alone.clamps == remembered.clamps


def described(node: Node) -> tuple[object, ...]:
    arrays = [None if each is None else (each.shape, each.tobytes()) for each in (node.value, node.lo, node.hi)]
    return (node.op, node.src, node.shape, node.scale, repr(node.arg), *arrays)


def test_a_memory_forgets_what_two_lowerings_did_not_ask_for() -> None:
    memory, array = Memory(), np.arange(3)
    assert memory.same(array) is array
    assert memory.same(np.arange(3)) is array
    for _ in range(4):  # given up: nothing is forgotten
        memory.turn()
    assert memory.same(np.arange(3)) is array
    for _ in range(2):
        memory.keep()
        memory.turn()
        assert memory.same(np.arange(3)) is array  # asked for: remembered for another turn
    for _ in range(2):
        memory.keep()
        memory.turn()
    assert memory.same(other := np.arange(3)) is other


@pytest.mark.parametrize("squared_first", [False, True])
def test_a_square_is_no_product_of_numbers_with_the_same_range(squared_first: bool) -> None:
    out, ends = Builder(Memory()), (np.array([-3, -3]), np.array([3, 3]))
    x, y = (out.input(name, (2,), 0, *ends, 0.0) for name in "xy")
    lows = {}
    for other in (x, y) if squared_first else (y, x):
        low = out[out.add(Op.MUL, "p", (x, other), 0)].lo
        assert low is not None
        lows[other.index] = int(low.min())
    assert lows == {x.index: 0, y.index: -9}


def test_settings_reach_the_walk() -> None:
    costs: tuple[Literal["plain", "lookup"], ...] = ("plain", "lookup")
    for cost in costs:
        _, report = quantize_with_report(convolutional(), [Domain(0.0, 1.0)], settings=Settings(cost=cost))
        assert report.accuracy[0].max_error <= 1e-2
    program, _ = quantize_with_report(
        convolutional(), [Domain(0.0, 1.0)], settings=Settings(cost="lookup", weight_bits=9, input_bits=5)
    )
    assert program.nodes[program.inputs[0]].scale == 2.0**-4
    weights = [n for n in program.nodes if n.op is Op.CONST and len(n.shape) == 4]
    assert all(128 <= np.abs(constant(n)).max() <= 256 for n in weights)


def attention() -> Graph:
    """Scores of two values, their softmax, and a product with a third: wide by interval arithmetic, small in fact."""
    rng = np.random.default_rng(5)
    b = Build()
    x = b.input(1, 8, 6)
    q, k, v = (b.dense(x, rng.normal(size=(6, 4)) / 3) for _ in range(3))
    turned = b.add(Op.TAKE, k, shape=(1, 4, 8), index=np.arange(32).reshape(8, 4).T[None])
    scores = b.add(Op.MATMUL, q, turned, shape=(1, 8, 8))
    mixed = b.add(Op.MATMUL, b.add(Op.SOFTMAX, scores, axis=2), v, shape=(1, 8, 4))
    return b.graph(b.dense(mixed, rng.normal(size=(4, 3)) / 2))


def searched(graph: Graph) -> tuple[int, float, float]:
    """Rows of the circuit, their estimate, and the error on the samples."""
    problem = pose(graph, resolve(graph, [Domain(-2.0, 3.0)], None), (), Settings(cost="lookup"))
    found = search.search(problem)
    shown = graph.outputs  # what is watched beside them is no output of the circuit
    program = replace(found.graph, outputs=found.graph.outputs[: len(shown)], output_names=graph.output_names)
    circuit = synthesize(program, Visibility((False,), (True,) * len(shown)), System.CG16)
    return circuit.n_rows, lookup_rows.total(program), search._measured(problem, found)


def test_the_estimate_is_close_to_the_circuit() -> None:
    for graph in (convolutional(), attention()):
        rows, estimate, _ = searched(graph)
        assert 0.85 * rows < estimate < 1.15 * rows


def test_what_takes_more_rows_than_it_saves_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, error = searched(attention())
    monkeypatch.setattr(search, "_opened", lambda problem, taken, memory: taken)
    before, _, error_before = searched(attention())
    assert rows < 0.98 * before
    assert error <= max(1.2 * error_before, 1.0)


def test_clamps_and_products_may_be_left_out_but_outputs_get_no_wider() -> None:
    problem, result, _ = lowered(attention())
    widened = [change(Plan({}, dict.fromkeys(result.rescaled, 0), {}, 0, 0)) for change in _wider(problem, result)]
    assert any(not plan.open for plan in widened)
    assert all(len(plan.activation) == len(result.rescaled) - (not plan.open) for plan in widened)
    problem, result, _ = lowered(convolutional())
    assert not _wider(problem, result)
    program = finish(result.graph)
    (numbers, label) = (program.nodes[i] for i in program.outputs)
    assert _shown(program) == numbers.size * bits(numbers) + bits(label)
