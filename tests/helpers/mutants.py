"""Mutants of valid files: bytes flipped, cut and spliced; JSON values replaced by extremes and other types; archives
with altered arrays and headers. All of a seed, so that what a fuzzer finds can be made again."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np

Mutate = Callable[[bytes, random.Random], bytes]

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 61, 62, 63, 64, 65, 101, 255, 256, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 33) + 1),
    *((1 << 53) + 1, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 64, 1 << 70, 10**40, 10**400, -(1 << 63)),
    *(0.5, -0.0, 1.5, 1e-320, 1e-30, 1e18, 1e19, 1e30, 1e308, 1.7976931348623157e308, -1e308),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, "", "1", "0x10", "-1", "NaN", "text", "a" * 1000, "\x00", "\u202e", "é" * 40),
    *([], {}, [[]], [1], [None] * 3, {"array": 0}, {"array": 1 << 40}, {"array": -1}, {"": 1}, [0] * 101),
)
RAW = ("NaN", "Infinity", "1e999", "-1e999", "[" * 2000 + "]" * 2000, '"\\ud800"', '{"a":1,"a":2}', "01", "1" * 5000)
"""Values that only text can hold."""
WORDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four of: flip a bit, cut, repeat, remove or insert a piece, overwrite with a word of note."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        length = min(len(out) - at, rng.choice((1, 2, 4, 8, 32, 200, 5000)))
        kind = rng.randrange(7)
        if kind <= 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            out[at:at] = out[at : at + length] * rng.choice((1, 1, 3, 50))
        elif kind == 4:
            del out[at : at + length]
        elif kind == 5:
            out[at:at] = rng.randbytes(rng.choice((1, 4, 60)))
        else:
            word = rng.choice(WORDS).to_bytes(8, rng.choice(("little", "big")))
            size = rng.choice((1, 2, 4, 8))
            out[at : at + size] = word[:size]
    return bytes(out)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in it."""
    if isinstance(document, dict | list):
        for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
            yield document, key
            yield from places(value)


def of_json(data: bytes, rng: random.Random) -> bytes:
    """One to three values replaced, removed, repeated or exchanged; at times the text itself is altered."""
    if rng.random() < 0.1:
        return of_bytes(data, rng)
    document = copy.deepcopy(json.loads(data))
    raw = ""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(document))
        if not found:
            break
        container, key = rng.choice(found)
        raw = _change(container, key, found, rng) or raw
    text = json.dumps(document)
    return text.replace(json.dumps(MARK), raw, 1).encode() if raw else text.encode()


MARK = "the place of a raw text"


def _change(container: Any, key: Any, found: list[tuple[Any, Any]], rng: random.Random) -> str:
    value, kind = container[key], rng.randrange(12)
    if kind <= 3:
        container[key] = rng.choice(NUMBERS)
    elif kind <= 5:
        container[key] = copy.deepcopy(rng.choice(OTHERS))
    elif kind == 6:
        del container[key]
    elif kind == 7:
        other, place = rng.choice(found)
        if (isinstance(place, int) and place >= len(other)) or (isinstance(place, str) and place not in other):
            return ""  # gone since
        container[key] = copy.deepcopy(other[place])
    elif kind == 8 and isinstance(container, list):
        container[key:key] = [copy.deepcopy(value)] * rng.choice((1, 2, 40))
    elif kind == 9 and isinstance(container, dict):
        container[rng.choice((key + " ", "extra", ""))] = copy.deepcopy(value)
    elif kind == 10 and isinstance(value, int | float) and not isinstance(value, bool):
        container[key] = value + rng.choice((-1, 1, -value * 2, value))
    elif kind == 11:
        container[key] = MARK
        return rng.choice(RAW)
    return ""


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, body in members.items():
            packed.writestr(name, body)
    return out.getvalue()


def saved(array: Any) -> bytes:
    body = BytesIO()
    np.lib.format.write_array(body, np.asanyarray(array), allow_pickle=False)
    return body.getvalue()


def of_archive(data: bytes, rng: random.Random) -> bytes:
    """The members altered (JSON headers as JSON, arrays in type, shape or values), renamed, removed or added."""
    if rng.random() < 0.15:
        return of_bytes(data, rng)
    with zipfile.ZipFile(BytesIO(data)) as packed:
        members = {info.filename: packed.read(info) for info in packed.infolist()}
    for _ in range(rng.choice((1, 1, 2))):
        name = "header.npy" if "header.npy" in members and rng.random() < 0.6 else rng.choice(sorted(members))
        kind = rng.randrange(10)
        if kind == 0:
            members[rng.choice((name + "x", "a0.npy", "../x.npy", "x.npz", "é.npy"))] = members.pop(name)
        elif kind == 1 and len(members) > 1:
            del members[name]
        elif kind == 2:
            members[name] = of_bytes(members[name], rng)
        else:
            members[name] = _array(name, members[name], rng)
    method = rng.choice((zipfile.ZIP_DEFLATED,) * 8 + (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return archive(members, method)


def _array(name: str, body: bytes, rng: random.Random) -> bytes:
    try:
        array = np.lib.format.read_array(BytesIO(body), allow_pickle=False)
        if name == "header.npy":
            return saved(np.frombuffer(of_json(array.tobytes(), rng), np.uint8))
    except Exception:  # altered before; numpy raises many kinds
        return of_bytes(body, rng)
    if array.dtype.kind not in "biuf":  # altered before
        return of_bytes(body, rng)
    kind = rng.randrange(5)
    with np.errstate(all="ignore"):
        return _altered(array, kind, rng)


def _altered(array: Any, kind: int, rng: random.Random) -> bytes:
    if kind == 0:
        return saved(array.astype(rng.choice(("i1", "i8", "u8", "f2", "f8", ">i4", "?", "c16", "S3"))))
    if kind == 1:
        return saved(array.reshape(rng.choice(((-1,), (*array.shape, 1), (1, *array.shape)))))
    if kind == 2:
        return saved(np.resize(array, rng.choice(((), (0,), (1,), (7,), (3, 5), (0, 1 << 40)))))
    wide = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    if wide.size:
        extremes = (np.nan, np.inf, -np.inf, 1e308) if wide.dtype.kind == "f" else (0, -1, 1 << 61, -(1 << 63))
        wide.reshape(-1)[rng.randrange(wide.size)] = rng.choice(extremes)
    return saved(wide)


def of_model(data: bytes, rng: random.Random) -> bytes:
    """An ONNX model with one to three fields changed, anywhere in it: numbers, names, types, items, weights."""
    from onnx import ModelProto

    model = ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        message, field = rng.choice(list(fields(model)))
        if field.is_repeated:
            _change_items(message, field, rng)
        elif field.type == field.TYPE_MESSAGE:
            message.ClearField(field.name)
        else:
            _set(message, field, rng)
    return bytes(model.SerializeToString())


def fields(message: Any) -> Iterator[tuple[Any, Any]]:
    """(message, descriptor) of every field that is set, at any depth."""
    for field, value in message.ListFields():
        yield message, field
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                yield from fields(inner)


def _scalar(field: Any, rng: random.Random) -> Any:
    if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
        text = rng.choice(("", "x", "y", "h", "Conv", "Split", "a" * 300, "\x00", "é", "T", "-1", "0" * 40))
        return text if field.type == field.TYPE_STRING else text.encode() * rng.choice((1, 7))
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 1e30, -1e30, 1e-45, float("nan"), float("inf"), 0.5))
    if field.enum_type is not None:
        return rng.choice([value.number for value in field.enum_type.values])
    wide = field.type in (field.TYPE_INT64, field.TYPE_UINT64)
    most = (1 << (63 if wide else 31)) - 1
    signed = (0, 1, 2, 3, 5, 7, 100, 1 << 20, most, -1, -2, -most - 1)
    return rng.choice(signed if field.type in (field.TYPE_INT64, field.TYPE_INT32) else signed[:9])


def _set(message: Any, field: Any, rng: random.Random) -> None:
    if rng.random() < 0.15:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(field, rng))


def _change_items(message: Any, field: Any, rng: random.Random) -> None:
    items = getattr(message, field.name)
    at, kind = rng.randrange(len(items)), rng.randrange(5)
    if kind == 0:
        del items[at]
    elif kind == 1:
        other = copy.deepcopy(items[at])
        items.extend([other] * rng.choice((1, 1, 20)))
    elif kind == 2:
        last = copy.deepcopy(items[-1])
        del items[-1]
        items.insert(at, last)
    elif field.type != field.TYPE_MESSAGE:
        items[at] = _scalar(field, rng)
    else:
        message, field = rng.choice(list(fields(items[at])) or [(None, None)])
        if field is not None and not field.is_repeated and field.type != field.TYPE_MESSAGE:
            _set(message, field, rng)
