"""The one exception tree. Every error says who, what was got, what was expected, and gives a hint.

``exit_code`` is what the command line exits with; 2 is left to usage errors (typer's own).
"""

from __future__ import annotations

from math import log2

UNSAFE_HINT = "use no proof of this key: make it again, or take the one whose digest was published"


class ZkchainError(Exception):
    """Root of all errors that a user can cause or must know of."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        """As it is, whatever its class is made of: an error that cannot be unpickled hangs a pool of processes."""
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[ZkchainError], said: tuple[object, ...]) -> ZkchainError:
    return kind.__new__(kind, *said)


class ModelError(ZkchainError):
    """The ONNX file is unreadable, malformed or not a model that can be compiled."""

    exit_code = 10


class UnsupportedOp(ModelError):
    """The model holds an operator (or a form of it) outside the table; names the node and what is supported."""

    exit_code = 25

    def __init__(self, node: str, op: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"node {node!r}: operator {op} is not supported: {reason}", hint=hint)
        self.node = node
        self.op = op


class InputError(ZkchainError):
    """An input tensor is missing, unreadable, of the wrong shape or type, or holds NaN / infinity."""

    exit_code = 11


class OutOfDomain(InputError):
    """An input element lies outside the declared domain; refused before proving."""

    exit_code = 26


class CompileError(ZkchainError):
    """The integer program or circuit breaks a static rule (range over 2^62, decomposition span over r, ...)."""

    exit_code = 12


class AccuracyMissed(CompileError):
    """Somewhere in the declared domain an output is further off than wanted; says how far, and at which input."""

    exit_code = 29


class Wraps(CompileError):
    """A number could leave the 64 bits that are there for it; who meets it says whose number it is."""

    def __init__(self, reach: float, limit: int = 1 << 63, what: str = "numbers") -> None:
        held = f"2^{log2(reach):.1f}" if 0 < reach < float("inf") else str(reach)
        super().__init__(
            f"{what} could reach {held}, expected less than 2^{limit.bit_length() - 1}",
            hint="declare a smaller domain, coarser steps (domain=, --domain) or fewer bits (settings=, --weight-bits)",
        )


class UnsatisfiedConstraint(ZkchainError):
    """A constraint does not hold: names it and the model node (and element) it comes from."""

    exit_code = 13

    def __init__(self, row: int, node: str, element: tuple[int, ...] | int) -> None:
        super().__init__(
            f"constraint {row} is not satisfied: node {node!r}, element {element}",
            hint="the witness was altered or the circuit has a bug; no proof was made",
        )
        self.row = row
        self.node = node
        self.element = element


class KeyFormatError(ZkchainError):
    """A key file is truncated, altered, of another version, or not a key at all."""

    exit_code = 14


class UnsafeKey(KeyFormatError):
    """A well-formed key with which anyone can forge proofs (delta = gamma, eta = delta, a skipped ceremony, ...), or
    whose proofs might not hide the witness (constants that are not those of its verifying key)."""

    exit_code = 27


class KeyMismatch(ZkchainError):
    """A key, proof or artifact belongs to another circuit (or bundle) than the one in hand."""

    exit_code = 15


class ProofFormatError(ZkchainError):
    """A proof or instance is malformed: wrong length, coordinate >= p, point off the curve, input >= r."""

    exit_code = 16


class ProofInvalid(ZkchainError):
    """A well-formed proof that does not verify."""

    exit_code = 17


class BatchInvalid(ProofInvalid):
    """Some proofs of a batch do not verify; ``indices`` says which (counted from 0)."""

    def __init__(self, indices: list[int], total: int) -> None:
        listed = ", ".join(map(str, indices))
        super().__init__(f"{len(indices)} of {total} proofs of the batch do not verify (counted from 0): {listed}")
        self.indices = tuple(indices)


class FormatError(ZkchainError):
    """A file in a foreign format (snarkjs JSON, r1cs, wtns, zkey, ptau) or a bundle cannot be read."""

    exit_code = 18


class BundleError(FormatError):
    """A bundle's file is missing, malformed, altered, or made for another step's result."""

    exit_code = 19


class SolidityError(ZkchainError):
    """Rendering refused (unsafe key) or the Solidity compiler failed or is absent."""

    exit_code = 20


class ChainError(ZkchainError):
    """Anything between us and the chain."""

    exit_code = 21


class NodeUnreachable(ChainError):
    """No answer from the RPC address."""

    exit_code = 22


class NodeRefused(ChainError):
    """The node answered with an error, in its own words."""

    exit_code = 32


class TransactionRefused(NodeRefused):
    """The node answers with an error where a transaction is sent. It may have taken it all the same: before it is sent
    anew it is looked for, and then it has the same nonce, so that one of the two is mined at most."""

    exit_code = 33


class TransactionReplaced(ChainError):
    """Another transaction took the nonce (a cancellation, or one that is not ours): this one will never be mined."""

    exit_code = 34


class TransactionReverted(ChainError):
    """The transaction (or call) reverted: ``data`` is what it returned, ``name`` and ``arguments`` its custom error."""

    exit_code = 23

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        data: bytes = b"",
        name: str | None = None,
        arguments: tuple[object, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.data = data
        self.name = name
        self.arguments = arguments


class MemoryTooSmall(ZkchainError):
    """The bound on memory (``--memory``) leaves less than the work takes; says how much it takes at least."""

    exit_code = 24

    def __init__(self, message: str, *, hint: str | None = "give more (memory=, --memory), or leave it out") -> None:
        super().__init__(message, hint=hint)


class ProcessRefused(ZkchainError):
    """The system does not let the process start that runs ONNX's libraries (ulimit -u, -n, -d)."""

    exit_code = 30


class CoordinatorRefused(ZkchainError):
    """A ceremony's coordinator cannot be reached, or does not take what it was given."""

    exit_code = 35


class ArgumentError(ZkchainError, ValueError):
    """A function was called with an argument of a wrong type or value; names the argument."""

    exit_code = 31


class SettingError(ZkchainError):
    """An environment variable has a value that it cannot have."""

    exit_code = 28

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="unset the variable, or give it one of these values")
