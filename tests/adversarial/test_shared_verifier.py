"""contracts/ZkVerifierShared.sol: all that a call can hold, altered; the list of forgeries; weakened contracts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.attacks import CTX, OTHER_CTX
from tests.helpers.evm import ROOT, anvil, ask_node, compiled, encode_call, outcome
from tests.helpers.forgeries import Batch, Forgery, Statement, Verdict, load
from tests.helpers.mutants import of_bytes
from tests.helpers.shared_checks import OK, SHAPES, Check, Subject, ceremony_key, checks, key_checks, thinned
from tests.helpers.simulator import simulate
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.chain import Chain, Deployment, connect, deploy_clone, deploy_shared
from zkchain.formats import shipped
from zkchain.groth16.transcript import NO_CONTEXT, vkhash
from zkchain.groth16.types import Proof
from zkchain.r1cs import System
from zkchain.solidity import Artifact, Form
from zkchain.solidity.shared import clone_calldata, encode_key, shared_batch_calldata, shared_calldata

ARTIFACT = shipped.contract(shipped.SHARED)
ADDRESS = "0x" + "00" * 20
BINDERS = {CTX: bytes(31) + b"\x01", OTHER_CTX: bytes(31) + b"\x02"}
"""The contexts of the fixtures are those of address zero on chain 1."""
FORGERIES, BATCHES = load().forgeries, load().batches


def surprises(chain: Chain, deployment: Deployment, wanted: Iterator[Check]) -> tuple[int, list[tuple[str, str]]]:
    """How many checks were made, and those whose answer was another than expected."""
    made, found = 0, []
    for check in wanted:
        made += 1
        got = outcome(chain, deployment, check.data)
        if got not in check.expected:
            found.append((check.name, got))
    return made, found


class TestAnswers:
    """What the contract answers to valid and to altered calls."""

    def test_on_py_evm_thinned(self, embedded: Chain) -> None:
        """A few of one key, and of all that is refused before a pairing one of each kind."""
        deployment = deploy_shared(embedded, ARTIFACT)
        subject = Subject(
            ceremony_key(System.CG16, 2), ARTIFACT, embedded.chain_id, bytes.fromhex(deployment.address[2:])
        )
        valid = [check for check in key_checks(subject) if check.expected == OK][1:]
        every = checks(ARTIFACT, embedded.chain_id, deployment.address, (1,), [(System.CG16, 2)])
        early = [
            check
            for check in thinned(every, 1)
            if not check.expected & {"", "ProofInvalid", "PrecompileFailed"}  # those take a second each
        ]
        assert len(early) >= 25
        made, found = surprises(embedded, deployment, iter([*valid, *early]))
        assert (made, found) == (len(valid) + len(early), [])

    @pytest.mark.anvil
    def test_on_a_node_thinned(self, node: Chain) -> None:
        deployment = deploy_shared(node, ARTIFACT)
        made, found = surprises(
            node, deployment, thinned(checks(ARTIFACT, node.chain_id, deployment.address, (1, 2), SHAPES[::2]), 1)
        )
        assert found == []
        assert made >= 100

    @pytest.mark.slow
    @pytest.mark.anvil
    @pytest.mark.parametrize("fork", ["cancun", "prague", "osaka"])
    def test_all(self, fork: str) -> None:
        with anvil("--hardfork", fork) as rpc:
            chain = connect(rpc)
            deployment = deploy_shared(chain, ARTIFACT)
            wanted = list(checks(ARTIFACT, chain.chain_id, deployment.address))
            made, found = surprises(chain, deployment, iter(wanted))
        kinds = Counter(check.kind for check in wanted)
        print(f"{fork}: {made} checks of {len(kinds)} kinds, {len(found)} surprises")
        assert found == []
        assert made >= 1_017


def test_no_two_checks_are_the_same() -> None:
    calls = Counter(check.data for check in checks(ARTIFACT, 1, ADDRESS, (1, 2), SHAPES[::2]))
    assert max(calls.values()) <= 2
    assert sum(times > 1 for times in calls.values()) <= 10  # an input of r, of r - 1 plus 1, ...


def record(proof: Proof) -> bytes:
    """A proof's elements as they are, well-formed or not."""
    d = b"" if proof.d is None else encode_g1(proof.d)
    return encode_g1(proof.a) + encode_g2(proof.b) + encode_g1(proof.c) + d


def call_of(shown: Statement) -> bytes:
    """The call that shows the contract what the forgery shows a verifier."""
    vk = shown.vk
    head = (vkhash(vk), encode_key(vk), record(shown.proof), list(shown.instance))
    if shown.ctx == NO_CONTEXT:
        return encode_call(ARTIFACT, "verify", *head)
    return encode_call(ARTIFACT, "verifyBound", *head, BINDERS[shown.ctx])


REFUSED = {
    Verdict.VALID: {""},
    Verdict.INVALID: {"ProofInvalid"},
    Verdict.MALFORMED: {"InputOutOfRange", "PrecompileFailed", "KeyLength", "KeyMismatch", "InstanceLength"},
    Verdict.UNSAFE_KEY: {"UnsafeKey", "PrecompileFailed", "KeyLength"},
}


@pytest.fixture(scope="module")
def mainnet() -> Iterator[Chain]:
    """A node that says it is chain 1, with the contract at address zero."""
    with anvil("--chain-id", "1") as rpc:
        chain = connect(rpc)
        ask_node(chain, "anvil_setCode", ADDRESS, "0x" + ARTIFACT.runtime.hex())
        yield chain


def name(case: Forgery | Batch) -> str:
    return case.name


SHARED = Deployment(ADDRESS, 1, ARTIFACT, form=Form.SHARED)


@pytest.mark.anvil
class TestForgeries:
    """tests/adversarial/fixtures/forgeries.json, which no verifier accepts."""

    @pytest.mark.parametrize("forgery", FORGERIES, ids=name)
    def test_it_is_refused(self, mainnet: Chain, forgery: Forgery) -> None:
        shown = forgery.shown
        data = call_of(shown)
        if forgery.verdict is Verdict.UNSAFE_KEY:
            cg16 = shown.vk.system is System.CG16
            data = encode_call(
                ARTIFACT, "checkKey", vkhash(shown.vk), encode_key(shown.vk), cg16, shown.vk.instance_length
            )
        assert outcome(mainnet, SHARED, data) in REFUSED[forgery.verdict]

    @pytest.mark.parametrize("batch", BATCHES, ids=name)
    def test_a_batch(self, mainnet: Chain, batch: Batch) -> None:
        vk = batch.statements[0].vk
        proofs = b"".join(record(statement.proof) for statement in batch.statements)
        inputs = [x for statement in batch.statements for x in statement.instance]
        head = (vkhash(vk), encode_key(vk))
        contexts = {statement.ctx for statement in batch.statements}
        if contexts == {NO_CONTEXT}:
            data = encode_call(ARTIFACT, "verifyBatch", *head, len(batch.statements), proofs, inputs)
        else:
            binders = [BINDERS[statement.ctx] for statement in batch.statements]
            data = encode_call(ARTIFACT, "verifyBoundBatch", *head, proofs, inputs, binders)
        assert outcome(mainnet, SHARED, data) == ("ProofInvalid" if batch.bad else "")


CORE, MAIN = "ZkSharedCore.sol", "ZkVerifierShared.sol"
# name -> file, what is taken out, what stands there instead
MUTANTS: Mapping[str, tuple[str, str, str]] = {
    "hash of the key": (MAIN, "if (got != vkHash) revert KeyMismatch(got, vkHash);", "got;"),
    "length of the key": (
        MAIN,
        "if (gap & ~uint256(0x80) != 0) revert KeyLength(vk.length, size);",
        "gap = gap == 0 ? 0 : 0x80;",
    ),
    "y of a below p": (CORE, "if (y >= P) revert IZkVerifierErrors.PrecompileFailed();", ""),
    "range of inputs, cg16": (CORE, "if (bad) _refuseInputs(inputs, n);", ""),
    "range of inputs, groth16": (CORE, "if (x >= R) revert IZkVerifierErrors.InputOutOfRange(n);", ""),
    "range of inputs, batch of groth16": (MAIN, "if (x >= R) revert IZkVerifierErrors.InputOutOfRange(j);", ""),
    "product of pairings": (CORE, "if (one != 1) revert IZkVerifierErrors.ProofInvalid();", ""),
    "context": (MAIN, "ctx = _contextAt(0x84);", ""),
    "weights": (MAIN, "i == 0 ? 1 : _weight(t, t + 0x60 + b.count * 0x120, i + 1, cg16)", "1"),
    "label of the system": (CORE, "uint256 label = cg16 ? VK_CG16 : VK_GROTH16;", "uint256 label = VK_GROTH16;"),
    "length of a proof": (
        MAIN,
        "if (!cg16 && proof.length != GROTH16_PROOF) "
        "revert IZkVerifierErrors.ProofLength(proof.length, GROTH16_PROOF);",
        "",
    ),
    "trailing data": (
        MAIN,
        "        if (msg.data.length != expected) revert IZkVerifierErrors.CalldataLength(msg.data.length, expected);\n"
        "        uint256 elements;",
        "        uint256 elements;",
    ),
    "number of proofs": (
        MAIN,
        "if (proofs.length != size || proofs.length < count) "
        "revert IZkVerifierErrors.ProofLength(proofs.length, size);",
        "size;",
    ),
    "contexts of a batch": (MAIN, "b.binders == 0 ? bytes32(0) : _contextAt(b.binders + (i << 5))", "bytes32(0)"),
    "a binder each": (MAIN, "_contextAt(b.binders + (i << 5))", "_contextAt(b.binders)"),
    "plain Groth16 is not bound": (MAIN, "if (!cg16) revert IZkVerifierErrors.NotBindable();", ""),
    "an empty batch": (MAIN, "if (count == 0) revert EmptyBatch();", "if (count == 0) return;"),
    "unsafe keys": (MAIN, "if (bad) revert UnsafeKey();", ""),
    "subgroups of a key": (MAIN, "_requirePairing(buffer, buffer + (cg16 ? 0x300 : 0x240));", ""),
    "points of a key": (MAIN, "_precompile(EC_ADD, buffer, 0x40, buffer, 0x40); // infinity", "// infinity"),
}


def mutants() -> dict[str, Artifact]:
    """The weakened contracts, compiled together: solc's start takes longest."""
    folder = ROOT / "contracts"
    texts = {str(path.relative_to(folder)): path.read_text() for path in _sources(folder)}
    sources, names = {}, {}
    for number, (what, (file, old, new)) in enumerate(MUTANTS.items()):
        assert texts[file].count(old) == 1, what
        names[what] = f"Mutant{number}"
        for path, text in (texts | {file: texts[file].replace(old, new)}).items():
            sources[f"m{number}/{path}"] = text.replace("contract ZkVerifierShared is", f"contract {names[what]} is")
    made = compiled(sources)
    return {what: made[contract] for what, contract in names.items()}


def _sources(folder: Path) -> list[Path]:
    return [folder / CORE, folder / MAIN, *(folder / "interfaces").glob("IZk*.sol")]


@pytest.mark.slow
@pytest.mark.anvil
def test_each_check_that_is_taken_out_is_missed(node: Chain) -> None:
    noticed: dict[str, list[Any]] = {}
    for what, artifact in mutants().items():
        place = "0x" + "77" * 20
        ask_node(node, "anvil_setCode", place, "0x" + artifact.runtime.hex())
        wanted = thinned(checks(artifact, node.chain_id, place, (1, 2), SHAPES[::2]), 2)
        noticed[what] = surprises(node, Deployment(place, node.chain_id, artifact), wanted)[1]
    for what, found in noticed.items():
        print(f"{what}: {len(found)} surprises, {found[:1]}")
    print(f"{len(noticed)} mutants")
    assert [what for what, found in noticed.items() if not found] == []


def test_the_code_stays_small() -> None:
    assert len(ARTIFACT.runtime) <= 5_000
    assert len(shipped.contract(shipped.CLONE).runtime) <= 2_000
    assert len(SHAPES) == 4


MUTATIONS = 2_000


@pytest.mark.slow
@pytest.mark.anvil
@pytest.mark.parametrize("what", ["verify", "verifyBatch", "clone"])
@pytest.mark.parametrize("system", System)
def test_no_random_mutation_is_accepted(node: Chain, system: System, what: str) -> None:
    """Bytes flipped, cut, repeated, overwritten, anywhere in a valid call; what is refused says so by a known error."""
    key, rng = ceremony_key(system, 2), random.Random(f"{system}/{what}")
    items = [(simulate(key, (k, 7)), (k, 7)) for k in range(3)]
    if what == "clone":
        deployment = deploy_clone(node, shipped.contract(shipped.CLONE), key.vk)
        data = clone_calldata(key.vk, *items[1])
    else:
        deployment = deploy_shared(node, ARTIFACT)
        one = what == "verify"
        data = shared_calldata(key.vk, *items[1]) if one else shared_batch_calldata(key.vk, items)
    assert outcome(node, deployment, data) == ""
    found = Counter(
        outcome(node, deployment, mutant) for _ in range(MUTATIONS) if (mutant := of_bytes(data, rng)) != data
    )
    print(f"{system} {what}: {dict(found)}")
    assert found[""] == 0
    assert found.total() > 0.9 * MUTATIONS
    assert len(found) >= 4
