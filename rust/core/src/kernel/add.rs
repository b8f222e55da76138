//! Independent additions of affine points that share inversions (Montgomery's trick): six multiplications each.
//!
//! lambda = (y2 - y1) / (x2 - x1);  x3 = lambda^2 - x1 - x2;  y3 = lambda (x1 - x3) - y1.
//! The fast path knows only this chord. A batch in which some x1 = x2, or some x = 0 as for infinity, is left to the
//! careful path, which handles tangents (P + P), P - P and infinity.

use super::arith::{Arith, Kernel, Work};
use super::coordinate::{invert, Coordinate};
use super::point::{is_infinity, Point};

/// Additions handled together in vector kernels.
const LANES: usize = 8;
/// Groups that share an inversion, which costs some 150 multiplications. What is kept of them should stay in an L2 cache:
/// 400 KB in G1, 800 KB in G2.
const GROUPS: usize = 256;
/// Independent running products: a multiplication takes longer than the time to start the next.
const CHAINS: usize = 4;
/// Groups that are finished together: each step of one group waits for its last, two have twice the work at hand.
const TOGETHER: usize = 2;
/// Groups ahead of which points are fetched into the cache.
const AHEAD: usize = 16;

/// Eight additions: dst[out] = left[a / 2] + right[b / 2], each negated when its number is odd.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    a: [u32; LANES],
    b: [u32; LANES],
    out: [u32; LANES],
}

/// A list of additions.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    /// At least as many as are in use: a list that is cleared keeps its memory.
    groups: Vec<Group>,
    count: usize,
}

impl Jobs {
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// dst[out] = left[a / 2] + right[b / 2], each negated when its number is odd.
    #[inline(always)]
    pub fn push(&mut self, a: u32, b: u32, out: u32) {
        let (group, lane) = (self.count / LANES, self.count % LANES);
        if group == self.groups.len() {
            self.grow();
        }
        let group = &mut self.groups[group];
        (group.a[lane], group.b[lane], group.out[lane]) = (a, b, out);
        self.count += 1;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.groups.resize(2 * self.groups.len() + LANES, Group::default());
    }

    /// The groups in use, the last one filled up by repeating its first addition.
    fn groups(&mut self) -> &[Group] {
        let (whole, rest) = (self.count / LANES, self.count % LANES);
        if rest > 0 {
            let last = &mut self.groups[whole];
            for lane in rest..LANES {
                (last.a[lane], last.b[lane], last.out[lane]) = (last.a[0], last.b[0], last.out[0]);
            }
        }
        &self.groups[..self.count.div_ceil(LANES)]
    }
}

type Value<K, P> = <<P as Point>::Field as Coordinate>::Value<K>;

/// What is kept of a group of additions between the two passes, so that the points are read once.
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

impl<K: Kernel, P: Point> Scratch<K, P> {
    pub fn new() -> Self {
        let one = P::Field::one::<K>();
        let steps = GROUPS * LANES / <K as Arith<super::modulus::Base>>::LANES;
        Scratch(vec![Kept { before: one, difference: one, rise: one, x1: one, y1: one }; steps])
    }
}

impl<K: Kernel, P: Point> Default for Scratch<K, P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Carries out all jobs. `dst` and the sources do not overlap; a `dst` slot belongs to one job.
pub fn add_all<K: Kernel, P: Point>(
    left: &[P],
    right: &[P],
    jobs: &mut Jobs,
    dst: &mut [P],
    scratch: &mut Scratch<K, P>,
) {
    for groups in jobs.groups().chunks(GROUPS) {
        let fast = Chords::<K, P> { left, right, groups, dst: &mut *dst, scratch };
        if !K::enter(fast) {
            careful::<K, P>(left, right, groups, dst);
        }
    }
}

/// The fast path; false, with `dst` unchanged, when the batch needs the careful one.
struct Chords<'a, K: Kernel, P: Point> {
    left: &'a [P],
    right: &'a [P],
    groups: &'a [Group],
    dst: &'a mut [P],
    scratch: &'a mut Scratch<K, P>,
}

impl<K: Kernel, P: Point> Work<K> for Chords<'_, K, P> {
    type Out = bool;

    #[inline(always)]
    fn run(mut self) -> bool {
        let Some(mut inverses) = self.differences() else { return false };
        // From the last step to the first, as the products were built up.
        let mut steps = self.steps();
        while !steps.is_multiple_of(TOGETHER) {
            steps -= 1;
            self.finish::<1>(steps, &mut inverses);
        }
        while steps > 0 {
            steps -= TOGETHER;
            self.finish::<TOGETHER>(steps, &mut inverses);
        }
        true
    }
}

/// In vector kernels a step is a group; in scalar kernels it is one addition of a group.
impl<'a, K: Kernel, P: Point> Chords<'a, K, P> {
    const LANES: usize = <K as Arith<super::modulus::Base>>::LANES;
    const STEPS: usize = LANES / Self::LANES;

    #[inline(always)]
    fn steps(&self) -> usize {
        self.groups.len() * Self::STEPS
    }

    /// The numbers of a step, from those of its group.
    #[inline(always)]
    fn of_step(step: usize, numbers: &[u32; LANES]) -> &[u32] {
        &numbers[step % Self::STEPS * Self::LANES..][..Self::LANES]
    }

    #[inline(always)]
    fn fetch(&self, group: usize) {
        if let Some(group) = self.groups.get(group) {
            for lane in 0..LANES {
                prefetch(&self.left[(group.a[lane] / 2) as usize]);
                prefetch(&self.right[(group.b[lane] / 2) as usize]);
            }
        }
    }

    /// Fills the scratch; the inverse of each chain's product of differences, unless one is zero or an x is.
    #[inline(always)]
    fn differences(&mut self) -> Option<[Value<K, P>; CHAINS]> {
        let mut products = [P::Field::one::<K>(); CHAINS];
        let mut zero = false;
        for step in 0..self.steps() {
            let group = &self.groups[step / Self::STEPS];
            if step.is_multiple_of(Self::STEPS) {
                self.fetch(step / Self::STEPS + AHEAD);
            }
            let (a, b) = (Self::of_step(step, &group.a), Self::of_step(step, &group.b));
            let (left, right) =
                (|i: usize| &self.left[(a[i] / 2) as usize], |i: usize| &self.right[(b[i] / 2) as usize]);
            let (x1, x2) = (P::Field::gather::<K>(|i| left(i).x()), P::Field::gather::<K>(|i| right(i).x()));
            zero |= P::Field::any_zero::<K>(&x1) | P::Field::any_zero::<K>(&x2);
            let difference = P::Field::sub::<K>(&x2, &x1);
            let y1 = P::Field::negate_odd::<K>(a, &P::Field::gather::<K>(|i| left(i).y()));
            let y2 = P::Field::negate_odd::<K>(b, &P::Field::gather::<K>(|i| right(i).y()));
            let rise = P::Field::sub::<K>(&y2, &y1);
            let product = &mut products[step % CHAINS];
            self.scratch.0[step] = Kept { before: *product, difference, rise, x1, y1 };
            *product = P::Field::mul::<K>(product, &difference);
        }
        if zero {
            return None;
        }
        invert_chains::<K, P>(&products)
    }

    /// The sums of N steps of different chains.
    #[inline(always)]
    fn finish<const N: usize>(&mut self, first: usize, inverses: &mut [Value<K, P>; CHAINS]) {
        let kept: &[_; N] = &self.scratch.0[first..first + N].as_chunks().0[0];
        let inverses: &mut [_; N] = &mut inverses[first % CHAINS..].as_chunks_mut().0[0];
        let one = P::Field::one::<K>();
        let (mut slope, mut x3, mut y3) = ([one; N], [one; N], [one; N]);
        for i in 0..N {
            slope[i] = P::Field::mul::<K>(&inverses[i], &kept[i].before);
        }
        for i in 0..N {
            inverses[i] = P::Field::mul::<K>(&inverses[i], &kept[i].difference);
        }
        for i in 0..N {
            slope[i] = P::Field::mul::<K>(&slope[i], &kept[i].rise);
        }
        for i in 0..N {
            x3[i] = P::Field::square_sub::<K>(&slope[i], &kept[i].x1, &kept[i].difference);
        }
        for i in 0..N {
            let run = P::Field::sub_widened::<K>(&kept[i].x1, &x3[i]);
            y3[i] = P::Field::mul_sub::<K>(&slope[i], &run, &kept[i].y1);
        }
        for i in 0..N {
            let out = Self::of_step(first + i, &self.groups[(first + i) / Self::STEPS].out);
            let mut x = [P::Field::ZERO; LANES];
            P::Field::scatter::<K>(&x3[i], |lane, value| x[lane] = value);
            P::Field::scatter::<K>(&y3[i], |lane, y| self.dst[out[lane] as usize] = P::new(x[lane], y));
        }
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

/// Asks for a value to be fetched into the cache.
#[inline(always)]
pub fn prefetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..size_of::<T>().div_ceil(64) {
        // SAFETY: a hint that reads nothing; the address is within what the reference names.
        unsafe {
            use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(at).cast::<i8>().add(64 * line));
        }
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
fn careful<K: Kernel, P: Point>(left: &[P], right: &[P], groups: &[Group], dst: &mut [P]) {
    type V<K, P> = Value<<K as Kernel>::Scalar, P>;
    let pick =
        |points: &[P], index: u32| super::point::negate_if::<K, P>(index & 1 == 1, &points[(index >> 1) as usize]);
    let mul = P::Field::mul::<K::Scalar>;
    let jobs = || groups.iter().flat_map(|group| (0..LANES).map(|i| (group.a[i], group.b[i], group.out[i])));
    let mut before: Vec<V<K, P>> = Vec::with_capacity(groups.len() * LANES);
    let mut product = P::Field::one::<K::Scalar>();
    for (a, b, _) in jobs() {
        before.push(product);
        if let Sum::Slope(_, denominator) = classify::<K, P>(&pick(left, a), &pick(right, b)) {
            product = mul(&product, &denominator);
        }
    }
    let Some(mut inverse) = invert::<P::Field, K::Scalar, K::Scalar>(&product) else { return };
    for ((a, b, out), before) in jobs().rev().zip(before.iter().rev()) {
        let (p, q) = (pick(left, a), pick(right, b));
        dst[out as usize] = match classify::<K, P>(&p, &q) {
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
