"""Building float graphs, one verb per operator.

Every verb appends one node (a few verbs: a few) and returns its index. The verb computes the shape, so a graph's shapes
follow from the shapes of its inputs alone. Shapes that do not fit raise ModelError with the model node's name.
``copy`` and ``append`` take nodes of integer graphs too, with their scales and ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import ModelError
from zkchain.ir.functions import Fn
from zkchain.ir.graph import MOVES, Graph, Node, Op
from zkchain.ir.legality import LARGEST, shape_of
from zkchain.ir.missing import Missing
from zkchain.typing import Array, FloatArray, IntArray

STRINGS = "encode them in the model (OneHotEncoder, OrdinalEncoder), or before it and pass numbers"
NOTHING = "give the input a shape without a zero (shapes=, --input-shape): such a tensor has elements"
KEEPS_WHOLE = frozenset(
    {Op.RESHAPE, Op.TAKE, Op.CONCAT, Op.ADD, Op.SUB, Op.MUL, Op.MATMUL, Op.CONV, Op.SUM, Op.RELU, Op.MAX, Op.MIN}
    | {Op.REDUCE_MAX, Op.REDUCE_MIN, Op.TOP, Op.ROWS}
)
WHOLE_FUNCTIONS = frozenset({"ceil", "divide", "equal", "floor", "floor_divide", "greater", "round", "sign", "trunc"})


class Builder:
    """Nodes of a float graph under construction. ``name`` is the model node they are made for. ``texts``: of the nodes
    whose integers are places of names, the list of each element, whatever it is; movements move it along. ``missing``:
    of the nodes that may be missing, what says so."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.name = ""
        self.operators: dict[str, str] = {}
        self.texts: dict[int, npt.NDArray[np.object_]] = {}
        self.missing: dict[int, Missing] = {}
        self._whole_inputs: set[int] = set()
        self._constants: dict[int, tuple[Array, int]] = {}  # id(array) -> array (kept alive), node

    # -- looking ----------------------------------------------------------------------------------------------------

    def shape(self, x: int) -> tuple[int, ...]:
        return self.nodes[x].shape

    def rank(self, x: int) -> int:
        return len(self.nodes[x].shape)

    def size(self, x: int) -> int:
        return self.nodes[x].size

    def value(self, x: int) -> FloatArray | None:
        """The array of a CONST node, else None."""
        return self.nodes[x].value

    def known(self, x: int) -> FloatArray | None:
        """The numbers of a constant, of a dequantised and moved one too, else None."""
        node = self.nodes[x]
        inner = self.known(node.src[0]) if node.op in (Op.DEQUANTIZE, Op.RESHAPE, Op.TAKE) else None
        if inner is None:
            return node.value
        if node.op is Op.DEQUANTIZE:
            return np.asarray((inner - node.arg["zero"]) * node.arg["scale"])
        return inner.reshape(node.shape) if node.op is Op.RESHAPE else inner.ravel()[node.arg["index"]]

    def is_whole(self, x: int) -> bool:
        """True when the values are known to be integers: labels, counts and what is made of them."""
        found: dict[int, bool] = {}
        for i in self._ancestors(x):
            node = self.nodes[i]
            found[i] = i in self._whole_inputs or _is_whole(node, [found[s] for s in node.src])
        return found[x]

    def _ancestors(self, x: int) -> list[int]:
        seen, waiting = {x}, [x]
        while waiting:
            new = set(self.nodes[waiting.pop()].src) - seen
            seen |= new
            waiting.extend(new)
        return sorted(seen)

    def axis(self, x: int, axis: int) -> int:
        """An axis counted from either end, as one counted from the front."""
        rank = self.rank(x)
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} is outside a value of shape {self.shape(x)}")
        return axis % rank

    def error(self, message: str, *, hint: str | None = None) -> ModelError:
        return ModelError(f"node {self.name!r}: {message}", hint=hint)

    # -- sources ----------------------------------------------------------------------------------------------------

    def node(self, op: Op, src: Sequence[int], shape: Iterable[int], arg: Mapping[str, Any] | None = None) -> int:
        """Append a node as it is; the verbs below are to be preferred."""
        return self._append(Node(op, self.name, tuple(src), tuple(int(d) for d in shape), arg or {}))

    def copy(self, node: Node, src: Sequence[int]) -> int:
        """Append a node of another graph, on these sources."""
        return self.append(node if node.src == (src := tuple(src)) else replace(node, src=src))

    def append(self, node: Node) -> int:
        """Append a node that is known to be legal, as it is."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def named(self, x: int, names: Any) -> int:
        """x, whose integers are places in this list of names."""
        index = self.node(Op.RESHAPE, (x,), self.shape(x))
        self.texts[index] = np.full(self.shape(x), names, dtype=object)
        return index

    def plain(self, x: int) -> int:
        """The places of strings, as the integers that they are."""
        return self.append(Node(Op.RESHAPE, self.name, (x,), self.shape(x))) if x in self.texts else x

    def present(self, x: int) -> int:
        """The numbers of what may be missing, as the numbers that they are: for who sees to what says so."""
        return self.append(Node(Op.RESHAPE, self.name, (x,), self.shape(x))) if x in self.missing else x

    def _follow_missing(self, node: Node, index: int) -> None:
        """What may be missing may be moved, shifted and scaled up. ModelError for all else that reads it."""
        marks = [self.missing.get(s) or Missing.never(self.shape(s)) for s in node.src]
        if node.op is Op.RESHAPE:
            found = marks[0].each(lambda v: v.reshape(node.shape))
        elif node.op is Op.TAKE:
            found = marks[0].each(lambda v: v.ravel()[node.arg["index"]])
        elif node.op is Op.CONCAT:
            axis = node.arg["axis"]
            found = Missing(*(np.concatenate([getattr(m, n) for m in marks], axis) for n in ("value", "limit")))
        else:
            found = self._shifted(node)
        if found.possible.any():
            self.missing[index] = found

    def _shifted(self, node: Node) -> Missing:
        pairs = (node.src, node.src[::-1]) if node.op in (Op.ADD, Op.MUL) else ()
        x, constant = next(((s, self.value(o)) for s, o in pairs if s in self.missing), (0, None))
        if constant is None or (node.op is Op.MUL and np.any(constant <= 0)):
            raise self.error(
                "it reads values of which some are missing (NaN) in the data, and says nothing of these",
                hint="fill them in before this operator (an Imputer in the model), or leave such rows out of the data",
            )
        return self.missing[x].each(lambda v: v + constant if node.op is Op.ADD else v * constant)

    def _follow(self, node: Node, index: int) -> None:
        """Give a movement of strings its lists of names. ModelError for all else that reads strings."""
        lists = [self.texts.get(s) for s in node.src]
        if node.op not in MOVES or any(one is None for one in lists):
            raise self.error("strings are read by what takes numbers, or stand beside numbers", hint=STRINGS)
        if node.op is Op.RESHAPE:
            self.texts[index] = lists[0].reshape(node.shape)  # type: ignore[union-attr]
        elif node.op is Op.TAKE:
            self.texts[index] = lists[0].ravel()[node.arg["index"]]  # type: ignore[union-attr]
        else:
            self.texts[index] = np.concatenate(lists, axis=node.arg["axis"])  # type: ignore[arg-type]

    def _append(self, node: Node) -> int:
        if math.prod(node.shape) > LARGEST:
            raise self.error(
                f"a value of shape {node.shape} is too large", hint="give smaller shapes (shapes=, --input-shape)"
            )
        if not node.size and node.op is not Op.INPUT:  # without elements everything is known of it
            node = Node(Op.CONST, node.name, (), node.shape, value=np.zeros(node.shape))
        index = self.append(node)
        if any(s in self.texts for s in node.src):
            self._follow(node, index)
        if any(s in self.missing for s in node.src):
            self._follow_missing(node, index)
        return index

    def input(self, name: str, shape: Sequence[int], *, whole: bool = False) -> int:
        self.name = name
        index = self.node(Op.INPUT, (), shape)
        if whole:
            self._whole_inputs.add(index)
        return index

    def const(self, array: npt.ArrayLike) -> int:
        """A constant, stored as float64. ModelError for NaN, or a type that is not a real number.

        An infinity is let through: in a mask it never counts, and whoever finds out that it does refuses it."""
        given = np.asarray(array)
        if id(given) in self._constants:
            return self._constants[id(given)][1]
        value = self._real(given)
        index = self._append(Node(Op.CONST, self.name, (), value.shape, value=value))
        if given is array:
            self._constants[id(given)] = (given, index)
        return index

    def _real(self, given: Array) -> FloatArray:
        if given.dtype.kind in "OSUc":
            raise self.error(f"expected a constant of real numbers, got elements of type {given.dtype}")
        with np.errstate(invalid="ignore"):
            value = given.astype(np.float64)
        refuse_numbers(self.name, value, np.isnan(value))
        return value

    # -- movement ---------------------------------------------------------------------------------------------------

    def reshape(self, x: int, shape: Iterable[int]) -> int:
        """Reshape ``x``, elements in row-major order; ``x`` itself when it has that shape already."""
        to = tuple(int(d) for d in shape)
        if math.prod(to) != self.size(x):
            raise self.error(f"cannot reshape {self.shape(x)} to {to}")
        return x if to == self.shape(x) else self.node(Op.RESHAPE, (x,), to)

    def take(self, x: int, index: IntArray) -> int:
        """out = x.ravel()[index]; a RESHAPE when no element moves."""
        if index.size == self.size(x) and np.array_equal(index.ravel(), np.arange(index.size)):
            return self.reshape(x, index.shape)
        return self.node(Op.TAKE, (x,), index.shape, {"index": np.asarray(index, dtype=np.int64, order="C")})

    def positions(self, x: int) -> IntArray:
        """The index of every element: what a movement is applied to, to become a TAKE."""
        return np.arange(self.size(x), dtype=np.int64).reshape(self.shape(x))

    def move(self, x: int, movement: Callable[[IntArray], Array]) -> int:
        """Any numpy function that only moves, repeats or drops elements."""
        return self.take(x, np.asarray(movement(self.positions(x))))

    def transpose(self, x: int, order: Sequence[int]) -> int:
        return self.move(x, lambda at: at.transpose(order))

    def take_or(self, x: int, index: IntArray, fill: float) -> int:
        """``take``, but the number ``fill`` where the index is negative: TAKE of (elements of x, fill)."""
        if np.all(index >= 0):
            return self.take(x, index)
        both = self.concat([self.reshape(x, (self.size(x),)), self.const([fill])], 0)
        return self.take(both, np.where(index < 0, self.size(x), index))

    def rows(self, x: int, table: int) -> int:
        """table[x], the rows of a constant table at whole indices."""
        shape = self.shape(table)
        if not shape or not shape[0]:
            raise self.error(f"a table of shape {shape} has no rows to choose")
        return self.node(Op.ROWS, (x, table), (*self.shape(x), *shape[1:]))

    def concat(self, xs: Sequence[int], axis: int) -> int:
        axis = self.axis(xs[0], axis)
        shapes = [self.shape(x) for x in xs]
        if len({(len(s), *s[:axis], *s[axis + 1 :]) for s in shapes}) > 1:
            raise self.error(f"cannot concatenate shapes {shapes} along axis {axis}")
        shape = list(shapes[0])
        shape[axis] = sum(s[axis] for s in shapes)
        filled = [x for x in xs if self.size(x)]  # parts without elements add nothing
        return filled[0] if len(filled) == 1 else self.node(Op.CONCAT, filled, shape, {"axis": axis})

    def expand(self, x: int, shape: Sequence[int]) -> int:
        """numpy.broadcast_to."""
        return self.move(x, lambda at: np.broadcast_to(at, tuple(shape)))

    # -- arithmetic -------------------------------------------------------------------------------------------------

    def _elementwise(self, op: Op, x: int, y: int) -> int:
        try:
            shape = np.broadcast_shapes(self.shape(x), self.shape(y))
        except ValueError as error:
            raise self.error(f"shapes {self.shape(x)} and {self.shape(y)} do not broadcast") from error
        return self.node(op, (x, y), shape)

    def add(self, x: int, y: int) -> int:
        return self._elementwise(Op.ADD, x, y)

    def sub(self, x: int, y: int) -> int:
        """x - y; adding a constant where one side is constant."""
        minus, constant = self.value(y), self.value(x)
        if minus is not None:
            return self.add(x, self.const(-minus))
        if constant is not None:
            return self.add(self.scale(y, -1.0), x)
        return self._elementwise(Op.SUB, x, y)

    def mul(self, x: int, y: int) -> int:
        return self._elementwise(Op.MUL, x, y)

    def div(self, x: int, y: int) -> int:
        """x / y; times the reciprocal where one side is constant. ModelError for a constant zero under the line."""
        under = self.value(y)
        if under is not None:
            if np.any(under == 0):
                raise self.error("division by a constant that holds a zero")
            return self.mul(x, self.const(1.0 / under))
        if self.value(x) is not None:
            return self.mul(self.unary(y, "reciprocal"), x)
        return self._elementwise(Op.DIV, x, y)

    def max(self, x: int, y: int) -> int:
        return self._elementwise(Op.MAX, x, y)

    def min(self, x: int, y: int) -> int:
        return self._elementwise(Op.MIN, x, y)

    def scale(self, x: int, factor: float) -> int:
        return x if factor == 1.0 else self.mul(x, self.const(factor))

    def shift(self, x: int, offset: float) -> int:
        return x if offset == 0.0 else self.add(x, self.const(offset))

    def square(self, x: int) -> int:
        return self.mul(x, x)

    def matmul(self, x: int, y: int) -> int:
        a, b = self.shape(x), self.shape(y)
        if not a or not b or a[-1] != (b[-2] if len(b) > 1 else b[0]):
            raise self.error(f"cannot multiply matrices of shapes {a} and {b}")
        try:
            stack = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError as error:
            raise self.error(f"stacks of matrices {a} and {b} do not broadcast") from error
        return self.node(Op.MATMUL, (x, y), (*stack, *a[-2:-1], *(b[-1:] if len(b) > 1 else ())))

    def conv(
        self, x: int, w: int, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], group: int
    ) -> int:
        """x (N, C, *S), w (M, C/group, *K); zero padding, pads = (begin..., end...)."""
        shape = self.conv_shape(x, w, strides, pads, dilations, group)
        arg = {"strides": strides, "pads": pads, "dilations": dilations}
        exact = {name: tuple(int(v) for v in values) for name, values in arg.items()}
        return self.node(Op.CONV, (x, w), shape, {**exact, "group": int(group)})

    def conv_shape(
        self, x: int, w: int, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], group: int
    ) -> tuple[int, ...]:
        """The shape of such a convolution. ModelError where its parts do not fit each other."""
        a, k = self.shape(x), self.shape(w)
        rank = len(a) - 2
        arg = {"strides": strides, "pads": pads, "dilations": dilations}
        if rank < 1 or len(k) != len(a) or [len(v) for v in arg.values()] != [rank, 2 * rank, rank]:
            raise self.error(f"input {a}, weights {k} and {arg} are not of one number of spatial dimensions")
        if group < 1 or a[1] != k[1] * group or k[0] % group:
            raise self.error(f"input {a} has not the channels of weights {k} in {group} groups")
        reach = [(size - 1) * d + 1 for size, d in zip(k[2:], dilations, strict=True)]
        room = [a[2 + i] + pads[i] + pads[rank + i] - reach[i] for i in range(rank)]
        if min(room) < 0 or min(pads) < 0 or min(*strides, *dilations) < 1:
            raise self.error(f"weights {k} do not fit input {a} with {arg}")
        out = [r // s + 1 for r, s in zip(room, strides, strict=True)]
        return (a[0], k[0], *out)

    # -- reductions -------------------------------------------------------------------------------------------------

    def sum(self, x: int, axes: Iterable[int]) -> int:
        """Sum over axes, kept with size 1."""
        over = tuple(sorted({self.axis(x, a) for a in axes}))
        kept = [1 if i in over else d for i, d in enumerate(self.shape(x))]
        return self.node(Op.SUM, (x,), kept, {"axes": over}) if over else x

    def mean(self, x: int, axes: Iterable[int]) -> int:
        total = self.sum(x, axes)
        if not self.size(x) and self.size(total):
            raise self.error(f"the mean of no elements: shape {self.shape(x)}", hint=NOTHING)
        return self.scale(total, self.size(total) / max(self.size(x), 1))

    def extreme(self, op: Op, x: int, axes: Iterable[int]) -> int:
        """REDUCE_MAX or REDUCE_MIN over axes, kept with size 1."""
        return self._over(op, x, axes)

    def _over(self, op: Op, x: int, axes: Iterable[int]) -> int:
        """One reduction over all the axes, brought together first; kept with size 1."""
        over = sorted({self.axis(x, a) for a in axes})
        if not over:
            return x
        kept = [1 if i in over else d for i, d in enumerate(self.shape(x))]
        rest = [i for i in range(self.rank(x)) if i not in over]
        count = math.prod(self.shape(x)[i] for i in over)
        flat = self.reshape(self.transpose(x, [*rest, *over]), (*(self.shape(x)[i] for i in rest), count))
        return self.reshape(self._reduce(op, flat, len(rest)), kept)

    def _reduce(self, op: Op, x: int, axis: int) -> int:
        shape = list(self.shape(x))
        others = [d for i, d in enumerate(shape) if i != axis]
        if not self.size(x) and all(others):
            raise self.error(f"a maximum or minimum of no elements: shape {self.shape(x)}", hint=NOTHING)
        shape[axis] = 1
        return self.node(op, (x,), shape, {"axis": axis})

    def argmax(self, x: int, axis: int) -> int:
        """First index of the maximum, axis kept with size 1."""
        return self._reduce(Op.ARGMAX, x, self.axis(x, axis))

    def top(self, op: Op, x: int, axis: int, k: int) -> int:
        """TOP or TOP_INDEX: the k largest along an axis, falling, or where they are."""
        at, shape = self.axis(x, axis), list(self.shape(x))
        if not 1 <= k <= shape[at]:
            raise self.error(f"expected 1 to {shape[at]} of the elements along axis {axis}, got {k}")
        shape[at] = k
        return self.node(op, (x,), shape, {"axis": at, "k": k})

    def trees(self, x: int, values: int, arg: Mapping[str, Any]) -> int:
        """TREES with its arguments (``ir.trees``): sums of the leaves' ``values`` that the rows of ``x`` reach."""
        shape = (*self.shape(x)[:-1], self.shape(values)[1])
        try:
            shape_of(Op.TREES, arg, shape, (self.shape(x), self.shape(values)))
        except ValueError as error:
            raise self.error(str(error)) from error
        return self.node(Op.TREES, (x, values), shape, arg)

    # -- functions --------------------------------------------------------------------------------------------------

    def relu(self, x: int) -> int:
        return self.node(Op.RELU, (x,), self.shape(x))

    def clip(self, x: int, lo: float | None, hi: float | None) -> int:
        return self.node(Op.CLIP, (x,), self.shape(x), {"lo": lo, "hi": hi})

    def leaky_relu(self, x: int, slope: int) -> int:
        """x if x >= 0 else slope * x; slope is a constant that broadcasts to x."""
        if np.broadcast_shapes(self.shape(x), self.shape(slope)) != self.shape(x):
            raise self.error(f"slope of shape {self.shape(slope)} does not broadcast to {self.shape(x)}")
        return self.node(Op.LEAKY_RELU, (x, slope), self.shape(x))

    def unary(self, x: int, *fn: str | float) -> int:
        """fn = (name, *params), as in zkchain.ir.functions."""
        exact: Fn = (fn[0], *(float(p) for p in fn[1:]))
        return self.node(Op.UNARY, (x,), self.shape(x), {"fn": exact})

    def softmax(self, x: int, axis: int) -> int:
        return self.node(Op.SOFTMAX, (x,), self.shape(x), {"axis": self.axis(x, axis)})

    def log_sum_exp(self, x: int, axes: Iterable[int]) -> int:
        """log sum e^x over axes, kept with size 1; over none it is x."""
        return self._over(Op.LOG_SUM_EXP, x, axes)

    # -- quantised models ----------------------------------------------------------------------------------------

    def quantize(self, x: int, arg: Mapping[str, Any]) -> int:
        """QUANTIZE with its arguments (scale, zero, lo, hi), per tensor or shaped to broadcast to x."""
        return self.node(Op.QUANTIZE, (x,), self.shape(x), arg)

    def dequantize(self, x: int, arg: Mapping[str, Any]) -> int:
        return self.node(Op.DEQUANTIZE, (x,), self.shape(x), arg)

    # -- result -----------------------------------------------------------------------------------------------------

    def graph(self, inputs: Mapping[str, int], outputs: Sequence[tuple[str, int]]) -> Graph:
        names, nodes = zip(*outputs, strict=True) if outputs else ((), ())
        whole = tuple(i in self._whole_inputs for i in inputs.values())
        ends = tuple(inputs.values()), tuple(nodes), tuple(inputs), tuple(names)
        return Graph(tuple(self.nodes), *ends, dict(self.operators), whole)


def refuse_numbers(name: str, value: FloatArray, bad: npt.NDArray[np.bool_]) -> None:
    """ModelError naming the first of the ``bad`` elements of a constant, if there are any."""
    found = np.argwhere(bad)
    if found.size:
        at = tuple(int(k) for k in found[0])
        raise ModelError(
            f"node {name!r}: expected finite numbers in a constant of shape {value.shape}, got {value[at]} at "
            f"element {at}" + (f" ({len(found)} such elements)" if len(found) > 1 else ""),
            hint="NaN and infinity have no fixed-point form; training that diverged leaves them. A mask may "
            "hold -inf where a softmax or a maximum reads it, if something in every row is not masked",
        )


def whole_values(graph: Graph, inputs: Collection[int]) -> set[int]:
    """The nodes whose values are whole numbers where those of these ``inputs`` are."""
    found: set[int] = set()
    for i, node in enumerate(graph.nodes):
        if i in inputs or (node.op is not Op.INPUT and _is_whole(node, [s in found for s in node.src])):
            found.add(i)
    return found


def _is_whole(node: Node, sources: Sequence[bool]) -> bool:
    if node.op is Op.CONST:
        return node.value is not None and bool(np.all(node.value == np.rint(node.value)))
    if node.op is Op.UNARY:
        name, *params = node.arg["fn"]
        return name in WHOLE_FUNCTIONS or (name == "lookup" and all(float(p).is_integer() for p in params))
    if node.op is Op.TREES:
        return sources[1]
    return node.op in (Op.ARGMAX, Op.TOP_INDEX, Op.QUANTIZE) or (node.op in KEEPS_WHOLE and all(sources))
