//! Modular inversion by the binary GCD, most of whose steps work on 64-bit approximations of the two numbers:
//! T. Pornin, "Optimized binary GCD for modular inversion", eprint 2020/972, algorithm 2.

use super::arith::Arith;
use super::modulus::{Limbs, Modulus};
use super::wide;

/// Halvings that are done on approximations before the integers themselves are updated.
const STEP: u32 = 31;
/// Steps that are always enough: the two numbers have 2 * 254 bits together, of which each step removes at least
/// `STEP`.
const ROUNDS: u32 = (2 * 254 - 1u32).div_ceil(STEP);

/// 1 / x in four-limb Montgomery form, tight, for x <= 2p that is not 0 mod p.
pub fn montgomery<M: Modulus, A: Arith<M, Elem = Limbs>>(x: &Limbs) -> Limbs {
    // plain(x 2^256) = 2^-256 / x, and two products with 2^512 / 2^256 give 2^256 / x.
    let plain = plain::<M>(&wide::canonical::<M>(x));
    A::mul(&A::mul(&plain, &M::R2), &M::R2)
}

/// What one step multiplies by: (a, b) becomes (f0 a + g0 b, f1 a + g1 b) / 2^31, with |f| + |g| <= 2^31 in each.
#[derive(Clone, Copy)]
struct Factors {
    f0: i64,
    g0: i64,
    f1: i64,
    g1: i64,
}

/// 1 / x mod p, below p, for 0 < x < p.
fn plain<M: Modulus>(x: &Limbs) -> Limbs {
    // a = x u, b = x v (mod p) throughout; b stays odd.
    let (mut a, mut b) = (*x, M::P);
    let (mut u, mut v) = ([1, 0, 0, 0], [0; 4]);
    // On average half of the rounds are enough.
    for _ in 0..ROUNDS {
        if wide::is_zero(&a) {
            break;
        }
        let (low_a, low_b) = approximate(&a, &b);
        let factors = step(low_a, low_b);
        let next_a = combine(&a, &b, factors.f0, factors.g0);
        let next_b = combine(&a, &b, factors.f1, factors.g1);
        let (fix_a, fix_b) = (next_a.1, next_b.1);
        (a, b) = (next_a.0, next_b.0);
        let next_u = combine_mod::<M>(&u, &v, signed(factors.f0, fix_a), signed(factors.g0, fix_a));
        v = combine_mod::<M>(&u, &v, signed(factors.f1, fix_b), signed(factors.g1, fix_b));
        u = next_u;
    }
    // a = 0 and b = gcd = 1.
    v
}

#[inline(always)]
fn signed(factor: i64, negate: bool) -> i64 {
    if negate {
        -factor
    } else {
        factor
    }
}

/// The low 31 bits of each number, with 33 bits above them that start at the top bit of the longer number.
#[inline(always)]
fn approximate(a: &Limbs, b: &Limbs) -> (u64, u64) {
    let mut top = 3;
    while top > 1 && a[top] | b[top] == 0 {
        top -= 1;
    }
    if a[top] | b[top] == 0 {
        return (a[0], b[0]);
    }
    let shift = (a[top] | b[top]).leading_zeros();
    let of = |x: &Limbs| {
        // In two shifts, because for shift = 0 it is one by 64.
        let high = (x[top] << shift) | ((x[top - 1] >> 1) >> (63 - shift));
        (x[0] & ((1 << STEP) - 1)) | (high >> STEP << STEP)
    };
    (of(a), of(b))
}

/// `STEP` iterations of: if a is odd, swap so that a >= b and subtract b from a; halve a. Halvings that follow each
/// other are done at once.
#[inline(always)]
fn step(mut a: u64, mut b: u64) -> Factors {
    let mut f = Factors { f0: 1, g0: 0, f1: 0, g1: 1 };
    let mut left = STEP;
    loop {
        // The bit at `left` ends the step, for a = 0 too.
        let zeros = (a | 1 << left).trailing_zeros();
        a >>= zeros;
        f.f1 <<= zeros;
        f.g1 <<= zeros;
        left -= zeros;
        if left == 0 {
            return f;
        }
        let swap = u64::from(a < b).wrapping_neg();
        let t = (a ^ b) & swap;
        (a, b) = (a ^ t, b ^ t);
        let t = (f.f0 ^ f.f1) & swap as i64;
        (f.f0, f.f1) = (f.f0 ^ t, f.f1 ^ t);
        let t = (f.g0 ^ f.g1) & swap as i64;
        (f.g0, f.g1) = (f.g0 ^ t, f.g1 ^ t);
        a -= b;
        f.f0 -= f.f1;
        f.g0 -= f.g1;
    }
}

/// |f a + g b| / 2^31, and whether f a + g b was negative; the division is exact.
#[inline(always)]
fn combine(a: &Limbs, b: &Limbs, f: i64, g: i64) -> (Limbs, bool) {
    let mut out = [0; 5];
    let mut carry = 0i128;
    for i in 0..4 {
        let sum = i128::from(f) * i128::from(a[i]) + i128::from(g) * i128::from(b[i]) + carry;
        out[i] = sum as u64;
        carry = sum >> 64;
    }
    out[4] = carry as u64;
    let negative = (carry as i64) < 0;
    let shifted: Limbs = std::array::from_fn(|i| (out[i] >> STEP) | (out[i + 1] << (64 - STEP)));
    if negative {
        (wide::sub(&[0; 4], &shifted).0, true)
    } else {
        (shifted, false)
    }
}

/// (f u + g v) / 2^31 mod p, below p, for u, v < p.
#[inline(always)]
fn combine_mod<M: Modulus>(u: &Limbs, v: &Limbs, f: i64, g: i64) -> Limbs {
    // Adding k p, 0 <= k < 2^31, clears the low 31 bits.
    let low = (f as u64).wrapping_mul(u[0]).wrapping_add((g as u64).wrapping_mul(v[0]));
    let k = low.wrapping_mul(M::NEG_INVERSE) & ((1 << STEP) - 1);
    let mut out = [0; 5];
    let mut carry = 0i128;
    for i in 0..4 {
        let sum = i128::from(f) * i128::from(u[i])
            + i128::from(g) * i128::from(v[i])
            + i128::from(k) * i128::from(M::P[i])
            + carry;
        out[i] = sum as u64;
        carry = sum >> 64;
    }
    out[4] = carry as u64;
    let shifted: Limbs = std::array::from_fn(|i| (out[i] >> STEP) | (out[i + 1] << (64 - STEP)));
    // The quotient is between -p and 2p, since |f| + |g| <= 2^31 and k < 2^31.
    if (carry as i64) < 0 {
        wide::add(&shifted, &M::P).0
    } else {
        wide::reduce_once(&shifted, &M::P)
    }
}
