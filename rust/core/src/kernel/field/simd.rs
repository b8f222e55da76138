//! The vector operations in which the IFMA kernel is written.
//!
//! `madd_lo` and `madd_hi` are VPMADD52LUQ and VPMADD52HUQ of Intel's Software Developer's Manual, volume 2.

use super::modulus::Limbs;

/// Vectors of eight 64-bit words.
///
/// `words` puts element i into lane `LANE[i]`: transposing is cheapest when some elements change places. Masks and
/// `rows` count lanes in the same way.
pub trait Simd: Copy + Send + Sync + 'static {
    type V: Copy + Send;
    const LANE: [usize; 8];

    fn splat(x: u64) -> Self::V;
    /// acc + the low 52 bits of the product of the low 52 bits of a and b.
    fn madd_lo(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// acc + bits 52 .. 104 of the product of the low 52 bits of a and b.
    fn madd_hi(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn sub(a: Self::V, b: Self::V) -> Self::V;
    fn and(a: Self::V, b: Self::V) -> Self::V;
    fn or(a: Self::V, b: Self::V) -> Self::V;
    fn shl<const N: u32>(a: Self::V) -> Self::V;
    fn shr<const N: u32>(a: Self::V) -> Self::V;
    /// An arithmetic shift, which keeps the sign.
    fn sar<const N: u32>(a: Self::V) -> Self::V;
    /// a in the lanes whose bit is set, b in the others.
    fn select(lanes: u8, a: Self::V, b: Self::V) -> Self::V;
    /// The lanes of the elements whose number is odd, of eight numbers.
    fn odd(numbers: &[u32]) -> u8;
    /// The lanes of the elements whose bit is set.
    #[inline(always)]
    fn placed(elements: u8) -> u8 {
        // Elements 1 and 2 change places, and so do 5 and 6.
        elements & 0x99 | (elements & 0x22) << 1 | (elements & 0x44) >> 1
    }
    /// The lanes that are zero.
    fn zeros(a: Self::V) -> u8;
    /// table[index] for indices below 16 (higher bits are ignored).
    fn lookup(table: &[u64; 16], index: Self::V) -> Self::V;
    /// Four vectors: vector w holds word w of eight elements.
    fn words<'a>(at: impl Fn(usize) -> &'a Limbs) -> [Self::V; 4];
    /// The inverse of `words`.
    fn rows(words: [Self::V; 4]) -> [Limbs; 8];
}
