"""What a unit of gas costs: from what the last blocks' transactions paid (eth_feeHistory), or as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median_low
from typing import Any

from zkchain.chain.fees import BLOCKS as BLOCKS
from zkchain.chain.fees import wei
from zkchain.errors import ChainError

LEVELS: Mapping[str, int] = {"low": 10, "medium": 50, "high": 90}
"""Name -> percentile, within a block, of the rewards (the fee above the base fee) that its transactions paid."""


@dataclass(frozen=True, slots=True)
class GasPrice:
    """Wei per gas, under a name."""

    name: str
    wei: int

    def ether(self, gas: int, more: int = 0) -> Decimal:
        """The cost of this much gas, and ``more`` wei, in ether."""
        return Decimal(gas * self.wei + more) / 10**18


@dataclass(frozen=True, slots=True)
class Fees:
    """``base``: the next block's base fee, which every transaction in it pays (EIP-1559)."""

    base: int
    prices: tuple[GasPrice, ...]


def given(gwei: float) -> GasPrice:
    """The price that somebody named, in gwei."""
    return GasPrice("given", wei(gwei))


def from_history(history: Mapping[str, Any]) -> Fees:
    """Low, medium and high prices for the next block.

    price = base fee of the next block + median, over the blocks that had transactions, of the percentile of rewards

    Parameters
    ----------
    history
        The answer to eth_feeHistory(BLOCKS, "latest", the percentiles of LEVELS), in integers.

    Raises
    ------
    ChainError
        It says nothing of base fees, or not of as many blocks as of rewards.
    """
    fields = ("baseFeePerGas", "reward", "gasUsedRatio")
    bases, rewards, full = (list(history.get(name) or ()) for name in fields)
    if not rewards or len(bases) != len(rewards) + 1 or len(full) != len(rewards):
        raise ChainError(
            "eth_feeHistory: expected the base fees of some blocks and of the next one, with their rewards",
            hint="give the price of gas yourself (gas_price=, --gas-price)",
        )
    if any(len(row) != len(LEVELS) for row in rewards):
        raise ChainError(f"eth_feeHistory: expected {len(LEVELS)} rewards for every block")
    used = [row for row, ratio in zip(rewards, full, strict=True) if ratio > 0]
    tips = [_median([row[k] for row in used]) for k in range(len(LEVELS))]
    base = int(bases[-1])
    return Fees(base, tuple(GasPrice(name, base + tip) for name, tip in zip(LEVELS, tips, strict=True)))


def _median(values: Sequence[int]) -> int:
    """0 where no block had a transaction."""
    return int(median_low(values)) if values else 0
