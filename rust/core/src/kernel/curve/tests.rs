//! Every kernel's additions against arkworks.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;

use super::add::Jobs;
use super::point::{Point, StoredG1, StoredG2};
use crate::kernel::field::arith::Kernel;
use crate::kernel::testing::{each_kernel, multiples, same, stored};

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
