"""The child: reads a request, lets ONNX's libraries do the job, answers; until nobody asks any more.

It ends with the process that started it, whatever it is doing then: that process holds the other end of a pipe, and
the kernel signals its closing (the default action of SIGIO is to end a process). A thread that waits for the end of a
pipe would not do, since a library that hangs may hold the interpreter's lock.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from zkchain.sandbox import wire
from zkchain.sandbox.wire import Part
from zkchain.typing import Array

Answer = tuple[dict[str, Any], Sequence[Part]]
MOST_ELEMENTS = 1 << 26
"""Bound on the elements of an array that is sent back: more than any circuit holds."""
KEPT = 2
"""Sessions of onnxruntime that stay open."""
LONGEST = 2000
_sessions: OrderedDict[int, Any] = OrderedDict()


def main() -> None:
    """``worker.py LIFELINE MEMORY``: the pipe's descriptor, and the bytes of memory that may be taken."""
    lifeline, memory = int(sys.argv[1]), int(sys.argv[2])
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0), os.dup2(nothing, 1)  # what a library prints is no message
    _tie(lifeline)
    _limit(memory)
    import onnx  # noqa: F401  (while the other side imports it too)

    wire.write(replies, {}, ())  # ready: an end before this is no fault of a model's
    while True:
        try:
            head, parts = wire.read(requests)
        except EOFError:
            return
        wire.write(replies, *_answer(head, parts))


def _tie(lifeline: int) -> None:
    """End when the other end of the pipe is closed."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # closed already
        sys.exit()


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where the system itself runs out of memory it takes this process, not its parent


def _answer(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    """Run the job: its result, or why it was refused."""
    try:
        return JOBS[head["job"]](head, parts)
    except Exception as error:  # libraries raise what they like
        short = isinstance(error, MemoryError) or "bad_alloc" in str(error)
        return {"refused": (str(error).strip() or type(error).__name__)[:LONGEST], "memory": short}, ()


# ---------------------------------------------------------------------------------------------------------------- jobs


def _check(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    from onnx import checker

    checker.check_model(bytes(parts[0]))
    return {}, ()


def _inline(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    from onnx import ModelProto, inliner

    return {}, (inliner.inline_local_functions(ModelProto.FromString(bytes(parts[0]))).SerializeToString(),)


def _convert(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    from onnx import ModelProto, version_converter

    converted = version_converter.convert_version(ModelProto.FromString(bytes(parts[0])), head["version"])
    return {}, (converted.SerializeToString(),)


def _infer(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    from onnx import shape_inference

    return {}, (shape_inference.infer_shapes(bytes(parts[0])).SerializeToString(),)


def _evaluate(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    """A model of constants under ONNX's reference implementation."""
    import numpy as np
    from onnx import ModelProto
    from onnx.reference import ReferenceEvaluator

    model, *given = parts
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(ModelProto.FromString(bytes(model))).run(
            None, dict(zip(head["names"], given, strict=True))
        )
    return {}, [_bounded(np.asarray(result)) for result in results]


def _bounded(array: Array) -> Array:
    if array.size > MOST_ELEMENTS:
        raise ValueError(f"its result of shape {array.shape} is too large")
    return array


def _session(model: bytes) -> Any:
    """The model in onnxruntime. On processors without VNNI sums of two products of bytes saturate at 16 bits unless
    they are told not to: that is no model's meaning. Its way of doing so trips over weights that share a zero point
    (1.32: "Attempt to replace the existing tensor"); such models run without the fusions that need it."""
    import onnxruntime

    def opened(level: Any) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = level
        options.add_session_config_entry("session.x64quantprecision", "1")
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    levels = onnxruntime.GraphOptimizationLevel
    try:
        return opened(levels.ORT_ENABLE_ALL)
    except Exception as error:
        if "replace the existing tensor" not in str(error):
            raise
        return opened(levels.ORT_ENABLE_BASIC)


def _open(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    session = _session(bytes(parts[0]))
    _sessions[head["session"]] = session
    while len(_sessions) > KEPT:
        _sessions.popitem(last=False)
    types = {given.name: given.type for given in session.get_inputs()}
    return {"inputs": types, "outputs": [given.name for given in session.get_outputs()]}, ()


def _run(head: Mapping[str, Any], parts: Sequence[Any]) -> Answer:
    session = _sessions.get(head["session"])
    if session is None:
        return {"closed": True}, ()
    results = session.run(head["outputs"], dict(zip(head["inputs"], parts, strict=True)))
    return {}, [_bounded(_array(result)) for result in results]


def _array(value: Any) -> Array:
    """Sequences of maps (ZipMap) become arrays in the order of their keys."""
    import numpy as np

    if isinstance(value, list) and value and isinstance(value[0], dict):
        return np.array([[row[key] for key in sorted(row)] for row in value])
    return np.asarray(value)


JOBS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Any]], Answer]] = {
    "check": _check,
    "inline": _inline,
    "convert": _convert,
    "infer": _infer,
    "evaluate": _evaluate,
    "open": _open,
    "run": _run,
}

if __name__ == "__main__":
    main()
