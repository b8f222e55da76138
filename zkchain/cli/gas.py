"""``zkchain gas``: what deployment and verification will cost, before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkchain.cli.options import (
    CloneOpt,
    DataOpt,
    DomainOpt,
    GasPriceOpt,
    JsonOpt,
    OnlyOutputOpt,
    PrivateOutputOpt,
    PublicInputOpt,
    ShapeOpt,
    SharedOpt,
    SystemOpt,
    parse_domains,
    parse_form,
    parse_shapes,
    system_named,
)

if TYPE_CHECKING:
    from zkchain.reports import EstimateReport
    from zkchain.workspace import Question

SubjectArg = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL|BUNDLE", help="An ONNX file, or a folder made by `zkchain compile`.", show_default=False
    ),
]
ProofsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--proof",
        metavar="NAME",
        help="Count the calldata of this proof of the bundle as it is; several: of their batch.",
        show_default=False,
    ),
]
InputOpt = Annotated[
    Path | None,
    typer.Option(
        "--input",
        metavar="FILE",
        help="Count the public inputs that this sample (.json or .npz) gives.",
        show_default=False,
    ),
]
BatchOpt = Annotated[
    int | None,
    typer.Option("--batch", min=1, max=100_000, metavar="N", help="Proofs in one transaction.", show_default="1"),
]
BoundOpt = Annotated[bool, typer.Option("--bound", help="cg16: proofs that are bound to contract and sender.")]
ForkOpt = Annotated[
    str,
    typer.Option(metavar="NAME", help="cancun, prague, osaka or amsterdam (scheduled: its prices may change yet)."),
]
Create2Opt = Annotated[
    bool,
    typer.Option("--create2/--create", help="Deploy through the CREATE2 factory, as `zkchain deploy`, or without."),
]
RpcOpt = Annotated[
    str | None,
    typer.Option("--rpc", metavar="URL", help="Node to ask for present prices. Nothing is sent.", show_default=False),
]
EtherPriceOpt = Annotated[
    float | None,
    typer.Option("--ether-price", min=0, max=1e9, metavar="P", help="Price of an ether.", show_default=False),
]
CurrencyOpt = Annotated[
    str | None,
    typer.Option("--currency", metavar="NAME", help="In which that price is, such as EUR.", show_default=False),
]
RollupOpt = Annotated[
    str | None,
    typer.Option(
        "--l2",
        metavar="NAME",
        help="A rollup, and what it charges for data: optimism, base, op-stack or arbitrum.",
        show_default=False,
    ),
]
_GWEI = {"min": 0, "max": 1_000_000, "metavar": "GWEI", "show_default": False}
L1GasPriceOpt = Annotated[
    float | None,
    typer.Option("--l1-gas-price", help="For --l2: base fee of L1; arbitrum: its price of L1 data.", **_GWEI),
]
BlobGasPriceOpt = Annotated[
    float | None, typer.Option("--blob-gas-price", help="For --l2: base fee of blobs.", **_GWEI)
]
CompareOpt = Annotated[
    bool,
    typer.Option("--compare", help="Compare systems, forms, one proof and a batch (of 16), on all forks."),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.svg", help="Draw the comparison.", show_default=False),
]


def gas(
    subject: SubjectArg,
    proof: ProofsOpt = None,
    sample: InputOpt = None,
    batch: BatchOpt = None,
    bound: BoundOpt = False,
    fork: ForkOpt = "osaka",
    create2: Create2Opt = True,
    gas_price: GasPriceOpt = None,
    rpc: RpcOpt = None,
    ether_price: EtherPriceOpt = None,
    currency: CurrencyOpt = None,
    l2: RollupOpt = None,
    l1_gas_price: L1GasPriceOpt = None,
    blob_gas_price: BlobGasPriceOpt = None,
    compare: CompareOpt = False,
    shared: SharedOpt = False,
    clone: CloneOpt = False,
    plot: PlotOpt = None,
    data: DataOpt = None,
    domain: DomainOpt = None,
    public_input: PublicInputOpt = None,
    private_output: PrivateOutputOpt = None,
    only_output: OnlyOutputOpt = None,
    input_shape: ShapeOpt = None,
    system: SystemOpt = "auto",
    json: JsonOpt = False,
) -> None:
    """Estimate gas and its cost, part by part, before any transaction.

    Of a model before it is compiled, of a bundle without keys or with, or of its proofs. Without a proof the figures
    are upper bounds. The last options are those of `compile`, for a MODEL.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.formats import files, tensors
    from zkchain.workspace import Question, estimate_bundle
    from zkchain.workspace.costs import Prices

    prices = Prices(gas_price, ether_price, currency, rpc, l2, l1_gas_price, blob_gas_price)
    question = Question(fork, batch, bound, create2, compare or plot is not None, parse_form(shared, clone), prices)
    arrays = None if sample is None else tensors.read(sample)
    of_model = (data, domain, public_input, private_output, only_output, input_shape, system != "auto")
    if subject.is_file():
        if proof:
            raise typer.BadParameter("is for a bundle: a model has no proofs.", param_hint="'--proof'")
        with progress() as step:
            report = _of_model(
                subject,
                question,
                data,
                sample=arrays,
                domains=parse_domains(domain or []),
                system=system_named(system),
                public_inputs=public_input or (),
                private_outputs=private_output or (),
                shapes=parse_shapes(input_shape or []),
                outputs=only_output,
                progress=step,
            )
    else:
        if any(of_model):
            raise typer.BadParameter("the options of `compile` are for a MODEL, a bundle is compiled already")
        report = estimate_bundle(subject, question, names=proof or (), sample=arrays)
    if plot is not None:
        from zkchain.cli.plot import comparison

        files.write(plot, comparison(report).encode())
    render.show(report, json=json)
    for note in report.notes:
        warn(note)


def _of_model(path: Path, question: Question, data: Path | None, **options: object) -> EstimateReport:
    from zkchain.errors import ModelError
    from zkchain.formats import files, tensors
    from zkchain.workspace import estimate_model

    model = files.read(path, what="model", error=ModelError)
    samples = None if data is None else tensors.read(data)
    return estimate_model(str(path), model, samples, question, **options)  # type: ignore[arg-type]
