"""Recurrent layers: x as a sequence of steps, every option now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": ("Tanh", "Relu"), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Softsign")}


def _layer(op: str) -> Callable[[Growing, Value], Value]:
    def make(g: Growing, x: Value) -> Value:
        draw, (steps, batch, size), hidden = g.draw, x.shape, g.draw.integer(1, 2)
        if steps > 6:
            raise Unfit
        direction = draw.pick(("forward", "reverse", "bidirectional"))
        ds, rows = 1 + (direction == "bidirectional"), GATES[op] * hidden
        inputs = [x.name, g.const(draw.array((ds, rows, size), -1, 1), np.float32)]
        inputs.append(g.const(draw.array((ds, rows, hidden), -1, 1), np.float32))
        inputs.append(g.const(draw.array((ds, 2 * rows), -1, 1), np.float32) if draw.chance(0.7) else "")
        lengths = draw.whole((batch,), 1, steps) if draw.chance(0.3) else None
        inputs.append("" if lengths is None else g.const(lengths, np.int32))
        given: dict[str, Any] = {"direction": direction, "hidden_size": hidden}
        for _ in range(2 if op == "LSTM" else 1):
            inputs.append(g.const(draw.array((ds, batch, hidden), -1, 1), np.float32) if draw.chance(0.5) else "")
        if op == "LSTM" and draw.chance(0.3):
            inputs.append(g.const(draw.array((ds, 3 * hidden), -1, 1), np.float32))
        if op == "LSTM":
            given["input_forget"] = int(draw.chance(0.2))
        if op == "GRU":
            given["linear_before_reset"] = int(draw.chance(0.5))
        if draw.chance(0.2):
            given["clip"] = draw.uniform(0.3, 2)
        if draw.chance(0.3):
            count = {"RNN": 1, "GRU": 2, "LSTM": 3}[op] * ds
            given["activations"] = [draw.pick(FUNCTIONS[op]) for _ in range(count)]
        last = ((ds, batch, hidden), "f")
        outputs = [((steps, ds, batch, hidden), "f"), last, *([last] if op == "LSTM" else [])]
        return g.emit_many(op, inputs, outputs, **given)[draw.integer(0, len(outputs) - 1)]

    return make


LATER: Mapping[str, Recipe] = {op: Recipe(_layer(op), ranks=(3, 3)) for op in GATES}
