"""Every gadget at every width from 2^40 to the bound of 2^62, in both systems: a circuit that compiles proves every
input of its domain; one that could not is refused while it is compiled, by the name of the node."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.helpers import float_graphs
from tests.helpers.corners import compiled, corners, exact, prove
from tests.helpers.graphs import Build, extreme
from tests.helpers.trees import Forest
from zkchain.circuit import Circuit, solve
from zkchain.errors import CompileError, InputError, UnsupportedOp, ZkchainError
from zkchain.ir import interpret
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import Domain, Settings, quantize
from zkchain.quantize.precision.allocate import allocate, squared_error
from zkchain.quantize.precision.noise import Point
from zkchain.r1cs import System

Gadget = Callable[[Build, int, int], int]


def along(op: Op, **arg: Any) -> Gadget:
    k = arg.get("k", 1)
    return lambda b, lo, hi: b.add(op, b.input((2, 3), lo, hi), shape=(2, k), axis=1, **arg)


def of_one(op: Op, **arg: Any) -> Gadget:
    return lambda b, lo, hi: b.add(op, b.input((3,), lo, hi), **arg)


def of_two(op: Op) -> Gadget:
    return lambda b, lo, hi: b.add(op, b.input((3,), lo, hi), b.input((3,), lo, hi))


def rescaled(shift: int, *behind: Op) -> Gadget:
    def gadget(b: Build, lo: int, hi: int) -> int:
        x = b.add(Op.RESCALE, b.input((3,), lo, hi), shift=shift)
        for op in behind:
            arg: dict[str, Any] = {"lo": 0, "hi": 7} if op is Op.CLIP else {}
            x = b.add(op, x, **arg)
        return x

    return gadget


def pooled(shift: int, *, relu: bool) -> Gadget:
    def gadget(b: Build, lo: int, hi: int) -> int:
        x = b.add(Op.RESCALE, along(Op.REDUCE_MAX)(b, lo, hi), shift=shift)
        return b.add(Op.RELU, x) if relu else x

    return gadget


def product(b: Build, lo: int, hi: int) -> int:
    """Of numbers of half the width, so that the product has it whole."""
    half = (1 << (max(-lo, hi).bit_length() + 1) // 2) - 1
    return b.add(Op.MUL, b.input((3,), -half, half), b.input((3,), -half, half))


def squared(b: Build, lo: int, hi: int) -> int:
    half = (1 << (max(-lo, hi).bit_length() + 1) // 2) - 1
    x = b.input((2, 2), -half, half)
    return b.add(Op.RELU, b.add(Op.MATMUL, x, x, shape=(2, 2)))


def weighed(b: Build, lo: int, hi: int) -> int:
    """A bit times a weight of the whole width: the coefficients are wide, the numbers are too."""
    x = b.input((1, 2), 0, 1)
    return b.add(Op.RELU, b.add(Op.MATMUL, x, b.const([[hi, lo], [lo, -1]]), shape=(1, 2)))


def looked_up(b: Build, lo: int, hi: int) -> int:
    return b.add(Op.TABLE, b.input((3,), hi - 2, hi), first=hi - 3, values=np.array([lo, hi, 0, -1]))


def compared(b: Build, lo: int, hi: int) -> int:
    """Numbers of the whole width, and leaves of it."""
    ends = [[lo + 1], [hi], [0]]
    drawn = Forest(feature=[0, 1, 2], ends=ends, left=[1, -1, -2], right=[2, -3, -4], roots=[0])
    drawn.values = [np.array([end // 2]) for end in (lo, hi, 1, -1)]
    return b.trees(b.input((1, 3), lo, hi), drawn)


GADGETS: dict[str, Gadget] = {
    "trees": compared,
    "interval": lambda b, lo, hi: b.input((3,), lo, hi),
    "relu": of_one(Op.RELU),
    "clip": of_one(Op.CLIP, lo=-5, hi=9),
    "clip from below": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=lo + 1, hi=None),
    "clip from above": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=None, hi=hi - 1),
    "clip far below": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=1 - (1 << 62), hi=(1 << 62) - 1),
    "max": of_two(Op.MAX),
    "min": of_two(Op.MIN),
    "add": of_two(Op.ADD),
    "sub": of_two(Op.SUB),
    "mul": product,
    "matmul of variables": squared,
    "wide weights": weighed,
    "reduce_max": along(Op.REDUCE_MAX),
    "reduce_min": along(Op.REDUCE_MIN),
    "argmax": along(Op.ARGMAX),
    "top": along(Op.TOP, k=2),
    "top_index": along(Op.TOP_INDEX, k=3),
    "rescale by 1": rescaled(1),
    "rescale by 20": rescaled(20),
    "rescale by 39": rescaled(39),
    "rescale by 61": rescaled(61),
    "rescale, relu": rescaled(20, Op.RELU),
    "rescale by 60, relu": rescaled(60, Op.RELU),
    "rescale, clip": rescaled(30, Op.CLIP),
    "pool, rescale": pooled(20, relu=False),
    "pool, rescale, relu": pooled(20, relu=True),
    "pool, rescale by 61, relu": pooled(61, relu=True),
    "table": looked_up,
}
DOMAINS: dict[str, Callable[[int], tuple[int, int]]] = {
    "both signs": lambda k: (-(1 << k), 1 << k),
    "a power": lambda k: (-(1 << k), (1 << k) - 1),
    "not negative": lambda k: (0, (1 << k) - 1),
    "not positive": lambda k: (-(1 << k) - 1, 0),
    "lopsided": lambda k: (-3, (1 << k) + (1 << k >> 1)),
    "far from zero": lambda k: ((1 << k) - 5, (1 << k) + 1),
}


def graph_of(gadget: str, lo: int, hi: int) -> Graph:
    b = Build()
    out = GADGETS[gadget](b, lo, hi)
    return b.graph(out)


def proves_or_is_refused(gadget: str, system: System, lo: int, hi: int) -> bool:
    """Whether it compiles, and then proves; False: refused, by name."""
    try:
        circuit = compiled(graph_of(gadget, lo, hi), system)
    except CompileError as error:
        assert str(error).startswith("node '")  # noqa: PT017
        return False
    for inputs in corners(circuit.graph, np.random.default_rng(0), random=1):
        prove(circuit, inputs)
    return True


CASES = [(name, system) for name in GADGETS for system in System if (name, system) != ("table", System.GROTH16)]


@pytest.mark.parametrize(("gadget", "system"), CASES)
def test_what_compiles_proves(gadget: str, system: System) -> None:
    assert proves_or_is_refused(gadget, system, *DOMAINS["both signs"](40))
    proves_or_is_refused(gadget, system, *DOMAINS["lopsided"](60))
    proves_or_is_refused(gadget, system, 1 - (1 << 62), (1 << 62) - 1)


GRAPHS = int(os.environ.get("ZKCHAIN_RANDOM_GRAPHS", "200"))
"""Of the slow run, of each kind; 1000 is an hour."""
WIDTHS = range(40, 63) if GRAPHS >= 1000 else (44, 53, 59, 61)


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(("gadget", "system"), CASES)
def test_what_compiles_proves_at_other_widths(gadget: str, system: System, domain: str) -> None:
    for k in WIDTHS:
        proves_or_is_refused(gadget, system, *DOMAINS[domain](k))


@pytest.mark.parametrize(("lo", "hi"), [(-(1 << 59), (1 << 61) + 3), (-(1 << 61) - 7, (1 << 60) + 3)])
def test_a_shifted_lowest_chunk_keeps_its_coefficients(lo: int, hi: int) -> None:
    """The lowest chunk of a wide number holds the others with coefficients up to 2^48; narrower than its table, it is
    looked up times a power of two as well, where they reached 2^63 and wrapped: all inputs were refused."""
    b = Build()
    circuit = compiled(b.graph(b.add(Op.MAX, b.input((3,), lo, hi), b.input((3,), lo, hi))), System.CG16)
    for inputs in corners(circuit.graph, np.random.default_rng(0)):
        prove(circuit, inputs)


def prove_at_corners(circuit: Circuit, rng: np.random.Generator) -> None:
    for inputs in corners(circuit.graph, rng, random=1):
        prove(circuit, inputs)
        exact(circuit.graph, inputs)


def random_integers_prove(seed: int) -> int:
    """How many of the two systems' circuits of a random graph compile; each proves at all corners."""
    graph, found = extreme(np.random.default_rng(seed)), 0
    for system in System:
        rng = np.random.default_rng(seed)
        try:
            circuit = compiled(graph, system)
        except UnsupportedOp:
            assert system is System.GROTH16  # a lookup table
            continue
        except CompileError as error:
            assert str(error).startswith("node '")  # noqa: PT017
            continue
        prove_at_corners(circuit, rng)
        found += 1
    return found


def random_numbers_prove(seed: int) -> int:
    """The same of random float graphs, quantised."""
    found = 0
    for system in System:
        rng = np.random.default_rng(seed)
        graph = float_graphs.extreme(rng, tables=system is System.CG16)
        reach = 2.0 ** float(rng.uniform(-50, 61))
        lo = float(rng.choice([-reach, 0.0, -reach / 3, reach * 0.9]))
        step = None if rng.random() < 0.6 else (reach - lo) / 2.0 ** int(rng.integers(1, 55))
        cost = Settings(cost="lookup" if system is System.CG16 else "plain", table_bits=8)
        try:
            circuit = compiled(quantize(graph, [Domain(lo, reach, step)], settings=cost), system)
        except (CompileError, UnsupportedOp):
            continue
        prove_at_corners(circuit, rng)
        found += 1
    return found


@pytest.mark.parametrize("block", range(3))
def test_random_integer_graphs_prove_at_the_corners_of_their_domains(block: int) -> None:
    assert sum(random_integers_prove(seed) for seed in range(12 * block, 12 * block + 12)) >= 12


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("block", range(2))
def test_random_float_graphs_prove_at_the_corners_of_their_domains(block: int) -> None:
    assert sum(random_numbers_prove(seed) for seed in range(4 * block, 4 * block + 4)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("block", range(GRAPHS // 20))
def test_many_random_integer_graphs_prove(block: int) -> None:
    assert sum(random_integers_prove(seed) for seed in range(20 * block, 20 * block + 20)) >= 20


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("block", range(GRAPHS // 20))
def test_many_random_float_graphs_prove(block: int) -> None:
    assert sum(random_numbers_prove(seed) for seed in range(20 * block, 20 * block + 20)) >= 20


# ---------------------------------------------------------------------------- numbers that no integer is near


def quantized(make: Callable[[float_graphs.Build, int], int], system: System = System.GROTH16) -> Graph:
    b = float_graphs.Build()
    x = b.input(1, 2)
    cost = Settings(cost="lookup" if system is System.CG16 else "plain")
    return quantize(b.graph(make(b, x)), [Domain(-2, 3)], settings=cost)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("system", list(System))
@pytest.mark.parametrize(
    ("lo", "hi"), [(-1e18, 1e18), (-1e20, 1e25), (-1e30, 1e30), (-np.inf, np.inf), (None, 1e300), (-1e300, None)]
)
def test_clip_ends_beyond_all_numbers_do_nothing(lo: float | None, hi: float | None, system: System) -> None:
    graph = quantized(lambda b, x: b.dense(b.add(Op.CLIP, x, lo=lo, hi=hi), np.eye(2)), system)
    x = np.array([[-2.0, 3.0]])
    node = graph.nodes[graph.inputs[0]]
    got = interpret.run(graph, [quantize_input(node, x)])[0] * graph.nodes[graph.outputs[0]].scale
    assert np.abs(got - x).max() < 0.02
    for inputs in corners(graph, np.random.default_rng(0)):
        prove(compiled(graph, system), inputs)


def clipped(ends: dict[str, Any], b: float_graphs.Build, x: int) -> int:
    return b.add(Op.CLIP, x, **ends)


@pytest.mark.parametrize("end", [1e30, np.inf])
def test_a_clip_that_lets_only_such_numbers_through_is_refused(end: float) -> None:
    for ends in ({"lo": end, "hi": None}, {"lo": None, "hi": -end}):
        with pytest.raises(ZkchainError, match="node 'clip_1'"):
            quantized(partial(clipped, ends))


@pytest.mark.parametrize("op", [Op.MAX, Op.MIN, Op.ADD, Op.MUL])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e300, -1e300])
def test_constants_beyond_all_numbers_are_refused_or_compile(op: Op, value: float) -> None:
    try:
        graph = quantized(lambda b, x: b.add(op, x, b.const([value, 1.0])))
    except ZkchainError as error:
        assert "'c1'" in str(error)  # noqa: PT017
        return
    for inputs in corners(graph, np.random.default_rng(0)):
        prove(compiled(graph, System.GROTH16), inputs)


def test_steps_that_float64_does_not_hold_are_refused() -> None:
    for size in (1e-200, 1e200):

        def layers(b: float_graphs.Build, x: int, size: float = size) -> int:
            for _ in range(2):
                x = b.add(Op.RELU, b.dense(x, np.eye(2) * size))
            return x

        with pytest.raises(ZkchainError, match="node "):
            quantized(layers)


def point(top: float = 1.0) -> Point:
    return Point(0, None, "activation", top, None, 1.0)


@pytest.mark.parametrize("gain", [np.inf, np.nan])
def test_a_gain_that_is_no_number_gets_all_bits_and_changes_no_other(gain: float) -> None:
    usual = allocate([point()], [1.0], 1e-3, Settings())
    assert allocate([point(), point()], [1.0, gain], 1e-3, Settings()) == [*usual, point().limits()[1]]


def test_gains_and_magnitudes_at_the_ends_of_float64_are_allocated() -> None:
    points = [point(), point(1e300), point(1e-300), point(np.inf)]
    assert allocate(points, [0.0, 1e300, 1e-300, 1.0], 1e-3, Settings())[0] == point().limits()[0]
    assert squared_error([point(1e300)], [1e300], [-900]) == np.inf


@pytest.mark.parametrize(
    ("op", "arg"),
    [
        (Op.CLIP, {"lo": None, "hi": 1 << 70}),
        (Op.CLIP, {"lo": 0.5, "hi": None}),
        (Op.RESCALE, {"shift": 62}),
        (Op.RESCALE, {"shift": 1.0}),
        (Op.TABLE, {"first": 1 << 64, "values": np.array([1, 2])}),
        (Op.TABLE, {"first": 0, "values": np.array([1, 1 << 62])}),
    ],
)
def test_arguments_are_integers_that_fit(op: Op, arg: dict[str, Any]) -> None:
    b = Build()
    x = b.input((2,), 0, 1)
    with pytest.raises(CompileError, match=f"node '{op}_1'.*expected "):
        b.add(op, x, **arg)


@pytest.mark.parametrize("system", list(System))
def test_inputs_that_are_no_integers_are_refused(system: System) -> None:
    b = Build()
    circuit = compiled(b.graph(b.input((2,), 0, 9)), system)
    with pytest.raises(InputError, match=r"expected integers of shape \(2,\), got float64"):
        solve(circuit, [np.array([1.0, np.nan])])
