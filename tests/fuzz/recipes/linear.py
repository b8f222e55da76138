"""Matrix products and convolutions, their second operand variable now and then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe


def _weights(g: Growing, shape: tuple[int, ...], kind: str = "f") -> str:
    """A constant, or a variable that is brought into this shape where one has enough elements."""
    size = int(np.prod(shape))
    fitting = [v for v in g.values if v.kind == kind and v.size == size]
    if fitting and g.draw.chance(0.4):
        return g.shaped(g.draw.pick(fitting), shape).name
    return g.const(g.constants_for(kind, shape))


def _matmul(g: Growing, x: Value) -> Value:
    n, form = x.shape[-1], g.draw.pick(("matrix", "matrix", "vector", "stack", "gram"))
    if form == "gram" and x.rank >= 2:
        turned = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
        y = g.emit("Transpose", [x.name], (*x.shape[:-2], n, x.shape[-2]), x.kind, perm=turned)
        return g.emit("MatMul", [x.name, y.name], (*x.shape[:-1], x.shape[-2]), x.kind)
    m = g.draw.integer(1, 5)
    if form == "vector":
        return g.emit("MatMul", [x.name, _weights(g, (n,), x.kind)], x.shape[:-1], x.kind)
    shape = (*x.shape[:-2], n, m) if form == "stack" and x.rank > 2 else (n, m)
    if x.rank >= 2 and g.draw.chance(0.2):  # the constant on the left
        return g.emit("MatMul", [_weights(g, (m, x.shape[-2]), x.kind), x.name], (*x.shape[:-2], m, n), x.kind)
    return g.emit("MatMul", [x.name, _weights(g, shape, x.kind)], (*x.shape[:-1], m), x.kind)


def _gemm(g: Growing, x: Value) -> Value:
    a, b, m = int(g.draw.chance(0.3)), int(g.draw.chance(0.4)), g.draw.integer(1, 5)
    rows, n = x.shape[::-1] if a else x.shape
    inputs = [x.name, _weights(g, (m, n) if b else (n, m))]
    if g.draw.chance(0.7):
        inputs.append(g.const(g.draw.weights(g.draw.pick(((m,), (rows, m), (1, m), ())))))
    given: dict[str, Any] = {"transA": a, "transB": b, "alpha": g.draw.uniform(-2, 2), "beta": g.draw.uniform(-2, 2)}
    return g.emit("Gemm", inputs, (rows, m), **{k: v for k, v in given.items() if k[0] == "t" or g.draw.chance(0.5)})


def _einsum(g: Growing, x: Value) -> Value:
    """Equations on one or two operands of the letters a, b, c ..., and a product with a matrix behind an ellipsis."""
    letters = "abcde"[: x.rank]
    kept = "".join(letter for letter in letters if g.draw.chance(0.6))
    if g.draw.chance(0.3):
        turned = "".join(g.draw.shuffled(kept))
        shape = tuple(x.shape[letters.index(letter)] for letter in turned)
        return g.emit("Einsum", [x.name], shape, equation=f"{letters}->{turned}")
    if g.draw.chance(0.3):
        m = g.draw.integer(1, 4)
        w = _weights(g, (x.shape[-1], m))
        return g.emit("Einsum", [x.name, w], (*x.shape[:-1], m), equation="...i,ij->...j")
    other = "".join(letter for letter in letters if g.draw.chance(0.6)) + "z"
    sizes = {**dict(zip(letters, x.shape, strict=True)), "z": g.draw.integer(1, 3)}
    w = _weights(g, tuple(sizes[letter] for letter in other))
    result = "".join(g.draw.shuffled(kept + "z"))
    shape = tuple(sizes[letter] for letter in result)
    return g.emit("Einsum", [x.name, w], shape, equation=f"{letters},{other}->{result}")


def _window(g: Growing, size: int) -> tuple[int, int, int, int, int]:
    """kernel, stride, dilation, pads of one axis that fit ``size`` elements."""
    draw = g.draw
    kernel, dilation = draw.integer(1, min(3, size)), draw.pick((1, 1, 1, 2))
    reach = (kernel - 1) * dilation + 1
    if reach > size:
        dilation, reach = 1, kernel
    begin, end = (draw.integer(0, kernel - 1) if draw.chance(0.3) else 0 for _ in range(2))
    return kernel, draw.integer(1, 2), dilation, begin, end


def _conv(g: Growing, x: Value) -> Value:
    n, channels, *sizes = x.shape
    windows = [_window(g, size) for size in sizes]
    group = g.draw.pick([d for d in range(1, channels + 1) if channels % d == 0])
    out = group * g.draw.integer(1, 2)
    kernel = [w[0] for w in windows]
    shape = [(s + b + e - (k - 1) * d - 1) // t + 1 for s, (k, t, d, b, e) in zip(sizes, windows, strict=True)]
    inputs = [x.name, _weights(g, (out, channels // group, *kernel))]
    if g.draw.chance(0.6):
        inputs.append(g.const(g.draw.weights((out,))))
    return g.emit(
        "Conv",
        inputs,
        (n, out, *shape),
        strides=[w[1] for w in windows],
        dilations=[w[2] for w in windows],
        pads=[w[3] for w in windows] + [w[4] for w in windows],
        group=group,
    )


def _conv_transpose(g: Growing, x: Value) -> Value:
    n, channels, *sizes = x.shape
    group = g.draw.pick([d for d in range(1, channels + 1) if channels % d == 0])
    out, kernel = g.draw.integer(1, 2), [g.draw.integer(1, 3) for _ in sizes]
    strides, dilations = [g.draw.integer(1, 2) for _ in sizes], [g.draw.pick((1, 1, 2)) for _ in sizes]
    most = [max(s, d) - 1 for s, d in zip(strides, dilations, strict=True)]
    extra = [g.draw.integer(0, m) if g.draw.chance(0.3) else 0 for m in most]
    full = [
        s * (m - 1) + e + (k - 1) * d + 1
        for s, m, e, k, d in zip(strides, sizes, extra, kernel, dilations, strict=True)
    ]
    pads = [g.draw.integer(0, 1) if g.draw.chance(0.3) and f > 2 else 0 for f in full]
    if any(f - 2 * p < 1 for f, p in zip(full, pads, strict=True)):
        raise Unfit
    inputs = [x.name, _weights(g, (channels, out, *kernel))]
    if g.draw.chance(0.5):
        inputs.append(g.const(g.draw.weights((out * group,))))
    shape = (n, out * group, *(f - 2 * p for f, p in zip(full, pads, strict=True)))
    given: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": [*pads, *pads], "group": group}
    return g.emit("ConvTranspose", inputs, shape, output_padding=extra, **given)


RECIPES: Mapping[str, Recipe] = {
    "Conv": Recipe(_conv, ranks=(3, 4), since=11),
    "ConvTranspose": Recipe(_conv_transpose, ranks=(3, 4), since=11),
    "Gemm": Recipe(_gemm, ranks=(2, 2), since=11),
    "MatMul": Recipe(_matmul, "ffi", ranks=(1, 4)),
}
LATER: Mapping[str, Recipe] = {"Einsum": Recipe(_einsum, ranks=(1, 4), since=12)}
