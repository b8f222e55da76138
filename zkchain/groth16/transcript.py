"""Fiat-Shamir: every hash of the two proof systems, byte for byte the same in Python, Rust and Solidity.

Words are 32 bytes, big-endian; labels are their ASCII bytes; || is concatenation; points as in ``encoding``.

cg16 (docs: protocol, sections 4 and 10):
    DOMAIN = keccak256("zkchain/cg16/challenge/1")
    vkhash = keccak256("zkchain/cg16/vk/1" || circuit_hash || alpha1 || beta2 || gamma2 || delta2 || eta2 || IC_0..
                       || L)
    ctx    = keccak256(chainid || address(this) || binder), or 0
    seed   = keccak256(DOMAIN || vkhash || ctx || D.x || D.y || L || x_0 || ... || x_{L-1})
    c_k    = (keccak256(seed || 2k) 2^256 + keccak256(seed || 2k + 1)) mod r        c = c_0
    rho_1  = 1,  rho_i = top 128 bits of
             keccak256("zkchain/cg16/batch/1" || vkhash || N || (seed_j || A_j || B_j || C_j)_j || i)

groth16 has no challenge; only batch verification hashes, with labels of its own:
    vkhash = keccak256("zkchain/groth16/vk/1" || circuit_hash || alpha1 || beta2 || gamma2 || delta2 || IC_0.. || L)
    seed   = keccak256(keccak256("zkchain/groth16/instance/1") || vkhash || L || x_0 || ... || x_{L-1})
    rho_i  as above under "zkchain/groth16/batch/1"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zkchain._core import keccak256
from zkchain.bn254 import G1, R
from zkchain.bn254.encoding import encode_g1, encode_g2, word
from zkchain.errors import InputError
from zkchain.groth16.encoding import encode_key_points
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

if TYPE_CHECKING:
    from eth_hash.abc import PreImageAPI

NO_CONTEXT = bytes(32)
VK_LABEL = {System.GROTH16: b"zkchain/groth16/vk/1", System.CG16: b"zkchain/cg16/vk/1"}
BATCH_LABEL = {System.GROTH16: b"zkchain/groth16/batch/1", System.CG16: b"zkchain/cg16/batch/1"}


DOMAIN = keccak256(b"zkchain/cg16/challenge/1")
DOMAIN_GROTH16 = keccak256(b"zkchain/groth16/instance/1")
CONTEXT_WORDS, CONTEXT_WORD_BITS = 4, 52


def vkhash(vk: VerifyingKey) -> bytes:
    """32 bytes that bind the circuit, every point of the key, and L."""
    return keccak256(VK_LABEL[vk.system] + vk.circuit_digest + encode_key_points(vk) + word(vk.instance_length))


def context(chain_id: int, address: bytes, binder: bytes = bytes(32)) -> bytes:
    """ctx as the contract at ``address`` (20 bytes) on chain ``chain_id`` computes it for ``binder`` (32 bytes)."""
    if len(address) != 20 or len(binder) != 32:
        raise InputError(f"context: expected 20 and 32 bytes (address, binder), got {len(address)} and {len(binder)}")
    return keccak256(word(chain_id) + bytes(12) + address + binder)


def context_words(ctx: bytes) -> tuple[int, ...]:
    """What the public input ``binder`` of a plain circuit holds: the context's highest 208 bits, 52 in each word.

    Plain Groth16 has no challenge that a context could enter. Two contexts that share 208 bits take 2^104 steps to
    find.
    """
    whole = int.from_bytes(ctx, "big") >> 256 - CONTEXT_WORDS * CONTEXT_WORD_BITS
    mask = (1 << CONTEXT_WORD_BITS) - 1
    return tuple(whole >> CONTEXT_WORD_BITS * i & mask for i in reversed(range(CONTEXT_WORDS)))


def seed(vk_hash: bytes, ctx: bytes, d: G1, instance: Instance) -> bytes:
    """cg16: the hash from which every challenge of one proof is drawn."""
    if len(vk_hash) != 32 or len(ctx) != 32:
        raise InputError(f"seed: expected vkhash and ctx of 32 bytes each, got {len(vk_hash)} and {len(ctx)}")
    return keccak256(DOMAIN + vk_hash + ctx + encode_g1(d) + _instance_words(instance))


def seed_groth16(vk_hash: bytes, instance: Instance) -> bytes:
    """groth16: what stands for the instance in a batch's weights."""
    return keccak256(DOMAIN_GROTH16 + vk_hash + _instance_words(instance))


def challenge(seed: bytes, index: int = 0) -> int:
    """c_index in [0, r): 512 bits reduced, so its bias is below 2^-256. ``index`` 0 is c itself."""
    hi, lo = keccak256(seed + word(2 * index)), keccak256(seed + word(2 * index + 1))
    return int.from_bytes(hi + lo, "big") % R


def batch_weights(system: System, vk_hash: bytes, seeds: Sequence[bytes], proofs: Sequence[Proof]) -> list[int]:
    """rho_1 .. rho_N for N proofs under one key: 1, then 128-bit weights; ``seeds`` bind ctx, D and x of each proof."""
    if len(seeds) != len(proofs):
        raise InputError(f"batch: expected as many seeds as proofs, got {len(seeds)} and {len(proofs)}")
    items = b"".join(
        s + encode_g1(proof.a) + encode_g2(proof.b) + encode_g1(proof.c) for s, proof in zip(seeds, proofs, strict=True)
    )
    from eth_hash.auto import keccak  # it shares what the sponge has absorbed, and takes long to import

    head = keccak.new(BATCH_LABEL[system] + vk_hash + word(len(proofs)) + items)
    return [1, *(_top_128_bits(head, i) for i in range(2, len(proofs) + 1))][: len(proofs)]


def _top_128_bits(head: PreImageAPI, i: int) -> int:
    """The first 16 bytes of keccak256(head || i); the sponge has absorbed ``head`` once for all i."""
    sponge = head.copy()
    sponge.update(word(i))
    return int.from_bytes(sponge.digest()[:16], "big")


def _instance_words(instance: Instance) -> bytes:
    """L || x_0 || ... || x_{L-1}."""
    return word(len(instance)) + b"".join(word(x) for x in instance)
