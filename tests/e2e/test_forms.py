"""The three forms of a verifier from the command line and from Python, and many proofs in one transaction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zkchain as zk
from tests.helpers.cli_tools import calibration, proved_bundle, small_model, write_input, zkchain
from tests.helpers.evm import anvil
from zkchain.errors import ArgumentError, ChainError, TransactionReverted
from zkchain.formats import shipped
from zkchain.solidity import decode_error
from zkchain.solidity.calldata import selector

pytestmark = pytest.mark.anvil
BINDER = "0x" + "07" * 32


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proved_bundle(tmp_path_factory.mktemp("forms") / "bundle", "--system", "cg16")


@pytest.mark.parametrize("form", ["shared", "clone"])
def test_deploy_and_submit(bundle: Path, anvil_rpc: str, form: str) -> None:
    deployed = zkchain("deploy", bundle, f"--{form}", "--rpc", anvil_rpc, "--json")
    assert deployed.code == 0, deployed.err
    place = deployed.json["deployment"]
    assert place["form"] == form
    foreseen = zkchain("gas", bundle, f"--{form}", "--proof", "proof", "--json").json
    sent = zkchain("submit", bundle, "--rpc", anvil_rpc, "--json")
    assert sent.code == 0, sent.err
    assert (sent.json["address"], sent.json["form"]) == (place["address"], form)
    assert abs(sent.json["verification"]["gas"] - foreseen["verification"]["gas"]) <= 50
    if form == "clone":
        assert foreseen["deployment"]["gas"] in (place["gas"], place["gas"] - foreseen["once"])
    again = zkchain("deploy", bundle, f"--{form}", "--rpc", anvil_rpc, "--json").json
    assert (again["already"], again["deployment"]["address"]) == (True, place["address"])
    # the calldata is what was sent: a call of that contract
    data = zkchain("calldata", bundle, "--json").json
    assert (data["function"], data["address"]) == ("verify", place["address"])
    bound = zkchain("prove", bundle, bundle.parent / "input.json", "--proof", "bound", "--binder", BINDER)
    assert bound.code == 0, bound.err
    sent = zkchain("submit", bundle, "--proof", "bound", "--rpc", anvil_rpc, "--json")
    assert sent.code == 0, sent.err


def test_all_proofs_that_were_not_sent(bundle: Path, anvil_rpc: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, ignore=shutil.ignore_patterns("bound", "deployment.json"))
    one_by_one = zkchain("deploy", folder, "--rpc", anvil_rpc)
    assert one_by_one.code == 0, one_by_one.err
    assert "--shared" in zkchain("submit", folder, "--all", "--rpc", anvil_rpc).err
    assert zkchain("deploy", folder, "--shared", "--rpc", anvil_rpc).code == 0
    samples = [write_input(tmp_path / f"{k}.json", {"x": [[k / 4, -1.0, 0.5, 2.0]]}) for k in range(3)]
    assert zkchain("prove", folder, *samples).code == 0

    first = zkchain("submit", folder, "--all", "--rpc", anvil_rpc, "--json").json
    assert first["proofs"] == ["proof", "proof-0", "proof-1", "proof-2"]
    assert first["verification"]["what"] == "batch of 4"
    same = zkchain("submit", folder, "--all", "--rpc", anvil_rpc, "--json").json
    assert same["transaction"] == first["transaction"]
    assert zkchain("prove", folder, samples[0], "--proof", "late").code == 0
    rest = zkchain("submit", folder, "--all", "--rpc", anvil_rpc, "--json").json
    assert (rest["proofs"], rest["verification"]["what"]) == (["late"], "verification")
    every = zkchain("submit", folder, "--all", "--again", "--rpc", anvil_rpc, "--json").json
    assert len(every["proofs"]) == 5

    # a contract of its own, with verifyBatch
    batch = zkchain("deploy", folder, "--batch", "--rpc", anvil_rpc, "--json").json
    assert (batch["deployment"]["form"], batch["deployment"]["batch"]) == ("embedded", True)
    assert len(zkchain("submit", folder, "--all", "--rpc", anvil_rpc, "--json").json["proofs"]) == 5
    assert zkchain("submit", folder, "--rpc", anvil_rpc).code == 0

    # a proof that does not hold is named before anything is sent
    public = folder / "proofs" / "late" / "public.json"
    public.write_text(json.dumps([str(int(x) + 1) for x in json.loads(public.read_text())]))
    refused = zkchain("submit", folder, "--all", "--again", "--rpc", anvil_rpc)
    assert refused.code == 17
    assert "proof 'late'" in refused.err


def test_unsigned(bundle: Path, tmp_path: Path) -> None:
    """What is signed elsewhere is what is sent here: the shared contract's address is known beforehand."""
    path = tmp_path / "deploy.json"
    made = {
        form: zkchain("deploy", bundle, f"--{form}", "--unsigned", path, "--chain-id", 5, "--json").json
        for form in ("shared", "clone")
    }
    assert [len(made[form]["transactions"]) for form in ("shared", "clone")] == [1, 2]
    with anvil() as rpc:
        for form in ("shared", "clone"):
            found = zkchain("deploy", bundle, f"--{form}", "--rpc", rpc, "--json").json
            assert found["deployment"]["address"] == made[form]["address"]


@pytest.mark.parametrize(
    "options", [("--shared", "--clone"), ("--clone", "--batch")], ids=["two forms", "a batch of a clone"]
)
def test_options_that_exclude_each_other(bundle: Path, options: tuple[str, str]) -> None:
    assert zkchain("deploy", bundle, *options).code == 2


@pytest.fixture(scope="module")
def keys() -> zk.Keys:
    return zk.compile(small_model(), calibration(), domain={"x": (-4, 4)}, system="cg16").setup()


class TestPython:
    """chain.deploy(..., form=...), chain.at(..., form=...)."""

    def test_every_form(self, keys: zk.Keys, anvil_rpc: str) -> None:
        chain = zk.connect(anvil_rpc)
        sample = np.array([[0.5, -1.25, 2.0, 0.0]], np.float32)
        proofs = [keys.prove(x=sample), keys.prove(x=-sample)]
        for form in ("shared", "clone"):
            contract = chain.deploy(keys.verifier, form=form)
            assert contract.submit(proofs[0]).gas_used < 275_000
            found = chain.at(contract.address, keys.verifier, form=form)
            assert found.submit(proofs[1]).gas_used < 275_000
            bound = keys.prove(x=sample, context=contract.bind(BINDER))
            found.submit(bound)
            other = chain.deploy(keys.verifier)
            with pytest.raises(ChainError, match="is bound to contract"):
                other.submit(bound)
        shared = chain.deploy(keys.verifier, form="shared")
        assert shared.submit_batch(proofs).gas_used < 2 * 270_000
        with pytest.raises(ChainError, match="no verifyBatch"):
            chain.deploy(keys.verifier, form="clone").submit_batch(proofs)
        with pytest.raises(ChainError, match="is not this"):
            chain.at(shared.address, keys.verifier, form="clone")
        with pytest.raises(ChainError, match="is not this"):
            chain.at(chain.deploy(keys.verifier).address, keys.verifier, form="shared")

    def test_two_keys_share_one_contract(self, keys: zk.Keys, anvil_rpc: str) -> None:
        chain = zk.connect(anvil_rpc)
        others = zk.compile(small_model(2), calibration(), domain={"x": (-4, 4)}, system="groth16").setup()
        one, two = (chain.deploy(each.verifier, form="shared") for each in (keys, others))
        assert one.address == two.address
        sample = np.array([[0.5, -1.25, 2.0, 0.0]], np.float32)
        two.submit(others.prove(x=sample))
        one.submit(keys.prove(x=sample))

    @pytest.mark.parametrize("wrong", [{"form": "adapter"}, {"form": "clone", "batch": True}, {"form": 3}])
    def test_what_is_no_form(self, keys: zk.Keys, anvil_rpc: str, wrong: dict[str, object]) -> None:
        with pytest.raises(ArgumentError):
            zk.connect(anvil_rpc).deploy(keys.verifier, **wrong)  # type: ignore[arg-type]


def test_consumers_see_the_errors_of_the_interface() -> None:
    """web3.py and ethers decode by the ABI at hand: that of a clone has all errors."""
    abi = shipped.contract(shipped.CLONE).abi
    for name in ("ProofInvalid()", "PrecompileFailed()", "GasTooLow(uint256,uint256)", "InputOutOfRange(uint256)"):
        decoded = decode_error(abi, selector(name) + bytes(64))
        assert decoded is not None
        assert decoded.name == name.partition("(")[0]


def test_a_reverted_call_says_what_to_do(bundle: Path, anvil_rpc: str) -> None:
    with pytest.raises(TransactionReverted, match="KeyMismatch"):
        raise_mismatch(anvil_rpc)


def raise_mismatch(rpc: str) -> None:
    from tests.helpers.shared_checks import Subject, ceremony_key
    from zkchain.chain import call, connect, deploy_shared
    from zkchain.r1cs import System

    chain, artifact = connect(rpc), shipped.contract(shipped.SHARED)
    deployment = deploy_shared(chain, artifact)
    subject = Subject(ceremony_key(System.GROTH16, 1), artifact, chain.chain_id, bytes(20))
    call(chain, deployment, subject.verify(hash=bytes(32)))
