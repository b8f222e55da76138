"""The problem that the quantiser solves: the prepared float graph, samples with all their values, and tolerances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zkchain.errors import UnsupportedOp
from zkchain.ir.builder import Builder, whole_values
from zkchain.ir.graph import Graph, Op, constant
from zkchain.quantize import input_grid
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.masks import absorb
from zkchain.quantize.precision import delicate, noise
from zkchain.quantize.precision.noise import Trace
from zkchain.quantize.settings import WHOLE, Sample, Settings
from zkchain.rewrite import prepare
from zkchain.rewrite.watch import Stage, passed
from zkchain.typing import FloatArray

LABELS = (Op.ARGMAX, Op.TOP_INDEX)
DRAWN = 8  # random samples drawn from the domain, beside the calibration's
TRACED = 4  # samples kept of the calibration at least, and on which gains are measured
SAMPLES_KEPT = 64
COARSE, COARSEST = 256, 8  # an error is at most this part of the spread of values: by default, where one is asked for
VALUES_KEPT = 30_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """One problem of quantisation. ``graph``: the prepared float graph, its outputs followed by ``extra`` watched
    values (what an argmax reads, or a function with jumps or poles); ``samples`` in grid units; ``traces``: all their
    float values; ``judged``: how many of them, from the first, accuracy is measured on; ``tolerance``: watched node ->
    what it may be off by on them; ``has_data``: whether these are the user's.

    ``chosen``: outputs that labels decide -> what they may be off by beside that.
    ``hard``: samples and traces of points found to be off by more than ``limits`` (watched node -> error) allow;
    ``margin``: how many times finer these are than what is promised, where much worse points lie between those found;
    ``reached``: node -> the least and largest value that a survey of the domain found; ``held``, ``eased`` and
    ``wanted``, ``unseen``: see ``delicate``."""

    graph: Graph
    extra: int
    grids: tuple[Grid, ...]
    samples: tuple[tuple[FloatArray, ...], ...]
    traces: Sequence[Trace]
    judged: int
    tolerance: Mapping[int, float]
    settings: Settings
    has_data: bool = False
    hard: tuple[tuple[tuple[FloatArray, ...], Trace], ...] = ()
    limits: Mapping[int, float] = field(default_factory=dict)
    margin: float = 1.0
    chosen: Mapping[int, float] = field(default_factory=dict)
    reached: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    held: frozenset[int] = frozenset()
    eased: frozenset[int] = frozenset()
    wanted: Mapping[int, float] = field(default_factory=dict)
    unseen: bool = False


def pose(
    graph: Graph, grids: tuple[Grid, ...], calibration: Sequence[Sample], settings: Settings, *, unseen: bool = True
) -> Problem:
    """Prepare the float graph and gather what choosing needs: samples, all their values, tolerances (``unseen``: see
    ``delicate``)."""
    prepared = prepare_on(graph, grids)
    data = given(prepared, grids, calibration)
    samples, traces = _observed(prepared, data, _drawn(prepared, grids))
    judged = len(data) or len(samples)
    below = _below_poles(prepared, traces)
    tolerance = {
        i: _tolerance([t[i] for t in traces[:judged]], settings, i not in prepared.outputs, i in below)
        for i in watched(prepared)
    }
    tolerance.update({i: min(tolerance[i], WHOLE / 2) for i in whole_outputs(prepared, grids) & set(tolerance)})
    found = delicate.settle(prepared, grids, traces, judged, tolerance, unseen=unseen)
    extra = [i for i in sorted(found.tolerance) if i not in prepared.outputs]
    names = tuple(prepared.nodes[i].name for i in extra)
    prepared = replace(prepared, outputs=prepared.outputs + tuple(extra), output_names=prepared.output_names + names)
    posed = Problem(prepared, len(extra), grids, samples, traces, judged, found.tolerance, settings, bool(data))
    chosen = decided(prepared).intersection(prepared.outputs) - whole_outputs(prepared, grids)
    hard = [(sample, trace) for sample, trace in found.extremes if all(np.all(np.isfinite(v)) for v in trace)]
    return replace(
        posed,
        hard=tuple(hard),
        limits=found.tolerance,
        chosen={i: _tolerance([t[i] for t in traces[:judged]], settings, False, i in below) for i in chosen},
        held=frozenset(found.held),
        eased=frozenset(found.eased),
        wanted=found.wanted,
        unseen=found.unseen,
    )


def prepare_on(graph: Graph, grids: Sequence[Grid], stages: list[Stage] | None = None) -> Graph:
    """The float graph as it will be lowered, on inputs of these grids; ``stages``: appended to after every pass."""
    unmasked = passed(absorb(graph, grids), "masks absorbed", stages)
    return prepare(passed(lift_grids(unmasked, grids), "steps of the inputs made factors", stages), stages)


def _below_poles(graph: Graph, traces: Sequence[Trace]) -> set[int]:
    """The nodes that the values of a function around (or right beside) its pole have a part in."""
    found: set[int] = set()
    for i, node in enumerate(graph.nodes):
        if not found.isdisjoint(node.src) or (node.op is Op.UNARY and delicate.around_pole(node, traces)):
            found.add(i)
    return found


def _observed(
    graph: Graph, given: Sequence[tuple[FloatArray, ...]], drawn: Sequence[tuple[FloatArray, ...]]
) -> tuple[tuple[tuple[FloatArray, ...], ...], list[Trace]]:
    """Samples with all their float values, drawn ones a little aside of poles. Raises UnsupportedOp where a value is
    not finite; drawn samples are left out then, unless there are no others."""
    kept, traces, first_bad = [], [], None
    values = (*noise.observe(graph, given), *noise.observe(graph, drawn, guarded=True))
    finite = {i for i, node in enumerate(graph.nodes) if node.op is Op.CONST and np.all(np.isfinite(constant(node)))}
    for k, (sample, trace) in enumerate(zip((*given, *drawn), values, strict=True)):
        bad = next((i for i, v in enumerate(trace) if i not in finite and not np.all(np.isfinite(v))), None)
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
    build, new, inputs = Builder(), list[int](), dict[int, int]()
    steps = {i: grid.step for i, grid in zip(graph.inputs, grids, strict=True)}
    for i, node in enumerate(graph.nodes):
        build.name, inputs[i] = node.name, build.copy(node, [new[s] for s in node.src])
        new.append(inputs[i] if steps.get(i) is None else build.mul(inputs[i], build.const(steps[i] or 1.0)))
    return replace(
        graph,
        nodes=tuple(build.nodes),
        inputs=tuple(inputs[i] for i in graph.inputs),
        outputs=tuple(new[i] for i in graph.outputs),
    )


def watched(graph: Graph) -> list[int]:
    """The values whose error is limited: outputs that are numbers, and what decides the labels."""
    labels, deciding = decided(graph), {n.src[0] for n in graph.nodes if n.op in LABELS}
    return sorted({i for i in graph.outputs if i not in labels} | deciding)


def decided(graph: Graph) -> set[int]:
    """Labels, and what is made of them alone; numbers that a label chooses, from a table (ROWS) or by a product with
    other numbers, are numbers again."""
    found, constant = set[int](), set[int]()
    for i, node in enumerate(graph.nodes):
        if node.op in LABELS:
            found.add(i)
        elif constant.issuperset(node.src):
            constant.update(() if node.op is Op.INPUT else (i,))
        elif all(s in found or s in constant for s in node.src) and node.op is not Op.ROWS:
            found.add(i)
    return found


def whole_outputs(graph: Graph, grids: Sequence[Grid]) -> set[int]:
    """Outputs that are whole numbers by what they are made of (inputs of a given step count their steps)."""
    whole = whole_values(graph, {i for i, grid in zip(graph.inputs, grids, strict=True) if grid.step is not None})
    return whole.intersection(graph.outputs)


def _tolerance(values: Sequence[FloatArray], settings: Settings, decides: bool, poles: bool) -> float:
    """max_error, but at most 1/256 of the spread of the values (1/8 where asked for) and at least 1/65536; 1/1024 of it
    for values that only decide a label. ``poles``: where values of any size are drawn, the spread is that of all but
    one in a hundred."""
    stacked = np.stack(values)
    ends = np.quantile(stacked, (0.005, 0.995)) if poles else (stacked.min(), stacked.max())
    spread = float(ends[1] - ends[0]) or float(np.abs(stacked).max())
    most = spread / (COARSE if settings.max_error is None else COARSEST)
    wanted = spread / 1024 if decides else max(min(settings.wanted, most), spread / 65536)
    return wanted or settings.wanted


def given(graph: Graph, grids: Sequence[Grid], calibration: Sequence[Sample]) -> tuple[tuple[FloatArray, ...], ...]:
    """The user's samples in grid units, brought into the domain; evenly thinned where all values would not fit."""
    columns = input_grid.stack(graph, calibration)
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
        last = unit if grid.step and not grid.binary else 0.0  # a declared end is a value too
        x = (grid.lo + (grid.hi - grid.lo + last) * rng.random(graph.nodes[i].shape)) / unit
        return np.asarray(np.minimum(np.floor(x), grid.hi / unit) if grid.step else x)

    return tuple(tuple(draw(i, g) for i, g in zip(graph.inputs, grids, strict=True)) for _ in range(DRAWN))
