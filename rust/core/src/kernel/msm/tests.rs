//! Every kernel's sums and scalars against arkworks.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, PrimeField};

use super::buckets::{Buffers, Tree};
use super::digits::{products_to_signed, to_signed, Scalars, SignedScalar, Windows};
use super::pippenger;
use crate::kernel::curve::point::{Point, StoredG1, StoredG2};
use crate::kernel::field::arith::Kernel;
use crate::kernel::field::modulus::{Limbs, Modulus, Order};
use crate::kernel::field::{wide, Fr};
use crate::kernel::testing::{each_kernel, limbs, multiples, same, stored, Random};
use crate::kernel::KernelId;
use crate::monitor::{Monitor, Silent};
use crate::Error;

/// Groups whose lengths are around the bounds of pieces, lanes and rounds. With few distinct points some are added to
/// themselves or cancel.
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

/// The benchmarks' floor counts with these windows (scripts/bench/floor.py); its test reads the same file.
#[test]
fn windows_are_those_that_the_floor_counts() {
    let text = include_str!("../../../../../tests/spec/vectors/windows.json");
    let pinned: Vec<(usize, u32, u32, u32)> = serde_json::from_str(text).expect("rows of four numbers");
    for (scalars, bits, width, count) in pinned {
        let chosen = Windows::choose(scalars, bits);
        assert_eq!((chosen.width, chosen.count), (width, count), "{scalars} of {bits} bits");
    }
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
    // Zero may come out as -0, which has no digits either.
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
