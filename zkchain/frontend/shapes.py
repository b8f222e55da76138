"""The static shape of every model input: declared, with unknown batch sizes filled in, or given by the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto

from zkchain.errors import ArgumentError, ModelError
from zkchain.wording import AS_NAMED, meant

NOT_NUMBERS = frozenset({TensorProto.COMPLEX64, TensorProto.COMPLEX128, TensorProto.UNDEFINED})


def input_values(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs a user feeds: initializers that are listed as inputs too (IR version 3) are constants."""
    constants = {t.name for t in graph.initializer}
    return [v for v in graph.input if v.name not in constants]


def resolve(
    graph: onnx.GraphProto,
    batch: int,
    given: Mapping[str, Sequence[int]] | None,
    samples: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, tuple[int, ...]]:
    """Input name -> static shape. An unknown first dimension (and every other of its name) is ``batch``; other unknown
    ones are those of ``samples`` (shapes without the batch dimension), where these have the right rank.

    Raises ModelError for an input that is no tensor of numbers, a dimension nobody knows, and given shapes that
    contradict the declaration or name no input; ArgumentError for a ``batch`` that fills nothing.
    """
    if batch < 1:
        raise ModelError(f"batch: expected a positive number, got {batch}")
    values = {v.name: v for v in input_values(graph)}
    unknown = sorted(set(given or {}) - set(values))
    if unknown:
        raise ModelError(
            f"a shape is given for {unknown}, but the model's inputs are {list(values)}",
            hint=meant(unknown, values) or AS_NAMED,
        )
    symbols = _batch_symbols(list(values.values()))
    shapes = {
        name: _shape(value, batch, symbols, (given or {}).get(name), (samples or {}).get(name, ()))
        for name, value in values.items()
    }
    if batch > 1 and batch not in {shapes[name][0] for name, value in values.items() if _is_free(value)}:
        shown = ", ".join(f"{name!r} is {shape}" for name, shape in shapes.items())
        raise ArgumentError(
            f"batch: {batch} is the size of no free first dimension: input {shown}",
            hint="leave it out (batch=, --batch), or export the model with a free first dimension",
        )
    return shapes


def _is_free(value: onnx.ValueInfoProto) -> bool:
    """The model leaves its first dimension open."""
    declared = value.type.tensor_type.shape.dim
    return bool(declared) and declared[0].dim_value <= 0


def _batch_symbols(values: list[onnx.ValueInfoProto]) -> set[str]:
    first = [v.type.tensor_type.shape.dim[0] for v in values if v.type.tensor_type.shape.dim]
    return {d.dim_param for d in first if d.dim_param}


def _shape(
    value: onnx.ValueInfoProto, batch: int, symbols: set[str], given: Sequence[int] | None, sample: Sequence[int]
) -> tuple[int, ...]:
    if value.type.WhichOneof("value") != "tensor_type" or value.type.tensor_type.elem_type in NOT_NUMBERS:
        raise ModelError(f"input {value.name!r}: expected a tensor of real numbers or strings, got {_type_name(value)}")
    declared = value.type.tensor_type
    if given is not None:
        return _agreed(value, tuple(int(d) for d in given))
    if not declared.HasField("shape"):
        raise ModelError(f"input {value.name!r} declares no shape", hint=_hint(value.name, ["1", "3", "32"]))
    shape = []
    rank = len(declared.shape.dim)
    seen = (batch, *sample) if len(sample) == rank - 1 else tuple(sample) if len(sample) == rank else (-1,) * rank
    for i, dim in enumerate(declared.shape.dim):
        if dim.dim_value > 0:
            shape.append(dim.dim_value)
        elif i == 0 or dim.dim_param in symbols:
            shape.append(batch)
        elif seen[i] >= 0:
            shape.append(seen[i])
        else:
            names = [name if name != "0" else "?" for name in _dimensions(value)]
            raise ModelError(
                f"input {value.name!r}: dimension {i} of ({', '.join(names)}) is dynamic", hint=_hint(value.name, names)
            )
    return tuple(shape)


def _agreed(value: onnx.ValueInfoProto, given: tuple[int, ...]) -> tuple[int, ...]:
    declared = value.type.tensor_type
    dims = [d.dim_value for d in declared.shape.dim]
    fits = len(dims) == len(given) and all(d in (0, g) or d < 0 for d, g in zip(dims, given, strict=True))
    if min(given, default=1) < 0 or (declared.HasField("shape") and not fits):
        shown = ", ".join(_dimensions(value))
        raise ModelError(
            f"input {value.name!r}: the shape {given} contradicts the declared ({shown})",
            hint="a number in the declaration stays as it is, a name or ? may be any number from 0 on",
        )
    return given


def _dimensions(value: onnx.ValueInfoProto) -> list[str]:
    dims = value.type.tensor_type.shape.dim
    return [str(d.dim_value) if d.WhichOneof("value") == "dim_value" else d.dim_param or "?" for d in dims]


def _type_name(value: onnx.ValueInfoProto) -> str:
    return onnx.helper.printable_type(value.type)


def _hint(name: str, dimensions: Sequence[str]) -> str:
    return f"a circuit has one size: give it (shapes=, --input-shape {name}={'x'.join(dimensions)}) with numbers alone"
