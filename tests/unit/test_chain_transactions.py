"""Deploying and submitting, on the embedded chain and on a node."""

from dataclasses import replace

import pytest

from tests.helpers.evm import anvil, ask_node, contracts, verifier
from tests.helpers.simulator import simulate, toxic_key
from zkchain import chain as zk
from zkchain import solidity
from zkchain.chain import Chain, Deployment, connect
from zkchain.errors import ChainError, KeyMismatch, TransactionReverted
from zkchain.groth16.transcript import context
from zkchain.r1cs import System
from zkchain.solidity.calldata import selector

KEY = "0x" + "4c" * 32
X = {1: (5,), 2: (5, 6)}


@pytest.fixture(params=["embedded", pytest.param("node", marks=pytest.mark.anvil)])
def chain(request: pytest.FixtureRequest) -> Chain:
    found: Chain = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def deployed(embedded: Chain) -> Deployment:
    return zk.deploy(embedded, verifier(System.GROTH16, 1))


def test_deploy_and_submit(chain: Chain) -> None:
    key = toxic_key(System.GROTH16, 1)
    artifact = verifier(System.GROTH16, 1)
    deployment = zk.deploy(chain, artifact)
    assert len(deployment.receipts) == 1
    assert deployment.receipts[0].contract == deployment.address
    assert deployment.chain_id == chain.chain_id
    proof = simulate(key, X[1])
    receipt = zk.submit(chain, deployment, key.vk, proof, X[1])
    assert receipt.data == solidity.calldata(key.vk, proof, X[1])
    assert receipt.sender == chain.sender
    assert receipt.contract is None
    assert len(receipt.transaction) == 66
    assert receipt.block > deployment.receipts[0].block
    assert receipt.gas_price > 0
    assert 200_000 < receipt.gas_used <= 214_000


def test_a_false_proof_reverts(chain: Chain) -> None:
    key = toxic_key(System.GROTH16, 1)
    deployment = zk.deploy(chain, verifier(System.GROTH16, 1))
    with pytest.raises(TransactionReverted, match=r"reverted: ProofInvalid\(\): the proof does not verify") as caught:
        zk.submit(chain, deployment, key.vk, simulate(key, X[1]), (6,))
    assert caught.value.name == "ProofInvalid"
    assert caught.value.exit_code == 23
    assert caught.value.hint is not None
    assert caught.value.data == selector("ProofInvalid()")


def test_a_mined_failure_is_explained_too(embedded: Chain, deployed: Deployment) -> None:
    """The embedded chain mines what a node would refuse when it estimates gas."""
    before = embedded.web3.eth.block_number
    with pytest.raises(TransactionReverted, match="Verifier_DEVELOPMENT_KEY reverted: ProofInvalid"):
        zk.submit(
            embedded, deployed, toxic_key(System.GROTH16, 1).vk, simulate(toxic_key(System.GROTH16, 1), (1,)), (2,)
        )
    assert embedded.web3.eth.block_number == before + 1


@pytest.mark.anvil
def test_a_node_refuses_before_anything_is_sent(node: Chain) -> None:
    key = toxic_key(System.GROTH16, 1)
    deployment = zk.deploy(node, verifier(System.GROTH16, 1))
    before = node.web3.eth.block_number
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        zk.submit(node, deployment, key.vk, simulate(key, X[1]), (6,))
    assert node.web3.eth.block_number == before


def test_arguments_of_errors_come_through(embedded: Chain, deployed: Deployment) -> None:
    data = solidity.calldata(toxic_key(System.GROTH16, 1).vk, simulate(toxic_key(System.GROTH16, 1), X[1]), X[1])
    with pytest.raises(TransactionReverted, match=r"CalldataLength\(293, 292\)") as caught:
        zk.call(embedded, deployed, data + b"\x00")
    assert caught.value.arguments == (293, 292)


def test_without_a_reason(embedded: Chain, deployed: Deployment) -> None:
    with pytest.raises(TransactionReverted, match="without a reason") as caught:
        zk.call(embedded, deployed, b"\x00\x01\x02\x03")
    assert (caught.value.name, caught.value.data) == (None, b"")


def test_another_key_is_noticed_before_sending(chain: Chain) -> None:
    deployment = zk.deploy(chain, verifier(System.GROTH16, 1))
    other = toxic_key(System.GROTH16, 1, label="other")
    with pytest.raises(KeyMismatch, match=r"verifies proofs of key 0x\w{16}\.\.\., this proof is for key 0x\w{16}"):
        zk.submit(chain, deployment, other.vk, simulate(other, X[1]), X[1])


def test_a_bound_proof(chain: Chain) -> None:
    key = toxic_key(System.CG16, 2)
    deployment = zk.deploy(chain, verifier(System.CG16, 2))
    binder = solidity.binder(deployment.address, chain.sender, 0)
    ctx = context(chain.chain_id, bytes.fromhex(deployment.address[2:]), binder)
    proof = simulate(key, X[2], ctx)
    assert zk.submit(chain, deployment, key.vk, proof, X[2], binder=binder).gas_used <= 262_000
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        zk.submit(chain, deployment, key.vk, proof, X[2])


@pytest.mark.parametrize("system", System)
def test_a_batch(embedded: Chain, system: System) -> None:
    key = toxic_key(system, 2)
    deployment = zk.deploy(embedded, verifier(system, 2, batch=True))
    items = [(simulate(key, (i, 1)), (i, 1)) for i in range(2)]
    assert zk.submit_batch(embedded, deployment, key.vk, items).gas_used > 0
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        zk.submit_batch(embedded, deployment, key.vk, [items[0], (items[1][0], (1, 2))])


@pytest.mark.anvil
def test_784_inputs_in_data_contracts(node: Chain) -> None:
    key = toxic_key(System.GROTH16, 784)
    deployment = zk.deploy(node, verifier(System.GROTH16, 784))
    assert len(deployment.receipts) == 4
    x = tuple(i * i for i in range(784))
    proof = simulate(key, x)
    assert zk.submit(node, deployment, key.vk, proof, x).gas_used < 1 << 24
    wrong = (*x[:783], x[783] + 1)
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        zk.submit(node, deployment, key.vk, proof, wrong)


def test_other_data_is_refused_at_deployment(embedded: Chain) -> None:
    artifact = verifier(System.GROTH16, 109)
    code = artifact.data[0]
    with pytest.raises(TransactionReverted, match=r"DataMismatch\(0\)"):
        zk.deploy(embedded, replace(artifact, data=(code[:-1] + bytes([code[-1] ^ 1]),)))


@pytest.mark.anvil
def test_transactions_are_signed_with_a_key(node: Chain, anvil_rpc: str) -> None:
    signer = connect(anvil_rpc, key=KEY)
    with pytest.raises(ChainError, match=r"http://127\.0\.0\.1:\d+: Insufficient funds") as caught:
        zk.deploy(signer, verifier(System.GROTH16, 1))
    assert "fund it" in str(caught.value.hint)
    ask_node(node, "anvil_setBalance", signer.sender, hex(10**18))
    deployment = zk.deploy(signer, verifier(System.GROTH16, 1))
    assert deployment.receipts[0].sender == signer.sender
    spent = 10**18 - signer.balance()
    assert spent == deployment.gas_used * deployment.receipts[0].gas_price


@pytest.mark.anvil
@pytest.mark.parametrize("key", [None, "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"])
def test_a_chain_without_eip_1559(key: str | None) -> None:
    """The node's own account, and the same account signing here: one price, no tip. The code needs a later fork."""
    with anvil("--hardfork", "berlin") as rpc:
        legacy, system = connect(rpc, key=key), toxic_key(System.GROTH16, 1)
        deployment = zk.deploy(legacy, verifier(System.GROTH16, 1))
        assert deployment.receipts[0].gas_price == legacy.gas_price()
        with pytest.raises(ChainError) as caught:
            zk.submit(legacy, deployment, system.vk, simulate(system, X[1]), X[1])
    assert "Cancun" in str(caught.value.hint)


def test_attach_to_what_is_deployed(chain: Chain) -> None:
    artifact = verifier(System.GROTH16, 1)
    deployment = zk.deploy(chain, artifact)
    assert zk.attach(chain, deployment.address, artifact).address == deployment.address
    with pytest.raises(ChainError, match="is not this Verifier"):
        zk.attach(chain, deployment.address, verifier(System.CG16, 2))
    with pytest.raises(ChainError, match="no contract at 0x00"):
        zk.attach(chain, "0x" + "00" * 19 + "99", artifact)


def test_attach_to_a_contract_with_data(embedded: Chain) -> None:
    artifact = verifier(System.GROTH16, 109)
    deployment = zk.deploy(embedded, artifact)
    assert embedded.web3.eth.get_code(embedded.web3.to_checksum_address(deployment.address)) != artifact.runtime
    assert zk.attach(embedded, deployment.address, artifact).artifact is artifact
    with pytest.raises(ChainError, match="is not this Verifier"):
        zk.attach(embedded, deployment.address, verifier(System.GROTH16, 384))


def test_a_revert_with_a_text(chain: Chain) -> None:
    caller = zk.deploy(chain, contracts()["Caller"])
    with pytest.raises(TransactionReverted, match=r"Caller reverted: Error\(told so\)") as caught:
        zk.transact(chain, caller, selector("fail()"))
    assert (caught.value.name, caught.value.arguments) == ("Error", ("told so",))
