"""A model whose 784 inputs are public, plain Groth16: its verifier deploys under EIP-170 and verifies, by commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from web3 import Web3

from tests.helpers.cli_tools import zkchain
from tests.helpers.evm import anvil
from tests.helpers.onnx_models import model, node
from zkchain import errors
from zkchain.solidity.compiler import MAX_CODE_BYTES

PIXELS = 28 * 28
CAP = 1 << 24  # EIP-7825: gas of one transaction


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(4)
    weights = {"w": rng.normal(size=(PIXELS, 3)).astype(np.float32) / 16}
    nodes = [node("MatMul", ["x", "w"], ["y"]), node("ArgMax", ["y"], ["label"], axis=1, keepdims=0)]
    made = model(nodes, {"x": [1, PIXELS]}, ("label",), constants=weights, types={"label": TensorProto.INT64})
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    (folder / "i.json").write_text(json.dumps({"x": rng.integers(0, 256, (1, PIXELS)).tolist()}))
    out = folder / "bundle"
    for command in (
        ("compile", folder / "m.onnx", "--domain", "0:255:1", "--public-input", "x", "--system", "groth16", "-o", out),
        ("setup", out),
        ("prove", out, folder / "i.json"),
        ("verify", out),
        ("solidity", out),
    ):
        outcome = zkchain(*command)
        assert outcome.code == 0, outcome.err
    assert len(json.loads((out / "proofs/proof/public.json").read_text())) == PIXELS + 1
    return out


@pytest.mark.slow
@pytest.mark.anvil
def test_784_public_inputs_deploy_and_verify(bundle: Path) -> None:
    with anvil() as rpc:
        web3 = Web3(Web3.HTTPProvider(rpc))  # the node itself: our own connection keeps what we read of a block
        deployed = zkchain("deploy", bundle, "--rpc", rpc, "--json")
        assert deployed.code == 0, deployed.err
        blocks: Any = [web3.eth.get_block(k, full_transactions=True) for k in range(1, web3.eth.block_number + 1)]
        receipts: Any = [web3.eth.get_transaction_receipt(t["hash"]) for b in blocks for t in b["transactions"]]
        record = deployed.json["deployment"]
        codes = [web3.eth.get_code(address) for address in (*record["data"], record["address"])]
        assert len(codes) == 4, "785 points of 64 bytes in three data contracts, and the verifier"
        assert max(map(len, codes)) <= MAX_CODE_BYTES
        assert max(receipt["gasUsed"] for receipt in receipts) <= CAP
        assert sum(receipt["gasUsed"] for receipt in receipts) == record["gas"]
        sent = zkchain("submit", bundle, "--rpc", rpc, "--json")
        assert sent.code == 0, sent.err
        assert sent.json["verification"]["gas"] <= CAP
        assert sent.json["verification"]["parts"]["ec_mul"] == (PIXELS + 1) * 6_000
        path = bundle / "proofs/proof/public.json"
        words = json.loads(path.read_text())
        path.write_text(json.dumps([*words[:400], str(int(words[400]) ^ 1), *words[401:]]))
        outcome = zkchain("submit", bundle, "--rpc", rpc)
        assert outcome.code == errors.TransactionReverted.exit_code
        assert "ProofInvalid()" in outcome.err
