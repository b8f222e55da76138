"""Decide what may enter an input of a graph: the one place that raises OutOfDomain.

An input's integers are q = round(x / scale), lo <= q <= hi. Where the domain was declared, the node holds its ends as
they were declared (``low``, ``high``), and real inputs are held to these, not to the nearest steps, half a step of
which may lie outside. An element that may be missing (NaN) is so at lo, and its least number is the next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError, OutOfDomain
from zkchain.ir.checked import saturated
from zkchain.ir.graph import BOUND, Graph, Node
from zkchain.ir.missing import Missing
from zkchain.typing import Array, FloatArray, IntArray


def check_inputs(graph: Graph, inputs: Sequence[IntArray]) -> Iterator[IntArray]:
    """Yield the inputs as int64 arrays; raise InputError or OutOfDomain naming the input and the element."""
    if len(inputs) != len(graph.inputs):
        raise InputError(f"expected {len(graph.inputs)} inputs {list(graph.input_names)}, got {len(inputs)}")
    for i, name, given in zip(graph.inputs, graph.input_names, inputs, strict=True):
        node, x = graph.nodes[i], np.asarray(given)
        if x.shape != node.shape or x.dtype.kind not in "iu" or not np.can_cast(x.dtype, np.int64):
            raise InputError(
                f"input {name!r}: expected integers of shape {node.shape}, got {x.dtype} of shape {x.shape}"
            )
        x = x.astype(np.int64)
        check_domain(node, name, x)
        yield x


def check_domain(node: Node, name: str, q: IntArray) -> None:
    """Raise OutOfDomain for the first element of q outside [node.lo, node.hi]."""
    lo, hi = (np.broadcast_to(end, node.shape) for end in _ends(node))
    _refuse(name, (q < lo) | (q > hi), q * node.scale, lo * node.scale, hi * node.scale)


def admit(node: Node, x: npt.ArrayLike) -> IntArray:
    """The integers of a user's real input: held to the ends of its domain as declared, then ``quantize_input``.

    Raises InputError (shape, type, infinity, NaN where nothing may be missing) and OutOfDomain, naming input, element,
    value and domain.
    """
    gone, low = _missing(node, x), real_ends(node)[0]
    given = np.where(gone, low, x) if gone.any() else x
    found = quantize_input(node, _held(node, finite(node, node.name, given)))
    return np.where(gone, _ends(node)[0], found) if gone.any() else found


def quantize_input(node: Node, x: npt.ArrayLike) -> IntArray:
    """Real input to integers: nearest multiple of ``node.scale``, halves to even. Errors as ``admit``."""
    array = finite(node, node.name, x)
    scaled = _on_grid(array, node.scale)
    lo, hi = (np.broadcast_to(end, node.shape) for end in _ends(node))
    _refuse(node.name, (scaled < lo) | (scaled > hi), array, lo * node.scale, hi * node.scale)
    return scaled


def may_be_missing(node: Node) -> npt.NDArray[np.bool_]:
    """Which elements of an input may be missing."""
    given = node.arg.get("missing")
    return np.zeros(node.shape, np.bool_) if given is None else np.asarray(given).reshape(node.shape) != 0


def missing_of(node: Node) -> Missing | None:
    """What says that elements of an input of an integer graph are missing; None where none may be."""
    may = may_be_missing(node)
    if node.lo is None or not may.any():
        return None
    return Missing(*(np.where(may, (node.lo + part) * node.scale, np.nan) for part in (0.0, 0.5)))


def _missing(node: Node, x: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    array = np.asarray(x)
    if array.dtype.kind != "f" or array.shape != node.shape:
        return np.zeros(node.shape, np.bool_)
    return np.asarray(np.isnan(array) & may_be_missing(node))


def dequantize(node: Node, q: IntArray) -> FloatArray:
    """The real numbers meant by integers of this node."""
    return np.asarray(q, dtype=np.float64) * node.scale


def real_ends(node: Node) -> tuple[FloatArray, FloatArray]:
    """The ends of an input's domain in real numbers, one for each element: as declared, never more than half a step
    from the integers' own."""
    lo, hi = _ends(node)
    return _real_end(node, lo + may_be_missing(node), "low"), _real_end(node, hi, "high")


def finite(node: Node, name: str, x: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """x as an array of finite real numbers of the input's shape, or InputError."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise InputError(f"input {name!r}: expected real numbers, got {array.dtype}")
    if array.shape != node.shape:
        raise InputError(f"input {name!r}: expected shape {node.shape}, got {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        element = _element(int(bad[0]), node.shape)
        raise InputError(
            f"input {name!r}, element {element}: expected a finite number, got {array[element]}",
            hint="fill in or leave out what is missing before the model sees it; or compile the model with data in "
            "which this element is missing (NaN) somewhere: trees and imputers know what that means",
        )
    return array


def _held(node: Node, x: Array) -> Array:
    """x, clipped to the ends of a declared domain where it overshoots them by the rounding of floats only; OutOfDomain
    where it lies further outside. Without a declared domain the ends are the integers'."""
    if "low" not in node.arg:
        return x
    low, high = real_ends(node)
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    slack = max(np.finfo(kind).eps, np.finfo(np.float32).eps) * np.maximum(np.abs(low), np.abs(high))
    _refuse(node.name, (x < low - slack) | (x > high + slack), x, low, high)
    return np.clip(x, low, high) if x.dtype.kind == "f" else x


def _refuse(name: str, outside: npt.NDArray[np.bool_], value: Array, low: Array, high: Array) -> None:
    """OutOfDomain for the first element that is ``outside``; value and ends in real numbers."""
    found = np.flatnonzero(outside)
    if found.size:
        at = _element(int(found[0]), outside.shape)
        more = f" ({found.size} elements do)" if found.size > 1 else ""
        raise OutOfDomain(
            f"input {name!r}, element {at}: {float(value[at]):g} lies outside its declared domain "
            f"[{float(low[at]):g}, {float(high[at]):g}]{more}",
            hint="the circuit was compiled for this domain; declare a wider one and compile again",
        )


def _real_end(node: Node, whole: IntArray, declared: str) -> FloatArray:
    own, half = np.broadcast_to(np.asarray(whole) * node.scale, node.shape), node.scale / 2
    given = np.broadcast_to(np.asarray(node.arg.get(declared, own)).ravel(), node.size).reshape(node.shape)
    return np.asarray(np.clip(given, own - half, own + half))


def _on_grid(x: npt.NDArray[Any], scale: float) -> IntArray:
    """round(x / scale), anything of 2^62 or more brought to +-2^62 (which no domain reaches)."""
    if x.dtype.kind in "biu" and scale == 1.0:
        return (np.minimum(x, BOUND) if x.dtype == np.uint64 else x).astype(np.int64)
    return saturated(x.astype(np.float64) / scale)


def _ends(node: Node) -> tuple[IntArray, IntArray]:
    if node.lo is None or node.hi is None:
        raise InputError(f"input {node.name!r}: not an input of an integer graph, it has no domain")
    return node.lo, node.hi


def _element(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(flat, shape))
