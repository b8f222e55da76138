//! One transform X[k] = sum_i x[i] w^(i k) in a buffer, of a short length m 2^a with m = 1, 3, 9 or 13.
//!
//! J. W. Cooley and J. W. Tukey, "An algorithm for the machine calculation of complex Fourier series", Math. Comp. 19,
//! 1965. With i = c + m t, the m transforms E_c over t have length 2^a: radix 2, decimation in time, two layers in each
//! pass over the buffer. One step of radix m merges them: X[k + 2^a q] = sum_c w_m^(c q) (w^(c k) E_c[k]). It takes
//! sums and differences of the terms c and m - c, as in R. C. Singleton, "An algorithm for computing the mixed radix
//! fast Fourier transform", IEEE Trans. Audio Electroacoustics 17, 1969: a quarter of the multiplications.
//!
//! Values are not reduced between layers; their bounds are those of `Arith::butterfly`.

use ark_ff::Field;

use crate::kernel::field::arith::Arith;
use crate::kernel::field::modulus::{Limbs, Order};
use crate::kernel::field::Fr;

/// More layers than any transform here has, and fewer than the bounds of `Arith::butterfly` allow.
const MAX_LAYERS: u32 = 16;

/// The constants of transforms of one length in one direction.
pub struct Dft<A: Arith<Order>> {
    log: u32,
    odd: usize,
    /// For half = 1, 2, 4 .. 2^(a-1) one after the other: w'^j for j < half, with w' of order 2 half.
    layers: Vec<A::Constant>,
    /// For k < 2^a one after the other: w^(c k) for c = 1 .. m - 1.
    merge: Vec<A::Constant>,
    /// For q = 1 .. (m - 1) / 2 one after the other: (w_m^(c q) + w_m^-(c q)) / 2 for c = 1 .. (m - 1) / 2, which is
    /// the cosine in the complex numbers; in `sine` the same with a minus sign between the two terms.
    cosine: Vec<A::Constant>,
    sine: Vec<A::Constant>,
}

/// The Montgomery limbs of an element.
pub fn limbs(x: &Fr) -> Limbs {
    x.0 .0
}

/// 1, w, w^2 ..
fn powers(w: Fr, count: usize) -> impl Iterator<Item = Fr> {
    std::iter::successors(Some(Fr::ONE), move |x| Some(*x * w)).take(count)
}

impl<A: Arith<Order>> Dft<A> {
    /// The transform for w of order `odd << log`.
    pub fn new(odd: usize, log: u32, w: Fr) -> Self {
        debug_assert!(log <= MAX_LAYERS);
        let constant = |x: Fr| A::constant(&limbs(&x));
        let w2 = w.pow([odd as u64]);
        let layer = |l: u32| powers(w2.pow([1u64 << (log - 1 - l)]), 1 << l);
        let wm = w.pow([1u64 << log]);
        let half = Fr::from(2u64).inverse().unwrap_or(Fr::ONE);
        let side = (odd - 1) / 2;
        let pairs = || (1..=side).flat_map(move |q| (1..=side).map(move |c| wm.pow([(c * q % odd) as u64])));
        let inverse = |x: &Fr| x.inverse().unwrap_or(Fr::ONE);
        Dft {
            log,
            odd,
            layers: (0..log).flat_map(layer).map(constant).collect(),
            merge: powers(w, 1 << log).flat_map(|x| powers(x, odd).skip(1)).map(constant).collect(),
            cosine: pairs().map(|x| constant((x + inverse(&x)) * half)).collect(),
            sine: pairs().map(|x| constant((x - inverse(&x)) * half)).collect(),
        }
    }

    /// The place of input i in the buffer.
    #[inline(always)]
    pub fn place(&self, i: usize) -> usize {
        let (c, t) = if self.odd == 1 { (0, i) } else { (i % self.odd, i / self.odd) };
        let reversed = if self.log == 0 { 0 } else { t.reverse_bits() >> (usize::BITS - self.log) };
        (c << self.log) + reversed
    }

    /// Transforms in place, from tight inputs in their places to X in order, grown to less than 40p.
    #[inline(always)]
    pub fn run(&self, buffer: &mut [A::Elem]) {
        let block = 1 << self.log;
        for part in buffer.chunks_exact_mut(block) {
            self.radix_two(part);
        }
        if self.odd > 1 {
            self.radix_odd(buffer);
        }
    }

    /// All layers of radix 2, two at a time, which takes half as many passes over the buffer.
    #[inline(always)]
    fn radix_two(&self, part: &mut [A::Elem]) {
        let mut layer = 0;
        if self.log % 2 == 1 {
            for [x, y] in part.as_chunks_mut::<2>().0 {
                (*x, *y) = A::butterfly_one(x, y);
            }
            layer = 1;
        } else if self.log > 0 {
            self.first_two(part);
            layer = 2;
        }
        while layer < self.log {
            self.two_layers(part, 1 << layer);
            layer += 2;
        }
    }

    /// Layers 0 and 1, whose factors are 1 and a square root of -1.
    #[inline(always)]
    fn first_two(&self, part: &mut [A::Elem]) {
        let i = A::splat(&self.layers[2]);
        for [a, b, c, d] in part.as_chunks_mut::<4>().0 {
            let (a1, b1) = A::butterfly_one(a, b);
            let (c1, d1) = A::butterfly_one(c, d);
            (*a, *c) = A::butterfly_one(&a1, &c1);
            (*b, *d) = A::butterfly(&b1, &d1, &i);
        }
    }

    /// The two layers that join halves of length `half` and of length 2 `half`.
    #[inline(always)]
    fn two_layers(&self, part: &mut [A::Elem], half: usize) {
        let near = &self.layers[half - 1..2 * half - 1];
        let far = &self.layers[2 * half - 1..4 * half - 1];
        for quad in part.chunks_exact_mut(4 * half) {
            let (low, high) = quad.split_at_mut(2 * half);
            let (a, b) = low.split_at_mut(half);
            let (c, d) = high.split_at_mut(half);
            for k in 0..half {
                let w = A::splat(&near[k]);
                let (a1, b1) = A::butterfly(&a[k], &b[k], &w);
                let (c1, d1) = A::butterfly(&c[k], &d[k], &w);
                (a[k], c[k]) = A::butterfly(&a1, &c1, &A::splat(&far[k]));
                (b[k], d[k]) = A::butterfly(&b1, &d1, &A::splat(&far[k + half]));
            }
        }
    }

    /// X_q = E_0 + sum_c (s_c cos_qc + d_c sin_qc), and X_(m-q) with - before the sine; s_c and d_c are the sum and the
    /// difference of w^(c k) E_c[k] and the same term for m - c.
    #[inline(always)]
    fn radix_odd(&self, buffer: &mut [A::Elem]) {
        let (odd, block, side) = (self.odd, 1 << self.log, (self.odd - 1) / 2);
        for k in 0..block {
            let first = A::mul(&buffer[k], &A::one());
            let twiddles = &self.merge[k * (odd - 1)..(k + 1) * (odd - 1)];
            let (mut sums, mut differences) = ([first; MOST_PAIRS], [first; MOST_PAIRS]);
            for (c, (sum, difference)) in (1..=side).zip(sums.iter_mut().zip(&mut differences)) {
                // Written out twice, since a closure would be compiled without the vector instructions.
                let x = A::mul(&buffer[c * block + k], &A::splat(&twiddles[c - 1]));
                let y = A::mul(&buffer[(odd - c) * block + k], &A::splat(&twiddles[odd - c - 1]));
                (*sum, *difference) = (A::add_loose(&x, &y), A::sub_loose(&x, &y));
            }
            buffer[k] = first;
            for sum in &sums[..side] {
                buffer[k] = A::add_loose(&buffer[k], sum);
            }
            for q in 1..=side {
                let row = (q - 1) * side..q * side;
                let even = add_products::<A>(first, &sums, &self.cosine[row.clone()]);
                let zero = A::sub_tight(&first, &first);
                let uneven = A::mul(&add_products::<A>(zero, &differences, &self.sine[row]), &A::one());
                buffer[q * block + k] = A::add_loose(&even, &uneven);
                buffer[(odd - q) * block + k] = A::sub_loose(&even, &uneven);
            }
        }
    }
}

/// The pairs (c, m - c) of the largest m.
const MOST_PAIRS: usize = 6;

/// first + the sum of values[c] constants[c].
#[inline(always)]
fn add_products<A: Arith<Order>>(first: A::Elem, values: &[A::Elem], constants: &[A::Constant]) -> A::Elem {
    let mut total = first;
    for (x, c) in values.iter().zip(constants) {
        total = A::add_loose(&total, &A::mul(x, &A::splat(c)));
    }
    total
}
