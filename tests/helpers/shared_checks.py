"""Calls of the shared verifier with what it has to answer: valid ones, and what becomes of them when any part of key,
proof, public inputs or context is altered.

A kind of check is what its name says before the colon; ``thinned`` keeps a few of each.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from tests.helpers.evm import encode_call
from tests.helpers.mutations import OUTSIDE_SUBGROUP
from tests.helpers.simulator import Toxic, simulate, toxic_key
from zkchain._core import keccak256
from zkchain.bn254 import P, R
from zkchain.bn254.curve import (
    G1_INFINITY,
    G2_GENERATOR,
    G2_INFINITY,
    add_g1,
    multiply_g1,
    negate_g1,
    negate_g2,
)
from zkchain.bn254.encoding import word
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import NO_CONTEXT, VK_LABEL, context, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.solidity import Artifact
from zkchain.solidity.shared import GAMMA, encode_key

OK = frozenset({""})
INVALID = frozenset({"ProofInvalid"})
MALFORMED = frozenset({"PrecompileFailed"})
EITHER = INVALID | MALFORMED
KEY = frozenset({"KeyMismatch"})
ANOTHER_KEY = frozenset({"KeyLength", "KeyMismatch"})
BINDER = keccak256(b"binder")
SHAPES = ((System.GROTH16, 1), (System.GROTH16, 10), (System.CG16, 2), (System.CG16, 26))


@dataclass(frozen=True)
class Check:
    """A call, and the names of errors that may come of it; '' is none."""

    name: str
    data: bytes
    expected: frozenset[str]

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]


@cache
def ceremony_key(system: System, n: int, label: str = "key") -> Toxic:
    """A key of the simulator with gamma = 1, as all keys of a ceremony have it, and all of ours."""
    key = toxic_key(system, n, label=label)
    return replace(key, gamma=1, vk=replace(key.vk, gamma_g2=G2_GENERATOR))


@cache
def _proof(key: Toxic, x: Instance, ctx: bytes) -> bytes:
    return encode_proof(simulate(key, x, ctx))


def numbers(n: int, seed: int = 0) -> Instance:
    return tuple(1 + (seed << 200) + i for i in range(n))


@dataclass(frozen=True)
class Subject:
    """A key with a valid proof, on a chain at an address; ``encode`` makes calls of the contract."""

    key: Toxic
    artifact: Artifact
    chain_id: int
    address: bytes

    @property
    def vk(self) -> VerifyingKey:
        return self.key.vk

    @property
    def name(self) -> str:
        return f"{self.vk.system}-{self.vk.instance_length}"

    @property
    def cg16(self) -> bool:
        return self.vk.system is System.CG16

    def context(self, binder: bytes = BINDER) -> bytes:
        return context(self.chain_id, self.address, binder)

    def proof(self, x: Instance, ctx: bytes = NO_CONTEXT) -> bytes:
        return _proof(self.key, x, ctx)

    def hash(self, raw: bytes) -> bytes:
        """The hash of any bytes as a key of this system."""
        return keccak256(VK_LABEL[self.vk.system] + raw + word(self.vk.instance_length))

    def call(self, name: str, *arguments: object) -> bytes:
        return encode_call(self.artifact, name, *arguments)

    def verify(
        self,
        *,
        hash: bytes | None = None,
        raw: bytes | None = None,
        proof: bytes | None = None,
        x: Iterable[int] | None = None,
    ) -> bytes:
        """``verify`` of the valid proof, parts of it replaced."""
        instance = numbers(self.vk.instance_length)
        return self.call(
            "verify",
            vkhash(self.vk) if hash is None else hash,
            encode_key(self.vk) if raw is None else raw,
            self.proof(instance) if proof is None else proof,
            list(instance if x is None else x),
        )


def without_gamma(raw: bytes) -> bytes:
    return raw[: GAMMA.start] + raw[GAMMA.stop :]


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def key_checks(s: Subject) -> Iterator[Check]:
    """The key's bytes, its hash, its length."""
    raw, name = encode_key(s.vk), s.name
    yield Check(f"valid:{name}", s.verify(), OK)
    for i in range(0, len(raw), max(1, len(raw) // 40)):
        bad = flipped(raw, i)
        yield Check(f"key flipped:{name}:{i}", s.verify(raw=bad), KEY)
        # a plain proof does not depend on the circuit's digest, which is only a name; a challenge does
        expected = OK if i < 32 and not s.cg16 else EITHER
        yield Check(f"key flipped, pinned so:{name}:{i}", s.verify(hash=s.hash(bad), raw=bad), expected)
    for a, b in [(96, 224), (224, 352), *([(352, 480)] if s.cg16 else [])]:
        swapped = bytearray(raw)
        swapped[a : a + 128], swapped[b : b + 128] = raw[b : b + 128], raw[a : a + 128]
        yield Check(
            f"points in G2 swapped:{name}:{a}", s.verify(hash=s.hash(bytes(swapped)), raw=bytes(swapped)), INVALID
        )
    short = without_gamma(raw)
    yield Check(f"gamma left out:{name}", s.verify(raw=short), OK)
    for i in range(0, len(short), 37):
        yield Check(f"gamma left out, flipped:{name}:{i}", s.verify(raw=flipped(short, i, 4)), KEY)
    for kind, bad in {"less": raw[:-1], "64 less": raw[:-64], "more": raw + b"\0", "64 more": raw + bytes(64)}.items():
        yield Check(f"key's length:{name}:{kind}", s.verify(raw=bad), frozenset({"KeyLength"}))
    for bad in (b"", short[:-1], short + bytes(32)):
        yield Check(f"key's length:{name}:{len(bad)}", s.verify(raw=bad), frozenset({"KeyLength"}))
    for bad in (bytes(32), keccak256(b"x"), flipped(vkhash(s.vk), 31)):
        yield Check(f"hash:{name}:{bad.hex()[:4]}", s.verify(hash=bad), KEY)
    label = VK_LABEL[System.GROTH16 if s.cg16 else System.CG16]
    yield Check(f"label of the other system:{name}", s.verify(hash=keccak256(label + raw + word(len(raw)))), KEY)


def other_gamma_checks(s: Subject) -> Iterator[Check]:
    """A key whose gamma is not the generator has to carry it."""
    key = toxic_key(s.vk.system, s.vk.instance_length)
    x, raw = numbers(key.vk.instance_length), encode_key(key.vk)
    proof, hash = encode_proof(simulate(key, x)), vkhash(key.vk)
    yield Check(f"another gamma:{s.name}", s.verify(hash=hash, raw=raw, proof=proof), OK)
    yield Check(f"another gamma, left out:{s.name}", s.verify(hash=hash, raw=without_gamma(raw), proof=proof), KEY)


def other_key_checks(s: Subject) -> Iterator[Check]:
    """Another key of the same shape."""
    key = ceremony_key(s.vk.system, s.vk.instance_length, "other")
    x, raw = numbers(key.vk.instance_length), encode_key(key.vk)
    proof, hash = encode_proof(simulate(key, x)), vkhash(key.vk)
    yield Check(f"another key, ours pinned:{s.name}", s.verify(raw=raw, proof=proof), KEY)
    yield Check(f"another key, our proof:{s.name}", s.verify(hash=hash, raw=raw), INVALID)
    yield Check(f"another key's proof:{s.name}", s.verify(proof=proof), INVALID)
    yield Check(f"another key, all its own:{s.name}", s.verify(hash=hash, raw=raw, proof=proof), OK)


def instance_checks(s: Subject) -> Iterator[Check]:
    """Public inputs altered, out of range, too few, too many."""
    x, name = list(numbers(s.vk.instance_length)), s.name
    for i in range(len(x)):
        more = [*x[:i], x[i] + R, *x[i + 1 :]]
        yield Check(f"input plus r:{name}:{i}", s.verify(x=more), frozenset({"InputOutOfRange"}))
        yield Check(f"input plus 1:{name}:{i}", s.verify(x=[*x[:i], x[i] + 1, *x[i + 1 :]]), INVALID)
    for last in (R, 2**256 - 1):
        yield Check(f"input is r:{name}", s.verify(x=[*x[:-1], last]), frozenset({"InputOutOfRange"}))
    yield Check(f"an input more:{name}", s.verify(x=[*x, 0]), ANOTHER_KEY)
    fewer = ANOTHER_KEY | {"InstanceLength"} if len(x) == 1 else ANOTHER_KEY
    yield Check(f"an input less:{name}", s.verify(x=x[:-1]), fewer)
    yield Check(f"no input:{name}", s.verify(x=[]), frozenset({"InstanceLength"}))


def proof_checks(s: Subject) -> Iterator[Check]:
    """A proof's words, elements and length."""
    proof, name = s.proof(numbers(s.vk.instance_length)), s.name
    parts = [proof[i : i + 32] for i in range(0, len(proof), 32)]
    for i, part in enumerate(parts):
        value = int.from_bytes(part, "big")
        more = b"".join([*parts[:i], word((value + 1) % 2**256), *parts[i + 1 :]])
        yield Check(f"word plus 1:{name}:{i}", s.verify(proof=more), EITHER)
        if value + P < 2**256:
            more = b"".join([*parts[:i], word(value + P), *parts[i + 1 :]])
            yield Check(f"word plus p:{name}:{i}", s.verify(proof=more), MALFORMED)
    elements = [proof[:64], proof[64:192], proof[192:256], *([proof[256:]] if s.cg16 else [])]
    in_g1 = [0, 2, *([3] if s.cg16 else [])]
    for a, b in itertools.combinations(in_g1, 2):
        swapped = list(elements)
        swapped[a], swapped[b] = elements[b], elements[a]
        yield Check(f"elements swapped:{name}:{a}{b}", s.verify(proof=b"".join(swapped)), INVALID)
    for a in in_g1:
        y = int.from_bytes(elements[a][32:], "big")
        for kind, point, expected in (
            ("negated", elements[a][:32] + word(P - y), INVALID),
            ("infinity", bytes(64), INVALID),
            ("(0, p)", bytes(32) + word(P), MALFORMED),
        ):
            bad = [*elements[:a], point, *elements[a + 1 :]]
            yield Check(f"{kind}:{name}:{a}", s.verify(proof=b"".join(bad)), expected)
    b_words = [elements[1][i : i + 32] for i in range(0, 128, 32)]
    other_order = b"".join((b_words[1], b_words[0], b_words[3], b_words[2]))
    for kind, point, expected in (("infinity", bytes(128), INVALID), ("words of G2", other_order, MALFORMED)):
        bad = [elements[0], point, *elements[2:]]
        yield Check(f"{kind}:{name}:b", s.verify(proof=b"".join(bad)), expected)
    for other in (b"", proof[:-1], proof + b"\0", proof + bytes(32), proof[:-32], bytes(300)):
        yield Check(f"proof's length:{name}:{len(other)}", s.verify(proof=other), frozenset({"ProofLength"}))
    other = proof[:256] if s.cg16 else proof + proof[:64]
    yield Check(f"length of the other system:{name}", s.verify(proof=other), ANOTHER_KEY)


def calldata_checks(s: Subject) -> Iterator[Check]:
    """Data that is cut, or trails."""
    data = s.verify()
    for cut in (1, 32, 33, 64, len(data) // 2, len(data) - 4, len(data) - 40):
        yield Check(f"cut:{s.name}:{cut}", data[:-cut], frozenset({"reverted"}))
    for more in (1, 31, 32, 64):
        yield Check(f"trailing:{s.name}:{more}", data + bytes(more), frozenset({"CalldataLength"}))
    yield Check(f"no such function:{s.name}", bytes(4) + data[4:], frozenset({"reverted"}))


def bound_checks(s: Subject) -> Iterator[Check]:
    """Proofs that are bound to chain, contract and binder."""
    x, name = numbers(s.vk.instance_length), s.name

    def bound(proof: bytes, binder: bytes = BINDER) -> bytes:
        return s.call("verifyBound", vkhash(s.vk), encode_key(s.vk), proof, list(x), binder)

    if not s.cg16:
        yield Check(f"bound, of plain Groth16:{name}", bound(s.proof(x)), frozenset({"NotBindable"}))
        return
    proof = s.proof(x, s.context())
    yield Check(f"bound:{name}", bound(proof), OK)
    yield Check(f"bound, trailing:{name}", bound(proof) + bytes(32), frozenset({"CalldataLength"}))
    yield Check(f"bound, another binder:{name}", bound(proof, keccak256(b"other")), INVALID)
    yield Check(f"bound, shown as unbound:{name}", s.verify(proof=proof), INVALID)
    for binder in (BINDER, bytes(32)):
        yield Check(f"unbound, shown as bound:{name}", bound(s.proof(x), binder), INVALID)
    for chain_id, address in ((s.chain_id + 1, s.address), (s.chain_id, bytes(20))):
        elsewhere = s.proof(x, context(chain_id, address, BINDER))
        yield Check(f"bound elsewhere:{name}:{chain_id}", bound(elsewhere), INVALID)


def batch_checks(s: Subject, n: int) -> Iterator[Check]:
    """A batch of n, its parts altered."""
    size, length, name = s.vk.instance_length, 320 if s.cg16 else 256, f"{s.name}:{n}"
    instances = [numbers(size, i) for i in range(n)]
    proofs, flat = b"".join(map(s.proof, instances)), [x for instance in instances for x in instance]

    def batch(count: int = n, proofs: bytes = proofs, flat: list[int] = flat, hash: bytes | None = None) -> bytes:
        pinned = vkhash(s.vk) if hash is None else hash
        return s.call("verifyBatch", pinned, encode_key(s.vk), count, proofs, flat)

    yield Check(f"batch:{name}", batch(), OK)
    yield Check(f"batch, trailing:{name}", batch() + bytes(32), frozenset({"CalldataLength"}))
    yield Check(f"batch, cut:{name}", batch()[:-1], frozenset({"reverted"}))
    for j in range(n):
        at = j * size
        altered = [*flat[:at], flat[at] + 1, *flat[at + 1 :]]
        yield Check(f"batch, input plus 1:{name}:{j}", batch(flat=altered), INVALID)
        altered = [*flat[:at], flat[at] + R, *flat[at + 1 :]]
        yield Check(f"batch, input plus r:{name}:{j}", batch(flat=altered), frozenset({"InputOutOfRange"}))
    if n > 1:
        yield from _pair_checks(name, length, size, batch, proofs, flat)
    inputs = frozenset({"InstanceLength"}) | ANOTHER_KEY
    lengths = frozenset({"ProofLength"}) | inputs  # five plain proofs are as long as four of CG16
    for count in (n + 1, n - 1, 2**255 + n, 2**248 * n, 2**256 - 1):
        expected = frozenset({"EmptyBatch"}) if count == 0 else lengths
        yield Check(f"batch, count:{name}:{count}", batch(count=count), expected)
    yield Check(f"batch, count 0:{name}", batch(count=0), frozenset({"EmptyBatch"}))
    yield Check(f"batch, an input less:{name}", batch(flat=flat[:-1]), inputs)
    yield Check(f"batch, an input more:{name}", batch(flat=[*flat, 0]), inputs)
    yield Check(f"batch, no input:{name}", batch(flat=[]), frozenset({"InstanceLength"}))
    yield Check(f"batch, hash:{name}", batch(hash=bytes(32)), KEY)


def _pair_checks(
    name: str, length: int, size: int, batch: Callable[..., bytes], proofs: bytes, flat: list[int]
) -> Iterator[Check]:
    """What two proofs could exchange."""
    swapped = flat[size : 2 * size] + flat[:size] + flat[2 * size :]
    yield Check(f"batch, inputs swapped:{name}", batch(flat=swapped), INVALID)
    bad = bytearray(proofs)
    bad[192:256], bad[length + 192 : length + 256] = proofs[length + 192 : length + 256], proofs[192:256]
    yield Check(f"batch, c swapped:{name}", batch(proofs=bytes(bad)), INVALID)
    bad = bytearray(proofs)
    bad[length + 192 : length + 256] = bytes(64)
    yield Check(f"batch, c infinity:{name}", batch(proofs=bytes(bad)), INVALID)
    yield Check(f"batch, off the curve:{name}", batch(proofs=flipped(proofs, length + 63)), MALFORMED)
    # c_0 + Q, c_1 - Q: what cancels where the weights are equal
    first, second = (_g1(proofs, at + 192) for at in (0, length))
    more, less = add_g1(first, (1, 2)), add_g1(second, (1, P - 2))
    bad = bytearray(proofs)
    bad[192:256] = word(more[0]) + word(more[1])
    bad[length + 192 : length + 256] = word(less[0]) + word(less[1])
    yield Check(f"batch, c moved:{name}", batch(proofs=bytes(bad)), INVALID)


def _g1(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(data[at : at + 32], "big"), int.from_bytes(data[at + 32 : at + 64], "big")


def bound_batch_checks(s: Subject, n: int) -> Iterator[Check]:
    """A batch whose proofs have binders."""
    name, instances = f"{s.name}:{n}", [numbers(s.vk.instance_length, i) for i in range(n)]
    flat = [x for instance in instances for x in instance]
    unbound = b"".join(map(s.proof, instances))
    binders = [keccak256(bytes([i])) for i in range(n)]

    def batch(proofs: bytes, binders: list[bytes] = binders) -> bytes:
        return s.call("verifyBoundBatch", vkhash(s.vk), encode_key(s.vk), proofs, flat, binders)

    if not s.cg16:
        yield Check(f"bound batch, of plain Groth16:{name}", batch(unbound), frozenset({"NotBindable"}))
        return
    proofs = b"".join(s.proof(x, s.context(binder)) for x, binder in zip(instances, binders, strict=True))
    yield Check(f"bound batch:{name}", batch(proofs), OK)
    yield Check(f"bound batch, trailing:{name}", batch(proofs) + bytes(32), frozenset({"CalldataLength"}))
    yield Check(f"bound batch, unbound proofs:{name}", batch(unbound), INVALID)
    if n > 1:
        yield Check(f"bound batch, binders swapped:{name}", batch(proofs, binders[::-1]), INVALID)
    fewer = frozenset({"ProofLength"}) if n > 1 else frozenset({"EmptyBatch"})
    yield Check(f"bound batch, a binder less:{name}", batch(proofs, binders[:-1]), fewer)
    yield Check(f"bound batch, a binder more:{name}", batch(proofs, [*binders, bytes(32)]), frozenset({"ProofLength"}))


def unsafe_keys(vk: VerifyingKey) -> dict[str, VerifyingKey]:
    """Keys that nobody may pin."""
    ic = vk.gamma_abc_g1
    found = {
        "delta = gamma": replace(vk, delta_g2=vk.gamma_g2),
        "delta = -gamma": replace(vk, delta_g2=negate_g2(vk.gamma_g2)),
        "delta = -G2": replace(vk, delta_g2=negate_g2(G2_GENERATOR)),
        "alpha = 0": replace(vk, alpha_g1=G1_INFINITY),
        "beta = 0": replace(vk, beta_g2=G2_INFINITY),
        "gamma = 0": replace(vk, gamma_g2=G2_INFINITY),
        "delta = 0": replace(vk, delta_g2=G2_INFINITY),
        "IC_0 = 0": replace(vk, gamma_abc_g1=(G1_INFINITY, *ic[1:])),
        "IC_1 = 0": replace(vk, gamma_abc_g1=(ic[0], G1_INFINITY, *ic[2:])),
        "IC_1 = -IC_0": replace(vk, gamma_abc_g1=(ic[0], negate_g1(ic[0]), *ic[2:])),
    }
    if vk.eta_g2 is not None:
        found |= {
            "eta = delta": replace(vk, eta_g2=vk.delta_g2),
            "eta = -gamma": replace(vk, eta_g2=negate_g2(vk.gamma_g2)),
            "eta = 0": replace(vk, eta_g2=G2_INFINITY),
            "eta = G2": replace(vk, eta_g2=G2_GENERATOR, gamma_g2=vk.delta_g2, delta_g2=vk.eta_g2),
            "IC_1 = IC_2": replace(vk, gamma_abc_g1=(ic[0], ic[1], ic[1])),
        }
    return found


def pinning_checks(s: Subject) -> Iterator[Check]:
    """``checkKey``: what may be pinned."""

    def check(vk: VerifyingKey, hash: bytes | None = None, n: int | None = None) -> bytes:
        raw = encode_key(vk)
        length = vk.instance_length if n is None else n
        return s.call("checkKey", s.hash(raw) if hash is None else hash, raw, s.cg16, length)

    vk, ic = s.vk, s.vk.gamma_abc_g1
    yield Check(f"checkKey:{s.name}", check(vk), OK)
    short = s.call("checkKey", vkhash(vk), without_gamma(encode_key(vk)), s.cg16, vk.instance_length)
    yield Check(f"checkKey, gamma left out:{s.name}", short, OK)
    many = ceremony_key(System.CG16, 5_000).vk  # more words than its key has bytes
    data = s.call("checkKey", vkhash(many), encode_key(many), True, 5_000)
    yield Check(f"checkKey, many words:{s.name}", data, OK)
    yield Check(f"checkKey, hash:{s.name}", check(vk, bytes(32)), KEY)
    for n in (0, 2**32, 2**256 - 1):
        yield Check(f"checkKey, inputs:{s.name}:{n}", check(vk, n=n), frozenset({"InstanceLength"}))
    yield Check(f"checkKey, an input more:{s.name}", check(vk, n=vk.instance_length + 1), ANOTHER_KEY)
    for name, unsafe in unsafe_keys(vk).items():
        yield Check(f"checkKey, unsafe:{s.name}:{name}", check(unsafe), frozenset({"UnsafeKey"}))
    for name, off in {
        "alpha": replace(vk, alpha_g1=(vk.alpha_g1[0], vk.alpha_g1[1] ^ 1)),
        "IC_0": replace(vk, gamma_abc_g1=((ic[0][0], ic[0][1] ^ 1), *ic[1:])),
        "last IC_i": replace(vk, gamma_abc_g1=(*ic[:-1], (ic[-1][0], ic[-1][1] ^ 1))),
    }.items():
        yield Check(f"checkKey, not in G1:{s.name}:{name}", check(off), MALFORMED)
    for name, off in {
        "beta, another subgroup": replace(vk, beta_g2=OUTSIDE_SUBGROUP),
        "delta, another subgroup": replace(vk, delta_g2=OUTSIDE_SUBGROUP),
        "beta": replace(vk, beta_g2=((vk.beta_g2[0][0] ^ 1, vk.beta_g2[0][1]), vk.beta_g2[1])),
        "delta": replace(vk, delta_g2=((vk.delta_g2[0][0] ^ 1, vk.delta_g2[0][1]), vk.delta_g2[1])),
    }.items():
        yield Check(f"checkKey, not in G2:{s.name}:{name}", check(off), MALFORMED)
    if not s.cg16:
        yield from _forgery(s)


def _forgery(s: Subject) -> Iterator[Check]:
    """Under delta = gamma anybody proves anything: ``verify`` cannot know, whoever pins a key has to ask."""
    vk = replace(s.vk, delta_g2=s.vk.gamma_g2)
    x = numbers(vk.instance_length)
    ic = vk.gamma_abc_g1[0]
    for value, point in zip(x, vk.gamma_abc_g1[1:], strict=True):
        ic = add_g1(ic, multiply_g1(point, value))
    forged = Proof(a=vk.alpha_g1, b=vk.beta_g2, c=negate_g1(ic))
    data = s.verify(hash=vkhash(vk), raw=encode_key(vk), proof=encode_proof(forged))
    yield Check(f"a forgery under an unsafe key that was pinned:{s.name}", data, OK)


SINGLE = (
    key_checks,
    other_gamma_checks,
    other_key_checks,
    instance_checks,
    proof_checks,
    calldata_checks,
    bound_checks,
    pinning_checks,
)


def checks(
    artifact: Artifact,
    chain_id: int,
    address: str,
    batches: tuple[int, ...] = (1, 2, 5),
    shapes: Iterable[tuple[System, int]] = SHAPES,
) -> Iterator[Check]:
    """All checks for a shared verifier at this address."""
    for system, n in shapes:
        subject = Subject(ceremony_key(system, n), artifact, chain_id, bytes.fromhex(address[2:]))
        for some in SINGLE:
            yield from some(subject)
        for count in batches:
            yield from batch_checks(subject, count)
            yield from bound_batch_checks(subject, count)


def thinned(checks: Iterable[Check], most: int) -> Iterator[Check]:
    """At most so many of each kind for each key."""
    had: Counter[tuple[str, ...]] = Counter()
    for check in checks:
        kind = tuple(check.name.split(":")[:2])
        had[kind] += 1
        if had[kind] <= most:
            yield check
