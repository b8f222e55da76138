//! Field, curve, transform and multi-scalar multiplication against naive definitions.

mod common;

use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use common::Sequence;
use proptest::prelude::*;
use zkchain_core::frvec::{self, Op};
use zkchain_core::kernel::curve::{self, Curve, G1Affine, G1Projective, G2Affine, G2Projective, G1, G2};
use zkchain_core::kernel::fft::{self, Domain};
use zkchain_core::kernel::field::{self, Fp, Fr};
use zkchain_core::kernel::msm::fixed_base::FixedBase;
use zkchain_core::kernel::msm::{msm, msm_picked, signed_scalars, Scalars};
use zkchain_core::monitor::{Monitor, Silent};
use zkchain_core::pool::SERIAL_BELOW;
use zkchain_core::rows::{Coefficients, Rows};
use zkchain_core::Error;

fn scalars(seed: u64, count: usize) -> Vec<Fr> {
    let mut random = Sequence::new(seed);
    (0..count).map(|_| random.scalar()).collect()
}

fn g1_points(seed: u64, count: usize) -> Vec<G1Affine> {
    scalars(seed, count).iter().map(|s| curve::mul::<G1>(&G1Affine::generator(), s)).collect()
}

fn g2_points(seed: u64, count: usize) -> Vec<G2Affine> {
    scalars(seed, count).iter().map(|s| curve::mul::<G2>(&G2Affine::generator(), s)).collect()
}

fn naive_g1(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    points.iter().zip(scalars).fold(G1Projective::ZERO, |sum, (p, s)| sum + *p * s)
}

fn fast_g1(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    let stored: Vec<_> = points.iter().map(G1::store).collect();
    msm::<G1>(&stored, scalars, &Silent).expect("lengths agree")
}

/// Scalars at the edges of the size classes and windows.
fn edge_scalars() -> Vec<Fr> {
    let mut out = vec![Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(2u64).inverse().expect("2 != 0")];
    for bit in [1, 7, 8, 13, 15, 16, 31, 32, 63, 64, 65, 127, 128, 251, 252, 253] {
        let power = Fr::from(2u64).pow([bit]);
        out.extend([power, power - Fr::ONE, power + Fr::ONE, -power, Fr::ONE - power]);
    }
    out
}

#[test]
fn montgomery_limbs_are_those_of_the_definition() {
    // x * 2^256 mod r, as the key file and the kernels assume.
    let r_mod = field::canonical(&field::MONTGOMERY_R);
    assert_eq!(field::fp_limbs(&Fp::ONE), (Fp::from(2u64).pow([256])).into_bigint().0);
    assert_eq!(Fr::ONE.0 .0, r_mod);
    assert_eq!(field::lowered(r_mod), Fr::ONE);
}

#[test]
fn bytes_round_trip_and_refuse_the_modulus() {
    for x in edge_scalars() {
        assert_eq!(field::from_le::<Fr>(&field::to_le(&x)), Some(x));
        assert_eq!(field::from_be::<Fr>(&field::to_be(&x)), Some(x));
    }
    let mut r = field::to_be(&-Fr::ONE);
    r[31] += 1;
    assert_eq!(field::from_be::<Fr>(&r), None);
    assert_eq!(field::reduce_be(&r), Fr::ZERO);
    assert_eq!(field::from_be::<Fp>(&[0xff; 32]), None);
}

#[test]
fn random_elements_differ_and_trapdoors_are_not_trivial() {
    assert_ne!(field::random().expect("randomness"), field::random().expect("randomness"));
    let t = field::random_trapdoor().expect("randomness");
    assert!(t != Fr::ZERO && t != Fr::ONE && t != -Fr::ONE);
}

#[test]
fn points_round_trip_in_both_encodings() {
    for p in g1_points(1, 5).into_iter().chain([G1Affine::zero()]) {
        assert_eq!(curve::decode_g1(&curve::encode_g1(&p), "p").expect("valid"), p);
        assert_eq!(G1::load(&G1::store(&p)), p);
    }
    for p in g2_points(2, 5).into_iter().chain([G2Affine::zero()]) {
        assert_eq!(curve::decode_g2(&curve::encode_g2(&p), "p").expect("valid"), p);
        assert_eq!(G2::load(&G2::store(&p)), p);
    }
}

#[test]
fn points_off_curve_or_subgroup_are_refused() {
    let refused = |result: zkchain_core::Result<_>| matches!(result, Err(Error::ProofFormat(_)));
    let mut bytes = curve::encode_g1(&G1Affine::generator());
    bytes[63] ^= 1;
    assert!(refused(curve::decode_g1(&bytes, "p").map(|_| ())));
    assert!(refused(curve::decode_g1(&[0xff; 64], "p").map(|_| ())));
    assert!(refused(curve::decode_g1(&bytes[..63], "p").map(|_| ())));
    // A point of the twist outside the subgroup: the cofactor is large, so almost any x gives one.
    let stray = (1u64..).find_map(|x| G2Affine::get_point_from_x_unchecked(x.into(), true)).expect("half of all x");
    assert!(stray.is_on_curve() && !stray.is_in_correct_subgroup_assuming_on_curve());
    assert!(refused(curve::decode_g2(&curve::encode_g2(&stray), "p").map(|_| ())));
}

#[test]
fn fixed_base_multiples() {
    let all: Vec<Fr> = edge_scalars().into_iter().chain(scalars(4, 20)).collect();
    let (o1, o2) = (G1Affine::generator(), G2Affine::generator());
    for count in [0, 300, 5000, 1 << 20] {
        for (p, s) in FixedBase::<G1>::new(o1, count).multiply(&all).iter().zip(&all) {
            assert_eq!(*p, curve::mul::<G1>(&o1, s));
        }
    }
    for (p, s) in FixedBase::<G2>::new(o2, 100).multiply(&all).iter().zip(&all) {
        assert_eq!(*p, curve::mul::<G2>(&o2, s));
    }
}

#[test]
fn msm_of_edge_scalars() {
    let all = edge_scalars();
    let points = g1_points(5, all.len());
    assert_eq!(fast_g1(&points, &all), naive_g1(&points, &all));
    let points = g2_points(5, all.len());
    let stored: Vec<_> = points.iter().map(G2::store).collect();
    let naive = points.iter().zip(&all).fold(G2Projective::ZERO, |sum, (p, s)| sum + *p * s);
    assert_eq!(msm::<G2>(&stored, &all, &Silent).expect("lengths agree"), naive);
}

#[test]
fn msm_of_equal_scalars_equal_points_and_opposites() {
    let n = 20_000;
    let point = g1_points(6, 1)[0];
    let sum_of = |points: &[G1Affine], s: Fr| fast_g1(points, &vec![s; points.len()]);
    for s in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(77u64), scalars(7, 1)[0]] {
        assert_eq!(sum_of(&vec![point; n], s), point * (s * Fr::from(n as u64)));
        let alternating: Vec<_> = (0..n).map(|i| if i % 2 == 0 { point } else { -point }).collect();
        assert_eq!(sum_of(&alternating, s), G1Projective::ZERO);
    }
}

#[test]
fn msm_over_several_chunks() {
    let n = 3 * (1 << 13) + 17;
    let few = g1_points(8, 64);
    let points: Vec<_> = (0..n).map(|i| few[i % 64]).collect();
    let mut random = Sequence::new(9);
    let all: Vec<Fr> = (0..n)
        .map(|i| match i % 3 {
            0 => random.scalar(),
            1 => field::fr_from_i64(random.word() as i64 >> 40),
            _ => Fr::from(random.word()),
        })
        .collect();
    let mut sums = vec![Fr::ZERO; 64];
    all.iter().enumerate().for_each(|(i, s)| sums[i % 64] += s);
    assert_eq!(fast_g1(&points, &all), naive_g1(&few, &sums));
}

/// There are so many large scalars that their points are copied, in several shares; those of small ones are not.
#[test]
fn msm_over_copies_of_points() {
    let few = g1_points(12, 64);
    let stored: Vec<_> = (0..600_000).map(|i| G1::store(&few[i % 64])).collect();
    let mut random = Sequence::new(13);
    let mut scalar = |i: usize| match i % 8 {
        0 => Fr::from(random.word() >> 48),
        1 => -Fr::from(random.word() >> 20),
        _ => random.scalar(),
    };
    let values: Vec<Fr> = (0..700_000).map(&mut scalar).collect();
    let index: Vec<u32> = (0..600_000).map(|i| 5 + (i * 7 % 700_000) as u32).collect();
    let mut sums = vec![Fr::ZERO; 64];
    index.iter().enumerate().for_each(|(i, j)| sums[i % 64] += values[*j as usize - 5]);
    let values = signed_scalars(&values);
    let picked = Scalars::picked(&values, &index, 5).expect("all exist");
    assert_eq!(msm_picked::<G1>(&stored, &picked, &Silent).expect("lengths agree"), naive_g1(&few, &sums));
}

#[test]
fn scalars_that_do_not_exist() {
    let values = signed_scalars(&[Fr::ONE; 3]);
    let missing = |index: &[u32]| Scalars::picked(&values, index, 5).err();
    assert_eq!(missing(&[5, 7, 6]), None);
    assert_eq!(missing(&[5, 8, 4]), Some(8));
    assert_eq!(missing(&[5, 4, 8]), Some(4));
}

#[test]
fn msm_of_nothing_and_of_wrong_lengths() {
    assert_eq!(fast_g1(&[], &[]), G1Projective::ZERO);
    let stored: Vec<_> = g1_points(10, 2).iter().map(G1::store).collect();
    assert!(matches!(msm::<G1>(&stored, &[Fr::ONE], &Silent), Err(Error::Argument(_))));
}

struct Impatient;

impl Monitor for Impatient {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn msm_can_be_cancelled() {
    let stored: Vec<_> = g1_points(11, 2).iter().map(G1::store).collect();
    assert!(matches!(msm::<G1>(&stored, &[Fr::ONE; 2], &Impatient), Err(Error::Cancelled)));
}

#[test]
fn transforms_agree_with_arkworks() {
    for log in [1, 2, 3, 7, 13] {
        let n = 1 << log;
        let mut values = scalars(log, n);
        let reference = Radix2EvaluationDomain::<Fr>::new(n).expect("power of two");
        let coset = reference.get_coset(fft::root_of_unity(2 * n).expect("root")).expect("coset");
        let expected = coset.fft(&reference.ifft(&values));
        let domain = Domain::new(n).expect("domain size");
        domain.extend(&mut values).expect("length");
        assert_eq!(values, expected);
        assert!(domain.extend(&mut values[1..]).is_err());
    }
}

#[test]
fn domain_sizes() {
    let sizes = [(0, 2), (2, 2), (3, 4), (5, 6), (7, 8), (9, 12), (13, 16), (17, 18), (19, 24), (25, 26), (27, 32)];
    for (rows, size) in sizes {
        assert_eq!(fft::domain_size(rows).expect("small"), size, "{rows} rows");
    }
    for rows in 2..3000 {
        let size = fft::domain_size(rows).expect("small");
        assert!(size >= rows && 3 * size <= 4 * rows + 3 && fft::is_domain_size(size), "{size} for {rows} rows");
    }
    assert!(fft::domain_size((1 << fft::MAX_LOG) + 1).is_err());
    assert!(Domain::new(20).is_err());
    assert!(fft::root_of_unity(0).is_err());
    assert!(fft::root_of_unity(1 << 29).is_err());
}

#[test]
fn lagrange_values_are_those_of_the_polynomials() {
    let (n, tau) = (16, scalars(12, 1)[0]);
    let reference = Radix2EvaluationDomain::<Fr>::new(n).expect("power of two");
    let expected = reference.evaluate_all_lagrange_coefficients(tau);
    assert_eq!(fft::lagrange_at(tau, Fr::ONE, n, 0, n).expect("off domain"), expected);
    assert_eq!(fft::lagrange_at(tau, Fr::ONE, n, 5, 3).expect("off domain"), expected[5..8]);
    assert_eq!(fft::lagrange_at(tau, Fr::ONE, n, 5, 0).expect("off domain"), []);
    let coset = reference.get_coset(fft::root_of_unity(2 * n).expect("root")).expect("coset");
    let shift = fft::root_of_unity(2 * n).expect("root");
    assert_eq!(
        fft::lagrange_at(tau, shift, n, 0, n).expect("off domain"),
        coset.evaluate_all_lagrange_coefficients(tau)
    );
    assert!(fft::lagrange_at(Fr::ONE, Fr::ONE, n, 0, n).is_err());
}

#[test]
fn vectors_across_the_serial_boundary() {
    for n in [0, 1, 2, SERIAL_BELOW, SERIAL_BELOW + 1, 3 * SERIAL_BELOW + 5] {
        let (a, b) = (scalars(13, n), scalars(14, n));
        let x = scalars(15, 1)[0];
        let pairs = || a.iter().zip(&b);
        assert_eq!(frvec::combine(Op::Add, &a, &b).expect("same"), pairs().map(|(x, y)| *x + y).collect::<Vec<_>>());
        assert_eq!(frvec::combine(Op::Sub, &a, &b).expect("same"), pairs().map(|(x, y)| *x - y).collect::<Vec<_>>());
        assert_eq!(frvec::combine(Op::Mul, &a, &b).expect("same"), pairs().map(|(x, y)| *x * y).collect::<Vec<_>>());
        assert_eq!(frvec::combine(Op::Sub, &[x], &b).expect("scalar"), b.iter().map(|y| x - y).collect::<Vec<_>>());
        assert_eq!(frvec::sum(&a), a.iter().sum());
        assert_eq!(frvec::dot(&a, &b).expect("same"), pairs().map(|(x, y)| *x * y).sum());
        let naive = |start: Fr, step: &dyn Fn(Fr, Fr) -> Fr| {
            a.iter()
                .scan(start, |acc, v| Some(*acc).inspect(|_| *acc = step(*acc, *v)).map(|_| *acc))
                .collect::<Vec<_>>()
        };
        assert_eq!(frvec::prefix_sum(&a), naive(Fr::ZERO, &|acc, v| acc + v));
        assert_eq!(frvec::prefix_product(&a), naive(Fr::ONE, &|acc, v| acc * v));
        assert_eq!(frvec::horner_prefix(&a, &x), naive(Fr::ZERO, &|acc, v| acc * x + v));
        let inverses = frvec::inverse(&a).expect("no zero");
        assert!(a.iter().zip(&inverses).all(|(x, y)| *x * y == Fr::ONE));
        assert_eq!(frvec::from_bytes(&frvec::to_bytes(&a)).expect("canonical"), a);
        assert_eq!(field::powers(x, n).last().copied(), (n > 0).then(|| x.pow([n as u64 - 1])));
    }
}

#[test]
fn vectors_refuse_what_they_should() {
    let a = scalars(16, 3);
    assert!(matches!(frvec::combine(Op::Add, &a, &a[..2]), Err(Error::Argument(_))));
    assert!(matches!(frvec::dot(&a, &a[..2]), Err(Error::Argument(_))));
    assert!(matches!(frvec::take(&a, &[0, 3]), Err(Error::Argument(_))));
    assert!(matches!(frvec::take(&a, &[-1]), Err(Error::Argument(_))));
    assert!(matches!(frvec::from_bytes(&[0; 33]), Err(Error::Argument(_))));
    assert!(matches!(frvec::from_bytes(&[0xff; 32]), Err(Error::Argument(_))));
    let mut long = scalars(17, 2 * SERIAL_BELOW);
    long[SERIAL_BELOW + 3] = Fr::ZERO;
    assert!(matches!(frvec::inverse(&long), Err(Error::DivisionByZero { index }) if index == SERIAL_BELOW + 3));
}

#[test]
fn sparse_rows() {
    let z = scalars(18, 4);
    let wide = [[5, 0, 1, 0], field::canonical(&-Fr::ONE), [0; 4]];
    let rows = Rows::new(&[0, 2, 2, 3], &[3, 0, 1], Coefficients::Wide(&wide), 4).expect("well formed");
    let five = Fr::from(5u64) + Fr::from(2u64).pow([128]);
    assert_eq!(rows.multiply(&z), [five * z[3] - z[0], Fr::ZERO, Fr::ZERO]);
    let vals = [1, -1, 7, i64::MIN];
    let rows = Rows::new(&[0, 4], &[0, 1, 2, 3], Coefficients::Small(&vals), 4).expect("well formed");
    let expected = z[0] - z[1] + z[2] * Fr::from(7u64) - z[3] * Fr::from(1u64 << 63);
    assert_eq!(rows.multiply(&z), [expected]);
    let mut out = vec![Fr::ZERO; 4];
    rows.scatter(&[five], &mut out);
    assert_eq!(frvec::dot(&out, &z).expect("same"), expected * five);
}

#[test]
fn malformed_rows_are_refused() {
    let one = [1i64, 1];
    let small = Coefficients::Small(&one);
    let modulus = [Fr::MODULUS.0, [0; 4]];
    let bad = [
        Rows::new(&[], &[0, 1], small, 2),
        Rows::new(&[0, 3], &[0, 1], small, 2),
        Rows::new(&[1, 2], &[0, 1], small, 2),
        Rows::new(&[0, 2, 1, 2], &[0, 1], small, 2),
        Rows::new(&[0, 2], &[0, 2], small, 2),
        Rows::new(&[0, 1], &[0], small, 2),
        Rows::new(&[0, 2], &[0, 1], Coefficients::Wide(&modulus), 2),
    ];
    assert!(bad.iter().all(|rows| matches!(rows, Err(Error::Argument(_)))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn msm_of_any_mix(seed in any::<u64>(), sizes in prop::collection::vec(0u32..256, 1..60)) {
        let mut random = Sequence::new(seed);
        let mut scalar = |bits: u32| {
            let s = random.scalar();
            let kept = field::canonical(&s).iter().enumerate().map(|(i, limb)| {
                let keep = bits.saturating_sub(64 * i as u32).min(64);
                if keep == 64 { *limb } else { limb & ((1u64 << keep) - 1) }
            }).collect::<Vec<_>>();
            let s = field::from_canonical::<Fr>([kept[0], kept[1], kept[2], kept[3]]).unwrap_or(s);
            if random.word() & 1 == 0 { s } else { -s }
        };
        let all: Vec<Fr> = sizes.iter().map(|bits| scalar(*bits)).collect();
        let points = g1_points(seed ^ 1, all.len());
        prop_assert_eq!(fast_g1(&points, &all), naive_g1(&points, &all));
    }
}
