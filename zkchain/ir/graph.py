"""The typed graph: one node type, used with float semantics (after import) and with integer semantics (after quantise).

A graph is a tuple of nodes in topological order; a node names its sources by their index. Every value has one static
shape. ``ARGS`` is the table of what each operator means and which arguments it carries; ``check`` enforces it and runs
after every pass.

Integer semantics: node values are int64 arrays; the real number meant by an integer q is ``q * scale``. ``lo`` and
``hi`` are sound static bounds (int64 arrays broadcastable to ``shape``, usually per channel): for every in-domain input,
``lo <= value <= hi`` elementwise, and ``-2**62 < lo``, ``hi < 2**62``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError
from zkchain.ir.categories import Categories
from zkchain.ir.facts import magnitude
from zkchain.ir.legality import BOUND as BOUND
from zkchain.ir.legality import clip_ends, integers, shape_of
from zkchain.typing import IntArray
from zkchain.wording import Brief, line, listed

SCALES = (2.0**-512, 2.0**512)
"""Least and largest step: a number within 2^62 times it is a float, and not 0."""


class Op(StrEnum):
    """Operators of both semantics; see ARGS for their arguments."""

    # sources
    INPUT = "input"
    CONST = "const"
    # movement: no arithmetic, no constraints
    RESHAPE = "reshape"
    TAKE = "take"
    ROWS = "rows"
    CONCAT = "concat"
    # affine in each source
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    MATMUL = "matmul"
    CONV = "conv"
    SUM = "sum"
    # order
    RELU = "relu"
    CLIP = "clip"
    MAX = "max"
    MIN = "min"
    REDUCE_MAX = "reduce_max"
    REDUCE_MIN = "reduce_min"
    ARGMAX = "argmax"
    TOP = "top"
    TOP_INDEX = "top_index"
    TREES = "trees"
    # functions of one number
    UNARY = "unary"
    LEAKY_RELU = "leaky_relu"
    # compound float operators that quantise takes apart
    SOFTMAX = "softmax"
    LOG_SUM_EXP = "log_sum_exp"
    # for models that are quantised already: between integers and the real numbers they mean
    QUANTIZE = "quantize"
    DEQUANTIZE = "dequantize"
    # integer graphs only
    RESCALE = "rescale"
    TABLE = "table"


FLOAT_ONLY = frozenset({Op.DIV, Op.UNARY, Op.LEAKY_RELU, Op.SOFTMAX, Op.LOG_SUM_EXP, Op.QUANTIZE, Op.DEQUANTIZE})
INT_ONLY = frozenset({Op.RESCALE, Op.TABLE})
MOVES = frozenset({Op.RESHAPE, Op.TAKE, Op.CONCAT})
MOVES_OF_ONE = MOVES - {Op.CONCAT}  # of one source, so that what is done before may be done after

# op: (number of sources or None for any, argument names, meaning)
ARGS: Mapping[Op, tuple[int | None, frozenset[str], str]] = MappingProxyType(
    {
        Op.INPUT: (
            0,
            frozenset(),
            "declared by the user; integer graphs: domain is lo..hi. Optional: low, high, the ends as declared, "
            "real numbers (one, or one for each element) of which lo and hi are the nearest whole steps; missing: 1 for "
            "each element whose lo says that it is missing, and the next step is the least number",
        ),
        Op.CONST: (0, frozenset(), "`value`: float64 array (float graph) or int64 array (integer graph)"),
        Op.RESHAPE: (1, frozenset(), "same elements in row-major order, shape of the node"),
        Op.TAKE: (
            1,
            frozenset({"index"}),
            "out = src.ravel()[index]; index: int64 array of the node's shape. Transpose, "
            "slice, gather, expand, tile, pooling windows (padding repeats an element of the window) are all TAKE",
        ),
        Op.ROWS: (
            2,
            frozenset(),
            "src (x, table): table[x], the rows of a CONST table (n, ...) at indices 0 <= x < n of scale 1",
        ),
        Op.CONCAT: (None, frozenset({"axis"}), "axis >= 0"),
        Op.ADD: (2, frozenset(), "numpy broadcasting"),
        Op.SUB: (2, frozenset(), "numpy broadcasting"),
        Op.MUL: (2, frozenset(), "numpy broadcasting; one source may be CONST"),
        Op.DIV: (2, frozenset(), "numpy broadcasting"),
        Op.MATMUL: (2, frozenset(), "numpy.matmul semantics"),
        Op.CONV: (
            2,
            frozenset({"strides", "pads", "dilations", "group"}),
            "src (x, w): x (N, C, *S), w (M, C/group, *K), "
            "zero padding; pads = (begin..., end...); no bias (an ADD follows)",
        ),
        Op.SUM: (1, frozenset({"axes"}), "sum over axes (sorted tuple, >= 0), kept with size 1"),
        Op.RELU: (1, frozenset(), "max(x, 0)"),
        Op.CLIP: (1, frozenset({"lo", "hi"}), "min(max(x, lo), hi); numbers, either may be None"),
        Op.MAX: (2, frozenset(), "elementwise, numpy broadcasting"),
        Op.MIN: (2, frozenset(), "elementwise, numpy broadcasting"),
        Op.REDUCE_MAX: (1, frozenset({"axis"}), "maximum over one axis (>= 0), kept with size 1"),
        Op.REDUCE_MIN: (1, frozenset({"axis"}), "minimum over one axis (>= 0), kept with size 1"),
        Op.ARGMAX: (1, frozenset({"axis"}), "first index of the maximum over one axis, kept with size 1; scale 1"),
        Op.TOP: (1, frozenset({"axis", "k"}), "the k largest along one axis (>= 0), falling; of equal ones the first"),
        Op.TOP_INDEX: (1, frozenset({"axis", "k"}), "the indices of TOP; scale 1"),
        Op.TREES: (
            2,
            frozenset({"feature", "first", "ends", "left", "right", "roots"}),
            "src (x, values): every row (the last axis) of x walks down every tree and adds up the rows of values, a "
            "CONST (leaves, outputs), of the leaves that it reaches; arguments: see zkchain.ir.trees; ends: float64 "
            "(float graph) or int64",
        ),
        Op.UNARY: (
            1,
            frozenset({"fn"}),
            "fn: name in zkchain.ir.functions.FUNCTIONS plus its parameters: (name, *params)",
        ),
        Op.LEAKY_RELU: (
            2,
            frozenset(),
            "src (x, slope): x if x >= 0 else slope * x; slope CONST, broadcast (PRelu too)",
        ),
        Op.SOFTMAX: (
            1,
            frozenset({"axis"}),
            "exp(x - max) / sum exp over one axis (>= 0). Optional: live, bool array of the node's shape: the elements "
            "that take part; the others are 0",
        ),
        Op.LOG_SUM_EXP: (
            1,
            frozenset({"axis"}),
            "max + log sum exp(x - max) over one axis (>= 0), kept with size 1. Optional: live, as in SOFTMAX",
        ),
        Op.QUANTIZE: (
            1,
            frozenset({"scale", "zero", "lo", "hi"}),
            "clip(rint(x / scale) + zero, lo, hi), halves to even; "
            "scale: float64, zero: int64 arrays that broadcast to the node's shape; lo, hi: ends of the type",
        ),
        Op.DEQUANTIZE: (1, frozenset({"scale", "zero", "lo", "hi"}), "(x - zero) * scale, lo <= x <= hi"),
        Op.RESCALE: (1, frozenset({"shift"}), "floor((x + 2^(shift-1)) / 2^shift), shift >= 1"),
        Op.TABLE: (
            1,
            frozenset({"first", "values"}),
            "values[x - first]; values: int64 array; the range of x lies in the table",
        ),
    }
)


OPTIONAL: Mapping[Op, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        Op.INPUT: (frozenset({"low", "high"}), frozenset({"low", "high", "missing"})),
        Op.SOFTMAX: (frozenset({"live"}),),
        Op.LOG_SUM_EXP: (frozenset({"live"}),),
    }
)
"""Arguments of which one set may come, whole."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Node(Brief):
    """One value. ``name`` is the model node it comes from, for messages."""

    op: Op
    name: str
    src: tuple[int, ...]
    shape: tuple[int, ...]
    arg: Mapping[str, Any] = field(default_factory=dict)
    value: npt.NDArray[Any] | None = None  # CONST
    scale: float = 1.0  # integer graphs: real value = q * scale
    lo: IntArray | None = None  # integer graphs
    hi: IntArray | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Graph:
    """Nodes in topological order; ``inputs`` and ``outputs`` are node indices with their model names beside them.
    ``operators``: the model's own, by node name, for messages. ``whole``: for each input, whether its
    type is an integer's (empty: unknown). ``categories``: by name, of inputs and outputs that are strings."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    operators: Mapping[str, str] = field(default_factory=dict)
    whole: tuple[bool, ...] = ()
    categories: Mapping[str, Categories] = field(default_factory=dict)

    def __repr__(self) -> str:
        ends = f"{listed(self.input_names)} -> {listed(self.output_names)}"
        return line(self, f"of {len(self.nodes)} nodes, {ends}")


def constant(node: Node) -> npt.NDArray[Any]:
    """The value of a CONST node; CompileError for any other."""
    if node.value is None:
        raise CompileError(f"node {node.name!r} ({node.op}): expected a constant")
    return node.value


def multiplications(graph: Graph, node: Node) -> int:
    """What computing a value takes beyond looking at it and at its sources: the products of a MATMUL or CONV, and the
    comparisons of the largest elements with all others."""
    shapes = [graph.nodes[s].shape for s in node.src]
    if node.op is Op.MATMUL:
        return node.size * shapes[0][-1]
    if node.op is Op.CONV:
        return node.size * math.prod(shapes[1][1:])
    return math.prod(shapes[0]) * int(node.arg["k"]) if node.op in (Op.TOP, Op.TOP_INDEX) else 0


def check(graph: Graph, *, integer: bool) -> None:
    """Raise CompileError unless the graph is legal for its semantics; runs after every pass, and on what is read."""
    for i, node in enumerate(graph.nodes):
        try:
            _check_node(graph.nodes, i, node, integer=integer)
        except ValueError as error:
            raise CompileError(f"node {node.name!r} ({node.op}): {error}") from error
        if integer:
            _check_range(node)
    _check_ends(graph)


def _check_node(nodes: tuple[Node, ...], i: int, node: Node, *, integer: bool) -> None:
    """ValueError: what is wrong with it."""
    arity, names, _ = ARGS[node.op]
    if arity is not None and len(node.src) != arity:
        raise ValueError(f"expected {arity} sources, got {len(node.src)}")
    if any(not 0 <= s < i for s in node.src):
        raise ValueError(f"sources {node.src} are not all before node {i}")
    if frozenset(node.arg) not in (names, *(names | more for more in OPTIONAL.get(node.op, ()))):
        raise ValueError(f"expected arguments {sorted(names)}, got {sorted(node.arg)}")
    if node.op in (FLOAT_ONLY if integer else INT_ONLY):
        raise ValueError(f"{node.op} does not belong in this graph (integer={integer})")
    expected = shape_of(node.op, node.arg, node.shape, [nodes[s].shape for s in node.src])
    if expected != node.shape:
        raise ValueError(f"its shape is {node.shape}, and {expected} follows from its sources")
    if node.op is Op.CONST and (node.value is None or node.value.shape != node.shape):
        raise ValueError(f"a constant needs a value of shape {node.shape}")
    if integer and node.op in INTEGER_RULES:
        INTEGER_RULES[node.op](node, [nodes[s] for s in node.src])


def _check_ends(graph: Graph) -> None:
    """Inputs and outputs are nodes, and all inputs are listed."""
    for i in (*graph.inputs, *graph.outputs):
        if not 0 <= i < len(graph.nodes):
            raise CompileError(f"graph input or output {i} is not a node")
    if sorted(graph.inputs) != [i for i, node in enumerate(graph.nodes) if node.op is Op.INPUT]:
        raise CompileError(f"inputs {graph.inputs} are not the graph's nodes of that kind, each listed once")
    if len(graph.outputs) != len(graph.output_names) or len(graph.inputs) != len(set(graph.input_names)):
        raise CompileError(f"expected a name for each input and output, got {graph.input_names}, {graph.output_names}")


def check_arguments(node: Node, sources: Sequence[Node]) -> None:
    """Raise CompileError unless the arguments of a node of an integer graph are legal: before anything computes with
    them."""
    try:
        shape_of(node.op, node.arg, node.shape, [source.shape for source in sources])
        if node.op is Op.CLIP:
            clip_ends(node.arg)
        if node.op is Op.TREES:
            _check_trees(node, sources)
    except ValueError as error:
        raise CompileError(f"node {node.name!r} ({node.op}): {error}") from error


def _check_range(node: Node) -> None:
    if node.lo is None or node.hi is None:
        raise CompileError(f"node {node.name!r} ({node.op}): no static range")
    try:
        for name, bound in (("lo", node.lo), ("hi", node.hi)):
            if integers(bound, name).shape not in (node.shape, ()):
                np.broadcast_to(bound, node.shape)
    except ValueError as error:
        raise CompileError(f"node {node.name!r} ({node.op}): static range: {error}") from error
    if not SCALES[0] <= node.scale <= SCALES[1]:
        raise CompileError(f"node {node.name!r} ({node.op}): scale {node.scale:g} is no step of real numbers")
    if node.lo is node.hi and magnitude(node.lo) < BOUND:  # a constant, perhaps a large one
        return
    if node.size and ((node.lo > node.hi).any() or node.lo.min() <= -BOUND or node.hi.max() >= BOUND):
        raise CompileError(
            f"node {node.name!r} ({node.op}): static range [{node.lo.min()}, {node.hi.max()}] is empty or reaches 2^62",
            hint="use fewer bits for weights or activations, a smaller input domain, or let the quantiser clamp",
        )


def _check_const(node: Node, sources: Sequence[Node]) -> None:
    value = integers(node.value, "value")
    if value is node.lo is node.hi:
        return
    if node.lo is not None and node.hi is not None and ((value < node.lo).any() or (value > node.hi).any()):
        raise ValueError("its value lies outside its static range")


def _check_table(node: Node, sources: Sequence[Node]) -> None:
    lo, hi, first = sources[0].lo, sources[0].hi, int(node.arg["first"])
    last = first + len(node.arg["values"]) - 1
    if lo is not None and hi is not None and sources[0].size and not first <= int(lo.min()) <= int(hi.max()) <= last:
        raise ValueError(f"a table of {first}..{last} for numbers from {lo.min()} to {hi.max()}")


def _check_rows(node: Node, sources: Sequence[Node]) -> None:
    x, table = sources
    if table.op is not Op.CONST:
        raise ValueError("its table is not a constant")
    if (
        x.lo is not None
        and x.hi is not None
        and x.size
        and not 0 <= int(x.lo.min()) <= int(x.hi.max()) < table.shape[0]
    ):
        raise ValueError(f"indices from {x.lo.min()} to {x.hi.max()} into a table of {table.shape[0]} rows")


def _check_trees(node: Node, sources: Sequence[Node]) -> None:
    integers(node.arg["ends"], "ends")
    if sources[1].op is not Op.CONST:
        raise ValueError("the values of its leaves are not constant")


INTEGER_RULES: Mapping[Op, Callable[[Node, Sequence[Node]], None]] = MappingProxyType(
    {
        Op.CONST: _check_const,
        Op.CLIP: lambda node, sources: clip_ends(node.arg),
        Op.TABLE: _check_table,
        Op.ROWS: _check_rows,
        Op.TREES: _check_trees,
    }
)
"""Check what integer graphs need beyond the shapes. Raises ValueError."""
