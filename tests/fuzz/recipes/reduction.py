"""Reductions, extremes and their places, softmax, normalisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe


def _reduced(name: str, low: float | None = None, moved: int = 18) -> Callable[[Growing, Value], Value]:
    """``low``: a clip before it, most often; ``moved``: the opset from which axes are an input."""

    def make(g: Growing, x: Value) -> Value:
        if low is not None:
            x = g.within(x, low, None)
        keep, every = g.draw.integer(0, 1), g.draw.chance(0.2)
        axes = list(range(x.rank)) if every else g.draw.some(range(x.rank))
        shape = [1 if k in axes else d for k, d in enumerate(x.shape) if keep or k not in axes]
        written = [a - x.rank if g.draw.chance(0.3) else a for a in axes]
        inputs = [x.name]
        given: dict[str, Any] = {"keepdims": keep}
        if not every and g.opset >= moved:
            inputs.append(g.const(written, np.int64))
        elif not every:
            given["axes"] = written
        return g.emit(name, inputs, tuple(shape), x.kind, **given)

    return make


def _arg(name: str) -> Callable[[Growing, Value], Value]:
    def make(g: Growing, x: Value) -> Value:
        axis, keep = g.draw.integer(0, x.rank - 1), g.draw.integer(0, 1)
        shape = [1 if k == axis else d for k, d in enumerate(x.shape) if keep or k != axis]
        last = {"select_last_index": 1} if g.opset >= 12 and g.draw.chance(0.3) else {}
        return g.emit(name, [x.name], tuple(shape), "i", axis=axis, keepdims=keep, **last)

    return make


def _top_k(g: Growing, x: Value) -> list[Value]:
    axis = g.draw.integer(0, x.rank - 1)
    k = g.draw.integer(1, x.shape[axis])
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    given = {"axis": axis, "largest": g.draw.integer(0, 1)}
    return g.emit_many("TopK", [x.name, g.const([k], np.int64)], [(shape, x.kind), (shape, "i")], **given)


def _soft(name: str) -> Callable[[Growing, Value], Value]:
    return lambda g, x: g.like(x, name, axis=g.draw.integer(-x.rank, x.rank - 1))


def _channels(g: Growing, n: int, *draws: str) -> list[str]:
    """Constants of one number per channel: w ordinary weights, p positive."""
    return [g.const(g.draw.positive((n,)) if kind == "p" else g.draw.weights((n,))) for kind in draws]


def _epsilon(g: Growing) -> dict[str, Any]:
    return {"epsilon": g.draw.pick((1e-5, 1e-3, 1e-12, 0.1))} if g.draw.chance(0.5) else {}


def _batch(g: Growing, x: Value) -> Value:
    return g.like(x, "BatchNormalization", *_channels(g, x.shape[1], "w", "w", "w", "p"), **_epsilon(g))


def _instance(g: Growing, x: Value) -> Value:
    return g.like(x, "InstanceNormalization", *_channels(g, x.shape[1], "w", "w"), **_epsilon(g))


def _group(g: Growing, x: Value) -> Value:
    groups = g.draw.pick([d for d in range(1, x.shape[1] + 1) if x.shape[1] % d == 0])
    more = _channels(g, x.shape[1], "w", "w")
    return g.like(x, "GroupNormalization", *more, num_groups=groups, **_epsilon(g))


def _layer(g: Growing, x: Value) -> Value:
    axis = g.draw.integer(0, x.rank - 1)
    more = [g.const(g.draw.weights(x.shape[axis:])) for _ in range(g.draw.integer(1, 2))]
    return g.like(x, "LayerNormalization", *more, axis=axis - x.rank, **_epsilon(g))


def _rms(g: Growing, x: Value) -> Value:
    axis = g.draw.integer(0, x.rank - 1)
    return g.like(x, "RMSNormalization", g.const(g.draw.weights(x.shape[axis:])), axis=axis - x.rank, **_epsilon(g))


def _lp(g: Growing, x: Value) -> Value:
    return g.like(x, "LpNormalization", axis=g.draw.integer(0, x.rank - 1), p=g.draw.integer(1, 2))


def _mean_variance(g: Growing, x: Value) -> Value:
    axes = g.draw.some(range(x.rank))
    if all(x.shape[a] == 1 for a in axes):
        raise Unfit
    return g.like(x, "MeanVarianceNormalization", axes=axes)


def _cumulative(g: Growing, x: Value) -> Value:
    axis = g.const(np.array(g.draw.integer(-x.rank, x.rank - 1)), np.int64)
    return g.like(x, "CumSum", axis, exclusive=int(g.draw.chance(0.3)), reverse=int(g.draw.chance(0.3)))


RECIPES: Mapping[str, Recipe] = {
    "ArgMax": Recipe(_arg("ArgMax"), ranks=(1, 4), since=11),
    "ArgMin": Recipe(_arg("ArgMin"), ranks=(1, 4), since=11),
    "BatchNormalization": Recipe(_batch, ranks=(2, 4)),
    "GroupNormalization": Recipe(_group, ranks=(3, 4), since=21),
    "InstanceNormalization": Recipe(_instance, ranks=(3, 4)),
    "LayerNormalization": Recipe(_layer, ranks=(1, 4), since=17),
    "LogSoftmax": Recipe(_soft("LogSoftmax"), ranks=(1, 4), since=11),
    "LpNormalization": Recipe(_lp, ranks=(1, 4)),
    "MeanVarianceNormalization": Recipe(_mean_variance, ranks=(4, 4), since=13),
    "RMSNormalization": Recipe(_rms, ranks=(1, 4), since=23),
    "ReduceL1": Recipe(_reduced("ReduceL1"), ranks=(1, 4), since=11),
    "ReduceL2": Recipe(_reduced("ReduceL2"), ranks=(1, 4), since=11),
    "ReduceLogSum": Recipe(_reduced("ReduceLogSum", 0.01), ranks=(1, 4), since=11),
    "ReduceLogSumExp": Recipe(_reduced("ReduceLogSumExp"), ranks=(1, 4), since=11),
    "ReduceMax": Recipe(_reduced("ReduceMax"), "fi", ranks=(1, 4), since=12),
    "ReduceMean": Recipe(_reduced("ReduceMean"), ranks=(1, 4), since=11),
    "ReduceMin": Recipe(_reduced("ReduceMin"), "fi", ranks=(1, 4), since=12),
    "ReduceProd": Recipe(_reduced("ReduceProd"), "fi", ranks=(1, 4), since=11),
    "ReduceSum": Recipe(_reduced("ReduceSum", moved=13), "fi", ranks=(1, 4), since=11),
    "ReduceSumSquare": Recipe(_reduced("ReduceSumSquare"), ranks=(1, 4), since=11),
    "Softmax": Recipe(_soft("Softmax"), ranks=(1, 4), since=11),
    "TopK": Recipe(_top_k, "fi", ranks=(1, 4), since=11),
}
LATER: Mapping[str, Recipe] = {"CumSum": Recipe(_cumulative, "fi", ranks=(1, 4), since=11)}
