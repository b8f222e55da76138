"""Public randomness of drand (the League of Entropy): a round's randomness, once its signature has been verified.

    message    = sha256(previous signature || round)        chained      round: 8 bytes, big-endian
                 sha256(round)                              unchained
    signature  = secret key * hash_to_curve(message)        verified by one product of two pairings on BLS12-381
    randomness = sha256(signature)

Nothing is asked of the network: who runs a ceremony names a round that is still to come, and hands in what drand then
published. Points are compressed as in Zcash's encoding, and hashed to the curve as in RFC 9380.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from zkchain.errors import FormatError, InputError, ProofInvalid

G1_BYTES, G2_BYTES = 48, 96
MAX_ROUND = (1 << 64) - 1
SHA256: Any = hashlib.sha256
"""As py_ecc's types want it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One of drand's chains: what its rounds are verified with.

    ``chain_hash`` is what drand calls the chain; it is the sha256 of the other fields (``described``).
    """

    scheme: str
    chain_hash: bytes
    public_key: bytes
    genesis_time: int
    period: int
    seed: bytes
    beacon_id: str

    @property
    def chained(self) -> bool:
        return self.scheme == "pedersen-bls-chained"

    @property
    def signature_bytes(self) -> int:
        return G2_BYTES if self.chained else G1_BYTES

    def described(self) -> bytes:
        """The hash of the chain's parameters, which binds the public key to ``chain_hash``."""
        name = b"" if self.beacon_id == "default" else self.beacon_id.encode()
        head = self.period.to_bytes(4, "big") + self.genesis_time.to_bytes(8, "big")
        return hashlib.sha256(head + self.public_key + self.seed + name).digest()

    def time(self, round: int) -> int:
        """When a round is published, in seconds since 1970."""
        return self.genesis_time + self.period * (round - 1)


CHAINS: Mapping[str, Chain] = {
    "quicknet": Chain(
        scheme="bls-unchained-g1-rfc9380",
        chain_hash=bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"),
        public_key=bytes.fromhex(
            "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
            "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        ),
        genesis_time=1692803367,
        period=3,
        seed=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
        beacon_id="quicknet",
    ),
    "default": Chain(
        scheme="pedersen-bls-chained",
        chain_hash=bytes.fromhex("8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"),
        public_key=bytes.fromhex(
            "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31"
        ),
        genesis_time=1595431050,
        period=30,
        seed=bytes.fromhex("176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"),
        beacon_id="default",
    ),
}


def randomness(chain: str, round: int, signature: bytes) -> bytes:
    """Verify a round's signature and hash it.

    Parameters
    ----------
    chain
        ``"quicknet"`` or ``"default"``.
    round
        The round's number, from 1.
    signature
        quicknet: the signature (48 bytes). default: the previous round's signature, then the signature (96 bytes each;
        before round 1 stands the chain's seed of 32 bytes).

    Returns
    -------
    bytes
        The 32 bytes that drand publishes as the round's randomness.

    Raises
    ------
    InputError
        An unknown chain, or a round that is not a number from 1 to 2^64 - 1.
    FormatError
        Bytes of another length, or that are not a point of the signature's group.
    ProofInvalid
        It is not this chain's signature of this round.
    """
    known = known_chain(chain)
    if not 1 <= round <= MAX_ROUND:
        raise InputError(f"drand: expected a round from 1 to 2^64 - 1, got {round}")
    previous, own = split(known, round, signature)
    message = hashlib.sha256(previous + round.to_bytes(8, "big")).digest()
    if not SCHEMES[known.scheme](known, message, own):
        raise ProofInvalid(
            f"drand: not the signature of round {round} of {chain}",
            hint="take round, chain and signature from one of drand's answers; the default chain's needs "
            "previous_signature as well",
        )
    return hashlib.sha256(own).digest()


def known_chain(name: str) -> Chain:
    """A chain by its name. InputError for another one."""
    if name not in CHAINS:
        raise InputError(f"drand: expected a chain of {', '.join(CHAINS)}, got {name!r}")
    return CHAINS[name]


def split(chain: Chain, round: int, signature: bytes) -> tuple[bytes, bytes]:
    """The previous signature (nothing, if unchained) and the round's own. FormatError for another length."""
    before = 0 if not chain.chained else len(chain.seed) if round == 1 else chain.signature_bytes
    expected = before + chain.signature_bytes
    if len(signature) != expected:
        parts = f"{before} of the previous signature and {chain.signature_bytes}" if before else "one signature"
        raise FormatError(
            f"drand: round {round} of {chain.beacon_id}: expected {expected} bytes ({parts}), got {len(signature)}"
        )
    return signature[:before], signature[before:]


def signature_of(answer: Mapping[str, object], chain: str) -> tuple[int, bytes]:
    """Round and signature, as ``randomness`` takes them, of drand's JSON (``/public/ROUND``).

    FormatError: a field is missing or of another kind.
    """
    fields = ("previous_signature", "signature") if known_chain(chain).chained else ("signature",)
    number = answer.get("round")
    if not isinstance(number, int) or isinstance(number, bool):
        raise FormatError(f"drand: expected round to be a number, got {number!r}")
    return number, b"".join(_hex(answer, field) for field in fields)


def _hex(answer: Mapping[str, object], field: str) -> bytes:
    value = answer.get(field)
    try:
        return bytes.fromhex(value if isinstance(value, str) else "?")
    except ValueError:
        raise FormatError(f"drand: expected {field} in hexadecimal digits, got {value!r:.80}") from None


# ------------------------------------------------------------------------------------------------ pairings (py_ecc)


def _on_g1(chain: Chain, message: bytes, signature: bytes) -> bool:
    """e(signature, g2) = e(hash(message), public key), the signature on G1."""
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.optimized_bls12_381.optimized_curve import G2

    hashed = hash_to_G1(message, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", SHA256)
    return _equal(G2, _point(signature), _point(chain.public_key), hashed)


def _on_g2(chain: Chain, message: bytes, signature: bytes) -> bool:
    """e(g1, signature) = e(public key, hash(message)), the signature on G2."""
    from py_ecc.bls.hash_to_curve import hash_to_G2
    from py_ecc.optimized_bls12_381.optimized_curve import G1

    hashed = hash_to_G2(message, b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", SHA256)
    return _equal(_point(signature), G1, hashed, _point(chain.public_key))


SCHEMES: Mapping[str, Callable[[Chain, bytes, bytes], bool]] = {
    "bls-unchained-g1-rfc9380": _on_g1,
    "pedersen-bls-chained": _on_g2,
}


def _equal(q: Any, p: Any, other_q: Any, other_p: Any) -> bool:
    """e(p, q) = e(p', q'), as one product with one final exponentiation."""
    from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
    from py_ecc.optimized_bls12_381.optimized_curve import neg
    from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

    product = pairing(q, p, final_exponentiate=False) * pairing(other_q, neg(other_p), final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def _point(data: bytes) -> Any:
    """A point other than infinity from its compressed form, in its subgroup. FormatError for anything else."""
    from py_ecc.bls.point_compression import decompress_G1, decompress_G2
    from py_ecc.optimized_bls12_381.optimized_curve import curve_order, is_inf, multiply

    words: list[Any] = [int.from_bytes(data[i : i + G1_BYTES], "big") for i in range(0, len(data), G1_BYTES)]
    group, compressed = f"G{len(words)}", cast(Any, tuple(words))
    try:
        point: Any = decompress_G1(words[0]) if len(words) == 1 else decompress_G2(compressed)
    except ValueError as error:
        raise FormatError(f"drand: the signature is not a point of {group}: {error}") from None
    if is_inf(point):
        raise FormatError("drand: the signature is the point at infinity")
    if not is_inf(multiply(point, curve_order)):
        raise FormatError(f"drand: the signature is not in the subgroup of order r of {group}")
    return point
