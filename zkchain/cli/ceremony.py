"""``zkchain ceremony``: keys from the secrets of many people, in a file that goes from hand to hand."""

from __future__ import annotations

import json as jsontext
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkchain.cli.options import JsonOpt

if TYPE_CHECKING:
    from zkchain.ceremony.beacons import Beacon
    from zkchain.workspace import Source

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

FileArg = Annotated[Path, typer.Argument(metavar="FILE", help="The ceremony's file.", show_default=False)]
BUNDLE = typer.Argument(metavar="[BUNDLE]", help="Folder made by `zkchain compile`.", show_default=False)
R1csOpt = Annotated[
    Path | None,
    typer.Option("--r1cs", metavar="FILE", help="Constraints of circom, instead of a bundle.", show_default=False),
]
PtauOpt = Annotated[
    Path, typer.Option("--ptau", metavar="FILE", help="Powers of tau, prepared for phase 2.", show_default=False)
]
OutputOpt = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write.", show_default="in place"),
]


def _source(bundle: Path | None, r1cs: Path | None) -> Source:
    from zkchain.workspace import Source

    if (bundle is None) == (r1cs is None):
        raise typer.BadParameter("expected a BUNDLE or --r1cs FILE")
    return Source(bundle, r1cs)


@app.command()
def start(
    ptau: PtauOpt,
    bundle: Annotated[Path | None, BUNDLE] = None,
    r1cs: R1csOpt = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")] = Path(
        "keys.ceremony"
    ),
    json: JsonOpt = False,
) -> None:
    """Begin a ceremony: the key of a circuit without anybody's secret."""
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import start_ceremony

    with progress() as step:
        report = start_ceremony(_source(bundle, r1cs), ptau, output, progress=step)
    render.show(report, json=json)


@app.command()
def contribute(
    file: FileArg,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Yours, as others will read it.")],
    output: OutputOpt = None,
    json: JsonOpt = False,
) -> None:
    """Multiply a secret of yours into the keys, and forget it.

    The secret comes from this machine's randomness; a line of text is mixed in if you type one. Publish the
    attestation.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.workspace import contribute as contributed

    typed = _typed()
    with _kept(output or file), progress() as step:
        report = contributed(file, name, typed=typed, output=output, progress=step)
    if any(one.beacon is not None for one in report.contributions):
        warn("this comes after a beacon, which fixes nothing any more: apply another one at the end")
    render.show(report, json=json)


@contextmanager
def _kept(place: Path) -> Iterator[None]:
    """Ctrl-C says whether what was to be written is written."""
    from zkchain.formats import ceremony

    before = ceremony.stamp(place)
    try:
        yield
    except KeyboardInterrupt:
        if ceremony.stamp(place) == before:
            raise KeyboardInterrupt(f"{place} is as it was") from None
        text = f"{place} has the contribution already: `zkchain ceremony show {place}` tells its attestation"
        raise KeyboardInterrupt(text) from None


def _typed() -> bytes:
    """A line of text from the terminal, unseen; nothing where nobody can type."""
    if not sys.stdin.isatty():
        return b""
    from getpass import getpass

    return getpass("Type anything, to be mixed into your secret (or just press Enter): ").encode()


@app.command()
def beacon(
    file: FileArg,
    drand: Annotated[
        int | None, typer.Option("--drand", metavar="ROUND", help="A round of drand.", show_default=False)
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            "--signature", metavar="HEX|FILE", help="The round's signature, or drand's answer.", show_default=False
        ),
    ] = None,
    chain: Annotated[str, typer.Option("--chain", metavar="quicknet|default", help="Of drand.")] = "quicknet",
    hash: Annotated[
        str | None, typer.Option("--hash", metavar="HEX", help="What is hashed, instead of drand.", show_default=False)
    ] = None,
    iterations: Annotated[str, typer.Option("--iterations", metavar="2^K", help="With --hash: how often.")] = "2^10",
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What the transcript calls it.")] = "beacon",
    output: OutputOpt = None,
    json: JsonOpt = False,
) -> None:
    """End a ceremony with a random value that nobody could know while it went on.

    Announce the round, or the block whose hash it will be, before the last contribution.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import apply_beacon

    if (drand is None) == (hash is None) or (drand is None) != (signature is None):
        raise typer.BadParameter("expected --drand ROUND --signature HEX|FILE, or --hash HEX")
    made = _of_hash(hash, iterations) if hash is not None else _of_drand(chain, drand or 0, signature or "")
    with _kept(output or file), progress() as step:
        report = apply_beacon(file, made, name=name, output=output, progress=step)
    render.show(report, json=json)


def _of_drand(chain: str, round: int, signature: str) -> Beacon:
    """The signature in hex, or a file that holds it, or drand's answer in JSON."""
    from zkchain.ceremony import beacons, drand
    from zkchain.errors import FormatError
    from zkchain.formats import files

    text = signature
    if Path(signature).is_file():
        text = files.read(Path(signature), what="signature", limit=1 << 16).decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return beacons.of_drand(chain, round, _bytes(text, "--signature"))
    try:
        answered, found = drand.signature_of(jsontext.loads(text), chain)
    except ValueError as error:
        raise FormatError(f"signature {signature}: not JSON: {error}") from None
    if answered != round:
        raise FormatError(f"signature {signature}: it is of round {answered}, expected {round}")
    return beacons.of_drand(chain, round, found)


def _of_hash(start: str, iterations: str) -> Beacon:
    from zkchain.ceremony import beacons

    base, _, exponent = iterations.partition("^")
    if base != "2" or not exponent.isdecimal():
        raise typer.BadParameter(f"--iterations: expected 2^K, got {iterations!r}")
    return beacons.of_hash(_bytes(start, "--hash"), int(exponent))


def _bytes(text: str, option: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        wanted = "an even number of hexadecimal digits" + (", or a file" if option == "--signature" else "")
        raise typer.BadParameter(f"{option}: expected {wanted}, got {text[:80]!r}") from None


@app.command()
def show(file: FileArg, json: JsonOpt = False) -> None:
    """Show what a ceremony's file says: who contributed, with which attestation. Nothing of it is checked."""
    from zkchain.cli import render
    from zkchain.workspace import show_ceremony

    render.show(show_ceremony(file), json=json)


@app.command()
def verify(
    file: FileArg,
    ptau: PtauOpt,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="BUNDLE", help="Folder made by `zkchain compile`.", show_default=False),
    ] = None,
    r1cs: R1csOpt = None,
    attestation: Annotated[
        list[str] | None,
        typer.Option("--attestation", metavar="HEX", help="One that must be in it.", show_default=False),
    ] = None,
    json: JsonOpt = False,
) -> None:
    """Check all of a ceremony, from the circuit and the powers of tau to the last point."""
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import verify_ceremony

    expected = [_bytes(text, "--attestation") for text in attestation or ()]
    if any(len(one) not in (32, 64) for one in expected):
        raise typer.BadParameter("--attestation: expected 32 bytes, or the 64 that snarkjs showed, in hexadecimal")
    with progress() as step:
        report = verify_ceremony(file, _source(bundle, r1cs), ptau, attestations=expected, progress=step)
    render.show(report, json=json)


@app.command()
def finish(
    file: FileArg,
    ptau: PtauOpt,
    bundle: Annotated[Path | None, BUNDLE] = None,
    r1cs: R1csOpt = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="With --r1cs: where the keys go.", show_default=False),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also a bundle's keys of another ceremony.")] = False,
    json: JsonOpt = False,
) -> None:
    """Check all of a ceremony, and write its keys into the bundle.

    They are DEVELOPMENT keys unless somebody else than their maker has contributed: there must be two names.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress, warn
    from zkchain.workspace import finish_ceremony

    if (r1cs is None) != (output is None):
        raise typer.BadParameter("--output goes with --r1cs, and --r1cs with --output")
    with progress() as step:
        report = finish_ceremony(file, _source(bundle, r1cs), ptau, folder=output, replace=replace, progress=step)
    if not report.production:
        warn("these are DEVELOPMENT keys: there are not two contributions under different names")
    if not report.contributions or report.contributions[-1].beacon is None:
        warn("no beacon ends this ceremony: its last contributor could choose among keys")
    render.show(report, json=json)


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its files are kept.", show_default=False)],
    ptau: PtauOpt,
    bundle: Annotated[Path | None, BUNDLE] = None,
    r1cs: R1csOpt = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of that address.")] = 8700,
    lease: Annotated[float, typer.Option("--lease", metavar="MINUTES", min=0.01, help="Of a turn.")] = 30.0,
    patience: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", min=1.0, help="Without a word until a place is lost.")
    ] = 120.0,
) -> None:
    """Coordinate a ceremony: people join one after the other, and each contribution is checked as a whole.

    With the environment's ZKCHAIN_CEREMONY_INVITATION only those who know it may join. Ctrl-C ends it; called again it
    goes on. Every file is kept in DIR; the newest has the highest number.
    """
    import os

    from zkchain.cli.console import note, progress
    from zkchain.coordinator.hall import Hall
    from zkchain.coordinator.line import Terms
    from zkchain.errors import ArgumentError

    try:
        import uvicorn

        from zkchain.coordinator.server import LOOPBACK, application
    except ImportError as error:
        raise ArgumentError(f"serve: {error}", hint="install what it needs: pip install 'zkchain[serve]'") from None
    with progress() as step:
        source = _source(bundle, r1cs)
        initial, circuit_hash = source.checked(ptau, folder / "constraints", step)
        hall = Hall(folder, initial, Terms(lease * 60, patience), circuit_hash=circuit_hash, progress=step)
    note(f"http://{host}:{port}: {hall.round.number} contributions, newest file {hall.newest}")
    hosts = LOOPBACK if host in LOOPBACK else ("*",)  # behind a name of its own no other page can reach it by that name
    made = application(hall, os.environ.get("ZKCHAIN_CEREMONY_INVITATION") or None, hosts)
    uvicorn.run(made, host=host, port=port, log_level="warning", timeout_graceful_shutdown=10, limit_concurrency=200)


@app.command()
def join(
    address: Annotated[str, typer.Argument(metavar="URL", help="Of the coordinator.", show_default=False)],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Yours, as others will read it.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--desk", metavar="DIR", help="For files until all is done.", show_default="a folder of the user's"
        ),
    ] = None,
    json: JsonOpt = False,
) -> None:
    """Contribute through a coordinator: wait for your turn, contribute, and see that it was kept.

    Publish the attestation. A join that was killed goes on when it is called again.
    """
    import os

    from zkchain.ceremony.transcripts import words
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.coordinator import join as joined
    from zkchain.formats.state import desk
    from zkchain.reports import JoinReport

    typed, invitation = _typed(), os.environ.get("ZKCHAIN_CEREMONY_INVITATION") or None
    with progress() as step:
        place = folder or desk(address, name)
        kept = joined(address, name, place, typed=typed, invitation=invitation, progress=step)
    attestation = kept.attestation or ""
    said = words(bytes.fromhex(attestation.removeprefix("0x")))
    render.show(JoinReport(address, kept.name, kept.number or 0, attestation, said), json=json)


@app.command("to-zkey")
def to_zkey(
    file: FileArg,
    ptau: PtauOpt,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The .zkey file to write.", show_default=False)
    ],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="BUNDLE", help="Folder made by `zkchain compile`.", show_default=False),
    ] = None,
    r1cs: R1csOpt = None,
    json: JsonOpt = False,
) -> None:
    """Write a ceremony of plain Groth16 for snarkjs, before anybody has contributed in another way.

    People contribute with `snarkjs zkey contribute` (or a service built on it); `from-zkey` takes what comes back.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import ceremony_to_zkey

    with progress() as step:
        report = ceremony_to_zkey(file, _source(bundle, r1cs), ptau, output, progress=step)
    render.show(report, json=json)


@app.command("from-zkey")
def from_zkey(
    file: FileArg,
    zkey: Annotated[
        Path, typer.Argument(metavar="ZKEY", help="The .zkey with contributions of snarkjs.", show_default=False)
    ],
    ptau: PtauOpt,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="BUNDLE", help="Folder made by `zkchain compile`.", show_default=False),
    ] = None,
    r1cs: R1csOpt = None,
    output: OutputOpt = None,
    json: JsonOpt = False,
) -> None:
    """Take the contributions that snarkjs made to a .zkey into the ceremony that it was written from.

    Everything is checked. Others can go on with `contribute` and `beacon`.
    """
    from zkchain.cli import render
    from zkchain.cli.console import progress
    from zkchain.workspace import ceremony_from_zkey

    with progress() as step:
        report = ceremony_from_zkey(file, zkey, _source(bundle, r1cs), ptau, output=output, progress=step)
    render.show(report, json=json)
