"""Keys of the native core: files, damage, mismatches, progress, interruption."""

from __future__ import annotations

import _thread
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import toy
from zkchain import groth16
from zkchain._core import FrVec, SetupBuilder
from zkchain.bn254 import R
from zkchain.errors import (
    InputError,
    KeyFormatError,
    KeyMismatch,
    ProofFormatError,
    ProofInvalid,
    UnsafeKey,
    UnsatisfiedConstraint,
    ZkchainError,
)
from zkchain.groth16.key import ProvingKey, open_key, verifying_key
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Assignment, PoleHit, System

X, SECRETS = toy.HONEST
BOTH = pytest.mark.parametrize("system", System)


@cache
def keys(system: System) -> tuple[ProvingKey, VerifyingKey]:
    return groth16.insecure_setup(toy.factors(system))


def solution(system: System) -> toy.NativeSolution:
    return toy.NativeSolution(toy.factors(system).solve(X, SECRETS))


@BOTH
def test_proofs_verify_and_altered_ones_do_not(system: System) -> None:
    pk, vk = keys(system)
    proof = groth16.prove(pk, vk, solution(system))
    groth16.verify(vk, X, proof)
    for altered in (replace(proof, a=proof.c), replace(proof, c=(1, 2)), replace(proof, c=(0, 0))):
        with pytest.raises(ProofInvalid):
            groth16.verify(vk, X, altered)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, (1, 3, 3), proof)


@BOTH
def test_malformed_proofs_and_instances(system: System) -> None:
    pk, vk = keys(system)
    proof = groth16.prove(pk, vk, solution(system))
    other_system: Proof = replace(proof, d=None) if proof.d else replace(proof, d=proof.a)
    for bad in (replace(proof, a=(1, 3)), replace(proof, b=((1, 2), (3, 4))), other_system):
        with pytest.raises(ProofFormatError):
            groth16.verify(vk, X, bad)
    for instance in ((1, 3), (1, 3, 2, 0), (1, 3, 2 + R), (1, 3, -1)):
        with pytest.raises(ProofFormatError):
            groth16.verify(vk, instance, proof)


@BOTH
def test_key_files_round_trip(system: System, tmp_path: Path) -> None:
    pk, vk = keys(system)
    path = tmp_path / "proving_key.zkpk"
    pk.save(path)
    mapped = open_key(path)
    mapped.verify_digests()
    assert mapped.info == pk.info
    assert verifying_key(mapped) == vk
    assert vk.development
    groth16.verify(vk, X, groth16.prove(mapped, vk, solution(system)))


def damaged_files(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "header only", good[:192]
    yield "truncated", good[:-1]
    yield "extended", good + b"\0"
    yield "other version", good[:8] + b"\x09" + good[9:]
    yield "not a key", b"PK" + good[2:]
    yield "header altered", good[:50] + bytes([good[50] ^ 1]) + good[51:]
    yield "table altered", good[:210] + bytes([good[210] ^ 1]) + good[211:]


@BOTH
def test_damaged_headers_are_refused_at_once(system: System, tmp_path: Path) -> None:
    path = tmp_path / "key"
    for name, data in damaged_files(keys(system)[0].to_bytes()):
        path.write_bytes(data)
        with pytest.raises(KeyFormatError, match=str(path)) as caught:
            open_key(path)
        assert caught.value.hint, name


@BOTH
def test_damaged_sections_are_found(system: System) -> None:
    good = keys(system)[0].to_bytes()
    flipped = good[:-70] + bytes([good[-70] ^ 0x80]) + good[-69:]
    pk = ProvingKey.from_bytes(flipped)
    with pytest.raises(KeyFormatError, match="HPoints"):
        pk.verify_digests()
    with pytest.raises(KeyFormatError, match="HPoints"):
        groth16.prove(pk, keys(system)[1], solution(system))


def test_absent_files_are_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_key(tmp_path / "absent")


@BOTH
def test_keys_of_another_circuit(system: System) -> None:
    pk, vk = keys(system)
    other = toy.factors(system)
    other.row("extra", {toy.ONE: 1}, {toy.ONE: 1}, {toy.ONE: 1})
    with pytest.raises(KeyMismatch, match="proving key was made for circuit"):
        groth16.prove(pk, vk, toy.NativeSolution(other.solve(X, SECRETS)))
    stranger = groth16.insecure_setup(toy.factors(system))[1]
    with pytest.raises(KeyMismatch, match="belong together"):
        groth16.prove(pk, stranger, solution(system))


@BOTH
def test_unsatisfied_rows_are_named(system: System) -> None:
    pk, vk = keys(system)
    broken = toy.NativeSolution(toy.factors(system).solve((1, 3, 3), SECRETS))
    with pytest.raises(UnsatisfiedConstraint) as caught:
        groth16.prove(pk, vk, broken)
    assert (caught.value.row, caught.value.node) == (0, "product")


@dataclass(frozen=True)
class Altered:
    """A solution with other row values than its wires have."""

    base: toy.NativeSolution

    @property
    def circuit(self) -> toy.ToyCircuit:
        return self.base.circuit

    @property
    def instance(self) -> tuple[int, ...]:
        return self.base.instance

    @property
    def committed(self) -> FrVec | None:
        return self.base.committed

    @property
    def digest(self) -> bytes:
        return self.base.digest

    def locate(self, row: int) -> tuple[str, int]:
        return self.base.locate(row)

    def finish(self, challenge: int | None = None) -> Assignment:
        z = self.base.finish(challenge)
        return replace(z, a=z.a * 2, c=z.c * 2)


@BOTH
def test_row_values_of_other_wires_make_no_proof(system: System) -> None:
    with pytest.raises(InputError, match="row values"):
        groth16.prove(*keys(system), Altered(solution(system)))


class Poles(toy.NativeSolution):
    """Meets ``poles`` poles before it succeeds; keeps the challenges."""

    def finish(self, challenge: int | None = None) -> Assignment:
        seen.append(challenge)
        if len(seen) <= poles:
            raise PoleHit
        return super().finish(challenge)


seen: list[int | None] = []
poles = 0


def test_a_pole_draws_a_new_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    pk, vk = keys(System.CG16)
    here = globals()
    monkeypatch.setitem(here, "seen", [])
    monkeypatch.setitem(here, "poles", 2)
    groth16.verify(vk, X, groth16.prove(pk, vk, Poles(toy.factors(System.CG16).solve(X, SECRETS))))
    assert len(set(seen)) == 3
    monkeypatch.setitem(here, "seen", [])
    monkeypatch.setitem(here, "poles", 1000)
    with pytest.raises(ZkchainError, match="poles"):
        groth16.prove(pk, vk, Poles(toy.factors(System.CG16).solve(X, SECRETS)))


def test_a_commitment_is_good_for_one_proof() -> None:
    pk, _ = keys(System.CG16)
    base = solution(System.CG16)
    committed = base.committed
    assert committed is not None
    commitment = pk.commit(committed)
    z = base.finish(pk.challenge(commitment, X, bytes(32)))
    prove = (z.wires, z.a, z.b, z.c)
    assert len(pk.prove(*prove, instance=X, ctx=bytes(32), commitment=commitment)) == 320
    with pytest.raises(ValueError, match="used already"):
        pk.prove(*prove, instance=X, ctx=bytes(32), commitment=commitment)


def test_contexts() -> None:
    pk, vk = keys(System.CG16)
    ctx = bytes(range(32))
    proof = groth16.prove(pk, vk, solution(System.CG16), ctx=ctx)
    groth16.verify(vk, X, proof, ctx=ctx)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, X, proof)
    plain_pk, plain_vk = keys(System.GROTH16)
    with pytest.raises(InputError, match="binds no context"):
        groth16.prove(plain_pk, plain_vk, solution(System.GROTH16), ctx=ctx)
    with pytest.raises(InputError, match="32 bytes"):
        groth16.verify(vk, X, proof, ctx=b"")


def test_unsafe_keys_are_refused() -> None:
    pk, vk = keys(System.CG16)
    proof = groth16.prove(pk, vk, solution(System.CG16))
    with pytest.raises(UnsafeKey):
        groth16.verify(replace(vk, eta_g2=vk.delta_g2), X, proof)
    with pytest.raises(KeyFormatError):
        groth16.verify(replace(vk, gamma_abc_g1=vk.gamma_abc_g1[:2]), X, proof)


# ------------------------------------------------------------------------------------------ progress and interruption


@BOTH
def test_progress_is_reported(system: System) -> None:
    steps: list[tuple[str, float]] = []
    pk, vk = groth16.insecure_setup(toy.factors(system), lambda *step: steps.append(step))
    groth16.prove(pk, vk, solution(system), progress=lambda *step: steps.append(step))
    stages = {stage.split(":")[0] for stage, _ in steps}
    assert stages == {"setup", "witness", "prove"} | ({"commit"} if system is System.CG16 else set())
    assert all(0 <= fraction <= 1 for _, fraction in steps)


@BOTH
def test_an_exception_from_progress_stops_the_work(system: System) -> None:
    class Stop(Exception):
        pass

    def stop(stage: str, fraction: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        groth16.insecure_setup(toy.factors(system), stop)
    with pytest.raises(Stop):
        groth16.prove(*keys(system), solution(system), progress=stop)


@pytest.mark.usefixtures("interruptible")
def test_interrupts_are_heard_while_the_core_works() -> None:
    with pytest.raises(KeyboardInterrupt):
        groth16.insecure_setup(toy.factors(System.GROTH16), lambda *_: _thread.interrupt_main())


def test_builders_are_used_once() -> None:
    builder = SetupBuilder(
        system="groth16",
        n_wires=1,
        n_public=0,
        n_committed=0,
        n_rows=0,
        instance_length=0,
        circuit_hash=bytes(32),
    )
    builder.finish()
    with pytest.raises(ValueError, match="used already"):
        builder.finish()


@pytest.mark.parametrize(
    "change",
    [
        {"system": "plonk"},
        {"n_wires": 0},
        {"n_public": 1},
        {"n_committed": 1},
        {"circuit_hash": b"short"},
        {"n_rows": 2**28},
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, Any]) -> None:
    shape: dict[str, Any] = {
        "system": "groth16",
        "n_wires": 4,
        "n_public": 0,
        "n_committed": 0,
        "n_rows": 0,
        "instance_length": 0,
        "circuit_hash": bytes(32),
    }
    SetupBuilder(**shape)
    with pytest.raises(ValueError, match=r"circuit|expected|domain"):
        SetupBuilder(**(shape | change))
