//! The scalar kernels: one element at a time, every intermediate value at most 2p (in butterflies below 4p).
//!
//! With 4p < 2^256 a Montgomery product needs no final subtraction: C. D. Walter, "Montgomery exponentiation needs no
//! final subtractions", Electronics Letters 35, 1999. The butterflies with operands below 4p are those of D. Harvey,
//! "Faster arithmetic for number-theoretic transforms", J. Symbolic Computation 60, 2014.

use std::marker::PhantomData;

use super::arith::{Arith, Kernel, Work};
use super::modulus::{Limbs, Modulus};
use super::{portable, wide};

/// The multiplication that a scalar kernel uses, with the bounds of `portable::mul`.
pub trait Engine: Send + Sync + 'static {
    fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs;
    /// a^2 / 2^256 mod p for a at most 2p.
    fn square<M: Modulus>(a: &Limbs) -> Limbs;
}

pub struct PortableEngine;

impl Engine for PortableEngine {
    #[inline(always)]
    fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
        portable::mul::<M>(a, b)
    }

    #[inline(always)]
    fn square<M: Modulus>(a: &Limbs) -> Limbs {
        portable::mul::<M>(a, a)
    }
}

/// Only reached through the `KernelId` of adx or ifma, which exist where the machine has the instructions.
#[cfg(target_arch = "x86_64")]
pub struct AdxEngine;

#[cfg(target_arch = "x86_64")]
impl Engine for AdxEngine {
    #[inline(always)]
    fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
        // SAFETY: this engine is only reached through a `KernelId` whose instructions the machine has.
        unsafe { super::adx::mul::<M>(a, b) }
    }

    #[inline(always)]
    fn square<M: Modulus>(a: &Limbs) -> Limbs {
        // SAFETY: as in `mul`.
        unsafe { super::adx::square::<M>(a) }
    }
}

#[cfg(target_arch = "aarch64")]
pub struct Arm64Engine;

#[cfg(target_arch = "aarch64")]
impl Engine for Arm64Engine {
    #[inline(always)]
    fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
        super::arm64::mul::<M>(a, b)
    }

    #[inline(always)]
    fn square<M: Modulus>(a: &Limbs) -> Limbs {
        super::arm64::square::<M>(a)
    }
}

pub struct Scalar<E>(PhantomData<E>);

impl<M: Modulus, E: Engine> Arith<M> for Scalar<E> {
    const LANES: usize = 1;
    const INVERSE_FIX: Limbs = M::ONE;
    type Elem = Limbs;
    type Constant = Limbs;

    #[inline(always)]
    fn one() -> Limbs {
        M::ONE
    }

    #[inline(always)]
    fn gather<'a>(at: impl Fn(usize) -> &'a Limbs) -> Limbs {
        *at(0)
    }

    #[inline(always)]
    fn scatter(e: &Limbs, mut put: impl FnMut(usize, Limbs)) {
        put(0, *e);
    }

    #[inline(always)]
    fn constant(x: &Limbs) -> Limbs {
        *x
    }

    #[inline(always)]
    fn splat(x: &Limbs) -> Limbs {
        *x
    }

    #[inline(always)]
    fn factor(e: &Limbs) -> Limbs {
        *e
    }

    #[inline(always)]
    fn mul(a: &Limbs, b: &Limbs) -> Limbs {
        E::mul::<M>(a, b)
    }

    #[inline(always)]
    fn mul_loose(a: &Limbs, b: &Limbs) -> Limbs {
        E::mul::<M>(a, b)
    }

    #[inline(always)]
    fn square_loose(a: &Limbs) -> Limbs {
        E::square::<M>(a)
    }

    #[inline(always)]
    fn add_loose(a: &Limbs, b: &Limbs) -> Limbs {
        wide::add_mod::<M>(a, b)
    }

    #[inline(always)]
    fn sub_loose(a: &Limbs, b: &Limbs) -> Limbs {
        wide::sub_mod::<M>(a, b)
    }

    #[inline(always)]
    fn sub_tight(a: &Limbs, b: &Limbs) -> Limbs {
        wide::sub_mod::<M>(a, b)
    }

    #[inline(always)]
    fn sub_both(a: &Limbs, b: &Limbs, c: &Limbs) -> Limbs {
        wide::sub_mod::<M>(&wide::sub_mod::<M>(a, b), c)
    }

    #[inline(always)]
    fn tighten(a: &Limbs) -> Limbs {
        *a
    }

    #[inline(always)]
    fn negate_odd(numbers: &[u32], e: &Limbs) -> Limbs {
        wide::negate_if(numbers[0] & 1 == 1, e, M::TWO_P_REF)
    }

    #[inline(always)]
    fn settle_raw(e: &Limbs) -> Limbs {
        *e
    }

    #[inline(always)]
    fn select(lanes: u8, a: &Limbs, b: &Limbs) -> Limbs {
        wide::choose(lanes & 1 == 1, a, b)
    }

    #[inline(always)]
    fn sub_widened(a: &Limbs, b: &Limbs) -> Limbs {
        wide::sub_mod::<M>(a, b)
    }

    #[inline(always)]
    fn mul_sub(a: &Limbs, b: &Limbs, c: &Limbs) -> Limbs {
        wide::sub_mod::<M>(&E::mul::<M>(a, b), c)
    }

    #[inline(always)]
    fn square_sub(a: &Limbs, x: &Limbs, d: &Limbs) -> Limbs {
        let minus_x = wide::sub_mod::<M>(&E::square::<M>(a), x);
        wide::sub_mod::<M>(&wide::sub_mod::<M>(&minus_x, x), d)
    }

    #[inline(always)]
    fn any_zero(e: &Limbs) -> bool {
        wide::is_zero(e)
    }

    /// x, y < 4p give results < 4p: x is brought below 2p, and the product is below y w / 2^256 + p < 2p, as w <= p.
    #[inline(always)]
    fn butterfly(x: &Limbs, y: &Limbs, w: &Limbs) -> (Limbs, Limbs) {
        let x = wide::reduce_once(x, M::TWO_P_REF);
        let t = E::mul::<M>(y, w);
        wide::add_and_sub(&x, &t, M::TWO_P_REF)
    }

    #[inline(always)]
    fn butterfly_one(x: &Limbs, y: &Limbs) -> (Limbs, Limbs) {
        let x = wide::reduce_once(x, M::TWO_P_REF);
        let t = wide::reduce_once(y, M::TWO_P_REF);
        wide::add_and_sub(&x, &t, M::TWO_P_REF)
    }

    #[inline(always)]
    fn settle(x: &Limbs) -> Limbs {
        wide::reduce_once(x, M::TWO_P_REF)
    }
}

impl<E: Engine> Kernel for Scalar<E> {
    type Scalar = Self;
    type PerLane<T: Copy + Send + Sync> = [T; 1];

    #[inline(always)]
    fn per_lane<T: Copy + Send + Sync>(at: impl FnMut(usize) -> T) -> [T; 1] {
        std::array::from_fn(at)
    }

    #[inline(never)]
    fn enter<W: Work<Self>>(work: W) -> W::Out {
        work.run()
    }
}
