"""Every forgery of the list against bytecode on a real node; weakened contracts that accept them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from tests.helpers.attacks import CTX, OTHER_CTX
from tests.helpers.evm import anvil, ask_node, compiled, outcome
from tests.helpers.forgeries import Batch, Forgery, Statement, Verdict, load
from tests.helpers.mutations import stray_batches
from zkchain import solidity
from zkchain.bn254 import P, R
from zkchain.bn254.encoding import encode_g1, encode_g2, word
from zkchain.chain import Chain, Deployment, connect
from zkchain.errors import UnsafeKey
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System
from zkchain.solidity import Artifact
from zkchain.solidity.calldata import proof_types, selector

pytestmark = pytest.mark.anvil

FORGERIES, BATCHES = load().forgeries, load().batches
SAFE = [f for f in FORGERIES if f.verdict is not Verdict.UNSAFE_KEY]
BINDERS = {CTX: bytes(31) + b"\x01", OTHER_CTX: bytes(31) + b"\x02"}
"""The contexts of the fixtures are those of address zero on chain 1."""
ADDRESS = "0x" + "00" * 20

# What is taken out of a contract, as its text and what replaces it, to make the weakened variant.
CHECK = {
    System.GROTH16: "if (s >= R) revert InputOutOfRange(i);",
    System.CG16: "if (x >= R) revert InputOutOfRange(i);",
}
COPY_D = "calldatacopy(add(s, 0x60), 0x104, 0x40)"
EDITS: Mapping[str, tuple[str, str]] = {
    "hash_d": (COPY_D, "mstore(add(s, 0x60), 0)\n mstore(add(s, 0x80), 0)"),
    "hash_ctx": ("mstore(add(s, 0x40), ctx)", "mstore(add(s, 0x40), 0)"),
}


def name(case: Forgery | Batch) -> str:
    return case.name


def words(instance: Sequence[int]) -> bytes:
    return b"".join(map(word, instance))


def record(shown: Statement) -> bytes:
    """Proof and inputs as they are, well-formed or not."""
    proof = shown.proof
    d = b"" if proof.d is None else encode_g1(proof.d)
    return encode_g1(proof.a) + encode_g2(proof.b) + encode_g1(proof.c) + d + words(shown.instance)


def calldata(shown: Statement) -> bytes:
    types = proof_types(shown.vk)
    if shown.ctx == NO_CONTEXT:
        return selector(f"verifyProof({types})") + record(shown)
    return selector(f"verifyBoundProof({types},bytes32)") + record(shown) + BINDERS[shown.ctx]


def source_of(vk: VerifyingKey, *, batch: bool = False) -> str:
    """The rendered source, of unsafe keys too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("zkchain.solidity.render"), "check_verifying_key", lambda vk: None)
        return solidity.render(vk, batch=batch).source


class Contracts:
    """Compiled together (solc's start takes longest), put at address zero of chain 1 when they are used."""

    def __init__(self, chain: Chain, sources: Mapping[Any, str]) -> None:
        self.chain = chain
        files = {
            f"{i}.sol": text.replace("Verifier_DEVELOPMENT_KEY", f"V{i}") for i, text in enumerate(sources.values())
        }
        artifacts = compiled(files)
        self.artifacts: dict[Any, Artifact] = {key: artifacts[f"V{i}"] for i, key in enumerate(sources)}

    def outcome(self, key: Any, data: bytes) -> str:
        artifact = self.artifacts[key]
        ask_node(self.chain, "anvil_setCode", ADDRESS, "0x" + artifact.runtime.hex())
        return outcome(self.chain, Deployment(ADDRESS, 1, artifact), data)


@pytest.fixture(scope="module")
def mainnet() -> Iterator[Chain]:
    """A node that says it is chain 1."""
    with anvil("--chain-id", "1") as rpc:
        yield connect(rpc)


@pytest.fixture(scope="module")
def contracts(mainnet: Chain) -> Contracts:
    """Verifiers of all keys that a proof is shown with."""
    return Contracts(mainnet, {f.shown.vk: source_of(f.shown.vk) for f in SAFE})


@pytest.fixture(scope="module")
def batch_contracts(mainnet: Chain) -> Contracts:
    keys = {s.vk for batch in BATCHES for s in batch.statements}
    return Contracts(mainnet, {vk: source_of(vk, batch=True) for vk in keys})


def expected(forgery: Forgery) -> set[str]:
    """Names of the errors that fit; '' is none."""
    shown = forgery.shown
    if forgery.verdict is not Verdict.MALFORMED:
        return {""} if forgery.verdict is Verdict.VALID else {"ProofInvalid"}
    if len(shown.instance) != shown.vk.instance_length:
        return {"CalldataLength"} if len(shown.instance) > shown.vk.instance_length else {"reverted"}
    return {"InputOutOfRange"} if any(x >= R for x in shown.instance) else {"PrecompileFailed"}


@pytest.mark.parametrize("forgery", SAFE, ids=name)
def test_the_contract(contracts: Contracts, forgery: Forgery) -> None:
    assert contracts.outcome(forgery.shown.vk, calldata(forgery.shown)) in expected(forgery)


@pytest.mark.parametrize("forgery", [f for f in FORGERIES if f.verdict is Verdict.UNSAFE_KEY], ids=name)
def test_no_contract_is_rendered_for_an_unsafe_key(forgery: Forgery) -> None:
    with pytest.raises(UnsafeKey):
        solidity.render(forgery.shown.vk)


@pytest.mark.parametrize("batch", BATCHES, ids=name)
def test_a_batch(batch_contracts: Contracts, batch: Batch) -> None:
    vk = batch.statements[0].vk
    items = words((32, len(batch.statements))) + b"".join(map(record, batch.statements))
    data = selector(f"verifyBatch(({proof_types(vk)})[])") + items
    assert batch_contracts.outcome(vk, data) == ("ProofInvalid" if batch.bad else "")


@pytest.mark.parametrize("batch", [b for b in BATCHES if not b.bad], ids=name)
def test_no_stray_passes_in_a_batch(batch_contracts: Contracts, batch: Batch) -> None:
    vk = batch.statements[0].vk
    for statements, _ in stray_batches(batch.statements):
        items = words((32, len(statements))) + b"".join(map(record, statements))
        data = selector(f"verifyBatch(({proof_types(vk)})[])") + items
        assert batch_contracts.outcome(vk, data) == "PrecompileFailed"


def weakened(forgery: Forgery) -> str | None:
    """The contract that lacks what the forgery needs lacking; None if that changes the equation itself."""
    assert forgery.weak is not None
    vk, variant = forgery.weak.vk, forgery.variant
    if variant.alpha_beta is not None or variant.d_under_gamma:
        return None
    source = source_of(vk)
    edits = [EDITS[field] for field in ("hash_d", "hash_ctx") if not getattr(variant, field)]
    if not variant.hash_x:
        n = vk.instance_length
        edits += [(f"mstore(add(s, 0xa0), {n})", "mstore(add(s, 0xa0), 0)")]
        edits += [(f"keccak256(s, 0x{0xC0 + 32 * n:03x})", "keccak256(s, 0x0c0)")]
    if variant.below is None:
        edits += [(CHECK[vk.system], "")]
    elif variant.below == P:
        edits += [(CHECK[vk.system], CHECK[vk.system].replace("R)", str(P) + ")"))]
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


WEAK = {f.name: source for f in FORGERIES if f.weak and (source := weakened(f))}


@pytest.fixture(scope="module")
def weak_contracts(mainnet: Chain) -> Contracts:
    return Contracts(mainnet, WEAK)


def test_most_weakened_variants_are_there() -> None:
    assert len(WEAK) >= 15
    assert {"x not hashed", "D not hashed", "another context", "cg16: x + 2r not compared"} <= set(WEAK)


@pytest.mark.parametrize("forgery", [f for f in FORGERIES if f.name in WEAK], ids=name)
def test_the_weakened_contract_accepts(weak_contracts: Contracts, forgery: Forgery) -> None:
    weak = forgery.weak
    assert weak is not None
    assert weak_contracts.outcome(forgery.name, calldata(weak)) == ""


@pytest.mark.parametrize("batch", [b for b in BATCHES if b.weak_rho == (1, 1, 1) or b.weak_rho == (1, 1)], ids=name)
def test_a_batch_with_equal_weights_accepts(mainnet: Chain, batch: Batch) -> None:
    vk = batch.statements[0].vk
    source = source_of(vk, batch=True)
    start = source.index("uint256 rho = i == 0")
    equal = source[:start] + "uint256 rho = 1;" + source[source.index(";", start) + 1 :]
    weak = Contracts(mainnet, {"equal": equal})
    items = words((32, len(batch.statements))) + b"".join(map(record, batch.statements))
    assert weak.outcome("equal", selector(f"verifyBatch(({proof_types(vk)})[])") + items) == ""


def test_the_list_of_weights_is_used() -> None:
    assert any(b.weak_rho and set(b.weak_rho) == {1} for b in BATCHES)


@pytest.mark.parametrize("system", System)
def test_every_bit_of_a_word_counts(contracts: Contracts, system: System) -> None:
    """One flipped bit in every word of an honest proof and its inputs."""
    honest = next(f.shown for f in SAFE if f.name == f"{system}: honest")
    data = calldata(honest)
    assert contracts.outcome(honest.vk, data) == ""
    for position in range(4, len(data), 32):
        altered = bytearray(data)
        altered[position + 31] ^= 1
        assert contracts.outcome(honest.vk, bytes(altered)) in {"ProofInvalid", "PrecompileFailed"}


@pytest.mark.parametrize("system", System)
def test_calldata_of_other_lengths(contracts: Contracts, system: System) -> None:
    honest = next(f.shown for f in SAFE if f.name == f"{system}: honest")
    data = calldata(honest)
    for length in (0, 3, 4, 36, len(data) - 32, len(data) - 1):
        assert contracts.outcome(honest.vk, data[:length]) == "reverted"
    for more in (b"\x00", bytes(32), data):
        assert contracts.outcome(honest.vk, data + more) == "CalldataLength"
    assert contracts.outcome(honest.vk, bytes([data[0] ^ 1]) + data[1:]) == "reverted"


def test_ether_is_not_taken(contracts: Contracts, mainnet: Chain) -> None:
    honest = next(f.shown for f in SAFE if f.name == "cg16: honest")
    contracts.outcome(honest.vk, calldata(honest))
    params: Any = {"to": ADDRESS, "data": calldata(honest), "from": mainnet.sender, "value": 1}
    with pytest.raises(Exception, match="revert"):
        mainnet.web3.eth.call(params)


def test_contexts_of_the_vectors(mainnet: Chain) -> None:
    """The context is that of Python for chain 1 and any address: the binder is not enough to move a proof."""
    bound = next(f.shown for f in SAFE if f.name == "a proof in its context")
    sources = Contracts(mainnet, {"v": source_of(bound.vk)})
    assert sources.outcome("v", calldata(bound)) == ""
    assert sources.outcome("v", calldata(replace(bound, ctx=OTHER_CTX))) == "ProofInvalid"
    elsewhere = "0x" + "00" * 19 + "77"
    code = "0x" + sources.artifacts["v"].runtime.hex()
    ask_node(mainnet, "anvil_setCode", elsewhere, code)
    assert outcome(mainnet, Deployment(elsewhere, 1, sources.artifacts["v"]), calldata(bound)) == "ProofInvalid"
