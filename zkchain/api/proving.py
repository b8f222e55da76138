"""Proofs, and those who make and check them: Proof, Verifier, Keys, Prover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkchain import pipeline
from zkchain.api import arguments
from zkchain.circuit import Circuit, Layout, RestoredCircuit
from zkchain.errors import ArgumentError, InputError, KeyMismatch
from zkchain.formats import proofs, tensors
from zkchain.formats.records import ContextRecord
from zkchain.groth16 import types
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.pins import check_key_digest
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import Instance, System
from zkchain.typing import Array, Progress
from zkchain.wording import line, listed, meant

if TYPE_CHECKING:
    from zkchain.reports import GasReport, ProjectReport
    from zkchain.solidity import Artifact

Rows = Circuit | RestoredCircuit
ELSEWHERE = "save the keys, and take the bundle along: zkchain.open(folder), which can be pickled, then .keys there"


@arguments.made_by(
    "keys.prove(...) makes a proof, verifier.load(folder) reads one",
    elements=types.Proof,
    instance=[int],
    layout=Layout,
    outputs=Mapping,
    context=(ContextRecord, type(None)),
)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Proof:
    """A proof and what it says.

    ``elements``: the points a, b, c [, d]. ``instance``: the public inputs as field elements. ``outputs``: outputs by
    name as real numbers; where the proof was made here, hidden ones too. ``context``: the contract that it is bound to.
    """

    elements: types.Proof
    instance: Instance
    layout: Layout
    outputs: Mapping[str, Array]
    context: ContextRecord | None = None

    def __repr__(self) -> str:
        return line(self, f"{self.system}, {len(self.instance)} public words, outputs {listed(self.outputs)}")

    @property
    def system(self) -> System:
        """The proof system."""
        return self.elements.system

    @property
    def public(self) -> Mapping[str, Array]:
        """Numbers that a verifier learns: public inputs and outputs by name, as real numbers."""
        return {claim.name: claim.values for claim in pipeline.claims(self.layout, self.instance)}

    @property
    def encoded(self) -> bytes:
        """The points as contracts take them, ``bytes calldata proof``: 256 bytes, or 320 (cg16)."""
        return encode_proof(self.elements)

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write proof.json and public.json (snarkjs's formats), and context.json where the proof is bound."""
        return proofs.write(arguments.path("folder", folder), self.elements, self.instance, self.context)


@arguments.made_by("keys.verifier is one, zkchain.open(folder).verifier another", key=types.VerifyingKey, layout=Layout)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Verifier:
    """A verifying key, and the layout that says what public numbers mean.

    ``key``: the points. ``layout``: which word of an instance holds what.
    """

    key: types.VerifyingKey
    layout: Layout

    def __repr__(self) -> str:
        made = "DEVELOPMENT " if self.key.development else ""
        return line(self, f"{made}{self.key.system}, vk hash {self.hash[:12]}...")

    @property
    def hash(self) -> str:
        """The verifying key's hash, 0x and 64 digits: what its maker publishes (``vkHash()`` of the contract)."""
        return "0x" + vkhash(self.key).hex()

    def verify(self, proof: Proof, *, vk_hash: bytes | str | None = None) -> None:
        """Check a proof.

        Parameters
        ----------
        proof
            The proof, with its instance and context.
        vk_hash
            The hash of the verifying key as it was published, 32 bytes or hexadecimal.

        Raises
        ------
        ProofInvalid
            The proof does not hold.
        ProofFormatError
            It is malformed, or for another number of public inputs.
        KeyMismatch
            The key is not the published one.
        """
        arguments.of_kind("proof", proof, Proof, "a Proof")
        published = arguments.maybe(arguments.word, "vk_hash", vk_hash)
        ctx = proofs.context_of(proof.context)
        pipeline.verify(self.key, proof.elements, proof.instance, ctx=ctx, vk_hash=published)

    def load(self, folder: str | PathLike[str]) -> Proof:
        """A proof that ``Proof.save`` wrote, not yet verified. Raises BundleError, ProofFormatError."""
        place = arguments.path("folder", folder)
        return self.proof(*proofs.read(place), proofs.read_context(place))

    def proof(self, elements: types.Proof, instance: Instance, context: ContextRecord | None = None) -> Proof:
        """Points and public inputs as a proof, with the outputs that they show; not yet verified."""
        made = Proof(elements, instance, self.layout, {}, context)
        claims = pipeline.claims(self.layout, instance)
        return replace(made, outputs={claim.name: claim.values for claim in claims if claim.kind == "output"})

    def contract(self, name: str | None = None, *, batch: bool = False) -> Artifact:
        """Compile the verifier contract: ``source``, ``abi``, ``bytecode``. ``batch``: it also has ``verifyBatch``.

        Raises SolidityError, UnsafeKey.
        """
        given = {} if name is None else {"name": arguments.text("name", name)}
        return pipeline.contract(self.key, **given, batch=arguments.flag("batch", batch))

    def export(
        self,
        kind: str,
        folder: str | PathLike[str],
        proofs: Proof | Mapping[str, Proof],
        *,
        name: str | None = None,
        force: bool = False,
    ) -> ProjectReport:
        """Write a project of another tool: the verifier, contracts to build on, and tests that verify these proofs.

        Parameters
        ----------
        kind
            "foundry", "hardhat", or "typescript" (bindings for viem and ethers).
        folder
            New, or empty.
        proofs
            A proof that holds, or several by name.
        name
            Of the contract.
        force
            Write into a folder that holds files; those of the same names are replaced.

        Returns
        -------
        ProjectReport
            ``files``: what was written, by the paths in the folder.

        Raises
        ------
        ProofInvalid
            A proof does not hold; nothing was written.
        FormatError
            The folder holds files, or cannot be written.
        SolidityError
            ``name`` is no identifier, or there is no compiler.
        """
        from zkchain.projects import KINDS
        from zkchain.workspace import export_project

        given = {"proof": proofs} if isinstance(proofs, Proof) else proofs
        for proof in arguments.of_kind("proofs", given, Mapping, "a Proof, or Proofs by name").values():
            arguments.of_kind("proofs", proof, Proof, "a Proof, or Proofs by name")
        return export_project(
            arguments.one_of("kind", kind, KINDS),
            arguments.path("folder", folder),
            self.key,
            self.layout,
            {arguments.text("proofs", each): (p.elements, p.instance, p.context) for each, p in given.items()},
            contract="Verifier" if name is None else arguments.text("name", name),
            force=arguments.flag("force", force),
        )

    def gas(self, *, gas_price: float | None = None) -> GasReport:
        """Gas of one verification, part by part, before any transaction; ``gas_price`` in gwei adds the cost."""
        from zkchain.workspace import verification_gas

        return verification_gas(self.key, gwei=arguments.maybe(arguments.number, "gas_price", gas_price))


@arguments.made_by(
    "circuit.setup() makes keys, zkchain.open(folder).keys reads them",
    circuit=(Circuit, RestoredCircuit),
    pair=pipeline.Keys,
    layout=Layout,
)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Keys(arguments.Here):
    """Both keys of one setup, for one circuit."""

    _elsewhere = ELSEWHERE

    circuit: Rows
    pair: pipeline.Keys
    layout: Layout

    def __repr__(self) -> str:
        made = "DEVELOPMENT " if self.pair.verifying.development else ""
        return line(self, f"{made}{self.circuit.system}, key digest {self.digest[:12]}...")

    @property
    def digest(self) -> str:
        """The proving key's digest, 64 digits: what its maker publishes for those who prove under it."""
        return self.pair.digest.hex()

    @property
    def verifier(self) -> Verifier:
        """Who checks proofs of these keys."""
        return Verifier(self.pair.verifying, self.layout)

    def prover(self, *, key_digest: bytes | str | None = None, memory: int | None = None) -> Prover:
        """A prover with a bound on memory (bytes, beside the mapped key) and a published digest of the proving key.

        Raises KeyMismatch where the key has another digest, KeyFormatError where it is damaged.
        """
        published = arguments.maybe(arguments.word, "key_digest", key_digest)
        if published is not None:
            check_key_digest(self.pair.proving, published)
        return Prover(self, arguments.maybe(arguments.whole, "memory", memory, 1))

    def prove(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        index: int | None = None,
        context: ContextRecord | None = None,
        progress: Progress | None = None,
        **named: Any,
    ) -> Proof:
        """Prove one inference: ``keys.prove(image=x)`` or ``keys.prove({"image": x})``.

        Parameters
        ----------
        inputs, named
            Arrays by the name of an input: numpy, nested lists, pandas or torch; of the input's shape, with or without
            the leading 1. Where the model takes strings these, or their places in its list of names.
        index
            Which sample to take of arrays that hold many.
        context
            What the proof is bound to (``Contract.bind``): by its challenge (cg16), or by the public input "binder".
        progress
            Called with a stage and the part of it that is done.

        Returns
        -------
        Proof
            The proof with its instance and all outputs.

        Raises
        ------
        OutOfDomain
            An element lies outside its declared domain; nothing was proved.
        InputError
            An input is missing, unknown, of another shape, holds what is no number, or a string that is no category.
        KeyMismatch
            The keys were made for another circuit.
        """
        return self.prover().prove(inputs, index=index, context=context, progress=progress, **named)

    def sources(self, name: str = "Model") -> dict[str, str]:
        """Solidity to build a contract on: file -> text, for ``solidity.compile_sources``.

        Parameters
        ----------
        name
            A Solidity identifier.

        Returns
        -------
        dict
            <name>Types.sol, which decodes the public words; <name>Key.sol, ZkConsumer with this key pinned; and the
            files of zkchain that it imports.

        Raises
        ------
        SolidityError
            ``name`` is no identifier.
        """
        from zkchain.circuit.interface import describe
        from zkchain.formats import shipped
        from zkchain.solidity.compiler import needed

        circuit, named = self.circuit, arguments.text("name", name)
        meaning = describe(
            circuit.graph, circuit.visibility, circuit.layout, (0, 0, 0)
        )  # its size does not matter here
        types, pinned = pipeline.consumer_sources(meaning, circuit.digest, self.pair.verifying, named)
        given = {f"zkchain/{path}": text for path, text in shipped.contracts().items()}
        files = {**given, f"{named}Types.sol": types, f"{named}Key.sol": pinned}
        return needed(files, (f"{named}Types.sol", f"{named}Key.sol"))

    def save(self, folder: str | PathLike[str]) -> None:
        """Put both keys into a bundle, which holds their circuit. Raises BundleError, KeyMismatch."""
        from zkchain.formats import bundle
        from zkchain.workspace import save_keys

        folder = arguments.path("folder", folder)
        held = bundle.open_bundle(folder).identity("circuit")
        if held != self.circuit.digest.hex():
            raise KeyMismatch(
                f"bundle {folder} holds circuit {held[:12]}..., the keys are for {self.circuit.digest.hex()[:12]}...",
                hint="save the circuit of these keys there first: circuit.save(folder)",
            )
        save_keys(folder, self.pair)


@arguments.made_by("keys.prover() makes a prover", keys=Keys, memory=(int, type(None)))
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Prover(arguments.Here):
    """Keys under which any number of proofs are made. ``memory``: bytes that the process should hold at most."""

    _elsewhere = ELSEWHERE

    keys: Keys
    memory: int | None = None

    def __repr__(self) -> str:
        return line(self, f"of {self.keys!r}")

    def prove(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        index: int | None = None,
        context: ContextRecord | None = None,
        progress: Progress | None = None,
        **named: Any,
    ) -> Proof:
        """Prove one inference; see ``Keys.prove``."""
        given: Mapping[str, Array] = self._arrays(inputs, named)
        arguments.maybe(arguments.of_kind, "context", context, ContextRecord, "a context (Contract.bind)")
        index = arguments.maybe(arguments.whole, "index", index, 0)
        given, ctx = pipeline.bind(self.keys.circuit, given, proofs.context_of(context), index)
        proved = pipeline.prove(
            self.keys.circuit,
            self.keys.pair,
            given,
            index=index,
            ctx=ctx,
            memory=self.memory,
            progress=arguments.progress(progress),
        )
        held = context if self.keys.circuit.system is System.CG16 else None  # a plain proof's is in its instance
        return Proof(proved.proof, proved.instance, self.keys.layout, proved.outputs, held)

    def prove_all(
        self, inputs: Mapping[str, Any] | None = None, /, *, progress: Progress | None = None, **named: Any
    ) -> tuple[Proof, ...]:
        """Prove every sample of arrays that hold many, one proof per sample."""
        given, graph = self._arrays(inputs, named), self.keys.circuit.graph
        count = tensors.count(given, graph.input_names, [graph.nodes[i].shape for i in graph.inputs])
        return tuple(self.prove(given, index=k, progress=progress) for k in range(count))

    def _arrays(self, inputs: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Array]:
        mapped, worded = arguments.arrays("inputs", {} if inputs is None else inputs), arguments.arrays("inputs", named)
        twice = sorted(set(mapped) & set(worded))
        if twice:
            raise ArgumentError(
                f"input {', '.join(map(repr, twice))} is given twice, in the mapping and by its name",
                hint="leave one of them out",
            )
        given = {**mapped, **worded}
        known = self.keys.circuit.graph.input_names
        unknown = sorted(set(given) - set(known) - {""})
        if unknown:
            raise InputError(
                f"the model has no input {', '.join(map(repr, unknown))}: expected {', '.join(map(repr, known))}",
                hint=meant(unknown, known)
                or "inputs go by their names; options of prove are index, context and progress",
            )
        return given
