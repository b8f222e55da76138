"""The objects that a person holds: what they do, how they look, and that no argument is taken for another."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import zkchain
from tests.helpers.cli_tools import npz_file, small_model
from zkchain import errors
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
    given = (path, str(path), onnx.load_from_string(small_model()), bytearray(small_model()))
    for model, samples in zip(given, (data, str(data), DATA, DATA), strict=True):
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
    for address in (contract.address, contract.address.lower(), contract.address[2:]):
        found = zkchain.Chain(contract.connection).at(address, keys.verifier)
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
        *(circuit, keys, keys.prover(), proof, contract, bundle, zkchain.Chain(contract.connection), bundle.circuit),
        *(zkchain.Domain(np.zeros(1000), np.ones(1000)), zkchain.Settings(0.1, 8, 8, 8, 8), zkchain.System.CG16),
        *(contract.submit(proof), keys.verifier.contract(), keys.verifier.gas(gas_price=1.5)),
        *(contract.bind(bytes(32)), wide(circuit)),
    ]
    seen = list(public_values(held))
    assert len(seen) > 3 * len(held)
    for thing in seen:
        said = repr(thing)
        assert "\n" not in said
        assert len(said) <= 120, said


def wide(circuit: zkchain.Circuit) -> zkchain.Circuit:
    """The circuit, with hundreds of outputs of long names."""
    many = tuple(replace(circuit.summary.outputs[0], name=f"output{k}" * 9, lo=tuple(range(500))) for k in range(300))
    named = tuple(replace(choice, name="x" * 500) for choice in circuit.choices.inputs)
    return replace(
        circuit, summary=replace(circuit.summary, outputs=many), choices=replace(circuit.choices, inputs=named)
    )


def public_values(held: Iterable[Any]) -> Iterator[Any]:
    """Objects of ours, and those that their fields, properties and the records in them hold."""
    for thing in held:
        if isinstance(thing, tuple):
            yield from public_values(thing)
        elif type(thing).__module__.startswith("zkchain") and not type(thing).__module__.startswith("zkchain._core"):
            yield thing
            names = [name for name, value in vars(type(thing)).items() if isinstance(value, property)]
            names += [field.name for field in fields(thing)] if is_dataclass(thing) else []
            yield from public_values(getattr(thing, name) for name in names if name not in ("manifest", "constraints"))


# -- other processes


def test_what_can_be_pickled_comes_back(
    circuit: zkchain.Circuit,
    keys: zkchain.Keys,
    proof: zkchain.Proof,
    contract: zkchain.Contract,
    bundle: zkchain.Bundle,
) -> None:
    bound = keys.prove(x=X, context=contract.bind(bytes(32)))
    ways: tuple[Callable[[Any], Any], ...] = (lambda thing: pickle.loads(pickle.dumps(thing)), copy.copy, copy.deepcopy)
    for there_and_back in ways:
        for made in (circuit, bundle.circuit):
            again = there_and_back(made)
            assert (again.digest, str(again), again.model) == (made.digest, str(made), made.model)
        verifier = there_and_back(keys.verifier)
        for one in (proof, bound):
            verifier.verify(there_and_back(one))
        assert there_and_back(bundle).verifier.hash == keys.verifier.hash
        for record in (circuit.summary, circuit.promise, keys.verifier.gas(), zkchain.Domain(0, 1), zkchain.Settings()):
            assert repr(there_and_back(record)) == repr(record)


def test_a_circuit_that_was_pickled_is_set_up_and_saved(circuit: zkchain.Circuit, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(circuit))
    fresh = again.setup()
    fresh.verifier.verify(fresh.prove(x=X))
    again.save(tmp_path / "bundle")
    fresh.save(tmp_path / "bundle")
    assert zkchain.open(tmp_path / "bundle").circuit.digest == circuit.digest


def test_what_belongs_to_this_process_says_what_to_do_in_another(
    keys: zkchain.Keys, contract: zkchain.Contract, bundle: zkchain.Bundle
) -> None:
    chain = zkchain.Chain(contract.connection)
    assert bundle.keys is bundle.keys
    for thing, way in (
        *((held, "zkchain.open") for held in (keys, bundle.keys, keys.prover(), keys.prove, [keys])),
        *((held, "zkchain.connect") for held in (chain, contract)),
    ):
        with pytest.raises(ArgumentError, match="cannot be pickled") as caught:
            pickle.dumps(thing)
        assert way in caught.value.hint
    for thing in (keys, keys.prover(), chain, contract):
        assert copy.copy(thing) is thing
        assert copy.deepcopy([thing]) == [thing]


def proved_there(bundle: zkchain.Bundle, x: Any) -> zkchain.Proof:
    return bundle.keys.prove(x=x)


def test_a_bundle_proves_in_other_processes(
    bundle: zkchain.Bundle, keys: zkchain.Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(bundle.folder.parent)
    here = zkchain.open(bundle.folder.name)
    assert here.keys.digest == keys.digest
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for made in pool.map(proved_there, [here, here], [X, -X]):
            keys.verifier.verify(made)
        refused = pool.submit(proved_there, here, 100 * X)
        with pytest.raises(OutOfDomain, match="outside") as caught:
            refused.result()
        assert caught.value.hint


def test_every_error_comes_back_from_another_process() -> None:
    made = [
        errors.UnsupportedOp("n", "Op", "why", hint="what"),
        errors.Wraps(1e30),
        errors.UnsatisfiedConstraint(1, "n", (2,)),
        errors.BatchInvalid([1, 2], 3),
        errors.TransactionReverted("m", hint="h", data=b"x", name="n", arguments=(1,)),
        errors.SettingError("m"),
        errors.MemoryTooSmall("m"),
        errors.ArgumentError("m", hint="h"),
    ]
    own = {kind for kind in vars(errors).values() if isinstance(kind, type) and "__init__" in vars(kind)}
    assert own - {errors.ZkchainError} <= {type(error) for error in made}
    for error in made:
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


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
        with pytest.raises(InputError, match=f"no input '{wrong}'"):
            keys.prove(x=X, **{wrong: 1})


def test_a_value_of_a_wrong_type_is_an_error_that_names_its_parameter(functions: Functions) -> None:
    for function, needed in functions:
        parameters = list(inspect.signature(function).parameters.values())
        for k, parameter in enumerate(parameters):
            with pytest.raises(zkchain.ZkchainError, match=f"{parameter.name}.*Strange"):
                function(*needed[:k], **{parameter.name: Strange()})


WRONG_VALUES = {
    "system": ("grot16", "", "CG16"),
    "batch": (0, -1, 1.5, True, "2", 1 << 40, None),
    "domain": (
        (1,),
        (0, 1, 2, 3),
        (5, 1),
        ("a", "b"),
        {"nobody": (0, 1)},
        (0, float("inf")),
        (0, 1, -1),
        3,
        [],
        ([], []),
    ),
    "public_inputs": (("nobody",), 3, [1]),
    "private_outputs": (("nobody",), 3),
    "outputs": (("nobody",), 3),
    "accept_error": (1, "yes", None),
    "max_error": (-1.0, 0.0, float("nan"), "0.1", True, 10**400),
    "settings": (3, "fine", {}),
    "shapes": ({"x": "1x4"}, {"x": (1, -4)}, {1: (1, 4)}, (1, 4)),
    "progress": (3, "loud"),
    "data": ({"x": "no numbers"}, {"x": [object()]}, 3, {3: X}, "no-such-file.npz", "", "a\0b", {}),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_value_is_an_error_of_the_tree(name: str) -> None:
    usual = {} if name in ("domain", "data") else {"domain": (-4, 4)}
    for value in WRONG_VALUES[name]:
        with pytest.raises(zkchain.ZkchainError):
            zkchain.compile(small_model(), **usual, **{name: value})


def test_every_option_of_compile_has_wrong_values() -> None:
    assert set(inspect.signature(zkchain.compile).parameters) - {"model"} == set(WRONG_VALUES)


def test_models_that_are_none(tmp_path: Path) -> None:
    for model in (tmp_path / "none.onnx", b"no model", str(tmp_path)):
        with pytest.raises(ModelError):
            zkchain.compile(model, domain=(0, 1))
    for model in (3, None, ["small.onnx"], "", "a\0b", onnx.ModelProto, onnx.load_from_string(small_model()).graph):
        with pytest.raises(ArgumentError, match="model: expected a path"):
            zkchain.compile(model, domain=(0, 1))


def test_choices_are_named_and_the_closest_told() -> None:
    with pytest.raises(ArgumentError, match="expected one of groth16, cg16, auto, got 'grot16'") as caught:
        zkchain.compile(small_model(), domain=(-4, 4), system="grot16")
    assert caught.value.hint == "did you mean 'groth16'?"
    with pytest.raises(ArgumentError, match="exclude each other"):
        zkchain.compile(small_model(), domain=(-4, 4), max_error=0.1, settings=zkchain.Settings())


def test_a_batch_that_fills_nothing_is_refused() -> None:
    model = onnx.load_from_string(small_model())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(ArgumentError, match=r"batch: 4 is the size of no free .* 'x' is \(1, 4\)") as caught:
        zkchain.compile(model, domain=(-4, 4), batch=4)
    assert "leave it out (batch=, --batch)" in caught.value.hint
    with pytest.raises(ArgumentError, match="batch: 4"):
        zkchain.compile(small_model(), domain=(-4, 4), batch=4, shapes={"x": (2, 4)})
    assert zkchain.compile(small_model(), domain=(-4, 4), batch=2).summary.inputs[0].shape == (2, 4)
    assert zkchain.compile(small_model(), domain=(-4, 4), batch=2, shapes={"x": (2, 4)}).choices.batch == 2


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"domain": {"xx": (0, 1)}}, "'x'"),
        ({"public_inputs": "X"}, "'x'"),
        ({"outputs": ["lable"]}, "'label'"),
        ({"private_outputs": "lable"}, "'label'"),
        ({"shapes": {"xx": (1, 4)}}, "'x'"),
    ],
)
def test_the_name_that_was_meant_is_told(given: dict[str, Any], near: str) -> None:
    with pytest.raises(zkchain.ZkchainError) as caught:
        zkchain.compile(small_model(), **{"domain": (-4, 4), **given})
    assert caught.value.hint == f"did you mean {near}?"


def test_inputs_are_looked_at_before_any_proving(keys: zkchain.Keys) -> None:
    with pytest.raises(OutOfDomain):
        keys.prove(x=X + 100)
    for wrong in (X[:, :3], "text", [[1, 2], [3]], Strange(), X + np.nan):
        with pytest.raises(InputError):
            keys.prove(x=wrong)
    with pytest.raises(InputError):
        keys.prove()
    for wrong in ({"index": -1}, {"index": "0"}, {"context": 3}, {"progress": 3}):
        with pytest.raises(ArgumentError):
            keys.prove(x=X, **wrong)


def test_what_is_no_proof_or_verifier_is_refused(
    keys: zkchain.Keys, contract: zkchain.Contract, bundle: zkchain.Bundle, proof: zkchain.Proof
) -> None:
    chain = zkchain.Chain(contract.connection)
    for call in (
        lambda: keys.verifier.verify(proof.elements),
        lambda: contract.submit(proof.instance),
        lambda: contract.submit_batch([proof, 3]),
        lambda: contract.bind("0x12"),
        lambda: chain.deploy(keys),
        lambda: chain.deploy(keys.verifier, batch="yes"),
        *(partial(chain.at, wrong, keys.verifier) for wrong in (3, "", "0x", "0x" + "zz" * 20, "a.eth", bytes(20))),
        lambda: bundle.save(3),
        lambda: zkchain.connect(3),
        *(partial(zkchain.connect, timeout=wrong) for wrong in (-1, 0, 0.0, 1e300, float("nan"), "30", None, True)),
        lambda: keys.prover(memory=0),
        *(partial(keys.verifier.gas, gas_price=wrong) for wrong in ("cheap", 10**400, -1, True)),
        *(partial(keys.prover, key_digest=wrong) for wrong in ("", "0x12", " " * 64, bytes(31), 3)),
    ):
        with pytest.raises((ArgumentError, InputError)):
            call()


def test_many_proofs_in_one_transaction(keys: zkchain.Keys, contract: zkchain.Contract, proof: zkchain.Proof) -> None:
    chain = zkchain.Chain(contract.connection)
    with pytest.raises(ChainError, match="has no verifyBatch") as caught:
        contract.submit_batch([proof, proof])
    assert "batch=True" in caught.value.hint
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
        keys.prove(x=np.ma.masked_array(X, mask=[[1, 0, 0, 0]]))
    with pytest.raises(ArgumentError, match="each name once"):
        zkchain.compile(small_model(), domain=(-4, 4), outputs=["y", "y"])


def test_samples_outside_the_domain_are_counted() -> None:
    far = np.concatenate([DATA["x"], np.full((3, 4), 9, np.float32)])
    made = zkchain.compile(small_model(), {"x": far}, domain=(-4, 4), system="cg16")
    assert "3 more lie outside the domain" in str(made).splitlines()[3]


def test_paths_that_are_none(
    circuit: zkchain.Circuit, proof: zkchain.Proof, keys: zkchain.Keys, bundle: zkchain.Bundle, tmp_path: Path
) -> None:
    for wrong in (3, None, b"x", "a\0b", ""):
        for call in (circuit.save, proof.save, keys.verifier.load, zkchain.open):
            with pytest.raises(ArgumentError, match="folder: expected a path"):
                call(wrong)
    for wrong in (3, "a\0b"):
        with pytest.raises(ArgumentError, match="place: expected a path"):
            circuit.setup(place=wrong)
    (tmp_path / "there").write_bytes(b"")
    for wrong in (tmp_path / "there", tmp_path / "none" / "k"):
        with pytest.raises(FormatError, match="cannot write the proving key"):
            circuit.setup(place=wrong)
    for wrong in (3, None):
        with pytest.raises(ArgumentError):
            bundle.proof(wrong)
    with pytest.raises(BundleError, match="cannot open the bundle"):
        zkchain.open("x" * 5000)


def test_a_bundle_keeps_proofs_of_its_own(bundle: zkchain.Bundle) -> None:
    other = zkchain.compile(small_model(2), domain=(-4, 4), system="cg16").setup()
    with pytest.raises(zkchain.ZkchainError):
        bundle.save(other.prove(x=X), "stranger")
    assert "stranger" not in bundle.proofs


def test_proofs_that_somebody_put_together(keys: zkchain.Keys, proof: zkchain.Proof) -> None:
    for part in ({"instance": None}, {"instance": ("a",)}, {"instance": (1.5,)}, {"elements": None}, {"context": "x"}):
        with pytest.raises(ArgumentError, match=f"Proof: {next(iter(part))}: expected"):
            keys.verifier.verify(replace(proof, **part))
    for parts in ((proof.elements, None), (None, proof.instance), (proof.elements, ("a",))):
        with pytest.raises(ArgumentError, match="Proof: "):
            keys.verifier.proof(*parts)
    with pytest.raises(ProofFormatError):
        keys.verifier.proof(proof.elements, (*proof.instance, 1))
    for part in ({"a": None}, {"a": (1, "2")}, {"b": (1, 2)}, {"c": (1, 2, 3)}, {"d": 4}, {"a": (1.5, 2)}):
        with pytest.raises(ProofFormatError, match="not points"):
            replace(proof.elements, **part)
    for wrong in (("x", "0x00", "0x00"), (1, None, "0x00"), (1, "0x00", bytes(32))):
        with pytest.raises(InputError, match="context: expected"):
            ContextRecord(*wrong)
    assert "3" in repr(replace(proof, outputs={3: 4}))


WAYS = {
    zkchain.Bundle: "zkchain.open",
    zkchain.Chain: "zkchain.connect",
    zkchain.Circuit: "zkchain.compile",
    zkchain.Contract: "chain.deploy",
    zkchain.Keys: "circuit.setup",
    zkchain.Proof: "keys.prove",
    zkchain.Prover: "keys.prover",
    zkchain.Verifier: "keys.verifier",
}


@pytest.mark.parametrize("kind", WAYS, ids=lambda kind: kind.__name__)
def test_what_is_put_together_by_hand_names_the_way_to_get_one(kind: type[Any]) -> None:
    for given in ((), ("B",), (1, 2), (1, 2, 3), (1, 2, 3, 4), ([], {}, None, None, None)):
        with pytest.raises(ArgumentError, match=kind.__name__) as caught:
            kind(*given)
        assert WAYS[kind] in caught.value.hint


def test_every_object_of_the_front_door_has_its_way() -> None:
    objects = {value for name in zkchain.__all__ if isinstance(value := getattr(zkchain, name), type)}
    assert objects - {zkchain.Domain, zkchain.Settings, zkchain.System, zkchain.ZkchainError} == set(WAYS)


def test_domains_and_settings_that_are_none() -> None:
    for wrong in (("a", "b"), (0, object()), (0, 1, "x"), (0, 1, np.array([1, 2])), ([], []), (None, None)):
        with pytest.raises(InputError):
            zkchain.Domain(*wrong)
    for wrong in ({"weight_bits": 8.5}, {"weight_bits": "8"}, {"max_error": "a"}, {"input_bits": True}):
        with pytest.raises(CompileError):
            zkchain.Settings(**wrong)
    for wrong in (
        {"table_bits": None},
        {"clamp_margin_bits": None},
        {"max_error": True},
        {"max_error": np.float32("inf")},
    ):
        with pytest.raises(CompileError):
            zkchain.Settings(**wrong)
    assert zkchain.Settings(np.float32(0.5), np.int64(8)) == zkchain.Settings(0.5, 8)
    made = zkchain.compile(small_model(), domain=(-4, 4), settings=zkchain.Settings(np.float32(0.5), np.int64(8)))
    assert made.choices.quantisation["weight_bits"] == 8


def test_plain_proofs_are_bound_by_an_input_that_the_model_has() -> None:
    made = zkchain.compile(small_model(), domain=(-4, 4), system="groth16").setup()
    contract = zkchain.connect().deploy(made.verifier)
    with pytest.raises(ArgumentError, match="and this circuit has none"):
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
