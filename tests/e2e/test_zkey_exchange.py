"""Keys and contributions between our ceremony and snarkjs: it verifies what we write, and we take what it makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers import keyfile, toy
from tests.helpers.snarkjs_tool import FILES, run
from zkchain import _core
from zkchain.bn254.curve import G1_GENERATOR, G2_GENERATOR
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.ceremony import snarkjs
from zkchain.errors import FormatError, KeyMismatch, ProofInvalid
from zkchain.formats import binfile, ptau, zkey, zkey_exchange
from zkchain.formats.zkey_exchange import KeyFile

CONSTRAINTS = (FILES / "toy.r1cs").read_bytes()
POWERS = FILES / "toy.ptau"
INITIAL_ZKEY = (FILES / "toy_initial.zkey").read_bytes()


def sections(data: bytes) -> dict[int, bytes]:
    return {kind: bytes(view) for kind, view in binfile.parse(data, b"zkey", 1).items()}


@pytest.fixture(scope="module")
def initial() -> bytes:
    """Our initial key, delta = 1, from snarkjs's H and a key of ours with a delta of its own."""
    made, _ = ptau.setup_r1cs(FILES / "toy.r1cs", POWERS)
    own, theirs = KeyFile(made.to_bytes()), sections(INITIAL_ZKEY)
    unfold = zkey_exchange._unfolding(theirs[9], CONSTRAINTS, own, None)
    k = unfold.finish(bytes(64 * (1 + own.public)) + theirs[8], minus=True)
    index = own.index(zkey_exchange.K_INDEX)
    points = b"".join(k[64 * j : 64 * j + 64] for j in index)
    one, two = snarkjs.montgomery(encode_g1(G1_GENERATOR)), encode_g2(G2_GENERATOR)
    return keyfile.altered(
        own.data,
        {
            "k": lambda _: points,
            "h": lambda _: theirs[9],
            "constants_g1": lambda c: c[:128] + one + c[192:],
            "constants_g2": lambda c: c[:128] + snarkjs.montgomery(two, g2=True),
            "vk": lambda c: c[:320] + two + c[448:],
        },
    )


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
    """Wires that occur in no row of C keep their points, the others do not."""
    own, theirs = KeyFile(initial), sections(INITIAL_ZKEY)
    dense, first = own.dense(zkey_exchange.K_INDEX, zkey_exchange.K, 64), 64 * (1 + own.public)
    ours = [dense[first + i : first + i + 64] for i in range(0, len(theirs[8]), 64)]
    same = sum(a == theirs[8][64 * i : 64 * i + 64] for i, a in enumerate(ours))
    assert 0 < same < len(ours)


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
