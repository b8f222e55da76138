//! The check that many points of G2's curve lie in the subgroup of order r, at the price of a few additions each.
//!
//! The smallest prime that divides the cofactor 2p - r is 10069, so a random combination with coefficients below 2^13
//! of points that are not all in the subgroup lies in it with a chance of at most 2^-13 + 2^-13, and ten of them all do
//! with a chance of at most 2^-120.

use ark_ec::{AffineRepr, CurveGroup};

use crate::error::{Error, Result};
use crate::kernel::curve::{StoredG2, G2};
use crate::kernel::field::Fr;
use crate::kernel::msm::msm;
use crate::monitor::Monitor;

const ROUNDS: usize = 10;
const BITS: u32 = 13;

/// True when all points, none of them infinity and each on the curve, are in the subgroup (error 2^-120).
pub fn all_in_subgroup(points: &[StoredG2], monitor: &dyn Monitor) -> Result<bool> {
    if points.is_empty() {
        return Ok(true);
    }
    for _ in 0..ROUNDS {
        let sum = msm::<G2>(points, &random_small(points.len())?, monitor)?.into_affine();
        if !sum.is_zero() && !sum.is_in_correct_subgroup_assuming_on_curve() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn random_small(count: usize) -> Result<Vec<Fr>> {
    let mut bytes = vec![0u8; 2 * count];
    getrandom::fill(&mut bytes).map_err(|e| Error::Internal(format!("no randomness: {e}")))?;
    let value = |pair: &[u8]| u64::from(u16::from_le_bytes([pair[0], pair[1]])) & ((1 << BITS) - 1);
    Ok(bytes.chunks_exact(2).map(|pair| Fr::from(value(pair))).collect())
}
