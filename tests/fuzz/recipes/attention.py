"""Attention, rotations, and what onnxruntime's optimisers fuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe

MS = "com.microsoft."
Make = Callable[[Growing, Value], object]


def _beside(g: Growing, shape: tuple[int, ...]) -> str:
    """A constant of this shape, or a variable that can be brought into it."""
    fitting = [v for v in g.values if v.kind == "f" and v.size == int(np.prod(shape))]
    return (
        g.shaped(g.draw.pick(fitting), shape).name if fitting and g.draw.chance(0.4) else g.const(g.draw.weights(shape))
    )


def _scores(g: Growing) -> dict[str, Any]:
    return {"scale": g.draw.uniform(0.1, 1.0)} if g.draw.chance(0.3) else {}


def _attention(g: Growing, x: Value) -> Value:
    heads, tokens, size = g.split(x.size, 3)
    keys, wide = g.draw.integer(1, 4), g.draw.integer(1, 3)
    few = g.draw.pick([n for n in range(1, heads + 1) if heads % n == 0])
    q = g.shaped(x, (1, heads, tokens, size))
    inputs = [q.name, _beside(g, (1, few, keys, size)), _beside(g, (1, few, keys, wide))]
    if g.draw.chance(0.5):
        mask = g.draw.whole((tokens, keys), 0, 1).astype(bool)
        mask[:, 0] = True
        inputs.append(g.const(mask if g.draw.chance(0.5) else np.where(mask, 0, -1e9).astype(np.float32)))
    given = {**_scores(g), "is_causal": g.draw.integer(0, 1)}
    return g.emit("Attention", inputs, (1, heads, tokens, wide), **given)


def _angles(g: Growing, shape: tuple[int, ...]) -> list[str]:
    angles = g.draw.array(shape, -3, 3)
    return [g.const(turn(angles), np.float32) for turn in (np.cos, np.sin)]


def _rotary(g: Growing, x: Value) -> Value:
    if x.size % 2:
        raise Unfit
    heads, tokens, half = g.split(x.size // 2, 3)
    x = g.shaped(x, (1, heads, tokens, 2 * half))
    return g.like(x, "RotaryEmbedding", *_angles(g, (1, tokens, half)), interleaved=g.draw.integer(0, 1))


def _rotary_by_table(g: Growing, x: Value) -> Value:
    if x.size % 2:
        raise Unfit
    heads, tokens, half = g.split(x.size // 2, 3)
    x = g.shaped(x, (1, tokens, heads * 2 * half))
    at = g.const(
        [[g.draw.integer(0, 5) for _ in range(tokens)]] if g.draw.chance(0.5) else [g.draw.integer(0, 2)], np.int64
    )
    table = _angles(g, (tokens + 6, half))
    return g.like(x, f"{MS}RotaryEmbedding", at, *table, interleaved=g.draw.integer(0, 1))


def _heads(g: Growing, x: Value) -> tuple[Value, int, int]:
    """x as (1, tokens, heads * size)."""
    tokens, heads, size = g.split(x.size, 3)
    return g.shaped(x, (1, tokens, heads * size)), heads, size


def _multi_head(g: Growing, x: Value) -> Value:
    q, heads, size = _heads(g, x)
    inputs = [q.name, *(_beside(g, q.shape) for _ in range(2))]
    if g.draw.chance(0.4):
        inputs.append(g.const(g.draw.weights((3 * heads * size,))))
    return g.emit(
        f"{MS}MultiHeadAttention", inputs, q.shape, num_heads=heads, unidirectional=g.draw.integer(0, 1), **_scores(g)
    )


def _merged(g: Growing, x: Value) -> Value:
    _, tokens, width = x.shape[-3:] if x.rank == 3 else (1, *g.split(x.size, 2))
    x = g.shaped(x, (x.size // (tokens * width), tokens, width))
    heads, size = g.draw.integer(1, 2), g.draw.integer(1, 3)
    inputs = [x.name, g.const(g.draw.weights((width, 3 * heads * size))), g.const(g.draw.weights((3 * heads * size,)))]
    shape = (x.shape[0], tokens, heads * size)
    return g.emit(f"{MS}Attention", inputs, shape, num_heads=heads, unidirectional=g.draw.integer(0, 1))


def _grouped(g: Growing, x: Value) -> Value:
    if x.size % 8:
        raise Unfit
    tokens, heads = g.split(x.size // 8, 2)
    few = g.draw.pick([n for n in range(1, heads + 1) if heads % n == 0])
    q = g.shaped(x, (1, tokens, heads * 8))
    inputs = [q.name, *(_beside(g, (1, tokens, few * 8)) for _ in range(2)), "", ""]
    inputs += [g.const([tokens - 1], np.int32), g.const(tokens, np.int32)]
    return g.emit(f"{MS}GroupQueryAttention", inputs, q.shape, num_heads=heads, kv_num_heads=few)


def _norm(op: str, *more: int) -> Make:
    """A normalisation of a sum with a skip: scale and ``more`` vectors."""

    def make(g: Growing, x: Value) -> Value:
        parts = [_beside(g, x.shape), *(g.const(g.draw.weights(x.shape[-1:])) for _ in (1, *more))]
        return g.like(x, f"{MS}{op}", *parts, epsilon=g.draw.pick((1e-5, 1e-2)))

    return make


def _simplified(g: Growing, x: Value) -> Value:
    return g.like(x, "SimplifiedLayerNormalization", g.const(g.draw.weights(x.shape[-1:])), axis=-1, epsilon=1e-3)


def _biased(op: str) -> Make:
    return lambda g, x: g.like(x, f"{MS}{op}", g.const(g.draw.weights(x.shape[-1:])))


def _fused_gemm(g: Growing, x: Value) -> Value:
    m = g.draw.integer(1, 4)
    inputs = [x.name, g.const(g.draw.weights((x.shape[1], m))), g.const(g.draw.weights((m,)))]
    name = g.draw.pick(("Relu", "LeakyRelu", "Sigmoid", "Tanh"))
    return g.emit(f"{MS}FusedGemm", inputs, (x.shape[0], m), activation=name, activation_alpha=0.1)


def _fused_conv(g: Growing, x: Value) -> Value:
    n, channels, *sizes = x.shape
    m = g.draw.integer(1, 3)
    inputs = [x.name, g.const(g.draw.weights((m, channels, 1, 1))), g.const(g.draw.weights((m,)))]
    return g.emit(f"{MS}FusedConv", inputs, (n, m, *sizes), activation=g.draw.pick(("Relu", "Sigmoid", "Tanh")))


def _fused_matmul(g: Growing, x: Value) -> Value:
    m, swapped = g.draw.integer(1, 4), g.draw.integer(0, 1)
    n = x.shape[-1]
    weights = g.const(g.draw.weights((m, n) if swapped else (n, m)))
    return g.emit(
        f"{MS}FusedMatMul", [x.name, weights], (*x.shape[:-1], m), transB=swapped, alpha=g.draw.uniform(-2, 2)
    )


def _embed(g: Growing, x: Value) -> Value:
    """Words at the places of largest elements."""
    rows = g.shaped(x, (1, *g.split(x.size, 2)))
    tokens, count = rows.shape[1:]
    index = g.emit("ArgMax", [rows.name], (1, tokens), "i", axis=2, keepdims=0)
    words = g.like(index, "Cast", kind="i", to=6)
    width = g.draw.integer(1, 3)
    tables = [g.const(g.draw.weights((n, width))) for n in (count, tokens)]
    inputs = [words.name, "", *tables, "", *(g.const(g.draw.weights((width,))) for _ in range(2))]
    g.values.remove(words)
    shapes = [((1, tokens, width), "f"), ((1,), "i")]
    y, mask = g.emit_many(f"{MS}EmbedLayerNormalization", inputs, shapes, epsilon=1e-3)
    g.values.remove(mask)  # int32
    return y


LATER: Mapping[str, Recipe] = {
    "Attention": Recipe(_attention, since=23),
    "RotaryEmbedding": Recipe(_rotary, since=23),
    "SimplifiedLayerNormalization": Recipe(_simplified, ranks=(1, 4)),
    f"{MS}Attention": Recipe(_merged, ranks=(1, 3)),
    f"{MS}BiasGelu": Recipe(_biased("BiasGelu"), ranks=(1, 4)),
    f"{MS}EmbedLayerNormalization": Recipe(_embed, since=13),
    f"{MS}FastGelu": Recipe(_biased("FastGelu"), ranks=(1, 4)),
    f"{MS}FusedConv": Recipe(_fused_conv, ranks=(4, 4)),
    f"{MS}FusedGemm": Recipe(_fused_gemm, ranks=(2, 2)),
    f"{MS}FusedMatMul": Recipe(_fused_matmul, ranks=(2, 4)),
    f"{MS}Gelu": Recipe(lambda g, x: g.like(x, f"{MS}Gelu")),
    f"{MS}GroupQueryAttention": Recipe(_grouped),
    f"{MS}MultiHeadAttention": Recipe(_multi_head),
    f"{MS}QuickGelu": Recipe(lambda g, x: g.like(x, f"{MS}QuickGelu", alpha=g.draw.uniform(0.5, 2)), ranks=(1, 4)),
    f"{MS}RotaryEmbedding": Recipe(_rotary_by_table),
    f"{MS}SkipLayerNormalization": Recipe(_norm("SkipLayerNormalization", 1), ranks=(3, 3)),
    f"{MS}SkipSimplifiedLayerNormalization": Recipe(_norm("SkipSimplifiedLayerNormalization"), ranks=(3, 3)),
}
