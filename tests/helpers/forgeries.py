"""Forged and altered proofs with what every verifier must say of them.

``load()`` reads ``tests/adversarial/fixtures/forgeries.json``, which ``make_fixtures`` writes from ``attacks`` and
``mutations``; the reference, the native core and the contracts are tested against this list. In the file, numbers are
32-byte words in hexadecimal, points are encoded as in EIP-196 and EIP-197, keys and proofs as in
``zkchain.groth16.encoding``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from tests.helpers.weakened import REAL, Variant
from zkchain.bn254 import G1, G2
from zkchain.bn254.encoding import encode_g1, encode_g2, word, words
from zkchain.groth16.encoding import decode_key_points, encode_key_points
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

FILE = Path(__file__).parents[1] / "adversarial" / "fixtures" / "forgeries.json"


class Verdict(StrEnum):
    VALID = "valid"
    INVALID = "invalid"  # well-formed, does not verify: ProofInvalid
    MALFORMED = "malformed"  # refused before any pairing: ProofFormatError
    UNSAFE_KEY = "unsafe key"  # no verifier is made for such a key: UnsafeKey


@dataclass(frozen=True)
class Statement:
    """What a verifier is shown."""

    vk: VerifyingKey
    instance: Instance
    proof: Proof
    ctx: bytes = NO_CONTEXT


@dataclass(frozen=True)
class Forgery:
    """``shown`` must get ``verdict``; ``weak`` is the same idea against a ``variant`` that accepts it."""

    name: str
    source: str
    verdict: Verdict
    shown: Statement
    weak: Statement | None = None
    variant: Variant = field(default=REAL)

    @property
    def system(self) -> System:
        return self.shown.vk.system


@dataclass(frozen=True)
class Batch:
    """Proofs under one key; ``bad`` are the indices that must be named; accepted under the weights ``weak_rho``."""

    name: str
    statements: tuple[Statement, ...]
    bad: tuple[int, ...]
    weak_rho: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Fixtures:
    forgeries: tuple[Forgery, ...]
    batches: tuple[Batch, ...]


@cache
def load() -> Fixtures:
    """All fixtures, in the order of the file."""
    data = json.loads(FILE.read_text())
    keys = {name: _key(entry) for name, entry in data["keys"].items()}
    return Fixtures(
        tuple(_forgery(entry, keys) for entry in data["forgeries"]),
        tuple(
            Batch(
                entry["name"],
                tuple(_statement(item, keys) for item in entry["statements"]),
                tuple(entry["bad"]),
                tuple(entry["weak_rho"]) if entry["weak_rho"] else None,
            )
            for entry in data["batches"]
        ),
    )


def dump(fixtures: Fixtures) -> str:
    """The text of the file."""
    keys: dict[VerifyingKey, str] = {}
    data = {
        "forgeries": [
            {
                "name": f.name,
                "source": f.source,
                "verdict": str(f.verdict),
                "shown": _statement_json(f.shown, keys),
                "weak": f.weak and _statement_json(f.weak, keys),
                "variant": _variant_json(f.variant),
            }
            for f in fixtures.forgeries
        ],
        "batches": [
            {
                "name": batch.name,
                "statements": [_statement_json(s, keys) for s in batch.statements],
                "bad": list(batch.bad),
                "weak_rho": list(batch.weak_rho) if batch.weak_rho else None,
            }
            for batch in fixtures.batches
        ],
    }
    return json.dumps({"keys": {name: _key_json(vk) for vk, name in keys.items()}} | data, indent=1) + "\n"


def _statement_json(statement: Statement, keys: dict[VerifyingKey, str]) -> dict[str, Any]:
    name = keys.setdefault(statement.vk, f"{statement.vk.system}-{len(keys)}")
    proof = statement.proof
    return {
        "key": name,
        "instance": [_hex(word(x)) for x in statement.instance],
        "proof": {
            "a": _hex(encode_g1(proof.a)),
            "b": _hex(encode_g2(proof.b)),
            "c": _hex(encode_g1(proof.c)),
            "d": None if proof.d is None else _hex(encode_g1(proof.d)),
        },
        "ctx": _hex(statement.ctx),
    }


def _statement(entry: dict[str, Any], keys: dict[str, VerifyingKey]) -> Statement:
    proof = entry["proof"]
    return Statement(
        keys[entry["key"]],
        tuple(int(x, 16) for x in entry["instance"]),
        Proof(_g1(proof["a"]), _g2(proof["b"]), _g1(proof["c"]), _g1(proof["d"]) if proof["d"] else None),
        _raw(entry["ctx"]),
    )


def _forgery(entry: dict[str, Any], keys: dict[str, VerifyingKey]) -> Forgery:
    weak = entry["weak"]
    variant: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in entry["variant"].items()}
    return Forgery(
        entry["name"],
        entry["source"],
        Verdict(entry["verdict"]),
        _statement(entry["shown"], keys),
        weak and _statement(weak, keys),
        Variant(**variant),
    )


def _variant_json(variant: Variant) -> dict[str, Any]:
    """What differs from the real verifier."""
    changed: Iterable[str] = (f.name for f in fields(variant) if getattr(variant, f.name) != f.default)
    return {name: asdict(variant)[name] for name in changed}


def _key_json(vk: VerifyingKey) -> dict[str, Any]:
    return {
        "system": str(vk.system),
        "n_public": vk.instance_length,
        "circuit_hash": _hex(vk.circuit_digest),
        "points": _hex(encode_key_points(vk)),
    }


def _key(entry: dict[str, Any]) -> VerifyingKey:
    return decode_key_points(
        _raw(entry["points"]),
        System(entry["system"]),
        instance_length=entry["n_public"],
        circuit_digest=_raw(entry["circuit_hash"]),
    )


def _g1(text: str) -> G1:
    x, y = words(_raw(text))
    return (x, y)


def _g2(text: str) -> G2:
    """Coordinates as they are, not below p too: malformed proofs are part of the list."""
    x1, x0, y1, y0 = words(_raw(text))
    return ((x0, x1), (y0, y1))


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
