//! Every kernel's arithmetic against arkworks, at edge limbs and at random.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ark_ff::{AdditiveGroup, BigInt, Field, Fp256, MontBackend, MontConfig, PrimeField};

use super::arith::{Arith, Kernel, Work};
#[cfg(target_arch = "x86_64")]
use super::avx2::{Avx2, PerLane};
#[cfg(target_arch = "x86_64")]
use super::ifma::Ifma;
use super::modulus::{Base, Limbs, Modulus, Order};
#[cfg(target_arch = "x86_64")]
use super::scalar::AdxEngine;
#[cfg(target_arch = "aarch64")]
use super::scalar::Arm64Engine;
use super::scalar::Engine;
use super::{inverse, portable, wide, Fp, Fr};
use crate::kernel::testing::{each_kernel, Random};

/// The residues 0, 1, 2, p - 1, p, p + 1, 2p - 1, 2p and patterns of full and empty limbs, all at most 2p.
fn edges<M: Modulus>() -> Vec<Limbs> {
    let (p, one) = (M::P, [1, 0, 0, 0]);
    let (minus, plus) = (|x: &Limbs| wide::sub(x, &one).0, |x: &Limbs| wide::add(x, &one).0);
    let mut out = vec![[0; 4], one, [2, 0, 0, 0], minus(&p), p, plus(&p), minus(&M::TWO_P), M::TWO_P, M::ONE, M::R2];
    for pattern in 1..8u64 {
        out.push(std::array::from_fn(|i| if i < 3 && pattern >> i & 1 == 1 { u64::MAX } else { 0 }));
    }
    // All-ones limbs of 52 bits, one after the other and together.
    out.extend((0..4).map(|i| wide::sub(&shifted(52 * (i + 1)), &shifted(52 * i)).0));
    out.extend([minus(&shifted(208)), minus(&shifted(253)), minus(&shifted(252))]);
    out
}

fn shifted(bit: usize) -> Limbs {
    std::array::from_fn(|i| if i == bit / 64 { 1 << (bit % 64) } else { 0 })
}

type Field4<C> = Fp256<MontBackend<C, 4>>;

/// The four-limb Montgomery form of any 256-bit integer, as arkworks' element.
fn element<C: MontConfig<4>>(x: &Limbs) -> Field4<C> {
    // x < 4p here; the integer mod p, then taken as a Montgomery form.
    let mut value = BigInt::<4>(*x);
    while value >= Field4::<C>::MODULUS {
        ark_ff::BigInteger::sub_with_borrow(&mut value, &Field4::<C>::MODULUS);
    }
    Field4::<C>::new_unchecked(value)
}

/// All operations of a kernel on lanes of a and b; the results by operation, canonical.
struct Everything<'a> {
    a: &'a [Limbs; 8],
    b: &'a [Limbs; 8],
}

const OPERATIONS: usize = 8;

struct On<'a, M>(Everything<'a>, std::marker::PhantomData<M>);

impl<K: Kernel + Arith<M>, M: Modulus> Work<K> for On<'_, M> {
    type Out = [[Limbs; 8]; OPERATIONS];

    #[inline(always)]
    fn run(self) -> Self::Out {
        let lanes = |x: &[Limbs; 8]| <K as Arith<M>>::gather(|i| &x[i]);
        let (a, b) = (lanes(self.0.a), lanes(self.0.b));
        let factor = <K as Arith<M>>::factor(&b);
        let loose = <K as Arith<M>>::mul_loose(&a, &factor);
        let square = <K as Arith<M>>::square_loose(&a);
        let product = <K as Arith<M>>::mul(&a, &a);
        let results = [
            <K as Arith<M>>::mul(&a, &factor),
            <K as Arith<M>>::tighten(&loose),
            <K as Arith<M>>::sub_tight(&loose, &b),
            <K as Arith<M>>::sub_both(&loose, &a, &b),
            <K as Arith<M>>::sub_tight(
                &<K as Arith<M>>::add_loose(&a, &b),
                &<K as Arith<M>>::negate_odd(&[1, 0, 7, 2, 4, 9, 8, 3][..<K as Arith<M>>::LANES], &a),
            ),
            <K as Arith<M>>::mul(&<K as Arith<M>>::sub_loose(&a, &b), &<K as Arith<M>>::one()),
            <K as Arith<M>>::mul(&<K as Arith<M>>::add_loose(&a, &b), &<K as Arith<M>>::one()),
            <K as Arith<M>>::sub_tight(&square, &product),
        ];
        let mut out = [[[0; 4]; 8]; OPERATIONS];
        for (row, result) in out.iter_mut().zip(&results) {
            <K as Arith<M>>::scatter(result, |i, x| {
                assert!(!wide::sub(&M::TWO_P, &x).1, "a result is above 2p");
                row[i] = wide::canonical::<M>(&x);
            });
        }
        out
    }
}

fn field_agrees<K: Kernel + Arith<M>, M: Modulus, C: MontConfig<4>>() {
    let lanes = <K as Arith<M>>::LANES;
    let mut random = Random(7);
    let mut values = edges::<M>();
    values.extend((0..20).map(|_| wide::canonical::<M>(&random.limbs().map(|x| x >> 2))));
    for a in &values {
        for b in values.chunks(8) {
            let a8 = [*a; 8];
            let b8 = std::array::from_fn(|i| b[i % b.len()]);
            let work = On::<M>(Everything { a: &a8, b: &b8 }, std::marker::PhantomData);
            let got = <K as Kernel>::enter(work);
            for i in 0..lanes {
                let (x, y) = (element::<C>(&a8[i]), element::<C>(&b8[i]));
                let negated = if 0b1010_0101 >> i & 1 == 1 { -x } else { x };
                let xy = x * y;
                let known = [xy, xy, xy - y, xy - x - y, x + y - negated, x - y, x + y, Field4::<C>::ZERO];
                for (operation, expected) in known.iter().enumerate() {
                    assert_eq!(got[operation][i], expected.0 .0, "operation {operation} on {a:x?} {:x?}", b8[i]);
                }
            }
        }
    }
}

#[test]
fn fields_agree_with_arkworks() {
    each_kernel!(K => {
        field_agrees::<K, Base, ark_bn254::FqConfig>();
        field_agrees::<K, Order, ark_bn254::FrConfig>();
    });
}

/// No machine that tests run on may have AVX-IFMA: its kernel, with its two instructions emulated.
#[cfg(target_arch = "x86_64")]
#[test]
fn four_lanes_agree_with_arkworks() {
    type K = Ifma<Avx2<PerLane>>;
    if std::arch::is_x86_feature_detected!("avx2") && super::adx::available() {
        field_agrees::<K, Base, ark_bn254::FqConfig>();
        field_agrees::<K, Order, ark_bn254::FrConfig>();
    }
}

#[test]
fn squares_are_products() {
    each_kernel!(K => {
        type S = <K as Kernel>::Scalar;
        for a in edges::<Base>() {
            let square = <S as Arith<Base>>::square_loose(&a);
            assert_eq!(wide::canonical::<Base>(&square), (element::<ark_bn254::FqConfig>(&a).square()).0 .0);
        }
    });
}

/// Montgomery's reduction gives one number and not any residue: all engines must have the portable one's limbs, for
/// operands up to the bounds that it names.
fn engines_agree<E: Engine, M: Modulus>() {
    let mut random = Random(11);
    let mut any = edges::<M>();
    any.extend([[u64::MAX; 4], [u64::MAX, 0, u64::MAX, u64::MAX], [0, 0, 0, u64::MAX]]);
    any.extend((0..100).map(|_| random.limbs()));
    let four_p = wide::add(&M::TWO_P, &M::TWO_P).0;
    let below = |bound: &Limbs| any.iter().copied().filter(|x| !wide::sub(bound, x).1).chain([*bound]).collect();
    let (loose, tight): (Vec<Limbs>, Vec<Limbs>) = (below(&four_p), below(&M::TWO_P));
    for a in &loose {
        for b in any.iter().chain([&four_p]) {
            assert_eq!(E::mul::<M>(a, b), portable::mul::<M>(a, b), "{a:x?} {b:x?}");
        }
    }
    for a in &tight {
        assert_eq!(E::square::<M>(a), portable::mul::<M>(a, a), "{a:x?}");
    }
}

#[test]
fn engines_are_the_portable_one() {
    #[cfg(target_arch = "x86_64")]
    if super::adx::available() {
        engines_agree::<AdxEngine, Base>();
        engines_agree::<AdxEngine, Order>();
    }
    #[cfg(target_arch = "aarch64")]
    {
        engines_agree::<Arm64Engine, Base>();
        engines_agree::<Arm64Engine, Order>();
    }
}

#[test]
fn conditional_operations_are_their_definitions() {
    let mut random = Random(5);
    let mut values = edges::<Base>();
    values.extend([[u64::MAX; 4], [0, 0, 0, u64::MAX], [0, u64::MAX, 0, 0]]);
    values.extend((0..20).map(|_| random.limbs()));
    for a in &values {
        for b in &values {
            let (difference, borrow) = wide::sub(a, b);
            assert_eq!(borrow, a.iter().rev().lt(b.iter().rev()));
            assert_eq!(wide::reduce_once(a, b), if borrow { *a } else { difference });
            assert_eq!([wide::choose(true, a, b), wide::choose(false, a, b)], [*a, *b]);
            assert_eq!([wide::negate_if(true, b, a), wide::negate_if(false, b, a)], [difference, *b]);
            for m in [&Base::P, &Base::TWO_P, &[u64::MAX; 4]] {
                let sum = wide::add(&difference, m).0;
                assert_eq!(wide::sub_or_add(a, b, m), if borrow { sum } else { difference });
                assert_eq!(wide::add_and_sub(a, b, m), (wide::add(a, b).0, sum));
            }
        }
    }
}

#[test]
fn inverses() {
    each_kernel!(K => {
        type S = <K as Kernel>::Scalar;
        let mut random = Random(3);
        let mut values = edges::<Base>();
        values.extend((0..200).map(|i| random.limbs().map(|x| x >> (2 + i % 50))));
        for a in values.iter().filter(|a| wide::canonical::<Base>(a) != [0; 4]) {
            let got = wide::canonical::<Base>(&inverse::montgomery::<Base, S>(a));
            assert_eq!(Some(got), element::<ark_bn254::FqConfig>(a).inverse().map(|x| x.0 .0), "{a:x?}");
        }
    });
}

#[test]
fn moduli_are_those_of_arkworks() {
    assert_eq!(Base::P, Fp::MODULUS.0);
    assert_eq!(Order::P, Fr::MODULUS.0);
    assert_eq!((Base::ONE, Order::ONE), (Fp::ONE.0 .0, Fr::ONE.0 .0));
}
