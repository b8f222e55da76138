"""Points, proofs and keys as bytes: the EVM's encodings (EIP-196, EIP-197), big-endian, 32 bytes a word.

G1 is ``x || y`` (64 bytes). G2 is ``x_c1 || x_c0 || y_c1 || y_c0`` (128 bytes): the imaginary part first. Infinity is
all zeros. A proof is ``a || b || c`` (256 bytes), for cg16 followed by ``d`` (320 bytes). The points of a verifying key
are ``alpha_g1 || beta_g2 || gamma_g2 || delta_g2 [|| eta_g2] || gamma_abc_g1[0] || ...``.

Decoding checks lengths and that every coordinate is below p, not that a point is on its curve: see ``curve``.
"""

from __future__ import annotations

from collections.abc import Iterator

from zkchain.errors import KeyFormatError, ProofFormatError, ZkchainError
from zkchain.groth16.types import G1, G2, P, Proof, System, VerifyingKey

WORD = 32
G1_BYTES = 2 * WORD
G2_BYTES = 4 * WORD
PROOF_BYTES = {System.GROTH16: 2 * G1_BYTES + G2_BYTES, System.CG16: 3 * G1_BYTES + G2_BYTES}


def word(value: int) -> bytes:
    """One EVM word: 32 bytes, big-endian. ProofFormatError outside [0, 2^256)."""
    if not 0 <= value < 1 << 256:
        raise ProofFormatError(f"word: expected an integer in [0, 2^256), got {value}")
    return value.to_bytes(WORD, "big")


def words(data: bytes) -> Iterator[int]:
    """The big-endian words of ``data``, whose length is a multiple of 32."""
    return (int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD))


def encode_g1(point: G1) -> bytes:
    """EIP-196: ``x || y``, 64 bytes."""
    x, y = point
    return word(x) + word(y)


def encode_g2(point: G2) -> bytes:
    """EIP-197: ``x_c1 || x_c0 || y_c1 || y_c0``, 128 bytes. The one place where Python swaps (c0, c1)."""
    (x0, x1), (y0, y1) = point
    return word(x1) + word(x0) + word(y1) + word(y0)


def decode_g1(data: bytes, what: str = "point", error: type[ZkchainError] = ProofFormatError) -> G1:
    """Inverse of ``encode_g1``; raises ``error``, naming ``what``, unless there are 2 words below p."""
    x, y = _coordinates(data, 2, what, error)
    return (x, y)


def decode_g2(data: bytes, what: str = "point", error: type[ZkchainError] = ProofFormatError) -> G2:
    """Inverse of ``encode_g2``; raises ``error``, naming ``what``, unless there are 4 words below p."""
    x1, x0, y1, y0 = _coordinates(data, 4, what, error)
    return ((x0, x1), (y0, y1))


def _coordinates(data: bytes, count: int, what: str, error: type[ZkchainError]) -> Iterator[int]:
    if len(data) != count * WORD:
        raise error(f"{what}: expected {count * WORD} bytes, got {len(data)}")
    for i, value in enumerate(words(data)):
        if value >= P:
            raise error(f"{what}: coordinate {i} is not below the base field's order p: {value:#x}")
        yield value


def encode_proof(proof: Proof) -> bytes:
    """``a || b || c [|| d]``: 256 bytes for groth16, 320 for cg16."""
    tail = b"" if proof.d is None else encode_g1(proof.d)
    return encode_g1(proof.a) + encode_g2(proof.b) + encode_g1(proof.c) + tail


def decode_proof(data: bytes, system: System) -> Proof:
    """Inverse of ``encode_proof``. ProofFormatError on a wrong length or a coordinate that is not below p."""
    if len(data) != PROOF_BYTES[system]:
        raise ProofFormatError(f"{system} proof: expected {PROOF_BYTES[system]} bytes, got {len(data)}")
    a, b, c, d = data[:64], data[64:192], data[192:256], data[256:]
    return Proof(
        decode_g1(a, "proof element a"),
        decode_g2(b, "proof element b"),
        decode_g1(c, "proof element c"),
        decode_g1(d, "proof element d") if d else None,
    )


def encode_key_points(vk: VerifyingKey) -> bytes:
    """All points of a verifying key in the order of the module's docstring."""
    eta = b"" if vk.eta_g2 is None else encode_g2(vk.eta_g2)
    head = encode_g1(vk.alpha_g1) + encode_g2(vk.beta_g2) + encode_g2(vk.gamma_g2) + encode_g2(vk.delta_g2) + eta
    return head + b"".join(encode_g1(point) for point in vk.gamma_abc_g1)


def decode_key_points(
    data: bytes, system: System, *, n_public: int, circuit_hash: bytes, development: bool = True
) -> VerifyingKey:
    """Inverse of ``encode_key_points``: a key for instances of ``n_public`` words.

    KeyFormatError on a wrong length (checked before anything is allocated) or a coordinate that is not below p.
    """
    g2_names = ["beta_g2", "gamma_g2", "delta_g2"] + (["eta_g2"] if system is System.CG16 else [])
    n_abc = 3 if system is System.CG16 else n_public + 1
    start = G1_BYTES + len(g2_names) * G2_BYTES
    if len(data) != start + n_abc * G1_BYTES:
        raise KeyFormatError(f"verifying key: expected {start + n_abc * G1_BYTES} bytes of points, got {len(data)}")
    g2 = {
        name: decode_g2(data[G1_BYTES + i * G2_BYTES :][:G2_BYTES], f"verifying key: {name}", KeyFormatError)
        for i, name in enumerate(g2_names)
    }
    return VerifyingKey(
        system=system,
        alpha_g1=decode_g1(data[:G1_BYTES], "verifying key: alpha_g1", KeyFormatError),
        beta_g2=g2["beta_g2"],
        gamma_g2=g2["gamma_g2"],
        delta_g2=g2["delta_g2"],
        eta_g2=g2.get("eta_g2"),
        gamma_abc_g1=tuple(
            decode_g1(data[start + i * G1_BYTES :][:G1_BYTES], f"verifying key: gamma_abc_g1[{i}]", KeyFormatError)
            for i in range(n_abc)
        ),
        n_public=n_public,
        circuit_hash=circuit_hash,
        development=development,
    )
