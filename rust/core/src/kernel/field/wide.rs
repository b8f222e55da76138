//! Integers of four limbs: addition, subtraction and the reductions below 2p and below p, for all scalar kernels.

use super::modulus::{Limbs, Modulus};

/// a + b and the carry out.
#[inline(always)]
pub fn add(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut out = [0; 4];
    let mut carry = false;
    for i in 0..4 {
        let (x, first) = a[i].overflowing_add(b[i]);
        let (x, second) = x.overflowing_add(u64::from(carry));
        out[i] = x;
        carry = first | second;
    }
    (out, carry)
}

/// a - b mod 2^256 and the borrow.
#[inline(always)]
pub fn sub(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut out = [0; 4];
    let mut borrow = false;
    for i in 0..4 {
        let (x, first) = a[i].overflowing_sub(b[i]);
        let (x, second) = x.overflowing_sub(u64::from(borrow));
        out[i] = x;
        borrow = first | second;
    }
    (out, borrow)
}

/// a when the flag is set, else b. Without a branch, because signs of digits are random and would be mispredicted.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub fn choose(flag: bool, a: &Limbs, b: &Limbs) -> Limbs {
    let mask = std::hint::black_box(u64::from(flag)).wrapping_neg();
    std::array::from_fn(|i| b[i] ^ ((a[i] ^ b[i]) & mask))
}

#[cfg(target_arch = "aarch64")]
pub use super::arm64::{add_and_sub, choose, negate_if, reduce_once, sub_or_add};
#[cfg(target_arch = "x86_64")]
pub use super::x86::{choose, reduce_once, sub_or_add};

/// a - b when a >= b, else a.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub fn reduce_once(a: &Limbs, b: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    choose(borrow, a, &difference)
}

/// a - b, plus m when that borrows.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub fn sub_or_add(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    add(&difference, &choose(borrow, m, &[0; 4])).0
}

/// m - x mod 2^256 when the flag is set, else x.
#[cfg(not(target_arch = "aarch64"))]
#[inline(always)]
pub fn negate_if(flag: bool, x: &Limbs, m: &Limbs) -> Limbs {
    choose(flag, &sub(m, x).0, x)
}

/// (a + b, a - b + m) mod 2^256.
#[cfg(not(target_arch = "aarch64"))]
#[inline(always)]
pub fn add_and_sub(a: &Limbs, b: &Limbs, m: &Limbs) -> (Limbs, Limbs) {
    (add(a, b).0, sub(&add(a, m).0, b).0)
}

/// A residue of a + b in [0, 2p], for a, b <= 2p.
#[inline(always)]
pub fn add_mod<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    // 4p < 2^256
    reduce_once(&add(a, b).0, M::TWO_P_REF)
}

/// A residue of a - b in [0, 2p], for a, b <= 2p.
#[inline(always)]
pub fn sub_mod<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    sub_or_add(a, b, M::TWO_P_REF)
}

/// The residue below p of an x below 4p.
#[inline(always)]
pub fn canonical<M: Modulus>(x: &Limbs) -> Limbs {
    reduce_once(&reduce_once(x, M::TWO_P_REF), M::P_REF)
}

#[inline(always)]
pub fn is_zero(x: &Limbs) -> bool {
    x[0] | x[1] | x[2] | x[3] == 0
}
