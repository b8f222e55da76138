"""A model of ZkRouter as a state machine: what the contract does is what these lines say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.helpers.consumers import ask, deployed
from tests.helpers.contract_machine import WHO, Machine
from tests.helpers.evm import encode_call
from zkchain.chain import Deployment


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
