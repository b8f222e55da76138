"""Proofs from a bundle: a key that is kept open, one proof or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING

from zkchain import pipeline
from zkchain.circuit.layout import BINDER
from zkchain.errors import ChainError, InputError, KeyFormatError, KeyMismatch, UnsatisfiedConstraint
from zkchain.formats import bundle, exports, proofs, tensors
from zkchain.formats.bundle import Bundle
from zkchain.formats.records import ContextRecord
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.pins import compare_digest
from zkchain.pipeline import Keys
from zkchain.r1cs import System
from zkchain.reports import BoundReport, ProveManyReport, ProveReport, VerifyReport
from zkchain.typing import Array, Progress, quiet
from zkchain.wording import listed
from zkchain.workspace.clock import Clock, Stages
from zkchain.workspace.opening import (
    audit_rows,
    load_circuit,
    load_outline,
    load_proving_keys,
    load_summary,
    load_verifying_key,
    shown_hash,
)

if TYPE_CHECKING:
    from zkchain.circuit import RestoredCircuit

Folder = str | PathLike[str]


@dataclass(frozen=True, eq=False, slots=True)
class Prover:
    """A bundle opened for proving: the program in memory, the key mapped. Good for any number of proofs.

    ``memory``: bytes that the process should hold at most, beside the mapped key.
    """

    bundle: Bundle
    circuit: RestoredCircuit
    keys: Keys
    memory: int | None = None

    def prove(
        self,
        arrays: Mapping[str, Array],
        *,
        index: int | None = None,
        name: str = "proof",
        binder: bytes | Turns | None = None,
        verifier: str | None = None,
        progress: Progress = quiet,
    ) -> ProveReport:
        """Prove one inference and keep the proof under ``name``. With a ``binder`` (32 bytes, or the first of turns)
        the proof holds for it and the deployed contract only: the last one, or with ``verifier`` the one at this
        address or the last of this form. Raises as ``pipeline.bind`` and ``pipeline.prove``."""
        proofs.folder(self.bundle, name)  # a bad name is refused before any work
        told = None if binder is None else _bind(self.bundle, binder, verifier)
        bound = None if told is None else ContextRecord(told.chain_id, told.contract, told.binder)
        arrays, ctx = pipeline.bind(self.circuit, arrays, proofs.context_of(bound), index)
        stages = Stages(progress)
        try:
            proved = pipeline.prove(
                self.circuit,
                self.keys,
                arrays,
                index=index,
                ctx=ctx,
                memory=self.memory,
                progress=stages,
            )
        except KeyFormatError as error:
            raise type(error)(f"{self.bundle.path('proving_key')}: {error.message}", hint=error.hint) from None
        except (UnsatisfiedConstraint, KeyMismatch, InputError):
            audit_rows(self.bundle, self.circuit)
            raise
        stages("write", 0.0)
        held = bound if self.circuit.system is System.CG16 else None  # a plain proof's context is in its instance
        place = proofs.save(self.bundle, name, proved.proof, proved.instance, held)
        stages.close()
        public = tuple(field.name for field in self.circuit.layout.fields if field.kind == "output")
        size = len(encode_proof(proved.proof))
        return ProveReport(str(place), self.circuit.system, proved.outputs, public, size, stages.seconds, told)


def open_prover(folder: Folder, *, key_digest: bytes | None = None, memory: int | None = None) -> Prover:
    """Milliseconds, whatever the size of the key: neither are its rows synthesised nor is the key read.

    ``key_digest``: the proving key's digest as it was published (32 bytes); KeyMismatch for another key. That the key
    has its digest is checked before its first proof."""
    opened = bundle.open_bundle(folder)
    outline, keys = load_outline(opened), load_proving_keys(opened)
    if key_digest is not None:
        compare_digest(f"proving key of {opened.folder}", keys.digest, key_digest)
    return Prover(opened, outline, keys, memory)


def prove_samples(
    folder: Folder,
    inputs: Sequence[Mapping[str, Array]],
    *,
    index: int | None = None,
    every: bool = False,
    name: str = "proof",
    binder: bytes | Turns | None = None,
    verifier: str | None = None,
    key_digest: bytes | None = None,
    memory: int | None = None,
    progress: Progress = quiet,
) -> ProveReport | ProveManyReport:
    """Prove one sample of each of the ``inputs``, or with ``every`` all that they hold, under one open key. More than
    one proof are kept as NAME-0, NAME-1, ...; those made before an error stay. ``binder``: one for all, or turns of a
    caller's, the next one for each; ``verifier`` as in ``Prover.prove``."""
    clock = Clock()
    prover = open_prover(folder, key_digest=key_digest, memory=memory)
    clock.lap("open")
    if len(inputs) == 1 and not every:
        report = prover.prove(inputs[0], index=index, name=name, binder=binder, verifier=verifier, progress=progress)
        return replace(report, seconds={**clock.laps, **report.seconds})
    names, shapes = _asked_for(prover.circuit, bound=binder is not None)
    jobs = [
        (arrays, k) for arrays in inputs for k in (range(tensors.count(arrays, names, shapes)) if every else (index,))
    ]
    proved = tuple(
        prover.prove(arrays, index=k, name=f"{name}-{i}", binder=_turn(binder, i), verifier=verifier, progress=progress)
        for i, (arrays, k) in enumerate(jobs)
    )
    clock.lap("proofs")
    return ProveManyReport(proved, clock.laps)


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of a caller at a consumer, from ``counter`` on (``solidity.binder``)."""

    consumer: str
    caller: str
    counter: int = 0
    deadline: int = 0
    action: bytes = bytes(32)


def _turn(given: bytes | Turns | None, i: int) -> bytes | Turns | None:
    """What the i-th proof is bound to."""
    return replace(given, counter=given.counter + i) if isinstance(given, Turns) else given


def _asked_for(circuit: RestoredCircuit, *, bound: bool) -> tuple[list[str], list[tuple[int, ...]]]:
    """Names and shapes of inputs that are given from outside: all but what binding fills in."""
    filled = bound and circuit.layout.binding is not None
    graph = circuit.graph
    asked = [(n, graph.nodes[i].shape) for n, i in zip(graph.input_names, graph.inputs, strict=True)]
    kept = [(name, shape) for name, shape in asked if not (filled and name == BINDER)]
    return [name for name, _ in kept], [shape for _, shape in kept]


def witness_bundle(folder: Folder, arrays: Mapping[str, Array], path: Folder, *, index: int | None = None) -> None:
    """Write the witness of one inference as .wtns, for circom's tools."""
    wires = pipeline.witness(load_circuit(bundle.open_bundle(folder)), arrays, index=index)
    exports.write_wtns(path, wires)


def verify_bundle(folder: Folder, *, name: str = "proof", vk_hash: bytes | None = None) -> VerifyReport:
    """Verify a kept proof; needs the verification key and the circuit record only. Raises unless it holds.

    ``vk_hash``: the verification key's hash as it was published (32 bytes); KeyMismatch for another key."""
    opened = bundle.open_bundle(folder)
    proof, instance = proofs.load(opened, name)
    summary, key = load_summary(opened), load_verifying_key(opened)
    clock = Clock()
    pipeline.verify(key, proof, instance, ctx=proofs.context_of(proofs.load_context(opened, name)), vk_hash=vk_hash)
    clock.lap("verify")
    claims = pipeline.claims(pipeline.layout_of(summary), instance)
    place = str(proofs.folder(opened, name))
    seconds = clock.laps["verify"]
    return VerifyReport(place, summary.system, summary.digest, shown_hash(key), claims, seconds, key.development)


def _bind(opened: Bundle, binder: bytes | Turns, verifier: str | None) -> BoundReport:
    """What a proof for one of the bundle's deployed contracts is bound to. ChainError: none was deployed to a node."""
    if not opened.has("deployment"):
        raise ChainError("a proof is bound to a contract, and none was deployed", hint="run `zkchain deploy --rpc URL`")
    from zkchain import solidity
    from zkchain.workspace.placing import load_deployments

    named = shown_hash(load_verifying_key(opened))
    kept = [place for place in load_deployments(opened) if place.vk_hash == named]
    standing = [place for place in kept if place.chain == "rpc"]
    if not standing:
        opened.read("deployment")  # it says so where it is of another key
        raise ChainError("a proof cannot be bound to a contract on the embedded chain: it ends with the command")
    meant = [place for place in standing if verifier in (None, place.form.value) or _same(place.address, verifier)]
    if not meant:
        known = listed([f"{place.form.value} at {place.address}" for place in standing])
        raise ChainError(
            f"verifier {verifier!r}: expected the form or the address of a contract that was deployed, got neither",
            hint=f"the bundle knows {known}",
        )
    place = meant[-1]
    if not isinstance(binder, Turns):
        return BoundReport(place.address, place.chain_id, place.form.value, f"0x{binder.hex()}")
    bound = solidity.binder(
        binder.consumer, binder.caller, binder.counter, deadline=binder.deadline, action=binder.action
    )
    action = f"0x{binder.action.hex()}" if any(binder.action) else None
    turn = (binder.consumer, binder.caller, binder.counter, binder.deadline or None, action)
    return BoundReport(place.address, place.chain_id, place.form.value, f"0x{bound.hex()}", *turn)


def _same(address: str, other: str | None) -> bool:
    return other is not None and address.lower() == other.lower()
