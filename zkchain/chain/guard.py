"""What is refused before money is spent on it."""

from __future__ import annotations

from collections.abc import Mapping

from zkchain.chain import gas
from zkchain.chain.connection import Terms
from zkchain.errors import ChainError, UnsafeKey
from zkchain.form import Form
from zkchain.groth16.types import VerifyingKey

MAINNETS: Mapping[int, str] = {
    1: "Ethereum",
    10: "OP Mainnet",
    25: "Cronos",
    30: "Rootstock",
    56: "BNB Smart Chain",
    61: "Ethereum Classic",
    100: "Gnosis",
    130: "Unichain",
    137: "Polygon",
    146: "Sonic",
    169: "Manta Pacific",
    196: "X Layer",
    204: "opBNB",
    250: "Fantom",
    252: "Fraxtal",
    288: "Boba",
    324: "zkSync Era",
    480: "World Chain",
    999: "HyperEVM",
    1088: "Metis",
    1101: "Polygon zkEVM",
    1135: "Lisk",
    1284: "Moonbeam",
    1285: "Moonriver",
    1329: "Sei",
    1868: "Soneium",
    2222: "Kava",
    5000: "Mantle",
    7777777: "Zora",
    8217: "Kaia",
    8453: "Base",
    34443: "Mode",
    42161: "Arbitrum One",
    42170: "Arbitrum Nova",
    42220: "Celo",
    43114: "Avalanche",
    57073: "Ink",
    59144: "Linea",
    80094: "Berachain",
    81457: "Blast",
    167000: "Taiko",
    534352: "Scroll",
}
"""Chains of real value by their ids (chainlist.org)."""


def require_safe(vk: VerifyingKey, chain_id: int, terms: Terms) -> None:
    """UnsafeKey where a key whose maker can forge proofs would guard real money, unless the terms allow it."""
    name = MAINNETS.get(chain_id)
    if vk.development and name is not None and not terms.development:
        raise UnsafeKey(
            f"chain {chain_id} is {name}, and the key is a DEVELOPMENT key: its maker can forge proofs",
            hint="use a test network; allow_development_key=True, --allow-development-key if nothing of value depends "
            "on the contract",
        )


def require_usable(vk: VerifyingKey, terms: Terms, form: Form = Form.EMBEDDED) -> None:
    """ChainError where no transaction could verify a proof: it would take more gas than one may have (EIP-7825)."""
    # no calldata costs less than zeros
    estimate = gas.verification(vk, data=bytes(len(gas.cheapest(vk, form=form))), form=form)
    if estimate.over_cap and terms.gas_limit is None:
        raise ChainError(
            f"verifying a proof takes at least {estimate.total:,} gas, a transaction may have {estimate.fork.cap:,} "
            "(EIP-7825): nobody could use the contract",
            hint='have fewer public inputs, or pack them (system="cg16", --system cg16). Where the chain has no such '
            "bound, say what gas a transaction may have (gas_limit=, --gas-limit)",
        )
