"""What is known of a transaction before there are keys or a proof: bounds that hold whatever these will be.

Bytes of calldata cost more when they are not zero. Proofs, binders and the key's points look like noise: all their
bytes are taken as nonzero, of which one in 256 will be zero. Public inputs are known better, from the widths that the
circuit holds them to (``Layout``). As groth16 words a number that is never negative has at most its width's bytes, and
zeros before them; one that may be negative may be r - |q|, all of whose bytes are nonzero. cg16 packs them: each takes
its width, and what is left of a word is zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zkchain._core import keccak256
from zkchain.bn254.encoding import WORD, word
from zkchain.circuit.layout import Layout
from zkchain.form import Form
from zkchain.groth16.encoding import PROOF_BYTES
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.solidity import Artifact
from zkchain.solidity.render import MAX_INLINE_INPUTS, POINTS_PER_DATA_CONTRACT, data_initcode
from zkchain.solidity.shared import PROXY_HEAD, PROXY_TAIL, encode_key, travelling_key

POINT = 2 * WORD
ZEROS = 20
"""More bytes of a proof and its binder are zero once in 10^16 proofs: one in 256 of 352 bytes is, and the first of each
of ten words once in 48."""


class Verifies(Protocol):
    """The facts that gas depends on: a VerifyingKey, or the Shape of one that does not exist yet."""

    @property
    def system(self) -> System: ...
    @property
    def instance_length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """Proof system and number of public inputs of a key."""

    system: System
    instance_length: int


def dearest(
    vk: Verifies,
    proofs: int | None = None,
    *,
    bound: bool = False,
    layout: Layout | None = None,
    instance: Instance | None = None,
    form: Form = Form.EMBEDDED,
) -> bytes:
    """Calldata of the right length, none of whose kind costs more.

    Parameters
    ----------
    vk
        A key, or the shape of one.
    proofs
        None for ``verifyProof``, else the number of proofs of a ``verifyBatch``.
    bound
        With a binder for every proof.
    layout
        What the public inputs are; without it all their bytes are taken as nonzero.
    instance
        The public inputs of every proof, where they are known.
    form
        Of the contract that is called.

    Returns
    -------
    bytes
        Noise without a zero byte (so that it does not compress, either) where a byte can be nonzero, else zeros.
    """
    public = b"\1" * WORD * vk.instance_length if layout is None else b"".join(map(_full, _widths(layout)))
    public = public if instance is None else b"".join(map(word, instance))
    return CALLS[form](vk, proofs, bound, public, 0)


def cheapest(
    vk: Verifies,
    proofs: int | None = None,
    *,
    bound: bool = False,
    instance: Instance | None = None,
    form: Form = Form.EMBEDDED,
) -> bytes:
    """Calldata of the right length, none of whose kind costs less: public inputs that are not known are zero, and so
    are ZEROS of a proof's bytes. Parameters as of ``dearest``."""
    public = bytes(WORD * vk.instance_length) if instance is None else b"".join(map(word, instance))
    return CALLS[form](vk, proofs, bound, public, ZEROS)


def _full(width: int) -> bytes:
    """A word of which this many bytes are not zero."""
    return bytes(WORD - width) + b"\1" * width


def _widths(layout: Layout) -> list[int]:
    """How many bytes of each public word can be nonzero."""
    if layout.system is System.CG16:
        used: Counter[int] = Counter()
        each = [field.width for field in layout.fields for _ in range(field.size)]
        for place, width in zip(layout.places()[0].tolist(), each, strict=True):
            used[place] += width
        return [used[place] for place in sorted(used)]
    return [WORD if field.offset else field.width for field in layout.fields for _ in range(field.size)]


def _proof(vk: Verifies, zeros: int) -> bytes:
    return b"\1" * (PROOF_BYTES[vk.system] - zeros) + bytes(zeros)


def _embedded(vk: Verifies, proofs: int | None, bound: bool, public: bytes, zeros: int) -> bytes:
    record = _proof(vk, zeros) + public
    binder = b"\1" * WORD if bound else b""
    if proofs is None:
        return _noise(b"\1" * 4 + record + binder)
    # the heads of a batch's arrays: an offset, a length, each of at most four bytes
    head = _full(4) * 2 * (2 if bound else 1)
    return _noise(b"\1" * 4 + head + (record + binder) * proofs)


def _shared(vk: Verifies, proofs: int | None, bound: bool, public: bytes, zeros: int) -> bytes:
    """Hash, key, [count,] proofs, public inputs, [binders]: gamma is left out of a key that does not exist yet."""
    count = proofs or 1
    arrays = [_key(vk), _proof(vk, zeros) * count, public * count]
    number = [] if proofs is None or bound else [word(count)]
    if bound and proofs is not None:
        arrays.append(b"\1" * WORD * count)
    return _dynamic([b"\1" * WORD, *number], arrays, b"\1" * WORD if bound and proofs is None else b"")


def _clone(vk: Verifies, proofs: int | None, bound: bool, public: bytes, zeros: int) -> bytes:
    return _dynamic([], [_proof(vk, zeros), public], b"\1" * WORD if bound else b"")


def _key(vk: Verifies) -> bytes:
    if isinstance(vk, VerifyingKey):
        return travelling_key(vk)
    g1, g2 = (4, 3) if vk.system is System.CG16 else (vk.instance_length + 2, 2)
    return b"\1" * (WORD + POINT * (g1 + 2 * g2))


def _whole_key(vk: Verifies) -> bytes:
    return encode_key(vk) if isinstance(vk, VerifyingKey) else _key(vk) + b"\1" * 2 * POINT


def _dynamic(before: Sequence[bytes], arrays: Sequence[bytes], behind: bytes) -> bytes:
    """The ABI's encoding of a selector, words, arrays and another word; of offsets and lengths just the bytes that they
    take are not zero."""
    at = WORD * (len(before) + len(arrays)) + len(behind)
    head, tail = b"".join(before), b""
    for array in arrays:
        head += word(at + len(tail))
        tail += word(len(array)) + array
    return _noise(b"\1" * 4 + head + behind + tail)


CALLS: Mapping[Form, Callable[[Verifies, int | None, bool, bytes, int], bytes]] = {
    Form.EMBEDDED: _embedded,
    Form.SHARED: _shared,
    Form.CLONE: _clone,
}
"""Form -> a pattern of its calldata: key or shape, proofs of a batch, bound or not, public inputs of one proof, bytes
of each proof that are zero."""


def _noise(pattern: bytes) -> bytes:
    """Noise, the same every time, where ``pattern`` is not zero."""
    blocks = (keccak256(k.to_bytes(8, "big")) for k in range(-(-len(pattern) // WORD)))
    noise = b"".join(blocks).replace(b"\0", b"\1")
    return bytes(n if p else 0 for n, p in zip(noise, pattern, strict=False))


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a contract: ``base + inputs L + chunks * (number of data contracts)``, and of its initcode as many more
    as ``constructor + constructor_chunks * (number of data contracts)``."""

    base: int
    inputs: int = 0
    chunks: int = 0
    constructor: int = 26
    constructor_chunks: int = 0


# Measured with solc 0.8.37 (cancun, viaIR, 200 runs), and some bytes more: points that start with zeros shorten it.
SIZES = {
    (System.GROTH16, "one input", False): Size(1_127),
    (System.GROTH16, "inline", False): Size(1_097, inputs=78),
    (System.GROTH16, "data", False): Size(1_097, chunks=44, constructor=200, constructor_chunks=94),
    (System.GROTH16, "one input", True): Size(2_163),
    (System.GROTH16, "inline", True): Size(2_151, inputs=78),
    (System.GROTH16, "data", True): Size(2_147, chunks=46, constructor=200, constructor_chunks=94),
    (System.CG16, "", False): Size(1_801),
    (System.CG16, "", True): Size(3_273),
}


def placing(vk: Verifies) -> str:
    """How a groth16 contract holds the points of its public inputs: one input, inline, or data contracts."""
    if vk.system is System.CG16:
        return ""
    if vk.instance_length == 1:
        return "one input"
    return "inline" if vk.instance_length <= MAX_INLINE_INPUTS else "data"


def outline(vk: Verifies, *, batch: bool = False, form: Form = Form.EMBEDDED) -> Artifact:
    """A contract that does not exist yet, for ``estimates.deployment``: noise where code will be, not less of it."""
    if form is Form.CLONE:
        whole = PROXY_HEAD + b"\1" * 20 + PROXY_TAIL + b"\1" * 4 + _whole_key(vk)
        return Artifact("ZkClone", (), data_initcode(_noise(whole)), _noise(whole), "")
    size, inputs = SIZES[vk.system, placing(vk), batch], vk.instance_length
    starts = range(0, inputs, POINTS_PER_DATA_CONTRACT) if placing(vk) == "data" else ()
    points = [min(POINTS_PER_DATA_CONTRACT, inputs - first) for first in starts]
    code = size.base + size.inputs * inputs + size.chunks * len(points)
    return Artifact(
        name="Verifier",
        abi=(),
        bytecode=_noise(b"\1" * (code + size.constructor + size.constructor_chunks * len(points))),
        runtime=_noise(b"\1" * code),
        source="",
        data=tuple(bytes(1) + _noise(b"\1" * POINT * count) for count in points),
    )
