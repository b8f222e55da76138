//! 52-bit halves of products by floating point, for vectors of AVX-512 on machines without IFMA.
//!
//! A fused multiply-add of doubles rounds once, to 53 bits. Rounding toward zero, for integers a, b < 2^52
//!     fma(a, b, 2^104)                                  = 2^104 + 2^52 high, high = floor(a b / 2^52),
//!     fma(a, b, 2^104 + 2^52 - (2^104 + 2^52 high))     = 2^52 + low, low = a b - 2^52 high,
//! and the difference is exact. The integer in a mantissa is the double's bits less those of 2^104 or of 2^52: what is
//! added stands that much too high, which one constant for each sum makes good. N. Emmart, F. Zheng and C. Weems, "Faster
//! modular exponentiation using double precision floating point arithmetic on the GPU", IEEE ARITH 2018.
//!
//! AVX2 cannot choose the rounding of one instruction. Rounded to the nearest integer, halves take another instruction,
//! and multiplications are hardly faster than those of `adx`.

use std::arch::x86_64::*;

use super::modulus::MASK52;
use super::simd::{Doubles, Halves};

const TWO_52: f64 = (1u64 << 52) as f64;
const TWO_104: f64 = TWO_52 * TWO_52;
const TOWARD_ZERO: i32 = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;

/// The low 52 bits of every lane: as the mantissa of 2^52 + x they are x once 2^52 is subtracted.
#[inline(always)]
fn double(x: __m512i) -> __m512d {
    // SAFETY: it touches no memory, and the machine has it: this code is reached through the `KernelId` of fma512.
    unsafe {
        let mantissa = _mm512_and_si512(x, _mm512_set1_epi64(MASK52 as i64));
        let bits = _mm512_or_si512(mantissa, _mm512_set1_epi64(TWO_52.to_bits() as i64));
        _mm512_sub_pd(_mm512_castsi512_pd(bits), _mm512_set1_pd(TWO_52))
    }
}

/// 2^104 + 2^52 floor(a b / 2^52)
#[inline(always)]
fn high(a: __m512d, b: __m512d) -> __m512d {
    // SAFETY: as in `double`.
    unsafe { _mm512_fmadd_round_pd::<TOWARD_ZERO>(a, b, _mm512_set1_pd(TWO_104)) }
}

impl Halves<__m512i> for Doubles {
    const LOW_ZERO: u64 = TWO_52.to_bits();
    const HIGH_ZERO: u64 = TWO_104.to_bits();
    const LONG: bool = true;

    #[inline(always)]
    fn madd_lo(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let (a, b) = (double(a), double(b));
        // SAFETY: as in `double`.
        unsafe {
            let rest = _mm512_sub_pd(_mm512_set1_pd(TWO_104 + TWO_52), high(a, b));
            let low = _mm512_fmadd_round_pd::<TOWARD_ZERO>(a, b, rest);
            _mm512_add_epi64(acc, _mm512_castpd_si512(low))
        }
    }

    #[inline(always)]
    fn madd_hi(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let high = high(double(a), double(b));
        // SAFETY: as in `double`.
        unsafe { _mm512_add_epi64(acc, _mm512_castpd_si512(high)) }
    }
}
