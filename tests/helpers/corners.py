"""Every input of the domain is provable: asked where it breaks first, at the corners of the domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

import numpy as np

from tests.helpers.graphs import bounds
from tests.helpers.lies import challenge
from zkchain.circuit import Circuit, Visibility, check, solve, synthesize
from zkchain.circuit.emitter import Constraint
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Op, constant
from zkchain.r1cs import RowBlock, System
from zkchain.typing import IntArray


class Held(Circuit):
    """A small circuit that keeps its rows, to be checked many times."""

    @cached_property
    def _held(self) -> tuple[tuple[Constraint, RowBlock], ...]:
        return tuple(super().labelled_blocks())

    def labelled_blocks(self) -> Iterator[tuple[Constraint, RowBlock]]:
        yield from self._held


def compiled(graph: Graph, system: System) -> Circuit:
    """All that compiling checks: the rows are streamed once, for the digest."""
    circuit = synthesize(graph, Visibility((False,) * len(graph.inputs), (True,) * len(graph.outputs)), system)
    held = Held(**{f.name: getattr(circuit, f.name) for f in fields(circuit)})
    assert held.digest
    return held


def corners(graph: Graph, rng: np.random.Generator, random: int = 2) -> Iterator[list[IntArray]]:
    """In-domain inputs: all lows, all highs, alternating, nearest to zero, one step inside, random corners, random."""
    ends = []
    for i in graph.inputs:
        node = graph.nodes[i]
        assert node.lo is not None
        assert node.hi is not None
        ends.append((np.broadcast_to(node.lo, node.shape), np.broadcast_to(node.hi, node.shape)))
    odd = [np.arange(lo.size).reshape(lo.shape) % 2 == 1 for lo, _ in ends]
    yield [lo.copy() for lo, _ in ends]
    yield [hi.copy() for _, hi in ends]
    yield [np.where(at, *pair) for at, pair in zip(odd, ends, strict=True)]
    yield [np.where(at, hi, lo) for at, (lo, hi) in zip(odd, ends, strict=True)]
    yield [np.clip(0, lo, hi) for lo, hi in ends]
    yield [np.minimum(lo + 1, hi) for lo, hi in ends]
    yield [np.maximum(hi - 1, lo) for lo, hi in ends]
    for _ in range(random):
        yield [np.where(rng.random(lo.shape) < 0.5, lo, hi) for lo, hi in ends]
        yield [rng.integers(lo, hi, endpoint=True, dtype=np.int64) for lo, hi in ends]


def prove(circuit: Circuit, inputs: list[IntArray]) -> None:
    """Fails unless all rows hold, the instance says what `interpret` says, and every node keeps to its range."""
    graph = circuit.graph
    values = interpret.run_all(graph, inputs)
    for node, value in zip(graph.nodes, values, strict=True):
        lo, hi = bounds(node)
        assert np.all((lo <= value) & (value <= hi)), f"{node.name} leaves its range"
    solution = solve(circuit, inputs)
    check(circuit, solution.finish(challenge(circuit)))
    shown = circuit.layout.decode(solution.instance)
    assert all(np.array_equal(a, values[i]) for a, i in zip(shown, graph.outputs, strict=True))


PYTHON: Mapping[Op, Callable[..., Any]] = {
    **interpret.INTEGER,
    Op.CONST: lambda node: constant(node).astype(object),
    Op.RESCALE: lambda node, x: (x + (1 << node.arg["shift"] >> 1)) >> node.arg["shift"],
    Op.TABLE: lambda node, x: node.arg["values"].astype(object)[(x - node.arg["first"]).astype(np.int64)],
}


def exact(graph: Graph, inputs: list[IntArray]) -> None:
    """Fails unless int64 says of every node what Python's integers say: no number of `interpret` wrapped."""
    given = dict(zip(graph.inputs, (x.astype(object) for x in inputs), strict=True))
    true = interpret.evaluate(graph, given, PYTHON)
    for node, value, wanted in zip(graph.nodes, interpret.run_all(graph, inputs), true, strict=True):
        assert np.array_equal(value, wanted), f"{node.name} ({node.op}) is not what its integers give"
