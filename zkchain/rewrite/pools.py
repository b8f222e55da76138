"""Rising functions and maxima over windows change places, so that fewer numbers are rounded, or rounded and clamped at
once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkchain.ir.graph import MOVES_OF_ONE, Op
from zkchain.rewrite.engine import Rule, View

DEPTH = 3  # movements between a maximum and the function behind it


def relu_of_pool(view: View, i: int) -> int | None:
    # relu(max over windows) = max over windows of relu: the relu meets the rescale, where it is cheapest
    pool = view.node(i).src[0]
    moved = _under_pool(view, pool, DEPTH)
    if moved is None:
        return None
    if not view.single(pool):
        return view.miss(i, "the maximum before it has other readers")
    inner, behind = moved
    return _on(view, view.build.relu(view.new[inner]), behind)


def _under_pool(view: View, i: int, depth: int) -> tuple[int, list[int]] | None:
    """What a maximum is taken of, and the nodes from there to node ``i``: [windows,] maximum, movements."""
    node = view.node(i)
    if node.op is Op.REDUCE_MAX:
        windows = node.src[0]
        return (view.node(windows).src[0], [windows, i]) if view.op(windows) is Op.TAKE else (windows, [i])
    found = _under_pool(view, node.src[0], depth - 1) if node.op in MOVES_OF_ONE and depth else None
    return None if found is None else (found[0], [*found[1], i])


def _on(view: View, x: int, chain: Sequence[int]) -> int:
    """The nodes of a chain on another value."""
    for k in chain:
        x = view.build.copy(view.node(k), (x,))
    return x


RULES: Mapping[Op, Sequence[Rule]] = {Op.RELU: [relu_of_pool]}
