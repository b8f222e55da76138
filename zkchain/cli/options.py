"""Options that several commands share, and the parsing of what typer does not parse."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zkchain.chain.connection import Terms
    from zkchain.form import Form
    from zkchain.quantize import Domain
    from zkchain.tuning import Trial
    from zkchain.workspace import Account, Turns

PRIVATE_KEY = "ZKCHAIN_PRIVATE_KEY"
PASSWORD = "ZKCHAIN_KEYSTORE_PASSWORD"
SYSTEMS = ("groth16", "cg16", "auto")


def folder_named(text: str) -> Path:
    """Parse the name of a folder to make. Rejects "", since Path("") is the current folder."""
    if not text:
        raise typer.BadParameter("'' is no folder.")
    return Path(text)


def file_named(text: str) -> Path:
    """Parse the name of a file to make. Rejects "", since Path("") is the current folder."""
    if not text:
        raise typer.BadParameter("'' is no file.")
    return Path(text)


BundleArg = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="Folder made by `zkchain compile`.", show_default=False)
]
FolderArg = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="The project's folder: new, or empty.", show_default=False, parser=folder_named),
]
ForceOpt = Annotated[
    bool, typer.Option("--force", help="Write into a folder that holds files; those of the same names are replaced.")
]
ShownProofsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--proof",
        metavar="NAME",
        help="A kept proof that the project's tests show; again for more of them.",
        show_default="proof",
    ),
]
IndexOpt = Annotated[
    int | None,
    typer.Option(min=0, metavar="K", help="Take this sample of arrays that hold many.", show_default=False),
]
TimingsOpt = Annotated[bool, typer.Option("--timings", help="Say where the time goes, from the process's start.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
MemoryOpt = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory to hold at most, beside the mapped key, such as 2G or 500M.",
        envvar="ZKCHAIN_MEMORY",
        show_default="as quickest",
    ),
]


ModelArg = Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.", show_default=False)]
BundleOpt = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="The bundle to write.", show_default=False, parser=folder_named),
]
DataOpt = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Samples (.npz): an array (N, ...) for each input; held-out ones under test/NAME; `labels` optional.",
        show_default=False,
    ),
]
PublicInputOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--public-input", metavar="NAME", help="Input that the verifier sees (default: none).", show_default=False
    ),
]
PrivateOutputOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--private-output", metavar="NAME", help="Output hidden from the verifier (default: none).", show_default=False
    ),
]
OnlyOutputOpt = Annotated[
    list[str] | None,
    typer.Option("--only-output", metavar="NAME", help="Compute just this output (default: all).", show_default=False),
]
MaxErrorOpt = Annotated[
    float | None,
    typer.Option(
        metavar="E",
        help="Largest error of an output, in its unit, anywhere in the domain.",
        show_default="0.01, or a 1024th of the output's span over the domain",
    ),
]
AllowedErrorOpt = Annotated[
    float | None,
    typer.Option(
        "--max-error",
        metavar="E",
        help="Largest error allowed of an output, in its unit, on the data and in the domain.",
        show_default="what `zkchain compile` promises",
    ),
]
AgreementOpt = Annotated[
    float | None,
    typer.Option(
        "--agreement",
        metavar="SHARE",
        help="Share of samples whose label must be the model's. Alone: errors do not count.",
        show_default="0.99",
    ),
]
TriedErrorOpt = Annotated[
    list[float] | None,
    typer.Option(
        "--error", metavar="E", help="Wanted error to try (default: a ladder around the budget).", show_default=False
    ),
]
TriedBitsOpt = Annotated[
    list[int] | None,
    typer.Option("--bits", metavar="N", help="Bits of weights and activations to try beside that.", show_default=False),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Write errors over constraints as an SVG file.", show_default=False),
]
AcceptErrorOpt = Annotated[
    bool, typer.Option("--accept-error", help="Take the circuit even where its outputs are further off.")
]
WeightBitsOpt = Annotated[int | None, typer.Option(metavar="N", help="Bits of the weights.", show_default="chosen")]
ActivationBitsOpt = Annotated[
    int | None, typer.Option(metavar="N", help="Bits of the activations.", show_default="chosen")
]
InputBitsOpt = Annotated[int | None, typer.Option(metavar="N", help="Bits of the inputs.", show_default="chosen")]
BatchOpt = Annotated[int, typer.Option(min=1, metavar="N", help="Size of a free batch dimension.")]
ProofOpt = Annotated[
    str, typer.Option("--proof", metavar="NAME", help="Name of the proof in the bundle's proofs/ folder.")
]
BinderOpt = Annotated[
    str | None,
    typer.Option(
        "--binder",
        metavar="HEX32",
        help="The proof holds for the deployed contract and these 32 bytes only.",
        show_default=False,
    ),
]
ForOpt = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="ADDRESS",
        help="The proof holds for this consumer (ZkConsumer) and --caller only, in its turn --counter.",
        show_default=False,
    ),
]
CallerOpt = Annotated[
    str | None, typer.Option("--caller", metavar="ADDRESS", help="Whose proof it is, with --for.", show_default=False)
]
ActionOpt = Annotated[
    str | None,
    typer.Option(
        "--action",
        metavar="HEX32",
        help="Hash of what the consumer shall do, where it asks for one.",
        show_default=False,
    ),
]
ConsumerOpt = Annotated[
    str,
    typer.Option(
        "--for", metavar="ADDRESS", help="The consumer (ZkConsumer) that the proof is for.", show_default=False
    ),
]
ConsentingOpt = Annotated[
    str | None,
    typer.Option("--caller", metavar="ADDRESS", help="Whose proof it is.", show_default="the key's account"),
]
VerifierOpt = Annotated[
    str | None,
    typer.Option(
        "--verifier",
        metavar="WHICH",
        help="The deployed contract that the proof is bound to: its address, or its form (embedded, shared, clone).",
        show_default="the last one",
    ),
]
CounterOpt = Annotated[
    int,
    typer.Option(
        "--counter",
        min=0,
        max=(1 << 64) - 1,
        metavar="N",
        help="The caller's turn, as the consumer's counterOf says; of many proofs the first one's.",
    ),
]
DeadlineOpt = Annotated[
    int,
    typer.Option(
        "--deadline",
        min=0,
        max=(1 << 64) - 1,
        metavar="SECONDS",
        help="Last second (of the epoch) at which the consumer may take it; 0: none.",
    ),
]
KeyDigestOpt = Annotated[
    str | None,
    typer.Option(
        "--key-digest",
        metavar="HEX32",
        help="Digest of the proving key as it was published; another key is refused. Of a .zkey: the file's sha256.",
        show_default=False,
    ),
]
VkHashOpt = Annotated[
    str | None,
    typer.Option(
        "--vk-hash",
        metavar="HEX32",
        help="Hash of the verification key as it was published; another key is refused.",
        show_default=False,
    ),
]
RpcOpt = Annotated[
    str | None,
    typer.Option("--rpc", metavar="URL", help="URL of a node.", envvar="ZKCHAIN_RPC", show_default="embedded chain"),
]
KeystoreOpt = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        metavar="FILE",
        help=f"The sender's encrypted key file (geth's JSON). Without it: ${PRIVATE_KEY}, else the node's own account.",
        show_default=False,
    ),
]
SignersKeystoreOpt = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        metavar="FILE",
        help=f"The caller's encrypted key file (geth's JSON). Without it: ${PRIVATE_KEY}.",
        show_default=False,
    ),
]
PasswordFileOpt = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help=f"File with the keystore's password (default: ${PASSWORD}, else asked).",
        show_default=False,
    ),
]
JournalOpt = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Where transactions are written down before they are sent.",
        envvar="ZKCHAIN_JOURNAL",
        show_default="one per user",
        parser=file_named,
    ),
]
ChainIdOpt = Annotated[
    int | None,
    typer.Option(
        "--chain-id", min=0, metavar="N", help="The chain that is meant; another is refused.", show_default=False
    ),
]
MaxFeeOpt = Annotated[
    float | None,
    typer.Option(
        "--max-fee",
        min=0,
        max=1e9,
        metavar="GWEI",
        help="Largest fee per gas, tip included.",
        show_default="at most 500",
    ),
]
TipOpt = Annotated[
    float | None,
    typer.Option(
        "--tip",
        min=0,
        max=1e9,
        metavar="GWEI",
        help="Tip per gas.",
        show_default="the node's, within 3 times the median",
    ),
]
NonceOpt = Annotated[
    int | None, typer.Option("--nonce", min=0, metavar="N", help="Number of the transaction.", show_default="the next")
]
GasLimitOpt = Annotated[
    int | None,
    typer.Option(
        "--gas-limit", min=21_000, metavar="N", help="Gas that a transaction may use.", show_default="estimated"
    ),
]
ConfirmationsOpt = Annotated[
    int, typer.Option("--confirmations", min=0, metavar="N", help="Wait for so many blocks on top of it.")
]
DevelopmentOpt = Annotated[
    bool,
    typer.Option("--allow-development-key", help="Let a DEVELOPMENT key guard a chain of real value."),
]
SharedOpt = Annotated[
    bool, typer.Option("--shared", help="The one verifier for all keys: nothing to deploy but once per chain.")
]
CloneOpt = Annotated[
    bool, typer.Option("--clone", help="A clone that holds the key: small, and an IZkVerifier at its own address.")
]
AllProofsOpt = Annotated[
    bool, typer.Option("--all", help="All proofs of the bundle that were not sent yet, in one transaction.")
]
BatchContractOpt = Annotated[
    bool, typer.Option("--batch", help="A contract that also verifies many proofs in one transaction.")
]
AgainOpt = Annotated[bool, typer.Option("--again", help="Do it once more, even where it was done already.")]
UnsignedOpt = Annotated[
    Path | None,
    typer.Option(
        "--unsigned",
        metavar="FILE.json",
        help="Send nothing: write the transactions (EIP-1559, and Safe's) for somebody else to sign. Needs --chain-id.",
        show_default=False,
    ),
]
DomainOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--domain",
        metavar="[NAME=]LO:HI[:STEP]",
        help="The values that an input may take; STEP is the unit of one integer step. Default: what the data spans.",
        show_default=False,
    ),
]
GasPriceOpt = Annotated[
    float | None,
    typer.Option(
        "--gas-price",
        min=0,
        max=1_000_000,
        metavar="GWEI",
        help="Price of gas, to have costs in ether.",
        show_default=False,
    ),
]
ShapeOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape", metavar="NAME=1x3x32", help="Shape of an input with free dimensions.", show_default=False
    ),
]
SystemOpt = Annotated[str, typer.Option("--system", metavar="|".join(SYSTEMS), help="Proof system.")]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?"
_MEMORY = re.compile(r"(?P<count>\d+(?:\.\d+)?)(?P<unit>[KMGTkmgt])?(?:i?B)?", re.ASCII)
_DOMAIN = re.compile(rf"(?:(?P<name>.*)=)?(?P<lo>{_NUMBER}):(?P<hi>{_NUMBER})(?::(?P<step>{_NUMBER}))?")


def system_named(name: str) -> str:
    """One of SYSTEMS; auto compares both and says why."""
    if name not in SYSTEMS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(SYSTEMS)}.", param_hint="'--system'")
    return name


def parse_word(text: str | None, option: str) -> bytes | None:
    """32 bytes in hexadecimal, all of them: a prefix pins nothing."""
    if text is None:
        return None
    digits = text.removeprefix("0x")
    if re.fullmatch(r"[0-9a-fA-F]{64}", digits) is None:
        raise typer.BadParameter(f"{text!r} is not 32 bytes in hexadecimal (64 digits).", param_hint=f"'{option}'")
    return bytes.fromhex(digits)


def parse_binder(
    binder: str | None, consumer: str | None, caller: str | None, counter: int, deadline: int, action: str | None
) -> bytes | Turns | None:
    """What proofs are bound to: 32 bytes, or turns of a caller at a consumer."""
    if consumer is None:
        if caller is not None or counter or deadline or action is not None:
            raise typer.BadParameter("go with --for.", param_hint="--caller, --counter, --deadline, --action")
        return parse_word(binder, "--binder")
    if binder is not None:
        raise typer.BadParameter("--binder and --for exclude each other")
    if caller is None:
        raise typer.BadParameter("needs --caller: whose proof it is.", param_hint="'--for'")
    return parse_turn(consumer, caller, counter, deadline, action)


def parse_turn(consumer: str, caller: str, counter: int, deadline: int, action: str | None) -> Turns:
    """A turn of a caller at a consumer."""
    for option, text in (("--for", consumer), ("--caller", caller)):
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", text) is None:
            raise typer.BadParameter(f"{text!r} is no address (0x and 40 digits).", param_hint=f"'{option}'")
    from zkchain.workspace import Turns

    return Turns(consumer, caller, counter, deadline, parse_word(action, "--action") or bytes(32))


def account_named(key: str | None) -> str:
    """The address of a private key's account."""
    if key is None:
        raise typer.BadParameter(
            f"needs a key: --keystore or ${PRIVATE_KEY}; or --caller, for a message that his wallet signs.",
            param_hint="consent",
        )
    from zkchain.chain import account_of

    return str(account_of(key).address)


def parse_memory(text: str | None) -> int | None:
    """Bytes of "500M", "2G" (powers of 1024) or a plain number."""
    if text is None:
        return None
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size such as 500M or 2G.", param_hint="'--memory'")
    size = int(float(match["count"]) * 1024 ** "BKMGT".index((match["unit"] or "B").upper()))
    if not 1 << 20 <= size < 1 << 63:
        raise typer.BadParameter(f"{text!r} is not between 1M and 2^63 bytes.", param_hint="'--memory'")
    return size


def parse_domains(texts: Sequence[str]) -> Mapping[str, Domain]:
    """``NAME=LO:HI[:STEP]``; the name "" stands for every input not named. Fractions such as 1/255 are understood."""
    from zkchain.quantize import Domain

    domains: dict[str, Domain] = {}
    for text in texts:
        match = _DOMAIN.fullmatch(text)
        if match is None:
            raise typer.BadParameter(
                f"{text!r} is not [NAME=]LO:HI[:STEP]: numbers with colons between them, such as image=0:16:1.",
                param_hint="'--domain'",
            )
        if (match["name"] or "") in domains:
            raise typer.BadParameter(f"{text!r}: this input has a domain already.", param_hint="'--domain'")
        lo, hi, step = (None if part is None else _number(part) for part in match.group("lo", "hi", "step"))
        if lo is not None and hi is not None:
            domains[match["name"] or ""] = Domain(lo, hi, step)
    return domains


def parse_shapes(texts: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """``NAME=1x3x32x32``."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not name or not re.fullmatch(r"\d+(x\d+)*", sizes, re.ASCII):
            raise typer.BadParameter(f"{text!r} is not NAME=1x3x32x32.", param_hint="'--input-shape'")
        if name in shapes:
            raise typer.BadParameter(f"{text!r}: this input has a shape already.", param_hint="'--input-shape'")
        shapes[name] = tuple(map(int, sizes.split("x")))
    return shapes


def compile_command(model: Path, told: Mapping[str, Sequence[str] | None], trial: Trial) -> str:
    """The command that makes the circuit of a trial again; ``told``: what was said of the model, by option."""
    words = [word for option, values in told.items() for value in values or () for word in (option, value)]
    words += ["--system", str(trial.system)]
    words += [] if trial.wanted is None else ["--max-error", repr(trial.wanted)]
    words += [] if trial.bits is None else ["--weight-bits", str(trial.bits), "--activation-bits", str(trial.bits)]
    words += [] if trial.kept else ["--accept-error"]
    return join(["zkchain", "compile", str(model), *words, "-o", "bundle"])


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    if below and not int(below):
        raise typer.BadParameter(f"{text!r} divides by zero.", param_hint="'--domain'")
    return float(above) / (int(below) if below else 1)


def parse_form(shared: bool, clone: bool, batch: bool = False) -> Form:
    """How the contract comes by the key."""
    from zkchain.form import Form

    if shared and clone:
        raise typer.BadParameter("exclude each other.", param_hint="'--shared' / '--clone'")
    if clone and batch:
        raise typer.BadParameter("a clone verifies proofs one by one.", param_hint="'--batch'")
    return Form.SHARED if shared else Form.CLONE if clone else Form.EMBEDDED


def needed(chain_id: int | None) -> int:
    """The chain's number, which unsigned transactions are made for."""
    if chain_id is None:
        raise typer.BadParameter(
            "needs --chain-id: the chain that the transactions are for.", param_hint="'--unsigned'"
        )
    return chain_id


def terms(*, max_fee: float | None, tip: float | None, **others: Any) -> Terms:
    """What the command line says about transactions: ``connection.Terms``, with fees in gwei."""
    from zkchain.chain.connection import Terms
    from zkchain.chain.fees import wei

    fee, extra = (None if price is None else wei(price) for price in (max_fee, tip))
    return Terms(max_fee=fee, tip=extra, **others)


def account(
    rpc: str | None, keystore: Path | None, password_file: Path | None, journal: Path | None, said: Terms
) -> Account:
    """Who sends, and where."""
    from zkchain.workspace import Account

    return Account(rpc, signer(keystore, password_file), journal, said)


def signer(keystore: Path | None, password_file: Path | None) -> str | None:
    """The sender's private key in hex, or None for an account that the node holds; never taken from arguments."""
    if keystore is None:
        if password_file is not None:
            raise typer.BadParameter("is for the key in --keystore, and none is given.", param_hint="'--password-file'")
        return os.environ.get(PRIVATE_KEY) or None
    from zkchain.errors import ChainError
    from zkchain.formats import files

    content = files.read(keystore, what="keystore", limit=1 << 20, error=ChainError)
    check_keystore(content, keystore)
    if password_file is not None:
        read = files.read(password_file, what="password file", limit=1 << 16, error=ChainError)
        try:
            password = read.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ChainError(f"password file {password_file}: expected text in UTF-8") from None
    else:
        password = os.environ.get(PASSWORD) or ask(keystore)
    from zkchain.chain import unlock

    return unlock(content, password)


def check_keystore(content: bytes, path: Path) -> None:
    """ChainError unless it has the form of a keystore: nobody should be asked for the password of something else."""
    from zkchain.errors import ChainError
    from zkchain.formats import jsontext

    try:
        document = jsontext.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("crypto", document.get("Crypto")), dict):
        raise ChainError(
            f"keystore {path}: expected JSON with a `crypto` section, which this file is not",
            hint="geth's keystore format is expected, as `geth account new` and `cast wallet` write it",
        )


def ask(keystore: Path) -> str:
    """The password, from the terminal. ChainError where there is none."""
    from getpass import getpass

    from zkchain.cli.console import visible
    from zkchain.errors import ChainError

    try:
        if sys.stdin is not None and sys.stdin.isatty():
            return getpass(f"Password of {visible(str(keystore))}: ")
    except EOFError:
        pass
    raise ChainError(
        f"keystore {keystore}: its password is needed, and there is no terminal to ask for it",
        hint=f"give it with --password-file FILE, or in ${PASSWORD}",
    )
