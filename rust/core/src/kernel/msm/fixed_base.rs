//! Many multiples of one point, by windows over a table of its multiples.
//!
//! E. F. Brickell, D. M. Gordon, K. S. McCurley and D. B. Wilson, "Fast exponentiation with precomputation", EUROCRYPT
//! 1992, with every multiple d 2^(width w) base in the table, so that a scalar costs one addition per window. Digits
//! are signed, which halves the table. The additions of one window for many scalars are independent and share
//! inversions.

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;

use crate::kernel::curve::add::Jobs;
use crate::kernel::curve::point::{is_infinity, negate_if, Point};
use crate::kernel::curve::{to_affine, Curve};
use crate::kernel::field::arith::Kernel;
use crate::kernel::field::{canonical, Fr, Limbs};
use crate::kernel::{self, dispatch, KernelId};

/// The number of scalars with which `multiply` makes the best use of the cache.
pub const BATCH: usize = 1 << 11;

/// Scalars are below 2^254, and signed digits need one bit more.
const BITS: usize = 255;
/// The widest window: the table then has 2^13 points for each of 19 windows, 10 MB in G1.
const WIDEST: usize = 14;

/// `table[w * half + d - 1] = d * 2^(width w) * base` for d = 1 .. half, half = 2^(width - 1).
pub struct FixedBase<C: Curve> {
    width: usize,
    table: Vec<C::Stored>,
}

/// The digit of window `w`, in [-half, half), of a scalar to which `offset(width)` has been added.
#[inline(always)]
fn digit(shifted: &[u64; 5], w: usize, width: usize) -> i32 {
    let (limb, shift) = (w * width / 64, w * width % 64);
    let mut raw = shifted[limb] >> shift;
    if shift + width > 64 && limb + 1 < shifted.len() {
        raw |= shifted[limb + 1] << (64 - shift);
    }
    (raw & ((1 << width) - 1)) as i32 - (1 << (width - 1))
}

/// half in every window: once it is added to a scalar, every window holds its digit + half, and no digit borrows from
/// the next.
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
            table.extend(multiples(kernel::active(), first, 1 << (width - 1)));
            for _ in 0..width {
                window_base.double_in_place();
            }
        }
        FixedBase { width, table }
    }

    /// scalar * base for each scalar, on the calling thread.
    pub fn multiply(&self, scalars: &[Fr]) -> Vec<Affine<C>> {
        let offset = offset(self.width);
        let shifted: Vec<_> = scalars.iter().map(|s| add(&canonical(s), &offset)).collect();
        let rows: Vec<_> = self.table.chunks_exact(1 << (self.width - 1)).collect();
        let digit = |i: usize, w: usize| digit(&shifted[i], w, self.width);
        add_entries(kernel::active(), &rows, scalars.len(), digit).iter().map(C::load).collect()
    }
}

/// For each i < count the sum over the windows w of sign(d) rows[w][|d| - 1] with d = digit(i, w).
///
/// Coordinates of the results are below 2p. On the calling thread.
fn add_entries<P: Point>(id: KernelId, rows: &[&[P]], count: usize, digit: impl Fn(usize, usize) -> i32) -> Vec<P> {
    dispatch!(id, K => add_entries_with::<K, P>(rows, count, digit))
}

fn add_entries_with<K: Kernel, P: Point>(rows: &[&[P]], count: usize, digit: impl Fn(usize, usize) -> i32) -> Vec<P> {
    let (mut sums, mut next) = (vec![P::INFINITY; count], vec![P::INFINITY; count]);
    let mut jobs = Jobs::<K, P>::default();
    for (w, row) in rows.iter().enumerate() {
        for i in 0..count {
            let d = digit(i, w);
            let at = d.unsigned_abs().wrapping_sub(1);
            if d == 0 {
                next[i] = sums[i];
            } else if is_infinity(&sums[i]) {
                next[i] = negate_if::<K, P>(d < 0, &row[at as usize]);
            } else {
                jobs.push(2 * i as u32, 2 * at + u32::from(d < 0), i as u32);
            }
        }
        jobs.add(&sums, row, &mut next);
        std::mem::swap(&mut sums, &mut next);
    }
    sums
}

/// The multiples 1 .. count of the point, for a power of two: from the first k the next k are (k + j) P = kP + jP.
fn multiples<P: Point>(id: KernelId, point: P, count: usize) -> Vec<P> {
    dispatch!(id, K => {
        let mut list = vec![point];
        let mut jobs = Jobs::<K, P>::default();
        while list.len() < count {
            let len = list.len() as u32;
            (0..len).for_each(|i| jobs.push(2 * i, 2 * (len - 1), i));
            let mut upper = vec![P::INFINITY; list.len()];
            jobs.add(&list, &list, &mut upper);
            list.extend(upper);
        }
        list
    })
}
