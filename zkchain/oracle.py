"""The integer program against the float model: onnxruntime is the judge, on the user's own samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain import sandbox
from zkchain.errors import ModelError, OutOfDomain
from zkchain.ir import interpret, stacked
from zkchain.ir.categories import Categories, indices, named
from zkchain.ir.domain import check_inputs, dequantize, missing_of, quantize_input
from zkchain.ir.graph import Graph, Node
from zkchain.ir.missing import Missing
from zkchain.measured import Evaluation
from zkchain.quantize import accuracy
from zkchain.typing import Array, IntArray, Progress, quiet

Sample = Sequence[Array]


@dataclass(frozen=True, eq=False, slots=True)
class Compared:
    """Answers of both programs to samples: ``inside`` are the numbers of those inside the domain, of ``total``."""

    expected: list[list[Array]]
    got: list[list[Array]]
    inside: list[int]
    total: int


def compare(
    float_model: FloatModel,
    graph: Graph,
    samples: Sequence[Sample],
    *,
    progress: Progress = quiet,
) -> Compared:
    """Run model and integer graph on every sample.

    Raises ModelError where onnxruntime fails, InputError for a sample, OutOfDomain when all are outside.
    """
    inside, given = list[int](), list[list[IntArray]]()
    for k, sample in enumerate(samples):
        try:
            given.append(_integers(graph, sample))
        except OutOfDomain:
            if not inside and k == len(samples) - 1:
                raise
            continue
        inside.append(k)
    got, expected = _answers(graph, given), list[list[Array]]()
    for k in inside:
        expected.append(float_model(samples[k]))
        progress("accuracy", (k + 1) / len(samples))
    return Compared(expected, got, inside, len(samples))


def summarise(
    graph: Graph,
    compared: Compared,
    labels: Sequence[int] | npt.NDArray[np.int64] | None = None,
    *,
    data: str = "data",
) -> Evaluation:
    """Accuracy over all samples; ``labels`` are compared with the first integer output of one element."""
    expected, got, inside = compared.expected, compared.got, compared.inside
    outputs, outside = accuracy(graph.output_names, expected, got), compared.total - len(inside)
    label = next((k for k, value in enumerate(expected[0]) if value.dtype.kind in "iu" and value.size == 1), None)
    if labels is None or label is None:
        return Evaluation(data, len(inside), outputs, outside=outside)
    truth = np.asarray(labels).ravel()[inside]
    correct, float_correct = (
        float(np.mean(np.array([row[label].item() for row in side]) == truth)) for side in (got, expected)
    )
    return Evaluation(data, len(inside), outputs, correct, float_correct, outside)


def evaluate(
    model: bytes,
    graph: Graph,
    samples: Sequence[Sample],
    labels: Sequence[int] | npt.NDArray[np.int64] | None = None,
    *,
    data: str = "data",
    progress: Progress = quiet,
) -> Evaluation:
    """``compare``, then ``summarise``; raises ModelError, too, where onnxruntime refuses the model."""
    compared = compare(FloatModel(model, graph), graph, samples, progress=progress)
    return summarise(graph, compared, labels, data=data)


def run_integer(graph: Graph, sample: Sample) -> list[Array]:
    """Real outputs (integer * scale) of an integer graph on real inputs."""
    return run_integers(graph, [sample])[0]


def run_integers(graph: Graph, samples: Sequence[Sample]) -> list[list[Array]]:
    """``run_integer`` of many samples."""
    return _answers(graph, [_integers(graph, sample) for sample in samples])


def _integers(graph: Graph, sample: Sample) -> list[IntArray]:
    integers = [quantize_input(graph.nodes[i], x) for i, x in zip(graph.inputs, sample, strict=True)]
    return list(check_inputs(graph, integers))


def _answers(graph: Graph, given: Sequence[Sequence[IntArray]]) -> list[list[Array]]:
    if not given:
        return []
    stack = [np.stack(column) for column in zip(*given, strict=True)]
    outputs = [
        dequantize(graph.nodes[i], np.broadcast_to(y, (len(given), *y.shape[1:])))  # a model may have no inputs
        for i, y in zip(graph.outputs, stacked.outputs(graph, stack, interpret.INTEGER), strict=True)
    ]
    return [[np.asarray(y[k]) for y in outputs] for k in range(len(given))]


WHO = "onnxruntime"
_numbers = count()


class FloatModel:
    """The model under onnxruntime, by position of the graph's inputs and outputs."""

    def __init__(self, model: bytes, graph: Graph, missing: Sequence[Missing | None] = ()) -> None:
        self._model, self._graph, self._session = model, graph, next(_numbers)
        nodes = [graph.nodes[i] for i in graph.inputs]
        self._missing = missing or [missing_of(node) for node in nodes]
        known = self._open()
        self._types = {name: _DTYPES.get(kind, np.float32) for name, kind in known["inputs"].items()}
        outputs = known["outputs"]
        if not set(graph.output_names) <= set(outputs) or not set(graph.input_names) <= set(self._types):
            raise ModelError(f"onnxruntime knows outputs {sorted(outputs)}, the graph has {list(graph.output_names)}")

    def _open(self) -> dict[str, Any]:
        try:
            return sandbox.call(WHO, "open", (self._model,), session=self._session)[0]
        except sandbox.Refused as error:
            raise ModelError(f"onnxruntime cannot run the model: {_first_line(error)}") from error

    def __call__(self, sample: Sample) -> list[Array]:
        """Outputs in the graph's shapes; sequences of maps (ZipMap) become arrays in the order of their keys."""
        names = self._graph.input_names
        given = [np.asarray(x) if m is None else m.told(x) for m, x in zip(self._missing, sample, strict=True)]
        feed = [self._fed(name, x) for name, x in zip(names, given, strict=True)]
        try:
            results = self._run(feed)
        except sandbox.Refused as error:
            raise ModelError(f"onnxruntime failed on a sample: {_first_line(error)}") from error
        nodes = [self._graph.nodes[i] for i in self._graph.outputs]
        texts = [self._graph.categories.get(name, ()) for name in self._graph.output_names]
        return [_fitted(*given) for given in zip(results, nodes, self._graph.output_names, texts, strict=True)]

    def _fed(self, name: str, x: Array) -> Array:
        """A sample of one input in the model's own type: strings where the circuit has their places."""
        texts = self._graph.categories.get(name)
        return np.asarray(x, self._types[name]) if texts is None else named(name, texts, np.asarray(x, np.int64))

    def _run(self, feed: Sequence[Array]) -> list[Array]:
        names = {"inputs": self._graph.input_names, "outputs": self._graph.output_names}
        head, results = sandbox.call(WHO, "run", feed, session=self._session, **names)
        if not head.get("closed"):
            return results
        self._open()  # others have been opened since, or the child was started anew
        return sandbox.call(WHO, "run", feed, session=self._session, **names)[1]


_DTYPES = {
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
}


def _fitted(value: Array, node: Node, name: str, texts: Categories) -> Array:
    """The value in the graph's shape, strings as their places."""
    if texts and value.size == node.size:
        value = indices(name, texts, value, node.size)
    if value.size != node.size or value.dtype.kind not in "biuf":
        raise ModelError(
            f"output {name!r}: onnxruntime gives {value.dtype} of shape {value.shape}, expected shape {node.shape}",
            hint="the model declares another shape than it computes: export it again",
        )
    return value.reshape(node.shape)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
