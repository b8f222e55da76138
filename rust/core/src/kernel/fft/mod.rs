//! Domains of the Groth16 quotient, and values carried from a domain to its coset by the kernel in use.
//!
//! A domain {w^i} has n = 2^k times 1, 3, 9 or 13 elements. Its coset is {g w^i} with g^2 = w, on which t(X) = X^n - 1
//! is the constant -2.
//!
//! - `extend`: from values on a domain to values on its coset;
//! - `dft`: one short transform in a buffer, of which `extend` is made.

pub mod dft;
pub mod extend;

use ark_ff::{FftField, Field};
use rayon::prelude::*;

use extend::Extender;

use crate::error::{Error, Result};
use crate::kernel;
use crate::kernel::field::modulus::{Modulus, Order};
use crate::kernel::field::{batch_inverse, fr_limbs_mut, powers, Fr, Limbs};

/// log2 of the largest power of two in a domain: the coset needs a root of unity of order 2n, and 2^28 divides r - 1.
pub const MAX_LOG: u32 = 27;
/// The odd factors of domain sizes; 9 and 13 divide r - 1. They make the next domain at most a third larger, where
/// powers of two alone may double it.
const ODD_FACTORS: [usize; 4] = [1, 3, 9, 13];

/// True when `n` is a domain size: 2^k times 1, 3, 9 or 13 with k from 1 to `MAX_LOG`.
pub fn is_domain_size(n: usize) -> bool {
    (1..=MAX_LOG).contains(&n.trailing_zeros()) && ODD_FACTORS.contains(&(n >> n.trailing_zeros()))
}

/// The smallest domain size with room for `rows` rows. Errors: it is above 2^`MAX_LOG`.
pub fn domain_size(rows: usize) -> Result<usize> {
    let fitting = |odd: &usize| rows.max(2).div_ceil(*odd).max(2).checked_next_power_of_two().map(|n| n * odd);
    let size = ODD_FACTORS.iter().filter_map(fitting).min().filter(|n| *n <= 1 << MAX_LOG);
    size.ok_or_else(|| Error::Argument(format!("{rows} rows: the largest domain has 2^{MAX_LOG}")))
}

/// w(n) of order n = odd 2^log, chosen so that w(2n)^2 = w(n). Errors: n does not divide r - 1.
pub fn root_of_unity(n: usize) -> Result<Fr> {
    let find = || {
        let log = n.trailing_zeros();
        let odd = n.checked_shr(log)? as u64;
        let two = Fr::get_root_of_unity(1 << log)?;
        // v = g^((r - 1) / odd), g a generator of the whole group, has order odd, and so has v^(2^-log mod odd).
        // Raising log by one halves that exponent modulo odd, which is what w(2n)^2 = w(n) asks for.
        let (quotient, rest) = divide_order(odd);
        let exponent = (0..log).fold(1 % odd, |e, _| e * odd.div_ceil(2) % odd);
        (rest == 0).then(|| two * Fr::GENERATOR.pow(quotient).pow([exponent]))
    };
    find().ok_or_else(|| Error::Argument(format!("no root of unity of order {n} in the scalar field")))
}

/// (r - 1) / d and the remainder.
fn divide_order(d: u64) -> (Limbs, u64) {
    let mut value = Order::P;
    value[0] -= 1;
    let mut rest = 0u128;
    for limb in value.iter_mut().rev() {
        let wide = (rest << 64) | u128::from(*limb);
        *limb = (wide / u128::from(d)) as u64;
        rest = wide % u128::from(d);
    }
    (value, rest as u64)
}

/// A domain with its twiddle factors, which take some hundred bytes times the square root of its size.
pub struct Domain(Extender);

impl Domain {
    /// Errors: not a domain size.
    pub fn new(size: usize) -> Result<Self> {
        Ok(Domain(Extender::new(kernel::active(), size)?))
    }

    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Replaces the values on {w^i} of a polynomial of degree < n by its values on {g w^i}. Errors: not n values.
    pub fn extend(&self, values: &mut [Fr]) -> Result<()> {
        self.0.extend(fr_limbs_mut(values))
    }
}

/// Values at `point` of the Lagrange polynomials L_start .. L_(start + count - 1) of the coset {s w^i}, s = `shift`.
///
/// L_i(x) = (x^n - s^n) / (n s^n) * s w^i / (x - s w^i). Errors: the point lies on the coset.
pub fn lagrange_at(point: Fr, shift: Fr, size: usize, start: usize, count: usize) -> Result<Vec<Fr>> {
    let w = root_of_unity(size)?;
    let sn = shift.pow([size as u64]);
    let denominator = (Fr::from(size as u64) * sn).inverse();
    let factor = (point.pow([size as u64]) - sn) * denominator.ok_or(Error::DivisionByZero { index: 0 })?;
    let mut nodes = powers(w, 1.max(count));
    let first = shift * w.pow([start as u64]);
    nodes.par_iter_mut().for_each(|x| *x *= first);
    let mut out: Vec<Fr> = nodes.par_iter().map(|x| point - x).collect();
    batch_inverse(&mut out)?;
    out.par_iter_mut().zip(&nodes).for_each(|(o, x)| *o *= factor * x);
    out.truncate(count);
    Ok(out)
}

#[cfg(test)]
mod tests;
