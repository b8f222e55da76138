"""Encode what is sent to a verifier contract, and decode its reverts.

All arguments of ``verifyProof`` have a fixed length, so the ABI lays them out as one word after the other: the
selector, the proof's elements (EIP-196, EIP-197 order: imaginary part first), the public inputs, and a binder for
``verifyBoundProof``. A batch is a dynamic array of such records: an offset, a length, the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zkchain._core import keccak256
from zkchain.bn254 import R
from zkchain.bn254.encoding import WORD, word
from zkchain.errors import ProofFormatError, SolidityError
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

POINTS = {
    System.GROTH16: "uint256[2],uint256[2][2],uint256[2]",
    System.CG16: "uint256[2],uint256[2][2],uint256[2],uint256[2]",
}


def selector(signature: str) -> bytes:
    """First 4 bytes of the hash of ``name(type,...)``."""
    return keccak256(signature.encode())[:4]


def proof_types(vk: VerifyingKey) -> str:
    """The ABI types of a proof and its public inputs."""
    return f"{POINTS[vk.system]},uint256[{vk.instance_length}]"


def calldata(vk: VerifyingKey, proof: Proof, instance: Instance, binder: bytes | None = None) -> bytes:
    """A call of ``verifyProof``, or with a ``binder`` (32 bytes, cg16 only) of ``verifyBoundProof``.

    ProofFormatError: a proof of the other system, a wrong number of inputs, one not below r. SolidityError: a binder
    for groth16, or not of 32 bytes.
    """
    record = _record(vk, proof, instance)
    if binder is None:
        return selector(f"verifyProof({proof_types(vk)})") + record
    check_binders(vk, (binder,))
    return selector(f"verifyBoundProof({proof_types(vk)},bytes32)") + record + binder


def batch_calldata(
    vk: VerifyingKey, items: Sequence[tuple[Proof, Instance]], binders: Sequence[bytes] | None = None
) -> bytes:
    """A call of ``verifyBatch``, or with ``binders``, one per proof, of ``verifyBoundBatch``. Errors as
    ``calldata``."""
    if not items:
        raise ProofFormatError("batch: expected at least one proof, got none")
    records = b"".join(_record(vk, proof, instance) for proof, instance in items)
    array = word(len(items)) + records
    if binders is None:
        return selector(f"verifyBatch(({proof_types(vk)})[])") + word(WORD) + array
    check_binders(vk, binders)
    if len(binders) != len(items):
        raise SolidityError(f"batch: expected {len(items)} binders, one per proof, got {len(binders)}")
    head = word(2 * WORD) + word(2 * WORD + len(array))
    return selector(f"verifyBoundBatch(({proof_types(vk)})[],bytes32[])") + head + array + _words(binders)


def constructor_arguments(addresses: Sequence[bytes]) -> bytes:
    """The constructor's argument: the addresses (20 bytes each) of the data contracts, in order."""
    return b"".join(bytes(12) + address for address in addresses)


def _record(vk: VerifyingKey, proof: Proof, instance: Instance) -> bytes:
    check_statement(vk, proof, instance)
    return encode_proof(proof) + b"".join(map(word, instance))


def check_statement(vk: VerifyingKey, proof: Proof, instance: Instance) -> None:
    """ProofFormatError unless proof and public inputs have the form of the key's."""
    if proof.system is not vk.system:
        raise ProofFormatError(f"expected a {vk.system} proof, got a {proof.system} proof")
    if len(instance) != vk.instance_length:
        raise ProofFormatError(f"expected {vk.instance_length} public inputs, got {len(instance)}")
    for i, x in enumerate(instance):
        if not 0 <= x < R:
            raise ProofFormatError(f"public input {i}: expected an integer in [0, r), got {x}")


def check_binders(vk: VerifyingKey, binders: Sequence[bytes]) -> None:
    """SolidityError for a groth16 key, and for a binder that has not 32 bytes."""
    if vk.system is not System.CG16:
        raise SolidityError(
            "a groth16 proof cannot be bound to a context: it holds no challenge",
            hint='compile the model for the other system (system="cg16", --system cg16)',
        )
    for value in binders:
        if len(value) != WORD:
            raise SolidityError(f"binder: expected 32 bytes, got {len(value)}")


def _words(values: Sequence[bytes]) -> bytes:
    """A dynamic array's length and words."""
    return word(len(values)) + b"".join(values)


@dataclass(frozen=True, slots=True)
class ContractError:
    """A decoded revert: the error's name and arguments, and what that means where we know it."""

    name: str
    arguments: tuple[Any, ...] = ()
    meaning: str | None = None

    def __str__(self) -> str:
        call = f"{self.name}({', '.join(map(str, self.arguments))})"
        return call if self.meaning is None else f"{call}: {self.meaning}"


MEANINGS: Mapping[str, str] = {
    "InputOutOfRange": "this public input is not below the scalar field's order r",
    "PrecompileFailed": "an element of the proof is not a point of its group",
    "GasTooLow": "gas that a precompile had at most, and that the pairing takes; this says nothing of the proof",
    "ProofInvalid": "the proof does not verify for these public inputs (and this context)",
    "CalldataLength": "bytes of calldata got and expected",
    "EmptyBatch": "a batch holds at least one proof",
    "BinderCount": "number of binders got and expected",
    "DataMismatch": "the code at this data address is not the key's data",
    "KeyMismatch": "hash of the key that was sent, and the hash that was pinned",
    "KeyLength": "bytes of the key got and expected",
    "UnsafeKey": "nobody may rely on this key: a point is infinity, or trapdoors depend on each other",
    "ProofLength": "bytes of the proofs got and expected",
    "InstanceLength": "number of public inputs got and expected",
    "NotBindable": "a groth16 proof cannot be bound to a context: it holds no challenge",
}
BUILT_IN = (
    {"type": "error", "name": "Error", "inputs": [{"type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"type": "uint256"}]},
)


def decode_error(abi: Sequence[Mapping[str, Any]], data: bytes) -> ContractError | None:
    """The custom error (or Error(string), Panic(uint256)) behind a revert's data; None when it is none of the ABI's."""
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    for entry in (*abi, *BUILT_IN):
        types = [argument["type"] for argument in entry.get("inputs", ())]
        if entry["type"] != "error" or selector(f"{entry['name']}({','.join(types)})") != data[:4]:
            continue
        try:
            arguments = decode(types, data[4:])
        except DecodingError:
            return None
        return ContractError(entry["name"], arguments, MEANINGS.get(entry["name"]))
    return None
