"""A cg16 proof bound to a deployed contract: good there with its binder, nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zkchain
from zkchain import workspace
from zkchain.demo import PIXELS
from zkchain.errors import ChainError, ProofInvalid, TransactionReverted
from zkchain.formats.shipped import data, model

ANVIL_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # public: anvil's first account
BINDER = bytes(range(32))


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return {"image": data()["test/image"][0]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bound") / "bundle"
    zkchain.compile(model(), data(), domain={"image": PIXELS}).save(folder)
    workspace.setup_bundle(folder)
    return folder


@pytest.mark.anvil
def test_a_bound_proof_holds_for_its_contract_and_binder_only(
    bundle: Path, arrays: dict[str, Any], anvil_rpc: str
) -> None:
    with pytest.raises(ChainError, match="none was deployed"):
        workspace.open_prover(bundle).prove(arrays, binder=BINDER)
    workspace.deploy_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))
    workspace.open_prover(bundle).prove(arrays, binder=BINDER)
    workspace.verify_bundle(bundle)
    report = workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))
    assert report.chain_id == 31337

    context = bundle / "proofs" / "proof" / "context.json"
    kept = context.read_text()
    context.write_text(kept.replace("0x0001", "0x0002"))
    with pytest.raises(ProofInvalid):
        workspace.verify_bundle(bundle)
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))

    elsewhere = json.loads(kept) | {"contract": "0x" + "11" * 20}
    context.write_text(json.dumps(elsewhere))
    with pytest.raises(ChainError, match="is bound to contract"):
        workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))

    context.unlink()  # shown as a proof in no context
    with pytest.raises(ProofInvalid):
        workspace.verify_bundle(bundle)


def test_nothing_to_bind_to(tmp_path: Path, arrays: dict[str, Any]) -> None:
    folder = tmp_path / "bundle"
    zkchain.compile(model(), data(), domain={"image": PIXELS}, system="groth16").save(folder)
    workspace.setup_bundle(folder)
    with pytest.raises(ChainError, match="none was deployed"):
        workspace.open_prover(folder).prove(arrays, binder=BINDER)
    workspace.deploy_bundle(folder)
    with pytest.raises(ChainError, match="embedded chain"):
        workspace.open_prover(folder).prove(arrays, binder=BINDER)
