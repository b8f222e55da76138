"""The demonstration: a digit stays private, its label and logits are proved and verified in a transaction."""

from __future__ import annotations

from os import PathLike

from zkchain.api import compiling, onchain
from zkchain.api.bundles import open as open_bundle
from zkchain.formats import bundle, shipped
from zkchain.groth16.encoding import encode_proof
from zkchain.pipeline import AUTO
from zkchain.quantize import Domain
from zkchain.r1cs import System
from zkchain.reports import DemoReport, FilesReport
from zkchain.typing import Progress, quiet
from zkchain.workspace import Clock, deployment_gas, verification_gas

PIXELS = Domain(0, 16, 1.0)
SHOWN = 0
"""Index of the held-out digit that is proved."""


def run(
    output: str | PathLike[str] | None = None, *, system: System | str = AUTO, progress: Progress = quiet
) -> DemoReport:
    """Compile, set up, prove, verify, deploy, submit. With ``output`` the bundle is kept there."""
    if output is not None:
        bundle.check_place(output)
    data, clock = shipped.data(), Clock()
    circuit = compiling.compile(shipped.model(), data, domain={"image": PIXELS}, system=system, progress=progress)
    clock.lap("compile")
    keys = circuit.setup(progress=progress)
    clock.lap("setup")
    proof = keys.prove(image=data["test/image"][SHOWN], progress=progress)
    clock.lap("prove")
    verifier = keys.verifier
    verifier.verify(proof)
    clock.lap("verify")
    verifier.contract()  # compiled once for a key: deploying it takes no time for that
    clock.lap("contract")
    progress("chain", 0.0)
    contract = onchain.connect().deploy(verifier)
    receipt = contract.submit(proof)
    clock.lap("chain")
    progress("chain", 1.0)
    if output is not None:
        circuit.save(output)
        keys.save(output)
        open_bundle(output).save(proof)
    deployment = contract.deployment
    return DemoReport(
        circuit=circuit.summary,
        seconds=clock.laps,
        proving_key_bytes=keys.pair.proving.info["file_size"],
        proof_bytes=len(encode_proof(proof.elements)),
        label=int(proof.outputs["label"].item()),
        expected_label=int(data["test/labels"][SHOWN]),
        logits=proof.outputs["logits"],
        deployment=deployment_gas(deployment.artifact, deployment),
        verification=verification_gas(verifier.key, receipt),
        contract=deployment.artifact.name,
        contract_bytes=len(deployment.artifact.runtime),
        development=verifier.key.development,
        bundle=None if output is None else str(output),
    )


def write_files(folder: str | PathLike[str]) -> FilesReport:
    """digits.onnx, digits.npz and input.json, to play with."""
    return FilesReport(shipped.write(folder))
