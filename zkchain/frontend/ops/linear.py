"""Matrix products and convolutions."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.window import Geometry, geometry, grid, listed, padded
from zkchain.ir.builder import Builder
from zkchain.typing import IntArray

LARGEST_DETERMINANT = 3


def matmul(call: Call) -> int:
    return call.build.matmul(call.x(0), call.x(1))


def _matrix(call: Call, i: int, transposed: int) -> int:
    if len(call.shape(i)) != 2:
        raise call.build.error(f"expected a matrix as input {i} of {call.op}, got shape {call.shape(i)}")
    if not transposed:
        return call.x(i)
    if call.is_constant(i):
        return call.build.const(call.constant(i, "matrix").T)
    return call.build.transpose(call.x(i), (1, 0))


def gemm(call: Call) -> int:
    # alpha A B + beta C
    build = call.build
    product = build.matmul(_matrix(call, 0, call.integer("transA", 0)), _matrix(call, 1, call.integer("transB", 0)))
    product = build.scale(product, call.number("alpha", 1.0))
    beta = call.number("beta", 1.0)
    return build.add(product, build.scale(call.x(2), beta)) if call.has(2) and beta != 0.0 else product


def _biased(call: Call, y: int) -> int:
    """Add input 2, one number per channel."""
    if not call.has(2):
        return y
    channels = (1, call.build.shape(y)[1], *(1 for _ in call.build.shape(y)[2:]))
    if call.is_constant(2):
        bias = call.constant(2, "bias")
        if bias.size != channels[1]:
            raise call.build.error(f"expected a bias of {channels[1]} numbers, got shape {bias.shape}")
        return call.build.add(y, call.build.const(bias.reshape(channels)))
    return call.build.add(y, call.build.reshape(call.x(2), channels))


def convolution(call: Call, x: int, w: int) -> int:
    """The convolution that the call's attributes describe, of these two values."""
    shape, kernel = call.build.shape(x), call.build.shape(w)
    if len(kernel) != len(shape) or len(shape) < 3:
        raise call.build.error(f"input {shape} and weights {kernel} are not (N, C, ...) and (M, C, ...)")
    window = geometry(call, shape[2:], kernel[2:])
    return _convolved(call.build, x, w, window, call.integer("group", 1))


def _convolved(build: Builder, x: int, w: int, window: Geometry, group: int) -> int:
    """CONV with weights that are known. Others: windows of x as the rows of a matrix, times the weights as another."""
    arg = (window.strides, window.pads, window.dilations, group)
    if build.known(w) is not None:
        return build.conv(x, w, *arg)
    n, m, *out = build.conv_shape(x, w, *arg)
    channels, *sizes = build.shape(x)[1:]
    axes = [padded(window, i, size) for i, size in enumerate(sizes)]
    index = grid((n, channels, *sizes), axes).reshape(n, group, channels // group, math.prod(out), -1)
    # (N, group, positions, taps) (group, taps, M/group) -> (N, group, positions, M/group)
    rows = build.take_or(x, np.moveaxis(index, 2, 3).reshape(n, group, math.prod(out), -1), 0.0)
    columns = build.move(w, lambda at: at.reshape(group, m // group, -1).swapaxes(1, 2))
    product = build.matmul(rows, columns)
    return build.reshape(build.transpose(product, (0, 1, 3, 2)), (n, m, *out))


def conv(call: Call) -> int:
    return _biased(call, convolution(call, call.x(0), call.x(1)))


def conv_transpose(call: Call) -> int:
    """A convolution with stride 1 over the input spread out by the strides, zeros between; the kernel mirrored."""
    shape, kernel = call.shape(0), call.shape(1)
    if len(kernel) != len(shape) or len(shape) < 3 or shape[1] != kernel[0]:
        raise call.build.error(f"input {shape} and weights {kernel} are not (N, C, ...) and (C, M, ...)")
    window = _transposed_geometry(call, shape[2:], kernel[2:])
    group = call.integer("group", 1)
    build = call.build
    spread = build.take_or(call.x(0), _spread(build.positions(call.x(0)), window), 0.0)
    weights = build.move(call.x(1), lambda at: _mirrored(at, group))
    rank = len(window.strides)
    sizes = build.shape(spread)[2:]
    reach = [(k - 1) * d for k, d in zip(kernel[2:], window.dilations, strict=True)]
    out = tuple(n - r for n, r in zip(sizes, reach, strict=True))
    dense = Geometry(window.kernel, (1,) * rank, (0,) * 2 * rank, window.dilations, out)
    return _biased(call, _convolved(build, spread, weights, dense, group))


def _mirrored(w: IntArray, group: int) -> IntArray:
    # (C, M/group, *K) -> (M, C/group, *K), every spatial axis reversed
    c, m, *kernel = w.shape
    grouped = w.reshape(group, c // group, m, *kernel).swapaxes(1, 2).reshape(group * m, c // group, *kernel)
    return np.flip(grouped, axis=tuple(range(2, w.ndim)))


def _spread(at: IntArray, window: Geometry) -> IntArray:
    """Positions of the input with stride - 1 gaps (-1) between, and pads (cuts where negative) around."""
    rank = len(window.strides)
    spread = np.full((*at.shape[:2], *((n - 1) * s + 1 for n, s in zip(at.shape[2:], window.strides, strict=True))), -1)
    spread[(slice(None), slice(None), *(slice(None, None, s) for s in window.strides))] = at
    edges = list(zip(window.pads[:rank], window.pads[rank:], strict=True))
    padded = np.pad(spread, [(0, 0), (0, 0), *((max(0, b), max(0, e)) for b, e in edges)], constant_values=-1)
    cut = [slice(max(0, -b), size - max(0, -e)) for (b, e), size in zip(edges, padded.shape[2:], strict=True)]
    return padded[(slice(None), slice(None), *cut)]


def _transposed_geometry(call: Call, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """``pads`` of the result surround the spread-out input.

    out = stride (n - 1) + output_padding + (k - 1) dilation + 1 - pad_begin - pad_end
    """
    rank = len(sizes)
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    extra = call.integers("output_padding") or [0] * rank
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    full = [s * (n - 1) + e + r + 1 for s, n, e, r in zip(strides, sizes, extra, reach, strict=True)]
    pads = _transposed_pads(call, full, [n * s for n, s in zip(sizes, strides, strict=True)])
    begin = [r - p for r, p in zip(reach, pads[:rank], strict=True)]
    end = [r - p + e for r, p, e in zip(reach, pads[rank:], extra, strict=True)]
    return Geometry(tuple(kernel), tuple(strides), (*begin, *end), tuple(dilations), ())


def _transposed_pads(call: Call, full: list[int], same: list[int]) -> list[int]:
    rank, mode = len(full), call.attribute("auto_pad", "NOTSET")
    wanted = call.integers("output_shape")
    if wanted is None and mode in ("NOTSET", "VALID"):
        return (call.integers("pads") if mode == "NOTSET" else None) or [0] * 2 * rank
    # total = full - out, split in halves; the odd one at the end (SAME_UPPER) or at the beginning
    total = [f - o for f, o in zip(full, (wanted or same)[-rank:], strict=True)]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def col2im(call: Call) -> int:
    """Columns (N, C * block, windows) put back where their windows lie in an image, and added where they meet."""
    build, x = call.build, call.x()
    image, block = (call.integers(name, i) or [] for i, name in enumerate(("image_shape", "block_shape"), 1))
    window = geometry(call, image, block)
    n, columns, count = build.shape(x)
    taps = math.prod(block)
    if columns % taps or count != math.prod(window.out):
        raise build.error(f"columns {build.shape(x)} are not (N, C * {taps}, {math.prod(window.out)})")
    # positions (windows, taps) of one plane, as the columns have them: taps first
    where = grid((1, 1, *image), [padded(window, i, size) for i, size in enumerate(image)])
    rows = listed(where.reshape(count, taps).T.ravel(), math.prod(image))
    planes = np.arange(n * columns // taps)[:, None, None] * (taps * count)
    spread = build.take_or(x, np.where(rows < 0, -1, planes + rows), 0.0)
    return build.reshape(build.sum(spread, [2]), (n, columns // taps, *image))


def determinant(call: Call) -> int:
    """Leibniz's sum of products, of matrices of at most three rows."""
    build, x, size = call.build, call.x(), call.shape()[-1]
    if len(call.shape()) < 2 or call.shape()[-2] != size or not 1 <= size <= LARGEST_DETERMINANT:
        hint = f"at most {LARGEST_DETERMINANT} rows: write larger ones out of smaller ones"
        raise call.fail(f"it is of shape {call.shape()}", hint=hint)
    at = build.positions(x)
    terms = []
    for order in itertools.permutations(range(size)):
        sign = np.linalg.det(np.eye(size)[list(order)])
        factors = [build.take(x, at[..., i, j]) for i, j in enumerate(order)]
        terms.append(build.scale(functools.reduce(build.mul, factors), float(np.rint(sign))))
    return functools.reduce(build.add, terms)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Col2Im": col2im,
        "Conv": conv,
        "ConvTranspose": conv_transpose,
        "Det": determinant,
        "Gemm": gemm,
        "MatMul": matmul,
    }
)
