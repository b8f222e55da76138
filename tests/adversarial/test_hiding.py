"""What D says of a witness that can be guessed: everything without kappa (gnark, CVE-2024-45040), nothing with it."""

from itertools import product

from tests.helpers import toy
from tests.helpers.attacks import X, key
from zkchain.bn254 import G1
from zkchain.groth16.reference.points import affine_g1
from zkchain.groth16.reference.prover import commit
from zkchain.r1cs import System


def guess(d: G1) -> tuple[int, int] | None:
    """The secrets of ``toy.factors`` whose unblinded commitment is ``d``, by trying all of them."""
    k, circuit = key(System.CG16), toy.factors(System.CG16)
    for w0, w1 in product(range(4), repeat=2):
        solution = circuit.solve(X, {"w0": w0, "w1": w1})
        if w0 * w1 == X[2] and affine_g1(commit(k, solution.committed, 0)) == d:
            return w0, w1
    return None


def test_a_low_entropy_witness_is_found_without_kappa() -> None:
    solution = toy.factors(System.CG16).solve(X, {"w0": 2, "w1": 1})
    assert guess(affine_g1(commit(key(System.CG16), solution.committed, 0))) == (2, 1)


def test_kappa_hides_it() -> None:
    solution = toy.factors(System.CG16).solve(X, {"w0": 2, "w1": 1})
    blind = toy.blinding("hidden")
    assert guess(affine_g1(commit(key(System.CG16), solution.committed, blind.kappa))) is None
