"""Estimate what a transaction costs, part by part, before any is sent.

    total = max(intrinsic + calldata + creation + state + precompiles + overhead, floor)

Intrinsic gas, calldata, creation, state, precompiles and the floor are exact, at the prices of ``prices.SOURCES``. The
overhead is memory and hashing, exact too, and the steps around them (dispatch, loops, calls): ``STEPS``, measured on
what the pinned compiler makes, which differs from one number of inputs to the next by up to ``TOLERANCE`` gas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from zkchain.bn254.encoding import WORD
from zkchain.chain.gas.foreseen import Verifies, dearest, placing
from zkchain.chain.gas.prices import DEFAULT_FORK, Fork, fork_named
from zkchain.chain.gas.steps import STEPS, TOLERANCE, memory, words
from zkchain.form import Form
from zkchain.groth16.transcript import BATCH_LABEL
from zkchain.r1cs import System
from zkchain.solidity import Artifact
from zkchain.solidity.render import MAX_INLINE_INPUTS, POINTS_PER_DATA_CONTRACT, data_initcode

NONZERO_TOKENS = 4
"""A calldata byte counts as one token if it is zero, else as four: 4 and 16 gas."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``money`` is in the currency in which the price of an ether was given."""

    wei: int
    ether: Decimal
    money: Decimal | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Gas of one transaction by what it is spent on; ``creation`` and ``state`` (EIP-8037) are 0 unless it deploys a
    contract. ``at_most``: not everything about it is known, and it will not use more."""

    what: str
    fork: Fork
    intrinsic: int
    calldata: int
    floor: int
    creation: int = 0
    state: int = 0
    pairing: int = 0
    ec_mul: int = 0
    ec_add: int = 0
    overhead: int = 0
    at_most: bool = False

    @property
    def execution(self) -> int:
        """Gas that the contract itself uses."""
        return self.pairing + self.ec_mul + self.ec_add + self.overhead

    @property
    def total(self) -> int:
        """Gas that the sender pays for."""
        return max(self.intrinsic + self.calldata + self.creation + self.state + self.execution, self.floor)

    @property
    def capped(self) -> int:
        """Gas that counts against the cap of a transaction: all but state."""
        return max(self.intrinsic + self.calldata + self.creation + self.execution, self.floor)

    @property
    def over_cap(self) -> bool:
        """True when the fork refuses so large a transaction."""
        return self.fork.cap is not None and self.capped > self.fork.cap

    def parts(self) -> dict[str, int]:
        """The summands of ``total`` by name, without those that are zero."""
        names = ("intrinsic", "calldata", "creation", "state", "pairing", "ec_mul", "ec_add", "overhead")
        parts: dict[str, int] = {name: getattr(self, name) for name in names}
        parts["calldata floor"] = self.total - sum(parts.values())
        return {name: value for name, value in parts.items() if value}

    def measured(self, gas_used: int) -> Estimate:
        """Split the gas of a mined transaction likewise: what the exact parts do not explain is overhead."""
        if gas_used <= self.floor:
            return self
        exact = self.intrinsic + self.calldata + self.creation + self.state + self.execution - self.overhead
        return replace(self, overhead=gas_used - exact, at_most=False)

    def bounding(self) -> Estimate:
        """The same with room for what the steps' measurements may be off by."""
        return replace(self, overhead=self.overhead + TOLERANCE, at_most=True)

    def cost(self, gas_price: int, ether_price: Decimal | None = None) -> Cost:
        """The cost in money, at ``gas_price`` wei per gas and ``ether_price`` (in any currency) per ether."""
        wei = self.total * gas_price
        ether = Decimal(wei) / 10**18
        return Cost(wei, ether, None if ether_price is None else ether * ether_price)


def enough(vk: Verifies) -> dict[str, int]:
    """Gas with which a call of a verifier checks a valid proof: of its "own" (a clone), or the
    "shared" one. More than it uses: every call within it is given 63/64 of what is left (EIP-150)."""
    bound, forms = vk.system is System.CG16, {"own": Form.CLONE, "shared": Form.SHARED}
    used = {name: verification(vk, bound=bound, form=form).execution for name, form in forms.items()}
    return {name: gas * 17 // 16 + 15_000 for name, gas in used.items()}


def verification(
    vk: Verifies,
    *,
    data: bytes | None = None,
    bound: bool = False,
    batch_contract: bool = False,
    fork: str = DEFAULT_FORK,
    form: Form = Form.EMBEDDED,
) -> Estimate:
    """One proof, verified in a transaction.

    ``data`` is the calldata (``solidity.calldata``, or ``calldata.dearest`` of one that does not exist yet); without it
    every byte is taken as nonzero, the most it can cost.
    ``batch_contract``: the contract was rendered with ``batch``; ``form``: how it comes by the key. ChainError: an
    unknown fork.
    """
    prices = fork_named(fork)
    data = data if data is not None else dearest(vk, bound=bound, form=form)
    overhead = _single_overhead(vk, bound, batch_contract, prices, form)
    inputs = _input_terms(vk)
    return Estimate(
        what="verification",
        **_transaction(prices, prices.call, data),
        pairing=prices.pairing + _pairs(vk) * prices.pairing_term,
        ec_mul=inputs * prices.ec_mul,
        ec_add=inputs * prices.ec_add,
        overhead=overhead,
    )


def batch(
    vk: Verifies,
    proofs: int,
    *,
    data: bytes | None = None,
    bound: bool = False,
    fork: str = DEFAULT_FORK,
    form: Form = Form.EMBEDDED,
) -> Estimate:
    """``proofs`` proofs verified in one transaction. Arguments and errors as ``verification``."""
    prices = fork_named(fork)
    data = data if data is not None else dearest(vk, proofs, bound=bound, form=form)
    sums, inputs = (2 if vk.system is System.CG16 else 1), _input_terms(vk)
    return Estimate(
        what=f"batch of {proofs}",
        **_transaction(prices, prices.call, data),
        pairing=prices.pairing + (_pairs(vk) - 1 + proofs) * prices.pairing_term,
        # rho A, rho C (rho D) of every proof but the first, whose rho is 1; alpha and IC_0 times the sum of rho
        ec_mul=((1 + sums) * (proofs - 1) + 2 + inputs) * prices.ec_mul,
        ec_add=(sums * proofs + inputs) * prices.ec_add,
        overhead=_batch_overhead(vk, proofs, bound, prices, form),
    )


def deployment(artifact: Artifact, *, fork: str = DEFAULT_FORK, factory: bool = False) -> tuple[Estimate, ...]:
    """The transactions that deploy a contract: its data contracts, then itself.

    Parameters
    ----------
    artifact
        A compiled contract, a clone, or the ``outline`` of one.
    fork
        Whose prices.
    factory
        Each is a call of the CREATE2 factory at 0x4e59b44847b379578588920cA78FbF26c0B4956C, whose calldata is a salt of
        zeros and the initcode; else it creates the contract itself.

    Raises
    ------
    ChainError
        An unknown fork.
    """
    prices, create = fork_named(fork), _salted if factory else _creation
    data = tuple(
        create("data contract", prices, data_initcode(code), len(code), DATA_STEPS + _copy(code))
        for code in artifact.data
    )
    arguments = (bytes(12) + b"\x01" * 20) * len(artifact.data)
    clone = artifact.bytecode == data_initcode(artifact.runtime)
    steps = DATA_STEPS + _copy(artifact.runtime) if clone else CREATION_STEPS + _copy(artifact.runtime, at=4)
    if artifact.data:
        steps += DATA_CONSTRUCTOR_STEPS + len(artifact.data) * (DATA_CHECK_STEPS + prices.cold_account)
    contract = create(artifact.name, prices, artifact.bytecode + arguments, len(artifact.runtime), steps)
    return (*data, contract)


CREATION_STEPS = 45
DATA_STEPS = 16
DATA_CHECK_STEPS = 220
DATA_CONSTRUCTOR_STEPS = 300
FACTORY_STEPS = 81
FIRST_INPUTS = 4
"""Public inputs of plain Groth16 whose points a clone reads at once; a second copy reads the others."""
SECOND_COPY = 123


def tokens(data: bytes) -> int:
    """Calldata in units of one zero byte."""
    zeros = data.count(0)
    return zeros + NONZERO_TOKENS * (len(data) - zeros)


def _kind(vk: Verifies, bound: bool) -> str:
    """Choose the measurement that applies."""
    if vk.system is System.CG16:
        return "bound" if bound else "unbound"
    return placing(vk)


def _pairs(vk: Verifies) -> int:
    return 5 if vk.system is System.CG16 else 4


def _input_terms(vk: Verifies) -> int:
    """Points that the public inputs are multiplied with: IC_1 .. IC_L, or those of the challenge and the polynomial."""
    return 2 if vk.system is System.CG16 else vk.instance_length


def _single_overhead(vk: Verifies, bound: bool, batch_contract: bool, prices: Fork, form: Form) -> int:
    inputs = vk.instance_length
    if form is Form.EMBEDDED:
        steps = STEPS[vk.system, _kind(vk, bound) + (", batch" if batch_contract else "")].at(inputs)
        return steps + memory(_single_words(vk, batch_contract)) + _data_access(vk, prices)
    # the key, and over it the pairing; of cg16 behind that the challenge's transcript
    touched = 38 + inputs if vk.system is System.CG16 else max(31, 28 + 2 * inputs)
    below = prices.cold_account + prices.code_read if form is Form.CLONE else 0
    if form is Form.CLONE and vk.system is System.GROTH16 and inputs > FIRST_INPUTS:
        below += SECOND_COPY + prices.code_read
    return STEPS[vk.system, form + (", bound" if bound else "")].at(inputs) + memory(touched) + below


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
    return chunks * (prices.cold_account + prices.code_read) + 3 * 2 * vk.instance_length


def _batch_overhead(vk: Verifies, n: int, bound: bool, prices: Fork, form: Form) -> int:
    # each weight hashes the label, three words, and nine words per proof
    hashing = (n - 1) * 6 * words(len(BATCH_LABEL[vk.system]) + WORD * (3 + 9 * n))
    inputs, cg16 = vk.instance_length, vk.system is System.CG16
    if form is not Form.EMBEDDED:
        touched = 15 * n + (71 + 2 * inputs if cg16 else 52 + 5 * inputs)
        steps = STEPS[vk.system, f"{form}, verifyBatch" + (", bound" if bound else "")].at(inputs, n)
        return steps + hashing + memory(touched)
    own = 11 * n + 8 + max(24 + 6 * n, 6 + inputs)
    touched = own if cg16 else 15 * n + 26 + inputs + _point_words(vk)
    steps = STEPS[vk.system, f"verifyBatch, {_kind(vk, bound)}"].at(inputs, n)
    return steps + hashing + memory(touched) + _data_access(vk, prices)


def _transaction(prices: Fork, base: int, data: bytes) -> dict[str, Any]:
    """Compute what every transaction pays: its base, its calldata, and the least for calldata, execution included."""
    zeros = data.count(0)
    least = zeros * prices.floor_zero + (len(data) - zeros) * prices.floor_nonzero
    return {"fork": prices, "intrinsic": base, "calldata": tokens(data) * prices.token, "floor": base + least}


def _copy(code: bytes, *, at: int = 0) -> int:
    """An initcode's CODECOPY of the code to memory, from word ``at`` on."""
    return 3 * words(len(code)) + memory(words(len(code)) + at)


def _creation(what: str, prices: Fork, initcode: bytes, code_bytes: int, overhead: int) -> Estimate:
    """A transaction that creates a contract: initcode is calldata, its words and the code it leaves are paid for."""
    paid = _transaction(prices, prices.create, initcode)
    return _created(what, prices, initcode, code_bytes, paid, prices.creation, overhead)


def _salted(what: str, prices: Fork, initcode: bytes, code_bytes: int, overhead: int) -> Estimate:
    """A transaction that has the factory create it: CREATE2 hashes the initcode, which the factory copies first."""
    paid = _transaction(prices, prices.call, bytes(WORD) + initcode)
    hashed = prices.create2 + 6 * words(len(initcode))
    return _created(what, prices, initcode, code_bytes, paid, hashed, overhead + FACTORY_STEPS + _copy(initcode))


def _created(
    what: str, prices: Fork, initcode: bytes, code_bytes: int, paid: dict[str, Any], creation: int, overhead: int
) -> Estimate:
    creation += prices.initcode_word * words(len(initcode))
    creation += prices.code_byte * code_bytes + prices.code_word * words(code_bytes)
    state = prices.state_byte * (prices.account_bytes + prices.code_bytes * code_bytes)
    return Estimate(what=what, **paid, creation=creation, state=state, overhead=overhead)
