"""Toy circuits for both systems: a few wires with names, small enough for the py_ecc reference.

``ToyCircuit`` has the attributes of ``zkchain.circuit.Circuit``; ``ToyCircuit.solve`` gives what ``Solution`` gives,
with lists of integers for vectors, and takes lies: wires that a dishonest prover sets as he likes, while everything
computed after them (multiplicities, phase B) follows. ``scalar`` makes fixed "random" numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zkchain._core import FrVec, keccak256
from zkchain.bn254 import R
from zkchain.groth16.reference import Blinding, Toxic
from zkchain.groth16.reference.qap import Row, row_values
from zkchain.r1cs import Assignment, Csr, Instance, PoleHit, RowBlock, System

Values = dict[str, int]
Named = Mapping[str, int]
Step = Callable[[Values], None]
ONE, CHALLENGE, COMPRESSED = "one", "c", "y"


def scalar(label: str) -> int:
    """A fixed scalar that depends on its label alone."""
    return int.from_bytes(keccak256(b"zkchain/toy/" + label.encode()), "big") % R


def toxic(label: str) -> Toxic:
    return Toxic(*(scalar(f"{label}/{name}") for name in ("alpha", "beta", "delta", "eta", "tau")))


def blinding(label: str) -> Blinding:
    return Blinding(*(scalar(f"{label}/{name}") for name in ("r", "s", "kappa")))


def inverse(x: int) -> int:
    """PoleHit where there is none."""
    if x % R == 0:
        raise PoleHit
    return pow(x, -1, R)


@dataclass(frozen=True)
class ToyAssignment:
    wires: list[int]
    a: list[int]
    b: list[int]
    c: list[int]


@dataclass(frozen=True)
class ToySolution:
    """``values`` holds phase A by name."""

    circuit: ToyCircuit
    instance: Instance
    values: Values

    @property
    def committed(self) -> list[int]:
        return [self.values[name] for name in self.circuit.com]

    @property
    def native(self) -> NativeSolution:
        """The same in the native core's vectors, as provers take it."""
        return NativeSolution(self)

    def finish(self, challenge: int | None) -> ToyAssignment:
        return self.circuit.assign(self.phase_b(challenge))

    def phase_b(self, challenge: int | None) -> Values:
        z = dict(self.values)
        if challenge is not None:
            z[CHALLENGE] = challenge
            for step in self.circuit.phase_b:
                step(z)
        return z


@dataclass(frozen=True)
class ToyCircuit:
    """Built by adding to it; ``pub``, ``com``, ``priv`` are the names of the wire sets, in wire order after the one."""

    system: System
    instance_length: int
    pub: tuple[str, ...]
    com: list[str] = field(default_factory=list)
    priv: list[str] = field(default_factory=list)
    rows: list[tuple[str, Named, Named, Named]] = field(default_factory=list)
    phase_a: list[Step] = field(default_factory=list)
    phase_b: list[Step] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [ONE, *self.pub, *self.com, *self.priv]

    @property
    def n_wires(self) -> int:
        return len(self.names)

    @property
    def n_public(self) -> int:
        return len(self.pub)

    @property
    def n_committed(self) -> int:
        return len(self.com)

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> bytes:
        return keccak256(repr((self.names, [[dict(lc) for lc in row[1:]] for row in self.rows])).encode())

    def wire(self, name: str) -> int:
        return self.names.index(name)

    def blocks(self) -> Iterator[RowBlock]:
        """One block a row."""
        for node, a, b, c in self.rows:
            yield RowBlock(self._csr(a), self._csr(b), self._csr(c), node)

    def _csr(self, lincomb: Named) -> Csr:
        terms = sorted((self.wire(name), k) for name, k in lincomb.items() if k)
        cols = np.array([wire for wire, _ in terms], dtype=np.uint32)
        return Csr(np.array([0, len(terms)], dtype=np.int64), cols, np.array([k for _, k in terms], dtype=np.int64))

    def locate(self, row: int) -> tuple[str, int]:
        return self.rows[row][0], 0

    def indexed_rows(self) -> list[Row]:
        return [(self._indexed(a), self._indexed(b), self._indexed(c)) for _, a, b, c in self.rows]

    def _indexed(self, lincomb: Named) -> dict[int, int]:
        return {self.wire(name): k for name, k in lincomb.items()}

    # ------------------------------------------------------------------------------------------------- building

    def add_wire(self, name: str, *, committed: bool) -> str:
        (self.com if committed and self.system is System.CG16 else self.priv).append(name)
        return name

    def row(self, node: str, a: Named, b: Named, c: Named) -> None:
        self.rows.append((node, a, b, c))

    def product(self, name: str, a: Named, b: Named, *, committed: bool) -> str:
        """name = a b, a new wire."""
        self.add_wire(name, committed=committed)
        self.row(name, a, b, {name: 1})

        def solve(z: Values) -> None:
            z[name] = value(a, z) * value(b, z) % R

        (self.phase_a if committed else self.phase_b).append(solve)
        return name

    def lookup(self, node: str, keys: Sequence[Named], table: Sequence[int]) -> None:
        """logUp: sum 1/(c - key) = sum m_t/(c - t); the multiplicities m_t are committed, the fractions phase B."""
        h = [self.add_wire(f"{node}.h{i}", committed=False) for i in range(len(keys))]
        m = [self.add_wire(f"{node}.m{t}", committed=True) for t in table]
        g = [self.add_wire(f"{node}.g{t}", committed=False) for t in table]
        for name, key in zip(h, keys, strict=True):
            self.row(node, {name: 1}, minus(key), {ONE: 1})
        for name, count, t in zip(g, m, table, strict=True):
            self.row(node, {name: 1}, minus({ONE: t}), {count: 1})
        self.row(node, dict.fromkeys(h, 1) | dict.fromkeys(g, -1), {ONE: 1}, {})

        def multiplicities(z: Values) -> None:
            found = [value(key, z) for key in keys]
            z.update({name: found.count(t) for name, t in zip(m, table, strict=True)})

        def fractions(z: Values) -> None:
            z.update({name: inverse(z[CHALLENGE] - value(key, z)) for name, key in zip(h, keys, strict=True)})
            z.update({n: z[k] * inverse(z[CHALLENGE] - t) % R for n, k, t in zip(g, m, table, strict=True)})

        self.phase_a.append(multiplicities)
        self.phase_b.append(fractions)

    def compress(self, words: Sequence[str]) -> None:
        """y = words[0] + c (words[1] + c (...)): one constraint per word."""
        accumulator: Named = {words[-1]: 1}
        for i in range(len(words) - 2, 0, -1):
            name = self.product(f"horner{i}", accumulator, {CHALLENGE: 1}, committed=False)
            accumulator = {name: 1, words[i]: 1}
        factor, rest = ({CHALLENGE: 1}, {words[0]: -1}) if len(words) > 1 else ({ONE: 1}, {})
        self.row("compress", accumulator, factor, {COMPRESSED: 1} | rest)

        def solve(z: Values) -> None:
            z[COMPRESSED] = (value(accumulator, z) * value(factor, z) - value(rest, z)) % R

        self.phase_b.append(solve)

    def bits(self, name: str, count: int) -> None:
        """0 <= name < 2^count by boolean wires."""
        wires = [self.add_wire(f"{name}.bit{i}", committed=True) for i in range(count)]
        for bit in wires:
            self.row(f"{name} bits", {bit: 1}, {bit: 1}, {bit: 1})
        self.row(f"{name} bits", {bit: 1 << i for i, bit in enumerate(wires)}, {ONE: 1}, {name: 1})
        self.phase_a.append(lambda z: z.update({bit: z[name] >> i & 1 for i, bit in enumerate(wires)}))

    # -------------------------------------------------------------------------------------------------- solving

    def solve(self, instance: Sequence[int], secrets: Named, lies: Named | None = None) -> ToySolution:
        """Phase A. ``lies`` overrule whatever is computed for these wires, before the next step uses them."""
        lies = lies or {}
        public = dict(zip(words(self.instance_length), instance, strict=True))
        z: Values = {ONE: 1, **public, **secrets, **lies}
        for step in self.phase_a:
            step(z)
            z.update(lies)
        return ToySolution(self, tuple(instance), z)

    def assign(self, z: Values) -> ToyAssignment:
        wires = [z[name] % R for name in self.names]
        return ToyAssignment(wires, *row_values(self.indexed_rows(), wires))

    def holds(self, assignment: ToyAssignment) -> bool:
        return all(a * b % R == c for a, b, c in zip(assignment.a, assignment.b, assignment.c, strict=True))


def value(lincomb: Named, z: Values) -> int:
    return sum(k * z[name] for name, k in lincomb.items()) % R


def minus(key: Named) -> Named:
    """c - key."""
    return {CHALLENGE: 1} | {name: -k for name, k in key.items()}


def words(n: int) -> tuple[str, ...]:
    """x0, x1, ...: public wires (groth16), committed copies of the instance (cg16)."""
    return tuple(f"x{i}" for i in range(n))


def empty(system: System, n_words: int, *, commit_copies: bool = True) -> ToyCircuit:
    """A circuit with its instance: PUB wires for groth16; c, y and committed copies for cg16."""
    if system is System.GROTH16:
        return ToyCircuit(system, n_words, words(n_words))
    circuit = ToyCircuit(system, n_words, (CHALLENGE, COMPRESSED))
    for name in words(n_words):
        circuit.add_wire(name, committed=commit_copies)
    return circuit


def factors(system: System, *, commit_copies: bool = True) -> ToyCircuit:
    """Public x0, x1, x2, secret w0, w1, all in [0, 4), and w0 w1 = x2.

    groth16: 2 bits each; cg16: one table of 4 entries. ``solve((1, 3, 2), {"w0": 1, "w1": 2})``.
    """
    circuit = empty(system, 3, commit_copies=commit_copies)
    names = [*words(3), *(circuit.add_wire(name, committed=True) for name in ("w0", "w1"))]
    circuit.row("product", {"w0": 1}, {"w1": 1}, {"x2": 1})
    if system is System.GROTH16:
        for name in names:
            circuit.bits(name, 2)
    else:
        circuit.lookup("range", [{name: 1} for name in names], range(4))
        circuit.compress(words(3))
    return circuit


def accumulator(*, range_checked: bool) -> ToyCircuit:
    """Public x0 = 3 w0 + 5 w1 with secret w0, w1 in [0, 4) (w0 unchecked: any x0 has a witness)."""
    circuit = empty(System.CG16, 1)
    for name in ("w0", "w1"):
        circuit.add_wire(name, committed=True)
    circuit.row("accumulate", {"w0": 3, "w1": 5}, {ONE: 1}, {"x0": 1})
    circuit.lookup("range", [{"w1": 1}] + ([{"w0": 1}] if range_checked else []), range(4))
    circuit.compress(words(1))
    return circuit


def chunks(*, both: bool) -> ToyCircuit:
    """Public x0 in [0, 8) by chunks of 2 bits: x0 = lo + 4 hi; the top chunk has 1 bit: hi and 2 hi are looked up."""
    circuit = empty(System.CG16, 1)
    for name in ("lo", "hi"):
        circuit.add_wire(name, committed=True)
    circuit.row("split", {"lo": 1, "hi": 4}, {ONE: 1}, {"x0": 1})
    circuit.phase_a.append(lambda z: z.update(lo=z["x0"] % 4, hi=z["x0"] // 4))
    circuit.lookup("range", [{"lo": 1}, {"hi": 2}] + ([{"hi": 1}] if both else []), range(4))
    circuit.compress(words(1))
    return circuit


def outer_product(*, distinct_monomials: bool) -> ToyCircuit:
    """Public x = (C00, C01, C10, C11) = a b^T for secret a, b, by Freivalds: u^T C v = (u^T a)(b^T v).

    u = (1, c) and v = (1, c^2): the four monomials are distinct; with v = (1, c) C01 and C10 share one.
    """
    circuit = empty(System.CG16, 4)
    for name in ("a0", "a1", "b0", "b1"):
        circuit.add_wire(name, committed=True)
    c: Named = {CHALLENGE: 1}
    v: Named = {circuit.product("v", c, c, committed=False): 1} if distinct_monomials else c
    ua, bv = circuit.product("ca", c, {"a1": 1}, committed=False), circuit.product("bv", v, {"b1": 1}, committed=False)
    cx, vx = circuit.product("cx", c, {"x2": 1}, committed=False), circuit.product("vx", v, {"x1": 1}, committed=False)
    cvx = circuit.product("cvx", c, {circuit.product("vx3", v, {"x3": 1}, committed=False): 1}, committed=False)
    circuit.row("freivalds", {"a0": 1, ua: 1}, {"b0": 1, bv: 1}, {"x0": 1, vx: 1, cx: 1, cvx: 1})
    circuit.compress(words(4))
    return circuit


def squares() -> ToyCircuit:
    """Plain: public x0 = w0^2, x1 = w0. With two rows and no dummy rows it fills a domain of size 2."""
    circuit = empty(System.GROTH16, 2)
    circuit.add_wire("w0", committed=False)
    circuit.row("square", {"w0": 1}, {"w0": 1}, {"x0": 1})
    circuit.row("equal", {"w0": 1}, {ONE: 1}, {"x1": 1})
    return circuit


def without(circuit: ToyCircuit, *lookups: str) -> ToyCircuit:
    """The circuit without the rows of some nodes."""
    return replace(circuit, rows=[row for row in circuit.rows if row[0] not in lookups])


HONEST: tuple[Instance, dict[str, int]] = ((1, 3, 2), {"w0": 1, "w1": 2})
"""An instance of ``factors`` and its secrets."""


@dataclass(frozen=True)
class NativeSolution:
    """A toy solution in the native core's vectors."""

    toy: ToySolution

    @property
    def circuit(self) -> ToyCircuit:
        return self.toy.circuit

    @property
    def instance(self) -> Instance:
        return self.toy.instance

    @property
    def committed(self) -> FrVec | None:
        return FrVec.from_ints(self.toy.committed) if self.circuit.system is System.CG16 else None

    @property
    def digest(self) -> bytes:
        return self.circuit.digest

    def locate(self, row: int) -> tuple[str, int]:
        return self.circuit.locate(row)

    def finish(self, challenge: int | None = None) -> Assignment:
        done = self.toy.finish(challenge)
        return Assignment(*(FrVec.from_ints(vector) for vector in (done.wires, done.a, done.b, done.c)))
