//! One window of a multi-scalar multiplication: points sorted by digit, added up bucket by bucket in pairwise rounds,
//! buckets weighted.
//!
//! All additions of a round are independent, whatever the digits: a million equal scalars cost nothing extra.

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use crate::error::Result;
use crate::kernel::curve::add::{add_rows, copy_row, lanes, Gathered, Neighbours, Numbers, Row, Scratch, Step, LANES};
use crate::kernel::curve::point::Point;
use crate::kernel::field::arith::{Kernel, Work};
use crate::memory::Buffer;
use crate::monitor::Monitor;

/// Points that are summed together: their partial sums stay in the cache.
const TILE: u32 = 1 << 14;
/// Points of a piece at most.
const LONGEST: u32 = 256;
/// Up to this many buckets are weighted one by one.
const FEW_BUCKETS: usize = 16;

/// Up to this many buckets are sorted into at once.
const NEAR_BUCKETS: usize = 512;

/// Points of a window, grouped by |digit|; the buffers are used again.
#[derive(Default)]
pub struct Sorted {
    /// index * 2 + sign, the groups one after the other, that of digit 0 first.
    refs: Buffer<u32>,
    /// Length of the group of each |digit|.
    counts: Vec<u32>,
    /// [|digit|, ref] by blocks of digits.
    blocks: Buffer<[u32; 2]>,
}

impl Sorted {
    /// Counting sort of numbers (index * 2 + sign) by |raw - half| <= buckets; signs of digits change those of the
    /// refs.
    pub fn sort<'a>(&mut self, buckets: usize, half: i32, parts: impl Iterator<Item = (&'a [u32], &'a [u16])> + Clone) {
        let entry = move |(which, raw): (&u32, &u16)| {
            let digit = i32::from(*raw) - half;
            (digit.unsigned_abs(), which ^ (digit as u32 >> 31))
        };
        let entries = parts.clone().flat_map(|(which, raw)| which.iter().zip(raw)).map(entry);
        let total = parts.map(|(which, _)| which.len()).sum();
        self.counts.clear();
        self.counts.resize(buckets + 1, 0);
        let refs = self.refs.resize(total);
        if buckets <= NEAR_BUCKETS {
            entries.clone().for_each(|(digit, _)| self.counts[digit as usize] += 1);
            scatter(&mut starts(&self.counts), refs, entries, |entry| entry);
        } else {
            in_two(&mut self.counts, self.blocks.resize(total), refs, entries);
        }
    }

    /// Refs and lengths of the groups of |digit| = 1, 2 ..
    fn groups(&self) -> (&[u32], &[u32]) {
        (&self.refs.values()[self.counts[0] as usize..], &self.counts[1..])
    }
}

/// First by blocks of digits: writing to all buckets at once would miss the cache each time.
fn in_two(
    counts: &mut [u32],
    mut blocks: &mut [[u32; 2]],
    mut refs: &mut [u32],
    entries: impl Iterator<Item = (u32, u32)> + Clone,
) {
    let shift = (usize::BITS - counts.len().leading_zeros()).div_ceil(2);
    let mask = (1 << shift) - 1;
    let mut lengths = vec![0; counts.len().div_ceil(1 << shift)];
    entries.clone().for_each(|(digit, _)| lengths[(digit >> shift) as usize] += 1);
    scatter(&mut starts(&lengths), blocks, entries, |(digit, which)| (digit >> shift, [digit, which]));
    for (counts, length) in counts.chunks_mut(1 << shift).zip(lengths) {
        let (block, later_blocks) = blocks.split_at_mut(length as usize);
        let (to, later_refs) = refs.split_at_mut(length as usize);
        block.iter().for_each(|[digit, _]| counts[(digit & mask) as usize] += 1);
        scatter(&mut starts(counts), to, block.iter(), |[digit, which]| (digit & mask, *which));
        (blocks, refs) = (later_blocks, later_refs);
    }
}

/// Values put where their buckets start, for entries of which `at` tells bucket and value.
#[inline(always)]
fn scatter<E, V>(cursor: &mut [u32], to: &mut [V], entries: impl Iterator<Item = E>, at: impl Fn(E) -> (u32, V)) {
    entries.for_each(|entry| {
        let (bucket, value) = at(entry);
        let slot = &mut cursor[bucket as usize];
        to[*slot as usize] = value;
        *slot += 1;
    });
}

/// Where each group starts.
fn starts(counts: &[u32]) -> Vec<u32> {
    let mut end = 0;
    let start = |count: &u32| {
        end += count;
        end - count
    };
    counts.iter().map(start).collect()
}

/// A part of a group, short enough to stay in the cache: refs[start ..][.. count] are summed to the sum of number
/// `out`.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: u32,
    count: u32,
    out: u32,
}

/// Pieces side by side, one a lane, whose sums are computed in rows from `base` on.
#[derive(Clone, Copy)]
struct Pack {
    pieces: [Piece; LANES],
    base: u32,
}

impl Pack {
    /// Lanes without a piece repeat the first one and count nothing.
    fn new(pieces: &[Piece], base: u32) -> Self {
        let mut pack = Pack { pieces: [Piece { count: 0, ..pieces[0] }; LANES], base };
        pack.pieces[..pieces.len()].copy_from_slice(pieces);
        pack
    }

    fn rows(&self) -> u32 {
        self.pieces.iter().map(|piece| piece.count).max().unwrap_or(0)
    }

    /// The lanes that have more than `count` summands.
    #[inline(always)]
    fn beyond(&self, count: u32) -> u8 {
        let mut lanes = 0;
        for (lane, piece) in self.pieces.iter().enumerate() {
            lanes |= u8::from(piece.count > count) << lane;
        }
        lanes
    }

    /// The refs of summand i in each lane, of the last one in lanes that have fewer.
    #[inline(always)]
    fn refs(&self, refs: &[u32], i: u32) -> Numbers {
        let mut numbers = [0; LANES];
        for (number, piece) in numbers.iter_mut().zip(&self.pieces) {
            *number = refs[(piece.start + i.min(piece.count.saturating_sub(1))) as usize];
        }
        numbers
    }

    /// After a round of pairs.
    fn halve(&mut self) {
        self.pieces.iter_mut().for_each(|piece| piece.count = piece.count.div_ceil(2));
    }
}

/// Buffers of the pairwise rounds.
pub struct Buffers<K: Kernel, P: Point> {
    packs: Vec<Pack>,
    /// Summands of a first round.
    numbers: Vec<[Numbers; 2]>,
    steps: Vec<Step>,
    /// Rows without a second summand: (from, to).
    copies: Vec<(u32, u32)>,
    rows: Vec<Row<K, P>>,
    scratch: Scratch<K, P>,
}

impl<K: Kernel, P: Point> Default for Buffers<K, P> {
    fn default() -> Self {
        Buffers {
            packs: Vec::new(),
            numbers: Vec::new(),
            steps: Vec::new(),
            copies: Vec::new(),
            rows: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

pub struct Tree<'a, K: Kernel, P: Point> {
    pub monitor: &'a dyn Monitor,
    pub buffers: &'a mut Buffers<K, P>,
}

impl<K: Kernel, P: Point> Tree<'_, K, P> {
    /// The sum of each nonempty group of +-points[ref / 2], in order. Errors: cancelled.
    pub fn sums(&mut self, points: &[P], refs: &[u32], counts: &[u32]) -> Result<Vec<P>> {
        let mut pieces = Vec::with_capacity(counts.len());
        let mut parts = Vec::with_capacity(counts.len());
        let mut start = 0;
        for count in counts.iter().filter(|count| **count > 0) {
            let n = count.div_ceil(LONGEST);
            parts.push(n);
            for i in 0..n {
                let [from, to] = [i, i + 1].map(|i| (u64::from(*count) * u64::from(i) / u64::from(n)) as u32);
                pieces.push(Piece { start: start + from, count: to - from, out: pieces.len() as u32 });
            }
            start += count;
        }
        let mut sums = vec![P::INFINITY; pieces.len()];
        let mut rest = &pieces[..];
        while let Some(first) = rest.first() {
            self.monitor.check()?;
            let end = first.start + TILE;
            let (tile, later) = rest.split_at(rest.partition_point(|piece| piece.start + piece.count <= end));
            K::enter(Sums { points, refs, pieces: by_length(tile), out: &mut sums, buffers: self.buffers });
            rest = later;
        }
        if parts.len() == pieces.len() {
            return Ok(sums);
        }
        let refs: Vec<u32> = (0..pieces.len() as u32).map(|i| 2 * i).collect();
        self.sums(&sums, &refs, &parts)
    }

    /// sum of d * (sum of the group of digit d).
    ///
    /// With d = 2^h high + low it is sum of low * (column sums) + 2^h sum of high * (row sums).
    pub fn weighted_sum(&mut self, points: &[P], sorted: &Sorted) -> Result<Projective<P::Curve>> {
        let (refs, counts) = sorted.groups();
        let sums = self.sums(points, refs, counts)?;
        let buckets = counts.len();
        if buckets <= FEW_BUCKETS {
            return Ok(running_sums(counts, &sums));
        }
        let digits = (1..).zip(counts).filter(|(_, count)| **count > 0).map(|(digit, _)| digit);
        let half_bits = (usize::BITS - buckets.leading_zeros()) / 2;
        let low: Vec<u16> = digits.clone().map(|digit: u32| (digit & ((1 << half_bits) - 1)) as u16).collect();
        let high: Vec<u16> = digits.map(|digit| (digit >> half_bits) as u16).collect();
        let columns = self.edge(&sums, (1 << half_bits) - 1, &low)?;
        let mut rows = self.edge(&sums, buckets >> half_bits, &high)?;
        for _ in 0..half_bits {
            rows.double_in_place();
        }
        Ok(columns + rows)
    }

    /// sum of digits[i] * points[i]
    fn edge(&mut self, points: &[P], buckets: usize, digits: &[u16]) -> Result<Projective<P::Curve>> {
        let which: Vec<u32> = (0..points.len() as u32).map(|i| 2 * i).collect();
        let mut sorted = Sorted::default();
        sorted.sort(buckets, 0, std::iter::once((&which[..], digits)));
        let (refs, counts) = sorted.groups();
        Ok(running_sums(counts, &self.sums(points, refs, counts)?))
    }
}

/// The shortest first, so that lanes side by side have about as much to do.
fn by_length(pieces: &[Piece]) -> Vec<Piece> {
    let mut lengths = [0; LONGEST as usize];
    pieces.iter().for_each(|piece| lengths[piece.count as usize - 1] += 1);
    let mut sorted = vec![Piece::default(); pieces.len()];
    scatter(&mut starts(&lengths), &mut sorted, pieces.iter(), |piece| (piece.count - 1, *piece));
    sorted
}

/// out[piece.out] = the sum of each piece.
struct Sums<'a, K: Kernel, P: Point> {
    points: &'a [P],
    refs: &'a [u32],
    pieces: Vec<Piece>,
    out: &'a mut [P],
    buffers: &'a mut Buffers<K, P>,
}

impl<K: Kernel, P: Point> Work<K> for Sums<'_, K, P> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let Buffers { packs, numbers, steps, copies, rows, scratch } = self.buffers;
        let lanes = lanes::<K>();
        packs.clear();
        numbers.clear();
        steps.clear();
        copies.clear();
        let mut base = 0;
        for pieces in self.pieces.chunks(lanes) {
            let pack = Pack::new(pieces, base);
            let count = pack.rows();
            for i in 0..count / 2 {
                steps.push(Step { from: numbers.len() as u32, to: base + i, lanes: pack.beyond(2 * i + 1) });
                numbers.push([pack.refs(self.refs, 2 * i), pack.refs(self.refs, 2 * i + 1)]);
            }
            if count % 2 == 1 {
                copies.push((numbers.len() as u32, base + count / 2));
                numbers.push([pack.refs(self.refs, count - 1); 2]);
            }
            base += count.div_ceil(2);
            packs.push(pack);
        }
        if rows.len() < base as usize {
            rows.resize(base as usize, Row::one());
        }
        let source = Gathered { left: self.points, right: self.points, numbers };
        add_rows(&source, steps, rows, scratch);
        copies.iter().for_each(|(from, to)| copy_row(&source, *from, *to, rows));
        loop {
            steps.clear();
            copies.clear();
            for pack in &mut *packs {
                pack.halve();
                let (count, base) = (pack.rows(), pack.base);
                for i in 0..count / 2 {
                    steps.push(Step { from: base + 2 * i, to: base + i, lanes: pack.beyond(2 * i + 1) });
                }
                if count % 2 == 1 && count > 1 {
                    copies.push((base + count - 1, base + count / 2));
                }
            }
            if steps.is_empty() {
                break;
            }
            add_rows(&Neighbours, steps, rows, scratch);
            copies.iter().for_each(|(from, to)| copy_row(&Neighbours, *from, *to, rows));
        }
        for (pack, pieces) in packs.iter().zip(self.pieces.chunks(lanes)) {
            rows[pack.base as usize].scatter(|lane, sum| {
                if let Some(piece) = pieces.get(lane) {
                    self.out[piece.out as usize] = sum;
                }
            });
        }
    }
}

/// sum of d * S_d over the d with counts[d - 1] > 0, whose S_d stand in `sums` in order.
fn running_sums<P: Point>(counts: &[u32], sums: &[P]) -> Projective<P::Curve> {
    let mut running = Projective::<P::Curve>::ZERO;
    let mut total = Projective::<P::Curve>::ZERO;
    let mut rest = sums.iter().rev();
    for count in counts.iter().rev() {
        if *count > 0 {
            if let Some(sum) = rest.next() {
                running += sum.to_affine();
            }
        }
        total += running;
    }
    total
}
