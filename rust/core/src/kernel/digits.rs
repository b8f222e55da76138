//! Scalars as signed digits: folded to magnitudes, split by size, cut into windows.

use std::ops::Range;

use rayon::prelude::*;

use super::arith::{Arith, Kernel};
use super::modulus::{Limbs, Modulus, Order};
use super::wide;

/// Bits of the size classes; the last one holds |s| <= (r - 1) / 2.
const CLASSES: [u32; 6] = [1, 8, 16, 32, 64, 253];
/// Scalars folded in one piece of parallel work.
const PIECE: usize = 1 << 13;
/// Cost of emptying a bucket, in additions to buckets.
const BUCKET_COST: usize = 2;
/// Cost of the running sums that end a window, for each row and column of the square of its buckets.
const EDGE_COST: usize = 5;
const MAX_WIDTH: u32 = 16;

/// How magnitudes of at most `bits` bits are cut: `count` windows of `width` bits.
///
/// One window: the digit is the magnitude. More: digits of all but the top window are in [-2^(width-1), 2^(width-1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    bits: u32,
    pub width: u32,
    pub count: u32,
}

impl Windows {
    /// The cut with the least work for `n` magnitudes.
    pub fn choose(n: usize, bits: u32) -> Self {
        let cut =
            |width: u32| Windows { bits, width, count: if width == bits { 1 } else { (bits + 1).div_ceil(width) } };
        (1..=bits.min(MAX_WIDTH)).map(cut).min_by_key(|w| w.cost(n)).unwrap_or(cut(bits))
    }

    fn cost(&self, n: usize) -> usize {
        let edges = EDGE_COST << self.width.div_ceil(2);
        (0..self.count).map(|w| n + edges + BUCKET_COST * self.buckets(w)).sum()
    }

    /// The greatest |digit| of a window.
    pub fn buckets(&self, window: u32) -> usize {
        match (self.count, window + 1 == self.count) {
            (1, _) => (1 << self.bits) - 1,
            (_, true) => 1 << (self.bits - self.width * window),
            (_, false) => 1 << (self.width - 1),
        }
    }

    /// 2^(width-1) in every window but the top one: added to a magnitude, it makes the windows' digits non-negative.
    fn offset(&self) -> Limbs {
        let mut limbs = [0; 4];
        for window in 0..self.count - 1 {
            let bit = window * self.width + self.width - 1;
            limbs[bit as usize / 64] |= 1 << (bit % 64);
        }
        limbs
    }
}

/// A magnitude, or a magnitude plus the windows' offset.
pub trait Magnitude: Copy + Send + Sync {
    /// Bits from `start` of self + offset.
    fn bits_from(&self, offset: &Limbs, start: u32) -> u64;
    /// What is kept of a magnitude, the offset added when `bits_from` will not do so.
    fn keep(magnitude: &Limbs, offset: &Limbs) -> Self;
}

impl Magnitude for u64 {
    #[inline(always)]
    fn bits_from(&self, offset: &Limbs, start: u32) -> u64 {
        ((u128::from(*self) + (u128::from(offset[1]) << 64 | u128::from(offset[0]))) >> start) as u64
    }

    fn keep(magnitude: &Limbs, _offset: &Limbs) -> u64 {
        magnitude[0]
    }
}

impl Magnitude for Limbs {
    #[inline(always)]
    fn bits_from(&self, _offset: &Limbs, start: u32) -> u64 {
        let (limb, shift) = (start as usize / 64, start % 64);
        let above = if limb < 3 { self[limb + 1] } else { 0 };
        (self[limb] >> shift) | (above << 1 << (63 - shift))
    }

    fn keep(magnitude: &Limbs, offset: &Limbs) -> Limbs {
        wide::add(magnitude, offset).0
    }
}

/// Scalars of one size.
pub struct Class<T> {
    /// index * 2 + (1 when the scalar is negative)
    pub which: Vec<u32>,
    values: Vec<T>,
    pub windows: Windows,
    offset: Limbs,
}

impl<T: Magnitude> Class<T> {
    /// Takes the entries out of the pieces, in order.
    fn collect(pieces: &mut [Piece], class: usize) -> Self {
        let total = pieces.iter().map(|piece| piece[class].len()).sum();
        let windows = Windows::choose(total, CLASSES[class]);
        let offset = windows.offset();
        let (mut which, mut values) = (Vec::with_capacity(total), Vec::with_capacity(total));
        for piece in pieces {
            for (index, magnitude) in std::mem::take(&mut piece[class]) {
                which.push(index);
                values.push(T::keep(&magnitude, &offset));
            }
        }
        Class { which, values, windows, offset }
    }

    /// The digits of some entries in a window: at most 2^16, |digit| at most `Windows::buckets`.
    pub fn digits(&self, entries: Range<usize>, window: u32) -> Vec<i32> {
        let start = window * self.windows.width;
        let top = window + 1 == self.windows.count;
        let half = if top { 0 } else { 1i64 << (self.windows.width - 1) };
        let mask = if top { u64::MAX } else { (1 << self.windows.width) - 1 };
        let digit = |value: &T| ((value.bits_from(&self.offset, start) & mask) as i64 - half) as i32;
        self.values[entries].iter().map(digit).collect()
    }
}

/// Entries (which, magnitude) of some scalars, by class.
type Piece = [Vec<(u32, Limbs)>; CLASSES.len()];

/// The nonzero scalars in their classes.
pub struct Digits {
    pub small: Vec<Class<u64>>,
    pub full: Class<Limbs>,
}

impl Digits {
    /// At most 2^31 scalars, Montgomery form, at most 2p.
    pub fn new<K: Kernel>(scalars: &[Limbs]) -> Self {
        let piece = |(i, part): (usize, &[Limbs])| classify::<K>(i * PIECE, part);
        let mut pieces: Vec<Piece> = scalars.par_chunks(PIECE).enumerate().map(piece).collect();
        let last = CLASSES.len() - 1;
        let small = (0..last).map(|class| Class::collect(&mut pieces, class)).collect();
        Digits { small, full: Class::collect(&mut pieces, last) }
    }
}

fn classify<K: Kernel>(start: usize, scalars: &[Limbs]) -> Piece {
    let mut piece = Piece::default();
    for (i, scalar) in scalars.iter().enumerate() {
        let (magnitude, negative) = fold::<K>(scalar);
        if !wide::is_zero(&magnitude) {
            let which = ((start + i) as u32) << 1 | u32::from(negative);
            piece[class_of(&magnitude)].push((which, magnitude));
        }
    }
    piece
}

fn class_of(magnitude: &Limbs) -> usize {
    let bits = match magnitude {
        [low, 0, 0, 0] => 64 - low.leading_zeros(),
        _ => 253,
    };
    CLASSES.iter().position(|limit| bits <= *limit).unwrap_or(CLASSES.len() - 1)
}

/// Magnitude and sign of the representative with |s| <= (r - 1) / 2.
#[inline(always)]
fn fold<K: Kernel>(scalar: &Limbs) -> (Limbs, bool) {
    let plain = wide::canonical::<Order>(&<K::Scalar as Arith<Order>>::mul(scalar, &[1, 0, 0, 0]));
    let opposite = wide::sub(&Order::P, &plain).0;
    let negative = wide::sub(&opposite, &plain).1;
    (if negative { opposite } else { plain }, negative)
}
