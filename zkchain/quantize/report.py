"""Report how close the integer program is to the float model, and what the quantiser decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bits, bounds_of
from zkchain.measured import Accuracy, LayerError
from zkchain.quantize.regions import BoolArray, Region
from zkchain.rewrite.engine import readers
from zkchain.rewrite.integers import CLAMP
from zkchain.typing import FloatArray


def accuracy(
    names: Sequence[str], expected: Sequence[Sequence[npt.ArrayLike]], got: Sequence[Sequence[npt.ArrayLike]]
) -> tuple[Accuracy, ...]:
    """Compare outputs: ``expected[sample][output]`` of the float model, ``got`` of the integer program, dequantised.

    Integer-typed expected outputs are labels. Raises InputError when counts or shapes differ.
    """
    if len(expected) != len(got) or not expected:
        raise InputError(f"expected the outputs of the same samples, got {len(expected)} and {len(got)}")
    return tuple(_compare(name, [s[k] for s in expected], [s[k] for s in got]) for k, name in enumerate(names))


def _compare(name: str, expected: Sequence[npt.ArrayLike], got: Sequence[npt.ArrayLike]) -> Accuracy:
    e, g = np.asarray(expected), np.asarray(got, dtype=np.float64)
    if e.shape != g.shape:
        raise InputError(f"output {name!r}: expected shape {e.shape[1:]}, got {g.shape[1:]}")
    error = np.abs(e.astype(np.float64) - g)
    rows_e, rows_g = e.reshape(len(e), -1), g.reshape(len(g), -1)
    label = e.dtype.kind in "biu"
    top1 = None if label or rows_e.shape[1] < 2 else float(np.mean(rows_e.argmax(axis=1) == rows_g.argmax(axis=1)))
    equal = float(np.mean(np.all(rows_e == rows_g, axis=1))) if label else None
    most, mean = float(error.max(initial=0)), float(error.mean()) if error.size else 0.0
    span = 0.0 if label or not e.size else float(e.max() - e.min())
    return Accuracy(name, len(e), most, mean, top1, equal, most / span if 0 < span < np.inf else None)


@dataclass(frozen=True, slots=True)
class Layer:
    """One rescaled tensor: bits of its accumulators, bits taken off, bits kept, fraction bits kept; clamp: bits of a
    clamp behind it (None: none), and how many of the calibration's elements it changed."""

    name: str
    elements: int
    accumulator_bits: int
    shift: int
    bits: int
    fraction: int
    clamp_bits: int | None
    clamped: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A clamp of the quantiser: the real values it lets through, and those that its argument could take by the static
    ranges. What lies between is answered as if it were the nearer end."""

    name: str
    kept: tuple[float, float]
    reach: tuple[float, float]


@dataclass(frozen=True, eq=False, slots=True)
class Point:
    """A point of the domain that was looked at: how it was found, the inputs as real numbers, and how many elements a
    clamp changes there."""

    origin: str
    inputs: tuple[FloatArray, ...]
    clamped: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Unsure:
    """The ``regions`` without a promise (indices) that a sample lies in, and for each output the elements in which they
    have no part (``promised``; None: all)."""

    regions: tuple[int, ...]
    promised: tuple[BoolArray | None, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Exploration:
    """``points``: at which float and integer program were compared; ``undefined``: how many of them give the float
    model a value that is no number; ``limits``: what each output may be off by (None: a label), ``data_limits``: on the
    data (None: there is none); ``spans``: how far apart the values of each lie (None: a label); ``at``: what is unsure
    at a sample of real inputs."""

    points: tuple[Point, ...]
    undefined: int
    limits: tuple[float | None, ...]
    data_limits: tuple[float | None, ...]
    spans: tuple[float | None, ...]
    at: Callable[[Sequence[npt.ArrayLike]], Unsure]


@dataclass(frozen=True, slots=True)
class Report:
    """``bounds``: a-priori bound on the error of every output over the whole domain, clamps aside (None: no finite
    one); ``accuracy``: against the float model on the calibration samples; ``rows``: estimate for the plain system;
    ``exploration``: what was looked at beside the data; ``clamped``: elements of the calibration samples that a clamp
    changes (0 expected); ``cuts``: clamps that other inputs of the domain might reach; ``regions``: neighbourhoods of
    poles, jumps and undefined stretches, in which no error is promised; ``layer_errors``: of every node on the
    calibration samples, ``layer_errors_at``: at a sample of real inputs (none where the model is quantised already)."""

    layers: tuple[Layer, ...]
    bounds: tuple[float | None, ...]
    accuracy: tuple[Accuracy, ...]
    rows: int
    exploration: Exploration
    clamped: int = 0
    cuts: tuple[Cut, ...] = ()
    regions: tuple[Region, ...] = ()
    layer_errors: tuple[LayerError, ...] = ()
    layer_errors_at: Callable[[Sequence[npt.ArrayLike]], tuple[LayerError, ...]] = lambda sample: ()


def layers(graph: Graph, runs: Sequence[Sequence[npt.NDArray[np.int64]]]) -> tuple[Layer, ...]:
    """The rescales of an integer graph; ``runs``: the values of all nodes (run_all) for each calibration sample."""
    users, found = readers(graph), []
    for i, node in enumerate(graph.nodes):
        if node.op is not Op.RESCALE:
            continue
        clips = [k for k in users[i] if graph.nodes[k].name.endswith(CLAMP)]
        clamp = max((bits(graph.nodes[k]) for k in clips), default=None)
        hits = sum(int(np.count_nonzero(_clipped(graph, k, run[i]))) for k in clips for run in runs)
        shift, fraction = int(node.arg["shift"]), int(-np.log2(node.scale))
        source = graph.nodes[node.src[0]]
        found.append(Layer(node.name, node.size, bits(source), shift, bits(node), fraction, clamp, hits))
    return tuple(found)


def cuts(graph: Graph) -> tuple[Cut, ...]:
    """The clamps of an integer graph that inputs of the declared domain might reach."""
    clamps = [node for node in graph.nodes if node.name.endswith(CLAMP) and node.op is Op.CLIP]
    found = [_cut(node, graph.nodes[node.src[0]]) for node in clamps]
    return tuple(cut for cut in found if cut.kept != cut.reach)


def _cut(clamp: Node, source: Node) -> Cut:
    lo, hi = bounds_of(source)
    reach = int(lo.min()), int(hi.max())
    low, high = clamp.arg["lo"], clamp.arg["hi"]
    kept = (reach[0] if low is None else max(low, reach[0]), reach[1] if high is None else min(high, reach[1]))
    return Cut(clamp.name.removesuffix(CLAMP), _real(kept, source.scale), _real(reach, source.scale))


def _real(ends: tuple[int, int], scale: float) -> tuple[float, float]:
    return float(ends[0] * scale), float(ends[1] * scale)


def clamped(graph: Graph, runs: Sequence[Sequence[npt.NDArray[np.int64]]]) -> int:
    """Elements that any clamp of the quantiser changes."""
    clamps = [k for k, node in enumerate(graph.nodes) if node.name.endswith(CLAMP) and node.op is Op.CLIP]
    return sum(int(np.count_nonzero(_clipped(graph, k, run[graph.nodes[k].src[0]]))) for k in clamps for run in runs)


def _clipped(graph: Graph, clip: int, x: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    lo, hi = graph.nodes[clip].arg["lo"], graph.nodes[clip].arg["hi"]
    # a lower end of zero is a ReLU
    below = x < lo if lo is not None and lo != 0 else np.zeros(x.shape, dtype=np.bool_)
    return below | (x > hi) if hi is not None else below
