"""Gas, before any is spent: prices of forks, estimates of transactions, what a fork would refuse, fees, rollups."""

from zkchain.chain.gas.estimates import (
    Cost,
    Estimate,
    batch,
    deployment,
    enough,
    tokens,
    verification,
)
from zkchain.chain.gas.foreseen import Shape, Verifies, cheapest, dearest, outline
from zkchain.chain.gas.prices import DEFAULT_FORK, FORKS, SOURCES, Fork, fork_named
from zkchain.chain.gas.steps import TOLERANCE, memory, words

__all__ = [
    "DEFAULT_FORK",
    "FORKS",
    "SOURCES",
    "TOLERANCE",
    "Cost",
    "Estimate",
    "Fork",
    "Shape",
    "Verifies",
    "batch",
    "cheapest",
    "dearest",
    "deployment",
    "enough",
    "fork_named",
    "memory",
    "outline",
    "tokens",
    "verification",
    "words",
]
