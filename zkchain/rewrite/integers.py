"""Rules over the integer program. The values of what stays are unchanged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import interval
from zkchain.rewrite.engine import Rule, View

CLAMP = "/clamp"  # suffix of the name of a clamp that the quantiser put in
CLIPS = frozenset({Op.RELU, Op.CLIP})


def clip_of_clip(view: View, i: int) -> int | None:
    # CLIP(CLIP(x, a, b), c, d) = CLIP(x, clip(a, c, d), clip(b, c, d));  RELU = CLIP(0, none)
    node, inner = view.node(i), view.node(view.node(i).src[0])
    if inner.op not in CLIPS:
        return None
    if not view.single(node.src[0]):
        return view.miss(i, "the clip before it has other readers")
    (a, b), (c, d) = _ends(inner), _ends(node)
    a, b = (min(max(end, c), d) for end in (a, b))
    ends = {"lo": None if a == -math.inf else int(a), "hi": None if b == math.inf else int(b)}
    merged = replace(node, src=view.images(node.src[0]))
    if ends == {"lo": 0, "hi": None}:
        return _ranged(view, replace(merged, op=Op.RELU, arg={}))
    return _ranged(view, replace(merged, op=Op.CLIP, name=_clamped(inner, node), arg=ends))


def _clamped(inner: Node, outer: Node) -> str:
    """The name that says whose clamp it is."""
    return inner.name if inner.name.endswith(CLAMP) else outer.name


def _ends(clip: Node) -> tuple[float, float]:
    if clip.op is Op.RELU:
        return 0, math.inf
    lo, hi = clip.arg["lo"], clip.arg["hi"]
    return -math.inf if lo is None else lo, math.inf if hi is None else hi


def _ranged(view: View, node: Node) -> int:
    lo, hi = interval(node, [view.build.nodes[s] for s in node.src])
    return view.build.append(replace(node, lo=lo, hi=hi))


RULES: Mapping[Op, Sequence[Rule]] = {Op.RELU: [clip_of_clip], Op.CLIP: [clip_of_clip]}
