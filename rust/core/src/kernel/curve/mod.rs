//! The groups G1 and G2 of BN254: Ethereum's encodings, and the points of key files.
//!
//! Points are affine everywhere; (0, 0), which is on neither curve, stands for infinity, as in EIP-196.
//!
//! - `point`: points as they lie in memory;
//! - `coordinate`: the fields of their coordinates over any kernel;
//! - `add`: many independent additions that share inversions;
//! - `double`: many independent doublings in G1 that share inversions.

pub mod add;
pub mod coordinate;
pub mod double;
pub mod point;

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};

use crate::error::{Error, Result};
use crate::kernel::field::{self, Fp, Fp2};

use point::Point;

pub use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};
pub use point::{StoredG1, StoredG2};

pub const G1_BYTES: usize = 64;
pub const G2_BYTES: usize = 128;

/// A group of arkworks, with the form in which the kernels store its points.
pub trait Curve: SWCurveConfig<ScalarField = field::Fr, ZeroFlag = ()> {
    /// The point as it lies in a key file: Montgomery limbs of x, then y.
    type Stored: Point<Curve = Self>;

    #[inline(always)]
    fn load(stored: &Self::Stored) -> Affine<Self> {
        stored.to_affine()
    }

    #[inline(always)]
    fn store(point: &Affine<Self>) -> Self::Stored {
        Self::Stored::from_affine(point)
    }
}

impl Curve for ark_bn254::g1::Config {
    type Stored = StoredG1;
}

impl Curve for ark_bn254::g2::Config {
    type Stored = StoredG2;
}

pub type G1 = ark_bn254::g1::Config;
pub type G2 = ark_bn254::g2::Config;

fn word(bytes: &[u8], index: usize, what: &str) -> Result<Fp> {
    let mut word = [0; 32];
    word.copy_from_slice(&bytes[32 * index..32 * index + 32]);
    field::from_be(&word).ok_or_else(|| Error::ProofFormat(format!("{what}: coordinate {index} is not below p")))
}

fn expect_bytes(bytes: &[u8], expected: usize, what: &str) -> Result<()> {
    if bytes.len() == expected {
        return Ok(());
    }
    Err(Error::ProofFormat(format!("{what}: expected {expected} bytes, got {}", bytes.len())))
}

/// EIP-196: x || y, 32 bytes big-endian each; infinity is all zeros.
pub fn encode_g1(point: &G1Affine) -> [u8; G1_BYTES] {
    let mut out = [0; G1_BYTES];
    if !point.is_zero() {
        out[..32].copy_from_slice(&field::to_be(&point.x));
        out[32..].copy_from_slice(&field::to_be(&point.y));
    }
    out
}

/// EIP-197: imaginary part first: x.c1 || x.c0 || y.c1 || y.c0; infinity is all zeros.
pub fn encode_g2(point: &G2Affine) -> [u8; G2_BYTES] {
    let mut out = [0; G2_BYTES];
    if !point.is_zero() {
        let words = [point.x.c1, point.x.c0, point.y.c1, point.y.c0];
        for (chunk, value) in out.chunks_exact_mut(32).zip(words) {
            chunk.copy_from_slice(&field::to_be(&value));
        }
    }
    out
}

/// The inverse of `encode_g1`. Errors (they name `what`): a wrong length, a coordinate not below p, a point off the
/// curve.
pub fn decode_g1(bytes: &[u8], what: &str) -> Result<G1Affine> {
    expect_bytes(bytes, G1_BYTES, what)?;
    let point = G1Affine::new_unchecked(word(bytes, 0, what)?, word(bytes, 1, what)?);
    if point.is_zero() || point.is_on_curve() {
        return Ok(point);
    }
    Err(Error::ProofFormat(format!("{what}: not a point of G1")))
}

/// The inverse of `encode_g2`. Errors: as for `decode_g1`, and a point outside the subgroup of order r.
pub fn decode_g2(bytes: &[u8], what: &str) -> Result<G2Affine> {
    expect_bytes(bytes, G2_BYTES, what)?;
    let w = |i| word(bytes, i, what);
    let point = G2Affine::new_unchecked(Fp2::new(w(1)?, w(0)?), Fp2::new(w(3)?, w(2)?));
    if point.is_zero() {
        return Ok(point);
    }
    if !point.is_on_curve() {
        return Err(Error::ProofFormat(format!("{what}: not a point of the G2 curve")));
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Error::ProofFormat(format!("{what}: not in the subgroup of order r of G2")));
    }
    Ok(point)
}

/// point * scalar as an affine point.
pub fn mul<C: Curve>(point: &Affine<C>, scalar: &field::Fr) -> Affine<C> {
    (*point * scalar).into_affine()
}

/// Many points as affine points, with one inversion.
pub fn to_affine<C: Curve>(points: &[Projective<C>]) -> Vec<Affine<C>> {
    Projective::normalize_batch(points)
}

#[cfg(test)]
mod tests;
