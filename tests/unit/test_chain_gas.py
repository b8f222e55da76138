"""Gas: what a node measures, pinned; what the model says beforehand; the budgets."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.evm import anvil, contracts, encode_call, verifier
from tests.helpers.shared_checks import ceremony_key
from tests.helpers.simulator import Toxic, simulate, toxic_key
from zkchain import solidity
from zkchain.chain import Chain, Deployment, Receipt, connect, deploy, deploy_clone, deploy_shared, gas, transact
from zkchain.chain.gas import FORKS, TOLERANCE, Estimate
from zkchain.errors import ChainError
from zkchain.formats import shipped
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context
from zkchain.r1cs import Instance, System
from zkchain.solidity import Form
from zkchain.solidity.forms import MANY, ONE

FILE = Path(__file__).parents[1] / "snapshots" / "gas.json"
BINDER = b"\x07" * 32


@dataclass(frozen=True)
class Case:
    """``proofs`` None: one proof; else a batch of that many. ``form``: how the contract comes by the key."""

    system: System
    n_public: int
    batch: bool = False
    bound: bool = False
    proofs: int | None = None
    form: Form = Form.EMBEDDED

    @property
    def key(self) -> Toxic:
        """A ceremony's, without gamma in calls, where the key travels."""
        make = toxic_key if self.form is Form.EMBEDDED else ceremony_key
        return make(self.system, self.n_public)

    @property
    def name(self) -> str:
        kind = "" if self.form is Form.EMBEDDED else f" {self.form}"
        kind += " bound" * self.bound + (
            f" batch of {self.proofs}" if self.proofs else " in a batch contract" * self.batch
        )
        return f"{self.system} {self.n_public}{kind}"


G, C = System.GROTH16, System.CG16
CASES = [
    *(Case(G, n) for n in (1, 2, 3, 10, 50, 108, 109, 384, 784)),
    *(Case(C, n, bound=bound) for n in (1, 2, 3, 26) for bound in (False, True)),
    *(Case(G, n, batch=True) for n in (1, 10)),
    *(Case(C, n, batch=True, bound=bound) for n in (1, 10) for bound in (False, True)),
    *(Case(G, n, batch=True, proofs=k) for n, k in ((1, 1), (1, 2), (1, 16), (10, 3), (120, 2))),
    *(Case(C, n, batch=True, proofs=k) for n, k in ((1, 1), (1, 2), (2, 16), (10, 3), (40, 2))),
    *(Case(C, n, batch=True, proofs=k, bound=True) for n, k in ((1, 1), (2, 16), (3, 7))),
    *(Case(G, n, form=form) for form in (Form.SHARED, Form.CLONE) for n in (1, 2, 10, 50)),
    *(Case(C, n, form=form, bound=b) for form in (Form.SHARED, Form.CLONE) for n in (1, 2, 26) for b in (False, True)),
    *(Case(G, n, proofs=k, form=Form.SHARED) for n, k in ((1, 1), (1, 16), (10, 3))),
    *(Case(C, n, proofs=k, form=Form.SHARED, bound=b) for n, k in ((2, 1), (2, 16), (10, 3)) for b in (False, True)),
]
NAMES = [case.name for case in CASES]


@dataclass(frozen=True)
class Run:
    """A case on a node: the estimates made before, and what was used."""

    deployment: tuple[Estimate, ...]
    deployed: tuple[int, ...]
    verification: Estimate
    receipt: Receipt
    code: int


def words(n: int, seed: int = 0) -> Instance:
    """Packed words as full as they come: 31 bytes, none zero."""
    rng = random.Random(seed)
    return tuple(int.from_bytes(bytes(rng.randrange(1, 256) for _ in range(31)), "big") for _ in range(n))


def calldata(case: Case, chain: Chain, deployment: Deployment) -> bytes:
    key, form = case.key, case.form
    ctx = context(chain.chain_id, bytes.fromhex(deployment.address[2:]), BINDER) if case.bound else bytes(32)
    items = [(simulate(key, x, ctx), x) for x in (words(case.n_public, i) for i in range(case.proofs or 1))]
    if case.proofs is None:
        return ONE[form](key.vk, *items[0], BINDER if case.bound else None)
    return MANY[form](key.vk, items, [BINDER] * case.proofs if case.bound else None)


def placed(case: Case, chain: Chain) -> Deployment:
    """The contract; what is there once for all keys is none of a case's."""
    if case.form is Form.SHARED:
        return replace(deploy_shared(chain, shipped.contract(shipped.SHARED)), receipts=())
    if case.form is Form.CLONE:
        made = deploy_clone(chain, shipped.contract(shipped.CLONE), case.key.vk)
        return replace(made, receipts=made.receipts[-1:])
    return deploy(chain, verifier(case.system, case.n_public, batch=case.batch))


def run(case: Case, chain: Chain) -> Run:
    deployment, vk = placed(case, chain), case.key.vk
    data = calldata(case, chain, deployment)
    if case.proofs is None:
        estimate = gas.verification(vk, data=data, bound=case.bound, batch_contract=case.batch, form=case.form)
    else:
        estimate = gas.batch(vk, case.proofs, data=data, bound=case.bound, form=case.form)
    receipt = transact(chain, deployment, data)
    made = () if case.form is Form.SHARED else gas.deployment(deployment.artifact, factory=deployment.salt is not None)
    used, code = tuple(r.gas_used for r in deployment.receipts), len(deployment.artifact.runtime)
    return Run(made, used, estimate, receipt, code)


@cache
def runs() -> dict[str, Run]:
    """All cases on a fresh node: its addresses, and with them all figures, are the same every time."""
    with anvil() as rpc:
        chain = connect(rpc)
        return {case.name: run(case, chain) for case in CASES}


def measured(name: str) -> dict[str, int]:
    """Gas of a case, as mined."""
    found = runs()[name]
    return {
        "deploy": sum(found.deployed),
        "execution": found.verification.measured(found.receipt.gas_used).execution,
        "transaction": found.receipt.gas_used,
    }


def snapshot() -> str:
    """The text of tests/snapshots/gas.json: scripts/snapshots.py writes it."""
    entries = {case.name: {"code": runs()[case.name].code, **measured(case.name)} for case in CASES}
    return json.dumps(entries, indent=1) + "\n"


PINNED = json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.mark.slow
@pytest.mark.anvil
def test_gas_is_as_pinned() -> None:
    assert snapshot() == FILE.read_text(), "run scripts/snapshots.py gas.json and look at the difference"


@pytest.mark.anvil
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_estimate_of_a_verification(case: Case) -> None:
    found = runs()[case.name]
    assert abs(found.verification.total - found.receipt.gas_used) <= TOLERANCE


@pytest.mark.anvil
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_estimate_of_a_deployment(case: Case) -> None:
    found = runs()[case.name]
    if case.form is Form.SHARED:
        assert (found.deployment, found.deployed) == ((), ())
        return
    data, contract = found.deployment[:-1], found.deployment[-1]
    assert [e.total for e in data] == list(found.deployed[:-1])
    assert abs(contract.total - found.deployed[-1]) <= (TOLERANCE if data else 0)


@pytest.mark.anvil
@pytest.mark.parametrize("case", [Case(G, 1), Case(C, 2), Case(C, 2, bound=True), Case(G, 1, batch=True, proofs=2)])
def test_py_evm_agrees(embedded: Chain, case: Case) -> None:
    """The execution; addresses, and with them bound proofs and calldata, differ from chain to chain."""
    found = run(case, embedded)
    execution = found.verification.measured(found.receipt.gas_used).execution
    expected = runs()[case.name] if case.name in NAMES else None
    if expected is not None:
        assert execution == expected.verification.measured(expected.receipt.gas_used).execution


BUDGETS = {
    ("groth16 1", "execution"): 188_500,
    ("groth16 1", "transaction"): 214_000,
    ("groth16 1", "deploy"): 300_000,
    ("groth16 10", "transaction"): 280_000,
    ("cg16 1", "transaction"): 262_000,
    ("cg16 2", "transaction"): 262_000,
    ("cg16 2 bound", "transaction"): 262_000,
    ("cg16 26", "transaction"): 282_000,
    ("cg16 26 bound", "transaction"): 282_000,
    ("cg16 2 batch of 16", "transaction"): 16 * 75_000,
    ("groth16 1 batch of 16", "transaction"): 16 * 64_000,
    ("groth16 1 shared", "execution"): 190_112,  # what the prototype of this contract took
    ("groth16 10 shared", "execution"): 250_265,
    ("cg16 2 shared", "execution"): 231_336,
    ("cg16 26 shared", "execution"): 235_000,
    ("groth16 1 clone", "transaction"): 218_494,
    ("cg16 2 clone", "transaction"): 261_386,
    ("cg16 2 clone", "deploy"): 240_000,
}


@pytest.mark.anvil
@pytest.mark.parametrize(("name", "what"), BUDGETS)
def test_budgets(name: str, what: str) -> None:
    """As mined by a node; public inputs are packed words, 31 bytes without a zero."""
    assert measured(name)[what] <= BUDGETS[name, what]


def test_once_per_chain() -> None:
    """Nobody pays for a key; somebody once for the contract. A byte of it costs 216 gas, 1,530 after EIP-8037."""
    once = {
        name: gas.deployment(shipped.contract(name), factory=True)[0].total for name in (shipped.SHARED, shipped.CLONE)
    }
    assert once[shipped.SHARED] <= 1_100_000
    assert once[shipped.CLONE] <= 450_000


@pytest.mark.anvil
@pytest.mark.parametrize(
    ("case", "x", "most"),
    [
        (Case(G, 1, form=Form.SHARED), (7,), 224_500),
        (Case(C, 2, form=Form.SHARED), (5, 6), 270_100),
        (Case(C, 2, form=Form.CLONE), (5, 6), 264_400),
    ],
)
def test_budgets_of_forms(node: Chain, case: Case, x: Instance, most: int) -> None:
    """Of a label, say: small public inputs. A clone is asked by a contract that holds it, as it is there for."""
    deployment, key = placed(case, node), case.key
    proof = simulate(key, x)
    data = ONE[case.form](key.vk, proof, x, None)
    if case.form is Form.CLONE:
        holder = contracts()["Holder"]
        arguments = bytes(12) + bytes.fromhex(deployment.address[2:])
        deployment = deploy(node, replace(holder, bytecode=holder.bytecode + arguments))
        data = encode_call(holder, "claim", encode_proof(proof), list(x))
    assert transact(node, deployment, data).gas_used <= most


@pytest.mark.parametrize(("n_public", "budget"), [(1, 214_000), (10, 280_000)])
def test_budgets_hold_for_any_public_inputs(n_public: int, budget: int) -> None:
    """For calldata without a zero byte, the dearest there is."""
    assert gas.verification(toxic_key(G, n_public).vk).total <= budget


def test_every_part_is_named_and_they_sum_up() -> None:
    estimate = gas.verification(toxic_key(G, 1).vk)
    parts = estimate.parts()
    assert list(parts) == ["intrinsic", "calldata", "pairing", "ec_mul", "ec_add", "overhead"]
    assert sum(parts.values()) == estimate.total
    assert (parts["intrinsic"], parts["pairing"], parts["ec_mul"], parts["ec_add"]) == (21_000, 181_000, 6_000, 150)
    assert parts["calldata"] == (4 + 32 * 9) * 16


def test_cg16_does_not_depend_on_the_number_of_inputs_but_for_words() -> None:
    few, many = (gas.verification(toxic_key(C, n).vk) for n in (1, 26))
    assert (few.pairing, few.ec_mul, few.ec_add) == (215_000, 12_000, 300)
    assert (many.pairing, many.ec_mul, many.ec_add) == (215_000, 12_000, 300)
    assert (many.overhead - few.overhead) / 25 < 145


def test_calldata_that_is_known_is_counted_byte_by_byte() -> None:
    vk = toxic_key(G, 1).vk
    data = solidity.calldata(vk, simulate(toxic_key(G, 1), (1,)), (1,))
    zeros = data.count(0)
    assert zeros >= 31
    assert gas.verification(vk, data=data).calldata == 4 * zeros + 16 * (len(data) - zeros)
    assert gas.verification(vk, data=data).total < gas.verification(vk).total


def test_the_floor_of_eip_7623() -> None:
    """A deployment of data is mostly code; a transaction that is mostly calldata pays the floor."""
    data = b"\x01" * 10_000
    light = Estimate("calldata", FORKS["osaka"], 21_000, 160_000, 21_000 + 400_000, overhead=100)
    assert light.total == 421_000
    assert light.parts()["calldata floor"] == 421_000 - 181_100
    assert light.measured(421_000) == light
    assert gas.tokens(data) == 40_000
    assert gas.tokens(bytes(100)) == 100


def test_before_prague_there_is_no_floor() -> None:
    vk = toxic_key(G, 1).vk
    assert gas.verification(vk, fork="cancun").floor == 21_000
    assert gas.verification(vk, fork="prague").floor > 21_000
    assert gas.verification(vk, fork="cancun").total == gas.verification(vk, fork="osaka").total


def test_the_cap_of_osaka() -> None:
    vk = toxic_key(G, 784).vk
    assert not gas.verification(vk).over_cap
    huge = gas.batch(toxic_key(C, 1).vk, 400)
    assert huge.total > 1 << 24
    assert huge.over_cap
    assert not gas.batch(toxic_key(C, 1).vk, 400, fork="prague").over_cap


def test_an_unknown_fork() -> None:
    with pytest.raises(ChainError, match="unknown fork 'london'") as caught:
        gas.verification(toxic_key(G, 1).vk, fork="london")
    assert "cancun, prague, osaka" in str(caught.value.hint)


def test_money() -> None:
    estimate = Estimate("x", FORKS["osaka"], 21_000, 0, 0, overhead=179_000)
    cost = estimate.cost(2 * 10**9, Decimal(3_000))
    assert (cost.wei, cost.ether, cost.money) == (400_000 * 10**9, Decimal("0.0004"), Decimal("1.2"))
    assert estimate.cost(10**9).money is None


def test_a_measured_split_keeps_the_exact_parts() -> None:
    estimate = gas.verification(toxic_key(C, 2).vk)
    measured = estimate.measured(estimate.total + 77)
    assert measured.total == estimate.total + 77
    assert measured.overhead == estimate.overhead + 77
    assert measured.pairing == estimate.pairing


@pytest.mark.anvil
@pytest.mark.parametrize("fork", ["cancun", "prague", "osaka"])
def test_the_forks_of_a_real_node(fork: str) -> None:
    with anvil("--hardfork", fork) as rpc:
        case, chain = Case(C, 1), connect(rpc)
        found = run(case, chain)
        estimate = gas.verification(toxic_key(C, 1).vk, data=found.receipt.data, fork=fork)
        assert estimate.total == found.verification.total
        assert found.receipt.gas_used == PINNED[case.name]["transaction"]
        flood = chain.web3.eth.estimate_gas({"from": chain.sender, "to": chain.sender, "data": b"\x01" * 1_000})
        floor = FORKS[fork].floor_nonzero
        assert flood == 21_000 + (40_000 if floor else 16_000)


def names(cases: Sequence[Case]) -> list[str]:
    return [case.name for case in cases]


def test_no_case_is_there_twice() -> None:
    assert len(set(names(CASES))) == len(CASES)
