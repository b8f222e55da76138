//! The two prime moduli of BN254, and the constants that the kernels derive from them at compile time.
//!
//! -1/p mod 2^64 and R^2 mod p are the constants of P. L. Montgomery, "Modular multiplication without trial division",
//! Math. Comp. 44, 1985.

/// Four 64-bit limbs, least significant first.
pub type Limbs = [u64; 4];

/// The low 52 bits.
pub const MASK52: u64 = (1 << 52) - 1;

/// A prime between 2^253 and 2^254, and the constants that follow from it.
pub trait Modulus: Copy + Send + Sync + 'static {
    const P: Limbs;

    /// 2p
    const TWO_P: Limbs = shift_left(Self::P, 1);
    /// p and 2p at fixed addresses, for assembly.
    const P_REF: &'static Limbs = &Self::P;
    const TWO_P_REF: &'static Limbs = &Self::TWO_P;
    /// -1/p mod 2^64
    const NEG_INVERSE: u64 = neg_inverse(Self::P[0]);
    /// p, then -1/p mod 2^64, at a fixed address, for assembly.
    const P_AND_INVERSE: &'static [u64; 5] = &[Self::P[0], Self::P[1], Self::P[2], Self::P[3], Self::NEG_INVERSE];
    /// -1/p mod 2^52
    const NEG_INVERSE_52: u64 = Self::NEG_INVERSE & MASK52;
    /// 2^256 mod p: one, in the four-limb Montgomery form.
    const ONE: Limbs = power_of_two(Self::P, 256);
    /// 2^512 mod p
    const R2: Limbs = power_of_two(Self::P, 512);
    /// 2^260 mod p, in five 52-bit limbs: one, in the vector kernel's Montgomery form.
    const ONE_52: [u64; 5] = split_52(power_of_two(Self::P, 260));
    /// `Arith::INVERSE_FIX` of the vector kernel: 2^6, in the four-limb Montgomery form.
    const FIX_52: Limbs = power_of_two(Self::P, 262);
    /// k p in 52-bit limbs, for k = 0 .. 16.
    const MULTIPLES_52: [[u64; 5]; 17] = multiples_52(Self::P);
    /// 2^-208, 2^-156, 2^-104 and 2^-52 mod p.
    const LIMB_INVERSES_52: [[u64; 5]; 4] = limb_inverses_52(Self::P);
    /// [i][k] is limb i of (k - 6) p, for k = 0 .. 15; the lower limbs are normalised, the top one has the sign.
    const SIGNED_MULTIPLES_52: [[u64; 16]; 5] = signed_multiples_52(Self::P);
}

/// The base field's modulus p.
#[derive(Clone, Copy)]
pub struct Base;

/// The scalar field's modulus r, the order of the groups.
#[derive(Clone, Copy)]
pub struct Order;

impl Modulus for Base {
    const P: Limbs = [0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029];
}

impl Modulus for Order {
    const P: Limbs = [0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029];
}

/// -1/p0 mod 2^64: each step of Newton's iteration doubles the number of correct bits of 1/p0.
const fn neg_inverse(p0: u64) -> u64 {
    let mut x = 1u64;
    let mut i = 0;
    while i < 6 {
        x = x.wrapping_mul(2u64.wrapping_sub(p0.wrapping_mul(x)));
        i += 1;
    }
    x.wrapping_neg()
}

const fn shift_left(a: Limbs, bits: u32) -> Limbs {
    let carry = 64 - bits;
    [a[0] << bits, (a[1] << bits) | (a[0] >> carry), (a[2] << bits) | (a[1] >> carry), (a[3] << bits) | (a[2] >> carry)]
}

const fn at_least(a: Limbs, b: Limbs) -> bool {
    let mut i = 4;
    while i > 0 {
        i -= 1;
        if a[i] != b[i] {
            return a[i] > b[i];
        }
    }
    true
}

const fn subtract(a: Limbs, b: Limbs) -> Limbs {
    let mut out = [0; 4];
    let mut borrow = false;
    let mut i = 0;
    while i < 4 {
        let (x, first) = a[i].overflowing_sub(b[i]);
        let (x, second) = x.overflowing_sub(borrow as u64);
        out[i] = x;
        borrow = first | second;
        i += 1;
    }
    out
}

/// 2^exponent mod p.
const fn power_of_two(p: Limbs, exponent: u32) -> Limbs {
    let mut x = [1, 0, 0, 0];
    let mut i = 0;
    while i < exponent {
        x = shift_left(x, 1);
        if at_least(x, p) {
            x = subtract(x, p);
        }
        i += 1;
    }
    x
}

/// A 256-bit integer in five 52-bit limbs.
pub const fn split_52(x: Limbs) -> [u64; 5] {
    [
        x[0] & MASK52,
        ((x[0] >> 52) | (x[1] << 12)) & MASK52,
        ((x[1] >> 40) | (x[2] << 24)) & MASK52,
        ((x[2] >> 28) | (x[3] << 36)) & MASK52,
        x[3] >> 16,
    ]
}

/// a + k b in 52-bit limbs. Carries are signed, and the top limb keeps the sign.
const fn add_multiple_52(a: [u64; 5], b: [u64; 5], k: i64) -> [u64; 5] {
    let mut out = [0; 5];
    let mut carry = 0i128;
    let mut i = 0;
    while i < 5 {
        let sum = a[i] as i64 as i128 + k as i128 * b[i] as i128 + carry;
        out[i] = if i < 4 { sum as u64 & MASK52 } else { sum as u64 };
        carry = sum >> 52;
        i += 1;
    }
    out
}

const fn multiples_52(p: Limbs) -> [[u64; 5]; 17] {
    let mut out = [[0; 5]; 17];
    let mut k = 1;
    while k < 17 {
        out[k] = add_multiple_52([0; 5], split_52(p), k as i64);
        k += 1;
    }
    out
}

const fn signed_multiples_52(p: Limbs) -> [[u64; 16]; 5] {
    let mut out = [[0; 16]; 5];
    let mut k = 0;
    while k < 16 {
        let multiple = add_multiple_52([0; 5], split_52(p), k as i64 - 6);
        let mut i = 0;
        while i < 5 {
            out[i][k] = multiple[i];
            i += 1;
        }
        k += 1;
    }
    out
}

/// x / 2 mod p for x < p.
const fn halve(x: Limbs, p: Limbs) -> Limbs {
    let mut sum = x;
    if x[0] & 1 == 1 {
        // x + p < 2^255: no carry out.
        let mut carry = false;
        let mut i = 0;
        while i < 4 {
            let (y, first) = sum[i].overflowing_add(p[i]);
            let (y, second) = y.overflowing_add(carry as u64);
            sum[i] = y;
            carry = first | second;
            i += 1;
        }
    }
    [(sum[0] >> 1) | (sum[1] << 63), (sum[1] >> 1) | (sum[2] << 63), (sum[2] >> 1) | (sum[3] << 63), sum[3] >> 1]
}

const fn limb_inverses_52(p: Limbs) -> [[u64; 5]; 4] {
    let mut out = [[0; 5]; 4];
    let mut x = [1, 0, 0, 0];
    let mut k = 4;
    while k > 0 {
        k -= 1;
        let mut i = 0;
        while i < 52 {
            x = halve(x, p);
            i += 1;
        }
        out[k] = split_52(x);
    }
    out
}
