"""Fill in a project's templates for one key, with proofs that hold under it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zkchain import pipeline
from zkchain.chain import gas
from zkchain.circuit.layout import Layout
from zkchain.errors import ProofFormatError
from zkchain.formats import proofs, records, snarkjs
from zkchain.formats.records import ContextRecord
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.projects.plan import LIBRARY, MOCKS, PROJECTS, Project
from zkchain.r1cs import Instance, System
from zkchain.solidity import Artifact, VerifierSource, binder, calldata
from zkchain.solidity.compiler import SETTINGS, SOLC_VERSION
from zkchain.solidity.render import data_initcode, environment

if TYPE_CHECKING:
    from jinja2 import Environment

CONSUMER = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
CALLER = bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")
TURNS = ((0, 0, bytes(32)), (7, 0, bytes(32)), ((1 << 64) - 1, 1_800_000_000, bytes(32)), (3, 5, b"\x11" * 32))
"""Counters, deadlines and actions: the bindings' own tests compare the binders that they make of them with ours."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof that a project shows, under a name. ``context``: what it is bound to."""

    name: str
    proof: Proof
    instance: Instance
    context: ContextRecord | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What a project is made of: a key, what its public numbers mean, its contract, proofs that hold, the hand-written
    contracts by path; ``artifact``: the contract compiled, where the kind has bindings; ``sources``: what was generated
    beside the contract, by path."""

    key: VerifyingKey
    layout: Layout
    contract: VerifierSource
    proofs: tuple[Shown, ...]
    library: Mapping[str, str]
    artifact: Artifact | None = None
    sources: Mapping[str, str] = field(default_factory=dict)


def render(kind: str, material: Material) -> dict[str, str]:
    """The files of a project.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    material
        A key, its contract, and one proof or more; for bindings the compiled contract too.

    Returns
    -------
    dict
        Path -> text, sorted.

    Raises
    ------
    ProofFormatError
        A proof is for another system or another number of public inputs, or there is none.
    """
    if not material.proofs:
        hint = "make one: keys.prove(...), `zkchain prove BUNDLE INPUT`"
        raise ProofFormatError("a project's tests show a proof that holds, got none", hint=hint)
    project, templates, values = PROJECTS[kind], _environment(), _values(material)
    made = {}
    for path, template in project.files.items():
        sources = project.bindings if path.endswith(".ts") else project.contracts
        made[path] = _text(templates, template, {**values, "sources": sources})
    if project.contracts is not None:
        made[f"{project.contracts}/{material.contract.name}.sol"] = material.contract.source
        made |= {f"{project.contracts}/{path}": text for path, text in material.sources.items()}
        made |= dict(_library(project, path, text) for path, text in material.library.items())
    if project.bindings is not None:
        for shown in material.proofs:
            made |= {f"proofs/{shown.name}/{name}": text for name, text in _kept(material, shown).items()}
    return dict(sorted(made.items()))


def _library(project: Project, path: str, text: str) -> tuple[str, str]:
    """Where a hand-written contract goes, and its text there: mocks stand apart, and import across folders."""
    if not path.startswith(MOCKS):
        return f"{project.contracts}/{LIBRARY}/{path}", text
    return f"{project.mocks}/{path}", text.replace('from "../', f'from "../../{project.contracts}/{LIBRARY}/')


def _text(templates: Environment, name: str, values: Mapping[str, Any]) -> str:
    if name.endswith(".jinja"):
        return templates.get_template(name).render(values)
    if templates.loader is None:
        raise LookupError(f"no templates to take {name} from")
    return templates.loader.get_source(templates, name)[0]


def _values(material: Material) -> dict[str, Any]:
    """What templates may name."""
    key, fields = material.key, material.layout.fields
    return {
        "L": key.instance_length,
        "artifact": material.artifact,
        "binders": [_turn(*turn) for turn in TURNS],
        "bound": any(shown.context for shown in material.proofs),
        "cg16": key.system is System.CG16,
        "context": _hex(context(1, CONSUMER, b"\x5a" * 32)),
        "contract": material.contract.name,
        "data": [data_initcode(code) for code in material.contract.data],
        "fields": fields,
        "gas_limit": 2 * gas.verification(key, bound=key.system is System.CG16).total,
        "key": key,
        "library": LIBRARY,
        "proofs": [_shown(key, shown) for shown in material.proofs],
        "ragged": any(field.bits < 8 * field.width for field in fields),
        "settings": SETTINGS,
        "solc": SOLC_VERSION,
        "system": key.system.value,
        "vk_hash": _hex(vkhash(key)),
    }


def _turn(counter: int, deadline: int, action: bytes) -> dict[str, Any]:
    made = binder(CONSUMER, CALLER, counter, deadline=deadline, action=action)
    return {"counter": counter, "deadline": deadline, "action": _hex(action), "binder": _hex(made)}


def _shown(key: VerifyingKey, shown: Shown) -> dict[str, Any]:
    """A proof as templates have it; ``place``: the contract that it is bound to, as a number."""
    bound = _plain(shown.context)
    place = None if bound is None else int(bound.contract, 16)
    return {"name": shown.name, "context": bound, "place": place, "calldata": _calldata(key, shown)}


def _plain(bound: ContextRecord | None) -> ContextRecord | None:
    """The record with its bytes as 0x and digits, nothing else: it may have been written by anybody."""
    if bound is None:
        return None
    contract, binder = (_hex(proofs.unhex(text)) for text in (bound.contract, bound.binder))
    return replace(bound, contract=contract, binder=binder)


def _calldata(key: VerifyingKey, shown: Shown) -> bytes:
    bound = None if shown.context is None else proofs.unhex(shown.context.binder)
    return calldata(key, shown.proof, shown.instance, bound)


def _kept(material: Material, shown: Shown) -> dict[str, str]:
    """The files of a proof, and what our own code says of it."""
    bound = _plain(shown.context)
    expected = {
        "calldata": _hex(_calldata(material.key, shown)),
        "proof": _hex(encode_proof(shown.proof)),
        "context": None if bound is None else _hex(proofs.context_of(bound)),
        "claims": [_claim(claim) for claim in pipeline.claims(material.layout, shown.instance)],
    }
    made = {
        "proof.json": snarkjs.dump_proof(shown.proof).decode(),
        "public.json": snarkjs.dump_public(shown.instance).decode(),
        "expected.json": json.dumps(expected, indent=1) + "\n",
    }
    return made if bound is None else {**made, "context.json": records.dump(bound).decode()}


def _claim(claim: pipeline.Claim) -> dict[str, Any]:
    """Integers as text, values as numbers (None for what is missing) or names."""
    values = claim.values.ravel().tolist()
    return {
        "kind": claim.kind,
        "name": claim.name,
        "shape": list(claim.integers.shape),
        "integers": [str(q) for q in claim.integers.ravel().tolist()],
        "values": [None if isinstance(x, float) and math.isnan(x) else x for x in values],
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _environment() -> Environment:
    made = environment("zkchain.projects")
    made.filters["json"] = lambda value: json.dumps(value, indent=2 if isinstance(value, list) else None)
    made.filters["cell"] = lambda text: f"`{json.dumps(text)[1:-1].replace('|', '&#124;').replace('`', ' ')}`"
    made.filters["bigint"] = lambda value: "null" if value is None else f"{value}n"
    return made
