"""Where a plan rounds, and what each rounding does to the outputs.

A point is one place of rounding: a constant, an input's grid, or an accumulator that is brought back. Its ``gain`` is
the mean squared error it causes on the worst output element, per squared unit of its step, measured by rounding (or
disturbing) that place alone in the float model; errors are counted in units of what each output may be off by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain import interpret
from zkchain.graph import Graph, Node, Op
from zkchain.quantize.edit import Array, constant, consumers
from zkchain.quantize.lowering import ENDS, MOVES, OUT, clip_ends, exact_bits, root

NARROW = frozenset({Op.MATMUL, Op.CONV, Op.RELU, Op.CLIP, Op.MAX, Op.MIN, Op.REDUCE_MAX, Op.REDUCE_MIN})
ACCUMULATES = frozenset({Op.MATMUL, Op.CONV, Op.MUL, Op.ADD, Op.SUB, Op.SUM, Op.CONCAT, Op.TOP, *MOVES})
ADDS = frozenset({Op.ADD, Op.MAX, Op.MIN, Op.CONCAT})
FINEST = {"weight": 26, "activation": 26, "input": 34}  # bits kept of the largest value of a tensor, at most
COARSEST = {"weight": 5, "activation": 4, "input": 4}  # and at least


@dataclass(frozen=True, slots=True)
class Point:
    """``node``, ``position``: a constant (position of the source, or ENDS), a value (None), a function's value (OUT).
    ``top``: its largest magnitude. ``exact``: fraction bits beyond which nothing is rounded. ``cost``: rows a bit
    takes."""

    node: int
    position: int | None
    kind: str
    top: float
    exact: int | None
    cost: float

    def limits(self, more: int = 0) -> tuple[int, int]:
        """Fewest (``more`` on top) and most fraction bits worth considering."""
        whole = int(np.ceil(np.log2(self.top))) if 0 < self.top < np.inf else 0
        most = FINEST[self.kind]
        low, high = min(COARSEST[self.kind] + more, most) - whole, most - whole
        return (min(low, self.exact), min(high, self.exact)) if self.exact is not None else (low, high)


Trace = list[Array]  # the float value of every node, for one sample


def narrowed_roots(graph: Graph) -> set[int]:
    """Nodes some consumer wants narrow and whose value may be an accumulator."""
    wanted: set[int] = set()
    for node in graph.nodes:
        variables = [s for s in node.src if graph.nodes[s].op is not Op.CONST]
        if node.op in NARROW or (node.op is Op.MUL and len(variables) == 2):
            wanted.update(root(graph, s) for s in variables)
    return {i for i in wanted if graph.nodes[i].op in ACCUMULATES and _accumulates(graph, i)} | tabulated(graph)


def tabulated(graph: Graph) -> set[int]:
    """Arguments of tabulated functions: their precision decides the size of the table. (Not indices into a list.)"""
    sources = (argument(graph, n.src[0]) for n in graph.nodes if n.op is Op.UNARY and n.arg["fn"][0] != "lookup")
    return {i for i in sources if graph.nodes[i].op not in (Op.INPUT, Op.ARGMAX, Op.TOP_INDEX)}


def argument(graph: Graph, i: int) -> int:
    """The node whose precision the value i has: comparisons keep that of their source."""
    i = root(graph, i)
    while graph.nodes[i].op in (Op.RELU, Op.CLIP, Op.REDUCE_MAX, Op.REDUCE_MIN):
        i = root(graph, graph.nodes[i].src[0])
    return i


def _accumulates(graph: Graph, i: int) -> bool:
    node = graph.nodes[i]
    if node.op in (Op.MATMUL, Op.CONV, Op.MUL, Op.SUM):
        return True
    return node.op in ACCUMULATES and any(_accumulates(graph, s) for s in node.src)


def find(graph: Graph, traces: Sequence[Trace], fixed_inputs: Mapping[int, bool]) -> list[Point]:
    """All points of a prepared graph; ``fixed_inputs``: inputs whose grid is already given."""
    before, after = _units(graph)
    tops = [max((float(np.abs(t[i]).max()) if t[i].size else 0.0) for t in traces) for i in range(len(graph.nodes))]
    points = []
    for i in graph.inputs:
        if not fixed_inputs[i]:
            points.append(Point(i, None, "input", tops[i], None, graph.nodes[i].size + after[i]))
    for i in sorted(narrowed_roots(graph)):
        points.append(Point(i, None, "activation", tops[i], None, after[i]))
    for i, node in enumerate(graph.nodes):
        for position, s in enumerate(node.src):
            if graph.nodes[s].op is Op.CONST:
                # what is added to a large value need not be fine just because it is small
                top = max(tops[s], tops[i]) if node.op in ADDS else tops[s]
                points.append(Point(i, position, "weight", top, exact_bits(constant(graph.nodes[s])), before[i]))
        if node.op is Op.CLIP:
            ends = clip_ends(node)
            top = max(float(np.abs(ends).max(initial=0)), tops[i])
            points.append(Point(i, ENDS, "weight", top, exact_bits(ends), after[i]))
        if node.op is Op.UNARY and node.arg["fn"][0] != "lookup":
            points.append(Point(i, OUT, "activation", tops[i], None, after[i]))
    return points


def _units(graph: Graph) -> tuple[list[float], list[float]]:
    """For every node, how many elements are decomposed or compared at a width that one more bit of this value adds to:
    (of the value as computed, of the value as narrowed)."""
    readers, roots = consumers(graph), narrowed_roots(graph)
    before, after = [0.0] * len(graph.nodes), [0.0] * len(graph.nodes)
    for i in reversed(range(len(graph.nodes))):
        after[i] = sum(before[k] + _compared(graph, graph.nodes[k]) for k in set(readers[i]))
        if i in graph.outputs:  # nothing is checked, but a wide output takes a word of its own
            after[i] += 0.25 * graph.nodes[i].size
        before[i] = float(graph.nodes[i].size) if i in roots else after[i]
    return before, after


def _compared(graph: Graph, node: Node) -> float:
    compares = node.op in (Op.MAX, Op.MIN, Op.REDUCE_MAX, Op.REDUCE_MIN, Op.ARGMAX, Op.TOP, Op.TOP_INDEX)
    return float(sum(graph.nodes[s].size for s in node.src) / len(node.src)) if compares else 0.0


Case = tuple[Trace, Mapping[int, float]]
"""A sample's values, and what each watched node may be off by on it."""


def gains(graph: Graph, points: Sequence[Point], cases: Sequence[Case]) -> list[float]:
    """Mean squared error per squared step of every point, on the worst element of the watched nodes."""
    below = [_descendants(graph, p.node) for p in points]
    return [_gain(graph, p, d, cases, seed) for seed, (p, d) in enumerate(zip(points, below, strict=True))]


def _gain(graph: Graph, point: Point, below: list[int], cases: Sequence[Case], seed: int) -> float:
    # step: a 2^-10th of the tensor's largest value, so that the response is linear and not lost in rounding
    if point.top == 0:
        return 0.0
    step = 2.0 ** (np.floor(np.log2(point.top)) - 10)
    rng = np.random.default_rng(seed)
    squares: dict[int, Array] = {}
    for trace, tolerance in cases:
        disturbed = dict(enumerate(trace))
        disturbed[point.node] = _disturb(graph, point, trace, step, rng)
        _replay(graph, disturbed, below)
        for i, unit in tolerance.items():
            with np.errstate(all="ignore"):
                squares[i] = squares.get(i, np.float64(0)) + np.square((disturbed[i] - trace[i]) / unit / step)
    # a disturbance that leaves a function's domain says nothing of smaller ones
    worst = max(float(np.max(s[np.isfinite(s)], initial=0.0)) for s in squares.values())
    return float(worst / len(cases))


def _disturb(graph: Graph, point: Point, trace: Trace, step: float, rng: np.random.Generator) -> Array:
    node = graph.nodes[point.node]
    if point.position in (None, OUT):
        value = trace[point.node]
        return np.asarray(value + step * (rng.random(value.shape) - 0.5))
    sources = [trace[s] for s in node.src]
    if point.position == ENDS:
        return np.where(trace[point.node] == sources[0], sources[0], trace[point.node] + step * (rng.random() - 0.5))
    weights = sources[point.position]
    sources[point.position] = np.where(weights == 0, 0.0, weights + step * (rng.random(weights.shape) - 0.5))
    return np.broadcast_to(interpret.FLOAT[node.op](node, *sources), node.shape)


def _replay(graph: Graph, values: dict[int, Array], below: list[int]) -> None:
    with np.errstate(all="ignore"):
        for i in below:
            node = graph.nodes[i]
            result = interpret.FLOAT[node.op](node, *(values[s] for s in node.src))
            values[i] = np.broadcast_to(result, node.shape)


def _descendants(graph: Graph, start: int) -> list[int]:
    touched = {start}
    for i in range(start + 1, len(graph.nodes)):
        if not touched.isdisjoint(graph.nodes[i].src):
            touched.add(i)
    return sorted(touched - {start})


def observe(graph: Graph, samples: Sequence[Sequence[npt.NDArray[np.float64]]]) -> list[Trace]:
    """The float value of every node on every sample."""
    with np.errstate(all="ignore"):
        return [interpret.evaluate(graph, dict(zip(graph.inputs, s, strict=True)), interpret.FLOAT) for s in samples]
