//! Independent additions of affine points that share inversions (Montgomery's trick): six multiplications each.
//!
//! lambda = (y2 - y1) / (x2 - x1);  x3 = lambda^2 - x1 - x2;  y3 = lambda (x1 - x3) - y1.
//! The fast path knows only this chord. A batch in which some x1 = x2, or some x = 0 as for infinity, is left to the
//! careful path, which handles tangents (P + P), P - P and infinity.
//!
//! Sums are kept in *rows*, one point a lane in the kernel's own form, so that sums of sums need no packing of lanes.

use std::ops::Range;

use super::coordinate::{invert, Coordinate};
use super::point::{is_infinity, Point};
use crate::kernel::field::arith::{Arith, Kernel, Work};
use crate::kernel::field::modulus::Base;

/// Points of a row in vector kernels; in scalar kernels a row is one point.
pub const LANES: usize = 8;
/// Lanes that share an inversion, which costs some 150 multiplications. What is kept of them should stay in an L2
/// cache: 400 KB in G1, 800 KB in G2.
const TOGETHER: usize = 256 * LANES;
/// Independent running products: a multiplication takes longer than the time to start the next.
const CHAINS: usize = 4;
/// Steps that are finished together: each multiplication of one waits for its last, two have twice the work at hand.
const ABREAST: usize = 2;
/// Steps ahead of which points are fetched into the cache.
const AHEAD: usize = 16;

pub type Value<K, P> = <<P as Point>::Field as Coordinate>::Value<K>;

/// Lanes of the kernel's rows.
pub const fn lanes<K: Kernel>() -> usize {
    <K as Arith<Base>>::LANES
}

/// One point in each lane: tight coordinates, or a raw y where a function says so.
pub struct Row<K: Kernel, P: Point> {
    x: Value<K, P>,
    y: Value<K, P>,
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

    /// The points of numbers index * 2 + sign; y raw.
    #[inline(always)]
    fn gather(points: &[P], numbers: &Numbers) -> Self {
        let at = |i: usize| &points[(numbers[i] / 2) as usize];
        let y = P::Field::gather::<K>(|i| at(i).y());
        Row { x: P::Field::gather::<K>(|i| at(i).x()), y: P::Field::negate_odd::<K>(numbers, &y) }
    }

    /// Hands the point of lane i to `put(i, ..)`.
    #[inline(always)]
    pub fn scatter(&self, mut put: impl FnMut(usize, P)) {
        let mut x = [P::Field::ZERO; LANES];
        P::Field::scatter::<K>(&self.x, |lane, value| x[lane] = value);
        P::Field::scatter::<K>(&self.y, |lane, y| put(lane, P::new(x[lane], y)));
    }

    /// Tight coordinates.
    #[inline(always)]
    fn settled(&self) -> Self {
        Row { x: self.x, y: P::Field::settle_raw::<K>(&self.y) }
    }
}

/// A number for each lane: index * 2 + (1 when negated), of a point.
pub type Numbers = [u32; LANES];

/// Row `to` = the first summand of number `from` plus the second in `lanes`, the first alone in the others.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub from: u32,
    pub to: u32,
    pub lanes: u8,
}

/// Every lane takes part.
const fn all<K: Kernel>() -> u8 {
    u8::MAX >> (LANES - lanes::<K>())
}

/// Where summands come from; y raw.
pub trait Source<K: Kernel, P: Point> {
    fn first(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P>;
    fn second(&self, rows: &[Row<K, P>], from: u32) -> Row<K, P>;
    /// Asks for the summands in the lanes to be fetched into a cache.
    fn fetch<const CACHE: i32>(&self, from: u32, lanes: Range<usize>);
}

/// Points left[a / 2] and right[b / 2], each negated when its number is odd.
pub struct Gathered<'a, P> {
    pub left: &'a [P],
    pub right: &'a [P],
    pub numbers: &'a [[Numbers; 2]],
}

impl<K: Kernel, P: Point> Source<K, P> for Gathered<'_, P> {
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
            prefetch::<CACHE, P>(&self.left[(a[lane] / 2) as usize]);
            prefetch::<CACHE, P>(&self.right[(b[lane] / 2) as usize]);
        }
    }
}

/// Rows `from` and `from` + 1.
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

/// What is kept of a step between the two passes, so that the points are read once.
#[derive(Clone, Copy)]
struct Kept<V> {
    /// The product of the differences before this one in its chain.
    before: V,
    /// x2 - x1
    difference: V,
    /// y2 - y1
    rise: V,
    x1: V,
    /// Raw.
    y1: V,
}

pub struct Scratch<K: Kernel, P: Point>(Vec<Kept<Value<K, P>>>);

impl<K: Kernel, P: Point> Default for Scratch<K, P> {
    fn default() -> Self {
        let one = P::Field::one::<K>();
        Scratch(vec![Kept { before: one, difference: one, rise: one, x1: one, y1: one }; TOGETHER / lanes::<K>()])
    }
}

/// Carries out all steps, in order of `to`. With `Neighbours` a step's `to` is at most its `from`, and less than the
/// `from` of all later steps: a batch is read before it is written.
#[inline(always)]
pub fn add_rows<K: Kernel, P: Point, S: Source<K, P>>(
    source: &S,
    steps: &[Step],
    rows: &mut [Row<K, P>],
    scratch: &mut Scratch<K, P>,
) {
    let mut batches = steps.chunks(TOGETHER / lanes::<K>()).peekable();
    let mut fetch = true;
    while let Some(steps) = batches.next() {
        let next = batches.peek().copied().unwrap_or_default();
        let inverses = differences(source, steps, rows, scratch, fetch);
        fetch = inverses.is_none();
        match inverses {
            Some(inverses) => chords(source, steps, next, rows, scratch, inverses),
            None => careful_rows(source, steps, rows),
        }
    }
}

/// Row `to` = the first summand of number `from`.
#[inline(always)]
pub fn copy_row<K: Kernel, P: Point, S: Source<K, P>>(source: &S, from: u32, to: u32, rows: &mut [Row<K, P>]) {
    rows[to as usize] = source.first(rows, from).settled();
}

/// Fills the scratch, asking for points ahead when nobody has; the inverse of each chain's product of differences,
/// unless one is zero or an x is.
#[inline(always)]
fn differences<K: Kernel, P: Point, S: Source<K, P>>(
    source: &S,
    steps: &[Step],
    rows: &[Row<K, P>],
    scratch: &mut Scratch<K, P>,
    fetch: bool,
) -> Option<[Value<K, P>; CHAINS]> {
    let one = P::Field::one::<K>();
    let mut products = [one; CHAINS];
    let mut zero = false;
    for (i, (step, kept)) in steps.iter().zip(&mut scratch.0).enumerate() {
        if let Some(later) = fetch.then(|| steps.get(i + AHEAD)).flatten() {
            source.fetch::<NEAREST>(later.from, 0..lanes::<K>());
        }
        let (p, q) = (source.first(rows, step.from), source.second(rows, step.from));
        zero |= P::Field::any_zero::<K>(&p.x) | P::Field::any_zero::<K>(&q.x);
        let mut difference = P::Field::sub::<K>(&q.x, &p.x);
        if step.lanes != all::<K>() {
            difference = P::Field::select::<K>(step.lanes, &difference, &one);
        }
        let product = &mut products[i % CHAINS];
        let rise = P::Field::sub::<K>(&q.y, &p.y);
        *kept = Kept { before: *product, difference, rise, x1: p.x, y1: p.y };
        *product = P::Field::mul::<K>(product, &difference);
    }
    if zero {
        return None;
    }
    invert_chains::<K, P>(&products)
}

/// The sums, from the last step to the first, as the products were built up. Memory is idle meanwhile: what the next
/// steps need is fetched.
#[inline(always)]
fn chords<K: Kernel, P: Point, S: Source<K, P>>(
    source: &S,
    steps: &[Step],
    next: &[Step],
    rows: &mut [Row<K, P>],
    scratch: &Scratch<K, P>,
    mut inverses: [Value<K, P>; CHAINS],
) {
    let mut left = steps.len();
    while !left.is_multiple_of(ABREAST) {
        left -= 1;
        finish::<K, P, S, 1>(source, left, steps, next, rows, scratch, &mut inverses);
    }
    while left > 0 {
        left -= ABREAST;
        finish::<K, P, S, ABREAST>(source, left, steps, next, rows, scratch, &mut inverses);
    }
}

/// The sums of N steps of different chains.
#[inline(always)]
fn finish<K: Kernel, P: Point, S: Source<K, P>, const N: usize>(
    source: &S,
    first: usize,
    steps: &[Step],
    next: &[Step],
    rows: &mut [Row<K, P>],
    scratch: &Scratch<K, P>,
    inverses: &mut [Value<K, P>; CHAINS],
) {
    let kept: &[_; N] = &scratch.0[first..first + N].as_chunks().0[0];
    let inverses: &mut [_; N] = &mut inverses[first % CHAINS..].as_chunks_mut().0[0];
    let one = P::Field::one::<K>();
    let (mut slope, mut x3, mut y3) = ([one; N], [one; N], [one; N]);
    // A few at a time: more would wait for each other.
    let fetch = |i: usize, lanes: Range<usize>| {
        if let Some(step) = next.get(first + i) {
            source.fetch::<SECOND>(step.from, lanes);
        }
    };
    for i in 0..N {
        fetch(i, quarter::<K>(0));
        slope[i] = P::Field::mul::<K>(&inverses[i], &kept[i].before);
    }
    for i in 0..N {
        fetch(i, quarter::<K>(1));
        inverses[i] = P::Field::mul::<K>(&inverses[i], &kept[i].difference);
    }
    for i in 0..N {
        fetch(i, quarter::<K>(2));
        slope[i] = P::Field::mul::<K>(&slope[i], &kept[i].rise);
    }
    for i in 0..N {
        fetch(i, quarter::<K>(3));
        x3[i] = P::Field::square_sub::<K>(&slope[i], &kept[i].x1, &kept[i].difference);
    }
    for i in 0..N {
        let run = P::Field::sub_widened::<K>(&kept[i].x1, &x3[i]);
        y3[i] = P::Field::mul_sub::<K>(&slope[i], &run, &kept[i].y1);
    }
    for i in 0..N {
        let Step { to, lanes, .. } = steps[first + i];
        let mut sum = Row { x: x3[i], y: y3[i] };
        if lanes != all::<K>() {
            let alone = Row::<K, P> { x: kept[i].x1, y: kept[i].y1 }.settled();
            let select = P::Field::select::<K>;
            sum = Row { x: select(lanes, &sum.x, &alone.x), y: select(lanes, &sum.y, &alone.y) };
        }
        rows[to as usize] = sum;
    }
}

/// A quarter of the lanes.
const fn quarter<K: Kernel>(number: usize) -> Range<usize> {
    number * lanes::<K>() / 4..(number + 1) * lanes::<K>() / 4
}

/// The inverse of each of four products, by one inversion.
#[inline(always)]
fn invert_chains<K: Kernel, P: Point>(p: &[Value<K, P>; CHAINS]) -> Option<[Value<K, P>; CHAINS]> {
    let mul = P::Field::mul::<K>;
    let (low, high) = (mul(&p[0], &p[1]), mul(&p[2], &p[3]));
    let all = invert::<P::Field, K, K::Scalar>(&mul(&low, &high))?;
    let (low, high) = (mul(&all, &high), mul(&all, &low));
    Some([mul(&low, &p[1]), mul(&low, &p[0]), mul(&high, &p[3]), mul(&high, &p[2])])
}

const NEAREST: i32 = 3;
const SECOND: i32 = 2;

/// Asks for a value to be fetched into the nearest cache or the second.
#[inline(always)]
fn prefetch<const CACHE: i32, T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..size_of::<T>().div_ceil(64) {
        // SAFETY: a hint that reads nothing; the address is within what the reference names.
        unsafe { std::arch::x86_64::_mm_prefetch::<CACHE>(std::ptr::from_ref(at).cast::<i8>().add(64 * line)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// What is divided by what for p + q.
enum Sum<F, P> {
    /// lambda = numerator / denominator
    Slope(F, F),
    /// One summand is infinity, or p = -q: nothing is divided.
    Known(P),
}

/// The steps by `careful`. All are read before one is written.
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
    let numbers: Numbers = std::array::from_fn(|lane| 2 * lane as u32);
    for (step, sums) in steps.iter().zip(sums.chunks(lanes)) {
        rows[step.to as usize] = Row::gather(sums, &numbers);
    }
}

/// Any additions, one at a time, still with one inversion.
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
    // No denominator is zero, and so neither is their product.
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
    // On y^2 = x^3 + b of odd order no point has y = 0: equal y means p = q, with slope 3 x^2 / 2y.
    if !same(p.y(), q.y()) {
        return Sum::Known(P::INFINITY);
    }
    let zero = P::Field::lift::<K::Scalar>(&P::Field::ZERO);
    let square = P::Field::mul::<K::Scalar>(&x1, &x1);
    let minus_three = sub(&sub(&sub(&zero, &square), &square), &square);
    Sum::Slope(minus_three, sub(&sub(&zero, &y1), &y1))
}

fn through<K: Kernel, P: Point>(p: &P, q: &P, slope: &Value<K::Scalar, P>) -> P {
    let [x1, y1, x2] = [p.x(), p.y(), q.x()].map(P::Field::lift::<K::Scalar>);
    let x3 = P::Field::square_sub::<K::Scalar>(slope, &x1, &P::Field::sub::<K::Scalar>(&x2, &x1));
    let y3 = P::Field::mul_sub::<K::Scalar>(slope, &P::Field::sub_widened::<K::Scalar>(&x1, &x3), &y1);
    P::new(P::Field::lower::<K::Scalar>(&x3), P::Field::lower::<K::Scalar>(&y3))
}

/// A list of additions of points anywhere: dst[out] = left[a / 2] + right[b / 2], negated as numbers say.
pub struct Jobs<K: Kernel, P: Point> {
    numbers: Vec<[Numbers; 2]>,
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
            self.numbers.push([[a; LANES], [b; LANES]]);
        } else if let Some([first, second]) = self.numbers.last_mut() {
            (first[lane], second[lane]) = (a, b);
        }
        self.out.push(out);
    }

    /// Carries out all jobs and forgets them. A `dst` slot belongs to one job.
    pub fn add(&mut self, left: &[P], right: &[P], dst: &mut [P]) {
        K::enter(All { jobs: self, left, right, dst });
        self.numbers.clear();
        self.out.clear();
    }
}

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
        rows.resize(TOGETHER / lanes::<K>(), Row::one());
        for (numbers, out) in numbers.chunks(rows.len()).zip(out.chunks(TOGETHER)) {
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
