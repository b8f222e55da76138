//! Scalars as signed digits: folded to magnitudes, split by size, cut into windows.

use std::ops::Range;

use rayon::prelude::*;

use super::arith::{Arith, Kernel, Work};
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

    /// What is added to a digit to make it non-negative.
    pub fn half(&self, window: u32) -> i32 {
        if window + 1 == self.count {
            0
        } else {
            1 << (self.width - 1)
        }
    }

    /// `half` of all windows in their places: added to a magnitude, it makes the windows' digits themselves non-negative.
    fn offset(&self) -> Limbs {
        let mut limbs = [0; 4];
        for window in 0..self.count - 1 {
            let bit = window * self.width + self.width - 1;
            limbs[bit as usize / 64] |= 1 << (bit % 64);
        }
        limbs
    }
}

/// Digits of some scalars of one size.
#[derive(Default)]
pub struct Part {
    /// index * 2 + (1 when the scalar is negative)
    which: Vec<u32>,
    /// Digit + `Windows::half` of each, window by window.
    raw: Vec<u16>,
}

/// Scalars of one size, in order.
pub struct Class {
    pub windows: Windows,
    parts: Vec<Part>,
}

impl Class {
    /// Takes the entries out of the pieces.
    fn cut<K: Kernel>(pieces: &mut [Piece], class: usize) -> Self {
        let total = pieces.iter().map(|piece| piece[class].len()).sum();
        let windows = Windows::choose(total, CLASSES[class]);
        let cut = |piece: &mut Piece| K::enter(Cut { entries: std::mem::take(&mut piece[class]), windows });
        let mut parts: Vec<Part> = pieces.par_iter_mut().map(cut).collect();
        parts.retain(|part| !part.which.is_empty());
        Class { windows, parts }
    }

    /// Ranges of parts with about `step` scalars each.
    pub fn ranges(&self, step: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let (mut start, mut held) = (0, 0);
        for (i, part) in self.parts.iter().enumerate() {
            held += part.which.len();
            if held >= step || i + 1 == self.parts.len() {
                ranges.push(start..i + 1);
                (start, held) = (i + 1, 0);
            }
        }
        ranges
    }

    /// Scalars of some parts.
    pub fn count(&self, parts: &Range<usize>) -> usize {
        self.parts[parts.clone()].iter().map(|part| part.which.len()).sum()
    }

    pub fn all(&self) -> Range<usize> {
        0..self.parts.len()
    }

    /// (index * 2 + sign, digit + half) of some parts in a window.
    pub fn window(&self, parts: Range<usize>, window: u32) -> impl Iterator<Item = (&[u32], &[u16])> + Clone {
        self.parts[parts].iter().map(move |part| {
            let len = part.which.len();
            (&part.which[..], &part.raw[window as usize * len..][..len])
        })
    }
}

/// Scalars cut together: their limbs stay in registers and the nearest cache.
const BLOCK: usize = 64;

/// Cuts magnitudes into windows.
struct Cut {
    entries: Vec<(u32, Limbs)>,
    windows: Windows,
}

impl<K: Kernel> Work<K> for Cut {
    type Out = Part;

    #[inline(always)]
    fn run(self) -> Part {
        let Cut { entries, windows } = self;
        let offset = windows.offset();
        let mut raw = vec![0; entries.len() * windows.count as usize];
        for (number, block) in entries.chunks(BLOCK).enumerate() {
            // Limb by limb, and a zero above the top one.
            let mut limbs = [[0u64; BLOCK]; 5];
            for (i, (_, magnitude)) in block.iter().enumerate() {
                let sum = wide::add(magnitude, &offset).0;
                for (limb, word) in limbs.iter_mut().zip(sum) {
                    limb[i] = word;
                }
            }
            for (window, raw) in raw.chunks_mut(entries.len()).enumerate() {
                let start = window * windows.width as usize;
                let top = window + 1 == windows.count as usize;
                let mask = if top { u16::MAX } else { ((1u32 << windows.width) - 1) as u16 };
                let (low, high, shift) = (&limbs[start / 64], &limbs[start / 64 + 1], start % 64);
                let to = &mut raw[number * BLOCK..][..block.len()];
                for ((to, low), high) in to.iter_mut().zip(low).zip(high) {
                    *to = ((low >> shift) | (high << 1 << (63 - shift))) as u16 & mask;
                }
            }
        }
        Part { which: entries.into_iter().map(|(which, _)| which).collect(), raw }
    }
}

/// Entries (which, magnitude) of some scalars, by class.
type Piece = [Vec<(u32, Limbs)>; CLASSES.len()];

/// The nonzero scalars by size: at most 2^31 scalars, Montgomery form, at most 2p.
pub fn classes<K: Kernel>(scalars: &[Limbs]) -> Vec<Class> {
    let piece = |(i, part): (usize, &[Limbs])| classify::<K>(i * PIECE, part);
    let mut pieces: Vec<Piece> = scalars.par_chunks(PIECE).enumerate().map(piece).collect();
    (0..CLASSES.len()).map(|class| Class::cut::<K>(&mut pieces, class)).collect()
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
