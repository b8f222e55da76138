"""Prepare, prove, verify and measure. Proving is all of it: the key mapped, the message solved, the proof made."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from pathlib import Path

from scripts.csp_benchmarks.circuits import TARGETS, Rows, solve
from scripts.csp_benchmarks.inputs import message
from scripts.csp_benchmarks.state import CIRCUIT_SIZES, State, record
from zkchain._core import ProvingKey
from zkchain.formats import r1cs, snarkjs, wtns
from zkchain.groth16 import System, insecure_setup
from zkchain.groth16 import verify as verified
from zkchain.groth16.encoding import decode_proof
from zkchain.groth16.transcript import NO_CONTEXT


def supported(target: str, size: int) -> bool:
    return target in TARGETS and size in TARGETS[target].sizes


def prepare(target: str, size: int, utils: str, folder: Path) -> State:
    """The harness's message and digest; keys as well, when ``folder`` has none of this circuit yet."""
    words = [utils, target, "-n", str(size)]
    lines = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if len(lines) != 2 or len(lines[0]) != 2 * size or len(lines[1]) != 64:
        raise SystemExit(f"csp_benchmarks: {' '.join(words)}: expected a message of {size} bytes and a digest in hex")
    state = State(target, size, lines[0], lines[1], str(folder / f"{target}_{size}_{source()}"))
    if not state.verification_key.exists():
        make_keys(state)
    return state


def source() -> str:
    """Of the circuits' text: another circuit has other keys."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def make_keys(state: State) -> None:
    """A development key; the verifying key is written last."""
    state.proving_key.parent.mkdir(parents=True, exist_ok=True)
    pk, vk = insecure_setup(Rows(state.target, state.size))
    pk.save(state.proving_key)
    state.verification_key.write_bytes(snarkjs.dump_verification_key(vk))


def prove(state: State, proof: Path) -> None:
    key = ProvingKey.open(state.proving_key)
    found, instance = solve(state.target, bytes.fromhex(state.message))
    made = key.prove(found.wires, found.a, found.b, found.c, instance=instance, ctx=NO_CONTEXT)
    proof.write_bytes(made)


def export(target: str, size: int, folder: Path) -> None:
    """The circuit and the witness of the first message of `inputs`, for other provers of Groth16."""
    folder.mkdir(parents=True, exist_ok=True)
    r1cs.save(folder / f"{target}_{size}.r1cs", Rows(target, size))
    found, _ = solve(target, message(size))
    (folder / f"{target}_{size}.wtns").write_bytes(wtns.dump(found.wires))


def verify(state: State, proof: Path) -> None:
    """Of the digest that the harness gave, not of what the prover says. Raises what ``zkchain.groth16.verify`` does."""
    vk = snarkjs.load_verification_key(state.verification_key.read_bytes())
    instance = TARGETS[state.target].instance(bytes.fromhex(state.digest))
    verified(vk, instance, decode_proof(proof.read_bytes(), System.GROTH16))


def measure(state: State, proof: Path, sizes: Path) -> None:
    """Of a fresh proof. The preprocessing is the proving key: the circuit itself is code. Beside ``sizes`` is the
    system's table of circuit sizes."""
    prove(state, proof)
    found = {"proof_size": proof.stat().st_size, "preprocessing_size": state.proving_key.stat().st_size}
    sizes.write_text(json.dumps(found) + "\n")
    record(sizes.with_name(CIRCUIT_SIZES), state.target, state.size, ProvingKey.open(state.proving_key).info["n_rows"])
