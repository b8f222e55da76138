"""Graphs as ONNX and onnxruntime want them: nodes in topological order, every name used once, recurrent layers whose
first axis is time."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import helper

from zkchain.errors import ModelError
from zkchain.frontend.table import names_read, node_name

RECURRENT = frozenset({"RNN", "GRU", "LSTM"})
BATCH_FIRST = {0: (1, 0, 2), 5: (1, 0, 2), 6: (1, 0, 2)}  # of the inputs x, initial_h, initial_c
TIME_FIRST = {0: (2, 0, 1, 3), 1: (1, 0, 2), 2: (1, 0, 2)}  # of the outputs Y, Y_h, Y_c


def tidy(graph: onnx.GraphProto) -> bool:
    """Sort the nodes of a graph and of its inner graphs, and number nodes of one name; in place. Whether anything
    changed. ModelError where nodes wait for each other."""
    changed = _sort(graph)
    seen: set[str] = set()
    for node in graph.node:
        if node.name and node.name in seen:
            node.name = next(new for new in _numbered(node.name) if new not in seen)
            changed = True
        seen.add(node.name)
        for inner in inner_graphs(node):
            changed = tidy(inner) or changed
    return changed


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of control flow."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def put_time_first(graph: onnx.GraphProto) -> bool:
    """Write recurrent layers of layout 1, which onnxruntime does not have, as such of layout 0 between transpositions,
    in place. Whether there was any."""
    nodes, changed = [], False
    for node in graph.node:
        for inner in inner_graphs(node):
            changed = put_time_first(inner) or changed
        layout = next((a for a in node.attribute if a.name == "layout" and a.i == 1), None)
        if node.op_type not in RECURRENT or layout is None:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        changed, layout.i = True, 0
        made = next(name for name in node.output if name)
        for names, orders, before in ((node.input, BATCH_FIRST, True), (node.output, TIME_FIRST, False)):
            for i, order in orders.items():
                if i < len(names) and names[i]:
                    outer, names[i] = names[i], f"{names[i]}/time first of {made}"
                    ends = (outer, names[i]) if before else (names[i], outer)
                    nodes.append(helper.make_node("Transpose", [ends[0]], [ends[1]], perm=order))
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    if changed:
        del graph.node[:]
        graph.node.extend(nodes)
        _sort(graph)
    return changed


def _numbered(name: str) -> Iterator[str]:
    k = 1
    while True:
        yield f"{name}_{k}"
        k += 1


def _sort(graph: onnx.GraphProto) -> bool:
    """Every node right after the last of those it reads; nodes that are in order already stay where they are."""
    makers: dict[str, int] = {}
    for i, node in enumerate(graph.node):
        for name in node.output:
            if name and makers.setdefault(name, i) != i:
                both = ", ".join(repr(node_name(graph.node[k])) for k in (makers[name], i))
                raise ModelError(
                    f"the value {name!r} is computed by two nodes: {both}",
                    hint="export it again with other names of inputs and outputs: one may be a name inside the model",
                )
    needs = [sorted({makers[name] for name in names_read(node) if name in makers}) for node in graph.node]
    if all(made < i for i, reads in enumerate(needs) for made in reads):
        return False
    order: list[int] = []
    state = [0] * len(needs)  # 1: waited for, 2: placed
    for first in range(len(needs)):
        path = [first]
        while path:
            i = path[-1]
            waiting = [s for s in needs[i] if state[s] != 2] if state[i] != 2 else []
            if not waiting:
                path.pop()
                if state[i] != 2:
                    state[i] = 2
                    order.append(i)
                continue
            state[i] = 1
            if state[waiting[0]] == 1:
                raise ModelError(
                    f"node {node_name(graph.node[waiting[0]])!r} waits for a value that is computed from its own",
                    hint="a model's graph must not contain cycles: export the model again",
                )
            path.append(waiting[0])
    nodes = [graph.node[i] for i in order]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return True
