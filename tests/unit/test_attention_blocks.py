"""Blocks of a transformer all the way: compiled, proved, verified, and close to onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

import zkchain
from tests.helpers.onnx_models import Array, model, node, random, runtime

TOKENS, HEADS, WIDTH, INNER = 3, 2, 8, 6
MS = "com.microsoft."


def weights(*shape: int, seed: int) -> Array:
    return np.asarray(random(shape, seed, -1, 1) / np.sqrt(shape[0]), np.float32)


def optimised() -> onnx.ModelProto:
    """A causal block as onnxruntime's transformer optimiser leaves it."""
    constants = {
        **{f"w{n}": weights(WIDTH, WIDTH, seed=k) for k, n in enumerate("qkvo")},
        "b": weights(3 * WIDTH, seed=5),
        **{f"g{k}": random((WIDTH,), 6 + k, 0.5, 1.5) for k in range(2)},
        **{f"h{k}": random((WIDTH,), 8 + k, -1, 1) for k in range(2)},
        "up": weights(WIDTH, INNER, seed=10),
        "ub": weights(INNER, seed=11),
        "down": weights(INNER, WIDTH, seed=12),
    }
    nodes = [
        *(node("MatMul", ["x", f"w{n}"], [n]) for n in "qkv"),
        node(f"{MS}MultiHeadAttention", ["q", "k", "v", "b"], ["a"], num_heads=HEADS, unidirectional=1),
        node("MatMul", ["a", "wo"], ["o"]),
        node(f"{MS}SkipLayerNormalization", ["o", "x", "g0", "h0"], ["n", "", "", "r"], epsilon=1e-2),
        node("MatMul", ["n", "up"], ["u"]),
        node(f"{MS}BiasGelu", ["u", "ub"], ["g"]),
        node("MatMul", ["g", "down"], ["d"]),
        node(f"{MS}SkipLayerNormalization", ["d", "r", "g1", "h1"], ["y"], epsilon=1e-2),
    ]
    return model(nodes, {"x": [1, TOKENS, WIDTH]}, constants=constants)


def exported() -> onnx.ModelProto:
    """Grouped queries, turned by their positions, and a causal mask, in ONNX's own operators."""
    at = np.arange(TOKENS)[:, None] * 10.0 ** -np.arange(2)
    constants = {
        "wq": weights(WIDTH, WIDTH, seed=0),
        **{f"w{n}": weights(WIDTH, WIDTH // 2, seed=k) for k, n in enumerate("kv", 1)},
        "wo": weights(WIDTH, WIDTH, seed=3),
        "g": random((WIDTH,), 4, 0.5, 1.5),
        "cos": np.cos(at)[None].astype(np.float32),
        "sin": np.sin(at)[None].astype(np.float32),
    }
    nodes = [
        node("RMSNormalization", ["x", "g"], ["n"], epsilon=1e-3),
        *(node("MatMul", ["n", f"w{n}"], [n]) for n in "qkv"),
        node("RotaryEmbedding", ["q", "cos", "sin"], ["qr"], num_heads=HEADS),
        node("RotaryEmbedding", ["k", "cos", "sin"], ["kr"], num_heads=1),
        node("Attention", ["qr", "kr", "v"], ["a"], q_num_heads=HEADS, kv_num_heads=1, is_causal=1),
        node("MatMul", ["a", "wo"], ["o"]),
        node("Add", ["o", "x"]),
    ]
    return model(nodes, {"x": [1, TOKENS, WIDTH]}, constants=constants, opset=23)


@pytest.mark.parametrize("build", [optimised, exported])
def test_a_block_is_proved(build: Callable[[], onnx.ModelProto]) -> None:
    proto = build()
    samples = random((16, TOKENS, WIDTH), 20, -2, 2)
    keys = zkchain.compile(proto, data={"x": samples}).setup()
    x = samples[:1]
    proof = keys.prove(x=x)
    keys.verifier.verify(proof)
    (expected,) = runtime(proto, {"x": x})
    np.testing.assert_allclose(proof.outputs["y"], expected, atol=0.01)
