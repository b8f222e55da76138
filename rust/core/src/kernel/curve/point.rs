//! Affine points as they lie in memory, aligned to the 64 bytes of a cache line.
//!
//! (0, 0), which is on neither curve, stands for infinity, as in EIP-196.

use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::BigInt;
use bytemuck::{Pod, Zeroable};

use super::coordinate::{Coordinate, Prime, Quadratic};
use crate::kernel::field::modulus::{Base, Limbs, Modulus};
use crate::kernel::field::wide;

/// A point of G1 or G2. Coordinates are in four-limb Montgomery form and at most 2p.
pub trait Point: Pod + Send + Sync {
    type Field: Coordinate;
    /// The same group in arkworks, for whatever takes little time.
    type Curve: SWCurveConfig<ScalarField = ark_bn254::Fr, ZeroFlag = ()>;

    const INFINITY: Self;

    fn new(x: Stored<Self>, y: Stored<Self>) -> Self;
    fn x(&self) -> &Stored<Self>;
    fn y(&self) -> &Stored<Self>;
    fn to_affine(&self) -> Affine<Self::Curve>;
    fn from_affine(point: &Affine<Self::Curve>) -> Self;
}

pub type Stored<P> = <<P as Point>::Field as Coordinate>::Stored;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct StoredG1([Limbs; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct StoredG2([[Limbs; 2]; 2]);

/// The element with these limbs, whatever they are: a damaged key may hold any, and 2^256 < 6p.
fn to_fp(x: &Limbs) -> ark_bn254::Fq {
    let below_4p = wide::reduce_once(x, &Base::TWO_P);
    ark_bn254::Fq::new_unchecked(BigInt(Prime::canonical(&below_4p)))
}

impl Point for StoredG1 {
    type Field = Prime;
    type Curve = ark_bn254::g1::Config;

    const INFINITY: Self = StoredG1([[0; 4]; 2]);

    #[inline(always)]
    fn new(x: Limbs, y: Limbs) -> Self {
        StoredG1([x, y])
    }

    #[inline(always)]
    fn x(&self) -> &Limbs {
        &self.0[0]
    }

    #[inline(always)]
    fn y(&self) -> &Limbs {
        &self.0[1]
    }

    fn to_affine(&self) -> Affine<Self::Curve> {
        Affine::new_unchecked(to_fp(self.x()), to_fp(self.y()))
    }

    fn from_affine(point: &Affine<Self::Curve>) -> Self {
        StoredG1([point.x.0 .0, point.y.0 .0])
    }
}

impl Point for StoredG2 {
    type Field = Quadratic;
    type Curve = ark_bn254::g2::Config;

    const INFINITY: Self = StoredG2([[[0; 4]; 2]; 2]);

    #[inline(always)]
    fn new(x: [Limbs; 2], y: [Limbs; 2]) -> Self {
        StoredG2([x, y])
    }

    #[inline(always)]
    fn x(&self) -> &[Limbs; 2] {
        &self.0[0]
    }

    #[inline(always)]
    fn y(&self) -> &[Limbs; 2] {
        &self.0[1]
    }

    fn to_affine(&self) -> Affine<Self::Curve> {
        let pair = |c: &[Limbs; 2]| ark_bn254::Fq2::new(to_fp(&c[0]), to_fp(&c[1]));
        Affine::new_unchecked(pair(self.x()), pair(self.y()))
    }

    fn from_affine(point: &Affine<Self::Curve>) -> Self {
        let pair = |c: &ark_bn254::Fq2| [c.c0.0 .0, c.c1.0 .0];
        StoredG2([pair(&point.x), pair(&point.y)])
    }
}

/// -p when the flag is set, else p; coordinates are tight.
#[inline(always)]
pub fn negate_if<K: crate::kernel::field::arith::Kernel, P: Point>(negative: bool, point: &P) -> P {
    let y = P::Field::lift::<K::Scalar>(point.y());
    let y = P::Field::negate_odd::<K::Scalar>(&[u32::from(negative)], &y);
    P::new(*point.x(), P::Field::lower::<K::Scalar>(&y))
}

/// True for infinity as it is written: (0, 0), not a multiple of the modulus.
#[inline(always)]
pub fn is_infinity<P: Point>(point: &P) -> bool {
    *point.x() == P::Field::ZERO && *point.y() == P::Field::ZERO
}
