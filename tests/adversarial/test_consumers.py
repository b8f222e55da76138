"""Consumers of proofs: no proof serves twice, elsewhere, or somebody else; no relayer turns a verdict by its gas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.helpers import consumers
from tests.helpers.consumers import (
    BINDING,
    WORDS,
    Consumer,
    ask,
    bound_to,
    contract_sources,
    deploy_verifier,
    deployed,
    malleated,
    named,
    own_consumer,
    shared_consumer,
    shared_verifier,
    toxic,
)
from tests.helpers.evm import anvil, ask_node, compiled, contracts, encode_call
from tests.helpers.simulator import simulate, toxic_key
from zkchain import solidity
from zkchain._core import keccak256
from zkchain.bn254 import R
from zkchain.chain import Chain, Deployment, call, connect, transact
from zkchain.errors import TransactionReverted
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context, context_words, vkhash
from zkchain.r1cs import System
from zkchain.solidity.calldata import selector
from zkchain.solidity.shared import travelling_key

Make = Callable[[Chain, System], tuple[Consumer, Consumer]]


def owners(chain: Chain, system: System) -> tuple[Consumer, Consumer]:
    """Two consumers of one verifier."""
    key = toxic(system)
    place = deploy_verifier(chain, key)
    return own_consumer(chain, key, place), own_consumer(chain, key, place)


def sharers(chain: Chain, system: System) -> tuple[Consumer, Consumer]:
    key, place = toxic(system), shared_verifier(chain)
    return shared_consumer(chain, key, place), shared_consumer(chain, key, place)


FORMS = [pytest.param(owners, id="own"), pytest.param(sharers, id="shared")]
REFUSED = {System.CG16: "ProofInvalid", System.GROTH16: "AnotherContext"}


pytestmark = pytest.mark.anvil
"""A pairing takes seconds on the embedded chain, which the slow suite alone waits for."""


@pytest.fixture(params=["node", pytest.param("embedded", marks=pytest.mark.slow)])
def chain(request: pytest.FixtureRequest) -> Chain:
    found: Chain = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("system", System)
class TestReplayMatrix:
    """One proof, made for one turn of one caller at one consumer of one verifier on one chain."""

    def test_it_serves_once_and_only_there(self, chain: Chain, system: System, make: Make) -> None:
        here, elsewhere = make(chain, system)
        alice, bob = list(chain.web3.eth.accounts)[:2]
        proof, instance = here.proof_of(alice)
        refused = REFUSED[system]
        assert here.outcome("take", proof, instance, sender=bob) == refused
        assert elsewhere.outcome("take", proof, instance) == refused
        other_verifier = here.prove(here.binder(alice, 0), verifier_at=elsewhere.contract.address)
        assert here.outcome("take", *other_verifier) == refused
        assert here.outcome("take", *here.prove(here.binder(alice, 0), chain_id=chain.chain_id + 1)) == refused
        assert here.outcome("take", *here.proof_of(alice, 1)) == refused
        assert here.outcome("take", proof, (*instance[:-1], 7)) == "ProofInvalid"
        assert here.outcome("take", proof, instance) == ""

        transact(chain, here.contract, here.data("take", proof, instance))
        assert here.outcome("take", proof, instance) == refused
        assert here.outcome("take", malleated(proof), instance) == refused
        assert ask(chain, here.contract, "counterOf", ["uint64"], alice) == (1,)
        transact(chain, here.contract, here.data("take", *here.proof_of(alice, 1)))

    def test_a_malleated_proof_is_the_same_turn(self, chain: Chain, system: System, make: Make) -> None:
        """It is a valid proof, which is why its bytes are no nullifier; it takes the turn, and the first is refused."""
        here, _ = make(chain, system)
        proof, instance = here.proof_of(chain.sender)
        transact(chain, here.contract, here.data("take", malleated(proof), instance))
        assert here.outcome("take", proof, instance) == REFUSED[system]

    def test_deadline_and_action_are_bound(self, chain: Chain, system: System, make: Make) -> None:
        here, _ = make(chain, system)
        alice, bob = list(chain.web3.eth.accounts)[:2]
        deadline, action = 10**11, keccak256(b"lend 5")
        proof, instance = here.prove(here.binder(alice, 0, deadline=deadline, action=action))
        says = here.consent(alice, proof, instance, deadline=deadline, action=action)
        assert here.outcome("takeFor", proof, instance, alice, deadline, action, says, sender=bob) == ""
        others = [(alice, deadline + 1, action), (alice, 0, action), (alice, deadline, bytes(32))]
        for other in others:
            assert here.outcome("takeFor", proof, instance, *other, says, sender=bob) == "NoConsent"
            assert here.outcome("takeFor", proof, instance, *other, b"", sender=alice) == REFUSED[system]
        assert here.outcome("takeFor", proof, instance, bob, deadline, action, b"", sender=bob) == REFUSED[system]
        late, instance = here.prove(here.binder(alice, 0, deadline=1))
        assert here.outcome("takeFor", late, instance, alice, 1, bytes(32), b"") == "DeadlinePassed"

    def test_a_proof_that_is_bound_to_somebody_is_no_word_of_his(
        self, chain: Chain, system: System, make: Make
    ) -> None:
        """Anybody with the proving key makes a valid proof for the victim's turn, of an input of his own."""
        here, elsewhere = make(chain, system)
        victim, relayer = list(chain.web3.eth.accounts)[:2]
        proof, instance = here.proof_of(victim)
        wrong = (*instance[:-1], 7)
        says = here.consent(victim, proof, instance)
        for given in (b"", bytes(65), here.consent(relayer, proof, instance), here.consent(victim, proof, wrong)):
            assert here.outcome("takeFor", proof, instance, victim, 0, bytes(32), given, sender=relayer) == "NoConsent"
            assert here.outcome("tryFor", proof, instance, victim, given, sender=relayer) == "NoConsent"
        assert here.outcome("tryFor", proof, wrong, victim, says, sender=relayer) == "NoConsent"  # no verdict: no slash
        assert here.outcome("tryFor", malleated(proof), instance, victim, says, sender=relayer) == "NoConsent"
        assert elsewhere.outcome("tryFor", proof, instance, victim, says, sender=relayer) == "NoConsent"
        there = replace(chain, sender=relayer)
        transact(there, here.contract, here.data("takeFor", proof, instance, victim, 0, bytes(32), says))
        assert here.outcome("tryFor", proof, instance, victim, says, sender=relayer) == "NoConsent"  # another turn

    def test_the_contract_computes_the_binder_as_python_does(self, chain: Chain, system: System, make: Make) -> None:
        here, _ = make(chain, system)
        for deadline, action in ((0, bytes(32)), (2**64 - 1, keccak256(b"x"))):
            (found,) = ask(chain, here.contract, "binderOf", ["bytes32"], chain.sender, deadline, action)
            assert found == here.binder(chain.sender, 0, deadline=deadline, action=action)

    def test_a_nullifier_is_a_value_that_is_proved(self, chain: Chain, system: System, make: Make) -> None:
        here, _ = make(chain, system)
        word, scope, other = len(here.proof_of(chain.sender)[1]) - 1, keccak256(b"election"), keccak256(b"next")
        transact(chain, here.contract, here.data("vote", *here.proof_of(chain.sender, 0), scope, word))
        second = here.proof_of(chain.sender, 1)  # another proof, of another turn, that says the same
        assert here.outcome("vote", *second, scope, word) == "NullifierSpent"
        assert here.outcome("vote", *second, other, word) == ""
        assert ask(chain, here.contract, "isSpent", ["bool"], scope, 6) == (True,)
        assert ask(chain, here.contract, "isSpent", ["bool"], other, 6) == (False,)


def tried(consumer: Consumer, data: bytes, limit: int) -> bool | str:
    """The answer of a try under a gas limit, or the error's name."""
    request = {"to": consumer.contract.address, "data": "0x" + data.hex(), "from": consumer.chain.sender, "gas": limit}
    try:
        answer = consumer.chain.web3.eth.call(request)  # type: ignore[arg-type]
    except Exception as error:  # a node's words differ
        return f"{type(error).__name__}: {error}"
    return bool(int.from_bytes(bytes(answer), "big"))


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("system", System)
class TestGas:
    """``_tryVerifyFor``: whatever gas a relayer gives, a valid proof is valid or nothing is said."""

    def test_no_gas_limit_makes_a_valid_proof_invalid(self, chain: Chain, system: System, make: Make) -> None:
        here, _ = make(chain, system)
        data = here.data("tryFor", *here.proof_of(chain.sender), chain.sender, b"")
        answers = {limit: tried(here, data, limit) for limit in (*range(30_000, 420_000, 3_000), 1_000_000, 16_000_000)}
        assert False not in answers.values()
        said = [limit for limit, answer in answers.items() if answer is True]
        assert said == [limit for limit in answers if limit >= said[0]]  # from one limit on always
        assert said[0] < 420_000

    def test_a_wrong_proof_is_invalid_or_nothing_is_said(self, chain: Chain, system: System, make: Make) -> None:
        here, _ = make(chain, system)
        proof, instance = here.proof_of(chain.sender)
        wrong = here.data("tryFor", proof, (*instance[:-1], 7), chain.sender, b"")
        no_point = here.data("tryFor", replace(proof, a=(1, 3)), instance, chain.sender, b"")
        for data in (wrong, no_point):
            answers = [tried(here, data, limit) for limit in (*range(30_000, 420_000, 15_000), 16_000_000)]
            assert True not in answers
            assert answers[-1] is False

    def test_a_verdict_takes_the_turn_of_who_asked_for_it(self, chain: Chain, system: System, make: Make) -> None:
        """One wrong proof that its owner signed is held against him once."""
        here, _ = make(chain, system)
        owner, relayer = list(chain.web3.eth.accounts)[:2]
        proof, instance = here.proof_of(owner)
        wrong = (*instance[:-1], 7)
        says = here.consent(owner, proof, wrong)
        by_relayer, data = replace(chain, sender=relayer), here.data("tryFor", proof, wrong, owner, says)
        assert call(by_relayer, here.contract, data) == bytes(32)
        transact(by_relayer, here.contract, data)
        assert ask(chain, here.contract, "counterOf", ["uint64"], owner) == (1,)
        assert here.outcome("tryFor", proof, wrong, owner, says, sender=relayer) == "NoConsent"

    def test_less_gas_than_is_stated_is_named(self, node: Chain, system: System, make: Make) -> None:
        here, _ = make(node, system)
        data = here.data("tryFor", *here.proof_of(node.sender), node.sender, b"")
        (needed,) = ask(node, here.contract, "verifierGas", ["uint256"])
        answer = tried(here, data, needed)
        assert isinstance(answer, str)
        assert selector("GasTooLow(uint256,uint256)").hex() in answer


@pytest.mark.slow
def test_a_naive_try_is_turned_by_its_gas(node: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without guard and list of verdicts, as `try verifier.verify(..) catch` has it: what the tests above would see."""
    path, sources = "contracts/ZkVerdict.sol", contract_sources()
    naive = sources[path]
    for line in (
        "if (gasleft() < least) revert IZkVerifierErrors.GasTooLow(gasleft(), least);",
        "if (!_isVerdict(reason)) revert NoVerdict(reason & 0xffffffff);",
    ):
        assert naive.count(line) == 1
        naive = naive.replace(line, "")
    broken = compiled({**sources, path: naive})
    monkeypatch.setattr(consumers, "contracts", lambda: {**contracts(), **broken})
    here = own_consumer(node, toxic(System.CG16))
    data = here.data("tryFor", *here.proof_of(node.sender), node.sender, b"")
    answers = {tried(here, data, limit) for limit in range(100_000, 300_000, 10_000)}
    assert False in answers  # of a valid proof
    assert tried(here, data, 1_000_000) is True


@pytest.mark.slow
def test_hundreds_of_public_inputs(node: Chain) -> None:
    """The case that was found: so many that 1/64 of the gas was enough for a catch to run."""
    key = toxic_key(System.GROTH16, 500)
    here = shared_consumer(node, key)
    ctx = context(node.chain_id, bytes.fromhex(here.bound_to[2:]), here.binder(node.sender, 0))
    instance = (*context_words(ctx), *range(496))
    data = here.data("tryFor", simulate(key, instance), instance, node.sender, b"")
    answers = [tried(here, data, limit) for limit in (*range(1_000_000, 9_000_000, 250_000), 16_000_000)]
    assert False not in answers
    assert answers[-1] is True


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("system", System)
def test_the_stated_gas_is_enough_and_not_far_too_much(chain: Chain, system: System, make: Make) -> None:
    """By bisection: the least limit of a call of the verifier itself that checks a valid proof."""
    here, _ = make(chain, system)
    (stated,) = ask(chain, here.contract, "verifierGas", ["uint256"])
    binder = here.binder(chain.sender, 0)
    proof, instance = here.prove(binder)
    data, place = verifier_call(here, binder, encode_proof(proof), list(instance))
    direct = replace(here, contract=replace(here.contract, address=place))
    low, high = 0, 1_000_000  # with the intrinsic gas and the calldata's, which the call of a contract has not
    while high - low > 200:
        middle = (low + high) // 2
        low, high = (low, middle) if not isinstance(tried(direct, data, middle), str) else (middle, high)
    intrinsic = 21_000 + sum(16 if byte else 4 for byte in data)
    assert 0.8 * stated < high - intrinsic < stated


def verifier_call(here: Consumer, binder: bytes, proof: bytes, instance: list[int]) -> tuple[bytes, str]:
    """The call that the consumer makes, and where to."""
    (place,) = ask(here.chain, here.contract, "verifier", ["address"])
    key = [vkhash(here.key.vk), *here.vk] if here.vk else []
    interface = contracts()["IZkVerifierShared" if here.vk else "IZkVerifier"]
    if here.key.vk.system is System.CG16:
        return encode_call(
            interface, "verifyBound", *key, proof, instance, binder
        ), here.chain.web3.to_checksum_address(place)
    return encode_call(interface, "verify", *key, proof, instance), here.chain.web3.to_checksum_address(place)


def test_a_contract_consents_by_its_own_word(node: Chain) -> None:
    """EIP-1271."""
    here, _ = owners(node, System.CG16)
    wallet = deployed(node, "Wallet")
    proof, instance = here.proof_of(wallet.address)
    asked = (wallet.address, 0, bytes(32))
    digest = ask(node, here.contract, "consentDigest", ["bytes32"], *asked, encode_proof(proof), list(instance))[0]
    assert here.outcome("takeFor", proof, instance, *asked, b"") == "NoConsent"
    transact(node, wallet, encode_call(wallet.artifact, "agree", digest))
    assert here.outcome("takeFor", proof, instance, *asked, b"") == ""
    odd = deployed(node, "OddVerifier", ["bytes32"], [bytes(32)]).address  # a contract that has no such word
    assert here.outcome("takeFor", *here.proof_of(odd), odd, 0, bytes(32), b"") == "NoConsent"


@pytest.mark.parametrize(("words", "outcome"), [(1, ""), (0, "NoConsent"), (2, "NoConsent"), (10_000, "NoConsent")])
def test_an_accounts_word_is_a_word(node: Chain, words: int, outcome: str) -> None:
    """Neither less nor more, however long."""
    here, _ = owners(node, System.CG16)
    talker = deployed(node, "Talker", ["uint256"], [words]).address
    assert here.outcome("takeFor", *here.proof_of(talker), talker, 0, bytes(32), b"") == outcome


def test_nobody_consents_for_the_zero_address(node: Chain) -> None:
    """What ecrecover answers to a signature that is none."""
    here, _ = owners(node, System.CG16)
    nobody = "0x" + "00" * 20
    proof, instance = here.proof_of(nobody)
    assert here.outcome("takeFor", proof, instance, nobody, 0, bytes(32), bytes(64) + b"\5") == "NoConsent"


class TestVerdicts:
    """What counts as "invalid" in a try: errors that a proof alone can cause."""

    VERDICTS = (
        "ProofInvalid()",
        "PrecompileFailed()",
        "InputOutOfRange(uint256)",
        "ProofLength(uint256,uint256)",
        "InstanceLength(uint256,uint256)",
    )
    OTHERS = ("GasTooLow(uint256,uint256)", "NotBindable()", "CalldataLength(uint256,uint256)", "Unknown()")

    def test_other_errors_are_no_verdict(self, chain: Chain) -> None:
        odd = deployed(chain, "OddVerifier", ["bytes32"], [bytes(31) + b"\1"])
        values = [odd.address, bytes(31) + b"\1", BINDING[System.CG16], 100_000]
        consumer = deployed(chain, "OwnConsumer", ["address", "bytes32", "uint256", "uint256"], values)
        data = encode_call(consumer.artifact, "tryFor", chain.sender, b"", b"", [])
        for error in self.VERDICTS:
            transact(chain, odd, encode_call(odd.artifact, "set", selector(error) + bytes(64)))
            assert call(chain, consumer, data) == bytes(32)
        for reason in (*map(selector, self.OTHERS), b"", b"\1\2\3"):
            transact(chain, odd, encode_call(odd.artifact, "set", reason))
            with pytest.raises(TransactionReverted) as caught:
                call(chain, consumer, data)
            told = reason if len(reason) >= 4 else bytes(4)
            assert caught.value.data == selector("NoVerdict(bytes4)") + told.ljust(32, b"\0")


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("system", System)
def test_a_proof_of_another_shape_is_wrong_and_not_unheard(node: Chain, system: System, make: Make) -> None:
    """Whoever owes a proof could keep away a verdict by one of another length, or with another number of words."""
    here, _ = make(node, system)
    proof, instance = here.proof_of(node.sender)
    encoded = encode_proof(proof)
    for elements, words in (
        (encoded[:-64] if system is System.CG16 else encoded + bytes(64), instance),  # the other system's length
        (encoded + b"\0", instance),
        (b"", instance),
        (encoded, (*instance, 0)),
        (encoded, instance[:-1]),
        (encoded, ()),
    ):
        data = encode_call(here.contract.artifact, "tryFor", node.sender, b"", *here.vk, elements, list(words))
        assert call(node, here.contract, data) == bytes(32)


def test_a_verifier_that_is_gone_says_nothing(chain: Chain) -> None:
    """It was destroyed in the transaction that made it and its consumer: calls to where it was succeed."""
    made = deployed(chain, "VanishingFactory")
    (place,) = ask(chain, made, "consumer", ["address"])
    consumer = replace(made, address=chain.web3.to_checksum_address(place), artifact=contracts()["OwnConsumer"])
    (verifier,) = ask(chain, consumer, "verifier", ["address"])
    assert not chain.web3.eth.get_code(chain.web3.to_checksum_address(verifier))
    with pytest.raises(TransactionReverted) as caught:
        call(chain, consumer, encode_call(consumer.artifact, "tryFor", chain.sender, b"", b"junk", [1]))
    assert caught.value.data == selector("NoVerdict(bytes4)") + bytes(32)


class TestConstructors:
    def test_an_address_without_code_is_refused(self, chain: Chain) -> None:
        values = ["0x" + "77" * 20, bytes(32), 0, 0]
        with pytest.raises(TransactionReverted, match="NoContract"):
            deployed(chain, "OwnConsumer", ["address", "bytes32", "uint256", "uint256"], values)
        kinds = ["address", "bytes32", "bytes", "uint256", "uint256", "uint256"]
        with pytest.raises(TransactionReverted, match="NoContract"):
            deployed(chain, "SharedConsumer", kinds, ["0x" + "77" * 20, bytes(32), b"", 1, 0, 0])

    def test_another_keys_verifier_is_refused(self, chain: Chain) -> None:
        place = deploy_verifier(chain, toxic(System.CG16))
        values = [place, bytes(32), BINDING[System.CG16]]
        with pytest.raises(TransactionReverted, match="AnotherKey"):
            deployed(chain, "BoundClaims", ["address", "bytes32", "uint256"], values)

    def test_another_key_is_refused_by_the_shared_form(self, chain: Chain) -> None:
        mock = deployed(chain, "MockZkVerifierShared")
        kinds = ["address", "bytes32", "bytes", "uint256", "uint256", "uint256"]
        values = [mock.address, keccak256(b"key"), bytes(0x2A0), 1, BINDING[System.CG16], 0]
        with pytest.raises(TransactionReverted) as caught:
            deployed(chain, "SharedConsumer", kinds, values)
        assert named(caught.value.data) == "KeyMismatch"


class TestSharedMock:
    """ZkSharedConsumer by contracts/mocks/MockZkVerifierShared.sol, as a dApp's own tests would."""

    def test_key_consumer_and_turn(self, chain: Chain) -> None:
        here, elsewhere, mock, vk = self.place(chain)
        binder = solidity.binder(here.address, chain.sender, 0)
        (proof,) = ask(chain, mock, "mockBoundProof", ["bytes"], vkhash(self.KEY.vk), [5, 6], binder)
        with pytest.raises(TransactionReverted) as caught:
            call(chain, elsewhere, encode_call(here.artifact, "take", vk, proof, [5, 6]))
        assert caught.value.data == selector("ProofInvalid()")
        with pytest.raises(TransactionReverted) as caught:
            call(chain, here, encode_call(here.artifact, "take", self.another(vk), proof, [5, 6]))
        assert caught.value.data[:4] == selector("KeyMismatch(bytes32,bytes32)")
        transact(chain, here, encode_call(here.artifact, "take", vk, proof, [5, 6]))
        with pytest.raises(TransactionReverted):
            call(chain, here, encode_call(here.artifact, "take", vk, proof, [5, 6]))

    def test_another_key_in_a_try_is_no_verdict(self, chain: Chain) -> None:
        here, _, _, vk = self.place(chain)
        call_ = encode_call(here.artifact, "tryFor", chain.sender, b"", self.another(vk), bytes(320), [5, 6])
        with pytest.raises(TransactionReverted) as caught:
            call(chain, here, call_)
        assert caught.value.data[:4] == selector("NoVerdict(bytes4)")
        assert call(chain, here, encode_call(here.artifact, "tryFor", chain.sender, b"", vk, b"p", [5])) == bytes(32)

    KEY = toxic(System.CG16)

    def place(self, chain: Chain) -> tuple[Deployment, Deployment, Deployment, bytes]:
        """Two consumers of one real key, its mock verifier, and the key."""
        mock, vk = deployed(chain, "MockZkVerifierShared"), travelling_key(self.KEY.vk)
        kinds = ["address", "bytes32", "bytes", "uint256", "uint256", "uint256"]
        values = [mock.address, vkhash(self.KEY.vk), vk, 2, BINDING[System.CG16], 300_000]
        here, elsewhere = (deployed(chain, "SharedConsumer", kinds, values) for _ in range(2))
        return here, elsewhere, mock, vk

    def another(self, vk: bytes) -> bytes:
        return bytes([vk[0] ^ 1]) + vk[1:]

    @pytest.mark.parametrize("system", System)
    def test_it_says_of_shapes_what_the_real_one_says(self, node: Chain, system: System) -> None:
        """Lengths, counts, ranges, keys and calldata: error by error."""
        real, mock = deployed(node, "ZkVerifierShared"), deployed(node, "MockZkVerifierShared")
        key = toxic(system)
        n, size = WORDS[system], 320 if system is System.CG16 else 256
        hash_, vk, words, binder = vkhash(key.vk), travelling_key(key.vk), [1] * n, bytes(32)
        proof, order = bytes(size), R
        calls: list[tuple[str, tuple[object, ...]]] = [
            ("verify", (hash_, vk, proof[1:], words)),
            ("verify", (hash_, vk, proof, [])),
            ("verify", (hash_, vk, proof, [*words, 1])),
            ("verify", (hash_, vk, proof, [*words[1:], order])),
            ("verify", (hash_, vk[:-32], proof, words)),
            ("verify", (hash_, self.another(vk), proof, words)),
            ("verify", (hash_, vk, bytes(576 - size), words)),
            ("verifyBound", (hash_, vk, bytes(256), words, binder)),
            ("verifyBatch", (hash_, vk, 0, b"", [])),
            ("verifyBatch", (hash_, vk, 2, proof, words)),
            ("verifyBatch", (hash_, vk, 2, proof * 2, words)),
            ("verifyBatch", (hash_, vk, 2, proof * 2, [*words, *words, 1])),
            ("verifyBatch", (hash_, vk, 2, proof * 2, [*words, *words[1:], order])),
            ("verifyBoundBatch", (hash_, vk, b"", [], [])),
            ("verifyBoundBatch", (hash_, vk, proof * 2, words * 2, [binder])),
            ("checkKey", (hash_, vk, system is System.CG16, 0)),
            ("checkKey", (hash_, vk, system is System.CG16, n + 1)),
            ("checkKey", (hash_, vk, system is not System.CG16, n)),
            ("checkKey", (hash_, vk, system is System.CG16, 2**32)),
        ]
        for name, arguments in calls:
            data = encode_call(mock.artifact, name, *arguments)
            assert reverted(node, mock, data) == reverted(node, real, data) != b"", (name, arguments)
        long = encode_call(mock.artifact, "verify", hash_, vk, proof, words) + bytes(32)
        assert reverted(node, mock, long) == reverted(node, real, long)
        assert reverted(node, mock, encode_call(mock.artifact, "checkKey", hash_, vk, system is System.CG16, n)) == b""

    def test_a_batch_is_its_proofs_one_after_the_other(self, chain: Chain) -> None:
        _, _, mock, vk = self.place(chain)
        hash_, binders = vkhash(self.KEY.vk), [bytes([i]) * 32 for i in (1, 2)]
        free = [ask(chain, mock, "mockProof", ["bytes"], hash_, True, [5, i])[0] for i in (1, 2)]
        bound = [ask(chain, mock, "mockBoundProof", ["bytes"], hash_, [5, i], binders[i - 1])[0] for i in (1, 2)]
        good, swapped = b"".join(free), b"".join(reversed(free))
        assert reverted(chain, mock, encode_call(mock.artifact, "verifyBatch", hash_, vk, 2, good, [5, 1, 5, 2])) == b""
        wrong = reverted(chain, mock, encode_call(mock.artifact, "verifyBatch", hash_, vk, 2, swapped, [5, 1, 5, 2]))
        assert wrong == selector("ProofInvalid()")
        for order, told in ((binders, b""), (binders[::-1], selector("ProofInvalid()"))):
            data = encode_call(mock.artifact, "verifyBoundBatch", hash_, vk, b"".join(bound), [5, 1, 5, 2], order)
            assert reverted(chain, mock, data) == told


def reverted(chain: Chain, place: Deployment, data: bytes) -> bytes:
    """What a call reverts with, or nothing."""
    try:
        call(chain, place, data)
    except TransactionReverted as error:
        return error.data
    return b""


def test_a_deadline_passes() -> None:
    with anvil("--timestamp", "2000000000") as rpc:
        chain = connect(rpc)
        here, deadline = own_consumer(chain, toxic(System.CG16)), 2_000_001_000
        proof, instance = here.prove(here.binder(chain.sender, 0, deadline=deadline))
        assert here.outcome("takeFor", proof, instance, chain.sender, deadline, bytes(32), b"") == ""
        ask_node(chain, "evm_setNextBlockTimestamp", deadline + 1)
        ask_node(chain, "evm_mine")
        assert here.outcome("takeFor", proof, instance, chain.sender, deadline, bytes(32), b"") == "DeadlinePassed"


def test_bound_claims_are_good_in_one_consumer(chain: Chain) -> None:
    """Finding S8: two consumers of one verifier took the same proof."""
    key = toxic(System.CG16)
    place = deploy_verifier(chain, key)
    values = [place, vkhash(key.vk), BINDING[System.CG16]]
    first, second = (deployed(chain, "BoundClaims", ["address", "bytes32", "uint256"], values) for _ in range(2))
    here = Consumer(chain, key, first, bound_to(chain, place))
    proof, instance = here.proof_of(chain.sender)
    data = here.data("claim", proof, instance)
    with pytest.raises(TransactionReverted):
        call(chain, second, data)
    transact(chain, first, data)
    with pytest.raises(TransactionReverted):
        call(chain, first, data)


GAS = {
    (System.CG16, "own"): 270_600,
    (System.CG16, "shared"): 281_800,
    (System.GROTH16, "own"): 263_300,
    (System.GROTH16, "shared"): 276_900,
}
"""As docs/guide/contracts.md has it."""


@pytest.mark.parametrize(("system", "form"), GAS)
def test_the_gas_of_a_turn(node: Chain, system: System, form: str) -> None:
    here, _ = {"own": owners, "shared": sharers}[form](node, system)
    first, second = (
        transact(node, here.contract, here.data("take", *here.proof_of(node.sender, turn))).gas_used
        for turn in range(2)
    )
    assert abs(second - GAS[system, form]) < 400  # zeros of proofs and addresses are cheaper bytes
    assert abs(first - second - 17_100) < 100


def errors_of(name: str) -> set[str]:
    """An interface's errors with their types."""
    entries = [entry for entry in contracts()[name].abi if entry["type"] == "error"]
    return {f"{e['name']}({','.join(argument['type'] for argument in e['inputs'])})" for e in entries}


def test_a_consumers_abi_decodes_its_verifiers_errors() -> None:
    assert errors_of("IZkVerifierErrors") == errors_of("IZkVerifier")
    for name in ("OwnConsumer", "BoundClaims", "ZkRouter", "Erc8004Validator"):
        assert errors_of("IZkVerifier") <= errors_of(name)
    shared = errors_of("IZkVerifier") | {"KeyMismatch(bytes32,bytes32)", "KeyLength(uint256,uint256)", "UnsafeKey()"}
    for name in ("SharedConsumer", "ModelVerifier", "Erc8274ProofVerifier"):
        assert shared <= errors_of(name)
