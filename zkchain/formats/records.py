"""The bundle's JSON records, read strictly (msgspec) into the frozen dataclasses that the steps use.

settings.json: how the model was compiled. circuit.json: what came of it; all that a verifier needs beside the
verification key, since it holds the layout of the public inputs.

Records come from strangers: every number in one has bounds, wide enough for any circuit that can be proved. What fields
must agree on is checked where they are used (``circuit.check_interface``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta

from zkchain.circuit.interface import MOST
from zkchain.circuit.interface import MOST_DIMENSIONS as DIMENSIONS
from zkchain.errors import BundleError, InputError
from zkchain.form import Form
from zkchain.formats import jsontext
from zkchain.ir.graph import BOUND
from zkchain.measured import Evaluation, LayerError, Promise
from zkchain.r1cs import System
from zkchain.wording import Brief, line, listed

T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, le=MOST)]
"""Rows, wires, elements."""
Shape = Annotated[tuple[Count, ...], Meta(max_length=DIMENSIONS)]
Whole = Annotated[int, Meta(ge=-BOUND, le=BOUND)]
"""An integer of the program."""
Wholes = Annotated[tuple[Whole, ...], Meta(max_length=MOST)]
Scale = Annotated[float, Meta(ge=1e-100, le=1e100)]
"""The real number meant by one integer step: BOUND steps are finite."""
Real = Annotated[float, Meta(ge=-1e120, le=1e120)]
Bound = Real | Annotated[tuple[Real, ...], Meta(max_length=MOST)]
"""One number for all elements, or one for each in row-major order."""
Name = Annotated[str, Meta(max_length=1 << 12)]
Lists = Annotated[tuple[Annotated[tuple[Name | None, ...], Meta(max_length=1 << 20)], ...], Meta(max_length=MOST)]
"""The names that integers are places of: one list for all elements, or one for each; None: every other string."""
Missing = Annotated[tuple[Whole | None, ...], Meta(max_length=MOST)]
"""Of every element that may be missing the integer that says so."""
Big = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""A count that a node reports: gas, blocks, chains."""
CodePlace = Annotated[int, Meta(ge=0, le=1 << 20)]
"""A place in a contract's code, generously."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, repr=False)
class InputChoice(Brief):
    """A model input: its domain in the model's own unit and one integer step of it, whether the verifier sees it, and
    whether the domain was declared (else it was taken from data)."""

    name: str
    public: bool
    lo: Bound
    hi: Bound
    scale: Scale
    declared: bool


@dataclass(frozen=True, slots=True, repr=False)
class OutputChoice(Brief):
    """A model output and whether the verifier sees it."""

    name: str
    public: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """settings.json. ``quantisation`` holds the fields of quantize.Settings."""

    system: System
    batch: Annotated[int, Meta(ge=1, le=MOST)]
    inputs: tuple[InputChoice, ...]
    outputs: tuple[OutputChoice, ...]
    quantisation: dict[str, Real | Whole | str | None]
    format: Literal["zkchain-settings"] = "zkchain-settings"
    version: Literal[1] = 1

    def __repr__(self) -> str:
        inputs, outputs = (listed(choice.name for choice in chosen) for chosen in (self.inputs, self.outputs))
        return line(self, f"{self.system}, batch {self.batch}, inputs {inputs}, outputs {outputs}")


@dataclass(frozen=True, slots=True, repr=False)
class Tensor(Brief):
    """An input or output of the integer program (circuit.interface.Port)."""

    name: str
    shape: Shape
    public: bool
    lo: Whole | Wholes
    hi: Whole | Wholes
    scale: Scale
    categories: Lists = ()
    missing: Missing = ()


@dataclass(frozen=True, slots=True, repr=False)
class PublicField(Brief):
    """One tensor among the public inputs (circuit.layout.Field)."""

    kind: Literal["input", "output"]
    name: str
    shape: Shape
    bits: Annotated[int, Meta(ge=0, le=64)]
    offset: Annotated[int, Meta(ge=0, le=BOUND)]
    scale: Scale
    categories: Lists = ()
    missing: Missing = ()


SHARES = ("correct", "float_correct", "top1", "equal", "agreement")
LIMITS = ("limit", "data_limit", "period")
SIGNED = ("low", "high", "kept", "reach")
LARGEST = 1e120


def _measured(report: Evaluation | Promise | tuple[LayerError, ...] | None, what: str) -> None:
    """ValueError for numbers that no measurement gives. By the name of their field: shares lie in [0, 1], limits are
    positive, some places are of either sign; counts and errors are not negative."""
    for name, value in _numbers(report):
        least = -LARGEST if name in SIGNED else 1 / LARGEST if name in LIMITS else 0
        most = BOUND if isinstance(value, int) else 1 if name in SHARES else LARGEST
        if not least <= value <= most:
            raise ValueError(f"{what}: {name} should lie in [{least:g}, {most:g}], got {Decimal(value):.6g}")


def _numbers(report: Any, name: str = "") -> Iterator[tuple[str, int | float]]:
    """Every number of a report, with the name of its field; truth values are none."""
    if is_dataclass(report):
        for member in fields(report):
            yield from _numbers(getattr(report, member.name), member.name)
    elif isinstance(report, tuple):
        for item in report:
            yield from _numbers(item, name)
    elif isinstance(report, int | float) and not isinstance(report, bool):
        yield name, report


@dataclass(frozen=True, slots=True)
class Summary:
    """circuit.json. ``digest`` is bound to the interface (system to outputs) and to ``rows_digest``. ``rows_by_node``
    (model node -> rows), the measured ``evaluation``, the ``promise`` over the domain and the errors of ``layers`` are
    the compiler's word."""

    digest: Digest
    rows_digest: Digest
    system: System
    rows: Count
    wires: Count
    committed: Count
    instance_length: Count
    fields: tuple[PublicField, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rows_by_node: dict[str, Count] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    promise: Promise | None = None
    layers: tuple[LayerError, ...] = ()
    format: Literal["zkchain-circuit"] = "zkchain-circuit"
    version: Literal[2] = 2

    def __repr__(self) -> str:
        return line(self, f"{self.system}, {self.rows:,} constraints, digest {self.digest[:12]}...")


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """Verifier.json. Code in hex without 0x; ``data``: code of the data contracts, ``immutables``: (start, length) of
    what the constructor puts into the code (solidity.Artifact)."""

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: str
    runtime: str
    data: tuple[str, ...]
    compiler: str
    immutables: tuple[tuple[CodePlace, CodePlace], ...] = ()
    format: Literal["zkchain-contract"] = "zkchain-contract"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, repr=False)
class DeploymentRecord(Brief):
    """One contract on a chain. ``chain`` is "embedded" for the chain that lives and dies with one command, else "rpc".

    ``transaction``, ``block_hash``, ``sender``: None where it stood there before we came; ``data``: addresses of its
    data contracts; ``arguments``: the constructor's, in hex; ``salt``: of CREATE2, None for an address by the sender's
    nonce; ``vk_hash``: of the key whose proofs it verifies; ``form``: how it comes by that key (zkchain.form), and
    ``logic`` of a clone what it delegates to; ``batch``: it has ``verifyBatch``.
    """

    chain: Literal["embedded", "rpc"]
    chain_id: Big
    address: str
    transaction: str | None
    gas: Big
    block: Big | None
    vk_hash: str
    sender: str | None = None
    block_hash: str | None = None
    data: tuple[str, ...] = ()
    arguments: str = ""
    salt: Big | None = None
    compiler: str = ""
    form: Form = Form.EMBEDDED
    logic: str | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class DeploymentsRecord(Brief):
    """deployment.json: all contracts that were deployed for the bundle, the newest last."""

    deployments: tuple[DeploymentRecord, ...]
    format: Literal["zkchain-deployment"] = "zkchain-deployment"
    version: Literal[2] = 2


@dataclass(frozen=True, slots=True, repr=False)
class ContextRecord(Brief):
    """context.json of a cg16 proof that holds for one chain, contract and binder (0x-prefixed hex) only."""

    chain_id: Big
    contract: str
    binder: str
    format: Literal["zkchain-context"] = "zkchain-context"
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if not (type(self.chain_id) is int and isinstance(self.contract, str) and isinstance(self.binder, str)):
            message = "context: expected a chain's number, and contract and binder in hexadecimal"
            raise InputError(f"{message}, got {self!r}", hint="contract.bind(binder) makes one")


def dump(record: Any) -> bytes:
    """Indented JSON of one of the records above."""
    return jsontext.dumps(record)


def load(kind: type[T], data: bytes, *, what: str) -> T:
    """The record; raises BundleError naming ``what`` and the field that is wrong."""
    try:
        record = jsontext.read(kind, data)
        if isinstance(record, Summary):
            _measured(record.evaluation, "evaluation")
            _measured(record.promise, "promise")
            _measured(record.layers, "layers")
        return record
    except ValueError as error:
        raise BundleError(f"{what} is malformed: {error}") from error
