//! Many multiples of one point: a table of signed windows, and additions that share inversions.

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;

use crate::curve::{to_affine, BatchAdder, Curve};
use crate::field::{canonical, Fr, Limbs};

/// Window width in bits: a table of 2^(WIDTH-1) points for each of ceil(255 / WIDTH) windows, 10 MB in G1.
const WIDTH: usize = 14;
const WINDOWS: usize = 255usize.div_ceil(WIDTH);
const HALF: usize = 1 << (WIDTH - 1);

/// Scalars handled together by `multiply`.
pub const BATCH: usize = 1 << 11;

/// `table[w * HALF + d - 1] = d * 2^(WIDTH w) * base`, d = 1 .. HALF.
pub struct FixedBase<C: Curve> {
    table: Vec<Affine<C>>,
}

/// Signed digits d_w in [-HALF, HALF) with s = sum d_w 2^(WIDTH w); the top digit stays below HALF since s < 2^254.
fn digits(scalar: &Limbs) -> [i32; WINDOWS] {
    let mut carry = 0;
    std::array::from_fn(|w| {
        let raw = bits(scalar, w * WIDTH, WIDTH) as i32 + carry;
        carry = i32::from(raw >= HALF as i32 && w + 1 < WINDOWS);
        raw - (carry << WIDTH)
    })
}

/// `count` (at most 32) bits of a 256-bit integer from bit `start`; bits past the end are zero.
#[inline(always)]
pub fn bits(limbs: &Limbs, start: usize, count: usize) -> u64 {
    let (limb, shift) = (start / 64, start % 64);
    if limb >= 4 {
        return 0;
    }
    let mut value = limbs[limb] >> shift;
    if shift + count > 64 && limb < 3 {
        value |= limbs[limb + 1] << (64 - shift);
    }
    value & ((1 << count) - 1)
}

impl<C: Curve> FixedBase<C> {
    pub fn new(base: Affine<C>) -> Self {
        let mut table = Vec::with_capacity(WINDOWS * HALF);
        let mut window_base = base.into_group();
        for _ in 0..WINDOWS {
            let first = to_affine(&[window_base])[0];
            table.extend(Self::multiples(first));
            for _ in 0..WIDTH {
                window_base.double_in_place();
            }
        }
        FixedBase { table }
    }

    /// 1 .. HALF times the point, by doubling the list: (k + j) P = kP + jP, j = 1 .. k.
    fn multiples(point: Affine<C>) -> Vec<Affine<C>> {
        let mut adder = BatchAdder::default();
        let mut list = vec![point];
        while list.len() < HALF {
            let mut upper = list.clone();
            let last = list[list.len() - 1];
            adder.accumulate(&mut upper, |_| last);
            list.extend(upper);
        }
        list
    }

    /// scalar * base for each scalar (at most `BATCH` for good use of the cache), calling thread only.
    pub fn multiply(&self, scalars: &[Fr]) -> Vec<Affine<C>> {
        let all: Vec<_> = scalars.iter().map(|s| digits(&canonical(s))).collect();
        let mut acc = vec![Affine::zero(); scalars.len()];
        let mut adder = BatchAdder::default();
        for (w, row) in self.table.chunks_exact(HALF).enumerate() {
            adder.accumulate(&mut acc, |i| match all[i][w] {
                0 => Affine::zero(),
                d if d > 0 => row[d as usize - 1],
                d => -row[d.unsigned_abs() as usize - 1],
            });
        }
        acc
    }
}
