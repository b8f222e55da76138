"""What rollups charge on top of their own gas: for the transaction's bytes, which they publish on L1.

OP stack (specs.optimism.io, Ecotone, Fjord, Isthmus, Jovian; op-geth's core/types/rollup_cost.go):

    scaled   = 16 base_scalar l1_base_fee + blob_scalar blob_base_fee
    Ecotone  = calldata gas of the transaction * scaled / 16e6
    Fjord    = max(100e6, 836,500 FastLZ length - 42,585,600) * scaled / 1e12
    operator = gas * scalar / 1e6 + constant      (Isthmus)
             = gas * scalar * 100 + constant      (Jovian)

Arbitrum (nitro, "L1 Pricing"): 16 units for every byte that brotli, at its quickest, leaves of the
transaction, each at the chain's price of L1 data. That compressor is not at hand here: ``brotli_length`` says how far
its stand-in is off.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from zkchain._core import keccak256
from zkchain.chain.gas.estimates import tokens
from zkchain.errors import ChainError

FASTLZ_COEFFICIENT, FASTLZ_INTERCEPT, FJORD_LEAST = 836_500, -42_585_600, 100_000_000
BROTLI_TABLES = 160
L1_BYTE = 16
"""Gas of a nonzero byte of calldata on L1 (EIP-2028)."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """``scalars``: of the base fee and of the blob base fee, in millionths, as they were when Fjord came; a node knows
    the present ones. None: only a node knows them."""

    name: str
    kind: Literal["op", "arbitrum"]
    scalars: tuple[int, int] | None = None


ROLLUPS: Mapping[str, Rollup] = MappingProxyType(
    {
        rollup.name: rollup
        for rollup in (
            Rollup("optimism", "op", (5_227, 1_014_213)),
            Rollup("base", "op", (2_269, 1_055_762)),
            Rollup("op-stack", "op"),
            Rollup("arbitrum", "arbitrum"),
        )
    }
)
OTHER_GAS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("zksync", "abstract", "lens", "sophon"), "a zkSync chain prices the curve's precompiles unlike Ethereum"
    )
)
"""Rollups whose gas is not Ethereum's -> why."""


def rollup_named(name: str) -> Rollup:
    """ChainError unless ``name`` is one of ROLLUPS; for those of OTHER_GAS it says why they are none."""
    if name in OTHER_GAS:
        raise ChainError(
            f"{name}: {OTHER_GAS[name]}, so this estimate does not hold there",
            hint="measure it there: deploy on its test network and submit a proof",
        )
    if name not in ROLLUPS:
        hint = f"known: {', '.join(ROLLUPS)}; op-stack is any other chain of that kind, with its node (rpc=, --rpc)"
        raise ChainError(f"unknown rollup {name!r}", hint=hint)
    return ROLLUPS[name]


@dataclass(frozen=True, slots=True)
class OpPrices:
    """What an OP stack chain charges by: wei, and millionths."""

    l1_base_fee: int
    blob_base_fee: int
    base_scalar: int
    blob_scalar: int
    operator_scalar: int = 0
    operator_constant: int = 0
    rules: Literal["ecotone", "fjord", "jovian"] = "fjord"

    @property
    def scaled(self) -> int:
        """Millionths of wei per byte."""
        return L1_BYTE * self.base_scalar * self.l1_base_fee + self.blob_scalar * self.blob_base_fee

    def data_fee(self, transaction: bytes) -> int:
        """Wei for publishing a signed transaction."""
        if self.rules == "ecotone":
            return 4 * tokens(transaction) * self.scaled // (L1_BYTE * 10**6)
        return fjord_size(transaction) * self.scaled // 10**12

    def operator_fee(self, gas: int) -> int:
        """Wei for the operator, by gas used."""
        share = gas * self.operator_scalar
        return (share * 100 if self.rules == "jovian" else share // 10**6) + self.operator_constant


def fjord_size(transaction: bytes) -> int:
    """Millionths of bytes that a batch is taken to grow by: a linear function of the FastLZ length."""
    return max(FJORD_LEAST, FASTLZ_COEFFICIENT * fastlz_length(transaction) + FASTLZ_INTERCEPT)


def fastlz_length(data: bytes) -> int:
    """Length after FastLZ (level 1) as op-geth counts it.

    A run of up to 32 literals takes a byte more than it has; a match of at least three bytes, at most 8,191 back, two
    bytes, or three from nine bytes on, and three for each 262. Matches are looked for where the same hash of three
    bytes stood last, and not in the last 13 bytes.
    """
    last = len(data) - 13
    seen: dict[int, int] = {}
    length = start = 0
    at = 2
    while at < last:
        there = _look_up(data, seen, at)
        at += 1
        if there is None or at >= last:
            continue
        at -= 1
        length += _literals(at - start)
        run = _run(data, there + 3, at + 3, last + 9)
        length += 3 * ((run - 1) // 262) + (3 if (run - 1) % 262 >= 6 else 2)
        start = at + run
        for place in (start, start + 1):
            seen[_hash(data, place)] = place
        at = start = start + 2
    return length + _literals(len(data) - start)


def _look_up(data: bytes, seen: dict[int, int], at: int) -> int | None:
    """The last place of these three bytes, as far as the table of hashes knows it; this place takes its place."""
    key = _hash(data, at)
    there = seen.get(key, 0)
    seen[key] = at
    near = at - there <= 0x1FFF
    return there if near and data[there : there + 3] == data[at : at + 3] else None


def _hash(data: bytes, at: int) -> int:
    """13 bits of Fibonacci hashing."""
    return (2_654_435_769 * int.from_bytes(data[at : at + 3], "little") & 0xFFFF_FFFF) >> 19


def _literals(count: int) -> int:
    whole, rest = divmod(count, 32)
    return 33 * whole + (rest + 1 if rest else 0)


def _run(data: bytes, there: int, at: int, end: int) -> int:
    """How many bytes agree, and one more where they then differ."""
    most = end - at
    for k in range(most):
        if data[there + k] != data[at + k]:
            return k + 1
    return most


def brotli_length(data: bytes) -> int:
    """About what brotli at level 0 leaves of ``data``. Noise it keeps, with a head of four bytes; elsewhere it needs
    more bytes for its tables than DEFLATE at its quickest. Within 3 % of brotli 1.2 on calls of both systems."""
    return min(len(zlib.compress(data, 1, -15)) + BROTLI_TABLES, len(data) + 4)


def arbitrum_units(transaction: bytes) -> int:
    """Units of L1 data that a signed transaction is charged for, about."""
    return L1_BYTE * brotli_length(transaction)


def envelope(data: bytes, *, creates: bool = False) -> bytes:
    """A signed transaction (EIP-1559) with this calldata; all other fields are noise of usual length."""
    noise = keccak256(b"r") + keccak256(b"s") + keccak256(b"fields")
    fields: list[bytes] = [noise[64:67], noise[67:69], noise[69:73], noise[73:77], noise[77:80]]
    fields += [b"" if creates else noise[76:96], b"", data]
    body = b"".join(map(_rlp, fields)) + b"\xc0" + _rlp(b"\1") + _rlp(noise[:32]) + _rlp(noise[32:64])
    return b"\2" + _prefixed(0xC0, body)


def _rlp(item: bytes) -> bytes:
    """A string in RLP (Yellow Paper, appendix B)."""
    return item if len(item) == 1 and item[0] < 0x80 else _prefixed(0x80, item)


def _prefixed(kind: int, body: bytes) -> bytes:
    if len(body) < 56:
        return bytes([kind + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([kind + 55 + len(size)]) + size + body
