//! Many independent additions of affine points, which share inversions: six multiplications each.
//!
//! lambda = (y2 - y1) / (x2 - x1);  x3 = lambda^2 - x1 - x2;  y3 = lambda (x1 - x3) - y1.
//!
//! The chord is section 13.2.1 of H. Cohen and G. Frey, Handbook of Elliptic and Hyperelliptic Curve Cryptography. The
//! slopes of a batch are divided at once by Montgomery's trick (P. L. Montgomery, "Speeding the Pollard and elliptic
//! curve methods of factorization", Math. Comp. 48, 1987): one pass multiplies the differences x2 - x1, one inversion
//! is made, and a second pass from the last to the first takes single inverses out of it.
//!
//! The fast path knows only the chord. A batch in which some x1 = x2, or some x = 0 as infinity has it, is left to the
//! careful path, which handles tangents (P + P), P - P and infinity.
//!
//! Sums are kept in *rows*: one point per lane, in the kernel's own form, so that sums of sums need no packing of
//! lanes.

#[cfg(target_arch = "aarch64")]
use std::arch::asm;
use std::ops::Range;

use super::coordinate::{invert, Coordinate};
use super::point::{is_infinity, Point};
use crate::kernel::field::arith::{Arith, Kernel, Work};
use crate::kernel::field::modulus::Base;

/// Points of a row in vector kernels; in scalar kernels a row is one point.
pub const LANES: usize = 8;
/// Additions that share an inversion, which costs as much as some 150 multiplications. What is kept of them between the
/// two passes should stay in an L2 cache: 400 KB in G1, 800 KB in G2.
pub(in crate::kernel) const BATCH: usize = 256 * LANES;
/// Running products at the same time, in which steps take turns: the latency of a multiplication is several times its
/// throughput, and in one product each would wait for the one before.
pub(super) const CHAINS: usize = 4;
/// Steps that are finished together, to hide the latency of multiplications: one step is a single dependency chain, two
/// are two that are independent. A single lane takes more of them than eight; but code that fills the cache of
/// instructions costs more than it hides, and a step in G2 is three chains by itself.
const fn interleaved<K: Kernel, P: Point>() -> usize {
    match (lanes::<K>(), <P::Field as Coordinate>::DEGREE) {
        (1, 1) => 4,
        (1, _) => 1,
        _ => 2,
    }
}
/// How many steps before they are needed points are fetched into the cache.
const AHEAD: usize = 16;

pub type Value<K, P> = <<P as Point>::Field as Coordinate>::Value<K>;

/// The number of lanes in a row of this kernel.
pub const fn lanes<K: Kernel>() -> usize {
    <K as Arith<Base>>::LANES
}

/// One point per lane. Coordinates are tight, or y is raw where a function says so.
pub struct Row<K: Kernel, P: Point> {
    pub(in crate::kernel) x: Value<K, P>,
    pub(in crate::kernel) y: Value<K, P>,
}

impl<K: Kernel, P: Point> Clone for Row<K, P> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kernel, P: Point> Copy for Row<K, P> {}

impl<K: Kernel, P: Point> Row<K, P> {
    #[inline(always)]
    pub fn one() -> Self {
        let one = P::Field::one::<K>();
        Row { x: one, y: one }
    }

    /// Loads the points of some numbers; y is raw.
    #[inline(always)]
    pub(in crate::kernel) fn gather(points: &[P], numbers: &Numbers<K>) -> Self {
        let numbers = numbers.as_ref();
        let at = |i: usize| &points[(numbers[i] / 2) as usize];
        let y = P::Field::gather::<K>(|i| at(i).y());
        Row { x: P::Field::gather::<K>(|i| at(i).x()), y: P::Field::negate_odd::<K>(numbers, &y) }
    }

    /// Hands the point of lane i to `put(i, ..)`.
    #[inline(always)]
    pub fn scatter(&self, mut put: impl FnMut(usize, P)) {
        let mut x = K::per_lane(|_| P::Field::ZERO);
        P::Field::scatter::<K>(&self.x, |lane, value| x.as_mut()[lane] = value);
        P::Field::scatter::<K>(&self.y, |lane, y| put(lane, P::new(x.as_ref()[lane], y)));
    }

    /// The same row with a tight y.
    #[inline(always)]
    pub(in crate::kernel) fn settled(&self) -> Self {
        Row { x: self.x, y: P::Field::settle_raw::<K>(&self.y) }
    }
}

/// One number per lane, which names a point: place * 2 + (1 when it is negated).
pub type Numbers<K> = <K as Kernel>::PerLane<u32>;

/// Row `to` becomes the sum of the two summands of number `from`; in lanes whose bit is not set, the first one alone.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub from: u32,
    pub to: u32,
    pub lanes: u8,
}

/// The bits of all lanes.
pub(in crate::kernel) const fn all<K: Kernel>() -> u8 {
    u8::MAX >> (LANES - lanes::<K>())
}

/// Where the two summands of a step come from. Their y is raw.
pub trait Source<K: Kernel, P: Point> {
    fn first(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P>;
    fn second(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P>;
    /// Asks for the summands in some lanes to be fetched into a cache.
    fn fetch<const CACHE: i32>(&self, from: u32, lanes: Range<usize>);
}

/// Summands named by numbers a, b: left[a / 2] and right[b / 2], each negated when its number is odd.
pub struct Gathered<'a, K: Kernel, P> {
    pub left: &'a [P],
    pub right: &'a [P],
    pub numbers: &'a [[Numbers<K>; 2]],
}

impl<K: Kernel, P: Point> Source<K, P> for Gathered<'_, K, P> {
    #[inline(always)]
    fn first(&self, _rows: &[Row<K, P>], from: u32) -> Row<K, P> {
        Row::gather(self.left, &self.numbers[from as usize][0])
    }

    #[inline(always)]
    fn second(&self, _rows: &[Row<K, P>], from: u32) -> Row<K, P> {
        Row::gather(self.right, &self.numbers[from as usize][1])
    }

    #[inline(always)]
    fn fetch<const CACHE: i32>(&self, from: u32, lanes: Range<usize>) {
        let [a, b] = &self.numbers[from as usize];
        for lane in lanes {
            prefetch::<CACHE, P>(&self.left[(a.as_ref()[lane] / 2) as usize]);
            prefetch::<CACHE, P>(&self.right[(b.as_ref()[lane] / 2) as usize]);
        }
    }
}

/// Summands that are rows: `from` and `from` + 1.
pub struct Neighbours;

impl<K: Kernel, P: Point> Source<K, P> for Neighbours {
    #[inline(always)]
    fn first(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P> {
        rows[from as usize]
    }

    #[inline(always)]
    fn second(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P> {
        rows[from as usize + 1]
    }

    #[inline(always)]
    fn fetch<const CACHE: i32>(&self, _from: u32, _lanes: Range<usize>) {}
}

/// What is kept of a step between the two passes, so that its points are read once.
///
/// Everything is computed in the place where it stays: limbs that were just stored one by one, and are then copied in
/// vectors, wait for the stores to reach the cache.
#[derive(Clone, Copy)]
struct Kept<V> {
    /// The product of the differences before this one in its chain.
    before: V,
    /// x2 - x1
    difference: V,
    /// y2 - y1
    rise: V,
    x1: V,
    /// y1, raw.
    y1: V,
}

pub struct Scratch<K: Kernel, P: Point>(Vec<Kept<Value<K, P>>>);

impl<K: Kernel, P: Point> Default for Scratch<K, P> {
    fn default() -> Self {
        let one = P::Field::one::<K>();
        Scratch(vec![Kept { before: one, difference: one, rise: one, x1: one, y1: one }; BATCH / lanes::<K>() + CHAINS])
    }
}

/// Carries out all steps, which are in order of `to`.
///
/// A batch is read before it is written. So with `Neighbours` the `to` of a step must be at most its `from`, and less
/// than the `from` of every later step.
#[inline(always)]
pub fn add_rows<K: Kernel, P: Point, S: Source<K, P>>(
    source: &S,
    steps: &[Step],
    rows: &mut [Row<K, P>],
    scratch: &mut Scratch<K, P>,
) {
    let mut batches = steps.chunks(BATCH / lanes::<K>()).peekable();
    let mut fetch = true;
    while let Some(steps) = batches.next() {
        let next = batches.peek().copied().unwrap_or_default();
        let inverses = differences(source, steps, rows, scratch, fetch);
        fetch = inverses.is_none();
        match inverses {
            Some(inverses) => Chords { source, steps, next, scratch }.run(rows, inverses),
            None => careful_rows(source, steps, rows),
        }
    }
}

/// Row `to` becomes the first summand of number `from`.
#[inline(always)]
pub fn copy_row<K: Kernel, P: Point, S: Source<K, P>>(source: &S, from: u32, to: u32, rows: &mut [Row<K, P>]) {
    rows[to as usize] = source.first(rows, from).settled();
}

/// The first pass: fills the scratch, and returns the inverse of each chain's product of differences, or None when a
/// difference or an x is zero. With `fetch` points are asked for ahead of time, because no pass before has done so.
#[inline(always)]
fn differences<K: Kernel, P: Point, S: Source<K, P>>(
    source: &S,
    steps: &[Step],
    rows: &[Row<K, P>],
    scratch: &mut Scratch<K, P>,
    fetch: bool,
) -> Option<[Value<K, P>; CHAINS]> {
    let one = P::Field::one::<K>();
    let scratch = &mut scratch.0[..steps.len() + CHAINS];
    scratch[..CHAINS].iter_mut().for_each(|kept| kept.before = one);
    let mut zero = false;
    for (i, step) in steps.iter().enumerate() {
        if let Some(later) = fetch.then(|| steps.get(i + AHEAD)).flatten() {
            source.fetch::<L1>(later.from, 0..lanes::<K>());
        }
        let (p, q) = (source.first(rows, step.from), source.second(rows, step.from));
        zero |= P::Field::any_zero::<K>(&p.x) | P::Field::any_zero::<K>(&q.x);
        let [kept, .., later] = &mut scratch[i..=i + CHAINS] else { return None };
        (kept.x1, kept.y1) = (p.x, p.y);
        kept.difference = P::Field::sub::<K>(&q.x, &p.x);
        if step.lanes != all::<K>() {
            kept.difference = P::Field::select::<K>(step.lanes, &kept.difference, &one);
        }
        kept.rise = P::Field::sub::<K>(&q.y, &p.y);
        later.before = P::Field::mul::<K>(&kept.before, &kept.difference);
    }
    if zero {
        return None;
    }
    let mut products = [one; CHAINS];
    (steps.len()..steps.len() + CHAINS).for_each(|i| products[i % CHAINS] = scratch[i].before);
    invert_chains::<K, P>(&products)
}

/// The second pass over a batch.
struct Chords<'a, K: Kernel, P: Point, S> {
    source: &'a S,
    steps: &'a [Step],
    /// The steps of the next batch. Memory is idle in this pass, so their points are fetched.
    next: &'a [Step],
    scratch: &'a Scratch<K, P>,
}

impl<K: Kernel, P: Point, S: Source<K, P>> Chords<'_, K, P, S> {
    /// Computes the sums from the last step to the first, as the single inverses come out of those of the products.
    #[inline(always)]
    fn run(&self, rows: &mut [Row<K, P>], mut inverses: [Value<K, P>; CHAINS]) {
        match const { interleaved::<K, P>() } {
            1 => self.run_by::<1>(rows, &mut inverses),
            2 => self.run_by::<2>(rows, &mut inverses),
            _ => self.run_by::<4>(rows, &mut inverses),
        }
    }

    #[inline(always)]
    fn run_by<const N: usize>(&self, rows: &mut [Row<K, P>], inverses: &mut [Value<K, P>; CHAINS]) {
        let mut left = self.steps.len();
        while !left.is_multiple_of(N) {
            left -= 1;
            self.finish::<1>(left, rows, inverses);
        }
        while left > 0 {
            left -= N;
            self.finish::<N>(left, rows, inverses);
        }
    }

    /// Writes the sums of N steps, which are of different chains, to their rows.
    #[inline(always)]
    fn finish<const N: usize>(&self, first: usize, rows: &mut [Row<K, P>], inverses: &mut [Value<K, P>; CHAINS]) {
        let kept: &[_; N] = &self.scratch.0[first..first + N].as_chunks().0[0];
        let inverses: &mut [_; N] = &mut inverses[first % CHAINS..].as_chunks_mut().0[0];
        let slopes = self.slopes(first, kept, inverses);
        self.sums(first, kept, &slopes, rows);
        for (kept, Step { to, lanes, .. }) in kept.iter().zip(&self.steps[first..]) {
            if *lanes != all::<K>() {
                let alone = Row::<K, P> { x: kept.x1, y: kept.y1 }.settled();
                let (select, sum) = (P::Field::select::<K>, &mut rows[*to as usize]);
                *sum = Row { x: select(*lanes, &sum.x, &alone.x), y: select(*lanes, &sum.y, &alone.y) };
            }
        }
    }

    /// lambda = (y2 - y1) / (x2 - x1) of each step. An inverse, of the product up to its step, becomes that of the
    /// product before it.
    #[inline(always)]
    fn slopes<const N: usize>(
        &self,
        first: usize,
        kept: &[Kept<Value<K, P>>; N],
        inverses: &mut [Value<K, P>; N],
    ) -> [Value<K, P>; N] {
        let mut slopes = [P::Field::one::<K>(); N];
        for i in 0..N {
            self.fetch_quarter(first + i, 0);
            slopes[i] = P::Field::mul::<K>(&inverses[i], &kept[i].before);
        }
        for i in 0..N {
            self.fetch_quarter(first + i, 1);
            inverses[i] = P::Field::mul::<K>(&inverses[i], &kept[i].difference);
        }
        for i in 0..N {
            self.fetch_quarter(first + i, 2);
            slopes[i] = P::Field::mul::<K>(&slopes[i], &kept[i].rise);
        }
        slopes
    }

    /// Writes x3 = lambda^2 - x1 - x2 and y3 = lambda (x1 - x3) - y1 of each step to its row.
    #[inline(always)]
    fn sums<const N: usize>(
        &self,
        first: usize,
        kept: &[Kept<Value<K, P>>; N],
        slopes: &[Value<K, P>; N],
        rows: &mut [Row<K, P>],
    ) {
        for i in 0..N {
            self.fetch_quarter(first + i, 3);
            let sum = &mut rows[self.steps[first + i].to as usize];
            sum.x = P::Field::square_sub::<K>(&slopes[i], &kept[i].x1, &kept[i].difference);
        }
        for i in 0..N {
            let sum = &mut rows[self.steps[first + i].to as usize];
            let run = P::Field::sub_widened::<K>(&kept[i].x1, &sum.x);
            sum.y = P::Field::mul_sub::<K>(&slopes[i], &run, &kept[i].y1);
        }
    }

    /// Asks for the points of the next batch's step `i`, in one quarter of the lanes: a core can wait for few cache
    /// lines at a time, so the requests are spread over the multiplications.
    #[inline(always)]
    fn fetch_quarter(&self, i: usize, quarter: usize) {
        if let Some(step) = self.next.get(i) {
            let lanes = lanes::<K>();
            self.source.fetch::<L2>(step.from, quarter * lanes / 4..(quarter + 1) * lanes / 4);
        }
    }
}

/// The inverse of each chain's product, by one inversion; None when one of them is zero.
#[inline(always)]
pub(super) fn invert_chains<K: Kernel, P: Point>(p: &[Value<K, P>; CHAINS]) -> Option<[Value<K, P>; CHAINS]> {
    let mul = P::Field::mul::<K>;
    let (low, high) = (mul(&p[0], &p[1]), mul(&p[2], &p[3]));
    let all = invert::<P::Field, K, K::Scalar>(&mul(&low, &high))?;
    let (low, high) = (mul(&all, &high), mul(&all, &low));
    Some([mul(&low, &p[1]), mul(&low, &p[0]), mul(&high, &p[3]), mul(&high, &p[2])])
}

/// The hints of `_mm_prefetch` for the L1 and the L2 cache.
const L1: i32 = 3;
const L2: i32 = 2;

/// Asks for a value to be fetched into a cache: L1 or L2.
#[inline(always)]
fn prefetch<const CACHE: i32, T>(at: &T) {
    for line in 0..size_of::<T>().div_ceil(64) {
        let line = std::ptr::from_ref(at).cast::<i8>().wrapping_add(64 * line);
        // SAFETY: a hint that reads nothing; the address is within what the reference names.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::x86_64::_mm_prefetch::<CACHE>(line)
        }
        // SAFETY: the same.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            match CACHE {
                L1 => asm!("prfm pldl1keep, [{}]", in(reg) line, options(readonly, nostack, preserves_flags)),
                _ => asm!("prfm pldl2keep, [{}]", in(reg) line, options(readonly, nostack, preserves_flags)),
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
    }
}

/// What p + q takes.
enum Sum<F, P> {
    /// A division: lambda = numerator / denominator.
    Slope(F, F),
    /// No division, since one summand is infinity or p = -q.
    Known(P),
}

/// Carries out steps by `careful`. All are read before one is written.
#[inline(always)]
fn careful_rows<K: Kernel, P: Point, S: Source<K, P>>(source: &S, steps: &[Step], rows: &mut [Row<K, P>]) {
    let lanes = lanes::<K>();
    let mut pairs = vec![(P::INFINITY, P::INFINITY); steps.len() * lanes];
    for (step, pairs) in steps.iter().zip(pairs.chunks_mut(lanes)) {
        let (p, q) = (source.first(rows, step.from), source.second(rows, step.from));
        p.settled().scatter(|lane, point| pairs[lane].0 = point);
        q.settled().scatter(|lane, point| {
            if step.lanes >> lane & 1 == 1 {
                pairs[lane].1 = point;
            }
        });
    }
    let sums = careful::<K, P>(&pairs);
    let numbers = K::per_lane(|lane| 2 * lane as u32);
    for (step, sums) in steps.iter().zip(sums.chunks(lanes)) {
        rows[step.to as usize] = Row::gather(sums, &numbers);
    }
}

/// The sums p + q of any pairs of points, one after the other but still with one inversion.
#[inline(never)]
fn careful<K: Kernel, P: Point>(pairs: &[(P, P)]) -> Vec<P> {
    let mul = P::Field::mul::<K::Scalar>;
    let mut product = P::Field::one::<K::Scalar>();
    let mut before = Vec::with_capacity(pairs.len());
    for (p, q) in pairs {
        before.push(product);
        if let Sum::Slope(_, denominator) = classify::<K, P>(p, q) {
            product = mul(&product, &denominator);
        }
    }
    let mut sums = vec![P::INFINITY; pairs.len()];
    // No denominator is zero, so their product is not zero either.
    let Some(mut inverse) = invert::<P::Field, K::Scalar, K::Scalar>(&product) else { return sums };
    for (i, (p, q)) in pairs.iter().enumerate().rev() {
        sums[i] = match classify::<K, P>(p, q) {
            Sum::Known(sum) => sum,
            Sum::Slope(numerator, denominator) => {
                let slope = mul(&numerator, &mul(&inverse, &before[i]));
                inverse = mul(&inverse, &denominator);
                through::<K, P>(p, q, &slope)
            }
        };
    }
    sums
}

/// How p + q is computed: by the chord, by the tangent, or without a division.
fn classify<K: Kernel, P: Point>(p: &P, q: &P) -> Sum<Value<K::Scalar, P>, P> {
    if is_infinity(p) {
        return Sum::Known(*q);
    }
    if is_infinity(q) {
        return Sum::Known(*p);
    }
    let same = |a, b| P::Field::canonical(a) == P::Field::canonical(b);
    let [x1, y1, x2, y2] = [p.x(), p.y(), q.x(), q.y()].map(P::Field::lift::<K::Scalar>);
    let sub = P::Field::sub::<K::Scalar>;
    if !same(p.x(), q.x()) {
        return Sum::Slope(sub(&y2, &y1), sub(&x2, &x1));
    }
    // With equal x, p = q or p = -q. They differ, as no point of a group of odd order has y = 0. The tangent of
    // y^2 = x^3 + b has the slope 3 x^2 / 2y; here numerator and denominator have the other sign.
    if !same(p.y(), q.y()) {
        return Sum::Known(P::INFINITY);
    }
    let zero = P::Field::lift::<K::Scalar>(&P::Field::ZERO);
    let square = P::Field::mul::<K::Scalar>(&x1, &x1);
    let minus_three = sub(&sub(&sub(&zero, &square), &square), &square);
    Sum::Slope(minus_three, sub(&sub(&zero, &y1), &y1))
}

/// p + q on a line with this slope.
fn through<K: Kernel, P: Point>(p: &P, q: &P, slope: &Value<K::Scalar, P>) -> P {
    let [x1, y1, x2] = [p.x(), p.y(), q.x()].map(P::Field::lift::<K::Scalar>);
    let x3 = P::Field::square_sub::<K::Scalar>(slope, &x1, &P::Field::sub::<K::Scalar>(&x2, &x1));
    let y3 = P::Field::mul_sub::<K::Scalar>(slope, &P::Field::sub_widened::<K::Scalar>(&x1, &x3), &y1);
    P::new(P::Field::lower::<K::Scalar>(&x3), P::Field::lower::<K::Scalar>(&y3))
}

/// A list of additions dst[out] = left[a / 2] + right[b / 2], with a summand negated when its number is odd.
pub struct Jobs<K: Kernel, P: Point> {
    numbers: Vec<[Numbers<K>; 2]>,
    out: Vec<u32>,
    rows: Vec<Row<K, P>>,
    scratch: Scratch<K, P>,
}

impl<K: Kernel, P: Point> Default for Jobs<K, P> {
    fn default() -> Self {
        Jobs { numbers: Vec::new(), out: Vec::new(), rows: Vec::new(), scratch: Scratch::default() }
    }
}

impl<K: Kernel, P: Point> Jobs<K, P> {
    #[inline(always)]
    pub fn push(&mut self, a: u32, b: u32, out: u32) {
        let lane = self.out.len() % lanes::<K>();
        if lane == 0 {
            self.numbers.push([K::per_lane(|_| a), K::per_lane(|_| b)]);
        } else if let Some([first, second]) = self.numbers.last_mut() {
            (first.as_mut()[lane], second.as_mut()[lane]) = (a, b);
        }
        self.out.push(out);
    }

    /// Carries out all jobs and empties the list. No two jobs may write to the same place of `dst`.
    pub fn add(&mut self, left: &[P], right: &[P], dst: &mut [P]) {
        K::enter(All { jobs: self, left, right, dst });
        self.numbers.clear();
        self.out.clear();
    }
}

/// All jobs of a list.
struct All<'a, K: Kernel, P: Point> {
    jobs: &'a mut Jobs<K, P>,
    left: &'a [P],
    right: &'a [P],
    dst: &'a mut [P],
}

impl<K: Kernel, P: Point> Work<K> for All<'_, K, P> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let Jobs { numbers, out, rows, scratch } = self.jobs;
        rows.resize(BATCH / lanes::<K>(), Row::one());
        for (numbers, out) in numbers.chunks(rows.len()).zip(out.chunks(BATCH)) {
            let source = Gathered { left: self.left, right: self.right, numbers };
            let steps: Vec<Step> =
                (0..numbers.len() as u32).map(|i| Step { from: i, to: i, lanes: all::<K>() }).collect();
            add_rows(&source, &steps, rows, scratch);
            for (row, out) in rows.iter().zip(out.chunks(lanes::<K>())) {
                row.scatter(|lane, sum| {
                    if let Some(to) = out.get(lane) {
                        self.dst[*to as usize] = sum;
                    }
                });
            }
        }
    }
}
