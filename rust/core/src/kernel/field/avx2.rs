//! The vector operations as AVX2 instructions: four elements at once.
//!
//! With products by AVX-IFMA: client processors of Intel since 2024.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::ifma::vector_kernel;
use super::modulus::Limbs;
#[cfg(test)]
use super::modulus::MASK52;
use super::simd::{Halves, Instructions, Simd};

/// Vectors of AVX2, with products by `P`. Only used inside `Kernel::enter` below, which is reached through a `KernelId`:
/// it exists where the machine has the instructions.
#[derive(Clone, Copy)]
pub struct Avx2<P>(PhantomData<P>);

/// True when this machine has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avxifma")
        && std::arch::is_x86_feature_detected!("avx2")
        && super::adx::available()
}

/// An instruction that works on registers only.
macro_rules! register_op {
    ($call:expr) => {
        // SAFETY: it touches no memory, and the machine has it: this code is reached through a `KernelId`.
        unsafe { $call }
    };
}

/// The lanes whose sign bit is set.
#[inline(always)]
fn signs(a: __m256i) -> u8 {
    register_op!(_mm256_movemask_pd(_mm256_castsi256_pd(a)) as u8)
}

/// Rows to columns and back, four times four words.
#[inline(always)]
fn transposed(r: [__m256i; 4]) -> [__m256i; 4] {
    register_op!({
        let (even, odd) = (_mm256_unpacklo_epi64(r[0], r[1]), _mm256_unpackhi_epi64(r[0], r[1]));
        let (even_up, odd_up) = (_mm256_unpacklo_epi64(r[2], r[3]), _mm256_unpackhi_epi64(r[2], r[3]));
        [
            _mm256_permute2x128_si256::<0x20>(even, even_up),
            _mm256_permute2x128_si256::<0x20>(odd, odd_up),
            _mm256_permute2x128_si256::<0x31>(even, even_up),
            _mm256_permute2x128_si256::<0x31>(odd, odd_up),
        ]
    })
}

impl<P: Halves<__m256i>> Simd for Avx2<P> {
    const LANES: usize = 4;
    type V = __m256i;
    type Rows = [Limbs; 4];

    #[inline(always)]
    fn splat(x: u64) -> __m256i {
        register_op!(_mm256_set1_epi64x(x as i64))
    }

    #[inline(always)]
    fn madd_lo(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        P::madd_lo(acc, a, b)
    }

    #[inline(always)]
    fn madd_hi(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        P::madd_hi(acc, a, b)
    }

    const LOW_ZERO: u64 = P::LOW_ZERO;
    const HIGH_ZERO: u64 = P::HIGH_ZERO;
    const LONG: bool = P::LONG;

    #[inline(always)]
    fn add(a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_add_epi64(a, b))
    }

    #[inline(always)]
    fn sub(a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_sub_epi64(a, b))
    }

    #[inline(always)]
    fn and(a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_and_si256(a, b))
    }

    #[inline(always)]
    fn or(a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_or_si256(a, b))
    }

    // The counts of shifts are constants of another type than the instructions with an immediate take; compilers see
    // through it.

    #[inline(always)]
    fn shl<const N: u32>(a: __m256i) -> __m256i {
        register_op!(_mm256_sll_epi64(a, _mm_cvtsi32_si128(N as i32)))
    }

    #[inline(always)]
    fn shr<const N: u32>(a: __m256i) -> __m256i {
        register_op!(_mm256_srl_epi64(a, _mm_cvtsi32_si128(N as i32)))
    }

    /// AVX2 has no arithmetic shift of 64 bits: floor(a / 2^N) = floor((a + 2^63) / 2^N) - 2^(63 - N).
    #[inline(always)]
    fn sar<const N: u32>(a: __m256i) -> __m256i {
        Self::sub(Self::shr::<N>(Self::add(a, Self::splat(1 << 63))), Self::splat(1 << (63 - N)))
    }

    #[inline(always)]
    fn select(lanes: u8, a: __m256i, b: __m256i) -> __m256i {
        register_op!({
            let bit = _mm256_set_epi64x(8, 4, 2, 1);
            let chosen = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(lanes as i64), bit), bit);
            _mm256_blendv_epi8(b, a, chosen)
        })
    }

    #[inline(always)]
    fn odd(numbers: &[u32]) -> u8 {
        let numbers: &[u32; 4] = &numbers.as_chunks::<4>().0[0];
        // SAFETY: reads the 16 bytes behind the reference; the machine has the instructions, as in `register_op`.
        unsafe {
            _mm_movemask_ps(_mm_castsi128_ps(_mm_slli_epi32::<31>(_mm_loadu_si128(numbers.as_ptr().cast())))) as u8
        }
    }

    /// Lanes stand in the order of their elements.
    #[inline(always)]
    fn placed(elements: u8) -> u8 {
        elements
    }

    #[inline(always)]
    fn zeros(a: __m256i) -> u8 {
        signs(register_op!(_mm256_cmpeq_epi64(a, _mm256_setzero_si256())))
    }

    #[inline(always)]
    fn lookup(table: &[u64; 16], index: __m256i) -> __m256i {
        // SAFETY: reads words of the table, as the indices are below 16; the machine has the instruction.
        unsafe { _mm256_i64gather_epi64::<8>(table.as_ptr().cast(), _mm256_and_si256(index, _mm256_set1_epi64x(15))) }
    }

    #[inline(always)]
    fn words<'a>(at: impl Fn(usize) -> &'a Limbs) -> [__m256i; 4] {
        let mut rows = [Self::splat(0); 4];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: reads the 32 bytes behind the reference; the machine has the instruction.
            *row = unsafe { _mm256_loadu_si256(at(i).as_ptr().cast()) };
        }
        transposed(rows)
    }

    #[inline(always)]
    fn rows(words: [__m256i; 4]) -> [Limbs; 4] {
        // SAFETY: both are 128 bytes without padding, every bit pattern is valid.
        unsafe { std::mem::transmute::<[__m256i; 4], [Limbs; 4]>(transposed(words)) }
    }
}

impl Halves<__m256i> for Instructions {
    #[inline(always)]
    fn madd_lo(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_madd52lo_avx_epu64(acc, a, b))
    }

    #[inline(always)]
    fn madd_hi(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        register_op!(_mm256_madd52hi_avx_epu64(acc, a, b))
    }
}

vector_kernel!(Avx2<Instructions>, 4, "avx2,avxifma,bmi2,adx");

/// AVX-IFMA's two instructions, a lane at a time: all else of `Avx2` is tested on every machine that has AVX2.
#[cfg(test)]
#[derive(Clone, Copy)]
pub struct PerLane;

#[cfg(test)]
impl PerLane {
    fn each(acc: __m256i, a: __m256i, b: __m256i, half: impl Fn(u128) -> u64) -> __m256i {
        // SAFETY: both are 32 bytes without padding, every bit pattern is valid.
        let words = |v| unsafe { std::mem::transmute::<__m256i, [u64; 4]>(v) };
        let (acc, a, b) = (words(acc), words(a), words(b));
        let sums: [u64; 4] = std::array::from_fn(|i| {
            let product = u128::from(a[i] & MASK52) * u128::from(b[i] & MASK52);
            acc[i].wrapping_add(half(product))
        });
        // SAFETY: as above.
        unsafe { std::mem::transmute::<[u64; 4], __m256i>(sums) }
    }
}

#[cfg(test)]
impl Halves<__m256i> for PerLane {
    #[inline(never)]
    fn madd_lo(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        Self::each(acc, a, b, |product| product as u64 & MASK52)
    }

    #[inline(never)]
    fn madd_hi(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        Self::each(acc, a, b, |product| (product >> 52) as u64)
    }
}

#[cfg(test)]
vector_kernel!(Avx2<PerLane>, 4, "avx2,bmi2,adx");
