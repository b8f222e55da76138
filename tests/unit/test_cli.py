"""The command line: results on stdout, all else on stderr, one exit code a kind of error, nothing half written."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.cli_tools import (
    GOOD,
    Outcome,
    calibration,
    compile_into,
    names,
    npz_file,
    small_model,
    write_input,
    zkchain,
)
from zkchain import errors

SNAPSHOT = Path(__file__).parent.parent / "snapshots" / "help.txt"
COMMANDS = (
    *("compile", "tune", "setup", "prove", "verify", "solidity", "deploy", "submit", "consent", "calldata", "abi"),
    *("gas", "inspect", "demo", "export", "tx"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with keys and one proof. Tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("made") / "bundle"
    assert compile_into(folder).code == 0
    assert zkchain("setup", folder).code == 0
    assert zkchain("prove", folder, write_input(folder.parent / "input.json")).code == 0
    return folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "bundle")
    return tmp_path / "bundle"


def flip(path: Path, where: float = 0.7) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 4
    path.write_bytes(bytes(data))


def refused(outcome: Outcome, error: type[errors.ZkchainError], message: str) -> None:
    """The error's exit code, one ``error:`` line that says so, nothing on stdout, no traceback."""
    assert outcome.code == error.exit_code, outcome.err
    assert outcome.out == ""
    assert outcome.err.splitlines()[-2 if "hint:" in outcome.err else -1].startswith("error: ")
    assert re.search(message, outcome.err), outcome.err
    assert "Traceback" not in outcome.err


class TestTheWay:
    def test_compile_reports(self, tmp_path: Path) -> None:
        outcome = compile_into(tmp_path / "bundle", "--json")
        assert outcome.code == 0
        assert outcome.json["circuit"]["rows"] > 50
        assert outcome.json["circuit"]["evaluation"]["outputs"][0]["max_error"] < 0.02
        assert names(tmp_path / "bundle") == sorted(
            ["manifest.json", "model.onnx", "program.npz", "settings.json", "circuit.json", "worst_input.json"]
        )

    def test_setup_says_development_everywhere(self, bundle: Path) -> None:
        outcome = zkchain("setup", bundle)
        assert "DEVELOPMENT" in outcome.out
        assert "warning: " in outcome.err
        assert "DEVELOPMENT" in outcome.err
        assert zkchain("setup", bundle, "--json").json["development"] is True

    def test_prove_and_verify(self, bundle: Path) -> None:
        proved = zkchain("prove", bundle, write_input(bundle.parent / "i.json"), "--json", "--proof", "second")
        assert proved.code == 0
        verified = zkchain("verify", bundle, "--proof", "second", "--json")
        assert verified.code == 0
        assert verified.json["verified"] is True
        shown = {claim["name"]: claim["values"] for claim in verified.json["claims"]}
        assert shown == proved.json["outputs"]
        assert proved.json["proof_bytes"] == 256

    def test_what_contracts_build_on(self, bundle: Path) -> None:
        outcome = zkchain("solidity", bundle, "--types", "--json")
        assert outcome.code == 0, outcome.err
        assert [Path(file).name for file in outcome.json["types"]] == ["Types.sol", "Key.sol"]
        types, key = ((bundle / name).read_text() for name in ("Types.sol", "Key.sol"))
        assert "library ModelTypes" in types
        assert "function outputLabel(" in types
        assert outcome.json["vk_hash"] in key
        assert zkchain("solidity", bundle, "--types", "--name", "Credit").code == 0
        assert "abstract contract CreditKey" in (bundle / "Key.sol").read_text()
        assert zkchain("setup", bundle).code == 0
        states = {made["file"]: made["state"] for made in zkchain("inspect", bundle, "--json").json["artifacts"]}
        assert (states["Types.sol"], states["Key.sol"]) == ("current", "stale")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--for", "0x" + "11" * 20], "needs --caller"),
            (["--caller", "0x" + "11" * 20], "go with --for"),
            (["--counter", "1"], "go with --for"),
            (["--for", "0x12", "--caller", "0x" + "11" * 20], "no address"),
            (["--for", "0x" + "11" * 20, "--caller", "0x" + "11" * 20, "--binder", "00" * 32], "exclude each other"),
        ],
    )
    def test_what_a_turn_needs(self, made: Path, options: list[str], said: str) -> None:
        outcome = zkchain("prove", made, write_input(made.parent / "turn.json"), *options)
        assert outcome.code == 2
        assert said in " ".join(outcome.err.replace("\u2502", " ").split())

    def test_a_turn_needs_a_contract(self, made: Path) -> None:
        turn = ["--for", "0x" + "11" * 20, "--caller", "0x" + "22" * 20]
        refused(
            zkchain("prove", made, write_input(made.parent / "turn.json"), *turn),
            errors.ChainError,
            "none was deployed",
        )

    def test_text_and_json_say_the_same(self, bundle: Path) -> None:
        text, values = zkchain("verify", bundle).out, zkchain("verify", bundle, "--json").json
        assert values["circuit"] in text
        label = next(claim for claim in values["claims"] if claim["name"] == "label")
        assert re.search(rf"output label +\[?{label['values'][0]}", text)

    def test_npz_with_many_samples(self, bundle: Path) -> None:
        data = bundle.parent / "many.npz"
        npz_file(data, **calibration())
        first = zkchain("prove", bundle, data, "--index", 0, "--json")
        second = zkchain("prove", bundle, data, "--index", 1, "--json")
        assert first.code == second.code == 0
        assert first.json["outputs"] != second.json["outputs"]
        refused(zkchain("prove", bundle, data, "--index", 40), errors.InputError, "no sample 40")
        refused(zkchain("prove", bundle, data), errors.InputError, r"expected shape \(1, 4\), got \(40, 4\)")

    def test_many_inputs_under_one_key(self, bundle: Path) -> None:
        folder = bundle.parent
        npz_file(folder / "two.npz", x=calibration(2)["x"])
        files = (write_input(folder / "i.json"), write_input(folder / "j.json"))
        outcome = zkchain("prove", bundle, *files, "--proof", "pair", "--json")
        assert [Path(one["folder"]).name for one in outcome.json["proofs"]] == ["pair-0", "pair-1"]
        assert zkchain("prove", bundle, folder / "two.npz", "--all", "--proof", "each").code == 0
        first = zkchain("verify", bundle, "--proof", "each-0", "--json").json["claims"]
        second = zkchain("verify", bundle, "--proof", "each-1", "--json").json["claims"]
        assert first != second
        assert zkchain("prove", bundle, folder / "two.npz", "--all", "--index", "1").code == 2

    def test_the_first_bad_input_stops_many(self, bundle: Path) -> None:
        bad = write_input(bundle.parent / "bad.json", {"x": [[1e9, 0, 0, 0]]})
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"), bad)
        refused(outcome, errors.OutOfDomain, "input 'x'")
        assert [path.name for path in (bundle / "proofs").glob("proof-*")] == ["proof-0"]

    def test_timings(self, bundle: Path) -> None:
        given = write_input(bundle.parent / "i.json")
        outcome = zkchain("prove", bundle, given, "--timings")
        assert re.search(r"^start +.* ms", outcome.out, re.MULTILINE)
        assert re.search(r"^prove: quotient +.* ms", outcome.out, re.MULTILINE)
        stages = zkchain("prove", bundle, given, "--json").json["seconds"]
        assert "start" not in stages
        assert {"open", "witness", "prove: h", "write"} <= set(stages)

    def test_memory_is_bounded_or_refused(self, bundle: Path) -> None:
        given = write_input(bundle.parent / "i.json")
        assert zkchain("prove", bundle, given, "--memory", "4G").code == 0
        assert zkchain("setup", bundle, "--memory", "4G").code == 0
        for command in (("prove", bundle, given), ("setup", bundle)):
            refused(
                zkchain(*command, "--memory", "1M"), errors.MemoryTooSmall, r"bound of 1 MiB .* takes at least \d+ MiB"
            )
            assert zkchain(*command, "--memory", "much").code == 2
        assert zkchain("prove", bundle, given).code == 0, "the keys of before are still there"

    def test_public_input_and_private_output(self, tmp_path: Path) -> None:
        folder = tmp_path / "bundle"
        assert compile_into(folder, "--public-input", "x", "--private-output", "y").code == 0
        assert zkchain("setup", folder).code == 0
        proved = zkchain("prove", folder, write_input(tmp_path / "i.json"))
        assert "(private)" in proved.out
        claims = {claim["name"]: claim["values"] for claim in zkchain("verify", folder, "--json").json["claims"]}
        assert set(claims) == {"x", "label"}
        assert np.allclose(claims["x"], GOOD["x"], atol=0.01)

    def test_cg16(self, tmp_path: Path) -> None:
        folder = tmp_path / "bundle"
        assert compile_into(folder, "--system", "cg16").code == 0
        assert zkchain("setup", folder).code == 0
        assert zkchain("prove", folder, write_input(tmp_path / "i.json"), "--json").json["proof_bytes"] == 320
        assert zkchain("verify", folder).code == 0

    def test_inspect(self, bundle: Path) -> None:
        values = zkchain("inspect", bundle, "--json").json
        assert values["circuit"]["system"] == "groth16"
        assert values["proofs"] == ["proof"]
        assert "relu" in zkchain("inspect", bundle).out

    @pytest.mark.parametrize("file", ["model.onnx", "program.npz", "proving_key.zkpk", "verification_key.json"])
    def test_inspect_tells_damage(self, bundle: Path, file: str) -> None:
        def states(expected: str) -> None:
            for option in ((), ("--json",)):
                outcome = zkchain("inspect", bundle, *option)
                assert outcome.code == errors.BundleError.exit_code
                assert f"is damaged: {file} is {expected}" in outcome.err
                assert "hint: " in outcome.err
            found = {made["file"]: made["state"] for made in outcome.json["artifacts"]}
            assert {name for name, state in found.items() if state == expected} == {file}
            assert set(found.values()) == {"current", expected}
            assert re.search(rf"^{file} .* {expected.upper()}$", zkchain("inspect", bundle).out, re.MULTILINE)

        good = (bundle / file).read_bytes()
        flip(bundle / file)
        states("altered")
        (bundle / file).write_bytes(good[:-1])
        states("altered")
        (bundle / file).unlink()
        states("missing")
        (bundle / file).write_bytes(good)
        assert zkchain("inspect", bundle).code == 0

    def test_inspect_tells_what_is_stale(self, bundle: Path) -> None:
        assert compile_into(bundle, seed=2).code == 0
        outcome = zkchain("inspect", bundle, "--json")
        assert outcome.code == 0, "old keys are no damage"
        assert {made["name"] for made in outcome.json["artifacts"] if made["state"] == "stale"} == {
            "proving_key",
            "verification_key",
        }

    def test_exports_for_circom(self, bundle: Path) -> None:
        r1cs, wtns = bundle.parent / "c.r1cs", bundle.parent / "w.wtns"
        assert zkchain("circom", "export", bundle, "--r1cs", r1cs).code == 0
        sample = write_input(bundle.parent / "i.json")
        assert zkchain("circom", "export", bundle, sample, "--wtns", wtns).code == 0
        assert r1cs.read_bytes()[:4] == b"r1cs"
        assert wtns.read_bytes()[:4] == b"wtns"
        assert compile_into(bundle, "--system", "cg16").code == 0
        refused(zkchain("circom", "export", bundle, "--r1cs", r1cs), errors.FormatError, "challenge")
        refused(zkchain("circom", "export", bundle, sample, "--wtns", wtns), errors.CompileError, "challenge")

    def test_contract_on_the_embedded_chain(self, bundle: Path) -> None:
        contract = zkchain("solidity", bundle, "--json")
        assert contract.code == 0, contract.err
        assert "DEVELOPMENT" in contract.json["name"]
        deployed = zkchain("deploy", bundle)
        assert deployed.code == 0
        shown = zkchain("inspect", bundle, "--json").json["vk_hash"]
        assert contract.json["vk_hash"] == shown
        assert shown in deployed.out
        assert f"VK_HASH = {shown};" in (bundle / "Verifier.sol").read_text()
        sent = zkchain("submit", bundle, "--json")
        assert sent.code == 0, sent.err
        estimated = zkchain("gas", bundle, "--json")
        assert estimated.code == 0, estimated.err


class TestCompileRefuses:
    def test_corrupt_model(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(small_model()[:-100])
        outcome = zkchain("compile", model, "--domain", "-1:1", "-o", tmp_path / "b")
        refused(outcome, errors.ModelError, "ONNX|model|tensor")
        assert names(tmp_path) == ["m.onnx"]

    def test_noise(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(bytes(range(256)) * 4)
        refused(zkchain("compile", model, "-o", tmp_path / "b"), errors.ModelError, "not an ONNX model")

    def test_missing_model(self, tmp_path: Path) -> None:
        outcome = zkchain("compile", tmp_path / "none.onnx", "-o", tmp_path / "b")
        refused(outcome, errors.ModelError, r"cannot read model .*none.onnx: No such file")

    def test_unknown_operator(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(small_model(last="NonZero"))
        outcome = zkchain("compile", model, "--domain", "-1:1", "-o", tmp_path / "b")
        refused(outcome, errors.UnsupportedOp, r"node 'out': operator NonZero is not supported")
        assert "the README lists the" in outcome.err, "says where the supported ones are"

    def test_a_folder_of_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "model.onnx").write_text("mine")
        refused(compile_into(tmp_path / "b"), errors.BundleError, r"holds other files \('model.onnx'\)")
        refused(zkchain("demo", "-o", tmp_path / "b"), errors.BundleError, "holds other files")
        assert (tmp_path / "b" / "model.onnx").read_text() == "mine"
        assert zkchain("compile", tmp_path / "small1.onnx", "--domain", "-4:4", "-o", "").code == 2

    def test_no_domain_and_no_data(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(small_model())
        refused(zkchain("compile", model, "-o", tmp_path / "b"), errors.InputError, "input 'x'.*domain")

    def test_data_of_another_shape(self, tmp_path: Path) -> None:
        model, data = tmp_path / "m.onnx", tmp_path / "d.npz"
        model.write_bytes(small_model())
        npz_file(data, x=np.zeros((10, 5)))
        outcome = zkchain("compile", model, "--data", data, "-o", tmp_path / "b")
        refused(outcome, errors.InputError, r"input 'x': expected shape \(N, 4\), got \(10, 5\)")

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"x": [[0, 0, 0, 0], [0, np.nan, 0, 0]]}, r"sample 1: input 'x', element \(0, 1\): .*finite.*nan"),
            ({"x": np.full((5, 4), 1e300)}, r"input 'x': its domain reaches .*, expected magnitudes from 2\^-62"),
            ({"x": np.full((5, 4), 1e30)}, r"input 'x': its domain reaches"),
            ({"x": np.eye(4), "labels": [0, 1, np.nan, 2]}, "calibration data: label 2: expected an integer, got nan"),
            ({"x": np.eye(4), "labels": [0, 1, 1.5, 2]}, "calibration data: label 2: expected an integer, got 1.5"),
        ],
    )
    def test_data_that_makes_no_sense(self, tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
        model, data = tmp_path / "m.onnx", tmp_path / "d.npz"
        model.write_bytes(small_model())
        npz_file(data, **{name: np.asarray(array) for name, array in arrays.items()})
        refused(zkchain("compile", model, "--data", data, "-o", tmp_path / "b"), errors.InputError, message)

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--public-input", "z", "no input 'z'"),
            ("--private-output", "z", "no output 'z'"),
            ("--domain", "z=0:1", "domain for"),
            ("--domain", "x=2:1", "lo <= hi"),
        ],
    )
    def test_unknown_names(self, tmp_path: Path, option: str, value: str, message: str) -> None:
        refused(compile_into(tmp_path / "b", option, value), errors.InputError, message)
        assert not (tmp_path / "b").exists()

    def test_nothing_public(self, tmp_path: Path) -> None:
        outcome = compile_into(tmp_path / "b", "--private-output", "y", "--private-output", "label")
        refused(outcome, errors.CompileError, "public")


class TestProveRefuses:
    @pytest.mark.parametrize(
        ("tensors", "error", "message"),
        [
            ({"x": [[1, 2, 3]]}, errors.InputError, r"input 'x': expected shape \(1, 4\), got \(1, 3\)"),
            ({"y": [[1, 2, 3, 4]]}, errors.InputError, "no array for input 'x'"),
            ({"x": [[1, float("nan"), 3, 4]]}, errors.InputError, r"element \(0, 1\).*nan"),
            ({"x": [[1, 2, float("inf"), 4]]}, errors.InputError, r"element \(0, 2\).*inf"),
            ({"x": [["a", "b", "c", "d"]]}, errors.InputError, "expected numbers"),
            ({"x": [[1, 2, 3, 4.5]]}, errors.OutOfDomain, r"element \(0, 3\): 4.5 lies outside"),
            ({"x": [[1, 2, 3, -1e30]]}, errors.OutOfDomain, r"element \(0, 3\)"),
        ],
    )
    def test_bad_input(
        self, bundle: Path, tensors: dict[str, Any], error: type[errors.ZkchainError], message: str
    ) -> None:
        before = names(bundle)
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "bad.json", tensors), "--proof", "bad")
        refused(outcome, error, message)
        assert names(bundle) == before

    def test_missing_input(self, bundle: Path) -> None:
        refused(zkchain("prove", bundle, bundle / "none.json"), errors.InputError, "cannot read input")

    def test_before_setup(self, tmp_path: Path) -> None:
        assert compile_into(tmp_path / "b").code == 0
        outcome = zkchain("prove", tmp_path / "b", write_input(tmp_path / "i.json"))
        refused(outcome, errors.BundleError, "has no proving key")
        assert "hint: run `zkchain setup" in outcome.err

    def test_key_of_another_circuit(self, bundle: Path) -> None:
        assert compile_into(bundle, seed=2).code == 0
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"))
        refused(outcome, errors.KeyMismatch, r"proving key was made for circuit \w{12}\.\.\., this circuit is \w{12}")
        assert "hint: run `zkchain setup" in outcome.err

    def test_key_file_of_another_bundle(self, bundle: Path, tmp_path: Path) -> None:
        other = tmp_path / "other" / "bundle"
        assert compile_into(other, seed=2).code == 0
        assert zkchain("setup", other).code == 0
        shutil.copy(other / "proving_key.zkpk", bundle / "proving_key.zkpk")
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"))
        refused(outcome, errors.KeyFormatError, "proving key .* is .*altered")

    @pytest.mark.parametrize("damage", [flip, lambda path: os.truncate(path, path.stat().st_size // 2)])
    def test_damaged_key(self, bundle: Path, damage: Callable[[Path], object]) -> None:
        damage(bundle / "proving_key.zkpk")
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"), "--proof", "bad")
        refused(outcome, errors.KeyFormatError, "altered")
        assert not (bundle / "proofs" / "bad").exists()

    @pytest.mark.parametrize("file", ["program.npz", "settings.json"])
    def test_damaged_bundle(self, bundle: Path, file: str) -> None:
        flip(bundle / file)
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"))
        refused(outcome, errors.BundleError, f"{file} is altered")

    def test_damaged_manifest(self, bundle: Path) -> None:
        path = bundle / "manifest.json"
        text = path.read_text()
        path.write_text(text.replace(json.loads(text)["files"]["program"]["sha256"], "0" * 64))
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"))
        assert outcome.code in range(14, 20), outcome.err
        assert "Traceback" not in outcome.err

    @pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden", ""])
    def test_proof_name_that_leaves_the_bundle(self, bundle: Path, name: str) -> None:
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"), "--proof", name)
        refused(outcome, errors.InputError, "proof name")
        assert "hint: it names a folder" in outcome.err


class TestVerifyRefuses:
    def change(self, path: Path, edit: Callable[[Any], object]) -> None:
        document = json.loads(path.read_text())
        path.write_text(json.dumps(edit(document) or document))

    def test_altered_proof(self, bundle: Path) -> None:
        self.change(bundle / "proofs/proof/proof.json", lambda p: p.update(pi_a=p["pi_c"]))
        refused(zkchain("verify", bundle), errors.ProofInvalid, "")

    def test_altered_public_input(self, bundle: Path) -> None:
        self.change(bundle / "proofs/proof/public.json", lambda p: [str(int(p[0]) + 1), *p[1:]])
        refused(zkchain("verify", bundle), errors.ProofInvalid, "")

    def test_public_input_plus_r(self, bundle: Path) -> None:
        from zkchain.bn254 import R

        self.change(bundle / "proofs/proof/public.json", lambda p: [str(int(p[0]) + R), *p[1:]])
        refused(zkchain("verify", bundle), errors.ProofFormatError, "")

    def test_wrong_number_of_public_inputs(self, bundle: Path) -> None:
        self.change(bundle / "proofs/proof/public.json", lambda p: p[:-1])
        refused(zkchain("verify", bundle), errors.ProofFormatError, "expected 4 .*got 3")

    def test_point_off_the_curve(self, bundle: Path) -> None:
        self.change(bundle / "proofs/proof/proof.json", lambda p: p.update(pi_a=["1", "1", "1"]))
        refused(zkchain("verify", bundle), errors.ProofFormatError, "")

    def test_proof_of_another_key(self, bundle: Path, tmp_path: Path) -> None:
        assert zkchain("setup", bundle).code == 0
        refused(zkchain("verify", bundle), errors.ProofInvalid, "")

    def test_damaged_circuit_record(self, bundle: Path) -> None:
        flip(bundle / "circuit.json")
        refused(zkchain("verify", bundle), errors.BundleError, "circuit.json is altered")

    def test_no_proof(self, bundle: Path) -> None:
        refused(zkchain("verify", bundle, "--proof", "none"), errors.BundleError, "no proof 'none'")


class TestChainRefuses:
    def test_unreachable_rpc(self, bundle: Path) -> None:
        assert zkchain("solidity", bundle).code == 0
        before = names(bundle)
        for command in ("deploy", "submit"):
            outcome = zkchain(command, bundle, "--rpc", "http://127.0.0.1:9")
            refused(outcome, errors.NodeUnreachable, "127.0.0.1:9")
        assert names(bundle) == before

    def test_altered_proof_reverts(self, bundle: Path) -> None:
        path = bundle / "proofs/proof/public.json"
        words = json.loads(path.read_text())
        path.write_text(json.dumps([str(int(words[0]) + 1), *words[1:]]))
        outcome = zkchain("submit", bundle)
        refused(outcome, errors.TransactionReverted, "ProofInvalid|revert")

    def test_a_password_file_that_is_no_text(self, bundle: Path) -> None:
        store, password = bundle.parent / "k", bundle.parent / "p"
        store.write_text('{"crypto": {}}')
        password.write_bytes(b"\xff\xfe")
        outcome = zkchain("deploy", bundle, "--keystore", store, "--password-file", password)
        refused(outcome, errors.ChainError, "password file .*: expected text")

    @pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"crypto": 7}', b"[" * 100_000])
    def test_what_is_no_keystore_is_told_before_a_password_is_asked_for(
        self, bundle: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
    ) -> None:
        monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("asked for a password"))
        (bundle.parent / "k").write_bytes(content)
        outcome = zkchain("deploy", bundle, "--keystore", bundle.parent / "k")
        refused(outcome, errors.ChainError, "keystore .*: expected JSON with a `crypto` section")

    def test_no_terminal_to_ask_for_a_password(self, bundle: Path) -> None:
        (bundle.parent / "k").write_text('{"crypto": {}}')
        line = [sys.executable, "-m", "zkchain", "deploy", str(bundle), "--keystore", str(bundle.parent / "k")]
        environment = {name: value for name, value in os.environ.items() if name != "ZKCHAIN_KEYSTORE_PASSWORD"}
        outcome = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
        assert outcome.returncode == errors.ChainError.exit_code
        assert outcome.stdout == ""
        assert re.fullmatch(r"error: keystore .* no terminal .*\nhint: .*--password-file.*\n", outcome.stderr)

    def test_missing_keystore(self, bundle: Path) -> None:
        outcome = zkchain("deploy", bundle, "--keystore", bundle / "none.json")
        refused(outcome, errors.ChainError, "cannot read keystore")


class TestCommandLine:
    def test_help_is_the_snapshot(self) -> None:
        assert help_text() == SNAPSHOT.read_text(), "help changed: if meant, run scripts/snapshots.py"

    def test_every_command_is_in_the_help(self) -> None:
        top = zkchain("--help").out
        assert all(re.search(rf"^  {command} ", top, re.MULTILINE) for command in COMMANDS)

    @pytest.mark.parametrize("arguments", [["fly"], ["compile"], ["prove", "b"], ["compile", "m", "-o", "b", "--max"]])
    def test_wrong_usage(self, arguments: list[str]) -> None:
        outcome = zkchain(*arguments)
        assert outcome.code == 2
        assert outcome.out == ""
        assert "Usage: zkchain" in outcome.err

    @pytest.mark.parametrize(
        "option", [("--system", "plonk"), ("--domain", "0-1"), ("--domain", "x=0:1/0"), ("--batch", "0")]
    )
    def test_wrong_option(self, tmp_path: Path, option: tuple[str, ...]) -> None:
        assert compile_into(tmp_path / "b", *option).code == 2

    @pytest.mark.parametrize(
        "arguments",
        [("gas", "--gas-price", "inf"), ("deploy", "--password-file", "p"), ("setup", "--memory", "999999999T")],
    )
    def test_a_value_out_of_bounds(self, bundle: Path, arguments: tuple[str, ...]) -> None:
        command, *options = arguments
        outcome = zkchain(command, bundle, *options)
        assert outcome.code == 2
        assert "Usage: zkchain" in outcome.err

    @pytest.mark.parametrize("option", ["--domain", "--input-shape"])
    def test_said_twice_of_one_input(self, tmp_path: Path, option: str) -> None:
        first, second = ("x=0:1", "x=0:2") if option == "--domain" else ("x=1x4", "x=2x4")
        outcome = compile_into(tmp_path / "b", option, first, option, second)
        assert outcome.code == 2
        assert "already" in outcome.err
        assert not (tmp_path / "b").exists()

    def test_every_kind_of_error_has_a_hint(self, capsys: pytest.CaptureFixture[str]) -> None:
        from zkchain import cli

        kinds = [errors.ZkchainError]
        for kind in kinds:
            kinds += kind.__subclasses__()
            error = kind.__new__(kind)
            error.message, error.hint = "what", None
            cli.report(error)
            assert re.fullmatch(r"error: what\nhint: .+\n", capsys.readouterr().err), kind

    def test_a_file_is_no_bundle(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(small_model())
        outcome = zkchain("prove", model, write_input(tmp_path / "i.json"))
        refused(outcome, errors.BundleError, "m.onnx is a file, expected a bundle")
        assert "-o FOLDER" in outcome.err
        assert "inspect --graph" in outcome.err

    def test_not_a_bundle(self, tmp_path: Path) -> None:
        for command in ("setup", "verify", "solidity", "deploy", "submit", "gas", "inspect"):
            refused(zkchain(command, tmp_path), errors.BundleError, "is not a bundle")
        for command in ("setup", "inspect"):
            outcome = zkchain(command, tmp_path / "nope.onnx")
            refused(outcome, errors.BundleError, "nope.onnx: there is no such folder")
            assert "hint: check the path" in outcome.err

    def test_a_domain_for_a_name_that_is_close(self, tmp_path: Path) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(small_model(x="image"))
        outcome = zkchain("compile", model, "--domain", "imge=0:1", "-o", tmp_path / "b")
        refused(outcome, errors.InputError, "domain for .'imge'.")
        assert outcome.err.endswith("hint: did you mean 'image'?\n")
        outcome = zkchain("compile", model, "--domain", "image=0..1", "-o", tmp_path / "b")
        assert outcome.code == 2
        assert "numbers with colons between them" in " ".join(outcome.err.split())

    def test_help_starts_fast(self) -> None:
        assert min(cpu_seconds("--help") for _ in range(3)) < 0.3

    def test_help_imports_nothing_heavy(self) -> None:
        code = "import sys; from zkchain import cli; cli.run(['--help']); print(sorted(sys.modules))"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert not re.search(r"'(numpy|onnx|onnxruntime|web3|pydantic|scipy|rich|jinja2|solcx|zkchain\._core)'", loaded)

    def test_verify_imports_no_contracts_and_no_chain(self, bundle: Path) -> None:
        code = f"import sys; from zkchain import cli; cli.run(['verify', {str(bundle)!r}]); print(sorted(sys.modules))"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert "'zkchain.form'" in loaded
        assert not re.search(r"'(onnx|onnxruntime|web3|scipy|jinja2|solcx|zkchain\.solidity|zkchain\.chain)'", loaded)

    def test_debug_shows_the_traceback(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = zkchain("inspect", tmp_path)
        assert "Traceback" not in plain.err
        monkeypatch.setenv("ZKCHAIN_DEBUG", "1")
        traced = zkchain("inspect", tmp_path)
        assert traced.code == plain.code == errors.BundleError.exit_code
        assert traced.err.startswith("Traceback (most recent call last):")
        assert traced.err.endswith(plain.err)

    def test_interrupt_leaves_nothing_half_written(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from zkchain import pipeline

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        before = {name: (bundle / name).read_bytes() for name in names(bundle)}
        monkeypatch.setattr(pipeline, "setup", interrupted)
        assert zkchain("setup", bundle).code == 130
        assert {name: (bundle / name).read_bytes() for name in names(bundle)} == before


def cpu_seconds(*arguments: str) -> float:
    """Processor time of one command: what it costs, however busy the machine is."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "zkchain", *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def help_text() -> str:
    """Help of the program and of every command, 80 columns wide and without colour."""
    before = {name: os.environ.get(name) for name in ("COLUMNS", "TERMINAL_WIDTH", "NO_COLOR")}
    os.environ.update(COLUMNS="80", TERMINAL_WIDTH="80", NO_COLOR="1")
    try:
        pages = [zkchain("--help").out, *(zkchain(command, "--help").out for command in COMMANDS)]
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return "\n".join(pages)


class TestWhatTheSystemRefuses:
    """No folder, no room, no right: an error, no traceback, and files as they were."""

    def test_a_folder_in_the_place_of_a_file(self, bundle: Path) -> None:
        for path in (bundle.parent, Path(".")):
            refused(
                zkchain("circom", "export", bundle, "--r1cs", path),
                errors.FormatError,
                "cannot write .* it is a folder",
            )

    def test_a_file_in_the_place_of_a_folder(self, bundle: Path) -> None:
        (bundle.parent / "file").write_text("")
        target = bundle.parent / "file" / "c.r1cs"
        refused(zkchain("circom", "export", bundle, "--r1cs", target), errors.FormatError, f"cannot write {target}: ")
        refused(zkchain("demo", "--files", target.parent), errors.FormatError, "cannot write ")
        (bundle / "proofs" / "new").write_text("")
        outcome = zkchain("prove", bundle, write_input(bundle.parent / "i.json"), "--proof", "new")
        refused(outcome, errors.FormatError, "cannot write .*proofs/new/public.json")

    @pytest.mark.parametrize("command", ["setup", "prove", "solidity"])
    def test_a_full_disk(self, bundle: Path, command: str) -> None:
        """Stood in for by a limit on the size of files."""
        arguments = (write_input(bundle.parent / "i.json"), "--proof", "new") if command == "prove" else ()
        before = {name: (bundle / name).read_bytes() for name in names(bundle)}
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
        try:
            outcome = zkchain(command, bundle, *arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        refused(outcome, errors.FormatError, "cannot write .*: File too large")
        assert "hint: " in outcome.err
        assert {name: (bundle / name).read_bytes() for name in names(bundle)} == before

    def test_what_nobody_foresaw(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from zkchain import workspace

        monkeypatch.setattr(workspace, "inspect_bundle", lambda folder: 1 // 0, raising=False)
        refused(zkchain("inspect", bundle), errors.ZkchainError, "unforeseen ZeroDivisionError")
        monkeypatch.setenv("ZKCHAIN_DEBUG", "1")
        assert "ZeroDivisionError: " in zkchain("inspect", bundle).err.split("\nerror: ")[0]


class TestTheTerminal:
    """What others wrote is shown, never obeyed; what cannot be shown or written is an ordinary error."""

    def test_control_characters_are_shown(self, tmp_path: Path) -> None:
        evil = "\x1b[2J\nerror: none\u202e\x9b"
        model, folder = tmp_path / "m.onnx", tmp_path / "b"
        model.write_bytes(small_model(x=f"x{evil}", y=f"y{evil}", name=f"n{evil}"))
        outcomes = [
            zkchain("compile", model, "--domain", "-4:4", "-o", folder),
            zkchain("inspect", folder),
            zkchain("inspect", folder, "--json"),
            zkchain("prove", folder, write_input(tmp_path / "i.json", {evil: [[0, 0, 0, 0]]})),
        ]
        model.write_bytes(small_model(last="NonZero", name=f"n{evil}"))
        outcomes.append(zkchain("compile", model, "--domain", "-4:4", "-o", tmp_path / "c"))
        assert [outcome.code for outcome in outcomes] == [0, 0, 0, 19, errors.UnsupportedOp.exit_code]
        for outcome in outcomes:
            assert all(c.isprintable() or c == "\n" for c in outcome.out + outcome.err), outcome
        assert r"input x\x1b[2J\nerror: none\u202e\x9b" in outcomes[1].out
        assert all(len(outcome.err.splitlines()) == 2 for outcome in outcomes[3:])

    def command(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "zkchain", *map(str, arguments)]
        return subprocess.run(line, stderr=subprocess.PIPE, text=True, **options)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_no_room_for_the_output(self, made: Path) -> None:
        for arguments in (("inspect", made), ("inspect", made, "--json"), ("--help",)):
            with Path("/dev/full").open("w") as full:
                outcome = self.command(*arguments, stdout=full)
            assert outcome.returncode == errors.FormatError.exit_code
            assert re.fullmatch(r"error: cannot read or write stdout: No space .*\nhint: .*\n", outcome.stderr)

    def test_standard_streams_that_are_closed(self, made: Path) -> None:
        """As daemons have them: a result that goes nowhere is no success, and nothing else is lost but what is said."""

        def closed(streams: str, *arguments: object) -> subprocess.CompletedProcess[str]:
            line = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "zkchain", *map(str, arguments)]
            return subprocess.run(line, capture_output=True, text=True)

        unwritten = closed(">&-", "verify", made)
        assert re.fullmatch(r"error: cannot read or write stdout: Bad file .*\nhint: .*\n", unwritten.stderr)
        assert unwritten.returncode == errors.FormatError.exit_code
        unheard = closed("<&- 2>&-", "verify", made, "--json")
        assert json.loads(unheard.stdout)["verified"] is True
        assert unheard.returncode == 0
        failed = closed("<&- >&- 2>&-", "verify", made / "none")
        assert (failed.returncode, failed.stdout, failed.stderr) == (errors.BundleError.exit_code, "", "")

    def test_a_path_that_the_terminal_cannot_show(self, bundle: Path) -> None:
        folder = bundle.rename(bundle.parent / "b\u00fcndel")
        outcome = self.command(
            "inspect", folder, stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"}
        )
        assert outcome.returncode == 0, outcome.stderr
        assert r"b\xfcndel" in outcome.stdout


def test_progress_shows_details_on_stderr_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zkchain.cli.console import progress

    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)  # noqa: B023
        monkeypatch.setenv("COLUMNS", "120")
        with progress() as step:
            step("import", 1.0)
            step("quantise for cg16: round 1, attempt 2", 0.1)
            step("quantise for cg16: round 1, attempt 3", 0.2)
        out, err = capsys.readouterr()
        assert not out
        assert ("quantise for cg16" in err and "round 1, attempt 3" in err) == terminal
        assert err.count("import") <= 3  # one bar a stage, whatever its details
