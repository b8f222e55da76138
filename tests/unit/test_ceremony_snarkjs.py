"""Contributions of snarkjs: those that it made hold, and altered ones are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.helpers.snarkjs_tool import FILES
from zkchain.bn254 import P
from zkchain.bn254.curve import G1_GENERATOR, add_g1, in_subgroup_g2, multiply_g2, on_curve_g1
from zkchain.bn254.encoding import encode_g1
from zkchain.ceremony import snarkjs
from zkchain.ceremony.snarkjs import Contribution
from zkchain.errors import FormatError, ProofInvalid
from zkchain.formats import binfile


def sections(name: str) -> dict[int, bytes]:
    parsed = binfile.parse((FILES / name).read_bytes(), b"zkey", 1)
    return {kind: bytes(view) for kind, view in parsed.items()}


TOY = sections("toy.zkey")
CIRCUIT_HASH, (MADE,) = snarkjs.parse(TOY[10])


def test_a_contribution_of_snarkjs_holds() -> None:
    delta = snarkjs.check(CIRCUIT_HASH, (MADE,))
    assert snarkjs.montgomery(encode_g1(delta)) == TOY[2][-192:-128]
    assert snarkjs.same_in_g2(delta, snarkjs.read_g2(TOY[2][-128:], "delta"))


def test_none_is_the_generator() -> None:
    found_hash, contributions = snarkjs.parse(sections("toy_initial.zkey")[10])
    assert (found_hash, contributions) == (CIRCUIT_HASH, ())
    assert snarkjs.check(found_hash, ()) == G1_GENERATOR


def test_a_section_comes_back_as_it_was() -> None:
    for name in ("toy.zkey", "full.zkey", "nothing.zkey", "toy_initial.zkey"):
        content = sections(name)[10]
        assert snarkjs.dump(*snarkjs.parse(content)) == content


def test_a_beacon_and_a_name_come_back() -> None:
    named = replace(MADE, name="Ada")
    beacon = replace(MADE, name="drand", exponent=10, beacon=b"\x01\x02")
    assert snarkjs.parse(snarkjs.dump(CIRCUIT_HASH, (named, beacon))) == (CIRCUIT_HASH, (named, beacon))


def test_the_drawn_point_is_in_the_subgroup() -> None:
    assert in_subgroup_g2(snarkjs.hash_to_g2(MADE.transcript))


def test_chacha20_is_that_of_rfc_8439() -> None:
    """Its test vector of appendix A.1 with key, nonce and counter zero."""
    words = snarkjs.chacha(bytes(32))
    assert [next(words) for _ in range(4)] == [0xADE0B876, 0x903DF1A0, 0xE56A5D40, 0x28BD8653]
    for _ in range(12):
        next(words)
    assert [next(words) for _ in range(4)] == [0xBEE7079F, 0x7A385155, 0x7C97BA98, 0x0D082D73]


def other_sp(made: Contribution) -> Contribution:
    return replace(made, spx=multiply_g2(made.spx, 2))


ALTERED: dict[str, tuple[Callable[[Contribution], Contribution], str]] = {
    "transcript": (lambda c: replace(c, transcript=bytes(64)), "another transcript"),
    "s": (lambda c: replace(c, s=add_g1(c.s, c.s)), "another transcript"),
    "secret sp": (other_sp, "proof of knowledge"),
    "delta": (lambda c: replace(c, delta=add_g1(c.delta, c.delta)), "not the previous one times the secret"),
    "delta stays": (lambda c: replace(c, delta=G1_GENERATOR), "1 or -1"),
    "delta turns": (lambda c: replace(c, delta=(1, P - 2)), "1 or -1"),
    "beacon": (lambda c: replace(c, exponent=10, beacon=b"x"), "not the beacon's"),
    "beacon of an age": (lambda c: replace(c, exponent=63, beacon=b"x"), "at most 2"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_contribution_is_refused(what: str) -> None:
    change, reason = ALTERED[what]
    with pytest.raises(ProofInvalid, match=rf"contribution 1 .*{reason}"):
        snarkjs.check(CIRCUIT_HASH, (change(MADE),))


def test_a_contribution_to_another_circuit_is_refused() -> None:
    with pytest.raises(ProofInvalid, match="another transcript"):
        snarkjs.check(bytes(64), (MADE,))


def test_a_replayed_contribution_is_refused() -> None:
    with pytest.raises(ProofInvalid, match=r"contribution 2 .*another transcript"):
        snarkjs.check(CIRCUIT_HASH, (MADE, MADE))


# Where the fields of a contribution begin, in the section.
FIRST = 64 + 4
BAD: dict[str, Callable[[bytes], bytes]] = {
    "short": lambda c: c[:60],
    "no contribution": lambda c: c[:70],
    "cut off": lambda c: c[:-1],
    "longer": lambda c: c + b"\0",
    "coordinate p": lambda c: c[:FIRST] + P.to_bytes(32, "little") + c[FIRST + 32 :],
    "infinity": lambda c: c[:FIRST] + bytes(64) + c[FIRST + 64 :],
    "off the curve": lambda c: c[:FIRST] + bytes([c[FIRST] ^ 1]) + c[FIRST + 1 :],
    "off the curve in G2": lambda c: c[: FIRST + 192] + bytes([c[FIRST + 192] ^ 1]) + c[FIRST + 193 :],
    "type 2": lambda c: c[: FIRST + 384] + b"\2" + c[FIRST + 385 :],
    "beacon without value": lambda c: c[: FIRST + 384] + b"\1" + c[FIRST + 385 :],
    "unknown field": lambda c: c[:-4] + b"\3\0\0\0" + b"\7\1x",
    "field cut off": lambda c: c[:-4] + b"\2\0\0\0" + b"\1\5",
    "fields out of order": lambda c: c[:-4] + b"\6\0\0\0" + b"\1\1x\1\1x",
    "name that is not UTF-8": lambda c: c[:-4] + b"\3\0\0\0" + b"\1\1\xff",
}


@pytest.mark.parametrize("what", BAD)
def test_a_damaged_section_is_refused(what: str) -> None:
    with pytest.raises(FormatError, match="section 10"):
        snarkjs.parse(BAD[what](TOY[10]))


def test_a_point_is_drawn_on_the_curve() -> None:
    assert on_curve_g1(snarkjs.draw_g1(snarkjs.chacha(bytes(range(32)))))
