//! The scalar field Fr and the base field Fp of BN254: conversions, randomness, powers, inverses of many elements.
//!
//! In memory an element is four little-endian 64-bit limbs in Montgomery form (x * 2^256 mod modulus), fully reduced.
//! These are arkworks' elements, used wherever time does not matter. The kernels work on the same limbs:
//!
//! - `modulus`: the two moduli and the constants that follow from them; `wide`: four-limb integers;
//! - `arith`: the interface that algorithms are written against;
//! - `scalar`: single elements, multiplied by `portable`, `adx` or `arm64`; conditional subtractions are in `x86` and
//!   `arm64`;
//! - `ifma`: four or eight elements at once, written in the operations of `simd`, which `avx512` and `avx2` provide, and
//!   `emulated` in tests; products of limbs by IFMA's instructions or by `doubles`;
//! - `inverse`: modular inversion; `measure`: the unit in which benchmarks count.

#[cfg(target_arch = "x86_64")]
pub mod adx;
pub mod arith;
#[cfg(target_arch = "aarch64")]
pub mod arm64;
#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
#[cfg(target_arch = "x86_64")]
pub mod doubles;
#[cfg(any(test, debug_assertions))]
pub mod emulated;
pub mod ifma;
pub mod inverse;
pub mod measure;
pub mod modulus;
pub mod portable;
pub mod scalar;
pub mod simd;
pub mod wide;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use ark_ff::{AdditiveGroup, BigInt, Field, MontConfig, PrimeField};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::pool::SERIAL_BELOW;

pub use ark_bn254::{Fq as Fp, Fq2 as Fp2, Fr};
pub use modulus::Limbs;

pub const BYTES: usize = 32;

/// The Montgomery limbs of an element, as they lie in memory.
#[inline(always)]
pub fn fp_limbs(x: &Fp) -> Limbs {
    x.0 .0
}

/// The element with these Montgomery limbs; the caller keeps them below p.
#[inline(always)]
pub fn fp_from_limbs(limbs: Limbs) -> Fp {
    Fp::new_unchecked(BigInt(limbs))
}

// Elements are four limbs and nothing else, so the limbs are where the element is.
const _: () = assert!(size_of::<Fr>() == size_of::<Limbs>() && align_of::<Fr>() == align_of::<Limbs>());

/// The Montgomery limbs of many elements, without a copy.
pub fn fr_limbs(values: &[Fr]) -> &[Limbs] {
    // SAFETY: an element is structs around four limbs; by the assertion nothing else is in it, so they are at its
    // start.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}

/// The same for writing; the caller leaves residues below r behind.
pub fn fr_limbs_mut(values: &mut [Fr]) -> &mut [Limbs] {
    // SAFETY: as in `fr_limbs`; any limbs are a valid element in memory, and the caller keeps them below r.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}

/// The element R = 2^256 mod r.
pub const MONTGOMERY_R: Fr = Fr::new_unchecked(<ark_bn254::FrConfig as MontConfig<4>>::R2);

/// The element value / R, R = 2^256: an integer below r is taken for Montgomery limbs, which costs nothing.
#[inline(always)]
pub fn lowered(value: Limbs) -> Fr {
    Fr::new_unchecked(BigInt(value))
}

/// The limbs of the integer in [0, r) that the element is, not those of its Montgomery form.
#[inline(always)]
pub fn canonical(x: &Fr) -> Limbs {
    x.into_bigint().0
}

/// A signed integer as a field element.
#[inline]
pub fn fr_from_i64(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 {
        -magnitude
    } else {
        magnitude
    }
}

fn limbs_from_le(bytes: &[u8; BYTES]) -> Limbs {
    std::array::from_fn(|i| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[8 * i..8 * i + 8]);
        u64::from_le_bytes(word)
    })
}

fn limbs_to_le(limbs: Limbs) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    bytes
}

fn reversed(bytes: &[u8; BYTES]) -> [u8; BYTES] {
    std::array::from_fn(|i| bytes[BYTES - 1 - i])
}

/// The element of either field with these canonical limbs; None when they are not below the modulus.
pub fn from_canonical<F: PrimeField<BigInt = BigInt<4>>>(limbs: Limbs) -> Option<F> {
    F::from_bigint(BigInt(limbs))
}

/// The element in 32 little-endian bytes; None when the integer is not below the modulus.
pub fn from_le<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; BYTES]) -> Option<F> {
    from_canonical(limbs_from_le(bytes))
}

/// The element in 32 big-endian bytes; None when the integer is not below the modulus.
pub fn from_be<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; BYTES]) -> Option<F> {
    from_le(&reversed(bytes))
}

pub fn to_le<F: PrimeField<BigInt = BigInt<4>>>(x: &F) -> [u8; BYTES] {
    limbs_to_le(x.into_bigint().0)
}

pub fn to_be<F: PrimeField<BigInt = BigInt<4>>>(x: &F) -> [u8; BYTES] {
    reversed(&to_le(x))
}

/// Any 32 big-endian bytes, reduced mod r.
pub fn reduce_be(bytes: &[u8; BYTES]) -> Fr {
    Fr::from_be_bytes_mod_order(bytes)
}

/// A uniform element (bias below 2^-250) from the operating system's randomness.
pub fn random() -> Result<Fr> {
    let mut wide = zeroize::Zeroizing::new([0u8; 64]);
    getrandom::fill(wide.as_mut()).map_err(|e| Error::Internal(format!("no randomness: {e}")))?;
    Ok(Fr::from_le_bytes_mod_order(wide.as_ref()))
}

/// A uniform element other than 0, 1 and -1.
pub fn random_trapdoor() -> Result<Fr> {
    loop {
        let x = random()?;
        if x != Fr::ZERO && x != Fr::ONE && x != -Fr::ONE {
            return Ok(x);
        }
    }
}

/// The first `count` powers 1, base, base^2, ...
pub fn powers(base: Fr, count: usize) -> Vec<Fr> {
    let mut out = vec![Fr::ZERO; count];
    let fill = |(i, part): (usize, &mut [Fr])| {
        let mut value = base.pow([(i * SERIAL_BELOW) as u64]);
        for slot in part {
            *slot = value;
            value *= base;
        }
    };
    if count <= SERIAL_BELOW {
        fill((0, &mut out));
    } else {
        out.par_chunks_mut(SERIAL_BELOW).enumerate().for_each(fill);
    }
    out
}

/// Inverts every element in place, with one inversion per chunk. Errors: the index of an element that is zero.
pub fn batch_inverse(values: &mut [Fr]) -> Result<()> {
    let invert = |(i, chunk): (usize, &mut [Fr])| {
        invert_chunk(chunk).map_err(|at| Error::DivisionByZero { index: i * SERIAL_BELOW + at })
    };
    if values.len() <= SERIAL_BELOW {
        return invert((0, values));
    }
    values.par_chunks_mut(SERIAL_BELOW).enumerate().try_for_each(invert)
}

/// Inverts one chunk by Montgomery's trick (P. L. Montgomery, "Speeding the Pollard and elliptic curve methods of
/// factorization", Math. Comp. 48, 1987). `Err(index)` of the first zero, with the chunk unchanged.
fn invert_chunk(values: &mut [Fr]) -> std::result::Result<(), usize> {
    if let Some(at) = values.iter().position(|x| *x == Fr::ZERO) {
        return Err(at);
    }
    let mut prefix = Vec::with_capacity(values.len());
    let mut product = Fr::ONE;
    for x in values.iter() {
        prefix.push(product);
        product *= x;
    }
    let Some(mut inverse) = product.inverse() else { return Err(0) };
    for (x, before) in values.iter_mut().zip(prefix).rev() {
        let next = inverse * *x;
        *x = inverse * before;
        inverse = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
