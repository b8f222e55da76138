//! Number-theoretic transforms over Fr for the Groth16 quotient: radix 2, no bit reversal, parallel.
//!
//! `interpolate` takes values on the domain {w^i} to n times the coefficients, in bit-reversed order;
//! `evaluate_on_coset` takes coefficients in bit-reversed order to values on the coset {g w^i}, g^2 = w, in natural
//! order. The coset is where t(X) = X^n - 1 is the constant -2.

use ark_ff::{FftField, Field};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::field::Fr;

/// log2 of the largest domain: the 2-adicity of r - 1 is 28, and the coset needs a root of order 2n.
pub const MAX_LOG: u32 = 27;

/// Transforms up to this size run on one thread.
const SERIAL: usize = 1 << 12;

/// Smallest domain size with room for `rows` rows. Errors past 2^27.
pub fn domain_size(rows: usize) -> Result<usize> {
    let size = rows.max(2).checked_next_power_of_two().filter(|n| *n <= 1 << MAX_LOG);
    size.ok_or_else(|| Error::Argument(format!("{rows} rows: the largest domain has 2^{MAX_LOG}")))
}

/// True when `n` is a domain size that this module can transform.
pub fn is_domain_size(n: usize) -> bool {
    n.is_power_of_two() && (2..=1 << MAX_LOG).contains(&n)
}

/// w of order n. n is a power of two, at most 2^28.
pub fn root_of_unity(n: usize) -> Result<Fr> {
    let root = Fr::get_root_of_unity(n as u64);
    root.ok_or_else(|| Error::Argument(format!("no root of unity of order {n} in the scalar field")))
}

/// Twiddle factors for one domain size; 64 n bytes.
pub struct Domain {
    size: usize,
    /// For half = 1, 2, 4 .. n/2, consecutively: (w')^j, j < half, with w' of order 2 half.
    plain: Vec<Fr>,
    /// The same places: g' (w')^j with g'^2 = w'.
    coset: Vec<Fr>,
}

impl Domain {
    pub fn new(size: usize) -> Result<Self> {
        if !is_domain_size(size) {
            return Err(Error::Argument(format!("{size} is not a domain size")));
        }
        let mut plain = Vec::with_capacity(size);
        let mut coset = Vec::with_capacity(size);
        // Powers of the root of order 2n; each layer picks its own stride.
        let fine = crate::field::powers(root_of_unity(2 * size)?, size);
        let mut half = 1;
        while half < size {
            let stride = size / half;
            plain.extend((0..half).map(|j| fine[j * stride]));
            coset.extend((0..half).map(|j| fine[j * stride + stride / 2]));
            half *= 2;
        }
        Ok(Domain { size, plain, coset })
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Values on {w^i} -> n * coefficients, bit-reversed. `values.len()` is the domain size.
    pub fn interpolate(&self, values: &mut [Fr]) {
        debug_assert_eq!(values.len(), self.size);
        self.decimate_frequency(values);
    }

    /// Coefficients, bit-reversed -> values on {g w^i}, natural order.
    pub fn evaluate_on_coset(&self, values: &mut [Fr]) {
        debug_assert_eq!(values.len(), self.size);
        decimate_time(&self.coset, values);
    }

    /// Coefficients, bit-reversed -> values on {w^i}, natural order.
    pub fn evaluate(&self, values: &mut [Fr]) {
        debug_assert_eq!(values.len(), self.size);
        decimate_time(&self.plain, values);
    }

    /// Butterflies with w^-j = -w^(half - j), so that one table serves both directions.
    fn decimate_frequency(&self, values: &mut [Fr]) {
        let half = values.len() / 2;
        if half == 0 {
            return;
        }
        let twiddles = layer(&self.plain, half);
        let (low, high) = values.split_at_mut(half);
        let inverse_twiddle = |j: usize, x: Fr, y: Fr| match j {
            0 => x - y,
            _ => (y - x) * twiddles[half - j],
        };
        butterflies(low, high, |j, x, y| (x + y, inverse_twiddle(j, x, y)));
        if values.len() > SERIAL {
            let (low, high) = values.split_at_mut(half);
            rayon::join(|| self.decimate_frequency(low), || self.decimate_frequency(high));
        } else {
            let (low, high) = values.split_at_mut(half);
            self.decimate_frequency(low);
            self.decimate_frequency(high);
        }
    }
}

/// The twiddles of the layer that joins two halves of the given length.
#[inline]
fn layer(table: &[Fr], half: usize) -> &[Fr] {
    &table[half - 1..2 * half - 1]
}

fn decimate_time(table: &[Fr], values: &mut [Fr]) {
    let half = values.len() / 2;
    if half == 0 {
        return;
    }
    let (low, high) = values.split_at_mut(half);
    if values_are_many(half) {
        rayon::join(|| decimate_time(table, low), || decimate_time(table, high));
    } else {
        decimate_time(table, low);
        decimate_time(table, high);
    }
    let twiddles = layer(table, half);
    butterflies(low, high, |j, x, y| {
        let t = y * twiddles[j];
        (x + t, x - t)
    });
}

#[inline]
fn values_are_many(half: usize) -> bool {
    2 * half > SERIAL
}

/// (low[j], high[j]) = step(j, low[j], high[j]) for all j.
#[inline(always)]
fn butterflies(low: &mut [Fr], high: &mut [Fr], step: impl Fn(usize, Fr, Fr) -> (Fr, Fr) + Sync) {
    let serial = |start: usize, low: &mut [Fr], high: &mut [Fr]| {
        for (j, (x, y)) in low.iter_mut().zip(high.iter_mut()).enumerate() {
            (*x, *y) = step(start + j, *x, *y);
        }
    };
    if low.len() < SERIAL {
        return serial(0, low, high);
    }
    let pairs = low.par_chunks_mut(SERIAL / 2).zip(high.par_chunks_mut(SERIAL / 2));
    pairs.enumerate().for_each(|(i, (x, y))| serial(i * SERIAL / 2, x, y));
}

/// All n Lagrange polynomials of the coset {shift * w^i} at `point`: indices start .. start + count.
///
/// L_i(x) = (x^n - s^n) / (n s^n) * s w^i / (x - s w^i).
pub fn lagrange_at(point: Fr, shift: Fr, size: usize, start: usize, count: usize) -> Result<Vec<Fr>> {
    let w = root_of_unity(size)?;
    let sn = shift.pow([size as u64]);
    let denominator = (Fr::from(size as u64) * sn).inverse();
    let factor = (point.pow([size as u64]) - sn) * denominator.ok_or(Error::DivisionByZero { index: 0 })?;
    let mut nodes = crate::field::powers(w, 1.max(count));
    let first = shift * w.pow([start as u64]);
    nodes.par_iter_mut().for_each(|x| *x *= first);
    let mut out: Vec<Fr> = nodes.par_iter().map(|x| point - x).collect();
    crate::field::batch_inverse(&mut out)?;
    out.par_iter_mut().zip(&nodes).for_each(|(o, x)| *o *= factor * x);
    out.truncate(count);
    Ok(out)
}
