"""A compiled contract on disk: Verifier.sol as it is, the rest as JSON."""

from __future__ import annotations

from zkchain.errors import FormatError
from zkchain.formats import records
from zkchain.formats.records import ContractRecord
from zkchain.solidity import Artifact


def dump(artifact: Artifact) -> bytes:
    """Everything but the source."""
    record = ContractRecord(
        artifact.name,
        tuple(dict(entry) for entry in artifact.abi),
        artifact.bytecode.hex(),
        artifact.runtime.hex(),
        tuple(code.hex() for code in artifact.data),
        artifact.compiler,
        artifact.immutables,
    )
    return records.dump(record)


def load(data: bytes, source: str) -> Artifact:
    """FormatError when it is not such a file."""
    record = records.load(ContractRecord, data, what="compiled contract")
    try:
        bytecode, runtime, *parts = map(bytes.fromhex, (record.bytecode, record.runtime, *record.data))
    except ValueError as error:
        raise FormatError(f"compiled contract is malformed: {error}") from error
    return Artifact(
        record.name,
        record.abi,
        bytecode,
        runtime,
        source,
        data=tuple(parts),
        immutables=record.immutables,
        compiler=record.compiler,
    )
