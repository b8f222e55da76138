"""Branches of the gadgets that no operator's example reaches: domains of one value, windows of one, maxima without a
rescale, constants on the left. And that every line of every gadget is reached by some example at all."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.gadget_circuits import CASES, compiled
from tests.helpers.graphs import Build
from tests.helpers.lies import challenge, lies, survives
from tests.helpers.trees import Forest, forest
from zkchain.circuit import Circuit, Visibility, check, gadgets, solve, synthesize
from zkchain.circuit.gadgets import lookup, plain
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Op
from zkchain.r1cs import System


def one_value(lo: int, hi: int) -> Graph:
    """Elements whose domain is a single value, beside one that varies."""
    b = Build()
    return b.graph(b.input((3,), [5, lo, -7], [5, hi, -7]))


def window(size: int, *, relu: bool, shift: int | None = None) -> Graph:
    b = Build()
    x = b.add(Op.REDUCE_MAX, b.input((2, size), -8, 7), shape=(2, 1), axis=1)
    if shift is not None:
        x = b.add(Op.RESCALE, x, shift=shift)
    return b.graph(b.add(Op.RELU, x) if relu else x)


def beside() -> Graph:
    b = Build()
    x, y = b.input((2, 2), -8, 7), b.input((2, 1), -3, 3)
    return b.graph(b.add(Op.RELU, b.add(Op.CONCAT, x, y, shape=(2, 3), axis=1)))


def constant_left() -> Graph:
    b = Build()
    x = b.input((2, 3), -8, 7)
    return b.graph(b.add(Op.RELU, b.add(Op.MATMUL, b.const([[1, -2], [3, 4]]), x, shape=(2, 3))))


def never_positive() -> Graph:
    b = Build()
    x = b.input((4,), [-9, -9, 0, 2], [-1, 0, 9, 9])
    return b.graph(b.add(Op.RELU, b.add(Op.RESCALE, x, shift=1)))


def argmax_of_equals() -> Graph:
    """Every margin is zero, by the domain."""
    b = Build()
    x = b.input((2, 3), 4, 4)
    return b.graph(b.add(Op.ARGMAX, x, shape=(2, 1), axis=1))


def decided() -> Graph:
    """Trees of which the domain decides most, and one that is a leaf; features of one value and of two."""
    b, leaf = Build(), Forest(roots=[-1], values=[np.array([3])])
    x = b.input((1, 3), [0, 5, -2], [1, 5, 9])
    drawn = forest(np.random.default_rng(4), depth=3, low=0, high=6)
    return b.graph(b.trees(x, drawn), b.trees(x, leaf))


def every_number() -> Graph:
    """An end between any two numbers of a feature: no range is left to check."""
    b = Build()
    ends = Forest(values=[np.array([k * k]) for k in range(5)], left=[-1, -2, -3, -4], right=[1, 2, 3, -5], roots=[0])
    ends.feature, ends.ends = [0] * 4, [[k] for k in range(1, 5)]
    return b.graph(b.trees(b.input((2, 1), 0, 4), ends))


def wide_features() -> Graph:
    """Intervals of very different width, and of both signs."""
    b = Build()
    x = b.input((1, 3), [-(1 << 40), 0, -5], [1 << 41, 3, 1 << 20])
    drawn = forest(np.random.default_rng(6), depth=3, low=-3, high=1 << 19)
    return b.graph(b.trees(x, drawn))


EDGES: dict[str, Callable[[], Graph]] = {
    "one value": lambda: one_value(-1, 1),
    "a window of one": lambda: window(1, relu=False),
    "a window of one, rescaled": lambda: window(1, relu=False, shift=2),
    "maximum and relu": lambda: window(3, relu=True),
    "concat": beside,
    "constant on the left": constant_left,
    "signs known": never_positive,
    "argmax of equals": argmax_of_equals,
    "trees that are decided": decided,
    "an end for every number": every_number,
    "wide features": wide_features,
}
BOTH = [(name, system) for name in EDGES for system in System]


def circuit_of(name: str, system: System) -> Circuit:
    graph = EDGES[name]()
    return synthesize(graph, Visibility((False,) * len(graph.inputs), (True,) * len(graph.outputs)), system)


@pytest.mark.parametrize(("name", "system"), BOTH)
def test_the_rows_hold_and_say_what_interpret_says(name: str, system: System) -> None:
    circuit, rng = circuit_of(name, system), np.random.default_rng(1)
    for _ in range(8):
        inputs = graphs.random_inputs(circuit.graph, rng)
        solution = solve(circuit, inputs)
        check(circuit, solution.finish(challenge(circuit)))
        shown = circuit.layout.decode(solution.instance)
        assert all(np.array_equal(a, b) for a, b in zip(shown, interpret.run(circuit.graph, inputs), strict=True))


@pytest.mark.parametrize(("name", "system"), BOTH)
def test_no_lie_survives(name: str, system: System) -> None:
    circuit, rng = circuit_of(name, system), np.random.default_rng(2)
    inputs = graphs.random_inputs(circuit.graph, rng)
    assert [lie for lie in lies(circuit, inputs, rng, per_hint=2) if survives(circuit, inputs, lie)] == []


def claims(circuit: Circuit, x: list[int]) -> bool:
    """Whether the rows hold for these inputs, which the honest solver would not admit."""
    honest = [np.broadcast_to(circuit.graph.nodes[i].lo, circuit.graph.nodes[i].shape) for i in circuit.graph.inputs]  # type: ignore[arg-type]
    lying = np.array(x, dtype=np.int64)
    try:
        solution = solve(circuit, honest, tamper=lambda first, node, v: lying if node == "x0" and len(v) == 3 else v)
        check(circuit, solution.finish(challenge(circuit)))
    except UnsatisfiedConstraint:
        return False
    return True


@pytest.mark.parametrize(("system", "kit"), [(System.GROTH16, plain), (System.CG16, lookup)])
def test_a_domain_of_one_value_is_enforced(system: System, kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = circuit_of("one value", system)
    assert claims(circuit, [5, 0, -7])
    assert [x for x in ([4, 0, -7], [6, 0, -7], [5, 0, 7], [5, 2, -7], [5, -2, -7]) if claims(circuit, x)] == []
    for check_of_range in ("interval", "fits"):  # a public number is checked in its own width too
        monkeypatch.setattr(kit, check_of_range, lambda *_: None, raising=kit is lookup)
    assert claims(circuit_of("one value", system), [6, 0, -7])


# ------------------------------------------------------------------------------------- examples reach every line


def statements(path: Path) -> Iterator[int]:
    """First lines of all statements inside functions, docstrings left out."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                    yield statement.lineno
                    yield from (node.lineno for node in ast.walk(statement) if isinstance(node, ast.stmt))


def test_every_line_of_every_gadget_is_reached() -> None:
    """By an example that is put before the lying prover, here or in test_circuit_soundness: a branch that is added
    without one shows here. The only exceptions serve one system and stand in the kit of the other."""
    folder = Path(gadgets.__path__[0])
    seen: dict[str, set[int]] = defaultdict(set)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(str(folder)):
            return None
        seen[frame.f_code.co_filename].add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        circuits = [compiled(*case) for case in CASES] + [circuit_of(*case) for case in BOTH]
        for circuit in circuits:
            inputs = graphs.random_inputs(circuit.graph, np.random.default_rng(0))
            solve(circuit, inputs).finish(challenge(circuit))
    finally:
        sys.settrace(before)
    missed = {
        f"{path.name}:{line}: {path.read_text().splitlines()[line - 1].strip()}"
        for path in folder.glob("*.py")
        for line in set(statements(path)) - seen[str(path)]
    }
    refusals = {line for line in missed if ": raise " in line}  # tested where circuits are refused
    assert {line for line in missed - refusals if "nonneg(em, v, (1 << bits) - 1)" not in line} == set()
