"""Contracts in tests: verifiers compiled once, the embedded chain, and anvil (npm's @foundry-rs/anvil)."""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.helpers.simulator import toxic_key
from zkchain import solidity
from zkchain.chain import Chain, Deployment, call, connect
from zkchain.errors import ChainError, NodeUnreachable, TransactionReverted
from zkchain.r1cs import System
from zkchain.solidity import Artifact, VerifierSource
from zkchain.solidity.calldata import selector
from zkchain.solidity.compiler import SETTINGS, SOLC_VERSION

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "AMD64": "amd64"}


def compiled(sources: Mapping[str, str]) -> dict[str, Artifact]:
    """``compile_sources``, kept on disk: the same text gives the same code, and solc takes seconds."""
    key = repr((sorted(sources.items()), SOLC_VERSION, sorted(SETTINGS.items())))
    file = ROOT / ".cache" / "solidity" / hashlib.sha256(key.encode()).hexdigest()
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(pickle.dumps(solidity.compile_sources(sources)))
        temporary.replace(file)
    kept: dict[str, Artifact] = pickle.loads(file.read_bytes())
    return kept


def compile_verifier(source: VerifierSource) -> Artifact:
    """``solidity.compile``, kept on disk."""
    return replace(compiled({f"{source.name}.sol": source.source})[source.name], data=source.data)


@cache
def verifier(system: System, n_public: int, *, batch: bool = False, label: str = "key") -> Artifact:
    """The verifier of the simulator's key."""
    return compile_verifier(solidity.render(toxic_key(system, n_public, label=label).vk, batch=batch))


@cache
def contracts() -> Mapping[str, Artifact]:
    """The hand-written contracts, and those of the tests."""
    files = [*(ROOT / "contracts").rglob("*.sol"), *(ROOT / "tests" / "contracts").rglob("*.sol")]
    return compiled({str(f.relative_to(ROOT)): f.read_text() for f in files if "generated" not in f.parts})


def outcome(chain: Chain, deployment: Deployment, data: bytes) -> str:
    """'' if the call succeeds, else the name of the custom error ('reverted' if there is none)."""
    try:
        call(chain, deployment, data)
    except TransactionReverted as error:
        return error.name or "reverted"
    return ""


def encode_call(artifact: Artifact, name: str, *arguments: object) -> bytes:
    """Calldata of ``name(...)`` by eth_abi, from the contract's own ABI."""
    from eth_abi.abi import encode

    (entry,) = (e for e in artifact.abi if e["type"] == "function" and e["name"] == name)
    types = [canonical(argument) for argument in entry["inputs"]]
    return selector(f"{name}({','.join(types)})") + encode(types, arguments)


def canonical(argument: Mapping[str, object]) -> str:
    """An ABI argument's type, tuples spelt out."""
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    components = argument["components"]
    assert isinstance(components, list)
    return f"({','.join(map(canonical, components))}){kind.removeprefix('tuple')}"


@contextmanager
def anvil(*options: str, timeout: float = 300.0) -> Iterator[str]:
    """A node on a free port, as its RPC address."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(anvil_binary()), "--port", str(port), "--silent", *options]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(f"http://127.0.0.1:{port}", node, timeout)
        yield f"http://127.0.0.1:{port}"
    finally:
        node.terminate()
        node.wait(timeout)
        if node.stderr is not None:
            node.stderr.close()


def anvil_binary() -> Path:
    system, machine = platform.system().lower(), MACHINES[platform.machine()]
    path = ROOT / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    assert path.is_file(), f"{path} is missing: run `make setup` (npm ci)"
    return path


def wait_for(rpc: str, node: subprocess.Popen[bytes], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert node.poll() is None, node.stderr.read().decode() if node.stderr else "anvil ended"
        try:
            connect(rpc, timeout=timeout)
            return
        except (NodeUnreachable, ChainError):
            time.sleep(0.02)
    raise AssertionError(f"anvil did not answer within {timeout} s")


def ask_node(chain: Chain, method: str, *parameters: object) -> None:
    """One of anvil's own methods."""
    request: Any = chain.web3.provider.make_request
    request(method, list(parameters))


def constants(source: str) -> dict[str, int]:
    """The numeric constants of a rendered verifier, by name."""
    found = re.findall(r"constant (\w+) = (0x[0-9a-f]+|\d+);", source)
    return {name: int(value, 0) for name, value in found}
