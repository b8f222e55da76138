//! Points as they lie in .zkey and .ptau files. They are checked in bulk, and copied to where the kernels can use them.

use std::marker::PhantomData;

use ark_ec::short_weierstrass::Affine;
use rayon::prelude::*;

use crate::circom::container::{is_below, limbs, P, WORD};
use crate::kernel::curve::Curve;
use crate::memory::collect;

/// Points one after the other, as x || y in Montgomery limbs; infinity is all zeros.
pub struct Points<'a, C: Curve> {
    bytes: &'a [u8],
    curve: PhantomData<C>,
}

impl<C: Curve> Clone for Points<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Curve> Copy for Points<'_, C> {}

/// The points of one task.
const TASK: usize = 1 << 10;

impl<'a, C: Curve> Points<'a, C> {
    pub const SIZE: usize = std::mem::size_of::<C::Stored>();

    /// The points in `bytes`; bytes after the last whole point are left out.
    pub fn new(bytes: &'a [u8]) -> Self {
        Points { bytes, curve: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / Self::SIZE
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points start .. start + count.
    pub fn slice(&self, start: usize, count: usize) -> Self {
        Points::new(&self.bytes[start * Self::SIZE..(start + count) * Self::SIZE])
    }

    #[inline(always)]
    fn raw(&self, i: usize) -> &'a [u8] {
        &self.bytes[i * Self::SIZE..(i + 1) * Self::SIZE]
    }

    #[inline(always)]
    pub fn stored(&self, i: usize) -> C::Stored {
        bytemuck::pod_read_unaligned(self.raw(i))
    }

    /// Point i, whose coordinates must have been checked.
    pub fn get(&self, i: usize) -> Affine<C> {
        C::load(&self.stored(i))
    }

    pub fn is_infinity(&self, i: usize) -> bool {
        self.raw(i).iter().all(|byte| *byte == 0)
    }

    /// Whether the coordinates of point i are below p, and the point is on the curve or infinity.
    pub fn is_valid(&self, i: usize) -> bool {
        let canonical = self.raw(i).chunks_exact(WORD).all(|word| is_below(&limbs(word), &P));
        canonical && (self.is_infinity(i) || self.get(i).is_on_curve())
    }

    /// The first point that is not valid.
    pub fn first_invalid(&self) -> Option<usize> {
        (0..self.len()).into_par_iter().with_min_len(TASK).find_first(|i| !self.is_valid(*i))
    }

    /// The indices of the points other than infinity, in order.
    pub fn finite(&self) -> Vec<u32> {
        (0..self.len() as u32).filter(|i| !self.is_infinity(*i as usize)).collect()
    }

    pub fn to_vec(&self) -> Vec<C::Stored> {
        (0..self.len()).into_par_iter().with_min_len(TASK).map(|i| self.stored(i)).collect()
    }

    pub fn gather(&self, index: &[u32]) -> Vec<C::Stored> {
        collect(index.len(), |i| self.stored(index[i] as usize))
    }
}
