"""The demonstration: a digit stays private, its label and logits are proved and verified in a transaction."""

from __future__ import annotations

from os import PathLike

from zkchain import pipeline, workspace
from zkchain.chain import connect, deploy, submit
from zkchain.formats import bundle, proofs, shipped
from zkchain.groth16.encoding import encode_proof
from zkchain.pipeline import quiet
from zkchain.quantize import Domain
from zkchain.r1cs import System
from zkchain.reports import DemoReport, FilesReport
from zkchain.typing import Progress
from zkchain.workspace import Clock, deployment_gas, verification_gas

PIXELS = Domain(0, 16, 1.0)
SHOWN = 0
"""Which held-out digit is proved."""


def run(
    output: str | PathLike[str] | None = None, *, system: System | str = System.GROTH16, progress: Progress = quiet
) -> DemoReport:
    """Compile, set up, prove, verify, deploy, submit. With ``output`` the bundle is kept there."""
    if output is not None:
        bundle.check_place(output)
    data, clock = shipped.data(), Clock()
    compiled = pipeline.compile_model(
        shipped.model(), data, domains={"image": PIXELS}, system=system, progress=progress
    )
    clock.lap("compile")
    keys = pipeline.setup(compiled.circuit, progress=progress)
    clock.lap("setup")
    proved = pipeline.prove(compiled.circuit, keys, {"image": data["test/image"][SHOWN]}, progress=progress)
    clock.lap("prove")
    pipeline.verify(keys.verifying, proved.proof, proved.instance)
    clock.lap("verify")
    artifact = pipeline.contract(keys.verifying)
    clock.lap("contract")
    progress("chain", 0.0)
    chain = connect()
    deployment = deploy(chain, artifact)
    receipt = submit(chain, deployment, keys.verifying, proved.proof, proved.instance)
    clock.lap("chain")
    progress("chain", 1.0)
    if output is not None:
        workspace.save_compiled(output, compiled, clock.laps["compile"])
        opened = workspace.save_keys(output, keys)
        proofs.save(opened, "proof", proved.proof, proved.instance)
    return DemoReport(
        circuit=pipeline.summarise(compiled),
        seconds=clock.laps,
        proving_key_bytes=keys.proving.info["file_size"],
        proof_bytes=len(encode_proof(proved.proof)),
        label=int(proved.outputs["label"].item()),
        expected_label=int(data["test/labels"][SHOWN]),
        logits=proved.outputs["logits"],
        deployment=deployment_gas(artifact, deployment),
        verification=verification_gas(keys.verifying, receipt),
        contract=artifact.name,
        contract_bytes=len(artifact.runtime),
        development=keys.verifying.development,
        bundle=None if output is None else str(output),
    )


def write_files(folder: str | PathLike[str]) -> FilesReport:
    """digits.onnx, digits.npz and input.json, to play with."""
    return FilesReport(shipped.write(folder))
