"""Programs that declare wider ranges than they need: a file may, and nothing more may be proved of it for that."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.bn254 import R
from zkchain.circuit import Visibility, check, solve, synthesize
from zkchain.circuit.value import Numbers
from zkchain.errors import CompileError, UnsatisfiedConstraint
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of, interval
from zkchain.r1cs import System
from zkchain.rewrite.engine import readers

ZOO = {**graphs.zoo(), **graphs.lookup_zoo(), **graphs.forests()}


def widened(node: Node, lo: int, hi: int) -> Node:
    one = np.ones((1,) * len(node.shape), dtype=np.int64)
    return replace(node, lo=lo * one, hi=hi * one)


def test_a_clamp_holds_to_its_own_ends() -> None:
    b = graphs.Build()
    q = b.add(Op.RESCALE, b.input((1,), -3000, 3000), shift=2)
    z = b.add(Op.CLIP, q, lo=-3, hi=5)
    b.nodes[z] = widened(b.nodes[z], -1000, 1000)
    made = synthesize(b.graph(z), Visibility((False,), (True,)), System.CG16)
    first = 1 + made.n_public + 1

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:  # nothing over, nothing under, all kept
        return np.array([(0, 0, 300)[wire - first]], dtype=np.int64) if 0 <= wire - first < 3 else values

    check(made, solve(made, [np.array([1200])]).finish(secrets.randbelow(R)))
    with pytest.raises(UnsatisfiedConstraint):
        check(made, solve(made, [np.array([1200])], tamper=tamper).finish(secrets.randbelow(R)))


def loosened(graph: Graph, i: int) -> Node:
    """A constant by which something is multiplied, or looked up in, is declared to lie around zero, and no more."""
    node, by = graph.nodes[i], {graph.nodes[k].op for k in readers(graph)[i]}
    if node.value is None or not node.size or not by <= {Op.MATMUL, Op.CONV, Op.ROWS, Op.TREES}:
        return node
    reach = int(np.abs(node.value).max()) + 3
    return widened(node, -reach, reach)


@pytest.mark.parametrize("name", ZOO)
def test_ranges_hold_whatever_is_declared_of_constants(name: str) -> None:
    graph: Graph = ZOO[name]
    nodes = [loosened(graph, i) for i in range(len(graph.nodes))]
    found = [n if n.op in (Op.INPUT, Op.CONST) else None for n in nodes]
    for i, node in enumerate(nodes):
        if found[i] is None:
            sources = [source for s in node.src if (source := found[s]) is not None]
            lo, hi = interval(node, sources)
            found[i] = replace(node, lo=lo, hi=hi)
    rng = np.random.default_rng(5)
    for _ in range(5):
        values = interpret.run_all(graph, graphs.random_inputs(graph, rng))
        for held, value in zip(found, values, strict=True):
            assert held is not None
            lo, hi = bounds_of(held)
            assert np.all((lo <= value) & (value <= hi)), held


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("right", [True, False])
def test_a_range_that_loose_weights_seem_to_allow_is_refused(system: System, right: bool) -> None:
    # of 1 x, -100 <= x <= 100, with a weight that is declared as anything from 0 to 1
    b = graphs.Build()
    x, w = b.input((1,), -100, 100), b.const([1])
    b.nodes[w] = widened(b.nodes[w], 0, 1)
    product = b.add(Op.MATMUL, *((x, w) if right else (w, x)), shape=())
    b.nodes[product] = widened(b.nodes[product], 0, 0)
    graph = b.graph(b.add(Op.RELU, product))
    with pytest.raises(CompileError, match="its declared range does not hold"):
        synthesize(graph, Visibility((False,), (True,)), system)
