//! Multi-scalar multiplication: the sum of s_i P_i over points as they lie in a key file, by the kernel in use.
//!
//! - `digits`: scalars become signed magnitudes and are split by size, so that zeros vanish and what fits 64 bits (most
//!   values of a machine-learning witness) is cut into few windows;
//! - `sort`: the points of a window, grouped by digit; `buckets`: their weighted sum;
//! - `pippenger`: the windows as tasks for all threads, and the sum of their results;
//! - `fixed_base`: many multiples of one point, for setup;
//! - `same_scalar`: many points times one scalar, for a ceremony.
//!
//! Everywhere one `u32` names a point and its sign: place * 2 + (1 when it is negated). They are called `which` in
//! `digits`, `refs` in `sort` and `buckets`, and `numbers` where a row of them is added.

pub mod buckets;
pub mod digits;
pub mod fixed_base;
pub mod pippenger;
pub mod same_scalar;
pub mod sort;

use ark_ec::short_weierstrass::Projective;
use zeroize::Zeroizing;

use crate::error::{expect_len, Result};
use crate::kernel;
use crate::kernel::curve::{Curve, G1Projective, G2Projective, StoredG1, StoredG2};
use crate::kernel::field::{fr_limbs, Fr};
use crate::memory::Footprint;
use crate::monitor::Monitor;

use digits::{products_to_signed, to_signed};
use pippenger::sum;

pub use digits::{Scalars, SignedScalar};

/// The sum of scalars[i] * points[i]. No point may be infinity. Errors: the lengths differ; cancelled.
pub fn msm<C: Curve>(points: &[C::Stored], scalars: &[Fr], monitor: &dyn Monitor) -> Result<Projective<C>> {
    msm_picked::<C>(points, &Scalars::all(&signed_scalars(scalars)), monitor)
}

/// Scalars in the form that multiplications take; wiped on drop.
pub fn signed_scalars(scalars: &[Fr]) -> Zeroizing<Vec<SignedScalar>> {
    Zeroizing::new(to_signed(kernel::active(), fr_limbs(scalars)))
}

/// The products a[i] b[i] in the form that multiplications take; wiped on drop.
pub fn signed_products(a: &[Fr], b: &[Fr]) -> Zeroizing<Vec<SignedScalar>> {
    Zeroizing::new(products_to_signed(kernel::active(), fr_limbs(a), fr_limbs(b)))
}

/// The sum of scalar i * points[i] for scalars that an index may have picked.
pub fn msm_picked<C: Curve>(
    points: &[C::Stored],
    scalars: &Scalars<'_>,
    monitor: &dyn Monitor,
) -> Result<Projective<C>> {
    check(points.len(), scalars.len())?;
    sum(kernel::active(), &points, scalars, monitor)
}

/// The sums of the same scalars with points of both groups: scalars are cut and sorted once.
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

/// Bytes per scalar: its index and its digits.
const DIGITS: usize = 56;
/// Bytes per scalar and thread: its entries in the two buffers of the window being sorted (4 + 8), and half a piece of
/// 12 bytes, as there are at most half as many buckets as scalars.
const SORTING: usize = 18;
/// Rows of sums per thread, in points.
const ROWS: usize = 24 << 10;
/// Bytes per thread that additions keep between their two passes.
const KEPT: usize = 1 << 19;
/// Tiles of fewer scalars are not worth it: most of the work would be to empty buckets.
pub const LEAST_TILE: usize = 1 << 14;

/// What a multiplication holds for scalars each of which multiplies points of `point` bytes: digits, a copy of the
/// points, and in every thread one window with the sums of its buckets, of which there are at most half as many as
/// scalars.
pub fn footprint(point: usize) -> Footprint {
    let threads = rayon::current_num_threads();
    Footprint { per_item: DIGITS + point + threads * (SORTING + point / 2), fixed: threads * (KEPT + ROWS * point) }
}

fn check(points: usize, scalars: usize) -> Result<()> {
    expect_len("msm: scalars", scalars, points)?;
    expect_len("msm: points past 2^31", points >> 31, 0)
}

#[cfg(test)]
mod tests;
