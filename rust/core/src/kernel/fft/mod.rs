//! Domains of the Groth16 quotient, and values carried from a domain to its coset by the kernel in use.
//!
//! The coset of {w^i}, n = 2^k times 1, 3, 9 or 13, is {g w^i} with g^2 = w: there t(X) = X^n - 1 is the constant -2.

pub mod dft;
pub mod extend;

use ark_ff::Field;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel;
use crate::kernel::field::{fr_limbs_mut, Fr};

use extend::{Extender, ODD_FACTORS};

pub use extend::{is_domain_size, MAX_LOG};

/// Smallest domain size with room for `rows` rows. Errors past 2^27.
pub fn domain_size(rows: usize) -> Result<usize> {
    let fitting = |odd: &usize| rows.max(2).div_ceil(*odd).max(2).checked_next_power_of_two().map(|n| n * odd);
    let size = ODD_FACTORS.iter().filter_map(fitting).min().filter(|n| *n <= 1 << MAX_LOG);
    size.ok_or_else(|| Error::Argument(format!("{rows} rows: the largest domain has 2^{MAX_LOG}")))
}

/// w of order n = 2^k times 1, 3, 9 or 13, k <= 28.
pub fn root_of_unity(n: usize) -> Result<Fr> {
    let root = dft::root_of_unity(n as u64);
    root.ok_or_else(|| Error::Argument(format!("no root of unity of order {n} in the scalar field")))
}

/// One domain, with its twiddle factors: some hundred bytes times the square root of its size.
pub struct Domain(Extender);

impl Domain {
    pub fn new(size: usize) -> Result<Self> {
        Ok(Domain(Extender::new(kernel::active(), size)?))
    }

    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Values on {w^i} -> values on {g w^i} of the same polynomial of degree < n. Errors: other length.
    pub fn extend(&self, values: &mut [Fr]) -> Result<()> {
        self.0.extend(fr_limbs_mut(values))
    }
}

/// All n Lagrange polynomials of the coset {shift * w^i} at `point`: indices start .. start + count.
///
/// L_i(x) = (x^n - s^n) / (n s^n) * s w^i / (x - s w^i).
pub fn lagrange_at(point: Fr, shift: Fr, size: usize, start: usize, count: usize) -> Result<Vec<Fr>> {
    let w = root_of_unity(size)?;
    let sn = shift.pow([size as u64]);
    let denominator = (Fr::from(size as u64) * sn).inverse();
    let factor = (point.pow([size as u64]) - sn) * denominator.ok_or(Error::DivisionByZero { index: 0 })?;
    let mut nodes = crate::kernel::field::powers(w, 1.max(count));
    let first = shift * w.pow([start as u64]);
    nodes.par_iter_mut().for_each(|x| *x *= first);
    let mut out: Vec<Fr> = nodes.par_iter().map(|x| point - x).collect();
    crate::kernel::field::batch_inverse(&mut out)?;
    out.par_iter_mut().zip(&nodes).for_each(|(o, x)| *o *= factor * x);
    out.truncate(count);
    Ok(out)
}
