//! Independent additions of affine points that share inversions (Montgomery's trick): six multiplications each.
//!
//! lambda = (y2 - y1) / (x2 - x1);  x3 = lambda^2 - x1 - x2;  y3 = lambda (x1 - x3) - y1.
//! The fast path knows only this chord. A batch in which some x1 = x2, or some x = 0 as for infinity, is left to the
//! careful path, which handles tangents (P + P), P - P and infinity.

use super::arith::{Arith, Kernel, Work};
use super::coordinate::{invert, Coordinate};
use super::point::{is_infinity, Point};

/// dst[out] = left[a / 2] + right[b / 2], each negated when its low bit is set.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub a: u32,
    pub b: u32,
    pub out: u32,
}

/// Vectors that share an inversion: an inversion costs some 150 multiplications.
const GROUPS: usize = 1024;
/// Independent running products: a multiplication takes longer than the time to start the next.
const CHAINS: usize = 4;
/// Groups ahead of which points are fetched into the cache.
const AHEAD: usize = 16;

type Value<K, P> = <<P as Point>::Field as Coordinate>::Value<K>;

/// x2 - x1 of each group, and the product of the differences before it in its chain.
pub struct Scratch<K: Kernel, P: Point> {
    difference: Vec<Value<K, P>>,
    before: Vec<Value<K, P>>,
}

impl<K: Kernel, P: Point> Scratch<K, P> {
    pub fn new() -> Self {
        let one = P::Field::one::<K>();
        Scratch { difference: vec![one; GROUPS], before: vec![one; GROUPS] }
    }
}

impl<K: Kernel, P: Point> Default for Scratch<K, P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Carries out all jobs. `dst` and the sources do not overlap; a `dst` slot belongs to one job.
pub fn add_all<K: Kernel, P: Point>(left: &[P], right: &[P], jobs: &[Job], dst: &mut [P], scratch: &mut Scratch<K, P>) {
    for jobs in jobs.chunks(GROUPS * <K as Arith<super::modulus::Base>>::LANES) {
        let fast = Chords::<K, P> { left, right, jobs, dst: &mut *dst, scratch };
        if !K::enter(fast) {
            careful::<K, P>(left, right, jobs, dst);
        }
    }
}

/// The fast path; false, with `dst` unchanged, when the batch needs the careful one.
struct Chords<'a, K: Kernel, P: Point> {
    left: &'a [P],
    right: &'a [P],
    jobs: &'a [Job],
    dst: &'a mut [P],
    scratch: &'a mut Scratch<K, P>,
}

impl<K: Kernel, P: Point> Work<K> for Chords<'_, K, P> {
    type Out = bool;

    #[inline(always)]
    fn run(mut self) -> bool {
        let Some(mut inverses) = self.differences() else { return false };
        let lanes = <K as Arith<super::modulus::Base>>::LANES;
        for group in (0..self.jobs.len().div_ceil(lanes)).rev() {
            self.finish(group, &mut inverses[group % CHAINS]);
        }
        true
    }
}

/// Job `lane` of a group; a short last group repeats the last job.
#[inline(always)]
fn job(jobs: &[Job], first: usize, lane: usize) -> &Job {
    &jobs[(first + lane).min(jobs.len() - 1)]
}

/// Bit i: whether point i of a group is negated.
#[inline(always)]
fn signs(lanes: usize, of: impl Fn(usize) -> u32) -> u32 {
    (0..lanes).fold(0, |mask, i| mask | (of(i) & 1) << i)
}

impl<K: Kernel, P: Point> Chords<'_, K, P> {
    const LANES: usize = <K as Arith<super::modulus::Base>>::LANES;

    #[inline(always)]
    fn left(&self, first: usize, lane: usize) -> &P {
        &self.left[(job(self.jobs, first, lane).a >> 1) as usize]
    }

    #[inline(always)]
    fn right(&self, first: usize, lane: usize) -> &P {
        &self.right[(job(self.jobs, first, lane).b >> 1) as usize]
    }

    #[inline(always)]
    fn fetch(&self, first: usize) {
        for lane in 0..Self::LANES {
            if let Some(job) = self.jobs.get(first + lane) {
                prefetch(&self.left[(job.a >> 1) as usize]);
                prefetch(&self.right[(job.b >> 1) as usize]);
            }
        }
    }

    /// Fills the scratch; the inverse of each chain's product of differences, unless one is zero or an x is.
    #[inline(always)]
    fn differences(&mut self) -> Option<[Value<K, P>; CHAINS]> {
        let mut products = [P::Field::one::<K>(); CHAINS];
        let mut zero = false;
        for group in 0..self.jobs.len().div_ceil(Self::LANES) {
            let first = group * Self::LANES;
            self.fetch(first + AHEAD * Self::LANES);
            let x1 = P::Field::gather::<K>(|i| self.left(first, i).x());
            let x2 = P::Field::gather::<K>(|i| self.right(first, i).x());
            zero |= P::Field::any_zero::<K>(&x1) | P::Field::any_zero::<K>(&x2);
            let difference = P::Field::sub::<K>(&x2, &x1);
            let product = &mut products[group % CHAINS];
            self.scratch.difference[group] = difference;
            self.scratch.before[group] = *product;
            *product = P::Field::mul::<K>(product, &difference);
        }
        if zero {
            return None;
        }
        invert_chains::<K, P>(&products)
    }

    #[inline(always)]
    fn finish(&mut self, group: usize, inverse: &mut Value<K, P>) {
        let first = group * Self::LANES;
        let reciprocal = P::Field::mul::<K>(inverse, &self.scratch.before[group]);
        *inverse = P::Field::mul::<K>(inverse, &self.scratch.difference[group]);
        let y1 = P::Field::gather::<K>(|i| self.left(first, i).y());
        let y2 = P::Field::gather::<K>(|i| self.right(first, i).y());
        let y1 = P::Field::negate_if::<K>(signs(Self::LANES, |i| job(self.jobs, first, i).a), &y1);
        let y2 = P::Field::negate_if::<K>(signs(Self::LANES, |i| job(self.jobs, first, i).b), &y2);
        let slope = P::Field::mul::<K>(&P::Field::sub::<K>(&y2, &y1), &reciprocal);
        let x1 = P::Field::gather::<K>(|i| self.left(first, i).x());
        let x2 = P::Field::gather::<K>(|i| self.right(first, i).x());
        let x3 = P::Field::sub_both::<K>(&P::Field::square::<K>(&slope), &x1, &x2);
        let run = P::Field::widen::<K>(&P::Field::sub::<K>(&x1, &x3));
        let y3 = P::Field::sub_tight::<K>(&P::Field::mul::<K>(&slope, &run), &y1);
        let mut x = [P::Field::ZERO; 8];
        P::Field::scatter::<K>(&x3, |i, value| x[i] = value);
        let (jobs, dst) = (self.jobs, &mut *self.dst);
        P::Field::scatter::<K>(&y3, |i, y| dst[job(jobs, first, i).out as usize] = P::new(x[i], y));
    }
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

#[inline(always)]
fn prefetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint that reads nothing; the address is that of a reference.
    unsafe {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(at).cast());
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

/// Any additions, one at a time, still with one inversion.
#[inline(never)]
fn careful<K: Kernel, P: Point>(left: &[P], right: &[P], jobs: &[Job], dst: &mut [P]) {
    type V<K, P> = Value<<K as Kernel>::Scalar, P>;
    let pick =
        |points: &[P], index: u32| super::point::negate_if::<K, P>(index & 1 == 1, &points[(index >> 1) as usize]);
    let mul = P::Field::mul::<K::Scalar>;
    let mut before: Vec<V<K, P>> = Vec::with_capacity(jobs.len());
    let mut product = P::Field::one::<K::Scalar>();
    for job in jobs {
        before.push(product);
        if let Sum::Slope(_, denominator) = classify::<K, P>(&pick(left, job.a), &pick(right, job.b)) {
            product = mul(&product, &denominator);
        }
    }
    let Some(mut inverse) = invert::<P::Field, K::Scalar, K::Scalar>(&product) else { return };
    for (job, before) in jobs.iter().zip(&before).rev() {
        let (p, q) = (pick(left, job.a), pick(right, job.b));
        dst[job.out as usize] = match classify::<K, P>(&p, &q) {
            Sum::Known(sum) => sum,
            Sum::Slope(numerator, denominator) => {
                let slope = mul(&numerator, &mul(&inverse, before));
                inverse = mul(&inverse, &denominator);
                through::<K, P>(&p, &q, &slope)
            }
        };
    }
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
    let square = P::Field::square::<K::Scalar>(&x1);
    let minus_three = sub(&sub(&sub(&zero, &square), &square), &square);
    Sum::Slope(minus_three, sub(&sub(&zero, &y1), &y1))
}

fn through<K: Kernel, P: Point>(p: &P, q: &P, slope: &Value<K::Scalar, P>) -> P {
    let [x1, y1, x2] = [p.x(), p.y(), q.x()].map(P::Field::lift::<K::Scalar>);
    let x3 = P::Field::sub_both::<K::Scalar>(&P::Field::square::<K::Scalar>(slope), &x1, &x2);
    let run = P::Field::sub::<K::Scalar>(&x1, &x3);
    let y3 = P::Field::sub_tight::<K::Scalar>(&P::Field::mul::<K::Scalar>(slope, &run), &y1);
    P::new(P::Field::lower::<K::Scalar>(&x3), P::Field::lower::<K::Scalar>(&y3))
}
