//! Montgomery multiplication in plain Rust, for any 64-bit machine.
//!
//! Finely integrated operand scanning (FIOS) of C. K. Koc, T. Acar and B. S. Kaliski, "Analyzing and comparing
//! Montgomery multiplication algorithms", IEEE Micro 16, 1996: one loop multiplies and reduces. The carries of the two
//! products are kept apart, and their sum needs no word of its own because p leaves the two top bits free: G. Botrel
//! and Y. El Housni, "EdMSM: multi-scalar-multiplication for SNARKs and faster Montgomery multiplication", eprint
//! 2022/1400, algorithm 2.

use super::modulus::{Limbs, Modulus};

/// acc + a b + carry as (low, high); never overflows 128 bits.
#[inline(always)]
fn mac(acc: u64, a: u64, b: u64, carry: u64) -> (u64, u64) {
    let wide = u128::from(a) * u128::from(b) + u128::from(acc) + u128::from(carry);
    (wide as u64, (wide >> 64) as u64)
}

/// a b / 2^256 mod p.
///
/// Input: a <= 4p, b < 2^256. Output: below a b / 2^256 + p, so at most 2p when a b <= 5 p^2 (4p 1p, 2p 2p).
#[inline(always)]
pub fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    let mut t = [0; 4];
    for &digit in b {
        // t < 2^256, and t + a digit + m p < 2^320 because p < 0.19 * 2^256: the sum of both carries fits one limb.
        let (low, mut carry_a) = mac(t[0], a[0], digit, 0);
        let m = low.wrapping_mul(M::NEG_INVERSE);
        let (_, mut carry_p) = mac(low, m, M::P[0], 0);
        for j in 1..4 {
            let (x, next) = mac(t[j], a[j], digit, carry_a);
            carry_a = next;
            let (y, next) = mac(x, m, M::P[j], carry_p);
            carry_p = next;
            t[j - 1] = y;
        }
        t[3] = carry_a + carry_p;
    }
    t
}
