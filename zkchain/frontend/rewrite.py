"""Rewrites."""

from zkchain.graph import Graph


def simplify(graph: Graph) -> Graph:
    return graph
