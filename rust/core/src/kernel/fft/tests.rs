//! Roots of unity, and every kernel's extensions against the definition and against arkworks.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ark_ff::{AdditiveGroup, Field};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};

use super::extend::Extender;
use super::{is_domain_size, root_of_unity};
use crate::kernel::field::Fr;
use crate::kernel::testing::{limbs, Random};
use crate::kernel::KernelId;

#[test]
fn roots_of_unity() {
    for n in [1usize, 2, 3, 6, 9, 13, 26, 9 << 20, 13 << 28, 1 << 28] {
        let w = root_of_unity(n).expect("divides r - 1");
        assert_eq!(w.pow([n as u64]), Fr::ONE);
        for prime in [2, 3, 13].into_iter().filter(|prime| n % prime == 0) {
            assert_ne!(w.pow([(n / prime) as u64]), Fr::ONE, "order of the root for {n}");
        }
    }
    for n in [1usize, 2, 3, 6, 9, 18, 13, 26, 9 << 7, 13 << 20] {
        let [double, single] = [2 * n, n].map(|n| root_of_unity(n).expect("divides r - 1"));
        assert_eq!(double.square(), single);
    }
    assert!(root_of_unity(0).is_err());
    assert!(root_of_unity(1 << 29).is_err());
    assert!(root_of_unity(5 << 3).is_err());
}

/// f(z) from values on the domain: (z^n - 1) / n * sum v_i w^i / (z - w^i).
fn interpolated(values: &[Fr], w: Fr, z: Fr) -> Fr {
    let n = values.len() as u64;
    let mut node = Fr::ONE;
    let mut sum = Fr::ZERO;
    for value in values {
        sum += *value * node / (z - node);
        node *= w;
    }
    sum * (z.pow([n]) - Fr::ONE) / Fr::from(n)
}

#[test]
fn extensions_by_definition() {
    let mut random = Random(13);
    let sizes = (1..9).flat_map(|log| [1, 3, 9, 13].map(|odd| odd << log));
    for n in sizes.filter(|n| is_domain_size(*n)) {
        let values: Vec<_> = (0..n).map(|_| random.scalar()).collect();
        let g = root_of_unity(2 * n).expect("domain");
        for id in KernelId::all() {
            let mut got = limbs(&values);
            Extender::new(id, n).expect("domain").extend(&mut got).expect("length");
            for j in [0, 1, n / 2, n - 1] {
                let z = g * g.pow([2 * j as u64]);
                assert_eq!(got[j], interpolated(&values, g.square(), z).0 .0, "{j} of {n}, {}", id.name());
            }
        }
    }
}

#[test]
fn extensions_agree_with_arkworks() {
    let mut random = Random(17);
    for log in [1, 5, 6, 7, 11, 12] {
        let values: Vec<_> = (0..1 << log).map(|_| random.scalar()).collect();
        let domain = Radix2EvaluationDomain::<Fr>::new(1 << log).expect("power of two");
        let coset = domain.get_coset(root_of_unity(2 << log).expect("root")).expect("coset");
        let expected = limbs(&coset.fft(&domain.ifft(&values)));
        for id in KernelId::all() {
            let mut got = limbs(&values);
            Extender::new(id, 1 << log).expect("domain").extend(&mut got).expect("length");
            assert_eq!(got, expected, "2^{log} under {}", id.name());
        }
    }
}

#[test]
fn extensions_refuse_other_sizes() {
    for n in [0, 1, 3, 5, 10, 27, 13 * 13, 1 << 28] {
        assert!(Extender::new(KernelId::all()[0], n).is_err(), "{n}");
    }
    let four = Extender::new(KernelId::all()[0], 4).expect("domain");
    assert!(four.extend(&mut [[0; 4]; 8]).is_err());
}
