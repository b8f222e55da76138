"""The commands and their options. Steps are imported when a command runs, so that help and completion start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zkchain.cli import ceremony, circom, export, gas, tx
from zkchain.cli.console import interrupted
from zkchain.cli.options import (
    AcceptErrorOpt,
    ActionOpt,
    ActivationBitsOpt,
    AgainOpt,
    AgreementOpt,
    AllowedErrorOpt,
    AllProofsOpt,
    BatchContractOpt,
    BatchOpt,
    BinderOpt,
    BundleArg,
    BundleOpt,
    CallerOpt,
    ChainIdOpt,
    CloneOpt,
    ConfirmationsOpt,
    ConsentingOpt,
    ConsumerOpt,
    CounterOpt,
    DataOpt,
    DeadlineOpt,
    DevelopmentOpt,
    DomainOpt,
    ForOpt,
    GasLimitOpt,
    IndexOpt,
    InputBitsOpt,
    JournalOpt,
    JsonOpt,
    KeyDigestOpt,
    KeystoreOpt,
    MaxErrorOpt,
    MaxFeeOpt,
    MemoryOpt,
    ModelArg,
    NonceOpt,
    OnlyOutputOpt,
    PasswordFileOpt,
    PlotOpt,
    PrivateOutputOpt,
    ProofOpt,
    PublicInputOpt,
    RpcOpt,
    ShapeOpt,
    SharedOpt,
    SignersKeystoreOpt,
    SystemOpt,
    TimingsOpt,
    TipOpt,
    TriedBitsOpt,
    TriedErrorOpt,
    UnsignedOpt,
    VerifierOpt,
    VkHashOpt,
    WeightBitsOpt,
    account,
    account_named,
    compile_command,
    folder_named,
    needed,
    parse_binder,
    parse_domains,
    parse_form,
    parse_memory,
    parse_shapes,
    parse_turn,
    parse_word,
    signer,
    system_named,
    terms,
)
from zkchain.redaction import redacted


class Commands(TyperGroup):
    """The program's commands. Secrets of a command line are kept out of messages about it."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _without_secrets():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _without_secrets():
                return super().invoke(ctx)
        except KeyboardInterrupt as stop:  # typer makes it an exit code, and what it says is lost
            if stop.args:
                interrupted(redacted(str(stop)))
            raise


@contextmanager
def _without_secrets() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message"):  # typer shows no class that all its usage errors have in common
            error.message = redacted(error.message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="zkchain",
    cls=Commands,
    help="Prove that an ONNX model gave this output, and have Ethereum check the proof.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


app.add_typer(ceremony.app, name="ceremony", help="Keys that nobody can forge with: many people's secrets.")
app.add_typer(circom.app, name="circom", help="Circuits of circom, and our circuits for circom's tools.")
app.add_typer(export.app, name="export", help="The verifier and its contracts, in a project of another tool.")
app.add_typer(tx.app, name="tx", help="Transactions that were sent: list them, offer more, take them back.")


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
    model: ModelArg,
    output: BundleOpt,
    data: DataOpt = None,
    domain: DomainOpt = None,
    public_input: PublicInputOpt = None,
    private_output: PrivateOutputOpt = None,
    only_output: OnlyOutputOpt = None,
    input_shape: ShapeOpt = None,
    system: SystemOpt = "auto",
    max_error: MaxErrorOpt = None,
    accept_error: AcceptErrorOpt = False,
    weight_bits: WeightBitsOpt = None,
    activation_bits: ActivationBitsOpt = None,
    input_bits: InputBitsOpt = None,
    batch: BatchOpt = 1,
    json: JsonOpt = False,
) -> None:
    """Compile a model to a circuit.

    Reports constraints, ranges, and accuracy against onnxruntime on the data given and over the whole domain.
    """
    from time import perf_counter

    from zkchain.api import compiling
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.formats import bundle
    from zkchain.quantize import Settings
    from zkchain.workspace import compile_report

    settings = Settings(
        max_error=max_error, weight_bits=weight_bits, activation_bits=activation_bits, input_bits=input_bits
    )
    bundle.check_place(output)  # before the work, not after it
    start = perf_counter()
    with progress() as step:
        circuit = compiling.compile(
            model,
            data,
            domain=parse_domains(domain or []),
            public_inputs=public_input or (),
            private_outputs=private_output or (),
            system=system_named(system),
            settings=settings,
            batch=batch,
            shapes=parse_shapes(input_shape or []),
            outputs=only_output,
            accept_error=accept_error,
            progress=step,
        )
        seconds = perf_counter() - start
        step("digest, and files", 0.0)
        circuit.save(output)
    notes = circuit.notes
    render.show(compile_report(output, circuit.summary, circuit.choices, seconds, circuit.reason, notes), json=json)
    for note in notes:
        warn(note)


@app.command()
def tune(
    model: ModelArg,
    data: DataOpt = None,
    max_error: AllowedErrorOpt = None,
    agreement: AgreementOpt = None,
    error: TriedErrorOpt = None,
    bits: TriedBitsOpt = None,
    plot: PlotOpt = None,
    domain: DomainOpt = None,
    public_input: PublicInputOpt = None,
    private_output: PrivateOutputOpt = None,
    only_output: OnlyOutputOpt = None,
    input_shape: ShapeOpt = None,
    system: SystemOpt = "auto",
    batch: BatchOpt = 1,
    json: JsonOpt = False,
) -> None:
    """Find the fewest constraints within a budget of accuracy.

    Compiles the model with a ladder of wanted errors, measures each circuit on the data and over the domain, and prints
    the command that makes the best one. Exit code 29 where none is accurate enough.
    """
    from time import perf_counter

    from zkchain.api import tuning
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.errors import AccuracyMissed
    from zkchain.formats import files
    from zkchain.workspace import tune_report

    start = perf_counter()
    with progress() as step:
        found = tuning.tune(
            model,
            data,
            max_error=max_error,
            agreement=agreement,
            errors=error,
            bits=bits or (),
            domain=parse_domains(domain or []),
            public_inputs=public_input or (),
            private_outputs=private_output or (),
            system=system_named(system),
            batch=batch,
            shapes=parse_shapes(input_shape or []),
            outputs=only_output,
            progress=step,
        )
    told = {"--domain": domain, "--public-input": public_input, "--private-output": private_output}
    told |= {"--only-output": only_output, "--input-shape": input_shape}
    told |= {"--data": [str(data)] if data else None, "--batch": [str(batch)] if batch > 1 else None}
    command = None if found.chosen is None else compile_command(model, told, found.chosen)
    if plot is not None:
        files.write(plot, found.svg(model.name).encode())
    render.show(tune_report(model, found, command, perf_counter() - start, plot), json=json)
    if found.chosen is None:
        raise AccuracyMissed(found.reason, hint="allow more (--max-error, --agreement), or try finer errors (--error)")


@app.command()
def setup(bundle: BundleArg, memory: MemoryOpt = None, json: JsonOpt = False) -> None:
    """Make DEVELOPMENT keys for the circuit.

    Their secrets are drawn on this machine; whoever keeps them can forge proofs.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.workspace import setup_bundle

    with progress() as step:
        report = setup_bundle(bundle, memory=parse_memory(memory), progress=step)
    warn(render.DEVELOPMENT)
    render.show(report, json=json)


@app.command()
def prove(
    bundle: BundleArg,
    samples: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Input tensors: .json {name: nested lists} or .npz."),
    ],
    index: IndexOpt = None,
    every: Annotated[bool, typer.Option("--all", help="Prove every sample of arrays that hold many.")] = False,
    proof: ProofOpt = "proof",
    binder: BinderOpt = None,
    consumer: ForOpt = None,
    caller: CallerOpt = None,
    counter: CounterOpt = 0,
    deadline: DeadlineOpt = 0,
    action: ActionOpt = None,
    verifier: VerifierOpt = None,
    key_digest: KeyDigestOpt = None,
    memory: MemoryOpt = None,
    timings: TimingsOpt = False,
    json: JsonOpt = False,
) -> None:
    """Prove one inference or many.

    Many inputs are proved under one open key and kept as NAME-0, NAME-1 and so on. An input outside the declared domain
    is refused before any proving.
    """
    from zkchain.cli import render
    from zkchain.cli.console import age, progress
    from zkchain.formats import tensors
    from zkchain.workspace import prove_samples

    started = age()
    if every and index is not None:
        raise typer.BadParameter("--all and --index exclude each other")
    bound = parse_binder(binder, consumer, caller, counter, deadline, action)
    if verifier is not None and bound is None:
        raise typer.BadParameter("goes with --for, or --binder.", param_hint="'--verifier'")
    arrays = [tensors.read(sample) for sample in samples]
    with progress() as step:
        report = prove_samples(
            bundle,
            arrays,
            index=index,
            every=every,
            name=proof,
            binder=bound,
            verifier=verifier,
            key_digest=parse_word(key_digest, "--key-digest"),
            memory=parse_memory(memory),
            progress=step,
        )
    if timings and started is not None:
        report = replace(report, seconds={"start": started, **report.seconds})
    render.show(report, json=json, timings=timings)


@app.command()
def verify(bundle: BundleArg, proof: ProofOpt = "proof", vk_hash: VkHashOpt = None, json: JsonOpt = False) -> None:
    """Verify a proof off chain.

    Exit code 0 means that it holds under the bundle's verification key. What the numbers mean is the word of whoever
    made the bundle, unless the key's hash is the published one (--vk-hash).
    """
    from zkchain.cli import render
    from zkchain.workspace import verify_bundle

    render.show(verify_bundle(bundle, name=proof, vk_hash=parse_word(vk_hash, "--vk-hash")), json=json)


@app.command()
def solidity(
    bundle: BundleArg,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the contract.", show_default="from the key")
    ] = None,
    types: Annotated[
        bool,
        typer.Option("--types", help="Write Types.sol and Key.sol, too: public words decoded, and the key pinned."),
    ] = False,
    key: Annotated[
        bool, typer.Option("--key", help="Show the key's bytes, which calls of the shared verifier carry.")
    ] = False,
    batch: BatchContractOpt = False,
    json: JsonOpt = False,
) -> None:
    """Write and compile the verifier contract."""
    from zkchain.cli import render
    from zkchain.workspace import solidity_bundle

    render.show(solidity_bundle(bundle, contract=name, batch=batch, types=types, travelling=key), json=json)


@app.command()
def deploy(
    bundle: BundleArg,
    rpc: RpcOpt = None,
    keystore: KeystoreOpt = None,
    password_file: PasswordFileOpt = None,
    journal: JournalOpt = None,
    chain_id: ChainIdOpt = None,
    max_fee: MaxFeeOpt = None,
    tip: TipOpt = None,
    nonce: NonceOpt = None,
    gas_limit: GasLimitOpt = None,
    confirmations: ConfirmationsOpt = 0,
    development: DevelopmentOpt = False,
    shared: SharedOpt = False,
    clone: CloneOpt = False,
    batch: BatchContractOpt = False,
    again: AgainOpt = False,
    unsigned: UnsignedOpt = None,
    json: JsonOpt = False,
) -> None:
    """Deploy the verifier contract, or say where it stands already.

    On the chain at --rpc; without it, as a rehearsal, on a chain embedded in this process. A command that was cut off
    is run again: it goes on with what was sent. `zkchain gas --compare` says which form is cheapest for how many
    proofs.
    """
    from zkchain.cli import render
    from zkchain.workspace import deploy_bundle, unsigned_deployment

    form = parse_form(shared, clone, batch)
    batch = batch and not shared  # that one verifies batches in any case
    said = terms(
        chain_id=chain_id,
        max_fee=max_fee,
        tip=tip,
        nonce=nonce,
        gas_limit=gas_limit,
        confirmations=confirmations,
        development=development,
    )
    if unsigned is not None:
        planned = unsigned_deployment(bundle, unsigned, needed(chain_id), said, form=form, batch=batch or None)
        render.show(planned, json=json)
        return
    sender = account(rpc, keystore, password_file, journal, said)
    render.show(deploy_bundle(bundle, sender, again=again, form=form, batch=batch or None), json=json)


@app.command()
def submit(
    bundle: BundleArg,
    proof: ProofOpt = "proof",
    every: AllProofsOpt = False,
    rpc: RpcOpt = None,
    keystore: KeystoreOpt = None,
    password_file: PasswordFileOpt = None,
    journal: JournalOpt = None,
    chain_id: ChainIdOpt = None,
    max_fee: MaxFeeOpt = None,
    tip: TipOpt = None,
    nonce: NonceOpt = None,
    gas_limit: GasLimitOpt = None,
    confirmations: ConfirmationsOpt = 0,
    development: DevelopmentOpt = False,
    again: AgainOpt = False,
    unsigned: UnsignedOpt = None,
    json: JsonOpt = False,
) -> None:
    """Verify a proof in a transaction, or report the one that did.

    Without --rpc the contract is deployed on an embedded chain first. A command that was cut off is run again: it goes
    on with what was sent. --all takes a contract that verifies batches: `zkchain deploy --shared` or `--batch`.
    """
    from zkchain.cli import render
    from zkchain.workspace import submit_all, submit_bundle, unsigned_submission

    if every and unsigned is not None:
        raise typer.BadParameter("--all and --unsigned exclude each other")

    said = terms(
        chain_id=chain_id,
        max_fee=max_fee,
        tip=tip,
        nonce=nonce,
        gas_limit=gas_limit,
        confirmations=confirmations,
        development=development,
    )
    if unsigned is not None:
        render.show(unsigned_submission(bundle, unsigned, needed(chain_id), said, name=proof), json=json)
        return
    sender = account(rpc, keystore, password_file, journal, said)
    if every:
        render.show(submit_all(bundle, sender, again=again), json=json)
        return
    render.show(submit_bundle(bundle, sender, name=proof, again=again), json=json)


@app.command()
def consent(
    bundle: BundleArg,
    consumer: ConsumerOpt,
    proof: ProofOpt = "proof",
    caller: ConsentingOpt = None,
    counter: CounterOpt = 0,
    deadline: DeadlineOpt = 0,
    action: ActionOpt = None,
    keystore: SignersKeystoreOpt = None,
    password_file: PasswordFileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Sign a proof, so that somebody else can send it to its consumer.

    Prints the caller's consent, an EIP-712 signature, for a proof that holds and is bound to this turn. The key comes
    from --keystore or $ZKCHAIN_PRIVATE_KEY; with --caller and no key the message is printed, for his wallet's
    eth_signTypedData_v4.
    """
    from zkchain.cli import render
    from zkchain.workspace import consent_bundle

    key = signer(keystore, password_file)
    turn = parse_turn(consumer, caller or account_named(key), counter, deadline, action)
    render.show(consent_bundle(bundle, turn, key=key, name=proof), json=json)


@app.command()
def calldata(bundle: BundleArg, proof: ProofOpt = "proof", json: JsonOpt = False) -> None:
    """Print the calldata of a transaction that verifies a proof."""
    from zkchain.cli import render
    from zkchain.workspace import calldata_bundle

    render.show(calldata_bundle(bundle, name=proof), json=json)


@app.command()
def abi(bundle: BundleArg, json: JsonOpt = False) -> None:
    """Print the verifier contract's ABI."""
    from zkchain.cli import render
    from zkchain.workspace import abi_bundle

    render.show(abi_bundle(bundle), json=json)


app.command()(gas.gas)


@app.command()
def inspect(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE",
            help="Folder made by `zkchain compile`, or with --graph an ONNX file.",
            show_default=False,
        ),
    ],
    graph: Annotated[
        bool, typer.Option("--graph", help="Show the graph after each pass of the compiler, and its constraints.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show the error of every node on the data, and what it costs.")
    ] = False,
    constraints: Annotated[
        bool, typer.Option("--constraints", help="Show where the constraints go: by kind, by node, by lookup table.")
    ] = False,
    input_shape: ShapeOpt = None,
    json: JsonOpt = False,
) -> None:
    """Say what a bundle holds, and in what state.

    Exit code 0 means that every file is what the manifest says. With --graph: how its model, or the one in an ONNX
    file, becomes a circuit, pass by pass. With --layers: which node is how far off. With --constraints: what its
    constraints are for, counted afresh.
    """
    from zkchain.cli import render
    from zkchain.errors import BundleError, ModelError
    from zkchain.workspace import bundle_census, bundle_graph, inspect_bundle, layers_bundle, model_graph

    if graph + layers + constraints > 1:
        raise typer.BadParameter("--graph, --layers and --constraints are reports of their own: ask for one of them")
    if layers:
        render.show(layers_bundle(bundle), json=json)
        return
    if input_shape and (not graph or bundle.is_dir()):
        raise typer.BadParameter("--input-shape goes with --graph and an ONNX file")
    if constraints:
        render.show(bundle_census(bundle), json=json)
        return
    if graph and bundle.is_dir():
        render.show(bundle_graph(bundle), json=json)
        return
    if graph:
        from zkchain.formats import files

        content = files.read(bundle, what="model", error=ModelError)
        render.show(model_graph(str(bundle), content, shapes=parse_shapes(input_shape or [])), json=json)
        return
    report = inspect_bundle(bundle)
    render.show(report, json=json)
    if report.damaged:
        listed = ", ".join(f"{made.file} is {made.state}" for made in report.damaged)
        raise BundleError(f"bundle {bundle} is damaged: {listed}")


@app.command()
def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Keep the bundle in this folder.",
            show_default=False,
            parser=folder_named,
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="DIR",
            help="Only write digits.onnx, digits.npz and input.json there.",
            show_default=False,
        ),
    ] = None,
    system: SystemOpt = "auto",
    json: JsonOpt = False,
) -> None:
    """The whole way with a shipped classifier.

    Compiles, sets up, proves, verifies, deploys and submits, on an embedded chain.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.demo import run, write_files

    if files is not None:
        render.show(write_files(files), json=json)
        return
    with progress() as step:
        report = run(output, system=system_named(system), progress=step)
    render.show(report, json=json)
