"""Keys and proofs of circuits that were not made here: files of circom and snarkjs in, files out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zkchain.errors import FormatError, InputError, KeyFormatError, KeyMismatch, UnsatisfiedConstraint
from zkchain.formats import files, ptau, snarkjs, zkey
from zkchain.formats.proofs import PROOF, PUBLIC
from zkchain.groth16.encoding import PROOF_BYTES
from zkchain.groth16.pins import check_key_digest, compare_digest
from zkchain.groth16.types import Proof
from zkchain.r1cs import Instance, System
from zkchain.typing import Progress

PROVING_KEY, VERIFICATION_KEY = "proving_key.zkpk", "verification_key.json"
OWN_KEYS = (
    "--r1cs goes with the key that `zkchain circom setup` made of it; a bundle's own key proves inputs (zkchain prove "
    "BUNDLE INPUT), not the constraints that `zkchain circom export` writes"
)


OTHER_WITNESS = "it was altered, or made for another circuit; `snarkjs wtns check` tells what it breaks"


class Prover(Protocol):
    """``zkey.Prover`` (keys of snarkjs) or ``ptau.Prover`` (our own)."""

    def prove(
        self, witness: bytes, *, progress: Progress | None = None, memory: int | None = None
    ) -> tuple[Proof, Instance]: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A prover and the file of its key."""

    prover: Prover
    key: Path


@dataclass(frozen=True, slots=True)
class Proved:
    """Paths of what was written; times in seconds."""

    folder: str
    proof: str
    public: str
    instance_length: int
    proof_bytes: int
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class SetUp:
    """Keys made of constraints and powers of tau."""

    folder: str
    proving_key: str
    verification_key: str
    rows: int
    proving_key_bytes: int
    seconds: float
    key_digest: str
    vk_hash: str
    development: bool


def open_zkey(path: Path, *, key_digest: bytes | None = None, progress: Progress | None = None) -> Opened:
    """A key of snarkjs. ``key_digest``: sha256 of its file as it was published, for snarkjs's format has no digest.
    KeyMismatch for another one; other errors are those of ``zkey.Prover``."""
    try:
        if key_digest is not None:
            compare_digest(f"proving key {path} (sha256)", bytes.fromhex(files.sha256(path)), key_digest)
        return Opened(zkey.Prover.open(path, progress=progress), path)
    except OSError as error:
        raise _unreadable(path, error) from error


def open_own(key: Path, r1cs: Path, *, key_digest: bytes | None = None) -> Opened:
    """A key made by ``set_up``, with its constraints. ``key_digest``: the key's digest as ``set_up`` reported it; then
    all of the key is read. KeyMismatch for another one; other errors are those of ``ptau.Prover``."""
    try:
        prover = ptau.Prover.open(key, r1cs)
        if key_digest is not None:
            check_key_digest(prover.native, key_digest)
        return Opened(prover, key)
    except OSError as error:
        raise _unreadable(key, error) from error
    except KeyFormatError as error:
        raise type(error)(f"{key}: {error.message}", hint=error.hint) from None
    except KeyMismatch as error:
        raise KeyMismatch(f"{key}, {r1cs}: {error.message}", hint=error.hint or OWN_KEYS) from None


def _unreadable(key: Path, error: OSError) -> FormatError:
    return FormatError(f"cannot read proving key {key}: {error.strerror}", hint="check the path")


def prove(
    opened: Opened, wtns: Path, folder: Path, *, memory: int | None = None, progress: Progress | None = None
) -> Proved:
    """Prove a witness file; proof.json and public.json go into ``folder``.

    Errors: those of the prover, which name the file to blame; InputError for a witness that breaks a constraint.
    """
    witness = files.read(wtns, what="witness")
    start = time.perf_counter()
    try:
        proof, instance = opened.prover.prove(witness, progress=progress, memory=memory)
    except KeyFormatError as error:
        raise type(error)(f"{opened.key}: {error.message}", hint=error.hint) from None
    except (FormatError, KeyMismatch) as error:
        raise type(error)(f"{wtns}: {error.message}", hint=error.hint) from None
    except InputError as error:
        raise InputError(f"{wtns}: {error.message}", hint=error.hint or OTHER_WITNESS) from None
    except UnsatisfiedConstraint as error:
        raise InputError(f"{wtns}: constraint {error.row} does not hold", hint=OTHER_WITNESS) from None
    seconds = time.perf_counter() - start
    with files.staged(folder / PROOF, snarkjs.dump_proof(proof)) as staged:
        files.write(folder / PUBLIC, snarkjs.dump_public(instance))
        files.move(staged, folder / PROOF)
    return Proved(str(folder), PROOF, PUBLIC, len(instance), PROOF_BYTES[System.GROTH16], {"prove": seconds})


def set_up(r1cs: Path, powers: Path, folder: Path, *, progress: Progress | None = None) -> SetUp:
    """Development keys for constraints on powers of tau, both files into ``folder``. Errors: of ``ptau.setup_r1cs``."""
    start = time.perf_counter()
    pk, vk = ptau.setup_r1cs(r1cs, powers, progress=progress)
    seconds = time.perf_counter() - start
    with files.staged(folder / PROVING_KEY, pk.save) as staged:
        files.write(folder / VERIFICATION_KEY, snarkjs.dump_verification_key(vk))
        files.move(staged, folder / PROVING_KEY)
    info = pk.info
    return SetUp(
        str(folder),
        PROVING_KEY,
        VERIFICATION_KEY,
        info["n_rows"],
        info["file_size"],
        seconds,
        pk.digest.hex(),
        "0x" + pk.vk_hash.hex(),
        vk.development,
    )
