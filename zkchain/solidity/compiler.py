"""solc: finding it, and compiling with it through py-solc-x's ``compile_standard``.

The compiler is pinned, so that the same key always gives the same bytecode and the same gas. It is looked for in this
order (``FINDERS``): the variable ZKCHAIN_SOLC; what py-solc-x has installed; npm's package ``solc`` (of the checkout or
project that zkchain is installed in, or of the user's cache) behind a small front; a download by py-solc-x; ``npm
install`` into the user's cache. Never in the working directory: that may be somebody else's bundle.

Compiling takes seconds, and the same request always has the same answer: answers are kept in the user's cache, and a
compiler that is named by ZKCHAIN_SOLC is always asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from zkchain.errors import SolidityError
from zkchain.solidity.render import VerifierSource

SOLC_VERSION = "0.8.37"
EVM_VERSION = "cancun"
MAX_CODE_BYTES = 24_576
"""EIP-170: the longest code a contract may have."""
IMPORT = re.compile(r'^import [^;"]*"([^"]+)";', re.MULTILINE)
FRONT = Path(__file__).with_name("solc_front.js")
NPM_TIMEOUT = 300.0
KEPT = 256  # answers of the compiler, the ones used last

RUNTIME = ("evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences")
# Measured on the verifier with one public input: 1,081 bytes of code with viaIR, 1,292 without; the metadata trailer
# would add 54. A byte costs 200 gas to deploy.
SETTINGS: Mapping[str, Any] = {
    "evmVersion": EVM_VERSION,
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", *RUNTIME]}},
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract.

    ``bytecode`` creates it (without constructor arguments); ``runtime`` is what then stands on the chain, but for zeros
    where the constructor puts ``immutables``, given as (start, length). ``data`` is the code of the data contracts that
    have to be deployed first, their addresses being the constructor's argument; empty for most contracts.
    """

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    source: str
    warnings: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()
    immutables: tuple[tuple[int, int], ...] = ()
    compiler: str = f"solc {SOLC_VERSION}, {EVM_VERSION}, viaIR, 200 runs"

    def __repr__(self) -> str:
        return f"<Artifact {self.name[:60]}, {len(self.runtime):,} bytes on the chain>"


def compile(source: VerifierSource) -> Artifact:
    """The verifier's contract, with the code of its data contracts. Errors as ``compile_sources``."""
    return replace(compile_sources({f"{source.name}.sol": source.source})[source.name], data=source.data)


def standard_input(sources: Mapping[str, str]) -> dict[str, Any]:
    """solc's input in its standard JSON: with it anybody, a block explorer too, gets the very bytes that we deploy."""
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS,
    }


def needed(sources: Mapping[str, str], roots: Iterable[str]) -> dict[str, str]:
    """Of many files (name -> text) those that ``roots`` import, and those that these import. SolidityError: one is not
    there."""
    found: dict[str, str] = {}
    left = list(roots)
    while left:
        name = left.pop()
        if name in found:
            continue
        if name not in sources:
            raise SolidityError(f"file {name!r}, which is imported, is not among the sources")
        found[name] = sources[name]
        for path in IMPORT.findall(sources[name]):
            near = path.startswith("./") or path.startswith("../")
            left.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if near else path)
    return found


def compile_sources(sources: Mapping[str, str]) -> dict[str, Artifact]:
    """Compile files (name -> text) that may import each other; all contracts found, by their name.

    SolidityError: no compiler, an error in a source (with solc's own message), or code over EIP-170's limit.
    """
    request = standard_input(sources)
    named = json.dumps([SOLC_VERSION, request], sort_keys=True).encode()
    place = _user_cache() / "solc" / f"{hashlib.sha256(named).hexdigest()}.json"
    output = None if os.environ.get("ZKCHAIN_SOLC") else _kept(place)
    if output is None:
        output = _asked(request)
        _keep(place, output)
    return dict(_artifacts(sources, output))


def _asked(request: dict[str, Any]) -> Mapping[str, Any]:
    """solc's answer, in its standard JSON."""
    import solcx  # type: ignore[import-untyped, unused-ignore]
    from solcx.exceptions import SolcError  # type: ignore[import-untyped, unused-ignore]

    try:
        output: Mapping[str, Any] = solcx.compile_standard(request, solc_binary=find_solc())
    except SolcError as error:
        raise SolidityError(f"solc refused {', '.join(request['sources'])}: {error.message}") from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SolidityError(f"solc could not be run: {error}", hint=FIND_HINT) from error
    return output


def _kept(place: Path) -> Mapping[str, Any] | None:
    """An answer of earlier; None where there is none, or not as it was written."""
    try:
        digest, _, text = place.read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return None
        os.utime(place)
    except OSError:
        return None
    output: Mapping[str, Any] = json.loads(text)
    return output


def _keep(place: Path, output: Mapping[str, Any]) -> None:
    """Put an answer into the cache, and take the oldest out; nothing where it cannot be written."""
    text = json.dumps(output).encode()
    try:
        _write(place.parent, place.name, hashlib.sha256(text).hexdigest().encode() + b"\n" + text, 0o600)
        for old in sorted(place.parent.glob("*.json"), key=os.path.getmtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        pass


def _artifacts(sources: Mapping[str, str], output: Mapping[str, Any]) -> Iterator[tuple[str, Artifact]]:
    """The contracts of solc's standard JSON output."""
    warnings = tuple(entry["formattedMessage"] for entry in output.get("errors", ()))
    for file, contracts in output["contracts"].items():
        for name, contract in contracts.items():
            runtime = bytes.fromhex(contract["evm"]["deployedBytecode"]["object"])
            if len(runtime) > MAX_CODE_BYTES:
                raise SolidityError(f"contract {name}: {len(runtime)} bytes of code, EIP-170 allows {MAX_CODE_BYTES}")
            yield (
                name,
                Artifact(
                    name=name,
                    abi=tuple(contract["abi"]),
                    bytecode=bytes.fromhex(contract["evm"]["bytecode"]["object"]),
                    runtime=runtime,
                    source=sources[file],
                    warnings=warnings,
                    immutables=tuple(_immutables(contract["evm"]["deployedBytecode"])),
                ),
            )


def _immutables(deployed: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for places in deployed.get("immutableReferences", {}).values():
        for place in places:
            yield place["start"], place["length"]


FIND_HINT = (
    f"set ZKCHAIN_SOLC to a solc {SOLC_VERSION}, or install Node and connect to the internet, so that "
    f"`npm install solc@{SOLC_VERSION}` or py-solc-x's download can get it"
)


@cache
def find_solc() -> Path:
    """The compiler, installing it where none is had. SolidityError when nothing works."""
    for finder in FINDERS:
        if (path := finder()) is not None:
            return path
    raise SolidityError(f"no Solidity compiler: solc {SOLC_VERSION} is not installed and could not be", hint=FIND_HINT)


def _from_environment() -> Path | None:
    value = os.environ.get("ZKCHAIN_SOLC")
    if not value:
        return None
    path = Path(value)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise SolidityError(f"ZKCHAIN_SOLC: expected an executable solc, got {value!r}", hint="set it to a full path")
    if f"Version: {SOLC_VERSION}+" not in (said := _version_of(path)):
        raise SolidityError(
            f"ZKCHAIN_SOLC: expected solc {SOLC_VERSION}, {value!r} says {said!r}",
            hint="another version makes other bytecode: set ZKCHAIN_SOLC to this one, or unset it",
        )
    return path


def _version_of(solc: Path) -> str:
    try:
        done = subprocess.run([solc, "--version"], capture_output=True, text=True, errors="replace", timeout=60.0)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return (done.stdout.strip().splitlines() or ["nothing"])[-1]


def _installed_by_solcx() -> Path | None:
    import solcx
    from solcx.exceptions import SolcNotInstalled

    try:
        return Path(solcx.install.get_executable(SOLC_VERSION))
    except (SolcNotInstalled, OSError):
        return None


def _from_npm() -> Path | None:
    """npm's solc behind ``solc_front.js``, as one executable file in the user's cache."""
    node = shutil.which("node")
    package = next(filter(_is_pinned_solc, _npm_folders()), None)
    return None if node is None or package is None else _launcher(node, package)


def _npm_folders() -> Iterator[Path]:
    """Folders in which the npm package may be: above this file (a checkout, the project of a virtual environment), in
    the user's cache."""
    for folder in (*Path(__file__).resolve().parents[1:], _user_cache() / "npm"):
        yield folder / "node_modules" / "solc"


def _is_pinned_solc(package: Path) -> bool:
    try:
        return bool(json.loads((package / "package.json").read_text())["version"] == SOLC_VERSION)
    except (OSError, ValueError, KeyError):
        return False


def _launcher(node: str, package: Path) -> Path:
    """An executable that starts the front: py-solc-x runs a file, without arguments of ours before its own."""
    text = f'#!/bin/sh\nexec {shlex.join([node, str(FRONT), str(package)])} "$@"\n'
    name = f"solc-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    try:
        return _write_executable(_user_cache(), name, text)
    except OSError:  # a read-only home directory
        return _write_executable(Path(tempfile.mkdtemp(prefix="zkchain-")), name, text)


def _write_executable(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if path.is_file() and os.access(path, os.X_OK) and path.read_text() == text:
        return path
    return _write(folder, name, text.encode(), 0o755)


def _write(folder: Path, name: str, content: bytes, mode: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(temporary, mode)
    os.replace(temporary, folder / name)
    return folder / name


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zkchain"


def _downloaded_by_solcx() -> Path | None:
    import solcx

    try:
        solcx.install_solc(SOLC_VERSION)
    except Exception:  # no network, no such release, something else in its place: py-solc-x's errors share no base
        return None
    return _installed_by_solcx()


def _installed_by_npm() -> Path | None:
    """``npm install`` of the pinned package into the user's cache."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    command = [npm, "install", "--prefix", str(_user_cache() / "npm"), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run([*command, f"solc@{SOLC_VERSION}"], check=True, capture_output=True, timeout=NPM_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return None
    return _from_npm()


FINDERS: tuple[Callable[[], Path | None], ...] = (
    _from_environment,
    _installed_by_solcx,
    _from_npm,
    _downloaded_by_solcx,
    _installed_by_npm,
)
