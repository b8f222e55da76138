"""What a transaction will cost, said before there is a proof, or keys, or a circuit; refusals, fees, rollups."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.cli_tools import Outcome, compile_into, proved_bundle, small_model, write_input, zkchain
from tests.helpers.evm import anvil, ask_node, verifier
from tests.helpers.shared_checks import ceremony_key
from tests.helpers.simulator import simulate, toxic_key
from zkchain import errors, solidity
from zkchain.bn254 import R
from zkchain.chain import Chain, connect, deploy, gas, transact
from zkchain.chain.gas import fees, limits, online, rollups
from zkchain.chain.gas.foreseen import SIZES
from zkchain.circuit.layout import Field, Layout
from zkchain.errors import ChainError
from zkchain.formats import shipped
from zkchain.groth16.transcript import context
from zkchain.r1cs import Instance, System
from zkchain.solidity import Form
from zkchain.solidity.render import data_initcode
from zkchain.workspace.comparing import cheapest

G, C = System.GROTH16, System.CG16
BINDER = bytes(range(1, 33))
Refusal = tuple[tuple[str, ...], type[errors.ZkchainError], str]
"""Options, and what then comes."""


def layout_of(system: System, numbers: int, bits: int = 16, *, signed: bool = True) -> Layout:
    offset = 1 << (bits - 1) if signed else 0
    return Layout(system, (Field("output", "y", (numbers,), bits, offset, 1.0),))


def instance_of(layout: Layout, seed: int) -> Instance:
    """Public words of numbers drawn evenly from the range that the layout holds them to."""
    (field,) = layout.fields
    rng = random.Random(f"{seed}/{layout}")
    numbers = [rng.randrange(1 << field.bits) - field.offset for _ in range(field.size)]
    if layout.system is G:
        return tuple(q % R for q in numbers)
    words = [0] * layout.length
    for q, word, shift in zip(numbers, *(place.tolist() for place in layout.places()), strict=True):
        words[word] |= (q + field.offset) << shift
    return tuple(words)


@dataclass(frozen=True)
class Case:
    system: System
    numbers: int
    signed: bool = True
    bound: bool = False
    batch: int | None = None

    @property
    def layout(self) -> Layout:
        return layout_of(self.system, self.numbers, signed=self.signed)


CASES = [
    *(Case(G, n, signed) for n in (1, 2, 3, 10, 50, 64, 109, 784) for signed in (True, False)),
    *(Case(G, n, batch=k) for n in (1, 10) for k in (2, 16)),
    *(Case(C, n, bound=bound) for n in (1, 10, 30, 64, 390, 784) for bound in (False, True)),
    *(Case(C, n, bound=bound, batch=k) for n in (10, 30, 390) for k in (2, 16) for bound in (False, True)),
]


def proved(case: Case, chain: Chain, contract: str) -> bytes:
    """The calldata of proofs that verify at this contract."""
    layout = case.layout
    key = toxic_key(case.system, layout.length)
    ctx = context(chain.chain_id, bytes.fromhex(contract[2:]), BINDER) if case.bound else bytes(32)
    items = [(simulate(key, x, ctx), x) for x in (instance_of(layout, k) for k in range(case.batch or 1))]
    if case.batch is None:
        return solidity.calldata(key.vk, *items[0], BINDER if case.bound else None)
    return solidity.batch_calldata(key.vk, items, [BINDER] * case.batch if case.bound else None)


def estimate(case: Case, data: bytes) -> gas.Estimate:
    shape = gas.Shape(case.system, case.layout.length)
    if case.batch is not None:
        return gas.batch(shape, case.batch, data=data, bound=case.bound)
    return gas.verification(shape, data=data, bound=case.bound)


@pytest.mark.slow
@pytest.mark.anvil
def test_forecasts_against_receipts() -> None:
    """With a proof within 0.1 %. Before there is one never below, and within 2 % where at most 64 numbers are public;
    before there are keys the same of deployments."""
    with anvil("--hardfork", "osaka") as rpc:
        chain = connect(rpc)
        for case in CASES:
            shape = gas.Shape(case.system, case.layout.length)
            artifact = verifier(case.system, case.layout.length, batch=case.batch is not None)
            deployment = deploy(chain, artifact)
            spent, outline = deployment.gas_used, gas.outline(shape, batch=case.batch is not None)
            assert sum(e.total for e in gas.deployment(artifact)) == pytest.approx(spent, rel=1e-3)
            assert spent <= sum(e.total for e in gas.deployment(outline)) <= 1.02 * spent, case
            data = proved(case, chain, deployment.address)
            used = transact(chain, deployment, data).gas_used
            assert estimate(case, data).total == pytest.approx(used, rel=1e-3), case
            before = gas.dearest(shape, case.batch, bound=case.bound, layout=case.layout)
            assert used <= estimate(case, before).bounding().total, case
            least = estimate(case, gas.cheapest(shape, case.batch, bound=case.bound)).total - gas.TOLERANCE
            assert least <= used, case
            if case.numbers * (case.batch or 1) <= 64:
                assert estimate(case, before).bounding().total <= 1.02 * used, case


@pytest.mark.slow
@pytest.mark.anvil
def test_the_factory_of_create2() -> None:
    factory = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
    with anvil("--hardfork", "osaka") as rpc:
        chain = connect(rpc)
        for artifact in (verifier(G, 1), verifier(G, 108), verifier(C, 2), verifier(G, 784)):
            codes = [*map(data_initcode, artifact.data), *([] if artifact.data else [artifact.bytecode])]
            estimates = gas.deployment(artifact, factory=True)
            for expected, initcode in zip(estimates, codes, strict=False):
                request: Any = {
                    "from": chain.sender,
                    "to": factory,
                    "data": "0x" + (bytes(32) + initcode).hex(),
                    "gas": 1 << 24,
                }
                sent = chain.web3.eth.send_transaction(request)
                assert chain.web3.eth.wait_for_transaction_receipt(sent)["gasUsed"] == expected.total


class TestForeseen:
    @pytest.mark.parametrize("case", [case for case in CASES if case.numbers < 400], ids=str)
    def test_no_calldata_costs_more_or_less_than_the_bounds(self, case: Case) -> None:
        shape = gas.Shape(case.system, case.layout.length)
        public = b"".join(x.to_bytes(32, "big") for x in instance_of(case.layout, 1))
        most = gas.dearest(shape, case.batch, bound=case.bound, layout=case.layout)
        least = gas.cheapest(shape, case.batch, bound=case.bound)
        assert len(most) == len(least)
        if case.batch is None:
            words = most[-len(public) - 32 * case.bound :][: len(public)]
            assert all(b or not a for a, b in zip(public, words, strict=True)), "a byte may be nonzero only where it is"
        assert gas.tokens(least) < gas.tokens(most)

    def test_noise_does_not_compress(self) -> None:
        data = gas.dearest(gas.Shape(G, 10))
        assert 0 not in data
        assert rollups.fastlz_length(data) > len(data)

    def test_a_number_that_is_never_negative_has_its_width(self) -> None:
        data = gas.dearest(gas.Shape(G, 3), layout=layout_of(G, 3, 17, signed=False))
        assert [data[4 + 256 + 32 * k :][:32].count(0) for k in range(3)] == [29, 29, 29]

    def test_cg16_words_are_full_but_for_their_first_byte(self) -> None:
        layout = layout_of(C, 20, 16)  # 15 numbers of two bytes in a word
        data = gas.dearest(gas.Shape(C, 2), layout=layout)
        assert [data[-64:][32 * k :][:32].count(0) for k in range(2)] == [2, 22]

    @pytest.mark.parametrize("batch", [False, True])
    @pytest.mark.parametrize("shape", [gas.Shape(G, n) for n in (1, 10, 108, 109, 784)] + [gas.Shape(C, 2)], ids=str)
    def test_an_outline_has_a_form(self, shape: gas.Shape, batch: bool) -> None:
        outline = gas.outline(shape, batch=batch)
        assert len(outline.runtime) <= 24_576
        assert len(outline.data) == {109: 1, 784: 3}.get(shape.instance_length if shape.system is G else 0, 0)
        assert len(SIZES) == 8

    @pytest.mark.slow
    @pytest.mark.parametrize("batch", [False, True])
    @pytest.mark.parametrize("shape", [gas.Shape(G, n) for n in (1, 10, 108, 109)] + [gas.Shape(C, 2)], ids=str)
    def test_an_outline_is_no_smaller_than_the_contract(self, shape: gas.Shape, batch: bool) -> None:
        made, outline = verifier(shape.system, shape.instance_length, batch=batch), gas.outline(shape, batch=batch)
        assert len(made.runtime) <= len(outline.runtime) <= len(made.runtime) + 50
        assert [len(code) for code in made.data] == [len(code) for code in outline.data]


class TestForms:
    """A shared verifier, a clone: what nothing is deployed for, and what is cheapest."""

    @given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 60)), min_size=3, max_size=3))
    def test_the_cheapest_by_number_of_proofs(self, costs: list[tuple[int, int]]) -> None:
        forms = dict(zip(Form, costs, strict=True))
        found = cheapest(forms)
        assert found[0][0] == 1
        assert all(a[0] < b[0] and a[1] is not b[1] for a, b in pairwise(found))
        for number in range(1, 400):
            taken = next(form for first, form in reversed(found) if first <= number)
            least = min(first + number * each for first, each in costs)
            assert forms[taken][0] + number * forms[taken][1] == least

    @pytest.mark.parametrize("form", [Form.SHARED, Form.CLONE])
    @pytest.mark.parametrize("system", System)
    def test_a_shape_costs_what_its_key_does(self, form: Form, system: System) -> None:
        key = ceremony_key(system, 3).vk
        shape = gas.Shape(system, 3)
        assert len(gas.dearest(shape, form=form)) == len(gas.dearest(key, form=form))
        most = gas.verification(shape, form=form).total
        assert 0 <= most - gas.verification(key, form=form).total <= 12 * 20
        if form is Form.CLONE:
            of_key, of_shape = (gas.deployment(gas.outline(vk, form=form))[0].total for vk in (key, shape))
            assert 0 <= of_shape - of_key <= 12 * 20

    def test_the_commands(self, folder: Path) -> None:
        shared = zkchain("gas", folder / "keys", "--shared", "--json").json
        assert (shared["form"], shared["deployment"]["gas"]) == ("shared", 0)
        assert shared["once"] == gas.deployment(shipped.contract(shipped.SHARED), factory=True)[0].total
        clone = zkchain("gas", folder / "circuit", "--clone", "--json").json
        assert 0 < clone["deployment"]["gas"] < clone["once"]
        assert "once per chain" in zkchain("gas", folder / "keys", "--shared").out
        dear = zkchain("gas", folder / "keys", "--shared", "--fork", "amsterdam", "--json").json
        assert dear["once"] > 5 * shared["once"]
        refused(zkchain("gas", folder / "keys", "--clone", "--batch", "4"), errors.InputError, "no verifyBatch")
        assert zkchain("gas", folder / "keys", "--clone", "--shared").code == 2


class TestPrices:
    def test_every_price_says_where_it_is_from(self) -> None:
        assert set(gas.SOURCES) == {field.name for field in fields(gas.Fork)} - {"name", "status"}
        assert [name for name, fork in gas.FORKS.items() if fork.status == "scheduled"] == ["amsterdam"]

    def test_amsterdam(self) -> None:
        """As execution-specs charges: 12,000 and a cold account of 3,000 for a call; 12,000 for a creation's access,
        120 bytes of state for the account and one for each of its code, at 1,530; 6 for hashing each of its words."""
        call = gas.verification(gas.Shape(C, 2), fork="amsterdam")
        assert (call.intrinsic, call.state) == (12_000 + 3_000, 0)
        assert call.floor == 15_000 + 64 * len(gas.dearest(gas.Shape(C, 2)))
        (made,) = gas.deployment(gas.outline(gas.Shape(C, 2)), fork="amsterdam")
        (before,) = gas.deployment(gas.outline(gas.Shape(C, 2)), fork="osaka")
        code = len(gas.outline(gas.Shape(C, 2)).runtime)
        assert made.state == 1_530 * (120 + code)
        assert made.intrinsic == 24_000
        assert before.creation - made.creation == 32_000 + 200 * code - 6 * -(-code // 32)
        assert made.capped == made.floor == 24_000 + 64 * len(gas.outline(gas.Shape(C, 2)).bytecode)

    def test_the_cap_does_not_count_state(self) -> None:
        data = gas.deployment(gas.outline(gas.Shape(G, 784)), fork="amsterdam")[0]
        assert data.total > data.fork.max_code * 500 > data.capped
        assert not data.over_cap

    def test_reading_data_contracts_costs_more(self) -> None:
        """Three cold accounts, 400 more each, and a second read of 100 (EIP-8038); 6,000 less for the transaction."""
        now, then = (gas.verification(gas.Shape(G, 784), fork=fork) for fork in ("osaka", "amsterdam"))
        assert then.total - now.total == 3 * (400 + 100) - 6_000


class TestLimits:
    def test_a_batch_that_is_too_large(self) -> None:
        shape = gas.Shape(G, 10)
        huge = gas.batch(shape, 300)
        (said,) = limits.refusals(huge, G, 300)
        assert "over EIP-7825's cap of 16,777,216 gas for one transaction: a node refuses it" in said
        assert "fewer proofs in a batch, or the system that packs public inputs" in said
        assert "--system cg16)" in said
        assert limits.refusals(gas.batch(shape, 30), G, 30) == ()
        assert limits.refusals(gas.batch(shape, 300, fork="prague"), G, 300) == ()

    def test_no_false_alarm(self) -> None:
        """2,400 public inputs: real ones cost 16,383,356 gas, which passes; all of their bytes nonzero would not."""
        shape = gas.Shape(G, 2_400)
        most = gas.verification(shape).bounding()
        least = gas.verification(shape, data=gas.cheapest(shape)).total
        (said,) = limits.refusals(most, G, None, least)
        assert f"up to {most.total:,} gas, depending on the public inputs, and no less than {least:,}" in said
        assert "may be too little" in said
        assert "refuses" not in said
        small = layout_of(G, 2_400, signed=False)
        assert limits.refusals(gas.verification(shape, data=gas.dearest(shape, layout=small)), G) == ()

    def test_certain_even_so(self) -> None:
        shape = gas.Shape(G, 2_700)
        most, least = gas.verification(shape).bounding(), gas.verification(shape, data=gas.cheapest(shape)).total
        assert "a node refuses it" in limits.refusals(most, G, None, least)[0]

    def test_sizes(self) -> None:
        outline = gas.outline(gas.Shape(G, 784))
        assert limits.oversized(outline, gas.FORKS["osaka"], 96) == ()
        large = replace(outline, runtime=bytes(24_577), bytecode=bytes(49_153), data=())
        code, initcode = limits.oversized(large, gas.FORKS["osaka"])
        assert "24,577 bytes of code are over osaka's limit of 24,576" in code
        assert "49,153 bytes of initcode are over osaka's limit of 49,152" in initcode
        assert "--system cg16)" in code
        assert limits.oversized(large, gas.FORKS["amsterdam"]) == ()
        found = limits.of_deployment(gas.deployment(large), large, G)
        assert found == (code, initcode)


class TestFees:
    HISTORY: Mapping[str, Any] = {
        "baseFeePerGas": [10, 11, 12, 13],
        "gasUsedRatio": [0.5, 0.0, 0.9],
        "reward": [[1, 5, 9], [0, 0, 0], [3, 7, 20]],
    }

    def test_from_history(self) -> None:
        """The next base fee and, over blocks that had transactions, the median of each percentile."""
        found = fees.from_history(self.HISTORY)
        assert found.base == 13
        assert [(price.name, price.wei) for price in found.prices] == [("low", 14), ("medium", 18), ("high", 22)]

    def test_empty_blocks_alone(self) -> None:
        empty = {**self.HISTORY, "gasUsedRatio": [0.0] * 3}
        assert {price.wei for price in fees.from_history(empty).prices} == {13}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"baseFeePerGas": None},
            {"baseFeePerGas": [10, 11]},
            {"gasUsedRatio": [0.5]},
            {"reward": []},
            {"reward": [[1], [2], [3]]},
        ],
    )
    def test_a_history_that_makes_no_sense(self, wrong: Mapping[str, Any]) -> None:
        with pytest.raises(ChainError, match="eth_feeHistory: expected"):
            fees.from_history({**self.HISTORY, **wrong})

    def test_money(self) -> None:
        price = fees.given(2.5)
        assert price.wei == 2_500_000_000
        assert price.ether(200_000) == Decimal("0.0005")
        assert price.ether(200_000, 10**15) == Decimal("0.0015")


EMPTY = bytes.fromhex("dd80808094095e7baea6a6c7c4c2dfeb977efac326af552d878080808080")
CALL = bytes.fromhex(
    "02f901550a758302df1483be21b88304743f94f80e51afb613d764fa61751affd3313c190a86bb870151bd62fd12adb8e41ef24f3f"
    + "00" * 31 + "6e" + "00" * 12 + "af88d065e77c8cc2239327c5edb3a432268e5831" + "00" * 29 + "03c1e5" + "00" * 63
    + "a0" + "00" * 31 + "148c89ed219d02f1a5be012c689b4f5b731827bebe" + "00" * 12
    + "c001a033fd89cb37c31b2cba46b6466e040c61fc9b2a3675a7f5f493ebd5ad77c497f8a07cdf65680e238392693019b4092f6102"
    + "22e71b7cec06449cb922b93b6a12744e"
)  # fmt: skip
ECOTONE = bytes.fromhex(
    "02f8b30a832253fc8402d11f39842c8a46398301388094dc6ff44d5d932cbd77b52e5612ba0529dc6226f180b844a9059cbb"
    "000000000000000000000000d43e02db81f4d46cdf8521f623d21ea0ec7562a5"
    "0000000000000000000000000000000000000000000000008ac7230489e80000"
    "c001a02947e24750723b48f886931562c55d9e07f856d8e06468e719755e18bbc3a570a0784da9ce59fd7754ea5be6e17a86b348e44134"
    "8cd48ace59d174772465eadbd1"
)


class TestRollups:
    """Vectors: op-geth's core/types/rollup_cost_test.go (TestFlzCompressLen; baseFee 1e9, blobBaseFee 1e7, scalars 2
    and 3), op-revm's l1block.rs (a transaction of OP mainnet's block 118024092; operator fees)."""

    @pytest.mark.parametrize(
        ("data", "length"), [(b"", 0), (b"\1" * 1_000, 21), (bytes(1_000), 21), (EMPTY, 31), (CALL, 202)]
    )
    def test_fastlz(self, data: bytes, length: int) -> None:
        assert rollups.fastlz_length(data) == length

    def test_op_geth(self) -> None:
        prices = rollups.OpPrices(10**9, 10**7, 2, 3)
        assert prices.data_fee(EMPTY) == 3_203_000
        assert replace(prices, rules="ecotone").data_fee(EMPTY) == 960_900

    def test_op_revm(self) -> None:
        prices = rollups.OpPrices(1_000, 1_000, 1_000, 1_000)
        assert prices.data_fee(bytes.fromhex("FACADE")) == 1_700
        assert prices.data_fee(CALL) == 2_148
        assert replace(prices, rules="ecotone").data_fee(bytes.fromhex("FACADE")) == 51
        operator = rollups.OpPrices(0, 0, 0, 0, 1_000, 10)
        assert operator.operator_fee(1_000) == 11
        assert replace(operator, rules="jovian").operator_fee(1_000) == 100_000_010

    def test_a_transaction_of_op_mainnet(self) -> None:
        prices = rollups.OpPrices(47_036_678_951, 57_422_457_042, 1_368, 810_949, rules="ecotone")
        assert 4 * gas.tokens(ECOTONE) == 2_456
        assert prices.data_fee(ECOTONE) == 7_306_020_222_001

    def test_envelope(self) -> None:
        """It is a transaction that eth-account reads, its calldata in it."""
        from eth_account.typed_transactions.typed_transaction import TypedTransaction
        from hexbytes import HexBytes

        for data in (b"", b"\7", bytes(40), gas.dearest(gas.Shape(C, 2))):
            read = TypedTransaction.from_bytes(HexBytes(rollups.envelope(data))).as_dict()
            assert bytes(read["data"]) == data
            assert len(read["to"]) == 20
        assert len(rollups.envelope(b"", creates=True)) == len(rollups.envelope(b"")) - 20

    @pytest.mark.parametrize(
        ("system", "words", "zeroed", "brotli"),
        [(G, 1, 0, 414), (G, 10, 0, 702), (G, 10, 10, 565), (G, 64, 64, 578), (C, 2, 0, 510), (C, 26, 0, 1_278)],
    )
    def test_brotli(self, system: System, words: int, zeroed: int, brotli: int) -> None:
        """Lengths that brotli 1.2 left at level 0 of such calls, public inputs zero in ``zeroed`` words."""
        data = gas.dearest(gas.Shape(system, words))
        data = data[: len(data) - 32 * zeroed] + bytes(32 * zeroed)
        assert rollups.brotli_length(rollups.envelope(data)) == pytest.approx(brotli, rel=0.03)

    def test_names(self) -> None:
        assert rollups.rollup_named("base").kind == "op"
        with pytest.raises(ChainError, match="zkSync chain prices the curve's precompiles unlike Ethereum"):
            rollups.rollup_named("zksync")
        with pytest.raises(ChainError, match="unknown rollup 'solana'") as caught:
            rollups.rollup_named("solana")
        assert "optimism, base, op-stack, arbitrum" in str(caught.value.hint)


SEVEN = "0x60075f5260205ff3"
"""A contract that returns 7, whatever it is asked: mstore(0, 7); return(0, 32)."""
COMPONENTS = "0x365f5260646020525f60405260605ff3"
"""One that returns (bytes of calldata, 100, 0)."""


@pytest.mark.anvil
def test_what_nodes_say() -> None:
    """Stand-ins at the addresses of the rollups' own contracts."""
    with anvil() as rpc:
        chain = online.reading(rpc)
        found = online.present_fees(chain)
        assert found.base > 0
        assert [price.name for price in found.prices] == ["low", "medium", "high"]
        for ask in (online.op_prices, lambda chain: online.arbitrum_fee(chain, b"")):
            with pytest.raises(ChainError, match=r"has no (GasPriceOracle|NodeInterface)"):
                ask(chain)
        for place, code in ((online.ORACLE, SEVEN), (online.L1_BLOCK, SEVEN), (online.NODE_INTERFACE, COMPONENTS)):
            ask_node(chain, "anvil_setCode", place, code)
        assert online.op_prices(chain) == rollups.OpPrices(7, 7, 7, 7, 7, 7, "jovian")
        assert online.arbitrum_fee(chain, b"123") == 100 * (4 + 5 * 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without keys, one with keys and proofs, and a model."""
    folder = tmp_path_factory.mktemp("gas")
    assert compile_into(folder / "circuit", "--system", "cg16").code == 0
    proved_bundle(folder / "keys", "--system", "groth16")
    assert zkchain("solidity", folder / "keys").code == 0
    write_input(folder / "many.json", {"x": [[0.5, -1.25, 2.0, 0.0]]})
    assert zkchain("prove", folder / "keys", folder / "many.json", "--proof", "second").code == 0
    return folder


def refused(outcome: Outcome, error: type[errors.ZkchainError], message: str) -> None:
    assert outcome.code == error.exit_code, outcome.err
    assert message in outcome.err


class TestCommand:
    def test_a_model(self, folder: Path) -> None:
        outcome = zkchain("gas", folder / "small1.onnx", "--json")
        assert outcome.code == 0, outcome.err
        found = outcome.json
        assert {draft["system"] for draft in found["drafts"]} == {"groth16", "cg16"}
        assert all(draft["constraints"] > 0 for draft in found["drafts"])
        assert (found["known"], found["public_inputs"], found["verification"]["at_most"]) == ("a model", 4, True)
        assert "taken to lie in [-1, 1]" in outcome.err
        known = zkchain("gas", folder / "small1.onnx", "--domain", "-4:4", "--system", "cg16", "--json")
        assert (known.json["system"], known.err) == ("cg16", "")

    def test_what_is_known_sharpens_the_estimate(self, folder: Path) -> None:
        """A model compiled is what the draft of it said; a proof lies between the bounds."""
        draft = zkchain("gas", folder / "small1.onnx", "--domain", "-4:4", "--system", "cg16", "--json").json
        circuit = zkchain("gas", folder / "circuit", "--json").json
        assert (circuit["known"], circuit["system"]) == ("a circuit without keys", "cg16")
        assert abs(circuit["constraints"] - draft["constraints"]) < 20
        keys = zkchain("gas", folder / "keys", "--json").json["verification"]
        proof = zkchain("gas", folder / "keys", "--proof", "proof", "--json").json["verification"]
        assert (keys["at_most"], proof["at_most"]) == (True, False)
        assert keys["least"] < proof["gas"] < keys["gas"]

    @pytest.mark.parametrize("subject", ["keys", "small1.onnx"])
    def test_a_sample_tells_the_public_inputs(self, folder: Path, subject: str) -> None:
        """A bound is left for the noise of the proof alone."""
        of_model = ("--system", "groth16", "--domain", "-4:4", "--data", folder / "data.npz")
        options = of_model if subject.endswith("onnx") else ()
        found = zkchain("gas", folder / subject, "--input", folder / "input.json", *options, "--json")
        assert found.code == 0, found.err
        bound, proof = found.json["verification"], zkchain("gas", folder / "keys", "--proof", "proof", "--json").json
        assert found.json["known"].endswith(", and an input")
        assert bound["least"] < proof["verification"]["gas"] <= bound["gas"] < 1.0015 * proof["verification"]["gas"]
        assert found.json["verification"]["gas"] < zkchain("gas", folder / "keys", "--json").json["verification"]["gas"]

    def test_batches(self, folder: Path) -> None:
        many = zkchain("gas", folder / "circuit", "--batch", "16", "--bound", "--json").json
        one = zkchain("gas", folder / "circuit", "--json").json
        assert (many["proofs"], many["bound"], many["verification"]["what"]) == (16, True, "batch of 16")
        assert many["verification"]["gas"] < 6 * one["verification"]["gas"]
        assert many["deployment"]["gas"] > one["deployment"]["gas"]
        assert "each proof" in zkchain("gas", folder / "circuit", "--batch", "16").out

    @pytest.mark.slow
    def test_a_batch_of_proofs(self, folder: Path) -> None:
        """solc makes the contract that has verifyBatch."""
        two = zkchain("gas", folder / "keys", "--proof", "proof", "--proof", "second", "--json").json
        bound = zkchain("gas", folder / "keys", "--batch", "2", "--json").json
        assert (two["proofs"], two["known"]) == (2, "proofs proof, second")
        assert two["verification"]["gas"] < bound["verification"]["gas"]

    def test_forks_and_create2(self, folder: Path) -> None:
        plain, salted, later = (
            zkchain("gas", folder / "circuit", *options, "--json").json
            for options in (("--create",), (), ("--create", "--fork", "amsterdam"))
        )
        assert plain["deployment"]["gas"] < salted["deployment"]["gas"] < plain["deployment"]["gas"] + 2_000
        assert (later["scheduled"], later["prices"]["state_byte"]["value"]) == (True, 1_530)
        assert "EIP-8037" in later["prices"]["state_byte"]["source"]
        assert later["deployment"]["gas"] > 5 * plain["deployment"]["gas"]
        assert (
            "amsterdam, scheduled: its prices may change yet"
            in zkchain("gas", folder / "circuit", "--fork", "amsterdam").out
        )

    def test_money(self, folder: Path) -> None:
        options = ("--gas-price", "2.5", "--ether-price", "2000", "--currency", "EUR")
        found = zkchain("gas", folder / "circuit", *options, "--json").json
        (cost,) = found["costs"]
        assert Decimal(cost["verification"]) == Decimal(found["verification"]["gas"]) * Decimal("2.5e-9")
        assert float(cost["verification_money"]) == pytest.approx(2_000 * float(cost["verification"]), abs=1e-4)
        assert "EUR" in zkchain("gas", folder / "circuit", *options).out

    @pytest.mark.parametrize("rollup", ["optimism", "base", "arbitrum"])
    def test_rollups(self, folder: Path, rollup: str) -> None:
        prices = ("--l1-gas-price", "1", "--blob-gas-price", "0.1", "--gas-price", "0.01")
        found = zkchain("gas", folder / "circuit", "--l2", rollup, *prices, "--json").json
        assert 0 < float(found["rollup"]["verification"]) < float(found["rollup"]["deployment"])
        total = Decimal(found["verification"]["gas"]) * Decimal("1e-11") + Decimal(found["rollup"]["verification"])
        assert Decimal(found["costs"][0]["verification"]) == total
        assert rollup in zkchain("gas", folder / "circuit", "--l2", rollup, *prices).out

    def test_comparison(self, folder: Path, tmp_path: Path) -> None:
        plot = tmp_path / "gas.svg"
        outcome = zkchain("gas", folder / "circuit", "--bound", "--plot", plot, "--json")
        every = outcome.json["comparison"]
        assert {row["form"] for row in every} == set(Form)
        assert not any(row["form"] == "clone" and "batch" in row["way"] for row in every)
        rows = [row for row in every if row["form"] == "embedded"]
        points = {(p["system"], p["way"], p["fork"]): p["cheapest"] for p in outcome.json["break_even"]}
        assert len(points) == len(rows) * len(gas.FORKS)
        for fork in ("osaka", "amsterdam"):
            (first, form), *_, (last, dear) = points["cg16", "one proof", fork]
            assert ((first, form), dear) == ((1, "shared"), "embedded")
            assert (25 < last < 70) if fork == "osaka" else (250 < last < 400)
        ways = ["one proof", "one proof, bound", "batch of 16", "batch of 16, bound"]
        assert [(row["system"], row["way"]) for row in rows] == [
            *(("cg16", way) for way in ways),
            *(("groth16", way) for way in ways if "bound" not in way),
        ]
        assert all(list(row["per_proof"]) == list(gas.FORKS) for row in rows)
        assert rows[0]["deployment"]["osaka"] == outcome.json["deployment"]["gas"], "by the same way"
        picture = ElementTree.fromstring(plot.read_text())
        said = [element.text for element in picture.iter() if element.tag.endswith("text")]
        assert "amsterdam" in said
        assert f"{rows[0]['per_proof']['osaka']:,}" in said
        shown = zkchain("gas", folder / "circuit", "--compare", "--batch", "400")
        assert "groth16 batch of 400" in shown.out
        assert "* such a transaction may be over the fork's cap (EIP-7825)" in shown.out

    def test_what_a_node_would_refuse(self, folder: Path) -> None:
        outcome = zkchain("gas", folder / "circuit", "--batch", "1000", "--json")
        assert outcome.code == 0
        assert "over EIP-7825's cap" in outcome.err
        assert "fewer proofs in a batch" in outcome.json["notes"][0]

    @pytest.mark.anvil
    def test_present_prices(self, folder: Path) -> None:
        with anvil() as rpc:
            found = zkchain("gas", folder / "circuit", "--rpc", rpc, "--json").json
            assert [cost["name"] for cost in found["costs"]] == ["low", "medium", "high"]
            outcome = zkchain("gas", folder / "circuit", "--rpc", rpc, "--l2", "op-stack")
            refused(outcome, errors.ChainError, "has no GasPriceOracle of the OP stack")

    def test_refusals(self, folder: Path) -> None:
        of_circuit: tuple[Refusal, ...] = (
            (("--fork", "london"), errors.ChainError, "unknown fork 'london'"),
            (("--l2", "zksync"), errors.ChainError, "unlike Ethereum"),
            (("--l2", "base"), errors.ChainError, "whose price is not known here"),
            (("--l2", "arbitrum"), errors.ChainError, "whose price is not known here"),
            (("--proof", "proof"), errors.InputError, "has no keys, and so no proofs"),
            (("--rpc", "http://127.0.0.1:9"), errors.NodeUnreachable, "127.0.0.1:9"),
        )
        for options, error, message in of_circuit:
            refused(zkchain("gas", folder / "circuit", *options), error, message)
        of_keys: tuple[Refusal, ...] = (
            (("--proof", "none"), errors.BundleError, "no proof 'none'"),
            (("--bound",), errors.InputError, "a groth16 proof cannot be bound"),
            (("--proof", "proof", "--bound"), errors.InputError, "not bound to a contract"),
            (("--proof", "proof", "--input", str(folder / "input.json")), errors.InputError, "a sample and a proof"),
            (("--proof", "proof", "--batch", "3"), errors.InputError, "a batch of 3, and 1 proofs are named"),
        )
        for options, error, message in of_keys:
            refused(zkchain("gas", folder / "keys", *options), error, message)

    def test_options_that_do_not_go_together(self, folder: Path) -> None:
        assert zkchain("gas", folder / "small1.onnx", "--proof", "p").code == 2
        assert zkchain("gas", folder / "circuit", "--domain", "0:1").code == 2
        assert zkchain("gas", folder / "circuit", "--batch", "0").code == 2


def test_a_model_that_plain_groth16_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusal stands beside the draft of the other system; asked for by name, it is the answer."""
    from zkchain import circuit
    from zkchain.workspace import estimate_model

    def refusing(graph: Any, visible: Any, system: System) -> Any:
        if system is G:
            raise errors.UnsupportedOp("sigmoid", "table function", "plain Groth16 has no lookups")
        return synthesize(graph, visible, system)

    synthesize = circuit.synthesize
    monkeypatch.setattr(circuit, "synthesize", refusing)
    found = estimate_model("m", small_model())
    assert found.system is C
    assert [draft.refusal is not None for draft in found.drafts] == [False, True]
    with pytest.raises(errors.UnsupportedOp, match="no lookups"):
        estimate_model("m", small_model(), system="groth16")


def test_there_are_many_combinations() -> None:
    assert len(set(CASES)) == len(CASES) >= 30
