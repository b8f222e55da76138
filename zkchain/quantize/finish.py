"""Passes over the integer graph. Values of what stays are unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zkchain.ir.graph import Graph, Node, Op, check
from zkchain.ir.ranges import interval
from zkchain.quantize.edit import CLAMP, Editor, consumers, copy, drop_dead, rewrite

CLIPS = frozenset({Op.RELU, Op.CLIP})


def finish(graph: Graph) -> Graph:
    """Drop what no output needs, then simplify; checked after every pass."""
    for step in (drop_dead, merge_clips, share):
        graph = step(graph)
        check(graph, integer=True)
    return graph


def merge_clips(graph: Graph) -> Graph:
    """CLIP(CLIP(x, a, b), c, d) = CLIP(x, clip(a, c, d), clip(b, c, d)); a RELU is a CLIP(0, none)."""
    readers = consumers(graph)

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        inner = editor[src[0]] if node.op in CLIPS else node
        once = bool(node.src) and len(readers[node.src[0]]) == 1 and node.src[0] not in graph.outputs
        if node.op not in CLIPS or inner.op not in CLIPS or not once:
            return copy(editor, node, src)
        (a, b), (c, d) = _ends(inner), _ends(node)
        a, b = (min(max(end, c), d) for end in (a, b))
        ends = {"lo": None if a == -np.inf else int(a), "hi": None if b == np.inf else int(b)}
        if ends == {"lo": 0, "hi": None}:
            return _ranged(editor, replace(node, op=Op.RELU, src=inner.src, arg={}))
        name = inner.name if inner.name.endswith(CLAMP) else node.name
        return _ranged(editor, replace(node, op=Op.CLIP, name=name, src=inner.src, arg=ends))

    return rewrite(graph, rule)


def _ends(clip: Node) -> tuple[float, float]:
    if clip.op is Op.RELU:
        return 0, np.inf
    lo, hi = clip.arg["lo"], clip.arg["hi"]
    return -np.inf if lo is None else lo, np.inf if hi is None else hi


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
