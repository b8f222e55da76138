"""What forks charge, in gas: every price a named field, with the EIP that set it in ``SOURCES``.

Amsterdam is scheduled, not final: its prices are those of the EIPs in Last Call and of the execution specifications'
eighth Glamsterdam test network (autumn 2026). EIP-7904, which would reprice precompiles, is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from zkchain.errors import ChainError

CAP = 1 << 24


@dataclass(frozen=True, slots=True)
class Fork:
    """Prices and limits of a hard fork. Where a field is of one EIP, it is 0 (a limit None) before that EIP."""

    name: str
    status: Literal["live", "scheduled"] = "live"
    call: int = 21_000
    create: int = 21_000
    creation: int = 32_000
    create2: int = 32_000
    token: int = 4
    floor_zero: int = 0
    floor_nonzero: int = 0
    initcode_word: int = 2
    code_byte: int = 200
    code_word: int = 0
    account_bytes: int = 0
    code_bytes: int = 0
    state_byte: int = 0
    cold_account: int = 2_600
    code_read: int = 0
    ec_add: int = 150
    ec_mul: int = 6_000
    pairing: int = 45_000
    pairing_term: int = 34_000
    cap: int | None = None
    max_code: int = 24_576
    max_initcode: int = 49_152


SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "call": "a transaction that calls a contract: Yellow Paper; EIP-2780: 12,000 and a cold account of EIP-8038",
        "create": "a transaction that creates one, and where its floor starts: Yellow Paper; EIP-2780: 12,000 and "
        "EIP-8038's access of 12,000",
        "creation": "on top of create: Yellow Paper; inside create since EIP-2780",
        "create2": "a contract that a contract creates: EIP-1014; EIP-8038",
        "token": "calldata, a zero byte; a nonzero one four times that: EIP-2028",
        "floor_zero": "least for a zero byte of calldata, execution included: EIP-7623, EIP-7976",
        "floor_nonzero": "least for a nonzero byte: EIP-7623, EIP-7976",
        "initcode_word": "32 bytes of initcode: EIP-3860",
        "code_byte": "a byte of code deployed: Yellow Paper; EIP-8037 charges state instead",
        "code_word": "hashing 32 bytes of code deployed: EIP-8037",
        "account_bytes": "bytes of state that a new account takes: EIP-8037",
        "code_bytes": "bytes of state that a byte of code takes: EIP-8037",
        "state_byte": "a byte of new state: EIP-8037",
        "cold_account": "an account's first use in a transaction: EIP-2929, EIP-8038",
        "code_read": "EXTCODECOPY's second read: EIP-8038",
        "ec_add": "precompile 6: EIP-1108",
        "ec_mul": "precompile 7: EIP-1108",
        "pairing": "precompile 8: EIP-1108",
        "pairing_term": "precompile 8, each pair: EIP-1108",
        "cap": "gas of one transaction, state of EIP-8037 not counted: EIP-7825",
        "max_code": "bytes of a contract's code: EIP-170, EIP-7954",
        "max_initcode": "bytes of initcode: EIP-3860, EIP-7954",
    }
)
"""Field of ``Fork`` -> what it pays for, and by which EIPs. Access lists (EIP-7981) are not used."""

_AMSTERDAM = Fork(
    "amsterdam",
    status="scheduled",
    call=15_000,
    create=24_000,
    creation=0,
    create2=12_000,
    floor_zero=64,
    floor_nonzero=64,
    code_byte=0,
    code_word=6,
    account_bytes=120,
    code_bytes=1,
    state_byte=1_530,
    cold_account=3_000,
    code_read=100,
    cap=CAP,
    max_code=65_536,
    max_initcode=131_072,
)
FORKS: Mapping[str, Fork] = MappingProxyType(
    {
        "cancun": Fork("cancun"),
        "prague": Fork("prague", floor_zero=10, floor_nonzero=40),
        "osaka": Fork("osaka", floor_zero=10, floor_nonzero=40, cap=CAP),
        "amsterdam": _AMSTERDAM,
    }
)
DEFAULT_FORK = "osaka"


def fork_named(name: str) -> Fork:
    """ChainError unless ``name`` is one of FORKS."""
    if name not in FORKS:
        raise ChainError(f"unknown fork {name!r}", hint=f"known: {', '.join(FORKS)}")
    return FORKS[name]
