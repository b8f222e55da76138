"""The bundle's JSON records, read strictly (pydantic) into the frozen dataclasses that the steps use.

settings.json: how the model was compiled. circuit.json: what came of it; all that a verifier needs beside the
verification key, since it holds the layout of the public inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, NonNegativeInt, StringConstraints, TypeAdapter, ValidationError

from zkchain.errors import FormatError
from zkchain.groth16.types import System
from zkchain.oracle import Evaluation
from zkchain.promise import Promise

T = TypeVar("T")
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Bound = float | tuple[float, ...]
"""One number for all elements, or one for each in row-major order."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class InputChoice:
    """A model input: its domain in the model's own unit and one integer step of it, whether the verifier sees it, and
    whether the domain was declared (else it was taken from data)."""

    __pydantic_config__ = STRICT
    name: str
    public: bool
    lo: Bound
    hi: Bound
    scale: float
    declared: bool


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """A model output and whether the verifier sees it."""

    __pydantic_config__ = STRICT
    name: str
    public: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """settings.json. ``quantisation`` holds the fields of quantize.Settings."""

    __pydantic_config__ = STRICT
    system: System
    batch: int
    inputs: tuple[InputChoice, ...]
    outputs: tuple[OutputChoice, ...]
    quantisation: dict[str, float | int | str | None]
    format: Literal["zkchain-settings"] = "zkchain-settings"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the integer program (circuit.interface.Port)."""

    __pydantic_config__ = STRICT
    name: str
    shape: tuple[NonNegativeInt, ...]
    public: bool
    lo: int | tuple[int, ...]
    hi: int | tuple[int, ...]
    scale: float


@dataclass(frozen=True, slots=True)
class PublicField:
    """One tensor among the public inputs (circuit.layout.Field)."""

    __pydantic_config__ = STRICT
    kind: str
    name: str
    shape: tuple[NonNegativeInt, ...]
    bits: int
    offset: int
    scale: float


@dataclass(frozen=True, slots=True)
class Summary:
    """circuit.json. ``digest`` is bound to the interface (system to outputs) and to ``rows_digest``. ``rows_by_node``
    (model node -> rows), the measured ``evaluation`` and the ``promise`` over the domain are the compiler's word."""

    __pydantic_config__ = STRICT
    digest: Digest
    rows_digest: Digest
    system: System
    rows: int
    wires: int
    committed: int
    instance_length: int
    fields: tuple[PublicField, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rows_by_node: dict[str, int] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    promise: Promise | None = None
    format: Literal["zkchain-circuit"] = "zkchain-circuit"
    version: Literal[2] = 2


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """Verifier.json. Code in hex without 0x; ``data``: code of the data contracts, ``immutables``: (start, length) of
    what the constructor puts into the code (solidity.Artifact)."""

    __pydantic_config__ = STRICT
    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: str
    runtime: str
    data: tuple[str, ...]
    compiler: str
    immutables: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = ()
    format: Literal["zkchain-contract"] = "zkchain-contract"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """deployment.json. ``chain`` is "embedded" for the chain that lives and dies with one command, else "rpc"."""

    __pydantic_config__ = STRICT
    chain: Literal["embedded", "rpc"]
    chain_id: int
    address: str
    transaction: str
    gas: int
    block: int
    format: Literal["zkchain-deployment"] = "zkchain-deployment"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class ContextRecord:
    """context.json of a cg16 proof that holds for one chain, contract and binder (0x-prefixed hex) only."""

    __pydantic_config__ = STRICT
    chain_id: int
    contract: str
    binder: str
    format: Literal["zkchain-context"] = "zkchain-context"
    version: Literal[1] = 1


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
"""Kept, since building one takes more milliseconds than reading a record."""


def dump(record: Any) -> bytes:
    """Indented JSON of one of the records above."""
    return _adapter(type(record)).dump_json(record, indent=1) + b"\n"


def load(kind: type[T], data: bytes, *, what: str) -> T:
    """The record; raises FormatError naming ``what`` and the field that is wrong."""
    try:
        record: T = _adapter(kind).validate_json(data)
        return record
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise FormatError(f"{what} is malformed: {where}: {first['msg']}") from error
