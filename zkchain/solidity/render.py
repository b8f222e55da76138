"""Verifying key -> Solidity source, for both systems.

The key's points stand in the code as constants. Plain Groth16 needs one point for every public input; above
``MAX_INLINE_INPUTS`` they move into data contracts: their code is the points, the verifier reads them with EXTCODECOPY
and checks their hash once, in its constructor. A contract's code must not exceed 24,576 bytes (EIP-170), but data pays
earlier than it must. Measured (solc 0.8.37, cancun), gas:

    public inputs    deploy inline / data        verify inline / data (execution)
         50          1,122,680 / 1,041,925          511,883 /   513,301
        100          1,964,973 / 1,733,540          841,925 /   842,143
        110          2,133,672 / 1,872,185          907,971 /   907,949
        200          3,650,863 / 3,117,656        1,502,181 / 1,499,999

Up to the point where verification costs the same, one contract is worth more than a cheaper deployment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zkchain._core import keccak256
from zkchain.bn254 import G1, R
from zkchain.bn254.curve import negate_g1, negate_g2
from zkchain.bn254.encoding import encode_g1, word
from zkchain.errors import SolidityError
from zkchain.groth16.keycheck import check_verifying_key
from zkchain.groth16.transcript import BATCH_LABEL, DOMAIN, DOMAIN_GROTH16, vkhash
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MAX_INLINE_INPUTS = 108
POINTS_PER_DATA_CONTRACT = 383
"""Each holds a zero byte (STOP: it cannot be called) and 64 bytes per point, at most 24,576 bytes in all."""
DEVELOPMENT_SUFFIX = "_DEVELOPMENT_KEY"


@dataclass(frozen=True, slots=True)
class VerifierSource:
    """``source`` declares the contract ``name``; ``data`` is the code of the data contracts it needs, in order."""

    name: str
    source: str
    data: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Points ``first`` .. ``first + count - 1`` of IC_1, IC_2, ..., as the code of one data contract."""

    first: int
    count: int
    code: bytes

    @property
    def code_hash(self) -> str:
        return keccak256(self.code).hex()


def render(vk: VerifyingKey, name: str = "Verifier", *, batch: bool = False) -> VerifierSource:
    """The verifier contract of ``vk``; with ``batch`` it can also verify many proofs in one call.

    A development key is named as such: the contract becomes ``<name>_DEVELOPMENT_KEY``. KeyFormatError, UnsafeKey: the
    key fails ``check_verifying_key``. SolidityError: ``name`` is no Solidity identifier; no public input.
    """
    check_verifying_key(vk)
    if not (name.isascii() and name.isidentifier()):
        raise SolidityError(f"contract name: expected a Solidity identifier, got {name!r}")
    if vk.instance_length < 1:
        raise SolidityError(
            "verifying key without public inputs: its proofs say nothing about any value",
            hint="make the model's output public",
        )
    name += DEVELOPMENT_SUFFIX if vk.development else ""
    chunks = split_points(vk.gamma_abc_g1[1:]) if vk.system is System.GROTH16 else ()
    template = template_named(f"{vk.system.value}.sol.jinja")
    source = template.render(
        name=name,
        batch=batch,
        L=vk.instance_length,
        key=_key_values(vk),
        chunks=chunks,
        two_256=(1 << 256) % R,
        **_labels(vk),
    )
    return VerifierSource(name, source, tuple(chunk.code for chunk in chunks))


def split_points(points: Sequence[G1]) -> tuple[Chunk, ...]:
    """Data contracts for IC_1 .. IC_L; none while they fit into the verifier."""
    if len(points) <= MAX_INLINE_INPUTS:
        return ()
    starts = range(0, len(points), POINTS_PER_DATA_CONTRACT)
    parts = [points[i : i + POINTS_PER_DATA_CONTRACT] for i in starts]
    codes = [bytes(1) + b"".join(map(encode_g1, part)) for part in parts]
    return tuple(Chunk(i, len(part), code) for i, part, code in zip(starts, parts, codes, strict=True))


def data_initcode(code: bytes) -> bytes:
    """Initcode that puts ``code`` on the chain: codecopy(0, 10, size); return(0, size)."""
    # PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE (0), RETURN
    return bytes.fromhex(f"61{len(code):04x}80600a3d393df3") + code


def _key_values(vk: VerifyingKey) -> dict[str, Any]:
    """The key as the templates write it: e(a, b) stands alone on its side, so everything else is negated."""
    return {
        "development": vk.development,
        "ceremony": vk.ceremony,
        "circuit_hash": vk.circuit_digest.hex(),
        "vk_hash": vkhash(vk).hex(),
        "minus_alpha": negate_g1(vk.alpha_g1),
        "beta": vk.beta_g2,
        "minus_gamma": negate_g2(vk.gamma_g2),
        "minus_delta": negate_g2(vk.delta_g2),
        "minus_eta": None if vk.eta_g2 is None else negate_g2(vk.eta_g2),
        "ic": vk.gamma_abc_g1,
    }


def _labels(vk: VerifyingKey) -> dict[str, Any]:
    """The transcript's constants."""
    label = BATCH_LABEL[vk.system]
    domain = DOMAIN if vk.system is System.CG16 else DOMAIN_GROTH16
    return {"label": label.rjust(32, b"\0").hex(), "label_bytes": len(label), "domain": domain.hex()}


def template_named(name: str) -> Template:
    """One of templates/, with the filters that they use."""
    filled = environment("zkchain.solidity")
    filled.filters["word"] = lambda value: word(value).hex()
    filled.filters["hex"] = lambda value: f"0x{value:03x}"
    filled.filters["at"] = lambda offset: f"add(m, 0x{offset:03x})" if offset else "m"
    return filled.get_template(name)


def environment(package: str) -> Environment:
    """jinja2 over a package's templates/, for text that is no HTML; what a template names and is not there is an
    error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
