"""Models of ZkConsumer, ZkRouter and ModelRegistry as state machines: what the contracts do is what these few lines
say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.helpers.consumers import BY_CHALLENGE, ask, consent, deployed, named
from tests.helpers.evm import encode_call
from zkchain import solidity
from zkchain._core import keccak256
from zkchain.chain import Chain, Deployment, call, connect, transact
from zkchain.errors import TransactionReverted

WHO = st.integers(0, 3)
ZERO = "0x" + "00" * 20
HASH = keccak256(b"a key")


def sent(chain: Chain, who: str, place: Deployment, name: str, *arguments: object) -> str:
    """Send a transaction: '' or the error's name."""
    try:
        transact(replace(chain, sender=who), place, encode_call(place.artifact, name, *arguments))
    except TransactionReverted as error:
        return error.name or named(error.data)
    return ""


class Machine(RuleBasedStateMachine):
    """A chain with four accounts. ``steps``: of all machines so far."""

    steps: ClassVar[int] = 0

    @invariant()
    def a_step_was_taken(self) -> None:
        Machine.steps += 1

    def __init__(self) -> None:
        super().__init__()
        self.chain = connect()
        self.people = list(map(str, self.chain.web3.eth.accounts))[:4]

    @property
    def tester(self) -> Any:
        return self.chain.web3.provider.ethereum_tester  # type: ignore[attr-defined]

    def mock(self, key: bytes) -> Deployment:
        return deployed(self.chain, "MockZkVerifier", ["bytes32"], [key])

    def send(self, who: int, place: Deployment, name: str, *arguments: object) -> str:
        """Send a transaction, unless it would revert: '' or the error's name."""
        sender, data = self.people[who], encode_call(place.artifact, name, *arguments)
        told = self.outcome(replace(self.chain, sender=sender), place, data)
        if not told:  # not by our own way, which keeps a journal that knows nothing of forks
            eth = self.chain.web3.eth
            given: Any = {"from": sender, "to": place.address, "data": "0x" + data.hex(), "gas": 2_000_000}
            assert eth.wait_for_transaction_receipt(eth.send_transaction(given))["status"] == 1
        return told

    def outcome(self, chain: Chain, place: Deployment, data: bytes) -> str:
        """What a call says, '' or the error's name."""
        try:
            call(chain, place, data)
        except TransactionReverted as error:
            return error.name or named(error.data)
        return ""


class ConsumerMachine(Machine):
    """Two consumers of one verifier. The model: a counter for each caller, and what was spent."""

    @initialize()
    def start(self) -> None:
        self.verifier = self.mock(HASH)
        values = [self.verifier.address, HASH, BY_CHALLENGE, 200_000]
        kinds = ["address", "bytes32", "uint256", "uint256"]
        self.consumers = [deployed(self.chain, "OwnConsumer", kinds, values) for _ in range(2)]
        self.counters: dict[tuple[int, int], int] = {}
        self.spent: set[tuple[int, int, int]] = set()
        self.kept: list[tuple[int, int, int, list[int], bytes]] = []
        self.touched: set[tuple[int, int]] = set()

    def made(self, place: int, who: int, instance: list[int], turn: int, **more: Any) -> bytes:
        """A mock proof for a turn; it is remembered."""
        binder = solidity.binder(self.consumers[place].address, self.people[who], turn, **more)
        (proof,) = ask(self.chain, self.verifier, "mockBoundProof", ["bytes"], instance, binder)
        self.kept.append((place, who, turn, instance, proof))
        return bytes(proof)

    def counted(self, place: int, who: int, taken: bool) -> None:
        """A turn was taken, or was not."""
        self.counters[place, who] = self.counters.get((place, who), 0) + taken
        self.touched.add((place, who))

    @rule(place=st.integers(0, 1), who=WHO, other=st.integers(1, 3))
    def a_whole_turn(self, place: int, who: int, other: int) -> None:
        """A proof that is shown elsewhere, by somebody else, where it belongs, and there again."""
        proof = self.made(place, who, [4], self.counters.get((place, who), 0))
        shown = ((1 - place, who, False), (place, (who + other) % 4, False), (place, who, True), (place, who, False))
        for at, sender, good in shown:
            assert self.send(sender, self.consumers[at], "take", proof, [4]) == ("" if good else "ProofInvalid")
            self.counted(at, sender, good)

    @rule(place=st.integers(0, 1), who=WHO, ahead=st.integers(-1, 1), word=st.integers(0, 3))
    def take(self, place: int, who: int, ahead: int, word: int) -> None:
        """A proof of the caller's own, for this turn or one beside it."""
        now = self.counters.get((place, who), 0)
        turn = max(0, now + ahead)
        proof = self.made(place, who, [word], turn)
        told = self.send(who, self.consumers[place], "take", proof, [word])
        assert told == ("" if turn == now else "ProofInvalid")
        self.counted(place, who, turn == now)

    @precondition(lambda self: bool(getattr(self, "kept", ())))
    @rule(data=st.data(), place=st.integers(0, 1), who=WHO)
    def replay(self, data: st.DataObject, place: int, who: int) -> None:
        """Any proof that was ever made, by anybody, anywhere: good for its own turn alone."""
        made_for, whose, turn, instance, proof = data.draw(st.sampled_from(self.kept))
        now = self.counters.get((place, who), 0)
        good = (made_for, whose, turn) == (place, who, now)
        assert self.send(who, self.consumers[place], "take", proof, instance) == ("" if good else "ProofInvalid")
        self.counted(place, who, good)

    @precondition(lambda self: bool(getattr(self, "kept", ())))
    @rule(data=st.data(), place=st.integers(0, 1), who=WHO, caller=WHO, signer=WHO)
    def try_it(self, data: st.DataObject, place: int, who: int, caller: int, signer: int) -> None:
        """A relayer's try: he needs the word of whose turn it is, and either answer takes the turn."""
        made_for, whose, turn, instance, proof = data.draw(st.sampled_from(self.kept))
        now = self.counters.get((place, caller), 0)
        signed = self.signed(place, caller, signer, proof, instance, now)
        given = who == caller or signer == caller
        here = self.consumers[place]
        before = self.chain.web3.eth.block_number
        told = self.send(who, here, "tryFor", self.people[caller], signed, proof, instance)
        assert told == ("" if given else "NoConsent")
        self.counted(place, caller, given)
        if given:
            good = (made_for, whose, turn) == (place, caller, now)
            assert self.verdicts(before + 1) == [good]

    @rule(place=st.integers(0, 1), caller=WHO, other=st.integers(1, 3))
    def somebody_elses_word(self, place: int, caller: int, other: int) -> None:
        """A good proof of the caller's turn, which somebody else sends and signs."""
        who = (caller + other) % 4
        now = self.counters.get((place, caller), 0)
        proof = self.made(place, caller, [2], now)
        signed = self.signed(place, caller, who, proof, [2], now)
        told = self.send(who, self.consumers[place], "tryFor", self.people[caller], signed, proof, [2])
        assert told == "NoConsent"

    def signed(
        self, place: int, caller: int, signer: int, proof: bytes, instance: list[int], turn: int, **more: Any
    ) -> bytes:
        """Somebody's signature under a proof for a turn of the caller's."""
        address = self.consumers[place].address
        binder = solidity.binder(address, self.people[caller], turn, **more)
        return consent(self.chain, self.people[signer], address, binder, proof, instance)

    def verdicts(self, since: int) -> list[bool]:
        """What tries answered, from a block on."""
        logs = self.chain.web3.eth.get_logs({"fromBlock": since})
        return [bool(int.from_bytes(bytes(log["data"]), "big")) for log in logs]

    @rule(place=st.integers(0, 1), who=WHO, again=WHO, scope=st.integers(0, 1), word=st.integers(0, 2))
    def vote(self, place: int, who: int, again: int, scope: int, word: int) -> None:
        """A nullifier is spent once in a scope, whoever shows it, and a vote that reverts takes no turn."""
        for voter in (who, again):
            self.show(place, voter, scope, word)

    def show(self, place: int, who: int, scope: int, word: int) -> None:
        now = self.counters.get((place, who), 0)
        proof = self.made(place, who, [7, word], now)
        told = self.send(who, self.consumers[place], "vote", bytes([scope]) * 32, 1, proof, [7, word])
        fresh = (place, scope, word) not in self.spent
        assert told == ("" if fresh else "NullifierSpent")
        self.counted(place, who, fresh)
        self.spent.add((place, scope, word))

    @rule(who=WHO, caller=WHO, late=st.booleans(), action=st.sampled_from([bytes(32), HASH]), moved=st.booleans())
    def take_for(self, who: int, caller: int, late: bool, action: bytes, moved: bool) -> None:
        """A relayed proof with deadline and action, of which he may move the deadline; its owner signed."""
        now, deadline = self.counters.get((0, caller), 0), 1 if late else 10**11
        proof = self.made(0, caller, [1], now, deadline=deadline, action=action)
        self.kept.pop()  # another turn than its counter says
        signed = self.signed(0, caller, caller, proof, [1], now, deadline=deadline, action=action)
        sent = (self.people[caller], deadline + moved, action, signed, proof, [1])
        told = self.send(who, self.consumers[0], "takeFor", *sent)
        refused = "ProofInvalid" if who == caller else "NoConsent"  # what is signed covers the deadline as well
        assert told == ("DeadlinePassed" if late else refused if moved else "")
        self.counted(0, caller, told == "")

    @rule(who=WHO, caller=WHO)
    def a_relayed_turn(self, who: int, caller: int) -> None:
        """Too late, with another action, as it was signed, and once more."""
        now, other = self.counters.get((0, caller), 0), "ProofInvalid" if who == caller else "NoConsent"
        never, said = 10**11, HASH
        tries = ((1, said, "DeadlinePassed"), (never, bytes(32), other), (never, said, ""), (never, said, other))
        for deadline, action, expected in tries:
            proof = self.made(0, caller, [1], now, deadline=deadline, action=said)
            self.kept.pop()
            signed = self.signed(0, caller, caller, proof, [1], now, deadline=deadline, action=said)
            sent = (self.people[caller], deadline, action, signed, proof, [1])
            assert self.send(who, self.consumers[0], "takeFor", *sent) == expected
            self.counted(0, caller, not expected)

    @invariant()
    def the_counters_are_the_models(self) -> None:
        """Of those who may have moved; the others show by what is taken of them."""
        for place, who in getattr(self, "touched", ()):
            count = self.counters[place, who]
            assert ask(self.chain, self.consumers[place], "counterOf", ["uint64"], self.people[who]) == (count,)
        self.touched = set()


@dataclass
class Known:
    """A verifier that the router knows."""

    state: str
    since: int


class RouterMachine(Machine):
    """Person 0 is admin, 1 guardian. The model: what is proposed, live, buried, and whether it stopped."""

    DELAY = 86_400

    @initialize()
    def start(self) -> None:
        self.canary = self.mock(bytes(31) + b"\7")
        values = [self.people[0], self.people[1], self.DELAY, self.canary.address, bytes(31) + b"\7"]
        kinds = ["address", "address", "uint256", "address", "bytes32"]
        self.router = deployed(self.chain, "ZkRouter", kinds, values)
        self.verifiers = [self.mock(bytes([i]) * 32) for i in (1, 2, 3)]
        self.proofs = [[self.mocked(verifier, word) for word in (5, 6)] for verifier in self.verifiers]
        self.routes: dict[int, Known] = {}
        self.stopped, self.roles, self.offers = False, {0: 0, 1: 1}, {0: -1, 1: -1}

    @property
    def now(self) -> int:
        return int(self.chain.web3.eth.get_block("pending")["timestamp"])

    def selector(self, which: int) -> bytes:
        return bytes([which + 1]) * 4

    def either(self, who: int) -> bool:
        return who in self.roles.values()

    def mocked(self, verifier: Deployment, word: int) -> bytes:
        """A mock proof for an instance of one word."""
        (proof,) = ask(self.chain, verifier, "mockProof", ["bytes"], [word])
        return bytes(proof)

    def wait_until(self, time: int) -> None:
        if time > self.now:
            self.tester.time_travel(time)

    @rule(seconds=st.sampled_from([3_600, 40_000, 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.wait_until(self.now + seconds)

    @rule(who=WHO, which=st.integers(0, 2))
    def propose(self, who: int, which: int) -> None:
        told = self.send(who, self.router, "propose", self.verifiers[which].address)
        if self.stopped:
            assert told == "IsStopped"
        elif who != self.roles[0]:
            assert told == "NotAllowed"
        elif which in self.routes:
            assert told == "SelectorTaken"
        else:
            assert told == ""
            stamp = int(self.chain.web3.eth.get_block("latest")["timestamp"])
            self.routes[which] = Known("proposed", stamp)

    @rule(who=WHO, which=st.integers(0, 2))
    def bring_up(self, who: int, which: int) -> None:
        """What single steps seldom come to: proposed, tried at once and a moment too early, waited for, added."""
        if self.stopped or which in self.routes:
            return
        self.propose(self.roles[0], which)
        self.add(who, which)
        self.wait_until(self.routes[which].since + self.DELAY)  # calls have the time of the last block, a second less
        self.add(who, which)
        assert self.routes[which].state == "proposed"
        self.wait_until(self.routes[which].since + self.DELAY + 1)
        self.add(who, which)
        assert self.routes[which].state == "live"

    @precondition(lambda self: bool(getattr(self, "routes", ())))
    @rule(data=st.data(), role=st.integers(0, 1))
    def take_out(self, data: st.DataObject, role: int) -> None:
        """By one who may."""
        self.bury(self.roles[role], data.draw(st.sampled_from(sorted(self.routes))))

    @precondition(lambda self: bool(getattr(self, "routes", ())))
    @rule(data=st.data())
    def act_on_what_is_there(self, data: st.DataObject) -> None:
        """Whatever its state: admin and anybody try all that can be done to it."""
        which = data.draw(st.sampled_from(sorted(self.routes)))
        self.add(data.draw(WHO), which)
        self.propose(self.roles[0], which)

    @rule(data=st.data(), which=st.integers(0, 2))
    def anybody_tries_all(self, data: st.DataObject, which: int) -> None:
        """Who has no role does what takes one."""
        who = data.draw(st.sampled_from(sorted(set(range(4)) - set(self.roles.values()))))
        for act in (self.propose, self.withdraw, self.bury):
            act(who, which)
        self.halt(who)
        for role in self.roles:
            self.offer(role, who, who)

    @contextmanager
    def forked(self) -> Iterator[None]:
        """On a fork of the chain, from which it comes back."""
        before = self.tester.take_snapshot()
        kept = deepcopy((self.routes, self.stopped, self.roles, self.offers))
        yield
        self.tester.revert_to_snapshot(before)
        self.routes, self.stopped, self.roles, self.offers = kept

    @rule(who=WHO, by_proof=st.booleans(), role=st.integers(0, 1))
    def a_whole_life(self, who: int, by_proof: bool, role: int) -> None:
        """Up, out, and the end of all: nothing goes on after it. What is there already may be gone then as well."""
        if self.stopped:
            return
        with self.forked():
            if free := set(range(3)) - set(self.routes):
                self.bring_up(who, min(free))
                self.only_what_is_live_verifies()
            if left := [which for which, known in self.routes.items() if known.state != "buried"]:
                self.bury(self.roles[role], max(left))
                self.only_what_is_live_verifies()
            if by_proof:
                self.prove_false(who, self.mocked(self.canary, 0))
            else:
                self.halt(self.roles[1])
            assert self.stopped
            self.only_what_is_live_verifies()
            for which in range(3):
                self.propose(self.roles[0], which)
                self.add(who, which)

    @rule(who=WHO, which=st.integers(0, 2))
    def withdraw(self, who: int, which: int) -> None:
        told = self.send(who, self.router, "withdraw", self.selector(which))
        known = self.routes.get(which)
        if not self.either(who):
            assert told == "NotAllowed"
        elif known is None or known.state != "proposed":
            assert told == "UnknownSelector"
        else:
            assert told == ""
            del self.routes[which]

    @rule(who=WHO, which=st.integers(0, 2))
    def add(self, who: int, which: int) -> None:
        told = self.send(who, self.router, "add", self.selector(which))
        known = self.routes.get(which)
        if self.stopped:
            assert told == "IsStopped"
        elif known is None:
            assert told == "UnknownSelector"
        elif known.state != "proposed":
            assert told == "SelectorTaken"
        elif told == "":
            stamp = int(self.chain.web3.eth.get_block("latest")["timestamp"])
            assert stamp >= known.since + self.DELAY
            known.state = "live"
        else:
            assert told == "TooEarly"
            assert self.now - 60 < known.since + self.DELAY

    @rule(who=WHO, which=st.integers(0, 2))
    def bury(self, who: int, which: int) -> None:
        told = self.send(who, self.router, "bury", self.selector(which))
        known = self.routes.get(which)
        if not self.either(who):
            assert told == "NotAllowed"
        elif known is None:
            assert told == "UnknownSelector"
        elif known.state == "buried":
            assert told == "IsBuried"
        else:
            assert told == ""
            known.state = "buried"

    @rule(role=st.integers(0, 1), who=WHO, to=WHO)
    def offer(self, role: int, who: int, to: int) -> None:
        told = self.send(who, self.router, "offer", role, self.people[to])
        assert told == ("" if who == self.roles[role] else "NotAllowed")
        if not told:
            self.offers[role] = to

    @rule(role=st.integers(0, 1), who=WHO)
    def take(self, role: int, who: int) -> None:
        told = self.send(who, self.router, "take", role)
        assert told == ("" if who == self.offers[role] else "NotAllowed")
        if not told:
            self.roles[role], self.offers[role] = who, -1

    @rule(who=WHO, chance=st.integers(0, 9))
    def stop(self, who: int, chance: int) -> None:
        """Once in a while: nothing goes on after it."""
        if who != self.roles[1] or not chance:
            self.halt(who)

    def halt(self, who: int) -> None:
        told = self.send(who, self.router, "stop")
        assert told == ("IsStopped" if self.stopped else "" if who == self.roles[1] else "NotAllowed")
        self.stopped = self.stopped or not told

    @rule(who=WHO, honest=st.integers(0, 9))
    def stop_by_proof(self, who: int, honest: int) -> None:
        """Nobody has a proof of the false statement; once in a while somebody has."""
        self.prove_false(who, b"nonsense" if honest else self.mocked(self.canary, 0))

    def prove_false(self, who: int, proof: bytes) -> None:
        told = self.send(who, self.router, "stopByProof", proof, [0])
        assert told == ("IsStopped" if self.stopped else "ProofInvalid" if proof == b"nonsense" else "")
        self.stopped = self.stopped or not told

    @invariant()
    def only_what_is_live_verifies(self) -> None:
        if not hasattr(self, "router"):
            return
        for which, (proof, other) in enumerate(self.proofs):
            state = self.routes[which].state if which in self.routes else "unknown"
            told = {"live": "", "buried": "IsBuried"}.get(state, "UnknownSelector")
            key = bytes([which + 1]) * 32
            assert self.asked("verify", key, proof, [5]) == ("IsStopped" if self.stopped else told)
            if state == "live" and not self.stopped:
                assert self.asked("verify", key, other, [6]) == ""
                assert self.asked("verify", key, proof, [6]) == "ProofInvalid"
                assert self.asked("verify", self.selector(which) + bytes(28), proof, [5]) == "AnotherKey"

    def asked(self, name: str, *arguments: object) -> str:
        return self.outcome(self.chain, self.router, encode_call(self.router.artifact, name, *arguments))


class RegistryMachine(Machine):
    """The model: for each number owner, commitment, deprecation and revision."""

    @initialize()
    def start(self) -> None:
        self.registry = deployed(self.chain, "ModelRegistry")
        self.models: list[tuple[int, tuple[object, ...], bool, int]] = []

    commitments = st.tuples(
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=32, max_size=32),
        st.sampled_from([bytes(32), HASH, keccak256(b"another")]),
        st.sampled_from([keccak256(b"cg16-bn254-v1")[:4], bytes(4)]),
        st.text(max_size=40),
    )

    @rule(who=WHO, other=st.integers(1, 3))
    def a_whole_life(self, who: int, other: int) -> None:
        """Registered, changed by its owner and by nobody else, and ended."""
        of_one, of_another = ((bytes(32), bytes(32), key, bytes(4), "") for key in (HASH, keccak256(b"another")))
        self.register(who, of_one)
        number = len(self.models)
        self.update((who + other) % 4, number, of_another)
        self.update(who, number, of_another)
        self.deprecate((who + other) % 4, number)
        self.deprecate(who, number)
        self.update(who, number, of_one)

    @rule(who=WHO, commitment=commitments)
    def register(self, who: int, commitment: tuple[object, ...]) -> None:
        told = self.send(who, self.registry, "registerModel", commitment)
        assert told == ("" if any(bytes(commitment[2])) else "NoKey")  # type: ignore[call-overload]
        if not told:
            self.models.append((who, commitment, False, 0))

    def refusal(self, who: int, number: int) -> str:
        if not 1 <= number <= len(self.models):
            return "ModelNotFound"
        owner, _, deprecated, _ = self.models[number - 1]
        return "NotModelOwner" if owner != who else "ModelIsDeprecated" if deprecated else ""

    @rule(who=WHO, number=st.integers(0, 5), commitment=commitments)
    def update(self, who: int, number: int, commitment: tuple[object, ...]) -> None:
        told = self.send(who, self.registry, "updateModel", number, commitment)
        keyed = any(bytes(commitment[2]))  # type: ignore[call-overload]
        assert told == (self.refusal(who, number) or ("" if keyed else "NoKey"))
        if not told:
            owner, _, deprecated, revision = self.models[number - 1]
            self.models[number - 1] = (owner, commitment, deprecated, revision + 1)

    @rule(who=WHO, number=st.integers(0, 5))
    def deprecate(self, who: int, number: int) -> None:
        told = self.send(who, self.registry, "deprecateModel", number)
        assert told == self.refusal(who, number)
        if not told:
            owner, commitment, _, revision = self.models[number - 1]
            self.models[number - 1] = (owner, commitment, True, revision)

    @precondition(lambda self: bool(getattr(self, "models", ())))
    @rule(data=st.data(), commitment=commitments, other=st.integers(1, 3))
    def by_a_stranger(self, data: st.DataObject, commitment: tuple[object, ...], other: int) -> None:
        """Who does not own it does what its owner may."""
        number = data.draw(st.integers(1, len(self.models)))
        who = (self.models[number - 1][0] + other) % 4
        self.update(who, number, commitment)
        self.deprecate(who, number)

    @precondition(lambda self: bool(getattr(self, "models", ())))
    @rule(data=st.data(), commitment=commitments)
    def after_its_end(self, data: st.DataObject, commitment: tuple[object, ...]) -> None:
        """A model that is deprecated stays as it is, for its owner too."""
        number = data.draw(st.integers(1, len(self.models)))
        owner = self.models[number - 1][0]
        self.deprecate(owner, number)
        self.update(owner, number, commitment)
        self.deprecate(owner, number)

    @precondition(lambda self: bool(getattr(self, "models", ())))
    @rule(data=st.data(), commitment=commitments, last=st.booleans())
    def by_its_owner(self, data: st.DataObject, commitment: tuple[object, ...], last: bool) -> None:
        """Who may do it does it: single steps seldom find him."""
        number = data.draw(st.integers(1, len(self.models)))
        owner = self.models[number - 1][0]
        self.deprecate(owner, number) if last else self.update(owner, number, commitment)

    @invariant()
    def the_registry_is_the_model(self) -> None:
        kinds = ["(bytes32,bytes32,bytes32,bytes4,string)", "bool", "address"]
        for number, (owner, commitment, deprecated, revision) in list(enumerate(getattr(self, "models", []), 1))[-8:]:
            found = ask(self.chain, self.registry, "getModel", kinds, number)
            assert found == (commitment, deprecated, self.people[owner].lower())
            assert ask(self.chain, self.registry, "revisionOf", ["uint64"], number) == (revision,)


MACHINES: dict[str, type[RuleBasedStateMachine]] = {
    "consumer": ConsumerMachine,
    "router": RouterMachine,
    "registry": RegistryMachine,
}
