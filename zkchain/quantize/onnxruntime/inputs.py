"""The grid of every input of a quantised model.

An integer input that is dequantised is proved as it is: scale 1, the whole range of its type unless a narrower domain
is declared. A float input that is only ever quantised, in one way, is its quantised tensor (less the zero point): the
proof is about those integers; real inputs outside its range are refused, not saturated, unless a wider domain is
declared (or seen in the data), which is then clipped as onnxruntime does. Any other input gets a grid as in
``input_grid``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError
from zkchain.ir.graph import MOVES_OF_ONE, Graph, Node, Op
from zkchain.quantize import input_grid
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.onnxruntime.values import Form, State
from zkchain.quantize.settings import Domain, Sample
from zkchain.rewrite import engine
from zkchain.typing import IntArray

FloatSamples = npt.NDArray[np.generic] | None

WIDTH = 16  # bits of a float input that is not quantised at once


def enter(state: State, domain: Sequence[Domain | None] | None, samples: Sequence[Sample]) -> None:
    """Add the inputs to the integer graph and give them their forms. Raises InputError."""
    graph = state.graph
    given = [None] * len(graph.inputs) if domain is None else list(domain)
    if len(given) != len(graph.inputs):
        raise InputError(f"expected {len(graph.inputs)} domains for inputs {list(graph.input_names)}, got {len(given)}")
    columns = input_grid.stack(graph, samples)
    for position, (i, declared) in enumerate(zip(graph.inputs, given, strict=True)):
        readers, node = _readers(graph, i), graph.nodes[i]
        kinds = {r.op for r in readers}
        seen = columns[position]
        if Op.DEQUANTIZE in kinds:
            state.forms[i] = _integers(state, node, graph.input_names[position], readers, declared)
        elif kinds == {Op.QUANTIZE} and _alike(readers) and (declared is None or declared.scale is None):
            state.forms[i] = _quantized(state, node, readers[0], declared, seen)
        else:
            state.forms[i] = _numbers(state, graph, position, declared, samples)


def _readers(graph: Graph, i: int) -> list[Node]:
    """The nodes that read a value, looking through movements; an output counts as a reader of its own kind."""
    found: list[Node] = []
    users = engine.readers(graph)
    waiting = [i]
    while waiting:
        k = waiting.pop()
        found += [graph.nodes[k]] if k in graph.outputs else []
        for reader in set(users[k]):
            waiting += [reader] if graph.nodes[reader].op in MOVES_OF_ONE else []
            found += [] if graph.nodes[reader].op in MOVES_OF_ONE else [graph.nodes[reader]]
    return found


def _alike(readers: Sequence[Node]) -> bool:
    first = readers[0].arg
    same = all(np.array_equal(r.arg[k], first[k]) for r in readers for k in ("scale", "zero", "lo", "hi"))
    return same and first["scale"].size == 1 and first["zero"].size == 1


def _integers(state: State, node: Node, name: str, readers: Sequence[Node], declared: Domain | None) -> Form:
    typed = [r for r in readers if r.op is Op.DEQUANTIZE]
    lo, hi = np.asarray(max(r.arg["lo"] for r in typed)), np.asarray(min(r.arg["hi"] for r in typed))
    if declared is not None:
        first, last = (np.rint(np.asarray(v, dtype=np.float64)).astype(np.int64) for v in (declared.lo, declared.hi))
        if np.any(first < lo) or np.any(last > hi) or declared.scale not in (None, 1.0):
            raise InputError(
                f"input {name!r}: the domain [{first.min()}, {last.max()}] is not one of integers in [{lo}, {hi}]",
                hint="the model's input is a quantised tensor: declare a part of the range of its type, or nothing",
            )
        lo, hi = first, last
    return Form(_input(state, node, lo, hi))


def _input(state: State, node: Node, lo: IntArray, hi: IntArray, scale: float = 1.0) -> Value:
    shape = np.broadcast_shapes(lo.shape, hi.shape)
    first, last = (np.array(np.broadcast_to(v, shape), dtype=np.int64) for v in (lo, hi))
    value = state.out.input(node.name, node.shape, 0, first, last, 0.0)
    state.out.nodes[value.index] = replace(state.out.nodes[value.index], scale=scale)
    return value


def _quantized(state: State, node: Node, reader: Node, declared: Domain | None, seen: FloatSamples) -> Form:
    scale, zero = float(reader.arg["scale"].flat[0]), int(reader.arg["zero"].flat[0])
    lo, hi = np.asarray(reader.arg["lo"] - zero), np.asarray(reader.arg["hi"] - zero)
    if declared is not None:
        lo, hi = (np.rint(np.asarray(v, dtype=np.float64) / scale).astype(np.int64) for v in (declared.lo, declared.hi))
    elif seen is not None:
        low, high = (int(np.rint(v / scale)) for v in (float(seen.min()), float(seen.max())))
        if low < lo or high > hi:
            bits = max(-low, high + 1, 1).bit_length()
            lo, hi = np.minimum(lo, -(1 << bits)), np.maximum(hi, (1 << bits) - 1)
    return Form(_input(state, node, lo, hi, scale), np.asarray(scale))


def _numbers(state: State, graph: Graph, position: int, declared: Domain | None, samples: Sequence[Sample]) -> Form:
    """A grid of the declared or observed domain; where the step is free, 2^16 steps span it."""
    i = graph.inputs[position]
    whole = graph.whole[position : position + 1]
    one = replace(graph, inputs=(i,), input_names=(graph.input_names[position],), whole=whole)
    grid = input_grid.resolve(one, [declared], [[s[position]] for s in samples] or None)[0]
    width = float(np.max(grid.hi - grid.lo))
    step = grid.step or 2.0 ** (np.ceil(np.log2(width if width > 0 else 1.0)) - WIDTH)
    lo, hi = grid.integers(step)
    return Form(_input(state, graph.nodes[i], lo, hi, step), np.asarray(step))
