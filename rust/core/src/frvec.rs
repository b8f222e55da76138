//! Vectors of field elements: elementwise arithmetic, scans and reductions, parallel where it pays.

use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;

use crate::error::{expect_len, Error, Result};
use crate::kernel::field::{self, Fr, BYTES};
use crate::pool::SERIAL_BELOW;

/// Elementwise operations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
}

impl Op {
    #[inline(always)]
    fn apply(self, x: &Fr, y: &Fr) -> Fr {
        match self {
            Op::Add => *x + y,
            Op::Sub => *x - y,
            Op::Mul => *x * y,
        }
    }
}

/// f(0), f(1), .. f(len - 1); on the calling thread when there are few.
fn tabulate<T: Send>(len: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    if len <= SERIAL_BELOW {
        return (0..len).map(f).collect();
    }
    (0..len).into_par_iter().with_min_len(SERIAL_BELOW / 2).map(f).collect()
}

/// f(0), f(1), .. f(len - 1) for an f that can fail. Errors: one of its failures.
fn try_tabulate<T: Send>(len: usize, f: impl Fn(usize) -> Result<T> + Sync + Send) -> Result<Vec<T>> {
    if len <= SERIAL_BELOW {
        return (0..len).map(f).collect();
    }
    (0..len).into_par_iter().with_min_len(SERIAL_BELOW / 2).map(f).collect()
}

/// f(0) + .. + f(len - 1).
fn total(len: usize, f: impl Fn(usize) -> Fr + Sync + Send) -> Fr {
    if len <= SERIAL_BELOW {
        return (0..len).map(f).sum();
    }
    (0..len).into_par_iter().with_min_len(SERIAL_BELOW / 2).map(f).reduce(|| Fr::ZERO, |x, y| x + y)
}

/// Applies `f` to chunks of the given size, in parallel when there is more than one.
fn each_chunk(values: &mut [Fr], size: usize, f: impl Fn(usize, &mut [Fr]) + Sync + Send) {
    if values.is_empty() {
        return;
    }
    if values.len() <= size {
        f(0, values);
    } else {
        values.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i, chunk));
    }
}

/// `op` element by element; a vector of length one is combined with every element of the other. Errors: the lengths
/// differ.
pub fn combine(op: Op, a: &[Fr], b: &[Fr]) -> Result<Vec<Fr>> {
    match (a, b) {
        (a, [y]) => Ok(tabulate(a.len(), |i| op.apply(&a[i], y))),
        ([x], b) => Ok(tabulate(b.len(), |i| op.apply(x, &b[i]))),
        (a, b) => {
            expect_len("right operand", b.len(), a.len())?;
            Ok(tabulate(a.len(), |i| op.apply(&a[i], &b[i])))
        }
    }
}

pub fn negate(values: &[Fr]) -> Vec<Fr> {
    tabulate(values.len(), |i| -values[i])
}

/// The inverse of each element. Errors: the index of an element that is zero.
pub fn inverse(values: &[Fr]) -> Result<Vec<Fr>> {
    let mut out = values.to_vec();
    field::batch_inverse(&mut out)?;
    Ok(out)
}

pub fn sum(values: &[Fr]) -> Fr {
    total(values.len(), |i| values[i])
}

/// The sum of a_i b_i. Errors: the lengths differ.
pub fn dot(a: &[Fr], b: &[Fr]) -> Result<Fr> {
    expect_len("right operand", b.len(), a.len())?;
    Ok(total(a.len(), |i| a[i] * b[i]))
}

/// out_i = v_0 + .. + v_i.
pub fn prefix_sum(values: &[Fr]) -> Vec<Fr> {
    horner_prefix(values, &Fr::ONE)
}

/// out_i = v_0 * .. * v_i.
pub fn prefix_product(values: &[Fr]) -> Vec<Fr> {
    let mut out = values.to_vec();
    let size = chunk_size(values.len());
    each_chunk(&mut out, size, |_, chunk| {
        for i in 1..chunk.len() {
            let before = chunk[i - 1];
            chunk[i] *= before;
        }
    });
    let before = scan(&lasts(&out, size), Fr::ONE, |acc, x| acc * x);
    each_chunk(&mut out, size, |i, chunk| {
        if i > 0 {
            chunk.iter_mut().for_each(|x| *x *= before[i]);
        }
    });
    out
}

/// acc_i = acc_{i-1} * x + v_i, acc_{-1} = 0.
pub fn horner_prefix(values: &[Fr], x: &Fr) -> Vec<Fr> {
    let mut out = values.to_vec();
    let size = chunk_size(values.len());
    each_chunk(&mut out, size, |_, chunk| {
        for i in 1..chunk.len() {
            chunk[i] = chunk[i - 1] * x + chunk[i];
        }
    });
    let step = x.pow([size as u64]);
    let before = scan(&lasts(&out, size), Fr::ZERO, |acc, last| acc * step + last);
    each_chunk(&mut out, size, |i, chunk| {
        let mut carry = before[i];
        for value in chunk.iter_mut().filter(|_| i > 0) {
            carry *= x;
            *value += carry;
        }
    });
    out
}

/// The last element of each chunk.
fn lasts(values: &[Fr], size: usize) -> Vec<Fr> {
    values.chunks(size).filter_map(|c| c.last().copied()).collect()
}

/// The exclusive scan out_0 = first, out_{i+1} = step(out_i, values_i).
fn scan(values: &[Fr], first: Fr, step: impl Fn(Fr, Fr) -> Fr) -> Vec<Fr> {
    let mut acc = first;
    values
        .iter()
        .map(|x| {
            let before = acc;
            acc = step(acc, *x);
            before
        })
        .collect()
}

/// The size of chunks that keep all threads busy; at least `SERIAL_BELOW`.
fn chunk_size(len: usize) -> usize {
    if len <= SERIAL_BELOW {
        return SERIAL_BELOW;
    }
    len.div_ceil(4 * rayon::current_num_threads()).max(SERIAL_BELOW)
}

/// values[index_i]. Errors: an index is outside the vector.
pub fn take(values: &[Fr], index: &[i64]) -> Result<Vec<Fr>> {
    try_tabulate(index.len(), |k| {
        let found = usize::try_from(index[k]).ok().and_then(|i| values.get(i));
        let outside = || Error::Argument(format!("index {} is outside a vector of {}", index[k], values.len()));
        found.copied().ok_or_else(outside)
    })
}

/// 1 where the elements are equal, else 0; length-one vectors broadcast. Errors: lengths differ.
pub fn equal(a: &[Fr], b: &[Fr]) -> Result<Vec<u8>> {
    match (a, b) {
        (a, [y]) => Ok(a.iter().map(|x| u8::from(x == y)).collect()),
        ([x], b) => Ok(b.iter().map(|y| u8::from(x == y)).collect()),
        (a, b) => {
            expect_len("right operand", b.len(), a.len())?;
            Ok(a.iter().zip(b).map(|(x, y)| u8::from(x == y)).collect())
        }
    }
}

pub fn from_i64(values: &[i64]) -> Vec<Fr> {
    tabulate(values.len(), |i| field::fr_from_i64(values[i]))
}

/// Elements from 32 little-endian bytes each. Errors: the length is not a multiple of 32, an element is not below r.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Fr>> {
    let (words, rest) = bytes.as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(Error::Argument(format!("expected a multiple of {BYTES} bytes, got {}", bytes.len())));
    }
    let not_canonical = |i: usize| Error::Argument(format!("element {i} is not below r"));
    try_tabulate(words.len(), |i| field::from_le(&words[i]).ok_or_else(|| not_canonical(i)))
}

/// Elements as 32 little-endian bytes each, below r.
pub fn to_bytes(values: &[Fr]) -> Vec<u8> {
    tabulate(values.len(), |i| field::to_le(&values[i])).into_flattened()
}
