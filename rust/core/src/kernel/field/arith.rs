//! What the algorithms need from a field kernel: one element, or eight at once, with lazy bounds.
//!
//! Coordinates and coefficients lie in memory as four limbs, x 2^256 mod p. A kernel multiplies in its own Montgomery
//! form: v(e) = e / R, with R = 2^256 (scalar kernels) or 2^260 (vectors). A loaded coordinate x therefore has the value
//! s x with s = 2^256 / R, and the algorithms below are written for any s:
//!   - a product of a coordinate with a true factor (`factor`) is the coordinate of the product;
//!   - a chord's slope is kept as sqrt(s) times the true one (`Arith::INVERSE_FIX` brings that in, `widen` takes it out).
//!
//! Bounds. *tight*: at most 2p, fits four limbs. *loose*: what one or two `*_loose` operations on tight values leave
//! (scalar kernels: still at most 2p; vectors: below 8p). Multiplications of vectors take any a b <= 84 p^2.
//! *raw*: a tight value whose limbs (of vectors) are not normalised: good for being subtracted only.

use super::modulus::{Base, Limbs, Modulus, Order};

/// `LANES` elements modulo M.
pub trait Arith<M: Modulus>: Send + Sync + 'static {
    const LANES: usize;
    /// sqrt(s) in the kernel's form times R^2 / 2^512, in four limbs: see `coordinate::invert`.
    const INVERSE_FIX: Limbs;
    type Elem: Copy + Send;
    type Constant: Copy + Send + Sync;

    /// One in the kernel's form.
    fn one() -> Self::Elem;
    /// Lane i from `at(i)`, below 2^256.
    fn gather<'a>(at: impl Fn(usize) -> &'a Limbs) -> Self::Elem;
    /// Hands lane i of a tight element to `put(i, ..)`.
    fn scatter(e: &Self::Elem, put: impl FnMut(usize, Limbs));
    /// A residue below p as a constant factor: times 1 / s, below p.
    fn constant(x: &Limbs) -> Self::Constant;
    /// The same in every lane.
    fn splat(x: &Self::Constant) -> Self::Elem;
    /// A loaded residue (tight) as a true factor: times 1 / s; up to 32p.
    fn factor(e: &Self::Elem) -> Self::Elem;

    /// Tight product of a loose or grown element and a loose one or a factor.
    fn mul(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// A product with shorter latency: below 6.2p in vectors, for a b <= 100 p^2.
    fn mul_loose(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// a^2, bound as `mul_loose`.
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
    /// 2p - e in the lanes whose number (one for each lane) is odd, raw; e tight, or 0.
    fn negate_odd(numbers: &[u32], e: &Self::Elem) -> Self::Elem;
    /// The tight form of a raw element: 0 stays 0.
    fn settle_raw(e: &Self::Elem) -> Self::Elem;
    /// a in the lanes whose bit (lane i: bit i) is set, b elsewhere.
    fn select(lanes: u8, a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// (a - b) / sqrt(s) for tight a and b; at most 16p.
    fn sub_widened(a: &Self::Elem, b: &Self::Elem) -> Self::Elem;
    /// Tight a b - c for a from `mul_loose`, b from `sub_widened`, c tight or raw.
    fn mul_sub(a: &Self::Elem, b: &Self::Elem, c: &Self::Elem) -> Self::Elem;
    /// Tight a^2 - x - y for a from `mul_loose`, x and y tight, the latter given as d = `sub_loose(y, x)`.
    fn square_sub(a: &Self::Elem, x: &Self::Elem, d: &Self::Elem) -> Self::Elem;

    /// (a0 + a1 i)(b0 + b1 i) with i^2 = -1, for components below 6p; below 6p in vectors, tight in scalar kernels.
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

    /// Tight (a0 + a1 i)^2 - x - y for a from `mul_pair`, x, y and d as in `square_sub`.
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
    /// Brings a grown element of a transform to where `add_loose` and `sub_loose` may go on: tight in scalar kernels.
    fn settle(x: &Self::Elem) -> Self::Elem;
}

/// Work that runs inside a kernel's code: entered once, inlined into a function compiled for the kernel's machine.
pub trait Work<K: Kernel> {
    type Out;
    /// Must be `#[inline(always)]`, like everything generic that it calls.
    fn run(self) -> Self::Out;
}

/// A field kernel for both moduli.
pub trait Kernel: Arith<Base> + Arith<Order> + Sized {
    /// The kernel for single elements on the same machine.
    type Scalar: Kernel + Arith<Base, Elem = Limbs> + Arith<Order, Elem = Limbs>;

    fn enter<W: Work<Self>>(work: W) -> W::Out;
}
