//! Multi-scalar multiplication: sum of s_i P_i over points as they lie in a key file, by the kernel in use.
//!
//! Scalars are folded to signed magnitudes and split by size: zeros vanish, and what fits 64 bits (most values of a
//! machine-learning witness) meets only the windows it has. See `kernel::msm`.

pub mod buckets;
pub mod digits;
pub mod fixed_base;
pub mod pippenger;

use ark_ec::short_weierstrass::Projective;
use zeroize::Zeroizing;

use crate::error::{expect_len, Result};
use crate::kernel;
use crate::kernel::curve::{Curve, G1Projective, G2Projective, StoredG1, StoredG2};
use crate::kernel::field::{fr_limbs, Fr};
use crate::memory::Holds;
use crate::monitor::Monitor;

use digits::{products_to_signed, to_signed};
use pippenger::sum;

pub use digits::{Scalars, SignedScalar};

/// sum scalars[i] * points[i]. Points must not be infinity. Errors: lengths differ, cancelled.
pub fn msm<C: Curve>(points: &[C::Stored], scalars: &[Fr], monitor: &dyn Monitor) -> Result<Projective<C>> {
    msm_picked::<C>(points, &Scalars::all(&signed_scalars(scalars)), monitor)
}

/// Scalars as multiplications take them; wiped on drop.
pub fn signed_scalars(scalars: &[Fr]) -> Zeroizing<Vec<SignedScalar>> {
    Zeroizing::new(to_signed(kernel::active(), fr_limbs(scalars)))
}

/// The same for a_i b_i.
pub fn signed_products(a: &[Fr], b: &[Fr]) -> Zeroizing<Vec<SignedScalar>> {
    Zeroizing::new(products_to_signed(kernel::active(), fr_limbs(a), fr_limbs(b)))
}

/// The sum for folded scalars, by number.
pub fn msm_picked<C: Curve>(
    points: &[C::Stored],
    scalars: &Scalars<'_>,
    monitor: &dyn Monitor,
) -> Result<Projective<C>> {
    check(points.len(), scalars.len())?;
    sum(kernel::active(), &points, scalars, monitor)
}

/// The same scalars with points of both groups: digits and order of buckets are found once.
pub fn msm_both(
    g1: &[StoredG1],
    g2: &[StoredG2],
    scalars: &Scalars<'_>,
    monitor: &dyn Monitor,
) -> Result<(G1Projective, G2Projective)> {
    check(g1.len(), scalars.len())?;
    check(g2.len(), scalars.len())?;
    sum(kernel::active(), &(g1, g2), scalars, monitor)
}

/// Number and digits of a scalar.
const DIGITS: usize = 56;
/// In a thread: places of a scalar in the window that is sorted, twice, and half a group.
const PLACES: usize = 18;
/// In a thread: sums under way, for each byte of a point, and what is kept of additions.
const ROWS: usize = 24 << 10;
const KEPT: usize = 1 << 19;
/// Smaller tiles would mostly empty buckets.
pub const LEAST_TILE: usize = 1 << 14;

/// What a multiplication holds for a number of scalars, each of which meets points of `point` bytes: digits, a copy of
/// the points, and in every thread one window with the sums of its buckets, at most half as many as scalars.
pub fn holds(point: usize) -> Holds {
    let threads = rayon::current_num_threads();
    Holds { each: DIGITS + point + threads * (PLACES + point / 2), besides: threads * (KEPT + ROWS * point) }
}

fn check(points: usize, scalars: usize) -> Result<()> {
    expect_len("msm: scalars", scalars, points)?;
    expect_len("msm: points past 2^31", points >> 31, 0)
}
