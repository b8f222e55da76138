//! What the tests of all kernels share. They run every kernel of this machine; the emulated one is always among them.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;

use super::curve::point::Point;
use super::field::{Fr, Limbs};

/// xorshift64*: the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn limbs(&mut self) -> Limbs {
        [(); 4].map(|()| self.word())
    }

    pub fn scalar(&mut self) -> Fr {
        Fr::from_le_bytes_mod_order(bytemuck::bytes_of(&self.limbs()))
    }
}

/// Runs `$body` for every kernel of the machine, `$K` standing for it.
macro_rules! each_kernel {
    ($K:ident => $body:expr) => {
        for id in $crate::kernel::KernelId::all() {
            $crate::kernel::dispatch!(id, $K => $body);
        }
    };
}
pub(crate) use each_kernel;

/// k G for k = 1 .. n.
pub fn multiples<P: Point>(n: usize) -> Vec<Affine<P::Curve>> {
    let generator = Affine::<P::Curve>::generator().into_group();
    let all: Vec<_> = std::iter::successors(Some(generator), |p| Some(*p + generator)).take(n).collect();
    Projective::normalize_batch(&all)
}

pub fn stored<P: Point>(points: &[Affine<P::Curve>]) -> Vec<P> {
    points.iter().map(P::from_affine).collect()
}

pub fn same<C: SWCurveConfig>(a: &Affine<C>, b: &Projective<C>) -> bool {
    let b = b.into_affine();
    a.x == b.x && a.y == b.y
}

pub fn limbs(scalars: &[Fr]) -> Vec<Limbs> {
    scalars.iter().map(|s| s.0 .0).collect()
}
