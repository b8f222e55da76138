"""Reports of the commands: frozen values, printed as text or JSON by ``cli``. Times in seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from zkchain.form import Form
from zkchain.formats.bundle import State
from zkchain.formats.records import Choices, DeploymentRecord, Summary
from zkchain.groth16.types import Provenance
from zkchain.pipeline import Claim
from zkchain.r1cs import System
from zkchain.wording import line

if TYPE_CHECKING:
    from zkchain.circuit import Table
    from zkchain.measured import LayerError
    from zkchain.rewrite.engine import Miss
    from zkchain.tuning import Budget, Trial


@dataclass(frozen=True, slots=True)
class CompileReport:
    """``keys_kept``: the bundle had keys, and they are for this very circuit. ``reason``: why this system, when it
    was left open. ``worst_input``: the file with the input at which outputs were found to be furthest off. ``notes``:
    what is to be said in words: what the circuit leaves out, the form of its outputs, errors accepted."""

    bundle: str
    circuit: Summary
    choices: Choices
    seconds: float
    keys_kept: bool
    reason: str | None = None
    worst_input: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TuneReport:
    """``trials``: by system, from the finest to the coarsest; ``chosen``: the one of the fewest constraints within the
    budget (None: there is none), and the command that compiles it. ``plot``: the file with the trials as a plot."""

    model: str
    budget: Budget
    trials: tuple[Trial, ...]
    chosen: Trial | None
    reason: str
    command: str | None
    seconds: float
    plot: str | None = None


@dataclass(frozen=True, slots=True)
class SetupReport:
    """``key_digest``, ``vk_hash``: to be published, for those who prove under these keys and who rely on proofs."""

    bundle: str
    system: System
    circuit: str
    rows: int
    seconds: float
    proving_key_bytes: int
    verification_key_bytes: int
    key_digest: str
    vk_hash: str
    development: bool


@dataclass(frozen=True, slots=True)
class ContributionReport:
    """``beacon``: the source of one, in words. ``attestation``: what its contributor published; ``shown``: what one who
    used snarkjs did."""

    number: int
    kind: str
    name: str
    attestation: str
    beacon: str | None = None
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class CeremonyReport:
    """``transcript``: the last attestation, and in ``words``. ``checked``: what was checked, in words. ``production``:
    whether it makes keys that are no development keys. ``vk_hash``, ``key_digest``: theirs, where all was checked."""

    file: str
    system: System
    circuit: str
    ptau: str
    power: int
    contributions: tuple[ContributionReport, ...]
    transcript: str
    words: str
    checked: str
    production: bool
    vk_hash: str | None
    key_digest: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class JoinReport:
    """A contribution that a coordinator has kept."""

    coordinator: str
    name: str
    number: int
    attestation: str
    words: str


@dataclass(frozen=True, slots=True)
class BoundReport:
    """What a proof is bound to: a verifier on a chain, of a form, and 32 bytes; these are a turn of a caller's at a
    consumer where they were given so."""

    contract: str
    chain_id: int
    form: str
    binder: str
    consumer: str | None = None
    caller: str | None = None
    counter: int | None = None
    deadline: int | None = None
    action: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ProveReport:
    """``outputs``: all outputs by name, hidden ones too: this is the prover's report. ``folder``: the proof's place.
    ``seconds`` by stage, in order."""

    folder: str
    system: System
    outputs: Mapping[str, npt.NDArray[Any]]
    public: tuple[str, ...]
    proof_bytes: int
    seconds: Mapping[str, float]
    bound: BoundReport | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ProveManyReport:
    """Proofs of many samples under one open key; ``seconds``: opening it, and all proofs."""

    proofs: tuple[ProveReport, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class VerifyReport:
    """Only made for a proof that holds."""

    folder: str
    system: System
    circuit: str
    vk_hash: str
    claims: tuple[Claim, ...]
    seconds: float
    development: bool
    verified: bool = True


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """``state``: current, stale (made from what the bundle no longer holds), or damaged."""

    name: str
    file: str
    bytes: int
    state: State


@dataclass(frozen=True, slots=True)
class InspectReport:
    """``key_digest``: in the header of the proving key; ``vk_hash``, ``development``, ``ceremony``: of a verification
    key that may be relied on; None where the bundle has none in this state."""

    bundle: str
    circuit: Summary
    choices: Choices
    artifacts: tuple[ArtifactReport, ...]
    proofs: tuple[str, ...]
    key_digest: str | None = None
    vk_hash: str | None = None
    development: bool | None = None
    ceremony: Provenance | None = None

    @property
    def damaged(self) -> tuple[ArtifactReport, ...]:
        """Files that are not what the manifest says."""
        return tuple(made for made in self.artifacts if made.state not in ("current", "stale"))


@dataclass(frozen=True, slots=True)
class NodeReport:
    """``range``: ends as real numbers, of a node of an integer program; ``constraints``: those of all nodes of this
    name, beside the first of them."""

    index: int
    op: str
    name: str
    src: tuple[int, ...]
    shape: tuple[int, ...]
    range: tuple[float, float] | None = None
    constraints: int | None = None


@dataclass(frozen=True, slots=True)
class StageReport:
    """The graph after the pass ``name``, and why rules left nodes of it alone."""

    name: str
    nodes: tuple[NodeReport, ...]
    misses: tuple[Miss, ...]


@dataclass(frozen=True, slots=True)
class GraphReport:
    """A model's graph from import to integer program; that, and ``constraints`` by node name (outputs and public
    inputs too), are there for a bundle alone."""

    source: str
    stages: tuple[StageReport, ...]
    constraints: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayersReport:
    """The error of every node on the calibration data, and the constraints it costs, of ``constraints`` in all."""

    bundle: str
    constraints: int
    layers: tuple[LayerError, ...]


@dataclass(frozen=True, slots=True)
class CensusReport:
    """Where the constraints of a bundle's circuit go: ``kinds`` of all, ``nodes`` by name and kind, and its lookup
    ``tables``; the sum is ``total``."""

    bundle: str
    total: int
    kinds: Mapping[str, int]
    nodes: Mapping[str, Mapping[str, int]]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ContractReport:
    name: str
    file: str
    code_bytes: int
    data_contracts: int
    public_inputs: int
    compiler: str
    vk_hash: str
    development: bool
    types: tuple[str, ...] = ()
    travelling_key: str | None = None


@dataclass(frozen=True, slots=True)
class GasReport:
    """``parts`` sum up to ``gas``; ``floor``: all of them but the overhead, which is what our code adds.

    ``ether``: the cost at the gas price given, as a decimal. ``over_cap``: a transaction of it has more gas than the
    fork lets one have (EIP-7825). ``at_most``: not all is known yet; it will not use more, and not less than ``least``.
    """

    what: str
    gas: int
    floor: int
    parts: Mapping[str, int]
    ether: str | None = None
    over_cap: bool = False
    at_most: bool = False
    least: int | None = None

    def __repr__(self) -> str:
        cost = "" if self.ether is None else f", {self.ether} ether"
        return line(self, f"{self.what}, {self.gas:,} gas, {self.gas - self.floor:,} over the floor{cost}")


@dataclass(frozen=True, slots=True)
class DraftReport:
    """A circuit that a model would get. ``refusal``: why there is none under this proof system."""

    system: System
    constraints: int | None
    public_inputs: int | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class CostReport:
    """What deployment and verification cost at a price of gas, what a rollup charges for data included: decimals of
    ether, and of the currency in which the price of an ether was given."""

    name: str
    gwei: str
    deployment: str
    verification: str
    deployment_money: str | None = None
    verification_money: str | None = None


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What a rollup charges beside gas, in decimals of ether: ``deployment`` and ``verification`` for publishing their
    bytes on L1, ``operator`` for a verification's gas. ``source``: who says at which prices."""

    name: str
    source: str
    deployment: str
    verification: str
    operator: str
    published_bytes: int


@dataclass(frozen=True, slots=True)
class ComparedReport:
    """Bounds for one way to verify: gas by fork of the deployment, and of each proof. ``refused``: forks whose cap of a
    transaction may be too little; ``form``: how the contract comes by the key."""

    system: System
    way: str
    public_inputs: int
    deployment: Mapping[str, int]
    per_proof: Mapping[str, int]
    refused: tuple[str, ...] = ()
    form: Form = Form.EMBEDDED


@dataclass(frozen=True, slots=True)
class BreakEvenReport:
    """The form that takes the least gas on a fork, deployment included: (from this number of proofs on, form)."""

    system: System
    way: str
    fork: str
    cheapest: tuple[tuple[int, Form], ...]


@dataclass(frozen=True, slots=True)
class PriceReport:
    """A fork's price or limit, in gas or bytes."""

    value: int | None
    source: str


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """Estimates before any transaction: deployment (data contracts included), and verification of a proof or, where
    ``proofs`` is more than 1, of a batch. ``known``: what they rest on. ``notes``: what a fork would refuse, and what
    was assumed. ``scheduled``: the fork's prices may change yet. ``form``: how the contract comes by the key; ``once``:
    gas of what a chain needs once for all keys of this form."""

    source: str
    known: str
    fork: str
    scheduled: bool
    system: System
    constraints: int
    public_inputs: int
    proofs: int
    bound: bool
    deployment: GasReport
    verification: GasReport
    notes: tuple[str, ...]
    drafts: tuple[DraftReport, ...]
    costs: tuple[CostReport, ...]
    currency: str | None
    rollup: RollupReport | None
    comparison: tuple[ComparedReport, ...]
    break_even: tuple[BreakEvenReport, ...]
    prices: Mapping[str, PriceReport]
    form: Form = Form.EMBEDDED
    once: int = 0


@dataclass(frozen=True, slots=True)
class DeployReport:
    """``already``: it stood there before, and nothing was sent."""

    contract: str
    deployment: DeploymentRecord
    code_bytes: int
    gas: GasReport
    vk_hash: str
    development: bool
    already: bool = False


@dataclass(frozen=True, slots=True)
class UnsignedReport:
    """``transactions``: as EIP-1559 has them, but for nonce and fees, which the signer chooses; ``files``: where they
    are, and the same for Safe's transaction builder."""

    title: str
    chain_id: int
    transactions: tuple[Mapping[str, str], ...]
    address: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IntentReport:
    """A transaction of the journal. ``fees`` in wei per gas; ``hashes``: of all that were signed for its nonce, the
    newest first; ``block``, ``gas``: of the one that is mined."""

    id: int
    chain_id: int
    sender: str
    nonce: int
    title: str
    state: str
    note: str
    hashes: tuple[str, ...]
    fees: Mapping[str, int]
    created: str
    block: int | None = None
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class JournalReport:
    journal: str
    transactions: tuple[IntentReport, ...]


@dataclass(frozen=True, slots=True)
class CalldataReport:
    """``calldata`` in hex, for ``address`` where the bundle knows of a contract."""

    contract: str
    function: str
    calldata: str
    address: str | None


@dataclass(frozen=True, slots=True)
class ConsentReport:
    """A caller's consent to a proof for one turn of his at a consumer. ``message``: what is signed, by EIP-712;
    ``signature``: None where it is left to his wallet."""

    proof: str
    consumer: str
    caller: str
    chain_id: int
    counter: int
    deadline: int | None
    action: str | None
    binder: str
    message: Mapping[str, Any]
    signature: str | None


@dataclass(frozen=True, slots=True)
class AbiReport:
    contract: str
    abi: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """A project that was written: ``files`` by their paths in its ``folder``, the names of the ``proofs`` that it
    shows."""

    kind: str
    folder: str
    contract: str
    files: tuple[str, ...]
    proofs: tuple[str, ...]
    vk_hash: str
    development: bool


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """``form``: how the contract comes by the key; ``proofs``: names of those in the transaction."""

    contract: str
    chain: str
    chain_id: int
    address: str
    transaction: str
    block: int
    verification: GasReport
    development: bool
    form: Form = Form.EMBEDDED
    proofs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class DemoReport:
    """The whole way. ``seconds`` by step; ``label`` is what was proved, ``expected_label`` what the digit is."""

    circuit: Summary
    seconds: Mapping[str, float]
    proving_key_bytes: int
    proof_bytes: int
    label: int
    expected_label: int
    logits: npt.NDArray[Any]
    contract: str
    contract_bytes: int
    deployment: GasReport
    verification: GasReport
    development: bool
    bundle: str | None


@dataclass(frozen=True, slots=True)
class FilesReport:
    files: tuple[str, ...]
