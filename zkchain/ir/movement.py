"""Where movements bring elements from."""

from __future__ import annotations

import numpy as np

from zkchain.ir import interpret
from zkchain.ir.graph import MOVES, Graph
from zkchain.typing import IntArray


def origins(graph: Graph, index: int) -> tuple[IntArray, IntArray]:
    """The node that computes each element of a node, and the element's flat index there; both of the node's shape."""
    node = graph.nodes[index]
    if node.op not in MOVES:
        return np.full(node.shape, index, np.int64), np.arange(node.size, dtype=np.int64).reshape(node.shape)
    found = [origins(graph, s) for s in node.src]
    first, second = (interpret.COMMON[node.op](node, *(each[k] for each in found)) for k in (0, 1))
    return first, second
