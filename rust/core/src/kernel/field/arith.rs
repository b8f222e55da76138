//! The interface between algorithms and field kernels: operations on one element, or on eight at once, with lazy
//! bounds.
//!
//! Coordinates and coefficients lie in memory as four limbs, x 2^256 mod p. A kernel multiplies in its own Montgomery
//! form (P. L. Montgomery, "Modular multiplication without trial division", Math. Comp. 44, 1985): the limbs e mean
//! v(e) = e / R, with R = 2^256 in scalar kernels and R = 2^260 in vectors. A coordinate x loaded from memory therefore
//! has the value s x with s = 2^256 / R, and the algorithms are written so that they hold for any s:
//!   - the product of a coordinate and a true factor (`factor`) is the coordinate of the product;
//!   - a chord's slope is kept as sqrt(s) times the true one: `INVERSE_FIX` brings the factor in, and `sub_widened`,
//!     by which a slope is multiplied, takes it out.
//!
//! Residues are not reduced fully between operations, because subtracting p conditionally costs as much as an addition.
//! Three bounds say how far they may have grown:
//!   - *tight*: at most 2p, which fits four limbs;
//!   - *loose*: the result of one or two `*_loose` operations on tight values: at most 2p in scalar kernels, below 8p
//!     in vectors, whose multiplications take any a b <= 84 p^2;
//!   - *raw*: a tight value that vectors hold in limbs that are not normalised; it may only be subtracted or settled.

use super::modulus::{Base, Limbs, Modulus, Order};

/// `LANES` elements modulo M.
pub trait Arith<M: Modulus>: Send + Sync + 'static {
    const LANES: usize;
    /// sqrt(s) in the kernel's form, times R^2 / 2^512, in four limbs; `coordinate::invert` multiplies by it.
    const INVERSE_FIX: Limbs;
    type Elem: Copy + Send;
    type Constant: Copy + Send + Sync;

    /// 1 in the kernel's form.
    fn one() -> Self::Elem;
    /// Loads lane i from `at(i)`, below 2^256.
    fn gather<'a>(at: impl Fn(usize) -> &'a Limbs) -> Self::Elem;
    /// Hands lane i of a tight element to `put(i, ..)`.
    fn scatter(e: &Self::Elem, put: impl FnMut(usize, Limbs));
    /// A residue below p as a constant factor: multiplied by 1 / s, and below p again.
    fn constant(x: &Limbs) -> Self::Constant;
    /// The constant in every lane.
    fn splat(x: &Self::Constant) -> Self::Elem;
    /// A loaded tight residue as a true factor: multiplied by 1 / s; up to 32p.
    fn factor(e: &Self::Elem) -> Self::Elem;

    /// The tight product of a, which may be loose or have grown in a transform, and b, loose or a factor.
    fn mul(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// A product with shorter latency: below 6.2p in vectors, for a b <= 100 p^2.
    fn mul_loose(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// a^2, within the bound of `mul_loose`.
    fn square_loose(a: &Self::Elem) -> Self::Elem;

    /// a + b; in vectors for any operands with a sum below 100p.
    fn add_loose(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// a - b for tight b; in vectors for any a below 98p.
    fn sub_loose(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// Tight a - b for a from `mul_loose`, b tight or raw.
    fn sub_tight(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// Tight a - b - c for a from `mul_loose`, b and c tight or raw.
    fn sub_both(a: &Self::Elem, b: &Self::Elem, c: &Self::Elem) -> Self::Elem;
    /// The tight residue of an element from `mul_loose` or `mul_pair`.
    fn tighten(a: &Self::Elem) -> Self::Elem;
    /// 2p - e, raw, in the lanes whose number is odd, and e in the others; e is tight.
    fn negate_odd(numbers: &[u32], e: &Self::Elem) -> Self::Elem;
    /// The tight form of a raw element; 0 stays 0.
    fn settle_raw(e: &Self::Elem) -> Self::Elem;
    /// a in the lanes i whose bit i is set, b in the others.
    fn select(lanes: u8, a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// (a - b) / sqrt(s) for tight a and b; at most 16p.
    fn sub_widened(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// Tight a b - c for a from `mul_loose`, b from `sub_widened`, c tight or raw.
    fn mul_sub(a: &Self::Elem, b: &Self::Elem, c: &Self::Elem) -> Self::Elem;
    /// Tight a^2 - x - y for a from `mul_loose`, x and y tight, the latter given as d = `sub_loose(y, x)`.
    fn square_sub(a: &Self::Elem, x: &Self::Elem, d: &Self::Elem) -> Self::Elem;

    /// (a0 + a1 i)(b0 + b1 i) with i^2 = -1, for components below 6p; below 6p in vectors, tight in scalar kernels.
    ///
    /// By three products (A. Karatsuba): a0 b1 + a1 b0 = (a0 + a1)(b0 + b1) - a0 b0 - a1 b1.
    #[inline(always)]
    fn mul_pair(a: &[Self::Elem; 2], b: &[Self::Elem; 2]) -> [Self::Elem; 2] {
        let (low, high) = (Self::mul(&a[0], &b[0]), Self::mul(&a[1], &b[1]));
        let cross = Self::mul(&Self::add_loose(&a[0], &a[1]), &Self::add_loose(&b[0], &b[1]));
        [Self::sub_tight(&low, &high), Self::sub_both(&cross, &low, &high)]
    }

    /// Tight (a0 + a1 i)(b0 + b1 i) - c for a from `mul_pair`, b from `sub_widened`, c tight or raw.
    #[inline(always)]
    fn mul_sub_pair(a: &[Self::Elem; 2], b: &[Self::Elem; 2], c: &[Self::Elem; 2]) -> [Self::Elem; 2] {
        let product = Self::mul_pair(a, b);
        [Self::sub_tight(&product[0], &c[0]), Self::sub_tight(&product[1], &c[1])]
    }

    /// Tight (a0 + a1 i)^2 - x - y for a from `mul_pair`, with x, y and d as in `square_sub`.
    ///
    /// (a0 + a1 i)^2 = (a0 + a1)(a0 - a1) + 2 a0 a1 i.
    #[inline(always)]
    fn square_sub_pair(a: &[Self::Elem; 2], x: &[Self::Elem; 2], d: &[Self::Elem; 2]) -> [Self::Elem; 2] {
        let real = Self::mul(&Self::add_loose(&a[0], &a[1]), &Self::sub_loose(&a[0], &a[1]));
        let imaginary = Self::mul(&Self::add_loose(&a[0], &a[0]), &a[1]);
        let minus_y = [Self::sub_both(&real, &x[0], &d[0]), Self::sub_both(&imaginary, &x[1], &d[1])];
        [Self::sub_tight(&minus_y[0], &x[0]), Self::sub_tight(&minus_y[1], &x[1])]
    }

    /// True when some lane of a gathered element is the integer zero.
    fn any_zero(e: &Self::Elem) -> bool;

    /// (x + y w, x - y w) for w at most p. Transforms start with tight values; after l layers of butterflies x is below
    /// 4p (scalar) or at most (4 + 2 l) p (vectors, so l <= 40).
    fn butterfly(x: &Self::Elem, y: &Self::Elem, w: &Self::Elem) -> (Self::Elem, Self::Elem);
    /// (x + y, x - y) in the first two layers: y is at most 4p.
    fn butterfly_one(x: &Self::Elem, y: &Self::Elem) -> (Self::Elem, Self::Elem);
    /// An element that has grown in butterflies, within the bounds of `add_loose` and `sub_loose`; tight in scalar
    /// kernels.
    fn settle(x: &Self::Elem) -> Self::Elem;
}

/// Work for `Kernel::enter`: it is inlined into one function that is compiled with the kernel's instructions.
pub trait Work<K: Kernel> {
    type Out;
    /// Must be `#[inline(always)]`, as must every function that it calls for the kernel: what is not inlined is
    /// compiled without the kernel's instructions.
    fn run(self) -> Self::Out;
}

/// A field kernel for both moduli.
pub trait Kernel: Arith<Base> + Arith<Order> + Sized {
    /// The kernel for single elements on the same machine.
    type Scalar: Kernel + Arith<Base, Elem = Limbs> + Arith<Order, Elem = Limbs>;

    /// One value for each lane.
    type PerLane<T: Copy + Send + Sync>: Copy + Send + Sync + AsRef<[T]> + AsMut<[T]>;
    fn per_lane<T: Copy + Send + Sync>(at: impl FnMut(usize) -> T) -> Self::PerLane<T>;

    /// Runs the work with the kernel's instructions.
    fn enter<W: Work<Self>>(work: W) -> W::Out;
}
