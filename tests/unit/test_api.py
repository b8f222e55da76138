"""The objects that a person holds: what they do, how they look, and that no argument is taken for another."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import zkchain
from tests.helpers.cli_tools import npz_file, small_model
from zkchain.errors import (
    ArgumentError,
    BundleError,
    ChainError,
    CompileError,
    FormatError,
    InputError,
    KeyFormatError,
    KeyMismatch,
    ModelError,
    OutOfDomain,
    ProofFormatError,
    ProofInvalid,
    TransactionReverted,
)
from zkchain.formats.records import ContextRecord

RNG = np.random.default_rng(7)
X = RNG.uniform(-3, 3, (1, 4)).astype(np.float32)
DATA = {"x": RNG.uniform(-3, 3, (40, 4)).astype(np.float32)}


@pytest.fixture(scope="module")
def circuit() -> zkchain.Circuit:
    return zkchain.compile(small_model(), DATA, domain=(-4, 4), system="cg16")


@pytest.fixture(scope="module")
def keys(circuit: zkchain.Circuit) -> zkchain.Keys:
    return circuit.setup()


@pytest.fixture(scope="module")
def proof(keys: zkchain.Keys) -> zkchain.Proof:
    return keys.prove(x=X)


@pytest.fixture(scope="module")
def contract(keys: zkchain.Keys) -> zkchain.Contract:
    return zkchain.connect().deploy(keys.verifier)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, circuit: zkchain.Circuit, keys: zkchain.Keys) -> zkchain.Bundle:
    folder = tmp_path_factory.mktemp("api") / "bundle"
    circuit.save(folder)
    keys.save(folder)
    return zkchain.open(folder)


# -- what they do


def test_the_whole_way(proof: zkchain.Proof, keys: zkchain.Keys, contract: zkchain.Contract) -> None:
    keys.verifier.verify(proof)
    receipt = contract.submit(proof)
    assert receipt.gas_used > 200_000
    assert set(proof.public) == set(proof.outputs)
    for name, value in proof.public.items():
        np.testing.assert_array_equal(value, proof.outputs[name])


def test_the_same_objects_on_disk(
    bundle: zkchain.Bundle, circuit: zkchain.Circuit, keys: zkchain.Keys, proof: zkchain.Proof
) -> None:
    assert bundle.circuit.digest == circuit.digest
    assert str(bundle.circuit).splitlines()[:4] == str(circuit).splitlines()[:4]
    assert bundle.keys.digest == keys.digest
    assert bundle.verifier.hash == keys.verifier.hash
    bundle.save(bundle.keys.prove(x=X), "other")
    again = bundle.proof("other")
    assert bundle.proofs == ("other",)
    assert again.instance == proof.instance
    keys.verifier.verify(again)
    assert bundle.keys is bundle.keys


def test_a_circuit_from_disk_is_saved_and_set_up_again(bundle: zkchain.Bundle, tmp_path: Path) -> None:
    bundle.circuit.save(tmp_path / "copy")
    copied = zkchain.open(tmp_path / "copy")
    assert copied.circuit.digest == bundle.circuit.digest
    fresh = copied.circuit.setup()
    assert fresh.digest != bundle.keys.digest
    fresh.verifier.verify(fresh.prove(x=X))


def test_models_and_data_are_taken_as_they_come(tmp_path: Path, circuit: zkchain.Circuit) -> None:
    path, data = tmp_path / "small.onnx", tmp_path / "data.npz"
    path.write_bytes(small_model())
    npz_file(data, **DATA)
    for model, samples in ((path, data), (str(path), str(data)), (onnx.load_from_string(small_model()), DATA)):
        made = zkchain.compile(model, samples, domain={"x": zkchain.Domain(-4, 4)}, system="cg16")
        assert made.digest == circuit.digest


class Tensor:
    """As torch has it: numpy takes it when it is detached and on this device."""

    def __init__(self, values: Any, ready: bool = False) -> None:
        self.values, self.ready = values, ready

    def detach(self) -> Tensor:
        return Tensor(self.values, True)

    def cpu(self) -> Tensor:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if not self.ready:
            raise RuntimeError("it requires grad")
        return np.asarray(self.values, dtype)


def test_tensors_lists_and_samples_without_a_batch_are_inputs(keys: zkchain.Keys, proof: zkchain.Proof) -> None:
    for given in (Tensor(X), X.tolist(), X[0], X.astype(np.float64)):
        assert keys.prove(x=given).instance == proof.instance
    assert keys.prove({"x": X}).instance == proof.instance
    many = keys.prover().prove_all(x=np.concatenate([X, -X]))
    assert [p.instance for p in many] == [proof.instance, keys.prove(x=np.concatenate([X, -X]), index=1).instance]


def test_auto_is_the_default_and_says_why() -> None:
    made = zkchain.compile(small_model(), domain=(-4, 4))
    assert made.reason
    assert made.reason in str(made).splitlines()[4]
    assert len(str(made).splitlines()) == 5
    assert "<table>" in made._repr_html_()


def test_proofs_that_do_not_hold(
    keys: zkchain.Keys, proof: zkchain.Proof, contract: zkchain.Contract, bundle: zkchain.Bundle
) -> None:
    words = (proof.instance[0] ^ 1, *proof.instance[1:])
    forged = type(proof)(proof.elements, words, proof.layout, proof.outputs)
    with pytest.raises(ProofInvalid):
        keys.verifier.verify(forged)
    with pytest.raises(zkchain.ZkchainError):
        contract.submit(forged)
    with pytest.raises(KeyMismatch):
        keys.verifier.verify(proof, vk_hash=bytes(32))
    keys.verifier.verify(proof, vk_hash=keys.verifier.hash)
    with pytest.raises(KeyMismatch):
        keys.prover(key_digest=bytes(32))


def test_a_proof_is_bound_to_a_contract(keys: zkchain.Keys, contract: zkchain.Contract) -> None:
    bound = keys.prove(x=X, context=contract.bind(bytes(31) + b"\x01"))
    keys.verifier.verify(bound)
    assert contract.submit(bound).gas_used > 200_000
    other = zkchain.connect().deploy(keys.verifier)
    other.submit(keys.prove(x=X, context=other.bind(bytes(32))))
    elsewhere = keys.prove(x=X, context=ContextRecord(7, contract.address, "0x" + "00" * 32))
    with pytest.raises(ChainError, match="bound to contract"):
        contract.submit(elsewhere)


def test_a_contract_is_found_again(keys: zkchain.Keys, contract: zkchain.Contract) -> None:
    found = zkchain.Chain(contract.connection).at(contract.address, keys.verifier)
    assert found.address == contract.address
    with pytest.raises(ChainError):
        zkchain.Chain(contract.connection).at("0x" + "11" * 20, keys.verifier)


def test_keys_of_another_circuit_go_into_no_bundle(bundle: zkchain.Bundle, tmp_path: Path) -> None:
    other = zkchain.compile(small_model(2), domain=(-4, 4), system="cg16").setup()
    with pytest.raises(KeyMismatch, match="save the circuit"):
        other.save(bundle.folder)
    with pytest.raises(BundleError):
        other.save(tmp_path)


# -- how they look


def test_every_repr_is_one_short_line(
    circuit: zkchain.Circuit,
    keys: zkchain.Keys,
    proof: zkchain.Proof,
    contract: zkchain.Contract,
    bundle: zkchain.Bundle,
) -> None:
    held = [
        *(circuit, keys, keys.verifier, keys.prover(), proof, contract, bundle, zkchain.Chain(contract.connection)),
        *(zkchain.Domain(np.zeros(1000), np.ones(1000)), zkchain.Settings(), zkchain.System.CG16),
        *(contract.submit(proof), keys.verifier.contract(), keys.pair, contract.deployment, keys.verifier.key),
        *(proof.elements, circuit.rows, keys.verifier.gas()),
    ]
    for thing in held:
        said = repr(thing)
        assert "\n" not in said
        assert len(said) <= 200, said[:300]


# -- arguments


Functions = list[tuple[Callable[..., Any], tuple[Any, ...]]]


def with_options(
    circuit: zkchain.Circuit,
    keys: zkchain.Keys,
    proof: zkchain.Proof,
    contract: zkchain.Contract,
    bundle: zkchain.Bundle,
) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Every public function and method that takes options, and what it needs before them."""
    yield zkchain.compile, (small_model(),)
    yield zkchain.connect, ()
    yield circuit.setup, ()
    yield keys.prover, ()
    yield keys.verifier.verify, (proof,)
    yield keys.verifier.contract, ()
    yield keys.verifier.gas, ()
    yield zkchain.Chain(contract.connection).deploy, (keys.verifier,)


@pytest.fixture(scope="module")
def functions(
    circuit: zkchain.Circuit,
    keys: zkchain.Keys,
    proof: zkchain.Proof,
    contract: zkchain.Contract,
    bundle: zkchain.Bundle,
) -> Functions:
    return list(with_options(circuit, keys, proof, contract, bundle))


class Strange:
    """Something that no parameter takes."""


def test_a_misspelt_keyword_is_a_type_error(functions: Functions) -> None:
    for function, needed in functions:
        for name in inspect.signature(function).parameters:
            for wrong in (name[:-1], name + "s_", "sytem"):
                if wrong not in inspect.signature(function).parameters:
                    with pytest.raises(TypeError, match="unexpected keyword"):
                        function(*needed, **{wrong: None})


def test_a_misspelt_option_of_prove_is_no_input(keys: zkchain.Keys) -> None:
    for wrong in ("indx", "contxt", "progres", "y"):
        given: dict[str, Any] = {"x": X, wrong: 1}
        with pytest.raises(InputError, match=f"no input '{wrong}'"):
            keys.prove(**given)


def test_a_value_of_a_wrong_type_is_an_error_that_names_its_parameter(functions: Functions) -> None:
    for function, needed in functions:
        parameters = list(inspect.signature(function).parameters.values())
        for k, parameter in enumerate(parameters):
            with pytest.raises(zkchain.ZkchainError, match=f"{parameter.name}.*Strange"):
                function(*needed[:k], **{parameter.name: Strange()})


WRONG_VALUES: Mapping[str, tuple[Any, ...]] = {
    "system": ("grot16", "", "CG16"),
    "batch": (0, -1, 1.5, True, "2"),
    "domain": ((1,), (0, 1, 2, 3), (5, 1), ("a", "b"), {"nobody": (0, 1)}, (0, float("inf")), (0, 1, -1), 3),
    "public_inputs": (("nobody",), 3, [1]),
    "private_outputs": (("nobody",), 3),
    "outputs": (("nobody",), 3),
    "accept_error": (1, "yes", None),
    "max_error": (-1.0, 0.0, float("nan"), "0.1", True),
    "settings": (3, "fine", {}),
    "shapes": ({"x": "1x4"}, {"x": (1, -4)}, {1: (1, 4)}, (1, 4)),
    "progress": (3, "loud"),
    "data": ({"x": "no numbers"}, {"x": [object()]}, 3, {3: X}, "no-such-file.npz"),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_value_is_an_error_of_the_tree(name: str) -> None:
    usual: dict[str, Any] = {} if name in ("domain", "data") else {"domain": (-4, 4)}
    for value in WRONG_VALUES[name]:
        with pytest.raises(zkchain.ZkchainError):
            zkchain.compile(small_model(), **usual, **{name: value})


def test_every_option_of_compile_has_wrong_values() -> None:
    assert set(inspect.signature(zkchain.compile).parameters) - {"model"} == set(WRONG_VALUES)


def test_models_that_are_none(tmp_path: Path) -> None:
    for model in (tmp_path / "none.onnx", b"no model", str(tmp_path)):
        with pytest.raises(ModelError):
            zkchain.compile(model, domain=(0, 1))
    for wrong in (3, None, ["small.onnx"]):
        with pytest.raises(ArgumentError, match="model: expected a path"):
            zkchain.compile(wrong, domain=(0, 1))  # type: ignore[arg-type]


def test_choices_are_named_and_the_closest_told() -> None:
    with pytest.raises(ArgumentError, match="expected one of groth16, cg16, auto, got 'grot16'") as caught:
        zkchain.compile(small_model(), domain=(-4, 4), system="grot16")
    assert caught.value.hint == "did you mean 'groth16'?"
    with pytest.raises(ArgumentError, match="exclude each other"):
        zkchain.compile(small_model(), domain=(-4, 4), max_error=0.1, settings=zkchain.Settings())


def test_inputs_are_looked_at_before_any_proving(keys: zkchain.Keys) -> None:
    with pytest.raises(OutOfDomain):
        keys.prove(x=X + 100)
    for wrong in (X[:, :3], "text", [[1, 2], [3]], Strange(), X + np.nan):
        with pytest.raises(InputError):
            keys.prove(x=wrong)
    with pytest.raises(InputError):
        keys.prove()
    options: tuple[dict[str, Any], ...] = ({"index": -1}, {"index": "0"}, {"context": 3}, {"progress": 3})
    for option in options:
        with pytest.raises(ArgumentError):
            keys.prove(x=X, **option)


def test_what_is_no_proof_or_verifier_is_refused(
    keys: zkchain.Keys, contract: zkchain.Contract, bundle: zkchain.Bundle, proof: zkchain.Proof
) -> None:
    chain = zkchain.Chain(contract.connection)
    for call in (
        lambda: keys.verifier.verify(proof.elements),  # type: ignore[arg-type]
        lambda: contract.submit(proof.instance),  # type: ignore[arg-type]
        lambda: contract.submit_batch([proof, 3]),  # type: ignore[list-item]
        lambda: contract.bind("0x12"),
        lambda: chain.deploy(keys),  # type: ignore[arg-type]
        lambda: chain.deploy(keys.verifier, batch="yes"),  # type: ignore[arg-type]
        lambda: chain.at(3, keys.verifier),  # type: ignore[arg-type]
        lambda: bundle.save(3),  # type: ignore[arg-type]
        lambda: zkchain.connect(3),  # type: ignore[arg-type]
        lambda: zkchain.connect(timeout=-1),
        lambda: keys.prover(memory=0),
        lambda: keys.verifier.gas(gas_price="cheap"),  # type: ignore[arg-type]
    ):
        with pytest.raises((ArgumentError, InputError)):
            call()


def test_many_proofs_in_one_transaction(keys: zkchain.Keys, contract: zkchain.Contract, proof: zkchain.Proof) -> None:
    chain = zkchain.Chain(contract.connection)
    with pytest.raises(ChainError, match="has no verifyBatch") as caught:
        contract.submit_batch([proof, proof])
    assert "batch=True" in str(caught.value.hint)
    many = chain.deploy(keys.verifier, batch=True)
    assert many.submit_batch([proof, keys.prove(x=-X)]).gas_used < 2 * many.submit(proof).gas_used
    assert chain.at(many.address, keys.verifier, batch=True).address == many.address
    lie = replace(proof, instance=(proof.instance[0] + 1, *proof.instance[1:]))
    with pytest.raises(TransactionReverted):
        many.submit_batch([proof, lie])


def test_what_is_said_twice_or_hidden_is_refused(keys: zkchain.Keys) -> None:
    with pytest.raises(ArgumentError, match="given twice"):
        keys.prove({"x": X}, x=X)
    with pytest.raises(InputError, match="masked"):
        keys.prove(x=np.ma.masked_array(X, mask=[[True, False, False, False]]))
    with pytest.raises(ArgumentError, match="each name once"):
        zkchain.compile(small_model(), domain=(-4, 4), outputs=["y", "y"])


def test_samples_outside_the_domain_are_counted() -> None:
    far = np.concatenate([DATA["x"], np.full((3, 4), 9, np.float32)])
    made = zkchain.compile(small_model(), {"x": far}, domain=(-4, 4), system="cg16")
    assert "3 more lie outside the domain" in str(made).splitlines()[3]


def test_paths_that_are_none(
    circuit: zkchain.Circuit, proof: zkchain.Proof, keys: zkchain.Keys, bundle: zkchain.Bundle, tmp_path: Path
) -> None:
    calls: tuple[Callable[[Any], object], ...] = (circuit.save, proof.save, keys.verifier.load, zkchain.open)
    for no_path in (3, None, b"x", "a\0b"):
        for call in calls:
            with pytest.raises(ArgumentError, match="folder: expected a path"):
                call(no_path)
    for no_place in (3, "a\0b"):
        with pytest.raises(ArgumentError, match="place: expected a path"):
            circuit.setup(place=no_place)  # type: ignore[arg-type]
    (tmp_path / "there").write_bytes(b"")
    for place in (tmp_path / "there", tmp_path / "none" / "k"):
        with pytest.raises(FormatError, match="cannot write the proving key"):
            circuit.setup(place=place)
    for no_name in (3, None):
        with pytest.raises(ArgumentError):
            bundle.proof(no_name)  # type: ignore[arg-type]


def test_a_bundle_keeps_proofs_of_its_own(bundle: zkchain.Bundle) -> None:
    other = zkchain.compile(small_model(2), domain=(-4, 4), system="cg16").setup()
    with pytest.raises(zkchain.ZkchainError):
        bundle.save(other.prove(x=X), "stranger")
    assert "stranger" not in bundle.proofs


def test_proofs_that_somebody_put_together(keys: zkchain.Keys, proof: zkchain.Proof) -> None:
    for part in ({"instance": None}, {"instance": ("a",)}, {"instance": (1.5,)}, {"elements": None}, {"context": "x"}):
        with pytest.raises(ProofFormatError, match="not of the kind"):
            keys.verifier.verify(replace(proof, **part))


def test_domains_and_settings_that_are_none() -> None:
    domains: tuple[tuple[Any, ...], ...] = (("a", "b"), (0, object()), (0, 1, "x"), (0, 1, np.array([1, 2])))
    for domain in domains:
        with pytest.raises(InputError):
            zkchain.Domain(*domain)
    settings: tuple[dict[str, Any], ...] = (
        {"weight_bits": 8.5},
        {"weight_bits": "8"},
        {"max_error": "a"},
        {"input_bits": True},
    )
    for setting in settings:
        with pytest.raises(CompileError):
            zkchain.Settings(**setting)


def test_plain_proofs_are_bound_to_nothing() -> None:
    made = zkchain.compile(small_model(), domain=(-4, 4), system="groth16").setup()
    contract = zkchain.connect().deploy(made.verifier)
    with pytest.raises(ArgumentError, match="bound to nothing"):
        contract.bind(bytes(32))
    with pytest.raises(ArgumentError, match="goes with rpc"):
        zkchain.connect(account="0x" + "11" * 32)


def test_an_altered_key_makes_no_proof(circuit: zkchain.Circuit, keys: zkchain.Keys, tmp_path: Path) -> None:
    """Opening maps the key; its sections are read against their digests before the first proof, by whatever way."""
    folder = tmp_path / "bundle"
    circuit.save(folder)
    keys.save(folder)
    path = folder / "proving_key.zkpk"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    stages: list[str] = []
    with pytest.raises(KeyFormatError, match="altered"):
        zkchain.open(folder).keys.prove(x=X, progress=lambda stage, done: stages.append(stage))
    assert stages == ["key: digests"]


def test_the_front_door_offers_what_it_lists() -> None:
    assert sorted(zkchain.__all__) == sorted(set(zkchain.__all__))
    assert all(getattr(zkchain, name) is not None for name in zkchain.__all__)
    assert Path(os.path.dirname(zkchain.__file__)).name == "zkchain"
