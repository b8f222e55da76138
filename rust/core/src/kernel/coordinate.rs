//! The fields of coordinates: Fp for G1, Fp2 = Fp[i] / (i^2 + 1) for G2, over any kernel.

use super::arith::Arith;
use super::inverse;
use super::modulus::{Base, Limbs, Modulus};
use super::wide;

/// A field of coordinates. Bounds (tight, loose) are those of `Arith`, for each component.
pub trait Coordinate: 'static {
    /// As it lies in memory: components, four limbs each, x 2^256 mod p, at most 2p.
    type Stored: Copy + PartialEq + Send + Sync + 'static;
    type Value<A: Arith<Base>>: Copy;

    const ZERO: Self::Stored;

    fn one<A: Arith<Base>>() -> Self::Value<A>;
    fn gather<'a, A: Arith<Base>>(at: impl Fn(usize) -> &'a Self::Stored) -> Self::Value<A>;
    /// Lanes of a tight value.
    fn scatter<A: Arith<Base>>(e: &Self::Value<A>, put: impl FnMut(usize, Self::Stored));

    /// Loose times loose, or tight times widened.
    fn mul<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    fn square<A: Arith<Base>>(a: &Self::Value<A>) -> Self::Value<A>;
    /// Loose a - b for tight operands.
    fn sub<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// Tight product - b, b tight.
    fn sub_tight<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>) -> Self::Value<A>;
    /// Tight product - b - c, b and c tight.
    fn sub_both<A: Arith<Base>>(a: &Self::Value<A>, b: &Self::Value<A>, c: &Self::Value<A>) -> Self::Value<A>;
    /// The tight residue of a product.
    fn tighten<A: Arith<Base>>(a: &Self::Value<A>) -> Self::Value<A>;
    fn negate_if<A: Arith<Base>>(mask: u32, e: &Self::Value<A>) -> Self::Value<A>;
    /// A difference of tight values over sqrt(s).
    fn widen<A: Arith<Base>>(e: &Self::Value<A>) -> Self::Value<A>;
    fn any_zero<A: Arith<Base>>(e: &Self::Value<A>) -> bool;

    /// Residues below p.
    fn canonical(x: &Self::Stored) -> Self::Stored;
    /// Every component times c, Montgomery product of four-limb forms.
    fn scale<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored, c: &Limbs) -> Self::Stored;
    /// 1 / x for nonzero x, below 2p.
    fn inverse<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored) -> Self::Stored;
    /// A stored element as a value of a scalar kernel, and back.
    fn lift<A: Arith<Base, Elem = Limbs>>(x: &Self::Stored) -> Self::Value<A>;
    fn lower<A: Arith<Base, Elem = Limbs>>(x: &Self::Value<A>) -> Self::Stored;
}

pub struct Prime;

impl Coordinate for Prime {
    type Stored = Limbs;
    type Value<A: Arith<Base>> = A::Elem;

    const ZERO: Limbs = [0; 4];

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
    fn square<A: Arith<Base>>(a: &A::Elem) -> A::Elem {
        A::square_loose(a)
    }

    #[inline(always)]
    fn sub<A: Arith<Base>>(a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::sub_loose(a, b)
    }

    #[inline(always)]
    fn sub_tight<A: Arith<Base>>(a: &A::Elem, b: &A::Elem) -> A::Elem {
        A::sub_tight(a, b)
    }

    #[inline(always)]
    fn sub_both<A: Arith<Base>>(a: &A::Elem, b: &A::Elem, c: &A::Elem) -> A::Elem {
        A::sub_both(a, b, c)
    }

    #[inline(always)]
    fn tighten<A: Arith<Base>>(a: &A::Elem) -> A::Elem {
        A::tighten(a)
    }

    #[inline(always)]
    fn negate_if<A: Arith<Base>>(mask: u32, e: &A::Elem) -> A::Elem {
        A::negate_if(mask, e)
    }

    #[inline(always)]
    fn widen<A: Arith<Base>>(e: &A::Elem) -> A::Elem {
        A::widen(e)
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

/// a + b i as [a, b].
pub struct Quadratic;

impl Coordinate for Quadratic {
    type Stored = [Limbs; 2];
    type Value<A: Arith<Base>> = [A::Elem; 2];

    const ZERO: [Limbs; 2] = [[0; 4]; 2];

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

    /// a0 b0 - a1 b1 and (a0 + a1)(b0 + b1) - a0 b0 - a1 b1; tight.
    ///
    /// Loose operands: at most 4p each, sums 8p, products 64 p^2. Tight times widened: 8p, sums 4p and 16p, 64 p^2.
    #[inline(always)]
    fn mul<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        let low = A::mul(&a[0], &b[0]);
        let high = A::mul(&a[1], &b[1]);
        let cross = A::mul(&A::add_loose(&a[0], &a[1]), &A::add_loose(&b[0], &b[1]));
        [A::sub_tight(&low, &high), A::sub_both(&cross, &low, &high)]
    }

    /// (a0 + a1)(a0 - a1) and 2 a0 a1, for tight a; tight.
    #[inline(always)]
    fn square<A: Arith<Base>>(a: &[A::Elem; 2]) -> [A::Elem; 2] {
        let real = A::mul(&A::add_loose(&a[0], &a[1]), &A::sub_loose(&a[0], &a[1]));
        let imaginary = A::mul(&A::add_loose(&a[0], &a[0]), &a[1]);
        [real, imaginary]
    }

    #[inline(always)]
    fn sub<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::sub_loose(&a[0], &b[0]), A::sub_loose(&a[1], &b[1])]
    }

    #[inline(always)]
    fn sub_tight<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::sub_tight(&a[0], &b[0]), A::sub_tight(&a[1], &b[1])]
    }

    #[inline(always)]
    fn sub_both<A: Arith<Base>>(a: &[A::Elem; 2], b: &[A::Elem; 2], c: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::sub_both(&a[0], &b[0], &c[0]), A::sub_both(&a[1], &b[1], &c[1])]
    }

    #[inline(always)]
    fn tighten<A: Arith<Base>>(a: &[A::Elem; 2]) -> [A::Elem; 2] {
        *a
    }

    #[inline(always)]
    fn negate_if<A: Arith<Base>>(mask: u32, e: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::negate_if(mask, &e[0]), A::negate_if(mask, &e[1])]
    }

    #[inline(always)]
    fn widen<A: Arith<Base>>(e: &[A::Elem; 2]) -> [A::Elem; 2] {
        [A::widen(&A::tighten(&e[0])), A::widen(&A::tighten(&e[1]))]
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

/// sqrt(s) / e in every lane, for e from `mul`; None when some lane is zero. One inversion.
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
