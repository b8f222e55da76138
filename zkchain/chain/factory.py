"""The same address on every chain: contracts made by the deterministic deployment proxy, with CREATE2.

    address = keccak256(0xff || factory || salt || keccak256(initcode))[12:]

The factory belongs to nobody, and stands at the address of a contract made by a transaction whose key nobody has (N.
Johnson's method), so that anyone can put it on a chain. Its calldata is salt || initcode. Sources: EIP-1014;
github.com/Arachnid/deterministic-deployment-proxy.
"""

from __future__ import annotations

from zkchain.bn254.encoding import WORD

FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
MAKER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
"""The account whose first transaction makes the factory."""
PRICE = 10**16
"""Wei that it needs."""
CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780358282"
    "34f58015156039578182fd5b8082525050506014600cf3"
)
MAKING = bytes.fromhex(
    f"f8a58085174876e800830186a08080b853604580600e600039806000f350fe{CODE.hex()}1ba0{'22' * 32}a0{'22' * 32}"
)
"""The transaction that makes it: legacy, for no chain in particular, 100 gwei; its signature is made up."""


def salted(initcode: bytes, salt: int) -> bytes:
    """The calldata with which the factory creates a contract."""
    return salt.to_bytes(WORD, "big") + initcode


def address(initcode: bytes, salt: int) -> str:
    """Where it then stands, with a checksum (EIP-55)."""
    from eth_utils.address import to_checksum_address
    from eth_utils.crypto import keccak

    seed = b"\xff" + bytes.fromhex(FACTORY[2:]) + salt.to_bytes(WORD, "big") + keccak(initcode)
    return to_checksum_address(keccak(seed)[12:])


def numbered(sender: str, nonce: int) -> str:
    """Where a contract stands that a transaction of this nonce creates: keccak256(rlp(sender, nonce))[12:]."""
    import rlp  # type: ignore[import-untyped, unused-ignore]
    from eth_utils.address import to_checksum_address
    from eth_utils.crypto import keccak

    return to_checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:])
