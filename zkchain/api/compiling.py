"""``compile``: a model becomes a Circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from zkchain import pipeline
from zkchain.api import arguments
from zkchain.api.proving import Keys, Rows
from zkchain.circuit import Circuit as Synthesized
from zkchain.circuit import RestoredCircuit, emit
from zkchain.errors import ArgumentError, FormatError, ModelError
from zkchain.formats import files, tensors
from zkchain.formats.records import Choices, Summary, Tensor
from zkchain.ir.categories import shown
from zkchain.quantize import Domain, Settings
from zkchain.r1cs import System
from zkchain.typing import Array, Progress
from zkchain.wording import line

if TYPE_CHECKING:
    from onnx import ModelProto

    from zkchain.circuit import Census
    from zkchain.measured import Evaluation, LayerError, Promise

SYSTEMS = (*map(str, System), pipeline.AUTO)
Ends = tuple[Any, ...] | Domain


@arguments.made_by(
    "zkchain.compile(model) makes a circuit, zkchain.open(folder).circuit reads one",
    model=bytes,
    choices=Choices,
    summary=Summary,
    rows=(Synthesized, RestoredCircuit),
)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Circuit:
    """A model as an arithmetic circuit under one proof system.

    ``choices``: what was said when it was compiled. ``summary``: what circuit.json records. ``rows``: its constraints,
    or where it was opened from a bundle what proving needs of them. ``reason``: why this system, where it was left
    open. ``worst_inputs``: the input of the domain at which outputs were found to be furthest off.
    """

    model: bytes
    choices: Choices
    summary: Summary
    rows: Rows
    reason: str | None = None
    worst_inputs: Mapping[str, Array] | None = None

    def __repr__(self) -> str:
        return line(self, f"{self.system}, {self.constraints:,} constraints, digest {self.digest[:12]}...")

    def __str__(self) -> str:
        """Five lines: inputs, outputs, constraints, accuracy, system and why."""
        return "\n".join(f"{name:<12} {said}" for name, said in self._lines())

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>" for name, said in self._lines())
        return f"<table>{rows}</table>"

    def _lines(self) -> list[tuple[str, str]]:
        largest = "" if self.accuracy is None else _largest(self.accuracy)
        accuracy = (largest or "not measured: no data was given", self.left_out)
        return [
            ("inputs", "; ".join(map(_described, self.summary.inputs))),
            ("outputs", "; ".join(map(_described, self.summary.outputs))),
            ("constraints", f"{self.constraints:,}"),
            ("accuracy", "; ".join(said for said in accuracy if said)),
            ("system", self.reason or f"{self.system}, as asked for"),
        ]

    @property
    def system(self) -> System:
        """The proof system."""
        return self.summary.system

    @property
    def constraints(self) -> int:
        """Number of R1CS constraints."""
        return self.summary.rows

    def census(self) -> Census:
        """Count where the constraints go: by kind, by node of the model, by lookup table. They are made for it."""
        from zkchain.circuit import take_census

        return take_census(self.rows)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over constraints and the meaning of public numbers."""
        return self.summary.digest

    @property
    def accuracy(self) -> Evaluation | None:
        """Against onnxruntime on the data; None without data."""
        return self.summary.evaluation

    @property
    def promise(self) -> Promise | None:
        """The largest error of each output found over the whole domain, and what is promised of it."""
        return self.summary.promise

    @property
    def layers(self) -> tuple[LayerError, ...]:
        """The error of every node of the float graph on the data, and what it costs (empty: a quantised model)."""
        return self.summary.layers

    @property
    def left_out(self) -> str | None:
        """What the model does and the circuit does not: the rounding of dynamically quantised models."""
        from zkchain.frontend import left_out

        try:
            return left_out(self.model)
        except ModelError:  # of a bundle that somebody altered
            return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the circuit in words: what it leaves out, the form of its outputs, errors accepted."""
        from zkchain.frontend import maps_as_arrays

        try:
            maps = maps_as_arrays(self.model)
        except ModelError:
            maps = None
        accepted = None if self.promise is None or not self.promise.missed else self.promise.accepted
        return tuple(said for said in (self.left_out, maps, accepted) if said is not None)

    def setup(
        self,
        *,
        place: str | PathLike[str] | None = None,
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> Keys:
        """DEVELOPMENT keys: their secrets were drawn on this machine, and whoever has them can prove anything.

        Parameters
        ----------
        place
            A new file for the proving key, which is else held in memory.
        memory
            Bytes that the process should hold at most. MemoryTooSmall where that does not do.
        progress
            Called with a stage and the part of it that is done.
        """
        rows = self.rows if isinstance(self.rows, Synthesized) else emit(self.rows)
        where = arguments.maybe(arguments.path, "place", place)
        bound, listener = arguments.maybe(arguments.whole, "memory", memory, 1), arguments.progress(progress)
        try:
            pair = pipeline.setup(rows, place=where, memory=bound, progress=listener)
        except OSError as error:
            hint = "give the name of a file that does not exist yet, in a folder that does"
            raise FormatError(f"cannot write the proving key to {where}: {error.strerror}", hint=hint) from error
        return Keys(rows, pair, pipeline.layout_of(self.summary))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write model, integer program, settings and circuit record into a bundle, new or old. Raises BundleError."""
        from zkchain.workspace import save_circuit

        place = arguments.path("folder", folder)
        save_circuit(place, self.model, self.rows.graph, self.choices, self.summary, self.worst_inputs)


def compile(
    model: str | PathLike[str] | bytes | ModelProto,
    data: str | PathLike[str] | Mapping[str, Any] | None = None,
    *,
    domain: Ends | Mapping[str, Ends] | None = None,
    public_inputs: str | Sequence[str] = (),
    private_outputs: str | Sequence[str] = (),
    system: System | str = pipeline.AUTO,
    max_error: float | None = None,
    settings: Settings | None = None,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: str | Sequence[str] | None = None,
    accept_error: bool = False,
    progress: Progress | None = None,
) -> Circuit:
    """Compile an ONNX model to a circuit. Inputs are private and outputs public unless named.

    Parameters
    ----------
    model
        A path, the bytes of an ONNX file, or an ``onnx.ModelProto``.
    data
        Samples that choose scales and measure accuracy: an .npz or .json file, or arrays by input name with samples
        along the first axis; ``test/NAME`` are held-out samples, ``labels`` and ``test/labels`` class labels. Strings
        where the model takes or gives them.
    domain
        The values that inputs may take: ``(lo, hi)``, ``(lo, hi, step)`` or a ``Domain`` for all inputs, or one by
        input name. ``step`` is what one integer step means. Without it: what the data span, widened.
    public_inputs, private_outputs
        Names of inputs that the verifier sees, and of outputs that it does not.
    system
        "auto" (compares both and says why), "cg16" or "groth16".
    max_error
        Largest error wanted of an output, in its unit, anywhere in the domain; 0.01 or a 1024th of its span by default.
    settings
        Bits of weights, activations and inputs, for those who want to choose them.
    batch
        Size of a free first dimension.
    shapes
        Whole shapes by input name, where the model leaves dimensions open.
    outputs
        Keep only these outputs.
    accept_error
        Take a circuit whose outputs are further off than wanted somewhere in the domain; ``promise`` says how far.
    progress
        Called with a stage and the part of it that is done.

    Returns
    -------
    Circuit
        Ready for ``setup`` and ``save``.

    Raises
    ------
    ModelError, UnsupportedOp
        The model cannot be read, or holds an operator outside the table.
    ArgumentError, InputError
        An argument or the data are not what they should be.
    CompileError, AccuracyMissed
        A number could leave 62 bits, or an output is further off than wanted.
    """
    chosen = _settings(settings, max_error)
    named = arguments.one_of("system", system, SYSTEMS)
    public, private = (
        arguments.names("public_inputs", public_inputs),
        arguments.names("private_outputs", private_outputs),
    )
    size, only = arguments.whole("batch", batch, 1), arguments.maybe(arguments.names, "outputs", outputs)
    accepted, listener = arguments.flag("accept_error", accept_error), arguments.progress(progress)
    compiled = pipeline.compile_model(
        model_of(model),
        data_of(data),
        domains=domains_of(domain),
        public_inputs=public,
        private_outputs=private,
        system=named,
        settings=chosen,
        batch=size,
        shapes=arguments.shapes(shapes),
        outputs=only,
        accept_error=accepted,
        progress=listener,
    )
    worst = None if compiled.worst is None else compiled.worst.inputs
    return Circuit(
        compiled.model,
        compiled.choices,
        pipeline.summarise(compiled),
        compiled.circuit,
        compiled.reason,
        worst or None,
    )


def model_of(model: Any) -> bytes:
    if isinstance(model, (str, PathLike)):
        return files.read(arguments.path("model", model), what="model", error=ModelError)
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if hasattr(model, "SerializeToString") and hasattr(model, "graph") and not isinstance(model, type):
        return bytes(model.SerializeToString())
    raise arguments.wrong("model", model, "a path, the bytes of an ONNX file or an onnx.ModelProto")


def data_of(data: Any) -> Mapping[str, Array] | None:
    if data is None:
        return None
    named = isinstance(data, (str, PathLike))
    return tensors.read(arguments.path("data", data)) if named else arguments.arrays("data", data)


def domains_of(domain: Any) -> Mapping[str, Domain]:
    if domain is None:
        return {}
    if isinstance(domain, Mapping):
        return {
            arguments.text("name in domain", name): _domain(f"domain of {name!r}", one) for name, one in domain.items()
        }
    return {"": _domain("domain", domain)}


def _domain(name: str, given: Any) -> Domain:
    if isinstance(given, Domain):
        return given
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise arguments.wrong(name, given, "(lo, hi), (lo, hi, step) or a Domain")
    lo, hi = (arguments.array(name, end) for end in given[:2])
    step = arguments.array(name, given[2]) if len(given) == 3 and given[2] is not None else None
    if step is not None and step.size != 1:
        raise arguments.wrong(name, given, "one number as its step")
    return Domain(lo, hi, None if step is None else float(step.ravel()[0]))


def _settings(settings: Any, max_error: Any) -> Settings | None:
    if max_error is None:
        return arguments.maybe(arguments.of_kind, "settings", settings, Settings, "zkchain.Settings")
    if settings is not None:
        raise ArgumentError("max_error and settings exclude each other", hint="say Settings(max_error=...)")
    return Settings(max_error=arguments.number("max_error", max_error))


def _described(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "number"
    lo, hi = (float(f(end)) * tensor.scale for f, end in ((np.min, tensor.lo), (np.max, tensor.hi)))
    seen = "public" if tensor.public else "private"
    values = shown(tensor.categories) if tensor.categories else f"in [{lo:g}, {hi:g}]"
    return f"{tensor.name} {shape} {values}, {seen}"


def _largest(accuracy: Evaluation) -> str:
    errors = [out.max_error for out in accuracy.outputs if out.equal is None]
    equal = [out.equal for out in accuracy.outputs if out.equal is not None]
    said = [f"max error {max(errors):.2g}"] if errors else []
    said += [f"{min(equal):.1%} of integers equal"] if equal else []
    left = f"; {accuracy.outside} more lie outside the domain" if accuracy.outside else ""
    return f"{', '.join(said)} on {accuracy.samples} samples of {accuracy.data}{left}"
