"""What a ceremony's transcript says: its circuit, its powers of tau, and who contributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from zkchain._core import Ceremony
from zkchain.ceremony import beacons, snarkjs
from zkchain.ceremony.beacons import Beacon
from zkchain.errors import UNSAFE_HINT, ProofInvalid, UnsafeKey
from zkchain.groth16.types import Provenance
from zkchain.r1cs import System

if TYPE_CHECKING:
    from zkchain._core import ContributionInfo

BY_SNARKJS = "contribution by snarkjs"
ENOUGH = 2
"""Contributions under this many names make production keys: one of them is not its maker's."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """``number`` counts from 1; ``attestation``: the transcript with it; ``source``: of a beacon or of snarkjs, as
    stored; ``record``: all of it."""

    number: int
    kind: Literal["contribution", "drand beacon", "hash beacon", "contribution by snarkjs"]
    name: str
    attestation: bytes
    source: bytes = b""
    record: bytes = field(default=b"", repr=False)

    @property
    def who(self) -> str:
        """As messages have it."""
        return f'contribution {self.number} ("{self.name}")'

    @property
    def beacon(self) -> Beacon | None:
        """The beacon, unchecked; None for a contribution."""
        if self.kind == "drand beacon" or self.kind == "hash beacon":
            return Beacon(self.kind, self.source)
        return None

    @property
    def is_person(self) -> bool:
        """A contribution, and no beacon (of which snarkjs has its own)."""
        if self.kind == BY_SNARKJS:
            return not snarkjs.is_beacon(self.source)
        return self.beacon is None


@dataclass(frozen=True, slots=True)
class Transcript:
    """``ptau``: sha256 of the file of that power; ``initial``: digest of the key from which all started."""

    system: System
    circuit: bytes
    power: int
    ptau: bytes
    initial: bytes
    start: bytes
    contributions: tuple[Contribution, ...]

    @property
    def digest(self) -> bytes:
        """The last attestation: it covers everything."""
        return self.contributions[-1].attestation if self.contributions else self.start

    @property
    def people(self) -> tuple[Contribution, ...]:
        """The contributions that are no beacons."""
        return tuple(one for one in self.contributions if one.is_person)

    @property
    def makes_production_keys(self) -> bool:
        """Whether somebody else than the maker contributed, as far as names tell."""
        return len({" ".join(one.name.split()).casefold() for one in self.people}) >= ENOUGH

    @property
    def provenance(self) -> Provenance:
        """What verification keys and contracts say of this ceremony."""
        last = self.contributions[-1].beacon if self.contributions else None  # one before others' choices fixes nothing
        text = None if last is None else last.text
        return Provenance(self.digest, len(self.people), self.ptau, self.power, text)


def transcript(file: Ceremony) -> Transcript:
    """What the file's transcript says; nothing of it is checked here."""
    info = file.info
    made = tuple(_contribution(number, one) for number, one in enumerate(info["contributions"], 1))
    return Transcript(
        System(info["system"]), info["circuit_hash"], info["power"], info["ptau"], info["initial"], info["start"], made
    )


def _contribution(number: int, info: ContributionInfo) -> Contribution:
    return Contribution(number, info["kind"], info["name"], info["attestation"], info["source"], info["record"])


@dataclass(frozen=True, slots=True)
class Foreign:
    """What snarkjs says of its contributions: the hash of the circuit that they were made for (csHash), and the hash
    that each contributor was shown."""

    circuit: bytes
    hashes: tuple[bytes, ...]


def foreign(said: Transcript) -> Foreign | None:
    """Of the contributions by snarkjs, whose proofs are not checked here; None if there are none. UnsafeKey: they
    contradict themselves, or one has another name than its contributor gave himself."""
    made = [one for one in said.contributions if one.kind == BY_SNARKJS]
    if not made:
        return None
    circuit, found = _read_foreign(made)
    for one, own in zip(made, found, strict=True):
        if one.name != snarkjs.shown_name(own.name):
            raise UnsafeKey(f"ceremony: {one.who}: its contributor gave himself another name", hint=UNSAFE_HINT)
    return Foreign(circuit, tuple(own.digest for own in found))


def _read_foreign(made: Sequence[Contribution]) -> tuple[bytes, tuple[snarkjs.Contribution, ...]]:
    try:
        return snarkjs.of_records([one.record for one in made])
    except ProofInvalid as error:
        raise UnsafeKey(f"ceremony: {error.message}", hint=UNSAFE_HINT) from None


def check_beacons(said: Transcript) -> None:
    """UnsafeKey unless the randomness of every beacon is that of its source, and snarkjs's proofs of its contributions
    hold; names the first one where it is not so."""
    made = [one for one in said.contributions if one.kind == BY_SNARKJS]
    if made:
        foreign(said)
        try:
            snarkjs.check(*_read_foreign(made))
        except ProofInvalid as error:
            raise UnsafeKey(f"ceremony: {error.message}", hint=UNSAFE_HINT) from None
    for one in said.contributions:
        if one.beacon is not None:
            beacons.check(one.beacon.kind, one.source, one.who)


def words(attestation: bytes) -> str:
    """A hash as 24 words (BIP-39), to be read out or compared by eye."""
    from eth_account.hdaccount.mnemonic import Mnemonic
    from eth_account.types import Language

    return Mnemonic(Language.ENGLISH).to_mnemonic(attestation)
