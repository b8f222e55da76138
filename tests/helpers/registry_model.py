"""A model of ModelRegistry as a state machine: what the contract does is what these lines say."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.helpers.consumers import ask, deployed
from tests.helpers.contract_machine import HASH, WHO, Machine
from zkchain._core import keccak256


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
