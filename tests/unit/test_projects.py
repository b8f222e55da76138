"""Projects of other tools: what is written, that it compiles, that nothing is written half. Their own tests run in
tests/e2e/test_projects.py."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zkchain
from tests.helpers.cli_tools import Outcome, compile_into, names
from tests.helpers.cli_tools import zkchain as command
from zkchain import errors, solidity
from zkchain.formats import bundle as bundles
from zkchain.formats import contracts, files, folders, jsontext, shipped
from zkchain.formats.records import ContextRecord
from zkchain.groth16.transcript import context
from zkchain.projects import KINDS
from zkchain.projects.plan import PROJECTS
from zkchain.solidity.compiler import SETTINGS, SOLC_VERSION, find_solc

SYSTEMS = ("groth16", "cg16")
PLACE = "0x00000000000000000000000000000000000aBcde"
NAME = "Verifier_DEVELOPMENT_KEY"


@pytest.fixture(scope="module", params=SYSTEMS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zkchain.Bundle:
    """A bundle with two proofs, under cg16 one of them bound. Tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    assert compile_into(folder, "--system", request.param).code == 0
    assert command("setup", folder).code == 0
    opened = zkchain.open(folder)
    opened.save(opened.keys.prove(x=[[0.5, -1.25, 2.0, 0.0]]))
    bound = ContextRecord(777, PLACE, "0x" + "5a" * 32) if request.param == "cg16" else None
    opened.save(opened.keys.prove(x=[[-3.0, 1.0, 0.25, 4.0]], context=bound), "second")
    return opened


@pytest.fixture(scope="module")
def exported(bundle: zkchain.Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three projects, by their kind."""
    folder = tmp_path_factory.mktemp("projects")
    for kind in KINDS:
        outcome = command(
            "export", kind, bundle.folder, folder / kind, "--proof", "proof", "--proof", "second", "--json"
        )
        assert outcome.code == 0, outcome.err
        assert outcome.json["files"] == names(folder / kind)
        assert outcome.json["vk_hash"] == bundle.verifier.hash
    return folder


@pytest.fixture
def copy(bundle: zkchain.Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.folder, tmp_path / "bundle"))


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text()


def refused(outcome: Outcome, error: type[errors.ZkchainError], message: str, place: Path) -> None:
    """With the error's exit code, and nothing at the place."""
    assert outcome.code == error.exit_code, outcome.err
    assert re.search(message, outcome.err), outcome.err
    assert not place.exists() or names(place) == []
    assert [path for path in place.parent.iterdir() if path.name.endswith(".tmp")] == []


class TestFiles:
    @pytest.mark.parametrize("kind", KINDS)
    def test_they_are_those_of_the_plan(self, exported: Path, bundle: zkchain.Bundle, kind: str) -> None:
        expected = set(PROJECTS[kind].files)
        if room := PROJECTS[kind].contracts:
            expected |= {f"{room}/{name}.sol" for name in (NAME, "ModelKey", "ModelTypes")} | {
                f"{PROJECTS[kind].mocks}/{path}" if path.startswith("mocks/") else f"{room}/zkchain/{path}"
                for path in shipped.contracts()
            }
        if PROJECTS[kind].bindings:
            for proof in bundle.proofs:
                parts = ["proof.json", "public.json", "expected.json"]
                parts += ["context.json"] if bundle.proof(proof).context else []
                expected |= {f"proofs/{proof}/{part}" for part in parts}
        assert names(exported / kind) == sorted(expected)

    def test_nothing_is_left_unfilled(self, exported: Path) -> None:
        for name in names(exported):
            assert not re.search(r"\{\{|\{%|\{#|\bUndefined\b", text(exported, name)), name

    def test_contracts_to_build_on_come_along(self, exported: Path) -> None:
        there = shipped.contracts()
        assert {"ZkBinder.sol", "interfaces/IZkVerifier.sol", "mocks/MockZkVerifier.sol"} <= set(there)
        assert not any(path.startswith(("examples", "generated")) for path in there)
        assert text(exported, "foundry/src/zkchain/ZkBinder.sol") == there["ZkBinder.sol"]
        assert text(exported, "foundry/remappings.txt") == "zkchain/=src/zkchain/\n"
        for kind, room in (("foundry", "src"), ("hardhat", "contracts")):
            assert not list((exported / kind / room).rglob("*[Mm]ock*"))  # nobody imports or deploys one by mistake
            mock = text(exported, f"{kind}/test/mocks/MockZkVerifier.sol")
            moved = there["mocks/MockZkVerifier.sol"].replace('"../interfaces/', f'"../../{room}/zkchain/interfaces/')
            assert mock == moved
        assert text(exported, "hardhat/remappings.txt") == "zkchain/=contracts/zkchain/\n"

    def test_programs_can_be_run(self, exported: Path) -> None:
        assert (exported / "foundry/tools/solc.js").stat().st_mode & 0o111 == 0o111
        assert (exported / "foundry/README.md").stat().st_mode & 0o111 == 0

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_development_key_says_so(self, exported: Path, kind: str) -> None:
        assert "DEVELOPMENT key: whoever made it can forge proofs" in text(exported / kind, "README.md")

    def test_the_compiler_is_set_up_as_ours(self, exported: Path) -> None:
        profile = tomllib.loads(text(exported, "foundry/foundry.toml"))["profile"]["default"]
        assert profile["solc"] == SOLC_VERSION
        assert {key: profile[key] for key in ("evm_version", "via_ir", "optimizer", "optimizer_runs")} == {
            "evm_version": SETTINGS["evmVersion"],
            "via_ir": SETTINGS["viaIR"],
            "optimizer": SETTINGS["optimizer"]["enabled"],
            "optimizer_runs": SETTINGS["optimizer"]["runs"],
        }
        metadata = SETTINGS["metadata"]
        assert (profile["cbor_metadata"], profile["bytecode_hash"]) == (
            metadata["appendCBOR"],
            metadata["bytecodeHash"],
        )
        config = text(exported, "hardhat/hardhat.config.ts")
        for said in (f'version: "{SOLC_VERSION}"', "viaIR: true", "enabled: true, runs: 200", "appendCBOR: false"):
            assert said in config

    @pytest.mark.parametrize("kind", KINDS)
    def test_lock_files_are_of_the_packages_and_name_no_place(self, exported: Path, kind: str) -> None:
        package, lock = (json.loads(text(exported / kind, name)) for name in ("package.json", "package-lock.json"))
        root = lock["packages"][""]
        for group in ("devDependencies", "peerDependencies", "engines"):
            assert root.get(group) == package.get(group)
        for name, version in package["devDependencies"].items():
            assert lock["packages"][f"node_modules/{name}"]["version"] == version
        assert package["devDependencies"].get("solc", SOLC_VERSION) == SOLC_VERSION
        assert "resolved" not in text(exported / kind, "package-lock.json")
        assert all("integrity" in entry for path, entry in lock["packages"].items() if path)


class TestContents:
    def test_solidity_has_no_error_and_no_warning(self, exported: Path) -> None:
        """As far as types go: code is made by forge and Hardhat in the slow tests."""
        import solcx

        folder = exported / "foundry"
        sources = {name: {"content": text(folder, name)} for name in names(folder) if name.endswith(".sol")}
        assert len(sources) >= 7
        request = {
            "language": "Solidity",
            "sources": sources,
            "settings": {
                "evmVersion": "cancun",
                "outputSelection": {"*": {"*": ["abi"]}},
                "remappings": text(folder, "remappings.txt").split(),
            },
        }
        output = solcx.compile_standard(request, solc_binary=find_solc())
        assert [entry["formattedMessage"] for entry in output.get("errors", ())] == []
        tests = {entry["name"] for entry in output["contracts"]["test/Verifier.t.sol"]["VerifierTest"]["abi"]}
        assert {"test_proofsAreAccepted", "test_alteredWordsAreRefused", "testFuzz_alteredBitsAreRefused"} <= tests
        cg16 = "verifyBoundProof" in text(folder, f"src/{NAME}.sol")
        assert ("test_boundProofsAreAcceptedInTheirContextOnly" in tests) is cg16

    @pytest.mark.parametrize("kind", ["foundry", "hardhat"])
    def test_the_contract_is_the_verifier_of_the_key(self, exported: Path, bundle: zkchain.Bundle, kind: str) -> None:
        folder = PROJECTS[kind].contracts
        assert text(exported / kind, f"{folder}/{NAME}.sol") == bundle.verifier.contract().source
        assert bundle.verifier.hash in text(exported / kind, "test/Verifier.t.sol")

    def test_the_proofs_are_those_of_the_bundle(self, exported: Path, bundle: zkchain.Bundle) -> None:
        shown = text(exported, "foundry/test/Proofs.sol")
        for name in bundle.proofs:
            proof = bundle.proof(name)
            bound = None if proof.context is None else bytes.fromhex(proof.context.binder[2:])
            data = solidity.calldata(bundle.verifier.key, proof.elements, proof.instance, bound)
            assert f'hex"{data.hex()}"' in shown
            expected = json.loads(text(exported, f"typescript/proofs/{name}/expected.json"))
            assert expected["calldata"] == "0x" + data.hex()
            for kept in ("proof.json", "public.json"):
                written = text(exported, f"hardhat/proofs/{name}/{kept}")
                assert written == text(bundle.folder, f"proofs/{name}/{kept}")

    def test_claims_are_those_of_the_proofs(self, exported: Path, bundle: zkchain.Bundle) -> None:
        for name in bundle.proofs:
            expected = json.loads(text(exported, f"typescript/proofs/{name}/expected.json"))
            said = {claim["name"]: claim for claim in expected["claims"]}
            public = bundle.proof(name).public
            assert list(said) == list(public) == ["y", "label"]
            for tensor, values in public.items():
                assert np.reshape(said[tensor]["values"], said[tensor]["shape"]).tolist() == values.tolist()

    def test_a_bound_proof_keeps_its_context(self, exported: Path, bundle: zkchain.Bundle) -> None:
        shown = text(exported, "foundry/test/Proofs.sol")
        expected = json.loads(text(exported, "typescript/proofs/second/expected.json"))
        if bundle.verifier.key.system.value == "groth16":
            assert expected["context"] is None
            assert shown.count("address(0)") == 2
            return
        assert (
            f"777,\n                    address(uint160({int(PLACE, 16)})),\n                    0x{'5a' * 32},"
            in shown
        )
        assert expected["context"] == "0x" + context(777, bytes.fromhex(PLACE[2:]), b"\x5a" * 32).hex()
        kept = json.loads(text(exported, "typescript/proofs/second/context.json"))
        assert (kept["chain_id"], kept["contract"], kept["binder"]) == (777, PLACE.lower(), "0x" + "5a" * 32)

    def test_bindings_hold_abi_code_and_meaning(self, exported: Path, bundle: zkchain.Bundle) -> None:
        made = bundle.verifier.contract()
        abi = re.search(r"verifierAbi = (.*) as const;", text(exported, "typescript/src/abi.ts"), re.DOTALL)
        assert abi is not None
        assert json.loads(abi[1]) == [dict(entry) for entry in made.abi]
        assert f'"0x{made.bytecode.hex()}"' in text(exported, "typescript/src/code.ts")
        model = text(exported, "typescript/src/model.ts")
        for field in bundle.verifier.layout.fields:
            said = (f'name: "{field.name}"', f"offset: {field.offset}n", f"bits: {field.bits}", f"scale: {field.scale}")
            assert all(line in model for line in said)
        for name in names(exported / "typescript" / "src"):
            assert text(exported, f"hardhat/bindings/{name}") == text(exported, f"typescript/src/{name}")

    def test_binders_of_the_bindings_own_tests(self, exported: Path) -> None:
        """keccak256(abi.encode(consumer, caller, deadline 2^64 + counter)), by eth_abi."""
        from eth_abi.abi import encode
        from eth_utils.crypto import keccak

        source = text(exported, "typescript/test/bindings.test.ts")
        consumer, caller = re.findall(r'const (?:consumer|caller) = "(\w+)"', source)
        found = re.findall(r'counter: (\d+)n, deadline: (\d+)n, action: "0x(\w+)" }\),\s+"0x(\w+)"', source)
        assert len(found) == 4
        for counter, deadline, action, binder in found:
            turn = int(deadline) << 64 | int(counter)
            bound = keccak(encode(["address", "address", "uint256"], [consumer, caller, turn]))
            assert binder == (keccak(bound + bytes.fromhex(action)) if int(action, 16) else bound).hex()


@pytest.mark.parametrize("bundle", ["cg16"], indirect=True)
class TestRefusals:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_folder_that_holds_files(self, bundle: zkchain.Bundle, tmp_path: Path, kind: str) -> None:
        place = tmp_path / "project"
        place.mkdir()
        (place / "mine.txt").write_text("mine")
        outcome = command("export", kind, bundle.folder, place)
        assert outcome.code == errors.FormatError.exit_code
        assert "cannot write into" in outcome.err
        assert "'mine.txt'" in outcome.err
        assert "--force" in outcome.err
        assert names(place) == ["mine.txt"]
        (tmp_path / "file").write_text("")
        assert "is a file, expected a folder" in command("export", kind, bundle.folder, tmp_path / "file").err

    def test_force_replaces_files_of_its_names_alone(self, bundle: zkchain.Bundle, tmp_path: Path) -> None:
        place = tmp_path / "project"
        assert command("export", "foundry", bundle.folder, place).code == 0
        (place / "mine.txt").write_text("mine")
        (place / "foundry.toml").write_text("altered")
        assert command("export", "foundry", bundle.folder, place, "--force").code == 0
        assert text(place, "mine.txt") == "mine"
        assert tomllib.loads(text(place, "foundry.toml"))["profile"]["default"]["solc"] == SOLC_VERSION

    def test_an_empty_folder_is_filled(self, bundle: zkchain.Bundle, tmp_path: Path) -> None:
        place = tmp_path / "project"
        place.mkdir()
        before = place.stat().st_ino
        assert command("export", "typescript", bundle.folder, place).code == 0
        assert place.stat().st_ino == before  # a shell that stands in it still does

    def test_no_keys_and_no_proof(self, copy: Path, tmp_path: Path) -> None:
        place = tmp_path / "project"
        shutil.rmtree(copy / "proofs")
        outcome = command("export", "foundry", copy, place)
        refused(outcome, errors.BundleError, r"has no proof 'proof'(.|\n)*zkchain prove", place)
        manifest = json.loads(text(copy, "manifest.json"))
        del manifest["files"]["verification_key"]
        (copy / "manifest.json").write_bytes(jsontext.dumps(manifest))
        outcome = command("export", "hardhat", copy, place)
        refused(outcome, errors.BundleError, r"has no verification key(.|\n)*zkchain setup", place)
        refused(command("export", "typescript", tmp_path / "none", place), errors.BundleError, "no such folder", place)

    def test_a_proof_that_does_not_hold(self, copy: Path, tmp_path: Path) -> None:
        place, public = tmp_path / "project", copy / "proofs" / "second" / "public.json"
        words = json.loads(public.read_text())
        public.write_text(json.dumps([str(int(words[0]) ^ 1), *words[1:]]))
        for names_ in (("second",), ("proof", "second")):
            options = [option for name in names_ for option in ("--proof", name)]
            refused(command("export", "foundry", copy, place, *options), errors.ProofInvalid, "does not", place)
        assert command("export", "foundry", copy, place).code == 0

    def test_names_that_lead_elsewhere(self, copy: Path, tmp_path: Path) -> None:
        place = tmp_path / "project"
        outcome = command("export", "typescript", copy, place, "--proof", "../../proof")
        refused(outcome, errors.InputError, "proof name", place)
        opened = zkchain.open(copy)
        with pytest.raises(errors.InputError, match="proof name"):
            opened.verifier.export("typescript", place, {"../up": opened.proof()})
        assert not place.exists()

    def test_the_contract_is_not_what_a_stranger_put_into_the_bundle(self, copy: Path, tmp_path: Path) -> None:
        """Its name is taken, and nothing else; a name that leads elsewhere is none."""
        assert command("solidity", copy).code == 0
        honest = text(copy, "Verifier.sol")
        made = contracts.load((copy / "Verifier.json").read_bytes(), honest)
        lie = honest.replace("revert ProofInvalid()", "return").encode()
        bundles.update(copy, {"verifier": lie, "contract": contracts.dump(made)})
        bundles.update(copy, {"contract": contracts.dump(replace(made, name="Mine_DEVELOPMENT_KEY"))})
        assert command("export", "foundry", copy, tmp_path / "one").code == 0
        assert text(tmp_path / "one", "src/Mine_DEVELOPMENT_KEY.sol") == honest.replace(NAME, "Mine_DEVELOPMENT_KEY")
        bundles.update(copy, {"contract": contracts.dump(replace(made, name="../../up"))})
        outcome = command("export", "foundry", copy, tmp_path / "two")
        refused(outcome, errors.SolidityError, "expected a Solidity identifier", tmp_path / "two")

    @pytest.mark.parametrize("there", [False, True])
    def test_nothing_is_written_half(
        self, bundle: zkchain.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
    ) -> None:
        place, count = tmp_path / "project", 0
        if there:
            place.mkdir()
            (place / "foundry.toml").write_text("before")
        sync = files.sync

        def full(path: Path) -> None:
            nonlocal count
            count += 1
            if count == 9:
                raise OSError(28, "No space left on device")
            sync(path)

        monkeypatch.setattr(files, "sync", full)
        outcome = command("export", "foundry", bundle.folder, place, *(["--force"] if there else []))
        assert outcome.code == errors.FormatError.exit_code
        assert "No space left on device" in outcome.err
        assert [path.name for path in tmp_path.iterdir()] == (["project"] if there else [])
        if there:
            assert [path.name for path in place.rglob("*")] == ["foundry.toml"]
            assert text(place, "foundry.toml") == "before"


@pytest.mark.parametrize("bundle", ["cg16"], indirect=True)
class TestPython:
    def test_the_objects_do_the_same(self, bundle: zkchain.Bundle, exported: Path, tmp_path: Path) -> None:
        report = bundle.export("typescript", tmp_path / "one", proofs=["proof", "second"])
        assert report.proofs == ("proof", "second")
        given = {name: bundle.proof(name) for name in bundle.proofs}
        bundle.verifier.export("typescript", tmp_path / "two", given)
        for name in report.files:
            assert text(tmp_path / "one", name) == text(tmp_path / "two", name) == text(exported / "typescript", name)
        made = bundle.verifier.export("foundry", tmp_path / "three", bundle.proof(), name="Credit")
        assert made.contract == "Credit_DEVELOPMENT_KEY"
        assert (tmp_path / "three" / "src" / "Credit_DEVELOPMENT_KEY.sol").is_file()

    def test_wrong_arguments(self, bundle: zkchain.Bundle, tmp_path: Path) -> None:
        proof, place = bundle.proof(), tmp_path / "project"
        for kind in ("brownie", None):
            with pytest.raises(errors.ArgumentError, match="kind: expected one of foundry, hardhat, typescript"):
                bundle.export(kind, place)  # type: ignore[arg-type]
        for wrong in (None, [proof], {"proof": 3}):
            with pytest.raises(errors.ArgumentError, match="proofs: expected a Proof, or Proofs by name"):
                bundle.verifier.export("foundry", place, wrong)  # type: ignore[arg-type]
        with pytest.raises(errors.ProofFormatError, match="got none"):
            bundle.verifier.export("foundry", place, {})
        with pytest.raises(errors.SolidityError, match="expected a Solidity identifier"):
            bundle.verifier.export("foundry", place, proof, name="../up")
        assert not place.exists()


@pytest.mark.parametrize("bundle", ["cg16"], indirect=True)
def test_names_of_a_model_are_text_everywhere(bundle: zkchain.Bundle, tmp_path: Path) -> None:
    """A model's author chooses the names of its tensors; nothing that is written runs them."""
    odd, layout = 'y"${1}`*/\n|\u2028', bundle.verifier.layout
    fields = (replace(layout.fields[0], name=odd), *layout.fields[1:])
    verifier = replace(bundle.verifier, layout=replace(layout, fields=fields))
    for kind in KINDS:
        verifier.export(kind, tmp_path / kind, bundle.proof())
        row = next(line for line in text(tmp_path / kind, "README.md").splitlines() if line.startswith("| output `y"))
        assert row.count("|") == 5
        for name in names(tmp_path / kind):
            assert odd not in text(tmp_path / kind, name)
    assert json.dumps(odd) in text(tmp_path / "hardhat", "bindings/model.ts")


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.FormatError, match="cannot write"):
        folders.write(tmp_path / "file" / "project", {"a": ""})
    folders.write(tmp_path / "deep" / "er" / "project", {"a/b": "c"})
    assert text(tmp_path, "deep/er/project/a/b") == "c"
