"""How far the integer program is from the float model node by node, and at which node the error arises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkchain.ir import interpret, stacked
from zkchain.ir.graph import Op
from zkchain.measured import LayerError
from zkchain.quantize.lower.rules import Lowered
from zkchain.quantize.precision import search
from zkchain.quantize.precision.noise import Trace
from zkchain.quantize.precision.problem import Problem
from zkchain.typing import FloatArray

MOST = 16  # samples that are looked at: every value of each is held at once
LARGEST = 1e100  # values beyond are no measurement: a bundle's record holds no such errors
SOURCES = (Op.INPUT, Op.CONST)


def layer_errors(
    problem: Problem, lowered: Lowered, samples: Sequence[Sequence[FloatArray]], traces: Sequence[Trace]
) -> tuple[LayerError, ...]:
    """The error of every node of the prepared float graph, of nodes of one name the last: e = |q 2^-frac - y| over some
    of the samples (in units of the grids), where y is a number. ``own``: e relative to the span of y, less the largest
    such part of what the node reads, which is what arises at the nodes of this name."""
    graph, chosen = problem.graph, np.unique(np.linspace(0, len(samples) - 1, min(len(samples), MOST)).astype(int))
    shown = [i for i in lowered.values if graph.nodes[i].op not in SOURCES and graph.nodes[i].size]
    if not len(chosen) or not shown:
        return ()
    stack = [np.stack(column) for column in zip(*(samples[k] for k in chosen), strict=True)]
    at, integers = [lowered.values[i].index for i in shown], search.integers(problem, lowered, stack)
    got = stacked.outputs(lowered.before, integers, interpret.INTEGER, at)
    parts, read = dict[int, float](), dict[int, float]()  # read: of what all nodes of this name read from others
    found: dict[str, LayerError] = {}
    for i, q in zip(shown, got, strict=True):
        node, y = graph.nodes[i], np.stack([np.broadcast_to(traces[k][i], graph.nodes[i].shape) for k in chosen])
        real = np.ldexp(q.astype(np.float64), -lowered.values[i].frac)
        numbers = np.abs(y) < LARGEST  # no NaN either
        if q[0].size != node.size or not numbers.any():
            continue
        off = np.abs(np.broadcast_to(real.reshape(len(real), *node.shape), y.shape) - y)[numbers]
        span = float(y[numbers].max() - y[numbers].min()) or float(np.abs(y[numbers]).max())
        parts[i] = float(off.max()) / span if span else 0.0
        inside = {s for s in node.src if graph.nodes[s].name == node.name}
        read[i] = max((read.get(s, 0.0) if s in inside else parts.get(s, 0.0) for s in node.src), default=0.0)
        own = max(parts[i] - read[i], 0.0)
        found[node.name] = LayerError(
            node.name, str(node.op), node.size, float(off.max()), float(off.mean()), parts[i] if span else None, own
        )
    return tuple(found.values())
