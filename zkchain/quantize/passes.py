"""The passes over the float graph, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from zkchain.graph import Graph, Node, Op, check
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
    if (node.op is Op.SOFTMAX and node.arg["axis"] == axis) or (
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
    """softmax(x) = e / sum e, e = exp(x - max x) <= 1, so 1 <= sum e <= n; the clips say so to the static ranges."""

    def rule(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
        if node.op is not Op.SOFTMAX:
            return copy(editor, node, src)
        name, axis = node.name, node.arg["axis"]
        reduced = tuple(1 if k == axis else n for k, n in enumerate(node.shape))
        top = editor.add(Op.REDUCE_MAX, name, src, reduced, axis=axis)
        below = editor.add(Op.CLIP, name, (editor.add(Op.SUB, name, (src[0], top)),), lo=None, hi=0.0)
        powers = editor.add(Op.UNARY, name, (below,), fn=("exp",))
        total = editor.add(Op.SUM, name, (powers,), reduced, axes=(axis,))
        total = editor.add(Op.CLIP, name, (total,), lo=1.0, hi=float(node.shape[axis]))
        return editor.add(Op.MUL, name, (powers, editor.add(Op.UNARY, name, (total,), fn=("reciprocal",))))

    return rewrite(graph, rule)


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
