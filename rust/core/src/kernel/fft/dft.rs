//! Transforms of one short length m 2^a in a buffer, m = 1, 3, 9 or 13: radix 2 with lazy bounds, then one step of
//! radix m.
//!
//! X[k] = sum_i x[i] w^(i k). With i = c + m t, the m transforms over t are merged by
//! X[k + 2^a q] = sum_c w_m^(c q) (w^(c k) E_c[k]).

use ark_ff::{FftField, Field};

use crate::kernel::field::arith::Arith;
use crate::kernel::field::modulus::{Limbs, Order};
use crate::kernel::field::Fr;

/// The largest layer count: bounds of `Arith::butterfly`.
const MAX_LAYERS: u32 = 16;

/// Constants for one length and direction.
pub struct Dft<A: Arith<Order>> {
    log: u32,
    odd: usize,
    /// For half = 1, 2, 4 .. 2^(a-1): w'^j, j < half, with w' of order 2 half.
    layers: Vec<A::Constant>,
    /// w^(c k), c = 1 .. m - 1, k < 2^a, by k.
    merge: Vec<A::Constant>,
    /// (w_m^(c q) + w_m^-(c q)) / 2 and (w_m^(c q) - w_m^-(c q)) / 2 for q, c = 1 .. (m - 1) / 2, by q.
    cosine: Vec<A::Constant>,
    sine: Vec<A::Constant>,
}

pub fn limbs(x: &Fr) -> Limbs {
    x.0 .0
}

/// 1, w, w^2 ..
fn powers(w: Fr, count: usize) -> impl Iterator<Item = Fr> {
    std::iter::successors(Some(Fr::ONE), move |x| Some(*x * w)).take(count)
}

impl<A: Arith<Order>> Dft<A> {
    /// For w of order `odd << log`.
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

    /// Where input i goes in the buffer.
    #[inline(always)]
    pub fn place(&self, i: usize) -> usize {
        let (c, t) = if self.odd == 1 { (0, i) } else { (i % self.odd, i / self.odd) };
        let reversed = if self.log == 0 { 0 } else { t.reverse_bits() >> (usize::BITS - self.log) };
        (c << self.log) + reversed
    }

    /// In place, from placed inputs (tight) to X in order (grown: below 40p).
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

    /// Two layers at a time: half as many passes over the buffer.
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

    /// Layers 0 and 1, whose factors are 1 and i.
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

    /// The layers that join halves of `half` and of 2 `half`.
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

    /// X_q = E_0 + sum_c (s_c cos_qc + d_c sin_qc), X_(m-q) with - for the second +; s_c and d_c are the sum and the
    /// difference of w^(c k) E_c[k] and its partner m - c.
    #[inline(always)]
    fn radix_odd(&self, buffer: &mut [A::Elem]) {
        let (odd, block, side) = (self.odd, 1 << self.log, (self.odd - 1) / 2);
        for k in 0..block {
            let first = A::mul(&buffer[k], &A::one());
            let twiddles = &self.merge[k * (odd - 1)..(k + 1) * (odd - 1)];
            let (mut sums, mut differences) = ([first; MOST_PAIRS], [first; MOST_PAIRS]);
            for (c, (sum, difference)) in (1..=side).zip(sums.iter_mut().zip(&mut differences)) {
                // No closure for what the two have in common: it would be compiled without the vector instructions.
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

/// Pairs c, m - c for the greatest m.
const MOST_PAIRS: usize = 6;

/// first + sum of values[c] constants[c].
#[inline(always)]
fn add_products<A: Arith<Order>>(first: A::Elem, values: &[A::Elem], constants: &[A::Constant]) -> A::Elem {
    let mut total = first;
    for (x, c) in values.iter().zip(constants) {
        total = A::add_loose(&total, &A::mul(x, &A::splat(c)));
    }
    total
}

/// w(n) of order n = odd 2^log, with w(2n)^2 = w(n). None when r - 1 is not divisible by n.
pub fn root_of_unity(n: u64) -> Option<Fr> {
    let log = n.trailing_zeros();
    let odd = n.checked_shr(log)?;
    let two = Fr::get_root_of_unity(1 << log)?;
    // v = g^((r - 1) / odd) for the generator g of the whole group; v^(2^-log mod odd) halves as `two` does.
    let (quotient, rest) = divide_order(odd);
    let exponent = (0..log).fold(1 % odd, |e, _| e * odd.div_ceil(2) % odd);
    (rest == 0).then(|| two * Fr::GENERATOR.pow(quotient).pow([exponent]))
}

/// (r - 1) / d and the remainder.
fn divide_order(d: u64) -> (Limbs, u64) {
    let mut value = <Order as crate::kernel::field::modulus::Modulus>::P;
    value[0] -= 1;
    let mut rest = 0u128;
    for limb in value.iter_mut().rev() {
        let wide = (rest << 64) | u128::from(*limb);
        *limb = (wide / u128::from(d)) as u64;
        rest = wide % u128::from(d);
    }
    (value, rest as u64)
}
