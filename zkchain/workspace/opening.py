"""Read what a bundle holds as values, checked against the manifest, or refuse it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zkchain.circuit.layout import Visibility
from zkchain.errors import BundleError, KeyMismatch
from zkchain.formats import program, records, snarkjs
from zkchain.formats.bundle import Bundle
from zkchain.formats.records import Choices, InputChoice, Summary, Tensor
from zkchain.groth16.key import open_key, verifying_key
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import VerifyingKey
from zkchain.ir.graph import Graph
from zkchain.pipeline import Keys, interface_of
from zkchain.r1cs import System

if TYPE_CHECKING:
    from zkchain.circuit import Circuit, RestoredCircuit


def load_summary(opened: Bundle) -> Summary:
    """circuit.json. BundleError unless its digest is the manifest's and that of what it says."""
    summary = records.load(Summary, opened.read("circuit"), what="circuit record")
    if summary.digest != opened.identity("circuit"):
        raise BundleError(f"circuit record of {opened.folder} is about another circuit than the manifest")
    interface_of(summary)
    return summary


def load_choices(opened: Bundle, summary: Summary) -> Choices:
    """settings.json. BundleError where it says of inputs, outputs or system what the circuit does not."""
    choices = records.load(Choices, opened.read("settings"), what="settings")
    agree = (
        choices.system == summary.system
        and [(x.name, x.public, x.scale) for x in choices.inputs]
        == [(x.name, x.public, x.scale) for x in summary.inputs]
        and [(y.name, y.public) for y in choices.outputs] == [(y.name, y.public) for y in summary.outputs]
        and all(_same_domain(*pair) for pair in zip(choices.inputs, summary.inputs, strict=True))
    )
    if not agree:
        raise BundleError(
            f"settings of {opened.folder} are about other inputs, outputs or domains than its circuit",
            hint="restore settings.json, or run `zkchain compile` again",
        )
    return choices


def _same_domain(choice: InputChoice, tensor: Tensor) -> bool:
    """The circuit's ends are the nearest whole steps to those chosen; below is what says that something is missing."""
    least = np.asarray(tensor.lo) + [q is not None for q in tensor.missing] if tensor.missing else tensor.lo
    pairs = ((choice.lo, least), (choice.hi, tensor.hi))
    sizes = {np.size(end) for pair in pairs for end in pair} - {1}
    return sizes <= {int(np.prod(tensor.shape))} and all(
        bool(np.all(np.abs(np.asarray(real) / tensor.scale - whole) <= 0.5 + 1e-6)) for real, whole in pairs
    )


def load_circuit(opened: Bundle) -> Circuit:
    """Synthesise the bundle's program again; BundleError unless it gives the circuit that the manifest names."""
    from zkchain.circuit import synthesize

    circuit = synthesize(*_program(opened))
    audit_digest(opened, circuit)
    return circuit


def audit_digest(opened: Bundle, circuit: Circuit) -> None:
    """BundleError unless the circuit's rows give the digest that the manifest records."""
    _same_circuit(opened, circuit.digest)


def audit_rows(opened: Bundle, restored: RestoredCircuit) -> None:
    """The same for a circuit whose rows are made for this. Called when a proof failed: perhaps it is not the circuit
    that the key was made for."""
    from zkchain.circuit import emit

    audit_digest(opened, emit(restored))


def _same_circuit(opened: Bundle, digest: bytes) -> None:
    expected, got = opened.identity("circuit"), digest.hex()
    if got != expected:
        raise BundleError(
            f"bundle {opened.folder} was compiled to circuit {expected[:12]}..., its program now gives {got[:12]}...",
            hint="altered, or written by another version of zkchain: run `zkchain compile` and `zkchain setup` again",
        )


def load_outline(opened: Bundle) -> RestoredCircuit:
    """The circuit without its rows, for proving. BundleError unless the program has the interface of circuit.json."""
    from zkchain.circuit import restore

    summary = load_summary(opened)
    size = (summary.rows, summary.wires, summary.committed)
    outline = restore(*_program(opened), size, bytes.fromhex(summary.rows_digest))
    _same_circuit(opened, outline.digest)
    return outline


def _program(opened: Bundle) -> tuple[Graph, Visibility, System]:
    graph = program.load(opened.read("program"))
    choices = records.load(Choices, opened.read("settings"), what="settings")
    visible = Visibility(tuple(i.public for i in choices.inputs), tuple(o.public for o in choices.outputs))
    if (len(visible.inputs), len(visible.outputs)) != (len(graph.inputs), len(graph.outputs)):
        raise BundleError(f"settings of {opened.folder} name other inputs and outputs than its integer program")
    return graph, visible, choices.system


def load_verifying_key(opened: Bundle) -> VerifyingKey:
    """KeyMismatch unless the key was made for the circuit that the manifest names."""
    key = snarkjs.load_verification_key(opened.read("verification_key"))
    expected, got = opened.identity("circuit"), key.circuit_digest.hex()
    if got != expected:
        raise KeyMismatch(
            f"verification key was made for circuit {got[:12]}..., bundle {opened.folder} holds {expected[:12]}...",
            hint=f"run `zkchain setup {opened.folder}`",
        )
    return key


def shown_hash(key: VerifyingKey) -> str:
    """The key's hash as reports, and the contract's ``vkHash()``, have it."""
    return "0x" + vkhash(key).hex()


def load_proving_keys(opened: Bundle) -> Keys:
    """The proving key, mapped, and the verifying key that it carries. KeyFormatError, UnsafeKey, BundleError;
    KeyMismatch where the bundle's verification key is another one: nobody would accept the proofs."""
    proving = open_key(opened.path("proving_key"))
    verifying = verifying_key(proving)
    if opened.has("verification_key"):
        parsed = snarkjs.parse_verification_key(opened.read("verification_key"))
        theirs = vkhash(parsed)
        if theirs != proving.vk_hash:
            raise KeyMismatch(
                f"proving key of {opened.folder} belongs to verification key 0x{proving.vk_hash.hex()}, "
                f"the bundle's is 0x{theirs.hex()}",
                hint="one of the two was replaced: take both from where they were published, or run `zkchain setup`",
            )
        development = verifying.development or parsed.development
        verifying = replace(verifying, development=development, ceremony=parsed.ceremony)
    return Keys(proving, verifying)
