"""The bound of a product with a constant matrix is that of any two factors, whatever ranges and bounds look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkchain.ir.graph import Node, Op
from zkchain.quantize.lower import error_bounds
from zkchain.typing import FloatArray, IntArray


def const(values: IntArray) -> Node:
    return Node(Op.CONST, "w", (), values.shape, value=values, lo=values, hi=values, scale=2.0**-7)


@given(st.sampled_from([(4, 3), (2, 1, 3), (3,)]), st.booleans(), st.data())
@settings(max_examples=60)
def test_a_matrix_of_weights(shape: tuple[int, ...], one_bound: bool, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    kept, own = (tuple(n if data.draw(st.booleans()) else 1 for n in shape) for _ in range(2))
    top, w = rng.integers(0, 1000, kept), const(rng.integers(-9, 10, (3, 5)))
    x = Node(Op.INPUT, "x", (), shape, lo=-top, hi=top, scale=2.0**-4)
    e_x: FloatArray = np.where(rng.random(own) < 0.1, np.inf, rng.random(own))
    e_w: FloatArray = rng.random((1, 1) if one_bound else w.shape)
    product = Node(Op.MATMUL, "m", (0, 1), (*shape[:-1], 5))
    got = error_bounds.error(product, [(x, e_x), (w, e_w)])
    m_x, m_w = (np.broadcast_to(error_bounds.magnitude((n, e_x)), n.shape) for n in (x, w))
    with np.errstate(all="ignore"):
        full, off = np.broadcast_to(e_x, shape), np.broadcast_to(e_w, w.shape)
        expected = np.nan_to_num(m_x @ off + full @ m_w + full @ off, nan=np.inf, posinf=np.inf)
    expected = np.full_like(expected, np.inf) if np.isinf(e_x).all() else expected
    np.testing.assert_allclose(np.broadcast_to(got, product.shape), expected, rtol=1e-12)


def test_nothing_is_known_of_what_nothing_is_known_of() -> None:
    w = const(np.ones((3, 5), dtype=np.int64))
    x = Node(Op.INPUT, "x", (), (2, 3), lo=np.asarray(-1), hi=np.asarray(1))
    product = Node(Op.MATMUL, "m", (0, 1), (2, 5))
    for bound in (np.asarray(np.inf), np.full((2, 3), np.inf)):
        assert np.isinf(error_bounds.error(product, [(x, bound), (w, np.zeros((1, 1)))])).all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_of_nothing(shape: tuple[int, int]) -> None:
    w = const(np.ones((shape[1], 5), dtype=np.int64))
    x = Node(Op.INPUT, "x", (), shape, lo=np.zeros(shape, np.int64), hi=np.zeros(shape, np.int64))
    product = Node(Op.MATMUL, "m", (0, 1), (shape[0], 5))
    assert error_bounds.error(product, [(x, np.zeros((1, 1))), (w, np.zeros((1, 1)))]).sum() == 0
