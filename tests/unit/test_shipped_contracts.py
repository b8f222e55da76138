"""zkchain/solidity/contracts.json is what the compiler makes of contracts/, and what it was given makes it again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.ship_contracts import CONTRACTS, FILE, ROOT, main, shipped
from tests.helpers.evm import verifier
from tests.helpers.simulator import toxic_key
from zkchain import solidity
from zkchain.chain import Chain, deploy_shared
from zkchain.chain.transactions import salted_address
from zkchain.formats import shipped as package
from zkchain.r1cs import System
from zkchain.solidity import Artifact, compiler
from zkchain.solidity.compiler import SETTINGS, standard_input


def made_of(given: dict[str, Any], name: str) -> Artifact:
    """What solc answers to a standard JSON input, and to nothing else of ours."""
    output = compiler._asked(given)
    sources = {file: source["content"] for file, source in given["sources"].items()}
    return dict(compiler._artifacts(sources, output))[name]


def test_it_is_up_to_date() -> None:
    assert FILE.read_bytes() == shipped(), "run scripts/ship_contracts.py and look at the difference"
    assert main(["--check"]) == 0


def test_its_sources_are_those_of_the_repository() -> None:
    given = package.contract_input()
    assert given["settings"] == json.loads(json.dumps(SETTINGS))
    assert {f"contracts/{name}.sol" for name in CONTRACTS} < set(given["sources"])
    assert all(text["content"] == (ROOT / file).read_text() for file, text in given["sources"].items())


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_standard_input_compiles_to_what_is_deployed(name: str) -> None:
    """The test above does so through the cache."""
    again, kept = made_of(package.contract_input(), name), package.contract(name)
    assert (again.bytecode, again.runtime, again.immutables) == (kept.bytecode, kept.runtime, ())
    assert kept.runtime in kept.bytecode


def test_a_bundles_standard_input_compiles_to_what_is_deployed() -> None:
    """Verifier.input.json, as `zkchain solidity` writes it: metadata and all settings are in it."""
    artifact = verifier(System.CG16, 2)
    rendered = solidity.render(toxic_key(System.CG16, 2).vk)
    given = json.loads(json.dumps(standard_input({f"{rendered.name}.sol": rendered.source})))
    again = made_of(given, rendered.name)
    assert (again.bytecode, again.runtime) == (artifact.bytecode, artifact.runtime)
    assert given["settings"]["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}


def test_the_guide_names_the_address() -> None:
    guide = (ROOT / "docs" / "guide" / "forms.md").read_text()
    assert salted_address(package.contract(package.SHARED), 0) in guide


def test_one_address_everywhere(embedded: Chain) -> None:
    artifact = package.contract(package.SHARED)
    deployment = deploy_shared(embedded, artifact)
    assert deployment.address == salted_address(artifact, 0)
    assert deploy_shared(embedded, artifact).receipts == ()
    code = bytes(embedded.web3.eth.get_code(embedded.web3.to_checksum_address(deployment.address)))
    assert code == artifact.runtime
