"""Where movements bring elements from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zkchain.ir import interpret
from zkchain.ir.graph import MOVES, Graph
from zkchain.typing import IntArray


def origins(graph: Graph, index: int) -> tuple[IntArray, IntArray]:
    """The node that computes each element of a node, and the element's flat index there; both of the node's shape."""
    moved, found = {index}, dict[int, tuple[IntArray, IntArray]]()
    for k in range(index, -1, -1):
        if k in moved and graph.nodes[k].op in MOVES:
            moved.update(graph.nodes[k].src)
    for k in sorted(moved):
        node = graph.nodes[k]
        if node.op in MOVES:
            nodes, elements = zip(*(found[s] for s in node.src), strict=True)
            move = interpret.COMMON[node.op]
            found[k] = np.asarray(move(node, *nodes)), np.asarray(move(node, *elements))
        else:
            found[k] = np.full(node.shape, k, np.int64), np.arange(node.size, dtype=np.int64).reshape(node.shape)
    return found[index]


def firsts(graph: Graph, index: int, axis: int) -> npt.NDArray[np.bool_]:
    """Which elements of a node's windows along an axis, (windows, size), occur in their window for the first time."""
    node, element = (np.moveaxis(each, axis, -1) for each in origins(graph, index))
    size = node.shape[-1]
    key = (node * (element.max(initial=0) + 1) + element).reshape(-1, size)
    order = np.argsort(key, axis=1, kind="stable")
    ordered = np.take_along_axis(key, order, axis=1)
    found = np.ones(key.shape, dtype=np.bool_)
    np.put_along_axis(found, order[:, 1:], ordered[:, 1:] != ordered[:, :-1], axis=1)
    return found
