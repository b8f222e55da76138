//! Multi-scalar multiplication: sum of s_i P_i over points as they lie in a key file.
//!
//! Pippenger's buckets with signed windows. Bucket contents are added pairwise, round after round, so that all additions
//! of a round are independent and share one inversion; equal scalars, equal points and opposite points cost nothing
//! extra. Scalars are folded to signed magnitudes and split by size: zeros vanish, and what fits 64 bits (most values of
//! a machine-learning witness) meets only the windows it has.

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInteger, PrimeField};
use rayon::prelude::*;

use crate::curve::{BatchAdder, Curve};
use crate::error::{expect_len, Result};
use crate::field::{Fr, Limbs};
use crate::parallel::Monitor;

/// Scalars sorted into buckets at a time; the points of one chunk stay in the cache.
const CHUNK: usize = 1 << 13;
/// Cost of emptying a bucket, in batched additions.
const BUCKET_COST: usize = 5;
/// Bits of a magnitude |s| <= (r - 1) / 2.
const FULL_BITS: usize = 253;
const SMALL_BITS: usize = 64;

/// Scalars of one size class: which point, whether negated, and the magnitude plus the window offset.
struct Class<const N: usize> {
    /// index * 2 + (1 when the scalar is negative)
    which: Vec<u32>,
    shifted: Vec<[u64; N]>,
    windows: Windows,
}

#[derive(Clone, Copy)]
struct Windows {
    width: usize,
    count: usize,
}

impl Windows {
    /// The width with the least additions for `n` magnitudes of `bits` bits.
    fn choose(n: usize, bits: usize) -> Self {
        let of = |width: usize| Windows { width, count: (bits + 1).div_ceil(width) };
        let cost = |w: &Windows| w.count * (n + (BUCKET_COST << (w.width - 1)));
        (2..=16).map(of).min_by_key(cost).unwrap_or(of(8))
    }

    fn half(&self) -> usize {
        1 << (self.width - 1)
    }

    /// Adding this number makes every window but the top one unsigned: digit = window - half.
    fn offset<const N: usize>(&self) -> [u64; N] {
        let mut limbs = [0; N];
        for w in 0..self.count - 1 {
            let bit = w * self.width + self.width - 1;
            limbs[bit / 64] |= 1 << (bit % 64);
        }
        limbs
    }

    /// Digit of window `w`, in [-half, half].
    #[inline(always)]
    fn digit<const N: usize>(&self, shifted: &[u64; N], w: usize) -> i32 {
        let start = w * self.width;
        let (limb, shift) = (start / 64, start % 64);
        let mut raw = shifted[limb] >> shift;
        if shift + self.width > 64 && limb + 1 < N {
            raw |= shifted[limb + 1] << (64 - shift);
        }
        if w + 1 == self.count {
            return raw as i32;
        }
        (raw & (2 * self.half() as u64 - 1)) as i32 - self.half() as i32
    }
}

#[inline(always)]
fn add_limbs<const N: usize>(a: &mut [u64; N], b: &[u64; N]) {
    let mut carry = false;
    for (x, y) in a.iter_mut().zip(b) {
        let (sum, first) = x.overflowing_add(*y);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        (*x, carry) = (sum, first | second);
    }
}

impl<const N: usize> Class<N> {
    fn new(which: Vec<u32>, mut magnitudes: Vec<[u64; N]>, bits: usize) -> Self {
        let windows = Windows::choose(which.len(), bits);
        let offset = windows.offset::<N>();
        magnitudes.par_iter_mut().for_each(|m| add_limbs(m, &offset));
        Class { which, shifted: magnitudes, windows }
    }

    /// Tasks (window, range of entries) for this class, in the order of windows.
    fn tasks(&self, threads: usize) -> Vec<(usize, std::ops::Range<usize>)> {
        let n = self.which.len();
        if n == 0 {
            return Vec::new();
        }
        let wanted = (4 * threads).div_ceil(self.windows.count);
        let step = n.div_ceil(wanted).max((2 * CHUNK).max(8 * self.windows.half()));
        let ranges = (0..n).step_by(step).map(|start| start..(start + step).min(n));
        let ranges: Vec<_> = ranges.collect();
        (0..self.windows.count).flat_map(|w| ranges.iter().map(move |r| (w, r.clone()))).collect()
    }

    fn sum<C: Curve>(&self, points: &[C::Stored], monitor: &dyn Monitor) -> Result<Projective<C>> {
        let tasks = self.tasks(rayon::current_num_threads());
        let one = |(w, range): &(usize, std::ops::Range<usize>)| -> Result<(usize, Projective<C>)> {
            let mut buckets = Buckets::<C>::new(self.windows.half());
            for start in range.clone().step_by(CHUNK) {
                monitor.check()?;
                let chunk = start..(start + CHUNK).min(range.end);
                let digits = self.shifted[chunk.clone()].iter().map(|s| self.windows.digit(s, *w));
                buckets.add_chunk(points, &self.which[chunk], digits);
            }
            Ok((*w, buckets.weighted_sum()))
        };
        let parts: Vec<_> = tasks.par_iter().map(one).collect::<Result<_>>()?;
        let mut sums = vec![Projective::<C>::ZERO; self.windows.count];
        for (w, part) in parts {
            sums[w] += part;
        }
        Ok(sums.iter().rev().fold(Projective::ZERO, |mut total, sum| {
            for _ in 0..self.windows.width {
                total.double_in_place();
            }
            total + sum
        }))
    }
}

/// Buckets of one window: `sums[d - 1]` collects the points with digit d.
struct Buckets<C: Curve> {
    sums: Vec<Affine<C>>,
    adder: BatchAdder<C>,
    digits: Vec<i32>,
    cursor: Vec<u32>,
    segments: Vec<Segment>,
    work: Vec<Affine<C>>,
    spare: Vec<Affine<C>>,
    pairs: Vec<(u32, u32)>,
}

/// Points start .. start + len of the work array belong to one bucket.
#[derive(Clone, Copy)]
struct Segment {
    bucket: u32,
    start: u32,
    len: u32,
}

impl<C: Curve> Buckets<C> {
    fn new(half: usize) -> Self {
        Buckets {
            sums: vec![Affine::zero(); half],
            adder: BatchAdder::default(),
            digits: Vec::with_capacity(CHUNK),
            cursor: vec![0; half],
            segments: Vec::new(),
            work: Vec::new(),
            spare: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Adds +-points[which / 2], at most `CHUNK` of them, to the buckets of their digits.
    fn add_chunk(&mut self, points: &[C::Stored], which: &[u32], digits: impl Iterator<Item = i32>) {
        self.digits.clear();
        self.digits.extend(digits);
        if self.lay_out() {
            self.scatter(points, which);
            while self.segments.iter().any(|s| s.len > 1) {
                self.halve();
            }
            for s in &self.segments {
                self.sums[s.bucket as usize] = self.work[s.start as usize];
            }
        }
    }

    /// Counts digits and gives each bucket in use a segment, its present sum first. False when all digits are zero.
    fn lay_out(&mut self) -> bool {
        self.cursor.fill(0);
        for d in &self.digits {
            if *d != 0 {
                self.cursor[d.unsigned_abs() as usize - 1] += 1;
            }
        }
        self.segments.clear();
        self.work.clear();
        let mut start = 0;
        for (bucket, slot) in self.cursor.iter_mut().enumerate().filter(|(_, n)| **n > 0) {
            let held = u32::from(!self.sums[bucket].is_zero());
            let len = *slot + held;
            self.work.resize((start + len) as usize, Affine::zero());
            if held == 1 {
                self.work[start as usize] = self.sums[bucket];
            }
            *slot = start + held;
            self.segments.push(Segment { bucket: bucket as u32, start, len });
            start += len;
        }
        start > 0
    }

    fn scatter(&mut self, points: &[C::Stored], which: &[u32]) {
        for (d, packed) in self.digits.iter().zip(which) {
            if *d == 0 {
                continue;
            }
            let mut point = C::load(&points[(packed >> 1) as usize]);
            if (*d < 0) != (packed & 1 == 1) {
                point.y = -point.y;
            }
            let slot = &mut self.cursor[d.unsigned_abs() as usize - 1];
            self.work[*slot as usize] = point;
            *slot += 1;
        }
    }

    /// One round: every segment of m points becomes one of ceil(m / 2).
    fn halve(&mut self) {
        self.pairs.clear();
        self.spare.clear();
        let mut end = 0;
        for s in &mut self.segments {
            let (pairs, odd) = (s.len / 2, s.len % 2);
            self.pairs.extend((0..pairs).map(|i| (s.start + 2 * i, end + i)));
            self.spare.resize((end + pairs) as usize, Affine::zero());
            if odd == 1 {
                self.spare.push(self.work[(s.start + s.len - 1) as usize]);
            }
            (s.start, s.len) = (end, pairs + odd);
            end += pairs + odd;
        }
        let (work, pairs) = (&self.work, &self.pairs);
        self.adder.add(
            pairs.len(),
            &mut self.spare,
            |_, i| (work[pairs[i].0 as usize], work[pairs[i].0 as usize + 1]),
            |out, i, sum| out[pairs[i].1 as usize] = sum,
        );
        std::mem::swap(&mut self.work, &mut self.spare);
    }

    /// sum of d * sums[d - 1], by running sums from the top.
    fn weighted_sum(&self) -> Projective<C> {
        let mut running = Projective::<C>::ZERO;
        let mut total = Projective::<C>::ZERO;
        for sum in self.sums.iter().rev() {
            running += sum;
            total += running;
        }
        total
    }
}

/// Magnitude and sign with |s| <= (r - 1) / 2.
#[inline(always)]
fn fold(scalar: &Fr) -> (Limbs, bool) {
    let value = scalar.into_bigint();
    if value > Fr::MODULUS_MINUS_ONE_DIV_TWO {
        let mut magnitude = Fr::MODULUS;
        magnitude.sub_with_borrow(&value);
        (magnitude.0, true)
    } else {
        (value.0, false)
    }
}

type Split = (Class<2>, Class<4>);

fn split(scalars: &[Fr]) -> Split {
    let folded: Vec<_> = scalars.par_iter().map(fold).collect();
    let (mut small, mut full) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (i, (m, negative)) in folded.iter().enumerate() {
        let which = (i as u32) << 1 | u32::from(*negative);
        match m {
            [0, 0, 0, 0] => {}
            [low, 0, 0, 0] => {
                small.0.push(which);
                small.1.push([*low, 0]);
            }
            _ => {
                full.0.push(which);
                full.1.push(*m);
            }
        }
    }
    (Class::new(small.0, small.1, SMALL_BITS), Class::new(full.0, full.1, FULL_BITS))
}

/// sum scalars[i] * points[i]. Points must not be infinity. Errors: lengths differ, cancelled.
pub fn msm<C: Curve>(points: &[C::Stored], scalars: &[Fr], monitor: &dyn Monitor) -> Result<Projective<C>> {
    expect_len("msm: scalars", scalars.len(), points.len())?;
    expect_len("msm: points past 2^31", points.len() >> 31, 0)?;
    let (small, full) = split(scalars);
    let (a, b) = rayon::join(|| small.sum::<C>(points, monitor), || full.sum::<C>(points, monitor));
    Ok(a? + b?)
}
