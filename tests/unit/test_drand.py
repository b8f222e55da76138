"""drand's rounds: published ones verify, and nothing else does."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest
from py_ecc.bls.point_compression import compress_G1, compress_G2, modular_squareroot_in_FQ2
from py_ecc.fields import optimized_bls12_381_FQ as FQ
from py_ecc.fields import optimized_bls12_381_FQ2 as FQ2
from py_ecc.optimized_bls12_381.optimized_curve import b, b2, field_modulus

from zkchain.ceremony import drand
from zkchain.errors import FormatError, InputError, ProofInvalid

# Rounds as drand published them: chain, round, previous signature, signature, randomness.
SEED = "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"
DEFAULT_1 = (
    "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101"
    "04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655"
)
DEFAULT_2 = (
    "aa18facd2d51b616511d542de6f9af8a3b920121401dad1434ed1db4a565f10e04fad8d9b2b4e3e0094364374caafe9b"
    "10478bf75650124831509c638b5a36a7a232ec70289f8751a2adb47fc32eb70b57dc81c39d48cbcac9fec46cdfc31663"
)
DEFAULT_3311595 = (
    "8ed588f2a7716fb1349e2d9803da5db0005e98a83783c353d4a08f183236a9ad91d70ddb01266f4b7c576983db464b43"
    "0e65680b9e0098552758afd6c1e6afcb77e3f62fe1b93d42d1cb63abbb2205512fe12fbf74ea9c5ac3b8f5c1e283a1d8"
)
DEFAULT_3311596 = (
    "a696b9409ababce45749c3a4ec369074453dd4a79967734e1390d969c8ad8d98897d217b9121e92c8ddebbddda8d92f9"
    "00e3bd6bf9deb166863b1a19390d743f82774001487594c5c09e581db7365f02b70a2c8cc41ce32446ef08e4890c4754"
)
QUICKNET_1000 = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
QUICKNET_657413 = "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
PUBLISHED = [
    ("quicknet", 1000, QUICKNET_1000, "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"),
    ("quicknet", 657413, QUICKNET_657413, "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587"),
    ("default", 1, SEED + DEFAULT_1, "101297f1ca7dc44ef6088d94ad5fb7ba03455dc33d53ddb412bbc4564ed986ec"),
    ("default", 2, DEFAULT_1 + DEFAULT_2, "e8fee7dac6eb2b89df97d631cfccedbada7d5d05495bb546eef462e4145fdf8f"),
    (
        "default",
        3311596,
        DEFAULT_3311595 + DEFAULT_3311596,
        "647c07b2abbf7ff2afb4d670214f565e5cd9f9c91bfdcecb59a21f3c78d73920",
    ),
]


@pytest.mark.parametrize(("chain", "number", "signature", "published"), PUBLISHED)
def test_a_published_round_verifies(chain: str, number: int, signature: str, published: str) -> None:
    assert drand.randomness(chain, number, bytes.fromhex(signature)).hex() == published


@pytest.mark.parametrize("name", drand.CHAINS)
def test_a_chain_hash_binds_the_public_key(name: str) -> None:
    chain = drand.CHAINS[name]
    assert chain.described() == chain.chain_hash


def test_a_round_s_time() -> None:
    assert drand.CHAINS["quicknet"].time(1) == 1692803367
    assert drand.CHAINS["default"].time(3) == 1595431110


# A valid point that is not the signature of this round is ProofInvalid; what is not a point is FormatError.
@pytest.mark.parametrize(
    ("chain", "number", "signature"),
    [
        ("quicknet", 1001, QUICKNET_1000),
        ("quicknet", 1000, QUICKNET_657413),
        # the other root: minus the signature
        ("quicknet", 1000, "94" + QUICKNET_1000[2:]),
        ("default", 3, DEFAULT_1 + DEFAULT_2),
        # another previous signature
        ("default", 2, DEFAULT_2 + DEFAULT_2),
        ("default", 2, DEFAULT_1 + DEFAULT_1),
    ],
)
def test_another_round_is_refused(chain: str, number: int, signature: str) -> None:
    with pytest.raises(ProofInvalid, match=f"round {number} of {chain}"):
        drand.randomness(chain, number, bytes.fromhex(signature))


@pytest.mark.parametrize(
    ("chain", "number", "signature"),
    [
        ("default", 1000, QUICKNET_1000),
        ("quicknet", 2, DEFAULT_1 + DEFAULT_2),
        ("default", 2, DEFAULT_2),
        ("default", 1, DEFAULT_1 + DEFAULT_1),
        ("quicknet", 1000, ""),
        ("quicknet", 1000, QUICKNET_1000[:-2]),
    ],
)
def test_another_length_is_refused(chain: str, number: int, signature: str) -> None:
    with pytest.raises(FormatError, match=r"expected \d+ bytes"):
        drand.randomness(chain, number, bytes.fromhex(signature))


def test_another_chain_is_refused() -> None:
    with pytest.raises(InputError, match="'evmnet'"):
        drand.randomness("evmnet", 1, bytes(48))


@pytest.mark.parametrize("number", [0, -1, 1 << 64])
def test_a_number_that_is_no_round_is_refused(number: int) -> None:
    with pytest.raises(InputError, match="a round from 1"):
        drand.randomness("quicknet", number, bytes.fromhex(QUICKNET_1000))


def outside_g1() -> bytes:
    """A point of the curve over Fp outside the subgroup of order r: nearly all are."""
    for x in count(5):
        square = (x**3 + b.n) % field_modulus
        y = pow(square, (field_modulus + 1) // 4, field_modulus)
        if y * y % field_modulus == square:
            return int(compress_G1((FQ(x), FQ(y), FQ(1)))).to_bytes(48, "big")
    raise AssertionError


def outside_g2() -> bytes:
    for x in count(1):
        y = modular_squareroot_in_FQ2(FQ2([x, 1]) ** 3 + b2)
        if y is not None:
            high, low = compress_G2((FQ2([x, 1]), y, FQ2([1, 0])))
            return int(high).to_bytes(48, "big") + int(low).to_bytes(48, "big")
    raise AssertionError


def test_a_point_outside_the_subgroup_is_refused() -> None:
    with pytest.raises(FormatError, match="subgroup of order r of G1"):
        drand.randomness("quicknet", 1000, outside_g1())
    with pytest.raises(FormatError, match="subgroup of order r of G2"):
        drand.randomness("default", 2, bytes.fromhex(DEFAULT_1) + outside_g2())


INFINITY = "c0" + 47 * "00"
FIELD = field_modulus.to_bytes(48, "big").hex()


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (INFINITY, "infinity"),
        ("34" + QUICKNET_1000[2:], "not a point of G1"),  # not marked as compressed
        (f"{int(FIELD[:2], 16) | 0x80:x}" + FIELD[2:], "not a point of G1"),  # x = p
        ("e0" + 47 * "00", "not a point of G1"),
        ("80" + 46 * "00" + "03", "not a point of G1"),  # no such x on the curve
    ],
)
def test_what_is_no_point_is_refused(signature: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        drand.randomness("quicknet", 1000, bytes.fromhex(signature))


def test_an_altered_signature_is_refused() -> None:
    """Each flipped bit gives another point or none; a few of them, for a pairing takes a while."""
    signature = bytes.fromhex(QUICKNET_1000)
    for bit in (0, 100, 383):
        altered = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(48, "big")
        with pytest.raises((FormatError, ProofInvalid)):
            drand.randomness("quicknet", 1000, altered)


def test_drand_s_json_is_read() -> None:
    answer = {"round": 2, "randomness": "", "signature": DEFAULT_2, "previous_signature": DEFAULT_1}
    number, signature = drand.signature_of(answer, "default")
    assert (number, signature.hex()) == (2, DEFAULT_1 + DEFAULT_2)
    assert drand.signature_of({"round": 7, "signature": QUICKNET_1000}, "quicknet") == (7, bytes.fromhex(QUICKNET_1000))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"round": 2},
        {"round": "2", "signature": QUICKNET_1000},
        {"round": True, "signature": QUICKNET_1000},
        {"round": 2, "signature": "xy"},
        {"round": 2, "signature": 7},
    ],
)
def test_other_json_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="drand: expected"):
        drand.signature_of(answer, "quicknet")


def test_randomness_is_the_signature_s_hash() -> None:
    assert hashlib.sha256(bytes.fromhex(QUICKNET_1000)).hexdigest() == PUBLISHED[0][3]
