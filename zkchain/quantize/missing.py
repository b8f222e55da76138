"""Which elements of inputs may be missing, and the number that says so: those that are missing (NaN) somewhere in the
data, and one step below the least number of their domain.

    lowest number of the domain: lo      missing: lo - step      limit between the two: lo - step / 2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zkchain.errors import InputError
from zkchain.ir.graph import Graph
from zkchain.ir.missing import Missing
from zkchain.quantize import input_grid
from zkchain.quantize.settings import Domain
from zkchain.typing import Array

FINE = 1 << 16
"""Steps of the span of a number, at least, where its grid leaves the step open."""


def possible(samples: Sequence[Sequence[Array]]) -> tuple[Array | None, ...]:
    """For every input the elements that are missing in some sample; None where none is. Along all axes but the last
    (features) elements are alike."""
    columns = (np.stack([_is_nan(x) for x in column]) for column in zip(*samples, strict=True))
    found = (np.broadcast_to(c.any(axis=tuple(range(max(c.ndim - 1, 1)))), c.shape[1:]) for c in columns)
    return tuple(each if each.any() else None for each in found)


def first(graph: Graph, samples: Sequence[Sequence[Array]]) -> str:
    """Where the first missing value is."""
    try:
        input_grid.stack(graph, samples)
    except InputError as error:
        return error.message
    return "nothing is missing"


def _is_nan(x: Array) -> Array:
    return np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, np.bool_)


def filled(
    samples: Sequence[Sequence[Array]],
    where: Sequence[Array | None],
    marks: Sequence[Missing | None] | None = None,
) -> tuple[tuple[Array, ...], ...]:
    """The samples with the number that says so in the place of what is missing; without ``marks`` with one that the
    element has elsewhere."""
    columns = [np.stack(column) for column in zip(*samples, strict=True)]
    for k, (column, may, mark) in enumerate(zip(columns, where, marks or [None] * len(columns), strict=True)):
        if may is not None:
            gone = np.isnan(column) & may
            columns[k] = np.where(gone, _seen(column) if mark is None else mark.value, column)
    return tuple(zip(*columns, strict=True))


def _seen(column: Array) -> Array:
    """The first number of every element, 0 where there is none."""
    there = ~np.isnan(column)
    first = np.take_along_axis(column, there.argmax(axis=0)[None], axis=0)[0]
    return np.where(there.any(axis=0), first, 0).astype(column.dtype)


def extended(
    graph: Graph, domain: Sequence[Domain | None], samples: Sequence[Sequence[Array]], where: Sequence[Array | None]
) -> tuple[tuple[Missing | None, ...], tuple[Domain | None, ...]]:
    """The numbers that say so, and the domains that hold them: of a graph that was imported without, from data in which
    what is missing is filled. Raises InputError."""
    grids = input_grid.resolve(graph, domain, samples)
    marks, domains = list[Missing | None](), list[Domain | None]()
    for i, given, grid, may in zip(graph.inputs, domain, grids, where, strict=True):
        if may is None:
            marks.append(None)
            domains.append(given)
            continue
        shape = graph.nodes[i].shape
        step = grid.step or 2.0 ** np.floor(np.log2(max(float(np.min(grid.hi - grid.lo)), 2.0**-40) / FINE))
        lo, hi = (np.broadcast_to(end, shape) for end in replace(grid, step=step).integers(step))
        below = [np.where(may, (lo - part) * step, np.nan) for part in (1.0, 0.5)]
        marks.append(Missing(*below))
        domains.append(Domain((lo - may) * step, hi * step, step))
    return tuple(marks), tuple(domains)
