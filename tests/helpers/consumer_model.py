"""A model of ZkConsumer as a state machine: what the contract does is what these lines say."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.helpers.consumers import BY_CHALLENGE, ask, consent, deployed
from tests.helpers.contract_machine import HASH, WHO, Machine
from zkchain import solidity


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
