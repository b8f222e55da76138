//! The vector operations in which the vector kernels are written.
//!
//! `madd_lo` and `madd_hi` are VPMADD52LUQ and VPMADD52HUQ of Intel's Software Developer's Manual, volume 2, or the
//! same halves by other means: see `doubles`.

use super::modulus::Limbs;

/// Vectors of `LANES` 64-bit words, at most eight.
///
/// `words` may let some elements change places, where that makes transposing cheaper. Masks and `rows` count lanes in
/// the same way.
pub trait Simd: Copy + Send + Sync + 'static {
    const LANES: usize;
    type V: Copy + Send;
    type Rows: IntoIterator<Item = Limbs>;

    fn splat(x: u64) -> Self::V;
    /// acc + `LOW_ZERO` + the low 52 bits of the product of the low 52 bits of a and b.
    fn madd_lo(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// acc + `HIGH_ZERO` + bits 52 .. 104 of the product of the low 52 bits of a and b.
    fn madd_hi(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// What stands for zero; sums start with as many of them subtracted as halves will be added.
    const LOW_ZERO: u64;
    const HIGH_ZERO: u64;
    /// A halving takes so many instructions that a processor does not look far enough ahead to overlap multiplications
    /// whose rows wait for each other.
    const LONG: bool;
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
    /// The lanes of the elements whose number is odd, of `LANES` numbers.
    fn odd(numbers: &[u32]) -> u8;
    /// The lanes of the elements whose bit is set.
    fn placed(elements: u8) -> u8;
    /// The lanes that are zero.
    fn zeros(a: Self::V) -> u8;
    /// table[index] for indices below 16 (higher bits are ignored).
    fn lookup(table: &[u64; 16], index: Self::V) -> Self::V;
    /// Four vectors: vector w holds word w of all elements.
    fn words<'a>(at: impl Fn(usize) -> &'a Limbs) -> [Self::V; 4];
    /// The inverse of `words`.
    fn rows(words: [Self::V; 4]) -> Self::Rows;
}

/// How the product of two limbs is split into halves that are added, on vectors V: `madd_lo` and `madd_hi` of `Simd`.
pub trait Halves<V>: Copy + Send + Sync + 'static {
    const LOW_ZERO: u64 = 0;
    const HIGH_ZERO: u64 = 0;
    const LONG: bool = false;
    fn madd_lo(acc: V, a: V, b: V) -> V;
    fn madd_hi(acc: V, a: V, b: V) -> V;
}

/// The instructions of IFMA, in either encoding.
#[derive(Clone, Copy)]
pub struct Instructions;

/// Fused multiply-adds of doubles, in vectors of AVX-512: see `doubles`.
#[derive(Clone, Copy)]
pub struct Doubles;
