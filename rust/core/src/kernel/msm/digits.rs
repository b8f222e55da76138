//! Scalars as signed digits: turned into signed magnitudes, split by size, cut into windows.
//!
//! A scalar s counts as s - r when that is smaller in magnitude: a witness has many small negative values. Windows of
//! fixed width with digits in [-2^(width-1), 2^(width-1)) need half as many buckets as unsigned ones, because -d P = d
//! (-P) and negating a point costs nothing (H. Cohen and G. Frey, Handbook of Elliptic and Hyperelliptic Curve
//! Cryptography, section 9.1.4). Adding 2^(width-1) in every window first gives all digits without carries from one to
//! the next.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::kernel::field::arith::{Arith, Kernel, Work};
use crate::kernel::field::modulus::{Limbs, Modulus, Order};
use crate::kernel::field::wide;
use crate::kernel::{dispatch, KernelId};
use crate::memory::collect;

/// The bits of each size class; the last one holds |s| <= (r - 1) / 2.
const CLASSES: [u32; 6] = [1, 8, 16, 32, 64, MOST_BITS];
const MOST_BITS: u32 = 253;
/// Classes of more bits than this have many windows.
const FEW_WINDOWS: u32 = 32;
/// Scalars per piece of parallel work.
const PIECE: usize = 1 << 13;
/// What emptying a bucket costs, in units of one addition to a bucket.
const BUCKET_COST: usize = 2;
/// What the running sums of a window cost in the same unit, per row and column of the square of its buckets.
const EDGE_COST: usize = 5;
const MAX_WIDTH: u32 = 16;

/// How magnitudes of at most `bits` bits are cut: into `count` windows of `width` bits.
///
/// The digit of a single window is the magnitude. Of several windows all but the top one have digits in
/// [-2^(width-1), 2^(width-1)).
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

    /// What makes a digit non-negative when it is added.
    pub fn half(&self, window: u32) -> i32 {
        if window + 1 == self.count {
            0
        } else {
            1 << (self.width - 1)
        }
    }

    /// `half` of every window in its place: once it is added to a magnitude, each window holds its digit + half.
    fn offset(&self) -> Limbs {
        let mut limbs = [0; 4];
        for window in 0..self.count - 1 {
            let bit = window * self.width + self.width - 1;
            limbs[bit as usize / 64] |= 1 << (bit % 64);
        }
        limbs
    }
}

/// A scalar s as |s| <= (r - 1) / 2, with its sign in the top bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroize)]
pub struct SignedScalar(Limbs);

const SIGN: u64 = 1 << 63;

impl SignedScalar {
    #[inline(always)]
    pub fn new(magnitude: &Limbs, negative: bool) -> Self {
        let [a, b, c, d] = *magnitude;
        SignedScalar([a, b, c, d | u64::from(negative) << 63])
    }

    #[inline(always)]
    pub fn magnitude(&self) -> Limbs {
        let [a, b, c, d] = self.0;
        [a, b, c, d & !SIGN]
    }

    #[inline(always)]
    fn is_negative(&self) -> bool {
        self.0[3] & SIGN != 0
    }
}

/// Scalars given in Montgomery form, at most 2r each, as signed ones.
pub fn to_signed(id: KernelId, scalars: &[Limbs]) -> Vec<SignedScalar> {
    dispatch!(id, K => signed_with::<K>(scalars, None))
}

/// The products a[i] b[i] of scalars given in Montgomery form, at most 2r each, as signed ones.
pub fn products_to_signed(id: KernelId, a: &[Limbs], b: &[Limbs]) -> Vec<SignedScalar> {
    dispatch!(id, K => signed_with::<K>(a, Some(b)))
}

fn signed_with<K: Kernel>(scalars: &[Limbs], factors: Option<&[Limbs]>) -> Vec<SignedScalar> {
    let mut signed = collect(scalars.len(), |_| SignedScalar::default());
    signed.par_chunks_mut(PIECE).enumerate().for_each(|(i, signed)| {
        let part = i * PIECE..i * PIECE + signed.len();
        K::enter(ToSigned { scalars: &scalars[part.clone()], factors: factors.map(|factors| &factors[part]), signed });
    });
    signed
}

struct ToSigned<'a> {
    scalars: &'a [Limbs],
    factors: Option<&'a [Limbs]>,
    signed: &'a mut [SignedScalar],
}

impl<K: Kernel> Work<K> for ToSigned<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let ToSigned { scalars, factors, signed } = self;
        let last = scalars.len() - 1;
        let one = <K as Arith<Order>>::splat(&<K as Arith<Order>>::constant(&[1, 0, 0, 0]));
        for start in (0..scalars.len()).step_by(<K as Arith<Order>>::LANES) {
            let mut lanes = <K as Arith<Order>>::gather(|lane| &scalars[last.min(start + lane)]);
            if let Some(factors) = factors {
                let factor = <K as Arith<Order>>::gather(|lane| &factors[last.min(start + lane)]);
                lanes = <K as Arith<Order>>::mul(&lanes, &<K as Arith<Order>>::factor(&factor));
            }
            // The product with 1 takes the scalar out of Montgomery form.
            let plain = <K as Arith<Order>>::mul(&lanes, &one);
            <K as Arith<Order>>::scatter(&plain, |lane, plain| {
                let plain = wide::canonical::<Order>(&plain);
                let opposite = wide::sub(&Order::P, &plain).0;
                let negative = wide::sub(&opposite, &plain).1;
                if let Some(signed) = signed.get_mut(start + lane) {
                    *signed = SignedScalar::new(&wide::choose(negative, &opposite, &plain), negative);
                }
            });
        }
    }
}

/// Signed scalars by number: all of them in order, or those that an index names.
#[derive(Clone, Copy)]
pub struct Scalars<'a> {
    values: &'a [SignedScalar],
    index: Option<&'a [u32]>,
    /// The value of the index that names the first scalar.
    first: u32,
}

impl<'a> Scalars<'a> {
    pub fn all(values: &'a [SignedScalar]) -> Self {
        Scalars { values, index: None, first: 0 }
    }

    /// Scalar number i is values[index[i] - first]. Errors: the first index that names no scalar.
    pub fn picked(values: &'a [SignedScalar], index: &'a [u32], first: u32) -> Result<Self, u32> {
        let missing = |j: &&u32| j.checked_sub(first).is_none_or(|i| i as usize >= values.len());
        match index.par_iter().with_min_len(PIECE).find_first(missing) {
            Some(j) => Err(*j),
            None => Ok(Scalars { values, index: Some(index), first }),
        }
    }

    pub fn len(&self) -> usize {
        self.index.map_or(self.values.len(), <[u32]>::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `put` with place * 2 + sign, magnitude and class of each scalar in a range that is not zero.
    #[inline(always)]
    fn each(&self, range: Range<usize>, mut put: impl FnMut(u32, &Limbs, usize)) {
        for i in range {
            let scalar = &self.values[self.index.map_or(i, |index| (index[i] - self.first) as usize)];
            let magnitude = scalar.magnitude();
            if !wide::is_zero(&magnitude) {
                put((i as u32) << 1 | u32::from(scalar.is_negative()), &magnitude, class_of(&magnitude));
            }
        }
    }
}

/// The number of the size class of a magnitude.
#[inline(always)]
fn class_of(magnitude: &Limbs) -> usize {
    let bits = match magnitude {
        [low, 0, 0, 0] => 64 - low.leading_zeros(),
        _ => MOST_BITS,
    };
    CLASSES.iter().filter(|limit| bits > **limit).count()
}

/// One number per class.
type Counts = [usize; CLASSES.len()];

/// The digits of some scalars of one class.
#[derive(Default)]
pub struct Part {
    /// place * 2 + (1 when the scalar is negative)
    which: Vec<u32>,
    /// digit + `Windows::half` of each scalar, window by window.
    raw: Vec<u16>,
}

/// One part per class.
type Parts = [Part; CLASSES.len()];

/// Magnitudes that are cut together, few enough for their limbs to stay in the L1 cache.
const BLOCK: usize = 64;

/// Cuts the magnitudes of a part into windows, a block at a time.
struct Cutter {
    windows: Windows,
    offset: Limbs,
    part: Part,
    count: usize,
    /// The block, limb by limb, with zeros above the top limb.
    limbs: [[u64; BLOCK]; 5],
    /// How many magnitudes are in the block.
    filled: usize,
}

impl Cutter {
    /// A cutter for `count` magnitudes.
    fn new(windows: Windows, count: usize) -> Self {
        let part = Part { which: Vec::with_capacity(count), raw: vec![0; count * windows.count as usize] };
        Cutter { windows, offset: windows.offset(), part, count, limbs: [[0; BLOCK]; 5], filled: 0 }
    }

    #[inline(always)]
    fn push(&mut self, which: u32, magnitude: &Limbs) {
        for (limb, word) in self.limbs.iter_mut().zip(wide::add(magnitude, &self.offset).0) {
            limb[self.filled] = word;
        }
        self.part.which.push(which);
        self.filled += 1;
        if self.filled == BLOCK {
            self.cut();
        }
    }

    #[inline(always)]
    fn cut(&mut self) {
        let Cutter { windows, part: Part { which, raw }, count, limbs, filled, .. } = self;
        let done = which.len() - *filled;
        for (window, raw) in raw.chunks_mut((*count).max(1)).enumerate() {
            let start = window * windows.width as usize;
            let top = window + 1 == windows.count as usize;
            let mask = if top { u16::MAX } else { ((1u32 << windows.width) - 1) as u16 };
            let (low, high, shift) = (&limbs[start / 64], &limbs[start / 64 + 1], start % 64);
            for ((to, low), high) in raw[done..][..*filled].iter_mut().zip(low).zip(high) {
                *to = ((low >> shift) | (high << 1 << (63 - shift))) as u16 & mask;
            }
        }
        *filled = 0;
    }
}

/// Cuts the scalars of a range, of which `counts` belong to each class.
fn cut(scalars: &Scalars<'_>, range: Range<usize>, counts: &Counts, windows: &[Windows; CLASSES.len()]) -> Parts {
    let mut cutters: [Cutter; CLASSES.len()] = std::array::from_fn(|class| Cutter::new(windows[class], counts[class]));
    scalars.each(range, |which, magnitude, class| cutters[class].push(which, magnitude));
    cutters.map(|mut cutter| {
        cutter.cut();
        cutter.part
    })
}

/// Scalars of one size class, in order; a class with many windows may come in several shares.
pub struct Class {
    pub windows: Windows,
    parts: Vec<Part>,
}

impl Class {
    /// True when the points are read so often that copying them next to each other may pay.
    pub fn has_many_windows(&self) -> bool {
        self.windows.bits > FEW_WINDOWS
    }

    /// Ranges of parts that have about `step` scalars each.
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

    /// How many scalars some parts have.
    pub fn count(&self, parts: &Range<usize>) -> usize {
        self.parts[parts.clone()].iter().map(|part| part.which.len()).sum()
    }

    pub fn all(&self) -> Range<usize> {
        0..self.parts.len()
    }

    /// place * 2 + sign and digit + half of the scalars of some parts, in one window.
    pub fn window(&self, parts: Range<usize>, window: u32) -> impl Iterator<Item = (&[u32], &[u16])> + Clone {
        self.parts[parts].iter().map(move |part| {
            let len = part.which.len();
            (&part.which[..], &part.raw[window as usize * len..][..len])
        })
    }

    /// place * 2 + sign of all scalars.
    pub fn numbers(&self) -> Vec<u32> {
        self.parts.iter().flat_map(|part| &part.which).copied().collect()
    }

    /// Makes the numbers refer to a copy that holds the points of this class alone.
    pub fn renumber(&mut self) {
        let numbers = self.parts.iter_mut().flat_map(|part| &mut part.which);
        (0..).zip(numbers).for_each(|(place, which): (u32, _)| *which = place << 1 | *which & 1);
    }

    /// The class in shares of about the same size.
    fn shared(self, shares: usize) -> Vec<Self> {
        let ranges = self.ranges(self.count(&self.all()).div_ceil(shares));
        let mut parts = self.parts.into_iter();
        let share = |range: &Range<usize>| parts.by_ref().take(range.len()).collect();
        ranges.iter().map(share).map(|parts| Class { windows: self.windows, parts }).collect()
    }
}

/// In how many shares the scalars of a class are summed: with many windows each share has at most `most` of them.
fn shares(bits: u32, count: usize, most: usize) -> usize {
    if bits > FEW_WINDOWS {
        count.div_ceil(most).max(1)
    } else {
        1
    }
}

/// The scalars that are not zero, of at most 2^31, by size; those with many windows in shares of about `most`.
///
/// They are read twice, because how they are cut depends on how many there are of each size, and only digits are kept.
pub fn classes(scalars: &Scalars<'_>, most: usize) -> Vec<Class> {
    let starts = (0..scalars.len()).into_par_iter().step_by(PIECE);
    let ranges = starts.map(|start| start..scalars.len().min(start + PIECE));
    let count = |range| {
        let mut counts = Counts::default();
        scalars.each(range, |_, _, class| counts[class] += 1);
        counts
    };
    let counts: Vec<Counts> = ranges.clone().map(count).collect();
    let totals: Counts = std::array::from_fn(|class| counts.iter().map(|counts| counts[class]).sum());
    let shares: Counts = std::array::from_fn(|class| shares(CLASSES[class], totals[class], most));
    let windows = std::array::from_fn(|class| Windows::choose(totals[class].div_ceil(shares[class]), CLASSES[class]));
    let pieces = ranges.zip(&counts).map(|(range, counts)| cut(scalars, range, counts, &windows));
    let mut pieces: Vec<Parts> = pieces.collect();
    let class = |class: usize| {
        let parts = pieces.iter_mut().map(|piece| std::mem::take(&mut piece[class]));
        let parts = parts.filter(|part| !part.which.is_empty()).collect();
        Class { windows: windows[class], parts }.shared(shares[class])
    };
    (0..CLASSES.len()).flat_map(class).collect()
}
