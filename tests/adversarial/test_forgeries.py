"""Every forgery: its weakened variant accepts it, reference and native core reject it (protocol sections 6, 11)."""

from collections import Counter
from contextlib import nullcontext

import pytest

from tests.helpers.forgeries import FILE, Batch, Forgery, Verdict, dump, load
from tests.helpers.mutations import stray_batches
from tests.helpers.weakened import REAL, accepts, accepts_batch
from zkchain import groth16
from zkchain.errors import BatchInvalid, ProofFormatError, ProofInvalid, UnsafeKey, ZkchainError
from zkchain.groth16 import reference
from zkchain.groth16.keycheck import check_verifying_key
from zkchain.r1cs import System

FORGERIES, BATCHES = load().forgeries, load().batches
ERRORS: dict[Verdict, type[ZkchainError]] = {
    Verdict.INVALID: ProofInvalid,
    Verdict.MALFORMED: ProofFormatError,
    Verdict.UNSAFE_KEY: UnsafeKey,
}
WEAK = [f for f in FORGERIES if f.weak]


def of(verdict: Verdict) -> list[Forgery]:
    return [f for f in FORGERIES if f.verdict is verdict]


def name(case: Forgery | Batch) -> str:
    return case.name


def test_the_list_is_complete() -> None:
    names = [f.name for f in FORGERIES]
    assert not [n for n, count in Counter(names).items() if count > 1]
    assert {f.system for f in FORGERIES} == set(System)
    expected = {
        "late witness, eta = delta",
        "D under gamma: x0 replaced",
        "D under gamma: constant wire cancelled",
        "eta = gamma: x0 replaced",
        "x not hashed",
        "D not hashed",
        "another context",
        "copies of x not committed",
        "cg16: delta = gamma",
        "groth16: delta = gamma",
        "cg16: [alpha beta]1 in IC_0",
        "cg16: x + 2r not compared",
        "cg16: x + r compared with p",
        "H truncated at tau^(2n-2), no dummy rows",
        "private input without range check",
        "Freivalds with u = v",
        "top chunk only shifted",
    }
    assert expected <= {f.name for f in WEAK}
    assert all(f.weak for f in of(Verdict.UNSAFE_KEY))


@pytest.mark.parametrize("forgery", FORGERIES, ids=name)
def test_the_native_core(forgery: Forgery) -> None:
    shown, expected = forgery.shown, ERRORS.get(forgery.verdict)
    with pytest.raises(expected) if expected else nullcontext():
        groth16.verify(shown.vk, shown.instance, shown.proof, ctx=shown.ctx)


@pytest.mark.parametrize("batch", BATCHES, ids=name)
def test_batches_in_the_native_core(batch: Batch) -> None:
    claims = [(s.instance, s.proof, s.ctx) for s in batch.statements]
    if not batch.bad:
        groth16.verify_batch(batch.statements[0].vk, claims)
        return
    with pytest.raises(BatchInvalid) as caught:
        groth16.verify_batch(batch.statements[0].vk, claims)
    assert caught.value.indices == batch.bad


@pytest.mark.parametrize("system", System)
def test_no_stray_passes_in_a_batch(system: System) -> None:
    """Off the subgroup a pairing is not bilinear: such a B is refused before the sum is made, by its number."""
    good = next(b.statements for b in BATCHES if not b.bad and b.statements[0].vk.system is system)
    for statements, first in stray_batches(good):
        claims = [(s.instance, s.proof, s.ctx) for s in statements]
        with pytest.raises(ProofFormatError, match=f"^proof {first} of the batch: proof element b"):
            groth16.verify_batch(good[0].vk, claims)
        with pytest.raises(ProofFormatError):
            reference.batch_verify(good[0].vk, claims)


@pytest.mark.parametrize("forgery", of(Verdict.MALFORMED), ids=name)
def test_malformed_is_refused_without_a_pairing(forgery: Forgery) -> None:
    shown = forgery.shown
    with pytest.raises(ProofFormatError):
        reference.verify(shown.vk, shown.instance, shown.proof, shown.ctx)


@pytest.mark.parametrize("forgery", of(Verdict.UNSAFE_KEY), ids=name)
def test_unsafe_keys_are_refused(forgery: Forgery) -> None:
    with pytest.raises(UnsafeKey):
        check_verifying_key(forgery.shown.vk)


@pytest.mark.parametrize("forgery", of(Verdict.VALID) + of(Verdict.INVALID), ids=name)
def test_the_other_keys_are_sound(forgery: Forgery) -> None:
    """So it is the proof, not the key, that the verifiers must judge."""
    check_verifying_key(forgery.shown.vk)


@pytest.mark.slow
@pytest.mark.parametrize("forgery", WEAK, ids=name)
def test_the_weakened_variant_accepts(forgery: Forgery) -> None:
    weak = forgery.weak
    assert weak is not None
    assert accepts(forgery.variant, weak.vk, weak.instance, weak.proof, weak.ctx)


@pytest.mark.slow
@pytest.mark.parametrize("forgery", of(Verdict.INVALID), ids=name)
def test_the_reference_rejects(forgery: Forgery) -> None:
    shown = forgery.shown
    with pytest.raises(ProofInvalid):
        reference.verify(shown.vk, shown.instance, shown.proof, shown.ctx)


@pytest.mark.slow
def test_the_variant_that_lacks_nothing_is_the_real_verifier() -> None:
    """Else the weakened ones might accept for another reason than the one named."""
    for wanted in (Verdict.VALID, Verdict.INVALID):
        for system in System:
            shown = next(f.shown for f in of(wanted) if f.system is system)
            assert accepts(REAL, shown.vk, shown.instance, shown.proof, shown.ctx) is (wanted is Verdict.VALID)


@pytest.mark.slow
@pytest.mark.parametrize("forgery", of(Verdict.VALID), ids=name)
def test_the_reference_accepts_the_controls(forgery: Forgery) -> None:
    shown = forgery.shown
    reference.verify(shown.vk, shown.instance, shown.proof, shown.ctx)


@pytest.mark.slow
@pytest.mark.parametrize("batch", BATCHES, ids=name)
def test_batches(batch: Batch) -> None:
    vk = batch.statements[0].vk
    claims = [(s.instance, s.proof, s.ctx) for s in batch.statements]
    if batch.weak_rho:
        assert accepts_batch(vk, claims, batch.weak_rho)
    if not batch.bad:
        reference.batch_verify(vk, claims)
        return
    with pytest.raises(BatchInvalid) as caught:
        reference.batch_verify(vk, claims)
    assert caught.value.indices == batch.bad


@pytest.mark.slow
def test_regenerating_gives_the_same_file() -> None:
    from tests.helpers.make_fixtures import fixtures

    assert dump(fixtures()) == FILE.read_text()


def test_the_file_round_trips() -> None:
    assert dump(load()) == FILE.read_text()
