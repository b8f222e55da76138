//! One window of a multi-scalar multiplication: the sum of d * (sum of the points with digit d).
//!
//! The buckets of Pippenger, "On the evaluation of powers and related problems", FOCS 1976, in the form of Bernstein,
//! Doumen, Lange and Oosterwijk, "Faster batch forgery identification", eprint 2012/549, section 4: points with the
//! same digit are added up first, then buckets are weighted by running sums.
//!
//! Points of a bucket are added in rounds of pairs, a binary tree, because the additions of a round are independent of
//! each other and can share inversions (`curve::add`), whatever the digits: a million equal scalars cost nothing extra.

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use super::sort::{scatter, starts, Sorted};
use crate::error::Result;
use crate::kernel::curve::add::{add_rows, copy_row, lanes, Gathered, Neighbours, Numbers, Row, Scratch, Step};
use crate::kernel::curve::point::Point;
use crate::kernel::field::arith::{Kernel, Work};
use crate::monitor::Monitor;

/// Points that are summed together, few enough for their partial sums to stay in the cache.
const TILE: u32 = 1 << 14;
/// The most points of a piece.
const MAX_PIECE: u32 = 256;
/// Up to this many buckets are weighted one after the other.
const FEW_BUCKETS: usize = 16;

/// A part of a group: the sum of refs[start ..][.. count] goes to place `out`.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: u32,
    count: u32,
    out: u32,
}

/// Pieces side by side, one per lane, whose sums are computed in rows from `base` on.
struct Pack<K: Kernel> {
    pieces: K::PerLane<Piece>,
    base: u32,
}

impl<K: Kernel> Pack<K> {
    /// Lanes without a piece repeat the first piece with a count of 0.
    fn new(pieces: &[Piece], base: u32) -> Self {
        let piece = |lane| pieces.get(lane).copied().unwrap_or(Piece { count: 0, ..pieces[0] });
        Pack { pieces: K::per_lane(piece), base }
    }

    fn rows(&self) -> u32 {
        self.pieces.as_ref().iter().map(|piece| piece.count).max().unwrap_or(0)
    }

    /// The lanes that have more than `count` summands.
    #[inline(always)]
    fn beyond(&self, count: u32) -> u8 {
        let mut lanes = 0;
        for (lane, piece) in self.pieces.as_ref().iter().enumerate() {
            lanes |= u8::from(piece.count > count) << lane;
        }
        lanes
    }

    /// The ref of summand i in each lane; the last one in lanes that have fewer.
    #[inline(always)]
    fn refs(&self, refs: &[u32], i: u32) -> Numbers<K> {
        K::per_lane(|lane| {
            let piece = self.pieces.as_ref()[lane];
            refs[(piece.start + i.min(piece.count.saturating_sub(1))) as usize]
        })
    }

    /// The counts after a round of pairs.
    fn halve(&mut self) {
        self.pieces.as_mut().iter_mut().for_each(|piece| piece.count = piece.count.div_ceil(2));
    }
}

/// The buffers of the rounds of pairs, used again for the next tile.
pub struct Buffers<K: Kernel, P: Point> {
    packs: Vec<Pack<K>>,
    /// The summands of the first round.
    numbers: Vec<[Numbers<K>; 2]>,
    steps: Vec<Step>,
    /// Rows without a second summand, as (from, to).
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

/// Sums of groups of points.
pub struct Tree<'a, K: Kernel, P: Point> {
    pub monitor: &'a dyn Monitor,
    pub buffers: &'a mut Buffers<K, P>,
}

impl<K: Kernel, P: Point> Tree<'_, K, P> {
    /// The sum of each group of +-points[ref / 2] that is not empty, in order. Errors: cancelled.
    pub fn sums(&mut self, points: &[P], refs: &[u32], counts: &[u32]) -> Result<Vec<P>> {
        let mut pieces = Vec::with_capacity(counts.len());
        let mut parts = Vec::with_capacity(counts.len());
        let mut start = 0;
        for count in counts.iter().filter(|count| **count > 0) {
            let n = count.div_ceil(MAX_PIECE);
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

    /// The sum of d * (sum of the group of digit d).
    ///
    /// With the buckets in a square, d = 2^h high + low, this is the sum of low * (sum of a column) plus 2^h times the
    /// sum of high * (sum of a row). So the long sums are again independent additions, and the running sums, in which
    /// each addition needs the last, go over the edges of the square only.
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

    /// The sum of digits[i] * points[i].
    fn edge(&mut self, points: &[P], buckets: usize, digits: &[u16]) -> Result<Projective<P::Curve>> {
        let which: Vec<u32> = (0..points.len() as u32).map(|i| 2 * i).collect();
        let mut sorted = Sorted::default();
        sorted.sort(buckets, 0, std::iter::once((&which[..], digits)));
        let (refs, counts) = sorted.groups();
        Ok(running_sums(counts, &self.sums(points, refs, counts)?))
    }
}

/// The pieces, the shortest first, so that those side by side in a pack have about the same length.
fn by_length(pieces: &[Piece]) -> Vec<Piece> {
    let mut lengths = [0; MAX_PIECE as usize];
    pieces.iter().for_each(|piece| lengths[piece.count as usize - 1] += 1);
    let mut sorted = vec![Piece::default(); pieces.len()];
    scatter(&mut starts(&lengths), &mut sorted, pieces.iter(), |piece| (piece.count - 1, *piece));
    sorted
}

/// Computes out[piece.out] = the sum of each piece.
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
        self.buffers.first_round(self.points, self.refs, &self.pieces);
        while self.buffers.next_round() {}
        self.buffers.write(&self.pieces, self.out);
    }
}

impl<K: Kernel, P: Point> Buffers<K, P> {
    /// Packs the pieces, and adds their points in pairs to rows.
    #[inline(always)]
    fn first_round(&mut self, points: &[P], refs: &[u32], pieces: &[Piece]) {
        let Buffers { packs, numbers, steps, copies, rows, scratch } = self;
        packs.clear();
        numbers.clear();
        steps.clear();
        copies.clear();
        let mut base = 0;
        for pieces in pieces.chunks(lanes::<K>()) {
            let pack = Pack::new(pieces, base);
            let count = pack.rows();
            for i in 0..count / 2 {
                steps.push(Step { from: numbers.len() as u32, to: base + i, lanes: pack.beyond(2 * i + 1) });
                numbers.push([pack.refs(refs, 2 * i), pack.refs(refs, 2 * i + 1)]);
            }
            if count % 2 == 1 {
                copies.push((numbers.len() as u32, base + count / 2));
                numbers.push([pack.refs(refs, count - 1); 2]);
            }
            base += count.div_ceil(2);
            packs.push(pack);
        }
        if rows.len() < base as usize {
            rows.resize(base as usize, Row::one());
        }
        let source = Gathered { left: points, right: points, numbers };
        add_rows(&source, steps, rows, scratch);
        copies.iter().for_each(|(from, to)| copy_row(&source, *from, *to, rows));
    }

    /// Adds the rows of each pack in pairs; false when each had one row only, so that nothing was left to add.
    #[inline(always)]
    fn next_round(&mut self) -> bool {
        let Buffers { packs, steps, copies, rows, scratch, .. } = self;
        steps.clear();
        copies.clear();
        for pack in packs {
            pack.halve();
            let (count, base) = (pack.rows(), pack.base);
            for i in 0..count / 2 {
                steps.push(Step { from: base + 2 * i, to: base + i, lanes: pack.beyond(2 * i + 1) });
            }
            if count % 2 == 1 && count > 1 {
                copies.push((base + count - 1, base + count / 2));
            }
        }
        add_rows(&Neighbours, steps, rows, scratch);
        copies.iter().for_each(|(from, to)| copy_row(&Neighbours, *from, *to, rows));
        !steps.is_empty()
    }

    /// Takes the sums out of the first row of each pack.
    #[inline(always)]
    fn write(&self, pieces: &[Piece], out: &mut [P]) {
        for (pack, pieces) in self.packs.iter().zip(pieces.chunks(lanes::<K>())) {
            self.rows[pack.base as usize].scatter(|lane, sum| {
                if let Some(piece) = pieces.get(lane) {
                    out[piece.out as usize] = sum;
                }
            });
        }
    }
}

/// The sum of d * S_d over the d with counts[d - 1] > 0, whose S_d stand in `sums` in order: adding every running sum
/// of the S_d from the last one down counts each S_d d times.
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
