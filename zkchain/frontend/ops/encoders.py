"""Encoders of categories: one-hot vectors, maps of labels.

A string is the place of its name in a list (``zkchain.ir.categories``); the lists of an input grow while encoders read
it, and the model is imported again when they are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops import logic
from zkchain.frontend.ops.movement import classes, lookup
from zkchain.frontend.text import Vocabulary
from zkchain.ir.builder import Builder
from zkchain.ir.categories import Names
from zkchain.typing import FloatArray

Key = str | int | float | None  # None: whatever is no key
TYPES = ("strings", "int64s", "floats")
MISSING: Mapping[str, Key] = {"strings": "_Unused", "int64s": -1, "floats": 0.0}


def one_hot_encoder(call: Call) -> int:
    """[x = c] for every category c, on a new last axis. What is no category gives zeros."""
    build, x = call.build, call.x()
    strings, integers = call.attribute("cats_strings") or [], call.attribute("cats_int64s") or []
    if x in build.texts:
        if not strings:
            raise call.fail("strings are encoded by a list of integers", hint="train it on the type that it is fed")
        _learn(build, x, strings, others=bool(call.integer("zeros", 1)))
        return _by_names(build, x, lambda part, names: _places(build, part, [_at(names, c) for c in strings]))
    if not integers:
        raise call.fail("numbers are encoded by a list of strings", hint="train it on the type that it is fed")
    whole = x if call.is_integer() or build.is_whole(x) else build.unary(x, "trunc")
    wide = _places(build, build.reshape(whole, (build.size(x),)), integers)
    return build.reshape(wide, (*build.shape(x), len(integers)))


def _at(names: Names, text: str) -> int:
    return names.index(text) if text in names else -1


def _places(build: Builder, x: int, values: Sequence[int]) -> int:
    """[x_i = v_k]: (n,) -> (n, values)."""
    found = [build.reshape(build.unary(x, "equal", float(v)), (build.size(x), 1)) for v in values]
    return build.concat(found, 1)


def _learn(build: Builder, x: int, names: Sequence[str], *, others: bool) -> None:
    """An encoder of these names reads x; ``others``: and takes every other string too."""
    for vocabulary in dict.fromkeys(build.texts[x].ravel().tolist()):
        vocabulary.learn(names, others=others)


def _by_names(build: Builder, x: int, make: Callable[[int, Names], int]) -> int:
    """What ``make`` makes of all elements (n,) of one list, in the shape of x and what it adds behind that."""
    lists, plain, shape = build.texts[x].ravel(), build.plain(x), build.shape(x)
    groups: dict[Vocabulary, list[int]] = {}
    for at, vocabulary in enumerate(lists.tolist()):
        groups.setdefault(vocabulary, []).append(at)
    parts = [make(build.take(plain, np.array(at)), vocabulary.names()) for vocabulary, at in groups.items()]
    back = np.argsort([k for at in groups.values() for k in at])
    whole = build.move(build.concat(parts, 0), lambda at: at[back])
    return build.reshape(whole, (*shape, *build.shape(whole)[1:]))


def label_encoder(call: Call) -> int:
    """A map of labels: of strings, of a class index, or of whole numbers. Before ai.onnx.ml 2 a list of classes."""
    if call.attribute("classes_strings"):
        names = call.attribute("classes_strings")
        return _mapped(call, dict(enumerate(names)), dict(zip(names, range(len(names)), strict=True)))
    keys, values = (_given(call, side) for side in ("keys", "values"))
    if len(keys) != len(values) or not keys:
        raise call.build.error(f"{len(keys)} keys and {len(values)} values of a map of labels")
    table = dict(zip(keys, values, strict=True))
    return _mapped(call, table, table)


def category_mapper(call: Call) -> int:
    """Strings to integers, or back."""
    names, integers = call.attribute("cats_strings") or [], call.attribute("cats_int64s") or []
    if len(names) != len(integers):
        raise call.build.error(f"{len(names)} strings and {len(integers)} integers of a map of categories")
    return _mapped(call, dict(zip(integers, names, strict=True)), dict(zip(names, integers, strict=True)))


def _given(call: Call, side: str) -> list[Any]:
    tensor = call.attribute(f"{side}_tensor")
    if tensor is not None:
        found = call.array(f"{side}_tensor").ravel().tolist()
        return [v.decode() if isinstance(v, bytes) else v for v in found]
    return next((list(v) for kind in TYPES if (v := call.attribute(f"{side}_{kind}"))), [])


def _mapped(call: Call, numbers: Mapping[Key, Key], strings: Mapping[Key, Key]) -> int:
    """x by the table of its type; what is no key becomes the default."""
    build, x = call.build, call.x()
    if x in build.texts:
        default = _default(call, list(strings.values()))
        _learn(build, x, [str(key) for key in strings], others=True)
        found = _by_names(
            build, x, lambda part, names: _looked_up(call, part, [strings.get(n, default) for n in names])
        )
        return _texts(call, found, [*strings.values(), default])
    default, count = _default(call, list(numbers.values())), classes(build, x)
    if any(isinstance(key, str) for key in numbers):
        raise call.fail("numbers are mapped by a table of strings", hint="train it on the type that it is fed")
    if count:
        listed = [numbers.get(k, default) for k in range(count)]
        return _texts(call, _looked_up(call, x, listed), [*numbers.values(), default])
    if not (call.is_integer() or build.is_whole(x)):
        raise call.fail("real numbers are mapped", hint="only labels and other whole numbers are: cast it to int64")
    places = _codes([*numbers.values(), default])
    # d + sum_k (v_k - d) [x = k]
    result = build.scale(x, 0.0)
    for key, value in numbers.items():
        step = places[value] - places[default]
        if step:
            result = build.add(result, build.scale(build.unary(x, "equal", float(key or 0)), step))
    return _texts(call, build.shift(result, places[default]), [*numbers.values(), default])


def _default(call: Call, values: Sequence[Key]) -> Key:
    kind = "strings" if isinstance(values[0], str) else "floats" if isinstance(values[0], float) else "int64s"
    if call.attribute("default_tensor") is not None:
        found: Key = call.array("default_tensor").ravel().tolist()[0]
        return found.decode() if isinstance(found, bytes) else found
    given: Key = call.attribute(f"default_{kind.removesuffix('s')}", MISSING[kind])
    return given


def _codes(values: Sequence[Key]) -> dict[Key, float]:
    """The number that stands for each value: itself, or of strings the place among them."""
    distinct = list(dict.fromkeys(values))
    return {v: float(k) if isinstance(v, str) else float(v or 0) for k, v in enumerate(distinct)}


def _looked_up(call: Call, x: int, values: Sequence[Key]) -> int:
    """values[x], strings by their places among all values of the map (``_texts`` names these)."""
    if values and isinstance(values[0], str):
        return lookup(call, x, np.array(values, dtype=object))
    return lookup(call, x, np.array(values, dtype=np.float64), count=len(values))


def _texts(call: Call, x: int, values: Sequence[Key]) -> int:
    """x itself, or where the values are strings the texts of these places."""
    build = call.build
    if not isinstance(values[0], str) or x in build.texts:
        return x
    return build.named(x, Vocabulary.of([str(v) for v in dict.fromkeys(values)]))


def imputer(call: Call) -> int:
    """x, and the imputed value where x is the one to be replaced, or is missing."""
    build, x = call.build, call.x()
    floats = call.attribute("imputed_value_floats")
    replaced = call.number("replaced_value_float", 0.0) if floats else call.integer("replaced_value_int64", 0)
    missing = np.isnan(replaced)
    if (missing and x not in build.missing) or np.isinf(replaced):
        return x
    imputed = floats or call.attribute("imputed_value_int64s") or []
    if len(imputed) not in (1, build.shape(x)[-1]):
        raise build.error(f"{len(imputed)} imputed values for an input of shape {build.shape(x)}")
    if missing:
        return _filled(build, x, np.broadcast_to(np.asarray(imputed, dtype=np.float64), build.shape(x)))
    # x + [x = r] (v - r)
    found = build.unary(x, "equal", float(replaced))
    return build.add(x, build.mul(found, build.const(np.asarray(imputed, dtype=np.float64) - float(replaced))))


def _filled(build: Builder, x: int, imputed: FloatArray) -> int:
    """x, and the imputed value where it is missing: of the elements that may be x + [x is missing] (v - m)."""
    marks, size = build.missing[x], build.size(x)
    at = np.flatnonzero(marks.possible)
    flat = build.reshape(build.present(x), (size,))
    part = build.take(flat, at)
    step = imputed.ravel()[at] - marks.value.ravel()[at]
    filled = build.add(part, build.mul(logic.missing(build, part, marks.limit.ravel()[at]), build.const(step)))
    index = np.arange(size)
    index[at] = size + np.arange(at.size)
    return build.take(build.concat([flat, filled], 0), index.reshape(build.shape(x)))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "ai.onnx.ml.CategoryMapper": category_mapper,
        "ai.onnx.ml.Imputer": imputer,
        "ai.onnx.ml.LabelEncoder": label_encoder,
        "ai.onnx.ml.OneHotEncoder": one_hot_encoder,
    }
)
