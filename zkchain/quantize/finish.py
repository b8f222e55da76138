"""Passes over the integer graph. Values of what stays are unchanged."""

from __future__ import annotations

from dataclasses import replace

from zkchain.graph import Graph, Node, Op, check
from zkchain.quantize.edit import Editor, consumers, copy, drop_dead, rewrite
from zkchain.quantize.ranges import interval


def finish(graph: Graph) -> Graph:
    """Drop what no output needs, then simplify; checked after every pass."""
    for step in (drop_dead, relu_into_clip, share):
        graph = step(graph)
        check(graph, integer=True)
    return graph


def relu_into_clip(graph: Graph) -> Graph:
    """RELU(CLIP(x, lo, hi)) = CLIP(x, max(lo, 0), hi) for hi >= 0."""
    readers = consumers(graph)

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        clip = editor[src[0]] if node.op is Op.RELU else node
        once = bool(node.src) and len(readers[node.src[0]]) == 1 and node.src[0] not in graph.outputs
        if node.op is not Op.RELU or clip.op is not Op.CLIP or not once or (clip.arg["hi"] or 0) < 0:
            return copy(editor, node, src)
        ends = {"lo": max(clip.arg["lo"] or 0, 0), "hi": clip.arg["hi"]}
        return _ranged(editor, replace(clip, arg=ends))

    return rewrite(graph, rule)


def share(graph: Graph) -> Graph:
    """Nodes that do the same to the same sources become one."""
    seen: dict[tuple[object, ...], int] = {}

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        if node.op is Op.INPUT:
            return copy(editor, node, src)
        arg = tuple(sorted((k, v.tobytes() if hasattr(v, "tobytes") else v) for k, v in node.arg.items()))
        value = None if node.value is None else node.value.tobytes()
        key = (node.op, src, node.shape, node.scale, arg, value)
        if key not in seen:
            seen[key] = copy(editor, node, src)
        return seen[key]

    return rewrite(graph, rule)


def _ranged(editor: Editor, node: Node) -> int:
    lo, hi = interval(node, [editor[s] for s in node.src])
    return editor.append(replace(node, lo=lo, hi=hi))
