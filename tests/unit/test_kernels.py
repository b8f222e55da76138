"""Exact integer linear algebra against Python integers, on both sides of 2^53."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkchain.ir import checked, kernels


def conv_by_definition(
    x: np.ndarray,
    w: np.ndarray,
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
    group: int,
) -> np.ndarray:
    """Two-dimensional convolution, one Python integer at a time."""
    (n, c, h, v), (m, cg, kh, kw) = x.shape, w.shape
    padded = np.zeros((n, c, h + pads[0] + pads[2], v + pads[1] + pads[3]), dtype=object)
    padded[:, :, pads[0] : pads[0] + h, pads[1] : pads[1] + v] = x
    out_h = (padded.shape[2] - (kh - 1) * dilations[0] - 1) // strides[0] + 1
    out_w = (padded.shape[3] - (kw - 1) * dilations[1] - 1) // strides[1] + 1
    y = np.zeros((n, m, out_h, out_w), dtype=object)
    for b, o, i, j in np.ndindex(n, m, out_h, out_w):
        first = o // (m // group) * cg
        for k, p, q in np.ndindex(cg, kh, kw):
            tap = padded[b, first + k, i * strides[0] + p * dilations[0], j * strides[1] + q * dilations[1]]
            y[b, o, i, j] += int(tap) * int(w[o, k, p, q])
    return y


@pytest.mark.parametrize("bits", [8, 20, 27, 29])  # products below and above 2^53
@pytest.mark.parametrize("group", [1, 2, 4])  # 4: depthwise
def test_conv_is_exact(bits: int, group: int) -> None:
    rng = np.random.default_rng(bits * 8 + group)
    x = rng.integers(-(1 << bits), 1 << bits, (2, 4, 6, 5))
    w = rng.integers(-(1 << bits), 1 << bits, (4, 4 // group, 3, 2))
    shape = ((2, 1), (1, 0, 2, 1), (1, 2), group)
    got = kernels.conv(x, w, *shape)
    assert got.dtype == np.int64
    assert np.array_equal(got, conv_by_definition(x, w, *shape).astype(np.int64))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_matmul_is_exact(bits_x: int, bits_w: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-(1 << bits_x), (1 << bits_x) + 1, (3, 5))
    w = rng.integers(-(1 << bits_w), (1 << bits_w) + 1, (5, 2))
    want = x.astype(object) @ w.astype(object)
    assert np.array_equal(kernels.matmul(x, w), want.astype(np.int64))


def test_matmul_above_float_precision_would_be_wrong_in_float64() -> None:
    x, w = np.array([[1 << 53, 1]]), np.array([[1], [1]])
    assert int(kernels.matmul(x, w)[0, 0]) == (1 << 53) + 1
    assert int((x.astype(float) @ w.astype(float))[0, 0]) != (1 << 53) + 1


def test_magnitude_of_the_most_negative_integer() -> None:
    assert checked.magnitude(np.array([-(2**63)], dtype=np.int64)) == 2**63
    assert checked.magnitude(np.zeros((0,), dtype=np.int64)) == 0


@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(1, 61))
def test_rescale_rounds_halves_up(x: int, shift: int) -> None:
    got = int(kernels.rescale(np.array([x]), shift)[0])
    assert got == (x + (1 << (shift - 1))) // (1 << shift)
    assert abs(got * 2**shift - x) <= 1 << (shift - 1)


def test_floats_stay_floats() -> None:
    x = np.array([[0.5, 0.25]])
    assert kernels.matmul(x, np.array([[2.0], [4.0]])).tolist() == [[2.0]]
    y = kernels.conv(np.full((1, 1, 3), 0.5), np.ones((1, 1, 2)), (1,), (0, 0), (1,), 1)
    assert y.tolist() == [[[1.0, 1.0]]]
