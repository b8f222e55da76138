"""Derive the integer grid of an input from its declared (or observed) domain (``ir.domain``: from real inputs to the
grid).

An input's integers are q = round(x / scale), lo <= q <= hi. A declared domain is kept exactly. Without one, calibration
data decides, and the domain is widened so that its width is a power of two (one range check of whole bits):

- integers (or a whole number of steps of 1/255, or of 2^-1 ... 2^-8): from the smallest to the largest seen, rounded
  outward to 0 .. 2^k - 1 or -2^k .. 2^k - 1; steps of 1/255 always cover [0, 1];
- other numbers: twice the span seen (a quarter more, where MANY values were seen), rounded up to a power of two,
  centred; never below 0 if no datum was. Rows of features (at most one axis longer than 1, ENOUGH or more samples) get
  a domain for each feature, other tensors one in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError, Wraps
from zkchain.ir.checked import whole
from zkchain.ir.domain import finite
from zkchain.ir.graph import BOUND, MOVES_OF_ONE, Graph, Node, Op
from zkchain.quantize.settings import SMALLEST, Domain, Sample
from zkchain.typing import FloatArray, IntArray

STEPS = (1.0, 1 / 255, *(2.0**-k for k in range(1, 9)))
ENOUGH = 32  # values before a grid is read into data, samples before features are told apart
MANY = 1024  # values that show their range well


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """lo, hi: real ends (scalars or arrays of the input's shape); step: real size of an integer, None: to be chosen;
    binary: widths are powers of two and hi is exclusive. most: the largest datum, which a coarse step may round beyond
    the last step below hi."""

    lo: FloatArray
    hi: FloatArray
    step: float | None
    binary: bool
    most: FloatArray | None = None

    def integers(self, step: float) -> tuple[IntArray, IntArray]:
        """(lo, hi), inclusive, of the grid of this step. Raises InputError or Wraps beyond 62 bits."""
        if not self.binary:
            return _to_int(self.lo, step), _to_int(self.hi, step)
        low = whole(np.floor(self.lo / step))
        steps = np.maximum((self.hi - self.lo) / step, 1.0)
        if self.most is not None:
            steps = np.maximum(steps, np.rint(self.most / step) - low + 1)
        width = whole(np.exp2(np.ceil(np.log2(steps))))
        return low, low + width - 1


def resolve(graph: Graph, domain: Sequence[Domain | None] | None, samples: Sequence[Sample] | None) -> tuple[Grid, ...]:
    """The grid of every input. Raises InputError when an input has neither a domain nor data, or the counts differ."""
    given = [None] * len(graph.inputs) if domain is None else list(domain)
    if len(given) != len(graph.inputs):
        raise InputError(f"expected {len(graph.inputs)} domains for inputs {list(graph.input_names)}, got {len(given)}")
    data = stack(graph, samples or ())
    grids = []
    whole = graph.whole or (False,) * len(given)
    given = [replace(d, scale=d.scale or 1.0) if d and integer else d for d, integer in zip(given, whole, strict=True)]
    tables = _tables(graph)
    for i, name, declared, seen in zip(graph.inputs, graph.input_names, given, data, strict=True):
        if declared is None and i in tables:  # an index: whatever the data hold, every row of its table
            grids.append(Grid(np.zeros(()), np.asarray(tables[i] - 1.0), 1.0, binary=False))
        else:
            grids.append(_bounded(name, _resolve_one(name, graph.nodes[i], declared, seen)))
    return tuple(grids)


def _tables(graph: Graph) -> dict[int, int]:
    """Inputs that are moved and read as indices alone -> rows of the smallest table that they are indices into."""
    found: dict[int, int] = {}
    for i in graph.inputs:
        carried, sizes, otherwise = {i}, list[int](), i in graph.outputs
        for k, node in enumerate(graph.nodes):
            if carried.isdisjoint(node.src):
                continue
            if node.op in MOVES_OF_ONE:
                carried.add(k)
            elif node.op is Op.ROWS:
                sizes.append(graph.nodes[node.src[1]].shape[0])
            else:
                otherwise = True
        if sizes and not otherwise:
            found[i] = min(sizes)
    return found


def _bounded(name: str, grid: Grid) -> Grid:
    """InputError for a domain beyond all integers, where neither it nor its width would be a number of steps, or for
    one so close to zero that squares of its numbers vanish."""
    reach = max(float(np.abs(end).max(initial=0)) for end in (grid.lo, grid.hi))
    if not (reach == 0 or SMALLEST <= reach < BOUND):
        raise InputError(
            f"input {name!r}: its domain reaches {reach:g}, expected magnitudes from 2^-62 to 2^62, or zero",
            hint="check that these are the values that the model is given, or scale them before the model",
        )
    return grid


def stack(graph: Graph, samples: Sequence[Sample]) -> list[npt.NDArray[np.generic] | None]:
    """Per input, all samples stacked on a new first axis; None without samples. Raises InputError."""
    for k, sample in enumerate(samples):
        if len(sample) != len(graph.inputs):
            raise InputError(f"sample {k}: expected {len(graph.inputs)} arrays, got {len(sample)}")
    columns: list[npt.NDArray[np.generic] | None] = []
    for position, (i, name) in enumerate(zip(graph.inputs, graph.input_names, strict=True)):
        arrays = [_checked_sample(k, graph.nodes[i], name, sample[position]) for k, sample in enumerate(samples)]
        columns.append(np.stack(arrays) if arrays else None)
    return columns


def _checked_sample(k: int, node: Node, name: str, x: npt.ArrayLike) -> npt.NDArray[np.generic]:
    try:
        return finite(node, name, x)
    except InputError as error:
        raise InputError(f"sample {k}: {error.message}", hint=error.hint) from error


def _resolve_one(name: str, node: Node, declared: Domain | None, seen: npt.NDArray[np.generic] | None) -> Grid:
    if not node.size:
        return Grid(np.zeros(()), np.zeros(()), 1.0, binary=False)
    if declared is not None:
        lo, hi = (np.asarray(v, dtype=np.float64) for v in (declared.lo, declared.hi))
        try:
            np.broadcast_to(lo, node.shape), np.broadcast_to(hi, node.shape)
        except ValueError:
            raise InputError(
                f"input {name!r}: domain ends of shapes {lo.shape} and {hi.shape} do not broadcast to {node.shape}"
            ) from None
        step = declared.scale or _step_of(np.asarray([lo.min(), hi.max()]), seen)
        return Grid(lo, hi, step, binary=False)
    if seen is None:
        raise InputError(
            f"input {name!r}: no domain is declared and there is no calibration data",
            hint="declare one (domain=(lo, hi), --domain LO:HI), or give samples of real inputs (data=, --data)",
        )
    step = _step_of(np.asarray([]), seen)
    return _observed_numbers(seen.astype(np.float64)) if step is None else _observed_steps(seen, step)


def _step_of(ends: FloatArray, seen: npt.NDArray[np.generic] | None) -> float | None:
    """The coarsest step that all data (and the declared ends) are whole multiples of; None if there is none."""
    if seen is None:
        return None
    if seen.dtype.kind in "biu":
        return 1.0
    if seen.size < ENOUGH:
        return None
    for step in STEPS:
        k = np.concatenate([ends, seen.ravel().astype(np.float64)]) / step
        # data close to zero are close to a multiple of anything: some must be another multiple
        if np.all(np.abs(k - np.rint(k)) < 2.0**-12) and (np.any(np.rint(k)) or not np.any(k)):
            return step
    return None


def _observed_steps(seen: npt.NDArray[np.generic], step: float) -> Grid:
    low, high = int(np.rint(float(seen.min()) / step)), int(np.rint(float(seen.max()) / step))
    if seen.dtype.kind in "iu" and seen.dtype.itemsize == 1:
        low, high = (-128, 127) if seen.dtype.kind == "i" else (0, 255)
    elif step == 1 / 255 and low >= 0 and high <= 255:
        low, high = 0, 255
    bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0, 1)
    ends = (-(1 << bits) if low < 0 else 0, 1 << bits)
    return Grid(np.asarray(ends[0] * step), np.asarray(ends[1] * step), step, binary=True)


def _observed_numbers(seen: FloatArray) -> Grid:
    features = sum(n > 1 for n in seen.shape[1:]) <= 1 and len(seen) >= ENOUGH
    axes = (0,) if features else None
    low, high = np.asarray(seen.min(axis=axes)), np.asarray(seen.max(axis=axes))
    span = high - low
    span = np.where(span > 0, span, max(float(seen.max() - seen.min()), 2.0**-8))
    # the width is a power of two, its lower end a multiple of a sixteenth of it
    widening = 1.25 if seen.size >= MANY * low.size else 2.0
    width = np.exp2(np.ceil(np.log2(widening * span)))
    lower = np.floor(((low + high) / 2 - width / 2) / (width / 16)) * (width / 16)
    lower = np.where((low >= 0) & (lower < 0), 0.0, lower)
    return Grid(lower, lower + width, None, binary=True, most=high)


def _to_int(x: FloatArray, step: float) -> IntArray:
    try:
        return whole(x / step)
    except Wraps as error:
        reach = np.abs(x).max()
        raise InputError(f"a domain reaching {reach:g} in steps of {step:g} does not fit in 62 bits") from error
