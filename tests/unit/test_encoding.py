"""Encodings: literal bytes of EIP-196 and EIP-197, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkchain.bn254 import G1, G2, P
from zkchain.bn254 import encoding as points
from zkchain.bn254.curve import G2_GENERATOR
from zkchain.errors import KeyFormatError, ProofFormatError
from zkchain.groth16 import encoding
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import System

coordinates = st.integers(0, P - 1)
g1s = st.tuples(coordinates, coordinates)
g2s = st.tuples(g1s, g1s)


def test_g1_is_x_then_y_big_endian() -> None:
    assert points.encode_g1((1, 2)) == bytes(31) + b"\x01" + bytes(31) + b"\x02"
    assert points.encode_g1((0, 0)) == bytes(64)


def test_g2_puts_the_imaginary_part_first() -> None:
    # the generator as EIP-197 prints it: x = 11559...  i + 10857...
    data = points.encode_g2(G2_GENERATOR)
    assert data[:32].hex() == "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    assert data[32:64].hex() == "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"


@given(g1s, g2s, g1s, st.none() | g1s)
def test_proof_round_trip(a: G1, b: G2, c: G1, d: G1 | None) -> None:
    proof = Proof(a, b, c, d)
    data = encoding.encode_proof(proof)
    assert len(data) == encoding.PROOF_BYTES[proof.system]
    assert encoding.decode_proof(data, proof.system) == proof


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("change", [-1, 1, 64, -64])
def test_proof_of_wrong_length_is_refused(system: System, change: int) -> None:
    with pytest.raises(ProofFormatError, match="expected"):
        encoding.decode_proof(bytes(encoding.PROOF_BYTES[system] + change), system)


@pytest.mark.parametrize("index", range(10))
def test_coordinate_not_below_p_is_refused(index: int) -> None:
    words = [0] * 10
    words[index] = P
    with pytest.raises(ProofFormatError, match="not below"):
        encoding.decode_proof(b"".join(map(points.word, words)), System.CG16)
    words[index] = P - 1
    encoding.decode_proof(b"".join(map(points.word, words)), System.CG16)


def key(system: System) -> VerifyingKey:
    cg16 = system is System.CG16
    g2 = [((i, i + 1), (i + 2, i + 3)) for i in range(10, 50, 10)]
    abc = tuple((i, 7) for i in range(3 if cg16 else 6))
    return VerifyingKey(system, (1, 2), g2[0], g2[1], g2[2], g2[3] if cg16 else None, abc, 5, bytes(range(32)))


@pytest.mark.parametrize("system", System)
def test_key_points_round_trip(system: System) -> None:
    vk = key(system)
    data = encoding.encode_key_points(vk)
    assert encoding.decode_key_points(data, system, instance_length=5, circuit_digest=vk.circuit_digest) == vk
    with pytest.raises(KeyFormatError, match="bytes of points"):
        encoding.decode_key_points(data[:-1], system, instance_length=5, circuit_digest=vk.circuit_digest)
    with pytest.raises(KeyFormatError, match="not below"):
        encoding.decode_key_points(b"\xff" * len(data), system, instance_length=5, circuit_digest=vk.circuit_digest)


def test_a_huge_count_of_inputs_is_refused_before_allocation() -> None:
    data = encoding.encode_key_points(key(System.GROTH16))
    with pytest.raises(KeyFormatError, match="bytes of points"):
        encoding.decode_key_points(data, System.GROTH16, instance_length=1 << 60, circuit_digest=bytes(32))


@pytest.mark.parametrize("value", [-1, 1 << 256])
def test_word_range(value: int) -> None:
    with pytest.raises(ProofFormatError):
        points.word(value)
