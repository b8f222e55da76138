"""Gas in money: at given prices, or at those that a node says; on a rollup with what it charges beside gas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from zkchain.chain import gas
from zkchain.chain.gas import rollups
from zkchain.chain.gas.fees import GasPrice, given
from zkchain.errors import ChainError
from zkchain.reports import CostReport, RollupReport
from zkchain.solidity import Artifact
from zkchain.solidity.render import data_initcode

if TYPE_CHECKING:
    from zkchain.chain import Chain
    from zkchain.chain.gas.rollups import Rollup

Costs = tuple[tuple[CostReport, ...], str | None, RollupReport | None]


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of gas in gwei: ``gas_price``, and for a ``rollup`` those of data on L1. What is None is asked of the node
    at ``rpc``, or left out. ``ether_price``: of an ether, in ``currency``."""

    gas_price: float | None = None
    ether_price: float | None = None
    currency: str | None = None
    rpc: str | None = None
    rollup: str | None = None
    l1_gas_price: float | None = None
    blob_gas_price: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The transactions of a deployment, then that of a verification: initcode, calldata and gas."""

    initcodes: tuple[bytes, ...]
    calldata: bytes
    deployment_gas: tuple[int, ...]
    verification_gas: int


@dataclass(frozen=True, slots=True)
class Charged:
    """Wei that a rollup charges beside gas; ``operator``: part of the verification's."""

    deployment: int = 0
    verification: int = 0
    operator: int = 0
    source: str = ""


def costs(
    prices: Prices, artifact: Artifact, deployment: Sequence[gas.Estimate], calldata: bytes, verification_gas: int
) -> Costs:
    """Costs at every price of gas that is known, the currency, and what a rollup charges.

    Raises
    ------
    ChainError
        An unknown rollup, or one that charges for data whose price is not known.
    NodeUnreachable
        No answer from the node.
    """
    codes = (*map(data_initcode, artifact.data), artifact.bytecode + bytes(32 * len(artifact.data)))
    codes = codes if deployment else ()
    sent = Sent(codes, calldata, tuple(estimate.total for estimate in deployment), verification_gas)
    rollup = None if prices.rollup is None else rollups.rollup_named(prices.rollup)  # before a node is asked
    chain = None if prices.rpc is None else _reading(prices.rpc)
    charged = Charged() if rollup is None else _charged(prices, chain, rollup, sent)
    found = tuple(_cost(price, sent, charged, prices.ether_price) for price in _gas_prices(prices, chain))
    currency = None if prices.ether_price is None else prices.currency or "money"
    return found, currency, None if rollup is None else _rollup_report(rollup, charged, calldata)


def _reading(rpc: str) -> Chain:
    from zkchain.chain.gas.online import reading

    return reading(rpc)


def _gas_prices(prices: Prices, chain: Chain | None) -> tuple[GasPrice, ...]:
    if prices.gas_price is not None:
        return (given(prices.gas_price),)
    if chain is None:
        return ()
    from zkchain.chain.gas.online import present_fees

    return present_fees(chain).prices


def _cost(price: GasPrice, sent: Sent, charged: Charged, ether_price: float | None) -> CostReport:
    deployment = price.ether(sum(sent.deployment_gas), charged.deployment)
    verification = price.ether(sent.verification_gas, charged.verification)
    of_ether = None if ether_price is None else Decimal(str(ether_price))
    money = [None if of_ether is None else f"{ether * of_ether:.4f}" for ether in (deployment, verification)]
    gwei = Decimal(price.wei) / 10**9
    return CostReport(price.name, _shown(gwei), _shown(deployment), _shown(verification), *money)


def _shown(value: Decimal) -> str:
    """Without zeros at the end, and without an exponent."""
    return f"{value.normalize():f}"


def _rollup_report(rollup: Rollup, charged: Charged, calldata: bytes) -> RollupReport:
    published = rollups.envelope(calldata)
    size = rollups.brotli_length(published) if rollup.kind == "arbitrum" else rollups.fjord_size(published) // 10**6
    wei = (charged.deployment, charged.verification - charged.operator, charged.operator)
    deployment, verification, operator = (_shown(Decimal(x) / 10**18) for x in wei)
    return RollupReport(rollup.name, charged.source, deployment, verification, operator, size)


def _charged(prices: Prices, chain: Chain | None, rollup: Rollup, sent: Sent) -> Charged:
    """What the rollup charges for the bytes of each transaction, and for the operator."""
    if rollup.kind == "arbitrum":
        return _on_arbitrum(prices, chain, sent)
    known, source = _op_prices(prices, chain, rollup)
    operator = known.operator_fee(sent.verification_gas)
    deploying = sum(known.data_fee(rollups.envelope(code, creates=True)) for code in sent.initcodes)
    deploying += sum(map(known.operator_fee, sent.deployment_gas))
    return Charged(deploying, known.data_fee(rollups.envelope(sent.calldata)) + operator, operator, source)


def _on_arbitrum(prices: Prices, chain: Chain | None, sent: Sent) -> Charged:
    if prices.l1_gas_price is not None:
        unit = given(prices.l1_gas_price).wei
        envelopes = [rollups.envelope(code, creates=True) for code in sent.initcodes]
        deploying = sum(unit * rollups.arbitrum_units(one) for one in envelopes)
        verifying = unit * rollups.arbitrum_units(rollups.envelope(sent.calldata))
        return Charged(deploying, verifying, source="the given price of L1 data")
    if chain is None:
        raise _no_prices("arbitrum")
    from zkchain.chain.gas.online import arbitrum_fee

    deploying = sum(arbitrum_fee(chain, code, creates=True) for code in sent.initcodes)
    return Charged(deploying, arbitrum_fee(chain, sent.calldata), source=chain.where)


def _op_prices(prices: Prices, chain: Chain | None, rollup: Rollup) -> tuple[rollups.OpPrices, str]:
    if prices.l1_gas_price is not None and rollup.scalars is not None:
        l1, blob = (given(price or 0).wei for price in (prices.l1_gas_price, prices.blob_gas_price))
        return rollups.OpPrices(l1, blob, *rollup.scalars), "the given prices of L1, factors as at Fjord"
    if chain is None:
        raise _no_prices(rollup.name)
    from zkchain.chain.gas.online import op_prices

    return op_prices(chain), chain.where


def _no_prices(name: str) -> ChainError:
    return ChainError(
        f"{name} charges for data on L1, whose price is not known here",
        hint="give its node (rpc=, --rpc); for optimism, base and arbitrum the prices do "
        "(l1_gas_price=, --l1-gas-price; blob_gas_price=, --blob-gas-price)",
    )
