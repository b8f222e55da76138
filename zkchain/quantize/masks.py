"""Masks cost no precision: what certainly loses in a softmax or a maximum is left out, or loses by less.

A mask adds -1e4, -1e9, the least float32 or -inf to what must not count (or selects it). Such numbers beside ordinary
ones leave no bits for the ordinary ones. The static intervals of the float graph say what certainly loses:

- softmax and log sum exp: elements below the row's certain maximum by OUT_OF_SIGHT are dead: they take no part
  (``live``), their exponentials are not computed and are 0. exp(-OUT_OF_SIGHT) is far below any output's last bit;
- a maximum over an axis, and its index: dead elements become copies of one that is not;
- max(x, c): c is raised to the least x; exp(x + c): c is raised to where exp is out of sight already.

What nobody reads any more becomes 0. A mask that depends on an input of whole numbers, v(m) added to x, takes few
values; where any two of them in a row are further apart than x reaches, only their order counts, and v is scaled down
to be just that far apart. An infinite constant that is still read afterwards is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from zkchain.errors import ModelError
from zkchain.ir import interpret
from zkchain.ir.builder import Builder
from zkchain.ir.graph import MOVES_OF_ONE, Graph, Node, Op, check
from zkchain.ir.intervals import Ends, intervals
from zkchain.quantize.input_grid import Grid
from zkchain.rewrite import EXPAND, run
from zkchain.rewrite.engine import View, prune, sweep
from zkchain.typing import Array, FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

OUT_OF_SIGHT = 32.0  # e^-32 = 1.3e-14
MASKING = 50.0  # constants of less magnitude mask nothing
NOTHING = 1e-9  # what a softmax does not see
FEW = 8  # values that a mask may take
NORMALISED = frozenset({Op.SOFTMAX, Op.LOG_SUM_EXP})
COMPARING = frozenset({Op.REDUCE_MAX, Op.REDUCE_MIN, Op.ARGMAX, Op.TOP, Op.TOP_INDEX, Op.MAX, Op.MIN})
ORDER_ALONE = frozenset({Op.SOFTMAX, Op.ARGMAX, Op.TOP_INDEX})  # what is added to all of a row changes nothing
SETTLED = frozenset({"equal", "greater"})  # functions whose values are 0 and 1
ELEMENTWISE = frozenset({Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MAX, Op.MIN, Op.UNARY, Op.RELU, Op.CLIP, Op.LEAKY_RELU})


def absorb(graph: Graph, grids: Sequence[Grid]) -> Graph:
    """The graph without the numbers that only make something lose. Raises ModelError for an infinity that counts."""
    if _may_mask(graph):
        graph = _written_out(graph)
        domain = [_ends(grid) for grid in grids]
        graph = _drop_unread(_leave_out(graph, intervals(graph, domain)))
        graph = _scale_variable(graph, grids, intervals(graph, domain))
        check(graph, integer=False)
    for node in graph.nodes:
        if node.op is Op.CONST and node.value is not None and not np.all(np.isfinite(node.value)):
            raise _infinite(node.name, node.value)
    return graph


def _written_out(graph: Graph) -> Graph:
    """In few kinds of node: what the intervals are read from."""
    return run(prune(graph), [EXPAND])


def _infinite(name: str, value: FloatArray) -> ModelError:
    at = tuple(int(k) for k in np.argwhere(~np.isfinite(value))[0])
    return ModelError(
        f"node {name!r}: expected finite numbers in a constant of shape {value.shape}, got {value[at]} at element {at}",
        hint="infinity has no fixed-point form, except in a mask before a softmax or a maximum, where something in "
        "every row is not masked; where the mask is an input, mask with a finite number (-1e4)",
    )


def _may_mask(graph: Graph) -> bool:
    """True when there is a constant large enough to mask something, and something that it masks."""
    large = any(n.value is not None and n.size and float(np.abs(n.value).max()) >= MASKING for n in graph.nodes)
    return large and any(n.op in NORMALISED | COMPARING or _is_exp(n) for n in graph.nodes)


def _is_exp(node: Node) -> bool:
    return node.op is Op.UNARY and node.arg["fn"] == ("exp",)


def _ends(grid: Grid) -> Ends:
    """Range of an input; a grid that is still to be chosen may begin a little below."""
    wider = (grid.hi - grid.lo) / 8 if grid.binary else np.asarray(0.0)
    return grid.lo - wider, grid.hi + wider


# -- dead elements ----------------------------------------------------------------------------------------------------


def _leave_out(graph: Graph, bounds: Sequence[Ends]) -> Graph:
    """Elements that certainly lose a maximum are left out, or made to lose by less."""

    def rule(view: View, i: int) -> int | None:
        node, src = view.node(i), view.images(i)
        found = LOSERS.get(node.op)
        with np.errstate(all="ignore"):
            for k, ceiling in enumerate(_ceilings(graph, node, bounds)):
                src = (*src[:k], _raised(view, bounds, node.src[k], ceiling), *src[k + 1 :])
            ends = (
                [tuple(np.broadcast_to(e, graph.nodes[s].shape) for e in bounds[s]) for s in node.src] if found else []
            )
            changed = found(view.build, replace(node, src=src), *ends) if found else None
        return view.build.copy(node, src) if changed is None and src != view.images(i) else changed

    return prune(sweep(graph, [{op: [rule] for op in (*LOSERS, Op.UNARY)}]))


def _ceilings(graph: Graph, node: Node, bounds: Sequence[Ends]) -> list[FloatArray]:
    """Find, for every source, the elements that may stay below and not be seen: exp's, and either side's of a
    maximum."""
    if _is_exp(node):
        return [np.asarray(-OUT_OF_SIGHT)]
    return [bounds[node.src[1]][0], bounds[node.src[0]][0]] if node.op is Op.MAX else []


def _raised(view: View, bounds: Sequence[Ends], i: int, ceiling: FloatArray) -> int:
    """The image of node ``i`` = x + c, with c raised to where x + c still stays below the ceiling."""
    node = view.node(i)
    side = view.constant_side(i) if node.op is Op.ADD else None
    if side is None or np.broadcast_shapes(ceiling.shape, node.shape) != node.shape:
        return view.new[i]
    x, c = side
    raised = np.maximum(c, ceiling - bounds[x][1])
    if not np.any(raised > c) or not np.all(np.isfinite(raised)):
        return view.new[i]
    return view.build.add(view.new[x], view.build.const(raised))


def _take_part(build: Builder, node: Node, x: Ends) -> int | None:
    axis = node.arg["axis"]
    live = ~((x[1] < x[0].max(axis=axis, keepdims=True) - OUT_OF_SIGHT) | np.isneginf(x[1]))
    nothing = ~live.any(axis=axis, keepdims=True)
    if nothing.any():
        row = tuple(int(k) for k in np.argwhere(nothing)[0])
        raise ModelError(
            f"node {node.name!r} ({node.op}): every element of a row is -inf (the row of element {row})",
            hint="a softmax of nothing is NaN: leave one element of every row unmasked, or mask with a finite number",
        )
    if live.all():
        return None
    return build.append(replace(node, arg={**node.arg, "live": live}))


def _standing_in(live: BoolArray, axis: int) -> IntArray:
    """Flat index, for each element, of the last live one up to it along the axis, or else of the first live one."""
    order = np.arange(live.shape[axis]).reshape([-1 if k == axis else 1 for k in range(live.ndim)])
    last = np.maximum.accumulate(np.where(live, order, -1), axis=axis)
    chosen = np.where(last >= 0, last, live.argmax(axis=axis, keepdims=True))
    at = np.arange(live.size, dtype=np.int64).reshape(live.shape)
    return np.asarray(np.take_along_axis(at, chosen, axis))


def _of_axis(sign: int) -> Callable[[Builder, Node, Ends], int | None]:
    """REDUCE_MAX (1), REDUCE_MIN (-1), ARGMAX (1): dead elements become copies. Of equal ones the first is the
    maximum, so a copy must stand behind; those before the first live element give its index."""

    def rule(build: Builder, node: Node, x: Ends) -> int | None:
        axis = node.arg["axis"]
        lo, hi = x if sign > 0 else (-x[1], -x[0])
        live = ~((hi < lo.max(axis=axis, keepdims=True)) | np.isneginf(hi))
        if live.all() or not live.any(axis=axis).all():
            return None
        others = build.take(node.src[0], _standing_in(live, axis))
        result = build.copy(node, (others,))
        first = live.argmax(axis=axis, keepdims=True)
        if node.op is not Op.ARGMAX or not first.any():
            return result
        return build.max(result, build.const(first))

    return rule


def _of_list(build: Builder, node: Node, x: Ends) -> int | None:
    """TOP, TOP_INDEX: what is certainly below the k-th largest becomes a number a little below it."""
    axis, k = node.arg["axis"], node.arg["k"]
    kth = np.take(np.sort(x[0], axis=axis), [-k], axis=axis)
    dead = x[1] < kth
    if not dead.any() or not np.all(np.isfinite(kth)):
        return None
    reach = float(np.where(dead, 0.0, x[1] - kth).max())
    losing = build.const((kth - max(1.0, reach)).ravel())
    both = build.concat([build.reshape(node.src[0], (dead.size,)), losing], 0)
    rows = np.broadcast_to(np.arange(kth.size).reshape(kth.shape), dead.shape)
    index = np.where(dead, dead.size + rows, np.arange(dead.size).reshape(dead.shape))
    return build.copy(node, (build.take(both, index),))


def _of_two(sign: int) -> Callable[[Builder, Node, Ends, Ends], int | None]:
    """MAX (1), MIN (-1) with a constant: raised to the least value of the other side."""

    def rule(build: Builder, node: Node, x: Ends, y: Ends) -> int | None:
        for k, other in ((0, y), (1, x)):
            c = build.value(node.src[k])
            if c is None:
                continue
            limit = other[0] if sign > 0 else other[1]
            pull = np.maximum if sign > 0 else np.minimum
            if not np.any(pull(c, limit) != c) or not np.all(np.isfinite(pull(c, limit))):
                return None
            raised = build.const(pull(c, limit))
            return build.copy(node, (raised, node.src[1]) if k == 0 else (node.src[0], raised))
        return None

    return rule


LOSERS: Mapping[Op, Callable[..., int | None]] = {
    Op.SOFTMAX: _take_part,
    Op.LOG_SUM_EXP: _take_part,
    Op.REDUCE_MAX: _of_axis(1),
    Op.REDUCE_MIN: _of_axis(-1),
    Op.ARGMAX: _of_axis(1),
    Op.TOP: _of_list,
    Op.TOP_INDEX: _of_list,
    Op.MAX: _of_two(1),
    Op.MIN: _of_two(-1),
}


# -- what nobody reads ------------------------------------------------------------------------------------------------


def _drop_unread(graph: Graph) -> Graph:
    """Constants of masks become 0 where nobody reads them, and nothing is moved there that nobody reads."""
    read = _readers(graph)
    nodes = []
    for node, wanted in zip(graph.nodes, read, strict=True):
        if node.op is Op.CONST and node.value is not None:
            masks = ~wanted & ~(np.abs(node.value) < MASKING)
            node = replace(node, value=np.where(masks, 0.0, node.value)) if masks.any() else node
        if node.op is Op.TAKE and wanted.any() and not wanted.all():
            node = replace(node, arg={"index": _redirected(node.arg["index"], wanted)})
        nodes.append(node)
    return _written_out(replace(graph, nodes=tuple(nodes)))


def _redirected(index: IntArray, wanted: BoolArray) -> IntArray:
    """Unread elements taken from where they stand themselves, if the others are, or else from where a read one is."""
    at = np.arange(index.size, dtype=np.int64).reshape(index.shape)
    return np.where(wanted, index, at if np.all(index[wanted] == at[wanted]) else index[wanted][0])


def _readers(graph: Graph) -> list[BoolArray]:
    """Mark the elements of every node that an output depends on."""
    read = [np.zeros(node.shape, np.bool_) for node in graph.nodes]
    for i in graph.outputs:
        read[i][...] = True
    for node, wanted in zip(graph.nodes[::-1], read[::-1], strict=True):
        if wanted.any():
            for k, s in enumerate(node.src):
                read[s] |= _wants(graph, node, wanted, k)
    return read


def _wants(graph: Graph, node: Node, wanted: BoolArray, k: int) -> BoolArray:
    """Mark the elements of its k-th source that the ``wanted`` elements of a node depend on."""
    shape = graph.nodes[node.src[k]].shape
    if node.op in ELEMENTWISE:
        rank = wanted.ndim - len(shape)
        stretched = tuple(a for a in range(wanted.ndim) if a < rank or (shape[a - rank] == 1 < wanted.shape[a]))
        return wanted.any(axis=stretched).reshape(shape)
    if node.op is Op.RESHAPE:
        return wanted.reshape(shape)
    if node.op is Op.TAKE:
        reached = np.zeros(shape, np.bool_)
        reached.ravel()[node.arg["index"][wanted]] = True
        return reached
    if node.op is Op.CONCAT:
        axis = node.arg["axis"]
        first = sum(graph.nodes[s].shape[axis] for s in node.src[:k])
        return np.take(wanted, np.arange(first, first + shape[axis]), axis=axis)
    live: BoolArray = node.arg.get("live", np.ones(shape, np.bool_))
    return live


# -- masks that depend on an input ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """A value that takes few: ``values`` (one of them for each first index). ``origin``: for every element, which input
    element decides, where values[k] is what its k-th value gives; None: all combinations may occur."""

    values: FloatArray
    origin: IntArray | None = None


def _scale_variable(graph: Graph, grids: Sequence[Grid], bounds: Sequence[Ends]) -> Graph:
    """Few values far apart become few values just far enough apart, where only the order of the results counts."""
    choices = _choices(graph, grids)

    def rule(view: View, i: int) -> int | None:
        node = graph.nodes[i]
        terms = _terms(graph, node.src[0])
        mask = {s for s, _ in terms if _masks(graph, s, choices)}
        factor = _factor(graph, node, terms, mask, choices, bounds)
        if factor is None:
            return None
        parts = [_scaled(view, s, sign * (factor if s in mask else 1.0), choices) for s, sign in terms]
        return view.build.copy(node, (reduce(view.build.add, parts),))

    return prune(sweep(graph, [{op: [rule] for op in ORDER_ALONE}]))


Term = tuple[int, float]  # a node, and its sign


def _terms(graph: Graph, i: int, sign: float = 1.0) -> list[Term]:
    """Node ``i`` as a sum."""
    node = graph.nodes[i]
    if node.op not in (Op.ADD, Op.SUB):
        return [(i, sign)]
    second = sign if node.op is Op.ADD else -sign
    return [*_terms(graph, node.src[0], sign), *_terms(graph, node.src[1], second)]


def _scaled(view: View, i: int, factor: float, choices: Mapping[int, Choice]) -> int:
    """Node ``i`` times a factor, which goes into the constants of a mask; 0 where that leaves nothing of it."""
    node = view.node(i)
    if factor == 1.0:
        return view.new[i]
    if i in choices and float(np.abs(choices[i].values).max(initial=0)) * abs(factor) < NOTHING:
        return view.build.const(np.zeros(node.shape))
    if node.value is not None:
        return view.build.const(node.value * factor)
    if node.op in (Op.ADD, Op.SUB):
        src = tuple(_scaled(view, s, factor, choices) for s in node.src)
    elif node.op in MOVES_OF_ONE:
        src = (_scaled(view, node.src[0], factor, choices),)
    elif node.op is Op.MUL:
        at = next((k for k, s in enumerate(node.src) if view.op(s) is Op.CONST), 0)
        scaled = _scaled(view, node.src[at], factor, choices)
        src = tuple(scaled if k == at else view.new[s] for k, s in enumerate(node.src))
    else:
        return view.build.scale(view.new[i], factor)
    return view.build.copy(node, src)


def _masks(graph: Graph, i: int, choices: Mapping[int, Choice]) -> bool:
    """True when a term takes few values; a constant must be large as well."""
    value = graph.nodes[i].value
    return i in choices and (value is None or (value.size > 0 and float(np.abs(value).max()) >= MASKING))


def _factor(
    graph: Graph,
    node: Node,
    terms: Sequence[Term],
    mask: set[int],
    choices: Mapping[int, Choice],
    bounds: Sequence[Ends],
) -> float | None:
    """The factor that brings the values of the ``mask`` together until they are just as far apart as the other terms
    reach in a row; None where they are closer than that, or do not vary."""
    shape, axis = graph.nodes[node.src[0]].shape, node.arg["axis"]
    if all(graph.nodes[i].op is Op.CONST for i in mask) or all(i in mask for i, _ in terms):
        return None
    lo, hi, total = np.zeros(shape), np.zeros(shape), Choice(np.zeros((1, *shape)))
    for i, sign in terms:
        low, high = bounds[i] if sign > 0 else (-bounds[i][1], -bounds[i][0])
        lo, hi = (lo, hi) if i in mask else (lo + low, hi + high)
        both = _combined(np.add if sign > 0 else np.subtract, total, choices[i]) if i in mask else total
        if both is None:
            return None
        total = both
    reach = float((hi.max(axis=axis) - lo.min(axis=axis)).max()) + OUT_OF_SIGHT
    live = np.broadcast_to(node.arg.get("live", True), total.values.shape)
    gaps = np.diff(np.unique(total.values[live]))
    if not gaps.size or not np.isfinite(reach) or not np.all(np.isfinite(gaps)) or gaps.min() <= reach:
        return None
    return float(reach / gaps.min())


def _choices(graph: Graph, grids: Sequence[Grid]) -> dict[int, Choice]:
    """The values that are decided by inputs of few whole numbers, and constants."""
    grid_of = dict(zip(graph.inputs, grids, strict=True))
    found: dict[int, Choice] = {}
    for i, node in enumerate(graph.nodes):
        choice: Choice | None = None
        with np.errstate(all="ignore"):
            if i in grid_of:
                choice = _of_input(i, node, grid_of[i])
            elif node.op is Op.CONST and node.value is not None:
                choice = Choice(node.value[None])
            elif node.op is Op.UNARY and node.arg["fn"][0] in SETTLED and node.src[0] not in found:
                choice = Choice(np.stack([np.zeros(node.shape), np.ones(node.shape)]), _elements(i, node))
            elif node.src and all(s in found for s in node.src):
                choice = _chosen(node, [found[s] for s in node.src])
        if choice is not None:
            found[i] = choice
    return found


def _elements(i: int, node: Node) -> IntArray:
    """A number for every element of node ``i``, that no element of another node has."""
    return np.arange(node.size, dtype=np.int64).reshape(node.shape) + (i << 32)


def _of_input(i: int, node: Node, grid: Grid) -> Choice | None:
    if grid.step is None:
        return None
    lo, hi = (np.broadcast_to(end, node.shape) for end in grid.integers(grid.step))
    count = int((hi - lo).max(initial=0)) + 1
    if count > FEW:
        return None
    return Choice(np.stack([np.minimum(lo + k, hi) * grid.step for k in range(count)]), _elements(i, node))


def _chosen(node: Node, sources: Sequence[Choice]) -> Choice | None:
    kernel = interpret.FLOAT[node.op]
    if node.op in (Op.RESHAPE, Op.TAKE):
        (x,) = sources
        values = np.stack([kernel(node, value) for value in x.values])
        return Choice(values, None if x.origin is None else kernel(node, x.origin))
    if node.op not in ELEMENTWISE:
        return None
    if len(sources) == 1:
        return replace(sources[0], values=np.stack([kernel(node, value) for value in sources[0].values]))
    return _combined(lambda x, y: kernel(node, x, y), *sources)


def _combined(apply: Callable[[Array, Array], Array], x: Choice, y: Choice) -> Choice | None:
    """A function of two values: together where one input element decides both, else every pair."""
    shape = np.broadcast_shapes(x.values.shape[1:], y.values.shape[1:])
    first, second = (None if c.origin is None else np.broadcast_to(c.origin, shape) for c in (x, y))
    pairs, origin = [(a, b) for a in x.values for b in y.values], None
    if len(x.values) == 1 or len(y.values) == 1:
        origin = second if len(x.values) == 1 else first
    elif first is not None and second is not None and np.array_equal(first, second):
        origin, pairs = first, list(zip(x.values, y.values, strict=True))
    if len(pairs) > FEW * FEW:
        return None
    values = np.stack([np.broadcast_to(apply(a, b), shape) for a, b in pairs])
    return Choice(values if origin is not None else np.unique(values, axis=0), origin)
