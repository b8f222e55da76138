"""What a transaction may cost, and who may say so: a node is not trusted with money.

A sender pays gas_used * min(max_fee, base_fee + tip). The chain itself sets the base fee; the tip is the node's word,
and so is held against what transactions of the last blocks paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from zkchain.chain.answers import NO_NODE
from zkchain.errors import ChainError

GWEI = 10**9
MOST = 500 * GWEI
"""The largest fee per gas that is paid unasked, in wei."""
TIPS = 3
"""The largest tip that is paid unasked, in medians of what was paid of late."""
ORDINARY = 3 * GWEI
"""The largest tip where blocks of late tell nothing: development chains have none."""
BLOCKS = 20
RAISE = (9, 8)
"""Nodes replace a transaction by one that pays at least a tenth more, in both fees."""
LIFT = "say what it may cost: max_fee=, --max-fee GWEI, and tip=, --tip GWEI"


@dataclass(frozen=True, slots=True)
class Offers:
    """What a node says of prices, in wei per gas: ``base_fee`` None on chains without EIP-1559; ``rewards``: the median
    tip of each of the last blocks; ``tip`` and ``price``: what it advises."""

    base_fee: int | None
    rewards: tuple[int, ...]
    tip: int
    price: int


def wei(gwei: float) -> int:
    """A price in gwei, as people say it, in wei."""
    return int(Decimal(str(gwei)) * GWEI)


def offers(eth: Any) -> Offers:
    """Ask the node."""
    latest = eth.get_block("latest")
    if latest["hash"] is None:  # what is no block must not pass for one of a chain without base fees
        raise ChainError("eth_getBlockByNumber: the latest block has no hash", hint=NO_NODE)
    base = latest.get("baseFeePerGas")
    if base is None:
        return Offers(None, (), 0, int(eth.gas_price))
    history = eth.fee_history(BLOCKS, "latest", [50.0])
    rewards = tuple(int(reward[0]) for reward in history["reward"] or ())
    return Offers(int(base), rewards, int(eth.max_priority_fee), int(base))


def chosen(offer: Offers, *, max_fee: int | None = None, tip: int | None = None) -> dict[str, int]:
    """The fees of a transaction, by their names in it: at most twice the base fee and a tip (EIP-1559), or one price.

    ChainError where the node asks for more than is paid unasked; ``max_fee`` and ``tip``, in wei, are the user's word.
    """
    if offer.base_fee is None:
        return {"gasPrice": _capped(offer.price if max_fee is None else min(offer.price, max_fee), max_fee)}
    paid = _tip(offer) if tip is None else tip
    most = _capped(2 * offer.base_fee + paid, max_fee) if max_fee is None else max_fee
    if most < offer.base_fee:
        raise ChainError(
            f"gas costs {_gwei(offer.base_fee)} now, the fee may be {_gwei(most)} at most", hint=f"wait, or {LIFT}"
        )
    return {"maxPriorityFeePerGas": min(paid, most), "maxFeePerGas": most}


def raised(
    fees: Mapping[str, int], offer: Offers, *, max_fee: int | None = None, tip: int | None = None
) -> dict[str, int]:
    """Fees with which a transaction takes another's place: an eighth more at least, or what is paid today."""
    above, below = RAISE
    least = {name: fee * above // below + 1 for name, fee in fees.items()}
    today = chosen(offer, max_fee=max_fee, tip=tip)
    fees = {name: max(fee, today.get(name, 0)) for name, fee in least.items()}
    dearest = max(fees.values())
    if max_fee is not None and dearest > max_fee:
        raise ChainError(
            f"a transaction that takes the other's place has to offer {_gwei(dearest)}, {_gwei(max_fee)} is allowed",
            hint=LIFT,
        )
    _capped(dearest, max_fee)
    return fees


def _tip(offer: Offers) -> int:
    """What the node advises, unless that is far above what others pay."""
    usual = int(median(offer.rewards)) if offer.rewards else 0
    most = TIPS * usual if usual else ORDINARY
    if offer.tip > max(most, GWEI):
        raise ChainError(
            f"the node advises a tip of {_gwei(offer.tip)}, the last {len(offer.rewards)} blocks paid {_gwei(usual)}",
            hint=LIFT,
        )
    return offer.tip


def _capped(fee: int, max_fee: int | None) -> int:
    if max_fee is None and fee > MOST:
        raise ChainError(f"gas would cost up to {_gwei(fee)}, paid unasked is {_gwei(MOST)} at most", hint=LIFT)
    return fee


def _gwei(wei: int) -> str:
    return f"{wei / GWEI:,.9g} gwei"
