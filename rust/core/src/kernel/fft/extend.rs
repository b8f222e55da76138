//! From values on a domain to values on its coset, in place: an inverse and a forward transform of length n = n1 n2.
//!
//! The four-step method of D. H. Bailey, "FFTs in external or hierarchical memory", J. Supercomputing 4, 1990, on the
//! matrix a[i1][i2] = a[i1 n2 + i2]. The forward transform takes its input in the order that the inverse leaves, so
//! nothing is transposed or reversed in memory:
//!   columns: inverse transforms of length n1 over i1, then times w^(-i2 k1);
//!   rows k1: inverse transforms of length n2 over i2: coefficient k = k1 + n1 k2, times g^k / n;
//!            forward transforms over k2, then times w^(m2 k1);
//!   columns: forward transforms over k1: the value at g w^(m1 n2 + m2) stands at [m1][m2].
//! Both transforms of a row are done while it is in the cache, so the whole matrix is read and written three times.

use std::marker::PhantomData;

use ark_ff::Field;
use rayon::prelude::*;

use super::dft::{limbs, Dft};
use super::{is_domain_size, root_of_unity};
use crate::error::{expect_len, Error, Result};
use crate::kernel::field::arith::{Arith, Kernel, Work};
use crate::kernel::field::modulus::{Limbs, Order};
use crate::kernel::field::{wide, Fr};
use crate::kernel::{dispatch, KernelId};

/// At least so many neighbouring columns are one task, so that whole cache lines are used.
const COLUMNS: usize = 4;

/// Extends values from the domain {w^i} of size n to the coset {g w^i}, g^2 = w.
pub struct Extender {
    size: usize,
    inner: Box<dyn Extend + Send + Sync>,
}

impl Extender {
    /// Errors: not a domain size.
    pub fn new(id: KernelId, size: usize) -> Result<Self> {
        if !is_domain_size(size) {
            return Err(Error::Argument(format!("{size} is not a domain size")));
        }
        Ok(Extender { size, inner: dispatch!(id, K => plan::<K>(size))? })
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Replaces values on the domain by values on the coset, both residues below r. Errors: another length than the
    /// domain's.
    pub fn extend(&self, values: &mut [Limbs]) -> Result<()> {
        expect_len("values on the domain", values.len(), self.size)?;
        self.inner.extend(values);
        Ok(())
    }
}

trait Extend {
    fn extend(&self, values: &mut [Limbs]);
}

/// The extension by this kernel, or on single elements for a size too small for vectors, which need 8 rows and 8
/// columns.
fn plan<K: Kernel>(size: usize) -> Result<Box<dyn Extend + Send + Sync>> {
    let log = size.trailing_zeros();
    let g = root_of_unity(2 * size)?;
    let w = g.square();
    Ok(if log >= 6 { Box::new(Typed::<K>::new(size, w, g)) } else { Box::new(Typed::<K::Scalar>::new(size, w, g)) })
}

type Lane<K> = <K as Arith<Order>>::Elem;

/// The extension of one size by one kernel.
struct Typed<K: Kernel> {
    rows: usize,
    columns: usize,
    column_inverse: Dft<K>,
    column_forward: Dft<K>,
    row_inverse: Dft<K>,
    row_forward: Dft<K>,
    /// w^-i2, i2 < n2
    column_ratio: Vec<Limbs>,
    /// w^k1 and g^k1 / n, k1 < n1
    row_ratio: Vec<Limbs>,
    row_scale: Vec<Limbs>,
    /// g^(n1 k2), k2 < n2
    coset: Vec<<K as Arith<Order>>::Constant>,
}

fn powers(first: Fr, ratio: Fr, count: usize) -> Vec<Limbs> {
    std::iter::successors(Some(first), |x| Some(*x * ratio)).take(count).map(|x| limbs(&x)).collect()
}

impl<K: Kernel> Typed<K> {
    const LANES: usize = <K as Arith<Order>>::LANES;

    fn new(size: usize, w: Fr, g: Fr) -> Self {
        let log = size.trailing_zeros();
        let odd = size >> log;
        // The odd factor makes columns longer.
        let row_log = (size.ilog2() / 2).max(log.min(3)).min(if log >= 6 { log - 3 } else { log });
        let (columns, rows) = (1 << row_log, size >> row_log);
        let invert = |x: Fr| x.inverse().unwrap_or(Fr::ONE);
        let (by_column, by_row) = (w.pow([columns as u64]), w.pow([rows as u64]));
        let column = |w: Fr| Dft::new(odd, log - row_log, w);
        Typed {
            rows,
            columns,
            column_inverse: column(invert(by_column)),
            column_forward: column(by_column),
            row_inverse: Dft::new(1, row_log, invert(by_row)),
            row_forward: Dft::new(1, row_log, by_row),
            column_ratio: powers(Fr::ONE, invert(w), columns),
            row_ratio: powers(Fr::ONE, w, rows),
            row_scale: powers(invert(Fr::from(size as u64)), g, rows),
            coset: powers(Fr::ONE, g.pow([rows as u64]), columns).iter().map(<K as Arith<Order>>::constant).collect(),
        }
    }

    fn each_columns(&self, values: &Matrix, twiddled: bool) {
        let step = (COLUMNS / Self::LANES).max(1) * Self::LANES;
        (0..self.columns).into_par_iter().step_by(step).for_each(|first| {
            for column in (first..(first + step).min(self.columns)).step_by(Self::LANES) {
                K::enter(Columns { plan: self, values, column, twiddled });
            }
        });
    }
}

impl<K: Kernel> Extend for Typed<K> {
    fn extend(&self, values: &mut [Limbs]) {
        let matrix = Matrix::new(values);
        self.each_columns(&matrix, true);
        (0..self.rows)
            .into_par_iter()
            .step_by(Self::LANES)
            .for_each(|row| K::enter(Rows { plan: self, values: &matrix, row }));
        self.each_columns(&matrix, false);
    }
}

/// The values as a matrix, for tasks each of which has some columns or some rows to itself.
struct Matrix<'a> {
    start: *mut Limbs,
    len: usize,
    values: PhantomData<&'a mut [Limbs]>,
}

// SAFETY: it is a pointer to plain integers; the callers of `at` and `put` see to it that tasks do not meet.
unsafe impl Sync for Matrix<'_> {}

impl<'a> Matrix<'a> {
    fn new(values: &'a mut [Limbs]) -> Self {
        Matrix { start: values.as_mut_ptr(), len: values.len(), values: PhantomData }
    }

    /// The value at an index.
    ///
    /// # Safety
    /// While the reference lives no task may `put` to this index.
    #[inline(always)]
    unsafe fn at(&self, index: usize) -> &Limbs {
        debug_assert!(index < self.len);
        // SAFETY: within the slice (checked in debug builds; callers stay below rows * columns = len).
        unsafe { &*self.start.add(index) }
    }

    /// Writes the value at an index.
    ///
    /// # Safety
    /// No other task may use this index at the same time.
    #[inline(always)]
    unsafe fn put(&self, index: usize, value: Limbs) {
        debug_assert!(index < self.len);
        // SAFETY: within the slice, as in `at`.
        unsafe { self.start.add(index).write(value) }
    }
}

/// The powers first ratio^i, handed out in order. Four chains take turns, so that no power waits for the one before.
struct Geometric<A: Arith<Order>> {
    next: [A::Elem; 4],
    step: A::Elem,
}

impl<A: Arith<Order>> Geometric<A> {
    /// `first` tight, `ratio` a factor.
    #[inline(always)]
    fn new(first: A::Elem, ratio: A::Elem) -> Self {
        let second = A::mul(&first, &ratio);
        let third = A::mul(&second, &ratio);
        let square = A::mul(&A::mul(&A::one(), &ratio), &ratio);
        Geometric { next: [first, second, third, A::mul(&third, &ratio)], step: A::mul(&square, &square) }
    }

    #[inline(always)]
    fn take(&mut self, i: usize) -> A::Elem {
        let slot = &mut self.next[i % 4];
        let value = *slot;
        *slot = A::mul(slot, &self.step);
        value
    }
}

/// Transforms over some neighbouring columns: inverse with twiddle factors, or forward.
struct Columns<'a, K: Kernel> {
    plan: &'a Typed<K>,
    values: &'a Matrix<'a>,
    column: usize,
    twiddled: bool,
}

impl<K: Kernel> Work<K> for Columns<'_, K> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let (plan, width) = (self.plan, self.plan.columns);
        let dft = if self.twiddled { &plan.column_inverse } else { &plan.column_forward };
        let mut buffer = vec![<K as Arith<Order>>::one(); plan.rows];
        for i in 0..plan.rows {
            // SAFETY: this task alone owns columns column .. column + LANES.
            let at = |lane: usize| unsafe { self.values.at(i * width + self.column + lane) };
            buffer[dft.place(i)] = <K as Arith<Order>>::gather(at);
        }
        dft.run(&mut buffer);
        let ratio = |lane: usize| &plan.column_ratio[self.column + lane];
        let ratio = <K as Arith<Order>>::factor(&<K as Arith<Order>>::gather(ratio));
        let one = <K as Arith<Order>>::one();
        let mut twiddle = Geometric::<K>::new(one, ratio);
        for (i, x) in buffer.iter().enumerate() {
            let factor = if self.twiddled { twiddle.take(i) } else { one };
            let x = <K as Arith<Order>>::mul(&<K as Arith<Order>>::settle(x), &factor);
            <K as Arith<Order>>::scatter(&x, |lane, value| {
                let value = if self.twiddled { value } else { wide::canonical::<Order>(&value) };
                // SAFETY: this task's columns.
                unsafe { self.values.put(i * width + self.column + lane, value) }
            });
        }
    }
}

/// Inverse and forward transforms over some neighbouring rows.
struct Rows<'a, K: Kernel> {
    plan: &'a Typed<K>,
    values: &'a Matrix<'a>,
    row: usize,
}

impl<K: Kernel> Work<K> for Rows<'_, K> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let (plan, width) = (self.plan, self.plan.columns);
        let (back, forth) = (&plan.row_inverse, &plan.row_forward);
        let one = <K as Arith<Order>>::one();
        let mut buffer: Vec<Lane<K>> = vec![one; width];
        let mut second = vec![one; width];
        for i in 0..width {
            // SAFETY: this task alone owns rows row .. row + LANES.
            let at = |lane: usize| unsafe { self.values.at((self.row + lane) * width + i) };
            buffer[back.place(i)] = <K as Arith<Order>>::gather(at);
        }
        back.run(&mut buffer);
        for (k, x) in buffer.iter().enumerate() {
            second[forth.place(k)] = <K as Arith<Order>>::mul(x, &<K as Arith<Order>>::splat(&plan.coset[k]));
        }
        forth.run(&mut second);
        let lane = |table: &'_ [Limbs]| {
            <K as Arith<Order>>::factor(&<K as Arith<Order>>::gather(|lane| &table[self.row + lane]))
        };
        let first = <K as Arith<Order>>::mul(&lane(&plan.row_scale), &one);
        let mut twiddle = Geometric::<K>::new(first, lane(&plan.row_ratio));
        for (i, x) in second.iter().enumerate() {
            let x = <K as Arith<Order>>::mul(&<K as Arith<Order>>::settle(x), &twiddle.take(i));
            // SAFETY: this task's rows.
            <K as Arith<Order>>::scatter(&x, |lane, value| unsafe {
                self.values.put((self.row + lane) * width + i, value)
            });
        }
    }
}
