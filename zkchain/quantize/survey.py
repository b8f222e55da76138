"""The whole declared domain, not the data alone: where is the integer program furthest from the float model?

Probed are corners of the domain, its middle, random points, corners towards which gradients say that a clamp is left or
an output grows, and what a hunt from the worst of them finds (``hunt``). That is a lower bound of the true worst, so
clamps that were reached are opened with their margin (``settle``), and what stays is part of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir.checked import saturated
from zkchain.ir.gradient import input_gradients
from zkchain.ir.graph import Graph
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.hunt import hunt
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.lower.precision import Clamp
from zkchain.quantize.lower.rules import Lowered
from zkchain.quantize.precision import noise, search
from zkchain.quantize.precision.noise import Trace
from zkchain.quantize.precision.problem import Problem, whole_outputs
from zkchain.typing import Array, FloatArray, IntArray, Progress, quiet

CORNERS, RANDOM, CLOSE, SMALL = 16, 32, 20, 40  # points of each kind at most
DECADES = 9.0  # small inputs reach so many decades down
HALVINGS, PAIRS = 24, 8  # halvings of a stretch over which an output changes; pairs of points from which it is chosen
ASCENTS = 3  # steps from corner to corner along a gradient
ELEMENTS = 4  # elements of a clamp or an output that are driven outward, both ways
ROUNDS = 8  # rounds of opening clamps and adding bits, while it helps
COARSER = (1.0, 4.0, 16.0, 64.0, 2.0**8, 2.0**16)  # tolerances of delicate arguments, tried in turn
ENOUGH, SURE = 0.7, 0.85  # part of the allowed error to reach, since no survey finds the very worst point; after a
# longer hunt, which comes nearer to it
DEEPER = 1.2  # a hunt that finds so many times the error of the points it began at would find more
MOST_MARGIN = 64.0  # worse points lie between those found: up to so many times as much is asked
HOPE = 4.0  # where more is missed and a round does not help, another does not either
EASE = 0.6  # of what is near enough: where less is left, less is asked once more
HARD = 4  # points that a round adds to those by which scales are chosen
WORK, LEAST_WORK, MOST_WORK = 30_000_000, 12, 400  # values computed; passes over the graph, at least and at most

HUNT = "a point that a hunt from the worst ones found"

Sample = tuple[FloatArray, ...]  # in units of the grids


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """A point of the domain: how it was found, its inputs in units of the grids, and all float values. Where one of
    these is no number, what it has no part in is compared all the same."""

    origin: str
    sample: Sample
    trace: Trace

    @property
    def finite(self) -> bool:
        return all(bool(np.isfinite(value).all()) for value in self.trace)


@dataclass(frozen=True, eq=False, slots=True)
class Finding:
    """A probe and what the integer program makes of it. ``errors``: watched node -> largest distance where something is
    promised; ``clamped``: elements that a clamp changes."""

    probe: Probe
    errors: Mapping[int, float]
    clamped: int


@dataclass(frozen=True, eq=False, slots=True)
class Survey:
    """Result of a survey, at how many of the probes some float value is no number (``undefined``), and what part of the
    limits is near enough to them for what it looked at (``enough``)."""

    findings: tuple[Finding, ...]
    undefined: int
    enough: float = ENOUGH


def survey(problem: Problem, lowered: Lowered, progress: Progress = quiet) -> Survey:
    """Probe the domain of a lowered problem."""
    progress("points of the domain", 0.5)
    ends = domain_ends(problem, lowered)
    size = sum(node.size for node in problem.graph.nodes)
    budget = int(np.clip(WORK // max(size, 1), LEAST_WORK, MOST_WORK))
    plain = _plain_probes(problem.graph, problem.grids, ends, max(budget // 3, 8))
    finite = [probe for probe in plain if probe.finite]
    starts = [*finite, *(Probe("data", s, t) for s, t in zip(problem.samples, problem.traces, strict=True))][:24]
    driven = [*_driven(problem, lowered, ends, starts, budget), *_bisected(problem, plain, budget)]
    found = judge(problem, lowered, [*plain, *driven])
    enough = ENOUGH
    if found:
        limits = _limits(problem, _spans(problem, lowered, [*problem.traces, *(f.probe.trace for f in found)]))
        progress(f"a hunt from {len(found)} points", 0.8)
        hunted = _hunted(problem, lowered, ends, found, limits)
        before, after = (max((_excess(f.errors, limits) for f in each), default=0.0) for each in (found, hunted))
        found += hunted
        if DEEPER * before < after <= ENOUGH:
            found += _hunted(problem, lowered, ends, found, limits, longer=True)
            enough = SURE
    return Survey(tuple(found), sum(not f.probe.finite for f in found), enough)


def domain_ends(problem: Problem, lowered: Lowered) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Lower and upper ends of every input, in units of its grid: as declared, or those of the integers."""
    ends = []
    for i, grid in zip(lowered.graph.inputs, problem.grids, strict=True):
        node, unit = lowered.graph.nodes[i], grid.step or 1.0
        lo, hi = bounds_of(node)
        own = (lo * node.scale, hi * node.scale) if grid.binary or grid.step else (grid.lo, grid.hi)
        ends.append((np.broadcast_to(own[0] / unit, node.shape), np.broadcast_to(own[1] / unit, node.shape)))
    return tuple(ends)


def whole_points(program: Graph) -> list[tuple[str, list[IntArray]]]:
    """Corners, middle and random points of an integer graph's domain, as integers; how each was found."""
    nodes = [program.nodes[i] for i in program.inputs]
    ends = [tuple(np.broadcast_to(end, n.shape).astype(np.float64) for end in bounds_of(n)) for n in nodes]
    whole = [Grid(lo, hi, 1.0, binary=False) for lo, hi in ends]
    return [
        (origin, [np.clip(saturated(x), *bounds_of(n)) for x, n in zip(sample, nodes, strict=True)])
        for origin, sample in _plain_samples(whole, [(lo, hi) for lo, hi in ends])
    ]


def _plain_probes(
    graph: Graph, grids: Sequence[Grid], ends: Sequence[tuple[FloatArray, FloatArray]], most: int
) -> list[Probe]:
    named = list(_plain_samples(grids, ends))[:most]
    traces = noise.observe(graph, [sample for _, sample in named])
    return [Probe(origin, sample, trace) for (origin, sample), trace in zip(named, traces, strict=True)]


def _plain_samples(
    grids: Sequence[Grid], ends: Sequence[tuple[FloatArray, FloatArray]]
) -> Iterator[tuple[str, Sample]]:
    """Corners, middle, zero and random points, the same ones every time."""
    rng = np.random.default_rng(1)

    def at(choose: FloatArray, lo: FloatArray, hi: FloatArray, grid: Grid) -> FloatArray:
        x = lo + (hi - lo) * choose
        return np.asarray(np.clip(np.rint(x) if grid.step else x, lo, hi))

    def everywhere(choose: Callable[[tuple[int, ...]], FloatArray]) -> Sample:
        return tuple(at(choose(lo.shape), lo, hi, grid) for (lo, hi), grid in zip(ends, grids, strict=True))

    yield "all inputs at their lower ends", everywhere(np.zeros)
    yield "all inputs at their upper ends", everywhere(np.ones)
    yield "the middle of the domain", everywhere(lambda shape: np.full(shape, 0.5))
    yield "zero, or the end next to it", tuple(np.asarray(np.clip(np.zeros(lo.shape), lo, hi)) for lo, hi in ends)
    yield "lower and upper ends in turn", everywhere(lambda shape: _alternating(shape, 0))
    yield "upper and lower ends in turn", everywhere(lambda shape: _alternating(shape, 1))
    for k in range(max(CORNERS, RANDOM)):
        if k < CORNERS:
            yield "a random corner", everywhere(lambda shape: rng.integers(0, 2, shape).astype(np.float64))
        if k < RANDOM:
            yield "a random point", everywhere(lambda shape: rng.random(shape))
        if k < CLOSE:
            middle, apart = float(rng.random()), 2.0 ** (-4.0 * (1 + k % 5))
            yield "inputs close to each other", everywhere(partial(_close_together, rng, middle, apart))
        if k < SMALL:
            yield "small inputs", tuple(_small(rng, k / SMALL, *e, g) for e, g in zip(ends, grids, strict=True))


def _close_together(rng: np.random.Generator, middle: float, apart: float, shape: tuple[int, ...]) -> FloatArray:
    """Points at which a softmax of a wide domain is steep."""
    return np.asarray(np.clip(middle + apart * (rng.random(shape) - 0.5), 0.0, 1.0))


def _small(rng: np.random.Generator, share: float, lo: FloatArray, hi: FloatArray, grid: Grid) -> FloatArray:
    """Ends brought near zero, each element by a power of ten of its own: what is fine for the largest numbers may be
    coarse for these, and a curve over a wide domain may do all its bending there."""
    decades = DECADES * np.mod(share + rng.random(lo.shape), 1.0)
    x = np.where(rng.integers(0, 2, lo.shape) > 0, hi, lo) * 10.0**-decades
    return np.asarray(np.clip(np.rint(x) if grid.step else x, lo, hi))


def _alternating(shape: tuple[int, ...], first: int) -> FloatArray:
    return ((np.arange(int(np.prod(shape, dtype=np.int64))) + first) % 2).astype(np.float64).reshape(shape)


def _driven(
    problem: Problem,
    lowered: Lowered,
    ends: Sequence[tuple[FloatArray, FloatArray]],
    starts: Sequence[Probe],
    budget: int,
) -> Iterator[Probe]:
    """Corners towards which clamps are left and outputs grow."""
    passes = 0
    for node, element, sign in _targets(problem, lowered, starts):
        if passes >= budget or not starts:
            return
        best = max(starts, key=lambda probe: sign * float(probe.trace[node].ravel()[element]))
        for _ in range(ASCENTS):
            passes += 2
            found = _ascend(problem.graph, ends, best, node, element, sign)
            if (
                found is None
                or not sign * (float(found.trace[node].ravel()[element]) - float(best.trace[node].ravel()[element])) > 0
            ):
                break
            best = found
        if best.origin.startswith("a corner towards"):
            yield best


def _bisected(problem: Problem, probes: Sequence[Probe], budget: int) -> Iterator[Probe]:
    """Between two points whose outputs differ, the halves over which they differ the most: this way lie jumps, and the
    bend of a curve that is flat over the rest of a wide domain."""
    rng = np.random.default_rng(3)
    for k in range(budget // (4 * HALVINGS) if len(probes) > 1 else 0):
        i = list(problem.tolerance)[k % len(problem.tolerance)]
        pairs = [rng.choice(len(probes), 2, replace=False) for _ in range(PAIRS)]
        a, b = max(((probes[p], probes[q]) for p, q in pairs), key=lambda pair: _apart(i, *pair))
        for _ in range(HALVINGS):
            sample = tuple(
                np.rint((x + y) / 2) if grid.step else (x + y) / 2
                for x, y, grid in zip(a.sample, b.sample, problem.grids, strict=True)
            )
            middle = Probe("between points that differ", sample, _observe(problem.graph, sample))
            yield middle
            a, b = (a, middle) if _apart(i, a, middle) >= _apart(i, middle, b) else (middle, b)


def _apart(i: int, a: Probe, b: Probe) -> float:
    with np.errstate(all="ignore"):
        apart = np.abs(a.trace[i] - b.trace[i])
    return float(apart[np.isfinite(apart)].max(initial=0.0))


def _ascend(
    graph: Graph, ends: Sequence[tuple[FloatArray, FloatArray]], start: Probe, node: int, element: int, sign: int
) -> Probe | None:
    """The corner to which the gradient of one element points; inputs without influence stay."""
    seed = np.zeros(graph.nodes[node].shape)
    seed.ravel()[element] = sign
    slopes = input_gradients(graph, start.trace, {node: seed})
    sample = tuple(
        np.where(slope > 0, hi, np.where(slope < 0, lo, np.clip(x, lo, hi)))  # a drawn x may round to beyond the ends
        for slope, (lo, hi), x in zip(slopes, ends, start.sample, strict=True)
    )
    if all(np.array_equal(a, b) for a, b in zip(sample, start.sample, strict=True)):
        return None
    name = graph.nodes[node].name
    return Probe(f"a corner towards {'large' if sign > 0 else 'small'} {name!r}", sample, _observe(graph, sample))


def _observe(graph: Graph, sample: Sample) -> Trace:
    return noise.observe(graph, [sample])[0]


def _targets(problem: Problem, lowered: Lowered, starts: Sequence[Probe]) -> list[tuple[int, int, int]]:
    """(node, element, direction): first those of outputs, then those of clamps, the first of each before the second."""
    each: list[list[tuple[int, int, int]]] = []
    for i in problem.tolerance:
        each.append(_extremes(i, [probe.trace[i] for probe in starts]))
    for clamp in lowered.clamps:
        node = lowered.rescaled.get(clamp.node)
        seen = [probe.trace[clamp.node] for probe in starts]
        if node is not None and node.shape == problem.graph.nodes[clamp.node].shape:
            seen = [np.broadcast_to(end, node.shape) * node.scale for end in bounds_of(node)]
        wanted = [target for target in _extremes(clamp.node, seen) if target[2] > 0 or not clamp.above_only]
        each.append(wanted)
    longest = max((len(targets) for targets in each), default=0)
    return [targets[k] for k in range(longest) for targets in each if k < len(targets)]


def _extremes(i: int, values: Sequence[FloatArray]) -> list[tuple[int, int, int]]:
    """The elements that reach furthest up and down."""
    if not values or not values[0].size:
        return []
    stacked = np.stack([np.asarray(v, dtype=np.float64).ravel() for v in values])
    up, down = np.argsort(-stacked.max(axis=0))[:ELEMENTS], np.argsort(stacked.min(axis=0))[:ELEMENTS]
    return [t for a, b in zip(up.tolist(), down.tolist(), strict=True) for t in ((i, a, 1), (i, b, -1))]


def judge(problem: Problem, lowered: Lowered, probes: Sequence[Probe]) -> list[Finding]:
    """Run the integer program on points."""
    samples, traces = [probe.sample for probe in probes], [probe.trace for probe in probes]
    return [
        Finding(probe, errors, sum(_hits(clamp, probe.trace[clamp.node]) for clamp in lowered.clamps))
        for probe, errors in zip(probes, search.errors(problem, lowered, samples, traces), strict=True)
    ]


def regions_of(lowered: Lowered, trace: Trace) -> tuple[int, ...]:
    """The regions without a promise that a value of the trace lies in."""
    return tuple(k for k, region in enumerate(lowered.regions) if np.any(region.contains(trace[region.argument])))


def _hits(clamp: Clamp, value: Array) -> int:
    below = np.zeros(value.shape, np.bool_) if clamp.above_only else value < clamp.low
    return int(np.count_nonzero(below | (value > clamp.high)))


def _hunted(
    problem: Problem,
    lowered: Lowered,
    ends: Sequence[tuple[FloatArray, FloatArray]],
    found: Sequence[Finding],
    limits: Mapping[int, float],
    *,
    longer: bool = False,
) -> list[Finding]:
    known = [*(f.probe.sample for f in found), *problem.samples]
    samples = hunt(problem, lowered, ends, limits, known, longer=longer)
    traces = noise.observe(problem.graph, samples)
    return judge(problem, lowered, [Probe(HUNT, s, t) for s, t in zip(samples, traces, strict=True)])


@dataclass(frozen=True, eq=False, slots=True)
class Settled:
    """A lowered problem, what a survey of its domain found, and the largest error allowed of each watched node:
    anywhere in the domain, and on the data (empty: there is none); ``spans``: how far apart its values lie in the
    domain; ``data_excess``: the largest error on the data, in units of what is allowed there."""

    problem: Problem
    lowered: Lowered
    survey: Survey
    limits: Mapping[int, float]
    data_limits: Mapping[int, float]
    spans: Mapping[int, float]
    data_excess: float

    @property
    def excess(self) -> float:
        """The largest error in units of its limit, outside the regions without a promise."""
        return max([self.data_excess, *(_excess(f.errors, self.limits) for f in self.survey.findings)])


def _excess(errors: Mapping[int, float], limits: Mapping[int, float]) -> float:
    return max((error / limits[i] for i, error in errors.items()), default=0.0)


def settle(problem: Problem, progress: Progress = quiet) -> Settled:
    """Quantise for the data; survey the domain; where the promise is missed, open the clamps that were reached, keep
    more bits for the points that are off, and begin again. The best of all rounds."""
    best = last = _first(problem, _in_round(progress, 0))
    stuck = False
    for k in range(1, ROUNDS):
        if best.excess <= best.survey.enough:
            break
        try:
            last = _settled(_harder(last), _in_round(progress, k))
        except (CompileError, UnsupportedOp):  # no room for wider ranges, longer tables or more bits
            break
        again, stuck = stuck, last.excess > 0.9 * best.excess
        best = min(best, last, key=lambda settled: settled.excess)
        if stuck and (again or not 1.0 < best.excess <= HOPE):
            break
    return _eased(best, _in_round(progress, ROUNDS - 1))


def _in_round(progress: Progress, k: int) -> Progress:
    """Progress within round k of at most ROUNDS."""
    return lambda stage, done: progress(f"round {k + 1}, {stage}", (k + done) / ROUNDS)


def _eased(best: Settled, progress: Progress) -> Settled:
    """Less finely, where much more was asked than it took: half the way back, since errors are no straight line."""
    share = best.excess / best.survey.enough
    if best.problem.margin == 1.0 or share > EASE:
        return best
    margin = max(best.problem.margin * float(np.sqrt(share)), 1.0)
    limits = {i: limit / margin for i, limit in best.limits.items()}
    try:
        found = _settled(replace(best.problem, limits=limits, margin=margin), progress)
    except (CompileError, UnsupportedOp):
        return best
    return found if found.excess <= found.survey.enough else best


def _first(problem: Problem, progress: Progress) -> Settled:
    """The problem, settled. Where there is no room below 2^62 for what is asked of the arguments of functions with
    poles or jumps, less is asked of them: their regions without a promise are wider then."""
    for coarser in COARSER:
        try:
            return _settled(_asking_less(problem, coarser), progress)
        except CompileError as error:
            refusal = error
            if not problem.eased:
                break
    raise refusal


def _asking_less(problem: Problem, factor: float) -> Problem:
    arguments = problem.eased - set(problem.graph.outputs[: _shown(problem)])
    return replace(
        problem, tolerance={i: t * (factor if i in arguments else 1.0) for i, t in problem.tolerance.items()}
    )


def _shown(problem: Problem) -> int:
    """Outputs of the model; the others are watched alone."""
    return len(problem.graph.outputs) - problem.extra


def _settled(problem: Problem, progress: Progress) -> Settled:
    lowered = search.search(problem, progress)
    found = survey(problem, lowered, progress)
    everywhere = [*problem.traces, *(f.probe.trace for f in found.findings)]
    data = problem.traces[: problem.judged] if problem.has_data else []
    spans, data_spans = (_spans(problem, lowered, traces) for traces in (everywhere, data))
    limits, data_limits = _limits(problem, spans), _limits(problem, data_spans)
    errors = search.errors(problem, lowered, problem.samples[: len(data)], data)
    worst = max((_excess(each, data_limits) for each in errors), default=0.0)
    return Settled(problem, lowered, found, limits, data_limits, spans, worst)


def _limits(problem: Problem, spans: Mapping[int, float]) -> dict[int, float]:
    """The largest error allowed of each watched node, from what it spans."""
    outputs, whole = problem.graph.outputs[: _shown(problem)], whole_outputs(problem.graph, problem.grids)
    return {i: problem.settings.limit(s, label=i not in outputs, whole=i in whole) for i, s in spans.items()}


def _spans(problem: Problem, lowered: Lowered, traces: Sequence[Trace]) -> dict[int, float]:
    """What each watched node spans where no region has a part in it, or the size of its value where that is one."""
    watched, spans = list(problem.tolerance), {}
    counts = [noise.untouched(problem.graph, trace, lowered.regions, watched) for trace in traces]
    for k, i in enumerate(watched if traces else ()):
        low, high = _reach([trace[i][mask[k]] for trace, mask in zip(traces, counts, strict=True)])
        spans[i] = high - low or max(abs(low), abs(high))
    return spans


def _reach(values: Sequence[Array]) -> tuple[float, float]:
    """The least and largest number of all (0 where there is none)."""
    numbers = [v[np.isfinite(v)] for v in values]
    ends = [(float(v.min()), float(v.max())) for v in numbers if v.size] or [(0.0, 0.0)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _harder(settled: Settled) -> Problem:
    """The problem with what its survey found: how far values reach, and the points that are off the most for no clamp's
    sake."""
    problem, found = settled.problem, settled.survey.findings
    traces = [f.probe.trace for f in found]
    reached = {
        i: _reach([*(t[i] for t in noise.different(node, traces)), np.asarray(problem.reached.get(i, traces[0][i]))])
        for i, node in enumerate(problem.graph.nodes)
    }
    off = [f for f in found if not f.clamped and _excess(f.errors, settled.limits) > ENOUGH]
    ranked = sorted(off, key=lambda f: -_excess(f.errors, settled.limits))
    # the worst say how far off, the mildest how steep: where everything is off, nothing small is seen to change
    worst = ranked if len(ranked) <= HARD else [*ranked[: HARD // 2], *ranked[-(HARD // 2) :]]
    hard = (*problem.hard, *((f.probe.sample, f.probe.trace) for f in worst))
    missed = max((_excess(f.errors, settled.limits) for f in off), default=0.0)
    # as much again as was missed would be too much: the points themselves say where it is needed
    margin = min(problem.margin * float(np.sqrt(max(missed / ENOUGH, 1.0))), MOST_MARGIN)
    limits = {i: limit / margin for i, limit in settled.limits.items()}
    return replace(problem, reached=reached, hard=hard, limits=limits, margin=margin)
