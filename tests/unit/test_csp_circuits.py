"""The circuits that are brought to ethereum/csp-benchmarks: what they compute, and that nothing else satisfies them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from scripts.csp_benchmarks import circuits, inputs, keccak, sha256, words
from zkchain._core import FrVec, keccak256
from zkchain.circuit.emitter import Emitter, Solver, Vec
from zkchain.circuit.solving import assignment
from zkchain.circuit.value import Numbers, Value
from zkchain.r1cs import Assignment, System
from zkchain.typing import IntArray

BITS = np.array(list(product((0, 1), repeat=3)), dtype=np.int64).T
"""All triples of bits, one in each column."""


def holds(found: Assignment) -> bool:
    return bool((found.a * found.b).eq_mask(found.c).all())


def solved(build: Callable[[Emitter], object], tamper: Callable[[Numbers], Numbers] = lambda x: x) -> Solver:
    em = Solver(System.GROTH16, 0, lambda _first, _node, values: tamper(values))
    build(em)
    return em


GATES: dict[str, tuple[Callable[[Emitter, Vec, Vec, Vec], Vec], Callable[[int, int, int], int]]] = {
    "parity": (words.parity, lambda a, b, c: a ^ b ^ c),
    "majority": (words.majority, lambda a, b, c: int(a + b + c >= 2)),
    "choice": (words.choice, lambda a, b, c: b if a else c),
    "xor": (lambda em, a, b, _: words.xor(em, a, b), lambda a, b, _: a ^ b),
    "chi": (keccak.chi, lambda a, b, c: a ^ (1 - b & c)),
}


@pytest.mark.parametrize("name", list(GATES))
def test_a_gate_is_satisfied_by_its_own_bit_alone(name: str) -> None:
    gate, expected = GATES[name]
    right = np.array([expected(*bits) for bits in BITS.T.tolist()])
    for lie in range(-3, 4):
        em = solved(lambda em: gate(em, *(Value(x) for x in BITS)), lambda x, lie=lie: np.asarray(x) + lie)  # type: ignore[misc]
        assert np.array_equal(np.asarray(em.wire_values[0]), right + lie)
        a, b, c = (np.asarray(side[0]) for side in em.rows)
        assert np.array_equal(a * b == c, np.full(8, lie == 0))


@pytest.mark.parametrize("summands", [2, 4, 6, 7])
def test_sums_are_reduced_to_a_word_and_to_no_other(summands: int) -> None:
    most = summands * ((1 << 32) - 1)
    totals = np.array([0, 1, (1 << 32) - 1, 1 << 32, most // 2, most], dtype=np.int64)
    found: list[Value] = []
    em = solved(lambda em: found.append(words.reduced(em, Value(totals), 32, summands)))
    bits = found[0].ints.reshape(32, len(totals))
    assert np.array_equal((1 << np.arange(32)) @ bits, totals % (1 << 32))
    assert holds(assignment(em, []))
    flipped = solved(
        lambda em: words.reduced(em, Value(totals), 32, summands), lambda x: np.asarray(x) ^ one_bit(len(x))
    )
    assert not holds(assignment(flipped, []))


def one_bit(size: int) -> IntArray:
    return np.asarray(np.arange(size) == size // 2, dtype=np.int64)


@pytest.mark.parametrize(("target", "size"), [("sha256", 64), ("sha256", 192), ("keccak", 0), ("keccak", 136)])
def test_the_digest_and_the_rows(target: str, size: int) -> None:
    digest = {"sha256": lambda data: hashlib.sha256(data).digest(), "keccak": keccak256}[target]
    message = inputs.message(size)
    found, instance = circuits.solve(target, message)
    assert instance == circuits.TARGETS[target].instance(digest(message))
    assert holds(found)
    rows, first = circuits.Rows(target, size), 0
    for block in rows.blocks():
        for side, values in ((block.a, found.a), (block.b, found.b), (block.c, found.c)):
            assert found.wires.spmv(side) == values[first : first + block.rows], block.node
        first += block.rows
    assert (first, len(found.wires)) == (rows.n_rows, rows.n_wires)


def lying(target: str, message: bytes, which: int) -> tuple[int, Assignment]:
    """How many vectors of wires there are, and the assignment in which one bit of number ``which`` is turned and what
    is computed from it follows."""
    seen: list[int] = []

    def lie(first: int, _node: str, values: Numbers) -> Numbers:
        seen.append(first)
        return np.asarray(values) ^ one_bit(len(values)) if len(seen) == which + 1 else values

    em = Solver(System.GROTH16, 8, lie)
    circuits.TARGETS[target].build(em, len(message), message)
    return len(seen), assignment(em, [])


@pytest.mark.parametrize("target", list(circuits.TARGETS))
def test_no_wire_is_free(target: str) -> None:
    """A row breaks, or, when it is the message that is another, so is the digest."""
    message = inputs.message(64)
    count, honest = lying(target, message, -1)
    assert holds(honest)
    for which in range(0, count, 1 + count // 30):
        _, found = lying(target, message, which)
        assert not holds(found) or found.wires[1:9] != honest.wires[1:9], which


def test_another_digest_is_refused() -> None:
    found, _ = circuits.solve("sha256", inputs.message(64))
    other = FrVec.concat([found.wires[:1], found.wires[1:2] + 1, found.wires[2:]])
    rows = circuits.Rows("sha256", 64)
    assert not all(
        (other.spmv(block.a) * other.spmv(block.b)).eq_mask(other.spmv(block.c)).all() for block in rows.blocks()
    )


def test_rows_of_the_harness_s_sizes() -> None:
    """Pinned: what num_constraints says. A block of SHA-256 is 17,640 rows, a permutation of Keccak 92,160."""
    rows = {target: [circuits.Rows(target, size).n_rows for size in circuits.BYTES[:2]] for target in circuits.TARGETS}
    assert rows == {"sha256": [49_248, 85_552], "keccak": [93_192, 187_336]}


def test_sizes_that_are_no_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a positive multiple of 64 bytes, got 100"):
        circuits.solve("sha256", bytes(100))


def test_the_constants_of_sha256() -> None:
    square, cube = sha256.constants()
    assert (square[0], square[7], cube[0], cube[63]) == (0x6A09E667, 0x5BE0CD19, 0x428A2F98, 0xC67178F2)
    assert len(cube) == 64
