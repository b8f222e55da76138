"""``quantize``: the walk from a float graph to an integer graph, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zkchain import interpret
from zkchain.errors import CompileError, UnsupportedOp
from zkchain.graph import Graph, IntArray, Op, check
from zkchain.quantize import domains, points, rows
from zkchain.quantize.allocate import allocate
from zkchain.quantize.domains import Grid
from zkchain.quantize.edit import Editor, copy
from zkchain.quantize.finish import finish
from zkchain.quantize.lower import Lowered, lower
from zkchain.quantize.lowering import OUT, Plan
from zkchain.quantize.passes import prepare
from zkchain.quantize.points import Point, Trace
from zkchain.quantize.report import Accuracy, Report, accuracy, layers
from zkchain.quantize.settings import Domain, Sample, Settings

FloatArray = npt.NDArray[np.float64]

SLACKS = (24, 16, 12, 8, 6, 4, 2)  # bits of static range above what was seen that are let through, tried in turn
WORTH_A_CLAMP = 0.95  # clamp more only where it brings the rows down to this share
DEVIATIONS = 4.0  # the largest error is this many times the root mean square
DRAWN = 8  # random samples drawn from the domain, beside the calibration's
TRACED = 4  # samples on which gains are measured
ATTEMPTS = 12
TIGHTER = 0.75  # each attempt allows the roundings this share of the error
JUDGED_ENOUGH = 0.7  # of the tolerance, on the samples at hand
SAMPLES_KEPT = 64
VALUES_KEPT = 30_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """What is being quantised. ``graph``: the prepared float graph, its outputs followed by ``extra`` watched values
    (what an argmax reads); ``samples`` in grid units; ``traces``: all their float values; ``judged``: how many of them,
    from the first, accuracy is measured on; ``tolerance``: watched node -> what it may be off by."""

    graph: Graph
    extra: int
    grids: tuple[Grid, ...]
    samples: tuple[tuple[FloatArray, ...], ...]
    traces: Sequence[Trace]
    judged: int
    tolerance: Mapping[int, float]
    settings: Settings


def quantize(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
) -> Graph:
    """The integer program of a float graph: scales, static ranges and input domains everywhere, checked.

    ``domain``: one per graph input (None: taken from the calibration data, widened, see ``domains``).
    ``calibration``: samples, each a sequence of one array per graph input. It chooses scales and clamps, never whether
    an input is provable: everything in the domain is. Without it random inputs of the domain choose the scales.
    Raises InputError (domain or samples), UnsupportedOp, CompileError (a value could reach 2^62).
    """
    return quantize_with_report(graph, domain, calibration, settings)[0]


def quantize_with_report(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
) -> tuple[Graph, Report]:
    """``quantize``, and what it decided: bits and clamps per layer, error bounds, accuracy on the calibration data."""
    settings = settings or Settings()
    check(graph, integer=False)
    grids = domains.resolve(graph, domain, calibration)
    problem = pose(graph, grids, calibration or (), settings)
    lowered = _search(problem)
    return _without_extra(problem, lowered.graph), _report(problem, lowered)


def pose(graph: Graph, grids: tuple[Grid, ...], calibration: Sequence[Sample], settings: Settings) -> Problem:
    """Prepare the float graph and gather what choosing needs: samples, all their values, tolerances."""
    prepared = prepare(lift_grids(graph, grids))
    extra = [i for i in watched(prepared) if i not in prepared.outputs]
    names = tuple(prepared.nodes[i].name for i in extra)
    prepared = replace(prepared, outputs=prepared.outputs + tuple(extra), output_names=prepared.output_names + names)
    given = _given(prepared, grids, calibration)
    samples, traces = _observed(prepared, given, _drawn(prepared, grids))
    judged = len(given) or len(samples)
    tolerance = {i: _tolerance([t[i] for t in traces[:judged]], settings) for i in watched(prepared)}
    return Problem(prepared, len(extra), grids, samples, traces, judged, tolerance, settings)


def _observed(
    graph: Graph, given: Sequence[tuple[FloatArray, ...]], drawn: Sequence[tuple[FloatArray, ...]]
) -> tuple[tuple[tuple[FloatArray, ...], ...], list[Trace]]:
    """Samples with all their float values. Raises UnsupportedOp where a value is not finite; drawn samples are left out
    then, unless there are no others."""
    kept, traces, first_bad = [], [], None
    for k, (sample, trace) in enumerate(zip((*given, *drawn), points.observe(graph, (*given, *drawn)), strict=True)):
        bad = next((i for i, value in enumerate(trace) if not np.all(np.isfinite(value))), None)
        if bad is None:
            kept.append(sample)
            traces.append(trace)
        elif k < len(given) or first_bad is None:
            first_bad = bad
            if k < len(given):
                break
    if first_bad is not None and (len(traces) < len(given) or not traces):
        node = graph.nodes[first_bad]
        what = str(node.arg["fn"][0]) if node.op is Op.UNARY else str(node.op)
        raise UnsupportedOp(
            node.name, what, "its value is not finite on a sample", hint="clip its argument in the model"
        )
    return tuple(kept), traces


def lift_grids(graph: Graph, grids: Sequence[Grid]) -> Graph:
    """Inputs of a given step become integers times the step; the factor then folds into the first layer."""
    editor, new = Editor(), [0] * len(graph.nodes)
    steps = {i: grid.step for i, grid in zip(graph.inputs, grids, strict=True)}
    inputs = {}
    for i, node in enumerate(graph.nodes):
        new[i] = inputs[i] = copy(editor, node, tuple(new[s] for s in node.src))
        if steps.get(i) is not None:
            new[i] = editor.add(Op.MUL, node.name, (new[i], editor.const(node.name, steps[i] or 1.0)))
    return replace(
        graph,
        nodes=tuple(editor.nodes),
        inputs=tuple(inputs[i] for i in graph.inputs),
        outputs=tuple(new[i] for i in graph.outputs),
    )


def watched(graph: Graph) -> list[int]:
    """The values whose error is limited: outputs that are numbers, and what decides the labels."""
    decided, deciding = set(), set()
    for i, node in enumerate(graph.nodes):
        if node.op is Op.ARGMAX:
            deciding.add(node.src[0])
            decided.add(i)
        elif decided.intersection(node.src):
            decided.add(i)
    return sorted({i for i in graph.outputs if i not in decided} | deciding)


def _tolerance(values: Sequence[FloatArray], settings: Settings) -> float:
    """max_error, but at most 1/256 and at least 1/65536 of the spread of the values."""
    stacked = np.stack(values)
    spread = float(stacked.max() - stacked.min()) or float(np.abs(stacked).max())
    return max(min(settings.max_error, spread / 256), spread / 65536) or settings.max_error


def _given(graph: Graph, grids: Sequence[Grid], calibration: Sequence[Sample]) -> tuple[tuple[FloatArray, ...], ...]:
    """The user's samples in grid units, brought into the domain; evenly thinned where all values would not fit."""
    columns = domains.stack(graph, calibration)
    keep = int(np.clip(VALUES_KEPT // max(sum(n.size for n in graph.nodes), 1), TRACED, SAMPLES_KEPT))
    chosen = np.unique(np.linspace(0, len(calibration) - 1, min(keep, len(calibration))).astype(int))
    return tuple(
        tuple(
            np.clip(np.asarray(column[k], dtype=np.float64), grid.lo, grid.hi) / (grid.step or 1.0)
            for column, grid in zip(columns, grids, strict=True)
            if column is not None
        )
        for k in chosen
    )


def _drawn(graph: Graph, grids: Sequence[Grid]) -> tuple[tuple[FloatArray, ...], ...]:
    """Random inputs of the domain, in grid units; always the same ones."""
    rng = np.random.default_rng(0)

    def draw(i: int, grid: Grid) -> FloatArray:
        unit = grid.step or 1.0
        x = (grid.lo + (grid.hi - grid.lo) * rng.random(graph.nodes[i].shape)) / unit
        return np.asarray(np.floor(x) if grid.step else x)

    return tuple(tuple(draw(i, g) for i, g in zip(graph.inputs, grids, strict=True)) for _ in range(DRAWN))


def _search(problem: Problem) -> Lowered:
    """Tighten the error allowed to the roundings until the measured error fits, or no longer falls."""
    found, gains = _measure_points(problem)
    tried: list[tuple[float, Lowered]] = []
    slacks: Sequence[int] = SLACKS
    for attempt in range(ATTEMPTS):
        bits = allocate(found, gains, TIGHTER**attempt / DEVIATIONS, problem.settings, more=attempt)
        slack, lowered = _cheapest(problem, _plan(problem, found, bits), slacks)
        slacks = tuple(s for s in SLACKS if s <= slack)[:2]
        tried.append((_measured(problem, lowered), lowered))
        if tried[-1][0] <= JUDGED_ENOUGH or (attempt > 3 and tried[-1][0] > 0.9 * tried[-4][0]):
            break
    least = max(min(error for error, _ in tried), JUDGED_ENOUGH)
    return next(lowered for error, lowered in tried if error <= 1.2 * least)


def _measure_points(problem: Problem) -> tuple[list[Point], list[float]]:
    fixed = {i: grid.step is not None for i, grid in zip(problem.graph.inputs, problem.grids, strict=True)}
    judged = problem.traces[: problem.judged]
    found = points.find(problem.graph, judged, fixed)
    some = judged[:: max(len(judged) // TRACED, 1)][:TRACED]
    return found, points.gains(problem.graph, found, some, problem.tolerance)


def first_plan(problem: Problem) -> Plan:
    """The plan that predicted errors alone suggest."""
    found, gains = _measure_points(problem)
    return _plan(problem, found, allocate(found, gains, 1 / DEVIATIONS, problem.settings))


def _plan(problem: Problem, found: Sequence[Point], bits: Sequence[int]) -> Plan:
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
    watched = points.narrowed_roots(problem.graph) | {n.src[0] for n in problem.graph.nodes if n.op is Op.UNARY}
    seen = {i: _ends([t[i] for t in problem.traces]) for i in watched}
    settings = problem.settings
    return Plan(
        weight, activation, seen, settings.clamp_margin_bits, SLACKS[0], settings.max_range_bits, settings.table_bits
    )


def _ends(values: Sequence[FloatArray]) -> tuple[float, float]:
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def _share_tables(graph: Graph, weight: dict[tuple[int, int], int], activation: dict[int, int]) -> None:
    """One precision for every use of a function, so that all can look it up in the same table."""
    uses: dict[tuple[object, ...], list[int]] = {}
    for i, node in enumerate(graph.nodes):
        if (i, OUT) in weight:
            uses.setdefault(tuple(node.arg["fn"]), []).append(i)
    for same in uses.values():
        arguments = [r for r in (points.argument(graph, graph.nodes[i].src[0]) for i in same) if r in activation]
        inner = max((activation[r] for r in arguments), default=0)
        outer = max(weight[i, OUT] for i in same)
        weight.update({(i, OUT): outer for i in same})
        activation.update({r: inner for r in arguments if graph.nodes[r].op is not Op.INPUT})


def _cheapest(problem: Problem, plan: Plan, slacks: Sequence[int]) -> tuple[int, Lowered]:
    """The lowering with fewest clamps among those of (nearly) fewest estimated rows, and its slack."""
    found: list[tuple[float, int, Lowered]] = []
    refusal: CompileError | None = None
    for slack in slacks:
        try:
            lowered = lower(problem.graph, replace(plan, slack=slack), problem.grids)
        except CompileError as error:
            refusal = error
            continue
        lowered = replace(lowered, graph=finish(lowered.graph))
        found.append((rows.total(lowered.graph), slack, lowered))
    if not found:
        raise refusal or CompileError("no lowering was tried")
    enough = min(cost for cost, _, _ in found) / WORTH_A_CLAMP
    return next((slack, lowered) for cost, slack, lowered in found if cost <= enough)


def _runs(problem: Problem, lowered: Lowered) -> list[list[IntArray]]:
    """All integer values on the judged samples."""
    graph = lowered.graph
    inputs = [graph.nodes[i] for i in graph.inputs]
    runs = []
    for sample in problem.samples[: problem.judged]:
        q = []
        for node, grid, x in zip(inputs, problem.grids, sample, strict=True):
            scaled = np.rint(x * (grid.step or 1.0) / node.scale)
            q.append(np.clip(scaled, node.lo, node.hi).astype(np.int64))
        runs.append(interpret.run_all(graph, q))
    return runs


def _measured(problem: Problem, lowered: Lowered) -> float:
    """Largest error of a watched value, in units of its tolerance."""
    worst = 0.0
    for run, trace in zip(_runs(problem, lowered), problem.traces, strict=False):
        for i, unit in problem.tolerance.items():
            k = lowered.graph.outputs[problem.graph.outputs.index(i)]
            off = np.abs(run[k] * lowered.graph.nodes[k].scale - trace[i])
            worst = max(worst, float(off.max(initial=0)) / unit)
    return worst


def _without_extra(problem: Problem, graph: Graph) -> Graph:
    n = len(graph.outputs) - problem.extra
    return finish(replace(graph, outputs=graph.outputs[:n], output_names=graph.output_names[:n]))


def _report(problem: Problem, lowered: Lowered) -> Report:
    graph, n = lowered.graph, len(lowered.graph.outputs) - problem.extra
    runs, watch = _runs(problem, lowered), problem.graph.outputs[:n]
    expected = [[_as_label(problem.graph, i, trace[i]) for i in watch] for trace in problem.traces[: problem.judged]]
    got = [[run[k] * graph.nodes[k].scale for k in graph.outputs[:n]] for run in runs]
    compared: tuple[Accuracy, ...] = accuracy(graph.output_names[:n], expected, got)
    limits = tuple(float(b.max(initial=0)) for b in lowered.bounds[:n])
    finite = tuple(b if np.isfinite(b) else None for b in limits)
    return Report(layers(graph, runs), finite, compared, round(rows.total(_without_extra(problem, graph))))


def _as_label(graph: Graph, i: int, value: FloatArray) -> npt.NDArray[np.generic]:
    return value.astype(np.int64) if i not in watched(graph) else value
