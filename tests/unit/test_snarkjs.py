"""snarkjs's JSON files: literal text, round trips, and every way in which an untrusted file may be wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.forgeries import Verdict, load
from zkchain.bn254 import P, R
from zkchain.bn254.curve import G1_GENERATOR, G2_GENERATOR
from zkchain.errors import FormatError, KeyFormatError, ProofFormatError, UnsafeKey
from zkchain.formats import snarkjs
from zkchain.groth16.types import Proof, Provenance, VerifyingKey
from zkchain.r1cs import System

Document = dict[str, Any]
HONEST = {f.system: f.shown for f in load().forgeries if f.name == f"{f.system}: honest"}
G2_TEXT = [[str(c) for c in coordinate] for coordinate in (*G2_GENERATOR, (1, 0))]


def key_document(system: System) -> Document:
    """As text, without vk_alphabeta_12, which takes a second."""
    vk = HONEST[system].vk
    points: dict[str, Any] = {
        "vk_alpha_1": vk.alpha_g1,
        "vk_beta_2": vk.beta_g2,
        "vk_gamma_2": vk.gamma_g2,
        "vk_delta_2": vk.delta_g2,
    }
    document: Document = {"protocol": str(system), "curve": "bn128", "nPublic": 3}
    for name, point in points.items():
        document[name] = snarkjs._g1_json(point) if name.endswith("1") else snarkjs._g2_json(point)
    if vk.eta_g2:
        document["vk_eta_2"] = snarkjs._g2_json(vk.eta_g2)
    return document | {"IC": [snarkjs._g1_json(point) for point in vk.gamma_abc_g1]}


def text(document: Any) -> bytes:
    return json.dumps(document).encode()


# ------------------------------------------------------------------------------------------------------------ writing


def test_a_proof_as_snarkjs_writes_it() -> None:
    expected = {
        "pi_a": ["1", "2", "1"],
        "pi_b": G2_TEXT,
        "pi_c": ["0", "1", "0"],
        "protocol": "groth16",
        "curve": "bn128",
    }
    written = snarkjs.dump_proof(Proof(G1_GENERATOR, G2_GENERATOR, (0, 0)))
    assert json.loads(written) == expected
    assert written.startswith(b'{\n "pi_a": [\n  "1",\n  "2",\n  "1"\n ],\n "pi_b": [\n  [\n')
    assert json.loads(snarkjs.dump_proof(Proof(G1_GENERATOR, G2_GENERATOR, (0, 0), (1, 2))))["pi_d"] == ["1", "2", "1"]


def test_public_inputs_as_snarkjs_writes_them() -> None:
    assert snarkjs.dump_public((1, 0, R - 1)) == f'[\n "1",\n "0",\n "{R - 1}"\n]\n'.encode()


def test_e_of_the_generators_is_snarkjs_s() -> None:
    """The first and last coefficients of ffjavascript's pairing(G1.g, G2.g)."""
    pairing = snarkjs._alpha_beta(G1_GENERATOR, G2_GENERATOR)
    assert pairing[0][0] == [
        "17264119758069723980713015158403419364912226240334615592005620718956030922389",
        "1300711225518851207585954685848229181392358478699795190245709208408267917898",
    ]
    assert pairing[1][2] == [
        "8891987925005301465158626530377582234132838601606565363865129986128301774627",
        "440796048150724096437130979851431985500142692666486515369083499585648077975",
    ]


@pytest.mark.parametrize("system", System)
def test_keys_round_trip(system: System) -> None:
    vk = HONEST[system].vk
    written = snarkjs.dump_verification_key(vk)
    assert snarkjs.load_verification_key(written) == vk
    document = json.loads(written)
    assert ("vk_alphabeta_12" in document) is (system is System.GROTH16)
    assert document.pop("zkchain") == {"circuitHash": vk.circuit_digest.hex(), "development": True}
    document.pop("vk_alphabeta_12", None)
    assert document == key_document(system)


def test_a_key_of_snarkjs_itself_has_no_circuit_and_counts_as_development() -> None:
    vk = snarkjs.load_verification_key(text(key_document(System.GROTH16)))
    assert (vk.circuit_digest, vk.development) == (bytes(32), True)


coordinates = st.integers(0, P - 1)
points = st.tuples(coordinates, coordinates)


@given(points, st.tuples(points, points), points, st.none() | points)
def test_proofs_round_trip(a: Any, b: Any, c: Any, d: Any) -> None:
    assert snarkjs.load_proof(snarkjs.dump_proof(Proof(a, b, c, d))) == Proof(a, b, c, d)


@given(st.lists(st.integers(0, R - 1)))
def test_public_inputs_round_trip(x: list[int]) -> None:
    assert snarkjs.load_public(snarkjs.dump_public(tuple(x))) == tuple(x)


def test_proofs_off_the_curve_are_for_the_verifier_to_refuse() -> None:
    for forgery in load().forgeries:
        canonical = forgery.verdict is not Verdict.MALFORMED or "canonical" not in forgery.name
        if canonical:
            assert snarkjs.load_proof(snarkjs.dump_proof(forgery.shown.proof)) == forgery.shown.proof


# --------------------------------------------------------------------------------------------------------- not trusted

BAD_TEXT = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "not JSON": b"{",
    "NaN": b"[NaN]",
    "trailing": b"[] []",
    "deep": b"[" * 100_000,
    "a number of a million digits": b"1" * 1_000_000,
    "twice": b'{"protocol": "groth16", "protocol": "cg16"}',
    "null": b"null",
    "string": b'"proof"',
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_text_that_is_no_document_is_refused(name: str) -> None:
    with pytest.raises(ProofFormatError):
        snarkjs.load_proof(BAD_TEXT[name])
    with pytest.raises(ProofFormatError):
        snarkjs.load_public(BAD_TEXT[name])
    with pytest.raises(FormatError):
        snarkjs.load_verification_key(BAD_TEXT[name])


def test_size_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snarkjs, "SIZE_LIMIT", 10)
    with pytest.raises(ProofFormatError, match="expected at most 10 bytes, got 11"):
        snarkjs.load_public(b'["1234567"]')
    assert snarkjs.load_public(b'["123456"]') == (123456,)


BAD_NUMBERS = ["-1", "+1", "01", "1.0", "1e3", " 1", "1_0", "0x1", "", "١", "1" * 79, 1, 1.0, True, None, ["1"]]


@pytest.mark.parametrize("value", [*BAD_NUMBERS, str(R), str(2**256)])
def test_public_inputs_that_are_no_numbers(value: Any) -> None:
    with pytest.raises(ProofFormatError, match="public inputs: number 1"):
        snarkjs.load_public(text(["0", value]))


@pytest.mark.parametrize("value", [*BAD_NUMBERS, str(P), str(P + 1)])
@pytest.mark.parametrize("path", [("pi_a", 0), ("pi_b", 1, 0), ("pi_c", 1), ("pi_d", 0), ("pi_b", 2, 1)])
def test_coordinates_that_are_no_numbers(value: Any, path: tuple[Any, ...]) -> None:
    document = json.loads(snarkjs.dump_proof(HONEST[System.CG16].proof))
    *outer, last = path
    target = document
    for part in outer:
        target = target[part]
    target[last] = value
    with pytest.raises(ProofFormatError, match=f"proof: {path[0]}"):
        snarkjs.load_proof(text(document))


def test_a_proof_of_rapidsnark_does_not_name_its_curve() -> None:
    proof = HONEST[System.GROTH16].proof
    document = json.loads(snarkjs.dump_proof(proof))
    del document["curve"]
    assert snarkjs.load_proof(text(document)) == proof


Change = Callable[[Document], Any]
BAD_PROOFS: dict[str, tuple[Change, str]] = {
    "another protocol": (lambda d: d.update(protocol="plonk"), "expected protocol groth16 or cg16, got 'plonk'"),
    "no protocol": (lambda d: d.pop("protocol"), "got None"),
    "a list for protocol": (lambda d: d.update(protocol=["groth16"]), "expected protocol"),
    "the other protocol": (lambda d: d.update(protocol="groth16"), "unknown member 'pi_d'"),
    "another curve": (lambda d: d.update(curve="bls12381"), "expected curve bn128, got 'bls12381'"),
    "a null for curve": (lambda d: d.update(curve=None), "expected curve bn128, got None"),
    "element missing": (lambda d: d.pop("pi_b"), "missing pi_b"),
    "element too many": (lambda d: d.update(pi_e=["1", "2", "1"]), "unknown member 'pi_e'"),
    "point of two": (lambda d: d["pi_a"].pop(), "pi_a: expected a list of 3, got a list of 2"),
    "point of four": (lambda d: d["pi_a"].append("1"), "pi_a: expected a list of 3, got a list of 4"),
    "projective": (lambda d: d["pi_a"].__setitem__(2, "2"), "pi_a: expected an affine point"),
    "projective b": (lambda d: d["pi_b"].__setitem__(2, ["1", "1"]), "pi_b: expected an affine point"),
    "another infinity": (lambda d: d.update(pi_c=["1", "1", "0"]), "pi_c: expected an affine point"),
    "zeros for infinity": (lambda d: d.update(pi_c=["0", "0", "1"]), "pi_c: expected an affine point"),
    "a string for b": (lambda d: d.update(pi_b="0"), "pi_b: expected a list of 3, got str"),
    "b flat": (lambda d: d.update(pi_b=["1", "2", "1"]), "pi_b: expected a list of 2, got str"),
}


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_malformed_proofs(name: str) -> None:
    change, message = BAD_PROOFS[name]
    document = json.loads(snarkjs.dump_proof(HONEST[System.CG16].proof))
    snarkjs.load_proof(text(document))
    change(document)
    with pytest.raises(ProofFormatError, match=message):
        snarkjs.load_proof(text(document))


def extras(**changes: Any) -> Change:
    good = {"circuitHash": "ab" * 32, "development": False}
    return lambda d: d.update(zkchain=good | changes)


def ceremony(**changes: Any) -> Change:
    good = {
        "transcript": "cd" * 32,
        "contributions": 2,
        "ptau": "ef" * 32,
        "power": 6,
        "beacon": "drand quicknet, round 5",
    }
    return extras(ceremony=good | changes)


BAD_KEYS: dict[str, tuple[System, Change, type[Exception], str]] = {
    "no curve": (System.GROTH16, lambda d: d.pop("curve"), FormatError, "expected curve bn128, got None"),
    "nPublic a string": (System.GROTH16, lambda d: d.update(nPublic="3"), FormatError, "nPublic"),
    "nPublic true": (System.GROTH16, lambda d: d.update(nPublic=True), FormatError, "nPublic"),
    "nPublic negative": (System.GROTH16, lambda d: d.update(nPublic=-1), KeyFormatError, "expected 0 points"),
    "nPublic huge": (System.GROTH16, lambda d: d.update(nPublic=1 << 60), KeyFormatError, "points gamma_abc_g1, got 4"),
    "IC a string": (System.GROTH16, lambda d: d.update(IC="1"), FormatError, "IC a list"),
    "IC short": (System.GROTH16, lambda d: d["IC"].pop(), KeyFormatError, "expected 4 points gamma_abc_g1, got 3"),
    "IC off the curve": (System.GROTH16, lambda d: d["IC"][0].__setitem__(0, "5"), KeyFormatError, "not on the curve"),
    "IC no point": (System.CG16, lambda d: d["IC"].__setitem__(2, None), FormatError, r"IC\[2\]: expected a list of 3"),
    "eta missing": (System.CG16, lambda d: d.pop("vk_eta_2"), FormatError, "missing vk_eta_2"),
    "eta too many": (System.GROTH16, lambda d: d.update(vk_eta_2=G2_TEXT), FormatError, "unknown member 'vk_eta_2'"),
    "alphabeta in cg16": (System.CG16, lambda d: d.update(vk_alphabeta_12=[]), FormatError, "unknown member"),
    "delta = gamma": (System.GROTH16, lambda d: d.update(vk_delta_2=d["vk_gamma_2"]), UnsafeKey, "anyone can forge"),
    "eta = delta": (System.CG16, lambda d: d.update(vk_eta_2=d["vk_delta_2"]), UnsafeKey, "anyone can forge"),
    "circuit hash short": (System.CG16, extras(circuitHash="ab"), FormatError, "64 hexadecimal digits"),
    "circuit hash a number": (System.CG16, extras(circuitHash=5), FormatError, "64 hexadecimal digits"),
    "development a string": (System.CG16, extras(development="no"), FormatError, "boolean development"),
    "extras unknown": (System.CG16, extras(more=1), FormatError, "unknown member 'more'"),
    "ceremony a list": (System.CG16, extras(ceremony=[]), FormatError, "ceremony: expected an object"),
    "ceremony unknown": (System.CG16, ceremony(more=1), FormatError, "unknown member 'more'"),
    "transcript short": (System.CG16, ceremony(transcript="cd"), FormatError, "two hashes"),
    "no contribution": (System.CG16, ceremony(contributions=0), FormatError, "two positive numbers"),
    "contributions true": (System.CG16, ceremony(contributions=True), FormatError, "two positive numbers"),
    "beacon of two lines": (System.CG16, ceremony(beacon="a\ncontract B {}"), FormatError, "a beacon in words"),
    "extras a list": (System.CG16, lambda d: d.update(zkchain=[]), FormatError, "zkchain: expected an object"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_malformed_keys(name: str) -> None:
    system, change, error, message = BAD_KEYS[name]
    document = key_document(system)
    change(document)
    with pytest.raises(error, match=message):
        snarkjs.load_verification_key(text(document))


def test_extras_are_read() -> None:
    document = key_document(System.CG16)
    extras()(document)
    vk: VerifyingKey = snarkjs.load_verification_key(text(document))
    assert (vk.circuit_digest, vk.development, vk.ceremony) == (b"\xab" * 32, True, None)


def test_a_key_of_a_ceremony_says_which() -> None:
    document = key_document(System.CG16)
    ceremony()(document)
    vk = snarkjs.load_verification_key(text(document))
    expected = Provenance(b"\xcd" * 32, 2, b"\xef" * 32, 6, "drand quicknet, round 5")
    assert (vk.development, vk.ceremony) == (False, expected)
    assert json.loads(snarkjs.dump_verification_key(vk)) == document
    extras(development=True, ceremony=document["zkchain"]["ceremony"])(document)
    assert snarkjs.load_verification_key(text(document)).development


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)))
def test_any_json_is_read_or_refused(value: Any) -> None:
    for member in ("pi_a", "pi_b", "protocol", "curve"):
        document = json.loads(snarkjs.dump_proof(HONEST[System.CG16].proof)) | {member: value}
        try:
            snarkjs.load_proof(text(document))
        except ProofFormatError:
            continue
        assert member in ("protocol", "curve")
