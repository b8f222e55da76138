"""``quantize``: the walk from a float graph to an integer graph, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir.graph import Graph, check
from zkchain.measured import Accuracy, LayerError
from zkchain.quantize import input_grid
from zkchain.quantize.layer_errors import layer_errors
from zkchain.quantize.lower.rules import Lowered
from zkchain.quantize.precision import constraint_cost
from zkchain.quantize.precision.noise import observe, untouched
from zkchain.quantize.precision.problem import Problem, given, pose, watched
from zkchain.quantize.precision.search import runs
from zkchain.quantize.report import Exploration, Point, Report, Unsure, accuracy, clamped, cuts, layers
from zkchain.quantize.settings import Domain, Sample, Settings
from zkchain.quantize.survey import Settled, regions_of, settle
from zkchain.rewrite import finish
from zkchain.rewrite.watch import passed
from zkchain.typing import FloatArray, Progress, quiet


def quantize(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
) -> Graph:
    """The integer program of a float graph: scales, static ranges and input domains everywhere, checked.

    ``domain``: one per graph input (None: taken from the calibration data, widened, see ``input_grid``).
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
    progress: Progress = quiet,
) -> tuple[Graph, Report]:
    """``quantize``, and what it decided: bits and clamps per layer, error bounds, accuracy on the calibration data."""
    settings = settings or Settings()
    check(graph, integer=False)
    grids = input_grid.resolve(graph, domain, calibration)
    progress("values of samples", 0.0)
    settled = settle(pose(graph, grids, calibration or (), settings, unseen=False), progress)
    if settled.excess > 1.0:  # the survey did not find, or could not mend, all places where functions are steep
        settled = _settled_again(settled, pose(graph, grids, calibration or (), settings), progress)
    program = passed(_without_extra(settled.problem, settled.lowered.graph), "integer program")
    return program, _report(settled)


def _settled_again(settled: Settled, problem: Problem, progress: Progress) -> Settled:
    """The better of what is settled and the problem with delicate functions that no sample showed, where there are
    such, and room for what they ask."""
    if not problem.unseen:
        return settled
    try:
        return min(settled, settle(problem, progress), key=lambda each: each.excess)
    except (CompileError, UnsupportedOp):
        return settled


def _without_extra(problem: Problem, graph: Graph) -> Graph:
    n = len(graph.outputs) - problem.extra
    return finish(replace(graph, outputs=graph.outputs[:n], output_names=graph.output_names[:n]))


def _report(settled: Settled) -> Report:
    problem, lowered = settled.problem, settled.lowered
    graph, n = lowered.graph, len(lowered.graph.outputs) - problem.extra
    values, watch = runs(problem, lowered), problem.graph.outputs[:n]
    expected = [[_as_label(problem.graph, i, trace[i]) for i in watch] for trace in problem.traces[: problem.judged]]
    got = [[run[k] * graph.nodes[k].scale for k in graph.outputs[:n]] for run in values]
    compared: tuple[Accuracy, ...] = accuracy(graph.output_names[:n], expected, got)
    limits = tuple(float(b.max(initial=0)) for b in lowered.bounds[:n])
    finite = tuple(b if np.isfinite(b) else None for b in limits)
    total = round(constraint_cost.total(_without_extra(problem, graph)))
    return Report(
        layers(graph, values),
        finite,
        compared,
        total,
        _exploration(settled, watch),
        clamped(graph, values),
        cuts(graph),
        lowered.regions,
        layer_errors(problem, lowered, problem.samples[: problem.judged], problem.traces[: problem.judged]),
        partial(_layer_errors_at, problem, lowered),
    )


def _layer_errors_at(problem: Problem, lowered: Lowered, sample: Sequence[npt.ArrayLike]) -> tuple[LayerError, ...]:
    samples = given(problem.graph, problem.grids, [sample])
    return layer_errors(problem, lowered, samples, observe(problem.graph, samples))


def _exploration(settled: Settled, watch: Sequence[int]) -> Exploration:
    problem, found = settled.problem, settled.survey

    def real(sample: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return tuple(np.asarray(x * (grid.step or 1.0)) for x, grid in zip(sample, problem.grids, strict=True))

    def at(sample: Sequence[npt.ArrayLike]) -> Unsure:
        lowered = settled.lowered
        if not lowered.regions:
            return Unsure((), (None,) * len(watch))
        (trace,) = observe(problem.graph, given(problem.graph, problem.grids, [sample]))
        return Unsure(regions_of(lowered, trace), tuple(untouched(problem.graph, trace, lowered.regions, watch)))

    points = tuple(Point(f.probe.origin, real(f.probe.sample), f.clamped) for f in found.findings)
    limits, data_limits, spans = (
        tuple(each.get(i) for i in watch) for each in (settled.limits, settled.data_limits, settled.spans)
    )
    return Exploration(points, found.undefined, limits, data_limits, spans, at)


def _as_label(graph: Graph, i: int, value: FloatArray) -> npt.NDArray[np.generic]:
    return value.astype(np.int64) if i not in watched(graph) else value
