"""Messages between a process and its child: a head in JSON and parts, which are bytes or arrays. No pickle either way.

    length of the head u64 | head | parts: length u64, content

The head's member ``parts`` says of each part what it is: null for bytes, [type, shape] for an array of numbers in
row-major order, "tensor" for any other array (text, bfloat16, ...) as an onnx.TensorProto.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from zkchain.typing import Array

Part = bytes | bytearray | memoryview | Array
Head = Mapping[str, Any]

LENGTH = struct.Struct("<Q")
LONGEST_HEAD = 1 << 24
LARGEST = 1 << 34
"""Bytes of one part: what lies beyond is no message."""
NUMBERS = "biufc"


def write(file: BinaryIO, head: Head, parts: Sequence[Part]) -> None:
    """Send one message. OSError: the other side is gone."""
    kinds, contents = zip(*map(_packed, parts), strict=True) if parts else ((), ())
    text = json.dumps({**head, "parts": kinds}).encode()
    file.write(LENGTH.pack(len(text)) + text)
    for content in contents:
        file.write(LENGTH.pack(len(content)))
        file.write(content)
    file.flush()


def read(file: BinaryIO) -> tuple[dict[str, Any], list[Any]]:
    """Receive one message. EOFError: the other side is gone; ValueError: what it sent is none."""
    text = _sized(file, LONGEST_HEAD)
    try:
        head = json.loads(bytes(text))
        return head, [_unpacked(kind, _sized(file, LARGEST)) for kind in head.pop("parts")]
    except (EOFError, OSError):
        raise
    except Exception as error:  # json, numpy and protobuf raise many kinds
        raise ValueError(f"no message: {error}") from error


def _packed(part: Part) -> tuple[Any, memoryview]:
    if not isinstance(part, np.ndarray):
        return None, memoryview(part).cast("B")
    if part.dtype.kind in NUMBERS:
        flat = np.asarray(part, order="C").reshape(-1).view(np.uint8)
        return [part.dtype.str, part.shape], flat.data
    from onnx import numpy_helper

    return "tensor", memoryview(numpy_helper.from_array(part).SerializeToString())


def _unpacked(kind: Any, content: bytearray) -> Any:
    if kind is None:
        return content
    if kind == "tensor":
        from onnx import TensorProto, numpy_helper

        return numpy_helper.to_array(TensorProto.FromString(bytes(content)))
    name, shape = kind
    dtype = np.dtype(name)
    if dtype.kind not in NUMBERS or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError("an array of another size than its bytes")
    return np.frombuffer(content, dtype).reshape(shape)


def _sized(file: BinaryIO, most: int) -> bytearray:
    (length,) = LENGTH.unpack(_exactly(file, LENGTH.size))
    if length > most:
        raise ValueError(f"{length} bytes announced")
    return _exactly(file, length)


def _exactly(file: BinaryIO, length: int) -> bytearray:
    content = bytearray(length)
    if file.readinto(content) != length:  # type: ignore[attr-defined]
        raise EOFError
    return content
