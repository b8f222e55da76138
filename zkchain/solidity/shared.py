"""The key that travels: calls of ``ZkVerifierShared``, and clones, which carry theirs behind their code.

A key's words are circuit_hash || alpha || beta || gamma || delta [|| eta] || IC_0 ..., points as EIP-196 and EIP-197
have them. In calldata gamma is left out where it is the generator of G2, as in every key of a ceremony.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkchain.bn254.curve import G2_GENERATOR
from zkchain.bn254.encoding import G1_BYTES, G2_BYTES, WORD
from zkchain.errors import ProofFormatError, SolidityError
from zkchain.groth16.encoding import encode_key_points, encode_proof
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.solidity.calldata import check_binders, check_statement, selector

SIGNATURES = {
    "verify": "verify(bytes32,bytes,bytes,uint256[])",
    "verifyBound": "verifyBound(bytes32,bytes,bytes,uint256[],bytes32)",
    "verifyBatch": "verifyBatch(bytes32,bytes,uint256,bytes,uint256[])",
    "verifyBoundBatch": "verifyBoundBatch(bytes32,bytes,bytes,uint256[],bytes32[])",
    "checkKey": "checkKey(bytes32,bytes,bool,uint256)",
}
PROXY_HEAD = bytes.fromhex("363d3d373d3d3d363d73")
PROXY_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
"""EIP-1167: calldata is delegated to the address between these two, and its answer handed back."""
CG16_FLAG = 1 << 31
GAMMA = slice(WORD + G1_BYTES + G2_BYTES, WORD + G1_BYTES + 2 * G2_BYTES)
"""Where gamma stands among a key's bytes."""


def encode_key(vk: VerifyingKey) -> bytes:
    """All of a key, as its hash covers it (between the system's label and the number of public inputs)."""
    return vk.circuit_digest + encode_key_points(vk)


def travelling_key(vk: VerifyingKey) -> bytes:
    """The key as calls carry it: without gamma where that is the generator."""
    whole = encode_key(vk)
    return whole[: GAMMA.start] + whole[GAMMA.stop :] if vk.gamma_g2 == G2_GENERATOR else whole


def shared_calldata(vk: VerifyingKey, proof: Proof, instance: Instance, binder: bytes | None = None) -> bytes:
    """A call of the shared verifier's ``verify``, or with a ``binder`` (32 bytes, cg16 only) of ``verifyBound``.

    Raises
    ------
    ProofFormatError
        A proof of the other system, a wrong number of inputs, one not below r.
    SolidityError
        A binder for groth16, or not of 32 bytes.
    """
    check_statement(vk, proof, instance)
    arguments = (*_key(vk), encode_proof(proof), instance)
    if binder is None:
        return _call(SIGNATURES["verify"], *arguments)
    check_binders(vk, (binder,))
    return _call(SIGNATURES["verifyBound"], *arguments, binder)


def shared_batch_calldata(
    vk: VerifyingKey, items: Sequence[tuple[Proof, Instance]], binders: Sequence[bytes] | None = None
) -> bytes:
    """A call of ``verifyBatch``, or with ``binders``, one per proof, of ``verifyBoundBatch``. Errors as
    ``shared_calldata``."""
    if not items:
        raise ProofFormatError("batch: expected at least one proof, got none")
    for proof, instance in items:
        check_statement(vk, proof, instance)
    proofs = b"".join(encode_proof(proof) for proof, _ in items)
    inputs = [x for _, instance in items for x in instance]
    if binders is None:
        return _call(SIGNATURES["verifyBatch"], *_key(vk), len(items), proofs, inputs)
    check_binders(vk, binders)
    if len(binders) != len(items):
        raise SolidityError(f"batch: expected {len(items)} binders, one per proof, got {len(binders)}")
    return _call(SIGNATURES["verifyBoundBatch"], *_key(vk), proofs, inputs, binders)


def check_key_calldata(vk: VerifyingKey) -> bytes:
    """A call of ``checkKey``: is this key fit to be pinned by its hash?"""
    return _call(SIGNATURES["checkKey"], *_key(vk), vk.system is System.CG16, vk.instance_length)


def clone_code(logic: str, vk: VerifyingKey) -> bytes:
    """The code of the verifier that is a clone of ``logic``, the address of ``ZkCloneVerifier``: proxy, system and
    number of public inputs, key."""
    head = (CG16_FLAG if vk.system is System.CG16 else 0) | vk.instance_length
    proxy = PROXY_HEAD + bytes.fromhex(logic.removeprefix("0x")) + PROXY_TAIL
    return proxy + head.to_bytes(4, "big") + encode_key(vk)


def logic_of(code: bytes) -> str:
    """The address that a clone delegates to. SolidityError for code that is no proxy of this kind."""
    start, end = len(PROXY_HEAD), len(PROXY_HEAD) + 20
    if not (code.startswith(PROXY_HEAD) and code[end:].startswith(PROXY_TAIL)):
        raise SolidityError(f"{len(code)} bytes of code that are no proxy after EIP-1167")
    return "0x" + code[start:end].hex()


def clone_calldata(vk: VerifyingKey, proof: Proof, instance: Instance, binder: bytes | None = None) -> bytes:
    """A call of ``IZkVerifier.verify`` or ``verifyBound``, which all clones have. Errors as ``shared_calldata``."""
    check_statement(vk, proof, instance)
    if binder is None:
        return _call("verify(bytes,uint256[])", encode_proof(proof), instance)
    check_binders(vk, (binder,))
    return _call("verifyBound(bytes,uint256[],bytes32)", encode_proof(proof), instance, binder)


def _key(vk: VerifyingKey) -> tuple[bytes, bytes]:
    """The first two arguments of all functions of the shared verifier: hash and key."""
    return vkhash(vk), travelling_key(vk)


def _call(signature: str, *arguments: Any) -> bytes:
    """The ABI's encoding of a call."""
    from eth_abi.abi import encode

    types = signature.removesuffix(")").partition("(")[2].split(",")
    return selector(signature) + encode(types, arguments)
