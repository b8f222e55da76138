"""Find where a plan rounds, and what each rounding does to the outputs.

A point is one place of rounding: a constant, an input's grid, or an accumulator that is brought back. Its ``gain`` is
the mean squared error it causes on the worst output element, per squared unit of its step, measured by rounding (or
disturbing) that place alone in the float model; errors are counted in units of what each output may be off by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain.ir import functions, interpret
from zkchain.ir.builder import whole_values
from zkchain.ir.graph import MOVES_OF_ONE, Graph, Node, Op, constant
from zkchain.quantize import norms
from zkchain.quantize.lower.constants import exact_bits
from zkchain.quantize.lower.precision import ENDS, OUT, clip_ends, root
from zkchain.quantize.regions import TREES, BoolArray, Region
from zkchain.rewrite import engine
from zkchain.typing import Array

ONE_TO_ONE = frozenset({*MOVES_OF_ONE, Op.ADD, Op.SUB, Op.MUL, Op.RELU, Op.CLIP, Op.UNARY})
NARROW = frozenset({Op.MATMUL, Op.CONV, Op.RELU, Op.CLIP, Op.MAX, Op.MIN, Op.REDUCE_MAX, Op.REDUCE_MIN})
ACCUMULATES = frozenset(
    {Op.MATMUL, Op.CONV, Op.TREES, Op.MUL, Op.ADD, Op.SUB, Op.SUM, Op.CONCAT, Op.TOP, *MOVES_OF_ONE}
)
ADDS = frozenset({Op.ADD, Op.MAX, Op.MIN, Op.CONCAT})
EXACT = frozenset({"lookup", "divide", "floor_divide"})  # functions of integers: nothing is rounded
FINEST = {"weight": 30, "activation": 26, "input": 34}  # bits kept of the largest value of a tensor, at most
EXACTLY = 61  # whole numbers that are kept whole: as far as a value may reach
FINEST_NORMALISED = 30  # what is divided by its own size: as fine as its square has room
FINEST_UNDER_ROOT = 38  # half of the bits are lost close to zero
COARSEST = {"weight": 5, "activation": 4, "input": 4}  # and at least


@dataclass(frozen=True, slots=True)
class Point:
    """``node``, ``position``: a constant (position of the source, or ENDS), a value (None), a function's value (OUT).
    ``top``: its largest magnitude. ``exact``: fraction bits beyond which nothing is rounded. ``cost``: rows a bit
    takes; ``most``: bits kept of ``top`` at most (None: as of its kind)."""

    node: int
    position: int | None
    kind: str
    top: float
    exact: int | None
    cost: float
    most: int | None = None

    def limits(self, more: int = 0) -> tuple[int, int]:
        """Fewest (``more`` on top) and most fraction bits worth considering."""
        whole = int(np.ceil(np.log2(self.top))) if 0 < self.top < np.inf else 0
        most = self.most or FINEST[self.kind]
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
    """Arguments of tabulated functions: their precision decides the size of the table. (Not indices into a list, nor
    sums of squares: their roots are taken as they are.)"""
    whole = norms.roots(graph)
    unary = (n for i, n in enumerate(graph.nodes) if n.op is Op.UNARY and i not in whole)
    sources = (argument(graph, n.src[0]) for n in unary if by_table(n))
    return {i for i in sources if graph.nodes[i].op not in (Op.INPUT, Op.ARGMAX, Op.TOP_INDEX)}


def normalised(graph: Graph) -> set[int]:
    """What is divided by the root of its own squares."""
    return {root(graph, each.x) for each in norms.roots(graph).values()}


def over_roots(graph: Graph) -> set[int]:
    """What reads a value over a root: it is wide, and has no room for bits of factors that would be given away."""
    products = {k for each in norms.roots(graph).values() for k in each.products}
    return {i for i, node in enumerate(graph.nodes) if not products.isdisjoint(node.src)}


def by_table(node: Node) -> bool:
    """True when a UNARY rounds its argument and its values: not a list of numbers, nor a step function."""
    jumps = functions.jumps(node.arg["fn"])
    return node.arg["fn"][0] not in EXACT and not (jumps and jumps.steps)


def takes_all(graph: Graph, i: int) -> bool:
    """True when every element of node i is made of one element of an input: then its static range is no
    overestimate."""
    node = graph.nodes[i]
    moving = [s for s in node.src if graph.nodes[s].op is not Op.CONST]
    return node.op is Op.INPUT or (node.op in ONE_TO_ONE and len(moving) == 1 and takes_all(graph, moving[0]))


def argument(graph: Graph, i: int) -> int:
    """The node whose precision the value i has: comparisons keep that of their source."""
    i = root(graph, i)
    while graph.nodes[i].op in (Op.RELU, Op.CLIP, Op.REDUCE_MAX, Op.REDUCE_MIN):
        i = root(graph, graph.nodes[i].src[0])
    return i


def _accumulates(graph: Graph, i: int) -> bool:
    node = graph.nodes[i]
    if node.op in (Op.MATMUL, Op.CONV, Op.TREES, Op.MUL, Op.SUM):
        return True
    return node.op in ACCUMULATES and any(_accumulates(graph, s) for s in node.src)


def _top(values: Array) -> float:
    return float(np.abs(values)[np.isfinite(values)].max(initial=0.0))


def different(node: Node, traces: Sequence[Trace]) -> Sequence[Trace]:
    """The samples on which a node's values may differ: a constant is the same on all."""
    return traces[:1] if node.op is Op.CONST else traces


def find(graph: Graph, traces: Sequence[Trace], fixed_inputs: Mapping[int, bool]) -> list[Point]:
    """All points of a prepared graph; ``fixed_inputs``: inputs whose grid is already given."""
    before, after = _units(graph)
    tops = [max(_top(t[i]) for t in different(node, traces)) for i, node in enumerate(graph.nodes)]
    whole = whole_values(graph, {i for i, fixed in fixed_inputs.items() if fixed})
    points = []
    for i in graph.inputs:
        if not fixed_inputs[i]:
            points.append(Point(i, None, "input", tops[i], None, graph.nodes[i].size + after[i]))
    most = dict.fromkeys(_before_poles(graph), FINEST["input"])
    roots = (argument(graph, n.src[0]) for n in graph.nodes if n.op is Op.UNARY and n.arg["fn"] == ("sqrt",))
    most.update(dict.fromkeys(roots, FINEST_UNDER_ROOT))
    most.update(dict.fromkeys(normalised(graph), FINEST_NORMALISED))
    for i in sorted(narrowed_roots(graph)):
        counts = i in whole
        points.append(
            Point(i, None, "activation", tops[i], 0 if counts else None, after[i], EXACTLY if counts else most.get(i))
        )
    for i, node in enumerate(graph.nodes):
        for position, s in enumerate(node.src):
            if graph.nodes[s].op is Op.CONST:
                # what is added to a large value need not be fine just because it is small
                top = max(tops[s], tops[i]) if node.op in ADDS else tops[s]
                exact, finest = exact_bits(constant(graph.nodes[s])), most.get(i) if node.op in ADDS else None
                finest = EXACTLY if i in whole else finest
                points.append(Point(i, position, "weight", top, exact, before[i], finest))
        if node.op is Op.CLIP:
            ends = clip_ends(node)
            top = max(float(np.abs(ends).max(initial=0)), tops[i])
            points.append(Point(i, ENDS, "weight", top, exact_bits(ends), after[i]))
        if node.op is Op.UNARY and by_table(node):
            points.append(Point(i, OUT, "activation", tops[i], None, after[i]))
    return points


def _before_poles(graph: Graph) -> set[int]:
    """Values that functions with poles alone read: they may be finer than any that is multiplied again."""
    return {
        i
        for i, readers in enumerate(engine.readers(graph))
        if readers
        and all(graph.nodes[k].op is Op.UNARY and functions.singular(graph.nodes[k].arg["fn"]) for k in readers)
    }


def _units(graph: Graph) -> tuple[list[float], list[float]]:
    """Count, for every node, the elements whose range check grows by one constraint when this value keeps one more
    fraction bit: (of the value as computed, of the value as narrowed)."""
    readers, roots = engine.readers(graph), narrowed_roots(graph)
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


def gains(
    graph: Graph, points: Sequence[Point], cases: Sequence[Case], held: frozenset[int] = frozenset()
) -> list[float]:
    """Mean squared error per squared step of every point, on the worst element of the watched nodes. ``held``:
    functions whose argument is watched, and which pass on no disturbance: across a jump or a pole it would say nothing
    of a smaller one."""
    below = [_descendants(graph, p.node, held) for p in points]
    exact = {at for i, each in norms.roots(graph).items() for at in (i, *each.inner)}  # or of a precision of their own
    measured = [
        0.0 if p.node in exact else _gain(graph, p, d, cases, seed)
        for seed, (p, d) in enumerate(zip(points, below, strict=True))
    ]
    return _under_roots(graph, points, measured)


def _under_roots(graph: Graph, points: Sequence[Point], measured: Sequence[float]) -> list[float]:
    """The gains, those of arguments of square roots as close to zero as they may come.

    A step of a root's result, uniform rounding, has the gain j^2 / 12: the root may be off by t = 1 / j. Rounding x to
    u = t^2 / 2 moves sqrt(x) by sqrt(u) < t at most: as if its slope were 2 / t, and never more than at the least x.
    """
    at = {(p.node, p.position): k for k, p in enumerate(points)}
    result = list(measured)
    for i, node in enumerate(graph.nodes):
        inner = at.get((argument(graph, node.src[0]), None)) if node.op is Op.UNARY else None
        if inner is None or node.arg["fn"] != ("sqrt",) or graph.nodes[points[inner].node].op is Op.INPUT:
            continue
        gain, least = measured[at[i, OUT]], _least(graph, node.src[0])
        slope = 2 * np.sqrt(12 * gain)
        slope = min(slope, 0.5 / np.sqrt(least)) if least > 0 else slope
        result[inner] = max(result[inner], float(gain * slope**2))
    return result


def _least(graph: Graph, i: int) -> float:
    """A number that a sum of squares and constants never falls below; -inf if none is seen."""
    node = graph.nodes[i]
    if node.op is Op.CONST:
        return float(constant(node).min(initial=np.inf))
    if node.op is Op.MUL:
        squared = node.src[0] == node.src[1]
        return 0.0 if squared or all(_least(graph, s) >= 0 for s in node.src) else -np.inf
    if node.op is Op.ADD:
        return _least(graph, node.src[0]) + _least(graph, node.src[1])
    if node.op in (Op.SUM, Op.RELU):
        return 0.0 if node.op is Op.RELU or _least(graph, node.src[0]) >= 0 else -np.inf
    if node.op is Op.CLIP:
        return -np.inf if node.arg["lo"] is None else float(node.arg["lo"])
    return _least(graph, node.src[0]) if node.op in (Op.RESHAPE, Op.TAKE) else -np.inf


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
    node, value = graph.nodes[point.node], trace[point.node]
    if point.position in (None, OUT):
        return np.asarray(value + step * (rng.random(value.shape) - 0.5))
    if node.op is Op.ROWS:  # of a table of a whole vocabulary, the rows that are taken
        return np.where(value == 0, 0.0, value + step * (rng.random(value.shape) - 0.5))
    sources = [trace[s] for s in node.src]
    if point.position == ENDS:
        return np.where(value == sources[0], sources[0], value + step * (rng.random() - 0.5))
    weights = sources[point.position]
    sources[point.position] = np.where(weights == 0, 0.0, weights + step * (rng.random(weights.shape) - 0.5))
    return np.broadcast_to(interpret.FLOAT[node.op](node, *sources), node.shape)


def _replay(graph: Graph, values: dict[int, Array], below: list[int]) -> None:
    with np.errstate(all="ignore"):
        for i in below:
            node = graph.nodes[i]
            rule = _guarded if node.op is Op.UNARY else interpret.FLOAT[node.op]
            result = rule(node, *(values[s] for s in node.src))
            values[i] = result if np.shape(result) == node.shape else np.broadcast_to(result, node.shape)


def _descendants(graph: Graph, start: int, held: frozenset[int] = frozenset()) -> list[int]:
    touched = {start}
    for i in range(start + 1, len(graph.nodes)):
        if i not in held and not touched.isdisjoint(graph.nodes[i].src):
            touched.add(i)
    return sorted(touched - {start})


def observe(
    graph: Graph, samples: Sequence[Sequence[npt.NDArray[np.float64]]], *, guarded: bool = False
) -> list[Trace]:
    """The float value of every node on every sample. ``guarded``: where a function has a pole, or no value, that of the
    argument a quarter of the largest from there: no value so large that all others would be small beside it."""
    rules = {**interpret.FLOAT, Op.UNARY: _guarded} if guarded else interpret.FLOAT
    with np.errstate(all="ignore"):
        return [interpret.evaluate(graph, dict(zip(graph.inputs, s, strict=True)), rules) for s in samples]


def _guarded(node: Node, x: Array) -> Array:
    y = functions.evaluate(node.arg["fn"], x)
    singular = functions.singular(node.arg["fn"])
    if singular is None or np.all(np.isfinite(y)):
        return y
    apart = float(np.abs(x).max(initial=0)) / 4 or 1.0
    return np.where(np.isfinite(y), y, functions.evaluate(node.arg["fn"], singular.defined(x, apart)))


def untouched(graph: Graph, trace: Trace, regions: Sequence[Region], outputs: Sequence[int]) -> list[BoolArray]:
    """Mark the elements of the ``outputs`` of one sample that are numbers and depend on no function's value within a
    region: there, errors count. They are found by moving these values up and down, and by making them no number at all:
    what is zero at this very sample passes no movement on, but it passes on the error of its own rounding."""
    same = [np.isfinite(trace[i]) for i in outputs]
    inside = _inside(graph, trace, regions)
    touched = set(inside)
    for i in range(min(inside, default=len(graph.nodes)), len(graph.nodes)):
        if not touched.isdisjoint(graph.nodes[i].src):
            touched.add(i)
    for sign in (1.0, -1.0, np.nan) if inside else ():
        moved = list(trace)
        for i in sorted(touched):
            node = graph.nodes[i]
            with np.errstate(all="ignore"):
                value = np.broadcast_to(interpret.FLOAT[node.op](node, *(moved[s] for s in node.src)), node.shape)
                if i in inside:
                    value = np.where(inside[i], trace[i] + sign * (1.0 + np.abs(trace[i])), value)
            moved[i] = value
        same = [kept & (moved[i] == trace[i]) for kept, i in zip(same, outputs, strict=True)]
    return same


def _inside(graph: Graph, trace: Trace, regions: Sequence[Region]) -> dict[int, BoolArray]:
    """Functions of which some argument lies in a region of theirs, and which."""
    found: dict[int, BoolArray] = {}
    readers, nowhere = engine.readers(graph) if regions else [], np.zeros((), np.bool_)
    for region in regions:
        within = region.contains(trace[region.argument])
        if not within.any():
            continue
        for i in readers[region.argument]:
            node = graph.nodes[i]
            if node.op is Op.TREES and region.function == TREES:
                found[i] = np.asarray(within.any(axis=-1, keepdims=True) | found.get(i, nowhere))
            elif node.op is Op.UNARY and node.arg["fn"][0] == region.function:
                found[i] = np.asarray(within | found.get(i, nowhere))
    return found
