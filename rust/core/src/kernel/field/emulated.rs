//! The vector operations emulated: they test the IFMA kernel's logic on every machine.

use super::arith::{Kernel, Work};
use super::ifma::Ifma;
use super::modulus::{Limbs, MASK52};
use super::scalar::{PortableEngine, Scalar};
use super::simd::Simd;

/// Eight lanes in plain Rust, slow and the same on every machine. Not inlined, so that code written in them stays
/// small. Halves are added as IFMA does, or `BIASED` as `doubles` do.
#[derive(Clone, Copy)]
pub struct Emulated<const BIASED: bool = false>;

/// Where the elements stand, as in `avx512`.
const LANE: [usize; 8] = [0, 2, 1, 3, 4, 6, 5, 7];

fn zip(a: [u64; 8], b: [u64; 8], f: impl Fn(u64, u64) -> u64) -> [u64; 8] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

fn product_52(a: u64, b: u64) -> u128 {
    u128::from(a & MASK52) * u128::from(b & MASK52)
}

impl<const BIASED: bool> Simd for Emulated<BIASED> {
    const LANES: usize = 8;
    type V = [u64; 8];
    type Rows = [Limbs; 8];

    #[inline(never)]
    fn splat(x: u64) -> [u64; 8] {
        [x; 8]
    }

    #[inline(never)]
    fn madd_lo(acc: [u64; 8], a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        let low = zip(a, b, |x, y| (product_52(x, y) as u64 & MASK52).wrapping_add(Self::LOW_ZERO));
        zip(acc, low, u64::wrapping_add)
    }

    #[inline(never)]
    fn madd_hi(acc: [u64; 8], a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        let high = zip(a, b, |x, y| ((product_52(x, y) >> 52) as u64).wrapping_add(Self::HIGH_ZERO));
        zip(acc, high, u64::wrapping_add)
    }

    const LOW_ZERO: u64 = if BIASED { 0x433 << 52 } else { 0 };
    const HIGH_ZERO: u64 = if BIASED { 0x467 << 52 } else { 0 };
    const LONG: bool = BIASED;

    #[inline(never)]
    fn add(a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, u64::wrapping_add)
    }

    #[inline(never)]
    fn sub(a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, u64::wrapping_sub)
    }

    #[inline(never)]
    fn and(a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, |x, y| x & y)
    }

    #[inline(never)]
    fn or(a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, |x, y| x | y)
    }

    #[inline(never)]
    fn shl<const N: u32>(a: [u64; 8]) -> [u64; 8] {
        a.map(|x| x << N)
    }

    #[inline(never)]
    fn shr<const N: u32>(a: [u64; 8]) -> [u64; 8] {
        a.map(|x| x >> N)
    }

    #[inline(never)]
    fn sar<const N: u32>(a: [u64; 8]) -> [u64; 8] {
        a.map(|x| (x as i64 >> N) as u64)
    }

    #[inline(never)]
    fn select(lanes: u8, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        std::array::from_fn(|i| if lanes >> i & 1 == 1 { a[i] } else { b[i] })
    }

    #[inline(never)]
    fn odd(numbers: &[u32]) -> u8 {
        (0..8).map(|i| ((numbers[i] & 1) as u8) << LANE[i]).sum()
    }

    #[inline(never)]
    fn placed(elements: u8) -> u8 {
        (0..8).map(|i| (elements >> i & 1) << LANE[i]).sum()
    }

    #[inline(never)]
    fn zeros(a: [u64; 8]) -> u8 {
        (0..8).map(|i| u8::from(a[i] == 0) << i).sum()
    }

    #[inline(never)]
    fn lookup(table: &[u64; 16], index: [u64; 8]) -> [u64; 8] {
        index.map(|i| table[i as usize & 15])
    }

    #[inline(never)]
    fn words<'a>(at: impl Fn(usize) -> &'a Limbs) -> [[u64; 8]; 4] {
        let mut out = [[0; 8]; 4];
        for i in 0..8 {
            for (word, limb) in out.iter_mut().zip(at(i)) {
                word[LANE[i]] = *limb;
            }
        }
        out
    }

    #[inline(never)]
    fn rows(words: [[u64; 8]; 4]) -> [Limbs; 8] {
        std::array::from_fn(|i| words.map(|word| word[LANE[i]]))
    }
}

impl Kernel for Ifma<Emulated> {
    type Scalar = Scalar<PortableEngine>;
    type PerLane<T: Copy + Send + Sync> = [T; 8];

    #[inline(always)]
    fn per_lane<T: Copy + Send + Sync>(at: impl FnMut(usize) -> T) -> [T; 8] {
        std::array::from_fn(at)
    }

    #[inline(never)]
    fn enter<W: Work<Self>>(work: W) -> W::Out {
        work.run()
    }
}
