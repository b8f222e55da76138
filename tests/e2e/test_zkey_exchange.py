"""Keys and contributions between our ceremony and snarkjs: it verifies what we write, and we take what it makes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import keyfile, toy
from tests.helpers.snarkjs_tool import FILES, run
from zkchain import _core
from zkchain.bn254.curve import G1_GENERATOR, G2_GENERATOR
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.ceremony import snarkjs
from zkchain.errors import FormatError, KeyMismatch, ProofInvalid, UnsafeKey, ZkchainError
from zkchain.formats import binfile, ptau, zkey, zkey_exchange
from zkchain.formats.ceremony_zkey import Parts
from zkchain.formats.zkey_exchange import KeyFile
from zkchain.workspace import (
    Source,
    ceremony_from_zkey,
    ceremony_to_zkey,
    contribute,
    finish_ceremony,
    start_ceremony,
    verify_ceremony,
)

CONSTRAINTS = (FILES / "toy.r1cs").read_bytes()
POWERS = FILES / "toy.ptau"
INITIAL_ZKEY = (FILES / "toy_initial.zkey").read_bytes()
SOURCE = Source(r1cs=FILES / "toy.r1cs")


def sections(data: bytes) -> dict[int, bytes]:
    return {kind: bytes(view) for kind, view in binfile.parse(data, b"zkey", 1).items()}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ceremony to which nobody has contributed."""
    path = tmp_path_factory.mktemp("ceremony") / "toy.ceremony"
    start_ceremony(SOURCE, POWERS, path)
    return path


@pytest.fixture(scope="module")
def initial(started: Path) -> bytes:
    """Its key: ours, delta = 1."""
    return Parts.of(started.read_bytes()).key


def test_our_initial_key_is_that_of_snarkjs(initial: bytes) -> None:
    """Our initial key made of snarkjs's H and K, and of a key of ours with a delta of its own."""
    made, _ = ptau.setup_r1cs(FILES / "toy.r1cs", POWERS)
    own, theirs = KeyFile(made.to_bytes()), sections(INITIAL_ZKEY)
    unfold = zkey_exchange._unfolding(theirs[9], CONSTRAINTS, own, None)
    k = unfold.finish(bytes(64 * (1 + own.public)) + theirs[8], minus=True)
    index = own.index(zkey_exchange.K_INDEX)
    points = b"".join(k[64 * j : 64 * j + 64] for j in index)
    one, two = snarkjs.montgomery(encode_g1(G1_GENERATOR)), encode_g2(G2_GENERATOR)
    altered_key = keyfile.altered(
        own.data,
        {
            "k": lambda _: points,
            "h": lambda _: theirs[9],
            "constants_g1": lambda c: c[:128] + one + c[192:],
            "constants_g2": lambda c: c[:128] + snarkjs.montgomery(two, g2=True),
            "vk": lambda c: c[:320] + two + c[448:],
        },
    )
    assert altered_key == initial


def test_the_initial_key_is_written_as_snarkjs_writes_it(initial: bytes) -> None:
    made = sections(zkey_exchange.export_initial(initial, CONSTRAINTS, POWERS))
    assert made == sections(INITIAL_ZKEY)


def test_a_key_divided_by_delta_is_written_and_read(tmp_path: Path) -> None:
    """A key of ours, with a delta that nobody knows, proves as a .zkey."""
    own, vk = ptau.setup_r1cs(FILES / "toy.r1cs", POWERS)
    (tmp_path / "own.zkey").write_bytes(zkey_exchange.export(own.to_bytes(), CONSTRAINTS, bytes(64)))
    prover = zkey.Prover.open(tmp_path / "own.zkey", check_points=True)
    assert (prover.vk.delta_g2, prover.vk.gamma_abc_g1) == (vk.delta_g2, vk.gamma_abc_g1)
    prover.prove((FILES / "toy.wtns").read_bytes())


def test_a_contribution_of_snarkjs_comes_into_our_key(initial: bytes) -> None:
    theirs = (FILES / "toy.zkey").read_bytes()
    imported = zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, theirs)
    assert len(imported.contributions) == 1
    key = _core.ProvingKey.from_bytes(imported.key)
    key.verify_digests()
    assert KeyFile(imported.key).raw(zkey_exchange.H) == sections(theirs)[9]
    again = zkey_exchange.export(imported.key, CONSTRAINTS, imported.circuit_hash, imported.contributions)
    assert sections(again) == sections(theirs)


@pytest.mark.slow
def test_and_our_key_proves_with_it(initial: bytes, tmp_path: Path) -> None:
    theirs = (FILES / "toy.zkey").read_bytes()
    imported = zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, theirs)
    (tmp_path / "own.zkpk").write_bytes(imported.key)
    prover = ptau.Prover.open(tmp_path / "own.zkpk", FILES / "toy.r1cs")
    _, instance = prover.prove((FILES / "toy.wtns").read_bytes())
    assert instance == toy.HONEST[0]


def altered(number: int, place: int, data: bytes = INITIAL_ZKEY) -> bytes:
    made = sections(data)
    content = bytearray(made[number])
    content[place] ^= 1
    return binfile.container(b"zkey", 1, sorted({**made, number: bytes(content)}.items()))


# Section, byte, error: what lies outside delta, K and H must be the initial key's.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "place", "error"),
    [
        (2, 100, KeyMismatch),
        (3, 5, KeyMismatch),
        (4, 30, KeyMismatch),
        (5, 5, KeyMismatch),
        (6, 5, KeyMismatch),
        (7, 5, KeyMismatch),
        (8, 5, FormatError),  # not on the curve
        (9, 5, FormatError),
        (10, 5, KeyMismatch),  # csHash
        (10, 64 + 4 + 384 - 5, ProofInvalid),  # the transcript
        (2, -130, ProofInvalid),  # delta in G1
        (2, -1, FormatError),  # delta in G2
    ],
)
def test_an_altered_zkey_is_refused(initial: bytes, number: int, place: int, error: type[Exception]) -> None:
    theirs = altered(number, place, (FILES / "toy.zkey").read_bytes())
    with pytest.raises(error):
        zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, theirs)


def test_a_zkey_without_contributions_is_refused(initial: bytes) -> None:
    with pytest.raises(FormatError, match="nobody has contributed"):
        zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, INITIAL_ZKEY)


def test_a_zkey_of_another_circuit_is_refused(initial: bytes) -> None:
    with pytest.raises((KeyMismatch, FormatError)):
        zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, (FILES / "full.zkey").read_bytes())


def test_constraints_of_another_circuit_are_refused(initial: bytes) -> None:
    from tests.helpers import circom_files

    with pytest.raises(KeyMismatch, match="other sizes"):
        zkey_exchange.export_initial(initial, circom_files.chain(3)[0], POWERS)


def test_k_points_are_moved_by_the_quotients(initial: bytes) -> None:
    """Every private wire of the toy occurs in C, so each of our points is another one than snarkjs's."""
    own, theirs = KeyFile(initial), sections(INITIAL_ZKEY)
    dense, first = own.dense(zkey_exchange.K_INDEX, zkey_exchange.K, 64), 64 * (1 + own.public)
    ours = [dense[first + i : first + i + 64] for i in range(0, len(theirs[8]), 64)]
    same = sum(a == theirs[8][64 * i : 64 * i + 64] for i, a in enumerate(ours))
    assert (same, len(ours) > 2) == (0, True)


@pytest.mark.slow
@pytest.mark.snarkjs
def test_snarkjs_verifies_what_we_write_and_we_take_what_it_makes(initial: bytes, tmp_path: Path) -> None:
    for name in ("toy.r1cs", "toy.ptau", "toy.wtns"):
        shutil.copy(FILES / name, tmp_path / name)
    (tmp_path / "0.zkey").write_bytes(zkey_exchange.export_initial(initial, CONSTRAINTS, POWERS))
    value = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
    for step in (
        ("zkey", "contribute", "0.zkey", "1.zkey", "--name=Ada", "-e=one"),
        ("zkey", "contribute", "1.zkey", "2.zkey", "-e=two"),
        ("zkey", "beacon", "2.zkey", "3.zkey", value, "10", "-n=beacon"),
        ("zkey", "verify", "toy.r1cs", "toy.ptau", "3.zkey"),
    ):
        done = run(tmp_path, *step)
        assert done.returncode == 0, done.stdout
    theirs = (tmp_path / "3.zkey").read_bytes()
    imported = zkey_exchange.import_contributions(initial, CONSTRAINTS, POWERS, theirs)
    assert [c.name for c in imported.contributions] == ["Ada", "", "beacon"]
    assert (imported.contributions[2].exponent, imported.contributions[2].beacon.hex()) == (10, value)
    for made in imported.contributions:  # as snarkjs shows them
        words = made.digest.hex()[:8]
        assert words in done.stdout
    again = zkey_exchange.export(imported.key, CONSTRAINTS, imported.circuit_hash, imported.contributions)
    (tmp_path / "again.zkey").write_bytes(again)
    done = run(tmp_path, "zkey", "verify", "toy.r1cs", "toy.ptau", "again.zkey")
    assert done.returncode == 0, done.stdout
    assert "ZKey Ok!" in done.stdout


@pytest.mark.snarkjs
def test_snarkjs_refuses_a_key_of_ours_that_nobody_contributed_to(tmp_path: Path) -> None:
    """delta of a development key comes from no contribution."""
    for name in ("toy.r1cs", "toy.ptau"):
        shutil.copy(FILES / name, tmp_path / name)
    own, _ = ptau.setup_r1cs(FILES / "toy.r1cs", POWERS)
    csh = snarkjs.parse(sections(INITIAL_ZKEY)[10])[0]
    (tmp_path / "own.zkey").write_bytes(zkey_exchange.export(own.to_bytes(), CONSTRAINTS, csh))
    done = run(tmp_path, "zkey", "verify", "toy.r1cs", "toy.ptau", "own.zkey")
    assert done.returncode != 0
    assert "Invalid delta1" in done.stdout


# --------------------------------------------------------------------------------------------------------- the ceremony


@pytest.fixture(scope="module")
def imported(started: Path) -> Path:
    """The ceremony with snarkjs's contribution."""
    path = started.with_name("imported.ceremony")
    ceremony_from_zkey(started, FILES / "toy.zkey", SOURCE, POWERS, output=path)
    return path


@pytest.mark.slow
def test_a_ceremony_goes_to_snarkjs_and_comes_back(started: Path, imported: Path, tmp_path: Path) -> None:
    ceremony_to_zkey(started, SOURCE, POWERS, tmp_path / "0.zkey")
    assert sections((tmp_path / "0.zkey").read_bytes()) == sections(INITIAL_ZKEY)
    report = verify_ceremony(imported, SOURCE, POWERS)
    assert [(one.kind, one.name) for one in report.contributions] == [("contribution by snarkjs", "snarkjs")]
    assert not report.production  # one name alone
    ceremony_to_zkey(imported, SOURCE, POWERS, tmp_path / "1.zkey")
    assert sections((tmp_path / "1.zkey").read_bytes()) == sections((FILES / "toy.zkey").read_bytes())


@pytest.mark.slow
def test_others_go_on_after_snarkjs(imported: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.ceremony"
    contribute(imported, "ann", output=path)
    contribute(path, "bob")
    report = finish_ceremony(path, SOURCE, POWERS, folder=tmp_path)
    assert report.production
    assert [one.kind for one in report.contributions] == ["contribution by snarkjs", "contribution", "contribution"]
    prover = ptau.Prover.open(tmp_path / "proving_key.zkpk", FILES / "toy.r1cs")
    assert prover.prove((FILES / "toy.wtns").read_bytes())[1] == toy.HONEST[0]
    with pytest.raises(FormatError, match="not made by snarkjs"):
        ceremony_to_zkey(path, SOURCE, POWERS, tmp_path / "x.zkey")
    with pytest.raises(FormatError, match="somebody has contributed already"):
        ceremony_from_zkey(path, FILES / "toy.zkey", SOURCE, POWERS)


def record_with(change: Callable[[bytearray], None]) -> Callable[[Parts], Parts]:
    def changed(parts: Parts) -> Parts:
        record = bytearray(parts.records[0])
        change(record)
        return replace(parts, records=(bytes(record),))

    return changed


def flipped(place: int) -> Callable[[Parts], Parts]:
    def change(record: bytearray) -> None:
        record[place] ^= 1

    return record_with(change)


def cleared(start: int, stop: int) -> Callable[[Parts], Parts]:
    return record_with(lambda record: record.__setitem__(slice(start, stop), bytes(stop - start)))


# The record: 8 bytes, the name (7), csHash (64), secret sp (128), no name, no beacon; then 352 bytes and two digests.
SOURCE_AT, STEP_AT = 15, -352 - 64
ATTACKS: dict[str, tuple[Callable[[Parts], Parts], str]] = {
    "csHash": (flipped(SOURCE_AT), "proof of knowledge"),
    "secret sp": (flipped(SOURCE_AT + 64 + 127), "subgroup|infinity|below p"),
    "delta in G2": (cleared(STEP_AT + 64, STEP_AT + 192), "zeros"),
    "a scalar": (flipped(-65), "zeros are due"),
    "kind": (record_with(lambda record: record.__setitem__(4, 1)), "."),
    "digest of K": (flipped(-64), "KPoints of the key is not the recorded one"),
    "twice": (lambda parts: replace(parts, records=parts.records * 2), "contribution [12]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ATTACKS)
def test_an_altered_record_of_snarkjs_is_refused(imported: Path, what: str, tmp_path: Path) -> None:
    change, reason = ATTACKS[what]
    (tmp_path / "x.ceremony").write_bytes(change(Parts.of(imported.read_bytes())).dump())
    with pytest.raises(ZkchainError, match=reason):
        verify_ceremony(tmp_path / "x.ceremony", SOURCE, POWERS)


@pytest.mark.slow
def test_snarkjs_s_contribution_is_not_that_of_another_key(started: Path, imported: Path, tmp_path: Path) -> None:
    """Its record with the initial key's points."""
    parts, before = Parts.of(imported.read_bytes()), Parts.of(started.read_bytes())
    (tmp_path / "x.ceremony").write_bytes(replace(parts, key=before.key).dump())
    with pytest.raises(UnsafeKey, match=r"contribution 1 \("):
        verify_ceremony(tmp_path / "x.ceremony", SOURCE, POWERS)
