"""Estimate what a transaction costs, part by part, before any is sent.

    total = max(intrinsic + calldata + creation + precompiles + overhead, floor)

Intrinsic gas, calldata, creation, precompiles and the floor of EIP-7623 are exact. The overhead is memory and hashing,
exact too, and the steps around them (dispatch, loops, calls): ``STEPS``, measured on what the pinned compiler makes,
which differs from one number of inputs to the next by up to ``TOLERANCE`` gas. Sources: Yellow Paper, appendix G;
EIP-1108 (precompiles), 2028 (calldata), 2929 (cold accounts), 3860 (initcode), 7623 (floor), 7825 (cap).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from zkchain.bn254.encoding import WORD
from zkchain.errors import ChainError
from zkchain.groth16.encoding import PROOF_BYTES
from zkchain.groth16.transcript import BATCH_LABEL
from zkchain.r1cs import System
from zkchain.solidity import Artifact
from zkchain.solidity.render import MAX_INLINE_INPUTS, POINTS_PER_DATA_CONTRACT, data_initcode


@dataclass(frozen=True, slots=True)
class Fork:
    """Prices of a hard fork, in gas. ``floor_token`` is 0 before EIP-7623, ``cap`` None before EIP-7825."""

    name: str
    floor_token: int
    cap: int | None
    transaction: int = 21_000
    creation: int = 32_000
    token: int = 4
    initcode_word: int = 2
    code_byte: int = 200
    cold_account: int = 2_600
    ec_add: int = 150
    ec_mul: int = 6_000
    pairing: int = 45_000
    pairing_term: int = 34_000


FORKS: Mapping[str, Fork] = {
    "cancun": Fork("cancun", floor_token=0, cap=None),
    "prague": Fork("prague", floor_token=10, cap=None),
    "osaka": Fork("osaka", floor_token=10, cap=1 << 24),
}
DEFAULT_FORK = "osaka"
NONZERO_TOKENS = 4
"""A calldata byte counts as one token if it is zero, else as four: 4 and 16 gas."""


class Verifies(Protocol):
    """The facts that gas depends on: a VerifyingKey, or the Shape of one that does not exist yet."""

    @property
    def system(self) -> System: ...
    @property
    def instance_length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """Proof system and number of public inputs of a key."""

    system: System
    instance_length: int


@dataclass(frozen=True, slots=True)
class Cost:
    """``money`` is in the currency in which the price of an ether was given."""

    wei: int
    ether: Decimal
    money: Decimal | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Gas of one transaction by what it is spent on; ``creation`` is 0 unless it deploys a contract."""

    what: str
    fork: Fork
    intrinsic: int
    calldata: int
    floor: int
    creation: int = 0
    pairing: int = 0
    ec_mul: int = 0
    ec_add: int = 0
    overhead: int = 0

    @property
    def execution(self) -> int:
        """Gas that the contract itself uses."""
        return self.pairing + self.ec_mul + self.ec_add + self.overhead

    @property
    def total(self) -> int:
        """Gas that the sender pays for."""
        return max(self.intrinsic + self.calldata + self.creation + self.execution, self.floor)

    @property
    def over_cap(self) -> bool:
        """True when the fork refuses so large a transaction."""
        return self.fork.cap is not None and self.total > self.fork.cap

    def parts(self) -> dict[str, int]:
        """The summands of ``total`` by name, without those that are zero."""
        names = ("intrinsic", "calldata", "creation", "pairing", "ec_mul", "ec_add", "overhead")
        parts: dict[str, int] = {name: getattr(self, name) for name in names}
        parts["calldata floor"] = self.total - sum(parts.values())
        return {name: value for name, value in parts.items() if value}

    def measured(self, gas_used: int) -> Estimate:
        """Split the gas of a mined transaction likewise: what the exact parts do not explain is overhead."""
        if gas_used <= self.floor:
            return self
        exact = self.intrinsic + self.calldata + self.creation + self.execution - self.overhead
        return replace(self, overhead=gas_used - exact)

    def cost(self, gas_price: int, ether_price: Decimal | None = None) -> Cost:
        """The cost in money, at ``gas_price`` wei per gas and ``ether_price`` (in any currency) per ether."""
        wei = self.total * gas_price
        ether = Decimal(wei) / 10**18
        return Cost(wei, ether, None if ether_price is None else ether * ether_price)


def verification(
    vk: Verifies,
    *,
    data: bytes | None = None,
    bound: bool = False,
    batch_contract: bool = False,
    fork: str = DEFAULT_FORK,
) -> Estimate:
    """One proof, verified in a transaction.

    ``data`` is the calldata (``solidity.calldata``); without it every byte is taken as nonzero, the most it can cost.
    ``batch_contract``: the contract was rendered with ``batch``. ChainError: an unknown fork.
    """
    prices = fork_named(fork)
    data = data if data is not None else _worst_case(vk, bound)
    kind = _kind(vk, bound) + (", batch" if batch_contract else "")
    overhead = (
        STEPS[vk.system, kind].at(vk.instance_length)
        + memory(_single_words(vk, batch_contract))
        + _data_access(vk, prices)
    )
    inputs = _input_terms(vk)
    return Estimate(
        what="verification",
        **_transaction(prices, data),
        pairing=prices.pairing + _pairs(vk) * prices.pairing_term,
        ec_mul=inputs * prices.ec_mul,
        ec_add=inputs * prices.ec_add,
        overhead=overhead,
    )


def batch(
    vk: Verifies, proofs: int, *, data: bytes | None = None, bound: bool = False, fork: str = DEFAULT_FORK
) -> Estimate:
    """``proofs`` proofs verified in one transaction. Arguments and errors as ``verification``."""
    prices = fork_named(fork)
    data = data if data is not None else _worst_case(vk, bound, proofs)
    sums, inputs = (2 if vk.system is System.CG16 else 1), _input_terms(vk)
    return Estimate(
        what=f"batch of {proofs}",
        **_transaction(prices, data),
        pairing=prices.pairing + (_pairs(vk) - 1 + proofs) * prices.pairing_term,
        # rho A, rho C (rho D) of every proof but the first, whose rho is 1; alpha and IC_0 times the sum of rho
        ec_mul=((1 + sums) * (proofs - 1) + 2 + inputs) * prices.ec_mul,
        ec_add=(sums * proofs + inputs) * prices.ec_add,
        overhead=_batch_overhead(vk, proofs, bound, prices),
    )


def deployment(artifact: Artifact, *, fork: str = DEFAULT_FORK) -> tuple[Estimate, ...]:
    """The transactions that deploy a contract: its data contracts, then itself. ChainError: an unknown fork."""
    prices = fork_named(fork)
    data = tuple(
        _creation("data contract", prices, data_initcode(code), len(code), DATA_STEPS + _copy(code))
        for code in artifact.data
    )
    arguments = (bytes(12) + b"\x01" * 20) * len(artifact.data)
    steps = CREATION_STEPS + _copy(artifact.runtime, at=4)
    if artifact.data:
        steps += DATA_CONSTRUCTOR_STEPS + len(artifact.data) * (DATA_CHECK_STEPS + prices.cold_account)
    contract = _creation(artifact.name, prices, artifact.bytecode + arguments, len(artifact.runtime), steps)
    return (*data, contract)


def fork_named(name: str) -> Fork:
    """ChainError unless ``name`` is one of FORKS."""
    if name not in FORKS:
        raise ChainError(f"unknown fork {name!r}", hint=f"known: {', '.join(FORKS)}")
    return FORKS[name]


def memory(n_words: int) -> int:
    """Gas of the first ``n_words`` words of memory: 3 w + w^2 / 512."""
    return 3 * n_words + n_words * n_words // 512


def words(n_bytes: int) -> int:
    """Number of words that ``n_bytes`` bytes take."""
    return -(-n_bytes // WORD)


def tokens(data: bytes) -> int:
    """Calldata in units of one zero byte."""
    zeros = data.count(0)
    return zeros + NONZERO_TOKENS * (len(data) - zeros)


@dataclass(frozen=True, slots=True)
class Steps:
    """Gas around precompiles, memory and hashing: base + inputs L + n (proofs + proof_inputs L)."""

    base: int
    inputs: int
    proofs: int = 0
    proof_inputs: int = 0

    def at(self, instance_length: int, n: int = 0) -> int:
        return self.base + self.inputs * instance_length + n * (self.proofs + self.proof_inputs * instance_length)


# Measured with solc 0.8.37 (cancun, viaIR, 200 runs); tests/snapshots/gas.json pins what they are compared with.
STEPS: Mapping[tuple[System, str], Steps] = {
    (System.GROTH16, "one input"): Steps(1_065, 0),
    (System.GROTH16, "inline"): Steps(761, 444),
    (System.GROTH16, "data"): Steps(773, 414),
    (System.GROTH16, "one input, batch"): Steps(1_218, 0),
    (System.GROTH16, "inline, batch"): Steps(874, 519),
    (System.GROTH16, "data, batch"): Steps(893, 489),
    (System.GROTH16, "verifyBatch, one input"): Steps(1_422, 0, 1_321, 0),
    (System.GROTH16, "verifyBatch, inline"): Steps(1_043, 521, 1_167, 154),
    (System.GROTH16, "verifyBatch, data"): Steps(857, 491, 1_167, 154),
    (System.CG16, "unbound"): Steps(2_031, 138),
    (System.CG16, "bound"): Steps(2_123, 138),
    (System.CG16, "unbound, batch"): Steps(2_260, 179),
    (System.CG16, "bound, batch"): Steps(2_391, 174),
    (System.CG16, "verifyBatch, unbound"): Steps(1_790, 0, 2_160, 182),
    (System.CG16, "verifyBatch, bound"): Steps(1_965, 0, 2_316, 182),
}
TOLERANCE = 100
CREATION_STEPS = 45
DATA_STEPS = 16
DATA_CHECK_STEPS = 220
DATA_CONSTRUCTOR_STEPS = 300


def _kind(vk: Verifies, bound: bool) -> str:
    """Choose the measurement that applies."""
    if vk.system is System.CG16:
        return "bound" if bound else "unbound"
    if vk.instance_length == 1:
        return "one input"
    return "inline" if vk.instance_length <= MAX_INLINE_INPUTS else "data"


def _pairs(vk: Verifies) -> int:
    return 5 if vk.system is System.CG16 else 4


def _input_terms(vk: Verifies) -> int:
    """Points that the public inputs are multiplied with: IC_1 .. IC_L, or those of the challenge and the polynomial."""
    return 2 if vk.system is System.CG16 else vk.instance_length


def _single_words(vk: Verifies, batch_contract: bool) -> int:
    """Words of memory that one verification touches, as the templates lay them out."""
    if vk.system is System.CG16:
        return 40 + vk.instance_length
    return 28 + (vk.instance_length if batch_contract else 0) + _point_words(vk)


def _point_words(vk: Verifies) -> int:
    return 2 * vk.instance_length if vk.instance_length > 1 else 0


def _data_access(vk: Verifies, prices: Fork) -> int:
    """EXTCODECOPY of the data contracts: cold accounts, three gas per word."""
    if vk.system is System.CG16 or vk.instance_length <= MAX_INLINE_INPUTS:
        return 0
    chunks = -(-vk.instance_length // POINTS_PER_DATA_CONTRACT)
    return chunks * prices.cold_account + 3 * 2 * vk.instance_length


def _batch_overhead(vk: Verifies, n: int, bound: bool, prices: Fork) -> int:
    # each weight hashes the label, three words, and nine words per proof
    hashing = (n - 1) * 6 * words(len(BATCH_LABEL[vk.system]) + WORD * (3 + 9 * n))
    if vk.system is System.CG16:
        touched = 8 + 11 * n + max(24 + 6 * n, 6 + vk.instance_length)
    else:
        touched = 26 + 15 * n + vk.instance_length + _point_words(vk)
    steps = STEPS[vk.system, f"verifyBatch, {_kind(vk, bound)}"].at(vk.instance_length, n)
    return steps + hashing + memory(touched) + _data_access(vk, prices)


def _worst_case(vk: Verifies, bound: bool, proofs: int | None = None) -> bytes:
    """Calldata of the right length without zero bytes (but for the heads of a batch's arrays)."""
    record = b"\x01" * (PROOF_BYTES[vk.system] + WORD * vk.instance_length)
    binder = b"\x01" * WORD if bound else b""
    head = bytes(2 * WORD) * (2 if bound else 1) if proofs is not None else b""
    return b"\x01" * 4 + head + (record + binder) * (1 if proofs is None else proofs)


def _transaction(prices: Fork, data: bytes) -> dict[str, Any]:
    """Compute what every transaction pays: 21,000, its calldata, and EIP-7623's minimum."""
    n = tokens(data)
    return {
        "fork": prices,
        "intrinsic": prices.transaction,
        "calldata": n * prices.token,
        "floor": prices.transaction + n * prices.floor_token,
    }


def _copy(code: bytes, *, at: int = 0) -> int:
    """An initcode's CODECOPY of the code to memory, from word ``at`` on."""
    return 3 * words(len(code)) + memory(words(len(code)) + at)


def _creation(what: str, prices: Fork, initcode: bytes, code_bytes: int, overhead: int) -> Estimate:
    """A transaction that creates a contract: initcode is calldata, its words and the code it leaves are paid for."""
    creation = prices.creation + prices.initcode_word * words(len(initcode)) + prices.code_byte * code_bytes
    return Estimate(what=what, **_transaction(prices, initcode), creation=creation, overhead=overhead)
