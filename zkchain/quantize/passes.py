"""The passes over the float graph, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zkchain.ir.graph import Graph, Node, Op, check
from zkchain.quantize.edit import Editor, consumers, copy, rewrite
from zkchain.quantize.fold import fold_affine, fold_scale_back, scale_inside_square
from zkchain.quantize.simplify import inner_constant, make, simplify

Pass = Callable[[Graph], Graph]

# functions that strictly rise: the place of the maximum is the same before and after
STRICTLY_RISING = frozenset({"sigmoid", "tanh", "exp", "log", "atan", "asinh", "erf", "softplus", "softsign", "sinh"})


def relu_before_pool(graph: Graph) -> Graph:
    """RELU(max over windows) becomes max over windows of RELU: the ReLU meets the rescale, where it is cheapest."""
    readers = consumers(graph)
    once = [len(users) == 1 and i not in graph.outputs for i, users in enumerate(readers)]

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        pushed = _push_relu(editor, node, src[0], depth=3) if node.op is Op.RELU and once[node.src[0]] else None
        return copy(editor, node, src) if pushed is None else pushed

    return rewrite(graph, rule)


def _push_relu(editor: Editor, relu: Node, x: int, depth: int) -> int | None:
    """RELU of the value x, moved above a maximum (and the movement in front of it); None when there is none."""
    node = editor[x]
    if node.op is Op.REDUCE_MAX:
        windows = editor[node.src[0]]
        inner = windows.src[0] if windows.op is Op.TAKE else node.src[0]
        positive = make(editor, Node(Op.RELU, relu.name, (inner,), editor[inner].shape))
        moved = make(editor, replace(windows, src=(positive,))) if windows.op is Op.TAKE else positive
        return editor.append(replace(node, src=(moved,)))
    if node.op in (Op.RESHAPE, Op.TAKE) and depth:
        moved_in = _push_relu(editor, relu, node.src[0], depth - 1)
        return None if moved_in is None else make(editor, replace(node, src=(moved_in,)))
    return None


def drop_final_monotone(graph: Graph) -> Graph:
    """ARGMAX(f(x)) = ARGMAX(x) for a strictly rising f: sigmoid, softmax over the same axis, positive factors; and so
    TOP_INDEX."""

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        if node.op in (Op.ARGMAX, Op.TOP_INDEX):
            while (inner := _under_monotone(editor, src[0], node.arg["axis"])) is not None:
                src = (inner,)
        return copy(editor, node, src)

    return rewrite(graph, rule)


def _under_monotone(editor: Editor, x: int, axis: int) -> int | None:
    node = editor[x]
    if (node.op is Op.SOFTMAX and node.arg == {"axis": axis}) or (
        node.op is Op.UNARY and node.arg["fn"][0] in STRICTLY_RISING
    ):
        return node.src[0]
    for op in (Op.MUL, Op.ADD):
        inner = inner_constant(editor, x, op)
        if inner is None or editor[inner[0]].shape != node.shape:
            continue
        along = inner[1].shape[::-1][len(node.shape) - 1 - axis :][:1]
        if along in ((), (1,)) and (op is Op.ADD or (inner[1] > 0).all()):
            return inner[0]
    return None


def expand_softmax(graph: Graph) -> Graph:
    """softmax(x) = e / sum e, e = exp(x - max x) <= 1, so 1 <= sum e <= n; the clips say so to the static ranges.
    log sum exp(x) = max x + log sum e."""

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        if node.op not in (Op.SOFTMAX, Op.LOG_SUM_EXP):
            return copy(editor, node, src)
        name, axis = node.name, node.arg["axis"]
        part = _Part(editor, name, editor[src[0]].shape, axis, node.arg.get("live"))
        top = editor.add(Op.REDUCE_MAX, name, (part.filled(src[0]),), part.reduced, axis=axis)
        below = editor.add(Op.SUB, name, (part.of(src[0]), part.of_row(top)))
        powers = editor.add(Op.UNARY, name, (editor.add(Op.CLIP, name, (below,), lo=None, hi=0.0),), fn=("exp",))
        total = editor.add(Op.SUM, name, (part.whole(powers),), part.reduced, axes=(axis,))
        total = editor.add(Op.CLIP, name, (total,), lo=1.0, hi=float(part.most))
        if node.op is Op.LOG_SUM_EXP:
            return editor.add(Op.ADD, name, (editor.add(Op.UNARY, name, (total,), fn=("log",)), top))
        inverse = editor.add(Op.UNARY, name, (total,), fn=("reciprocal",))
        return part.whole(editor.add(Op.MUL, name, (powers, part.of_row(inverse))))

    return rewrite(graph, rule)


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """The ``live`` elements of a value of this shape, as a list; all of them (None), and then nothing moves."""

    editor: Editor
    name: str
    shape: tuple[int, ...]
    axis: int
    live: npt.NDArray[np.bool_] | None

    @property
    def reduced(self) -> tuple[int, ...]:
        return tuple(1 if k == self.axis else n for k, n in enumerate(self.shape))

    @property
    def most(self) -> int:
        """Live elements of a row, at most."""
        return self.shape[self.axis] if self.live is None else int(self.live.sum(axis=self.axis).max())

    def _take(self, x: int, index: npt.NDArray[np.int64]) -> int:
        return self.editor.add(Op.TAKE, self.name, (x,), index.shape, index=index)

    def filled(self, x: int) -> int:
        """Others replaced by a live element of their row: the maximum stays."""
        if self.live is None:
            return x
        at = np.arange(self.live.size, dtype=np.int64).reshape(self.shape)
        first = np.take_along_axis(at, self.live.argmax(axis=self.axis, keepdims=True), self.axis)
        return self._take(x, np.where(self.live, at, first))

    def of(self, x: int) -> int:
        """The list of the live elements."""
        return x if self.live is None else self._take(x, np.flatnonzero(self.live))

    def of_row(self, x: int) -> int:
        """For each live element its row's number."""
        if self.live is None:
            return x
        rows = np.arange(int(np.prod(self.reduced, dtype=np.int64)), dtype=np.int64).reshape(self.reduced)
        return self._take(x, np.broadcast_to(rows, self.shape)[self.live])

    def whole(self, x: int) -> int:
        """The list spread out again, 0 elsewhere."""
        if self.live is None:
            return x
        count = int(self.live.sum())
        zero = self.editor.const(self.name, np.zeros(1))
        both = self.editor.add(Op.CONCAT, self.name, (x, zero), (count + 1,), axis=0)
        return self._take(both, np.where(self.live, np.cumsum(self.live).reshape(self.shape) - 1, count))


PASSES: tuple[Pass, ...] = (
    simplify,
    drop_final_monotone,
    expand_softmax,
    scale_inside_square,
    fold_affine,
    simplify,
    fold_scale_back,
    relu_before_pool,
    simplify,
)


def prepare(graph: Graph) -> Graph:
    """The float graph as the quantiser wants it; checked after every pass."""
    for step in PASSES:
        graph = step(graph)
        check(graph, integer=False)
    return graph
