"""Einsum: every operand as one axis a letter, then matrix products from left to right.

A letter that no later operand and not the result has is summed as soon as its last operand comes in. A product of two
operands has stacks (letters of both that go on), rows (of the left one alone), columns (of the right one alone) and
what is summed:

    sum_s x[stack, row, s] y[stack, s, column]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.ir.builder import Builder

Term = tuple[str, int]  # the letters of the axes of a node


def einsum(call: Call) -> int:
    build = call.build
    terms, result = _read(call)
    sizes = _sizes(call, terms)
    missing = [letter for letter in result if letter not in sizes]
    if missing or len(set(result)) < len(result):
        raise build.error(
            f"equation {call.attribute('equation')!r}: the result's letters are not those of the operands"
        )
    found = [_axes_apart(build, letters, call.x(i), sizes) for i, letters in enumerate(terms)]
    done = _summed(build, found[0], _going_on(found[1:], result))
    for k, term in enumerate(found[1:], start=2):
        rest = _going_on(found[k:], result)
        done = _product(build, done, _summed(build, term, {*done[0], *rest}), rest, sizes)
    letters, x = done
    return build.transpose(x, [letters.index(letter) for letter in result])


def _read(call: Call) -> tuple[list[str], str]:
    """The letters of every operand's axes, and of the result's. Axes of an ellipsis are numbered from the last one."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    given, arrow, result = equation.partition("->")
    terms, widest = given.split(","), 0
    if len(terms) != len(call.inputs):
        raise call.build.error(f"equation {equation!r}: {len(terms)} terms for {len(call.inputs)} operands")
    written = []
    for i, term in enumerate(terms):
        named, rank = len(term.replace("...", "")), len(call.shape(i))
        if named > rank or ("..." not in term and named < rank):
            raise call.build.error(f"equation {equation!r}: term {term!r} does not fit shape {call.shape(i)}")
        widest = max(widest, rank - named)
        written.append(term.replace("...", _numbered(rank - named)))
    if not arrow:  # the letters that occur once, in order
        joined = given.replace(",", "").replace("...", "")
        result = "..." + "".join(sorted(letter for letter in set(joined) if joined.count(letter) == 1))
    return written, result.replace("...", _numbered(widest))


def _numbered(count: int) -> str:
    """Axes without a name: private letters, the last axis the first of them."""
    return "".join(chr(0xE000 + k) for k in reversed(range(count)))


def _sizes(call: Call, terms: Sequence[str]) -> Mapping[str, int]:
    """The size of every letter; 1 gives way to another size."""
    sizes: dict[str, int] = {}
    for i, letters in enumerate(terms):
        for letter, size in zip(letters, call.shape(i), strict=True):
            if sizes.setdefault(letter, size) == 1:
                sizes[letter] = size
            if size not in (1, sizes[letter]):
                raise call.build.error(
                    f"an axis of equation {call.attribute('equation')!r} is {sizes[letter]} and {size}"
                )
    return sizes


def _axes_apart(build: Builder, letters: str, x: int, sizes: Mapping[str, int]) -> Term:
    """An operand of which every letter is one axis, of its size: of a letter that comes twice, the diagonal."""
    once = "".join(dict.fromkeys(letters))
    full = np.broadcast_to(build.positions(x), [sizes[letter] for letter in letters])
    where = np.indices([sizes[letter] for letter in once])
    return once, build.take(x, full[tuple(where[once.index(letter)] for letter in letters)])


def _going_on(terms: Iterable[Term], result: str) -> set[str]:
    return {*result, *(letter for letters, _ in terms for letter in letters)}


def _summed(build: Builder, term: Term, kept: set[str]) -> Term:
    letters, x = term
    left = "".join(letter for letter in letters if letter in kept)
    total = build.sum(x, [k for k, letter in enumerate(letters) if letter not in kept])
    return left, build.reshape(total, [build.shape(x)[letters.index(letter)] for letter in left])


def _product(build: Builder, left: Term, right: Term, rest: set[str], sizes: Mapping[str, int]) -> Term:
    (a, x), (b, y) = left, right
    both = [letter for letter in a if letter in b]
    stack, summed = ("".join(c for c in both if (c in rest) == kept) for kept in (True, False))
    rows, columns = ("".join(c for c in one if c not in other) for one, other in ((a, b), (b, a)))
    count = {part: math.prod(sizes[c] for c in part) for part in (stack, summed, rows, columns)}
    x = build.transpose(x, [a.index(c) for c in stack + rows + summed])
    y = build.transpose(y, [b.index(c) for c in stack + summed + columns])
    x = build.reshape(x, (count[stack], count[rows], count[summed]))
    y = build.reshape(y, (count[stack], count[summed], count[columns]))
    made = build.matmul(x, y) if summed else build.mul(x, y)  # without a sum (n, r, 1) and (n, 1, c) broadcast
    letters = stack + rows + columns
    return letters, build.reshape(made, [sizes[c] for c in letters])


RULES: Mapping[str, Rule] = MappingProxyType({"Einsum": einsum})
