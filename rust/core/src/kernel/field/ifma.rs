//! Four or eight elements at once in five 52-bit limbs, in Montgomery form with R = 2^260.
//!
//! Products of 52-bit limbs by the IFMA instructions, with carries left in the limbs until the end: S. Gueron and
//! V. Krasnov, "Accelerating big integer arithmetic using Intel IFMA extensions", IEEE ARITH 2016. Two multiplications:
//!   - `mul_rows` reduces after each row of products (CIOS of C. K. Koc, T. Acar and B. S. Kaliski, "Analyzing and
//!     comparing Montgomery multiplication algorithms", IEEE Micro 16, 1996), which leaves the tightest result;
//!   - `product` and `reduce_wide` multiply first and then clear four limbs at once, which is a shorter dependency
//!     chain.
//!
//! An element is *normalised* when every limb is below 2^52; all values here are below 2^258.6, so the top limb of a
//! normalised one has room. The bounds of values are those of `Arith`; 2^260 > 84 p for both moduli.

use std::marker::PhantomData;

use super::arith::Arith;
use super::modulus::{split_52, Limbs, Modulus, MASK52};
use super::simd::Simd;
use super::wide;

pub struct Ifma<S>(PhantomData<S>);

/// Five limbs of all elements, least significant first.
type Wide<S> = [<S as Simd>::V; 5];

// Arrays are written out here, or filled by loops: the closures of `array::map` and `array::from_fn` would be compiled
// without the vector instructions' features, so that every instruction in them would be a call.

/// A constant in every lane.
#[inline(always)]
fn splat_52<S: Simd>(x: &[u64; 5]) -> Wide<S> {
    [S::splat(x[0]), S::splat(x[1]), S::splat(x[2]), S::splat(x[3]), S::splat(x[4])]
}

/// Where a sum starts to which so many low and high halves will be added: see `Simd::LOW_ZERO`.
#[inline(always)]
fn start<S: Simd>(lows: usize, highs: usize) -> S::V {
    let zeros = S::LOW_ZERO.wrapping_mul(lows as u64).wrapping_add(S::HIGH_ZERO.wrapping_mul(highs as u64));
    S::splat(zeros.wrapping_neg())
}

/// The number of products a_i b_j of five limbs each with i + j = k: their low halves are added to limb k of the
/// product, their high halves to limb k + 1.
const fn products(k: usize) -> usize {
    if k <= 4 {
        k + 1
    } else if k <= 8 {
        9 - k
    } else {
        0
    }
}

/// The same for limb k - 1.
const fn products_below(k: usize) -> usize {
    if k == 0 {
        0
    } else {
        products(k - 1)
    }
}

/// -t / p mod 2^52 in the low bits, times p the multiple that makes the low 52 bits of t zero. One low half is still to
/// be added to t.
#[inline(always)]
fn clearing<S: Simd, M: Modulus>(t: S::V) -> S::V {
    let so_far = S::add(t, S::splat(S::LOW_ZERO));
    S::madd_lo(start::<S>(1, 0), so_far, S::splat(M::NEG_INVERSE_52))
}

/// Normalises limbs with |limb| < 2^63 of a value that is not negative: carries are signed.
#[inline(always)]
fn normalise<S: Simd>(t: Wide<S>) -> Wide<S> {
    let mask = S::splat(MASK52);
    let t1 = S::add(t[1], S::sar::<52>(t[0]));
    let t2 = S::add(t[2], S::sar::<52>(t1));
    let t3 = S::add(t[3], S::sar::<52>(t2));
    let t4 = S::add(t[4], S::sar::<52>(t3));
    [S::and(t[0], mask), S::and(t1, mask), S::and(t2, mask), S::and(t3, mask), t4]
}

/// f of the limbs of a and b, limb by limb.
#[inline(always)]
fn each<S: Simd>(a: &Wide<S>, b: &Wide<S>, f: impl Fn(S::V, S::V) -> S::V) -> Wide<S> {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3]), f(a[4], b[4])]
}

/// a b / 2^260 mod p, normalised, below a b / 2^260 + p, for normalised a and b; reduced row by row.
///
/// A limb of t collects at most 20 halves of products, each below 2^52, and one carry, so it stays below 2^57.
#[inline(always)]
fn mul_rows<S: Simd, M: Modulus>(a: &Wide<S>, b: &Wide<S>) -> Wide<S> {
    let p = splat_52::<S>(&M::MULTIPLES_52[1]);
    // Limb k of a b and of m p: each row adds two products, and moves down by a limb.
    let mut t = [start::<S>(0, 0); 6];
    for (k, limb) in t.iter_mut().enumerate() {
        *limb = start::<S>(2 * products(k), 2 * products_below(k));
    }
    // Written out: in a loop that is not unrolled, limbs would move through memory.
    t = add_row::<S, M>(t, a, b[0], &p, 0);
    t = add_row::<S, M>(t, a, b[1], &p, 1);
    t = add_row::<S, M>(t, a, b[2], &p, 2);
    t = add_row::<S, M>(t, a, b[3], &p, 3);
    t = add_row::<S, M>(t, a, b[4], &p, 4);
    normalise::<S>([t[0], t[1], t[2], t[3], t[4]])
}

/// (t + a digit + m p) / 2^52, row i of `mul_rows`.
#[inline(always)]
fn add_row<S: Simd, M: Modulus>(mut t: [S::V; 6], a: &Wide<S>, digit: S::V, p: &Wide<S>, i: usize) -> [S::V; 6] {
    for j in 0..5 {
        t[j] = S::madd_lo(t[j], digit, a[j]);
    }
    for j in 0..5 {
        t[j + 1] = S::madd_hi(t[j + 1], digit, a[j]);
    }
    // Of m, too, the multiplier uses the low 52 bits.
    let m = clearing::<S, M>(t[0]);
    for j in 0..5 {
        t[j] = S::madd_lo(t[j], m, p[j]);
    }
    for j in 0..5 {
        t[j + 1] = S::madd_hi(t[j + 1], m, p[j]);
    }
    let carry = S::shr::<52>(t[0]);
    [S::add(t[1], carry), t[2], t[3], t[4], t[5], start::<S>(2 * products(i + 6), 2 * products(i + 5))]
}

/// The same by whichever multiplication is faster.
#[inline(always)]
fn mul_tight<S: Simd, M: Modulus>(a: &Wide<S>, b: &Wide<S>) -> Wide<S> {
    if S::LONG {
        reduce::<S, M>(reduce_wide_raw::<S, M>(product::<S>(a, b)))
    } else {
        mul_rows::<S, M>(a, b)
    }
}

/// A product in ten limbs that are not normalised: sum of t_k 2^(52 k).
type Product<S> = [<S as Simd>::V; 10];

#[inline(always)]
fn product<S: Simd>(a: &Wide<S>, b: &Wide<S>) -> Product<S> {
    add_product::<S>(no_products::<S>(1), a, b)
}

/// Where the sum of `count` products starts.
#[inline(always)]
fn no_products<S: Simd>(count: usize) -> Product<S> {
    let mut t = [start::<S>(0, 0); 10];
    for (k, limb) in t.iter_mut().enumerate() {
        *limb = start::<S>(count * products(k), count * products_below(k));
    }
    t
}

/// t + a b. In the sum of two products a limb collects at most 20 halves below 2^52.
///
/// Separate sums of low and of high halves would shorten the dependency chain but add instructions; with several
/// products under way it is throughput that limits, not latency.
#[inline(always)]
fn add_product<S: Simd>(mut t: Product<S>, a: &Wide<S>, b: &Wide<S>) -> Product<S> {
    for i in 0..5 {
        for j in 0..5 {
            t[i + j] = S::madd_lo(t[i + j], a[i], b[j]);
        }
        for j in 0..5 {
            t[i + j + 1] = S::madd_hi(t[i + j + 1], a[i], b[j]);
        }
    }
    t
}

/// a b + c d
#[inline(always)]
fn sum_of_products<S: Simd>([(a, b), (c, d)]: [(&Wide<S>, &Wide<S>); 2]) -> Product<S> {
    add_product::<S>(add_product::<S>(no_products::<S>(2), a, b), c, d)
}

/// a^2: the products of different limbs are computed once and doubled.
#[inline(always)]
fn product_square<S: Simd>(a: &Wide<S>) -> Product<S> {
    let mut t = [start::<S>(0, 0); 10];
    for (k, limb) in t.iter_mut().enumerate() {
        // Products of different limbs: all of limb k but the square of one.
        *limb = start::<S>(products(k) / 2, products_below(k) / 2);
    }
    for i in 0..5 {
        for j in i + 1..5 {
            t[i + j] = S::madd_lo(t[i + j], a[i], a[j]);
            t[i + j + 1] = S::madd_hi(t[i + j + 1], a[i], a[j]);
        }
    }
    for (k, limb) in t.iter_mut().enumerate() {
        *limb = S::add(S::add(*limb, *limb), start::<S>(products(k) % 2, products_below(k) % 2));
    }
    for i in 0..5 {
        t[2 * i] = S::madd_lo(t[2 * i], a[i], a[i]);
        t[2 * i + 1] = S::madd_hi(t[2 * i + 1], a[i], a[i]);
    }
    t
}

/// T / 2^260 mod p, normalised, below T / 2^260 + 5p, for a product T or the sum of two.
#[inline(always)]
fn reduce_wide<S: Simd, M: Modulus>(t: Product<S>) -> Wide<S> {
    normalise::<S>(reduce_wide_raw::<S, M>(t))
}

/// The same in limbs that are not normalised: they collect at most 30 halves and a carry, so they are below 2^57.
///
/// The four lowest limbs of T, below 2^52 after the carries, are independent of each other once they are multiplied by
/// 2^-208 .. 2^-52 mod p instead of being cleared one after the other; this adds at most 4 2^52 p to T / 2^208. One
/// Montgomery step, which adds at most 2^52 p, then divides by 2^52.
#[inline(always)]
fn reduce_wide_raw<S: Simd, M: Modulus>(t: Product<S>) -> Wide<S> {
    let p = splat_52::<S>(&M::MULTIPLES_52[1]);
    let t1 = S::add(t[1], S::shr::<52>(t[0]));
    let t2 = S::add(t[2], S::shr::<52>(t1));
    let t3 = S::add(t[3], S::shr::<52>(t2));
    let t4 = S::add(t[4], S::shr::<52>(t3));
    let mut u = [t4, t[5], t[6], t[7], t[8], t[9]];
    for (k, limb) in u.iter_mut().enumerate() {
        *limb = S::add(*limb, start::<S>(if k < 5 { 5 } else { 0 }, if k > 0 { 5 } else { 0 }));
    }
    // The multiplier uses the low 52 bits of t0 .. t3; what is above has been carried on.
    for (digit, power) in [t[0], t1, t2, t3].into_iter().zip(&M::LIMB_INVERSES_52) {
        for j in 0..5 {
            u[j] = S::madd_lo(u[j], digit, S::splat(power[j]));
        }
        for j in 0..5 {
            u[j + 1] = S::madd_hi(u[j + 1], digit, S::splat(power[j]));
        }
    }
    let m = clearing::<S, M>(u[0]);
    for j in 0..5 {
        u[j] = S::madd_lo(u[j], m, p[j]);
    }
    for j in 0..5 {
        u[j + 1] = S::madd_hi(u[j + 1], m, p[j]);
    }
    [S::add(u[1], S::shr::<52>(u[0])), u[2], u[3], u[4], u[5]]
}

/// The residue in [0, 1.01 p) of a signed value in (-5p, 9p) with limbs -2^56 < t_i < 2^58.
///
/// The quotient is estimated from the top limb, as in P. Barrett, "Implementing the Rivest Shamir and Adleman public
/// key encryption algorithm on a standard digital signal processor", CRYPTO 1986: q = floor((top + 6 p4 - 64) / p4),
/// where p4 > 2^45 is the top limb of p. The limbs below carry more than -2^5 and less than 2^7 into the top one, and p
/// exceeds p4 2^208 by less than 2^208, 15 times which is less than 2^5 units of the top limb. So q is at most
/// floor(value / p) + 6, and the result is less than 2^8 units of the top limb above p.
#[inline(always)]
fn reduce<S: Simd, M: Modulus>(t: Wide<S>) -> Wide<S> {
    let p4 = M::MULTIPLES_52[1][4];
    let reciprocal = ((1u128 << 96) / (p4 as u128 + 1)) as u64;
    // 0 < top < 15 p4 < 2^50: four times it fits 52 bits. The product is 4 top 2^96 / p4, its high half / 2^46 is q.
    let top = S::shl::<2>(S::add(t[4], S::splat(6 * p4 - 64)));
    let q = S::shr::<46>(S::madd_hi(start::<S>(0, 1), top, S::splat(reciprocal)));
    let mut reduced = t;
    for (limb, table) in reduced.iter_mut().zip(&M::SIGNED_MULTIPLES_52) {
        *limb = S::sub(*limb, S::lookup(table, q));
    }
    normalise::<S>(reduced)
}

/// The real and the imaginary part of a b, for components of a up to 6p: a0 b0 + (6p - a1) b1 and a0 b1 + a1 b0.
///
/// Adding two products before one reduction takes fewer instructions than the three products of Karatsuba's method,
/// each of which would be reduced.
#[inline(always)]
fn product_pair<S: Simd, M: Modulus>(a: &[Lanes<S::V>; 2], b: &[Lanes<S::V>; 2]) -> [Wide<S>; 2] {
    let six_p = splat_52::<S>(&M::MULTIPLES_52[6]);
    let minus_a1 = normalise::<S>(each::<S>(&six_p, &a[1].0, S::sub));
    let real = sum_of_products::<S>([(&a[0].0, &b[0].0), (&minus_a1, &b[1].0)]);
    let imaginary = sum_of_products::<S>([(&a[0].0, &b[1].0), (&a[1].0, &b[0].0)]);
    [reduce_wide_raw::<S, M>(real), reduce_wide_raw::<S, M>(imaginary)]
}

/// The residue of square - x - y = square - 2x - d + 2p, for d = y - x + 2p.
#[inline(always)]
fn reduce_third<S: Simd, M: Modulus>(square: &Wide<S>, x: &Wide<S>, d: &Wide<S>) -> Wide<S> {
    let two_p = splat_52::<S>(&M::MULTIPLES_52[2]);
    let both = each::<S>(&each::<S>(d, &two_p, S::sub), &each::<S>(x, x, S::add), S::add);
    reduce::<S, M>(each::<S>(square, &both, S::sub))
}

/// 256-bit words as 52-bit limbs.
#[inline(always)]
fn split<S: Simd>(w: [S::V; 4]) -> Wide<S> {
    let mask = S::splat(MASK52);
    [
        S::and(w[0], mask),
        S::and(S::or(S::shr::<52>(w[0]), S::shl::<12>(w[1])), mask),
        S::and(S::or(S::shr::<40>(w[1]), S::shl::<24>(w[2])), mask),
        S::and(S::or(S::shr::<28>(w[2]), S::shl::<36>(w[3])), mask),
        S::shr::<16>(w[3]),
    ]
}

/// The inverse of `split`, for normalised values below 2^256.
#[inline(always)]
fn join<S: Simd>(t: &Wide<S>) -> [S::V; 4] {
    [
        S::or(t[0], S::shl::<52>(t[1])),
        S::or(S::shr::<12>(t[1]), S::shl::<40>(t[2])),
        S::or(S::shr::<24>(t[2]), S::shl::<28>(t[3])),
        S::or(S::shr::<36>(t[3]), S::shl::<16>(t[4])),
    ]
}

/// a - b + k p, normalised, for b <= k p, so that it is not negative.
#[inline(always)]
fn sub_offset<S: Simd, M: Modulus>(a: &Wide<S>, b: &Wide<S>, k: usize) -> Wide<S> {
    let offset = splat_52::<S>(&M::MULTIPLES_52[k]);
    normalise::<S>(each::<S>(&each::<S>(a, b, S::sub), &offset, S::add))
}

/// The limbs of `LANES` elements, normalised unless they are raw.
#[derive(Clone, Copy)]
pub struct Lanes<V>([V; 5]);

impl<S: Simd, M: Modulus> Arith<M> for Ifma<S> {
    const LANES: usize = S::LANES;
    const INVERSE_FIX: Limbs = M::FIX_52;
    type Elem = Lanes<S::V>;
    type Constant = [u64; 5];

    #[inline(always)]
    fn one() -> Lanes<S::V> {
        Lanes(splat_52::<S>(&M::ONE_52))
    }

    #[inline(always)]
    fn gather<'a>(at: impl Fn(usize) -> &'a Limbs) -> Lanes<S::V> {
        Lanes(split::<S>(S::words(at)))
    }

    #[inline(always)]
    fn scatter(e: &Lanes<S::V>, mut put: impl FnMut(usize, Limbs)) {
        let rows = S::rows(join::<S>(&e.0));
        for (i, row) in rows.into_iter().enumerate() {
            put(i, row);
        }
    }

    #[inline(always)]
    fn constant(x: &Limbs) -> [u64; 5] {
        split_52((0..4).fold(*x, |x, _| wide::reduce_once(&wide::add(&x, &x).0, &M::P)))
    }

    #[inline(always)]
    fn splat(x: &[u64; 5]) -> Lanes<S::V> {
        Lanes(splat_52::<S>(x))
    }

    /// 1 / s = 2^4, and 16 e is at most 32p < 2^259.
    #[inline(always)]
    fn factor(e: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(normalise::<S>(each::<S>(&e.0, &e.0, |x, _| S::shl::<4>(x))))
    }

    #[inline(always)]
    fn mul(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(mul_tight::<S, M>(&a.0, &b.0))
    }

    #[inline(always)]
    fn mul_loose(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(reduce_wide::<S, M>(product::<S>(&a.0, &b.0)))
    }

    #[inline(always)]
    fn square_loose(a: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(reduce_wide::<S, M>(product_square::<S>(&a.0)))
    }

    #[inline(always)]
    fn add_loose(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(normalise::<S>(each::<S>(&a.0, &b.0, S::add)))
    }

    #[inline(always)]
    fn sub_loose(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(sub_offset::<S, M>(&a.0, &b.0, 2))
    }

    #[inline(always)]
    fn sub_tight(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(reduce::<S, M>(each::<S>(&a.0, &b.0, S::sub)))
    }

    #[inline(always)]
    fn sub_both(a: &Lanes<S::V>, b: &Lanes<S::V>, c: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(reduce::<S, M>(each::<S>(&each::<S>(&a.0, &b.0, S::sub), &c.0, S::sub)))
    }

    #[inline(always)]
    fn tighten(a: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(reduce::<S, M>(a.0))
    }

    #[inline(always)]
    fn negate_odd(numbers: &[u32], e: &Lanes<S::V>) -> Lanes<S::V> {
        let two_p = splat_52::<S>(&M::MULTIPLES_52[2]);
        let chosen = S::odd(numbers);
        let negated = each::<S>(&two_p, &e.0, S::sub);
        Lanes(each::<S>(&negated, &e.0, |n, x| S::select(chosen, n, x)))
    }

    #[inline(always)]
    fn settle_raw(e: &Lanes<S::V>) -> Lanes<S::V> {
        Lanes(normalise::<S>(e.0))
    }

    #[inline(always)]
    fn select(lanes: u8, a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        let lanes = S::placed(lanes);
        Lanes(each::<S>(&a.0, &b.0, |a, b| S::select(lanes, a, b)))
    }

    /// 1 / sqrt(s) = 4, and 4 (a - b) + 8p is not negative.
    #[inline(always)]
    fn sub_widened(a: &Lanes<S::V>, b: &Lanes<S::V>) -> Lanes<S::V> {
        let eight_p = splat_52::<S>(&M::MULTIPLES_52[8]);
        let difference = each::<S>(&a.0, &b.0, S::sub);
        Lanes(normalise::<S>(each::<S>(&difference, &eight_p, |d, k| S::add(S::shl::<2>(d), k))))
    }

    #[inline(always)]
    fn mul_sub(a: &Lanes<S::V>, b: &Lanes<S::V>, c: &Lanes<S::V>) -> Lanes<S::V> {
        let product = reduce_wide_raw::<S, M>(product::<S>(&a.0, &b.0));
        Lanes(reduce::<S, M>(each::<S>(&product, &c.0, S::sub)))
    }

    #[inline(always)]
    fn square_sub(a: &Lanes<S::V>, x: &Lanes<S::V>, d: &Lanes<S::V>) -> Lanes<S::V> {
        let square = reduce_wide_raw::<S, M>(product_square::<S>(&a.0));
        Lanes(reduce_third::<S, M>(&square, &x.0, &d.0))
    }

    /// Components below 6p, as 6 6 + 6 6 < 84.
    #[inline(always)]
    fn mul_pair(a: &[Lanes<S::V>; 2], b: &[Lanes<S::V>; 2]) -> [Lanes<S::V>; 2] {
        let [real, imaginary] = product_pair::<S, M>(a, b);
        [Lanes(normalise::<S>(real)), Lanes(normalise::<S>(imaginary))]
    }

    /// Below 7.3p before c is subtracted, as 6 16 + 6 16 < 193.
    #[inline(always)]
    fn mul_sub_pair(a: &[Lanes<S::V>; 2], b: &[Lanes<S::V>; 2], c: &[Lanes<S::V>; 2]) -> [Lanes<S::V>; 2] {
        let [real, imaginary] = product_pair::<S, M>(a, b);
        let minus = |x: &Wide<S>, c: &Lanes<S::V>| Lanes(reduce::<S, M>(each::<S>(x, &c.0, S::sub)));
        [minus(&real, &c[0]), minus(&imaginary, &c[1])]
    }

    /// Below 6.8p before x and y are subtracted, as (a0 + a1)(a0 - a1 + 6p) <= 12 12 p^2 and 2 a0 a1 <= 12 6 p^2.
    #[inline(always)]
    fn square_sub_pair(a: &[Lanes<S::V>; 2], x: &[Lanes<S::V>; 2], d: &[Lanes<S::V>; 2]) -> [Lanes<S::V>; 2] {
        let [a0, a1] = [&a[0].0, &a[1].0];
        let sum = normalise::<S>(each::<S>(a0, a1, S::add));
        let real = reduce_wide_raw::<S, M>(product::<S>(&sum, &sub_offset::<S, M>(a0, a1, 6)));
        let twice = normalise::<S>(each::<S>(a0, a0, S::add));
        let imaginary = reduce_wide_raw::<S, M>(product::<S>(&twice, a1));
        [
            Lanes(reduce_third::<S, M>(&real, &x[0].0, &d[0].0)),
            Lanes(reduce_third::<S, M>(&imaginary, &x[1].0, &d[1].0)),
        ]
    }

    #[inline(always)]
    fn any_zero(e: &Lanes<S::V>) -> bool {
        let e = e.0;
        S::zeros(S::or(S::or(S::or(e[0], e[1]), S::or(e[2], e[3])), e[4])) != 0
    }

    #[inline(always)]
    fn butterfly(x: &Lanes<S::V>, y: &Lanes<S::V>, w: &Lanes<S::V>) -> (Lanes<S::V>, Lanes<S::V>) {
        let t = mul_tight::<S, M>(&y.0, &w.0);
        (Lanes(normalise::<S>(each::<S>(&x.0, &t, S::add))), Lanes(sub_offset::<S, M>(&x.0, &t, 2)))
    }

    #[inline(always)]
    fn butterfly_one(x: &Lanes<S::V>, y: &Lanes<S::V>) -> (Lanes<S::V>, Lanes<S::V>) {
        (Lanes(normalise::<S>(each::<S>(&x.0, &y.0, S::add))), Lanes(sub_offset::<S, M>(&x.0, &y.0, 4)))
    }

    #[inline(always)]
    fn settle(x: &Lanes<S::V>) -> Lanes<S::V> {
        *x
    }
}

/// The kernel of vectors `$S` with `$lanes` lanes, entered with the features that they need.
#[cfg(target_arch = "x86_64")]
macro_rules! vector_kernel {
    ($S:ty, $lanes:literal, $features:literal) => {
        impl $crate::kernel::field::arith::Kernel for $crate::kernel::field::ifma::Ifma<$S> {
            type Scalar = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::AdxEngine>;
            type PerLane<T: Copy + Send + Sync> = [T; $lanes];

            #[inline(always)]
            fn per_lane<T: Copy + Send + Sync>(at: impl FnMut(usize) -> T) -> [T; $lanes] {
                std::array::from_fn(at)
            }

            #[inline(always)]
            fn enter<W: $crate::kernel::field::arith::Work<Self>>(work: W) -> W::Out {
                #[target_feature(enable = $features)]
                #[inline(never)]
                fn inside<W: $crate::kernel::field::arith::Work<$crate::kernel::field::ifma::Ifma<$S>>>(
                    work: W,
                ) -> W::Out {
                    work.run()
                }
                // SAFETY: a kernel is only reached through its `KernelId`, so the machine has the instructions.
                unsafe { inside(work) }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use vector_kernel;

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests {
    //! The emulated vectors, at limbs that only lazy values have, against products computed by Python.

    use super::super::emulated::Emulated;
    use super::super::modulus::{Base, Order};
    use super::*;

    /// Halves as IFMA adds them, and as doubles do.
    type Exact = Emulated<false>;
    type Biased = Emulated<true>;

    /// Lines "p|r a b a*b/2^260" of hexadecimal integers, written by `tests/kernel_vectors.py`.
    const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernel_vectors.txt"));

    /// Five limbs of up to 264 bits.
    fn parse(hex: &str) -> [u64; 5] {
        let padded = format!("{hex:0>66}");
        let (mut limbs, mut end) = ([0; 5], 66);
        for limb in &mut limbs {
            let start = end - 13.min(end);
            *limb = u64::from_str_radix(&padded[start..end], 16).expect("hexadecimal");
            end = start;
        }
        limbs[4] += u64::from_str_radix(&padded[..end], 16).unwrap_or(0) << 52;
        limbs
    }

    fn check<S: Simd<V = [u64; 8]>, M: Modulus>(a: &str, b: &str, expected: &str) {
        let lanes = |hex| Lanes(splat_52::<S>(&parse(hex)));
        let (a5, b5) = (lanes(a), lanes(b));
        let tight = <Ifma<S> as Arith<M>>::mul(&a5, &b5);
        let loose = <Ifma<S> as Arith<M>>::tighten(&<Ifma<S> as Arith<M>>::mul_loose(&a5, &b5));
        let mut results = vec![tight, loose];
        if a == b {
            results.push(<Ifma<S> as Arith<M>>::tighten(&<Ifma<S> as Arith<M>>::square_loose(&a5)));
        }
        for result in results {
            <Ifma<S> as Arith<M>>::scatter(&result, |_, x| {
                assert_eq!(split_52(wide::canonical::<M>(&x)), parse(expected), "{a} * {b}");
            });
        }
    }

    #[test]
    fn products_of_lazy_limbs() {
        assert!(VECTORS.lines().count() > 500);
        for line in VECTORS.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["p", a, b, expected] => {
                    check::<Exact, Base>(a, b, expected);
                    check::<Biased, Base>(a, b, expected);
                }
                ["r", a, b, expected] => {
                    check::<Exact, Order>(a, b, expected);
                    check::<Biased, Order>(a, b, expected);
                }
                _ => panic!("unreadable vector {line:?}"),
            }
        }
    }

    /// k p + d - (two tight values) comes out within [0, 2p], congruent.
    fn reductions<S: Simd<V = [u64; 8]>, M: Modulus>() {
        let multiple = |k: usize, d: u64| {
            let mut limbs = M::MULTIPLES_52[k];
            limbs[0] += d;
            normalise::<S>(splat_52::<S>(&limbs))
        };
        for (k, i, j) in (0..7).flat_map(|k| (0..3).flat_map(move |i| (0..3).map(move |j| (k, i, j)))) {
            for d in [0, 1, 1 << 40] {
                let got = <Ifma<S> as Arith<M>>::sub_both(
                    &Lanes(multiple(k, d)),
                    &Lanes(multiple(i, 0)),
                    &Lanes(multiple(j, 0)),
                );
                <Ifma<S> as Arith<M>>::scatter(&got, |_, x| {
                    assert!(!wide::sub(&M::TWO_P, &x).1);
                    assert_eq!(wide::canonical::<M>(&x), [d, 0, 0, 0], "{k}p + {d} - {i}p - {j}p");
                });
                let minus = <Ifma<S> as Arith<M>>::sub_both(
                    &Lanes(multiple(k, 0)),
                    &Lanes(multiple(i, d)),
                    &Lanes(multiple(j, 0)),
                );
                <Ifma<S> as Arith<M>>::scatter(&minus, |_, x| {
                    let sum = wide::add(&x, &[d, 0, 0, 0]).0;
                    assert_eq!(wide::canonical::<M>(&sum), [0; 4], "{k}p - {i}p - {d} - {j}p");
                });
            }
        }
    }

    #[test]
    fn signed_values_are_reduced() {
        reductions::<Exact, Base>();
        reductions::<Exact, Order>();
        reductions::<Biased, Base>();
        reductions::<Biased, Order>();
    }

    /// Operands up to `most` p: k p + d, and limbs of all ones below the largest top limb.
    fn operands<M: Modulus>(most: usize) -> Vec<[u64; 5]> {
        let mut out = vec![[0; 5], M::MULTIPLES_52[most]];
        for k in [0, 1, most - 1] {
            out.extend([1, 1 << 51, MASK52 - M::MULTIPLES_52[k][0]].map(|d| {
                let mut limbs = M::MULTIPLES_52[k];
                limbs[0] += d;
                limbs
            }));
            out.push([MASK52, MASK52, MASK52, MASK52, M::MULTIPLES_52[k + 1][4] - 1]);
        }
        out
    }

    fn elem<S: Simd<V = [u64; 8]>>(limbs: &[u64; 5]) -> Lanes<[u64; 8]> {
        Lanes(normalise::<S>(splat_52::<S>(limbs)))
    }

    fn residue<S: Simd<V = [u64; 8]>, M: Modulus>(e: &Lanes<[u64; 8]>) -> Limbs {
        let mut out = [0; 4];
        <Ifma<S> as Arith<M>>::scatter(&<Ifma<S> as Arith<M>>::mul(e, &<Ifma<S> as Arith<M>>::one()), |_, x| out = x);
        wide::canonical::<M>(&out)
    }

    /// Whether the value is below k p and its limbs are normalised.
    fn below<M: Modulus>(e: &Lanes<[u64; 8]>, k: usize) -> bool {
        let limbs = e.0.map(|limb| limb[0]);
        limbs.iter().rev().lt(M::MULTIPLES_52[k].iter().rev()) && limbs.iter().all(|limb| *limb <= MASK52)
    }

    /// The residue of x y + z w, or of x y - z w, by single products.
    fn two_products<S: Simd<V = [u64; 8]>, M: Modulus>(
        x: &[u64; 5],
        y: &[u64; 5],
        minus: bool,
        z: &[u64; 5],
        w: &[u64; 5],
    ) -> Limbs {
        let [xy, zw] = [(x, y), (z, w)].map(|(a, b)| <Ifma<S> as Arith<M>>::mul(&elem::<S>(a), &elem::<S>(b)));
        residue::<S, M>(&match minus {
            true => <Ifma<S> as Arith<M>>::sub_loose(&xy, &<Ifma<S> as Arith<M>>::tighten(&zw)),
            false => <Ifma<S> as Arith<M>>::add_loose(&xy, &zw),
        })
    }

    fn pairs<S: Simd<V = [u64; 8]>, M: Modulus>() {
        let (six, sixteen) = (operands::<M>(6), operands::<M>(16));
        let tight = operands::<M>(2);
        for (i, a0) in six.iter().enumerate() {
            for (j, a1) in six.iter().enumerate() {
                let (b0, b1) = (&six[(3 * i + j) % six.len()], &six[(5 * j + i) % six.len()]);
                let product =
                    <Ifma<S> as Arith<M>>::mul_pair(&[elem::<S>(a0), elem::<S>(a1)], &[elem::<S>(b0), elem::<S>(b1)]);
                assert!(product.iter().all(|x| below::<M>(x, 6)));
                assert_eq!(residue::<S, M>(&product[0]), two_products::<S, M>(a0, b0, true, a1, b1));
                assert_eq!(residue::<S, M>(&product[1]), two_products::<S, M>(a0, b1, false, a1, b0));
                let (b0, b1) = (&sixteen[(3 * i + j) % sixteen.len()], &sixteen[(5 * j + i) % sixteen.len()]);
                let c = [elem::<S>(&tight[i % tight.len()]), elem::<S>(&tight[j % tight.len()])];
                let less = <Ifma<S> as Arith<M>>::mul_sub_pair(
                    &[elem::<S>(a0), elem::<S>(a1)],
                    &[elem::<S>(b0), elem::<S>(b1)],
                    &c,
                );
                let back = [0, 1].map(|k| residue::<S, M>(&<Ifma<S> as Arith<M>>::add_loose(&less[k], &c[k])));
                assert!(less.iter().all(|x| below::<M>(x, 2)));
                assert_eq!(back[0], two_products::<S, M>(a0, b0, true, a1, b1));
                assert_eq!(back[1], two_products::<S, M>(a0, b1, false, a1, b0));
            }
        }
    }

    #[test]
    fn products_of_pairs_at_their_bounds() {
        pairs::<Exact, Base>();
        pairs::<Exact, Order>();
        pairs::<Biased, Base>();
        pairs::<Biased, Order>();
    }

    /// Squares of pairs and of single elements up to 6p, less x and y up to 2p.
    fn squares<S: Simd<V = [u64; 8]>, M: Modulus>() {
        let (six, tight) = (operands::<M>(6), operands::<M>(2));
        for (i, a0) in six.iter().enumerate() {
            for (j, a1) in six.iter().enumerate() {
                let (x, y) = (elem::<S>(&tight[i % tight.len()]), elem::<S>(&tight[j % tight.len()]));
                let d = <Ifma<S> as Arith<M>>::sub_loose(&y, &x);
                let sum = <Ifma<S> as Arith<M>>::add_loose(&x, &y);
                let back = |e: &Lanes<[u64; 8]>| {
                    assert!(below::<M>(e, 2));
                    residue::<S, M>(&<Ifma<S> as Arith<M>>::add_loose(e, &sum))
                };
                let [real, imaginary] =
                    <Ifma<S> as Arith<M>>::square_sub_pair(&[elem::<S>(a0), elem::<S>(a1)], &[x, x], &[d, d]);
                assert_eq!(back(&real), two_products::<S, M>(a0, a0, true, a1, a1));
                assert_eq!(back(&imaginary), two_products::<S, M>(a0, a1, false, a0, a1));
                let single = <Ifma<S> as Arith<M>>::square_sub(&elem::<S>(a0), &x, &d);
                assert_eq!(back(&single), two_products::<S, M>(a0, a0, false, &[0; 5], a0));
            }
        }
    }

    #[test]
    fn squares_at_their_bounds() {
        squares::<Exact, Base>();
        squares::<Exact, Order>();
        squares::<Biased, Base>();
        squares::<Biased, Order>();
    }

    #[test]
    fn lanes_keep_their_elements() {
        let rows: [Limbs; 8] = std::array::from_fn(|i| [i as u64, 10 + i as u64, 20 + i as u64, i as u64]);
        assert_eq!(Exact::rows(Exact::words(|i| &rows[i])), rows);
        let element = <Ifma<Exact> as Arith<Base>>::gather(|i| &rows[i]);
        let mut back = [[0; 4]; 8];
        <Ifma<Exact> as Arith<Base>>::scatter(&element, |i, x| back[i] = x);
        assert_eq!(back, rows);
        assert!(<Ifma<Exact> as Arith<Base>>::any_zero(&<Ifma<Exact> as Arith<Base>>::gather(|_| &[0; 4])));
        assert!(!<Ifma<Exact> as Arith<Base>>::any_zero(&<Ifma<Exact> as Arith<Base>>::gather(|_| &[0, 0, 0, 1])));
    }
}
