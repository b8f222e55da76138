"""Proofs and keys as bytes: the EVM's encodings of their points, one after the other (``bn254.encoding``).

A proof is ``a || b || c`` (256 bytes), for cg16 followed by ``d`` (320 bytes). The points of a verifying key are
``alpha_g1 || beta_g2 || gamma_g2 || delta_g2 [|| eta_g2] || gamma_abc_g1[0] || ...``.

Decoding checks lengths and that every coordinate is below p, not that a point is on its curve: see ``bn254.curve``.
"""

from __future__ import annotations

from zkchain.bn254.encoding import G1_BYTES, G2_BYTES, decode_g1, decode_g2, encode_g1, encode_g2
from zkchain.errors import KeyFormatError, ProofFormatError
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import System

PROOF_BYTES = {System.GROTH16: 2 * G1_BYTES + G2_BYTES, System.CG16: 3 * G1_BYTES + G2_BYTES}


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
    data: bytes, system: System, *, instance_length: int, circuit_digest: bytes, development: bool = True
) -> VerifyingKey:
    """Inverse of ``encode_key_points``: a key for instances of ``instance_length`` words.

    KeyFormatError on a wrong length (checked before anything is allocated) or a coordinate that is not below p.
    """
    g2_names = ["beta_g2", "gamma_g2", "delta_g2"] + (["eta_g2"] if system is System.CG16 else [])
    n_abc = 3 if system is System.CG16 else instance_length + 1
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
        instance_length=instance_length,
        circuit_digest=circuit_digest,
        development=development,
    )
