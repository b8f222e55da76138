"""Promise a largest error of a circuit's outputs over the whole declared domain, and check it.

Both programs are run on the user's samples and on points that a survey of the domain picked (``quantize.survey``). The
float model's real-number meaning is its graph in float64; onnxruntime's own distance from it is rounding of float32 and
no fault of the circuit, as long as it is small, or no more than float32 makes of inputs (the differences of
large numbers that are nearly equal); where it has no finite answer, nothing is compared. An output that is
further off than it may be is an error, unless it is accepted: then the figures found stand in the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zkchain.errors import AccuracyMissed
from zkchain.ir import interpret
from zkchain.ir.domain import missing_of
from zkchain.ir.gradient import input_gradients
from zkchain.ir.graph import Graph, Op
from zkchain.ir.movement import origins
from zkchain.ir.trees import Forest
from zkchain.measured import AGREEMENT, Clamped, Exact, LayerError, Promise, Promised, Unpromised
from zkchain.oracle import Compared, FloatModel, run_integers
from zkchain.typing import Array, Progress, quiet

if TYPE_CHECKING:
    from zkchain.quantize import Exploration, Region, Report

Sample = Sequence[Array]
NOISE = 4.0  # limits that onnxruntime may be away from float64 and have it blamed on the rounding of float32
HINT = (
    "declare the domain that inputs really have (domain=, --domain), allow more (max_error=, --max-error), or take the "
    "circuit as it is (accept_error=True, --accept-error): its promise says what was found"
)
SHAKES = 4  # times that inputs are moved to see what rounding them does
LOST = 2.0**-8  # spacing of float32 beside which scores of a softmax are lost
NAMED = 8  # numbers of an input that a message shows


@dataclass(frozen=True, eq=False, slots=True)
class Worst:
    """The promise, the inputs at which it is met the least, by name, and what is known of why: ``advice``, and where
    it is missed the node at which most of the error arises there (``blamed``)."""

    promise: Promise
    inputs: Mapping[str, Array]
    advice: str | None = None
    blamed: LayerError | None = None


@dataclass(eq=False, slots=True)
class _Case:
    """A point and how far the elements of its outputs are off: ``off`` from the nearer reference and ``raw`` from
    onnxruntime, both where something is promised (0 elsewhere), ``all`` from onnxruntime everywhere; ``top1``: whether
    the largest element of each is onnxruntime's (None: a label, or one number)."""

    origin: str
    inputs: Sample
    given: bool = False
    regions: tuple[int, ...] = ()
    off: list[Array] = field(default_factory=list)
    raw: list[Array] = field(default_factory=list)
    all: list[Array] = field(default_factory=list)
    top1: list[bool | None] = field(default_factory=list)


def examine(
    float_model: FloatModel,
    meaning: Graph,
    program: Graph,
    report: Report,
    data: tuple[Compared, Sequence[Sample]] | None = None,
    progress: Progress = quiet,
    *,
    basis: str = "",
) -> Worst:
    """Compare both programs at every point, and on data that were compared already.

    ``basis``: where the limits come from. ``meaning``: the float graph;
    ``program``: the integer graph, with what the quantiser reported of it.
    """
    exploration, cases = report.exploration, []
    answers = run_integers(program, [point.inputs for point in exploration.points])
    for k, (point, got) in enumerate(zip(exploration.points, answers, strict=True)):
        expected = float_model(point.inputs)
        cases.append(_judged(meaning, exploration, _Case(point.origin, point.inputs), expected, got))
        progress("domain", (k + 1) / len(exploration.points))
    if data is not None:
        compared, samples = data
        for k, expected, got in zip(compared.inside, compared.expected, compared.got, strict=True):
            case = _Case(f"sample {k} of the data", samples[k], given=True)
            cases.append(_judged(meaning, exploration, case, expected, got))
    promise = Promise(
        len(exploration.points),
        exploration.undefined,
        sum(point.clamped > 0 for point in exploration.points),
        tuple(_promised(name, k, exploration, cases) for k, name in enumerate(program.output_names)),
        tuple(_unpromised(region, k, cases) for k, region in enumerate(report.regions)),
        tuple(Clamped(cut.name, cut.kept, cut.reach) for cut in report.cuts),
        tuple(_exact(program)),
        basis,
    )
    worst = _worst_inputs(program, exploration, cases)
    if not promise.missed or not worst:
        return Worst(promise, _told(program, worst))
    at = tuple(worst.values())
    blamed = max(report.layer_errors_at(at), key=lambda layer: layer.own, default=None)
    blamed = blamed if blamed and blamed.own > 0 else None
    return Worst(promise, _told(program, worst), _masked_whole(meaning, at), blamed)


def _judged(
    meaning: Graph, exploration: Exploration, case: _Case, expected: Sequence[Array], got: Sequence[Array]
) -> _Case:
    exact, unsure = interpret.run_float(meaning, case.inputs), exploration.at(case.inputs)
    case.regions = unsure.regions
    moved: list[Array] | None = None
    for k, (limit, y, right, e, counts) in enumerate(
        zip(exploration.limits, got, exact, expected, unsure.promised, strict=True)
    ):
        y, e = np.asarray(y, np.float64), np.asarray(e, np.float64)
        with np.errstate(all="ignore"):
            off, noise = np.where(np.isfinite(e), np.abs(y - e), 0.0), np.abs(e - right)
            near = np.zeros(y.shape, np.bool_) if limit is None else noise <= NOISE * limit
            if limit is not None and np.any(~near & (off > limit)):
                moved = moved or shaken(meaning, case.inputs, exact)
                near = near | (noise <= NOISE * moved[k])
            nearest = np.where(near, np.minimum(off, np.abs(y - right)), off)
        case.top1.append(None if limit is None or y.size < 2 else bool(np.argmax(y) == np.argmax(e)))
        case.all.append(off)
        case.raw.append(off if counts is None else np.where(counts, off, 0.0))
        case.off.append(nearest if counts is None else np.where(counts, nearest, 0.0))
    return case


def shaken(meaning: Graph, inputs: Sample, exact: Sequence[Array]) -> list[Array]:
    """How far the real-number outputs move where every input does by up to its last place in float32."""
    rng, moved = np.random.default_rng(4), [np.zeros(np.shape(y)) for y in exact]
    steps = [np.spacing(np.abs(np.asarray(x, np.float32))).astype(np.float64) for x in inputs]
    for _ in range(SHAKES):
        near = [np.asarray(x) + s * (2 * rng.random(np.shape(x)) - 1) for x, s in zip(inputs, steps, strict=True)]
        apart = [np.abs(y - right) for y, right in zip(interpret.run_float(meaning, near), exact, strict=True)]
        moved = [np.fmax(a, b) for a, b in zip(moved, apart, strict=True)]
    return moved


def _promised(name: str, k: int, exploration: Exploration, cases: Sequence[_Case]) -> Promised:
    limit = exploration.limits[k]
    worst = max(cases, key=lambda case: _largest(case.off, k), default=_Case("no point", ()))
    raw = max((_largest(case.raw, k) for case in cases), default=0.0)
    equal = float(np.mean([not np.any(case.all[k]) for case in cases])) if limit is None and cases else None
    data = max((_largest(case.off, k) for case in cases if case.given), default=0.0)
    top1 = [same for case in cases for same in case.top1[k : k + 1] if same is not None]
    most, span, same = _largest(worst.off, k), exploration.spans[k], sum(top1) / len(top1) if top1 else None
    share = most / span if limit is not None and span else None
    shown = [case.all[k] == 0 for case in cases if case.given] if limit is None else []
    agreement = float(np.mean(np.concatenate([x.ravel() for x in shown]))) if shown and shown[0].size else None
    return Promised(
        name,
        limit,
        most,
        raw,
        worst.origin,
        equal,
        exploration.data_limits[k],
        data,
        share,
        same,
        agreement,
        len(shown),
    )


def _exact(program: Graph) -> Iterator[Exact]:
    """Trees whose features are all of inputs: their thresholds stand between points of the grid, sides unchanged."""
    for node in program.nodes:
        if node.op is Op.TREES:
            forest, (source, element) = Forest.of(node.arg), origins(program, node.src[0])
            if np.all(np.isin(source[..., forest.feature], program.inputs)):
                compared = np.unique(element[..., forest.feature]).size
                yield Exact(node.name, len(forest.feature), compared)


def _largest(errors: Sequence[Array], k: int) -> float:
    return float(errors[k].max(initial=0.0)) if errors else 0.0


def _unpromised(region: Region, k: int, cases: Sequence[_Case]) -> Unpromised:
    inside = [case for case in cases if k in case.regions]
    error = max((_largest(case.all, j) for case in inside for j in range(len(case.all))), default=0.0)
    low, high, period = region.low, region.high, region.period
    return Unpromised(region.name, region.function, low, high, period, region.answer, len(inside), error)


def _worst_inputs(program: Graph, exploration: Exploration, cases: Sequence[_Case]) -> Mapping[str, Array]:
    def share(case: _Case) -> float:
        limits = enumerate(exploration.limits)
        return max((_largest(case.off, k) / limit for k, limit in limits if limit is not None), default=0.0)

    return dict(zip(program.input_names, max(cases, key=share).inputs, strict=True)) if cases else {}


def _told(program: Graph, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """The inputs as users give them: NaN where a number says that something is missing."""
    marks = {name: missing_of(program.nodes[i]) for name, i in zip(program.input_names, program.inputs, strict=True)}
    return {name: x if (mark := marks[name]) is None else mark.told(x) for name, x in inputs.items()}


def _masked_whole(meaning: Graph, inputs: Sample) -> str | None:
    """Advice where a row of a softmax is masked whole: softmax(x - 1e9) = softmax(x) in real numbers, which the circuit
    keeps to, but float32 has no bits left for x beside 1e9, and answers as if all of x were equal."""
    given = {i: np.asarray(x, np.float64) for i, x in zip(meaning.inputs, inputs, strict=True)}
    with np.errstate(all="ignore"):
        trace = interpret.evaluate(meaning, given, interpret.FLOAT)
    for node in meaning.nodes:
        if node.op not in (Op.SOFTMAX, Op.LOG_SUM_EXP):
            continue
        x, axis = trace[node.src[0]], node.arg["axis"]
        top = np.broadcast_to(x.max(axis=axis, keepdims=True), x.shape)
        masked = (top < 0) & (np.spacing(np.abs(top).astype(np.float32)) > LOST)
        if np.any(masked):
            slopes = input_gradients(meaning, trace, {node.src[0]: masked.astype(np.float64)})
            steep = [float(np.abs(slope).max(initial=0.0)) for slope in slopes]
            mask = meaning.input_names[int(np.argmax(steep))]
            return (
                f"input {mask!r} masks a whole row of node {node.name!r} ({node.op}) here, and float32 loses all that "
                f"is added to {top[masked].min():.3g}: the model answers as if all were equal, the circuit as if none "
                f"was masked. Declare a domain of {mask!r} that leaves one element of every row unmasked (lower ends, "
                "one for each element), mask with -1e4 in the model, or take the circuit as it is (accept_error=True, "
                "--accept-error) where such rows do not count"
            )
    return None


def insist(worst: Worst, price: str | None = None) -> None:
    """Raise AccuracyMissed where an output is further off than it may be, with the input that shows it, the node at
    which the error arises, and the ``price`` of meeting the promise, in words."""
    missed = worst.promise.missed
    if not missed:
        return
    out = max(missed, key=lambda out: out.excess)
    hint = "; ".join(each for each in (worst.advice, price, None if worst.advice else HINT) if each is not None)
    if out.limit is None:
        agreement = out.agreement or 0.0
        raise AccuracyMissed(
            f"output {out.output!r} is the model's label on {agreement:.2%} of {out.samples} samples, "
            f"{AGREEMENT:.0%} was wanted{_blame(worst)}",
            hint=hint,
        )
    if out.max_error <= out.limit:
        raise AccuracyMissed(
            f"output {out.output!r} is off by up to {out.data_error:.4g} on the data, "
            f"{out.data_limit or 0.0:.4g} was wanted{_blame(worst)}",
            hint=hint,
        )
    shown = ", ".join(f"{name} = {_shown(x)}" for name, x in worst.inputs.items())
    raise AccuracyMissed(
        f"output {out.output!r} is off by {out.max_error:.4g} or more inside the declared domain, "
        f"{out.limit:.4g} was wanted: at {out.at}, {shown}{_blame(worst)}",
        hint=hint,
    )


def _blame(worst: Worst) -> str:
    node = worst.blamed
    if node is None:
        return ""
    return f"; most of it arises at node {node.node!r} ({node.op}): {node.own:.2%} of what its values span there"


def _shown(x: Array) -> str:
    flat = np.asarray(x).ravel()
    numbers = ", ".join(f"{v:.6g}" for v in flat[:NAMED].tolist())
    return f"[{numbers}{', ...' if flat.size > NAMED else ''}]"
