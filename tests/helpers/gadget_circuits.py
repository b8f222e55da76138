"""The circuits of the graphs in ``graphs``, one or more for every gadget."""

from __future__ import annotations

from tests.helpers import graphs
from zkchain.circuit import Circuit, Visibility, synthesize
from zkchain.r1cs import System

ZOO = graphs.zoo()
LOOKUPS = graphs.lookup_zoo()
CASES = [(name, system) for name in ZOO for system in System] + [(name, System.CG16) for name in LOOKUPS]


def compiled(name: str, system: System) -> Circuit:
    graph = (ZOO | LOOKUPS)[name]
    return synthesize(graph, Visibility((False,) * len(graph.inputs), (True,) * len(graph.outputs)), system)
