"""``zkchain circom``: circuits of circom under keys of snarkjs or ours, and our circuits for circom's tools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import typer

from zkchain.cli.options import (
    BundleArg,
    IndexOpt,
    JsonOpt,
    KeyDigestOpt,
    MemoryOpt,
    TimingsOpt,
    parse_memory,
    parse_word,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

R1CS = typer.Option("--r1cs", metavar="FILE", help="Constraints of circom.", show_default=False)
WTNS = typer.Option("--wtns", metavar="FILE", help="The witness to prove.", show_default=False)
FOLDER = typer.Option("--output", "-o", metavar="DIR", help="Where the files go.")


@app.command()
def setup(
    r1cs: Annotated[Path, R1CS],
    ptau: Annotated[Path, typer.Option("--ptau", metavar="FILE", help="Powers of tau, prepared.", show_default=False)],
    output: Annotated[Path, FOLDER] = Path(),
    json: JsonOpt = False,
) -> None:
    """Make DEVELOPMENT keys for constraints of circom on powers of tau.

    Their secrets are drawn on this machine; whoever keeps them can forge proofs.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.formats import circom

    with progress() as step:
        report = circom.set_up(r1cs, ptau, output, progress=step)
    warn(render.DEVELOPMENT)
    render.show(report, json=json)


@app.command()
def prove(
    wtns: Annotated[Path, WTNS],
    zkey: Annotated[
        Path | None, typer.Option("--zkey", metavar="FILE", help="A Groth16 key of snarkjs.", show_default=False)
    ] = None,
    zkpk: Annotated[
        Path | None,
        typer.Option(
            "--zkpk", metavar="FILE", help="With --r1cs: the key that `circom setup` made.", show_default=False
        ),
    ] = None,
    r1cs: Annotated[Path | None, R1CS] = None,
    output: Annotated[Path, FOLDER] = Path(),
    key_digest: KeyDigestOpt = None,
    memory: MemoryOpt = None,
    timings: TimingsOpt = False,
    json: JsonOpt = False,
) -> None:
    """Prove a witness of circom.

    Under a key of snarkjs (--zkey), or under one of ours (--zkpk and --r1cs). Writes proof.json and public.json.
    """
    from zkchain.cli import render
    from zkchain.cli.console import age, progress
    from zkchain.formats import circom
    from zkchain.workspace.clock import Stages

    started, bound, digest = age(), parse_memory(memory), parse_word(key_digest, "--key-digest")
    if (zkey is not None, zkpk is not None, r1cs is not None) not in ((True, False, False), (False, True, True)):
        raise typer.BadParameter("expected --zkey, or --zkpk and --r1cs, beside --wtns")
    with progress() as step:
        stages = Stages(step)
        stages("open", 0.0)
        if zkpk is not None and r1cs is not None:
            opened = circom.open_own(zkpk, r1cs, key_digest=digest)
        else:
            opened = circom.open_zkey(cast(Path, zkey), key_digest=digest, progress=stages)
        proved = circom.prove(opened, wtns, output, memory=bound, progress=stages)
        stages.close()
    if timings and started is not None:
        proved = replace(proved, seconds={"start": started, **stages.seconds})
    render.show(proved, json=json, timings=timings)


@app.command()
def export(
    bundle: BundleArg,
    sample: Annotated[
        Path | None,
        typer.Argument(metavar="[INPUT]", help="With --wtns: the inputs, .json or .npz.", show_default=False),
    ] = None,
    r1cs: Annotated[
        Path | None, typer.Option("--r1cs", metavar="FILE", help="Write the constraints here.", show_default=False)
    ] = None,
    wtns: Annotated[
        Path | None, typer.Option("--wtns", metavar="FILE", help="Write the witness of INPUT here.", show_default=False)
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            metavar="FILE",
            help="Write the constraints here in our own format, of either proof system: for tools/ceremony-verify.",
            show_default=False,
        ),
    ] = None,
    index: IndexOpt = None,
    json: JsonOpt = False,
) -> None:
    """Write a bundle's constraints, and the witness of an input, for circom's tools (plain Groth16)."""
    from zkchain.cli import render
    from zkchain.formats import tensors
    from zkchain.reports import FilesReport
    from zkchain.workspace import r1cs_bundle, rows_bundle, witness_bundle

    if r1cs is None and wtns is None and rows is None:
        raise typer.BadParameter("expected --r1cs, --rows, or --wtns and INPUT, or all of them")
    if (sample is None) != (wtns is None):
        raise typer.BadParameter("INPUT goes with --wtns, and --wtns with INPUT")
    if r1cs is not None:
        r1cs_bundle(bundle, r1cs)
    if rows is not None:
        rows_bundle(bundle, rows)
    if wtns is not None and sample is not None:
        witness_bundle(bundle, tensors.read(sample), wtns, index=index)
    written = tuple(str(path) for path in (r1cs, rows, wtns) if path is not None)
    render.show(FilesReport(written), json=json)


@app.command()
def canary(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The .r1cs file to write.", show_default=False)
    ],
    json: JsonOpt = False,
) -> None:
    """Write constraints that nothing satisfies (x = 0 and x = 1).

    A proof of them stops a ZkRouter for ever. Their key is made as any other: `zkchain circom setup`, or a ceremony.
    How its verifier is deployed: docs/guide/contracts.md.
    """
    from zkchain.cli import render
    from zkchain.formats import r1cs
    from zkchain.groth16.canary import FalseStatement
    from zkchain.reports import FilesReport

    r1cs.save(output, FalseStatement())
    render.show(FilesReport((str(output),)), json=json)
