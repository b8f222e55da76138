"""Searching a plan: fraction bits from predicted errors, clamps from estimated rows, both judged on samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf

import numpy as np

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir import interpret, stacked
from zkchain.ir.checked import saturated
from zkchain.ir.graph import Graph, Op
from zkchain.ir.ranges import bits as bits_of
from zkchain.quantize.lower.builder import Memory
from zkchain.quantize.lower.precision import FEWEST_USES, OUT, Plan
from zkchain.quantize.lower.rules import Lowered, lower
from zkchain.quantize.precision import constraint_cost, lookup_cost, lookup_rows, noise
from zkchain.quantize.precision.allocate import BITS_SETTING, allocate
from zkchain.quantize.precision.noise import Point
from zkchain.quantize.precision.one_table import shared_tables
from zkchain.quantize.precision.problem import TRACED, Problem, decided
from zkchain.rewrite import finish
from zkchain.tables import Request
from zkchain.typing import Array, FloatArray, IntArray, Progress, quiet

SLACKS = (24, 16, 12, 8, 6, 4, 2)  # bits of static range above what was seen that are let through, tried in turn
WORTH_A_CLAMP = 0.95  # clamp more only where it brings the rows down to this share
WORTH_OPENING = 0.995  # leave a clamp or a rescale out where that does, since rows are estimates
DEVIATIONS = 4.0  # the largest error is this many times the root mean square
ATTEMPTS, PATIENCE = 24, 6  # at most; without the error falling by a tenth
TIGHTER = 0.75  # each attempt allows the roundings this share of the error
MUCH_WORK = 100_000_000  # values times points, above which fewer samples are disturbed
JUDGED_ENOUGH = 0.7  # part of the tolerance that is good enough on the samples at hand


@dataclass(eq=False)
class Tried:
    """A lowering and its plan; ``finished`` when its rows are asked for, and where it is taken."""

    raw: Lowered
    plan: Plan

    @cached_property
    def finished(self) -> Lowered:
        return replace(self.raw, graph=finish(self.raw.graph))

    @cached_property
    def rows(self) -> float:
        return constraint_cost.total(self.finished.graph)


def search(problem: Problem, progress: Progress = quiet) -> Lowered:
    """Tighten the error allowed to the roundings until the measured error fits, or no longer falls."""
    progress("what roundings do", 0.0)
    found, gains = measure_points(problem)
    shared, seen = shared_tables(problem.graph, found, problem.settings), ends_seen(problem)
    tried: list[tuple[float, Tried]] = []
    slacks: Sequence[int] = SLACKS
    memory = Memory()
    for attempt in range(ATTEMPTS):
        progress(f"fraction bits, attempt {attempt + 1}", 0.25 + 0.25 * attempt / ATTEMPTS)
        error = TIGHTER**attempt / DEVIATIONS
        bits = allocate(found, gains, error, problem.settings, more=attempt, shared=shared)
        try:
            slack, each = _cheapest(problem, planned(problem, found, bits, seen), slacks, memory)
            if problem.settings.cost == "lookup":
                tuned = _tuned(problem, found, gains, bits, error, each.raw)
                if tuned != bits:
                    slack, each = _cheapest(problem, planned(problem, found, tuned, seen), slacks, memory)
        except CompileError:  # no room for more bits: what was tried before stands
            if not tried:
                raise
            break
        slacks = tuple(s for s in SLACKS if s <= slack)[:2]
        tried.append((_measured(problem, each.raw), each))
        if tried[-1][0] <= JUDGED_ENOUGH or (attempt >= PATIENCE and tried[-1][0] > 0.9 * tried[-1 - PATIENCE][0]):
            break
    least = max(min(error for error, _ in tried), JUDGED_ENOUGH)
    enough = min(1.2 * least, max(least, 1.0))  # not past the tolerance where an attempt meets it
    return _opened(problem, next(each for error, each in tried if error <= enough), memory).finished


def _opened(problem: Problem, taken: Tried, memory: Memory) -> Tried:
    """Without the clamps and the rescales that take more rows than they save, each judged for itself. Values only get
    closer to what they stand for."""
    if problem.settings.cost != "lookup" or not (changes := _wider(problem, taken.raw)):
        return taken
    least = lookup_rows.total(taken.finished.graph)
    for change in changes:
        wider = change(taken.plan)
        try:
            found = Tried(lower(problem.graph, wider, problem.grids, memory), wider)
        except (CompileError, UnsupportedOp):  # no room for what is not made smaller, or for its table
            continue
        rows = lookup_rows.total(found.finished.graph)
        if rows < WORTH_OPENING * least and _shown(found.finished.graph) <= _shown(taken.finished.graph):
            taken, least = found, rows
    return taken


def _wider(problem: Problem, lowered: Lowered) -> Sequence[Callable[[Plan], Plan]]:
    """Every clamp left out, and every rescale of a product of two values: it is read by a sum or a product of matrices,
    whose result is rescaled too."""
    nodes = problem.graph.nodes
    varying = [i for i in lowered.rescaled if all(nodes[s].op is not Op.CONST for s in nodes[i].src)]
    products = [i for i in varying if nodes[i].op is Op.MUL]
    clamps = [partial(_without_clamp, i) for i in dict.fromkeys(clamp.node for clamp in lowered.clamps)]
    return [*clamps, *(partial(_without_rescale, i) for i in products)]


def _without_clamp(i: int, plan: Plan) -> Plan:
    return replace(plan, open=plan.open | {i})


def _without_rescale(i: int, plan: Plan) -> Plan:
    return replace(plan, activation={k: frac for k, frac in plan.activation.items() if k != i})


def _shown(program: Graph) -> int:
    """Bits of all outputs: what a verifier is to read."""
    return sum(program.nodes[i].size * bits_of(program.nodes[i]) for i in program.outputs)


def _tuned(
    problem: Problem,
    found: Sequence[Point],
    gains: Sequence[float],
    bits: Sequence[int],
    error: float,
    lowered: Lowered,
) -> list[int]:
    """The bits moved to where lookups are fewest; what settings fix, or tables share, stays."""
    tied = noise.tabulated(problem.graph) | noise.normalised(problem.graph) | noise.over_roots(problem.graph)
    inputs = (lowered.graph.nodes[i] for i in lowered.graph.inputs)
    base = lookup_cost.Requests()
    for node in inputs:
        base[Request(1 << bits_of(node), True)] += node.size
    model = lookup_cost.Model(
        problem.graph, found, lookup_cost.sites(problem.graph, lowered.rescaled, lowered.compared), base
    )
    free = [
        p.position != OUT and p.node not in tied and getattr(problem.settings, BITS_SETTING[p.kind]) is None
        for p in found
    ]
    return lookup_cost.tune(model, gains, bits, error, free)


def measure_points(problem: Problem) -> tuple[list[Point], list[float]]:
    """Every place of rounding, and what it does to the outputs."""
    fixed = {i: grid.step is not None for i, grid in zip(problem.graph.inputs, problem.grids, strict=True)}
    judged, hard = problem.traces[: problem.judged], [trace for _, trace in problem.hard]
    found = noise.find(problem.graph, [*judged, *hard], fixed)
    work = len(found) * sum(node.size for node in problem.graph.nodes)
    few = TRACED if work < MUCH_WORK else TRACED // 2
    some = judged[:: max(len(judged) // few, 1)][:few]
    measured = [noise.gains(problem.graph, found, [(t, problem.tolerance) for t in some], problem.held)]
    # what is steep at one point alone must not be averaged away
    measured += [noise.gains(problem.graph, found, [(t, problem.limits)], problem.held) for t in hard[:few]]
    labels = decided(problem.graph)
    if problem.chosen:  # a place before the label may change the label: of that nothing is asked
        all_of = noise.gains(problem.graph, found, [(t, problem.chosen) for t in some], problem.held)
        measured.append([gain if p.node in labels else 0.0 for p, gain in zip(found, all_of, strict=True)])
    gains = [max(each) for each in zip(*measured, strict=True)]
    # whole numbers that are made of a label are exact where they may be: no sample says what a rounding does to them
    exact = [p.node in labels and not gain for p, gain in zip(found, gains, strict=True)]
    return found, [inf if same else gain for same, gain in zip(exact, gains, strict=True)]


def ends_seen(problem: Problem) -> dict[int, tuple[float, float]]:
    """The least and largest value that was seen of every node that may be clamped or tabulated."""
    watched = noise.narrowed_roots(problem.graph) | {n.src[0] for n in problem.graph.nodes if n.op is Op.UNARY}
    return {i: _ends([*(t[i] for t in problem.traces), *_reached(problem, i)]) for i in watched}


def planned(
    problem: Problem, found: Sequence[Point], bits: Sequence[int], seen: Mapping[int, tuple[float, float]]
) -> Plan:
    """The plan in which every place of rounding keeps these bits; tables of one function are shared. ``seen``: see
    ``ends_seen``."""
    weight, activation = {}, {}
    for point, frac in zip(found, bits, strict=True):
        if point.position is None:
            activation[point.node] = frac
        else:
            weight[point.node, point.position] = frac
    for i, grid in zip(problem.graph.inputs, problem.grids, strict=True):
        if grid.step is not None:
            activation[i] = 0
    _share_tables(problem.graph, weight, activation)
    settings = problem.settings
    return Plan(
        weight,
        activation,
        seen,
        settings.clamp_margin_bits,
        SLACKS[0],
        settings.max_range_bits,
        settings.table_bits,
        {i: problem.tolerance[i] for i in problem.eased & set(problem.tolerance)},
        problem.wanted,
    )


def _reached(problem: Problem, i: int) -> list[FloatArray]:
    return [np.asarray(problem.reached[i])] if i in problem.reached else []


def _ends(values: Sequence[FloatArray]) -> tuple[float, float]:
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def _share_tables(graph: Graph, weight: dict[tuple[int, int], int], activation: dict[int, int]) -> None:
    """One precision for every use of a function, so that all can look it up in the same table."""
    uses: dict[tuple[object, ...], list[int]] = {}
    for i, node in enumerate(graph.nodes):
        if (i, OUT) in weight:
            uses.setdefault(tuple(node.arg["fn"]), []).append(i)
    for same in uses.values():
        arguments = [r for r in (noise.argument(graph, graph.nodes[i].src[0]) for i in same) if r in activation]
        inner = max((activation[r] for r in arguments), default=0)
        outer = max(weight[i, OUT] for i in same)
        weight.update({(i, OUT): outer for i in same})
        activation.update({r: inner for r in arguments if graph.nodes[r].op is not Op.INPUT})


def _cheapest(problem: Problem, plan: Plan, slacks: Sequence[int], memory: Memory) -> tuple[int, Tried]:
    """The lowering with fewest clamps among those of (nearly) fewest estimated rows, and its slack."""
    uses = Counter(node.arg["fn"] for node in problem.graph.nodes if node.op is Op.UNARY)
    if max(uses.values(), default=0) >= FEWEST_USES:
        plan = _with_spans(problem, plan, slacks, memory)
    found = lower_all(problem, plan, slacks, memory)
    lowered = {s: each for s, each in found.items() if isinstance(each, Tried)}
    if not lowered:
        raise next((x for x in found.values() if isinstance(x, CompileError)), CompileError("no lowering was tried"))
    if len(set(lowered.values())) == 1:
        return next(iter(lowered.items()))
    enough = min(each.rows for each in lowered.values()) / WORTH_A_CLAMP
    return next((s, each) for s, each in lowered.items() if each.rows <= enough)


def _with_spans(problem: Problem, plan: Plan, slacks: Sequence[int], memory: Memory) -> Plan:
    """The plan, knowing the domains of functions that are taken in several places: these share a table then."""
    for slack in slacks:
        try:
            lowered = lower(problem.graph, replace(plan, slack=slack), problem.grids, memory)
            return replace(plan, spans=lowered.spans)
        except CompileError:
            continue
    return plan


def lower_all(
    problem: Problem, plan: Plan, slacks: Sequence[int], memory: Memory | None = None
) -> dict[int, Tried | CompileError]:
    """Lower with all these slacks: once for those that set the same clamps."""
    found: dict[int, Tried | CompileError] = {}
    for slack in slacks:
        same = (each for each in found.values() if isinstance(each, Tried) and slack in each.raw.slacks)
        try:
            at = replace(plan, slack=slack)
            found[slack] = next(same, None) or Tried(lower(problem.graph, at, problem.grids, memory), at)
        except CompileError as refusal:
            found[slack] = refusal
    return found


def runs(problem: Problem, lowered: Lowered) -> list[list[IntArray]]:
    """All integer values on the judged samples."""
    return [
        interpret.run_all(lowered.graph, integers(problem, lowered, sample))
        for sample in problem.samples[: problem.judged]
    ]


def integers(problem: Problem, lowered: Lowered, sample: Sequence[FloatArray]) -> list[IntArray]:
    """A sample (or a stack of them), in units of the grids, as integers of the inputs; brought into the domain."""
    result = []
    for i, grid, x in zip(lowered.graph.inputs, problem.grids, sample, strict=True):
        node = lowered.graph.nodes[i]
        result.append(np.clip(saturated(x * (grid.step or 1.0) / node.scale), node.lo, node.hi))
    return result


def errors(
    problem: Problem,
    lowered: Lowered,
    samples: Sequence[Sequence[FloatArray]],
    traces: Sequence[Sequence[Array]],
) -> list[dict[int, float]]:
    """For every sample: watched node -> its largest distance from the float value, where no region has a part in it."""
    if not samples:
        return []
    stack = [np.stack(column) for column in zip(*samples, strict=True)]
    results, watched = integer_outputs(problem, lowered, stack, len(samples)), list(problem.tolerance)
    found = []
    for k, trace in enumerate(traces):
        promised = noise.untouched(problem.graph, list(trace), lowered.regions, watched)
        off = (np.abs(results[i][k] - trace[i])[counts] for i, counts in zip(watched, promised, strict=True))
        found.append({i: float(each.max(initial=0.0)) for i, each in zip(watched, off, strict=True)})
    return found


def integer_outputs(
    problem: Problem, lowered: Lowered, stack: Sequence[FloatArray], count: int
) -> dict[int, FloatArray]:
    """Watched node -> what the integer program makes of it, as real numbers; each (``count``, *shape)."""
    results = stacked.outputs(lowered.graph, integers(problem, lowered, stack), interpret.INTEGER)
    at = {i: problem.graph.outputs.index(i) for i in problem.tolerance}
    real = {i: results[k] * lowered.graph.nodes[lowered.graph.outputs[k]].scale for i, k in at.items()}
    return {i: np.broadcast_to(y, (count, *y.shape[1:])) for i, y in real.items()}  # a model may have no inputs


def _measured(problem: Problem, lowered: Lowered) -> float:
    """Largest error of a watched value, in units of its tolerance."""
    judged, hard = problem.judged, problem.hard
    allowed = [*(problem.tolerance for _ in range(judged)), *(problem.limits for _ in hard)]
    samples = [*problem.samples[:judged], *(sample for sample, _ in hard)]
    found = errors(problem, lowered, samples, [*problem.traces[:judged], *(trace for _, trace in hard)])
    return max((off / a[i] for each, a in zip(found, allowed, strict=True) for i, off in each.items()), default=0.0)
