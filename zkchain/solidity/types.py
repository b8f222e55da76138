"""A circuit's public words as Solidity reads them: a library that decodes them, and the key that a consumer pins.

The decoding is ``Layout.decode``'s. Plain: a word is a signed field element, r - |q|. cg16: elements of ceil(bits / 8)
bytes follow each other within words of 31 bytes, lowest first, with ``offset`` added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from zkchain.bn254 import R
from zkchain.circuit.interface import Interface, Port
from zkchain.circuit.layout import WORD_BYTES, Field, Layout
from zkchain.errors import SolidityError
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System
from zkchain.solidity.render import template_named

WAD = 10**18
"""Steps in a unit of the fixed-point numbers that contracts reckon with."""
WIDEST = 1 << 62
"""Integers of a program lie within."""
MOST_NAMES = 256
"""Longer lists of names, and more elements with a missing value of their own, are left out of the library."""

ENDINGS = (
    "",
    "_UINT",
    "_WAD",
    "_ALL",
    "_NAME",
    "_IS_MISSING",
    "_SIZE",
    "_MIN",
    "_MAX",
    "_WAD_NUMERATOR",
    "_WAD_DENOMINATOR",
)


@dataclass(frozen=True, slots=True)
class Place:
    """cg16: where the elements of a field lie. ``first`` of them share the word ``word`` from bit ``shift`` on,
    ``each`` a word after it."""

    word: int
    shift: int
    first: int
    each: int


@dataclass(frozen=True, slots=True)
class Named:
    """A public tensor as the template writes it: ``ident`` names its functions, ``upper`` its constants, ``shown``
    stands in comments. ``start``: its first word (plain). ``wad``: numerator and denominator of scale * 10^18, None
    where numbers of it would not fit. ``names``: those that integers are places of, as Solidity's literals.
    ``missing``: integers that say that an element is missing, with the elements of which they do; None: of all."""

    field: Field
    ident: str
    upper: str
    shown: str
    lo: int
    hi: int
    start: int
    place: Place
    wad: tuple[int, int] | None
    names: tuple[str, ...]
    missing: tuple[tuple[int, tuple[int, ...] | None], ...]


def render_types(interface: Interface, digest: bytes, name: str = "Model") -> str:
    """The library ``<name>Types``, which decodes the public words of one circuit.

    Parameters
    ----------
    interface
        What the circuit says of its numbers.
    digest
        The circuit's, 32 bytes.
    name
        A Solidity identifier.

    Returns
    -------
    str
        The file's text; it imports nothing.

    Raises
    ------
    SolidityError
        ``name`` is no identifier.
    """
    layout = Layout(interface.system, interface.fields)
    return template_named("types.sol.jinja").render(
        name=checked(name),
        fields=name_fields(interface),
        words=layout.length,
        digest=digest.hex(),
        plain=layout.system is System.GROTH16,
        R=R,
    )


def render_key(vk: VerifyingKey, layout: Layout, gas: Mapping[str, int], name: str = "Model") -> str:
    """The abstract contracts ``<name>Key`` and ``<name>SharedKey``: ZkConsumer and ZkSharedConsumer with the key
    pinned.

    ``gas``: what a call of a verifier ("own", "shared") needs to check a valid proof. A plain circuit that nothing
    binds gets a contract whose function says so. Errors as ``render_types``.
    """
    return template_named("key.sol.jinja").render(
        name=checked(name),
        vk_hash=vkhash(vk).hex(),
        constant="VK_HASH" + ("_DEVELOPMENT" if vk.development else ""),
        development=vk.development,
        words=vk.instance_length,
        cg16=vk.system is System.CG16,
        binding=layout.binding,
        gas=gas,
    )


def checked(name: str) -> str:
    """A name that Solidity takes."""
    if not (name.isascii() and name.isidentifier()):
        raise SolidityError(f"contract name: expected a Solidity identifier, got {name!r}")
    return name


def name_fields(interface: Interface) -> tuple[Named, ...]:
    """Every public tensor, with an identifier of its own."""
    layout = Layout(interface.system, interface.fields)
    places = list(zip(*layout.places(), strict=True)) if layout.system is System.CG16 else []
    ports = (("input", interface.inputs), ("output", interface.outputs))
    ends = {(kind, port.name): _ends(port) for kind, given in ports for port in given}
    found: list[Named] = []
    start = 0
    for field in layout.fields:
        ident = _identifier(field, {name for named in found for name in _all_names(named.ident)})
        place = _place(field, *map(int, places[start])) if places else Place(0, 0, 0, 1)
        found.append(_named(field, ident, ends[field.kind, field.name], start, place))
        start += field.size
    return tuple(found)


def _identifier(field: Field, taken: set[str]) -> str:
    """inputImage, outputLabel; with a number where that is another field's."""
    parts = re.findall(r"[A-Za-z0-9]+", field.name) or ["unnamed"]
    base = field.kind + "".join(part[:1].upper() + part[1:] for part in parts)
    tried = (base, *(f"{base}_{k}" for k in range(2, len(taken) + 3)))  # each name spoils one of them at most
    return next(ident for ident in tried if not _all_names(ident) & taken)


def _all_names(ident: str) -> set[str]:
    """What the library declares for one field, in capitals."""
    return {_upper(ident) + end for end in ENDINGS}


def _upper(ident: str) -> str:
    """OUTPUT_LABEL."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", ident).upper()


def _named(field: Field, ident: str, ends: tuple[int, int], start: int, place: Place) -> Named:
    return Named(
        field,
        ident,
        _upper(ident),
        _shown(field.name),
        *ends,
        start,
        place,
        _wad(field.scale),
        _names(field),
        _missing(field),
    )


def _ends(port: Port) -> tuple[int, int]:
    """Lowest and highest integer of a port."""
    lows, highs = ((end if isinstance(end, tuple) else (end,)) for end in (port.lo, port.hi))
    return min(lows), max(highs)


def _place(field: Field, word: int, shift: int) -> Place:
    each = WORD_BYTES // field.width
    return Place(word, shift, min(field.size, (WORD_BYTES - shift // 8) // field.width), each)


def _wad(scale: float) -> tuple[int, int] | None:
    """scale * 10^18 in lowest terms: a float is a fraction, so nothing is lost."""
    value = Fraction(scale) * WAD
    if WIDEST * value.numerator >= 1 << 255 or value.denominator >= 1 << 255:
        return None
    return value.numerator, value.denominator


def _shown(text: str) -> str:
    """A name that comes from a model, for a comment: one line of ASCII without the signs that NatSpec reads."""
    return json.dumps(text[:80])[1:-1].replace("@", "\\u0040")


def _names(field: Field) -> tuple[str, ...]:
    """Literals of the names that all elements share; of a name that stands for every other string the empty one."""
    if len(field.categories) != 1 or len(field.categories[0]) > MOST_NAMES:
        return ()
    return tuple(_literal("" if name is None else str(name)) for name in field.categories[0])


def _literal(text: str) -> str:
    """A string literal: bytes that are not plain ASCII are escaped."""
    plain = set(range(32, 127)) - set(b'"\\')
    return '"' + "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in text.encode(errors="replace")) + '"'


def _missing(field: Field) -> tuple[tuple[int, tuple[int, ...] | None], ...]:
    """Integers that say that an element is missing, and of which elements."""
    said = {q for q in field.missing if q is not None}
    if None not in field.missing and len(said) == 1:
        return ((said.pop(), None),)
    if field.size > MOST_NAMES:
        return ()
    return tuple((q, tuple(i for i, other in enumerate(field.missing) if other == q)) for q in sorted(said))
