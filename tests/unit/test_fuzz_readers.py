"""Every reader of files, on mutants of valid files: it returns or raises one of our errors, in bounded time and memory.

A few hundred mutants of each by default. ``ZKCHAIN_FUZZ_SECONDS=600 pytest -m slow tests/unit/test_fuzz_readers.py``
gives each reader so many seconds, ZKCHAIN_FUZZ_SEED=N begins at another seed. A finding names its seed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.helpers import cli_tools, mutants
from tests.helpers.cli_tools import small_model
from tests.helpers.onnx_models import Tensor, model, node
from tests.helpers.programs import small_graph, zoo
from tests.helpers.snarkjs_tool import FILES
from zkchain import frontend, pipeline
from zkchain.chain import unlock
from zkchain.chain.answers import answered, parsed
from zkchain.errors import ZkchainError
from zkchain.formats import bundle, circom, contracts, npz, program, ptau, r1cs, records, snarkjs, tensors, wtns
from zkchain.formats.records import Choices, ContextRecord, DeploymentRecord, DeploymentsRecord, Summary
from zkchain.groth16.key import open_key
from zkchain.quantize import Domain
from zkchain.r1cs import System

SECONDS = float(os.environ.get("ZKCHAIN_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("ZKCHAIN_FUZZ_SEED", "0"))
SLOWEST = 10.0  # processor seconds of one file
MODELS = 1 << 32  # a value may have 2^26 elements, and there are a few of it


@dataclass(frozen=True)
class Target:
    """``valid``: files that it reads; ``count``: mutants by default."""

    read: Callable[[bytes], object]
    valid: Callable[[], tuple[bytes, ...]]
    mutate: mutants.Mutate
    count: int = 150
    memory: int = 1 << 30  # bytes beside what the process holds


# -------------------------------------------------------------------------------------------------------- valid files


@cache
def compiled() -> pipeline.Compiled:
    data = {"x": np.linspace(-2, 2, 40, dtype=np.float32).reshape(10, 4)}
    return pipeline.compile_model(small_model(), data, domains={"x": Domain(-2, 2)}, system=System.CG16)


def keystore() -> tuple[bytes, ...]:
    return (cli_tools.keystore("0x" + "17" * 32, "pw").encode(),)


def files_of(*names: str) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple((FILES / name).read_bytes() for name in names)


def proof_file() -> tuple[bytes, ...]:
    one, two = ["1", "2", "1"], [["1", "2"], ["3", "4"], ["1", "0"]]
    document = {"pi_a": one, "pi_b": two, "pi_c": one, "protocol": "groth16", "curve": "bn128"}
    return tuple(json.dumps(d).encode() for d in (document, document | {"pi_d": one, "protocol": "cg16"}))


def contract_file() -> tuple[bytes, ...]:
    record = records.ContractRecord(
        "V", ({"type": "function", "inputs": []},), "6000", "60", ("fe",), "0.8", ((1, 32),)
    )
    return (records.dump(record),)


def manifest_file() -> tuple[bytes, ...]:
    entry = {"sha256": "00" * 32, "bytes": 5, "identity": "11" * 32}
    listed = {
        name: entry | {"made_from": dict.fromkeys(kind.sources, "11" * 32)} for name, kind in bundle.KINDS.items()
    }
    return (json.dumps({"format": "zkchain-bundle", "version": 2, "files": listed}).encode(),)


def tensor_files() -> tuple[bytes, ...]:
    arrays = {"x": np.linspace(-1, 1, 40).reshape(10, 4), "labels": np.arange(10), "test/x": np.zeros((2, 4))}
    texts = ({"x": [[0.5, -1.25, 2, 0]]}, [[1, 2, 3, 4]], {"x": [[True, 1e-3, 5, 9]] * 3, "labels": [1, 2, 3]})
    return (npz.pack(arrays), *(json.dumps(text).encode() for text in texts))


def models() -> tuple[bytes, ...]:
    """Networks that hold operators of most kinds, and what exporters write around them."""
    ints = TensorProto.INT64
    fixed: dict[str, np.ndarray] = {
        "w": np.ones((2, 1, 3, 3), np.float32) / 9,
        "b": np.zeros(2, np.float32),
        "shape": np.array([1, -1]),
        "half": np.array([16, 16]),
        "pads": np.array([0, 1, 0, 0]),
        "ends": np.array([1]),
        "starts": np.array([0]),
        "k": np.array([2]),
        "index": np.array([0, -1, 0]),
        "repeats": np.array([1, 2]),
    }
    steps = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[1, 1], kernel_shape=[3, 3], name="conv"),
        node("BatchNormalization", ["c", "b", "b", "b", "one"], ["n"]),
        node("MaxPool", ["n"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("AveragePool", ["p"], ["a"], kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        node("Resize", ["a", "", "scales"], ["r"], mode="nearest"),
        node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "shape"], ["f"]),
        node("Split", ["f", "half"], ["s0", "s1"], axis=1),
        node("Pad", ["s0", "pads"], ["q"], mode="constant"),
        node("Slice", ["q", "starts", "ends", "ends"], ["sl"]),
        node("Gather", ["sl", "index"], ["g"], axis=1),
        node("Tile", ["g", "repeats"], ["ti"]),
        node("Concat", ["ti", "s1"], ["cc"], axis=-1),
        node("Constant", [], ["n3"], value=helper.make_tensor("v", ints, [1], [3])),
        node("ConstantOfShape", ["n3"], ["z3"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])),
        node("Shape", ["cc"], ["sh"]),
        node("Cast", ["sh"], ["sf"], to=1),
        node("ReduceMax", ["cc"], ["m"], keepdims=1),
        node("TopK", ["cc", "k"], ["top", "where"], axis=1),
        node("Softmax", ["top"], ["soft"], axis=-1),
        node("Clip", ["m", "lo", "hi"], ["cl"]),
        node("Add", ["soft", "cl"], ["y"]),
    ]
    scalars: dict[str, Tensor] = {"lo": np.float32(-1), "hi": np.float32(6), "one": np.ones(2, np.float32)}
    scales = {"scales": np.array([1, 1, 2, 2], np.float32)}
    layered = model(steps, {"x": (1, 1, 8, 8)}, ["y", "where"], constants={**fixed, **scalars, **scales})
    layered.graph.output[1].type.tensor_type.elem_type = ints
    return small_model(), layered.SerializeToString()


# ------------------------------------------------------------------------------------------------------------ readers


def at_a_path(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of paths as one of bytes."""

    def run(data: bytes) -> object:
        path = SCRATCH[0] / name
        path.write_bytes(data)
        return read(path)

    return run


SCRATCH: list[Path] = []


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path) -> None:
    SCRATCH[:] = [tmp_path]


def any_of(*ways: Callable[[], object]) -> None:
    """All are tried; one of our errors is raised where none succeeds."""
    refusals = []
    for way in ways:
        try:
            way()
        except ZkchainError as error:
            refusals.append(error)
    if len(refusals) == len(ways):
        raise refusals[0]


def all_of_a_bundle(path: Path) -> None:
    """Every way to look at a bundle; of its files only the manifest is one."""
    opened = bundle.open_bundle(path.parent)
    ways: list[Callable[[], object]] = []
    for name, kind in bundle.KINDS.items():
        (path.parent / kind.file).write_bytes(b"12345")
        looks: tuple[Callable[[str], object], ...]
        looks = (opened.has, opened.is_current, opened.read, opened.path, *([opened.state] if opened.has(name) else []))
        ways += [partial(look, name) for look in looks]
    any_of(*ways)


def samples_of(path: Path) -> None:
    """What compile and prove do with what they are given."""
    arrays, circuit = tensors.read(path), compiled().program
    uses: tuple[Callable[..., object], ...] = (
        tensors.one_sample,
        tensors.count,
        tensors.calibration,
        lambda arrays, names, shapes: tensors.pick(arrays, names, shapes, 1),
    )
    any_of(
        *(partial(use, arrays, ["x"], [(1, 4)]) for use in uses),
        lambda: pipeline.inputs_of(circuit, arrays),
        lambda: pipeline.inputs_of(circuit, arrays, 1),
    )


def summary(data: bytes) -> None:
    pipeline.interface_of(records.load(Summary, data, what="circuit record"))


def proved(path: Path) -> None:
    circom.prove(circom.open_zkey(path), FILES / "toy.wtns", SCRATCH[0] / "out")


def answers(data: bytes) -> None:
    methods = ("eth_chainId", "eth_accounts", "eth_getTransactionReceipt", "eth_call", "eth_feeHistory")
    any_of(*(partial(answered, "node", method, ["0x1"], parsed(data)) for method in methods))


def answer_files() -> tuple[bytes, ...]:
    receipt = dict.fromkeys(("status", "blockNumber", "gasUsed", "effectiveGasPrice"), "0x5208")
    receipt |= {"transactionHash": "0x" + "11" * 32, "contractAddress": "0x" + "22" * 20}
    kinds: tuple[Any, ...] = ("0x1", ["0x" + "22" * 20], receipt, None)
    failed = {"code": 3, "message": "execution reverted", "data": "0x08c379a0" + "00" * 64}
    bodies = [{"jsonrpc": "2.0", "id": 0, "result": kind} for kind in kinds] + [{"error": failed}]
    return tuple(json.dumps(body).encode() for body in bodies)


TARGETS = {
    "answers of a node": Target(answers, answer_files, mutants.of_json),
    "arrays": Target(lambda data: npz.unpack(data, what="arrays"), lambda: tensor_files()[:1], mutants.of_bytes),
    "circuit record": Target(summary, lambda: (records.dump(pipeline.summarise(compiled())),), mutants.of_json),
    "context": Target(
        lambda data: records.load(ContextRecord, data, what="context"),
        lambda: (records.dump(ContextRecord(1, "0x" + "11" * 20, "0x" + "22" * 32)),),
        mutants.of_json,
    ),
    "contract": Target(lambda data: contracts.load(data, "source"), contract_file, mutants.of_json),
    "deployment": Target(
        lambda data: records.load(DeploymentsRecord, data, what="deployment"),
        lambda: (records.dump(DeploymentsRecord((DeploymentRecord("rpc", 1, "0x11", "0x22", 5, 6, "0x33"),))),),
        mutants.of_json,
    ),
    "keystore": Target(lambda data: unlock(data, "pw"), keystore, mutants.of_json, 20),
    "manifest": Target(at_a_path(all_of_a_bundle, "manifest.json"), manifest_file, mutants.of_json, 80),
    "model": Target(frontend.load, models, mutants.of_bytes, 60, MODELS),
    "model, its fields": Target(frontend.load, models, mutants.of_model, 120, MODELS),
    "powers of tau": Target(
        at_a_path(lambda path: ptau.setup_r1cs(FILES / "toy.r1cs", path), "x.ptau"),
        files_of("toy.ptau"),
        mutants.of_bytes,
        20,
    ),
    "program": Target(program.load, lambda: (zoo(), program.dump(small_graph())), mutants.of_archive, 250),
    "proof": Target(snarkjs.load_proof, proof_file, mutants.of_json),
    "proving key": Target(
        at_a_path(lambda path: open_key(path).verify_digests(), "key.zkpk"), lambda: (own_key(),), mutants.of_bytes
    ),
    "public inputs": Target(
        snarkjs.load_public, lambda: (json.dumps([str(k**9) for k in range(30)]).encode(),), mutants.of_json
    ),
    "r1cs": Target(r1cs.load, files_of("toy.r1cs"), mutants.of_bytes),
    "samples, archives": Target(at_a_path(samples_of, "x.npz"), lambda: tensor_files()[:1], mutants.of_archive),
    "samples, text": Target(at_a_path(samples_of, "x.json"), lambda: tensor_files()[1:], mutants.of_json),
    "settings": Target(
        lambda data: records.load(Choices, data, what="settings"),
        lambda: (records.dump(compiled().choices),),
        mutants.of_json,
    ),
    "verification key": Target(snarkjs.load_verification_key, files_of("toy_key.json"), mutants.of_json, 60),
    "wtns": Target(wtns.load, files_of("toy.wtns"), mutants.of_bytes),
    "zkey": Target(at_a_path(proved, "x.zkey"), files_of("toy.zkey"), mutants.of_bytes, 40),
}


def own_key() -> bytes:
    made = ptau.setup_r1cs(FILES / "toy.r1cs", FILES / "toy.ptau")[0]
    path = SCRATCH[0] / "made.zkpk"
    made.save(path)
    return path.read_bytes()


# -------------------------------------------------------------------------------------------------------------- tests


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    held = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_DATA, (held + most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def try_one(target: Target, valid: tuple[bytes, ...], seed: int) -> bool:
    """Whether the mutant is read. Anything but a result or one of our errors is raised, with the seed."""
    rng = random.Random(seed)
    data = target.mutate(rng.choice(valid), rng)
    start = time.process_time()
    try:
        with bounded_memory(target.memory):
            target.read(data)
        read = True
    except ZkchainError:
        read = False
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}") from error
    assert time.process_time() - start < SLOWEST, f"seed {seed}: took too long"
    return read


@pytest.mark.parametrize("name", TARGETS)
def test_valid_files_are_read(name: str) -> None:
    target = TARGETS[name]
    for data in target.valid():
        target.read(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_are_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    valid = target.valid()
    read = [try_one(target, valid, seed) for seed in range(target.count)]
    assert not all(read)  # the mutants are no copies


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_mutants_are_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    valid, end = target.valid(), time.monotonic() + (SECONDS or 8.0)
    seed, read = SEED + (1 << 32), 0
    while time.monotonic() < end:
        read += try_one(target, valid, seed)
        seed += 1
    print(f"{name}: {seed - SEED - (1 << 32)} mutants, {read} read")


@pytest.mark.parametrize("name", ["program", "samples, text", "manifest", "r1cs", "wtns", "arrays", "public inputs"])
@given(data=st.binary(max_size=300))
def test_noise_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(ZkchainError):
        TARGETS[name].read(data)
