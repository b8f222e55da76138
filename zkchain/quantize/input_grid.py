"""Derive the integer grid of an input from its declared (or observed) domain (``ir.domain``: from real inputs to the
grid).

An input's integers are q = round(x / scale), lo <= q <= hi. A declared domain is kept exactly. Without one, calibration
data decides, and the domain is widened so that its width is a power of two (one range check of whole bits):

- integers (or a whole number of steps of 1/255, or of 2^-1 ... 2^-8): from the smallest to the largest seen, rounded
  outward to 0 .. 2^k - 1 or -2^k .. 2^k - 1; steps of 1/255 always cover [0, 1];
- other numbers: twice the span seen (a quarter more, where MANY values were seen), rounded up to a power of two,
  centred; never below 0 if no datum was. Rows of features (at most one axis longer than 1, ENOUGH or more samples) get
  a domain for each feature, other tensors one in common.

Numbers that trees compare have a step on which each datum falls on its own side of every threshold: that of the data
where these are whole numbers of steps (decimal ones too), else a fine one. The domain reaches to both sides of all
thresholds, and is told apart by feature for steps too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError, Wraps
from zkchain.ir.checked import whole
from zkchain.ir.domain import finite
from zkchain.ir.graph import BOUND, MOVES_OF_ONE, Graph, Node, Op
from zkchain.ir.movement import origins
from zkchain.ir.trees import Forest
from zkchain.quantize.settings import SMALLEST, Domain, Sample
from zkchain.typing import FloatArray, IntArray

STEPS = (1.0, 1 / 255, *(2.0**-k for k in range(1, 9)))
DECIMALS = tuple(10.0**-k for k in range(7))  # tried for numbers that trees compare
FINE, UNSEEN = 1 << 12, 1 << 16  # steps of the span of a compared number at least, and where there are no data
TOLD = 1 << 20  # steps up to which float32 tells its numbers of steps from others
FINEST = 40  # bits of a compared number at most
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
        low = whole(np.floor(_nearly_whole(self.lo / step)))
        steps = np.maximum(_nearly_whole((self.hi - self.lo) / step), 1.0)
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
        last, alone = tables.get(i, (0, False))
        if declared is None and alone:  # an index: whatever the data hold, every row of its table
            grids.append(Grid(np.zeros(()), np.asarray(float(last)), 1.0, binary=False))
            continue
        grid = _bounded(name, _resolve_one(name, graph.nodes[i], declared, seen, _compared(graph, i)))
        grids.append(_within(grid, last) if declared is None and i in tables else grid)
    return tuple(grids)


def _within(grid: Grid, last: int) -> Grid:
    """The whole numbers of a grid from 0 to ``last``: what is an index, whatever else it is."""
    lo, hi = grid.integers(1.0)
    low, high = (np.clip(end, 0, last).astype(np.float64) for end in (lo, hi))
    return Grid(low, high, 1.0, binary=False)


def _tables(graph: Graph) -> dict[int, tuple[int, bool]]:
    """Inputs that are indices as they are -> the last row of the smallest table that they are indices into, and whether
    nothing else reads them."""
    found: dict[int, tuple[int, bool]] = {}
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
        if sizes:
            found[i] = min(sizes) - 1, not otherwise
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


def _resolve_one(
    name: str, node: Node, declared: Domain | None, seen: npt.NDArray[np.generic] | None, compared: Compared
) -> Grid:
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
        if step is None and len(compared.element):
            step = _step_beside(compared, np.broadcast_to(lo, node.shape), np.broadcast_to(hi, node.shape), seen)
        return Grid(lo, hi, step, binary=False)
    if seen is None:
        raise InputError(
            f"input {name!r}: no domain is declared and there is no calibration data",
            hint="declare one (domain=(lo, hi), --domain LO:HI), or give samples of real inputs (data=, --data)",
        )
    step = _step_of(np.asarray([]), seen)
    if len(compared.element):
        return _observed_comparisons(seen, step, compared)
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


# -- numbers that trees compare ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Compared:
    """The elements of an input that trees compare, and what with (both flat, of one length)."""

    element: IntArray
    threshold: FloatArray


def _compared(graph: Graph, i: int) -> Compared:
    elements, thresholds = [np.zeros(0, np.int64)], [np.zeros(0)]
    for node in graph.nodes:
        if node.op is Op.TREES:
            forest, (source, element) = Forest.of(node.arg), origins(graph, node.src[0])
            columns = forest.feature[forest.owner]
            at, ends = (source.reshape(-1, source.shape[-1])[:, columns] == i), np.asarray(forest.ends)
            elements.append(element.reshape(-1, source.shape[-1])[:, columns][at])
            thresholds.append(np.broadcast_to(ends, at.shape)[at])
    element, threshold = np.concatenate(elements), np.concatenate(thresholds)
    reached = np.isfinite(threshold) & (np.abs(threshold) < BOUND)
    return Compared(element[reached], threshold[reached])


def _observed_comparisons(seen: npt.NDArray[np.generic], step: float | None, compared: Compared) -> Grid:
    data = seen.astype(np.float64)
    step = step or next((s for s in DECIMALS if _are_steps(seen, s, compared)), None)
    low, high = (_by_feature(data, end) for end in (np.min, np.max))
    unit = step or 2.0**-FINEST
    at_least = np.ceil(_nearly_whole(compared.threshold / unit))  # and one step less lies on the other side
    np.minimum.at(low.reshape(-1), compared.element, (at_least - 1) * unit)
    np.maximum.at(high.reshape(-1), compared.element, at_least * unit)
    if step is None:
        grid = _observed_numbers(np.concatenate([data, low[None], high[None]]))
        lo, hi = np.broadcast_to(grid.lo, low.shape), np.broadcast_to(grid.hi, low.shape)
        return replace(grid, step=_step_beside(compared, lo, hi, seen))
    first, last = (np.rint(_nearly_whole(f(_nearly_whole(e / step)))) for f, e in ((np.floor, low), (np.ceil, high)))
    bits = np.ceil(np.log2(np.maximum(np.maximum(last + 1, -first), 2.0)))
    return Grid(np.where(first < 0, -(2.0**bits), 0.0) * step, 2.0**bits * step, step, binary=True)


def _by_feature(data: FloatArray, end: Callable[..., FloatArray]) -> FloatArray:
    """The least or largest datum of each element, of all where these are few or no features."""
    features = sum(n > 1 for n in data.shape[1:]) <= 1 and len(data) >= ENOUGH
    return np.array(np.broadcast_to(end(data, axis=0 if features else None), data.shape[1:]))


def _are_steps(seen: npt.NDArray[np.generic], step: float, compared: Compared) -> bool:
    """Whether all data are whole numbers of steps, as far as their type tells them apart. Where it does so for few of
    them only whole numbers are, and if all thresholds are whole or halves too."""
    count, halves = np.rint(seen.astype(np.float64) / step), 2 * compared.threshold
    told = int(np.count_nonzero(np.abs(count) < TOLD)) >= ENOUGH
    told = told or (step == 1.0 and bool(np.all(np.abs(halves - np.rint(halves)) < 2.0**-12)))
    with np.errstate(over="ignore"):
        return told and bool(np.any(seen) and np.all((count * step).astype(seen.dtype) == seen))


def _step_beside(compared: Compared, lo: FloatArray, hi: FloatArray, seen: npt.NDArray[np.generic] | None) -> float:
    """The coarsest power of two with FINE steps in the range of every compared number, on which all data keep to their
    sides of all thresholds; where there is none, the first of those that do for most."""
    spans = (hi - lo).ravel()[np.unique(compared.element)]
    spans = spans[spans > 0] if np.any(spans > 0) else np.ones(1)
    first = int(np.floor(np.log2(float(spans.min()) / (UNSEEN if seen is None else FINE))))
    finest = int(np.ceil(np.log2(float(max(spans.max(), (hi - lo).max()))))) - FINEST
    if seen is None:
        return float(2.0 ** max(first, finest))
    data = seen.reshape(len(seen), -1).astype(np.float64)[:, compared.element]
    best, fewest = first, data.size + 1
    for exponent in range(first, min(finest, first) - 1, -1):
        step = 2.0**exponent
        fallen = np.rint(data / step) * step >= compared.threshold
        crossed = int(np.count_nonzero(fallen != (data >= compared.threshold)))
        if crossed < fewest:
            best, fewest = exponent, crossed
        if not crossed:
            break
    return float(2.0**best)


def _nearly_whole(x: FloatArray) -> FloatArray:
    """x, whole where a rounded division has just missed it."""
    near = np.rint(x)
    return np.where(np.abs(x - near) <= 2.0**-40 * np.abs(near), near, x)


def _to_int(x: FloatArray, step: float) -> IntArray:
    try:
        return whole(x / step)
    except Wraps as error:
        reach = np.abs(x).max()
        raise InputError(f"a domain reaching {reach:g} in steps of {step:g} does not fit in 62 bits") from error
