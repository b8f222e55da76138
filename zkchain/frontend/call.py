"""One ONNX node as its rule sees it: attributes, inputs that are constants or graph nodes, and the builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from zkchain.errors import UnsupportedOp
from zkchain.ir.builder import Builder
from zkchain.typing import Array

Value = int | Array  # a node of the graph under construction, or a constant in the model's own type
Rule = Callable[["Call"], "int | Sequence[Value]"]  # one output, or all of them in order

INTEGERS = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
)


@dataclass(frozen=True, eq=False, slots=True)
class Items:
    """A sequence of tensors (``frontend.sequences``); None: an optional value that is not there."""

    of: tuple[Value, ...] | None


@dataclass(frozen=True, slots=True)
class Call:
    """``version`` is the opset of the node's domain; ``types`` gives ONNX element types by value name."""

    build: Builder
    proto: onnx.NodeProto
    name: str
    version: int
    opsets: Mapping[str, int]
    inputs: tuple[Value | None, ...]
    wanted: tuple[bool, ...]
    types: Mapping[str, int]

    @property
    def op(self) -> str:
        return operator(self.proto)

    def fail(self, reason: str, *, hint: str | None = None) -> UnsupportedOp:
        return UnsupportedOp(self.name, self.op, reason, hint=hint)

    # -- inputs -----------------------------------------------------------------------------------------------------

    def has(self, i: int) -> bool:
        return i < len(self.inputs) and self.inputs[i] is not None

    def is_constant(self, i: int) -> bool:
        return self.has(i) and not isinstance(self.inputs[i], int)

    def x(self, i: int = 0) -> int:
        """Input ``i`` as a graph node; a constant becomes a CONST node."""
        value = self.inputs[i] if self.has(i) else None
        if value is None:
            raise self.fail(f"input {i} is missing")
        return value if isinstance(value, int) else self.build.const(value)

    def constant(self, i: int, what: str) -> Array:
        """Input ``i`` as an array. UnsupportedOp when it is absent or depends on the model's inputs."""
        value: Value | None = self.inputs[i] if self.has(i) else None
        known = self.build.known(value) if isinstance(value, int) else value
        if known is None:
            raise self.fail(f"{what} (input {i}) must be constant", hint="a circuit has one shape and one structure")
        return known

    def optional(self, i: int, what: str) -> Array | None:
        """Input ``i`` as an array, None when absent. UnsupportedOp when it depends on the model's inputs."""
        return self.constant(i, what) if self.has(i) else None

    def scalar(self, i: int, what: str) -> float:
        """Input ``i`` as a number. UnsupportedOp when it is absent, not constant, or several different numbers."""
        value = self.constant(i, what)
        if value.size < 1 or np.any(value != value.ravel()[0]):
            raise self.fail(f"{what} (input {i}) must be a single number, got shape {value.shape}")
        return float(value.ravel()[0])

    def optional_scalar(self, i: int, what: str) -> float | None:
        return self.scalar(i, what) if self.has(i) else None

    def shape(self, i: int = 0) -> tuple[int, ...]:
        value = self.inputs[i]
        if value is None:
            raise self.fail(f"input {i} is missing")
        return self.build.shape(value) if isinstance(value, int) else value.shape

    def type(self, i: int = 0) -> int:
        """ONNX element type of input ``i``; 0 where the model does not tell."""
        value = self.inputs[i]
        if isinstance(value, np.ndarray):
            return int(onnx.helper.np_dtype_to_tensor_dtype(value.dtype))
        return self.types.get(self.proto.input[i], 0)

    def is_integer(self, i: int = 0) -> bool:
        """True when input ``i`` has an integer (or boolean) type in the model."""
        return self.type(i) in INTEGERS

    # -- attributes -------------------------------------------------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's Python value (strings decoded), or the default."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return _plain(onnx.helper.get_attribute_value(attribute))
        return default

    def array(self, name: str) -> Array:
        """A tensor among the attributes."""
        return onnx.numpy_helper.to_array(self.attribute(name))

    def number(self, name: str, default: float) -> float:
        return float(self.attribute(name, default))

    def integer(self, name: str, default: int) -> int:
        return int(self.attribute(name, default))

    def integers(self, name: str, i: int | None = None) -> list[int] | None:
        """A list of integers: the attribute, or (where newer opsets moved it there) constant input ``i``."""
        values = self.attribute(name)
        if values is None and i is not None and self.has(i):
            values = self.constant(i, name)
        return None if values is None else [int(v) for v in np.ravel(values)]

    def is_wanted(self, i: int) -> bool:
        """True when output ``i`` is read by something that an output needs."""
        return i < len(self.wanted) and self.wanted[i]

    def refuse_output(self, i: int, what: str, *, hint: str | None = None) -> None:
        if self.is_wanted(i):
            raise self.fail(f"its output {i} ({what}) is used", hint=hint)


def operator(proto: onnx.NodeProto) -> str:
    """``Relu``, ``ai.onnx.ml.Scaler``: the key of the operator table."""
    return proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
