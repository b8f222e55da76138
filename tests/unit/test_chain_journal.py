"""Transactions under faults: whatever a node does, and wherever the client is killed, each happens once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.model_chain import FAULTS, GWEI, NODES, OWN, Killed, ModelChain
from tests.helpers.simulator import toxic_key
from tests.helpers.toy_contract import CALL, TOY, model_with, once, opened
from zkchain.chain import Chain, Terms, connect, deploy, fees
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.journal import Journal, in_memory
from zkchain.chain.sending import follow, replaced
from zkchain.chain.transactions import Receipt, salted_address
from zkchain.errors import ChainError, UnsafeKey
from zkchain.formats.state import open_journal
from zkchain.r1cs import System


def walk(model: ModelChain, journal: Journal, key: str | None, salt: int | None) -> Receipt:
    chain = opened(model, journal, key)
    deployment = deploy(chain, TOY, salt=salt, again=False)
    return once(chain, deployment, CALL)


def happened_once(model: ModelChain, receipt: Receipt) -> None:
    """One data contract, one contract, one call; and the receipt is of a transaction of the chain."""
    model.stalled = False
    for _ in range(8):
        model.mine()
    assert sorted(model.calls().values()) == [1, 1, 1], model.methods
    assert len(model.contracts()) == 3
    assert receipt.transaction in {sent.hash for _, sent in model.mined()}


def journey(model: ModelChain, place: Path, key: str | None, salt: int | None, attempts: int = 30) -> int:
    """Run the same command until it has succeeded twice; how often it failed.

    A reorganisation after the last command is the next command's to notice, and that may be cut off as well.
    """
    failed, succeeded = 0, 0
    with model.served():
        while failed < attempts:
            try:
                receipt = walk(model, open_journal(place), key, salt)
            except (Killed, ChainError):
                model.sleep(1.0)
                failed += 1
                continue
            succeeded += 1
            if succeeded == 2:
                happened_once(model, receipt)
                return failed
    raise AssertionError(f"not after {attempts} attempts: {model.methods[-20:]}")


WAYS = {
    "our key, CREATE2": (OWN, 0),
    "our key, CREATE": (OWN, None),
    "the node's account": (None, 0),
    "its CREATE": (None, None),
}


@pytest.mark.parametrize("way", WAYS)
def test_without_faults_it_takes_one_attempt(tmp_path: Path, way: str) -> None:
    assert journey(model_with(), tmp_path / "journal", *WAYS[way]) == 0


def methods_of(tmp_path: Path, way: str) -> list[str]:
    """The requests of a walk without faults."""
    model = model_with()
    with model.served():
        walk(model, open_journal(tmp_path / "counted"), *WAYS[way])
    return model.methods


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_where_something_is_sent(tmp_path: Path, fault: str) -> None:
    methods = methods_of(tmp_path, "our key, CREATE2")
    sent = [number for number, method in enumerate(methods) if method.startswith("eth_send")]
    for number in (sent[0], sent[-1] + 1):
        journey(model_with({number: fault}), tmp_path / f"journal-{number}", *WAYS["our key, CREATE2"])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_every_second_request(tmp_path: Path, fault: str, way: str) -> None:
    for number in range(0, len(methods_of(tmp_path, way)), 2):
        journey(model_with({number: fault}), tmp_path / f"journal-{number}", *WAYS[way])


SCHEDULES = st.dictionaries(st.integers(0, 80), st.sampled_from(FAULTS), max_size=12)
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))


def scheduled(faults: Mapping[int, str], way: str, tmp: Path) -> None:
    place = tmp / f"journal-{len(list(tmp.iterdir()))}"
    journey(model_with(faults), place, *WAYS[way])


@settings(QUIET, max_examples=20)
@given(SCHEDULES, st.sampled_from(sorted(WAYS)))
def test_schedules_of_faults(tmp_path_factory: pytest.TempPathFactory, faults: dict[int, str], way: str) -> None:
    scheduled(faults, way, tmp_path_factory.mktemp("schedule"))


@pytest.mark.slow
@settings(QUIET, max_examples=1000, derandomize=True)
@given(SCHEDULES, st.sampled_from(sorted(WAYS)))
def test_many_schedules_of_faults(tmp_path_factory: pytest.TempPathFactory, faults: dict[int, str], way: str) -> None:
    scheduled(faults, way, tmp_path_factory.mktemp("schedule"))


@pytest.fixture
def model() -> Iterator[ModelChain]:
    made = model_with()
    with made.served():
        yield made


def waits(model: ModelChain, chain: Chain) -> ChainError:
    """Send a call that no block takes."""
    deployment = deploy(chain, TOY, salt=0)
    model.stalled = True
    with pytest.raises(ChainError, match="was sent and is not in the chain after 90 s") as caught:
        once(chain, deployment, CALL)
    return caught.value


def test_what_waits_is_named_and_gone_on_with(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    error = waits(model, chain)
    (intent,) = chain.journal.unfinished(chain.network, chain.sender)
    assert intent.hashes[0] in error.message
    assert f"zkchain tx speed-up {intent.id}" in str(error.hint)
    model.stalled = False
    receipt = once(chain, deploy(chain, TOY, salt=0), CALL)
    assert receipt.transaction == intent.hashes[0]
    happened_once(model, receipt)


def test_a_dropped_transaction_is_sent_again(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    waits(model, chain)
    model.pool.clear()
    model.stalled = False
    happened_once(model, once(chain, deploy(chain, TOY, salt=0), CALL))


@pytest.mark.parametrize("key", [OWN, None])
def test_speed_up(model: ModelChain, key: str | None) -> None:
    chain = opened(model, in_memory(), key)
    waits(model, chain)
    (intent,) = chain.journal.unfinished(chain.network, chain.sender)
    faster = replaced(chain, intent, "faster")
    (before, after) = faster.versions
    assert all(after.fees[name] * 10 >= fee * 11 for name, fee in before.fees.items())
    model.stalled = False
    done = follow(chain, faster)
    assert done.mined is not None
    assert done.mined.transaction == faster.hashes[0] != intent.hashes[0]
    happened_once(model, once(chain, deploy(chain, TOY, salt=0), CALL))


@pytest.mark.parametrize("first", [False, True])
def test_cancel(model: ModelChain, first: bool) -> None:
    """The empty transaction takes the nonce, unless the other one is mined first: then that counts."""
    chain = opened(model, in_memory())
    waits(model, chain)
    (intent,) = chain.journal.unfinished(chain.network, chain.sender)
    original = dict(model.pool)
    cancelled = replaced(chain, intent, "cancel")
    model.stalled = False
    if first:
        model.pool.update(original)
        model.mine()
        assert follow(chain, cancelled).state == "confirmed"
        return
    with pytest.raises(ChainError, match="it was cancelled"):
        follow(chain, cancelled)
    assert model.calls()[NODES, CALL] == 0
    with pytest.raises(ChainError, match="is replaced"):
        replaced(chain, chain.journal.get(intent.id), "cancel")
    happened = once(chain, deploy(chain, TOY, salt=0), CALL)
    assert model.calls()[deploy(chain, TOY, salt=0).address.lower(), CALL] == 1
    assert happened.transaction != intent.hashes[0]


def test_another_wallet_takes_the_nonce(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    waits(model, chain)
    (intent,) = chain.journal.unfinished(chain.network, chain.sender)
    key = chain.sender.lower(), intent.nonce
    model.pool[key] = replace(model.pool[key], hash="0x" + "aa" * 32, data=b"other")
    model.stalled = False
    model.mine()
    with pytest.raises(ChainError, match=f"another transaction took nonce {intent.nonce}: 0xaaaa"):
        once(chain, deploy(chain, TOY, salt=0), CALL)
    once(chain, deploy(chain, TOY, salt=0), CALL)
    assert sorted(model.calls().values()) == [1, 1, 1, 1]


def test_a_reorganisation_after_it_was_done(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    first = once(chain, deploy(chain, TOY, salt=0), CALL)
    model.reorganise(3)
    model.pool.clear()
    again = once(chain, deploy(chain, TOY, salt=0), CALL)
    assert again.transaction == first.transaction
    happened_once(model, again)


def test_confirmations(model: ModelChain) -> None:
    chain = opened(model, in_memory(), terms=Terms(confirmations=3))
    receipt = once(chain, deploy(chain, TOY, salt=0), CALL)
    assert len(model.blocks) - 1 - receipt.block >= 3
    with pytest.raises(ChainError, match=r"is in block \d+, which has fewer than 300 confirmations after 90 s"):
        once(replace(chain, terms=Terms(confirmations=300)), deploy(chain, TOY, salt=0), CALL)


def test_once_unless_again(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    first = once(chain, deployment, CALL)
    assert once(chain, deployment, CALL) == first
    assert once(chain, deployment, CALL, again=True).transaction != first.transaction
    other = deploy(chain, TOY, salt=0, again=True)
    assert (other.address, other.salt) == (salted_address(TOY, 1), 1)
    assert deploy(chain, TOY, salt=0).address == deployment.address == salted_address(TOY, 0)


def test_what_stands_there_is_found_without_a_journal(model: ModelChain) -> None:
    """Another user's contract of the same code is as good as ours."""
    deploy(opened(model, in_memory()), TOY, salt=0)
    found = deploy(opened(model, in_memory(), None), TOY, salt=0)
    assert found.receipts == ()
    assert found.address == salted_address(TOY, 0)


def test_two_commands_at_once_take_different_nonces(model: ModelChain, tmp_path: Path) -> None:
    one, two = (opened(model, open_journal(tmp_path / "journal")) for _ in range(2))
    deployment = deploy(one, TOY, salt=0)
    model.stalled = True
    for chain, data in ((one, b"1"), (two, b"2"), (two, b"1")):
        with pytest.raises(ChainError, match="is not in the chain"):
            once(chain, deployment, data)
    assert len(model.pool) == 2
    model.stalled = False
    model.mine()
    assert once(two, deployment, b"1").transaction != once(one, deployment, b"2").transaction
    assert sorted(model.calls().values()) == [1, 1, 1, 1]


def test_an_earlier_transaction_that_was_never_sent_goes_first(model: ModelChain, tmp_path: Path) -> None:
    """Killed between writing down and sending; another command of the same account must not wait for ever."""
    model.faults = {len(methods_of(tmp_path, "our key, CREATE2")) - 2: "kill before"}
    chain = opened(model, in_memory())
    with pytest.raises(Killed):
        walk_on(chain, CALL)
    receipt = walk_on(chain, b"another")
    assert receipt.block > 0
    assert sorted(model.calls().values()) == [1, 1, 1, 1]


def walk_on(chain: Chain, data: bytes) -> Receipt:
    return once(chain, deploy(chain, TOY, salt=0), data)


# a node is not trusted with money


def test_a_tip_far_above_the_median_is_not_paid(model: ModelChain) -> None:
    model.tip = 100_000 * GWEI
    with pytest.raises(ChainError, match="advises a tip of 100,000 gwei, the last 5 blocks paid 1 gwei") as caught:
        walk(model, in_memory(), OWN, 0)
    assert "--tip" in str(caught.value.hint)
    assert not model.seen
    chain = opened(model, in_memory(), terms=Terms(tip=2 * GWEI))
    deploy(chain, TOY, salt=0)
    assert {sent.tip for _, sent in model.mined()} == {2 * GWEI}


def test_fees() -> None:
    usual = fees.Offers(10 * GWEI, (GWEI, GWEI, 2 * GWEI), GWEI, 10 * GWEI)
    assert fees.chosen(usual) == {"maxPriorityFeePerGas": GWEI, "maxFeePerGas": 21 * GWEI}
    assert fees.chosen(usual, max_fee=12 * GWEI)["maxFeePerGas"] == 12 * GWEI
    assert fees.chosen(usual, tip=0) == {"maxPriorityFeePerGas": 0, "maxFeePerGas": 20 * GWEI}
    with pytest.raises(ChainError, match="gas costs 10 gwei now, the fee may be 9 gwei"):
        fees.chosen(usual, max_fee=9 * GWEI)
    with pytest.raises(ChainError, match="up to 501 gwei, paid unasked is 500 gwei"):
        fees.chosen(replace(usual, base_fee=250 * GWEI))
    assert fees.chosen(replace(usual, base_fee=250 * GWEI), max_fee=600 * GWEI)["maxFeePerGas"] == 600 * GWEI
    with pytest.raises(ChainError, match="up to 501 gwei"):
        fees.chosen(fees.Offers(None, (), 0, 501 * GWEI))
    silent = replace(usual, rewards=())
    assert fees.chosen(replace(silent, tip=3 * GWEI))["maxPriorityFeePerGas"] == 3 * GWEI
    with pytest.raises(ChainError, match="advises a tip of 4 gwei"):
        fees.chosen(replace(silent, tip=4 * GWEI))
    with pytest.raises(ChainError, match="has to offer"):
        fees.raised(fees.chosen(usual), usual, max_fee=22 * GWEI)


def test_a_receipt_of_something_else(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    deployment = deploy(chain, TOY, salt=0)
    honest = ModelChain.eth_getTransactionReceipt

    def lie(hash: str) -> Any:
        told = honest(model, hash)
        return told and {**told, "transactionHash": "0x" + "dd" * 32}

    model.__dict__["eth_getTransactionReceipt"] = lie
    with pytest.raises(ChainError, match=r"asked for the receipt of 0x.*, got that of 0xdddd"):
        once(chain, deployment, CALL)


def test_code_that_is_not_ours_is_not_recorded(model: ModelChain) -> None:
    chain = opened(model, in_memory())
    model.runtime = lambda initcode: b"\xee"
    with pytest.raises(ChainError, match=r"is mined in 0x.*, but other code stands at 0x") as caught:
        deploy(chain, TOY, salt=0)
    assert "not to be relied on" in str(caught.value.hint)


def test_another_chain_than_meant(model: ModelChain) -> None:
    with pytest.raises(ChainError, match="http://model is chain 1337, expected chain 1"):
        opened(model, in_memory(), terms=Terms(chain_id=1))
    assert opened(model, in_memory(), terms=Terms(chain_id=1337)).chain_id == 1337


def test_an_account_that_cannot_pay_sends_nothing(model: ModelChain) -> None:
    model.__dict__["eth_getBalance"] = lambda *_: "0x1"
    with pytest.raises(ChainError, match=r"Insufficient funds: 0x.* has 1e-18 ether"):
        walk(model, in_memory(), OWN, 0)
    assert not model.seen


def test_another_account_goes_on_with_what_the_first_began(model: ModelChain) -> None:
    """It needs no key for that, and asks for the nonce of the account that sent."""
    journal = in_memory()
    first = opened(model, journal)
    waits(model, first)
    (intent,) = journal.unfinished(first.network, first.sender)
    other = opened(model, journal, "0x" + "4d" * 32)
    assert model.count(other.sender.lower()) == 0
    key = first.sender.lower(), intent.nonce
    model.pool[key] = replace(model.pool[key], hash="0x" + "aa" * 32, data=b"other")
    model.stalled = False
    model.mine()
    with pytest.raises(ChainError, match=f"another transaction took nonce {intent.nonce}: 0xaaaa"):
        follow(other, intent)


def test_reading_needs_no_account(model: ModelChain) -> None:
    model.__dict__["eth_accounts"] = lambda: []
    assert connect("http://model", reading=True).chain_id == 1337
    with pytest.raises(ChainError, match="holds no account to send from"):
        connect("http://model")


def test_many_transactions_that_wait(model: ModelChain) -> None:
    honest = ModelChain.eth_getTransactionCount
    model.__dict__["eth_getTransactionCount"] = lambda sender, tag: (
        hex(900) if tag == "pending" else honest(model, sender, tag)
    )
    with pytest.raises(ChainError, match=r"says that 900 transactions of 0x.* wait"):
        walk(model, in_memory(), OWN, 0)


def test_a_nonce_that_others_have_to_come_before(model: ModelChain) -> None:
    chain = opened(model, in_memory(), terms=Terms(nonce=7))
    with pytest.raises(ChainError, match="its nonce is 7, the account's next is 0"):
        deploy(chain, TOY, salt=0)


def test_a_development_key_guards_no_real_money() -> None:
    key = toxic_key(System.GROTH16, 1).vk
    require_safe(key, 1337, Terms())
    with pytest.raises(UnsafeKey, match="chain 8453 is Base, and the key is a DEVELOPMENT key"):
        require_safe(key, 8453, Terms())
    require_safe(key, 8453, Terms(development=True))
    require_safe(replace(key, development=False), 8453, Terms())


def test_a_contract_that_nobody_could_use_is_not_deployed() -> None:
    large = replace(toxic_key(System.GROTH16, 1).vk, instance_length=2_700)
    with pytest.raises(ChainError, match=r"at least 1.,...,... gas, a transaction may have 16,777,216"):
        require_usable(large, Terms())
    require_usable(large, Terms(gas_limit=1 << 25))


# the journal's file


def test_a_journal_of_another_version(tmp_path: Path) -> None:
    open_journal(tmp_path / "journal")
    with sqlite3.connect(tmp_path / "journal") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(ChainError, match="is of version 99, this zkchain reads version 1"):
        open_journal(tmp_path / "journal")


@pytest.mark.parametrize("name", ["rubbish", "folder"])
def test_a_journal_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "rubbish").write_bytes(b"rubbish" * 1000)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ChainError, match="journal of transactions") as caught:
        open_journal(tmp_path / name)
    assert "--journal" in str(caught.value.hint)


def test_a_journal_is_for_its_owner(tmp_path: Path) -> None:
    open_journal(tmp_path / "deep" / "journal")
    assert (tmp_path / "deep" / "journal").stat().st_mode & 0o077 == 0


def test_no_such_transaction() -> None:
    with pytest.raises(ChainError, match="no transaction 7 in the journal") as caught:
        in_memory().get(7)
    assert "tx list" in str(caught.value.hint)
