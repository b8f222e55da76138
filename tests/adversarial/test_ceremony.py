"""Attacks on a ceremony. Every attacker knows all secrets but those of honest contributors, and makes every digest
anew; the verifier names the contribution.

The makers of attacked files are in ATTACKS, by name: another verifier can be tried with the same files.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.helpers import ceremonies, keyfile, toy
from tests.helpers.ceremonies import Parts, Record, changed, contributed, joined, last, raw, split
from tests.helpers.mutations import OUTSIDE_SUBGROUP
from tests.helpers.snarkjs_tool import FILES
from tests.unit.test_drand import PUBLISHED
from zkchain._core import Ceremony, InitialKey
from zkchain.bn254 import G2, R
from zkchain.bn254.encoding import decode_g1, encode_g1
from zkchain.ceremony import beacons
from zkchain.ceremony.start import initial_key
from zkchain.ceremony.transcripts import check_beacons, transcript
from zkchain.errors import FormatError, KeyFormatError, KeyMismatch, UnsafeKey, ZkchainError
from zkchain.groth16.reference import points
from zkchain.r1cs import System

# CG16 has every trapdoor and section of Groth16, and its own.
QUICK = {System.CG16: (), System.GROTH16: (pytest.mark.slow,)}
BOTH = pytest.mark.parametrize("system", [pytest.param(system, marks=QUICK[system]) for system in System])
POWERS = FILES / "toy.ptau"
SECRETS = {
    name: {"delta": toy.scalar(f"{name}/delta"), "eta": toy.scalar(f"{name}/eta")} for name in ("ann", "bob", "eve")
}
LAST = r'contribution 2 \("bob"\)'


@cache
def initial(system: System) -> InitialKey:
    return initial_key(toy.factors(system), POWERS, hashlib.sha256(POWERS.read_bytes()).digest())


@cache
def started(system: System) -> Parts:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "start.ceremony"
        initial(system).start(path)
        return split(path.read_bytes())


@cache
def first(system: System) -> Parts:
    return contributed(started(system), SECRETS["ann"], "ann")


@cache
def honest(system: System) -> Parts:
    """Two contributions, made by the tests' own implementation."""
    return contributed(first(system), SECRETS["bob"], "bob")


def verified(data: bytes, folder: Path, system: System) -> Ceremony:
    """All checks that a verifier makes."""
    path = folder / "x.ceremony"
    path.write_bytes(data)
    ceremony = Ceremony.open(path)
    check_beacons(transcript(ceremony))
    ceremony.check()
    ceremony.check_against(initial(system))
    return ceremony


# ------------------------------------------------------------------------------------------------------------ attacks


@dataclass(frozen=True)
class Attack:
    """How a file is made, who is named, and as what error it is refused."""

    make: Callable[[System], bytes]
    match: str
    error: type[ZkchainError] = UnsafeKey
    systems: tuple[System, ...] = tuple(System)


CG16 = (System.CG16,)
INVERSE = {label: pow(secret, -1, R) for label, secret in SECRETS["ann"].items()}


def skipped(system: System) -> bytes:
    """The second contribution stands on the first, which is left out."""
    parts = honest(system)
    return joined(replace(parts, records=parts.records[1:]))


def by(*contributions: dict[str, int]) -> Callable[[System], bytes]:
    """Contributions of one attacker, honest in everything but the choice of secrets."""

    def make(system: System) -> bytes:
        parts = started(system)
        for secrets in contributions:
            parts = contributed(parts, secrets)
        return joined(parts)

    return make


def of_last(change: Callable[[Record], Record]) -> Callable[[System], bytes]:
    """The last record changed, and nothing else."""
    return lambda system: raw(last(honest(system), change))


def wrong_answer(record: Record) -> Record:
    step = record.steps[-1]
    return replace(record, steps=(*record.steps[:-1], replace(step, answer=(step.answer + 1) % R)))


def replayed(system: System) -> bytes:
    """Bob's proofs in a ceremony in which somebody else came before him with the same secrets."""
    other = contributed(contributed(started(system), SECRETS["ann"], "eve"), SECRETS["bob"], "bob")
    return joined(replace(other, records=(other.records[0], honest(system).records[1])))


def renamed(system: System) -> bytes:
    """Bob's contribution under another name."""
    return joined(last(honest(system), lambda record: replace(record, name=b"eve")))


def swapped(system: System) -> bytes:
    parts = honest(system)
    return joined(replace(parts, records=parts.records[::-1]))


def with_g2(change: Callable[[G2], G2]) -> Callable[[System], bytes]:
    def make(system: System) -> bytes:
        def altered(record: Record) -> Record:
            step = record.steps[0]
            return replace(record, steps=(replace(step, new2=change(step.new2)), *record.steps[1:]))

        return joined(last(honest(system), altered))

    return make


def another_g2(point: G2) -> G2:
    return points.affine_g2(points.add(points.g2(point), points.G2))


def undivided(*sections: str) -> Callable[[System], bytes]:
    """A contribution that leaves sections as they were."""
    return lambda system: joined(contributed(first(system), SECRETS["bob"], "bob", undivided=sections))


def altered_point(section: str, at: Callable[[int], int], *, add: int = 1) -> Callable[[System], bytes]:
    """One point moved by a known multiple of the generator."""

    def make(system: System) -> bytes:
        parts = honest(system)

        def change(data: bytes) -> bytes:
            slot = at(len(data) // 64)
            point = points.g1(ceremonies.loaded(data[64 * slot : 64 * (slot + 1)]))
            moved = points.affine_g1(points.add(point, points.multiply(points.G1, add)))
            return keyfile.point_put(slot, moved)(data)

        return joined(replace(parts, key=changed(parts.key, {section: change})))

    return make


def cancelling(system: System) -> bytes:
    """Two points of one section moved by T and -T, which weights that are equal, or few, would not tell."""
    parts = honest(system)
    for slot, add in ((0, 1), (1, R - 1)):

        def change(data: bytes, slot: int = slot, add: int = add) -> bytes:
            point = points.g1(ceremonies.loaded(data[64 * slot : 64 * (slot + 1)]))
            moved = points.affine_g1(points.add(point, points.multiply(points.G1, add)))
            return keyfile.point_put(slot, moved)(data)

        parts = replace(parts, key=changed(parts.key, {"h": change}))
    return joined(parts)


def off_curve(system: System) -> bytes:
    parts = honest(system)
    return joined(replace(parts, key=changed(parts.key, {"h": keyfile.point_put(1, (1, 3))})))


def at_infinity(system: System) -> bytes:
    parts = honest(system)
    return joined(replace(parts, key=changed(parts.key, {"k": keyfile.point_put(0, (0, 0))})))


def untouched(section: str) -> Callable[[System], bytes]:
    """A section that no contribution may touch: its first point becomes its second, or an index another one."""

    def make(system: System) -> bytes:
        parts = honest(system)
        size = 4 if section.endswith("index") else 128 if section == "b2" else 64

        def change(data: bytes) -> bytes:
            return data[:-size] + data[:size] if len(data) > size else data

        return joined(replace(parts, key=changed(parts.key, {section: change})))

    return make


def another_ic(system: System) -> bytes:
    """The verifying key's last IC doubled: the last 64 bytes."""
    parts = honest(system)

    def change(data: bytes) -> bytes:
        point = points.g1(decode_g1(data[-64:], "ic", FormatError))
        return data[:-64] + encode_g1(points.affine_g1(points.add(point, point)))

    return joined(replace(parts, key=changed(parts.key, {"vk": change})))


def of_key(label: str) -> Callable[[System], bytes]:
    """The key's trapdoor is another one than the last record's."""

    def make(system: System) -> bytes:
        parts, factor = honest(system), 7
        g1, g2 = parts.now(label)
        pair = (
            points.affine_g1(points.multiply(points.g1(g1), factor)),
            points.affine_g2(points.multiply(points.g2(g2), factor)),
        )
        return joined(replace(parts, key=ceremonies.with_trapdoor(parts.key, label, *pair)))

    return make


def beacon_of(source: bytes, *, other: bytes | None = None, kind: int = ceremonies.HASH) -> Callable[[System], bytes]:
    """A beacon with the secrets of ``source``, whose record says ``other``."""

    def make(system: System) -> bytes:
        parts, said = honest(system), source if other is None else other
        secrets, nonces = ceremonies.beacon_secrets(parts, kind, b"end", source)
        made = contributed(parts, secrets, "end", kind=kind, source=said, nonces=nonces)
        return joined(made)

    return make


GOOD_BEACON = beacons.of_hash(b"a block that nobody knew", 4).source
OTHER_BEACON = beacons.of_hash(b"another block, a better one", 4).source


def of_drand(chain: str, round: int, signature: str, value: str) -> bytes:
    """A source that says this, true or not."""
    number = {"quicknet": 1, "default": 2}[chain]
    return bytes([number]) + bytes(7) + round.to_bytes(8, "little") + bytes.fromhex(value + signature)


ROUND, ROUND_OF_DEFAULT = PUBLISHED[0], PUBLISHED[3]


def chosen(system: System) -> bytes:
    """A beacon whose secrets the attacker has chosen."""
    parts = contributed(honest(system), SECRETS["eve"], "end", kind=ceremonies.HASH, source=GOOD_BEACON)
    return joined(parts)


END = r'contribution 3 \("end"\)'
PLACES: dict[str, Callable[[int], int]] = {
    "first": lambda n: 0,
    "last": lambda n: n - 1,
    "some": lambda n: random.Random(n).randrange(n),
}
ATTACKS: dict[str, Attack] = {
    "a contribution skipped": Attack(skipped, r'contribution 1 \("bob"\): .*known is wrong'),
    "contributions swapped": Attack(swapped, r'contribution 1 \("bob"\): .*known is wrong'),
    "the same secrets again": Attack(
        lambda system: joined(contributed(first(system), SECRETS["ann"], "bob")), LAST + ": .* was used before"
    ),
    "minus the same secrets": Attack(
        lambda system: joined(contributed(first(system), {label: R - x for label, x in SECRETS["ann"].items()}, "bob")),
        LAST + ": .* was used before",
    ),
    "the inverse: delta = gamma": Attack(
        lambda system: joined(contributed(first(system), INVERSE | {"eta": 5}, "bob")), LAST + r": delta = \+-gamma"
    ),
    "no secret at all": Attack(by({"delta": 1, "eta": 1}), r'contribution 1 \("mallory"\): .*nobody contributed'),
    "the secret -1": Attack(by({"delta": R - 1, "eta": 3}), r'contribution 1 \("mallory"\): .*nobody contributed'),
    "eta = delta": Attack(by({"delta": 7, "eta": 7}), r"contribution 1 .* was used before", systems=CG16),
    "eta = delta by two": Attack(
        by({"delta": 6, "eta": 2}, {"delta": 5, "eta": 15}), r"contribution 2 .*eta = \+-delta", systems=CG16
    ),
    "eta = -delta by two": Attack(
        by({"delta": 6, "eta": 2}, {"delta": 5, "eta": R - 15}), r"contribution 2 .*eta = \+-delta", systems=CG16
    ),
    "a wrong proof": Attack(of_last(wrong_answer), LAST + ": .*known is wrong"),
    "a replayed proof": Attack(replayed, LAST + ": .*known is wrong"),
    "another name": Attack(renamed, r'contribution 2 \("eve"\): .*known is wrong'),
    "G2 outside the subgroup": Attack(with_g2(lambda _: OUTSIDE_SUBGROUP), "contribution 2: .*subgroup", FormatError),
    "another point of G2": Attack(with_g2(another_g2), LAST + ": delta is not the one before times its secret"),
    "K' and E not divided": Attack(undivided("k"), LAST + ": KPoints is not the initial one divided by delta"),
    "H not divided": Attack(undivided("h"), LAST + ": HPoints is not the initial one divided by delta"),
    "committed not divided": Attack(
        undivided("committed"), LAST + ": CommittedPoints is not the initial one divided by eta", systems=CG16
    ),
    "alterations that cancel": Attack(cancelling, LAST + ": HPoints is not"),
    "a point off the curve": Attack(off_curve, LAST + ": HPoints: point 1 is not a point of G1"),
    "a point at infinity": Attack(at_infinity, LAST + ": KPoints: point 0 is not a point of G1"),
    "another IC": Attack(another_ic, LAST + ": the verifying key or a constant"),
    "another delta in the key": Attack(of_key("delta"), LAST + ": delta of the key is not the recorded one"),
    "another eta in the key": Attack(of_key("eta"), LAST + ": eta of the key is not the recorded one", systems=CG16),
    "a beacon of another value": Attack(beacon_of(GOOD_BEACON, other=OTHER_BEACON), END + ": .*"),
    "a beacon that is not its source's": Attack(
        beacon_of(OTHER_BEACON[:48] + GOOD_BEACON[48:]), END + ": the randomness of its beacon"
    ),
    "a beacon of another round": Attack(
        beacon_of(of_drand(ROUND[0], ROUND[1] + 1, *ROUND[2:]), kind=ceremonies.DRAND),
        END + ": its beacon is not what it says: drand: not the signature of round 1001",
        systems=CG16,
    ),
    "a beacon of another chain": Attack(
        beacon_of(of_drand("default", *ROUND[1:]), kind=ceremonies.DRAND),
        END + ": its beacon is malformed",
        systems=CG16,
    ),
    "a beacon of chosen secrets": Attack(chosen, END + ": its delta does not follow from the beacon"),
    "a contribution with a source": Attack(
        lambda system: joined(contributed(first(system), SECRETS["bob"], "bob", source=b"x")), LAST + ": .*source"
    ),
}
for section in ("k", "h", "committed"):
    label = {"k": "KPoints", "h": "HPoints", "committed": "CommittedPoints"}[section]
    for place, at in PLACES.items():
        systems = CG16 if section == "committed" else tuple(System)
        ATTACKS[f"{section}: the {place} point"] = Attack(
            altered_point(section, at), LAST + f": {label} is not the initial one", systems=systems
        )
for section, label in {"a": "APoints", "a_index": "AIndex", "b1": "B1Points", "b2": "B2Points"}.items():
    ATTACKS[f"{section} altered"] = Attack(untouched(section), LAST + f": {label} is not that of the initial key")

CASES = [
    pytest.param(name, system, marks=QUICK[system]) for name, attack in ATTACKS.items() for system in attack.systems
]


@pytest.mark.parametrize(("name", "system"), CASES)
def test_refused(name: str, system: System, tmp_path: Path) -> None:
    attack = ATTACKS[name]
    with pytest.raises(attack.error, match=attack.match):
        verified(attack.make(system), tmp_path, system)


# ------------------------------------------------------------------------------------------------------------ honest


@BOTH
def test_what_another_implementation_makes_holds(system: System, tmp_path: Path) -> None:
    """Without this no refusal would mean anything."""
    ceremony = verified(joined(honest(system)), tmp_path, system)
    said = transcript(ceremony)
    assert [one.name for one in said.contributions] == ["ann", "bob"]
    assert said.digest == honest(system).transcript
    verified(beacon_of(GOOD_BEACON)(system), tmp_path, system)


@BOTH
def test_a_contribution_of_the_core_is_the_specified_one(system: System, tmp_path: Path) -> None:
    """A beacon's record is a function of transcript and source, so the core's is that of the tests, to the byte."""
    path = tmp_path / "x.ceremony"
    path.write_bytes(joined(honest(system)))
    ceremony = Ceremony.open(path)
    ceremony.beacon(tmp_path / "y.ceremony", name="end", kind="hash beacon", source=GOOD_BEACON)
    assert (tmp_path / "y.ceremony").read_bytes() == beacon_of(GOOD_BEACON)(system)


@pytest.mark.parametrize(
    "published", [ROUND, pytest.param(ROUND_OF_DEFAULT, marks=pytest.mark.slow)], ids=["quicknet", "default"]
)
def test_rounds_of_drand_hold(published: tuple[str, int, str, str], tmp_path: Path) -> None:
    source = of_drand(*published)
    assert beacons.of_drand(*published[:2], bytes.fromhex(published[2])).source == source
    made = verified(beacon_of(source, kind=ceremonies.DRAND)(System.CG16), tmp_path, System.CG16)
    assert transcript(made).provenance.beacon == f"drand {published[0]}, round {published[1]}"


@BOTH
def test_the_vectors_of_the_specification(system: System) -> None:
    text = (Path(__file__).parents[2] / "docs" / "spec" / "ceremony.md").read_text()
    rows = re.findall(r"^\| ([\w ']+) \| ([0-9a-f]{64})? ?\| ([0-9a-f]{64}) \|$", text, re.MULTILINE)
    column = list(System).index(system) + 1
    ended = split(beacon_of(GOOD_BEACON)(system))
    secrets, _ = ceremonies.beacon_secrets(honest(system), ceremonies.HASH, b"end", GOOD_BEACON)
    parts = (started(system), first(system), honest(system), ended)
    expected = {f"transcript_{i}": one.transcript.hex() for i, one in enumerate(parts)}
    expected |= {f"beacon's secret for {label}": f"{secret:064x}" for label, secret in secrets.items()}
    expected |= {"circuit hash": ended.head[16:48].hex(), "initial key": ended.head[80:].hex()}
    assert {row[0]: row[column] for row in rows if row[column]} == expected


@BOTH
def test_nobody_contributes_to_a_bad_file(system: System, tmp_path: Path) -> None:
    """A point off its curve times a secret would tell the secret."""
    path = tmp_path / "x.ceremony"
    for name in ("a point off the curve", "a wrong proof", "G2 outside the subgroup"):
        path.write_bytes(ATTACKS[name].make(system))
        with pytest.raises(ATTACKS[name].error, match=ATTACKS[name].match):
            Ceremony.open(path).contribute(tmp_path / "y.ceremony", name="me")
        assert not (tmp_path / "y.ceremony").exists() or name != "a wrong proof"


@BOTH
def test_truncated_or_damaged(system: System, tmp_path: Path) -> None:
    data = joined(honest(system))
    rng = random.Random(1)
    for length in (0, 7, 63, 64, 175, 176, 500, *(rng.randrange(len(data)) for _ in range(20)), len(data) - 1):
        with pytest.raises((FormatError, KeyFormatError)):
            verified(data[:length], tmp_path, system)
    with pytest.raises((FormatError, KeyFormatError)):
        verified(data + bytes(64), tmp_path, system)
    for place in rng.sample(range(len(data)), 60):
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.randrange(8)
        with pytest.raises((FormatError, KeyFormatError, KeyMismatch)):
            verified(bytes(damaged), tmp_path, system)


@BOTH
def test_another_start(system: System, tmp_path: Path) -> None:
    """Another circuit, another .ptau file, another initial key."""
    path = tmp_path / "x.ceremony"
    path.write_bytes(joined(honest(system)))
    digest = hashlib.sha256(POWERS.read_bytes()).digest()
    other = toy.factors(system)
    other.row("one more", {"w0": 1}, {toy.ONE: 1}, {"w0": 1})
    for circuit, powers, match in (
        (other, digest, "of another circuit"),
        (toy.factors(system), bytes(32), "from another .ptau file"),
    ):
        with pytest.raises(KeyMismatch, match=match):
            Ceremony.open(path).check_against(initial_key(circuit, POWERS, powers))
    parts = started(system)
    forged = keyfile.altered(parts.key, {"h": keyfile.point_put(0, ceremonies.ONE_G1)})
    head = parts.head[:80] + forged[128:160]
    path.write_bytes(joined(contributed(replace(parts, head=head, key=forged), SECRETS["bob"], "bob")))
    Ceremony.open(path).check()  # of the file alone nobody can tell
    with pytest.raises(KeyMismatch, match="its initial key is not the one"):
        Ceremony.open(path).check_against(initial(system))
