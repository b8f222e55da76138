"""What onnxruntime's graph optimisers put in place of several operators (``com.microsoft``, and their
SimplifiedLayerNormalization of the default domain): normalisations of sums, embeddings, products with an activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops import attention, linear, recurrent, reduction
from zkchain.frontend.ops.recurrent import Activation
from zkchain.ir.builder import Builder
from zkchain.ir.functions import SELU_ALPHA, SELU_GAMMA

QUICK = 1.702  # QuickGelu's default
EPSILON = 1e-12  # that of what is fused with a normalisation
NAMES = ("Elu", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")

ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "": Activation(lambda build, x: x),
        **{name: recurrent.ACTIVATIONS[name.lower()] for name in NAMES},
        "Clip": Activation(Builder.clip, (-3.4028235e38, 3.4028235e38)),
        "Selu": Activation(lambda build, x, a, g: build.unary(x, "selu", a, g), (SELU_ALPHA, SELU_GAMMA)),
        "ThresholdedRelu": replace(recurrent.ACTIVATIONS["thresholdedrelu"], defaults=(1.0,)),
    }
)


def activated(call: Call, x: int, given: Sequence[float | None]) -> int:
    """The activation that the attribute names, of x. ``given``: its parameters, in order, where the node has them."""
    name = call.attribute("activation", "")
    if name not in ACTIVATIONS:
        known = ", ".join(k for k in ACTIVATIONS if k)
        raise call.fail(f"activation {name!r}", hint=f"known: {known}; export the model without that fusion")
    found = ACTIVATIONS[name]
    filled = [*given, *([None] * len(found.defaults))]
    params = [d if g is None else float(g) for d, g in zip(found.defaults, filled, strict=False)]
    return found.apply(call.build, x, *params)


def fused_gemm(call: Call) -> int:
    named = [call.attribute(f"activation_{name}") for name in ("alpha", "beta", "gamma")]
    return activated(call, linear.gemm(call), named)


def fused_conv(call: Call) -> int:
    """activation(conv(x, w) + bias + z), z (input 3) a value of the result's shape."""
    y = linear.conv(call)
    return activated(
        call, call.build.add(y, call.x(3)) if call.has(3) else y, call.attribute("activation_params") or []
    )


def fused_matmul(call: Call) -> int:
    """alpha A B. transX swaps the last two axes; transBatchX first moves axis 0 to the end, before the last one."""
    build = call.build
    sides = []
    for i, side in enumerate("AB"):
        x, rank = call.x(i), len(call.shape(i))
        order = list(range(rank))
        if call.integer(f"transBatch{side}", 0) and rank > 2:
            order = [*order[1:-1], 0, order[-1]]
        if call.integer(f"trans{side}", 0) and rank > 1:
            order = [*order[:-2], order[-1], order[-2]]
        sides.append(build.transpose(x, order))
    return build.scale(build.matmul(*sides), call.number("alpha", 1.0))


# -- functions of a sum ----------------------------------------------------------------------------------------------


def _biased(name: str) -> Rule:
    # name(x + bias), the bias (input 1) not always there
    def rule(call: Call) -> int:
        return call.build.unary(call.build.add(call.x(), call.x(1)) if call.has(1) else call.x(), name)

    return rule


def bias_split_gelu(call: Call) -> int:
    # (a, b) = halves of x + bias: a gelu(b)
    build = call.build
    half = call.shape()[-1] // 2
    a, b = attention.columns(build, build.add(call.x(), call.x(1)), [half, half])
    return build.mul(a, build.unary(b, "gelu"))


def quick_gelu(call: Call) -> int:
    # x / (1 + e^(-alpha x))
    return call.build.unary(call.x(), "swish", call.number("alpha", QUICK))


def swiglu(call: Call) -> int:
    # swish(a) b
    return call.build.mul(call.build.unary(call.x(), "swish", call.number("alpha", 1.0)), call.x(1))


# -- normalisations ----------------------------------------------------------------------------------------------------


def _summed(call: Call, bias: int) -> int:
    """input + skip + bias; skip may lack the batch, or have one of one."""
    build = call.build
    total = build.add(call.x(0), call.x(1))
    if build.shape(total) != call.shape():
        raise build.error(f"skip of shape {call.shape(1)} does not fit an input of shape {call.shape()}")
    return build.add(total, call.x(bias)) if call.has(bias) else total


def skip_layer_normalization(call: Call) -> list[int]:
    # inputs: input, skip, gamma, beta, bias; outputs: y, mean, inverse deviation, input + skip + bias
    total = _summed(call, 4)
    y, mean, inverse = reduction.layer_norm(call, total, 2, 3, EPSILON)
    return [y, mean, inverse, total]


def skip_rms_normalization(call: Call) -> list[int]:
    # inputs: input, skip, gamma, bias; outputs: y, (none), inverse deviation, input + skip + bias
    total = _summed(call, 3)
    y, inverse = reduction.rms_norm(call, total, 2, EPSILON)
    call.refuse_output(1, "the mean", hint="a normalisation by the root of the mean square has none")
    return [y, total, inverse, total]


def rms_normalization(call: Call) -> list[int]:
    return list(reduction.rms_norm(call, call.x(), 1))


def embed_layer_normalization(call: Call) -> list[int]:
    """Rows of tables by word, position and segment, added and normalised. Inputs: words, segments, tables of words,
    positions and segments, gamma, beta, mask, positions. Outputs: y, the mask's sum for every batch, the sum."""
    build, (batch, tokens) = call.build, call.shape()
    places = call.inputs[8] if call.has(8) else np.arange(tokens)[None]
    found = [attention.at_positions(call, 2, call.inputs[0]), attention.at_positions(call, 3, places)]
    if call.has(1) and call.has(4):
        found.append(attention.at_positions(call, 4, call.inputs[1]))
    total = found[0]
    for more in found[1:]:
        total = build.add(total, more)
    y, _, _ = reduction.layer_norm(call, total, 5, 6, EPSILON)
    live = build.sum(build.unary(call.x(7), "equal", 1.0), [1]) if call.has(7) else build.const(np.zeros(batch))
    return [y, build.reshape(live, (batch,)), total]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "SimplifiedLayerNormalization": rms_normalization,
        "SwiGLU": swiglu,
        "com.microsoft.BiasGelu": _biased("gelu"),
        "com.microsoft.BiasSplitGelu": bias_split_gelu,
        "com.microsoft.EmbedLayerNormalization": embed_layer_normalization,
        "com.microsoft.FastGelu": _biased("gelu_tanh"),
        "com.microsoft.FusedConv": fused_conv,
        "com.microsoft.FusedGemm": fused_gemm,
        "com.microsoft.FusedMatMul": fused_matmul,
        "com.microsoft.Gelu": _biased("gelu"),
        "com.microsoft.QuickGelu": quick_gelu,
        "com.microsoft.SkipLayerNormalization": skip_layer_normalization,
        "com.microsoft.SkipSimplifiedLayerNormalization": skip_rms_normalization,
        "com.microsoft.TransposeMatMul": fused_matmul,
    }
)
