//! The groups G1 and G2: Ethereum's encodings, the key file's points, and additions that share one inversion.
//!
//! Affine points everywhere; (0, 0), which is on neither curve, stands for infinity, as in EIP-196.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, Zero};
use bytemuck::{Pod, Zeroable};

use crate::error::{Error, Result};
use crate::field::{self, Fp, Fp2, Limbs};

pub use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};

pub const G1_BYTES: usize = 64;
pub const G2_BYTES: usize = 128;

/// A group with everything the kernels need: coordinates, a stored form, an encoding.
pub trait Curve: SWCurveConfig<ScalarField = field::Fr, ZeroFlag = ()> {
    /// The point as it lies in a key file: Montgomery limbs of x, then y.
    type Stored: Pod + Send + Sync;

    fn load(stored: &Self::Stored) -> Affine<Self>;
    fn store(point: &Affine<Self>) -> Self::Stored;
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct StoredG1([Limbs; 2]);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct StoredG2([Limbs; 4]);

impl Curve for ark_bn254::g1::Config {
    type Stored = StoredG1;

    #[inline(always)]
    fn load(stored: &StoredG1) -> Affine<Self> {
        let [x, y] = stored.0.map(field::fp_from_limbs);
        G1Affine::new_unchecked(x, y)
    }

    #[inline(always)]
    fn store(point: &Affine<Self>) -> StoredG1 {
        StoredG1([point.x, point.y].map(|c| field::fp_limbs(&c)))
    }
}

impl Curve for ark_bn254::g2::Config {
    type Stored = StoredG2;

    #[inline(always)]
    fn load(stored: &StoredG2) -> Affine<Self> {
        let [x0, x1, y0, y1] = stored.0.map(field::fp_from_limbs);
        G2Affine::new_unchecked(Fp2::new(x0, x1), Fp2::new(y0, y1))
    }

    #[inline(always)]
    fn store(point: &Affine<Self>) -> StoredG2 {
        let (x, y) = (&point.x, &point.y);
        StoredG2([x.c0, x.c1, y.c0, y.c1].map(|c| field::fp_limbs(&c)))
    }
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

/// Inverse of `encode_g1`. Errors name `what`: wrong length, coordinate >= p, point off the curve.
pub fn decode_g1(bytes: &[u8], what: &str) -> Result<G1Affine> {
    expect_bytes(bytes, G1_BYTES, what)?;
    let point = G1Affine::new_unchecked(word(bytes, 0, what)?, word(bytes, 1, what)?);
    if point.is_zero() || point.is_on_curve() {
        return Ok(point);
    }
    Err(Error::ProofFormat(format!("{what}: not a point of G1")))
}

/// Inverse of `encode_g2`; refuses also points outside the subgroup of order r.
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

/// point * scalar, affine.
pub fn mul<C: Curve>(point: &Affine<C>, scalar: &field::Fr) -> Affine<C> {
    (*point * scalar).into_affine()
}

/// Scratch of the batched additions, kept between calls.
pub struct BatchAdder<C: Curve> {
    prefix: Vec<C::BaseField>,
}

impl<C: Curve> Default for BatchAdder<C> {
    fn default() -> Self {
        BatchAdder { prefix: Vec::new() }
    }
}

/// What lambda's denominator is for p + q.
enum Sum<F> {
    /// lambda = (y2 - y1) / (x2 - x1)
    Chord(F),
    /// lambda = 3 x^2 / 2y
    Tangent(F),
    /// One summand is infinity or p = -q: nothing is divided.
    Trivial,
}

#[inline(always)]
fn is_infinity<C: Curve>(p: &Affine<C>) -> bool {
    p.x.is_zero() && p.y.is_zero()
}

#[inline(always)]
fn classify<C: Curve>(p: &Affine<C>, q: &Affine<C>) -> Sum<C::BaseField> {
    if is_infinity(p) || is_infinity(q) {
        return Sum::Trivial;
    }
    let dx = q.x - p.x;
    if !dx.is_zero() {
        return Sum::Chord(dx);
    }
    // On y^2 = x^3 + b of odd order no point has y = 0, so equal y means p = q and 2y != 0.
    if p.y == q.y {
        Sum::Tangent(p.y.double())
    } else {
        Sum::Trivial
    }
}

#[inline(always)]
fn trivial_sum<C: Curve>(p: &Affine<C>, q: &Affine<C>) -> Affine<C> {
    if is_infinity(p) {
        *q
    } else if is_infinity(q) {
        *p
    } else {
        Affine::zero()
    }
}

/// x3 = lambda^2 - x1 - x2, y3 = lambda (x1 - x3) - y1
#[inline(always)]
fn through<C: Curve>(p: &Affine<C>, q: &Affine<C>, lambda: C::BaseField) -> Affine<C> {
    let x = lambda.square() - p.x - q.x;
    let y = lambda * (p.x - x) - p.y;
    Affine::new_unchecked(x, y)
}

impl<C: Curve> BatchAdder<C> {
    /// Writes `pair(i).0 + pair(i).1` through `put(i, sum)` for i < count; one inversion in all.
    ///
    /// Every case is handled: infinity, p + p, p - p. `put(i, ..)` is called for i = count - 1 down to 0 and must not
    /// change what `pair(j)` returns for j < i.
    pub fn add<S>(
        &mut self,
        count: usize,
        state: &mut S,
        pair: impl Fn(&S, usize) -> (Affine<C>, Affine<C>),
        mut put: impl FnMut(&mut S, usize, Affine<C>),
    ) {
        self.prefix.clear();
        self.prefix.reserve(count);
        let mut product = C::BaseField::ONE;
        for i in 0..count {
            let (p, q) = pair(state, i);
            self.prefix.push(product);
            match classify(&p, &q) {
                Sum::Chord(d) | Sum::Tangent(d) => product *= d,
                Sum::Trivial => {}
            }
        }
        // Every factor is nonzero, so the product is; an empty product is one.
        let mut inverse = product.inverse().unwrap_or(C::BaseField::ONE);
        for i in (0..count).rev() {
            let (p, q) = pair(state, i);
            let sum = match classify(&p, &q) {
                Sum::Chord(d) => {
                    let lambda = (q.y - p.y) * (inverse * self.prefix[i]);
                    inverse *= d;
                    through(&p, &q, lambda)
                }
                Sum::Tangent(d) => {
                    let square = p.x.square();
                    let lambda = (square.double() + square) * (inverse * self.prefix[i]);
                    inverse *= d;
                    through(&p, &q, lambda)
                }
                Sum::Trivial => trivial_sum(&p, &q),
            };
            put(state, i, sum);
        }
    }

    /// acc[i] += addend(i).
    pub fn accumulate(&mut self, acc: &mut [Affine<C>], addend: impl Fn(usize) -> Affine<C>) {
        let count = acc.len();
        self.add(count, &mut &mut *acc, |a, i| (a[i], addend(i)), |a, i, sum| a[i] = sum);
    }
}

/// Normalises many points with one inversion.
pub fn to_affine<C: Curve>(points: &[Projective<C>]) -> Vec<Affine<C>> {
    Projective::normalize_batch(points)
}
