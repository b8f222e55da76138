//! Many multiples of one point: a table of signed windows, and additions that share inversions.

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;

use crate::curve::{to_affine, Curve};
use crate::field::{canonical, Fr, Limbs};
use crate::kernel::{self, fixed};

/// Scalars handled together by `multiply`.
pub const BATCH: usize = 1 << 11;

/// Scalars are below 2^254; one bit more for the sign.
const BITS: usize = 255;
/// The widest window: 2^13 points for each of 19 windows, 10 MB in G1.
const WIDEST: usize = 14;

/// `table[w * half + d - 1] = d * 2^(width w) * base`, d = 1 .. half = 2^(width - 1).
pub struct FixedBase<C: Curve> {
    width: usize,
    table: Vec<C::Stored>,
}

/// Digit of window `w`, in [-half, half), of a scalar to which `offset(width)` has been added.
#[inline(always)]
fn digit(shifted: &[u64; 5], w: usize, width: usize) -> i32 {
    let (limb, shift) = (w * width / 64, w * width % 64);
    let mut raw = shifted[limb] >> shift;
    if shift + width > 64 && limb + 1 < shifted.len() {
        raw |= shifted[limb + 1] << (64 - shift);
    }
    (raw & ((1 << width) - 1)) as i32 - (1 << (width - 1))
}

/// half in every window: what makes all windows unsigned.
fn offset(width: usize) -> [u64; 5] {
    let mut limbs = [0; 5];
    for w in 0..BITS.div_ceil(width) {
        let bit = w * width + width - 1;
        limbs[bit / 64] |= 1 << (bit % 64);
    }
    limbs
}

fn add(scalar: &Limbs, offset: &[u64; 5]) -> [u64; 5] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = u128::from(scalar.get(i).copied().unwrap_or(0)) + u128::from(offset[i]) + carry;
        carry = sum >> 64;
        sum as u64
    })
}

impl<C: Curve> FixedBase<C> {
    /// A table for about `count` multiples of `base`.
    pub fn new(base: Affine<C>, count: usize) -> Self {
        let cost = |width: &usize| BITS.div_ceil(*width) * (count + (1 << (width - 1)));
        let width = (2..=WIDEST).min_by_key(cost).unwrap_or(WIDEST);
        let mut table = Vec::with_capacity(BITS.div_ceil(width) << (width - 1));
        let mut window_base = base.into_group();
        for _ in 0..BITS.div_ceil(width) {
            let first = C::store(&to_affine(&[window_base])[0]);
            table.extend(fixed::multiples(kernel::active(), first, 1 << (width - 1)));
            for _ in 0..width {
                window_base.double_in_place();
            }
        }
        FixedBase { width, table }
    }

    /// scalar * base for each scalar (at most `BATCH` for good use of the cache), calling thread only.
    pub fn multiply(&self, scalars: &[Fr]) -> Vec<Affine<C>> {
        let offset = offset(self.width);
        let shifted: Vec<_> = scalars.iter().map(|s| add(&canonical(s), &offset)).collect();
        let rows: Vec<_> = self.table.chunks_exact(1 << (self.width - 1)).collect();
        let digit = |i: usize, w: usize| digit(&shifted[i], w, self.width);
        fixed::multiply(kernel::active(), &rows, scalars.len(), digit).iter().map(C::load).collect()
    }
}
