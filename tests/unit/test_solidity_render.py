"""Rendering: what the source says, what it refuses, how large the code is."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.helpers.evm import constants, verifier
from tests.helpers.simulator import toxic_key
from zkchain import solidity
from zkchain._core import keccak256
from zkchain.bn254.curve import G2_GENERATOR, negate_g1, negate_g2
from zkchain.bn254.encoding import encode_g1
from zkchain.errors import SolidityError, UnsafeKey
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import Provenance, VerifyingKey
from zkchain.r1cs import System
from zkchain.solidity.compiler import MAX_CODE_BYTES
from zkchain.solidity.render import MAX_INLINE_INPUTS, POINTS_PER_DATA_CONTRACT, data_initcode, split_points

SHAPES = [
    (System.GROTH16, 1, False),
    (System.GROTH16, 1, True),
    (System.GROTH16, 3, True),
    (System.GROTH16, MAX_INLINE_INPUTS + 1, True),
    (System.CG16, 1, False),
    (System.CG16, 26, True),
]


def key(system: System, n: int = 2, *, development: bool = False) -> VerifyingKey:
    return toxic_key(system, n, development=development).vk


@pytest.mark.parametrize("system", System)
def test_a_development_key_says_so_in_name_and_source(system: System) -> None:
    made = solidity.render(key(system, development=True), name="Digits")
    assert made.name == "Digits_DEVELOPMENT_KEY"
    assert "contract Digits_DEVELOPMENT_KEY {" in made.source
    assert "// DEVELOPMENT KEY:" in made.source.splitlines()[1]


@pytest.mark.parametrize("system", System)
def test_a_ceremony_key_does_not(system: System) -> None:
    made = solidity.render(key(system), name="Digits")
    assert made.name == "Digits"
    assert "DEVELOPMENT" not in made.source


@pytest.mark.parametrize("system", System)
def test_a_contract_names_the_ceremony(system: System) -> None:
    said = Provenance(b"\xcd" * 32, 2, b"\xef" * 32, 6, "drand quicknet, round 5")
    source = solidity.render(replace(key(system), ceremony=said)).source
    assert f"/// @custom:ceremony transcript 0x{'cd' * 32}, contributions: 2\n" in source
    assert f"/// @custom:ptau power 6, sha256 0x{'ef' * 32}\n" in source
    assert "/// @custom:beacon drand quicknet, round 5\ncontract Verifier {" in source
    without = solidity.render(replace(key(system), ceremony=replace(said, beacon=None))).source
    assert "/// @custom:beacon none\n" in without
    assert "@custom:ceremony" not in solidity.render(key(system)).source


@pytest.mark.parametrize("name", ["", "1st", "Veri fier", "Verifier{}", "Vérif", "a;b"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(SolidityError, match="identifier"):
        solidity.render(key(System.GROTH16), name=name)


def unsafe(vk: VerifyingKey) -> dict[str, VerifyingKey]:
    keys = {
        "delta = gamma": replace(vk, delta_g2=vk.gamma_g2),
        "delta = -gamma": replace(vk, delta_g2=negate_g2(vk.gamma_g2)),
        "delta = G2": replace(vk, delta_g2=G2_GENERATOR),
        "delta = -G2": replace(vk, delta_g2=negate_g2(G2_GENERATOR)),
    }
    if vk.eta_g2 is not None:
        keys |= {
            "eta = delta": replace(vk, eta_g2=vk.delta_g2),
            "eta = -gamma": replace(vk, eta_g2=negate_g2(vk.gamma_g2)),
            "eta = G2": replace(vk, eta_g2=G2_GENERATOR),
        }
    return keys


@pytest.mark.parametrize("system", System)
def test_unsafe_keys_are_refused(system: System) -> None:
    for name, vk in unsafe(key(system)).items():
        with pytest.raises(UnsafeKey, match=r"\+-"):
            pytest.fail(f"{name}: {solidity.render(vk).name}")


def test_a_key_without_public_inputs_is_refused() -> None:
    vk = key(System.GROTH16, 1)
    with pytest.raises(SolidityError, match="without public inputs"):
        solidity.render(replace(vk, instance_length=0, gamma_abc_g1=vk.gamma_abc_g1[:1]))


@pytest.mark.parametrize("system", System)
def test_the_constants_are_the_key_with_signs_moved(system: System) -> None:
    vk = key(system)
    found = constants(solidity.render(vk, batch=True).source)
    g1 = {"MINUS_ALPHA": negate_g1(vk.alpha_g1)} | {f"IC_{i}": point for i, point in enumerate(vk.gamma_abc_g1)}
    g2 = {"BETA": vk.beta_g2, "MINUS_GAMMA": negate_g2(vk.gamma_g2), "MINUS_DELTA": negate_g2(vk.delta_g2)}
    if vk.eta_g2 is not None:
        g2["MINUS_ETA"] = negate_g2(vk.eta_g2)
    for name, (x, y) in g1.items():
        assert (found[f"{name}_X"], found[f"{name}_Y"]) == (x, y)
    for name, ((x0, x1), (y0, y1)) in g2.items():
        assert [found[f"{name}_{part}"] for part in ("X0", "X1", "Y0", "Y1")] == [x0, x1, y0, y1]
    assert found["VK_HASH"] == int.from_bytes(vkhash(vk), "big")


def test_rendering_is_deterministic() -> None:
    assert solidity.render(key(System.CG16)) == solidity.render(key(System.CG16))
    assert solidity.render(key(System.CG16)) != solidity.render(toxic_key(System.CG16, 2, label="other").vk)


@pytest.mark.parametrize(("system", "n", "batch"), SHAPES)
def test_the_source_reads_well(system: System, n: int, batch: bool) -> None:
    """NatSpec on everything, no long lines, nothing blank twice, no Yul return, no TODO of the template left."""
    source = solidity.render(key(system, n), batch=batch).source
    lines = source.splitlines()
    assert max(map(len, lines)) <= 120
    assert "\n\n\n" not in source
    assert source.endswith("}\n")
    assert not re.search(r"\breturn\s*\(\s*\w+\s*,", source)
    assert not re.search(r"[{][{%#]", source)
    for before, line in pairwise(lines):
        if re.match(r"\s*(function|error|struct|contract|constructor|modifier|event)\b", line):
            assert before.strip().startswith("///"), f"no NatSpec on: {line}"


@pytest.mark.parametrize(("system", "n", "batch"), SHAPES)
def test_it_compiles_without_a_warning_and_deploys_under_eip_170(system: System, n: int, batch: bool) -> None:
    artifact = verifier(system, n, batch=batch)
    assert artifact.warnings == ()
    assert len(artifact.runtime) <= MAX_CODE_BYTES
    assert {e["name"] for e in artifact.abi if e["type"] == "error"} >= {"ProofInvalid", "InputOutOfRange"}


def test_the_code_stays_small() -> None:
    """A byte costs 200 gas to deploy, and 7.6 times that under the scheduled EIP-8037."""
    assert len(verifier(System.GROTH16, 1).runtime) <= 1_120
    assert len(verifier(System.CG16, 2).runtime) <= 1_795
    assert len(verifier(System.CG16, 2, batch=True).runtime) <= 3_265


@pytest.mark.parametrize("n", [MAX_INLINE_INPUTS, MAX_INLINE_INPUTS + 1, 383, 384, 784])
def test_many_points_go_to_data_contracts(n: int) -> None:
    vk = key(System.GROTH16, n)
    chunks = split_points(vk.gamma_abc_g1[1:])
    if n <= MAX_INLINE_INPUTS:
        assert chunks == ()
        return
    assert len(chunks) == -(-n // POINTS_PER_DATA_CONTRACT)
    assert all(len(chunk.code) <= MAX_CODE_BYTES and chunk.code[0] == 0 for chunk in chunks)
    assert b"".join(chunk.code[1:] for chunk in chunks) == b"".join(map(encode_g1, vk.gamma_abc_g1[1:]))
    assert [chunk.code_hash for chunk in chunks] == [keccak256(chunk.code).hex() for chunk in chunks]
    source = solidity.render(vk)
    assert source.data == tuple(chunk.code for chunk in chunks)
    assert all(chunk.code_hash in source.source for chunk in chunks)


def test_cg16_never_needs_data_contracts() -> None:
    assert solidity.render(key(System.CG16, 2_000)).data == ()


def test_initcode_leaves_the_code() -> None:
    code = bytes(range(1, 100))
    initcode = data_initcode(code)
    assert initcode == bytes.fromhex("61006380600a3d393df3") + code
    assert initcode.endswith(code)
    assert len(initcode) == 10 + len(code)
