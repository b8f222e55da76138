"""What a node says of present prices. Nothing is sent, and no account is needed."""

from __future__ import annotations

from typing import Any

from zkchain.bn254.encoding import WORD, word
from zkchain.chain.connection import Chain, connect, node_errors
from zkchain.chain.gas import fees
from zkchain.chain.gas.rollups import OpPrices
from zkchain.errors import ChainError, TransactionReverted
from zkchain.solidity.calldata import selector

ORACLE = "0x420000000000000000000000000000000000000F"
"""GasPriceOracle, a predeploy of the OP stack."""
L1_BLOCK = "0x4200000000000000000000000000000000000015"
"""L1Block, another one."""
NODE_INTERFACE = "0x00000000000000000000000000000000000000C8"
"""Arbitrum's NodeInterface: calls to it are answered by the node itself."""
ITS_NODE = "give the node of that rollup (rpc=, --rpc)"


def reading(rpc: str) -> Chain:
    """Connect in order to read. NodeUnreachable, ChainError as ``connect``."""
    return connect(rpc, reading=True)


def present_fees(chain: Chain) -> fees.Fees:
    """Prices of gas for the next block (``fees.from_history``). NodeUnreachable, ChainError."""
    with node_errors(chain.where):
        history: Any = chain.web3.eth.fee_history(fees.BLOCKS, "latest", list(fees.LEVELS.values()))
    return fees.from_history(history)


def op_prices(chain: Chain) -> OpPrices:
    """What an OP stack chain charges at present. ChainError where it is none, or older than Ecotone."""
    names = ("l1BaseFee", "blobBaseFee", "baseFeeScalar", "blobBaseFeeScalar")
    found = [_number(chain, ORACLE, name) for name in names]
    if any(value is None for value in found):
        raise ChainError(
            f"{chain.where} has no GasPriceOracle of the OP stack (Ecotone or later)",
            hint=ITS_NODE,
        )
    l1_base_fee, blob_base_fee, base_scalar, blob_scalar = (value or 0 for value in found)
    fjord, jovian = (bool(_number(chain, ORACLE, name)) for name in ("isFjord", "isJovian"))
    return OpPrices(
        l1_base_fee,
        blob_base_fee,
        base_scalar,
        blob_scalar,
        operator_scalar=_number(chain, L1_BLOCK, "operatorFeeScalar") or 0,
        operator_constant=_number(chain, L1_BLOCK, "operatorFeeConstant") or 0,
        rules="jovian" if jovian else "fjord" if fjord else "ecotone",
    )


def arbitrum_fee(chain: Chain, data: bytes, *, creates: bool = False) -> int:
    """Wei for publishing a transaction, as Arbitrum's own node estimates it: gas for L1 times the base fee."""
    arguments = word(0) + word(int(creates)) + word(3 * WORD) + word(len(data)) + data + bytes(-len(data) % WORD)
    answer = _call(chain, NODE_INTERFACE, selector("gasEstimateL1Component(address,bool,bytes)") + arguments)
    if answer is None or len(answer) != 3 * WORD:
        raise ChainError(f"{chain.where} has no NodeInterface of Arbitrum", hint=ITS_NODE)
    gas, base_fee = (int.from_bytes(answer[k : k + WORD], "big") for k in (0, WORD))
    return gas * base_fee


def _number(chain: Chain, place: str, name: str) -> int | None:
    """The number that ``name()`` returns; None where there is no such function."""
    answer = _call(chain, place, selector(f"{name}()"))
    return None if answer is None or len(answer) != WORD else int.from_bytes(answer, "big")


def _call(chain: Chain, place: str, data: bytes) -> bytes | None:
    request: Any = {"to": chain.web3.to_checksum_address(place), "data": "0x" + data.hex()}
    try:
        with node_errors(chain.where):
            return bytes(chain.web3.eth.call(request))
    except TransactionReverted:
        return None
