"""Decide from the graph alone, before any constraint, what interpretations must do alike.

Fusion: chains that one gadget emits cheaper than several (rescale + relu, max-pool + rescale + relu). Sealing: where a
linear layer would be composed with long linear combinations, these first get wires of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from math import prod

import numpy as np

from zkchain.circuit.forest import Program, programmed
from zkchain.ir.checked import named
from zkchain.ir.graph import BOUND, MOVES, Graph, Node, Op, constant
from zkchain.ir.movement import origins
from zkchain.ir.ranges import bounds_of, is_below_maximum, largest
from zkchain.ir.trees import NAMES, Forest
from zkchain.rewrite.engine import only_readers, readers
from zkchain.tables import WIDEST
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
    that. ``tabled``: the ends of the table in which numbers are looked up that stay between them (see ``tabled``)."""

    clip: int
    source: int
    shift: int | None
    lo: int
    hi: int
    covered: bool
    over: tuple[int, ...]
    tabled: tuple[int, int] | None = None


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


def tabled(graph: Graph, planned: Mapping[int, Gadget | None]) -> Mapping[int, Gadget | None]:
    """The gadgets, with those clips from a table of their results that take fewer rows so.

    From a table a number that a clip may change takes two rows (``_reach`` says how many without). Clips of one length
    share it: x - lo -> clip(x - lo, 0, hi - lo). Each table reaches as far beyond both ends as pays."""
    clips = {clip.clip: (at, clip) for at, clip in _clips(graph, planned)}
    found = dict(planned)
    for length in {clip.hi - clip.lo for _, clip in clips.values()}:
        same = [(at, clip) for at, clip in clips.values() if clip.hi - clip.lo == length]
        below, above = _reach(graph, [clip for _, clip in same])
        if below + above:
            for at, clip in same:
                if found.get(clip.clip) is not None:  # what was fused with the rescale before it
                    del found[clip.clip]
                found[at] = replace(clip, tabled=(clip.lo - below, clip.hi + above))
    return found


def _clips(graph: Graph, planned: Mapping[int, Gadget | None]) -> Iterator[tuple[int, Saturation]]:
    """Clips to two ends that nothing but the nodes after them read, and where they are emitted."""
    for at, gadget in planned.items():
        if isinstance(gadget, Saturation) and not gadget.covered and not gadget.over:
            yield at, gadget
        elif isinstance(gadget, Pool) and gadget.axis is None and gadget.ceiling:
            yield gadget.rescaled, Saturation(at, gadget.rescaled, gadget.shift, 0, gadget.ceiling, False, ())
    inside = {gadget.clip for gadget in planned.values() if isinstance(gadget, Saturation)}
    for index, node in enumerate(graph.nodes):
        lo, hi = node.arg.get("lo"), node.arg.get("hi")
        if node.op is Op.CLIP and lo is not None and hi is not None and lo < hi and index not in {*planned, *inside}:
            yield index, Saturation(index, node.src[0], None, lo, hi, False, ())


def _reach(graph: Graph, clips: Sequence[Saturation]) -> tuple[int, int]:
    """How far below and above its ends a table of these clips reaches; 0 and 0 where none pays."""
    ends = [(clip, *_range(graph.nodes[clip.source])) for clip in clips]
    below = np.concatenate([np.maximum(clip.lo - lo, 0) for clip, lo, _ in ends])
    above = np.concatenate([np.maximum(hi - clip.hi, 0) for clip, _, hi in ends])
    alone = np.repeat([clip.shift is None for clip in clips], [lo.size for _, lo, _ in ends])
    most, sides = np.maximum(below, above), (below > 0).astype(np.int64) + (above > 0)
    chunk = max(int(most.size).bit_length() - 2, 1)  # bits that one lookup settles in a circuit of this size, about
    lookups = -(-np.ceil(np.log2(most + 1.0)).astype(np.int64) // chunk)
    # without a table: a maximum for each side; or behind a rescale what is kept, what exceeds it, a product for each
    saved = np.where(alone, sides * (1 + lookups), sides + 1 + lookups) - 2
    best, reach = 0, (0, 0)
    for bits in range(1, WIDEST + 1):
        own = (most > 0) & (most < 1 << bits)
        far = int(below[own].max(initial=0)), int(above[own].max(initial=0))
        left = int(saved[own].sum()) - (clips[0].hi - clips[0].lo + 2 + sum(far))
        if left > best:
            best, reach = left, far
    return reach


def _range(node: Node) -> tuple[IntArray, IntArray]:
    """Static range of each element, flat."""
    lo, hi = (np.broadcast_to(end, node.shape).ravel().astype(np.int64) for end in bounds_of(node))
    return lo, hi


def proved_maxima(graph: Graph, planned: Mapping[int, Gadget | None]) -> frozenset[int]:
    """Maxima m of x of which m - x >= 0 needs no check: nothing but x - m reads them, and nothing but a table of
    numbers that are not positive, or the clip before it, reads that. The table proves z <= 0 of x - m = z - under, and
    the clip under >= 0."""
    only, found = only_readers(graph), set[int]()
    for source, reader in _looked_up_below_zero(graph, planned):
        apart = graph.nodes[source]
        if apart.op is Op.SUB and only.get(source) == reader and only.get(apart.src[1]) == source:
            found.update(apart.src[1:] if is_below_maximum(apart, *(graph.nodes[s] for s in apart.src)) else ())
    return frozenset(found)


def _looked_up_below_zero(graph: Graph, planned: Mapping[int, Gadget | None]) -> Iterator[tuple[int, int]]:
    """What is looked up, or clipped first, where no positive number is let through; and the node that does so."""
    clips = (gadget for gadget in planned.values() if isinstance(gadget, Saturation) and gadget.covered)
    for clip in clips:
        # a file may declare more than is true, and what exceeds the clip would be a number then that may be large
        if clip.shift is None and clip.hi <= 0 and np.all(bounds_of(graph.nodes[clip.source])[1] <= clip.hi):
            yield clip.source, clip.clip
    for index, node in enumerate(graph.nodes):
        if node.op is Op.TABLE and node.size and node.arg["first"] + len(node.arg["values"]) <= 1:
            yield node.src[0], index


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


@dataclass(frozen=True, slots=True)
class Joined:
    """TABLE nodes that look the same numbers up: one table, with a column for each of them."""

    nodes: tuple[int, ...]


def joined(graph: Graph) -> Mapping[int, Joined]:
    """The first of the TABLE nodes of one source and one domain -> all of them, where there are several.

    A table of d columns takes d + 1 constraints a lookup, and its entries once, rather than 2 d, and d times. Not where
    one of the columns is a table of something else as well, whose entries would be there twice."""
    same: dict[tuple[int, int, int], list[int]] = {}
    for index, node in enumerate(graph.nodes):
        if node.op is Op.TABLE and node.size:
            same.setdefault((node.src[0], node.arg["first"], len(node.arg["values"])), []).append(index)
    groups = {nodes[0]: tuple(graph.nodes[i].arg["values"].tobytes() for i in nodes) for nodes in same.values()}
    uses = Counter(column for columns in groups.values() for column in columns)
    alike = Counter(groups.values())
    return {
        nodes[0]: Joined(tuple(nodes))
        for nodes in same.values()
        if len(nodes) > 1 and all(uses[c] == alike[groups[nodes[0]]] for c in groups[nodes[0]])
    }


Gadget = Pool | Saturation | Distances | Joined


def gadgets(graph: Graph, *, tables: bool) -> Mapping[int, Gadget | None]:
    """All chains that one gadget emits, at the node where it does; None at the nodes inside. ``tables``: lookups are to
    be had."""
    fused = fusions(graph)
    found: Mapping[int, Gadget | None] = {**distances(graph), **fused}
    return {**tabled(graph, {**found, **saturations(graph, fused)}), **joined(graph)} if tables else found


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
