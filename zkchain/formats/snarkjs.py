"""snarkjs's JSON files: verification_key.json, proof.json, public.json, written as snarkjs does and read strictly.

A groth16 key, proof and instance are exactly snarkjs's layout: numbers are decimal strings, points [x, y, "1"] with
infinity ["0", "1", "0"], Fp2 elements [c0, c1]. The key carries one more member, ``zkchain``, which snarkjs ignores.
cg16 is the same layout with ``"protocol": "cg16"``: ``vk_eta_2`` in the key, three points IC (one, challenge,
compressed instance), ``nPublic`` the length of the instance, and ``pi_d`` in the proof.

Reading takes nothing on trust: size, types, members, canonical decimals, ranges; for a key also every point and the
trapdoors (``check_verifying_key``). Only vk_alphabeta_12, which no verifier uses, is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from zkchain.bn254 import G1, G2, Fp2, P, R
from zkchain.bn254.curve import G1_INFINITY, G2_INFINITY
from zkchain.errors import FormatError, ProofFormatError, ZkchainError
from zkchain.formats import jsontext
from zkchain.groth16.keycheck import check_verifying_key
from zkchain.groth16.types import Proof, Provenance, VerifyingKey
from zkchain.r1cs import Instance, System

SIZE_LIMIT = 1 << 24
CURVES = frozenset({"bn128", "bn254", "altbn128"})
GT_EXPONENT = 2 * 4965661367192848881 * (6 * 4965661367192848881**2 + 3 * 4965661367192848881 + 1)
"""snarkjs's final exponentiation gives e(P, Q)^(2 z (6 z^2 + 3 z + 1)), z the parameter of the curve."""
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BEACON = re.compile(r"[0-9a-zA-Z^, ]{1,200}", re.ASCII)
"""It goes into comments of contracts."""
_CEREMONY = frozenset({"transcript", "contributions", "ptau", "power", "beacon"})
_MEMBERS = ("protocol", "curve", "nPublic", "vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC")
_KEY_MEMBERS = {System.GROTH16: frozenset(_MEMBERS), System.CG16: frozenset({*_MEMBERS, "vk_eta_2"})}
_KEY_OPTIONAL = {System.GROTH16: frozenset({"vk_alphabeta_12", "zkchain"}), System.CG16: frozenset({"zkchain"})}
_PROOF_MEMBERS = {
    System.GROTH16: frozenset({"protocol", "curve", "pi_a", "pi_b", "pi_c"}),
    System.CG16: frozenset({"protocol", "curve", "pi_a", "pi_b", "pi_c", "pi_d"}),
}

# ------------------------------------------------------------------------------------------------------------ writing


def dump_verification_key(vk: VerifyingKey) -> bytes:
    """verification_key.json. For groth16 with vk_alphabeta_12 = e(alpha, beta), which takes about a second.

    KeyFormatError, UnsafeKey: a key that nobody may rely on."""
    check_verifying_key(vk)
    cg16 = vk.eta_g2 is not None
    return _dump(
        {
            "protocol": str(vk.system),
            "curve": "bn128",
            "nPublic": vk.instance_length,
            "vk_alpha_1": _g1_json(vk.alpha_g1),
            "vk_beta_2": _g2_json(vk.beta_g2),
            "vk_gamma_2": _g2_json(vk.gamma_g2),
            "vk_delta_2": _g2_json(vk.delta_g2),
        }
        | ({"vk_eta_2": _g2_json(vk.eta_g2)} if vk.eta_g2 else {})
        | ({} if cg16 else {"vk_alphabeta_12": _alpha_beta(vk.alpha_g1, vk.beta_g2)})
        | {
            "IC": [_g1_json(point) for point in vk.gamma_abc_g1],
            "zkchain": {"circuitHash": vk.circuit_digest.hex(), "development": vk.development} | _origin(vk.ceremony),
        }
    )


def _origin(ceremony: Provenance | None) -> dict[str, Any]:
    if ceremony is None:
        return {}
    return {
        "ceremony": {
            "transcript": ceremony.transcript.hex(),
            "contributions": ceremony.contributions,
            "ptau": ceremony.ptau.hex(),
            "power": ceremony.power,
            "beacon": ceremony.beacon,
        }
    }


def dump_proof(proof: Proof) -> bytes:
    """proof.json."""
    d = {} if proof.d is None else {"pi_d": _g1_json(proof.d)}
    points = {"pi_a": _g1_json(proof.a), "pi_b": _g2_json(proof.b), "pi_c": _g1_json(proof.c)}
    return _dump({**points, **d, "protocol": str(proof.system), "curve": "bn128"})


def dump_public(instance: Instance) -> bytes:
    """public.json: the instance as decimal strings."""
    return _dump([str(x) for x in instance])


def _dump(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"


def _g1_json(point: G1) -> list[str]:
    return ["0", "1", "0"] if point == G1_INFINITY else [str(point[0]), str(point[1]), "1"]


def _g2_json(point: G2) -> list[list[str]]:
    x, y, z = ((0, 0), (1, 0), (0, 0)) if point == G2_INFINITY else (*point, (1, 0))
    return [[str(c) for c in coordinate] for coordinate in (x, y, z)]


def _alpha_beta(alpha: G1, beta: G2) -> list[list[list[str]]]:
    """e(alpha, beta) over the tower Fp2[v]/(v^3 - (9 + u))[w]/(w^2 - v), as snarkjs writes it.

    There u = w^6 - 9, so c0 + c1 u at v^j w^i is c0 - 9 c1 at w^(2j+i) and c1 at w^(2j+i+6).
    """
    from zkchain.groth16.reference import points

    flat = points.pairing_power(points.g1(alpha), points.g2(beta), GT_EXPONENT)
    return [[[str((flat[k] + 9 * flat[k + 6]) % P), str(flat[k + 6])] for k in (i, i + 2, i + 4)] for i in (0, 1)]


# ------------------------------------------------------------------------------------------------------------ reading


def load_verification_key(data: bytes) -> VerifyingKey:
    """FormatError when it is not such a file; KeyFormatError, UnsafeKey when the key must not be relied on.

    Files of snarkjs itself lack the member ``zkchain``: their circuit hash is zero, and as nothing is known of a
    ceremony they count as development keys.
    """
    vk = parse_verification_key(data)
    check_verifying_key(vk)
    return vk


def parse_verification_key(data: bytes) -> VerifyingKey:
    """The key, to be compared with one that has been checked: nothing is known of its points. FormatError."""
    what = "verification key"
    document = _object(_parse(data, what, FormatError), what, FormatError)
    system = _system(document, what, FormatError)
    _members(document, _KEY_MEMBERS[system], _KEY_OPTIONAL[system], what, FormatError)
    n_public, ic = document["nPublic"], document["IC"]
    if type(n_public) is not int or not isinstance(ic, list):
        raise FormatError(f"{what}: expected nPublic to be a number and IC a list")
    circuit_hash, development, ceremony = _extras(document.get("zkchain"), what)
    read_g1, read_g2 = partial(_g1, error=FormatError), partial(_g2, error=FormatError)
    return VerifyingKey(
        system=system,
        alpha_g1=read_g1(document["vk_alpha_1"], f"{what}: vk_alpha_1"),
        beta_g2=read_g2(document["vk_beta_2"], f"{what}: vk_beta_2"),
        gamma_g2=read_g2(document["vk_gamma_2"], f"{what}: vk_gamma_2"),
        delta_g2=read_g2(document["vk_delta_2"], f"{what}: vk_delta_2"),
        eta_g2=read_g2(document["vk_eta_2"], f"{what}: vk_eta_2") if system is System.CG16 else None,
        gamma_abc_g1=tuple(read_g1(point, f"{what}: IC[{i}]") for i, point in enumerate(ic)),
        instance_length=n_public,
        circuit_digest=circuit_hash,
        development=development,
        ceremony=ceremony,
    )


def load_proof(data: bytes) -> Proof:
    """ProofFormatError when it is not such a file. Whether points lie on their curves is for the verifier to say.

    rapidsnark, which knows one curve, does not name it; neither does snarkjs ask a proof for it.
    """
    what = "proof"
    document = {"curve": "bn128"} | _object(_parse(data, what, ProofFormatError), what, ProofFormatError)
    system = _system(document, what, ProofFormatError)
    _members(document, _PROOF_MEMBERS[system], frozenset(), what, ProofFormatError)
    return Proof(
        _g1(document["pi_a"], "proof: pi_a", ProofFormatError),
        _g2(document["pi_b"], "proof: pi_b", ProofFormatError),
        _g1(document["pi_c"], "proof: pi_c", ProofFormatError),
        _g1(document["pi_d"], "proof: pi_d", ProofFormatError) if system is System.CG16 else None,
    )


def load_public(data: bytes) -> Instance:
    """ProofFormatError unless it is a list of canonical decimal strings below r."""
    what = "public inputs"
    document = _parse(data, what, ProofFormatError)
    if not isinstance(document, list):
        raise ProofFormatError(f"{what}: expected a list, got {_kind(document)}")
    return tuple(_number(x, R, f"{what}: number {i}", ProofFormatError) for i, x in enumerate(document))


def _parse(data: bytes, what: str, error: type[ZkchainError]) -> Any:
    if len(data) > SIZE_LIMIT:
        raise error(f"{what}: expected at most {SIZE_LIMIT} bytes, got {len(data)}")

    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        return jsontext.loads(data, parse_constant=refuse_constant)
    except ValueError as cause:
        raise error(f"{what}: not a JSON file: {str(cause)[:200]}") from None


def _object(document: Any, what: str, error: type[ZkchainError]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise error(f"{what}: expected an object, got {_kind(document)}")
    return document


def _system(document: Mapping[str, Any], what: str, error: type[ZkchainError]) -> System:
    protocol, curve = document.get("protocol"), document.get("curve")
    if protocol not in [str(system) for system in System]:
        raise error(f"{what}: expected protocol groth16 or cg16, got {_shown(protocol)}")
    if not isinstance(curve, str) or curve.lower() not in CURVES:
        raise error(f"{what}: expected curve bn128, got {_shown(curve)}")
    return System(protocol)


def _members(
    document: Mapping[str, Any],
    expected: frozenset[str],
    optional: frozenset[str],
    what: str,
    error: type[ZkchainError],
) -> None:
    if missing := expected - document.keys():
        raise error(f"{what}: missing {', '.join(sorted(missing))}")
    if unknown := document.keys() - expected - optional:
        raise error(f"{what}: unknown member {_shown(min(unknown))}")


def _extras(extras: Any, what: str) -> tuple[bytes, bool, Provenance | None]:
    """Circuit hash, development mark, and the ceremony. A key counts as a development key unless the file says which
    ceremony it comes from: that is what whoever relies on the key compares with what was published."""
    if extras is None:
        return bytes(32), True, None
    members = _object(extras, f"{what}: zkchain", FormatError)
    expected = frozenset({"circuitHash", "development"})
    _members(members, expected, frozenset({"ceremony"}), f"{what}: zkchain", FormatError)
    circuit_hash, development = members["circuitHash"], members["development"]
    if not _is_hash(circuit_hash) or not isinstance(development, bool):
        raise FormatError(f"{what}: zkchain: expected a circuitHash of 64 hexadecimal digits and a boolean development")
    ceremony = _ceremony(members["ceremony"], f"{what}: ceremony") if "ceremony" in members else None
    return bytes.fromhex(circuit_hash), development or ceremony is None, ceremony


def _ceremony(value: Any, what: str) -> Provenance:
    members = _object(value, what, FormatError)
    _members(members, _CEREMONY, frozenset(), what, FormatError)
    transcript, ptau, beacon = members["transcript"], members["ptau"], members["beacon"]
    counts = members["contributions"], members["power"]
    well_formed = _is_hash(transcript) and _is_hash(ptau) and all(type(n) is int and 0 < n < 1 << 32 for n in counts)
    if not well_formed or not (beacon is None or (isinstance(beacon, str) and _BEACON.fullmatch(beacon))):
        raise FormatError(f"{what}: expected two hashes, two positive numbers, and a beacon in words or null")
    return Provenance(bytes.fromhex(transcript), counts[0], bytes.fromhex(ptau), counts[1], beacon)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _g1(value: Any, what: str, error: type[ZkchainError]) -> G1:
    x, y, z = _list(value, 3, what, error)
    point = (_number(x, P, what, error), _number(y, P, what, error))
    if z == "1" and point != G1_INFINITY:
        return point
    if z == "0" and point == (0, 1):
        return G1_INFINITY
    raise error(f'{what}: expected an affine point [x, y, "1"] or infinity ["0", "1", "0"]')


def _g2(value: Any, what: str, error: type[ZkchainError]) -> G2:
    x, y, z = (_fp2(c, what, error) for c in _list(value, 3, what, error))
    if z == (1, 0) and (x, y) != G2_INFINITY:
        return (x, y)
    if z == (0, 0) and (x, y) == ((0, 0), (1, 0)):
        return G2_INFINITY
    raise error(f'{what}: expected an affine point with z = ["1", "0"] or infinity')


def _fp2(value: Any, what: str, error: type[ZkchainError]) -> Fp2:
    c0, c1 = _list(value, 2, what, error)
    return (_number(c0, P, what, error), _number(c1, P, what, error))


def _list(value: Any, length: int, what: str, error: type[ZkchainError]) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise error(f"{what}: expected a list of {length}, got {_kind(value)}")
    return value


def _number(value: Any, below: int, what: str, error: type[ZkchainError]) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise error(f"{what}: expected a decimal number in a string, got {_shown(value)}")
    number = int(value)
    if number >= below:
        raise error(f"{what}: {number} is not below {'r' if below == R else 'p'} = {below}")
    return number


def _kind(value: Any) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__


def _shown(value: Any) -> str:
    return repr(value)[:80]
