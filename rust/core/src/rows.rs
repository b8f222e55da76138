//! Borrowed sparse rows in compressed sparse row form, as the circuit streams them, and their products with vectors.

use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};
use rayon::prelude::*;

use crate::error::{expect_len, Error, Result};
use crate::kernel::field::{lowered as raw, Fr, Limbs, MONTGOMERY_R};
use crate::pool::SERIAL_BELOW;

/// r - 1, without a borrow because r is odd.
const MINUS_ONE: Limbs = [Fr::MODULUS.0[0] - 1, Fr::MODULUS.0[1], Fr::MODULUS.0[2], Fr::MODULUS.0[3]];

/// Coefficients: signed 64-bit integers, or canonical little-endian limbs below r.
#[derive(Clone, Copy)]
pub enum Coefficients<'a> {
    Small(&'a [i64]),
    Wide(&'a [Limbs]),
}

impl Coefficients<'_> {
    fn len(&self) -> usize {
        match self {
            Coefficients::Small(v) => v.len(),
            Coefficients::Wide(v) => v.len(),
        }
    }
}

/// Sparse rows: row i has the entries indptr[i] .. indptr[i + 1] of `cols` and `vals`. `new` checks them.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    indptr: &'a [i64],
    cols: &'a [u32],
    vals: Coefficients<'a>,
}

impl<'a> Rows<'a> {
    /// Errors: indptr does not rise from 0 to the number of entries, a column is not below `width`, a wide coefficient
    /// not below r.
    pub fn new(indptr: &'a [i64], cols: &'a [u32], vals: Coefficients<'a>, width: usize) -> Result<Self> {
        let ends = (indptr.first().copied(), indptr.last().copied());
        if ends != (Some(0), Some(cols.len() as i64)) || indptr.windows(2).any(|w| w[0] > w[1]) {
            return Err(Error::Argument(format!("indptr: expected to rise from 0 to {}, got {ends:?}", cols.len())));
        }
        expect_len("vals", vals.len(), cols.len())?;
        if let Some(col) = cols.iter().find(|c| **c as usize >= width) {
            return Err(Error::Argument(format!("cols: expected wires below {width}, got {col}")));
        }
        if let Coefficients::Wide(wide) = vals {
            if wide.iter().any(|v| BigInt(*v) >= Fr::MODULUS) {
                return Err(Error::Argument("vals: expected canonical limbs below r".into()));
            }
        }
        Ok(Rows { indptr, cols, vals })
    }

    /// Rows whose entries have been checked by whoever read them.
    pub(crate) fn of_checked(indptr: &'a [i64], cols: &'a [u32], vals: Coefficients<'a>) -> Self {
        Rows { indptr, cols, vals }
    }

    pub fn count(&self) -> usize {
        self.indptr.len() - 1
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.indptr[row] as usize..self.indptr[row + 1] as usize
    }

    /// Calls each(row, col, val) for every entry, in order.
    pub fn for_each(&self, mut each: impl FnMut(usize, usize, Fr)) {
        for row in 0..self.count() {
            for k in self.range(row) {
                each(row, self.cols[k] as usize, self.times(&Fr::ONE, &MONTGOMERY_R, k));
            }
        }
    }

    /// Adds val * weight[row] to out[col] for every entry.
    pub fn scatter(&self, weights: &[Fr], out: &mut [Fr]) {
        for (row, weight) in weights.iter().enumerate().take(self.count()) {
            // (weight R) * (value / R): so the integers need no conversion to Montgomery form, one by one.
            let lifted = *weight * MONTGOMERY_R;
            for k in self.range(row) {
                out[self.cols[k] as usize] += self.times(weight, &lifted, k);
            }
        }
    }

    /// weight * vals[k]; `lifted` is weight R.
    #[inline(always)]
    fn times(&self, weight: &Fr, lifted: &Fr, k: usize) -> Fr {
        match self.vals {
            Coefficients::Small(v) => match v[k] {
                1 => *weight,
                -1 => -*weight,
                x if x < 0 => -(*lifted * raw([x.unsigned_abs(), 0, 0, 0])),
                x => *lifted * raw([x as u64, 0, 0, 0]),
            },
            Coefficients::Wide(v) => *lifted * raw(v[k]),
        }
    }

    /// The sum of val * z[col] over each row.
    pub fn multiply(&self, z: &[Fr]) -> Vec<Fr> {
        if self.count() <= SERIAL_BELOW {
            return (0..self.count()).map(|row| self.dot(row, z)).collect();
        }
        (0..self.count()).into_par_iter().with_min_len(256).map(|row| self.dot(row, z)).collect()
    }

    /// The sum of val * z[col] over one row.
    fn dot(&self, row: usize, z: &[Fr]) -> Fr {
        let mut plain = Fr::ZERO;
        let mut low = Fr::ZERO;
        for k in self.range(row) {
            let x = &z[self.cols[k] as usize];
            match self.vals {
                Coefficients::Small(v) => match v[k] {
                    1 => plain += x,
                    -1 => plain -= x,
                    c if c < 0 => low -= *x * raw([c.unsigned_abs(), 0, 0, 0]),
                    c => low += *x * raw([c as u64, 0, 0, 0]),
                },
                Coefficients::Wide(v) => match v[k] {
                    [1, 0, 0, 0] => plain += x,
                    MINUS_ONE => plain -= x,
                    limbs => low += *x * raw(limbs),
                },
            }
        }
        if low == Fr::ZERO {
            return plain;
        }
        plain + low * MONTGOMERY_R
    }
}
