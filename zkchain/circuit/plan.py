"""Decide from the graph alone, before any constraint, what interpretations must do alike.

Fusion: chains that one gadget emits cheaper than several (rescale + relu, max-pool + rescale + relu). Sealing: where a
linear layer would be composed with long linear combinations, these first get wires of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import prod

import numpy as np

from zkchain.circuit.forest import Program, programmed
from zkchain.ir.checked import named
from zkchain.ir.graph import BOUND, MOVES, Graph, Node, Op, constant
from zkchain.ir.movement import origins
from zkchain.ir.ranges import bounds_of, largest
from zkchain.ir.trees import NAMES, Forest
from zkchain.rewrite.engine import only_readers, readers
from zkchain.typing import IntArray

LARGEST_WINDOW = 9  # the product over a window, of numbers of at most q bits, stays cheap


@dataclass(frozen=True, slots=True)
class Pool:
    """[relu of] [rescale by ``shift`` of] [max over ``axis`` of] ``source``; ``rescaled``: the node that holds q.

    ``ceiling``: the relu is a clip to [0, ceiling]."""

    source: int
    axis: int | None
    shift: int
    positive: bool
    rescaled: int
    ceiling: int | None


def fusions(graph: Graph) -> Mapping[int, Pool | None]:
    """Last node of each chain -> its Pool; the nodes inside -> None."""
    only = only_readers(graph)
    fused: dict[int, Pool | None] = {}
    for index, node in enumerate(graph.nodes):
        if node.op is not Op.RESCALE:
            continue
        source, axis, inside = node.src[0], None, []
        below = graph.nodes[source]
        if below.op is Op.REDUCE_MAX and source in only and _window(graph, source) <= LARGEST_WINDOW:
            inside, axis, source = [source], below.arg["axis"], below.src[0]
        user = only.get(index)
        positive = user is not None and _from_zero(graph.nodes[user])
        if positive or axis is not None:
            last = user if positive and user is not None else index
            fused.update(dict.fromkeys([*inside, index]))
            ceiling = graph.nodes[last].arg.get("hi") if positive else None
            fused[last] = Pool(source, axis, node.arg["shift"], positive, index, ceiling)
    return fused


def _from_zero(node: Node) -> bool:
    return node.op is Op.RELU or (node.op is Op.CLIP and node.arg["lo"] == 0)


def _window(graph: Graph, index: int) -> int:
    node = graph.nodes[index]
    return int(graph.nodes[node.src[0]].shape[node.arg["axis"]])


@dataclass(frozen=True, slots=True)
class Saturation:
    """Node ``clip`` holds ``source`` to the interval [lo, hi]; ``covered``: a table of just this interval reads it;
    ``over``: nodes that are max(source - hi, 0). ``shift``: of the rescale that the source is, where nothing else reads
    that."""

    clip: int
    source: int
    shift: int | None
    lo: int
    hi: int
    covered: bool
    over: tuple[int, ...]


def saturations(graph: Graph, fused: Mapping[int, Pool | None]) -> Mapping[int, Saturation]:
    """Node at which a saturation is emitted (its rescale, or its clip) -> the Saturation. A clip that is neither
    covered nor behind a rescale of its own is as cheap as two maxima, and not listed."""
    read_by = readers(graph)
    found: dict[int, Saturation] = {}
    for index, node in enumerate(graph.nodes):
        lo, hi = node.arg.get("lo"), node.arg.get("hi")
        if node.op is not Op.CLIP or lo is None or hi is None or lo >= hi or index in fused:
            continue
        covered = any(_covers(graph.nodes[k], lo, hi) for k in read_by[index])
        source = node.src[0]
        over = {k: _excess(graph, read_by, source, k, hi) for k in set(read_by[source])}
        relus = tuple(sorted(relu for relu in over.values() if relu is not None and relu > index))
        rescaled = graph.nodes[source].op is Op.RESCALE and source not in fused and source not in found
        alone = all(k == index or over[k] is not None for k in read_by[source]) and source not in graph.outputs
        if rescaled and alone:
            found[source] = Saturation(index, source, graph.nodes[source].arg["shift"], lo, hi, covered, relus)
        elif covered:
            found[index] = Saturation(index, source, None, lo, hi, covered, relus)
    return found


def _covers(node: Node, lo: int, hi: int) -> bool:
    return node.op is Op.TABLE and node.arg["first"] == lo and len(node.arg["values"]) == hi - lo + 1


def _excess(graph: Graph, read_by: Sequence[Sequence[int]], source: int, k: int, hi: int) -> int | None:
    """The relu of source - hi, where node k is that difference and nothing else reads it."""
    node = graph.nodes[k]
    if node.op is not Op.ADD or k in graph.outputs or len(read_by[k]) != 1 or source not in node.src:
        return None
    other = graph.nodes[node.src[0] if node.src[1] == source else node.src[1]]
    relu = graph.nodes[read_by[k][0]]
    minus = other.op is Op.CONST and other.value is not None and bool(np.all(other.value == -hi))
    return read_by[k][0] if minus and relu.op is Op.RELU and node.shape == graph.nodes[source].shape else None


@dataclass(frozen=True, eq=False, slots=True)
class Compared:
    """The program of a TREES node; where its features come from, (rows, features) each: ``node`` and ``element``; the
    static range ``lo``, ``hi`` that they have there."""

    program: Program
    node: IntArray
    element: IntArray
    lo: IntArray
    hi: IntArray


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program is made of, by its digest."""

    digest: bytes
    parts: tuple[Forest, IntArray, IntArray, IntArray] = field(compare=False)

    @staticmethod
    def of(forest: Forest, values: IntArray, lo: IntArray, hi: IntArray) -> Asked:
        arrays = [*(getattr(forest, name) for name in NAMES), values, lo, hi]
        digest = blake2b(str([each.shape for each in arrays]).encode())
        for each in arrays:
            digest.update(np.ascontiguousarray(each, dtype=np.int64).data)
        return Asked(digest.digest(), (forest, values, lo, hi))


@lru_cache(maxsize=8)
def _programmed(asked: Asked) -> Program:
    """Kept for the next proof: to plan the products takes longer than to compute them."""
    return programmed(*asked.parts)


def comparisons(graph: Graph) -> Mapping[int, Compared]:
    """Every TREES node with what it compares."""
    found: dict[int, Compared] = {}
    for index, node in enumerate(graph.nodes):
        if node.op is Op.TREES and node.size:
            source, values = (graph.nodes[s] for s in node.src)
            rows = prod(source.shape[:-1])
            at, element = (each.reshape(rows, source.shape[-1]) for each in origins(graph, node.src[0]))
            lo, hi = _at_origins(graph, at, element)
            with named(f"node {node.name!r} ({node.op})"):
                program = _programmed(Asked.of(Forest.of(node.arg), constant(values), lo.min(axis=0), hi.max(axis=0)))
            found[index] = Compared(program, at, element, lo, hi)
    return found


def _at_origins(graph: Graph, at: IntArray, element: IntArray) -> tuple[IntArray, IntArray]:
    lo, hi = np.empty_like(at), np.empty_like(at)
    for index in {int(k) for k in at.ravel()}:
        own, node = at == index, graph.nodes[index]
        for found, end in zip((lo, hi), bounds_of(node), strict=True):
            found[own] = np.broadcast_to(end, node.shape).ravel()[element[own]]
    return lo, hi


def steps(compared: Mapping[int, Compared]) -> Mapping[int, tuple[IntArray, IntArray]]:
    """For every node whose elements are compared: the elements, and what with, each pair once, in order."""
    pairs: dict[int, set[tuple[int, int]]] = {}
    for each in compared.values():
        feature, end = each.program.bits
        open_ends = (each.lo[:, feature] < end) & (end <= each.hi[:, feature])
        row, bit = np.nonzero(open_ends)
        where = (each.node[row, feature[bit]].tolist(), each.element[row, feature[bit]].tolist(), end[bit].tolist())
        for node, element, e in zip(*where, strict=True):
            pairs.setdefault(node, set()).add((element, e))
    ordered = {node: np.asarray(sorted(own), dtype=np.int64) for node, own in pairs.items()}
    return {node: (own[:, 0], own[:, 1]) for node, own in ordered.items()}


@dataclass(frozen=True, eq=False, slots=True)
class Distances:
    """sum_k (x_ik + c_jk)^2 of the ``source`` x (rows, 1, k) and ``offsets`` c (many, k)."""

    source: int
    offsets: IntArray


def distances(graph: Graph) -> Mapping[int, Distances | None]:
    """Sums of squared differences to constants -> their Distances; the squares inside -> None.

    As sum_k x_k^2 + sum_k 2 c_jk x_k + sum_k c_jk^2, the very same integer, they take a product per element of x,
    however many rows c has.
    """
    only, found = only_readers(graph), dict[int, Distances | None]()
    for index, node in enumerate(graph.nodes):
        square = node.src[0] if node.op is Op.SUM else index
        one = _distances(graph, node, square) if only.get(square) == index else None
        if one is not None:
            found.update({square: None, index: one})
    return found


def _distances(graph: Graph, total: Node, square: int) -> Distances | None:
    product = graph.nodes[square]
    apart = graph.nodes[product.src[0]] if product.src else product
    if product.op is not Op.MUL or product.src[0] != product.src[1] or apart.op is not Op.ADD:
        return None
    if len(apart.shape) != 3 or total.arg["axes"] != (2,) or apart.shape[1] < 2:
        return None
    (rows, many, size), ends = apart.shape, [graph.nodes[s] for s in apart.src]
    for at, offsets in ((0, ends[1]), (1, ends[0])):
        value, x = offsets.value, ends[at]
        if value is None or offsets.op is not Op.CONST or not value.size or x.shape != (rows, 1, size):
            continue
        if value.size == many * size and value.shape[-2:] == (many, size):  # the same for all rows
            reach = largest(x).max(initial=0) + np.abs(value).max(initial=0).astype(np.float64)
            fits = 4 * size * reach * reach < BOUND
            return Distances(apart.src[at], value.reshape(many, size)) if fits else None
    return None


Gadget = Pool | Saturation | Distances


def gadgets(graph: Graph, *, tables: bool) -> Mapping[int, Gadget | None]:
    """All chains that one gadget emits, at the node where it does; None at the nodes inside. ``tables``: lookups are to
    be had."""
    fused = fusions(graph)
    return {**distances(graph), **fused, **(saturations(graph, fused) if tables else {})}


def beside(graph: Graph) -> Mapping[int, tuple[int, ...]]:
    """TABLE nodes that one lookup of a row serves: of one number, over one domain, as the ends and slopes of chords.

    A table has a constraint for each entry, whatever its width. One that is looked up by itself somewhere else too is
    there anyway."""
    rows: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for index, node in enumerate(graph.nodes):
        if node.op is Op.TABLE:
            rows[node.src[0], int(node.arg["first"]), len(node.arg["values"])].append(index)
    own = {i: _digest(graph.nodes[i]) for each in rows.values() for i in each}
    alone = {own[each[0]] for each in rows.values() if len(each) == 1}
    joined = [tuple(each) for each in rows.values() if len(each) > 1 and alone.isdisjoint(own[i] for i in each)]
    return {i: each for each in joined for i in each}


def _digest(table: Node) -> bytes:
    return blake2b(np.ascontiguousarray(table.arg["values"], dtype=np.int64).data).digest()


SEAL_ABOVE = 32  # terms per element
SUMS = frozenset({Op.ADD, Op.SUB})


def seals(graph: Graph) -> frozenset[int]:
    """Nodes that a linear layer reads and whose elements are sums of more than SEAL_ABOVE wires."""
    terms: list[int] = []
    sealed: set[int] = set()
    for node in graph.nodes:
        of = [terms[s] for s in node.src]
        taps = _taps(graph, node)
        if taps > 1:
            for s in node.src:
                if terms[s] > SEAL_ABOVE:
                    sealed.add(s)
            terms.append(taps * max(1 if s in sealed else terms[s] for s in node.src))
        elif node.op is Op.TREES:
            terms.append(len(node.arg["feature"]) + 1)
        elif node.op in MOVES:
            terms.append(max(of, default=1))
        elif node.op in SUMS:
            terms.append(sum(of))
        elif node.op is Op.MUL and Op.CONST in {graph.nodes[s].op for s in node.src}:
            terms.append(max(of))
        else:
            terms.append(1)
    return frozenset(sealed)


def _taps(graph: Graph, node: Node) -> int:
    """Source elements that go into one element of a linear layer; 1 for every other node."""
    shapes = [graph.nodes[s].shape for s in node.src]
    if node.op is Op.MATMUL:
        return int(shapes[0][-1])
    if node.op is Op.CONV:
        return int(np.prod(shapes[1][1:], dtype=np.int64))
    if node.op is Op.SUM:
        return int(np.prod([shapes[0][a] for a in node.arg["axes"]], dtype=np.int64))
    return 1
