"""The library that decodes public words, on the EVM, against ``Layout.decode``; the contracts that pin a key."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from eth_abi.abi import decode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.evm import compiled, encode_call
from tests.helpers.public_words import DIGEST, encoded, interface, named, port, probe, wad, zoo
from tests.helpers.simulator import toxic_key
from zkchain.bn254 import R
from zkchain.chain import Chain, Deployment, call, connect, deploy, gas
from zkchain.circuit.interface import Interface
from zkchain.circuit.layout import Layout
from zkchain.errors import ProofFormatError, SolidityError, TransactionReverted
from zkchain.formats import shipped
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import Instance, System
from zkchain.solidity import render_key, render_types
from zkchain.solidity.compiler import needed
from zkchain.solidity.types import name_fields

ZOO = {system: zoo(system) for system in System}
FEW = settings(max_examples=1, suppress_health_check=[HealthCheck.too_slow], deadline=None)
MANY = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@cache
def probed(system: System) -> tuple[Chain, Deployment]:
    """A contract over the zoo's library."""
    meaning = ZOO[system]
    sources = {"ModelTypes.sol": render_types(meaning, DIGEST), "Probe.sol": probe(meaning)}
    chain = connect()
    artifact = compiled(sources)["Probe"]
    assert artifact.warnings == ()
    return chain, deploy(chain, artifact)


def answer(system: System, name: str, kind: str, *arguments: object) -> Any:
    chain, deployment = probed(system)
    (found,) = decode([kind], call(chain, deployment, encode_call(deployment.artifact, name, *arguments)))
    return found


def numbers(meaning: Interface) -> st.SearchStrategy[list[list[int]]]:
    """Integers of every field, within its width; ends more often than chance has them."""
    fields = []
    for field in meaning.fields:
        ends = (-field.offset, (1 << field.bits) - 1 - field.offset)
        low, high = max(ends[0], 1 - 2**62), min(ends[1], 2**62 - 1)
        each = st.one_of(st.sampled_from([low, high, 0]), st.integers(low, high))
        fields.append(st.lists(each, min_size=field.size, max_size=field.size))
    return st.tuples(*fields).map(list)


def agrees(system: System, chosen: list[list[int]]) -> None:
    """Every function of the library says what Python's decoding says."""
    meaning = ZOO[system]
    instance = encoded(meaning, chosen)
    parts = Layout(system, meaning.fields).decode(instance)
    for f, part in zip(name_fields(meaning), parts, strict=True):
        values, kind, given_ = part.ravel().tolist(), "int256", list(instance)
        some = sorted({0, len(values) - 1})
        if f.field.size > 1:
            assert answer(system, f"{f.ident}All", f"{kind}[]", given_) == tuple(values)
        for i in some:
            at: list[object] = [given_] if f.field.size == 1 else [given_, i]
            assert answer(system, f.ident, kind, *at) == values[i]
            assert unsigned(system, f.ident, at) == (values[i] if values[i] >= 0 else None)
            if f.wad:
                assert answer(system, f"{f.ident}Wad", kind, *at) == wad(f.field, values[i])
            if f.missing:
                assert answer(system, f"{f.ident}IsMissing", "bool", *at) == (values[i] == f.field.missing[i])


def unsigned(system: System, ident: str, at: list[object]) -> int | None:
    """What the accessor of numbers that are not negative says; None where it refuses."""
    try:
        return int(answer(system, f"{ident}Uint", "uint256", *at))
    except TransactionReverted as error:
        return None if error.name == "Negative" else -1


@pytest.mark.parametrize("system", System)
@FEW
@given(data=st.data())
def test_it_decodes_as_python_does(system: System, data: st.DataObject) -> None:
    agrees(system, data.draw(numbers(ZOO[system])))


@pytest.mark.slow
@pytest.mark.parametrize("system", System)
@MANY
@given(data=st.data())
def test_it_decodes_as_python_does_at_length(system: System, data: st.DataObject) -> None:
    agrees(system, data.draw(numbers(ZOO[system])))


def verdicts(system: System, instance: Instance) -> None:
    """Words that no circuit gives: refused by the library where Python refuses them."""
    meaning = ZOO[system]
    try:
        Layout(system, meaning.fields).decode(instance)
        fine = True
    except ProofFormatError:
        fine = False
    told = []
    for f in name_fields(meaning):
        name, kind = (f.ident, "int256") if f.field.size == 1 else (f"{f.ident}All", "int256[]")
        try:
            answer(system, name, kind, list(instance))
            told.append(True)
        except TransactionReverted:
            told.append(False)
    assert all(told) == fine


@pytest.mark.parametrize("system", System)
@FEW
@given(data=st.data())
def test_words_of_no_circuit(system: System, data: st.DataObject) -> None:
    meaning = ZOO[system]
    words = list(encoded(meaning, data.draw(numbers(meaning))))
    place = data.draw(st.integers(0, len(words) - 1))
    words[place] = data.draw(st.one_of(st.integers(0, R - 1), st.sampled_from([2**62, R - 2**62, R // 2, R // 2 + 1])))
    verdicts(system, tuple(words))


@pytest.mark.parametrize("system", System)
def test_lengths_places_and_names(system: System) -> None:
    meaning = ZOO[system]
    instance = list(encoded(meaning, [[0] * f.size for f in meaning.fields]))
    for wrong in (instance[:-1], [*instance, 0], []):
        with pytest.raises(TransactionReverted, match="InstanceLength"):
            answer(system, "outputLabel", "int256", wrong)
    with pytest.raises(TransactionReverted, match="NoSuchElement"):
        answer(system, "outputLogits", "int256", instance, 10)
    assert [answer(system, "inputColourName", "string", i) for i in range(3)] == ["red", 'gr"ün\\', ""]
    with pytest.raises(TransactionReverted, match="NoSuchElement"):
        answer(system, "inputColourName", "string", 3)


def test_identifiers_are_what_solidity_takes_and_differ() -> None:
    found = named(ZOO[System.CG16])
    assert found["label"].ident == "outputLabel"
    assert found["label_wad"].ident == "outputLabelWad_2"  # outputLabelWad is label's
    assert found["a/b:0 @x\n*/ é"].ident == "outputAB0X"
    assert found["a b 0"].ident == "outputAB0"
    assert "\n" not in found["a/b:0 @x\n*/ é"].shown
    assert "@" not in found["a/b:0 @x\n*/ é"].shown
    twice = interface(System.CG16, [port("x", (1,), 0, 1), port("X", (1,), 0, 1)], [port("x", (1,), 0, 1)])
    assert [f.ident for f in name_fields(twice)] == ["inputX", "inputX_2", "outputX"]


def test_scales_that_no_wad_holds_have_none() -> None:
    found = named(ZOO[System.CG16])
    assert found["label_wad"].wad is None  # 1e60 * 1e18 * 2^62 is more than 2^255
    assert found["a b 0"].wad is None  # a step of 1e-80 is a fraction over 2^255
    assert found["logits"].wad == (10**18 // 2**18, 2**9)


@pytest.mark.parametrize("name", ["", "1x", "a b", "é", "x;"])
def test_names_that_are_no_identifiers_are_refused(name: str) -> None:
    with pytest.raises(SolidityError, match="expected a Solidity identifier"):
        render_types(ZOO[System.CG16], DIGEST, name)


class TestKey:
    """Key.sol pins a key for each way of binding."""

    def compiled(self, system: System, meaning: Interface, *, development: bool = True) -> tuple[str, Any]:
        layout = Layout(system, meaning.fields)
        vk = toxic_key(system, layout.length, development=development).vk
        text = render_key(vk, layout, gas.enough(vk), "Toy")
        given_ = {f"zkchain/{path}": source for path, source in shipped.contracts().items()}
        made = compiled(needed({**given_, "ToyKey.sol": text}, ["ToyKey.sol"]))
        assert {w for artifact in made.values() for w in artifact.warnings} == set()
        assert vkhash(vk).hex() in text
        return text, made

    @pytest.mark.parametrize("system", System)
    def test_a_circuit_that_binds_gets_consumers(self, system: System) -> None:
        text, made = self.compiled(system, ZOO[system])
        assert {"ToyKey", "ToySharedKey"} <= set(made)
        assert "VK_HASH_DEVELOPMENT" in text
        words = {System.CG16: "BY_CHALLENGE", System.GROTH16: str(35 + 1 + 3 + 2)}
        assert f"VK_HASH_DEVELOPMENT, {words[system]}, VERIFIER_GAS" in text

    def test_a_plain_circuit_without_a_binder_says_so(self) -> None:
        plain = interface(System.GROTH16, [], [port("y", (1,), 0, 9)])
        text, made = self.compiled(System.GROTH16, plain, development=False)
        assert "ToySharedKey" not in made
        assert "_verifyUnbound" in text
        assert "BOUND TO NOTHING" in text
        assert "DEVELOPMENT" not in text

    @pytest.mark.parametrize(
        "odd", [("binder", (1, 3), 0, 2**52 - 1), ("binder", (1, 4), 0, 2**51 - 1), ("Binder", (1, 4), 0, 2**52 - 1)]
    )
    def test_what_is_no_binder(self, odd: tuple[str, tuple[int, ...], int, int]) -> None:
        meaning = interface(System.GROTH16, [port(*odd)], [port("y", (1,), 0, 9)])
        assert Layout(System.GROTH16, meaning.fields).binding is None
