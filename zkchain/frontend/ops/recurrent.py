"""RNN, GRU and LSTM, unrolled over time: one product of the whole sequence with W, then a cell for every step.

With the gates' inputs G_t = x_t W^T + b of all steps at hand, a step is

    RNN     h' = f(G + h R^T)
    GRU     z, r = f(G + h R^T)    n = g(G + (r h) R^T)    h' = n + z (h - n)
    LSTM    i, o, f = f(G + h R^T + P c)    n = g(G + h R^T)    c' = f c + i n    h' = o h(c')

Both directions run side by side where they have the same functions: a backward one reads its steps in falling order.
A sequence that is shorter than others leaves the batch when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.control import MOST_ROUNDS
from zkchain.ir.builder import Builder
from zkchain.typing import IntArray

W, R, B, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES = range(1, 8)
REVERSE: Mapping[str, tuple[bool, ...]] = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
ONE_LENGTH = (
    "give sequences of one length and leave sequence_lens out, or make it a constant: a circuit has one structure"
)

Chosen = tuple[str | float, ...]  # an activation and its parameters, alpha before beta


@dataclass(frozen=True, slots=True)
class Activation:
    """``apply(build, x, alpha, beta)``, as many of these as there are ``defaults``; None: it must be given."""

    apply: Callable[..., int]
    defaults: tuple[float | None, ...] = ()


def _affine(build: Builder, x: int, alpha: float, beta: float) -> int:
    return build.shift(build.scale(x, alpha), beta)


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "affine": Activation(_affine, (None, None)),
        "elu": Activation(lambda build, x, a: build.unary(x, "elu", a), (1.0,)),
        "hardsigmoid": Activation(lambda build, x, a, b: build.clip(_affine(build, x, a, b), 0.0, 1.0), (0.2, 0.5)),
        "leakyrelu": Activation(lambda build, x, a: build.leaky_relu(x, build.const(a)), (0.01,)),
        "relu": Activation(Builder.relu),
        "scaledtanh": Activation(
            lambda build, x, a, b: build.scale(build.unary(build.scale(x, b), "tanh"), a), (None, None)
        ),
        "sigmoid": Activation(lambda build, x: build.unary(x, "sigmoid")),
        "softplus": Activation(lambda build, x: build.unary(x, "softplus")),
        "softsign": Activation(lambda build, x: build.unary(x, "softsign")),
        "tanh": Activation(lambda build, x: build.unary(x, "tanh")),
        "thresholdedrelu": Activation(lambda build, x, a: build.unary(x, "thresholded_relu", a), (None,)),
    }
)
"""The standard and onnxruntime name different defaults where there is none here."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Some directions of a layer, alike but for their weights. ``recurrent``: R^T, (directions, hidden, gates);
    ``bias``: what a product with R adds of its own; ``peepholes``: (directions, 1, 3 hidden)."""

    call: Call
    hidden: int
    functions: tuple[Chosen, ...]
    recurrent: int
    bias: int | None
    peepholes: int | None

    def activate(self, k: int, x: int) -> int:
        """Function k of the layer."""
        name, *params = self.functions[k]
        return ACTIVATIONS[str(name)].apply(self.call.build, x, *params)

    def gate(self, k: int, x: int) -> int:
        """Function k of the sum that makes a gate, clipped first where the layer has it so."""
        limit = self.call.attribute("clip")
        return self.activate(k, x if limit is None else self.call.build.clip(x, -limit, limit))

    def part(self, x: int, first: int, last: int) -> int:
        """Gates first .. last of values whose last axis holds all of them."""
        return self.call.build.move(x, lambda at: at[..., first * self.hidden : last * self.hidden])

    def recur(self, h: int, first: int, last: int) -> int:
        """h R^T of gates first .. last."""
        return self.call.build.matmul(h, self.part(self.recurrent, first, last))

    def peep(self, k: int, gate: int, c: int) -> int:
        """A gate's argument, with what it sees of the cell."""
        if self.peepholes is None:
            return gate
        build = self.call.build
        return build.add(gate, build.mul(c, self.part(self.peepholes, k, k + 1)))


State = tuple[int, ...]  # (directions, batch, hidden) each: h, of an LSTM also c
Step = Callable[[Cell, int, State], State]


def _rnn(cell: Cell, gates: int, state: State) -> State:
    return (cell.gate(0, cell.call.build.add(gates, cell.recur(state[0], 0, 1))),)


def _gru(cell: Cell, gates: int, state: State) -> State:
    build, (h,) = cell.call.build, state
    both = cell.gate(0, build.add(cell.part(gates, 0, 2), cell.recur(h, 0, 2)))
    update, reset = cell.part(both, 0, 1), cell.part(both, 1, 2)
    if cell.call.integer("linear_before_reset", 0):
        seen = cell.recur(h, 2, 3)
        seen = build.mul(reset, seen if cell.bias is None else build.add(seen, cell.bias))
    else:
        seen = cell.recur(build.mul(reset, h), 2, 3)
    new = cell.gate(1, build.add(cell.part(gates, 2, 3), seen))
    # n + z (h - n) = (1 - z) n + z h
    return (build.add(new, build.mul(update, build.sub(h, new))),)


def _lstm(cell: Cell, gates: int, state: State) -> State:
    build, (h, c) = cell.call.build, state
    gates = build.add(gates, cell.recur(h, 0, 4))
    new = cell.gate(1, cell.part(gates, 3, 4))
    if cell.peepholes is None:  # three gates in one
        open_ = cell.gate(0, cell.part(gates, 0, 3))
        enter, leave, keep = (cell.part(open_, k, k + 1) for k in range(3))
    else:
        enter, keep = (cell.gate(0, cell.peep(p, cell.part(gates, k, k + 1), c)) for p, k in ((0, 0), (2, 2)))
    if cell.call.integer("input_forget", 0):
        # c + i (n - c) = (1 - i) c + i n
        c = build.add(c, build.mul(enter, build.sub(new, c)))
    else:
        c = build.add(build.mul(keep, c), build.mul(enter, new))
    if cell.peepholes is not None:
        leave = cell.gate(0, cell.peep(1, cell.part(gates, 1, 2), c))
    return build.mul(leave, cell.activate(2, c)), c  # the cell is not clipped, as in onnxruntime


@dataclass(frozen=True, slots=True)
class Kind:
    """``initial``: the inputs with the states' first values; default ``functions``; ``resets``: it has a reset gate."""

    step: Step
    initial: tuple[int, ...]
    functions: tuple[str, ...]
    resets: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "RNN": Kind(_rnn, (INITIAL_H,), ("Tanh",)),
        "GRU": Kind(_gru, (INITIAL_H,), ("Sigmoid", "Tanh"), resets=True),
        "LSTM": Kind(_lstm, (INITIAL_H, INITIAL_C), ("Sigmoid", "Tanh", "Tanh")),
    }
)


def recurrent(kind: Kind, call: Call) -> list[int]:
    """A recurrent layer: Y, Y_h and, of an LSTM, Y_c."""
    build = call.build
    direction = call.attribute("direction", "forward")
    if direction not in REVERSE:
        raise call.fail(f"direction {direction!r}", hint=f"expected one of {', '.join(REVERSE)}")
    reverse, functions = REVERSE[direction], _functions(kind, call, len(REVERSE[direction]))
    together = [range(len(reverse))] if len(set(functions)) == 1 else [range(d, d + 1) for d in range(len(reverse))]
    runs = [_run(kind, call, [*ds], [reverse[d] for d in ds], functions[ds[0]]) for ds in together]
    y, *last = (build.concat(parts, axis) for parts, axis in zip(zip(*runs, strict=True), (1, 0, 0), strict=False))
    if call.integer("layout", 0):
        return [build.transpose(y, (2, 0, 1, 3)), *(build.transpose(x, (1, 0, 2)) for x in last)]
    return [y, *last]


def _functions(kind: Kind, call: Call, directions: int) -> list[tuple[Chosen, ...]]:
    """The activations of every direction. Parameters are listed for the functions that have them, in order."""
    names = [str(n) for n in call.attribute("activations") or kind.functions * directions]
    if len(names) != len(kind.functions) * directions:
        raise call.fail(f"{len(names)} activations, expected {len(kind.functions)} for each direction")
    given = [iter(call.attribute(f"activation_{k}") or ()) for k in ("alpha", "beta")]
    chosen = [_chosen(call, name, given) for name in names]
    each = len(kind.functions)
    return [tuple(chosen[d * each : (d + 1) * each]) for d in range(directions)]


def _chosen(call: Call, name: str, given: Sequence[Iterator[float]]) -> Chosen:
    found = ACTIVATIONS.get(name.lower())
    if found is None:
        raise call.fail(f"activation {name!r}", hint=f"expected some of {', '.join(ACTIVATIONS)}")
    params = [next(values, default) for values, default in zip(given, found.defaults, strict=False)]
    if None in params:
        raise call.fail(f"activation {name!r} without its parameters", hint="set activation_alpha and activation_beta")
    return (name.lower(), *(float(p) for p in params if p is not None))


def _run(
    kind: Kind, call: Call, ds: Sequence[int], reverse: Sequence[bool], functions: tuple[Chosen, ...]
) -> tuple[int, ...]:
    """Directions ``ds`` side by side: Y (steps, directions, batch, hidden), and the last states."""
    build = call.build
    x = build.transpose(call.x(), (1, 0, 2)) if call.integer("layout", 0) else call.x()
    steps, batch, _ = build.shape(x)
    if steps > MOST_ROUNDS:
        hint = "export the model with a shorter sequence"
        raise call.fail(f"a sequence of {steps} steps, expected at most {MOST_ROUNDS}", hint=hint)
    lengths = _lengths(call, steps, batch)
    step = np.arange(steps)[:, None]
    # the time that a direction is at in a step, and the step in which it is at a time
    turned = np.stack([lengths - 1 - step if r else step + 0 * lengths for r in reverse])
    cell, gates = _cell(kind, call, ds, functions), _gates(kind, call, x, ds)
    initial = tuple(_initial(call, i, ds, (batch, call.shape(R)[-1])) for i in kind.initial)
    history, row = _unrolled(kind, cell, gates, initial, lengths, turned)
    one = np.arange(batch)
    after = np.where(step < lengths, row[np.clip(turned, 0, None) + 1, one], -1)
    last = np.broadcast_to(row[lengths, one], (len(ds), batch))
    return (_picked(build, history[0], after, (1, 0, 2, 3)), *(_picked(build, values, last) for values in history))


def _unrolled(
    kind: Kind, cell: Cell, gates: int, state: State, lengths: IntArray, turned: IntArray
) -> tuple[list[list[int]], IntArray]:
    """All values of each state, (directions, sequences that go on, hidden); and row[k, n]: the place of sequence n
    after k steps when they are one below the other."""
    build = cell.call.build
    at, alive = build.positions(gates), np.arange(lengths.size)
    history, row = [[value] for value in state], np.full((turned.shape[1] + 1, lengths.size), -1)
    row[0], used = alive, alive.size
    for k in range(int(lengths.max(initial=0))):
        going = alive[lengths[alive] > k]
        kept = np.searchsorted(alive, going)
        now = build.take(gates, np.stack([at[d, times[k, going], going] for d, times in enumerate(turned)]))
        state = kind.step(cell, now, tuple(build.take(v, build.positions(v)[:, kept]) for v in state))
        for values, value in zip(history, state, strict=True):
            values.append(value)
        row[k + 1, going] = used + np.arange(going.size)
        alive, used = going, used + going.size
    return history, row


def _picked(build: Builder, values: Sequence[int], row: IntArray, order: Sequence[int] | None = None) -> int:
    """Rows of states that are one below the other, zeros for -1: (directions, ..., hidden), its axes in this order."""
    below = build.concat(values, 1)
    at = build.positions(below)
    found = np.stack([np.where(r[..., None] < 0, -1, at[d, r]) for d, r in enumerate(row)])
    return build.take_or(below, found if order is None else found.transpose(order), 0.0)


def _gates(kind: Kind, call: Call, x: int, ds: Sequence[int]) -> int:
    """x W^T + b of all steps: (directions, steps, batch, gates)."""
    build = call.build
    steps, batch, size = build.shape(x)
    weights = build.move(call.x(W), lambda at: at[ds].transpose(0, 2, 1))
    gates = build.matmul(build.reshape(x, (1, steps * batch, size)), weights)
    gates = build.reshape(gates, (len(ds), steps, batch, build.shape(gates)[-1]))
    if not call.has(B):
        return gates
    both = build.positions(call.x(B))[ds, None, None]
    of_x, of_h = np.split(both, 2, axis=-1)
    if _is_apart(kind, call):
        of_h = np.where(np.arange(of_h.shape[-1]) < 2 * call.shape(R)[-1], of_h, -1)
    return build.add(gates, build.add(build.take(call.x(B), of_x), build.take_or(call.x(B), of_h, 0.0)))


def _is_apart(kind: Kind, call: Call) -> bool:
    """Whether the last gate's product with R is added to a bias of its own before anything else."""
    return kind.resets and bool(call.integer("linear_before_reset", 0))


def _cell(kind: Kind, call: Call, ds: Sequence[int], functions: tuple[Chosen, ...]) -> Cell:
    build, hidden = call.build, call.shape(R)[-1]
    recurrent = build.move(call.x(R), lambda at: at[ds].transpose(0, 2, 1))
    has_bias = _is_apart(kind, call) and call.has(B)
    bias = build.move(call.x(B), lambda at: at[ds, None, -hidden:]) if has_bias else None
    peepholes = build.move(call.x(PEEPHOLES), lambda at: at[ds, None]) if call.has(PEEPHOLES) else None
    return Cell(call, hidden, functions, recurrent, bias, peepholes)


def _initial(call: Call, i: int, ds: Sequence[int], shape: tuple[int, int]) -> int:
    """First values of a state: (directions, batch, hidden)."""
    build = call.build
    if not call.has(i):
        return build.const(np.zeros((len(ds), *shape)))
    order = (1, 0, 2) if call.integer("layout", 0) else (0, 1, 2)
    return build.move(call.x(i), lambda at: at.transpose(order)[ds])


def _lengths(call: Call, steps: int, batch: int) -> IntArray:
    if not call.has(LENGTHS):
        return np.full(batch, steps)
    if not call.is_constant(LENGTHS):
        raise call.fail("sequence_lens depends on the model's inputs", hint=ONE_LENGTH)
    lengths = call.constant(LENGTHS, "sequence_lens").astype(np.int64)
    if lengths.shape != (batch,) or lengths.min() < 0 or lengths.max() > steps:
        expected = f"expected {batch} numbers from 0 to {steps}"
        raise call.build.error(f"sequence_lens {lengths.tolist()}, {expected}")
    return lengths


RULES: Mapping[str, Rule] = MappingProxyType({name: partial(recurrent, kind) for name, kind in KINDS.items()})
