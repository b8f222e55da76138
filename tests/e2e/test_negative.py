"""Whatever is altered, misplaced or out of bounds is refused by the commands: one error and a hint, an exit code that
says of what kind it is, nothing on stdout, and every file as it was. Both systems."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli_tools import Outcome, calibration, compile_into, npz_file, small_model, write_input, zkchain
from zkchain import errors
from zkchain.bn254 import P, R
from zkchain.r1cs import System

Document = dict[str, Any]
ELEMENTS = {System.GROTH16: ("pi_a", "pi_b", "pi_c"), System.CG16: ("pi_a", "pi_b", "pi_c", "pi_d")}
RPC = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture(scope="module", params=System)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with keys, a contract and two proofs, ``proof`` and ``other``. Tests work on copies."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    samples = folder.parent / "samples.npz"
    npz_file(samples, **calibration())
    for outcome in (
        compile_into(folder, "--system", request.param),
        zkchain("setup", folder),
        zkchain("prove", folder, samples, "--index", 0),
        zkchain("prove", folder, samples, "--index", 1, "--proof", "other"),
        zkchain("solidity", folder),
    ):
        assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "bundle")
    return tmp_path / "bundle"


def system_of(bundle: Path) -> System:
    return System(json.loads((bundle / "circuit.json").read_text())["system"])


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, error: type[errors.ZkchainError], message: str, *command: object) -> Outcome:
    """Run the command, which fails as it should and leaves no trace in the folder."""
    before = files(folder)
    outcome = zkchain(*command)
    lines = outcome.err.splitlines()
    assert outcome.code == error.exit_code, outcome.err
    assert outcome.out == ""
    assert re.match(rf"error: .*{message}", lines[0]), outcome.err
    assert [line.partition(": ")[0] for line in lines] == ["error", "hint"], outcome.err
    assert files(folder) == before
    return outcome


def rewrite(path: Path, edit: Callable[[Any], Any]) -> None:
    """``edit`` changes the document in place, or returns another one."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps(edit(document) or document))


# ---------------------------------------------------------------------------------------------------------- the proof


def negated(point: list[Any]) -> list[Any]:
    """(x, -y, z), in G1 or G2."""
    x, y, z = point
    return [x, str(P - int(y)) if isinstance(y, str) else [str((P - int(c)) % P) for c in y], z]


def swap(one: str, two: str) -> Callable[[Document, Document], None]:
    return lambda proof, _: proof.update({one: proof[two], two: proof[one]})


def negate(element: str) -> Callable[[Document, Document], None]:
    return lambda proof, _: proof.update({element: negated(proof[element])})


def replace(element: str) -> Callable[[Document, Document], None]:
    return lambda proof, other: proof.update({element: other[element]})


ALTERED: Mapping[str, Callable[[Document, Document], None]] = {
    **{f"{e} negated": negate(e) for e in ELEMENTS[System.CG16]},
    **{f"{e} of another": replace(e) for e in ELEMENTS[System.CG16]},
    "pi_a and pi_c swapped": swap("pi_a", "pi_c"),
    "pi_a and pi_d swapped": swap("pi_a", "pi_d"),
    "pi_c and pi_d swapped": swap("pi_c", "pi_d"),
    "pi_a infinite": lambda proof, _: proof.update(pi_a=["0", "1", "0"]),
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_proof(bundle: Path, name: str) -> None:
    if "pi_d" in name and system_of(bundle) is System.GROTH16:
        pytest.skip("groth16 proofs have no pi_d")
    other = json.loads((bundle / "proofs/other/proof.json").read_text())
    rewrite(bundle / "proofs/proof/proof.json", lambda proof: ALTERED[name](proof, other))
    refused(bundle, errors.ProofInvalid, "does not verify", "verify", bundle)


def test_an_altered_proof_in_a_transaction(bundle: Path) -> None:
    rewrite(bundle / "proofs/proof/proof.json", lambda proof: proof.update(pi_c=negated(proof["pi_c"])))
    refused(bundle, errors.TransactionReverted, r"reverted: ProofInvalid\(\)", "submit", bundle)


def test_the_proof_of_another_key(bundle: Path) -> None:
    assert zkchain("setup", bundle).code == 0
    refused(bundle, errors.ProofInvalid, "does not verify", "verify", bundle)


def test_a_proof_of_the_other_system(bundle: Path, tmp_path: Path) -> None:
    def convert(proof: Document) -> None:
        if "pi_d" in proof:
            del proof["pi_d"]
            proof["protocol"] = "groth16"
        else:
            proof.update(pi_d=proof["pi_c"], protocol="cg16")

    rewrite(bundle / "proofs/proof/proof.json", convert)
    refused(bundle, errors.ProofFormatError, "proof", "verify", bundle)


G2_OFF = [["1", "2"], ["3", "4"], ["1", "0"]]
MALFORMED: Mapping[str, Callable[[Document], Any]] = {
    "a off the curve": lambda p: p.update(pi_a=["1", "1", "1"]),
    "b off the curve": lambda p: p.update(pi_b=G2_OFF),
    "c with x + p": lambda p: p.update(pi_c=[str(int(p["pi_c"][0]) + P), *p["pi_c"][1:]]),
    "c with two coordinates": lambda p: p.update(pi_c=p["pi_c"][:2]),
    "c negative": lambda p: p.update(pi_c=["-1", *p["pi_c"][1:]]),
    "no b": lambda p: p.pop("pi_b") and None,
    "another protocol": lambda p: p.update(protocol="plonk"),
    "another curve": lambda p: p.update(curve="bls12381"),
    "a list": lambda p: [p],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_proof(bundle: Path, name: str) -> None:
    rewrite(bundle / "proofs/proof/proof.json", MALFORMED[name])
    refused(bundle, errors.ProofFormatError, "proof|curve|pi_", "verify", bundle)


# ----------------------------------------------------------------------------------------------------- public inputs

PUBLIC: Mapping[str, tuple[Callable[[list[str]], list[str]], type[errors.ZkchainError], str]] = {
    "first + 1": (lambda x: [str(int(x[0]) + 1), *x[1:]], errors.ProofInvalid, "does not verify"),
    "last - 1": (lambda x: [*x[:-1], str(int(x[-1]) - 1 or 2)], errors.ProofInvalid, "does not verify"),
    "first + r": (lambda x: [str(int(x[0]) + R), *x[1:]], errors.ProofFormatError, "r"),
    "last + r": (lambda x: [*x[:-1], str(int(x[-1]) + R)], errors.ProofFormatError, "r"),
    "negative": (lambda x: ["-1", *x[1:]], errors.ProofFormatError, "public input"),
    "one too few": (lambda x: x[:-1], errors.ProofFormatError, r"expected \d+ .*, got \d+"),
    "one too many": (lambda x: [*x, "0"], errors.ProofFormatError, r"expected \d+ .*, got \d+"),
    "none": (lambda x: x[:0] or [], errors.ProofFormatError, r"expected \d+ .*, got 0"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_inputs(bundle: Path, name: str) -> None:
    edit, error, message = PUBLIC[name]
    path = bundle / "proofs/proof/public.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    refused(bundle, error, message, "verify", bundle)


def test_a_public_input_plus_r_is_not_sent(bundle: Path) -> None:
    rewrite(bundle / "proofs/proof/public.json", lambda x: [str(int(x[0]) + R), *x[1:]])
    refused(bundle, errors.ProofFormatError, "r", "submit", bundle)


# ---------------------------------------------------------------------------------------------------------- the keys


def test_the_key_of_another_circuit(bundle: Path) -> None:
    sample = write_input(bundle.parent / "input.json")
    assert compile_into(bundle, "--system", system_of(bundle), seed=2).code == 0
    for command in (("prove", bundle, sample), ("verify", bundle), ("solidity", bundle), ("submit", bundle)):
        outcome = refused(bundle, errors.KeyMismatch, r"made for .* \w{12}\.\.\., this .* is \w{12}", *command)
        assert "hint: run `zkchain setup" in outcome.err


def test_the_key_file_of_another_circuit(bundle: Path, tmp_path: Path) -> None:
    sample, other = write_input(bundle.parent / "input.json"), tmp_path / "other" / "bundle"
    assert compile_into(other, "--system", system_of(bundle), seed=2).code == 0
    assert zkchain("setup", other).code == 0
    shutil.copy(other / "proving_key.zkpk", bundle / "proving_key.zkpk")
    refused(bundle, errors.KeyFormatError, "proving key .*altered", "prove", bundle, sample)


KEYS = {"proving_key.zkpk": "prove", "verification_key.json": "verify"}
"""Each key, and a command that rests on it."""


def command_on(bundle: Path, file: str) -> tuple[object, ...]:
    if KEYS[file] == "verify":
        return ("verify", bundle)
    return ("prove", bundle, write_input(bundle.parent / "input.json"), "--proof", "new")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("file", KEYS)
def test_a_truncated_key(bundle: Path, file: str, part: float) -> None:
    path = bundle / file
    os.truncate(path, int(path.stat().st_size * part))
    refused(bundle, errors.KeyFormatError, "truncated", *command_on(bundle, file))


@pytest.mark.parametrize("file", KEYS)
def test_a_key_with_a_flipped_bit(bundle: Path, file: str) -> None:
    """At both ends and at places in between, header and all sections."""
    path = bundle / file
    good, n, command = path.read_bytes(), path.stat().st_size, command_on(bundle, file)
    for position in sorted({0, 9, 100, n - 1, *range(n // 16, n, n // 8)}):
        data = bytearray(good)
        data[position] ^= 1
        path.write_bytes(data)
        refused(bundle, errors.KeyFormatError, "key", *command)
    path.write_bytes(good)
    assert zkchain(*command).code == 0


# -------------------------------------------------------------------------------------------------- inputs and models

INPUTS: Mapping[str, tuple[Any, type[errors.ZkchainError], str]] = {
    "wrong shape": ([[1, 2, 3]], errors.InputError, r"'x': expected shape \(1, 4\), got \(1, 3\)"),
    "two samples": ([[1, 2, 3, 4], [1, 2, 3, 4]], errors.InputError, r"expected shape \(1, 4\), got \(2, 4\)"),
    "ragged": ([[1, 2], [3]], errors.InputError, "'x' is no tensor"),
    "NaN": ([[1, float("nan"), 3, 4]], errors.InputError, r"element \(0, 1\): expected a finite number, got nan"),
    "infinite": ([[1, 2, 3, float("-inf")]], errors.InputError, r"element \(0, 3\): .*got -inf"),
    "text": ([["1", "2", "3", "4"]], errors.InputError, "expected numbers"),
    "nothing": ([], errors.InputError, "expected shape"),
    "out of domain": ([[1, 2, 3, 4.01]], errors.OutOfDomain, r"element \(0, 3\): 4.01 lies outside .*\[-4, 4\]"),
    "far out of domain": ([[1, 2, 3, -1e300]], errors.OutOfDomain, r"element \(0, 3\)"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_an_input(bundle: Path, name: str) -> None:
    value, error, message = INPUTS[name]
    sample = write_input(bundle.parent / "bad.json", {"x": value})
    refused(bundle, error, message, "prove", bundle, sample, "--proof", "new")


def test_an_unknown_operator(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(small_model(last="NonZero"))
    command = ("compile", tmp_path / "m.onnx", "--domain", "-1:1", "-o", tmp_path / "bundle")
    outcome = refused(tmp_path, errors.UnsupportedOp, "node 'out': operator NonZero is not supported", *command)
    assert re.search(r"hint: .*the README lists the \d+ operators", outcome.err), "where the supported ones are"


# ---------------------------------------------------------------------------------------------------------- the chain


@pytest.mark.parametrize("command", ["deploy", "submit"])
def test_an_unreachable_node(bundle: Path, command: str) -> None:
    outcome = refused(bundle, errors.NodeUnreachable, f"no answer from {RPC}", command, bundle, "--rpc", RPC)
    assert "hint: check that the node is running" in outcome.err


def test_kinds_of_error_have_exit_codes_of_their_own() -> None:
    """A script can tell them apart; a batch shares that of its proofs, a number that would wrap that of compiling."""
    kinds: list[type[errors.ZkchainError]] = [errors.ZkchainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = [kind.exit_code for kind in kinds if kind not in (errors.BatchInvalid, errors.Wraps)]
    assert len(set(codes)) == len(codes)
    assert not {0, 2, 130} & set(codes), "success, usage, Ctrl-C"
