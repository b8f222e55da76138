//! The vector operations as AVX-512 instructions, and the entries into code that is compiled for them.
//!
//! Instructions and intrinsics are those of Intel's Software Developer's Manual, volume 2.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::ifma::vector_kernel;
use super::modulus::Limbs;
use super::simd::{Doubles, Halves, Instructions, Simd};

/// Vectors of AVX-512, with products by `P`. Only used inside `Kernel::enter` below, which is reached through a
/// `KernelId`: it exists where the machine has the instructions.
#[derive(Clone, Copy)]
pub struct Avx512<P>(PhantomData<P>);

/// True when this machine has the instructions of `ifma`.
pub fn ifma_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512ifma") && fma_available()
}

/// True when this machine has the instructions of `fma512`.
pub fn fma_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && super::adx::available()
}

/// An instruction that works on registers only.
macro_rules! register_op {
    ($call:expr) => {
        // SAFETY: it touches no memory, and the machine has it: this code is reached through a `KernelId`.
        unsafe { $call }
    };
}

/// Two elements side by side: four words each.
#[inline(always)]
fn pair(low: &Limbs, high: &Limbs) -> __m512i {
    // SAFETY: reads 32 bytes behind each of two references; the machine has the instructions, as in `register_op`.
    unsafe {
        let low = _mm256_loadu_si256(low.as_ptr().cast());
        let high = _mm256_loadu_si256(high.as_ptr().cast());
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
    }
}

impl<P: Halves<__m512i>> Simd for Avx512<P> {
    const LANES: usize = 8;
    type V = __m512i;
    type Rows = [Limbs; 8];

    #[inline(always)]
    fn splat(x: u64) -> __m512i {
        register_op!(_mm512_set1_epi64(x as i64))
    }

    #[inline(always)]
    fn madd_lo(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        P::madd_lo(acc, a, b)
    }

    #[inline(always)]
    fn madd_hi(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        P::madd_hi(acc, a, b)
    }

    const LOW_ZERO: u64 = P::LOW_ZERO;
    const HIGH_ZERO: u64 = P::HIGH_ZERO;
    const LONG: bool = P::LONG;

    #[inline(always)]
    fn add(a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_add_epi64(a, b))
    }

    #[inline(always)]
    fn sub(a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_sub_epi64(a, b))
    }

    #[inline(always)]
    fn and(a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_and_si512(a, b))
    }

    #[inline(always)]
    fn or(a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_or_si512(a, b))
    }

    #[inline(always)]
    fn shl<const N: u32>(a: __m512i) -> __m512i {
        register_op!(_mm512_slli_epi64::<N>(a))
    }

    #[inline(always)]
    fn shr<const N: u32>(a: __m512i) -> __m512i {
        register_op!(_mm512_srli_epi64::<N>(a))
    }

    #[inline(always)]
    fn sar<const N: u32>(a: __m512i) -> __m512i {
        register_op!(_mm512_srai_epi64::<N>(a))
    }

    #[inline(always)]
    fn select(lanes: u8, a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_mask_blend_epi64(lanes, b, a))
    }

    #[inline(always)]
    fn odd(numbers: &[u32]) -> u8 {
        let numbers: &[u32; 8] = &numbers.as_chunks::<8>().0[0];
        // SAFETY: reads the 32 bytes behind the reference; the machine has the instructions, as in `register_op`.
        let odd = unsafe {
            let wide = _mm512_cvtepu32_epi64(_mm256_loadu_si256(numbers.as_ptr().cast()));
            _mm512_test_epi64_mask(wide, _mm512_set1_epi64(1))
        };
        Self::placed(odd)
    }

    /// Elements 1 and 2 change places, and so do 5 and 6.
    #[inline(always)]
    fn placed(elements: u8) -> u8 {
        elements & 0x99 | (elements & 0x22) << 1 | (elements & 0x44) >> 1
    }

    #[inline(always)]
    fn zeros(a: __m512i) -> u8 {
        register_op!(_mm512_testn_epi64_mask(a, a))
    }

    #[inline(always)]
    fn lookup(table: &[u64; 16], index: __m512i) -> __m512i {
        // SAFETY: reads the table's 128 bytes, in halves of 64; the machine has the instruction, as in `register_op`.
        unsafe {
            let low = _mm512_loadu_si512(table.as_ptr().cast());
            let high = _mm512_loadu_si512(table.as_ptr().add(8).cast());
            _mm512_permutex2var_epi64(low, index, high)
        }
    }

    #[inline(always)]
    fn words<'a>(at: impl Fn(usize) -> &'a Limbs) -> [__m512i; 4] {
        let r = [pair(at(0), at(1)), pair(at(2), at(3)), pair(at(4), at(5)), pair(at(6), at(7))];
        register_op!({
            // Words 0 (even) and 1 (odd) of elements (0, 2), their words 2 and 3, then elements (1, 3) ..
            let even = [_mm512_unpacklo_epi64(r[0], r[1]), _mm512_unpacklo_epi64(r[2], r[3])];
            let odd = [_mm512_unpackhi_epi64(r[0], r[1]), _mm512_unpackhi_epi64(r[2], r[3])];
            [
                _mm512_shuffle_i64x2::<0x88>(even[0], even[1]),
                _mm512_shuffle_i64x2::<0x88>(odd[0], odd[1]),
                _mm512_shuffle_i64x2::<0xDD>(even[0], even[1]),
                _mm512_shuffle_i64x2::<0xDD>(odd[0], odd[1]),
            ]
        })
    }

    #[inline(always)]
    fn rows(words: [__m512i; 4]) -> [Limbs; 8] {
        let pairs: [__m512i; 4] = register_op!({
            let s = [
                _mm512_unpacklo_epi64(words[0], words[1]),
                _mm512_unpackhi_epi64(words[0], words[1]),
                _mm512_unpacklo_epi64(words[2], words[3]),
                _mm512_unpackhi_epi64(words[2], words[3]),
            ];
            let o = [
                _mm512_shuffle_i64x2::<0x44>(s[0], s[2]),
                _mm512_shuffle_i64x2::<0x44>(s[1], s[3]),
                _mm512_shuffle_i64x2::<0xEE>(s[0], s[2]),
                _mm512_shuffle_i64x2::<0xEE>(s[1], s[3]),
            ];
            [
                _mm512_shuffle_i64x2::<0xD8>(o[0], o[0]),
                _mm512_shuffle_i64x2::<0xD8>(o[1], o[1]),
                _mm512_shuffle_i64x2::<0xD8>(o[2], o[2]),
                _mm512_shuffle_i64x2::<0xD8>(o[3], o[3]),
            ]
        });
        // SAFETY: both are 256 bytes without padding, every bit pattern is valid.
        unsafe { std::mem::transmute::<[__m512i; 4], [Limbs; 8]>(pairs) }
    }
}

impl Halves<__m512i> for Instructions {
    #[inline(always)]
    fn madd_lo(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_madd52lo_epu64(acc, a, b))
    }

    #[inline(always)]
    fn madd_hi(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        register_op!(_mm512_madd52hi_epu64(acc, a, b))
    }
}

vector_kernel!(Avx512<Instructions>, 8, "avx512f,avx512ifma,bmi2,adx");
vector_kernel!(Avx512<Doubles>, 8, "avx512f,bmi2,adx");
