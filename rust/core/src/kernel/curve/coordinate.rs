//! The fields of coordinates over any kernel: Fp for G1, Fp2 = Fp[i] / (i^2 + 1) for G2.
//!
//! Products and squares in Fp2 are those of A. J. Devegili, C. O hEigeartaigh, M. Scott and R. Dahab, "Multiplication
//! and squaring on pairing-friendly fields", eprint 2006/471 (Karatsuba's product, the complex square); the vector
//! kernel has its own. Several inversions are done as one by Montgomery's trick (P. L. Montgomery, "Speeding the
//! Pollard and elliptic curve methods of factorization", Math. Comp. 48, 1987).

use crate::kernel::field::arith::Arith;
use crate::kernel::field::inverse;
use crate::kernel::field::modulus::{Base, Limbs, Modulus};
use crate::kernel::field::wide;

/// A field of coordinates. The bounds (tight, loose, raw) are those of `Arith`, for each component.
pub trait Coordinate: 'static {
    /// An element in memory: its components in four-limb Montgomery form, at most 2p each.
    type Stored: Copy + PartialEq + Send + Sync + 'static;
    type Value<A: Arith<Base>>: Copy + Send;

    const ZERO: Self::Stored;
    /// Over Fp.
    const DEGREE: usize;

    fn one<A: Arith<Base>>() -> Self::Value<A>;
    fn gather<'a, A: Arith<Base>>(at: impl Fn(usize) -> &'a Self::Stored) -> Self::Value<A>;
    /// Hands lane i of a tight value to `put(i, ..)`.
    fn scatter<A: Arith<Base>>(e: &Self::Value<A>, put: impl FnMut(usize, Self::Stored));

    /// The product of two values, each a product or loose.
    fn mul<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// a - b, loose, for tight or raw operands.
    fn sub<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// Tight a^2 - x - y for a product a, x and y tight, the latter given as d = y - x from `sub`.
    fn square_sub<A: Arith<Base>>(a: &Self::Value<A>, x: &Self::Value<A>, d: &Self::Value<A>) -> Self::Value<A>;
    /// Tight a b - c for a product a, b from `sub_widened`, c tight or raw.
    fn mul_sub<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>, c: &Self::Value<A>) -> Self::Value<A>;
    /// The tight residue of a product.
    fn tighten<A: Arith<Base>>(a: &Self::Value<A>) -> Self::Value<A>;
    /// -e, raw, in the lanes whose number is odd, and e in the others.
    fn negate_odd<A: Arith<Base>>(numbers: &[u32], e: &Self::Value<A>) -> Self::Value<A>;
    /// (a - b) / sqrt(s) for tight values; see `Arith::sub_widened`.
    fn sub_widened<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// The tight form of a raw value.
    fn settle_raw<A: Arith<Base>>(e: &Self::Value<A>) -> Self::Value<A>;
    /// a in the lanes whose bit is set, b in the others.
    fn select<A: Arith<Base>>(lanes: u8, a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// False only when no lane of a gathered value is the integer zero.
    fn any_zero<A: Arith<Base>>(e: &Self::Value<A>) -> bool;

    /// The components' residues below p.
    fn canonical(x: &Self::Stored) -> Self::Stored;
    /// Every component times c, all in four-limb Montgomery form.
    fn scale<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored, c: &Limbs) -> Self::Stored;
    /// 1 / x for nonzero x, below 2p.
    fn inverse<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored) -> Self::Stored;
    /// A stored element as a value of a scalar kernel, and back.
    fn lift<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored) -> Self::Value<A>;
    fn lower<A: Arith<Base, Elem = Limbs>>(x: &Self::Value<A>) -> Self::Stored;
}

/// Fp.
pub struct Prime;

impl Coordinate for Prime {
    type Stored = Limbs;
    type Value<A: Arith<Base>> = A::Elem;

    const ZERO: Limbs = [0; 4];
    const DEGREE: usize = 1;

    #[inline(always)]
    fn one<A: Arith<Base>>() -> A::Elem {
        A::one()
    }

    #[inline(always)]
    fn gather<'a, A: Arith<Base>>(at: impl Fn(usize) -> &'a Limbs) -> A::Elem {
        A::gather(at)
    }

    #[inline(always)]
    fn scatter<A: Arith<Base>>(e: &A::Elem, put: impl FnMut(usize, Limbs)) {
        A::scatter(e, put);
    }

    #[inline(always)]
    fn mul<A: Arith<Base>>(a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::mul_loose(a, b)
    }

    #[inline(always)]
    fn sub<A: Arith<Base>>(a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::sub_loose(a, b)
    }

    #[inline(always)]
    fn square_sub<A: Arith<Base>>(a: &A::Elem, x: &A::Elem, d: &A::Elem) -> A::Elem {
        A::square_sub(a, x, d)
    }

    #[inline(always)]
    fn mul_sub<A: Arith<Base>>(a: &A::Elem, b: &A::Elem, c: &A::Elem) -> A::Elem {
        A::mul_sub(a, b, c)
    }

    #[inline(always)]
    fn tighten<A: Arith<Base>>(a: &A::Elem) -> A::Elem {
        A::tighten(a)
    }

    #[inline(always)]
    fn negate_odd<A: Arith<Base>>(numbers: &[u32], e: &A::Elem) -> A::Elem {
        A::negate_odd(numbers, e)
    }

    #[inline(always)]
    fn sub_widened<A: Arith<Base>>(a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::sub_widened(a, b)
    }

    #[inline(always)]
    fn settle_raw<A: Arith<Base>>(e: &A::Elem) -> A::Elem {
        A::settle_raw(e)
    }

    #[inline(always)]
    fn select<A: Arith<Base>>(lanes: u8, a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::select(lanes, a, b)
    }

    #[inline(always)]
    fn any_zero<A: Arith<Base>>(e: &A::Elem) -> bool {
        A::any_zero(e)
    }

    #[inline(always)]
    fn canonical(x: &Limbs) -> Limbs {
        wide::canonical::<Base>(x)
    }

    #[inline(always)]
    fn scale<A: Arith<Base, Elem = Limbs>>(x: &Limbs, c: &Limbs) -> Limbs {
        A::mul(x, c)
    }

    fn inverse<A: Arith<Base, Elem = Limbs>>(x: &Limbs) -> Limbs {
        inverse::montgomery::<Base, A>(x)
    }

    #[inline(always)]
    fn lift<A: Arith<Base, Elem = Limbs>>(x: &Limbs) -> Limbs {
        *x
    }

    #[inline(always)]
    fn lower<A: Arith<Base, Elem = Limbs>>(x: &Limbs) -> Limbs {
        *x
    }
}

/// Fp2, with a + b i as [a, b].
pub struct Quadratic;

impl Coordinate for Quadratic {
    type Stored = [Limbs; 2];
    type Value<A: Arith<Base>> = [A::Elem; 2];

    const ZERO: [Limbs; 2] = [[0; 4]; 2];
    const DEGREE: usize = 2;

    #[inline(always)]
    fn one<A: Arith<Base>>() -> [A::Elem; 2] {
        let one = A::one();
        [one, A::sub_tight(&one, &one)]
    }

    #[inline(always)]
    fn gather<'a, A: Arith<Base>>(at: impl Fn(usize) -> &'a [Limbs; 2]) -> [A::Elem; 2] {
        [A::gather(|i| &at(i)[0]), A::gather(|i| &at(i)[1])]
    }

    #[inline(always)]
    fn scatter<A: Arith<Base>>(e: &[A::Elem; 2], mut put: impl FnMut(usize, [Limbs; 2])) {
        let mut first = [[0; 4]; 8];
        A::scatter(&e[0], |i, x| first[i] = x);
        A::scatter(&e[1], |i, x| put(i, [first[i], x]));
    }

    #[inline(always)]
    fn mul<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        A::mul_pair(a, b)
    }

    #[inline(always)]
    fn sub<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::sub_loose(&a[0], &b[0]), A::sub_loose(&a[1], &b[1])]
    }

    #[inline(always)]
    fn square_sub<A: Arith<Base>>(a: &[A::Elem; 2], x: &[A::Elem; 2], d: &[A::Elem; 2]) -> [A::Elem; 2] {
        A::square_sub_pair(a, x, d)
    }

    #[inline(always)]
    fn mul_sub<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2], c: &[A::Elem; 2]) -> [A::Elem; 2] {
        A::mul_sub_pair(a, b, c)
    }

    #[inline(always)]
    fn tighten<A: Arith<Base>>(a: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::tighten(&a[0]), A::tighten(&a[1])]
    }

    #[inline(always)]
    fn negate_odd<A: Arith<Base>>(numbers: &[u32], e: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::negate_odd(numbers, &e[0]), A::negate_odd(numbers, &e[1])]
    }

    #[inline(always)]
    fn sub_widened<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::sub_widened(&a[0], &b[0]), A::sub_widened(&a[1], &b[1])]
    }

    #[inline(always)]
    fn settle_raw<A: Arith<Base>>(e: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::settle_raw(&e[0]), A::settle_raw(&e[1])]
    }

    #[inline(always)]
    fn select<A: Arith<Base>>(lanes: u8, a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::select(lanes, &a[0], &b[0]), A::select(lanes, &a[1], &b[1])]
    }

    #[inline(always)]
    fn any_zero<A: Arith<Base>>(e: &[A::Elem; 2]) -> bool {
        A::any_zero(&e[0]) && A::any_zero(&e[1])
    }

    #[inline(always)]
    fn canonical(x: &[Limbs; 2]) -> [Limbs; 2] {
        [wide::canonical::<Base>(&x[0]), wide::canonical::<Base>(&x[1])]
    }

    #[inline(always)]
    fn scale<A: Arith<Base, Elem = Limbs>>(x: &[Limbs; 2], c: &Limbs) -> [Limbs; 2] {
        [A::mul(&x[0], c), A::mul(&x[1], c)]
    }

    /// 1 / (a + b i) = (a - b i) / (a^2 + b^2)
    fn inverse<A: Arith<Base, Elem = Limbs>>(x: &[Limbs; 2]) -> [Limbs; 2] {
        let norm = A::add_loose(&A::mul(&x[0], &x[0]), &A::mul(&x[1], &x[1]));
        let inverse = inverse::montgomery::<Base, A>(&norm);
        [A::mul(&x[0], &inverse), A::mul(&wide::sub(&Base::TWO_P, &x[1]).0, &inverse)]
    }

    #[inline(always)]
    fn lift<A: Arith<Base, Elem = Limbs>>(x: &[Limbs; 2]) -> [Limbs; 2] {
        *x
    }

    #[inline(always)]
    fn lower<A: Arith<Base, Elem = Limbs>>(x: &[Limbs; 2]) -> [Limbs; 2] {
        *x
    }
}

/// sqrt(s) / e in every lane, by one inversion, for e from `mul`; None when some lane is zero.
#[inline(always)]
pub fn invert<F, A, S>(e: &F::Value<A>) -> Option<F::Value<A>>
where
    F: Coordinate,
    A: Arith<Base>,
    S: Arith<Base, Elem = Limbs>,
{
    let mut lanes = [F::ZERO; 8];
    F::scatter::<A>(&F::tighten::<A>(e), |i, x| lanes[i] = x);
    let inverses = invert_lanes::<F, S>(&lanes[..A::LANES], &A::INVERSE_FIX)?;
    Some(F::gather::<A>(|i| &inverses[i]))
}

/// fix / x for up to eight elements, by one inversion.
#[inline(never)]
fn invert_lanes<F: Coordinate, S: Arith<Base, Elem = Limbs>>(x: &[F::Stored], fix: &Limbs) -> Option<[F::Stored; 8]> {
    let times = |a: &F::Stored, b: &F::Stored| {
        F::lower::<S>(&F::tighten::<S>(&F::mul::<S>(&F::lift::<S>(a), &F::lift::<S>(b))))
    };
    let mut before = [x[0]; 8];
    let mut product = x[0];
    for i in 1..x.len() {
        before[i] = product;
        product = times(&product, &x[i]);
    }
    if F::canonical(&product) == F::ZERO {
        return None;
    }
    let mut rest = F::scale::<S>(&F::inverse::<S>(&product), fix);
    let mut out = [F::ZERO; 8];
    for i in (1..x.len()).rev() {
        out[i] = times(&rest, &before[i]);
        rest = times(&rest, &x[i]);
    }
    out[0] = rest;
    Some(out)
}
