"""The native core (Rust): field vectors, keys, prover, verifier. Use ``zkchain.groth16`` for keys and proofs.

Points are bytes as in ``zkchain.bn254.encoding``. ``progress(stage, fraction)`` is called on the calling thread; an
exception from it, or Ctrl-C, stops the work within about 50 ms of the next check. The GIL is released while work runs.
``memory``: bytes that the process should hold at most, mapped files not counted; work is cut into pieces to fit, or
refused with MemoryTooSmall.
Errors are those of ``zkchain.errors``; misuse gives ValueError, TypeError, IndexError or ZeroDivisionError.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Literal, Protocol, TypedDict, final, overload

import numpy as np
import numpy.typing as npt

__version__: str

_Progress = Callable[[str, float], object]

class CsrLike(Protocol):
    """``indptr`` int64[rows + 1], ``cols`` uint32[nnz], ``vals`` int64[nnz] or canonical limbs uint64[nnz, 4]."""

    @property
    def indptr(self) -> npt.NDArray[np.int64]: ...
    @property
    def cols(self) -> npt.NDArray[np.uint32]: ...
    @property
    def vals(self) -> npt.NDArray[np.int64] | npt.NDArray[np.uint64]: ...

@final
class FrVec:
    """Immutable vector of elements of the scalar field. Integers are reduced mod r; a vector of length 1 broadcasts."""

    @staticmethod
    def from_i64(values: npt.NDArray[np.int64]) -> FrVec: ...
    @staticmethod
    def from_ints(values: Iterable[int]) -> FrVec: ...
    @staticmethod
    def from_bytes(data: bytes) -> FrVec:
        """32 little-endian bytes per element; ValueError when one is not below r."""
    @staticmethod
    def full(value: int, length: int) -> FrVec: ...
    @staticmethod
    def powers(base: int, length: int) -> FrVec:
        """1, base, base^2, ..."""
    @staticmethod
    def concat(parts: Sequence[FrVec]) -> FrVec: ...
    def to_bytes(self) -> bytes: ...
    def to_ints(self) -> list[int]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> FrVec: ...
    def take(self, index: npt.NDArray[np.int64]) -> FrVec: ...
    def __add__(self, other: FrVec | int) -> FrVec: ...
    def __radd__(self, other: int) -> FrVec: ...
    def __sub__(self, other: FrVec | int) -> FrVec: ...
    def __rsub__(self, other: int) -> FrVec: ...
    def __mul__(self, other: FrVec | int) -> FrVec: ...
    def __rmul__(self, other: int) -> FrVec: ...
    def __neg__(self) -> FrVec: ...
    def __eq__(self, other: object) -> bool: ...
    def inverse(self) -> FrVec:
        """Elementwise; ZeroDivisionError names the first zero found."""
    def sum(self) -> int: ...
    def dot(self, other: FrVec) -> int: ...
    def prefix_sum(self) -> FrVec: ...
    def prefix_product(self) -> FrVec: ...
    def horner_prefix(self, x: int) -> FrVec:
        """acc_i = acc_{i-1} x + v_i."""
    def spmv(self, csr: CsrLike) -> FrVec:
        """Row sums of the sparse matrix times this vector."""
    def eq_mask(self, other: FrVec | int) -> npt.NDArray[np.bool_]: ...

@final
class SetupBuilder:
    """Streams rows into a development key. Toxic waste is drawn and wiped inside. Memory in proportion to wires."""

    def __new__(
        cls,
        *,
        system: str,
        n_wires: int,
        n_public: int,
        n_committed: int,
        n_rows: int,
        instance_length: int,
        circuit_hash: bytes,
    ) -> SetupBuilder: ...
    def add_rows(self, a: CsrLike, b: CsrLike, c: CsrLike) -> None: ...
    def finish(
        self,
        progress: _Progress | None = None,
        *,
        place: str | PathLike[str] | None = None,
        memory: int | None = None,
    ) -> ProvingKey:
        """The key: in memory, or in a new file at ``place``, whose pages the system may drop. MemoryTooSmall."""

class KeyInfo(TypedDict):
    version: int
    system: str
    circuit_hash: bytes
    digest: bytes
    n_wires: int
    n_public: int
    n_committed: int
    n_rows: int
    instance_length: int
    domain_size: int
    file_size: int
    development: bool

@final
class ProvingKey:
    """A key in memory or mapped from a file. KeyFormatError when header, size or verifying key are wrong, UnsafeKey
    when its constants are not those of its verifying key."""

    @staticmethod
    def open(path: str | PathLike[str]) -> ProvingKey: ...
    @staticmethod
    def from_bytes(data: bytes) -> ProvingKey: ...
    def to_bytes(self) -> bytes: ...
    def save(self, path: str | PathLike[str]) -> None:
        """Write and sync; renaming into place is the caller's."""
    def verify_digests(self) -> None:
        """Read the whole key; KeyFormatError names the section that was altered."""
    @property
    def vk_bytes(self) -> bytes: ...
    @property
    def vk_hash(self) -> bytes: ...
    @property
    def digest(self) -> bytes:
        """Stands in the header, and covers all of the file: blake3 of the header and of every section's blake3."""
    @property
    def info(self) -> KeyInfo: ...
    def commit(self, committed: FrVec, progress: _Progress | None = None, memory: int | None = None) -> Commitment: ...
    def challenge(self, commitment: Commitment, instance: Sequence[int], ctx: bytes) -> int: ...
    def prove(
        self,
        wires: FrVec,
        a: FrVec,
        b: FrVec,
        c: FrVec,
        *,
        instance: Sequence[int],
        ctx: bytes,
        commitment: Commitment | None = None,
        progress: _Progress | None = None,
        memory: int | None = None,
    ) -> bytes:
        """Proof bytes, verified already. Uses up the commitment. ``memory``: see the module's docstring.

        UnsatisfiedConstraint (first row; the node is left empty), InputError, KeyMismatch, KeyFormatError.
        """

@final
class Commitment:
    """cg16: D and its blinding, which never leaves and is wiped."""

    @property
    def d(self) -> bytes: ...

class ZkeyInfo(TypedDict):
    n_wires: int
    n_public: int
    domain_size: int
    coefficients: int
    file_size: int

@final
class ZkeyProver:
    """A Groth16 key of snarkjs, mapped and kept open. The file must not change meanwhile."""

    @staticmethod
    def open(path: str | PathLike[str]) -> ZkeyProver:
        """Sizes, coefficients and verifying key are checked; FormatError, UnsafeKey, OSError."""
    @property
    def vk_bytes(self) -> bytes: ...
    @property
    def info(self) -> ZkeyInfo: ...
    def check_points(self, progress: _Progress | None = None) -> None:
        """Every point on its curve and in its group; FormatError."""
    def prove(
        self, wtns: bytes, progress: _Progress | None = None, memory: int | None = None
    ) -> tuple[bytes, list[int]]:
        """Proof bytes, verified already, and the public wires, from the content of a .wtns file.

        FormatError (the witness file, a point of the key), KeyMismatch (another number of wires), InputError (the
        witness does not satisfy the constraints).
        """

@final
class R1csProver:
    """A key of our own format with the .r1cs that it was made from, kept open. Memory: the non-zero coefficients."""

    @staticmethod
    def open(key: str | PathLike[str], r1cs: bytes) -> R1csProver:
        """KeyFormatError, FormatError (the constraints), KeyMismatch (made for other constraints), OSError."""
    @property
    def digest(self) -> bytes:
        """The key's, as ``ProvingKey.digest``."""
    def verify_digests(self) -> None:
        """As ``ProvingKey.verify_digests``."""
    def prove(
        self, wtns: bytes, progress: _Progress | None = None, memory: int | None = None
    ) -> tuple[bytes, list[int]]:
        """As ``ZkeyProver.prove``; UnsatisfiedConstraint names the row."""

class Unfold:
    """Between our K query and a .zkey's. ``h``: the H points of either, 64 bytes each (Montgomery limbs)."""

    def __new__(cls, h: bytes, n_wires: int, progress: _Progress | None = None) -> Unfold: ...
    def add_rows(self, c: CsrLike) -> None:
        """The next rows of C."""

    def finish(self, points: bytes, *, minus: bool, progress: _Progress | None = None) -> bytes:
        """``points``, one for each wire, plus or minus sum_i C_ij L_i t / (z0 delta). Infinity is all zeros."""

def point_differences(a: bytes, b: bytes) -> bytes:
    """a - b for each pair of points of G1 (64 bytes each, Montgomery limbs)."""

def uncompressed_points(points: bytes, second: bool) -> bytes:
    """Points of G1, or of G2 (``second``), as snarkjs hashes them."""

def replace_sections(key: bytes, sections: Sequence[tuple[int, bytes]]) -> bytes:
    """A key file with some sections replaced by others of the same length, digests anew."""

def keccak256(data: bytes) -> bytes:
    """Keccak-256 with the original padding, as the EVM's opcode."""

def r1cs_hash(r1cs: bytes) -> bytes:
    """The circuit hash (32 bytes) of a key made for the content of an .r1cs file. FormatError."""

def setup_r1cs_ptau(r1cs: bytes, ptau: str | PathLike[str], progress: _Progress | None = None) -> ProvingKey:
    """A development key for the content of an .r1cs file on prepared powers of tau, which are checked.

    FormatError: either file is malformed, or the powers are too few (power k serves 2^(k-1) rows).
    """

class ContributionInfo(TypedDict):
    kind: Literal["contribution", "drand beacon", "hash beacon", "contribution by snarkjs"]
    name: str
    source: bytes
    attestation: bytes
    record: bytes

class CeremonyInfo(TypedDict):
    system: str
    power: int
    circuit_hash: bytes
    ptau: bytes
    initial: bytes
    start: bytes
    contributions: list[ContributionInfo]

@final
class Ceremony:
    """The ceremony in a file, mapped. The file must not change while it is open."""

    @staticmethod
    def open(path: str | PathLike[str]) -> Ceremony:
        """FormatError, KeyFormatError, UnsafeKey; KeyMismatch (head and key of different circuits), OSError."""
    @property
    def info(self) -> CeremonyInfo:
        """What the transcript says, checked for its form only."""
    def check(self, progress: _Progress | None = None) -> None:
        """Everything that can be checked of the file alone. UnsafeKey names the contribution."""
    def check_against(self, initial: InitialKey, progress: _Progress | None = None) -> None:
        """That the key is what the contributions make of this initial key. KeyMismatch, UnsafeKey."""
    def contribute(
        self, place: str | PathLike[str], *, name: str, typed: bytes = b"", progress: _Progress | None = None
    ) -> bytes:
        """A new file with one more contribution, after ``check``; the attestation. ValueError: a bad name."""
    def beacon(
        self,
        place: str | PathLike[str],
        *,
        name: str,
        kind: Literal["drand beacon", "hash beacon"],
        source: bytes,
        progress: _Progress | None = None,
    ) -> bytes:
        """The same with secrets that follow from ``source``, which the caller has checked."""
    def finish(self, place: str | PathLike[str], *, development: bool) -> None:
        """Write the key, so marked. The caller has checked the ceremony. UnsafeKey: nobody contributed."""

@final
class InitialKey:
    """The key with delta = eta = 1 of a circuit on powers of tau, from which a ceremony starts."""

    @staticmethod
    def of_r1cs(
        r1cs: bytes, ptau: str | PathLike[str], *, ptau_digest: bytes, progress: _Progress | None = None
    ) -> InitialKey:
        """FormatError for either file; what is used of the powers is checked."""
    @property
    def digest(self) -> bytes: ...
    def start(self, place: str | PathLike[str]) -> bytes:
        """Write a ceremony without contributions to a new file; its transcript."""

@final
class InitialBuilder:
    """Streams rows into an initial key. FormatError: the powers are not what they say, or too few."""

    def __new__(
        cls,
        ptau: str | PathLike[str],
        *,
        ptau_digest: bytes,
        system: str,
        n_wires: int,
        n_public: int,
        n_committed: int,
        n_rows: int,
        instance_length: int,
        circuit_hash: bytes,
        progress: _Progress | None = None,
    ) -> InitialBuilder: ...
    def add_rows(self, a: CsrLike, b: CsrLike, c: CsrLike) -> None: ...
    def finish(self, progress: _Progress | None = None) -> InitialKey: ...

@final
class VerifyingKey:
    """A checked verifying key. KeyFormatError on construction from bad points or dependent trapdoors."""

    def __new__(cls, points: bytes, *, system: str, instance_length: int, circuit_hash: bytes) -> VerifyingKey: ...
    @property
    def hash(self) -> bytes: ...
    def challenge(self, d: bytes, instance: Sequence[int], ctx: bytes) -> int: ...
    def verify(self, instance: Sequence[int], proof: bytes, ctx: bytes) -> None:
        """None, or ProofInvalid / ProofFormatError."""
    def verify_batch(self, claims: list[tuple[Sequence[int], bytes, bytes]]) -> None:
        """(instance, proof, ctx) each; BatchInvalid names the bad ones."""
