"""Proofs of a bundle: ``proofs/NAME/proof.json`` and ``public.json``, in snarkjs's formats; ``context.json`` where the
proof is bound to a context."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

from zkchain.errors import BundleError, InputError
from zkchain.formats import files, records, snarkjs
from zkchain.formats.bundle import Bundle
from zkchain.formats.records import ContextRecord
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.transcript import context as context_hash
from zkchain.groth16.types import Proof
from zkchain.r1cs import Instance

PROOF, PUBLIC, CONTEXT = "proof.json", "public.json", "context.json"
CONTEXT_LIMIT = 1 << 12
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


def folder(bundle: Bundle, name: str) -> Path:
    """The folder of the proof of this name; InputError for a name that is no plain file name."""
    return bundle.folder / "proofs" / checked_name(name)


def checked_name(name: str) -> str:
    """The name itself; InputError for one that is no plain file name."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"proof name {name!r}: expected at most 64 letters, digits, '_', '-' and '.'",
            hint="it names a folder in the bundle's proofs/, such as image-7",
        )
    return name


def save(bundle: Bundle, name: str, proof: Proof, instance: Instance, context: ContextRecord | None = None) -> Path:
    """Keep a proof in a bundle, under a name."""
    return write(folder(bundle, name), proof, instance, context)


def write(place: Path, proof: Proof, instance: Instance, context: ContextRecord | None = None) -> Path:
    """Write all files, the proof last: where there is a proof.json, what belongs to it is there too. An earlier proof
    of this name goes first, once the disk has taken the new one's files, or a process killed in between would leave it
    with the new one's public inputs."""
    contents = {PUBLIC: snarkjs.dump_public(instance)}
    if context is not None:
        contents[CONTEXT] = records.dump(context)
    contents[PROOF] = snarkjs.dump_proof(proof)
    with ExitStack() as stack:
        staged = {name: stack.enter_context(files.staged(place / name, each)) for name, each in contents.items()}
        for name in (PROOF, CONTEXT):
            (place / name).unlink(missing_ok=True)
        files.sync(place)
        for name, path in staged.items():
            files.move(path, place / name)
    return place


def load(bundle: Bundle, name: str) -> tuple[Proof, Instance]:
    """BundleError when there is none; ProofFormatError when it is malformed."""
    place = folder(bundle, name)
    if not (place / PROOF).is_file():
        there = ", ".join(names(bundle)) or "none"
        hint = f"make one with `zkchain prove {bundle.folder} INPUT`; proofs there are: {there}"
        raise BundleError(f"bundle {bundle.folder} has no proof {name!r}", hint=hint)
    return read(place)


def read(place: Path) -> tuple[Proof, Instance]:
    """Read what ``write`` wrote. BundleError when it cannot be read; ProofFormatError when it is malformed."""
    proof, public = (
        files.read(place / name, what=name, limit=snarkjs.SIZE_LIMIT, error=BundleError) for name in (PROOF, PUBLIC)
    )
    return snarkjs.load_proof(proof), snarkjs.load_public(public)


def load_context(bundle: Bundle, name: str) -> ContextRecord | None:
    """The context that the proof is bound to; None for an unbound proof."""
    return read_context(folder(bundle, name))


def read_context(place: Path) -> ContextRecord | None:
    """Read the context that the proof in a folder is bound to; None for an unbound proof."""
    path = place / CONTEXT
    if not path.is_file():
        return None
    content = files.read(path, what=CONTEXT, limit=CONTEXT_LIMIT, error=BundleError)
    return records.load(ContextRecord, content, what="context")


def context_of(bound: ContextRecord | None) -> bytes:
    """The 32 bytes that bind a proof to a contract; zeros for one that is bound to none."""
    return NO_CONTEXT if bound is None else context_hash(bound.chain_id, unhex(bound.contract), unhex(bound.binder))


def unhex(text: str) -> bytes:
    """Bytes of hexadecimal digits. BundleError for anything else."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise BundleError(f"context: expected hexadecimal digits, got {text!r}") from error


def names(bundle: Bundle) -> list[str]:
    """Names of the bundle's proofs, sorted."""
    return sorted(path.parent.name for path in bundle.folder.glob(f"proofs/*/{PROOF}"))
