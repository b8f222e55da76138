"""Nodes that contradict themselves, and people who do two things at once: a transaction that may be in a pool is never
given up, and nothing is sent anew before the chain was asked for all that the journal knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.helpers import toy_contract
from tests.helpers.model_chain import GWEI, OWN, ModelChain, Refusal
from tests.helpers.simulator import simulate, toxic_key
from tests.helpers.toy_contract import CALL, TOY, model_with, once
from zkchain import chain as zk
from zkchain.chain import Chain, Deployment, Terms, deploy, gas
from zkchain.chain.journal import Intent, Journal, Version, in_memory
from zkchain.chain.sending import follow, replaced
from zkchain.chain.transactions import allowance
from zkchain.errors import ChainError, TransactionRefused, TransactionReplaced, TransactionReverted
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import System
from zkchain.workspace import batches


@pytest.fixture
def model() -> Iterator[ModelChain]:
    made = model_with()
    with made.served():
        yield made


def opened(model: ModelChain, journal: Journal, key: str | None = OWN, terms: Terms | None = None) -> Chain:
    """With a patience of a few blocks only."""
    return replace(toy_contract.opened(model, journal, key, terms), patience=model.patience(30.0))


@contextmanager
def lying(model: ModelChain, method: str, lie: Callable[[Any], Any]) -> Iterator[None]:
    """What the node answers to a method goes through ``lie``."""
    honest = getattr(model, method)
    model.__dict__[method] = lambda *params: lie(honest(*params))
    try:
        yield
    finally:
        del model.__dict__[method]


@contextmanager
def refusing(model: ModelChain, words: str, *, taking: bool) -> Iterator[None]:
    """The node answers with an error where something is sent, and takes it or not."""
    honest = model.answer

    def answer(method: str, params: Any) -> Any:
        if not method.startswith("eth_send"):
            return honest(method, params)
        if taking:
            honest(method, params)
        return {"jsonrpc": "2.0", "id": 0, "error": {"code": -32603, "message": words}}

    model.__dict__["answer"] = answer
    try:
        yield
    finally:
        del model.__dict__["answer"]


def submit(chain: Chain, data: bytes = CALL, *, again: bool = False) -> Any:
    return once(chain, deploy(chain, TOY, salt=0), data, again=again)


def submissions(model: ModelChain, data: bytes = CALL) -> int:
    model.stalled = False
    for _ in range(8):
        model.mine()
    return sum(sent.data == data for _, sent in model.mined())


def last(chain: Chain) -> Intent:
    return chain.journal.all(chain.network)[-1]


def stuck(model: ModelChain, chain: Chain) -> Intent:
    """A submission that waits in the node's pool."""
    deploy(chain, TOY, salt=0)
    model.stalled = True
    with pytest.raises(ChainError, match="was sent and is not in the chain"):
        submit(chain)
    return last(chain)


# a node that says no


@pytest.mark.parametrize("key", [OWN, None])
@pytest.mark.parametrize("words", ["internal error: request timed out", "execution reverted"])
def test_an_error_though_the_node_took_it(model: ModelChain, key: str | None, words: str) -> None:
    chain = opened(model, in_memory(), key)
    deploy(chain, TOY, salt=0)
    with refusing(model, words, taking=True):
        first = submit(chain)
    assert submit(chain) == first
    assert submissions(model) == 1


@pytest.mark.parametrize("key", [OWN, None])
@pytest.mark.parametrize("another", [False, True])
def test_an_error_and_nothing_to_be_seen(model: ModelChain, key: str | None, another: bool) -> None:
    """The pool has it, and the node does not show it: one of the two that are sent then is mined at most."""
    chain = opened(model, in_memory(), key)
    deploy(chain, TOY, salt=0)
    model.stalled = True
    hidden = lying(model, "eth_getTransactionByHash", lambda _: None)
    block = lying(model, "eth_getBlockByNumber", lambda found: {**found, "transactions": []})
    with refusing(model, "internal error", taking=True), hidden, block, pytest.raises(TransactionRefused):
        submit(chain)
    assert last(chain).state == "refused"
    model.stalled = False
    if another:
        submit(chain, b"another")
    submit(chain)
    assert submissions(model) == 1


def test_what_a_node_refuses_leaves_its_nonce_to_others(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deploy(chain, TOY, salt=0)
    with refusing(model, "sender is blacklisted", taking=False), pytest.raises(TransactionRefused, match="blacklisted"):
        submit(chain)
    refused = last(chain)
    submit(chain, b"another")
    assert last(chain).nonce == refused.nonce
    submit(chain)
    assert submissions(model) == submissions(model, b"another") == 1


def test_the_nonce_of_what_was_refused_is_used_again(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deploy(chain, TOY, salt=0)
    with refusing(model, "no", taking=False), pytest.raises(TransactionRefused):
        submit(chain)
    refused = last(chain)
    with lying(model, "eth_getTransactionCount", lambda told: hex(int(told, 16) + 1)):
        told_too_high = pytest.raises(ChainError, match="is not in the chain")
        model.stalled = True
        with told_too_high:
            submit(chain, b"another")  # keeps the lie's nonce
    model.stalled = False
    submit(chain)
    assert chain.journal.all(chain.network)[-1].nonce == refused.nonce
    assert submissions(model) == submissions(model, b"another") == 1


def test_a_node_that_signs_and_lies_about_the_hash_always(model: ModelChain) -> None:
    """What stands in the block says which it is."""
    chain = opened(model, in_memory(), None)
    deployment = deploy(chain, TOY, salt=0)
    honest = model.answer

    def answer(method: str, params: Any) -> Any:
        told = honest(method, params)
        lies = method == "eth_sendTransaction"
        return {"jsonrpc": "2.0", "id": 0, "result": "0x" + "55" * 32} if lies else told

    model.__dict__["answer"] = answer
    with pytest.raises(ChainError, match="is not in the chain"):
        once(chain, deployment, CALL)
    del model.__dict__["answer"]
    once(chain, deployment, CALL)
    assert submissions(model) == 1


def test_a_receipt_that_says_it_failed(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deploy(chain, TOY, salt=0)
    lie = lying(model, "eth_getTransactionReceipt", lambda found: found and {**found, "status": "0x0"})
    with lie, pytest.raises(TransactionReverted):
        submit(chain)
    assert submit(chain).transaction == last(chain).hashes[0]
    assert submissions(model) == 1


# a chain that is another one, or not


def test_another_first_block(model: ModelChain) -> None:
    """anvil --state has another one whenever it is started; so has a node that lies."""
    journal = in_memory()
    chain = opened(model, journal)
    first = submit(chain)
    model.blocks[0] = ("0x" + "ab" * 32, ())
    other = opened(model, journal)
    assert other.network != chain.network
    assert submit(other) == first
    assert submissions(model) == 1
    assert {intent.network for intent in journal.all()} == {other.network}


def test_another_first_block_while_it_waits(model: ModelChain) -> None:
    journal = in_memory()
    chain = opened(model, journal)
    stuck(model, chain)
    model.blocks[0] = ("0x" + "ab" * 32, ())
    model.stalled = False
    submit(opened(model, journal))
    assert submissions(model) == 1


def test_a_chain_of_the_same_id_that_begins_anew(model: ModelChain) -> None:
    """What was sent to the one is no reason not to send it to the other."""
    journal = in_memory()
    first = submit(opened(model, journal))
    model.blocks[:] = [("0x" + "ab" * 32, ())]
    second = submit(opened(model, journal))
    assert first.transaction == second.transaction  # the same account, nonce and fees
    assert submissions(model) == 1


# nonces


def test_a_count_that_is_behind(model: ModelChain) -> None:
    """A confirmed transaction's nonce is taken, whatever the node counts."""
    chain = opened(model, in_memory())
    submit(chain)
    with lying(model, "eth_getTransactionCount", lambda told: hex(max(int(told, 16) - 1, 0))):
        submit(chain, b"another")
    assert submissions(model) == submissions(model, b"another") == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_a_nonce_that_was_taken_long_ago(model: ModelChain, keeps: bool) -> None:
    """A journal that is new, a count that was behind: the taker stands before the block in which it was begun."""
    submit(opened(model, in_memory()))
    for _ in range(40):
        model.mine()
    chain = opened(model, in_memory())
    with (
        lying(model, "eth_getTransactionCount", lambda told: hex(max(int(told, 16) - 1, 0))),
        pytest.raises(ChainError),
    ):
        submit(chain, b"another")
    if not keeps:  # a node that has the latest state only
        honest = model.eth_getTransactionCount
        model.__dict__["eth_getTransactionCount"] = lambda sender, tag: honest(
            sender, tag if tag in ("latest", "pending") else "no such block"
        )
    before = model.time
    with pytest.raises(TransactionReplaced, match="another transaction took nonce 2" if keeps else "nonce 2 is taken"):
        submit(chain, b"another")
    assert (model.time - before < 1) is keeps
    submit(chain, b"another")
    assert submissions(model, b"another") == 1


def test_a_receipt_that_lags_is_no_reason_to_send_anew(model: ModelChain) -> None:
    """The block has it and the account's nonce is spent: it is told from a stranger's by what stands in the block."""
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    receipts = lying(model, "eth_getTransactionReceipt", lambda _: None)
    hashes = lying(model, "eth_getTransactionByHash", lambda _: None)
    with receipts, hashes, pytest.raises(ChainError, match="is not in the chain") as caught:
        once(chain, deployment, CALL)
    assert (last(chain).state, type(caught.value)) == ("sent", ChainError)
    once(chain, deployment, CALL)
    assert submissions(model) == 1


# somebody else at the same time


@pytest.mark.parametrize("kind", ["faster", "cancel"])
def test_another_process_replaces_it_while_this_one_waits(model: ModelChain, kind: str) -> None:
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    replaced(chain, old, kind)
    model.stalled = False
    model.mine()
    if kind == "faster":
        assert follow(chain, old).state == "confirmed"
    else:
        with pytest.raises(TransactionReplaced, match="it was cancelled"):
            follow(chain, old)
    assert chain.journal.get(old.id).state == ("confirmed" if kind == "faster" else "replaced")


def test_a_version_of_another_process_is_no_stranger(model: ModelChain) -> None:
    """It is signed after this process has looked into the journal and before it asks who took the nonce."""
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    honest = model.eth_sendRawTransaction
    struck: list[int] = []

    def send(raw: str) -> str:
        if not struck:
            struck.append(1)
            replaced(chain, old, "faster")
            model.mine()
        return honest(raw)

    model.__dict__["eth_sendRawTransaction"] = send
    model.stalled = False
    assert follow(chain, old).state == "confirmed"


def test_a_cancelled_transaction_is_not_brought_back(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    old = replaced(chain, stuck(model, chain), "cancel")
    with pytest.raises(ChainError, match="is taken back, what waits is its cancellation") as caught:
        replaced(chain, old, "faster")
    assert f"tx cancel {old.id}" in str(caught.value.hint)
    assert len(replaced(chain, old, "cancel").versions) == 3
    assert submissions(model) == 0


def test_a_cancellation_that_a_reorganisation_takes_out(model: ModelChain) -> None:
    """The original is mined instead: that is the submission."""
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    original = dict(model.pool)
    cancelled = replaced(chain, old, "cancel")
    model.stalled = False
    with pytest.raises(TransactionReplaced):
        follow(chain, cancelled)
    model.reorganise(1)
    model.pool = original
    model.mine()
    assert submit(chain).transaction == old.hashes[0]
    assert submissions(model) == 1


def test_a_cancellation_that_is_gone_is_sent_again(model: ModelChain) -> None:
    """Its nonce may be the original's again: only when it is mined anew a new submission has a nonce of its own."""
    chain = opened(model, in_memory())
    cancelled = replaced(chain, stuck(model, chain), "cancel")
    model.stalled = False
    with pytest.raises(TransactionReplaced):
        follow(chain, cancelled)
    model.reorganise(1)
    model.pool.clear()
    with pytest.raises(TransactionReplaced, match="it was cancelled"):
        submit(chain)
    submit(chain)
    assert submissions(model) == 1


def test_what_was_confirmed_before_is_sent_again_first(model: ModelChain) -> None:
    """A chain that lost its blocks: the second proof's nonce comes after the first one's."""
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    once(chain, deployment, b"one")
    once(chain, deployment, b"two")
    model.reorganise(3)
    model.pool.clear()
    deploy(chain, TOY, salt=0)
    once(chain, deployment, b"two")
    once(chain, deployment, b"three")
    assert [submissions(model, data) for data in (b"one", b"two", b"three")] == [1, 1, 1]


def test_another_one_though_the_first_was_cut_off(model: ModelChain) -> None:
    """--again goes on with what was begun with it and never seen to be done."""
    chain = opened(model, in_memory())
    submit(chain)
    model.stalled = True
    with pytest.raises(ChainError, match="is not in the chain"):
        submit(chain, again=True)
    begun = last(chain)
    model.stalled = False
    model.mine()
    assert submit(chain, again=True).transaction == begun.hashes[0]
    assert submissions(model) == 2
    submit(chain, again=True)
    assert submissions(model) == 3


def test_another_wallet_and_the_same_nonce_after_a_reorganisation(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    key = chain.sender.lower(), old.nonce
    original = dict(model.pool)
    model.pool[key] = replace(model.pool[key], hash="0x" + "aa" * 32, data=b"other")
    model.stalled = False
    model.mine()
    with pytest.raises(TransactionReplaced):
        submit(chain)
    model.reorganise(1)
    model.pool = original
    submit(chain)
    assert submissions(model) == 1


@pytest.mark.parametrize("lost", ["refused", "another first block"])
def test_proofs_of_a_batch_that_the_journal_gave_up(model: ModelChain, lost: str) -> None:
    toxic, journal = toxic_key(System.GROTH16, 1), in_memory()
    chain = opened(model, journal)
    deployment = Deployment(chain.sender, chain.chain_id, TOY)
    model.__dict__["eth_call"] = lambda *_: "0x" + vkhash(toxic.vk).hex()
    kept = [batches.Kept(str(x), simulate(toxic, (x,)), (x,), None) for x in (5, 6, 7)]
    if lost == "refused":
        hidden = lying(model, "eth_getTransactionByHash", lambda _: None)
        with refusing(model, "internal error", taking=True), hidden, pytest.raises(TransactionRefused):
            batches.send(chain, deployment, toxic.vk, kept[:2])
    else:
        batches.send(chain, deployment, toxic.vk, kept[:2])
        model.blocks[0] = ("0x" + "ab" * 32, ())
    model.mine()
    _, names = batches.send(opened(model, journal), deployment, toxic.vk, kept)
    assert names == ("7",)
    assert len(model.calls()) == 2


# two people and one address


def test_two_people_deploy_at_once(model: ModelChain) -> None:
    """The loser's transaction reverts; what stands at the address is as good as his own."""
    mine, other = opened(model, in_memory()), opened(model, in_memory(), "0x" + "4d" * 32)
    lie = lying(model, "eth_getTransactionReceipt", lambda found: found and {**found, "status": "0x0"})
    with refusing(model, "no", taking=False), pytest.raises(TransactionRefused):
        deploy(mine, TOY, salt=0)
    there = deploy(other, TOY, salt=0)
    assert deploy(mine, TOY, salt=0).receipts == ()  # refused, and there meanwhile
    later = opened(model, in_memory())
    with lying(model, "eth_getCode", lambda code: code):
        honest, asked = model.eth_getCode, [0]

        def late(address: str, *_: Any) -> str:
            asked[0] += 1
            return honest(address) if asked[0] != 2 else "0x"  # the second look is that at the data contract's address

        model.__dict__["eth_getCode"] = late
        with lie:
            assert deploy(later, TOY, salt=0).address == there.address
    assert last(later).state == "failed"
    assert deploy(later, TOY, salt=0).address == there.address


def test_two_processes_deploy_at_once_and_the_estimate_fails(model: ModelChain) -> None:
    """What another process of ours writes down while this one estimates is gone on with."""
    journal = in_memory()
    one, two = opened(model, journal), opened(model, journal)
    honest, struck = model.eth_estimateGas, [0]

    def estimate(*params: Any) -> str:
        struck[0] += 1
        if struck[0] == 1:
            deploy(two, TOY, salt=0)
            raise Refusal("execution reverted")
        return honest(*params)

    model.__dict__["eth_estimateGas"] = estimate
    made = deploy(one, TOY, salt=0)
    assert len(made.receipts) == 2
    assert sorted(model.calls().values()) == [1, 1]


def test_no_gas_limit_below_our_own_forecast(model: ModelChain) -> None:
    assert [allowance(used) for used in (320_000, (1 << 24) - 7, (1 << 24) + 7)] == [330_000, 1 << 24, (1 << 24) + 7]
    toxic = toxic_key(System.GROTH16, 1)
    chain = opened(model, in_memory())
    deployment = Deployment(chain.sender, chain.chain_id, TOY)
    model.__dict__["eth_call"] = lambda *_: "0x" + vkhash(toxic.vk).hex()
    model.__dict__["eth_estimateGas"] = lambda *_: hex(21_000)
    zk.submit(chain, deployment, toxic.vk, simulate(toxic, (5,)), (5,))
    sent = last(chain)
    assert sent.gas == allowance(gas.verification(toxic.vk, data=sent.data).total)


# what the user says of a transaction that waits


def test_a_nonce_that_was_a_lie(model: ModelChain) -> None:
    """What waits for ever is signed anew with the account's own nonce; should its turn come, it is a cancellation."""
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    with lying(model, "eth_getTransactionCount", lambda told: hex(int(told, 16) + 3)), pytest.raises(ChainError):
        once(chain, deployment, CALL)
    with pytest.raises(ChainError, match="its nonce is 5, the account's next is 2") as caught:
        once(chain, deployment, CALL)
    assert "--nonce 2 signs it anew" in str(caught.value.hint)
    with pytest.raises(ChainError, match="nonce 1 is used, the next one of 0x"):
        once(with_terms(chain, nonce=1), deployment, CALL)
    with pytest.raises(ChainError, match=r"waits with nonce 5: with 6 it would be done a second time"):
        once(with_terms(chain, nonce=6), deployment, CALL)
    old = last(chain)
    once(chain, deployment, b"another")  # what waits in vain blocks nobody
    assert last(chain).nonce == 2
    once(with_terms(chain, nonce=3), deployment, CALL)
    assert (chain.journal.get(old.id).state, last(chain).nonce) == ("replaced", 3)
    for number in (4, 5):
        once(chain, deployment, bytes([number]))
    assert submissions(model) == 1
    assert model.count(chain.sender.lower()) == 7


def test_a_nonce_that_was_a_lie_at_a_node_that_takes_no_such(model: ModelChain) -> None:
    """It refuses the empty transaction of that nonce as well: no reason not to sign the work anew."""
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    with lying(model, "eth_getTransactionCount", lambda told: hex(int(told, 16) + 3)), pytest.raises(ChainError):
        once(chain, deployment, CALL)
    old = last(chain)
    honest = model.eth_sendRawTransaction
    model.pool.clear()

    def send(raw: str) -> str:
        if any(version.raw and raw == "0x" + version.raw.hex() for version in versions()):
            raise Refusal("nonce too high")
        return honest(raw)

    def versions() -> tuple[Version, ...]:
        return chain.journal.get(old.id).versions

    model.__dict__["eth_sendRawTransaction"] = send
    once(with_terms(chain, nonce=2), deployment, CALL)
    assert [version.kind for version in versions()] == ["first", "cancel"]
    assert submissions(model) == 1


def test_a_chosen_nonce_is_for_the_first_transaction(model: ModelChain) -> None:
    chain = opened(model, in_memory(), terms=Terms(nonce=0))
    assert len(deploy(chain, TOY, salt=0).receipts) == 2
    assert len(deploy(chain, TOY, salt=0).receipts) == 2
    assert sorted(model.calls().values()) == [1, 1]


def test_a_nonce_for_what_a_node_refused(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deploy(chain, TOY, salt=0)
    with refusing(model, "no", taking=False), pytest.raises(TransactionRefused):
        submit(chain)
    refused = last(chain)
    with pytest.raises(ChainError, match="another one with nonce 7 would do the same work twice") as caught:
        submit(with_terms(chain, nonce=7))
    assert f"tx cancel {refused.id}" in str(caught.value.hint)
    submit(with_terms(chain, nonce=refused.nonce))
    assert submissions(model) == 1


def test_another_account_and_what_a_node_refused(model: ModelChain) -> None:
    journal = in_memory()
    first, other = opened(model, journal), opened(model, journal, "0x" + "4d" * 32)
    deploy(first, TOY, salt=0)
    with refusing(model, "no", taking=False), pytest.raises(TransactionRefused):
        submit(first)
    with pytest.raises(ChainError, match=r"may still be mined: the node refused it: http://model: no"):
        submit(other)
    submit(first)
    assert submit(other).sender == first.sender
    assert submissions(model) == 1


def test_fees_of_what_waits(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    offered = old.versions[-1].fees["maxFeePerGas"]
    with pytest.raises(ChainError, match="which cannot be lowered to 1") as caught:
        submit(with_terms(chain, max_fee=GWEI))
    assert f"tx cancel {old.id}" in str(caught.value.hint)
    with pytest.raises(ChainError, match="has to offer"):
        submit(with_terms(chain, max_fee=offered + 1))
    for _ in range(2):  # once, and then it has that fee
        with pytest.raises(ChainError, match="is not in the chain"):
            submit(with_terms(chain, max_fee=2 * offered))
    assert [version.fees["maxFeePerGas"] for version in last(chain).versions] == [offered, 2 * offered]
    with pytest.raises(ChainError, match="is not in the chain"):
        submit(with_terms(chain, tip=2 * offered))
    assert last(chain).versions[-1].fees["maxPriorityFeePerGas"] == 2 * offered
    assert submissions(model) == 1


def test_a_gas_limit_for_what_waits(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    with pytest.raises(ChainError, match=r"waits with a gas limit of 100,000, not 200,000"):
        submit(with_terms(chain, gas_limit=200_000))
    with pytest.raises(ChainError, match="is not in the chain"):
        submit(with_terms(chain, gas_limit=old.gas))
    assert submissions(model) == 1


def test_a_transaction_that_waits_for_another_says_which(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    old = stuck(model, chain)
    with pytest.raises(ChainError, match=r"its nonce is 3, the account's next is 2") as caught:
        submit(chain, b"another")
    assert f"`zkchain tx speed-up {old.id}` offers more for that of nonce 2" in str(caught.value.hint)


def with_terms(chain: Chain, **said: Any) -> Chain:
    return replace(chain, terms=replace(chain.terms, **said))
