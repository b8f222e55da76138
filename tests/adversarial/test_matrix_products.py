"""Products of two matrices that are wrong, in ways that a weaker check at the challenge would let pass."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.bn254 import R
from zkchain.circuit import Circuit, Visibility, check, freivalds, solve, synthesize
from zkchain.circuit.emitter import Emitter, Vec
from zkchain.circuit.value import Numbers
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir.graph import Op
from zkchain.r1cs import System
from zkchain.typing import IntArray

COUNT, N, K, M = 2, 3, 4, 5


def attention() -> Circuit:
    b = graphs.Build()
    x, y = b.input((COUNT, N, K), -20, 30), b.input((COUNT, K, M), -9, 9)
    graph = b.graph(b.add(Op.MATMUL, x, y, shape=(COUNT, N, M)))
    return synthesize(graph, Visibility((False, False), (True,)), System.CG16)


CIRCUIT = attention()
RNG = np.random.default_rng(3)
INPUTS = graphs.random_inputs(CIRCUIT.graph, RNG)
FIRST = 1 + CIRCUIT.n_public + COUNT * (N * K + K * M)  # the product's first wire


def claim(error: IntArray) -> None:
    """Checks a product that is off by ``error``; everything that depends on it is computed anew."""

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        return values + error.ravel() if wire == FIRST and isinstance(values, np.ndarray) else values

    check(CIRCUIT, solve(CIRCUIT, INPUTS, tamper=tamper).finish(secrets.randbelow(R)))


def off(*places: tuple[int, int, int, int]) -> IntArray:
    error = np.zeros((COUNT, N, M), dtype=np.int64)
    for batch, i, j, by in places:
        error[batch, i, j] = by
    return error


LIES = {
    "one element": off((0, 1, 1, 1)),
    "opposite errors in a row": off((0, 1, 0, 1), (0, 1, 1, -1)),
    "opposite errors in a column": off((1, 0, 2, 3), (1, 1, 2, -3)),
    # u_i = c^i and v_j = c^j have one monomial for both
    "opposite errors on a diagonal": off((0, 0, 1, 1), (0, 1, 0, -1)),
    "opposite errors at both ends of neighbouring columns": off((0, N - 1, 0, 1), (0, 0, 1, -1)),
    "opposite errors in two products": off((0, 1, 1, 1), (1, 1, 1, -1)),
}


def test_the_true_product_is_accepted() -> None:
    claim(off())


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_product_is_refused(lie: str) -> None:
    with pytest.raises(UnsatisfiedConstraint, match="matmul_2"):
        claim(LIES[lie])


def test_with_one_power_for_rows_and_columns_the_diagonal_lie_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the distinct monomials are for: the twin circuit takes c where c^n belongs."""

    def weak(em: Emitter, exponent: int) -> Vec:
        return em.challenge

    monkeypatch.setattr(freivalds, "_power", weak)
    twin = attention()

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        error = LIES["opposite errors on a diagonal"].ravel()
        return values + error if wire == FIRST and isinstance(values, np.ndarray) else values

    check(twin, solve(twin, INPUTS, tamper=tamper).finish(secrets.randbelow(R)))


def test_every_random_error_is_refused() -> None:
    for _ in range(20):
        with pytest.raises(UnsatisfiedConstraint):
            claim(RNG.integers(-3, 4, (COUNT, N, M)) | off((0, 0, 0, 1)))


SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "batched": ((3, 4, 5), (3, 5, 6), (3, 4, 6)),
    "one matrix on the right": ((2, 3, 4, 5), (5, 6), (2, 3, 4, 6)),
    "broadcast on the right": ((2, 3, 4, 5), (2, 1, 5, 6), (2, 3, 4, 6)),
    "broadcast on the left": ((1, 4, 5), (3, 5, 6), (3, 4, 6)),
    "vector on the left": ((5,), (3, 5, 6), (3, 6)),
    "vector on the right": ((4, 5), (5,), (4,)),
    "outer": ((8, 1), (1, 8), (8, 8)),
    "inner": ((1, 8), (8, 1), (1, 1)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_cheaper_way_is_taken_for_every_shape(name: str) -> None:
    left, right, out = SHAPES[name]
    b = graphs.Build()
    x, y = b.input(left, -20, 30), b.input(right, -9, 9)
    graph = b.graph(b.add(Op.MATMUL, x, y, shape=out))
    circuit = synthesize(graph, Visibility((False, False), (True,)), System.CG16)
    shape = freivalds.shape_of(*freivalds.operands(left, right))
    found = circuit.rows_by_node()["matmul_2"]
    if shape.checked < shape.multiplied:  # and the powers c^n
        assert shape.checked <= found <= shape.checked + 2 * shape.n.bit_length()
    else:
        assert found == shape.multiplied
    solution = solve(circuit, graphs.random_inputs(graph, RNG))
    check(circuit, solution.finish(secrets.randbelow(R)))
    assert circuit.digest
