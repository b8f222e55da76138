//! Four-limb integers: the carries that every scalar kernel shares.

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

/// x when the flag is set, else 0, without a branch.
#[inline(always)]
fn when(flag: bool, x: &Limbs) -> Limbs {
    let mask = u64::from(flag).wrapping_neg();
    x.map(|limb| limb & mask)
}

/// a - b when a >= b, else a.
#[inline(always)]
pub fn reduce_once(a: &Limbs, b: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    add(&difference, &when(borrow, b)).0
}

/// a + b mod 2p, within [0, 2p], for a, b <= 2p.
#[inline(always)]
pub fn add_mod<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    // 4p < 2^256
    reduce_once(&add(a, b).0, &M::TWO_P)
}

/// a - b mod 2p, within [0, 2p], for a, b <= 2p.
#[inline(always)]
pub fn sub_mod<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    add(&difference, &when(borrow, &M::TWO_P)).0
}

/// The residue below p of any x < 4p.
#[inline(always)]
pub fn canonical<M: Modulus>(x: &Limbs) -> Limbs {
    reduce_once(&reduce_once(x, &M::TWO_P), &M::P)
}

#[inline(always)]
pub fn is_zero(x: &Limbs) -> bool {
    x[0] | x[1] | x[2] | x[3] == 0
}
