//! Every kernel of this machine against arkworks, at edge limbs and at random; the emulated one always among them.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, BigInt, Field, Fp256, MontBackend, MontConfig, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};

use super::curve::add::Jobs;
use super::curve::point::{Point, StoredG1, StoredG2};
use super::fft::dft::root_of_unity;
use super::fft::extend::{is_domain_size, Extender};
use super::field::arith::{Arith, Kernel, Work};
use super::field::modulus::{Base, Limbs, Modulus, Order};
use super::field::{inverse, wide};
use super::msm::buckets::{Buffers, Tree};
use super::msm::digits::{products_to_signed, to_signed, Scalars, SignedScalar};
use super::msm::pippenger;
use super::KernelId;
use crate::kernel::field::{Fp, Fr};
use crate::monitor::{Monitor, Silent};
use crate::Error;

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn limbs(&mut self) -> Limbs {
        [(); 4].map(|()| self.word())
    }

    fn scalar(&mut self) -> Fr {
        Fr::from_le_bytes_mod_order(bytemuck::bytes_of(&self.limbs()))
    }
}

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

/// Runs `$body` for every kernel of the machine, `$K` standing for it.
macro_rules! each_kernel {
    ($K:ident => $body:expr) => {
        for id in KernelId::all() {
            dispatch!(id, $K => $body);
        }
    };
}

#[test]
fn fields_agree_with_arkworks() {
    each_kernel!(K => {
        field_agrees::<K, Base, ark_bn254::FqConfig>();
        field_agrees::<K, Order, ark_bn254::FrConfig>();
    });
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

/// k G for k = 1 .. n.
fn multiples<P: Point>(n: usize) -> Vec<Affine<P::Curve>> {
    let generator = Affine::<P::Curve>::generator().into_group();
    let all: Vec<_> = std::iter::successors(Some(generator), |p| Some(*p + generator)).take(n).collect();
    Projective::normalize_batch(&all)
}

fn stored<P: Point>(points: &[Affine<P::Curve>]) -> Vec<P> {
    points.iter().map(P::from_affine).collect()
}

fn same<C: SWCurveConfig>(a: &Affine<C>, b: &Projective<C>) -> bool {
    let b = b.into_affine();
    a.x == b.x && a.y == b.y
}

fn additions_agree<K: Kernel, P: Point>(special: bool) {
    let n = 1100;
    let mut affine = multiples::<P>(n);
    affine.push(Affine::zero());
    let mut points = stored::<P>(&affine);
    points[n] = P::INFINITY;
    let mut jobs: Vec<_> = (0..n as u32)
        .map(|i| (i * 7919 % n as u32 * 2 + (i & 1), (i * 7907 + 13) % n as u32 * 2 + (i >> 1 & 1), i))
        .collect();
    let infinity = 2 * n as u32;
    let cases = [(10, 10), (11, 10), (10, 11), (infinity, 4), (5, infinity), (infinity, infinity + 1)];
    for (job, (a, b)) in jobs.iter_mut().step_by(100).zip(cases).filter(|_| special) {
        (job.0, job.1) = (a, b);
    }
    // No accidental special case in the other run: indices differ.
    jobs.retain(|(a, b, _)| special || a >> 1 != b >> 1);
    let mut out = vec![P::INFINITY; n];
    let mut list = Jobs::<K, P>::default();
    jobs.iter().for_each(|(a, b, out)| list.push(*a, *b, *out));
    list.add(&points, &points, &mut out);
    let pick = |index: u32| {
        let point = affine[(index >> 1) as usize].into_group();
        if index & 1 == 1 {
            -point
        } else {
            point
        }
    };
    for (a, b, slot) in &jobs {
        let got = out[*slot as usize].to_affine();
        assert!(same(&got, &(pick(*a) + pick(*b))), "{a} {b}");
    }
}

#[test]
fn additions_with_distinct_points() {
    each_kernel!(K => {
        additions_agree::<K, StoredG1>(false);
        additions_agree::<K, StoredG2>(false);
    });
}

#[test]
fn additions_double_cancel_and_meet_infinity() {
    each_kernel!(K => {
        additions_agree::<K, StoredG1>(true);
        additions_agree::<K, StoredG2>(true);
    });
}

/// Groups of lengths about the bounds of pieces, lanes and rounds, of `distinct` points: few meet themselves and cancel.
fn sums_agree<K: Kernel, P: Point>(distinct: usize) {
    let lengths = [1, 2, 3, 0, 7, 8, 9, 255, 256, 257, 0, 513, 600, 1, 1, 5];
    let mut random = Random(distinct as u64);
    let affine = multiples::<P>(distinct);
    let mut take = |_| (random.word() % (2 * distinct as u64)) as u32;
    let refs: Vec<u32> = (0..lengths.iter().sum()).map(&mut take).collect();
    let mut buffers = Buffers::<K, P>::default();
    let mut tree = Tree { monitor: &Silent, buffers: &mut buffers };
    let got = tree.sums(&stored::<P>(&affine), &refs, &lengths).expect("not cancelled");
    let mut rest = &refs[..];
    let mut sums = got.iter();
    for length in lengths.into_iter().filter(|length| *length > 0) {
        let (group, later) = rest.split_at(length as usize);
        let signed = |which: &u32| match which % 2 {
            0 => affine[(which / 2) as usize].into_group(),
            _ => -affine[(which / 2) as usize].into_group(),
        };
        let expected: Projective<P::Curve> = group.iter().map(signed).sum();
        assert!(sums.next().is_some_and(|sum| same(&sum.to_affine(), &expected)), "{length} of {distinct}");
        rest = later;
    }
    assert!(sums.next().is_none());
}

#[test]
fn sums_of_groups_of_every_length() {
    each_kernel!(K => {
        sums_agree::<K, StoredG1>(1500);
        sums_agree::<K, StoredG1>(3);
        sums_agree::<K, StoredG2>(40);
    });
}

fn limbs(scalars: &[Fr]) -> Vec<Limbs> {
    scalars.iter().map(|s| s.0 .0).collect()
}

/// The same residue plus p, which is at most 2p as well.
fn lazy(x: &Limbs) -> Limbs {
    wide::add(x, &Order::P).0
}

#[test]
fn signed_scalars_and_products() {
    let mut random = Random(23);
    let mut all: Vec<Fr> =
        [0, 1, 8, 9, 64, 65, 254].into_iter().flat_map(|b| [sized(&mut random, b), -Fr::ONE]).collect();
    let half = (-Fr::ONE) / Fr::from(2u64);
    all.extend([half, half + Fr::ONE, -half, Fr::ZERO, Fr::ONE]);
    let others: Vec<Fr> = all.iter().rev().copied().collect();
    let products: Vec<Fr> = all.iter().zip(&others).map(|(a, b)| *a * b).collect();
    let expected = |scalars: &[Fr]| -> Vec<SignedScalar> {
        let fold = |s: &Fr| match (-*s).into_bigint() < s.into_bigint() {
            true => SignedScalar::new(&(-*s).into_bigint().0, true),
            false => SignedScalar::new(&s.into_bigint().0, false),
        };
        scalars.iter().map(fold).collect()
    };
    let above: Vec<Limbs> = limbs(&all).iter().map(lazy).collect();
    let zero = SignedScalar::default();
    // Zero may come as -0: it has no digits either way.
    let same = |got: Vec<SignedScalar>, expected: Vec<SignedScalar>| {
        let plain = |x: &SignedScalar| if x.magnitude() == zero.magnitude() { zero } else { *x };
        assert_eq!(got.iter().map(plain).collect::<Vec<_>>(), expected.iter().map(plain).collect::<Vec<_>>());
    };
    for id in KernelId::all() {
        same(to_signed(id, &limbs(&all)), expected(&all));
        same(to_signed(id, &above), expected(&all));
        same(products_to_signed(id, &above, &limbs(&others)), expected(&products));
    }
}

fn msm_agrees<P: Point>(scalars: &[Fr], points: &[Affine<P::Curve>])
where
    Projective<P::Curve>: VariableBaseMSM<MulBase = Affine<P::Curve>, ScalarField = Fr>,
{
    let expected = <Projective<P::Curve> as VariableBaseMSM>::msm_unchecked(points, scalars);
    let (points, scalars) = (stored::<P>(points), limbs(scalars));
    for id in KernelId::all() {
        let got =
            pippenger::sum(id, &&points[..], &Scalars::all(&to_signed(id, &scalars)), &Silent).expect("not cancelled");
        assert_eq!(got, expected, "{} of {} under {}", std::any::type_name::<P>(), scalars.len(), id.name());
    }
}

/// A scalar of about `bits` bits, of either sign.
fn sized(random: &mut Random, bits: u32) -> Fr {
    let magnitude = match bits {
        0 => Fr::ZERO,
        1..=64 => Fr::from(random.word() >> (64 - bits)),
        _ => random.scalar(),
    };
    if random.word() & 1 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

#[test]
fn msm_of_every_size_class() {
    let mut random = Random(11);
    let (g1, g2) = (multiples::<StoredG1>(700), multiples::<StoredG2>(90));
    for bits in [0, 1, 2, 8, 9, 16, 17, 32, 33, 64, 254] {
        let scalars: Vec<_> = (0..700).map(|_| sized(&mut random, bits)).collect();
        msm_agrees::<StoredG1>(&scalars, &g1);
        msm_agrees::<StoredG2>(&scalars[..90], &g2);
    }
    let mixed: Vec<_> = (0..700).map(|i| sized(&mut random, [0, 1, 8, 16, 64, 254][i % 6])).collect();
    msm_agrees::<StoredG1>(&mixed, &g1);
}

#[test]
fn msm_of_equal_scalars_and_equal_points() {
    let g1 = multiples::<StoredG1>(600);
    let equal_points = vec![g1[5]; 600];
    let opposite: Vec<_> = (0..600).map(|i| if i % 2 == 0 { g1[5] } else { -g1[5] }).collect();
    for scalar in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(77u64), -Fr::from(1u64 << 40), Fr::from(3u64).pow([200])] {
        for points in [&g1, &equal_points, &opposite] {
            msm_agrees::<StoredG1>(&[scalar; 600], points);
        }
    }
}

#[test]
fn msm_of_edge_scalars() {
    let powers = (0..254).map(|bit| Fr::from(2u64).pow([bit]));
    let scalars: Vec<_> = powers.flat_map(|x| [x, -x, x - Fr::ONE, Fr::ONE - x]).collect();
    msm_agrees::<StoredG1>(&scalars, &multiples::<StoredG1>(scalars.len()));
}

#[test]
fn msm_over_two_groups_at_once() {
    let mut random = Random(5);
    let scalars: Vec<_> = (0..300).map(|i| sized(&mut random, [8, 254][i % 2])).collect();
    let (g1, g2) = (multiples::<StoredG1>(300), multiples::<StoredG2>(300));
    let (s1, s2) = (stored::<StoredG1>(&g1), stored::<StoredG2>(&g2));
    let signed = to_signed(KernelId::all()[0], &limbs(&scalars));
    let got = pippenger::sum(KernelId::all()[0], &(&s1[..], &s2[..]), &Scalars::all(&signed), &Silent)
        .expect("not cancelled");
    assert_eq!(got.0, ark_bn254::G1Projective::msm_unchecked(&g1, &scalars));
    assert_eq!(got.1, ark_bn254::G2Projective::msm_unchecked(&g2, &scalars));
}

struct Stopped;

impl Monitor for Stopped {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn msm_stops_when_told() {
    let points = stored::<StoredG1>(&multiples::<StoredG1>(3));
    let signed = to_signed(KernelId::all()[0], &limbs(&[Fr::ONE; 3]));
    let result = pippenger::sum(KernelId::all()[0], &&points[..], &Scalars::all(&signed), &Stopped);
    assert!(matches!(result, Err(Error::Cancelled)));
}

#[test]
fn roots_of_unity() {
    for n in [1u64, 2, 3, 6, 9, 13, 26, 9 << 20, 13 << 28, 1 << 28] {
        let w = root_of_unity(n).expect("divides r - 1");
        assert_eq!(w.pow([n]), Fr::ONE);
        for prime in [2, 3, 13].into_iter().filter(|prime| n % prime == 0) {
            assert_ne!(w.pow([n / prime]), Fr::ONE, "order of the root for {n}");
        }
    }
    for n in [1u64, 2, 3, 6, 9, 18, 13, 26, 9 << 7, 13 << 20] {
        assert_eq!(root_of_unity(2 * n).map(|w| w.square()), root_of_unity(n));
    }
    assert!(root_of_unity(0).is_none());
    assert!(root_of_unity(1 << 29).is_none());
    assert!(root_of_unity(5 << 3).is_none());
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
        let g = root_of_unity(2 * n as u64).expect("domain");
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

#[test]
fn kernels_are_named() {
    for id in KernelId::all() {
        assert_eq!(KernelId::named(id.name()).expect("known"), id);
    }
    assert!(matches!(KernelId::named("abacus"), Err(Error::Setting(_))));
    let names: Vec<_> = KernelId::all().iter().map(|c| c.name()).collect();
    assert!(names.ends_with(&["portable", "emulated"]));
}

#[test]
fn moduli_are_those_of_arkworks() {
    assert_eq!(Base::P, Fp::MODULUS.0);
    assert_eq!(Order::P, Fr::MODULUS.0);
    assert_eq!((Base::ONE, Order::ONE), (Fp::ONE.0 .0, Fr::ONE.0 .0));
}
