"""iden3's binary files: bytes as circom writes them, round trips, refusal of whatever is damaged."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import toy
from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.errors import FormatError
from zkchain.formats import r1cs, wtns
from zkchain.formats.binfile import FIELD, container
from zkchain.groth16.reference import qap
from zkchain.r1cs import Csr, System

X, SECRETS = toy.HONEST
FIELD_HEX = "200000000100 00f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430".replace(" ", "")


def le(value: int, size: int = 32) -> bytes:
    return value.to_bytes(size, "little")


def small_r1cs(
    rows: bytes | None = None,
    *,
    counts: tuple[int, ...] = (3, 0, 1, 0, 3, 1),
    field: bytes = FIELD,
    extra: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """w2 * w2 = w1, unless told otherwise."""
    square = le(1, 4) + le(2, 4) + le(1)
    content = square * 2 + le(1, 4) + le(1, 4) + le(1) if rows is None else rows
    labels = b"".join(le(i, 8) for i in range(3))
    head = field + struct.pack("<IIIIQI", *counts)
    return container(b"r1cs", 1, ((1, head), (2, content), (3, labels), *extra))


def rows_of(system: r1cs.R1cs) -> list[qap.Row]:
    a, b, c = ([row for block in system.blocks() for row in qap._lincombs(getattr(block, side))] for side in "abc")
    return list(zip(a, b, c, strict=True))


# ---------------------------------------------------------------------------------------------------------------- r1cs


def test_the_header_names_the_field_as_circom_does() -> None:
    assert FIELD.hex() == FIELD_HEX


def test_a_file_byte_by_byte(tmp_path: Path) -> None:
    circuit = toy.squares()  # wires: one, x0, x1, w0; w0 w0 = x0, w0 1 = x1
    r1cs.save(tmp_path / "c.r1cs", circuit)
    one, x0, x1, w0 = (le(1, 4) + le(wire, 4) + le(1) for wire in range(4))
    rows = w0 + w0 + x0 + w0 + one + x1
    head = bytes.fromhex(FIELD_HEX) + struct.pack("<IIIIQI", 4, 0, 2, 0, 4, 2)
    expected = b"r1cs" + struct.pack("<II", 1, 3)
    for kind, content in ((1, head), (2, rows), (3, b"".join(le(i, 8) for i in range(4)))):
        expected += struct.pack("<IQ", kind, len(content)) + content
    assert (tmp_path / "c.r1cs").read_bytes() == expected


def test_a_circuit_round_trips(tmp_path: Path) -> None:
    circuit = toy.factors(System.GROTH16)
    r1cs.save(tmp_path / "c.r1cs", circuit)
    read = r1cs.load((tmp_path / "c.r1cs").read_bytes())
    assert (read.n_wires, read.n_public, read.n_rows) == (circuit.n_wires, 3, circuit.n_rows)
    expected = [tuple({j: k % R for j, k in lincomb.items()} for lincomb in row) for row in circuit.indexed_rows()]
    assert rows_of(read) == expected


def test_cg16_circuits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="challenge, which the format cannot express"):
        r1cs.save(tmp_path / "c.r1cs", toy.factors(System.CG16))
    assert not list(tmp_path.iterdir())


EDGES = [-(2**63), -(2**63) + 1, 2**63 - 1, -1, 0, 1, -0x43E1F593F0000001, -0x43E1F593F0000002]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_coefficients_are_canonical(values: list[int]) -> None:
    limbs = r1cs.canonical(np.array([*values, *EDGES], dtype=np.int64))
    got = [sum(limb << 64 * i for i, limb in enumerate(row)) for row in limbs.tolist()]
    assert got == [value % R for value in (*values, *EDGES)]


def test_wide_coefficients_are_written() -> None:
    limbs = [[R - 5 >> 64 * i & 2**64 - 1 for i in range(4)]]
    wide = Csr(np.array([0, 1]), np.array([3], dtype=np.uint32), np.array(limbs, dtype=np.uint64))
    assert next(r1cs._encoded(wide)) == le(1, 4) + le(3, 4) + le(R - 5)


def test_terms_are_sorted_and_zeros_dropped() -> None:
    terms = le(3, 4) + le(2, 4) + le(7) + le(0, 4) + le(R - 1) + le(1, 4) + le(0)
    read = r1cs.load(small_r1cs(terms + le(0, 4) * 2))
    assert read.a.cols.tolist() == [0, 2]
    assert rows_of(read) == [({0: R - 1, 2: 7}, {}, {})]


def test_private_inputs_may_have_no_wire() -> None:
    """circom writes the number that is declared, also of inputs that it has simplified away."""
    read = r1cs.load(small_r1cs(counts=(3, 1, 1, 7, 10, 1)))
    assert (read.n_wires, read.n_public, read.n_private_inputs, read.n_rows) == (3, 2, 7, 1)
    empty = r1cs.load(small_r1cs(b"", counts=(1, 0, 0, 1, 2, 0)))
    assert (empty.n_wires, empty.n_public, empty.n_rows, list(empty.blocks())) == (1, 0, 0, [])


def test_custom_gates_of_which_there_are_none() -> None:
    for extra in (((4, b""), (5, b"")), ((4, bytes(4)), (5, bytes(4))), ((4, bytes(4)),)):
        assert r1cs.load(small_r1cs(extra=extra)).n_rows == 1


def test_wires_that_nothing_uses_take_no_memory() -> None:
    read = r1cs.load(small_r1cs(counts=(2**31 - 1, 1, 0, 2**32 - 1, 2**64 - 1, 1)))
    assert (read.n_wires, read.a.nnz) == (2**31 - 1, 1)


TERM = le(1, 4) + le(1, 4) + le(1)
BAD_R1CS = {
    "empty": (b"", "begin with b'r1cs'"),
    "another magic": (b"wtns" + small_r1cs()[4:], "begin with b'r1cs', got b'wtns'"),
    "another version": (b"r1cs" + le(2, 4) + small_r1cs()[8:], "expected version 1, got 2"),
    "section missing": (container(b"r1cs", 1, ((1, FIELD + struct.pack("<IIIIQI", 3, 0, 1, 0, 3, 1)),)), "section 2"),
    "section twice": (small_r1cs(extra=((3, b""),)), "section 3 occurs twice"),
    "bytes left over": (small_r1cs() + b"\0", "1 bytes after the last section"),
    "many sections": (b"r1cs" + le(1, 4) + le(2**32 - 1, 4) + small_r1cs()[12:], "4294967295 sections announced"),
    "huge section": (b"r1cs" + le(1, 4) + le(1, 4) + le(1, 4) + le(2**63, 8), "9223372036854775808 bytes"),
    "another field": (small_r1cs(field=le(32, 4) + le(R + 2)), "BN254's scalar field"),
    "short header": (container(b"r1cs", 1, ((1, FIELD), (2, b""))), "expected a header of 64 bytes, got 36"),
    "more public than wires": (small_r1cs(counts=(3, 1, 2, 0, 3, 1)), "expected at least 4 wires, got 3"),
    "a row too few": (small_r1cs(counts=(3, 0, 1, 0, 3, 2)), "2 constraints announced, 1 found"),
    "a row too many": (small_r1cs(counts=(3, 0, 1, 0, 3, 0)), "expected 0 bytes of constraints, got 120"),
    "a billion rows": (small_r1cs(counts=(3, 0, 1, 0, 3, 2**32 - 1)), "4294967295 constraints announced"),
    "a billion terms": (small_r1cs(le(0, 4) * 2 + le(2**32 - 1, 4)), "expected .* bytes of constraints"),
    "wire out of range": (small_r1cs(le(1, 4) + le(3, 4) + le(1) + le(0, 4) * 2), "wire 3 of 3"),
    "wire twice": (small_r1cs(le(2, 4) + TERM[4:] * 2 + le(0, 4) * 2), "occurs twice in one linear combination"),
    "coefficient r": (small_r1cs(le(1, 4) + le(1, 4) + le(R) + le(0, 4) * 2), "not below r"),
    "coefficient 2^256 - 1": (small_r1cs(le(1, 4) + le(1, 4) + b"\xff" * 32 + le(0, 4) * 2), "not below r"),
    "custom gates": (small_r1cs(extra=((4, le(1, 4)), (5, le(1, 4)))), "custom gates"),
    "2^31 wires": (small_r1cs(counts=(2**31, 1, 0, 0, 3, 1)), "expected fewer than 2147483648 wires"),
    "custom gates in use only": (small_r1cs(extra=((5, le(1, 4)),)), "custom gates"),
    "bytes after no gates": (small_r1cs(extra=((4, bytes(5)),)), "custom gates"),
}


@pytest.mark.parametrize("name", BAD_R1CS)
def test_malformed_r1cs(name: str) -> None:
    data, message = BAD_R1CS[name]
    with pytest.raises(FormatError, match=message):
        r1cs.load(data)


def test_every_truncation_is_refused() -> None:
    data = small_r1cs()
    r1cs.load(data)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            r1cs.load(data[:length])


@given(st.integers(0, len(small_r1cs()) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_read(position: int, flip: int) -> None:
    data = bytearray(small_r1cs())
    data[position] ^= flip
    try:
        read = r1cs.load(bytes(data))
    except FormatError:
        return
    assert read.n_rows == 1


# ---------------------------------------------------------------------------------------------------------------- wtns


def test_a_witness_byte_by_byte() -> None:
    head = bytes.fromhex(FIELD_HEX) + le(3, 4)
    values = le(1) + le(5) + le(R - 1)
    expected = b"wtns" + struct.pack("<IIIQ", 2, 2, 1, len(head)) + head + struct.pack("<IQ", 2, 96) + values
    assert wtns.dump(FrVec.from_ints([1, 5, -1])) == expected
    assert wtns.load(expected).to_ints() == [1, 5, R - 1]


@given(st.lists(st.integers(0, R - 1)))
def test_witnesses_round_trip(values: list[int]) -> None:
    assert wtns.load(wtns.dump(FrVec.from_ints([1, *values]))).to_ints() == [1, *values]


def small_wtns(values: bytes, count: int, *, field: bytes = FIELD) -> bytes:
    return container(b"wtns", 2, ((1, field + le(count, 4)), (2, values)))


BAD_WTNS = {
    "another field": (small_wtns(le(1), 1, field=le(32, 4) + le(R - 1)), "BN254's scalar field"),
    "another size": (small_wtns(le(1), 1, field=le(48, 4) + le(R)), "BN254's scalar field"),
    "count too large": (small_wtns(le(1), 2), "expected 2 values, got 32 bytes"),
    "count huge": (small_wtns(le(1), 2**32 - 1), "expected 4294967295 values"),
    "value r": (small_wtns(le(1) + le(R), 2), ".wtns file: "),
    "no one": (small_wtns(le(2), 1), "wire 0 to be 1"),
    "nothing": (small_wtns(b"", 0), "wire 0 to be 1"),
    "long header": (container(b"wtns", 2, ((1, FIELD + le(1, 8)), (2, le(1)))), "expected a header of 40 bytes"),
    "section missing": (container(b"wtns", 2, ((1, FIELD + le(1, 4)),)), "section 2 is missing"),
}


@pytest.mark.parametrize("name", BAD_WTNS)
def test_malformed_witnesses(name: str) -> None:
    data, message = BAD_WTNS[name]
    with pytest.raises(FormatError, match=message):
        wtns.load(data)


def test_every_truncation_of_a_witness_is_refused() -> None:
    data = wtns.dump(FrVec.from_ints([1, 2, 3]))
    for length in range(len(data)):
        with pytest.raises(FormatError):
            wtns.load(data[:length])
