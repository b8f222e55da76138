//! One window of a multi-scalar multiplication: points sorted by digit, added up bucket by bucket in pairwise rounds,
//! buckets weighted.
//!
//! All additions of a round are independent, whatever the digits: a million equal scalars cost nothing extra.

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use super::add::{add_all, prefetch, Jobs, Scratch};
use super::arith::Kernel;
use super::point::{negate_if, Point};
use crate::error::Result;
use crate::parallel::Monitor;

/// Points that are summed together: their partial sums stay in the cache.
const TILE: usize = 1 << 14;
/// Up to this many buckets are weighted one by one.
const FEW_BUCKETS: usize = 16;

/// Up to this many buckets are sorted into at once.
const NEAR_BUCKETS: usize = 512;

/// Points of a window, grouped by |digit|.
pub struct Sorted {
    /// index * 2 + sign, the groups one after the other
    pub refs: Vec<u32>,
    /// Length of the group of digit d + 1.
    pub counts: Vec<u32>,
}

impl Sorted {
    /// Counting sort of which(i) by |digits[i]| <= buckets; zeros are dropped, signs of digits change the refs' signs.
    pub fn new(buckets: usize, digits: &[i32], which: impl Fn(usize) -> u32) -> Self {
        let mut counts = vec![0u32; buckets];
        for digit in digits.iter().filter(|digit| **digit != 0) {
            counts[digit.unsigned_abs() as usize - 1] += 1;
        }
        let starts = starts(&counts);
        let total = counts.iter().map(|count| *count as usize).sum();
        let entry =
            |(i, digit): (usize, &i32)| (digit.unsigned_abs().wrapping_sub(1), which(i) ^ u32::from(*digit < 0));
        let entries = digits.iter().enumerate().map(entry).filter(|(bucket, _)| *bucket != u32::MAX);
        let refs =
            if buckets <= NEAR_BUCKETS { scatter(starts, total, entries) } else { in_two(starts, total, entries) };
        Sorted { refs, counts }
    }
}

/// Entries (bucket, ref) put where their buckets start.
fn scatter(mut cursor: Vec<u32>, total: usize, entries: impl Iterator<Item = (u32, u32)>) -> Vec<u32> {
    let mut refs = vec![0; total];
    for (bucket, which) in entries {
        let slot = &mut cursor[bucket as usize];
        refs[*slot as usize] = which;
        *slot += 1;
    }
    refs
}

/// The same, first by blocks of buckets: writing to all buckets at once would miss the cache each time.
fn in_two(starts: Vec<u32>, total: usize, entries: impl Iterator<Item = (u32, u32)>) -> Vec<u32> {
    let shift = (usize::BITS - starts.len().leading_zeros()).div_ceil(2);
    let mut cursor: Vec<u32> = starts.iter().step_by(1 << shift).copied().collect();
    let mut blocks = vec![(0, 0); total];
    for (bucket, which) in entries {
        let slot = &mut cursor[(bucket >> shift) as usize];
        blocks[*slot as usize] = (bucket, which);
        *slot += 1;
    }
    scatter(starts, total, blocks.into_iter())
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

/// Buffers of the pairwise rounds.
pub struct Tree<'a, K: Kernel, P: Point> {
    monitor: &'a dyn Monitor,
    jobs: Jobs,
    /// What is only copied in a first round: (ref, out).
    odd: Vec<(u32, u32)>,
    lengths: Vec<u32>,
    work: Vec<P>,
    spare: Vec<P>,
    scratch: Scratch<K, P>,
}

impl<'a, K: Kernel, P: Point> Tree<'a, K, P> {
    pub fn new(monitor: &'a dyn Monitor) -> Self {
        Tree {
            monitor,
            jobs: Jobs::default(),
            odd: Vec::new(),
            lengths: Vec::new(),
            work: Vec::new(),
            spare: Vec::new(),
            scratch: Scratch::new(),
        }
    }

    /// The sum of each nonempty group of +-points[ref / 2], in order. Errors: cancelled.
    pub fn sums(&mut self, points: &[P], refs: &[u32], counts: &[u32]) -> Result<Vec<P>> {
        let mut out = Vec::with_capacity(counts.iter().filter(|count| **count > 0).count());
        let (mut group, mut start) = (0, 0);
        while group < counts.len() {
            self.monitor.check()?;
            self.lengths.clear();
            let mut end = start;
            while group < counts.len() && (end == start || end - start + counts[group] as usize <= TILE) {
                if counts[group] > 0 {
                    self.lengths.push(counts[group]);
                }
                end += counts[group] as usize;
                group += 1;
            }
            self.first_round(points, &refs[start..end]);
            while self.lengths.iter().any(|length| *length > 1) {
                self.next_round();
            }
            out.extend_from_slice(&self.work[..self.lengths.len()]);
            start = end;
        }
        Ok(out)
    }

    /// Adds pairs of the given points; an odd one out is copied.
    fn first_round(&mut self, points: &[P], refs: &[u32]) {
        self.jobs.clear();
        self.odd.clear();
        grow(&mut self.work, refs.len());
        let mut out = 0;
        let mut start = 0;
        for length in &mut self.lengths {
            let group = &refs[start..start + *length as usize];
            start += group.len();
            let (pairs, odd) = group.as_chunks::<2>();
            for [a, b] in pairs {
                self.jobs.push(*a, *b, out);
                out += 1;
            }
            if let [last] = odd {
                prefetch(&points[(last >> 1) as usize]);
                self.odd.push((*last, out));
                out += 1;
            }
            *length = length.div_ceil(2);
        }
        for (last, out) in &self.odd {
            self.work[*out as usize] = negate_if::<K, P>(last & 1 == 1, &points[(last >> 1) as usize]);
        }
        add_all::<K, P>(points, points, &mut self.jobs, &mut self.work, &mut self.scratch);
    }

    /// Adds neighbours in each group of the work array.
    fn next_round(&mut self) {
        self.jobs.clear();
        grow(&mut self.spare, self.work.len());
        let (mut out, mut from) = (0, 0);
        for length in &mut self.lengths {
            for _ in 0..*length / 2 {
                self.jobs.push(2 * from, 2 * (from + 1), out);
                (from, out) = (from + 2, out + 1);
            }
            if *length % 2 == 1 {
                self.spare[out as usize] = self.work[from as usize];
                (from, out) = (from + 1, out + 1);
            }
            *length = length.div_ceil(2);
        }
        add_all::<K, P>(&self.work, &self.work, &mut self.jobs, &mut self.spare, &mut self.scratch);
        std::mem::swap(&mut self.work, &mut self.spare);
    }

    /// sum of d * (sum of the group of digit d).
    ///
    /// With d = 2^h high + low it is sum of low * (column sums) + 2^h sum of high * (row sums).
    pub fn weighted_sum(&mut self, points: &[P], sorted: &Sorted) -> Result<Projective<P::Curve>> {
        let sums = self.sums(points, &sorted.refs, &sorted.counts)?;
        let digits: Vec<u32> = (1..).zip(&sorted.counts).filter(|(_, count)| **count > 0).map(|(d, _)| d).collect();
        let buckets = sorted.counts.len();
        if buckets <= FEW_BUCKETS {
            let mut held = vec![0; buckets + 1];
            digits.iter().for_each(|d| held[*d as usize] = 1);
            return Ok(running_sums(&held, &sums));
        }
        let half_bits = (usize::BITS - buckets.leading_zeros()) / 2;
        let low: Vec<i32> = digits.iter().map(|d| (d & ((1 << half_bits) - 1)) as i32).collect();
        let high: Vec<i32> = digits.iter().map(|d| (d >> half_bits) as i32).collect();
        let column = Sorted::new((1 << half_bits) - 1, &low, |i| 2 * i as u32);
        let row = Sorted::new(buckets >> half_bits, &high, |i| 2 * i as u32);
        let columns = self.edge(&sums, &column)?;
        let mut rows = self.edge(&sums, &row)?;
        for _ in 0..half_bits {
            rows.double_in_place();
        }
        Ok(columns + rows)
    }

    fn edge(&mut self, points: &[P], sorted: &Sorted) -> Result<Projective<P::Curve>> {
        let sums = self.sums(points, &sorted.refs, &sorted.counts)?;
        let mut held = vec![0];
        held.extend_from_slice(&sorted.counts);
        Ok(running_sums(&held, &sums))
    }
}

fn grow<P: Point>(buffer: &mut Vec<P>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, P::INFINITY);
    }
}

/// sum of d * S_d over the d with held[d] > 0, whose S_d stand in `sums` in order.
fn running_sums<P: Point>(held: &[u32], sums: &[P]) -> Projective<P::Curve> {
    let mut running = Projective::<P::Curve>::ZERO;
    let mut total = Projective::<P::Curve>::ZERO;
    let mut rest = sums.iter().rev();
    for count in held[1..].iter().rev() {
        if *count > 0 {
            if let Some(sum) = rest.next() {
                running += sum.to_affine();
            }
        }
        total += running;
    }
    total
}
