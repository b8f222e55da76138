"""The commands and their options. Steps are imported when a command runs, so that help and completion start at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zkchain.cli.options import (
    BundleArg,
    DomainOpt,
    GasPriceOpt,
    JsonOpt,
    KeystoreOpt,
    PasswordFileOpt,
    ProofOpt,
    RpcOpt,
    SystemOpt,
    parse_domains,
    signer,
    system_named,
)

app = typer.Typer(
    name="zkchain",
    help="Prove that an ONNX model gave this output, and have Ethereum check the proof.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"zkchain {installed('zkchain')}")
        raise typer.Exit


@app.command("compile")
def compile_model(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle to write.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Samples (.npz): an array (N, ...) for each input; held-out ones under test/NAME; `labels` optional.",
            show_default=False,
        ),
    ] = None,
    domain: DomainOpt = None,
    public_input: Annotated[
        list[str] | None,
        typer.Option("--public-input", help="Input that the verifier sees (default: none).", show_default=False),
    ] = None,
    private_output: Annotated[
        list[str] | None,
        typer.Option("--private-output", help="Output hidden from the verifier (default: none).", show_default=False),
    ] = None,
    system: SystemOpt = "groth16",
    max_error: Annotated[float, typer.Option(help="Largest error wanted on an output, in its unit.")] = 1e-2,
    weight_bits: Annotated[int | None, typer.Option(help="Bits of the weights.", show_default="chosen")] = None,
    activation_bits: Annotated[int | None, typer.Option(help="Bits of the activations.", show_default="chosen")] = None,
    input_bits: Annotated[int | None, typer.Option(help="Bits of the inputs.", show_default="chosen")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Size of a free batch dimension.")] = 1,
    json: JsonOpt = False,
) -> None:
    """Compile a model to a circuit; report rows, ranges and accuracy against onnxruntime."""
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.errors import ModelError
    from zkchain.formats import files, tensors
    from zkchain.quantize import Settings
    from zkchain.workspace import compile_bundle

    settings = Settings(
        max_error=max_error, weight_bits=weight_bits, activation_bits=activation_bits, input_bits=input_bits
    )
    content = files.read(model, what="model", error=ModelError)
    arrays = None if data is None else tensors.read(data)
    with progress() as step:
        report = compile_bundle(
            output,
            content,
            arrays,
            domains=parse_domains(domain or []),
            public_inputs=tuple(public_input or ()),
            private_outputs=tuple(private_output or ()),
            system=system_named(system),
            settings=settings,
            batch=batch,
            progress=step,
        )
    render.show(report, json=json)


@app.command()
def setup(bundle: BundleArg, json: JsonOpt = False) -> None:
    """Make proving and verification keys on this machine: DEVELOPMENT keys, whoever made them can forge proofs."""
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.workspace import setup_bundle

    with progress() as step:
        report = setup_bundle(bundle, progress=step)
    warn(render.DEVELOPMENT)
    render.show(report, json=json)


@app.command()
def prove(
    bundle: BundleArg,
    sample: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="Input tensors: .json {name: nested lists} or .npz.", show_default=False),
    ],
    index: Annotated[
        int | None, typer.Option(min=0, help="Take this sample of arrays that hold many.", show_default=False)
    ] = None,
    proof: ProofOpt = "proof",
    json: JsonOpt = False,
) -> None:
    """Prove one inference; refuses inputs outside the declared domain."""
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.formats import tensors
    from zkchain.workspace import prove_bundle

    arrays = tensors.read(sample)
    with progress() as step:
        report = prove_bundle(bundle, arrays, index=index, name=proof, progress=step)
    render.show(report, json=json)


@app.command()
def verify(bundle: BundleArg, proof: ProofOpt = "proof", json: JsonOpt = False) -> None:
    """Verify a proof off chain; exit code 0 means that it holds."""
    from zkchain.cli import render
    from zkchain.workspace import verify_bundle

    render.show(verify_bundle(bundle, name=proof), json=json)


@app.command()
def solidity(
    bundle: BundleArg,
    name: Annotated[str | None, typer.Option(help="Name of the contract.", show_default="from the key")] = None,
    json: JsonOpt = False,
) -> None:
    """Write and compile the verifier contract."""
    from zkchain.cli import render
    from zkchain.workspace import solidity_bundle

    render.show(solidity_bundle(bundle, contract=name), json=json)


@app.command()
def deploy(
    bundle: BundleArg,
    rpc: RpcOpt = None,
    keystore: KeystoreOpt = None,
    password_file: PasswordFileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Deploy the verifier contract: on the chain at --rpc, or as a rehearsal on an embedded one."""
    from zkchain.cli import render
    from zkchain.workspace import deploy_bundle

    report = deploy_bundle(bundle, rpc=rpc, key=signer(keystore, password_file))
    render.show(report, json=json)


@app.command()
def submit(
    bundle: BundleArg,
    proof: ProofOpt = "proof",
    rpc: RpcOpt = None,
    keystore: KeystoreOpt = None,
    password_file: PasswordFileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Verify a proof in a transaction; without --rpc the contract is deployed on an embedded chain first."""
    from zkchain.cli import render
    from zkchain.workspace import submit_bundle

    report = submit_bundle(bundle, name=proof, rpc=rpc, key=signer(keystore, password_file))
    render.show(report, json=json)


@app.command()
def gas(bundle: BundleArg, gas_price: GasPriceOpt = None, json: JsonOpt = False) -> None:
    """Estimate what deployment and verification cost, part by part, before any transaction."""
    from zkchain.cli import render
    from zkchain.workspace import gas_bundle

    render.show(gas_bundle(bundle, gas_price=gas_price), json=json)


@app.command()
def inspect(bundle: BundleArg, json: JsonOpt = False) -> None:
    """Say what a bundle holds: model, domain, what is public, rows by node, keys, contract, proofs."""
    from zkchain.cli import render
    from zkchain.workspace import inspect_bundle

    render.show(inspect_bundle(bundle), json=json)


@app.command()
def demo(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Keep the bundle in this folder.", show_default=False),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", help="Only write digits.onnx, digits.npz and input.json there.", show_default=False),
    ] = None,
    system: SystemOpt = "groth16",
    json: JsonOpt = False,
) -> None:
    """The whole way with a shipped digits classifier: compile, set up, prove, verify, deploy and submit."""
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import demo_files, run_demo

    if files is not None:
        render.show(demo_files(files), json=json)
        return
    with progress() as step:
        report = run_demo(output, system=system_named(system), progress=step)
    render.show(report, json=json)
