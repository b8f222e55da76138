"""``tune``: what a model costs at which accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from zkchain import pipeline, tuning
from zkchain.api import arguments, compiling
from zkchain.errors import ArgumentError
from zkchain.quantize import Settings
from zkchain.r1cs import System
from zkchain.tuning import Tuning
from zkchain.typing import Progress

if TYPE_CHECKING:
    from onnx import ModelProto

MOST = 64  # trials that a list may ask for


def tune(
    model: str | PathLike[str] | bytes | ModelProto,
    data: str | PathLike[str] | Mapping[str, Any] | None = None,
    *,
    max_error: float | None = None,
    agreement: float | None = None,
    errors: Sequence[float] | None = None,
    bits: Sequence[int] = (),
    domain: compiling.Ends | Mapping[str, compiling.Ends] | None = None,
    public_inputs: str | Sequence[str] = (),
    private_outputs: str | Sequence[str] = (),
    system: System | str = pipeline.AUTO,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: str | Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Find the fewest constraints within a budget of accuracy. The model is imported once, and compiled many times.

    Parameters
    ----------
    model, data, domain, public_inputs, private_outputs, batch, shapes, outputs, progress
        As of ``compile``.
    max_error
        Largest error allowed of an output, in its unit, on the data and anywhere in the domain that is looked at;
        by default what ``compile`` promises.
    agreement
        Share of the samples whose label must be the float model's, 0.99 by default. Given alone, errors do not count.
    errors
        The wanted errors to try. By default a ladder around the budget, by factors of four.
    bits
        Bits of weights and activations to try beside that; 8 to 4 where all outputs are labels.
    system
        "auto" (tries both), "cg16" or "groth16".

    Returns
    -------
    Tuning
        ``trials``, the one ``chosen``, and ``settings``: the arguments of ``compile`` that make it again.
        ``print`` shows a table, ``svg()`` is a plot.

    Raises
    ------
    ModelError, UnsupportedOp, ArgumentError, InputError
        As ``compile``; InputError, too, where agreement is wanted and nothing has labels.
    CompileError
        Every trial is refused.
    """
    named = arguments.one_of("system", system, compiling.SYSTEMS)
    wanted, share = (
        arguments.maybe(_positive, "max_error", max_error),
        arguments.maybe(_share, "agreement", agreement),
    )
    tried = None if errors is None else [_positive("errors", error) for error in _listed("errors", errors)]
    few = [Settings(weight_bits=arguments.whole("bits", one, 1)).weight_bits or 0 for one in _listed("bits", bits)]
    listener = arguments.progress(progress)
    source = pipeline.import_model(
        compiling.model_of(model),
        compiling.data_of(data),
        domains=compiling.domains_of(domain),
        public_inputs=arguments.names("public_inputs", public_inputs),
        private_outputs=arguments.names("private_outputs", private_outputs),
        batch=arguments.whole("batch", batch, 1),
        shapes=arguments.shapes(shapes),
        outputs=arguments.maybe(arguments.names, "outputs", outputs),
        progress=listener,
    )
    systems = (System.CG16, System.GROTH16) if named == pipeline.AUTO else (System(named),)
    return tuning.tune(
        source, systems=systems, max_error=wanted, agreement=share, errors=tried, bits=few, progress=listener
    )


def _positive(name: str, value: Any) -> float:
    if arguments.number(name, value) > 0:
        return float(value)
    raise arguments.wrong(name, value, "a positive number")


def _share(name: str, value: Any) -> float:
    if 0 < arguments.number(name, value) <= 1:
        return float(value)
    raise ArgumentError(
        f"{name}: expected a share between 0 and 1, got {value!r}", hint="0.99: of a hundred samples 99"
    )


def _listed(name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, (list, tuple)) and len(value) <= MOST:
        return value
    raise arguments.wrong(name, value, f"a list of at most {MOST} numbers")
